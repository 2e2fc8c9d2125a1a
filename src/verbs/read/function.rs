//! `read`, and what the view current_values is built on, as functions: the whole answer is made at once. Where a plan has a
//! node in their place, `node` answers.

use super::request::{Arguments, Reading, Request, Shown};
use crate::error::{Reported, Result};
use crate::identity::session::Session;
use crate::pg::cancel::answer_cancel;
use crate::pg::datum::id;
use crate::pg::result::Returned;
use crate::pg::varlena::{TextArray, UuidArray};
use crate::types::answer::AnswerRows;
use pgrx::prelude::*;
use timedb_core::answer::columns::{OF_ONE_SERIES, READ};

#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn read(
    start_valid: Option<i64>,
    end_valid: Option<i64>,
    start_known: Option<i64>,
    end_known: Option<i64>,
    mode: Option<&str>,
    all_versions: Option<bool>,
    series_keys: Option<TextArray>,
    series_ids: Option<UuidArray>,
    as_of: Option<i64>,
    fcinfo: pg_sys::FunctionCallInfo,
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
    let mut rows = AnswerRows::open(fcinfo, &READ)?;
    put_all(&mut rows, reading)?;
    Ok(rows.close())
}

/// For the view: no error without a login, and the columns that the view does not have from the series itself.
#[pg_extern(sql = false)]
fn _series_values(series_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut rows = AnswerRows::open(fcinfo, &OF_ONE_SERIES)?;
    if let (Session::Acting(identity), Some(series_id)) = (Session::now(), series_id) {
        put_all(&mut rows, Reading::of(identity, Request::of_one(id(series_id))))?;
    }
    Ok(rows.close())
}

fn put_all(rows: &mut AnswerRows, mut reading: Reading) -> Result<()> {
    while let Some(shown) = reading.next()? {
        put(rows, shown)?;
    }
    Ok(())
}

fn put(rows: &mut AnswerRows, mut shown: Shown) -> Result<()> {
    let mut rows = rows.of_series(&shown.series);
    let mut count = 0;
    while let Some((version, point)) = shown.opened.next()? {
        if count % 4096 == 0 {
            answer_cancel();
        }
        count += 1;
        rows.put(shown.opened.version(version), &point);
    }
    Ok(())
}
