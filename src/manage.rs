//! Who may manage users and keys, and of which tenant: an operator of every one, a key of scope admin of its own.

use crate::error::{Error, Result};
use crate::session::Session;
use crate::standing::{Identity, Via};
use pgrx::prelude::*;
use std::ffi::CStr;
use timedb_core::scope::Scope;
use uuid::Uuid;

/// As what a management function acts.
#[derive(Clone, Copy)]
pub enum Manager {
    Operator,
    /// A key, or a bound role, of scope admin.
    Tenant(Uuid),
}

impl Manager {
    /// As what the caller acts. `operates` says whether the database makes him an operator: where he has logged in with
    /// a key, the key wins, so that an operator who tries a tenant's key is no more than that key.
    fn of(session: Session, operates: bool) -> Result<Manager, Error> {
        match session {
            Session::Refused => Err(Error::KeyRefused),
            Session::Acting(identity) if !operates || matches!(identity.via, Via::Key { .. }) => {
                admin(&identity)
            }
            _ if operates => Ok(Manager::Operator),
            other => admin(&other.required()?),
        }
    }

    /// The tenant to act on: an operator's choice, or none for all; an admin's own, and no other.
    pub fn tenant(
        self,
        asked: Option<Uuid>,
        foreign: impl FnOnce() -> Error,
    ) -> Result<Option<Uuid>, Error> {
        match (self, asked) {
            (Manager::Operator, asked) => Ok(asked),
            (Manager::Tenant(own), None) => Ok(Some(own)),
            (Manager::Tenant(own), Some(asked)) if asked == own => Ok(Some(own)),
            (Manager::Tenant(_), Some(_)) => Err(foreign()),
        }
    }
}

fn admin(identity: &Identity) -> Result<Manager, Error> {
    if identity.scope < Scope::Admin {
        return Err(Error::ScopeTooLow(Scope::Admin.name()));
    }
    Ok(Manager::Tenant(identity.tenant))
}

/// As what a body acts that runs as timedb_operator or as timedb_api.
pub fn manager() -> Result<Manager, Error> {
    Manager::of(Session::now(), runs_as_operator())
}

/// Whether this is one of the operators' functions.
pub fn runs_as_operator() -> bool {
    current_user_is(c"timedb_operator", false)
}

#[pg_extern(sql = false)]
fn _manages_as() -> Result<&'static str> {
    let manager = Manager::of(Session::now(), current_user_is(c"timedb_admin", true))?;
    Ok(match manager {
        Manager::Operator => "operator",
        Manager::Tenant(_) => "tenant",
    })
}

/// Whether the current user is a role, or may act as one (a superuser may as all).
fn current_user_is(role: &CStr, by_membership: bool) -> bool {
    // SAFETY: looks into the catalog; InvalidOid, where the role is missing, is nobody's.
    unsafe {
        let role = pg_sys::get_role_oid(role.as_ptr(), true);
        let user = pg_sys::GetUserId();
        role != pg_sys::InvalidOid
            && (user == role || by_membership && pg_sys::has_privs_of_role(user, role))
    }
}
