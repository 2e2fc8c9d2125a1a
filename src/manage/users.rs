//! Users of a tenant: made, listed, deactivated, activated.

use super::audit::{self, Action, Subject};
use super::authority;
use super::keys;
use super::user::{self, User, UserName, canonical_email};
use crate::error::{Error, Reported, Result};
use crate::pg::datum::id;
use crate::pg::result::{Returned, Rows};
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use pgrx::prelude::*;
use uuid::Uuid;

statements! {
    INSERT_USER(Uuid, Uuid, &str) -> (i32,) =
        c"INSERT INTO timedb.users (tenant_id, user_id, email) VALUES ($1, $2, $3)
          ON CONFLICT (tenant_id, email) DO NOTHING
          RETURNING 1";
    LIST_USERS(Option<Uuid>, bool) -> (Uuid, Uuid, String, bool, Timestamptz, Timestamptz) =
        c"SELECT u.user_id, u.tenant_id, u.email, u.is_active, u.created_at, u.updated_at
          FROM timedb.users u
          WHERE ($1 IS NULL OR u.tenant_id = $1) AND ($2 OR u.is_active)
          ORDER BY u.created_at DESC, u.user_id DESC";
    SET_ACTIVE(Uuid, Uuid, bool) -> (Uuid, Uuid, String, bool, Timestamptz, Timestamptz) =
        c"UPDATE timedb.users u
          SET is_active = $3,
              updated_at = CASE WHEN u.is_active = $3 THEN u.updated_at ELSE clock_timestamp() END
          WHERE u.tenant_id = $1 AND u.user_id = $2
          RETURNING u.user_id, u.tenant_id, u.email, u.is_active, u.created_at, u.updated_at";
}

/// `timedb.user_account`.
type Account<'a> = (Uuid, Uuid, &'a str, bool, Timestamptz, Timestamptz);

#[pg_extern(sql = false)]
fn _create_user(
    tenant_id: Option<pgrx::Uuid>,
    email: Option<&str>,
    scope: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let tenant = tenant_id.map(id).ok_or(Error::NullArgument("tenant_id"))?;
    let email = canonical_email(email.ok_or(Error::NullArgument("email"))?)?;
    let scope = keys::scope(scope)?;
    authority::manager()?.tenant(Some(tenant), || Error::ForeignTenant)?;
    let user = User::new(tenant, email);
    if INSERT_USER.write((tenant, user.id, &user.email))?.is_empty() {
        return Err(Error::EmailTaken(user.email).into());
    }
    authority::confirm()?;
    let key = keys::insert(&user, None, scope, None)?;
    let subject = Subject {
        user_id: Some(user.id),
        key_id: Some(key.id),
        ..Subject::default()
    };
    audit::record(tenant, Action::CreateUser, subject)?;
    let new_user = (user.id, tenant, user.email.as_str(), key.text.as_str());
    Ok(Returned::row::<(Uuid, Uuid, &str, &str)>(fcinfo, new_user)?)
}

#[pg_extern(sql = false)]
fn _list_users(
    tenant_id: Option<pgrx::Uuid>,
    include_inactive: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let tenant = authority::listed_tenant(tenant_id)?;
    let mut rows = Rows::<Account>::open(fcinfo)?;
    let listed = (tenant, include_inactive.unwrap_or(false));
    LIST_USERS.stream(listed, |(id, tenant, email, is_active, created, updated)| {
        rows.put((id, tenant, &email, is_active, created, updated));
        Ok(())
    })?;
    Ok(rows.close())
}

#[pg_extern(sql = false)]
fn _set_user_active(
    email: Option<&str>,
    user_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    is_active: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let is_active = is_active.ok_or(Error::NullArgument("is_active"))?;
    let user = user::find(&UserName {
        email,
        user_id,
        tenant_id,
    })?;
    Ok(set_active(&user, is_active, fcinfo)?)
}

fn set_active(user: &User, is_active: bool, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
    let action = if is_active {
        Action::ActivateUser
    } else {
        Action::DeactivateUser
    };
    // Before the user is deactivated: it may be the caller.
    let subject = Subject {
        user_id: Some(user.id),
        ..Subject::default()
    };
    audit::record(user.tenant, action, subject)?;
    let account = SET_ACTIVE.write((user.tenant, user.id, is_active))?.pop();
    let (id, tenant, email, is_active, created, updated) = account.ok_or_else(|| Error::absent_id("user", user.id))?;
    let account = (id, tenant, email.as_str(), is_active, created, updated);
    Returned::row::<Account>(fcinfo, account)
}
