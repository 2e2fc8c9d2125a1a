//! `erase_run`, `erase_series`, `erase_tenant`: gone for good, a share a call, and told in the audit.
//!
//! None of them waits for a transaction of the tenant: whoever holds a stolen key, and leaves one open, holds up what that
//! transaction has touched and nothing else. What a call has left out for that counts as remaining.

use super::{as_operator, refuse_old_snapshots};
use crate::error::{Error, Reported, Result};
use crate::identity::session::{self, Acting};
use crate::manage::audit::{self, Action, Subject};
use crate::pg::datum::id;
use crate::pg::result::Returned;
use crate::pg::snapshot::is_own_transaction;
use crate::pg::statement::statements;
use crate::pg::warning::notice;
use crate::pg::{lock, moment};
use crate::store::erase::{self, Erased, Everything, Run};
use pgrx::prelude::*;
use serde_json::json;
use timedb_core::scope::Scope;
use uuid::Uuid;

statements! {
    /// The transaction of the latest call of an erasure that goes on.
    UNFINISHED(Uuid) -> (i64,) =
        c"SELECT a.xmin::text::int8
          FROM timedb.audit a
          WHERE a.tenant_id = $1 AND a.action = 'erase_tenant' AND a.detail->>'remaining' <> '0'";
    /// What earlier calls have told of the same erasure.
    TAKE_UNFINISHED(Uuid) -> (i64, i64, i64, i64, i64, i64) =
        c"DELETE FROM timedb.audit a
          WHERE a.tenant_id = $1 AND a.action = 'erase_tenant' AND a.detail->>'remaining' <> '0'
          RETURNING (a.detail->>'users')::int8, (a.detail->>'keys')::int8, (a.detail->>'bindings')::int8,
                    (a.detail->>'series')::int8, (a.detail->>'runs')::int8, (a.detail->>'value_count')::int8";
}

#[pg_extern(sql = false)]
fn _erase_run_tenant(
    run_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let run = run_id.map(id).ok_or(Error::NullArgument("run_id"))?;
    let acting = as_admin(tenant_id, "run", run)?;
    Ok(erase_run(&acting, run, fcinfo)?)
}

#[pg_extern(sql = false)]
fn _erase_run_operator(
    run_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let run = run_id.map(id).ok_or(Error::NullArgument("run_id"))?;
    let acting = for_tenant(tenant_id)?;
    Ok(erase_run(&acting, run, fcinfo)?)
}

#[pg_extern(sql = false)]
fn _erase_series_tenant(
    series_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let series = series_id.map(id).ok_or(Error::NullArgument("series_id"))?;
    let acting = as_admin(tenant_id, "series", series)?;
    Ok(erase_series(&acting, series, fcinfo)?)
}

#[pg_extern(sql = false)]
fn _erase_series_operator(
    series_id: Option<pgrx::Uuid>,
    tenant_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let series = series_id.map(id).ok_or(Error::NullArgument("series_id"))?;
    let acting = for_tenant(tenant_id)?;
    Ok(erase_series(&acting, series, fcinfo)?)
}

/// For operators alone: an admin key would end itself with the first call, and nobody could make the others.
#[pg_extern(sql = false)]
fn erase_tenant(tenant_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let acting = for_tenant(tenant_id)?;
    let (gone, remaining) = erase_everything(acting.tenant)?;
    let answer = (
        gone.users,
        gone.keys,
        gone.bindings,
        gone.series,
        gone.runs,
        gone.values,
        remaining,
    );
    Ok(Returned::row::<(i64, i64, i64, i64, i64, i64, i64)>(fcinfo, answer)?)
}

/// Of its own tenant: what is another's is not there.
fn as_admin(tenant: Option<pgrx::Uuid>, what: &'static str, named: Uuid) -> Result<Acting> {
    let acting = Acting::with(Scope::Admin)?;
    refuse_old_snapshots()?;
    match tenant.map(id) {
        Some(asked) if asked != acting.tenant => Err(Error::absent_id(what, named)),
        _ => Ok(acting),
    }
}

fn for_tenant(tenant_id: Option<pgrx::Uuid>) -> Result<Acting> {
    refuse_old_snapshots()?;
    as_operator(tenant_id)
}

fn erase_run(acting: &Acting, run: Uuid, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
    let tenant = acting.tenant;
    session::begin_to_make(tenant)?;
    let erased = match nobody_packs(tenant) {
        true => erase::run(tenant, run)?,
        false => erase::look_at_run(tenant, run)?,
    };
    let erased = match erased {
        Run::Absent => return Err(Error::absent_id("run", run)),
        Run::Held => Erased {
            remaining: 1,
            is_held: true,
            ..Erased::default()
        },
        Run::Erased(erased) => erased,
    };
    answer(tenant, Action::EraseRun, ("run", run), erased, fcinfo)
}

