//! API keys of users: made and shown once, listed, rotated, revoked. Only a key's hash is ever stored.

use crate::answer::{Answer, Sheet};
use crate::audit::{self, Action, Subject};
use crate::cell;
use crate::error::{Error, Result};
use crate::manage;
use crate::moment;
use crate::session;
use crate::statement::{self, statements};
use crate::users::{self, User, UserName};
use pgrx::prelude::*;
use timedb_core::key;
use timedb_core::scope::Scope;
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    INSERT_KEY(UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TIMESTAMPTZOID) =
        c"INSERT INTO timedb.api_keys (tenant_id, key_id, user_id, name, hint, key_hash, scope, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    NEWEST_ACTIVE_KEY(UUIDOID, UUIDOID) =
        c"SELECT k.name, k.scope, k.expires_at
          FROM timedb.api_keys k
          WHERE k.tenant_id = $1 AND k.user_id = $2
            AND (k.revoked_at IS NULL OR k.revoked_at > clock_timestamp())
            AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
          ORDER BY k.created_at DESC, k.key_id DESC
          LIMIT 1";
    /// A key that ends sooner anyway keeps its end.
    END_OTHER_KEYS(UUIDOID, UUIDOID, UUIDOID, INTERVALOID) =
        c"UPDATE timedb.api_keys k
          SET revoked_at = clock_timestamp() + $4
          WHERE k.tenant_id = $1 AND k.user_id = $2 AND k.key_id <> $3
            AND (k.revoked_at IS NULL OR k.revoked_at > clock_timestamp() + $4)";
    LIST_KEYS(UUIDOID, UUIDOID) =
        c"SELECT k.key_id, k.user_id, u.email, k.name, k.hint, k.scope, k.created_at, k.expires_at, k.revoked_at
          FROM timedb.api_keys k JOIN timedb.users u ON u.tenant_id = k.tenant_id AND u.user_id = k.user_id
          WHERE ($1 IS NULL OR k.tenant_id = $1) AND ($2 IS NULL OR k.user_id = $2)
          ORDER BY k.created_at DESC, k.key_id DESC";
    REVOKE_KEY(UUIDOID, UUIDOID) =
        c"UPDATE timedb.api_keys k
          SET revoked_at = least(k.revoked_at, clock_timestamp())
          WHERE k.tenant_id = $1 AND k.key_id = $2
          RETURNING k.revoked_at";
    /// Locked, so that two who end one key do so one after the other.
    FIND_KEY(UUIDOID, UUIDOID) =
        c"SELECT k.tenant_id, k.user_id
          FROM timedb.api_keys k
          WHERE ($1 IS NULL OR k.tenant_id = $1) AND k.key_id = $2
          FOR NO KEY UPDATE";
}

/// What a new key may do where nobody says.
const DEFAULT_SCOPE: Scope = Scope::Write;

const LONGEST_NAME: usize = 200;

/// A key just made: its text, to be shown once.
pub struct NewKey {
    pub id: Uuid,
    pub text: String,
}

/// Makes a key for a user and stores its hash.
pub fn insert(
    user: &User,
    name: Option<&str>,
    scope: Scope,
    expires_at: Option<Time>,
) -> Result<NewKey> {
    let text = key::make(user.tenant)
        .map_err(|_| Error::Broken("the operating system gives no random bytes".into()))?;
    let new = NewKey {
        id: session::new_id(),
        text,
    };
    statement::run(
        &INSERT_KEY,
        &[
            cell::uuid(user.tenant),
            cell::uuid(new.id),
            cell::uuid(user.id),
            name.and_then(cell::text),
            cell::text(key::hint(&new.text)),
            cell::bytes(&key::hash(&new.text)),
            cell::text(scope.name()),
            expires_at.and_then(cell::time),
        ],
    )?;
    Ok(new)
}

/// A scope as an argument names it. Whoever may make keys has scope admin or is an operator: no scope is above his.
pub fn scope(name: Option<&str>) -> Result<Scope, Error> {
    let Some(name) = name else {
        return Ok(DEFAULT_SCOPE);
    };
    name.parse()
        .map_err(|_| Error::bad("scope", "must be \"read\", \"write\" or \"admin\""))
}

