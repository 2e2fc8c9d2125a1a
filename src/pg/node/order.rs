//! The order of a node's rows, as the planner knows orders.

use super::Order;
use pgrx::{PgList, pg_sys};

/// `<` of texts, of uuids and of timestamptz.
const TEXT_LESS: u32 = 664;
const UUID_LESS: u32 = 2974;
const TIME_LESS: u32 = 1322;

/// One step of an order: what the query knows of it.
enum Step {
    /// Nothing in the query asks for it.
    Unasked,
    /// All rows that the query wants have one value there.
    Constant,
    Asked(*mut pg_sys::PathKey),
}

/// The orders that the rows have, of those that the query can make use of: as a list of path keys, or null.
///
/// # Safety
/// Both are of the query that is being planned.
pub unsafe fn pathkeys(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    order: &Order,
) -> *mut pg_sys::List {
    // SAFETY: see above.
    unsafe {
        let key = step(
            root,
            rel,
            in_c(variable(rel, order.key, pg_sys::TEXTOID, pg_sys::DEFAULT_COLLATION_OID)),
            TEXT_LESS,
        );
        let id = step(
            root,
            rel,
            variable(rel, order.id, pg_sys::UUIDOID, pg_sys::InvalidOid),
            UUID_LESS,
        );
        let time = step(
            root,
            rel,
            variable(rel, order.time, pg_sys::TIMESTAMPTZOID, pg_sys::InvalidOid),
            TIME_LESS,
        );
        let mut keys = PgList::<pg_sys::PathKey>::new();
        let of_one_id = matches!(id, Step::Constant);
        for step in [key, id, time] {
            match step {
                Step::Asked(pathkey) => keys.push(pathkey),
                Step::Constant => {}
                // Of one id there is one key: nothing is in an order by it that is not in the order of what follows.
                Step::Unasked if of_one_id => {}
                Step::Unasked => break,
            }
        }
        keys.into_pg()
    }
}

/// # Safety
/// As [`pathkeys`].
unsafe fn step(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    expression: *mut pg_sys::Expr,
    less: u32,
) -> Step {
    // SAFETY: see above; nothing is made that the query has not asked for.
    unsafe {
        let less = pg_sys::Oid::from(less);
        #[cfg(feature = "pg15")]
        let keys = pg_sys::build_expression_pathkey(root, expression, std::ptr::null_mut(), less, (*rel).relids, false);
        #[cfg(not(feature = "pg15"))]
        let keys = pg_sys::build_expression_pathkey(root, expression, less, (*rel).relids, false);
        match PgList::<pg_sys::PathKey>::from_pg(keys).get_ptr(0) {
            None => Step::Unasked,
            Some(key) if (*(*key).pk_eclass).ec_has_const => Step::Constant,
            Some(key) => Step::Asked(key),
        }
    }
}

/// # Safety
/// As [`pathkeys`]; the relation has this column, of this type.
unsafe fn variable(
    rel: *mut pg_sys::RelOptInfo,
    column: i16,
    of: pg_sys::Oid,
    collation: pg_sys::Oid,
) -> *mut pg_sys::Expr {
    // SAFETY: see above.
    unsafe { pg_sys::makeVar((*rel).relid as _, column, of, -1, collation, 0).cast() }
}

/// The same text in the collation "C", as `COLLATE "C"` becomes in a plan.
///
/// # Safety
/// It is an expression of type text.
unsafe fn in_c(text: *mut pg_sys::Expr) -> *mut pg_sys::Expr {
    let form = pg_sys::CoercionForm::COERCE_IMPLICIT_CAST;
    // SAFETY: see above.
    unsafe { pg_sys::makeRelabelType(text, pg_sys::TEXTOID, -1, pg_sys::C_COLLATION_OID, form).cast() }
}
