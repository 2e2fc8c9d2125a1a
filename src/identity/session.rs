//! Who is asking: what policies and bodies ask of the session, and `whoami`. How somebody logs in is `login`.

use super::credential::{self, Credential};
use super::log;
use super::settings::{self, Bound};
use super::shard;
use super::standing::{self, Identity, Via};
use crate::error::{Error, Reported, Result};
use crate::pg::datum::pg_id;
use crate::pg::lock;
use crate::pg::moment::{self, Told};
use crate::pg::result::{Returned, Rows};
use crate::pg::timestamp::Timestamptz;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::ops::Deref;
use timedb_core::scope::Scope;
use uuid::Uuid;

/// Who the session acts for, as the tables say at this moment.
pub enum Session {
    /// Nobody has logged in, or a login has failed.
    Nobody,
    /// A key has logged in, and has since been revoked or expired, or its user deactivated.
    Refused,
    Acting(Identity),
}

/// Who a call of ours has found acting, and the least scope that he needs for it.
#[derive(Clone)]
struct Asked {
    identity: Identity,
    needed: Scope,
}

thread_local! {
    /// For the policies of the statements that the call runs.
    static ASKED: RefCell<Option<Asked>> = const { RefCell::new(None) };
}

impl Session {
    pub fn now() -> Session {
        match ASKED.with_borrow(Clone::clone) {
            Some(asked) => Session::Acting(asked.identity),
            None => Session::asked(),
        }
    }

    fn asked() -> Session {
        // SAFETY: reads a variable that is set when a worker starts. A worker is never asked: what a policy needs is
        // evaluated in the leader and passed down.
        if unsafe { pg_sys::ParallelWorkerNumber } >= 0 {
            return Session::Nobody;
        }
        match settings::bound() {
            Bound::Key(login) => standing::of_login(&login).map_or(Session::Refused, Session::Acting),
            Bound::Nobody { others_count: true } => Session::without_login(),
            Bound::Nobody { others_count: false } => Session::Nobody,
        }
    }

    /// Where nobody has called `authenticate`: a key in the settings, else a role binding.
    fn without_login() -> Session {
        match credential::current() {
            Credential::Hash(hash) => standing::of_key(&hash).map_or(Session::Refused, Session::of_setting),
            Credential::Malformed => Session::Refused,
            Credential::None => standing::of_role().map_or(Session::Nobody, Session::Acting),
        }
    }

    /// A key in the settings is looked up at every statement; that it has logged in is told once.
    fn of_setting(identity: Identity) -> Session {
        if credential::is_first_use() {
            log::acts_by_setting(&identity);
        }
        Session::Acting(identity)
    }

    pub fn identity(self) -> Option<Identity> {
        match self {
            Session::Acting(identity) => Some(identity),
            _ => None,
        }
    }

    /// Whoever the session acts for, or why there is nobody.
    pub fn required(self) -> Result<Identity> {
        match self {
            Session::Acting(identity) => Ok(identity),
            Session::Refused => Err(Error::KeyRefused),
            Session::Nobody if settings::login_was_undone() => Err(Error::LoginUndone),
            Session::Nobody => Err(Error::LoginNeeded),
        }
    }
}

/// Whoever the session acts for, asked once for a whole call: as long as this lives, the policies of the statements that
/// the call runs take its word, instead of looking into api_keys and users for each of them. Only statements of the
/// library's own run meanwhile; nothing that a client wrote does.
pub struct Acting(Identity);

impl Acting {
    pub fn found(identity: Identity) -> Acting {
        Acting::needing(Scope::Read, identity)
    }

    /// With a scope that is at least the one named.
    pub fn with(scope: Scope) -> Result<Acting> {
        let identity = Session::now().required()?;
        identity.check_scope(scope)?;
        Ok(Acting::needing(scope, identity))
    }

    fn needing(needed: Scope, identity: Identity) -> Acting {
        ASKED.set(Some(Asked {
            identity: identity.clone(),
            needed,
        }));
        Acting(identity)
    }

    /// An operator for a tenant, with all that its admin may, under the same policies; whoever has logged in by a key has no
    /// say in it. Only for functions that none but operators may call: EXECUTE on them is what makes an operator.
    pub fn as_operator(tenant: Uuid) -> Acting {
        let name = shard::operator();
        Acting::found(Identity {
            tenant,
            scope: Scope::Admin,
            via: Via::Operator { name },
        })
    }
}

