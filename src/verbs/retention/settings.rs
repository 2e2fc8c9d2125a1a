//! How long which values are kept: a tenant's default, and what some series have of their own instead.

use crate::error::{Error, Result};
use crate::pg::clock;
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use crate::pg::zone::forward;
use crate::store::retain::Cutoffs;
use pgrx::datum::Interval;
use std::collections::HashMap;
use timedb_core::calendar;
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    FOUND(Uuid, &[Uuid]) -> (Uuid,) =
        c"SELECT s.series_id
          FROM (SELECT unnest($2) AS series_id) AS w
          CROSS JOIN LATERAL (
            SELECT s.series_id
            FROM timedb.series s
            WHERE s.tenant_id = $1 AND s.series_id = w.series_id
            OFFSET 0) AS s";
    SET(Uuid, &[Uuid], Option<Interval>, &str, Option<Interval>, &str) -> () =
        c"INSERT INTO timedb.retention (tenant_id, series_id, keep, basis, keep_revisions, changed_at, changed_by)
          SELECT $1, w.series_id, $3, $4, $5, clock_timestamp(), $6
          FROM (SELECT DISTINCT unnest($2) AS series_id) AS w
          ON CONFLICT (tenant_id, series_id) DO UPDATE
          SET keep = excluded.keep, basis = excluded.basis, keep_revisions = excluded.keep_revisions,
              changed_at = excluded.changed_at, changed_by = excluded.changed_by";
    END(Uuid, &[Uuid]) -> () = c"DELETE FROM timedb.retention r WHERE r.tenant_id = $1 AND r.series_id = ANY ($2)";
    ALL(Uuid) -> (Uuid, Option<calendar::Interval>, String, Option<calendar::Interval>) =
        c"SELECT r.series_id, r.keep, r.basis, r.keep_revisions FROM timedb.retention r WHERE r.tenant_id = $1";
    EVERY_SERIES(Uuid) -> (Uuid,) = c"SELECT s.series_id FROM timedb.series s WHERE s.tenant_id = $1 ORDER BY s.series_id";
    /// Months and days as the calendar of UTC has them, whatever zone the session is in.
    BEFORE(Timestamptz, Interval) -> (Timestamptz,) = c"SELECT ($1 AT TIME ZONE 'UTC' - $2) AT TIME ZONE 'UTC'";
}

/// In the place of a series: the tenant's default.
pub const DEFAULT: Uuid = Uuid::nil();

/// What counts how old a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    ValidTime,
    KnownTime,
}

impl Basis {
    pub fn name(self) -> &'static str {
        match self {
            Basis::ValidTime => "valid_time",
            Basis::KnownTime => "known_time",
        }
    }

    pub fn of(name: &str) -> Option<Basis> {
        [Basis::ValidTime, Basis::KnownTime]
            .into_iter()
            .find(|basis| basis.name() == name)
    }
}

/// How long values are kept, and of those that are further back more than what is shown; without, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    pub keep: Option<calendar::Interval>,
    pub basis: Basis,
    pub keep_revisions: Option<calendar::Interval>,
}

impl Setting {
    /// Its intervals go forward, and end after time has begun. One that thins what is kept no longer than it keeps anything is one
    /// that was meant the other way round.
    pub fn check(&self) -> Result<()> {
        let check =
            |argument, interval: Option<calendar::Interval>| interval.map(|of| forward(argument, of)).transpose();
        check("keep", self.keep)?;
        check("keep_revisions", self.keep_revisions)?;
        let cutoffs = self.cutoffs(clock::now())?;
        match (cutoffs.begun, cutoffs.hidden) {
            (Some(begun), Some(hidden)) if hidden <= begun => {
                Err(Error::bad("keep_revisions", "must be shorter than \"keep\""))
            }
            _ => Ok(()),
        }
    }

    /// What is older than that by now.
    pub fn cutoffs(&self, now: Timestamptz) -> Result<Cutoffs> {
        let before =
            |argument, interval: Option<calendar::Interval>| interval.map(|of| before(now, argument, of)).transpose();
        let keep = before("keep", self.keep)?;
        Ok(Cutoffs {
            begun: keep.filter(|_| self.basis == Basis::ValidTime),
            known: keep.filter(|_| self.basis == Basis::KnownTime),
            hidden: before("keep_revisions", self.keep_revisions)?,
        })
    }
}

fn before(now: Timestamptz, argument: &'static str, of: calendar::Interval) -> Result<Time> {
    let found = BEFORE.read((now, to_postgres(of)?))?.pop();
    let time = found.and_then(|(at,)| Time::from_micros(at.0));
    time.ok_or_else(|| Error::interval_out_of_range(argument))
}

pub fn to_postgres(of: calendar::Interval) -> Result<Interval> {
    Interval::new(of.months, of.days, of.micros).map_err(|error| Error::Broken(format!("an interval: {error:?}")))
}

pub fn from_postgres(of: Interval) -> calendar::Interval {
    calendar::Interval {
        months: of.months(),
        days: of.days(),
        micros: of.micros(),
    }
}

/// That all of these are series of the tenant.
pub fn check_series(tenant: Uuid, series: &[Uuid]) -> Result<()> {
    let found = FOUND.read_fresh((tenant, series))?;
    let absent = series.iter().find(|id| !found.iter().any(|(found,)| found == *id));
    match absent {
        Some(id) => Err(Error::absent_id("series", *id)),
        None => Ok(()),
    }
}

pub fn set(tenant: Uuid, series: &[Uuid], setting: Setting, by: &str) -> Result<()> {
    let keep = setting.keep.map(to_postgres).transpose()?;
    let keep_revisions = setting.keep_revisions.map(to_postgres).transpose()?;
    SET.run((tenant, series, keep, setting.basis.name(), keep_revisions, by))
}

/// Ends what they have of their own.
pub fn end(tenant: Uuid, series: &[Uuid]) -> Result<()> {
    END.run((tenant, series))
}

/// Of each series of a tenant that something may go of, what.
pub fn cutoffs(tenant: Uuid, is_fresh: bool) -> Result<Vec<(Uuid, Cutoffs)>> {
    let all = if is_fresh {
        ALL.read_fresh((tenant,))?
    } else {
        ALL.read((tenant,))?
    };
    let now = clock::now();
    let mut of_series: HashMap<Uuid, Cutoffs> = HashMap::new();
    for (series, keep, basis, keep_revisions) in all {
        let basis = Basis::of(&basis).ok_or_else(|| Error::Broken("a basis of retention".into()))?;
        let setting = Setting {
            keep,
            basis,
            keep_revisions,
        };
        of_series.insert(series, setting.cutoffs(now)?);
    }
    let default = of_series.remove(&DEFAULT).unwrap_or_default();
    if default != Cutoffs::default() {
        let every = if is_fresh {
            EVERY_SERIES.read_fresh((tenant,))?
        } else {
            EVERY_SERIES.read((tenant,))?
        };
        for (series,) in every {
            of_series.entry(series).or_insert(default);
        }
    }
    let mut of_series: Vec<(Uuid, Cutoffs)> = of_series.into_iter().collect();
    of_series.retain(|(_, cutoffs)| *cutoffs != Cutoffs::default());
    of_series.sort_unstable_by_key(|(series, _)| *series);
    Ok(of_series)
}
