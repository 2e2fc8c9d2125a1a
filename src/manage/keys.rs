//! API keys of users: made and shown once, listed, revoked. Only a key's hash is ever stored.

use super::audit::{self, Action, Subject};
use super::authority;
use super::ends;
use super::user::{self, User, UserName};
use crate::error::{Error, Reported, Result};
use crate::pg::clock;
use crate::pg::datum::id;
use crate::pg::result::{Returned, Rows};
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use timedb_core::blank::unless_blank;
use timedb_core::key;
use timedb_core::limits::LONGEST_KEY_NAME;
use timedb_core::scope::Scope;
use timedb_core::time::Time;
use uuid::Uuid;

/// The keys, with when they were ended.
macro_rules! list_keys {
    ($ended:literal) => {
        sql!(
            "SELECT k.key_id, k.user_id, u.email, k.name, k.hint, k.scope, k.created_at, k.expires_at, ",
            $ended,
            " FROM timedb.api_keys k LEFT JOIN timedb.users u ON u.tenant_id = k.tenant_id AND u.user_id = k.user_id
              WHERE ($1 IS NULL OR k.tenant_id = $1) AND ($2 IS NULL OR k.user_id = $2)
              ORDER BY k.created_at DESC, k.key_id DESC"
        )
    };
}

statements! {
    INSERT_KEY(Uuid, Uuid, Uuid, Option<&str>, &str, &[u8], Scope, Option<Time>) -> () =
        c"INSERT INTO timedb.api_keys (tenant_id, key_id, user_id, name, hint, key_hash, scope, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    LIST_KEYS(Option<Uuid>, Option<Uuid>) -> (
        Uuid, Uuid, Option<String>, Option<String>, String, Scope, Timestamptz, Option<Timestamptz>, Option<Timestamptz>
    ) =
        list_keys!("least(k.revoked_at, (SELECT min(e.ended_at) FROM timedb.key_ends e
                                         WHERE ($1 IS NULL OR e.tenant_id = $1) AND e.tenant_id = k.tenant_id
                                           AND e.key_id = k.key_id))");
    /// As a database of 0.1.0 has them.
    LIST_KEYS_IN_PLACE(Option<Uuid>, Option<Uuid>) -> (
        Uuid, Uuid, Option<String>, Option<String>, String, Scope, Timestamptz, Option<Timestamptz>, Option<Timestamptz>
    ) =
        list_keys!("k.revoked_at");
    KEY_OWNER(Option<Uuid>, Uuid) -> (Uuid, Uuid) =
        c"SELECT k.tenant_id, k.user_id
          FROM timedb.api_keys k
          WHERE ($1 IS NULL OR k.tenant_id = $1) AND k.key_id = $2";
}

/// What a new key may do where nobody says.
const DEFAULT_SCOPE: Scope = Scope::Write;

/// A key just made: its text, to be shown once.
pub struct NewKey {
    pub id: Uuid,
    pub text: String,
}

/// Makes a key for a user and stores its hash.
pub fn insert(user: &User, name: Option<&str>, scope: Scope, expires_at: Option<Time>) -> Result<NewKey> {
    let text =
        key::make(user.tenant).map_err(|_| Error::Broken("the operating system gives no random bytes".into()))?;
    let new = NewKey {
        id: clock::new_id(),
        text,
    };
    let hash = key::hash(&new.text);
    INSERT_KEY.run((
        user.tenant,
        new.id,
        user.id,
        name,
        key::hint(&new.text),
        &hash,
        scope,
        expires_at,
    ))?;
    Ok(new)
}

/// A scope as an argument names it. Whoever may make keys has scope admin or is an operator: no scope is above his.
pub fn scope(name: Option<&str>) -> Result<Scope> {
    let Some(name) = name else {
        return Ok(DEFAULT_SCOPE);
    };
    name.parse()
        .map_err(|_| Error::bad("scope", "must be \"read\", \"write\" or \"admin\""))
}

