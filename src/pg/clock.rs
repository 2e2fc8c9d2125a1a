//! The server's clock, and ids in the order of time.

use super::timestamp::{self, Timestamptz};
use crate::error::Result;
use pgrx::pg_sys;
use timedb_core::time::Time;
use uuid::Uuid;

/// This very moment, not the start of the transaction.
pub fn now() -> Timestamptz {
    // SAFETY: reads the clock.
    Timestamptz(unsafe { pg_sys::GetCurrentTimestamp() })
}

/// This very moment, to be stored; an error where the clock of the machine is out of range.
pub fn moment() -> Result<Time> {
    timestamp::required("clock", Some(now().0))
}

/// What now() is.
pub fn transaction_start() -> i64 {
    // SAFETY: reads what was set when the transaction began.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// The id that the server gives to what it makes: v7, so that neighbours in time stay neighbours in an index.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
