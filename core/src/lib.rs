//! What timedb is about, without Postgres: times, packed points, packs of them, their merge, JSON rows, API keys.
//!
//! Nothing here knows pgrx, SQL or a server, so all of it is tested as plain Rust. The Postgres shell in `src/` of the
//! parent crate converts, calls and reports.

pub mod arrow;
pub mod key;
pub mod merge;
pub mod pack;
pub mod points;
pub mod rows;
pub mod scope;
pub mod span;
pub mod time;
