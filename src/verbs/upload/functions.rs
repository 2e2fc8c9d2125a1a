//! `upload`, `upload_points` and `upload_arrow`: one run, all of it or nothing.

use super::arguments::RunArguments;
use super::{Stored, store};
use crate::error::{Error, Reported, Result};
use crate::identity::limits::limits;
use crate::identity::session::Acting;
use crate::identity::standing::Identity;
use crate::pg::cancel::answer_cancel;
use crate::pg::datum::id;
use crate::pg::result::Returned;
use crate::pg::varlena::{Jsonb, JsonbArray};
use crate::verbs::arrays::rows_of_arrays;
use pgrx::Array;
use pgrx::prelude::*;
use timedb_core::scope::Scope;
use timedb_core::upload::{Upload, read_arrow, read_json};
use uuid::Uuid;

/// `upload` as 0.1.0 declared it: its databases call it until they are updated.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn upload(
    run_start_time: Option<i64>,
    value_rows: Option<&str>,
    workflow_id: Option<&str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
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
    Ok(upload_rows(run, value_rows, None, false)?.answer_of_0_1(fcinfo)?)
}

/// `upload`, whose old clients name their tenant.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn reconnect_upload(
    run_start_time: Option<i64>,
    value_rows: Option<&str>,
    workflow_id: Option<&str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
    tenant_id: Option<pgrx::Uuid>,
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
    let skips = skip_unchanged.unwrap_or(false);
    Ok(upload_rows(run, value_rows, tenant_id.map(id), skips)?.answer(fcinfo)?)
}

fn upload_rows(run: RunArguments, value_rows: Option<&str>, tenant: Option<Uuid>, skips: bool) -> Result<Stored> {
    upload_of(run, "value_rows", skips, |writer| {
        match tenant {
            Some(other) if other != writer.tenant => return Err(Error::absent_id("tenant", other)),
            _ => {}
        }
        let json = value_rows.ok_or(Error::NullArgument("value_rows"))?;
        read_json(json, &limits(), &mut answer_cancel).map_err(Error::Row)
    })
}

/// `upload_points` as 0.1.0 declared it.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn upload_points(
    run_start_time: Option<i64>,
    series_keys: Option<Array<&str>>,
    valid_times: Option<Array<i64>>,
    point_values: Option<Array<f64>>,
    valid_time_ends: Option<Array<i64>>,
    workflow_id: Option<&str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
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
    let arrays = (series_keys, valid_times, point_values, valid_time_ends);
    Ok(upload_arrays(run, arrays, None, false)?.answer_of_0_1(fcinfo)?)
}

/// `upload_points`, of series with labels too.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn reconnect_upload_points(
    run_start_time: Option<i64>,
    series_keys: Option<Array<&str>>,
    valid_times: Option<Array<i64>>,
    point_values: Option<Array<f64>>,
    valid_time_ends: Option<Array<i64>>,
    workflow_id: Option<&str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
    labels: Option<JsonbArray>,
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
    let arrays = (series_keys, valid_times, point_values, valid_time_ends);
    Ok(upload_arrays(run, arrays, labels, skip_unchanged.unwrap_or(false))?.answer(fcinfo)?)
}

/// Keys, times, values and ends.
type Arrays<'a, 'k, 'b, 'c, 'd> = (
    Option<Array<'a, &'k str>>,
    Option<Array<'b, i64>>,
    Option<Array<'c, f64>>,
    Option<Array<'d, i64>>,
);

fn upload_arrays(
    run: RunArguments,
    (keys, starts, values, ends): Arrays,
    labels: Option<JsonbArray>,
    skips: bool,
) -> Result<Stored> {
    upload_of(run, "valid_times", skips, |_| {
        let keys = keys.ok_or(Error::NullArgument("series_keys"))?;
        let starts = starts.ok_or(Error::NullArgument("valid_times"))?;
        let values = values.ok_or(Error::NullArgument("point_values"))?;
        rows_of_arrays(&keys, &starts, &values, ends.as_ref(), labels, &limits())
    })
}

/// `upload_arrow` as 0.1.0 declared it.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn upload_arrow(
    run_start_time: Option<i64>,
    stream: Option<&[u8]>,
    workflow_id: Option<&str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
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
    Ok(upload_stream(run, stream, false)?.answer_of_0_1(fcinfo)?)
}

/// `upload_arrow`, which may leave out what is unchanged.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn reconnect_upload_arrow(
    run_start_time: Option<i64>,
    stream: Option<&[u8]>,
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
    Ok(upload_stream(run, stream, skip_unchanged.unwrap_or(false))?.answer(fcinfo)?)
}

fn upload_stream(run: RunArguments, stream: Option<&[u8]>, skips: bool) -> Result<Stored> {
    upload_of(run, "stream", skips, |_| {
        let stream = stream.ok_or(Error::NullArgument("stream"))?;
        read_arrow(stream, &limits(), &mut answer_cancel).map_err(Error::Row)
    })
}

/// Who is acting is asked before anything is looked at, and what is said of the run before its rows, in whatever form they are.
fn upload_of(
    run: RunArguments,
    argument: &'static str,
    skips: bool,
    rows: impl FnOnce(&Identity) -> Result<Upload>,
) -> Result<Stored> {
    let writer = Acting::with(Scope::Write)?;
    let run = run.of_one()?;
    let rows = rows(&writer)?;
    store(&writer, &run, rows, argument, skips)
}
