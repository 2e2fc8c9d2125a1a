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

/// The status that a SQLSTATE means which a shard has answered a router with: what [`Error::http_status`] says of those of ours.
pub fn status_of(sqlstate: &str) -> Option<u16> {
    match sqlstate {
        "28000" => Some(401),
        "42501" => Some(403),
        "42704" => Some(404),
        "42710" | "55000" | "23505" => Some(409),
        "54000" => Some(413),
        "55P03" | "08006" => Some(503),
        _ => None,
    }
}

/// The report of an error that PostgREST answers with the status it means.
fn report(status: u16, error: &Error) -> ErrorReport {
    report_of(status, &error.sqlstate(), &error.message(), error.hint().as_deref())
}

/// The same of an error that is told by its parts.
pub fn report_of(status: u16, sqlstate: &str, message: &str, hint: Option<&str>) -> ErrorReport {
    let message = serde_json::json!({
        "code": sqlstate,
        "message": message,
        "details": null,
        "hint": hint,
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
        if matches!(error, Error::KeyRefused | Error::NoRoute) {
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
