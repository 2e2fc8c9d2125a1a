//! What `CALL timedb.maintain()` consists of: an operator's call goes through all tenants, a share of the work of one in each
//! transaction. Nobody but operators may execute these; they act for the tenant as its admin would, under its policies, and
//! answer counts.
//!
//! A tenant's row of the log is there before the work begins and has no end until it is done: so it tells how far a long call
//! has come. What is not in the log had nothing to do.

use super::compact::{Tally, cutoff, pack_all};
use super::{PACKS, as_operator, refuse_old_snapshots};
use crate::error::{Error, Reported, Result};
use crate::pg::clock;
use crate::pg::datum::{id, pg_id};
use crate::pg::lock;
use crate::pg::read_only::refuse_if_read_only;
use crate::pg::result::Returned;
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use crate::store::orphans::orphans;
use crate::store::take::work;
use crate::store::tenants::{has_stored, tenants};
use pgrx::datum::Interval;
use pgrx::prelude::*;
use std::hash::{BuildHasher, RandomState};
use uuid::Uuid;

statements! {
    BUDGET(Interval) -> (bool, Timestamptz) = c"SELECT $1 > interval '0', clock_timestamp() + $1";
    AGE(Interval) -> (bool,) = c"SELECT $1 >= interval '0'";
    /// What a call left open that was cancelled or killed; one that goes on meanwhile says its own end.
    END_INTERRUPTED(Uuid) -> () =
        c"UPDATE timedb.maintenance_log m SET finished_at = clock_timestamp(), error = 'interrupted'
          WHERE m.tenant_id = $1 AND m.finished_at IS NULL";
    FORGET(Uuid) -> () =
        c"DELETE FROM timedb.maintenance_log m
          WHERE m.tenant_id = $1 AND m.finished_at < clock_timestamp() - interval '90 days'";
    BEGIN(Uuid, Uuid, Option<i64>) -> () =
        c"INSERT INTO timedb.maintenance_log (tenant_id, maintenance_id, orphans) VALUES ($1, $2, $3)";
    /// Where nothing was packed since they were counted.
    COUNTED(Uuid, Uuid) -> (i64,) =
        c"SELECT m.orphans FROM timedb.maintenance_log m
          WHERE m.tenant_id = $1 AND m.maintenance_id = $2 AND m.orphans IS NOT NULL AND m.rows_before = 0";
    COUNT(Uuid, Uuid, i64, i64, i64, i64) -> () =
        c"UPDATE timedb.maintenance_log m
          SET rows_before = m.rows_before + $3, rows_after = m.rows_after + $4, bytes_before = m.bytes_before + $5,
              bytes_after = m.bytes_after + $6
          WHERE m.tenant_id = $1 AND m.maintenance_id = $2";
    END(Uuid, Uuid, i64, Option<i64>, Option<&str>) -> () =
        c"UPDATE timedb.maintenance_log m
          SET finished_at = clock_timestamp(), versions_removed = $3, orphans = $4, error = $5
          WHERE m.tenant_id = $1 AND m.maintenance_id = $2";
}

/// When a call with such a budget ends; an error where it cannot begin.
#[pg_extern(sql = false)]
fn _maintain_until_operator(budget: Option<Interval>, older_than: Option<Interval>) -> Reported<Option<i64>> {
    refuse_if_read_only(c"CALL timedb.maintain()");
    let budget = budget.ok_or(Error::NullArgument("budget"))?;
    let older_than = older_than.ok_or(Error::NullArgument("older_than"))?;
    refuse_old_snapshots()?;
    if AGE.read((older_than,))?.pop() != Some((true,)) {
        return Err(Error::bad("older_than", "must not be negative").into());
    }
    match BUDGET.read((budget,))?.pop() {
        Some((true, end)) => Ok(Some(end.0)),
        _ => Err(Error::bad("budget", "must be positive").into()),
    }
}

/// All tenants that have stored anything, in an order by chance: so that each has its turn, however small the budget, and whatever
/// others store that there is nothing to be done with but to look at it.
#[pg_extern(sql = false)]
fn _tenants_to_maintain_operator() -> Reported<Returned> {
    let mut all: Vec<Uuid> = tenants().collect();
    let chance = RandomState::new();
    all.sort_by_cached_key(|tenant| chance.hash_one(tenant));
    Ok(Returned::scalar::<&[Uuid]>(&all))
}

