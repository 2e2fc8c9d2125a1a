//! The isolation of the transaction under way.

use pgrx::pg_sys;

/// Whether each statement sees what has been committed by then.
pub fn is_read_committed() -> bool {
    // SAFETY: reads a setting of the transaction.
    unsafe { pg_sys::XactIsoLevel < pg_sys::XACT_REPEATABLE_READ as i32 }
}
