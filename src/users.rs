//! Users of a tenant: made, listed, deactivated, activated, and found by email or id.

use crate::answer::{Answer, Sheet};
use crate::audit::{self, Action, Subject};
use crate::cell::{self, Cell};
use crate::error::{Error, Result};
use crate::keys;
use crate::manage::{self, Manager};
use crate::row::Row;
use crate::session;
use crate::statement::{self, statements};
use pgrx::prelude::*;
use uuid::Uuid;

statements! {
    INSERT_USER(UUIDOID, UUIDOID, TEXTOID) =
        c"INSERT INTO timedb.users (tenant_id, user_id, email) VALUES ($1, $2, $3)";
    LIST_USERS(UUIDOID, BOOLOID) =
        c"SELECT u.user_id, u.tenant_id, u.email, u.is_active, u.created_at, u.updated_at
          FROM timedb.users u
          WHERE ($1 IS NULL OR u.tenant_id = $1) AND ($2 OR u.is_active)
          ORDER BY u.created_at DESC, u.user_id DESC";
    FIND_USER(UUIDOID, UUIDOID, TEXTOID) =
        c"SELECT u.tenant_id, u.user_id
          FROM timedb.users u
          WHERE ($1 IS NULL OR u.tenant_id = $1) AND ($2 IS NULL OR u.user_id = $2) AND ($3 IS NULL OR u.email = $3)
          ORDER BY u.tenant_id, u.user_id
          LIMIT 2";
    /// Changes nothing, and yet two who manage one user do so one after the other: the later one sees what the earlier has
    /// done, or fails with 40001 where its snapshot is older. A mere lock would not.
    TOUCH_USER(UUIDOID, UUIDOID) =
        c"UPDATE timedb.users u SET is_active = u.is_active WHERE u.tenant_id = $1 AND u.user_id = $2";
    SET_ACTIVE(UUIDOID, UUIDOID, BOOLOID) =
        c"UPDATE timedb.users u
          SET is_active = $3,
              updated_at = CASE WHEN u.is_active = $3 THEN u.updated_at ELSE clock_timestamp() END
          WHERE u.tenant_id = $1 AND u.user_id = $2
          RETURNING u.user_id, u.tenant_id, u.email, u.is_active, u.created_at, u.updated_at";
}

/// A user, as a management function's arguments name one.
pub struct UserName<'a> {
    pub email: Option<&'a str>,
    pub user_id: Option<pgrx::Uuid>,
    pub tenant_id: Option<pgrx::Uuid>,
}

/// A user that exists, and that the caller may manage.
pub struct User {
    pub tenant: Uuid,
    pub id: Uuid,
}

#[pg_extern(sql = false)]
fn _create_user(
    tenant_id: Option<pgrx::Uuid>,
    email: Option<&str>,
    scope: Option<&str>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let tenant = tenant_id
        .map(cell::id)
        .ok_or(Error::NullArgument("tenant_id"))?;
    let email = canonical_email(email.ok_or(Error::NullArgument("email"))?)?;
    let scope = keys::scope(scope)?;
    manage::manager()?.tenant(Some(tenant), || Error::ForeignTenant)?;
    let user = User {
        tenant,
        id: session::new_id(),
    };
    statement::run(
        &INSERT_USER,
        &[cell::uuid(tenant), cell::uuid(user.id), cell::text(&email)],
    )?;
    let key = keys::insert(&user, None, scope, None)?;
    let subject = Subject {
        user_id: Some(user.id),
        key_id: Some(key.id),
        ..Subject::default()
    };
    audit::record(tenant, Action::CreateUser, subject)?;
    let cells = [
        cell::uuid(user.id),
        cell::uuid(tenant),
        cell::text(&email),
        cell::text(&key.text),
    ];
    Ok(Answer::row(fcinfo, &cells))
}

#[pg_extern(sql = false)]
fn _list_users(
    tenant_id: Option<pgrx::Uuid>,
    include_inactive: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let tenant = managed_tenant(manage::manager()?, tenant_id)?;
    let arguments = [
        tenant.and_then(cell::uuid),
        cell::bool(include_inactive.unwrap_or(false)),
    ];
    let mut sheet = Sheet::open(fcinfo);
    statement::read(&LIST_USERS, &arguments, |row| {
        sheet.put(&account(row));
        Ok(())
    })?;
    Ok(sheet.close())
}