fn erase_series(acting: &Acting, series: Uuid, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
    let tenant = acting.tenant;
    session::begin_to_make(tenant)?;
    let erased = match nobody_packs(tenant) {
        true => erase::series(tenant, series)?,
        false => erase::look_at_series(tenant, series)?,
    };
    let erased = erased.ok_or_else(|| Error::absent_id("series", series))?;
    answer(tenant, Action::EraseSeries, ("series", series), erased, fcinfo)
}

/// Whether no other transaction packs or cuts what the tenant has stored; then none does until this one ends.
fn nobody_packs(tenant: Uuid) -> bool {
    lock::hold_if_free(lock::For::Compacting, tenant)
}

/// Tells the audit what this call has done, and the caller what is left to do.
fn answer(
    tenant: Uuid,
    action: Action,
    (what, named): (&str, Uuid),
    erased: Erased,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Returned> {
    let detail = json!({
        format!("{what}_id"): named.to_string(), "versions": erased.versions, "value_count": erased.values,
        "remaining": erased.remaining,
    });
    record(tenant, action, detail)?;
    let name = format!("{what} \"{named}\"");
    say_what_remains(&name, erased.remaining, erased.is_held, CALL_AGAIN);
    let answer = (erased.versions, erased.values, erased.remaining);
    Returned::row::<(i64, i64, i64)>(fcinfo, answer)
}

fn record(tenant: Uuid, action: Action, detail: serde_json::Value) -> Result<()> {
    let subject = Subject {
        detail: Some(detail),
        ..Subject::default()
    };
    audit::record(tenant, action, subject)
}

const CALL_AGAIN: &str =
    "Call it again, until remaining is 0. What an open transaction holds remains until that has ended.";
const COMMIT_AND_CALL_AGAIN: &str = "Commit, and call it again, until remaining is 0: that is never by the first call, nor while a transaction of the \
     tenant is open that has written.";

fn say_what_remains(of: &str, remaining: i64, is_held: bool, hint: &str) {
    if remaining == 0 {
        return;
    }
    let held = match is_held {
        true => ", some of which another transaction holds or may still write",
        false => "",
    };
    notice(format!("{of}: {remaining} remaining{held}"), hint);
}

/// First whoever acts for the tenant, then what it has. Nothing is left once no transaction of the tenant may still add
/// anything: those that have said that they will before this call are looked for, and those that say so after it find their key
/// gone, as an earlier call has taken it, and has been committed.
fn erase_everything(tenant: Uuid) -> Result<(Everything, i64)> {
    lock::hold(lock::For::Erasing, tenant);
    let has_begun = has_begun(tenant)?;
    let nobody_makes = lock::hold_if_free(lock::For::Making, tenant);
    let nobody_packs = nobody_packs(tenant);
    let nobody_writes = !moment::is_awaited(tenant);
    if !has_begun && erase::left_of(tenant)? == 0 {
        return Err(Error::absent_id("tenant", tenant));
    }
    let gone = erase::everything(tenant, nobody_packs)?;
    let is_held = !(nobody_makes && nobody_packs && nobody_writes);
    let may_be_added_to = is_held || !has_begun || gone.keys + gone.bindings > 0;
    let remaining = erase::left_of(tenant)? + i64::from(may_be_added_to);
    tell_of(tenant, gone, remaining)?;
    let name = format!("tenant \"{tenant}\"");
    say_what_remains(&name, remaining, is_held, COMMIT_AND_CALL_AGAIN);
    Ok((gone, remaining))
}

/// Whether an earlier call has ended all keys, for everybody to see.
fn has_begun(tenant: Uuid) -> Result<bool> {
    let Some((by,)) = UNFINISHED.read_fresh((tenant,))?.pop() else {
        return Ok(false);
    };
    match is_own_transaction(by) {
        true => Err(Error::Unsupported {
            what: "a further share of an erasure needs a transaction of its own",
            hint: "Commit after each call of timedb.erase_tenant().",
        }),
        false => Ok(true),
    }
}

/// One entry of all calls that an erasure takes: the only thing that is left of the tenant.
fn tell_of(tenant: Uuid, gone: Everything, remaining: i64) -> Result<()> {
    let mut all = gone;
    for (users, keys, bindings, series, runs, values) in TAKE_UNFINISHED.write((tenant,))? {
        all = all.plus(Everything {
            users,
            keys,
            bindings,
            series,
            runs,
            values,
        });
    }
    let detail = json!({
        "users": all.users, "keys": all.keys, "bindings": all.bindings, "series": all.series, "runs": all.runs,
        "value_count": all.values, "remaining": remaining,
    });
    record(tenant, Action::EraseTenant, detail)
}