/// When a new key is to end, as an argument says it: by the clock, one that has ended already would never open anything.
/// What it means to leave it out, the caller knows.
pub fn end(expires_at: Option<i64>, left_out: &'static str) -> Result<Option<Time>> {
    let argument = "expires_at";
    let Some(micros) = expires_at else { return Ok(None) };
    let end = Time::from_micros(micros).ok_or(Error::TimeOutOfRange {
        argument,
        hint: left_out,
    })?;
    if Timestamptz::from(end) <= clock::now() {
        return Err(Error::BadArgument {
            argument,
            reason: "is in the past".into(),
            hint: Some(left_out),
        });
    }
    Ok(Some(end))
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
) -> Reported<Returned> {
    let scope = self::scope(scope)?;
    let expires_at = end(expires_at, "Leave it out for a key without an end.")?;
    let name = unless_blank(name);
    Error::if_longer("name", name.unwrap_or_default(), LONGEST_KEY_NAME)?;
    let user = user::find(&UserName {
        email,
        user_id,
        tenant_id,
    })?
    .active()?;
    let key = insert(&user, name, scope, expires_at)?;
    let subject = Subject {
        user_id: Some(user.id),
        key_id: Some(key.id),
        detail: Some(serde_json::json!({ "name": name, "scope": scope.name() })),
        ..Subject::default()
    };
    audit::record(user.tenant, Action::CreateKey, subject)?;
    Ok(Returned::row::<(Uuid, &str)>(fcinfo, (key.id, &key.text))?)
}

/// The user whose key this is, reserved for this transaction.
pub fn owner(tenant: Option<pgrx::Uuid>, key_id: Uuid) -> Result<User> {
    let absent = || Error::absent_id("key", key_id);
    let tenant = authority::manager()?.tenant(tenant.map(id), absent)?;
    let (tenant, user_id) = KEY_OWNER.read_fresh((tenant, key_id))?.pop().ok_or_else(absent)?;
    user::reserve(tenant, user_id)?.ok_or_else(absent)
}

/// That a key is this user's.
pub fn check_is_of(user: &User, key_id: Uuid) -> Result<()> {
    let found = KEY_OWNER.read_fresh((Some(user.tenant), key_id))?.pop();
    match found {
        Some((_, user_id)) if user_id == user.id => Ok(()),
        _ => Err(Error::absent_id("key", key_id)),
    }
}

#[pg_extern(sql = false)]
fn _list_keys(
    tenant_id: Option<pgrx::Uuid>,
    user_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let tenant = authority::listed_tenant(tenant_id)?;
    let user_id = user_id.map(id);
    if let Some(user_id) = user_id {
        user::check_exists(tenant, user_id)?;
    }
    let mut rows = Rows::<Entry>::open(fcinfo)?;
    let keys = if ends::are_kept_apart() {
        &LIST_KEYS
    } else {
        &LIST_KEYS_IN_PLACE
    };
    keys.stream((tenant, user_id), |key| {
        let (id, user_id, email, name, hint, scope, created, expires, revoked) = key;
        let name = name.as_deref();
        rows.put((
            id,
            user_id,
            email.as_deref(),
            name,
            &hint,
            scope,
            created,
            expires,
            revoked,
        ));
        Ok(())
    })?;
    Ok(rows.close())
}

/// `timedb.key_entry`. A key whose user is gone has no email, and is listed all the same: `self_check` counts it.
type Entry<'a> = (
    Uuid,
    Uuid,
    Option<&'a str>,
    Option<&'a str>,
    &'a str,
    Scope,
    Timestamptz,
    Option<Timestamptz>,
    Option<Timestamptz>,
);

#[pg_extern(sql = false)]
fn _revoke_key(key_id: Option<pgrx::Uuid>) -> Reported<Returned> {
    let key_id = key_id.map(id).ok_or(Error::NullArgument("key_id"))?;
    let absent = || Error::absent_id("key", key_id);
    let tenant = authority::ender_of(key_id)?.tenant(None, absent)?;
    let found = KEY_OWNER.read_fresh((tenant, key_id))?.pop();
    let (tenant, user_id) = found.ok_or_else(absent)?;
    // Before the key ends: it may be the caller's own.
    let subject = Subject {
        user_id: Some(user_id),
        key_id: Some(key_id),
        ..Subject::default()
    };
    audit::record(tenant, Action::RevokeKey, subject)?;
    // It may have gone with its tenant meanwhile.
    let revoked = ends::end(tenant, key_id, Interval::from_micros(0))?.ok_or_else(absent)?;
    Ok(Returned::scalar::<Timestamptz>(revoked))
}
