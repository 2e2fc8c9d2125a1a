//! A row that another transaction has made meanwhile, in words of ours.

use crate::error::{Error, Result};
use pgrx::PgTryBuilder;
use pgrx::prelude::*;
use std::panic::AssertUnwindSafe;

/// Does some work; where Postgres finds a row that there is already, the error is another one. There is no subtransaction to
/// go back to: whoever gets the error answers it, and does nothing else in the database.
pub fn unless_duplicate<T>(work: impl FnOnce() -> Result<T>, otherwise: impl Fn() -> Error) -> Result<T> {
    let otherwise = AssertUnwindSafe(otherwise);
    PgTryBuilder::new(AssertUnwindSafe(work))
        .catch_when(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION, move |_| Err((*otherwise)()))
        .execute()
}
