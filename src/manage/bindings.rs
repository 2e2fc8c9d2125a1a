//! Role bindings: login roles that act for a tenant without a key, as operators decide. Whether one stands is asked in
//! `identity::standing`.

use super::audit::{self, Action, Subject};
use super::keys;
use crate::error::{Error, Reported, Result};
use crate::pg::datum::id;
use crate::pg::statement::statements;
use pgrx::prelude::*;
use std::ffi::CStr;
use timedb_core::scope::Scope;
use uuid::Uuid;

statements! {
    FIND_ROLE(&str) -> (bool, bool) =
        c"SELECT r.rolsuper OR r.rolbypassrls, pg_has_role(r.oid, 'timedb_admin', 'member')
          FROM pg_roles r WHERE r.rolname = $1::name";
    INSERT_BINDING(&str, Uuid, Scope) -> (i32,) =
        c"INSERT INTO timedb.role_bindings (role_name, tenant_id, scope) VALUES ($1::name, $2, $3)
          ON CONFLICT (role_name) DO NOTHING
          RETURNING 1";
    DELETE_BINDING(&str) -> (Uuid,) =
        c"DELETE FROM timedb.role_bindings b WHERE b.role_name = $1::name RETURNING b.tenant_id";
}

#[pg_extern(sql = false)]
fn bind_role(role: Option<&CStr>, tenant_id: Option<pgrx::Uuid>, scope: Option<&str>) -> Reported<()> {
    let role = name("role", role)?;
    let tenant = tenant_id.map(id).ok_or(Error::NullArgument("tenant_id"))?;
    let scope = match scope {
        Some(scope) => keys::scope(Some(scope))?,
        None => Scope::Read,
    };
    check_role(&role)?;
    if INSERT_BINDING.write((&role, tenant, scope))?.is_empty() {
        return Err(Error::BoundAlready(role).into());
    }
    let subject = Subject {
        role: Some(&role),
        detail: Some(serde_json::json!({ "scope": scope.name() })),
        ..Subject::default()
    };
    Ok(audit::record(tenant, Action::BindRole, subject)?)
}

#[pg_extern(sql = false)]
fn unbind_role(role: Option<&CStr>) -> Reported<()> {
    let role = name("role", role)?;
    let Some((tenant,)) = DELETE_BINDING.write((&role,))?.pop() else {
        return Err(Error::Absent {
            what: "binding of role",
            name: role,
        }
        .into());
    };
    let subject = Subject {
        role: Some(&role),
        ..Subject::default()
    };
    Ok(audit::record(tenant, Action::UnbindRole, subject)?)
}

fn name(argument: &'static str, name: Option<&CStr>) -> Result<String> {
    let name = name.ok_or(Error::NullArgument(argument))?;
    name.to_str()
        .map(str::to_owned)
        .map_err(|_| Error::bad(argument, "is not UTF-8"))
}

/// A binding says which tenant policies show: it would mean nothing for a role that they do not bind, and more than it
/// says for one that manages every tenant.
fn check_role(role: &str) -> Result<()> {
    match FIND_ROLE.read_fresh((role,))?.pop() {
        None => Err(Error::Absent {
            what: "role",
            name: role.to_owned(),
        }),
        Some((false, false)) => Ok(()),
        Some(_) => Err(Error::bad(
            "role",
            "is a superuser, bypasses row-level security or is an operator",
        )),
    }
}
