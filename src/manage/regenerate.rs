//! A key made anew: one of a user's is replaced by another of the same name and scope, and ends, at once or after a grace.
//! The user's other keys stay as they are.

use super::audit::{self, Action, Subject};
use super::ends;
use super::keys;
use super::user::{self, User, UserName};
use crate::error::{Error, Reported, Result};
use crate::pg::clock;
use crate::pg::datum::id;
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use timedb_core::scope::Scope;
use timedb_core::time::Time;
use uuid::Uuid;

/// Keys that stand, and whose end nobody has set: one in its grace has been replaced already.
macro_rules! live_keys {
    ($unless_ended:literal) => {
        sql!(
            "SELECT k.key_id, k.name, k.scope, k.created_at, k.expires_at
             FROM timedb.api_keys k
             WHERE k.tenant_id = $1 AND k.user_id = $2 AND k.revoked_at IS NULL
               AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())",
            $unless_ended
        )
    };
}

statements! {
    LIVE_KEYS(Uuid, Uuid) -> (Uuid, Option<String>, Scope, Timestamptz, Option<Timestamptz>) =
        live_keys!(" AND NOT EXISTS (SELECT FROM timedb.key_ends e
                                     WHERE e.tenant_id = $1 AND e.key_id = k.key_id)");
    /// As a database of 0.1.0 has them.
    LIVE_KEYS_IN_PLACE(Uuid, Uuid) -> (Uuid, Option<String>, Scope, Timestamptz, Option<Timestamptz>) =
        live_keys!("");
}

const AS_LONG: &str = "Leave it out for as long as the old key had; create_key makes one without an end.";

/// As 0.1.0 declares it: a user with several keys cannot say which.
#[pg_extern(sql = false)]
fn _regenerate_key(
    email: Option<&str>,
    user_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    grace: Option<Interval>,
) -> Reported<String> {
    let name = UserName {
        email,
        user_id,
        tenant_id,
    };
    Ok(regenerate(&name, grace, None, None)?)
}

#[pg_extern(sql = false)]
fn _replace_key(
    email: Option<&str>,
    user_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    grace: Option<Interval>,
    key_id: Option<pgrx::Uuid>,
    expires_at: Option<i64>,
) -> Reported<String> {
    let expires_at = keys::end(expires_at, AS_LONG)?;
    let name = UserName {
        email,
        user_id,
        tenant_id,
    };
    Ok(regenerate(&name, grace, key_id.map(id), expires_at)?)
}

fn regenerate(
    name: &UserName,
    grace: Option<Interval>,
    key_id: Option<Uuid>,
    expires_at: Option<Time>,
) -> Result<String> {
    let grace = grace.unwrap_or_else(|| Interval::from_micros(0));
    if grace.as_micros() < 0 {
        return Err(Error::bad("grace", "is negative"));
    }
    // A key names its user.
    let user = match key_id {
        Some(key_id) if name.email.is_none() && name.user_id.is_none() => keys::owner(name.tenant_id, key_id)?,
        _ => user::find(name)?,
    }
    .active()?;
    replace(&user, &live_key(&user, key_id)?, grace, expires_at)
}

/// A key that stands.
struct Live {
    id: Uuid,
    name: Option<String>,
    scope: Scope,
    created_at: Timestamptz,
    expires_at: Option<Timestamptz>,
}

impl Live {
    /// When one like it would end that is made now: a lifetime that was limited starts anew, with the same length.
    fn expiry_anew(&self) -> Option<Time> {
        let length = self.expires_at?.0.saturating_sub(self.created_at.0);
        let end = clock::now().0.saturating_add(length);
        Some(Time::from_micros(end).unwrap_or(Time::MAX))
    }
}

/// The key to replace: the one that is named, or the only one there is.
fn live_key(user: &User, key_id: Option<Uuid>) -> Result<Live> {
    let live = if ends::are_kept_apart() {
        &LIVE_KEYS
    } else {
        &LIVE_KEYS_IN_PLACE
    };
    let live = live.read_fresh((user.tenant, user.id))?;
    let mut live: Vec<Live> = live
        .into_iter()
        .map(|(id, name, scope, created_at, expires_at)| Live {
            id,
            name,
            scope,
            created_at,
            expires_at,
        })
        .filter(|key| key_id.is_none_or(|key_id| key.id == key_id))
        .collect();
    match (live.pop(), key_id) {
        (Some(key), _) if live.is_empty() => Ok(key),
        (Some(_), _) => Err(which("is needed: the user has several active keys")),
        (None, None) => Err(Error::NoActiveKey(user.id)),
        (None, Some(key_id)) => {
            keys::check_is_of(user, key_id)?;
            Err(which("is that of a key which has ended, or whose end is set"))
        }
    }
}

fn which(reason: &str) -> Error {
    Error::BadArgument {
        argument: "key_id",
        reason: reason.into(),
        hint: Some(
            "timedb.list_keys() shows them: pass the key_id of one whose revoked_at is null and which has not expired.",
        ),
    }
}

fn replace(user: &User, old: &Live, grace: Interval, expires_at: Option<Time>) -> Result<String> {
    let expires_at = expires_at.or_else(|| old.expiry_anew());
    let key = keys::insert(user, old.name.as_deref(), old.scope, expires_at)?;
    // Before the old key ends: it may be the caller's own.
    let subject = Subject {
        user_id: Some(user.id),
        key_id: Some(key.id),
        detail: Some(serde_json::json!({
            "name": old.name, "scope": old.scope.name(), "replaces": old.id.to_string(),
        })),
        ..Subject::default()
    };
    audit::record(user.tenant, Action::RegenerateKey, subject)?;
    ends::end(user.tenant, old.id, grace)?;
    Ok(key.text)
}
