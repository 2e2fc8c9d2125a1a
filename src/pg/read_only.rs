//! What is refused where nothing can be written.

use pgrx::pg_sys;
use std::ffi::CStr;

/// In Postgres' words, 25006, in a transaction that is read-only and on a standby: also where there would be nothing to write.
pub fn refuse_if_read_only(command: &CStr) {
    // SAFETY: reads the state of the transaction; an ERROR unwinds from here.
    unsafe {
        pg_sys::PreventCommandIfReadOnly(command.as_ptr());
        pg_sys::PreventCommandDuringRecovery(command.as_ptr());
    }
}