impl Deref for Acting {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

// Runs when an ERROR unwinds, too.
impl Drop for Acting {
    fn drop(&mut self) {
        ASKED.set(None);
    }
}

/// That whoever the session acts for may still act, asked of the tables once more: after whatever a call has waited for, so that
/// a key that has ended meanwhile writes nothing and is told nothing. Nor does a role that has been bound to another tenant, or to
/// a lower scope. An operator acts by no key.
pub fn confirm() -> Result<()> {
    let Some(Asked { identity, needed }) = ASKED.with_borrow(Clone::clone) else {
        return Session::asked().required().map(drop);
    };
    if matches!(identity.via, Via::Operator { .. }) {
        return Ok(());
    }
    let now = Session::asked().required()?;
    if now.tenant != identity.tenant {
        return Err(Error::LoginNeeded);
    }
    now.check_scope(needed)
}

/// Says that the call is about to write versions, or when they are shown: whoever ends a key, and then looks for those who have
/// said so, finds all that was written with it.
pub fn begin_to_write(tenant: Uuid) -> Result<Told> {
    let told = moment::tell(tenant);
    confirm()?;
    Ok(told)
}

/// Says that the call is about to make something else for the tenant; waits for whoever is erasing it, and is refused then.
pub fn begin_to_make(tenant: Uuid) -> Result<()> {
    lock::hold_with_others(lock::For::Making, tenant);
    confirm()
}

/// As 0.1.0 declares it.
#[pg_extern(sql = false)]
fn current_tenant() -> Option<pgrx::Uuid> {
    reconnect_current_tenant()
}

/// What every policy asks. By another name, as all that begins with it: a session that has still loaded the library of 0.1.0 does
/// not find it, and so goes on with nothing; the name is what it is told.
#[pg_extern(sql = false)]
fn reconnect_current_tenant() -> Option<pgrx::Uuid> {
    let identity = Session::now().identity()?;
    Some(pg_id(identity.tenant))
}

#[pg_extern(sql = false)]
fn _require_login() -> Reported<Option<pgrx::Uuid>> {
    let identity = Session::now().required()?;
    Ok(Some(pg_id(identity.tenant)))
}

#[pg_extern(sql = false)]
fn _may(scope: Option<&str>) -> Option<bool> {
    let needed: Scope = scope?.parse().ok()?;
    Some(
        Session::now()
            .identity()
            .is_some_and(|identity| identity.scope >= needed),
    )
}

#[pg_extern(sql = false)]
fn reconnect_own_key() -> Option<pgrx::Uuid> {
    Session::now().identity()?.key_id().map(pg_id)
}

/// As 0.1.0 declares it: without the key's id.
#[pg_extern(sql = false)]
fn whoami(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut rows = Rows::<(Uuid, Option<Uuid>, Option<&str>, Scope, Option<Timestamptz>, &str)>::open(fcinfo)?;
    if let Session::Acting(identity) = Session::now() {
        let (tenant, user_id, email, scope, expires_at) = described(&identity);
        rows.put((tenant, user_id, email, scope, expires_at, identity.via.name()));
    }
    Ok(rows.close())
}

/// A row of `whoami`.
type Who<'a> = (
    Uuid,
    Option<Uuid>,
    Option<&'a str>,
    Scope,
    Option<Timestamptz>,
    &'a str,
    Option<Uuid>,
);

#[pg_extern(sql = false)]
fn reconnect_whoami(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut rows = Rows::<Who>::open(fcinfo)?;
    if let Session::Acting(identity) = Session::now() {
        let (tenant, user_id, email, scope, expires_at) = described(&identity);
        let (via, key_id) = (identity.via.name(), identity.key_id());
        rows.put((tenant, user_id, email, scope, expires_at, via, key_id));
    }
    Ok(rows.close())
}

/// tenant_id, user_id, email, scope, expires_at.
pub type Described<'a> = (Uuid, Option<Uuid>, Option<&'a str>, Scope, Option<Timestamptz>);

pub fn described(identity: &Identity) -> Described<'_> {
    let (user_id, email, expires_at) = match &identity.via {
        Via::Key {
            user_id,
            email,
            expires_at,
            ..
        } => (Some(*user_id), Some(email.as_str()), *expires_at),
        Via::Role { .. } | Via::Operator { .. } => (None, None, None),
    };
    (identity.tenant, user_id, email, identity.scope, expires_at)
}
