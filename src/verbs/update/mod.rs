//! `update`: new versions of values, written so that of two clients at once neither loses a change.
//!
//! First the runs are locked, in the order of their ids: that makes every other update of them wait. Only a later statement,
//! with a newer snapshot, reads what there is. Those that change are marked, so that an update whose snapshot is older than
//! that fails with 40001 when it locks them.

mod named;

use crate::error::{Error, Reported, Result, SPLIT};
use crate::identity::limits::limits;
use crate::identity::session::{self, Acting};
use crate::identity::standing::Identity;
use crate::pg::cancel::answer_cancel;
use crate::pg::result::{Returned, Rows};
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::store::keys::{Current, Target, Wanted};
use crate::store::write::{NewRows, are_counted};
use named::named;
use pgrx::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use timedb_core::limits::LONGEST_UPDATES;
use timedb_core::points::{Key, Point};
use timedb_core::rows::{BadRows, Refusal};
use timedb_core::scope::Scope;
use timedb_core::time::Time;
use timedb_core::update::{Change, Updates, ValueUpdate, read_json};
use timedb_core::version::{Remark, Version};
use uuid::Uuid;

/// Nothing is inserted: in conflict with what is locked, a row finds it by its index, where the join of an UPDATE could be
/// turned round.
macro_rules! marked_runs {
    ($changed:literal) => {
        concat!(
            " FROM (SELECT unnest($2) AS run_id, unnest($4) AS created) AS w
              CROSS JOIN LATERAL (
                SELECT r.run_id, r.run_start_time, r.known_time, r.changed_by, r.inserted_at, r.last_change_time
                FROM timedb.runs r
                WHERE r.tenant_id = $1 AND r.run_id = w.run_id
                OFFSET 0) AS r
              ON CONFLICT (tenant_id, run_id) DO UPDATE
              SET last_change_time = greatest(clock_timestamp(), $3, runs.last_change_time + interval '1 microsecond')",
            $changed,
            " RETURNING run_id, known_time, last_change_time"
        )
    };
}

statements! {
    MARK_RUNS(Uuid, &[Uuid], Timestamptz, &[i64]) -> (Uuid, Time, Time) =
        sql!("INSERT INTO timedb.runs (tenant_id, run_id, run_start_time, known_time, changed_by, inserted_at,
                                       last_change_time, value_count)
              SELECT $1, r.run_id, r.run_start_time, r.known_time, r.changed_by, r.inserted_at, r.last_change_time, w.created",
             marked_runs!(", value_count = runs.value_count + excluded.value_count"));
    /// As a database of 0.1.0 has them.
    MARK_RUNS_BEFORE(Uuid, &[Uuid], Timestamptz, &[i64]) -> (Uuid, Time, Time) =
        sql!("INSERT INTO timedb.runs (tenant_id, run_id, run_start_time, known_time, changed_by, inserted_at,
                                       last_change_time)
              SELECT $1, r.run_id, r.run_start_time, r.known_time, r.changed_by, r.inserted_at, r.last_change_time",
             marked_runs!(""));
}

/// A value with what is said of it.
#[derive(Clone, PartialEq)]
struct Content {
    value: Option<f64>,
    annotation: Option<String>,
    tags: Option<Vec<String>>,
}

/// What the update of a value comes to.
enum Outcome {
    Created(Content),
    Updated(Content),
    Skipped(Time),
}

/// The known time of each run, and the change time of what this call writes to it.
type Marked = HashMap<Uuid, (Time, Time)>;

/// `update` in a database of 0.1.0.
#[pg_extern(sql = false)]
fn update(updates: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    write_versions(updates, fcinfo)
}

/// By a name of its own, which a session that has still loaded the library of 0.1.0 does not find: that would not tell since when
/// it writes, and nobody would count what it adds.
#[pg_extern(sql = false)]
fn reconnect_update(updates: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    write_versions(updates, fcinfo)
}

fn write_versions(updates: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let writer = Acting::with(Scope::Write)?;
    let json = updates.ok_or(Error::NullArgument("updates"))?;
    if json.len() > LONGEST_UPDATES {
        let reason = format!("is longer than {LONGEST_UPDATES} bytes");
        return Err(Error::TooLarge {
            argument: "updates",
            reason,
            hint: SPLIT,
        }
        .into());
    }
    let given = read_json(json, writer.tenant, &limits(), &mut answer_cancel).map_err(Error::Row)?;
    let updates = named(writer.tenant, given)?;
    let of_values = &updates.of_values;
    let outcomes = outcomes(writer.tenant, &updates)?;
    let marked = mark_runs(writer.tenant, of_values, &outcomes)?;
    write(&writer, of_values, &outcomes, &marked)?;
    Ok(answer(fcinfo, &updates, &outcomes, &marked)?)
}

/// Marks the runs that something is written to, and counts what they did not have; where everything is as asked for already,
/// nothing is.
fn mark_runs(tenant: Uuid, updates: &[ValueUpdate], outcomes: &[Outcome]) -> Result<Marked> {
    let changed = updates
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Skipped(_)));
    let mut created: BTreeMap<Uuid, i64> = BTreeMap::new();
    for (update, outcome) in changed {
        *created.entry(update.run_id).or_default() += i64::from(matches!(outcome, Outcome::Created(_)));
    }
    if created.is_empty() {
        return Ok(Marked::new());
    }
    let (runs, created): (Vec<Uuid>, Vec<i64>) = created.into_iter().unzip();
    // Before the statement reads the clock.
    let told = session::begin_to_write(tenant)?;
    let mark = if are_counted() { &MARK_RUNS } else { &MARK_RUNS_BEFORE };
    let found = mark.write((tenant, &runs, told.moment(), &created))?;
    let marked = |(run, known, change)| (run, (known, change));
    Ok(found.into_iter().map(marked).collect())
}

