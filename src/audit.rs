//! The audit: who made, changed or ended a user, a key or a role binding. Written in the transaction of what it tells,
//! so that neither is there without the other.

use crate::answer::{Answer, Sheet};
use crate::cell::{self, Cell};
use crate::error::Result;
use crate::manage;
use crate::moment;
use crate::session::{self, Session};
use crate::standing::{self, Via};
use crate::statement::{self, statements};
use crate::users;
use pgrx::prelude::*;
use uuid::Uuid;

statements! {
    INSERT_ENTRY(UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID) =
        c"INSERT INTO timedb.audit (tenant_id, audit_id, actor, via, action, user_id, key_id, role_name, detail)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8::name, $9::jsonb)";
    LIST_ENTRIES(UUIDOID, TIMESTAMPTZOID) =
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
    let (actor, via) = actor();
    let detail = subject.detail.unwrap_or_else(|| serde_json::json!({}));
    statement::run(
        &INSERT_ENTRY,
        &[
            cell::uuid(tenant),
            cell::uuid(session::new_id()),
            cell::text(&actor),
            cell::text(via),
            cell::text(action.name()),
            subject.user_id.and_then(cell::uuid),
            subject.key_id.and_then(cell::uuid),
            subject.role.and_then(cell::text),
            cell::text(&detail.to_string()),
        ],
    )
}

/// Who acts, and as what. What runs as timedb_operator acts for the operator, with whatever key he may also have logged
/// in: that key's user has no say in it, and is nothing for another tenant's audit.
fn actor() -> (String, &'static str) {
    match Session::now() {
        Session::Acting(identity) if !manage::runs_as_operator() => match identity.via {
            Via::Key { email, .. } => (email, "key"),
            Via::Role { name } => (name, "role"),
        },
        _ => (standing::session_role().unwrap_or_default(), "operator"),
    }
}

#[pg_extern(sql = false)]
fn _list_audit(
    tenant_id: Option<pgrx::Uuid>,
    since: Option<i64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let tenant = users::managed_tenant(manage::manager()?, tenant_id)?;
    let since = moment::optional("since", since)?;
    let arguments = [tenant.and_then(cell::uuid), since.and_then(cell::time)];
    let mut sheet = Sheet::open(fcinfo);
    statement::read(&LIST_ENTRIES, &arguments, |row| {
        let columns: [Cell; 10] = std::array::from_fn(|column| row.column(column + 1));
        sheet.put(&columns);
        Ok(())
    })?;
    Ok(sheet.close())
}
