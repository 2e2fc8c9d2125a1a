//! `upload_runs` and `upload_runs_arrow`: as many runs as their rows say, all of them or none.

use super::arguments::RunArguments;
use super::{Stored, store};
use crate::error::{Error, Reported, Result};
use crate::identity::limits::limits;
use crate::identity::session::Acting;
use crate::pg::cancel::answer_cancel;
use crate::pg::result::Returned;
use crate::pg::varlena::Jsonb;
use pgrx::prelude::*;
use timedb_core::scope::Scope;
use timedb_core::upload::{RunKey, Upload, read_arrow_of_runs, read_json_of_runs};

/// Rows of JSON.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn upload_runs(
    value_rows: Option<&str>,
    run_start_time: Option<i64>,
    workflow_id: Option<&str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
    skip_unchanged: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let run = RunArguments {
        run_start_time,
        workflow_id,
        run_finish_time,
        known_time,
        run_params,
        series_descriptions,
    };
    let stored = upload_of_runs(run, "value_rows", skip_unchanged, |of_the_call| {
        let json = value_rows.ok_or(Error::NullArgument("value_rows"))?;
        read_json_of_runs(json, of_the_call, &limits(), &mut answer_cancel).map_err(Error::Row)
    })?;
    Ok(stored.answer_of_runs(fcinfo)?)
}

/// Rows of an Arrow stream.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn upload_runs_arrow(
    stream: Option<&[u8]>,
    run_start_time: Option<i64>,
    workflow_id: Option<&str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
    skip_unchanged: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let run = RunArguments {
        run_start_time,
        workflow_id,
        run_finish_time,
        known_time,
        run_params,
        series_descriptions,
    };
    let stored = upload_of_runs(run, "stream", skip_unchanged, |of_the_call| {
        let stream = stream.ok_or(Error::NullArgument("stream"))?;
        read_arrow_of_runs(stream, of_the_call, &limits(), &mut answer_cancel).map_err(Error::Row)
    })?;
    Ok(stored.answer_of_runs(fcinfo)?)
}

/// As an upload of one run: who is acting is asked first, and what the call says of its runs is looked at before its rows.
fn upload_of_runs(
    run: RunArguments,
    argument: &'static str,
    skip_unchanged: Option<bool>,
    rows: impl FnOnce(RunKey) -> Result<Upload>,
) -> Result<Stored> {
    let writer = Acting::with(Scope::Write)?;
    let run = run.of_runs()?;
    let rows = rows(run.key())?;
    store(&writer, &run, rows, argument, skip_unchanged.unwrap_or(false))
}
