//! `timedb.api_key`: a key given as a setting, for front ends that can set settings and call nothing before a query.
//!
//! Anybody may set it, in his session or when he connects: it is a credential, not a decision. It is looked up anew at
//! every statement, and never shown. It is refused wherever it would be stored: a role's or a database's settings, a
//! function's, a configuration file.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
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
}

pub fn current() -> Credential {
    CREDENTIAL.get()
}

/// Defines the setting; called once, when the library is loaded.
pub fn define() {
    // SAFETY: called from _PG_init; the hooks are functions of this library, which Postgres never unloads.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"timedb.api_key",
            c"An API key to act with, where nobody has called timedb.authenticate().",
            c"For front ends that can only set settings. Never stored, never shown.",
            &KEY_TEXT,
            GucContext::Userset,
            GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE | GucFlags::DISALLOW_IN_AUTO_FILE,
            Some(check),
            Some(assign),
            Some(show),
        );
    }
}

/// Its own words: Postgres' default message would quote the value.
#[pg_guard]
unsafe extern "C-unwind" fn check(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    use pg_sys::GucSource::{PGC_S_CLIENT, PGC_S_SESSION};
    // SAFETY: Postgres passes a valid pointer to a string or to null; the message is palloc'd, as it expects.
    unsafe {
        let is_empty = new_value.is_null() || (*new_value).is_null() || **new_value == 0;
        let is_live = [PGC_S_CLIENT, PGC_S_SESSION].contains(&source);
        if is_empty || is_live || pg_sys::InitializingParallelWorker {
            return true;
        }
        pg_sys::GUC_check_errcode(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE as i32);
        pg_sys::GUC_check_errmsg_string = pg_sys::pstrdup(
            c"an API key is not stored: set it in the session, or when connecting".as_ptr(),
        );
        false
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn assign(new_value: *const c_char, _extra: *mut c_void) {
    let text = if new_value.is_null() {
        Ok("")
    } else {
        // SAFETY: Postgres passes a valid string, in whatever encoding the client has sent.
        unsafe { CStr::from_ptr(new_value) }.to_str()
    };
    CREDENTIAL.set(match text {
        Ok("") => Credential::None,
        Ok(text) if key::is_well_formed(text) => Credential::Hash(key::hash(text)),
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
