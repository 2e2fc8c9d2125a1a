//! Role bindings: login roles that act for a tenant without a key, as operators decide. Whether one stands is asked in
//! `standing`.

use crate::audit::{self, Action, Subject};
use crate::cell;
use crate::error::{Error, Result};
use crate::keys;
use crate::statement::{self, statements};
use pgrx::prelude::*;
use std::ffi::CStr;
use timedb_core::scope::Scope;

statements! {
    FIND_ROLE(TEXTOID) =
        c"SELECT r.rolsuper OR r.rolbypassrls, pg_has_role(r.oid, 'timedb_admin', 'member')
          FROM pg_roles r WHERE r.rolname = $1::name";
    INSERT_BINDING(TEXTOID, UUIDOID, TEXTOID) =
        c"INSERT INTO timedb.role_bindings (role_name, tenant_id, scope) VALUES ($1::name, $2, $3)
          ON CONFLICT (role_name) DO NOTHING
          RETURNING 1";
    DELETE_BINDING(TEXTOID) =
        c"DELETE FROM timedb.role_bindings b WHERE b.role_name = $1::name RETURNING b.tenant_id";
}

#[pg_extern(sql = false)]
fn bind_role(
    role: Option<&CStr>,
    tenant_id: Option<pgrx::Uuid>,
    scope: Option<&str>,
) -> Result<()> {
    let role = name("role", role)?;
    let tenant = tenant_id
        .map(cell::id)
        .ok_or(Error::NullArgument("tenant_id"))?;
    let scope = match scope {
        Some(scope) => keys::scope(Some(scope))?,
        None => Scope::Read,
    };
    check_role(&role)?;
    let arguments = [
        cell::text(&role),
        cell::uuid(tenant),
        cell::text(scope.name()),
    ];
    if statement::write(&INSERT_BINDING, &arguments, |_| Ok(()))?.is_empty() {
        return Err(Error::BoundAlready(role).into());
    }
    let detail = Some(serde_json::json!({ "scope": scope.name() }));
    audit::record(
        tenant,
        Action::BindRole,
        Subject {
            role: Some(&role),
            detail,
            ..Subject::default()
        },
    )
}

#[pg_extern(sql = false)]
fn unbind_role(role: Option<&CStr>) -> Result<()> {
    let role = name("role", role)?;
    let tenants = statement::write(&DELETE_BINDING, &[cell::text(&role)], |row| Ok(row.uuid(1)))?;
    let Some(tenant) = tenants.into_iter().flatten().next() else {
        return Err(Error::Absent {
            what: "binding of role",
            name: role,
        }
        .into());
    };
    audit::record(
        tenant,
        Action::UnbindRole,
        Subject {
            role: Some(&role),
            ..Subject::default()
        },
    )
}

fn name(argument: &'static str, name: Option<&CStr>) -> Result<String, Error> {
    let name = name.ok_or(Error::NullArgument(argument))?;
    name.to_str()
        .map(str::to_owned)
        .map_err(|_| Error::bad(argument, "is not UTF-8"))
}

/// A binding says which tenant policies show: it would mean nothing for a role that they do not bind, and more than it
/// says for one that manages every tenant.
fn check_role(role: &str) -> Result<()> {
    let found = statement::write(&FIND_ROLE, &[cell::text(role)], |row| {
        Ok(row.bool(1).zip(row.bool(2)))
    })?;
    match found.into_iter().flatten().next() {
        None => Err(Error::Absent {
            what: "role",
            name: role.to_owned(),
        }
        .into()),
        Some((false, false)) => Ok(()),
        Some(_) => Err(Error::bad(
            "role",
            "is a superuser, bypasses row-level security or is an operator",
        )
        .into()),
    }
}
