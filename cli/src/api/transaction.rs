//! A request is a transaction: it begins, logs in with the request's key, asks, and ends. The four are sent at once, so that
//! a request costs one round trip; where one is refused Postgres refuses those after it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, pin_mut};
use tokio::sync::oneshot;
use tokio_postgres::Statement;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::answer::{Body, Form, Sink};
use super::database::{Database, Lease};
use super::failure::Failure;
use super::key::Key;
use super::room::Place;

/// In whose session this is is asked first: an error, and with it no login, where it is another's than it should be. That a
/// request is served is said (`request.method`), so that timedb gives its errors the statuses that they mean, as under
/// PostgREST, and lets a login last no longer than the transaction.
const LOG_IN: &str = "
    SELECT CASE WHEN session_user OPERATOR(pg_catalog.=) $3::pg_catalog.text::pg_catalog.name
                     AND current_user OPERATOR(pg_catalog.=) $3::pg_catalog.text::pg_catalog.name
           THEN pg_catalog.set_config('request.method', $2::pg_catalog.text, true)
           ELSE pg_catalog.format('a session of %s', session_user)::pg_catalog.uuid::pg_catalog.text END,
           (timedb.authenticate($1::pg_catalog.text, true)).tenant_id";

/// What Postgres says where the session is another's: nothing else before a login is a text that is no uuid.
const OTHERS: &str = "22P02";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl Access {
    fn begin(self) -> &'static str {
        match self {
            Access::Read => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
            Access::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Access::Read => "GET",
            Access::Write => "POST",
        }
    }
}

/// What is asked: a statement that answers a column.
pub struct Question {
    pub access: Access,
    pub sql: String,
    pub parameters: Vec<Parameter>,
    pub form: Form,
}

/// Who asks, and the room that the body of what is asked has.
pub struct Caller {
    pub key: Key,
    pub place: Option<Place>,
}

impl From<Key> for Caller {
    fn from(key: Key) -> Self {
        Self { key, place: None }
    }
}

/// A text for Postgres to read as whatever it is for, or bytes.
#[derive(Debug)]
pub enum Parameter {
    Text(Option<String>),
    Bytes(Bytes),
}

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Parameter::Text(None) => return Ok(IsNull::Yes),
            Parameter::Text(Some(text)) => out.extend_from_slice(text.as_bytes()),
            Parameter::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        // Each parameter is cast where it stands, from text or bytes, whose binary form is what they are.
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Binary
    }

    to_sql_checked!();
}

/// A column as it comes: the binary forms of json, text and bytea are what they are.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::JSON, Type::TEXT, Type::BYTEA].contains(kind)
    }
}

/// Asks in a task of its own, so that whatever becomes of the request, the connection is given back or closed. Where the
/// client goes away, the answer's receiver does, and what Postgres is at is cancelled.
pub async fn ask(database: &Arc<Database>, caller: Caller, question: Question) -> Result<Body, Failure> {
    let (told, answer) = oneshot::channel();
    let (here, gone) = oneshot::channel::<()>();
    let database = Arc::clone(database);
    tokio::spawn(async move {
        let sink = Sink::new(question.form, question.access == Access::Read, told);
        let Caller { key, place } = caller;
        let asked = asked(&database, &key, question, sink);
        tokio::select! {
            () = asked => {}
            // Nothing is ever sent: it is dropped with the request, or with the answer's body.
            _ = gone => {}
        }
        // Only now nothing of the body is held any more.
        drop(place);
    });
    let mut body = answer.await.map_err(|_| Failure::away())??;
    body.keep(here);
    Ok(body)
}

async fn asked(database: &Database, key: &Key, question: Question, mut sink: Sink) {
    // Postgres ends a statement that takes too long, and says so; this is for where it cannot be heard.
    let limit = database.timeout + std::time::Duration::from_secs(5);
    let lease = match tokio::time::timeout(limit, database.lease()).await {
        Ok(Ok(lease)) => lease,
        Ok(Err(failure)) => return sink.fail(failure),
        Err(_) => return sink.fail(Failure::too_slow()),
    };
    let run = run(database, &lease, key, &question, &mut sink);
    match run.await {
        Ok(()) => {
            // First given back, so that whoever has the answer finds it there.
            lease.give_back(true).await;
            sink.end().await;
        }
        Err(Ended::By(failure)) => {
            if failure.spares_the_connection() {
                lease.give_back(false).await;
            }
            sink.fail(failure);
        }
        Err(Ended::Nobody) => {}
    }
}

/// Why a transaction did not come to its end.
enum Ended {
    By(Failure),
    /// The client reads no further.
    Nobody,
}

impl From<tokio_postgres::Error> for Ended {
    fn from(error: tokio_postgres::Error) -> Self {
        Ended::By(Failure::of_database(&error))
    }
}

async fn run(database: &Database, lease: &Lease, key: &Key, question: &Question, sink: &mut Sink) -> Result<(), Ended> {
    let limit = database.timeout + std::time::Duration::from_secs(5);
    let log_in = within(limit, lease.prepare_cached(LOG_IN)).await?;
    let login: [&(dyn ToSql + Sync); 3] = [&key.text(), &question.access.method(), &database.role];
    // They are sent in this order, when each is polled first; what each came to is looked at in the same order.
    let (began, logged_in, asked) = tokio::join!(
        biased;
        lease.batch_execute(question.access.begin()),
        lease.query_one(&log_in, &login),
        ask_and_end(lease, question, sink, limit),
    );
    began?;
    logged_in.map_err(|error| Ended::By(of_login(&error)))?;
    asked
}

/// Where the session has prepared the statement before, all is sent at once. Else it is prepared here, behind the login: of
/// somebody whose key is refused, Postgres reads nothing of what he asks.
async fn ask_and_end(
    lease: &Lease,
    question: &Question,
    sink: &mut Sink,
    limit: std::time::Duration,
) -> Result<(), Ended> {
    let prepared = within(limit, lease.prepare_cached(&question.sql)).await;
    let statement = match prepared {
        Ok(statement) => statement,
        Err(refused) => {
            // So that the session can be used again, if the refusal lets it be.
            within(limit, lease.batch_execute("ROLLBACK")).await?;
            return Err(refused);
        }
    };
    let (answered, ended) = tokio::join!(
        biased;
        answer(lease, &statement, &question.parameters, sink, limit),
        lease.batch_execute("COMMIT"),
    );
    answered?;
    Ok(ended?)
}

async fn within<T>(
    limit: std::time::Duration,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Ended> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(Ended::By(Failure::too_slow())),
    }
}

fn of_login(error: &tokio_postgres::Error) -> Failure {
    if error.code().is_some_and(|code| code.code() == OTHERS) {
        tracing::error!("a connection is not of the role that it should be of: it is closed");
        return Failure::away();
    }
    Failure::of_database(error)
}

async fn answer(
    lease: &Lease,
    statement: &Statement,
    parameters: &[Parameter],
    sink: &mut Sink,
    limit: std::time::Duration,
) -> Result<(), Ended> {
    let rows = lease.query_raw(statement, parameters).await?;
    pin_mut!(rows);
    loop {
        let next = tokio::time::timeout(limit, rows.try_next()).await;
        let Some(row) = next.map_err(|_| Ended::By(Failure::too_slow()))?? else {
            return Ok(());
        };
        let column: Option<Raw> = row.try_get(0)?;
        sink.row(column.map(|Raw(bytes)| bytes))
            .await
            .map_err(|_| Ended::Nobody)?;
    }
}
