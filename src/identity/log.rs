//! What the server's log is told of logins: for whoever operates it, never for a client, whatever it sets. Lines begin with words
//! that stay, and tell neither the key nor the statement that it came in.

use super::settings::Login;
use super::standing::{Identity, Via};
use crate::pg::error_context;
use crate::pg::guc::Lasting;
use crate::pg::guc::superusers::{Words, define_switch};
use crate::pg::roles::session_role;
use pgrx::guc::GucSetting;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode as Code};
use timedb_core::scope::Scope;
use uuid::Uuid;

static LOG_LOGINS: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Called once, when the library is loaded.
pub fn define() {
    let words = Words {
        name: c"timedb.log_logins",
        short: c"Logs each successful login, with the id of its key.",
        long: c"On, the server's log tells which keys are in use.",
    };
    // SAFETY: called from _PG_init.
    unsafe { define_switch(words, &LOG_LOGINS) };
}

/// A key was refused. Only here: a table would roll back with the failure.
pub fn login_failed() {
    let role = session_role().unwrap_or_default();
    line(
        Code::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
        format!("timedb: login failed: role \"{role}\""),
    );
}

/// Somebody who is logged in asked for more than the scope allows.
pub fn scope_denied(identity: &Identity, needed: &str) {
    let (tenant, scope) = (identity.tenant, identity.scope);
    let who = match &identity.via {
        Via::Key { key_id, .. } => format!("key {key_id}"),
        Via::Role { name } | Via::Operator { name } => format!("role \"{name}\""),
    };
    line(
        Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("timedb: scope denied: tenant {tenant}, {who}, scope \"{scope}\", needed \"{needed}\""),
    );
}

pub fn logged_in(login: &Login, lasting: Lasting) {
    let is_local = lasting == Lasting::Transaction;
    logged_in_by(login.tenant, login.key_id, login.scope, &format!("is_local {is_local}"));
}

/// By a key in the settings.
pub fn acts_by_setting(identity: &Identity) {
    if let Some(key_id) = identity.key_id() {
        logged_in_by(identity.tenant, key_id, identity.scope, "by timedb.api_key");
    }
}

fn logged_in_by(tenant: Uuid, key_id: Uuid, scope: Scope, how: &str) {
    if LOG_LOGINS.get() {
        line(
            Code::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("timedb: login: tenant {tenant}, key {key_id}, scope \"{scope}\", {how}"),
        );
    }
}

/// LOG would go to a client that sets `client_min_messages = log`, too.
fn line(code: Code, words: String) {
    error_context::hidden(|| ErrorReport::new(code, words, "timedb").report(PgLogLevel::LOG_SERVER_ONLY));
}
