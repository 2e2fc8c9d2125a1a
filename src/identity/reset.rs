//! Notices RESET ALL and DISCARD ALL, which make a session anew, so that a failed login's refusal ends with them.

use super::settings;
use pgrx::pg_sys;
use std::ffi::c_char;
use std::sync::OnceLock;

/// The utility hook of a library loaded before us.
static NEXT_UTILITY_HOOK: OnceLock<UtilityHook> = OnceLock::new();

/// Called once, when the library is loaded.
pub fn watch() {
    // SAFETY: called from _PG_init, on the backend's only thread; the hook is a function of this library, which Postgres
    // never unloads.
    unsafe {
        let next = pg_sys::ProcessUtility_hook.unwrap_or(standard_ProcessUtility);
        NEXT_UTILITY_HOOK.get_or_init(|| next);
        pg_sys::ProcessUtility_hook = Some(watch_for_reset_all);
    }
}

type UtilityHook = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannedStmt,
    *const c_char,
    bool,
    pg_sys::ProcessUtilityContext::Type,
    pg_sys::ParamListInfo,
    *mut pg_sys::QueryEnvironment,
    *mut pg_sys::DestReceiver,
    *mut pg_sys::QueryCompletion,
);

unsafe extern "C-unwind" {
    /// Postgres' own function, not pgrx's wrapper of it: see `watch_for_reset_all`.
    fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        query: *const c_char,
        read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        params: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// RESET ALL and DISCARD ALL make a session anew, so they end a refusal too. The assign hooks do not tell: Postgres
/// does not call them for a setting that already has its default.
///
/// Not `pg_guard`ed, and the statement runs last: an ERROR in it passes over this frame, which holds nothing to drop,
/// instead of through Rust, which would strip every utility statement's error of its constraint name and context.
unsafe extern "C-unwind" fn watch_for_reset_all(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: the arguments are passed on as they came; a planned utility statement always has its node.
    unsafe {
        if resets_all((*statement).utilityStmt, context) {
            settings::forget_refusals();
        }
        let next = NEXT_UTILITY_HOOK.get().copied().unwrap_or(standard_ProcessUtility);
        next(
            statement,
            query,
            read_only_tree,
            context,
            params,
            environment,
            destination,
            completion,
        );
    }
}

/// Whether a statement resets all settings: DISCARD ALL does not where it must fail, in a transaction block or a function.
///
/// # Safety
/// The pointer is null or points to a node.
unsafe fn resets_all(node: *mut pg_sys::Node, context: pg_sys::ProcessUtilityContext::Type) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: the tag says which node it is; the transaction's state is only read.
    unsafe {
        match (*node).type_ {
            pg_sys::NodeTag::T_VariableSetStmt => {
                let statement = node.cast::<pg_sys::VariableSetStmt>();
                (*statement).kind == pg_sys::VariableSetKind::VAR_RESET_ALL
            }
            pg_sys::NodeTag::T_DiscardStmt => {
                let statement = node.cast::<pg_sys::DiscardStmt>();
                (*statement).target == pg_sys::DiscardMode::DISCARD_ALL
                    && context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_TOPLEVEL
                    && !pg_sys::IsTransactionBlock()
            }
            _ => false,
        }
    }
}
