//! A read as Arrow IPC streams, whose columns a client takes as they are, without parsing: `read_arrow` answers one,
//! `read_arrow_batches` as many as it takes.

mod batches;
pub(super) mod bytea;
mod frames;

use super::read::{Reading, Request, relative};
use crate::error::{Error, Reported};
use crate::pg::result::Returned;
use bytea::{Bytea, MOST_BYTES};
use frames::Frames;
use pgrx::prelude::*;
use timedb_core::answer::Most;

pub use batches::BATCHES;

/// As 0.1.0 declared it.
#[pg_extern(sql = false)]
fn read_arrow(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    stream(Reading::now(|| Request::of_call(fcinfo))?)
}

/// By a name of its own, as `read` has it.
#[pg_extern(sql = false)]
fn reconnect_read_arrow(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    stream(Reading::now(|| Request::of_call(fcinfo))?)
}

#[pg_extern(sql = false)]
fn read_relative_arrow(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    stream(relative::reading(fcinfo)?)
}

/// All of a read as one stream.
fn stream(reading: Reading) -> Reported<Returned> {
    let most = Most {
        rows: usize::MAX,
        bytes: MOST_BYTES,
    };
    let frame = Frames::of(reading, most).next()?;
    if frame.is_full(most) {
        return Err(Error::AnswerTooLarge.into());
    }
    let mut bytea = Bytea::palloc(frame.bytes());
    frame.finish(&mut bytea).map_err(|_| Error::AnswerTooLarge)?;
    // SAFETY: a bytea, palloc'd in the caller's memory.
    Ok(unsafe { Returned::datum(Some(bytea.datum())) })
}
