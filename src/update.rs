//! `update`: new versions of values, written so that of two clients at once neither loses a change.
//!
//! First the runs are marked as changed, in the order of their ids: that makes every other update of them wait, or fail
//! with 40001 where its snapshot is older. Only a later statement, with a newer snapshot, reads what there is.

use crate::answer::{Answer, Sheet};
use crate::cancel::answer_cancel;
use crate::cell::{self, Cell};
use crate::error::{Error, Result};
use crate::moment;
use crate::row::Row;
use crate::series;
use crate::session::Acting;
use crate::standing::Identity;
use crate::statement::{self, statements};
use crate::stored::{self, NewRows, Remark};
use pgrx::prelude::*;
use std::collections::{BTreeMap, HashMap};
use timedb_core::pack::Pack;
use timedb_core::points::{Key, Point, Points};
use timedb_core::rows::{Change, UpdateRow, read_updates};
use timedb_core::scope::Scope;
use timedb_core::span;
use timedb_core::time::Time;
use uuid::Uuid;

const MOST_UPDATES: usize = 100_000;
const LONGEST_JSON: usize = 64 << 20;

statements! {
    MARK_RUNS(UUIDOID, UUIDARRAYOID) =
        c"WITH marked AS MATERIALIZED (
            SELECT r.run_id FROM timedb.runs r
            WHERE r.tenant_id = $1 AND r.run_id = ANY ($2)
            ORDER BY r.run_id
            FOR NO KEY UPDATE)
          UPDATE timedb.runs r
          SET last_change_time = greatest(clock_timestamp(), r.last_change_time + interval '1 microsecond')
          FROM marked m
          WHERE r.tenant_id = $1 AND r.run_id = m.run_id
          RETURNING r.run_id, r.known_time, r.last_change_time";
    /// By the class of how long they reach, as a read does.
    STORED_ROWS(
        UUIDOID, UUIDARRAYOID, UUIDARRAYOID, INT2ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID
    ) = c"SELECT v.run_id, v.series_id, v.change_time, v.annotation, to_json(v.tags)::text, v.points
          FROM (SELECT unnest($2) AS run_id, unnest($3) AS series_id, unnest($4) AS span, unnest($5) AS earliest,
                       unnest($6) AS first_valid, unnest($7) AS last_valid) AS w
          JOIN timedb.values v
            ON v.tenant_id = $1 AND v.series_id = w.series_id AND v.span = w.span AND v.valid_from >= w.earliest
               AND v.valid_from <= w.last_valid AND v.run_id = w.run_id AND v.valid_to >= w.first_valid";
    STORED_PACKS(
        UUIDOID, UUIDARRAYOID, INT2ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID
    ) = c"SELECT p.series_id, p.versions
          FROM (SELECT unnest($2) AS series_id, unnest($3) AS span, unnest($4) AS earliest,
                       unnest($5) AS first_valid, unnest($6) AS last_valid) AS w
          JOIN timedb.packs p
            ON p.tenant_id = $1 AND p.series_id = w.series_id AND p.span = w.span AND p.valid_from >= w.earliest
               AND p.valid_from <= w.last_valid AND p.valid_to >= w.first_valid";
}

/// A version of a value: value, annotation and tags together.
#[derive(Clone, PartialEq)]
struct Version {
    value: Option<f64>,
    remark: Remark,
}

/// A version that is stored, and when it was written.
struct Stored {
    time: Time,
    version: Version,
}

/// What an update comes to.
enum Outcome {
    Created(Version),
    Updated(Version),
    Skipped(Time),
}

/// The runs and series of a call: all the updates of one such pair.
type Target = (Uuid, Uuid);

/// The keys to look for in each of them, sorted, each with the place of its update.
type Wanted = BTreeMap<Target, Vec<(Key, usize)>>;

