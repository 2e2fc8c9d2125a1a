//! Settings: how they are defined, changed and asked for, and what their hooks have in common. What each of timedb's means
//! is `identity`.

pub mod superusers;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::{PgSqlErrorCode, pg_sys};
use std::ffi::{CStr, CString, c_char, c_void};

pub use pgrx::guc::GucContext as Context;

pub type CheckHook = unsafe extern "C-unwind" fn(*mut *mut c_char, *mut *mut c_void, pg_sys::GucSource::Type) -> bool;
pub type AssignHook = unsafe extern "C-unwind" fn(*const c_char, *mut c_void);
pub type ShowHook = unsafe extern "C-unwind" fn() -> *const c_char;

/// A text setting, never shown by SHOW ALL and never taken from a file.
pub struct Definition {
    pub name: &'static CStr,
    pub short: &'static CStr,
    pub long: &'static CStr,
    pub text: &'static GucSetting<Option<CString>>,
    pub context: GucContext,
    pub check: CheckHook,
    pub assign: AssignHook,
    pub show: Option<ShowHook>,
}

impl Definition {
    /// # Safety
    /// Only from `_PG_init`; the hooks are functions of this library, which Postgres never unloads.
    pub unsafe fn define(self) {
        // SAFETY: see above.
        unsafe {
            GucRegistry::define_string_guc_with_hooks(
                self.name,
                self.short,
                self.long,
                self.text,
                self.context,
                GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE | GucFlags::DISALLOW_IN_AUTO_FILE,
                Some(self.check),
                Some(self.assign),
                self.show,
            );
        }
    }
}

/// How long a value lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    Session,
    Transaction,
}

/// Sets a setting, as SET or SET LOCAL does.
pub fn set(name: &CStr, value: &CStr, context: pg_sys::GucContext::Type, lasting: Lasting) {
    let action = match lasting {
        Lasting::Session => pg_sys::GucAction::GUC_ACTION_SET,
        Lasting::Transaction => pg_sys::GucAction::GUC_ACTION_LOCAL,
    };
    set_by(name, value, context, action);
}

fn set_by(name: &CStr, value: &CStr, context: pg_sys::GucContext::Type, action: pg_sys::GucAction::Type) {
    // SAFETY: both strings live through the call, and Postgres copies the value.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            context,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}

/// Does what may plan a statement as Postgres does by default: plans are not the caller's to choose, who could have one made
/// for each of her arguments, nor to see. Where she has set nothing of the kind, it costs two looks. An ERROR leaves it to the
/// end of the (sub)transaction to put her settings back, as with a function's SET clauses.
pub fn with_plans_hidden<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: reads variables that Postgres keeps for these settings.
    let is_default = unsafe {
        !pg_sys::Debug_print_plan && pg_sys::plan_cache_mode as u32 == pg_sys::PlanCacheMode::PLAN_CACHE_MODE_AUTO
    };
    if is_default {
        return work();
    }
    // SAFETY: the level is begun and ended here, with all that is set in between.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in [(c"debug_print_plan", c"off"), (c"plan_cache_mode", c"auto")] {
        set_by(
            name,
            value,
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucAction::GUC_ACTION_SAVE,
        );
    }
    let result = work();
    // SAFETY: see above.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}

/// A setting that somebody else defines; after a transaction that had set it, it is empty rather than absent.
pub fn get(name: &CStr) -> Option<String> {
    // SAFETY: the name is a C string; the result is null or a C string that lives until the setting changes.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        if value.is_null() || *value == 0 {
            return None;
        }
        CStr::from_ptr(value).to_str().ok().map(str::to_owned)
    }
}

/// Whether a setting has a value, an empty one too.
fn has_value(name: &CStr) -> bool {
    // SAFETY: the name is a C string.
    unsafe { !pg_sys::GetConfigOption(name.as_ptr(), true, false).is_null() }
}

/// Whether a check hook may take a value from anybody: none at all, or what a parallel worker copies from its leader.
///
/// # Safety
/// From a check hook, with the value it was given.
pub unsafe fn is_harmless(new_value: *mut *mut c_char) -> bool {
    // SAFETY: Postgres passes a valid pointer to a string or to null.
    unsafe {
        let is_empty = new_value.is_null() || (*new_value).is_null() || **new_value == 0;
        is_empty || pg_sys::InitializingParallelWorker
    }
}

/// A check hook's refusal, in its own words: Postgres' default message would quote the value.
///
/// # Safety
/// From a check hook.
pub unsafe fn refuse(message: &CStr) -> bool {
    // SAFETY: the message is palloc'd, as Postgres expects.
    unsafe {
        pg_sys::GUC_check_errcode(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE as i32);
        pg_sys::GUC_check_errmsg_string = pg_sys::pstrdup(message.as_ptr());
    }
    false
}

/// What an assign hook is given. None for what is no UTF-8: it comes in whatever encoding the client has sent.
///
/// # Safety
/// The pointer is null or points to a string that outlives the result.
pub unsafe fn text_of<'a>(value: *const c_char) -> Option<&'a str> {
    if value.is_null() {
        return Some("");
    }
    // SAFETY: see above.
    unsafe { CStr::from_ptr(value) }.to_str().ok()
}
