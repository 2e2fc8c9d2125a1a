//! The text of packed points: a JSON object that a person reads, and that holds every point bit for bit.
//!
//! ```text
//! {"start":"2025-01-01T00:00:00Z","step":"PT1H","values":[20.0,null,"NaN"]}
//! {"times":["2025-01-01T00:00:00Z","2025-01-01T00:07:00Z"],"values":[20.0,21.5]}
//! ```
//!
//! With `"length":"PT1H"` every point is an interval of that length, with `"ends":[null,"…"]` each has its own end or none.

mod object;
mod read;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub(crate) use object::Object;
pub(crate) use read::Text;
pub use read::{TextError, from_text};
pub(crate) use value::Moment;
pub(crate) use write::json;
pub use write::to_text;
