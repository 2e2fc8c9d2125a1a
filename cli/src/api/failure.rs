//! What a client is told where something could not be done: the status, and Postgres' own words.

use axum::Json;
use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio_postgres::error::DbError;

/// The SQLSTATE of errors that timedb has given a status to: of all it raises itself within a request.
const WITH_STATUS: &str = "PGRST";

#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    /// The SQLSTATE, of what Postgres has said.
    pub code: Option<String>,
    pub message: String,
    details: Option<String>,
    hint: Option<String>,
}

impl Failure {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code: None,
            message: message.into(),
            details: None,
            hint: None,
        }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Where nothing was asked of the database, in its words.
    pub fn key_needed() -> Self {
        Self::of_login("API key required. Please provide X-API-Key header.")
    }

    pub fn key_refused() -> Self {
        Self::of_login("Invalid or inactive API key.")
    }

    fn of_login(message: &str) -> Self {
        Self {
            code: Some("28000".into()),
            ..Self::new(StatusCode::UNAUTHORIZED, message)
        }
    }

    /// Nothing about where the database is, or why it does not answer: that is for the log.
    pub fn away() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached")
    }

    pub fn too_slow() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "the request took too long")
    }

    pub fn of_database(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(told) => Self::told(told),
            // An argument that cannot be sent, such as a text with a zero in it, is the client's.
            None if error.is_closed()
                || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>()) =>
            {
                tracing::error!("the connection to the database broke: {error}");
                Self::away()
            }
            None => {
                tracing::error!("the database was not understood: {error}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the database was not understood")
            }
        }
    }

    fn told(told: &DbError) -> Self {
        let code = told.code().code();
        if code == WITH_STATUS
            && let Some(failure) = Self::with_status(told)
        {
            return failure;
        }
        Self {
            status: status(code),
            code: Some(code.to_owned()),
            message: told.message().to_owned(),
            details: told.detail().map(str::to_owned),
            hint: told.hint().map(str::to_owned),
        }
    }

    /// As PostgREST has it: the message is the body, the detail the status.
    fn with_status(told: &DbError) -> Option<Self> {
        let body: Value = serde_json::from_str(told.message()).ok()?;
        let answer: Value = serde_json::from_str(told.detail()?).ok()?;
        let status = u16::try_from(answer["status"].as_u64()?).ok()?;
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        Some(Self {
            status: StatusCode::from_u16(status).ok()?,
            code: text("code"),
            message: text("message")?,
            details: text("details"),
            // "In SQL, call …" is for those who use SQL.
            hint: text("hint").filter(|_| status != 401),
        })
    }

    /// Whether the connection that it came over may be used again: not where the session may be another one by now, or has
    /// prepared what is no longer there.
    pub fn spares_the_connection(&self) -> bool {
        let Some(code) = &self.code else { return false };
        !["0A000", "26000", "42883", "42P01"].contains(&code.as_str())
            && !["08", "57P", "XX"].iter().any(|class| code.starts_with(class))
    }
}

/// Of errors that Postgres raises by itself, and of bad values.
fn status(code: &str) -> StatusCode {
    match code {
        "25006" => StatusCode::METHOD_NOT_ALLOWED,
        "42501" => StatusCode::FORBIDDEN,
        "42704" | "42883" | "42P01" => StatusCode::NOT_FOUND,
        "57014" => StatusCode::GATEWAY_TIMEOUT,
        _ => match &code[..code.len().min(2)] {
            "28" => StatusCode::UNAUTHORIZED,
            "0A" | "22" => StatusCode::BAD_REQUEST,
            // Somebody else was quicker: the same request may be sent again.
            "23" | "40" | "55" => StatusCode::CONFLICT,
            "54" => StatusCode::PAYLOAD_TOO_LARGE,
            "53" | "57" | "08" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

impl Failure {
    fn answer(&self, body: Value) -> Response {
        let mut response = (self.status, Json(body)).into_response();
        let header = match self.status {
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "ApiKey")),
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "1")),
            StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "POST")),
            _ => None,
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl Failure {
    /// Where no route has been chosen yet.
    pub fn answer_at(self, path: &str) -> Response {
        match path.starts_with("/rpc/") {
            true => Told(self).into_response(),
            false => Detail(self).into_response(),
        }
    }
}

/// As the original service answers.
pub struct Detail(pub Failure);

impl From<Failure> for Detail {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for Detail {
    fn into_response(self) -> Response {
        self.0.answer(json!({ "detail": self.0.message }))
    }
}

/// As PostgREST answers.
pub struct Told(pub Failure);

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let Failure {
            code,
            message,
            details,
            hint,
            ..
        } = &self.0;
        self.0
            .answer(json!({ "code": code, "message": message, "details": details, "hint": hint }))
    }
}

pub async fn no_such_path() -> Detail {
    Detail(Failure::new(StatusCode::NOT_FOUND, "Not Found"))
}

pub async fn no_such_method() -> Response {
    // Without a body of its own, so that the header Allow is axum's.
    (
        StatusCode::METHOD_NOT_ALLOWED,
        Json(json!({ "detail": "Method Not Allowed" })),
    )
        .into_response()
}
