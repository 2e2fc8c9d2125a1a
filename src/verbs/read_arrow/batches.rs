//! `read_arrow_batches`, as a node of a plan and as a function: stream after stream, each whole, with one in memory.

use super::bytea::{MOST_BYTES, Room};
use super::frames::Frames;
use crate::error::{Error, Reported, Result};
use crate::identity::session::Session;
use crate::pg::arguments::Arguments;
use crate::pg::node::{Call, Function, SlotRow, Source};
use crate::pg::result::{Returned, Tuplestore};
use crate::pg::tuple::{FetchAll, Then};
use crate::verbs::read::{OfRead, Reading, Request, reader};
use pgrx::prelude::*;
use std::ffi::CStr;
use timedb_core::answer::Most;
use timedb_core::limits::MOST_BATCH_ROWS;

/// As a node of a plan.
pub const BATCHES: Function = Function {
    name: c"read_arrow_batches",
    takes: <OfBatches as FetchAll>::are,
    columns: || vec![pg_sys::BYTEAOID],
    narrowing: &[],
    order: None,
    extent: None,
    open: |call| Ok(Box::new(Rows::open(call)?)),
};

type OfBatches = Then<OfRead, (Option<i32>,)>;

#[pg_extern(sql = false)]
fn read_arrow_batches(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let identity = Session::now().required()?;
    let arguments = Arguments::of(fcinfo);
    let Then(of_read, (max_rows,)) = arguments.fetch::<OfBatches>()?;
    let reading = Reading::of(identity, Request::of(of_read)?);
    let mut batches = Batches::of(reading, max_rows)?;
    let mut store = Tuplestore::of_one_column(fcinfo, pg_sys::BYTEAOID)?;
    while let Some(batch) = batches.next()? {
        // SAFETY: a bytea; the store copies it.
        unsafe { store.put([Some(batch)]) };
    }
    Ok(store.close())
}

/// Streams, made one after the other.
struct Batches {
    frames: Frames,
    /// An answer has one at least.
    is_first: bool,
    room: Room,
}

impl Batches {
    fn of(reading: Reading, max_rows: Option<i32>) -> Result<Batches> {
        let rows = max_rows.and_then(|rows| usize::try_from(rows).ok());
        let rows = rows.filter(|rows| (1..=MOST_BATCH_ROWS).contains(rows));
        let rows = rows.ok_or_else(|| Error::bad("max_rows", format!("must be from 1 to {MOST_BATCH_ROWS}")))?;
        let most = Most {
            rows,
            bytes: MOST_BYTES,
        };
        Ok(Batches {
            frames: Frames::of(reading, most),
            is_first: true,
            room: Room::default(),
        })
    }

    /// The next, a `bytea` that stays until one is asked for again.
    fn next(&mut self) -> Result<Option<pg_sys::Datum>> {
        let frame = self.frames.next()?;
        if frame.is_empty() && !self.is_first {
            return Ok(None);
        }
        self.is_first = false;
        let mut bytea = self.room.bytea(frame.bytes());
        frame.finish(&mut bytea).map_err(|_| Error::AnswerTooLarge)?;
        Ok(Some(bytea.datum()))
    }
}

/// The streams as rows of a node.
struct Rows {
    batches: Batches,
    /// The one that is to be shown next.
    batch: Option<pg_sys::Datum>,
    is_asked: bool,
}

impl Rows {
    fn open(call: &Call) -> Result<Rows> {
        // Before the arguments are looked at, as the function does.
        let identity = reader(call)?;
        let Then(of_read, (max_rows,)) = call.arguments::<OfBatches>()?;
        Ok(Rows {
            batches: Batches::of(Reading::of(identity, Request::of(of_read)?), max_rows)?,
            batch: None,
            is_asked: !call.columns.is_empty(),
        })
    }
}

// SAFETY: what is put is a bytea, and stays until the next is fetched.
unsafe impl Source for Rows {
    fn fetch(&mut self) -> Result<bool> {
        self.batch = self.batches.next()?;
        Ok(self.batch.is_some())
    }

    fn next(&mut self, row: &mut SlotRow) -> Result<bool> {
        let Some(batch) = self.batch.take() else {
            return Ok(false);
        };
        if self.is_asked {
            // SAFETY: see above; there is one column.
            unsafe { row.put(0, Some(batch)) };
        }
        Ok(true)
    }

    fn looked_at(&self) -> Vec<(&'static CStr, u64)> {
        self.batches.frames.looked_at().counts()
    }
}
