//! What a request says before anything is asked of the database: its key, its body, and what it wants back.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::header::{ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;

use super::answer::{ARROW, Form};
use super::database::Database;
use super::failure::{Detail, Failure};
use super::key::Key;
use super::transaction::{Access, Question, ask};

/// A body that is larger is read only of somebody who has a key that is good.
const OF_ANYBODY: u64 = 1 << 20;

/// A body that is read whatever becomes of the request, and for how long the rest of a larger one is.
const SMALL: u64 = 64 << 10;
const REST: Duration = Duration::from_secs(10);

pub struct Asked {
    pub key: Key,
    pub query: Option<String>,
    pub headers: HeaderMap,
    body: Body,
}

impl Asked {
    pub fn of(request: Request<Body>) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        Ok(Self {
            key: Key::of(&parts.headers)?,
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
        let limit = database.max_body;
        let length = self
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        if length.is_none_or(|length| length > OF_ANYBODY) {
            let question = Question {
                access: Access::Read,
                sql: "SELECT NULL::pg_catalog.json".to_owned(),
                parameters: Vec::new(),
                form: Form::Value,
            };
            ask(database, self.key.clone(), question).await?;
        }
        // Of what is unpacked, too.
        to_bytes(std::mem::take(&mut self.body), limit)
            .await
            .map_err(|error| match is_of_length(&error) {
                true => too_large(limit),
                false => Failure::bad("the body did not come to its end, or cannot be unpacked"),
            })
    }
}

/// Where a request is refused before its body was read, a client that is still sending it would find the connection broken
/// instead of the answer. So small bodies are read before anything else, and what is left of a large one is read, and forgotten,
/// before the answer is sent; the next request comes over another connection.
pub async fn whole(request: Request<Body>, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.size_hint().upper().is_some_and(|upper| upper <= SMALL) {
        return match to_bytes(body, usize::MAX).await {
            Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
            Err(_) => Detail(Failure::bad("the body did not come to its end")).into_response(),
        };
    }
    // Who asks first whether to send it has not.
    let is_sent = !parts.headers.contains_key(EXPECT);
    let mut shared = Shared(Arc::new(Mutex::new(body)));
    let own = Body::new(Shared(Arc::clone(&shared.0)));
    let mut response = next.run(Request::from_parts(parts, own)).await;
    if !response.status().is_success() {
        if is_sent {
            tokio::time::timeout(REST, shared.read_to_its_end()).await.ok();
        }
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
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
}

impl Shared {
    async fn read_to_its_end(&mut self) {
        while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await {}
    }
}

fn is_of_length(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn too_large(limit: usize) -> Failure {
    let words = format!("a body has at most {} MiB: split it over several calls", limit >> 20);
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, words)
}
