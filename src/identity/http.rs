//! What differs when PostgREST, or a server that keeps its conventions, calls us: it puts the request into settings,
//! and an error that should become a status must be raised with SQLSTATE `PGRST`, message and detail in JSON.

use super::log;
use crate::error::Error;
use crate::pg::error_context::{self, Log};
use crate::pg::guc;
use pgrx::pg_sys::panic::ErrorReport;

/// Whether this transaction serves an HTTP request.
pub fn in_request() -> bool {
    guc::get(c"request.method").is_some()
}

/// A header of the request; PostgREST lower-cases their names.
pub fn header(name: &str) -> Option<String> {
    let headers = guc::get(c"request.headers")?;
    let headers: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&headers).ok()?;
    Some(headers.get(name)?.as_str()?.to_owned())
}

/// The report of an error that PostgREST answers with the status it means.
fn report(status: u16, error: &Error) -> ErrorReport {
    let message = serde_json::json!({
        "code": error.sqlstate(),
        "message": error.message(),
        "details": null,
        "hint": error.hint(),
    });
    // `headers` is not optional for PostgREST.
    let detail = serde_json::json!({ "status": status, "headers": challenge(status) });
    error_context::link(Log::Whole);
    ErrorReport::new(error_context::PGRST, message.to_string(), "timedb").set_detail(detail.to_string())
}

/// A 401 must say how to authenticate.
fn challenge(status: u16) -> serde_json::Value {
    match status {
        401 => serde_json::json!({ "WWW-Authenticate": "ApiKey" }),
        _ => serde_json::json!({}),
    }
}

// The one way out of the library for its errors: every body's `?` comes here.
impl From<Error> for ErrorReport {
    fn from(error: Error) -> ErrorReport {
        if matches!(error, Error::KeyRefused) {
            log::login_failed();
        }
        if let Some(status) = error.http_status()
            && in_request()
        {
            return report(status, &error);
        }
        let report = ErrorReport::new(error.code(), error.message(), "timedb");
        match error.hint() {
            Some(hint) => report.set_hint(hint),
            None => report,
        }
    }
}
