//! Who may manage users and keys, and of which tenant: an operator of every one, a key of scope admin of its own.

use crate::error::{Error, Reported, Result};
use crate::identity::session::{self, Session};
use crate::identity::standing::{Identity, Via};
use crate::pg::datum;
use crate::pg::roles::{current_user_acts_as, current_user_is};
use pgrx::prelude::*;
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
    fn of(session: Session, operates: bool) -> Result<Manager> {
        match session {
            Session::Refused => Err(Error::KeyRefused),
            Session::Acting(identity) if !operates || matches!(identity.via, Via::Key { .. }) => admin(&identity),
            _ if operates => Ok(Manager::Operator),
            other => admin(&other.required()?),
        }
    }

    /// The tenant to act on: an operator's choice, or none for all; an admin's own, and no other.
    pub fn tenant(self, asked: Option<Uuid>, foreign: impl FnOnce() -> Error) -> Result<Option<Uuid>> {
        match (self, asked) {
            (Manager::Operator, asked) => Ok(asked),
            (Manager::Tenant(own), None) => Ok(Some(own)),
            (Manager::Tenant(own), Some(asked)) if asked == own => Ok(Some(own)),
            (Manager::Tenant(_), Some(_)) => Err(foreign()),
        }
    }
}

/// The tenant to list: an operator's choice, or all; an admin's own, and no other.
pub fn listed_tenant(asked: Option<pgrx::Uuid>) -> Result<Option<Uuid>> {
    let asked = asked.map(datum::id);
    manager()?.tenant(asked, || Error::Absent {
        what: "tenant",
        name: asked.map(|asked| asked.to_string()).unwrap_or_default(),
    })
}

fn admin(identity: &Identity) -> Result<Manager> {
    identity.check_scope(Scope::Admin)?;
    Ok(Manager::Tenant(identity.tenant))
}

/// As what a body acts that runs as timedb_operator or as timedb_api.
pub fn manager() -> Result<Manager> {
    Manager::of(Session::now(), runs_as_operator())
}

/// As what a body ends a key: any key may end itself, whatever its scope.
pub fn ender_of(key_id: Uuid) -> Result<Manager> {
    match Session::now() {
        Session::Acting(identity) if !runs_as_operator() && identity.key_id() == Some(key_id) => {
            Ok(Manager::Tenant(identity.tenant))
        }
        session => Manager::of(session, runs_as_operator()),
    }
}

/// Whether this is one of the operators' functions.
pub fn runs_as_operator() -> bool {
    current_user_is(c"timedb_operator")
}

/// After whatever was waited for: whoever does not act as an operator may still act.
pub fn confirm() -> Result<()> {
    match runs_as_operator() {
        true => Ok(()),
        false => session::confirm(),
    }
}

/// As 0.1.0 declares it.
#[pg_extern(sql = false)]
fn _manages_as() -> Reported<&'static str> {
    reconnect_manages_as()
}

/// By another name, as `current_tenant`: what an operator asks, no policy refuses.
#[pg_extern(sql = false)]
fn reconnect_manages_as() -> Reported<&'static str> {
    let manager = Manager::of(Session::now(), current_user_acts_as(c"timedb_admin"))?;
    Ok(match manager {
        Manager::Operator => "operator",
        Manager::Tenant(_) => "tenant",
    })
}
