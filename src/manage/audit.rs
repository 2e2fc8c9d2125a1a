//! The audit: who made, changed or ended a user, a key or a role binding, and what retention takes out. Written in the transaction of what it tells,
//! so that neither is there without the other.

use super::authority;
use crate::error::{Reported, Result};
use crate::identity::session::{self, Session};
use crate::identity::shard;
use crate::pg::clock;
use crate::pg::datum::Name;
use crate::pg::result::{Returned, Rows};
use crate::pg::statement::statements;
use crate::pg::timestamp::{self, Timestamptz};
use crate::pg::varlena::RowJsonb;
use pgrx::prelude::*;
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    INSERT_ENTRY(
        Uuid, Uuid, &str, &str, &str, Option<Uuid>, Option<Uuid>, Option<&str>, &str
    ) -> () =
        c"INSERT INTO timedb.audit (tenant_id, audit_id, actor, via, action, user_id, key_id, role_name, detail)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8::name, $9::jsonb)";
    LIST_ENTRIES(Option<Uuid>, Option<Time>) -> (
        Timestamptz, Uuid, String, String, String, Option<Uuid>, Option<String>, Option<Uuid>, Option<Name>, RowJsonb<'_>
    ) =
        c"SELECT a.occurred_at, a.tenant_id, a.actor, a.via, a.action, a.user_id, u.email, a.key_id, a.role_name, a.detail
          FROM timedb.audit a
          LEFT JOIN timedb.users u ON u.tenant_id = a.tenant_id AND u.user_id = a.user_id
          WHERE ($1 IS NULL OR a.tenant_id = $1) AND ($2 IS NULL OR a.occurred_at >= $2)
          ORDER BY a.occurred_at DESC, a.audit_id DESC";
}

/// What has been done, in the words of the function that did it.
#[derive(Clone, Copy)]
pub enum Action {
    CreateUser,
    DeactivateUser,
    ActivateUser,
    CreateKey,
    RegenerateKey,
    RevokeKey,
    BindRole,
    UnbindRole,
    EraseRun,
    EraseSeries,
    EraseTenant,
    SetRetention,
    ApplyRetention,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::CreateUser => "create_user",
            Action::DeactivateUser => "deactivate_user",
            Action::ActivateUser => "activate_user",
            Action::CreateKey => "create_key",
            Action::RegenerateKey => "regenerate_key",
            Action::RevokeKey => "revoke_key",
            Action::BindRole => "bind_role",
            Action::UnbindRole => "unbind_role",
            Action::EraseRun => "erase_run",
            Action::EraseSeries => "erase_series",
            Action::EraseTenant => "erase_tenant",
            Action::SetRetention => "set_retention",
            Action::ApplyRetention => "apply_retention",
        }
    }
}

/// To whom, and how.
#[derive(Default)]
pub struct Subject<'a> {
    pub user_id: Option<Uuid>,
    pub key_id: Option<Uuid>,
    pub role: Option<&'a str>,
    pub detail: Option<serde_json::Value>,
}

/// Adds an entry to a tenant's audit.
pub fn record(tenant: Uuid, action: Action, subject: Subject) -> Result<()> {
    // Whoever erases the tenant sees that something of it is still to come, or what is recorded here is refused after that. An
    // operator may make users of any number of tenants in one transaction, which could not hold a lock of each.
    if !authority::runs_as_operator() {
        session::begin_to_make(tenant)?;
    }
    let (actor, via) = actor();
    let detail = subject.detail.unwrap_or_else(|| serde_json::json!({}));
    INSERT_ENTRY.run((
        tenant,
        clock::new_id(),
        &actor,
        via,
        action.name(),
        subject.user_id,
        subject.key_id,
        subject.role,
        &detail.to_string(),
    ))
}

/// Who acts, and as what. What runs as timedb_operator acts for the operator, with whatever key he may also have logged
/// in: that key's user has no say in it, and is nothing for another tenant's audit.
fn actor() -> (String, &'static str) {
    match Session::now() {
        Session::Acting(identity) if !authority::runs_as_operator() => {
            (identity.name().to_owned(), identity.via.name())
        }
        _ => (shard::operator(), "operator"),
    }
}

/// `timedb.audit_entry`.
type Entry<'a> = (
    Timestamptz,
    Uuid,
    &'a str,
    &'a str,
    &'a str,
    Option<Uuid>,
    Option<&'a str>,
    Option<Uuid>,
    Option<Name>,
    RowJsonb<'a>,
);

#[pg_extern(sql = false)]
fn _list_audit(
    tenant_id: Option<pgrx::Uuid>,
    since: Option<i64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let tenant = authority::listed_tenant(tenant_id)?;
    let since = timestamp::optional("since", since)?;
    let mut rows = Rows::<Entry>::open(fcinfo)?;
    LIST_ENTRIES.stream((tenant, since), |entry| {
        let (at, tenant, actor, via, action, user_id, email, key_id, role, detail) = entry;
        let role = role.as_ref().map(|role| role.0.as_str());
        let email = email.as_deref();
        rows.put((at, tenant, &actor, &via, &action, user_id, email, key_id, role, detail));
        Ok(())
    })?;
    Ok(rows.close())
}
