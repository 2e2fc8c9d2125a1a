//! Where a transaction is in its life.

use pgrx::pg_sys;
use pgrx::pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};

/// Whether a callback is told that the session's transaction is over, for whatever reason. Those of a parallel worker are not.
pub fn has_ended(event: pg_sys::XactEvent::Type) -> bool {
    [XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE].contains(&event)
}
