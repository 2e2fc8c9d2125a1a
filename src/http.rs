//! What differs when PostgREST, or a server that keeps its conventions, calls us: it puts the request into settings,
//! and an error that should become a status must be raised with SQLSTATE `PGRST`, message and detail in JSON.

use crate::error::Error;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, pg_sys};
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};

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
    name_it_pgrst();
    ErrorReport::new(UNNAMED, message.to_string(), "timedb").set_detail(detail.to_string())
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

/// What pgrx raises where the SQLSTATE should be `PGRST`: it knows Postgres' own only.
const UNNAMED: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_PROTOCOL_VIOLATION;

/// Names the error that is about to be raised. Postgres asks the callbacks of `error_context_stack` to complete every
/// error while it is raised, and takes them off again when it is caught: ours completes the SQLSTATE.
fn name_it_pgrst() {
    thread_local! {
        static CALLBACK: UnsafeCell<pg_sys::ErrorContextCallback> =
            const { UnsafeCell::new(pg_sys::ErrorContextCallback {
                previous: std::ptr::null_mut(),
                callback: Some(complete),
                arg: std::ptr::null_mut(),
            }) };
    }
    // SAFETY: the callback lives as long as the backend, and is linked at most once: a second link would be a circle.
    unsafe {
        let ours = CALLBACK.with(UnsafeCell::get);
        let mut linked = pg_sys::error_context_stack;
        while !linked.is_null() {
            if linked == ours {
                return;
            }
            linked = (*linked).previous;
        }
        (*ours).previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = ours;
    }
}

unsafe extern "C-unwind" {
    /// Postgres' own function, not pgrx's wrapper of it: an error being raised must not meet another guard.
    fn geterrcode() -> c_int;
    fn errcode(sqlerrcode: c_int) -> c_int;
}

unsafe extern "C-unwind" fn complete(_arg: *mut c_void) {
    // SAFETY: called by errfinish, for the error it finishes.
    unsafe {
        if geterrcode() == UNNAMED as c_int {
            errcode(packed(*b"PGRST"));
        }
    }
}

/// As Postgres packs a SQLSTATE: six bits a character.
fn packed(state: [u8; 5]) -> c_int {
    state.iter().rev().fold(0, |code, &byte| {
        (code << 6) | (c_int::from(byte - b'0') & 0x3f)
    })
}
