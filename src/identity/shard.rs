//! On a shard: a router shows the key at every call, which acts by it and by nothing else.

use super::settings::{self, Login};
use super::standing;
use crate::error::{Error, Reported, Result};
use crate::pg::guc::Lasting;
use crate::pg::roles::session_role;
use pgrx::prelude::*;
use std::cell::RefCell;
use timedb_core::key;

thread_local! {
    /// Whom the router's login acts for in this transaction.
    static OPERATOR: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Logs in for the call that follows; whatever goes wrong, nobody is logged in afterwards. The key is looked up as one in the
/// settings is, by direct index scans: a call has no time for more. Nothing is told of it: the router's own login was.
pub fn enter(api_key: Option<&str>) -> Result<()> {
    let refused = settings::refuse(Lasting::Transaction);
    let login = shown(api_key)?;
    settings::bind(login, Lasting::Transaction);
    refused.lift();
    Ok(())
}

/// The call has ended, and with it the login, whatever the transaction goes on with.
pub fn leave() {
    settings::clear(Lasting::Transaction);
}

#[pg_extern(sql = false)]
fn _shard_enter(api_key: Option<&str>) -> Reported<bool> {
    enter(api_key)?;
    Ok(true)
}

#[pg_extern(sql = false)]
fn _shard_leave() -> bool {
    leave();
    true
}

fn shown(api_key: Option<&str>) -> Result<Login> {
    let login = api_key
        .filter(|api_key| key::can_be_key(api_key))
        .and_then(|api_key| standing::of_key(&key::hash(api_key)))
        .and_then(|identity| {
            Some(Login {
                tenant: identity.tenant,
                key_id: identity.key_id()?,
                scope: identity.scope,
            })
        });
    login.ok_or(Error::KeyRefused)
}

/// Names the operator on the router for what the router's own login does in this transaction. Who may call this has the powers of an
/// operator here anyway.
#[pg_extern(sql = false)]
fn _shard_act_for(operator: Option<&str>) -> bool {
    OPERATOR.set(operator.map(str::to_owned));
    true
}

/// By whose name an operator acts: that of the one on a router whom this transaction acts for, else that of the session's role.
pub fn operator() -> String {
    OPERATOR
        .with_borrow(Clone::clone)
        .or_else(session_role)
        .unwrap_or_default()
}

pub(super) fn forget_operator() {
    OPERATOR.take();
}
