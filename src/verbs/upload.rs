//! `upload`, `upload_points` and `upload_arrow`: one run, all of it or nothing.

use super::arrays::rows_of_arrays;
use super::resolved::{ONE_KEY, Resolved};
use super::series;
use crate::error::{Error, Reported, Result};
use crate::identity::session::Acting;
use crate::identity::standing::Identity;
use crate::pg::cancel::answer_cancel;
use crate::pg::clock;
use crate::pg::datum::id;
use crate::pg::moment;
use crate::pg::result::Returned;
use crate::pg::timestamp;
use crate::pg::varlena::{Json, Jsonb};
use crate::pg::warning::warn;
use crate::store::write::{NewRows, RunRow};
use pgrx::Array;
use pgrx::prelude::*;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use timedb_core::blank::unless_blank;
use timedb_core::limits::{KNOWN_AHEAD, LONGEST_WORKFLOW, MOST_UPLOAD_ROWS};
use timedb_core::rows::{BadRows, Kind, Refusal, RowError};
use timedb_core::scope::Scope;
use timedb_core::series_key::in_normal_form;
use timedb_core::time::Time;
use timedb_core::upload::{SeriesRows, read_arrow, read_json};
use timedb_core::version::{Remark, Version};
use uuid::Uuid;

const DEFAULT_WORKFLOW: &str = "api-workflow";

/// The arguments of an upload that are about the run.
struct RunArguments<'a> {
    run_start_time: Option<i64>,
    workflow_id: Option<&'a str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
}

/// A run to be stored, its arguments checked.
struct Run<'a> {
    row: RunRow<'a>,
    /// None for the moment at which it is stored.
    known: Option<Time>,
    descriptions: HashMap<String, String>,
}

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
    Ok(upload_rows(fcinfo, run, value_rows, None)?)
}

/// `upload`, whose old clients name their tenant.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn upload_of_tenant(
    run_start_time: Option<i64>,
    value_rows: Option<&str>,
    workflow_id: Option<&str>,
    run_finish_time: Option<i64>,
    known_time: Option<i64>,
    run_params: Option<Jsonb>,
    series_descriptions: Option<Jsonb>,
    tenant_id: Option<pgrx::Uuid>,
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
    Ok(upload_rows(fcinfo, run, value_rows, tenant_id.map(id))?)
}

fn upload_rows(
    fcinfo: pg_sys::FunctionCallInfo,
    run: RunArguments,
    value_rows: Option<&str>,
    tenant: Option<Uuid>,
) -> Result<Returned> {
    upload_of(fcinfo, run, "value_rows", |writer| {
        match tenant {
            Some(other) if other != writer.tenant => return Err(Error::absent_id("tenant", other)),
            _ => {}
        }
        let json = value_rows.ok_or(Error::NullArgument("value_rows"))?;
        read_json(json, MOST_UPLOAD_ROWS, &mut answer_cancel).map_err(Error::Row)
    })
}

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
    Ok(upload_of(fcinfo, run, "valid_times", |_| {
        let keys = series_keys.ok_or(Error::NullArgument("series_keys"))?;
        let starts = valid_times.ok_or(Error::NullArgument("valid_times"))?;
        let values = point_values.ok_or(Error::NullArgument("point_values"))?;
        rows_of_arrays(&keys, &starts, &values, valid_time_ends.as_ref(), MOST_UPLOAD_ROWS)
    })?)
}

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
    Ok(upload_of(fcinfo, run, "stream", |_| {
        let stream = stream.ok_or(Error::NullArgument("stream"))?;
        read_arrow(stream, MOST_UPLOAD_ROWS, &mut answer_cancel).map_err(Error::Row)
    })?)
}

/// Who is acting is asked before anything is looked at, and what is said of the run before its rows, in whatever form they are.
fn upload_of(
    fcinfo: pg_sys::FunctionCallInfo,
    run: RunArguments,
    argument: &str,
    rows: impl FnOnce(&Identity) -> Result<Vec<SeriesRows>>,
) -> Result<Returned> {
    let writer = Acting::with(Scope::Write)?;
    let run = run.check()?;
    let rows = rows(&writer)?;
    store(fcinfo, &writer, run, rows, argument)
}

impl<'a> RunArguments<'a> {
    fn check(self) -> Result<Run<'a>> {
        let workflow_id = unless_blank(self.workflow_id).unwrap_or(DEFAULT_WORKFLOW);
        Error::if_longer("workflow_id", workflow_id, LONGEST_WORKFLOW)?;
        let start = timestamp::required("run_start_time", self.run_start_time)?;
        let finish = timestamp::optional("run_finish_time", self.run_finish_time)?;
        let known = timestamp::optional("known_time", self.known_time)?;
        Ok(Run {
            row: RunRow {
                workflow_id,
                start,
                finish,
                params: object_or_null(self.run_params)?,
            },
            known,
            descriptions: descriptions(self.series_descriptions)?,
        })
    }
}

