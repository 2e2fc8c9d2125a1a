//! `read_arrow`: a read as an Arrow IPC stream, whose columns a client takes as they are, without parsing.

use super::read::{Arguments, Reading, Request, Shown};
use crate::error::{Error, Reported, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::result::Returned;
use crate::pg::varlena::{TextArray, UuidArray};
use pgrx::prelude::*;
use std::io;
use timedb_core::answer::{Frame, VersionCode};

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
    let mut reading = Reading::now(|| {
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
    let mut frame = Frame::new();
    while let Some(shown) = reading.next()? {
        add(&mut frame, shown)?;
        Bytea::check(frame.bytes())?;
    }
    let mut bytea = Bytea::with_capacity(frame.bytes())?;
    frame.finish(&mut bytea).map_err(|_| Error::AnswerTooLarge)?;
    Ok(bytea.answer())
}

fn add(frame: &mut Frame, mut shown: Shown) -> Result<()> {
    let series = frame.series(&shown.series);
    let mut codes: Vec<Option<VersionCode>> = vec![None; shown.opened.versions()];
    frame.reserve(shown.opened.len());
    let mut count = 0;
    while let Some((version, point)) = shown.opened.next()? {
        if count % 4096 == 0 {
            answer_cancel();
        }
        count += 1;
        let code = *codes[version].get_or_insert_with(|| frame.version(shown.opened.version(version)));
        frame.push(series, code, point);
    }
    Ok(())
}

/// A `bytea` that is written where Postgres will have it.
struct Bytea {
    start: *mut pg_sys::varlena,
    length: usize,
    capacity: usize,
}

impl Bytea {
    /// What Postgres allocates at most.
    const MOST: usize = 0x3fff_ffff;
    const HEADER: usize = size_of::<u32>();

    fn check(bytes: usize) -> Result<()> {
        if bytes > Bytea::MOST - Bytea::HEADER {
            return Err(Error::AnswerTooLarge);
        }
        Ok(())
    }

    fn with_capacity(bytes: usize) -> Result<Bytea> {
        Bytea::check(bytes)?;
        let capacity = Bytea::HEADER + bytes;
        // SAFETY: allocates in the caller's memory, or raises an error.
        let start = unsafe { pg_sys::palloc(capacity) }.cast();
        Ok(Bytea {
            start,
            length: Bytea::HEADER,
            capacity,
        })
    }

    fn answer(self) -> Returned {
        // SAFETY: a bytea, palloc'd: the header and as many bytes as it says have been written.
        unsafe {
            pgrx::varlena::set_varsize_4b(self.start, self.length as i32);
            Returned::datum(Some(pg_sys::Datum::from(self.start)))
        }
    }
}

impl io::Write for Bytea {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.capacity - self.length {
            return Err(io::ErrorKind::WriteZero.into());
        }
        // SAFETY: there is room for these bytes behind what has been written.
        unsafe {
            let end = self.start.cast::<u8>().add(self.length);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
        }
        self.length += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
