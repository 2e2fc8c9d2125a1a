//! Settings that superusers alone set, for the server, a database or a role.
//!
//! Before the library is loaded, a setting is a placeholder that takes anything from anybody, and what a client gives it when it
//! connects takes the place of what a superuser has stored. Postgres drops that when the library is loaded, but does not bring back
//! what stood there: the default would hold instead. So a session in which all that was given is dropped ends, as it would where
//! the library is preloaded. What is only set later hides nothing: what is stored is taken, and the rest dropped.

use super::has_value;
use crate::pg::roles::is_superuser;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, pg_guard, pg_sys};
use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};

/// What is said of a setting.
#[derive(Clone, Copy)]
pub struct Words {
    pub name: &'static CStr,
    pub short: &'static CStr,
    pub long: &'static CStr,
}

thread_local! {
    /// Whether the setting that is being defined has taken anything that was given.
    static HAS_TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// # Safety
/// Only from `_PG_init`.
pub unsafe fn define_switch(words: Words, value: &'static GucSetting<bool>) {
    let Words { name, short, long } = words;
    let (context, flags) = (GucContext::Suset, GucFlags::default());
    // SAFETY: the hook is a function of this library, which Postgres never unloads.
    let define = || unsafe {
        GucRegistry::define_bool_guc_with_hooks(
            name,
            short,
            long,
            value,
            context,
            flags,
            Some(check_switch),
            None,
            None,
        );
    };
    define_with(name, define);
}

/// From one number to another, in a unit where the flags say so.
///
/// # Safety
/// Only from `_PG_init`.
pub unsafe fn define_number(words: Words, value: &'static GucSetting<i32>, (least, most): (i32, i32), flags: GucFlags) {
    let Words { name, short, long } = words;
    let (context, check) = (GucContext::Suset, Some(check_number as _));
    // SAFETY: the hook is a function of this library, which Postgres never unloads.
    let define = || unsafe {
        GucRegistry::define_int_guc_with_hooks(
            name, short, long, value, least, most, context, flags, check, None, None,
        );
    };
    define_with(name, define);
}

fn define_with(name: &CStr, define: impl FnOnce()) {
    let was_given = has_value(name);
    HAS_TAKEN.set(false);
    define();
    if was_given && !HAS_TAKEN.get() && !is_superuser() {
        let name = name.to_string_lossy();
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied to set parameter \"{name}\""),
            "timedb",
        )
        .set_hint("Connect anew without it. Where it is stored, a superuser has to store another value.")
        .report(PgLogLevel::FATAL);
    }
}

fn take(source: pg_sys::GucSource::Type) -> bool {
    if source != pg_sys::GucSource::PGC_S_DEFAULT {
        HAS_TAKEN.set(true);
    }
    true
}

#[pg_guard]
unsafe extern "C-unwind" fn check_switch(
    _value: *mut bool,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    take(source)
}

#[pg_guard]
unsafe extern "C-unwind" fn check_number(
    _value: *mut c_int,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    take(source)
}
