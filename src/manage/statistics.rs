//! Whether the planner has learnt of a column what its plans would tell.

use crate::pg::statistics;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn _has_statistics(relation: pg_sys::Oid, attribute: i16) -> bool {
    statistics::are_kept(relation, attribute)
}
