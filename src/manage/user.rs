//! A user, as the arguments of a management function name one: found, and reserved for what is to be done to him.

use super::authority;
use crate::error::{Error, Result};
use crate::pg::clock;
use crate::pg::datum::id;
use crate::pg::statement::statements;
use timedb_core::limits::LONGEST_EMAIL;
use uuid::Uuid;

statements! {
    /// Two, where an email or an id is of several tenants.
    FIND_USER(Option<Uuid>, Option<Uuid>, Option<&str>) -> (Uuid, Uuid) =
        c"SELECT u.tenant_id, u.user_id
          FROM timedb.users u
          WHERE ($1 IS NULL OR u.tenant_id = $1) AND ($2 IS NULL OR u.user_id = $2) AND ($3 IS NULL OR u.email = $3)
          ORDER BY u.tenant_id, u.user_id
          LIMIT 2";
    /// Changes nothing, and yet two who manage one user do so one after the other: the later one sees what the earlier has
    /// done, or fails with 40001 where its snapshot is older. A mere lock would not.
    TOUCH_USER(Uuid, Uuid) -> (String, bool) =
        c"UPDATE timedb.users u SET is_active = u.is_active WHERE u.tenant_id = $1 AND u.user_id = $2
          RETURNING u.email, u.is_active";
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
    pub email: String,
    is_active: bool,
}

impl User {
    /// One that is made now.
    pub fn new(tenant: Uuid, email: String) -> User {
        User {
            tenant,
            id: clock::new_id(),
            email,
            is_active: true,
        }
    }

    /// Whose keys open something.
    pub fn active(self) -> Result<User> {
        if self.is_active {
            return Ok(self);
        }
        Err(Error::UserInactive(self.email))
    }
}

/// The user that the arguments name, reserved for this transaction: one of email and user_id is needed, and what is
/// of several tenants is no name.
pub fn find(name: &UserName) -> Result<User> {
    let email = name.email.map(canonical_email).transpose()?;
    let user_id = name.user_id.map(id);
    let shown = match (&email, user_id) {
        (Some(email), _) => email.clone(),
        (None, Some(user_id)) => user_id.to_string(),
        (None, None) => {
            return Err(Error::BadArgument {
                argument: "email",
                reason: "or \"user_id\" is needed to name a user".into(),
                hint: Some("Pass email => '…' or user_id => '…'."),
            });
        }
    };
    let absent = || Error::absent_user(shown.clone());
    let tenant = authority::manager()?.tenant(name.tenant_id.map(id), absent)?;
    let mut found = FIND_USER.read_fresh((tenant, user_id, email.as_deref()))?;
    if found.len() > 1 {
        return Err(Error::BadArgument {
            argument: if email.is_some() { "email" } else { "user_id" },
            reason: "is that of users of several tenants".into(),
            hint: Some("Pass tenant_id as well."),
        });
    }
    let (tenant, id) = found.pop().ok_or_else(absent)?;
    reserve(tenant, id)?.ok_or_else(absent)
}

/// Whoever manages this user next waits until this transaction has ended. None where he is gone.
pub fn reserve(tenant: Uuid, id: Uuid) -> Result<Option<User>> {
    let touched = TOUCH_USER.write((tenant, id))?.pop();
    authority::confirm()?;
    Ok(touched.map(|(email, is_active)| User {
        tenant,
        id,
        email,
        is_active,
    }))
}

/// That a user is there, and one that the caller may manage.
pub fn check_exists(tenant: Option<Uuid>, user_id: Uuid) -> Result<()> {
    if FIND_USER.read((tenant, Some(user_id), None))?.is_empty() {
        return Err(Error::absent_id("user", user_id));
    }
    Ok(())
}

/// An email as it is stored: trimmed and in lower case. Its form is not judged further than one can without sending mail.
pub fn canonical_email(email: &str) -> Result<String> {
    let email = email.trim().to_lowercase();
    let named = email
        .split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    let is_strange = email.chars().any(|c| c.is_whitespace() || c.is_control());
    if !named || email.len() > LONGEST_EMAIL || is_strange {
        return Err(Error::bad("email", "is not an email address"));
    }
    Ok(email)
}
