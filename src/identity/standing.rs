//! Whether a key or a role binding still stands, now: asked once a statement by every policy.
//!
//! Read by direct index scans with a fresh snapshot, which see a revocation inside REPEATABLE READ and in the leader of
//! a parallel plan, need no privilege, write nothing and take no transaction id. The only file that reads users, api_keys,
//! key_ends and role_bindings that way; it knows their first columns by number (`sql/04_tables.sql`).

use super::log;
use super::settings::Login;
use crate::error::{Error, Result};
use crate::pg::clock;
use crate::pg::datum::Name;
use crate::pg::index_scan::{Condition, any, find};
use crate::pg::roles::session_role;
use crate::pg::row::TableRow;
use crate::pg::timestamp::Timestamptz;
use std::ffi::CStr;
use timedb_core::scope::Scope;
use uuid::Uuid;

const SCHEMA: &CStr = c"timedb";

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
        key_id: Uuid,
        user_id: Uuid,
        email: String,
        expires_at: Option<Timestamptz>,
    },
    /// A login role, by its binding.
    Role { name: String },
    /// Who operates the database, by his role: within a function that none but operators may call, for its own statements.
    Operator { name: String },
}

impl Via {
    /// As `whoami` and the audit tell it.
    pub fn name(&self) -> &'static str {
        match self {
            Via::Key { .. } => "key",
            Via::Role { .. } => "role",
            Via::Operator { .. } => "operator",
        }
    }
}

impl Identity {
    /// The key it acts with, if it is one.
    pub fn key_id(&self) -> Option<Uuid> {
        match &self.via {
            Via::Key { key_id, .. } => Some(*key_id),
            Via::Role { .. } | Via::Operator { .. } => None,
        }
    }

    /// That its scope is at least the one named; if not, whom to ask depends on the way in.
    pub fn check_scope(&self, needed: Scope) -> Result<()> {
        if self.scope >= needed {
            return Ok(());
        }
        let needed = needed.name();
        log::scope_denied(self, needed);
        Err(match &self.via {
            Via::Key { .. } => Error::ScopeTooLow(needed),
            Via::Role { .. } | Via::Operator { .. } => Error::BindingTooLow(needed),
        })
    }

    /// What `changed_by` says of what this identity writes.
    pub fn name(&self) -> &str {
        match &self.via {
            Via::Key { email, .. } => email,
            Via::Role { name } | Via::Operator { name } => name,
        }
    }
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

/// The columns of key_ends.
mod key_ends {
    pub const TENANT_ID: usize = 1;
    pub const KEY_ID: usize = 2;
    pub const ENDED_AT: usize = 3;
}

/// The columns of users.
mod users {
    pub const TENANT_ID: usize = 1;
    pub const USER_ID: usize = 2;
    pub const EMAIL: usize = 3;
    pub const IS_ACTIVE: usize = 4;
}

/// The columns of role_bindings.
mod role_bindings {
    pub const ROLE_NAME: usize = 1;
    pub const TENANT_ID: usize = 2;
    pub const SCOPE: usize = 3;
}

/// Who a login is, if its key and its user still stand.
pub fn of_login(login: &Login) -> Option<Identity> {
    let by_id = [
        Condition::id(api_keys::TENANT_ID, login.tenant),
        Condition::id(api_keys::KEY_ID, login.key_id),
    ];
    of_live_key(c"api_keys_pkey", &by_id).filter(|identity| identity.scope == login.scope)
}

/// Who a key belongs to, by its hash, if it and its user stand.
pub fn of_key(hash: &[u8; 32]) -> Option<Identity> {
    let by_hash = [Condition::bytes(api_keys::KEY_HASH, hash)];
    of_live_key(c"api_keys_key_hash_idx", &by_hash)
}

/// A key as it is stored.
struct Key {
    tenant: Uuid,
    id: Uuid,
    user_id: Uuid,
    scope: Scope,
    expires_at: Option<Timestamptz>,
    revoked_at: Option<Timestamptz>,
}

impl Key {
    fn of(row: &TableRow) -> Option<Key> {
        Some(Key {
            tenant: row.column::<Uuid>(api_keys::TENANT_ID)?,
            id: row.column::<Uuid>(api_keys::KEY_ID)?,
            user_id: row.column::<Uuid>(api_keys::USER_ID)?,
            scope: row.column::<Scope>(api_keys::SCOPE)?,
            expires_at: row.column::<Option<Timestamptz>>(api_keys::EXPIRES_AT)?,
            revoked_at: row.column::<Option<Timestamptz>>(api_keys::REVOKED_AT)?,
        })
    }

    /// By the clock, not by the transaction's start.
    fn has_ended(&self) -> bool {
        let now = clock::now();
        let ends = [self.expires_at, self.revoked_at];
        ends.into_iter().flatten().any(|end| end <= now) || self.was_ended_by(now)
    }

    /// Whether anybody has ended it, by a row of its own.
    fn was_ended_by(&self, now: Timestamptz) -> bool {
        let by_id = [
            Condition::id(key_ends::TENANT_ID, self.tenant),
            Condition::id(key_ends::KEY_ID, self.id),
        ];
        any(SCHEMA, c"key_ends", c"key_ends_key_idx", &by_id, |row| {
            let ended_at = row.column::<Timestamptz>(key_ends::ENDED_AT);
            ended_at.is_none_or(|end| end <= now)
        })
    }
}

/// Unless the key is revoked or expired.
fn of_live_key(index: &CStr, conditions: &[Condition]) -> Option<Identity> {
    let key = find(SCHEMA, c"api_keys", index, conditions, Key::of)?;
    if key.has_ended() {
        return None;
    }
    let email = active_user(key.tenant, key.user_id)?;
    Some(Identity {
        tenant: key.tenant,
        scope: key.scope,
        via: Via::Key {
            key_id: key.id,
            user_id: key.user_id,
            email,
            expires_at: key.expires_at,
        },
    })
}

/// The email of a user that is active.
fn active_user(tenant: Uuid, user_id: Uuid) -> Option<String> {
    let by_id = [
        Condition::id(users::TENANT_ID, tenant),
        Condition::id(users::USER_ID, user_id),
    ];
    find(SCHEMA, c"users", c"users_pkey", &by_id, |row| {
        let is_active = row.column::<bool>(users::IS_ACTIVE)?;
        let email = row.column::<String>(users::EMAIL)?;
        is_active.then_some(email)
    })
}

/// Who the session's login role is bound to act for. Always `session_user`: SET ROLE changes nothing about it.
pub fn of_role() -> Option<Identity> {
    let name = session_role()?;
    let by_name = [Condition::name(role_bindings::ROLE_NAME, &name)];
    let (table, index) = (c"role_bindings", c"role_bindings_pkey");
    let (tenant, scope) = find(SCHEMA, table, index, &by_name, |row| {
        // A longer name than a name holds is not this one's.
        let is_own = row.column::<Name>(role_bindings::ROLE_NAME)?.0 == name;
        let tenant = row.column::<Uuid>(role_bindings::TENANT_ID)?;
        let scope = row.column::<Scope>(role_bindings::SCOPE)?;
        is_own.then_some((tenant, scope))
    })?;
    Some(Identity {
        tenant,
        scope,
        via: Via::Role { name },
    })
}