#[pg_extern(sql = false)]
fn _create_key(
    email: Option<&str>,
    user_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    name: Option<&str>,
    scope: Option<&str>,
    expires_at: Option<i64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let scope = self::scope(scope)?;
    let expires_at = moment::optional("expires_at", expires_at)?;
    Error::if_longer("name", name.unwrap_or_default(), LONGEST_NAME)?;
    let user = users::find(&UserName {
        email,
        user_id,
        tenant_id,
    })?;
    let key = insert(&user, name, scope, expires_at)?;
    let detail = Some(serde_json::json!({ "name": name, "scope": scope.name() }));
    let subject = Subject {
        user_id: Some(user.id),
        key_id: Some(key.id),
        detail,
        ..Subject::default()
    };
    audit::record(user.tenant, Action::CreateKey, subject)?;
    Ok(Answer::row(
        fcinfo,
        &[cell::uuid(key.id), cell::text(&key.text)],
    ))
}

#[pg_extern(sql = false)]
fn _regenerate_key(
    email: Option<&str>,
    user_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    grace: Option<Interval>,
) -> Result<String> {
    let grace = grace.unwrap_or_else(|| Interval::from_micros(0));
    if grace.as_micros() < 0 {
        return Err(Error::bad("grace", "is negative").into());
    }
    let user = users::find(&UserName {
        email,
        user_id,
        tenant_id,
    })?;
    let of_user = [cell::uuid(user.tenant), cell::uuid(user.id)];
    let newest = statement::write(&NEWEST_ACTIVE_KEY, &of_user, |row| {
        let scope = row.text(2).and_then(|scope| scope.parse().ok());
        let scope = scope.ok_or_else(|| Error::Broken("a key without a scope".into()))?;
        Ok((
            row.text(1),
            scope,
            row.micros(3).and_then(Time::from_micros),
        ))
    })?;
    let Some((name, scope, expires_at)) = newest.into_iter().next() else {
        return Err(Error::NoActiveKey(user.id).into());
    };
    let key = insert(&user, name.as_deref(), scope, expires_at)?;
    // Before the old keys end: the caller's own may be one of them.
    let detail = Some(serde_json::json!({ "name": name, "scope": scope.name() }));
    let subject = Subject {
        user_id: Some(user.id),
        key_id: Some(key.id),
        detail,
        ..Subject::default()
    };
    audit::record(user.tenant, Action::RegenerateKey, subject)?;
    let [tenant, user] = of_user;
    statement::run(
        &END_OTHER_KEYS,
        &[tenant, user, cell::uuid(key.id), grace.into_datum()],
    )?;
    Ok(key.text)
}

#[pg_extern(sql = false)]
fn _list_keys(
    tenant_id: Option<pgrx::Uuid>,
    user_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let tenant = users::managed_tenant(manage::manager()?, tenant_id)?;
    let user_id = user_id.map(cell::id);
    if let Some(user_id) = user_id {
        users::check_exists(tenant, user_id)?;
    }
    let arguments = [tenant.and_then(cell::uuid), user_id.and_then(cell::uuid)];
    let mut sheet = Sheet::open(fcinfo);
    statement::read(&LIST_KEYS, &arguments, |row| {
        let columns: [cell::Cell; 9] = std::array::from_fn(|column| row.column(column + 1));
        sheet.put(&columns);
        Ok(())
    })?;
    Ok(sheet.close())
}

#[pg_extern(sql = false)]
fn _revoke_key(key_id: Option<pgrx::Uuid>) -> Result<Answer> {
    let key_id = key_id.map(cell::id).ok_or(Error::NullArgument("key_id"))?;
    let tenant = manage::manager()?.tenant(None, || Error::absent_id("key", key_id))?;
    let arguments = [tenant.and_then(cell::uuid), cell::uuid(key_id)];
    let found = statement::write(&FIND_KEY, &arguments, |row| {
        Ok(row.uuid(1).zip(row.uuid(2)))
    })?;
    let Some((tenant, user_id)) = found.into_iter().flatten().next() else {
        return Err(Error::absent_id("key", key_id).into());
    };
    // Before the key ends: it may be the caller's own.
    let subject = Subject {
        user_id: Some(user_id),
        key_id: Some(key_id),
        ..Subject::default()
    };
    audit::record(tenant, Action::RevokeKey, subject)?;
    let arguments = [cell::uuid(tenant), cell::uuid(key_id)];
    let revoked = statement::write(&REVOKE_KEY, &arguments, |row| Ok(row.micros(1)))?;
    Ok(Answer::scalar(
        revoked.into_iter().flatten().next().and_then(cell::micros),
    ))
}