fn object_or_null(json: Option<Jsonb>) -> Result<Option<Jsonb>> {
    let Some(json) = json else { return Ok(None) };
    match json.inspect()?.kind.as_str() {
        "object" => Ok(Some(json)),
        "null" => Ok(None),
        _ => Err(Error::bad("run_params", "must be a JSON object")),
    }
}

fn descriptions(json: Option<Jsonb>) -> Result<HashMap<String, String>> {
    let Some(json) = json else {
        return Ok(HashMap::new());
    };
    let descriptions = json.texts_by_key()?;
    descriptions.ok_or_else(|| Error::bad("series_descriptions", "must be a JSON object of texts by series key"))
}

fn store(
    fcinfo: pg_sys::FunctionCallInfo,
    writer: &Identity,
    run: Run,
    rows: Vec<SeriesRows>,
    argument: &str,
) -> Result<Returned> {
    let mut resolved = resolve(writer.tenant, rows, argument)?;
    sort(&mut resolved, argument)?;
    describe(writer.tenant, &run.descriptions, &resolved)?;
    // Nothing is waited for after this: of two runs the one with the later id was uploaded later, and is known later too
    // where neither says since when.
    let now = clock::read(moment::tell(writer.tenant))?;
    let version = Version {
        run: now.id,
        known: run.known.unwrap_or(now.moment),
        change: now.moment,
        remark: Rc::new(Remark::by(writer.name())),
    };
    warn_if_ahead(version.known, now.moment);
    let mut new = NewRows::default();
    for series in &resolved {
        new.add(&version, series.id, 0, &series.rows.points)?;
    }
    new.insert_run(writer.tenant, &run.row, &version)?;
    let ids = SeriesIds(&resolved);
    let ids = serde_json::to_string(&ids).map_err(|error| Error::Broken(error.to_string()))?;
    let answer = (version.run, "Run created successfully", Json::of(&ids));
    Returned::row::<(Uuid, &str, Option<Json>)>(fcinfo, answer)
}

/// Brings the points of each series into their order; what is given twice is refused.
fn sort(resolved: &mut [Resolved], argument: &str) -> Result<()> {
    let mut repeated = Vec::new();
    for series in resolved {
        answer_cancel();
        if let Err(again) = series.rows.sort() {
            repeated.push((again, &*series));
        }
    }
    repeated.sort_unstable_by_key(|(again, _)| again.row);
    let mut bad = BadRows::default();
    repeated
        .iter()
        .for_each(|(again, series)| bad.add(series.again(again, argument)));
    bad.finish().map_err(Error::Row)
}

/// Finds or makes the series that the rows refer to, and joins the rows of those that are one.
fn resolve(tenant: Uuid, rows: Vec<SeriesRows>, argument: &str) -> Result<Vec<Resolved>> {
    let ids: Vec<Uuid> = rows.iter().filter_map(|rows| rows.series.id).collect();
    let known = series::by_id(tenant, &ids)?;
    let by_key_alone = rows.iter().filter(|rows| rows.series.id.is_none());
    let keys: Vec<&str> = by_key_alone.filter_map(|rows| rows.series.key.as_deref()).collect();
    let sought = series::by_key(tenant, &keys)?;
    check_references(&rows, &known, &sought.refused, argument)?;
    let made = sought.or_make(tenant)?;

    let mut resolved: Vec<Resolved> = Vec::with_capacity(rows.len());
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    for rows in rows {
        let (id, name) = named(&rows, &known, &made)?;
        match places.get(&id) {
            Some(&place) => resolved[place].absorb(name, rows),
            None => {
                places.insert(id, resolved.len());
                resolved.push(Resolved::of(id, name, rows));
            }
        }
    }
    Ok(resolved)
}

/// Every row whose series is not there, and cannot be made, is bad.
fn check_references(
    rows: &[SeriesRows],
    known: &HashMap<Uuid, series::Known>,
    refused: &HashMap<&str, Refusal>,
    argument: &str,
) -> Result<()> {
    let mut bad = BadRows::default();
    for rows in rows {
        let error = match (rows.series.id, &rows.series.key) {
            (Some(id), key) => disagreement(id, key.as_deref(), known).map(|refusal| {
                let path = format!("{argument}[{}].series_id", rows.first_row);
                refusal.at(path)
            }),
            (None, Some(key)) => refused.get(key.as_str()).map(|refusal| {
                let array = if argument == "valid_times" {
                    "series_keys"
                } else {
                    argument
                };
                bad_key(key, refusal).at(format!("{array}[{}]", rows.first_row))
            }),
            (None, None) => None,
        };
        // The rows of one reference are bad for one reason.
        let more = rows.rows.len() - 1;
        error.into_iter().for_each(|error| bad.add(RowError { more, ..error }));
    }
    bad.finish().map_err(Error::Row)
}

