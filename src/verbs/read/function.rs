//! `read`, and what the view current_values is built on, as functions: the whole answer is made at once. Where a plan has a
//! node in their place, `node` answers.

use super::relative;
use super::request::{Reading, Request, Shown};
use crate::error::{Reported, Result};
use crate::identity::session::Session;
use crate::pg::cancel::answer_cancel;
use crate::pg::datum::id;
use crate::pg::result::Returned;
use crate::types::answer::AnswerRows;
use pgrx::prelude::*;
use timedb_core::answer::columns::{OF_ONE_SERIES, READ, READ_BEFORE_LABELS};

/// As 0.1.0 declared it: its databases call it until they are updated.
#[pg_extern(sql = false)]
fn read(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    rows(fcinfo)
}

/// By a name of its own, which a session that has still loaded the library of 0.1.0 does not find: that would take the answer
/// for one of fewer columns.
#[pg_extern(sql = false)]
fn reconnect_read(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    rows(fcinfo)
}

fn rows(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let reading = Reading::now(|| Request::of_call(fcinfo))?;
    let mut rows = AnswerRows::open(fcinfo, &READ, READ_BEFORE_LABELS)?;
    put_all(&mut rows, reading)?;
    Ok(rows.close())
}

#[pg_extern(sql = false)]
fn read_relative(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let reading = relative::reading(fcinfo)?;
    let mut rows = AnswerRows::open(fcinfo, &READ, READ.len())?;
    put_all(&mut rows, reading)?;
    Ok(rows.close())
}

/// For the view, as 0.1.0 declared it.
#[pg_extern(sql = false)]
fn _series_values(series_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    rows_of_one(series_id, fcinfo)
}

/// By a name of its own, which a session that has still loaded the library of 0.1.0 does not find: that would show what is
/// withdrawn.
#[pg_extern(sql = false)]
fn _values_of_series(series_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    rows_of_one(series_id, fcinfo)
}

/// No error without a login, and the columns that the view does not have from the series itself.
fn rows_of_one(series_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut rows = AnswerRows::open(fcinfo, &OF_ONE_SERIES, OF_ONE_SERIES.len())?;
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
