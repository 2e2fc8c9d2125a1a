//! `timedb.api_key`: a key given as a setting, for front ends that can set settings and call nothing before a query.
//!
//! Anybody may set it, in his session or when he connects: it is a credential, not a decision. It is looked up anew at
//! every statement, and never shown. It is refused wherever it would be stored: a role's or a database's settings, a
//! function's, a configuration file.

use crate::pg::guc::{self, Context, Definition};
use pgrx::guc::GucSetting;
use pgrx::{pg_guard, pg_sys};
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use timedb_core::key;

static KEY_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// What the setting holds.
#[derive(Clone, Copy)]
pub enum Credential {
    None,
    /// A text that cannot be a key.
    Malformed,
    Hash([u8; 32]),
}

thread_local! {
    static CREDENTIAL: Cell<Credential> = const { Cell::new(Credential::None) };
    /// Whether nobody has acted by it since it was set.
    static IS_NEW: Cell<bool> = const { Cell::new(false) };
}

pub fn current() -> Credential {
    CREDENTIAL.get()
}

/// The text itself: for a router, which has to show it to a shard.
pub fn text() -> Option<String> {
    guc::get(c"timedb.api_key")
}

/// Whether this is the first time that somebody acts by what is set now.
pub fn is_first_use() -> bool {
    IS_NEW.replace(false)
}

/// Defines the setting; called once, when the library is loaded.
pub fn define() {
    // SAFETY: called from _PG_init; the hooks are functions of this library, which Postgres never unloads.
    unsafe {
        Definition {
            name: c"timedb.api_key",
            short: c"An API key to act with, where nobody has called timedb.authenticate().",
            long: c"For front ends that can only set settings. Never stored, never shown.",
            text: &KEY_TEXT,
            context: Context::Userset,
            check,
            assign,
            show: Some(show),
        }
        .define();
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn check(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    use pg_sys::GucSource::{PGC_S_CLIENT, PGC_S_SESSION};
    let is_live = [PGC_S_CLIENT, PGC_S_SESSION].contains(&source);
    // SAFETY: this is the check hook, with the value it was given.
    unsafe {
        guc::is_harmless(new_value)
            || is_live
            || guc::refuse(c"an API key is not stored: set it in the session, or when connecting")
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn assign(new_value: *const c_char, _extra: *mut c_void) {
    // SAFETY: Postgres passes null or a valid string.
    let text = unsafe { guc::text_of(new_value) };
    IS_NEW.set(true);
    CREDENTIAL.set(match text {
        Some("") => Credential::None,
        Some(text) if key::can_be_key(text) => Credential::Hash(key::hash(text)),
        _ => Credential::Malformed,
    });
}

#[pg_guard]
unsafe extern "C-unwind" fn show() -> *const c_char {
    match CREDENTIAL.get() {
        Credential::None => c"".as_ptr(),
        _ => c"********".as_ptr(),
    }
}
