//! What EXPLAIN says of a node: by which conditions it looks, and with ANALYZE what it has looked at.

use super::executor;
use pgrx::{PgList, pg_guard, pg_sys};
use std::ptr;

/// # Safety
/// Called by EXPLAIN, with a state that has begun.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn explain(
    state: *mut pg_sys::CustomScanState,
    ancestors: *mut pg_sys::List,
    output: *mut pg_sys::ExplainState,
) {
    // SAFETY: see above.
    unsafe {
        let plan = (*state).ss.ps.plan;
        let conditions = conditions(&*plan.cast());
        if !conditions.is_null() {
            let context = pg_sys::set_deparse_context_plan((*output).deparse_cxt, plan, ancestors);
            let with_names = (*output).verbose;
            let text = pg_sys::deparse_expression(conditions.cast(), context, with_names, false);
            pg_sys::ExplainPropertyText(c"Window Cond".as_ptr(), text, output);
        }
        if (*output).analyze {
            for (name, count) in executor::looked_at(state) {
                pg_sys::ExplainPropertyInteger(name.as_ptr(), ptr::null(), count as i64, output);
            }
        }
    }
}

/// Those that narrow what is looked at, or null.
///
/// # Safety
/// A plan of ours.
unsafe fn conditions(scan: &pg_sys::CustomScan) -> *mut pg_sys::Expr {
    // SAFETY: see above.
    unsafe {
        let checked = PgList::<pg_sys::Node>::from_pg(scan.scan.plan.qual);
        let mut narrowing = ptr::null_mut();
        for place in executor::narrowed_by(scan) {
            if let Some(condition) = checked.get_ptr(place) {
                narrowing = pg_sys::lappend(narrowing, condition.cast());
            }
        }
        if narrowing.is_null() {
            return ptr::null_mut();
        }
        pg_sys::make_ands_explicit(narrowing)
    }
}
