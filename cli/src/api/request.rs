//! What a request says before anything is asked of the database: its key, its body, and what it wants back.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::State;
use axum::http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{ARROW, Form};
use super::database::Database;
use super::failure::Failure;
use super::key::Key;
use super::room::Place;
use super::transaction::{Access, Caller, Question, ask};

/// A body that is larger is read only of somebody who has a key that is good, once there is room for it; what is not is read
/// whatever becomes of the request.
const SMALL: u64 = 64 << 10;
/// For how long the rest of a body is read of which nobody wants to know.
const REST: Duration = Duration::from_secs(10);

/// By when all of a request's body must be here: whoever sends a byte now and then holds a place that others wait for.
#[derive(Clone, Copy)]
struct Deadline(Instant);

pub struct Asked {
    pub caller: Caller,
    pub query: Option<String>,
    pub headers: HeaderMap,
    body: Body,
    deadline: Deadline,
}

impl Asked {
    pub fn of(request: Request<Body>) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        Ok(Self {
            caller: Key::of(&parts.headers)?.into(),
            deadline: *parts.extensions.get().expect("whole sets it for every request"),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body,
        })
    }

    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Whether Arrow is wanted back.
    pub fn accepts_arrow(&self) -> bool {
        self.headers
            .get_all(ACCEPT)
            .iter()
            .any(|accepted| accepted.to_str().is_ok_and(|accepted| accepted.contains(ARROW)))
    }

    /// Whether the body is Arrow.
    pub fn sends_arrow(&self) -> bool {
        let sent = self.headers.get(CONTENT_TYPE).and_then(|sent| sent.to_str().ok());
        sent.is_some_and(|sent| sent.starts_with(ARROW))
    }

    pub async fn body(&mut self, database: &Arc<Database>) -> Result<Bytes, Failure> {
        let body = std::mem::take(&mut self.body);
        let limit = database.max_body;
        // None of one that is packed, or in chunks.
        let length = body.size_hint().upper();
        if length.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        if length.is_none_or(|length| length > SMALL) {
            let tenant = tenant(database, self.caller.key.clone()).await?;
            let known = length.and_then(|length| length.try_into().ok()).unwrap_or_default();
            self.caller.place = Some(database.room.place(tenant, known).await?);
        }
        let read = read(body, limit, self.caller.place.as_mut());
        match tokio::time::timeout_at(self.deadline.0, read).await {
            Ok(read) => read,
            Err(_) => Err(too_late(database)),
        }
    }
}

/// Whose key it is, if it is good.
async fn tenant(database: &Arc<Database>, key: Key) -> Result<Uuid, Failure> {
    let question = Question {
        access: Access::Read,
        sql: "SELECT timedb.current_tenant()::pg_catalog.text".to_owned(),
        parameters: Vec::new(),
        form: Form::Value,
    };
    let answer = ask(database, key.into(), question).await?;
    let id = answer.value().and_then(|id| Uuid::try_parse_ascii(id).ok());
    id.ok_or_else(Failure::key_refused)
}

/// Of what is unpacked, too.
async fn read(mut body: Body, limit: usize, mut place: Option<&mut Place>) -> Result<Bytes, Failure> {
    let known = body.size_hint().upper().unwrap_or_default();
    let mut read = BytesMut::with_capacity(known.try_into().unwrap_or_default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::bad("the body did not come to its end, or cannot be unpacked"))?;
        // What is no data is told after the body, and of no interest.
        let Ok(more) = frame.into_data() else { continue };
        if read.len() + more.len() > limit {
            return Err(too_large(limit));
        }
        if let Some(place) = &mut place {
            place.reach(read.len() + more.len())?;
        }
        read.extend_from_slice(&more);
    }
    Ok(read.freeze())
}

/// Where a request is refused before its body was read, a client that is still sending it would find the connection broken
/// instead of the answer. So small bodies are read before anything else, and what is left of a large one is read, and forgotten,
/// before the answer is sent; the next request comes over another connection.
pub async fn whole(State(database): State<Arc<Database>>, request: Request<Body>, next: Next) -> Response {
    let deadline = Instant::now() + database.body_timeout;
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Deadline(deadline));
    if body.size_hint().upper().is_some_and(|upper| upper <= SMALL) {
        let read = tokio::time::timeout_at(deadline, to_bytes(body, usize::MAX)).await;
        let failure = match read {
            Ok(Ok(bytes)) => return next.run(Request::from_parts(parts, Body::from(bytes))).await,
            Ok(Err(_)) => Failure::bad("the body did not come to its end"),
            Err(_) => too_late(&database),
        };
        return closing(failure.answer_at(parts.uri.path()));
    }
    // Who asks first whether to send it has not.
    let is_sent = !parts.headers.contains_key(EXPECT);
    let mut shared = Shared(Arc::new(Mutex::new(body)));
    let own = Body::new(Shared(Arc::clone(&shared.0)));
    let response = next.run(Request::from_parts(parts, own)).await;
    if response.status().is_success() {
        return response;
    }
    if is_sent {
        let rest = deadline.min(Instant::now() + REST);
        tokio::time::timeout_at(rest, shared.read_to_its_end()).await.ok();
    }
    closing(response)
}

fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A body, for whoever reads it and for whoever reads the rest.
struct Shared(Arc<Mutex<Body>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

impl Shared {
    async fn read_to_its_end(&mut self) {
        while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await {}
    }
}

fn too_large(limit: usize) -> Failure {
    let words = format!("a body has at most {} MiB: split it over several calls", limit >> 20);
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, words)
}

fn too_late(database: &Database) -> Failure {
    let seconds = database.body_timeout.as_secs();
    let words = format!("the body did not come to its end within {seconds} seconds");
    Failure::new(StatusCode::REQUEST_TIMEOUT, words)
}