/// The id of a tenant's row in the log; none where nothing is to be packed, nothing is removed, and nothing is wrong.
#[pg_extern(sql = false)]
fn _begin_maintenance_operator(
    tenant_id: Option<pgrx::Uuid>,
    older_than: Option<Interval>,
    is_removing: Option<bool>,
) -> Reported<Option<pgrx::Uuid>> {
    let acting = as_operator(tenant_id)?;
    let is_work = is_removing == Some(true) || !work(acting.tenant, None, cutoff(older_than)?)?.is_empty();
    // They are counted once: by the end, where there is something to do first.
    let counted = if is_work { None } else { Some(orphans(acting.tenant)?) };
    if counted == Some(0) || !hold_from_erasure(acting.tenant) {
        return Ok(None);
    }
    END_INTERRUPTED.run((acting.tenant,))?;
    FORGET.run((acting.tenant,))?;
    Ok(Some(pg_id(begin(acting.tenant, counted)?)))
}

/// Whether the tenant has anything stored and nobody is erasing it: then nobody does to the end until this transaction has ended.
/// What the log said of a tenant that is gone, or never was, nobody would find to erase.
fn hold_from_erasure(tenant: Uuid) -> bool {
    lock::hold_with_others_if_free(lock::For::Making, tenant) && has_stored(tenant)
}

fn begin(tenant: Uuid, orphans: Option<i64>) -> Result<Uuid> {
    let maintenance = clock::new_id();
    BEGIN.run((tenant, maintenance, orphans))?;
    Ok(maintenance)
}

/// One share of a tenant's work; answers whether some remains.
#[pg_extern(sql = false)]
fn _maintain_share_operator(
    tenant_id: Option<pgrx::Uuid>,
    maintenance_id: Option<pgrx::Uuid>,
    older_than: Option<Interval>,
) -> Reported<Option<bool>> {
    let acting = as_operator(tenant_id)?;
    let maintenance = maintenance_id.map(id).ok_or(Error::NullArgument("maintenance_id"))?;
    // Whoever else holds it may be a tenant's own transaction, left open for any time.
    if !lock::hold_if_free(lock::For::Compacting, acting.tenant) {
        return Err(Error::Busy(PACKS).into());
    }
    let cutoff = cutoff(older_than)?;
    let (tally, remaining) = pack_all(acting.tenant, &work(acting.tenant, None, cutoff)?, cutoff)?;
    count(acting.tenant, maintenance, &tally)?;
    Ok(Some(remaining > 0))
}

fn count(tenant: Uuid, maintenance: Uuid, tally: &Tally) -> Result<()> {
    COUNT.run((
        tenant,
        maintenance,
        tally.rows_before,
        tally.rows_after,
        tally.bytes_before,
        tally.bytes_after,
    ))
}

/// Ends a tenant's row in the log; one that could not begin gets one, with the error, unless the tenant is gone meanwhile.
#[pg_extern(sql = false)]
fn _end_maintenance_operator(
    tenant_id: Option<pgrx::Uuid>,
    maintenance_id: Option<pgrx::Uuid>,
    versions_removed: Option<i64>,
    sqlstate: Option<&str>,
    message: Option<&str>,
) -> Reported<()> {
    let acting = as_operator(tenant_id)?;
    let maintenance = match maintenance_id {
        Some(begun) => id(begun),
        None if hold_from_erasure(acting.tenant) => begin(acting.tenant, None)?,
        None => return Ok(()),
    };
    let error = sqlstate.map(|sqlstate| told(sqlstate, message.unwrap_or_default()));
    let orphans = match (&error, COUNTED.read_fresh((acting.tenant, maintenance))?.pop()) {
        (Some(_), _) => None,
        (None, Some((counted,))) => Some(counted),
        (None, None) => Some(orphans(acting.tenant)?),
    };
    let removed = versions_removed.unwrap_or_default();
    Ok(END.run((acting.tenant, maintenance, removed, orphans, error.as_deref()))?)
}

/// What an operator reads of an error: the words only of those that speak of the system, as others may quote what is stored.
fn told(sqlstate: &str, message: &str) -> String {
    let speaks_of_the_system = ["40", "53", "55", "57", "58", "XX"]
        .iter()
        .any(|class| sqlstate.starts_with(class));
    match speaks_of_the_system {
        true => format!("{sqlstate}: {message}"),
        false => sqlstate.to_owned(),
    }
}
