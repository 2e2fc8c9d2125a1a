//! What a shard tells beside its answer, in the shard's words: PL/Proxy passes it on as a NOTICE with words of its own before it, and
//! nothing but a callback of `error_context_stack` comes between.

use pgrx::pg_sys;
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use timedb_core::remote;

thread_local! {
    static CALLBACK: UnsafeCell<pg_sys::ErrorContextCallback> =
        const { UnsafeCell::new(pg_sys::ErrorContextCallback {
            previous: std::ptr::null_mut(),
            callback: Some(restore),
            arg: std::ptr::null_mut(),
        }) };
}

/// For the call that follows: whoever called us takes the callback off when it ends, as PL/pgSQL and SPI put the stack back to what it
/// was before theirs.
pub fn link() {
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
    /// Postgres' own functions, not pgrx's wrappers of them: what is being raised must not meet another guard.
    fn geterrcode() -> c_int;
    fn CopyErrorData() -> *mut pg_sys::ErrorData;
    fn FreeErrorData(copy: *mut pg_sys::ErrorData);
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errdetail_internal(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
}

/// The first two characters of a SQLSTATE that is no error's: 00 or 01, six bits each.
fn is_no_error(packed: c_int) -> bool {
    matches!(packed & 0xfff, 0 | 0x40)
}

unsafe extern "C-unwind" fn restore(_arg: *mut c_void) {
    // SAFETY: called by errfinish, for what it finishes, which is copied into memory that is there until the transaction ends.
    unsafe {
        if !is_no_error(geterrcode()) {
            return;
        }
        let before = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = pg_sys::CurTransactionContext;
        let copy = CopyErrorData();
        pg_sys::CurrentMemoryContext = before;
        if let Some(words) = text((*copy).message).and_then(remote::told) {
            say(errmsg_internal, words);
            if let Some(detail) = text((*copy).detail) {
                say(errdetail_internal, remote::without(detail, remote::DETAIL));
            }
            if let Some(hint) = text((*copy).hint) {
                say(errhint, remote::without(hint, remote::HINT));
            }
        }
        FreeErrorData(copy);
    }
}

/// # Safety
/// A string of the error that is being finished, or null.
unsafe fn text<'a>(message: *const c_char) -> Option<&'a str> {
    // SAFETY: as the caller says.
    (!message.is_null()).then(|| unsafe { CStr::from_ptr(message) }.to_str().ok())?
}

/// # Safety
/// Within a callback of `error_context_stack`.
unsafe fn say(field: unsafe extern "C-unwind" fn(*const c_char, ...) -> c_int, words: &str) {
    if let Ok(words) = CString::new(words) {
        // SAFETY: as the caller says; the format takes one string.
        unsafe { field(c"%s".as_ptr(), words.as_ptr()) };
    }
}
