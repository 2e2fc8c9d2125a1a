//! Whether a key or a role binding still stands, now: asked once a statement by every policy.
//!
//! Read by direct index scans with a fresh snapshot, which see a revocation inside REPEATABLE READ and in the leader of
//! a parallel plan, need no privilege, write nothing and take no transaction id. The only file that reads users, api_keys
//! and role_bindings that way; it knows their first columns by number (`sql/04_tables.sql`).

use crate::cell;
use crate::row::Row;
use crate::settings::Login;
use pgrx::pg_sys;
use std::ffi::{CStr, CString};
use timedb_core::scope::Scope;
use uuid::Uuid;

/// Who a statement acts for, as the tables say at this moment.
#[derive(Clone, Debug)]
pub struct Identity {
    pub tenant: Uuid,
    pub scope: Scope,
    pub via: Via,
}

#[derive(Clone, Debug)]
pub enum Via {
    Key {
        user_id: Uuid,
        email: String,
        expires_at: Option<i64>,
    },
    /// A login role, by its binding.
    Role { name: String },
}

impl Identity {
    /// What `changed_by` says of what this identity writes.
    pub fn name(&self) -> &str {
        match &self.via {
            Via::Key { email, .. } => email,
            Via::Role { name } => name,
        }
    }
}

/// Who a login is, if its key and its user still stand.
pub fn of_login(login: &Login) -> Option<Identity> {
    let by_id = [
        equals(
            api_keys::TENANT_ID,
            pg_sys::F_UUID_EQ,
            cell::uuid_datum(login.tenant),
        ),
        equals(
            api_keys::KEY_ID,
            pg_sys::F_UUID_EQ,
            cell::uuid_datum(login.key_id),
        ),
    ];
    of_live_key(c"api_keys_pkey", &by_id).filter(|identity| identity.scope == login.scope)
}

/// Who a key belongs to, by its hash, if it and its user stand.
pub fn of_key(hash: &[u8; 32]) -> Option<Identity> {
    let by_hash = [equals(
        api_keys::KEY_HASH,
        pg_sys::F_BYTEAEQ,
        cell::bytes(hash)?,
    )];
    of_live_key(c"api_keys_key_hash_idx", &by_hash)
}

/// The columns of api_keys, by number.
mod api_keys {
    pub const TENANT_ID: usize = 1;
    pub const KEY_ID: usize = 2;
    pub const USER_ID: usize = 3;
    pub const KEY_HASH: usize = 6;
    pub const SCOPE: usize = 7;
    pub const EXPIRES_AT: usize = 9;
    pub const REVOKED_AT: usize = 10;
}

/// Unless the key is revoked or expired: by the clock, not by the transaction's start.
fn of_live_key(index: &CStr, conditions: &[pg_sys::ScanKeyData]) -> Option<Identity> {
    let (tenant, user_id, scope, expires_at, revoked_at) =
        find(c"api_keys", index, conditions, |row| {
            let tenant = row.uuid(api_keys::TENANT_ID)?;
            let user_id = row.uuid(api_keys::USER_ID)?;
            let scope = row.text(api_keys::SCOPE)?.parse().ok()?;
            Some((
                tenant,
                user_id,
                scope,
                row.micros(api_keys::EXPIRES_AT),
                row.micros(api_keys::REVOKED_AT),
            ))
        })?;
    // SAFETY: reads the clock.
    let now = unsafe { pg_sys::GetCurrentTimestamp() };
    let ended = |end: Option<i64>| end.is_some_and(|end| end <= now);
    if ended(expires_at) || ended(revoked_at) {
        return None;
    }
    let email = active_user(tenant, user_id)?;
    Some(Identity {
        tenant,
        scope,
        via: Via::Key {
            user_id,
            email,
            expires_at,
        },
    })
}

/// The email of a user that is active.
fn active_user(tenant: Uuid, user_id: Uuid) -> Option<String> {
    const TENANT_ID: usize = 1;
    const USER_ID: usize = 2;
    const EMAIL: usize = 3;
    const IS_ACTIVE: usize = 4;
    let by_id = [
        equals(TENANT_ID, pg_sys::F_UUID_EQ, cell::uuid_datum(tenant)),
        equals(USER_ID, pg_sys::F_UUID_EQ, cell::uuid_datum(user_id)),
    ];
    find(c"users", c"users_pkey", &by_id, |row| {
        if row.bool(IS_ACTIVE)? {
            row.text(EMAIL)
        } else {
            None
        }
    })
}

/// Who the session's login role is bound to act for. Always `session_user`: SET ROLE changes nothing about it.
pub fn of_role() -> Option<Identity> {
    const ROLE_NAME: usize = 1;
    const TENANT_ID: usize = 2;
    const SCOPE: usize = 3;
    let name = session_role()?;
    let mut role = pg_sys::NameData::default();
    let c_name = CString::new(name.as_str()).ok()?;
    // SAFETY: copies a C string into a buffer that holds every name.
    unsafe { pg_sys::namestrcpy(&mut role, c_name.as_ptr()) };
    let by_name = [equals(
        ROLE_NAME,
        pg_sys::F_NAMEEQ,
        pg_sys::Datum::from(&raw mut role),
    )];
    let (tenant, scope) = find(c"role_bindings", c"role_bindings_pkey", &by_name, |row| {
        Some((row.uuid(TENANT_ID)?, row.text(SCOPE)?.parse().ok()?))
    })?;
    Some(Identity {
        tenant,
        scope,
        via: Via::Role { name },
    })
}

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

/// The one row of a table of timedb that an index finds; none if there are more: what a key means is never a guess.
fn find<T>(
    table: &CStr,
    index: &CStr,
    conditions: &[pg_sys::ScanKeyData],
    read: impl FnOnce(&Row) -> Option<T>,
) -> Option<T> {
    let mut conditions = conditions.to_vec();
    // SAFETY: the relation stays open, and so locked and described, and the scan on the row, until the row has been
    // read; what `read` returns borrows nothing of it. An ERROR in between releases all of it with the transaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"timedb".as_ptr(), true);
        let table = pg_sys::get_relname_relid(table.as_ptr(), schema);
        let index = pg_sys::get_relname_relid(index.as_ptr(), schema);
        if table == pg_sys::InvalidOid || index == pg_sys::InvalidOid {
            return None; // the library is loaded, the extension is not installed
        }
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as _);
        // A null snapshot is a fresh one.
        let scan = pg_sys::systable_beginscan(
            relation,
            index,
            true,
            std::ptr::null_mut(),
            conditions.len() as i32,
            conditions.as_mut_ptr(),
        );
        let tuple = pg_sys::systable_getnext(scan);
        let found = if tuple.is_null() {
            None
        } else {
            Row::in_tuple(tuple, (*relation).rd_att, read)
        };
        let is_only = tuple.is_null() || pg_sys::systable_getnext(scan).is_null();
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as _);
        found.filter(|_| is_only)
    }
}

/// `column = value`, by the built-in function that compares them.
fn equals(column: usize, function: u32, value: pg_sys::Datum) -> pg_sys::ScanKeyData {
    let mut condition = pg_sys::ScanKeyData::default();
    // SAFETY: fills in the one condition.
    unsafe {
        pg_sys::ScanKeyInit(
            &mut condition,
            column as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            function.into(),
            value,
        );
    }
    condition
}
