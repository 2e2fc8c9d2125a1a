//! What a client is told beside the answer that it gets.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// A WARNING, in the words of an error: what, its data, and what to do.
pub fn warn(message: String, detail: &str, hint: &str) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "timedb")
        .set_detail(detail)
        .set_hint(hint)
        .report(PgLogLevel::WARNING);
}

/// A NOTICE: what has happened, and what to do where something else was meant.
pub fn notice(message: String, hint: &str) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "timedb")
        .set_hint(hint)
        .report(PgLogLevel::NOTICE);
}
