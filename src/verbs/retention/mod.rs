//! Retention: how long values are kept, and taking out those that are older. Each function exists for a key of scope admin and
//! for an operator, who acts for the tenant he names and is told counts alone.

mod settings;

use super::{PACKS, as_operator, refuse_old_snapshots, without_nulls};
use crate::error::{Error, Reported, Result};
use crate::identity::session::{self, Acting};
use crate::identity::standing::Via;
use crate::manage::audit::{self, Action, Subject};
use crate::pg::datum::id;
use crate::pg::lock;
use crate::pg::read_only::refuse_if_read_only;
use crate::pg::result::{Returned, Rows};
use crate::pg::statement::{Snapshot, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::varlena::UuidArray;
use crate::store::erase::is_there;
use crate::store::retain::{Outcome, Retaining, Tally, candidates};
use pgrx::datum::Interval;
use pgrx::prelude::*;
use settings::{Basis, DEFAULT, Setting, from_postgres, to_postgres};
use std::time::{Duration, Instant};
use timedb_core::calendar;
use timedb_core::scope::Scope;
use uuid::Uuid;

const NOTICE_EVERY: Duration = Duration::from_secs(5);
/// The basis of a series that has none of its own.
const AS_DEFAULT: &str = "default";

statements! {
    LIST(Uuid) -> (
        Uuid, Option<String>, Option<calendar::Interval>, String, Option<calendar::Interval>, Timestamptz, String
    ) =
        c"SELECT r.series_id, s.series_key, r.keep, r.basis, r.keep_revisions, r.changed_at, r.changed_by
          FROM timedb.retention r
          LEFT JOIN LATERAL (
            SELECT s.series_key
            FROM timedb.series s
            WHERE s.tenant_id = $1 AND s.series_id = r.series_id
            OFFSET 0) AS s ON true
          WHERE r.tenant_id = $1
          ORDER BY r.series_id";
}

/// The admin's own tenant, which he may name.
fn admin(tenant_id: Option<pgrx::Uuid>) -> Result<Acting> {
    let acting = Acting::with(Scope::Admin)?;
    match tenant_id.map(id) {
        Some(asked) if asked != acting.tenant => Err(Error::absent_id("tenant", asked)),
        _ => Ok(acting),
    }
}

#[pg_extern(sql = false)]
fn _set_retention_tenant(
    keep: Option<Interval>,
    basis: Option<&str>,
    keep_revisions: Option<Interval>,
    series_ids: Option<UuidArray>,
    tenant_id: Option<pgrx::Uuid>,
) -> Reported<()> {
    let given = Given {
        keep,
        basis,
        keep_revisions,
        series_ids,
    };
    Ok(set(&admin(tenant_id)?, given)?)
}

#[pg_extern(sql = false)]
fn _set_retention_operator(
    keep: Option<Interval>,
    basis: Option<&str>,
    keep_revisions: Option<Interval>,
    series_ids: Option<UuidArray>,
    tenant_id: Option<pgrx::Uuid>,
) -> Reported<()> {
    let given = Given {
        keep,
        basis,
        keep_revisions,
        series_ids,
    };
    Ok(set(&as_operator(tenant_id)?, given)?)
}

/// The arguments of `set_retention`.
struct Given<'a> {
    keep: Option<Interval>,
    basis: Option<&'a str>,
    keep_revisions: Option<Interval>,
    series_ids: Option<UuidArray>,
}

fn set(acting: &Acting, given: Given) -> Result<()> {
    let series_ids = without_nulls("series_ids", given.series_ids)?;
    let of_series = series_ids.map(UuidArray::ids);
    let keeps_for_ever = given.keep.is_none() && given.keep_revisions.is_none();
    let ends = match (given.basis, &of_series) {
        (Some(AS_DEFAULT), Some(_)) if keeps_for_ever => true,
        (Some(AS_DEFAULT), _) => {
            let reason = "is \"default\" for some \"series_ids\", without \"keep\" and \"keep_revisions\"";
            return Err(Error::bad("basis", reason));
        }
        (_, None) => keeps_for_ever,
        _ => false,
    };
    let basis = match given.basis.unwrap_or(Basis::ValidTime.name()) {
        AS_DEFAULT => Basis::ValidTime,
        name => Basis::of(name).ok_or_else(|| Error::bad("basis", "is \"valid_time\" or \"known_time\""))?,
    };
    let setting = Setting {
        keep: given.keep.map(from_postgres),
        basis,
        keep_revisions: given.keep_revisions.map(from_postgres),
    };
    setting.check()?;
    hold_from_erasure(acting)?;
    hold(acting, lock::For::Setting, "sets how long values are kept")?;
    let series = match &of_series {
        Some(series) if series.is_empty() => return Ok(()),
        Some(series) => {
            settings::check_series(acting.tenant, series)?;
            &series[..]
        }
        None => &[DEFAULT],
    };
    match ends {
        true => settings::end(acting.tenant, series)?,
        false => settings::set(acting.tenant, series, setting, acting.name())?,
    }
    record_setting(acting, setting, ends, of_series.as_deref())
}

/// Nothing is set for a tenant that an operator has erased, or that never was; a tenant's own key says that it is there.
fn hold_from_erasure(acting: &Acting) -> Result<()> {
    session::begin_to_make(acting.tenant)?;
    match acting.via {
        Via::Operator { .. } if !is_there(acting.tenant)? => Err(Error::absent_id("tenant", acting.tenant)),
        _ => Ok(()),
    }
}

