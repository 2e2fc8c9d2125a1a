//! `read_arrow`: a read as an Arrow IPC stream, whose columns a client takes as they are,
//! without parsing. What is uploaded so is read by `timedb_core::arrow`, and stored as any upload.

use crate::answer::Answer;
use crate::cancel::answer_cancel;
use crate::cell::Passed;
use crate::error::{Error, Result};
use crate::read::{Arguments, Request, Shown};
use crate::row::Image;
use pgrx::prelude::*;
use std::io;
use timedb_core::arrow::{Frame, Version, VersionCode};
use timedb_core::merge::Pick;
use timedb_core::points::Point;

#[pg_extern(sql = false)]
#[allow(
    clippy::too_many_arguments,
    reason = "the arguments of the SQL function"
)]
fn read_arrow(
    start_valid: Option<i64>,
    end_valid: Option<i64>,
    start_known: Option<i64>,
    end_known: Option<i64>,
    mode: Option<&str>,
    all_versions: Option<bool>,
    series_keys: Option<Passed>,
    series_ids: Option<Passed>,
    as_of: Option<i64>,
) -> Result<Answer> {
    let request = Request::of(Arguments {
        start_valid,
        end_valid,
        start_known,
        end_known,
        mode,
        all_versions,
        series_keys,
        series_ids,
        as_of,
    })?;
    let mut frame = Frame::new();
    request.each_series(|shown| {
        add(&mut frame, shown)?;
        Bytea::check(frame.bytes())
    })?;
    let mut bytea = Bytea::with_capacity(frame.bytes())?;
    frame
        .finish(&mut bytea)
        .map_err(|_| Error::AnswerTooLarge)?;
    Ok(bytea.answer())
}

fn add(frame: &mut Frame, mut shown: Shown) -> Result<()> {
    let series = frame.series(
        shown.series.id,
        text(&shown.series.key)?,
        text(&shown.series.unit)?,
    );
    let mut codes: Vec<Option<VersionCode>> = vec![None; shown.opened.versions().len()];
    frame.reserve(shown.picks.len());
    for (count, pick) in shown.picks.iter().enumerate() {
        if count % 4096 == 0 {
            answer_cancel();
        }
        let value = shown.opened.value(pick)?;
        let code = match codes[pick.version as usize] {
            Some(code) => code,
            None => *codes[pick.version as usize].insert(version(frame, &shown, pick)?),
        };
        let point = Point {
            start: pick.start,
            end: pick.end,
            value,
        };
        frame.push(series, code, point);
    }
    Ok(())
}

fn version(frame: &mut Frame, shown: &Shown, pick: &Pick) -> Result<VersionCode> {
    let version = shown.opened.version(pick);
    let remark = shown.opened.remark(pick);
    let image = |number| shown.texts.image(number);
    let annotation = remark.annotation.map(|number| text(image(number)));
    let tags = remark.tags.map(|number| image(number).texts());
    let tags: Option<Vec<&str>> = tags
        .as_ref()
        .map(|tags| tags.iter().map(String::as_str).collect());
    Ok(frame.version(Version {
        run: version.run,
        known: version.known,
        change: version.change,
        changed_by: text(image(remark.changed_by))?,
        annotation: annotation.transpose()?,
        tags: tags.as_deref(),
    }))
}

fn text(image: &Image) -> Result<&str> {
    let text = str::from_utf8(image.payload());
    Ok(text.map_err(|_| Error::Broken("a stored text is not UTF-8".into()))?)
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
            return Err(Error::AnswerTooLarge.into());
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

    fn answer(self) -> Answer {
        // SAFETY: the header and as many bytes as it says have been written.
        unsafe { pgrx::varlena::set_varsize_4b(self.start, self.length as i32) };
        Answer::scalar(Some(pg_sys::Datum::from(self.start)))
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
