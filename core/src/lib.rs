//! What timedb is about, without Postgres: times, versions, packed points, packs of them, their merge, uploads and updates
//! as clients send them, answers as they take them, API keys.
//!
//! Nothing here knows pgrx, SQL or a server, so all of it is tested as plain Rust. The Postgres shell in `src/` of the
//! parent crate converts, calls and reports.

#![forbid(unsafe_code)]

pub mod answer;
pub mod blank;
pub mod buckets;
pub mod calendar;
pub mod clusters;
pub mod cutoff;
mod excerpt;
pub mod gaps;
pub mod held;
pub mod key;
pub mod limits;
pub mod listing;
pub mod lock;
pub mod merge;
pub mod pack;
pub mod points;
pub mod relay;
pub mod remote;
pub mod retain;
pub mod rows;
pub mod scope;
pub mod series_key;
pub mod span;
pub mod time;
pub mod unit;
pub mod update;
pub mod upload;
pub mod version;