fn record_setting(acting: &Acting, setting: Setting, ends: bool, series: Option<&[Uuid]>) -> Result<()> {
    let text = |of: Option<calendar::Interval>| of.map(iso_text);
    let series = series.map(|ids| ids.iter().map(Uuid::to_string).collect::<Vec<String>>());
    let detail = match ends {
        true => serde_json::json!({ "series_ids": series }),
        false => serde_json::json!({
            "keep": text(setting.keep), "basis": setting.basis.name(),
            "keep_revisions": text(setting.keep_revisions), "series_ids": series,
        }),
    };
    let subject = Subject {
        detail: Some(detail),
        ..Subject::default()
    };
    audit::record(acting.tenant, Action::SetRetention, subject)
}

/// An interval in ISO 8601.
fn iso_text(of: calendar::Interval) -> String {
    let seconds = of.micros as f64 / 1e6;
    match (of.micros, of.months, of.days) {
        (0, months, days) => format!("P{months}M{days}D"),
        (_, months, days) => format!("P{months}M{days}DT{seconds}S"),
    }
}

#[pg_extern(sql = false)]
fn _list_retention_tenant(tenant_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    Ok(list(&admin(tenant_id)?, true, fcinfo)?)
}

/// What a series is called is the tenant's own.
#[pg_extern(sql = false)]
fn _list_retention_operator(tenant_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    Ok(list(&as_operator(tenant_id)?, false, fcinfo)?)
}

/// A row of `list_retention`.
type Listed<'a> = (
    Option<Uuid>,
    Option<&'a str>,
    Option<Interval>,
    &'a str,
    Option<Interval>,
    Timestamptz,
    &'a str,
);

fn list(acting: &Acting, with_keys: bool, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
    let mut rows = Rows::<Listed>::open(fcinfo)?;
    for (series, key, keep, basis, keep_revisions, at, by) in LIST.read((acting.tenant,))? {
        let series = (series != DEFAULT).then_some(series);
        let key = key.as_deref().filter(|_| with_keys);
        let keep = keep.map(to_postgres).transpose()?;
        let keep_revisions = keep_revisions.map(to_postgres).transpose()?;
        rows.put((series, key, keep, &basis, keep_revisions, at, &by));
    }
    Ok(rows.close())
}

#[pg_extern(sql = false)]
fn _apply_retention_tenant(
    dry_run: Option<bool>,
    tenant_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    Ok(answer(&admin(tenant_id)?, dry_run, fcinfo)?)
}

#[pg_extern(sql = false)]
fn _apply_retention_operator(
    dry_run: Option<bool>,
    tenant_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    Ok(answer(&as_operator(tenant_id)?, dry_run, fcinfo)?)
}

fn answer(acting: &Acting, dry_run: Option<bool>, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
    let (tally, remaining) = apply(acting, dry_run.unwrap_or(true))?;
    let answer = (tally.series, tally.versions, tally.values, tally.bytes, remaining);
    Returned::row::<(i32, i64, i64, i64, i64)>(fcinfo, answer)
}

/// A share of the work for one tenant, for maintenance: where a transaction of the tenant packs or removes values, which it may
/// leave open for any time, nothing waits for it.
#[pg_extern(sql = false)]
fn _retain_share_operator(tenant_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let acting = as_operator(tenant_id)?;
    let (tally, remaining) = apply(&acting, false)?;
    Ok(Returned::row::<(i64, i64)>(fcinfo, (tally.versions, remaining))?)
}

/// What goes, or would, and in how many series something remains. Nobody who reads or uploads waits for it; compact does, and
/// whoever updates a run that loses something.
fn apply(acting: &Acting, is_dry: bool) -> Result<(Tally, i64)> {
    let tenant = acting.tenant;
    let seen = if is_dry { Snapshot::Callers } else { Snapshot::Fresh };
    if !is_dry {
        refuse_if_read_only(c"apply_retention()");
        refuse_old_snapshots()?;
    }
    let mut of_series = settings::cutoffs(tenant, !is_dry)?;
    if of_series.is_empty() {
        return Ok((Tally::default(), 0));
    }
    if !is_dry {
        hold(acting, lock::For::Compacting, PACKS)?;
        // As they are by now.
        of_series = settings::cutoffs(tenant, true)?;
    }
    let mut call = Retaining::new(tenant, is_dry)?;
    let work = candidates(tenant, &of_series, seen)?;
    let mut remaining = 0;
    let mut said = Instant::now();
    for (place, (series, cutoffs)) in work.iter().enumerate() {
        if call.is_full() || call.series(*series, cutoffs)? == Outcome::Remains {
            remaining += 1;
        }
        if said.elapsed() >= NOTICE_EVERY {
            said = Instant::now();
            let Tally { versions, values, .. } = call.tally;
            notice!(
                "looked at {} of {} series: {versions} versions and {values} values so far",
                place + 1,
                work.len()
            );
        }
    }
    let tally = call.finish()?;
    if !is_dry && tally.values > 0 {
        record(tenant, &tally)?;
    }
    Ok((tally, remaining))
}

/// The tenant itself waits for its other transactions; an operator for none of a tenant's, which may be left open for any time.
fn hold(acting: &Acting, what: lock::For, what_others_do: &'static str) -> Result<()> {
    match acting.via {
        Via::Operator { .. } if lock::hold_if_free(what, acting.tenant) => Ok(()),
        Via::Operator { .. } => Err(Error::Busy(what_others_do)),
        Via::Key { .. } | Via::Role { .. } => {
            lock::hold(what, acting.tenant);
            session::confirm()
        }
    }
}

fn record(tenant: Uuid, tally: &Tally) -> Result<()> {
    let Tally {
        series,
        versions,
        values,
        bytes,
        ..
    } = *tally;
    let subject = Subject {
        detail: Some(serde_json::json!({
            "series": series, "versions": versions, "value_count": values, "bytes": bytes,
        })),
        ..Subject::default()
    };
    audit::record(tenant, Action::ApplyRetention, subject)
}
