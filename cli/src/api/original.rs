//! The original service's routes: its paths, bodies, statuses and answers, so that its clients need not know that it is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::answer::Form;
use super::argument::Given;
use super::catalog::Function;
use super::database::Database;
use super::failure::{Detail, Failure};
use super::request::Asked;
use super::rpc::of_body;
use super::transaction::{Access, Question, ask};

pub fn routes() -> Router<Arc<Database>> {
    Router::new()
        .route("/", get(root))
        .route("/upload", post(upload))
        .route("/values", get(read).put(update))
        .route("/series", post(create_series))
        .route("/list_timeseries", get(list))
}

async fn root() -> Json<Value> {
    Json(json!({
        "name": "TimeDB API",
        "version": env!("CARGO_PKG_VERSION"),
        "endpoints": {
            "upload_timeseries": "POST /upload - store a run of values",
            "read_values": "GET /values - read values",
            "update_records": "PUT /values - correct values, or annotate them",
            "create_series": "POST /series - name a series",
            "list_timeseries": "GET /list_timeseries - the series there are",
            "functions": "GET or POST /rpc/NAME - every function of timedb",
            "health": "GET /health - whether the database answers",
            "docs": "GET /docs - all of this, to be tried",
        },
    }))
}

/// A function that the original's routes are made of.
async fn function(database: &Database, name: &str) -> Result<Arc<Function>, Failure> {
    database.function(name).await.ok_or_else(Failure::away)
}

async fn read(State(database): State<Arc<Database>>, request: Request<Body>) -> Result<Response, Detail> {
    let asked = Asked::of(request)?;
    let is_arrow = asked.accepts_arrow();
    let name = if is_arrow { "read_arrow" } else { "read" };
    let function = function(&database, name).await?;
    let (call, parameters) = Given::of_query(&function, asked.query())?.call(&function)?;
    let (sql, form) = match is_arrow {
        true => (format!("SELECT answer FROM {call} AS answer"), Form::Arrow),
        // What an update of the record needs stands in it, too.
        false => (
            format!(
                "SELECT pg_catalog.row_to_json(record) FROM (SELECT known_time, valid_time, valid_time_end, series_id, \
                 series_key, unit AS series_unit, value, run_id, annotation, tags FROM {call}) AS record"
            ),
            Form::Counted,
        ),
    };
    let question = Question {
        access: Access::Read,
        sql,
        parameters,
        form,
    };
    Ok(ask(&database, asked.caller, question).await?.into_response())
}

async fn upload(State(database): State<Arc<Database>>, request: Request<Body>) -> Result<Response, Detail> {
    let mut asked = Asked::of(request)?;
    let name = if asked.sends_arrow() { "upload_arrow" } else { "upload" };
    let function = function(&database, name).await?;
    let given = of_body(&database, &function, &mut asked).await?;
    let counts = match given.has(&function, "skip_unchanged") {
        true => ", 'written', written, 'skipped', skipped",
        false => "",
    };
    let (call, parameters) = given.call(&function)?;
    let question = Question {
        access: Access::Write,
        sql: format!(
            "SELECT pg_catalog.json_build_object('run_id', run_id, 'message', message, 'series_ids', series_ids{counts}) \
             FROM {call}"
        ),
        parameters,
        form: Form::Value,
    };
    Ok(ask(&database, asked.caller, question).await?.into_response())
}

async fn update(State(database): State<Arc<Database>>, request: Request<Body>) -> Result<Response, Detail> {
    let mut asked = Asked::of(request)?;
    let function = function(&database, "update").await?;
    let body = asked.body(&database).await?;
    let given = Given::of_json(
        &function,
        &without_what_only_answers_have(&body).unwrap_or_else(|| body.to_vec()),
    )?;
    let (call, parameters) = given.call(&function)?;
    let question = Question {
        access: Access::Write,
        sql: format!(
            "SELECT pg_catalog.json_build_object(\
               'updated', coalesce(pg_catalog.json_agg(u) FILTER (WHERE status OPERATOR(pg_catalog.<>) 'skipped'), '[]'), \
               'skipped_no_ops', coalesce(pg_catalog.json_agg(u) FILTER (WHERE status OPERATOR(pg_catalog.=) 'skipped'), '[]')) \
             FROM (SELECT run_id, (SELECT timedb.current_tenant()) AS tenant_id, series_id, valid_time, valid_time_end, change_time, status \
                   FROM {call}) AS u"
        ),
        parameters,
        form: Form::Value,
    };
    Ok(ask(&database, asked.caller, question).await?.into_response())
}

/// A record of `GET /values` may stand in an update as it is: what says nothing of which value it is, or what becomes of it,
/// is left out. None where there is none of it, or what is wrong with the body is told by whoever reads it next.
fn without_what_only_answers_have(body: &[u8]) -> Option<Vec<u8>> {
    const ANSWERED: [&str; 3] = ["known_time", "series_key", "series_unit"];
    let mut body: BTreeMap<&str, &RawValue> = serde_json::from_slice(body).ok()?;
    let mut updates: Vec<BTreeMap<&str, &RawValue>> = serde_json::from_str(body.get("updates")?.get()).ok()?;
    let before: usize = updates.iter().map(BTreeMap::len).sum();
    for update in &mut updates {
        update.retain(|field, _| !ANSWERED.contains(field));
    }
    if before == updates.iter().map(BTreeMap::len).sum::<usize>() {
        return None;
    }
    let updates = to_raw_value(&updates).ok()?;
    body.insert("updates", &updates);
    serde_json::to_vec(&body).ok()
}

async fn create_series(State(database): State<Arc<Database>>, request: Request<Body>) -> Result<Response, Detail> {
    let mut asked = Asked::of(request)?;
    let function = function(&database, "create_series").await?;
    let given = of_body(&database, &function, &mut asked).await?;
    let (call, parameters) = given.call(&function)?;
    let question = Question {
        access: Access::Write,
        sql: format!(
            "SELECT pg_catalog.json_build_object('series_id', series_id, 'message', 'Series created successfully') \
             FROM {call} AS series_id"
        ),
        parameters,
        form: Form::Value,
    };
    Ok(ask(&database, asked.caller, question).await?.into_response())
}

async fn list(State(database): State<Arc<Database>>, request: Request<Body>) -> Result<Response, Detail> {
    let asked = Asked::of(request)?;
    let function = function(&database, "list_series").await?;
    let (call, parameters) = Given::of_query(&function, asked.query())?.call(&function)?;
    let question = Question {
        access: Access::Read,
        sql: format!("SELECT coalesce(pg_catalog.json_object_agg(series_id, series_key), '{{}}') FROM {call}"),
        parameters,
        form: Form::Value,
    };
    Ok(ask(&database, asked.caller, question).await?.into_response())
}
