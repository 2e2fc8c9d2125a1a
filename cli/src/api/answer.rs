//! The body of an answer: whole where it is small, so that an error in the middle is a status of its own, and else streamed as
//! rows come, in bounded memory. An error then breaks the answer off, which every client sees.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as HttpBody;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{mpsc, oneshot};

use super::SILENCE;
use super::failure::Failure;

/// What is held back before the status is told.
const HELD: usize = 1 << 20;
/// What is written at once afterwards, and how many such pieces wait for the client.
const PIECE: usize = 64 << 10;
const WAITING: usize = 4;

pub const ARROW: &str = "application/vnd.apache.arrow.stream";
const JSON: &str = "application/json";

/// How rows become a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Nothing is answered.
    Empty,
    /// The one row, which is JSON.
    Value,
    /// An array of rows, which are JSON.
    Array,
    /// As the original service has them: how many, and they. How many is said first, unless that is not known yet.
    Counted,
    /// Streams of Arrow, as they are.
    Arrow,
}

impl Form {
    fn open(self) -> &'static str {
        match self {
            Form::Empty | Form::Value | Form::Arrow => "",
            Form::Array => "[",
            Form::Counted => "{\"data\":[",
        }
    }

    fn close(self, rows: usize) -> String {
        match self {
            Form::Empty | Form::Arrow => String::new(),
            Form::Value if rows == 0 => "null".to_owned(),
            Form::Value => String::new(),
            Form::Array => "]".to_owned(),
            Form::Counted => format!("],\"count\":{rows}}}"),
        }
    }

    fn whole(self, rows: usize, held: Vec<u8>) -> Vec<u8> {
        let (open, close) = match self {
            Form::Counted => (format!("{{\"count\":{rows},\"data\":["), "]}".to_owned()),
            other => (other.open().to_owned(), other.close(rows)),
        };
        [open.as_bytes(), &held, close.as_bytes()].concat()
    }

    fn content_type(self) -> &'static str {
        match self {
            Form::Arrow => ARROW,
            _ => JSON,
        }
    }
}

type Pieces = mpsc::Sender<Result<Bytes, io::Error>>;

/// Takes rows, and tells the request what they have become.
pub struct Sink {
    form: Form,
    /// Where it writes, the status waits for the commit.
    may_stream: bool,
    told: Option<oneshot::Sender<Result<Body, Failure>>>,
    pieces: Option<Pieces>,
    held: Vec<u8>,
    rows: usize,
}

/// The client has gone, or reads no further.
pub struct Gone;

impl Sink {
    pub fn new(form: Form, may_stream: bool, told: oneshot::Sender<Result<Body, Failure>>) -> Self {
        Self {
            form,
            may_stream,
            told: Some(told),
            pieces: None,
            held: Vec::new(),
            rows: 0,
        }
    }

    pub async fn row(&mut self, row: Option<&[u8]>) -> Result<(), Gone> {
        if self.form == Form::Empty {
            return Ok(());
        }
        if self.rows > 0 && matches!(self.form, Form::Array | Form::Counted) {
            self.held.push(b',');
        }
        self.rows += 1;
        self.held.extend_from_slice(row.unwrap_or(match self.form {
            Form::Arrow => b"",
            _ => b"null",
        }));
        if self.may_stream && self.pieces.is_none() && self.held.len() > HELD {
            self.begin_stream()?;
        }
        match self.held.len() > PIECE {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    fn begin_stream(&mut self) -> Result<(), Gone> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let body = Body {
            form: self.form,
            content: Content::Pieces(receiver),
            here: None,
        };
        let told = self.told.take().ok_or(Gone)?;
        told.send(Ok(body)).map_err(|_| Gone)?;
        self.pieces = Some(sender);
        self.held.splice(0..0, self.form.open().bytes());
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        let Some(pieces) = &self.pieces else { return Ok(()) };
        let piece = Bytes::from(std::mem::take(&mut self.held));
        // Whoever reads no further holds a connection that others wait for.
        match tokio::time::timeout(SILENCE, pieces.send(Ok(piece))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }

    pub async fn end(mut self) {
        if self.pieces.is_some() {
            self.held.extend(self.form.close(self.rows).bytes());
            if self.flush().await.is_ok() {
                // Nothing is left to be held: an empty piece says that this was all.
                self.flush().await.ok();
            }
            return;
        }
        let whole = self.form.whole(self.rows, std::mem::take(&mut self.held));
        let body = Body {
            form: self.form,
            content: Content::Whole(whole),
            here: None,
        };
        if let Some(told) = self.told.take() {
            told.send(Ok(body)).ok();
        }
    }

    pub fn fail(mut self, failure: Failure) {
        if let Some(told) = self.told.take() {
            told.send(Err(failure)).ok();
        } else if let Some(pieces) = self.pieces.take() {
            tracing::error!("an answer is broken off: {}", failure.message);
            // Where there is no room, the client waits for more and finds the end missing.
            pieces.try_send(Err(io::Error::other("broken off"))).ok();
        }
    }
}

pub struct Body {
    form: Form,
    content: Content,
    here: Option<oneshot::Sender<()>>,
}

enum Content {
    Whole(Vec<u8>),
    Pieces(mpsc::Receiver<Result<Bytes, io::Error>>),
}

impl Body {
    /// Of one that is here already.
    pub fn value(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Whole(bytes) => Some(bytes),
            Content::Pieces(_) => None,
        }
    }

    /// What is to be dropped with the body.
    pub fn keep(&mut self, here: oneshot::Sender<()>) {
        self.here = Some(here);
    }
}

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        if self.form == Form::Empty {
            return StatusCode::NO_CONTENT.into_response();
        }
        let content_type = [(CONTENT_TYPE, HeaderValue::from_static(self.form.content_type()))];
        let body = match self.content {
            Content::Whole(bytes) => HttpBody::from(bytes),
            Content::Pieces(pieces) => HttpBody::from_stream(Streamed {
                pieces,
                is_whole: false,
                _here: self.here,
            }),
        };
        (content_type, body).into_response()
    }
}

/// Ends where the sink has ended it: dropped by it without a word, it is broken off.
struct Streamed {
    pieces: mpsc::Receiver<Result<Bytes, io::Error>>,
    is_whole: bool,
    _here: Option<oneshot::Sender<()>>,
}

impl Stream for Streamed {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.pieces.poll_recv(context) {
            Poll::Ready(Some(Ok(piece))) => {
                // The last piece is the only one that may be empty: see `Sink::end`.
                self.is_whole = piece.is_empty();
                match self.is_whole {
                    true => Poll::Ready(None),
                    false => Poll::Ready(Some(Ok(piece))),
                }
            }
            Poll::Ready(None) if !self.is_whole => Poll::Ready(Some(Err(io::Error::other("broken off")))),
            other => other,
        }
    }
}
