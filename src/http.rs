//! What differs when PostgREST, or a server that keeps its conventions, calls us: it puts the request into settings,
//! and an error that should become a status must be raised with SQLSTATE `PGRST`, message and detail in JSON.

use crate::completion::{self, Log};
use crate::error::Error;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use std::ffi::CStr;

/// Whether this transaction serves an HTTP request.
pub fn in_request() -> bool {
    setting(c"request.method").is_some()
}

/// A header of the request; PostgREST lower-cases their names.
pub fn header(name: &str) -> Option<String> {
    let headers = setting(c"request.headers")?;
    let headers: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&headers).ok()?;
    Some(headers.get(name)?.as_str()?.to_owned())
}

/// The report of an error that PostgREST answers with the status it means.
pub fn report(status: u16, error: &Error) -> ErrorReport {
    let message = serde_json::json!({
        "code": error.sqlstate(),
        "message": error.message(),
        "details": null,
        "hint": error.hint(),
    });
    // `headers` is not optional for PostgREST.
    let detail = serde_json::json!({ "status": status, "headers": challenge(status) });
    completion::link(Log::Whole);
    ErrorReport::new(completion::PGRST, message.to_string(), "timedb")
        .set_detail(detail.to_string())
}

/// A 401 must say how to authenticate.
fn challenge(status: u16) -> serde_json::Value {
    match status {
        401 => serde_json::json!({ "WWW-Authenticate": "ApiKey" }),
        _ => serde_json::json!({}),
    }
}

/// A setting that somebody else defines; after a transaction that had set it, it is empty rather than absent.
fn setting(name: &CStr) -> Option<String> {
    // SAFETY: the name is a C string; the result is null or a C string that lives until the setting changes.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        if value.is_null() || *value == 0 {
            return None;
        }
        CStr::from_ptr(value).to_str().ok().map(str::to_owned)
    }
}
