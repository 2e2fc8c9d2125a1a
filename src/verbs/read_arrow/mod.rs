//! A read as Arrow IPC streams, whose columns a client takes as they are, without parsing: `read_arrow` answers one,
//! `read_arrow_batches` as many as it takes.

mod batches;
mod bytea;
mod frames;

use super::read::{Arguments, Reading, Request};
use crate::error::{Error, Reported};
use crate::pg::result::Returned;
use crate::pg::varlena::{TextArray, UuidArray};
use bytea::{Bytea, MOST_BYTES};
use frames::Frames;
use pgrx::prelude::*;
use timedb_core::answer::Most;

pub use batches::BATCHES;

#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn read_arrow(
    start_valid: Option<i64>,
    end_valid: Option<i64>,
    start_known: Option<i64>,
    end_known: Option<i64>,
    mode: Option<&str>,
    all_versions: Option<bool>,
    series_keys: Option<TextArray>,
    series_ids: Option<UuidArray>,
    as_of: Option<i64>,
) -> Reported<Returned> {
    let reading = Reading::now(|| {
        Request::of(Arguments {
            start_valid,
            end_valid,
            start_known,
            end_known,
            mode,
            all_versions,
            series_keys,
            series_ids,
            as_of,
        })
    })?;
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
