//! What the planner has learnt of a column.

use pgrx::pg_sys;

/// Whether there are statistics of a column, or of one of a table's children. The catalog itself is for superusers.
pub fn are_kept(relation: pg_sys::Oid, attribute: i16) -> bool {
    [false, true].into_iter().any(|of_children| {
        // SAFETY: looks into the catalog by the key of its index.
        unsafe {
            pg_sys::SearchSysCacheExists(
                pg_sys::SysCacheIdentifier::STATRELATTINH as _,
                relation.into(),
                attribute.into(),
                of_children.into(),
                pg_sys::Datum::null(),
            )
        }
    })
}
