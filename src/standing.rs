//! Whether a key or a role binding still stands, now: asked once a statement by every policy.
//!
//! Read by direct index scans with a fresh snapshot, which see a revocation inside REPEATABLE READ and in the leader of
//! a parallel plan, need no privilege, write nothing and take no transaction id. The only file that reads users, api_keys
//! and role_bindings that way; it knows their first columns by number (`sql/04_tables.sql`).

use crate::cell;
use crate::row::Row;
use crate::settings::Login;
use pgrx::pg_sys;
use std::ffi::CStr;
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
    let (user_id, scope, expires_at) = live_key(login)?;
    let email = active_user(login.tenant, user_id)?;
    (scope == login.scope).then_some(Identity {
        tenant: login.tenant,
        scope,
        via: Via::Key {
            user_id,
            email,
            expires_at,
        },
    })
}

/// The key's user, scope and expiry, unless it is revoked or expired: by the clock, not by the transaction's start.
fn live_key(login: &Login) -> Option<(Uuid, Scope, Option<i64>)> {
    const USER_ID: usize = 3;
    const SCOPE: usize = 7;
    const EXPIRES_AT: usize = 9;
    const REVOKED_AT: usize = 10;
    let key = [
        cell::uuid_datum(login.tenant),
        cell::uuid_datum(login.key_id),
    ];
    let (user_id, scope, expires_at, revoked_at) = find(
        c"api_keys",
        c"api_keys_pkey",
        pg_sys::F_UUID_EQ,
        &key,
        |row| {
            Some((
                row.uuid(USER_ID)?,
                row.text(SCOPE)?,
                row.micros(EXPIRES_AT),
                row.micros(REVOKED_AT),
            ))
        },
    )?;
    // SAFETY: reads the clock.
    let now = unsafe { pg_sys::GetCurrentTimestamp() };
    let ended = |end: Option<i64>| end.is_some_and(|end| end <= now);
    if ended(expires_at) || ended(revoked_at) {
        return None;
    }
    Some((user_id, scope.parse().ok()?, expires_at))
}

/// The email of a user that is active.
fn active_user(tenant: Uuid, user_id: Uuid) -> Option<String> {
    const EMAIL: usize = 3;
    const IS_ACTIVE: usize = 4;
    let key = [cell::uuid_datum(tenant), cell::uuid_datum(user_id)];
    find(c"users", c"users_pkey", pg_sys::F_UUID_EQ, &key, |row| {
        if row.bool(IS_ACTIVE)? {
            row.text(EMAIL)
        } else {
            None
        }
    })
}

/// Who the session's login role is bound to act for. Always `session_user`: SET ROLE changes nothing about it.
pub fn of_role() -> Option<Identity> {
    const TENANT_ID: usize = 2;
    const SCOPE: usize = 3;
    let mut role = pg_sys::NameData::default();
    // SAFETY: the session's user is known; its name is palloc'd, or null if the role has just been dropped.
    let name = unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), true);
        if name.is_null() {
            return None;
        }
        pg_sys::namestrcpy(&mut role, name);
        CStr::from_ptr(name).to_str().ok()?.to_owned()
    };
    let key = [pg_sys::Datum::from(&raw mut role)];
    let (tenant, scope) = find(
        c"role_bindings",
        c"role_bindings_pkey",
        pg_sys::F_NAMEEQ,
        &key,
        |row| Some((row.uuid(TENANT_ID)?, row.text(SCOPE)?)),
    )?;
    Some(Identity {
        tenant,
        scope: scope.parse().ok()?,
        via: Via::Role { name },
    })
}

/// One row of a table of timedb by its primary key, which is its first columns.
fn find<T>(
    table: &CStr,
    index: &CStr,
    equals: u32,
    key: &[pg_sys::Datum],
    read: impl FnOnce(&Row) -> Option<T>,
) -> Option<T> {
    // SAFETY: the relation stays open, and so locked and described, until the row has been read; what `read` returns
    // borrows nothing of it. An ERROR in between releases all of it with the transaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"timedb".as_ptr(), true);
        let table = pg_sys::get_relname_relid(table.as_ptr(), schema);
        let index = pg_sys::get_relname_relid(index.as_ptr(), schema);
        if table == pg_sys::InvalidOid || index == pg_sys::InvalidOid {
            return None; // the library is loaded, the extension is not installed
        }
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as _);
        let mut conditions = conditions(equals, key);
        // A null snapshot is a fresh one.
        let scan = pg_sys::systable_beginscan(
            relation,
            index,
            true,
            std::ptr::null_mut(),
            key.len() as i32,
            conditions.as_mut_ptr(),
        );
        let tuple = pg_sys::systable_getnext(scan);
        let found = if tuple.is_null() {
            None
        } else {
            read(&Row::of(tuple, (*relation).rd_att))
        };
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as _);
        found
    }
}

/// `column 1 = key[0] AND column 2 = key[1]`.
fn conditions(equals: u32, key: &[pg_sys::Datum]) -> Vec<pg_sys::ScanKeyData> {
    let equal_to = |(position, &value): (usize, &pg_sys::Datum)| {
        let mut condition = pg_sys::ScanKeyData::default();
        // SAFETY: fills in the one condition; the function is a built-in of Postgres.
        unsafe {
            pg_sys::ScanKeyInit(
                &mut condition,
                (position + 1) as pg_sys::AttrNumber,
                pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                equals.into(),
                value,
            );
        }
        condition
    };
    key.iter().enumerate().map(equal_to).collect()
}
