//! The roles of this session.

use pgrx::pg_sys;
use std::ffi::CStr;

/// The role that logged in to the database; none if it has just been dropped.
pub fn session_role() -> Option<String> {
    // SAFETY: the session's user is known; its name is palloc'd, or null.
    unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), true);
        if name.is_null() {
            return None;
        }
        Some(CStr::from_ptr(name).to_str().ok()?.to_owned())
    }
}

pub fn is_superuser() -> bool {
    // SAFETY: looks into the catalog, within a transaction.
    unsafe { pg_sys::superuser() }
}

/// Whether the current user is a role.
pub fn current_user_is(role: &CStr) -> bool {
    // SAFETY: looks into the catalog; InvalidOid, where the role is missing, is nobody's.
    unsafe { oid_of(role).is_some_and(|role| role == pg_sys::GetUserId()) }
}

/// Whether the current user is a role, or may act as one (a superuser may as all).
pub fn current_user_acts_as(role: &CStr) -> bool {
    // SAFETY: as above.
    unsafe { oid_of(role).is_some_and(|role| pg_sys::has_privs_of_role(pg_sys::GetUserId(), role)) }
}

/// # Safety
/// Within a transaction.
unsafe fn oid_of(role: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: looks into the catalog.
    let oid = unsafe { pg_sys::get_role_oid(role.as_ptr(), true) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}