#[pg_extern(sql = false)]
fn _set_user_active(
    email: Option<&str>,
    user_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    is_active: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let is_active = is_active.ok_or(Error::NullArgument("is_active"))?;
    let user = find(&UserName {
        email,
        user_id,
        tenant_id,
    })?;
    let arguments = [
        cell::uuid(user.tenant),
        cell::uuid(user.id),
        cell::bool(is_active),
    ];
    let action = if is_active {
        Action::ActivateUser
    } else {
        Action::DeactivateUser
    };
    audit::record(
        user.tenant,
        action,
        Subject {
            user_id: Some(user.id),
            ..Subject::default()
        },
    )?;
    let answers = statement::write(&SET_ACTIVE, &arguments, |row| {
        Ok(Answer::row(fcinfo, &account(row)))
    })?;
    answers
        .into_iter()
        .next()
        .ok_or_else(|| Error::absent_id("user", user.id).into())
}

/// The user that the arguments name, reserved for this transaction: one of email and user_id is needed, and an email of
/// several tenants is no name.
pub fn find(name: &UserName) -> Result<User> {
    let email = name.email.map(canonical_email).transpose()?;
    let user_id = name.user_id.map(cell::id);
    let shown = match (&email, user_id) {
        (Some(email), _) => email.clone(),
        (None, Some(user_id)) => user_id.to_string(),
        (None, None) => {
            return Err(Error::BadArgument {
                argument: "email",
                reason: "or \"user_id\" is needed to name a user".into(),
                hint: Some("Pass email => '…' or user_id => '…'."),
            }
            .into());
        }
    };
    let absent = || Error::absent_user(shown.clone());
    let tenant = manage::manager()?.tenant(name.tenant_id.map(cell::id), absent)?;
    let arguments = [
        tenant.and_then(cell::uuid),
        user_id.and_then(cell::uuid),
        email.as_deref().and_then(cell::text),
    ];
    let found = statement::write(&FIND_USER, &arguments, |row| {
        row.uuid(1)
            .zip(row.uuid(2))
            .map(|(tenant, id)| User { tenant, id })
            .ok_or_else(|| Error::Broken("a user without id".into()).into())
    })?;
    if found.len() > 1 {
        return Err(Error::BadArgument {
            argument: "email",
            reason: "is that of users of several tenants".into(),
            hint: Some("Pass tenant_id as well."),
        }
        .into());
    }
    let user = found.into_iter().next().ok_or_else(absent)?;
    statement::run(&TOUCH_USER, &[cell::uuid(user.tenant), cell::uuid(user.id)])?;
    Ok(user)
}

/// That a user is there, and one that the caller may manage.
pub fn check_exists(tenant: Option<Uuid>, user_id: Uuid) -> Result<()> {
    let arguments = [tenant.and_then(cell::uuid), cell::uuid(user_id), None];
    if statement::read(&FIND_USER, &arguments, |_| Ok(()))?.is_empty() {
        return Err(Error::absent_id("user", user_id).into());
    }
    Ok(())
}

/// The tenant to list: an operator's choice, or all; an admin's own, and no other.
pub fn managed_tenant(manager: Manager, asked: Option<pgrx::Uuid>) -> Result<Option<Uuid>, Error> {
    let asked = asked.map(cell::id);
    manager.tenant(asked, || Error::Absent {
        what: "tenant",
        name: asked.map(|asked| asked.to_string()).unwrap_or_default(),
    })
}

/// The columns of `timedb.user_account`, in the order in which the statements above bring them.
fn account(row: &Row) -> [Cell; 6] {
    std::array::from_fn(|column| row.column(column + 1))
}

/// An email as it is stored: trimmed and in lower case. Its form is not judged further than one can without sending mail.
fn canonical_email(email: &str) -> Result<String, Error> {
    let email = email.trim().to_lowercase();
    let named = email
        .split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    if !named || email.len() > 320 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::bad("email", "is not an email address"));
    }
    Ok(email)
}
