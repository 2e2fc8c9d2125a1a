//! What pgrx cannot say of an error: a SQLSTATE that is none of its list, `PGRST` among them, and that the log shall not show the statement it came from.
//!
//! Postgres asks the callbacks of `error_context_stack` to complete every error while it is raised, and takes them off
//! again where it is caught. Ours is linked by who is about to raise, or may.

use pgrx::{PgSqlErrorCode, pg_sys};
use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};

/// What to raise where the SQLSTATE should be `PGRST`, or the one that [`link_as`] was told: pgrx knows Postgres' own only.
pub const PGRST: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_PROTOCOL_VIOLATION;

const OF_POSTGREST: [u8; 5] = *b"PGRST";

/// What the server's log shows of where an error came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Log {
    Whole,
    /// Neither statement nor context: either may hold a key.
    Hidden,
}

thread_local! {
    static LOG: Cell<Log> = const { Cell::new(Log::Whole) };
    static IS_CUT: Cell<bool> = const { Cell::new(false) };
    static STATE: Cell<[u8; 5]> = const { Cell::new(OF_POSTGREST) };
    static CALLBACK: UnsafeCell<pg_sys::ErrorContextCallback> =
        const { UnsafeCell::new(pg_sys::ErrorContextCallback {
            previous: std::ptr::null_mut(),
            callback: Some(complete),
            arg: std::ptr::null_mut(),
        }) };
}

/// For an error that is raised now, with a SQLSTATE of somebody else's.
pub fn link_as(state: [u8; 5], log: Log) {
    link(log);
    if log == Log::Hidden {
        LOG.set(log);
    }
    STATE.set(state);
}

/// From here on errors are completed: until the next one is caught, or [`unlink`].
pub fn link(log: Log) {
    STATE.set(OF_POSTGREST);
    if is_linked() {
        return;
    }
    // SAFETY: the callback lives as long as the backend, and is linked at most once: a second link would be a circle.
    unsafe {
        let ours = CALLBACK.with(UnsafeCell::get);
        LOG.set(log);
        (*ours).previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = ours;
    }
}

/// For an error that is raised now: nothing more is told of where it came from, which is between functions of ours. Not for what is
/// reported and returns, as whoever is called afterwards would still be linked to.
pub fn raise_without_context() {
    if !is_linked() {
        link(Log::Whole);
    }
    IS_CUT.set(true);
}

fn is_linked() -> bool {
    // SAFETY: what is linked lives at least until it is taken off; nothing is changed.
    unsafe {
        let ours = CALLBACK.with(UnsafeCell::get);
        let mut linked = pg_sys::error_context_stack;
        while !linked.is_null() && linked != ours {
            linked = (*linked).previous;
        }
        linked == ours
    }
}

/// What might have raised has not.
pub fn unlink() {
    // SAFETY: whoever linked a callback after ours has taken it off by now.
    unsafe {
        let ours = CALLBACK.with(UnsafeCell::get);
        if pg_sys::error_context_stack == ours {
            pg_sys::error_context_stack = (*ours).previous;
        }
    }
}

/// What is reported meanwhile, short of an error, is logged without statement and context.
pub fn hidden(report: impl FnOnce()) {
    let linked = is_linked();
    link(Log::Hidden);
    let before = LOG.replace(Log::Hidden);
    report();
    LOG.set(before);
    if !linked {
        unlink();
    }
}

unsafe extern "C-unwind" {
    /// Postgres' own functions, not pgrx's wrappers of them: an error being raised must not meet another guard.
    fn geterrcode() -> c_int;
    fn errcode(sqlerrcode: c_int) -> c_int;
    fn errhidestmt(hide: bool) -> c_int;
    fn errhidecontext(hide: bool) -> c_int;
}

unsafe extern "C-unwind" fn complete(_arg: *mut c_void) {
    // SAFETY: called by errfinish, for the error it finishes.
    unsafe {
        if geterrcode() == PGRST as c_int {
            errcode(packed(STATE.get()));
        }
        if LOG.get() == Log::Hidden {
            errhidestmt(true);
            errhidecontext(true);
        }
        if IS_CUT.take() {
            // The stack is put back to what it was where the error is caught.
            (*CALLBACK.with(UnsafeCell::get)).previous = std::ptr::null_mut();
        }
    }
}

/// As Postgres packs a SQLSTATE: six bits a character.
fn packed(state: [u8; 5]) -> c_int {
    state
        .iter()
        .rev()
        .fold(0, |code, &byte| (code << 6) | (c_int::from(byte - b'0') & 0x3f))
}