fn each_once(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The rows that are refused for the value that they name, by the place of its update.
fn refuse_each_row(updates: &Updates, refused: impl Fn(usize) -> Option<(&'static str, Refusal)>) -> Result<()> {
    let mut bad = BadRows::default();
    for (row, &place) in updates.rows.iter().enumerate() {
        if let Some((field, refusal)) = refused(place) {
            bad.add(refusal.at(format!("updates[{row}]{field}")));
        }
    }
    bad.finish().map_err(Error::Row)
}

/// What a value is called that is not there: when it would be valid.
fn name((start, end): Key) -> String {
    match end {
        None => start.to_string(),
        Some(end) => format!("{start}/{end}"),
    }
}

fn target(update: &ValueUpdate) -> Target {
    (update.run_id, update.series_id)
}

/// What each update comes to, in their order.
fn outcomes(tenant: Uuid, updates: &Updates) -> Result<Vec<Outcome>> {
    let of_values = &updates.of_values;
    let keys = of_values
        .iter()
        .map(|update| (target(update), (update.start, update.end)));
    let current = Wanted::of(keys).current(tenant)?;
    refuse_each_row(updates, |place| {
        let update = &of_values[place];
        let is_absent = current[place].is_none() && matches!(update.changes.value, Change::Keep);
        is_absent.then(|| ("", Refusal::absent("value", name((update.start, update.end)))))
    })?;
    let each = of_values.iter().zip(current);
    Ok(each.map(|(update, current)| outcome(update, current)).collect())
}

fn outcome(update: &ValueUpdate, current: Option<Current>) -> Outcome {
    let Some(current) = current else {
        let nothing = Content {
            value: None,
            annotation: None,
            tags: None,
        };
        return Outcome::Created(changed(update, nothing));
    };
    let old = Content {
        value: current.value,
        annotation: current.remark.annotation.clone(),
        tags: current.remark.tags.clone(),
    };
    let new = changed(update, old.clone());
    let same_value = new.value.map(f64::to_bits) == old.value.map(f64::to_bits);
    let same_remark = new.annotation == old.annotation && new.tags == old.tags;
    if same_value && same_remark {
        Outcome::Skipped(current.change)
    } else {
        Outcome::Updated(new)
    }
}

fn changed(update: &ValueUpdate, content: Content) -> Content {
    Content {
        value: apply(&update.changes.value, content.value),
        annotation: apply(&update.changes.annotation, content.annotation),
        tags: apply(&update.changes.tags, content.tags),
    }
}

fn apply<T: Clone>(change: &Change<T>, current: Option<T>) -> Option<T> {
    match change {
        Change::Keep => current,
        Change::Clear => None,
        Change::Set(new) => Some(new.clone()),
    }
}

/// Updates of one run and series with equal annotation and tags share a row.
fn write(writer: &Identity, updates: &[ValueUpdate], outcomes: &[Outcome], marked: &Marked) -> Result<()> {
    let mut groups: BTreeMap<Target, HashMap<Remark, Vec<Point>>> = BTreeMap::new();
    for (update, outcome) in updates.iter().zip(outcomes) {
        let (Outcome::Created(content) | Outcome::Updated(content)) = outcome else {
            continue;
        };
        let point = Point {
            start: update.start,
            end: update.end,
            value: content.value,
        };
        let remark = Remark {
            annotation: content.annotation.clone(),
            tags: content.tags.clone(),
            ..Remark::by(writer.name())
        };
        let of_target = groups.entry(target(update)).or_default();
        of_target.entry(remark).or_default().push(point);
    }
    let mut new = NewRows::default();
    for ((run, series), remarks) in groups {
        let &(known, change) = marked
            .get(&run)
            .ok_or_else(|| Error::Broken("a run not marked".into()))?;
        let mut part = 0;
        for (remark, mut points) in remarks {
            points.sort_unstable_by_key(Point::key);
            let version = Version {
                run,
                known,
                change,
                remark: Rc::new(remark),
            };
            part = new.add(&version, series, part, &points)?;
        }
    }
    new.insert(writer.tenant)
}

/// A row for each element, be it that several name one value.
fn answer(
    fcinfo: pg_sys::FunctionCallInfo,
    updates: &Updates,
    outcomes: &[Outcome],
    marked: &Marked,
) -> Result<Returned> {
    let mut rows = Rows::<(&str, Uuid, Uuid, Time, Option<Time>, Option<Time>)>::open(fcinfo)?;
    for &place in &updates.rows {
        let (update, outcome) = (&updates.of_values[place], &outcomes[place]);
        let written = marked.get(&update.run_id).map(|(_, change)| *change);
        let (status, change) = match outcome {
            Outcome::Created(_) => ("created", written),
            Outcome::Updated(_) => ("updated", written),
            Outcome::Skipped(change) => ("skipped", Some(*change)),
        };
        let (run, series) = target(update);
        rows.put((status, run, series, update.start, update.end, change));
    }
    Ok(rows.close())
}
