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
