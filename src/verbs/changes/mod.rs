//! What has changed since: `settled_time`, and what was written between two moments, as rows by `read_changes` and as an Arrow
//! stream by `read_changes_arrow`.

mod groups;
mod request;

use super::read_arrow::bytea::{Bytea, MOST_BYTES};
use crate::error::{Error, Reported};
use crate::identity::session::Session;
use crate::pg::cancel::answer_cancel;
use crate::pg::moment;
use crate::pg::result::Returned;
use crate::pg::timestamp::Timestamptz;
use crate::pg::varlena::{Jsonb, TextArray, UuidArray};
use crate::types::answer::AnswerRows;
use pgrx::prelude::*;
use request::{Arguments, ON_A_STANDBY, changes};
use timedb_core::answer::columns::READ;
use timedb_core::answer::{Frame, Most};

#[pg_extern(sql = false)]
fn settled_time() -> Reported<Returned> {
    let identity = Session::now().required()?;
    let settled = moment::settled(identity.tenant).ok_or(ON_A_STANDBY)?;
    Ok(Returned::scalar::<Timestamptz>(settled))
}

#[pg_extern(sql = false)]
fn read_changes(
    after: Option<i64>,
    until: Option<i64>,
    series_keys: Option<TextArray>,
    series_ids: Option<UuidArray>,
    labels: Option<Jsonb>,
    max_rows: Option<i32>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let changes = changes(Arguments {
        after,
        until,
        series_keys,
        series_ids,
        labels,
        max_rows,
    })?;
    let mut rows = AnswerRows::open(fcinfo, &READ, READ.len())?;
    changes.each(|series, points| {
        answer_cancel();
        let mut rows = rows.of_series(series);
        points.iter().for_each(|(version, point)| rows.put(version, point));
        Ok(())
    })?;
    Ok(rows.close())
}

#[pg_extern(sql = false)]
fn read_changes_arrow(
    after: Option<i64>,
    until: Option<i64>,
    series_keys: Option<TextArray>,
    series_ids: Option<UuidArray>,
    labels: Option<Jsonb>,
    max_rows: Option<i32>,
) -> Reported<Returned> {
    let changes = changes(Arguments {
        after,
        until,
        series_keys,
        series_ids,
        labels,
        max_rows,
    })?;
    let most = Most {
        rows: usize::MAX,
        bytes: MOST_BYTES,
    };
    let mut frame = Frame::new();
    changes.each(|series, points| {
        answer_cancel();
        let series = frame.series(series);
        for of_version in points.chunk_by(|(one, _), (other, _)| std::ptr::eq(*one, *other)) {
            let version = frame.version(of_version[0].0);
            frame.extend(series, version, of_version.iter().map(|(_, point)| *point));
        }
        if frame.is_full(most) {
            return Err(Error::AnswerTooLarge);
        }
        Ok(())
    })?;
    let mut bytea = Bytea::palloc(frame.bytes());
    frame.finish(&mut bytea).map_err(|_| Error::AnswerTooLarge)?;
    // SAFETY: a bytea, palloc'd in the caller's memory.
    Ok(unsafe { Returned::datum(Some(bytea.datum())) })
}