#[pg_extern(sql = false)]
fn update(updates: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> Result<Answer> {
    let writer = Acting::with(Scope::Write)?;
    let json = updates.ok_or(Error::NullArgument("updates"))?;
    if json.len() > LONGEST_JSON {
        let reason = format!("is longer than {LONGEST_JSON} bytes");
        return Err(Error::TooLarge {
            argument: "updates",
            reason,
        }
        .into());
    }
    let updates = read_updates(json, MOST_UPDATES, &mut answer_cancel).map_err(Error::Row)?;
    let changes = mark_runs(writer.tenant, &updates)?;
    check_series(writer.tenant, &updates)?;
    let stored = stored_versions(writer.tenant, &updates)?;
    let outcomes: Vec<Outcome> = updates
        .iter()
        .zip(stored)
        .map(|(update, stored)| outcome(update, stored))
        .collect::<Result<_, Error>>()?;
    write(&writer, &updates, &outcomes, &changes)?;
    Ok(answer(fcinfo, &updates, &outcomes, &changes))
}

fn mark_runs(tenant: Uuid, updates: &[UpdateRow]) -> Result<HashMap<Uuid, stored::Change>> {
    let mut runs: Vec<Uuid> = updates.iter().map(|update| update.run_id).collect();
    runs.sort_unstable();
    runs.dedup();
    let found = statement::write(
        &MARK_RUNS,
        &[cell::uuid(tenant), cell::uuids(&runs)],
        |row| {
            let change = || {
                let run = row.uuid(1)?;
                let known = Time::from_micros(row.micros(2)?)?;
                let time = Time::from_micros(row.micros(3)?)?;
                Some((run, stored::Change { run, known, time }))
            };
            change().ok_or_else(|| Error::Broken("a run without its times".into()).into())
        },
    )?;
    let changes: HashMap<Uuid, stored::Change> = found.into_iter().collect();
    match updates
        .iter()
        .find(|update| !changes.contains_key(&update.run_id))
    {
        Some(update) => Err(absent(update, "run_id", "run", update.run_id).into()),
        None => Ok(changes),
    }
}

fn check_series(tenant: Uuid, updates: &[UpdateRow]) -> Result<()> {
    let mut ids: Vec<Uuid> = updates.iter().map(|update| update.series_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let known = series::by_id(tenant, &ids)?;
    match updates
        .iter()
        .find(|update| !known.contains_key(&update.series_id))
    {
        Some(update) => Err(absent(update, "series_id", "series", update.series_id).into()),
        None => Ok(()),
    }
}

fn absent(update: &UpdateRow, field: &str, what: &'static str, id: Uuid) -> Error {
    Error::AbsentInRow {
        path: format!("updates[{}].{field}", update.row),
        what,
        name: id.to_string(),
    }
}

/// The current version of each value to be updated, in the order of the updates.
fn stored_versions(tenant: Uuid, updates: &[UpdateRow]) -> Result<Vec<Option<Stored>>> {
    let wanted = wanted(updates);
    let mut stored: Vec<Option<Stored>> = updates.iter().map(|_| None).collect();
    statement::write(
        &STORED_ROWS,
        &Scans::of_targets(&wanted).rows(tenant),
        |row| keep_latest_of_row(&mut stored, &wanted, row),
    )?;
    statement::write(
        &STORED_PACKS,
        &Scans::of_series(&wanted).packs(tenant),
        |row| keep_latest_of_pack(&mut stored, &wanted, row),
    )?;
    Ok(stored)
}

/// Index scans, a column for each of their bounds: one for each class of spans of what is wanted.
#[derive(Default)]
struct Scans {
    runs: Vec<Uuid>,
    series: Vec<Uuid>,
    spans: Vec<i16>,
    earliest: Vec<i64>,
    first_valid: Vec<Time>,
    last_valid: Vec<Time>,
}

impl Scans {
    fn of_targets(wanted: &Wanted) -> Scans {
        let mut scans = Scans::default();
        for ((run, series), keys) in wanted {
            if let [((first, _), _), ..] = keys[..]
                && let [.., ((last, _), _)] = keys[..]
            {
                scans.add(*run, *series, first, last);
            }
        }
        scans
    }

    /// Of each series once, because a pack holds many runs.
    fn of_series(wanted: &Wanted) -> Scans {
        let mut windows: BTreeMap<Uuid, (Time, Time)> = BTreeMap::new();
        for ((_, series), keys) in wanted {
            for ((start, _), _) in keys {
                let (first, last) = windows.entry(*series).or_insert((*start, *start));
                (*first, *last) = ((*first).min(*start), (*last).max(*start));
            }
        }
        let mut scans = Scans::default();
        for (series, (first, last)) in windows {
            scans.add(Uuid::nil(), series, first, last);
        }
        scans
    }

    fn add(&mut self, run: Uuid, series: Uuid, first: Time, last: Time) {
        let earliest = span::earliest_starts(Some(first)).map(moment::lower_bound);
        for (class, earliest) in span::classes().into_iter().zip(earliest) {
            self.runs.push(run);
            self.series.push(series);
            self.spans.push(class);
            self.earliest.push(earliest);
            self.first_valid.push(first);
            self.last_valid.push(last);
        }
    }

    fn rows(&self, tenant: Uuid) -> [Cell; 7] {
        let [tenant, series, spans, earliest, first_valid, last_valid] = self.packs(tenant);
        let runs = cell::uuids(&self.runs);
        [
            tenant,
            runs,
            series,
            spans,
            earliest,
            first_valid,
            last_valid,
        ]
    }

    fn packs(&self, tenant: Uuid) -> [Cell; 6] {
        [
            cell::uuid(tenant),
            cell::uuids(&self.series),
            cell::smallints(&self.spans),
            cell::all_micros(&self.earliest),
            cell::times(&self.first_valid),
            cell::times(&self.last_valid),
        ]
    }
}

fn wanted(updates: &[UpdateRow]) -> Wanted {
    let mut wanted = Wanted::new();
    for (place, update) in updates.iter().enumerate() {
        let target = (update.run_id, update.series_id);
        wanted
            .entry(target)
            .or_default()
            .push(((update.start, update.end), place));
    }
    for keys in wanted.values_mut() {
        keys.sort_unstable();
    }
    wanted
}

fn keep_latest_of_row(stored: &mut [Option<Stored>], wanted: &Wanted, row: &Row) -> Result<()> {
    answer_cancel();
    let read = || {
        let tags = row.text(5).map(|tags| serde_json::from_str(&tags));
        let remark = Remark {
            annotation: row.text(4),
            tags: tags.transpose().ok()?,
        };
        let keys = wanted.get(&(row.uuid(1)?, row.uuid(2)?))?;
        Some((keys, Time::from_micros(row.micros(3)?)?, remark))
    };
    let (keys, time, remark) = read().ok_or_else(broken_row)?;
    let kept = row.payload(6, |bytes| {
        let points = Points::read(bytes).and_then(|points| points.open())?;
        keep_latest(stored, keys, time, &remark, points.iter());
        Ok(())
    });
    Ok(kept.ok_or_else(broken_row)?.map_err(Error::PointsStored)?)
}

/// A pack holds versions of many runs; its values are decoded once one of them is wanted.
fn keep_latest_of_pack(stored: &mut [Option<Stored>], wanted: &Wanted, row: &Row) -> Result<()> {
    answer_cancel();
    let series = row.uuid(1).ok_or_else(broken_row)?;
    let kept = row.payload(2, |bytes| {
        let pack = Pack::read(bytes)?;
        let mut values = Vec::new();
        for version in pack.versions() {
            let Some(keys) = wanted.get(&(version.run, series)) else {
                continue;
            };
            if values.is_empty() {
                pack.decode_values(&mut values)?;
            }
            let remark = Remark {
                annotation: version.annotation.map(str::to_owned),
                tags: version
                    .tags
                    .map(|tags| tags.iter().map(str::to_owned).collect()),
            };
            let points = version.open(&values);
            keep_latest(stored, keys, version.change, &remark, points.iter());
        }
        Ok(())
    });
    Ok(kept.ok_or_else(broken_row)?.map_err(Error::PointsStored)?)
}

fn broken_row() -> Error {
    Error::Broken("a stored row without its columns".into())
}

fn keep_latest(
    stored: &mut [Option<Stored>],
    keys: &[(Key, usize)],
    time: Time,
    remark: &Remark,
    points: impl Iterator<Item = Point>,
) {
    for point in points {
        let Ok(found) = keys.binary_search_by_key(&point.key(), |(key, _)| *key) else {
            continue;
        };
        let latest = &mut stored[keys[found].1];
        if latest.as_ref().is_none_or(|latest| latest.time < time) {
            let version = Version {
                value: point.value,
                remark: remark.clone(),
            };
            *latest = Some(Stored { time, version });
        }
    }
}

fn outcome(update: &UpdateRow, stored: Option<Stored>) -> Result<Outcome, Error> {
    let Some(Stored { time, version }) = stored else {
        if matches!(update.value, Change::Keep) {
            return Err(Error::AbsentInRow {
                path: format!("updates[{}]", update.row),
                what: "value",
                name: match update.end {
                    None => update.start.to_string(),
                    Some(end) => format!("{}/{end}", update.start),
                },
            });
        }
        let nothing = Version {
            value: None,
            remark: Remark::default(),
        };
        return Ok(Outcome::Created(changed(update, nothing)));
    };
    let new = changed(update, version.clone());
    let same_value = new.value.map(f64::to_bits) == version.value.map(f64::to_bits);
    Ok(if same_value && new.remark == version.remark {
        Outcome::Skipped(time)
    } else {
        Outcome::Updated(new)
    })
}

fn changed(update: &UpdateRow, version: Version) -> Version {
    Version {
        value: apply(&update.value, version.value),
        remark: Remark {
            annotation: apply(&update.annotation, version.remark.annotation),
            tags: apply(&update.tags, version.remark.tags),
        },
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
fn write(
    writer: &Identity,
    updates: &[UpdateRow],
    outcomes: &[Outcome],
    changes: &HashMap<Uuid, stored::Change>,
) -> Result<()> {
    let mut groups: BTreeMap<Target, HashMap<&Remark, Vec<Point>>> = BTreeMap::new();
    for (update, outcome) in updates.iter().zip(outcomes) {
        let (Outcome::Created(version) | Outcome::Updated(version)) = outcome else {
            continue;
        };
        let point = Point {
            start: update.start,
            end: update.end,
            value: version.value,
        };
        let target = groups.entry((update.run_id, update.series_id)).or_default();
        target.entry(&version.remark).or_default().push(point);
    }
    let mut new = NewRows::default();
    for ((run, series), remarks) in groups {
        let change = changes
            .get(&run)
            .ok_or_else(|| Error::Broken("a run not marked".into()))?;
        let mut part = 0;
        for (remark, mut points) in remarks {
            points.sort_unstable_by_key(Point::key);
            part = new.add(*change, series, part, &points, remark)?;
        }
    }
    new.insert(writer)
}

fn answer(
    fcinfo: pg_sys::FunctionCallInfo,
    updates: &[UpdateRow],
    outcomes: &[Outcome],
    changes: &HashMap<Uuid, stored::Change>,
) -> Answer {
    let mut sheet = Sheet::open(fcinfo);
    for (update, outcome) in updates.iter().zip(outcomes) {
        let written = changes.get(&update.run_id).map(|change| change.time);
        let (status, time) = match outcome {
            Outcome::Created(_) => ("created", written),
            Outcome::Updated(_) => ("updated", written),
            Outcome::Skipped(time) => ("skipped", Some(*time)),
        };
        sheet.put(&[
            cell::text(status),
            cell::uuid(update.run_id),
            cell::uuid(update.series_id),
            cell::time(update.start),
            update.end.and_then(cell::time),
            time.and_then(cell::time),
        ]);
    }
    sheet.close()
}
