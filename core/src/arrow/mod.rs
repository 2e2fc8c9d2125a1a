//! Arrow IPC streams: what a read returns, and what an upload takes, for clients whose tables are columns already.
//!
//! `write` gathers the rows of a read into columns, `read` takes those of an upload out of them. Nothing here knows how a value is stored or where it came from.

mod read;
mod write;

pub use read::read_stream;
pub use write::{Frame, SeriesCode, Version, VersionCode};

use crate::time::Time;

/// Arrow counts from 1970, a [`Time`] from 2000.
const MICROS_FROM_1970_TO_2000: i64 = 946_684_800_000_000;

fn since_1970(time: Time) -> i64 {
    time.micros() + MICROS_FROM_1970_TO_2000
}