/// Why a key that no series has yet cannot be that of a new one.
fn bad_key(key: &str, refusal: &Refusal) -> Refusal {
    let reason = format!("series key {key:?} {}", refusal.reason);
    Refusal {
        reason,
        ..refusal.clone()
    }
}

/// Why rows that give an id cannot be taken: there is no such series, or the key they also give is not its key.
fn disagreement(id: Uuid, key: Option<&str>, known: &HashMap<Uuid, series::Known>) -> Option<Refusal> {
    let Some(series) = known.get(&id) else {
        return Some(Refusal::absent("series", id));
    };
    let key = key?;
    let agrees = key == series.key || in_normal_form(key).is_some_and(|normal| normal == series.key);
    (!agrees).then(|| Refusal::new(Kind::BadValue, "is not the series that \"value_key\" names"))
}

fn named(
    rows: &SeriesRows,
    known: &HashMap<Uuid, series::Known>,
    made: &HashMap<String, Uuid>,
) -> Result<(Uuid, String)> {
    let name = match (rows.series.id, &rows.series.key) {
        (Some(id), _) => known.get(&id).map(|series| {
            (
                id,
                if series.is_plain {
                    series.key.clone()
                } else {
                    id.to_string()
                },
            )
        }),
        (None, Some(key)) => made.get(key).map(|&id| (id, key.clone())),
        (None, None) => None,
    };
    name.ok_or_else(|| Error::Broken("a row's series is not there".into()))
}

fn describe(tenant: Uuid, descriptions: &HashMap<String, String>, resolved: &[Resolved]) -> Result<()> {
    if descriptions.is_empty() {
        return Ok(());
    }
    // As it was sent a name counts before what it is in normal form.
    let named = || {
        resolved
            .iter()
            .flat_map(|series| series.names().map(|name| (name, series.id)))
    };
    let in_normal_form = named().map(|(name, id)| (normal(name), id));
    let as_sent = named().map(|(name, id)| (Cow::from(name), id));
    let by_name: HashMap<Cow<str>, Uuid> = in_normal_form.chain(as_sent).collect();
    let mut described = BTreeMap::new();
    for (name, description) in descriptions.iter().collect::<BTreeMap<_, _>>() {
        let found = by_name.get(name.as_str()).or_else(|| by_name.get(&*normal(name)));
        let Some(&id) = found else {
            let reason = format!("describes \"{name}\", which is no series of this upload");
            return Err(Error::bad("series_descriptions", reason));
        };
        if let Some(description) = unless_blank(Some(description)) {
            match described.insert(id, (name, description)) {
                Some((other, another)) if another != description => return Err(two_descriptions(other, name)),
                _ => {}
            }
        }
    }
    let described: Vec<_> = described
        .into_iter()
        .map(|(id, (_, text))| (id, text.to_owned()))
        .collect();
    series::describe(tenant, &described)
}

/// The names are shown so that they can be told apart.
fn two_descriptions(one: &str, other: &str) -> Error {
    Error::BadArgument {
        argument: "series_descriptions",
        reason: format!("has two texts for one series, by {one:?} and {other:?}"),
        hint: Some(ONE_KEY),
    }
}

/// It may be meant, but mostly is a clock or a zone that is wrong, and nobody would see for how long.
fn warn_if_ahead(known: Time, now: Time) {
    if known.micros() - now.micros() > KNOWN_AHEAD {
        warn(
            format!("\"known_time\" is {known}, more than an hour ahead of the clock"),
            "A flat read shows the values of this run instead of those of every run with an earlier known_time, whenever \
             that is uploaded.",
            "A run with a still later known_time shows other values again; a read with end_known => now() leaves this one out.",
        );
    }
}

fn normal(key: &str) -> Cow<'_, str> {
    in_normal_form(key).map_or(Cow::Borrowed(key), Cow::Owned)
}

/// Name → id, in the order in which the upload first named the series; further names of one come after the first.
struct SeriesIds<'a>(&'a [Resolved]);

impl Serialize for SeriesIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = |series| Resolved::names(series).map(|name| (name, series.id.to_string()));
        serializer.collect_map(self.0.iter().flat_map(named))
    }
}
