//! On a shard: a router shows the key at every call, which acts by it and by nothing else.

use super::login::log_in_quietly;
use super::settings;
use crate::error::Reported;
use crate::pg::guc::Lasting;
use pgrx::prelude::*;

/// Logs in for the call that follows. Nothing is told of it: the router's own login was.
#[pg_extern(sql = false)]
fn _shard_enter(api_key: Option<&str>) -> Reported<bool> {
    log_in_quietly(api_key, Lasting::Transaction, |_| Ok(()))?;
    Ok(true)
}

/// The call has ended, and with it the login, whatever the transaction goes on with.
#[pg_extern(sql = false)]
fn _shard_leave() -> bool {
    settings::clear(Lasting::Transaction);
    true
}
