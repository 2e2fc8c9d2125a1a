//! What differs when PostgREST, or a server that keeps its conventions, calls us: it puts the request into settings,
//! and an error that should become a status must be raised with SQLSTATE `PGRST`, message and detail in JSON.

use crate::error::Error;
use pgrx::{PgLogLevel, pg_sys};
use std::ffi::{CStr, CString};

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

/// Raises an error as the HTTP status it means. `headers` is not optional for PostgREST.
pub fn answer(status: u16, error: &Error) -> ! {
    let message = serde_json::json!({ "code": status.to_string(), "message": error.message() });
    let detail = serde_json::json!({ "status": status, "headers": challenge(status) });
    throw(*b"PGRST", &message.to_string(), &detail.to_string())
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

/// Raises an ERROR of any SQLSTATE; `ErrorReport` knows Postgres' own only.
fn throw(state: [u8; 5], message: &str, detail: &str) -> ! {
    let message = CString::new(message).unwrap_or_default();
    let detail = CString::new(detail).unwrap_or_default();
    // SAFETY: all zeroes is a valid ErrorData; Postgres copies the strings before it unwinds. They are palloc'd so that
    // the unwinding leaks nothing.
    unsafe {
        let mut data: pg_sys::ErrorData = std::mem::zeroed();
        data.elevel = PgLogLevel::ERROR as i32;
        data.sqlerrcode = packed(state);
        data.message = pg_sys::pstrdup(message.as_ptr());
        data.detail = pg_sys::pstrdup(detail.as_ptr());
        data.assoc_context = pg_sys::CurrentMemoryContext;
        drop((message, detail));
        pg_sys::ThrowErrorData(&mut data);
    }
    unreachable!("ThrowErrorData does not return from an ERROR")
}

/// As Postgres packs a SQLSTATE: six bits a character.
fn packed(state: [u8; 5]) -> i32 {
    state.iter().rev().fold(0, |code, &byte| {
        (code << 6) | (i32::from(byte - b'0') & 0x3f)
    })
}
