//! The text of a pack: a JSON array that a person reads, and that holds every version and every point bit for bit.
//!
//! ```text
//! [{"run_id":"…","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a@b.c",
//!   "annotation":"…","tags":["…"],"points":{"start":"2025-01-01T01:00:00Z","step":"PT1H","values":[20.0,null]}}]
//! ```
//!
//! A version without an annotation or without tags lacks them. `points` is the text of points.

mod read;
mod write;

pub use read::from_text;
pub use write::to_text;
