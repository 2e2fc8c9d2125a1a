//! `/rpc/NAME`: every function that a client may call, by the names of its arguments, as PostgREST has them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::answer::Form;
use super::argument::Given;
use super::catalog::{Answer, Function};
use super::database::Database;
use super::failure::{Failure, Told};
use super::request::Asked;
use super::transaction::{Access, Question, ask};

pub fn routes() -> Router<Arc<Database>> {
    Router::new().route("/rpc/{name}", get(call).post(call))
}

async fn call(
    State(database): State<Arc<Database>>,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Result<Response, Told> {
    let is_get = request.method() != Method::POST;
    let mut asked = Asked::of(request)?;
    let accepts_arrow = asked.accepts_arrow();
    let function = database.function(&name).await.ok_or_else(no_such_function)?;
    if is_get && function.writes {
        let words = format!("{} may write: POST it", function.name);
        return Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, words).into());
    }
    let (function, is_arrow) = wanted(&database, function, accepts_arrow).await;
    let given = match is_get {
        true => Given::of_query(&function, asked.query())?,
        false => of_body(&database, &function, &mut asked).await?,
    };
    let question = question(&function, given, is_arrow)?;
    Ok(ask(&database, asked.caller, question).await?.into_response())
}

/// Not with the name that was asked for, which may be anything.
fn no_such_function() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "there is no such function: GET /openapi.json lists them",
    )
}

/// Where Arrow is wanted of a function that answers rows, the one that answers them in Arrow.
async fn wanted(database: &Database, function: Arc<Function>, accepts_arrow: bool) -> (Arc<Function>, bool) {
    if !accepts_arrow {
        return (function, false);
    }
    if function.answer == Answer::Bytes {
        return (function, true);
    }
    match database.function(&format!("{}_arrow", function.name)).await {
        Some(in_arrow) if in_arrow.answer == Answer::Bytes => (in_arrow, true),
        _ => (function, false),
    }
}

/// Arrow is the argument of bytes, and then the others are in the query.
pub async fn of_body(database: &Arc<Database>, function: &Function, asked: &mut Asked) -> Result<Given, Failure> {
    let body = asked.body(database).await?;
    if asked.sends_arrow() {
        return Given::of_query(function, asked.query())?.with_stream(function, body);
    }
    if asked.query().is_some_and(|query| !query.is_empty()) {
        return Err(Failure::bad("the arguments of a POST are in its body"));
    }
    Given::of_json(function, &body)
}

fn question(function: &Function, given: Given, is_arrow: bool) -> Result<Question, Failure> {
    let (call, parameters) = given.call(function)?;
    let (column, form) = match function.answer {
        Answer::Bytes if is_arrow => ("answer", Form::Arrow),
        Answer::Nothing => ("NULL::pg_catalog.json", Form::Empty),
        Answer::Row => ("pg_catalog.row_to_json(answer)", form(function)),
        Answer::Scalar | Answer::Bytes => ("pg_catalog.to_json(answer)", form(function)),
    };
    Ok(Question {
        access: match function.writes {
            true => Access::Write,
            false => Access::Read,
        },
        sql: format!("SELECT {column} FROM {call} AS answer"),
        parameters,
        form,
    })
}

fn form(function: &Function) -> Form {
    match function.is_set {
        true => Form::Array,
        false => Form::Value,
    }
}
