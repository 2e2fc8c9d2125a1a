//! The values that the elements of an update name: their series, by id or by key and labels, and their runs, which may be left
//! out for the one whose value is shown. Afterwards the runs are locked.

use super::{each_once, name};
use crate::error::{Error, Result};
use crate::identity::session;
use crate::pg::cancel::answer_cancel;
use crate::pg::isolation::is_read_committed;
use crate::pg::statement::statements;
use crate::store::shown::{ByNow, Which};
use crate::store::withdrawn::Withdrawn;
use crate::verbs::labelled::{self, Labels};
use crate::verbs::series;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use timedb_core::clusters;
use timedb_core::points::Key;
use timedb_core::rows::{BadRows, Kind, Refusal};
use timedb_core::series_key::in_normal_form;
use timedb_core::time::Time;
use timedb_core::update::{GivenUpdate, GivenUpdates, Updates, ValueUpdate};
use timedb_core::upload::SeriesRef;
use uuid::Uuid;

statements! {
    LOCK_RUNS(Uuid, &[Uuid]) -> (Uuid,) =
        c"SELECT r.run_id
          FROM (SELECT w.run_id FROM (SELECT unnest($2) AS run_id) AS w ORDER BY w.run_id) AS w
          CROSS JOIN LATERAL (
            SELECT r.run_id
            FROM timedb.runs r
            WHERE r.tenant_id = $1 AND r.run_id = w.run_id
            OFFSET 0
            FOR NO KEY UPDATE) AS r";
}

/// An element, with its series, or why that is not there and which field is to blame.
struct Element {
    given: GivenUpdate,
    series: Result<Uuid, (&'static str, Refusal)>,
}

/// A value of a series, of whichever run.
type OfSeries = (Uuid, Key);

/// What the elements of a call come to, each by run and series; all those runs are locked.
pub fn named(tenant: Uuid, given: GivenUpdates) -> Result<Updates> {
    if given.rows.iter().any(|row| row.run.is_none()) {
        check_isolation()?;
    }
    let elements = with_series(tenant, given)?;
    let mut shown = shown(tenant, &elements)?;
    let given = elements.iter().filter_map(|element| element.given.run);
    let mut locked = lock_runs(tenant, given.chain(shown.values().copied()))?;
    check_references(&elements, &locked)?;
    check_withdrawn(tenant, &elements)?;
    // An upload that came in between may hide what has been locked.
    while !shown.is_empty() {
        answer_cancel();
        shown = self::shown(tenant, &elements)?;
        let others: Vec<Uuid> = shown.values().copied().filter(|run| !locked.contains(run)).collect();
        if others.is_empty() {
            break;
        }
        locked.extend(lock_runs(tenant, others.into_iter())?);
    }
    let mut bad = BadRows::default();
    let mut updates = Vec::with_capacity(elements.len());
    for (row, element) in elements.into_iter().enumerate() {
        match value_update(element, &shown)? {
            Ok(update) => updates.push(update),
            Err(key) => bad.add(Refusal::absent("value", name(key)).at(format!("updates[{row}]"))),
        }
    }
    bad.finish().map_err(Error::Row)?;
    Ok(Updates::of(updates.into_iter()))
}

/// An older snapshot would not show the run that hides another.
fn check_isolation() -> Result<()> {
    match is_read_committed() {
        true => Ok(()),
        false => Err(Error::Unsupported {
            what: "an update without \"run_id\" needs a transaction that is READ COMMITTED",
            hint: "The snapshot of any other may be older than what others have stored; in such a one give the \"run_id\".",
        }),
    }
}

/// The update of a value of a run; the value where no run shows it.
fn value_update(element: Element, shown: &HashMap<OfSeries, Uuid>) -> Result<Result<ValueUpdate, Key>> {
    let GivenUpdate {
        run,
        start,
        end,
        changes,
        ..
    } = element.given;
    let series_id = element.series.map_err(|(_, refusal)| Error::Broken(refusal.reason))?;
    let key = (start, end);
    let Some(run_id) = run.or_else(|| shown.get(&(series_id, key)).copied()) else {
        return Ok(Err(key));
    };
    Ok(Ok(ValueUpdate {
        run_id,
        series_id,
        start,
        end,
        changes,
    }))
}

fn lock_runs(tenant: Uuid, runs: impl Iterator<Item = Uuid>) -> Result<HashSet<Uuid>> {
    let found = LOCK_RUNS.write((tenant, &each_once(runs)))?;
    session::confirm()?;
    Ok(found.into_iter().map(|(run,)| run).collect())
}

/// Each element with its series.
fn with_series(tenant: Uuid, given: GivenUpdates) -> Result<Vec<Element>> {
    let labels = Labels::of(&given.labels).map_err(|(number, refusal)| of_labels(&given.rows, number, refusal))?;
    let references = || given.rows.iter().map(|row| &row.series);
    let ids = each_once(references().filter_map(|series| series.id));
    let by_id = series::by_id(tenant, &ids)?;
    let plain = references().filter(|series| series.id.is_none() && series.labels.is_none());
    let keys: BTreeSet<&str> = plain.filter_map(|series| series.key.as_deref()).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    let by_key = series::by_key(tenant, &keys)?;
    let addresses = references().filter_map(|series| Some((series.key.as_deref()?, series.labels?, series.id)));
    let by_labels = labelled::find(tenant, addresses, &labels)?;
    let found = |series: &SeriesRef| match series {
        SeriesRef {
            id: Some(id),
            key,
            labels,
            ..
        } => {
            let known = by_id
                .get(id)
                .ok_or_else(|| (".series_id", Refusal::absent("series", id)))?;
            let agrees = key.as_deref().is_none_or(|key| {
                let is_its_key = key == known.key || in_normal_form(key).is_some_and(|normal| normal == known.key);
                is_its_key && labels.is_none_or(|labels| by_labels.id(key, labels) == Some(*id))
            });
            let other = "is not the series that \"value_key\" and \"labels\" name";
            match agrees {
                true => Ok(*id),
                false => Err((".series_id", Refusal::new(Kind::BadValue, other))),
            }
        }
        SeriesRef {
            key: Some(key),
            labels: Some(labels),
            ..
        } => by_labels.id(key, *labels).ok_or_else(|| {
            let reason = format!("series {key:?} with these labels does not exist");
            (".value_key", Refusal::new(Kind::Absent, reason))
        }),
        SeriesRef { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            let id = by_key.id(key);
            id.ok_or_else(|| {
                (
                    ".value_key",
                    Refusal::new(Kind::Absent, format!("series {key:?} does not exist")),
                )
            })
        }
    };
    let series: Vec<_> = references().map(found).collect();
    let elements = given.rows.into_iter().zip(series);
    Ok(elements.map(|(given, series)| Element { given, series }).collect())
}

/// The refusal of labels, of the first row that has them.
fn of_labels(rows: &[GivenUpdate], number: usize, refusal: Refusal) -> Error {
    let has_them = |row: &GivenUpdate| row.series.labels.is_some_and(|labels| labels as usize == number);
    let row = rows.iter().position(has_them).unwrap_or_default();
    Error::Row(refusal.at(format!("updates[{row}].labels")))
}

/// Every row whose run or series is not there is bad.
fn check_references(elements: &[Element], runs: &HashSet<Uuid>) -> Result<()> {
    let mut bad = BadRows::default();
    for (row, Element { given, series }) in elements.iter().enumerate() {
        let refused = match (given.run.filter(|run| !runs.contains(run)), series) {
            (Some(run), _) => Some((".run_id", Refusal::absent("run", run))),
            (None, Err((field, refusal))) => Some((*field, refusal.clone())),
            (None, Ok(_)) => None,
        };
        if let Some((field, refusal)) = refused {
            bad.add(refusal.at(format!("updates[{row}]{field}")));
        }
    }
    bad.finish().map_err(Error::Row)
}

/// Every row whose run is withdrawn is bad: nobody would see what it writes. The runs are locked, so that none will be.
fn check_withdrawn(tenant: Uuid, elements: &[Element]) -> Result<()> {
    let mut withdrawn = Withdrawn::by_now(tenant)?;
    if withdrawn.is_none() {
        return Ok(());
    }
    withdrawn.look_up(elements.iter().filter_map(|element| element.given.run))?;
    let mut bad = BadRows::default();
    for (row, element) in elements.iter().enumerate() {
        if let Some(run) = element.given.run.filter(|run| withdrawn.holds(run)) {
            let refusal = Refusal::new(Kind::Withdrawn, format!("run \"{run}\" is withdrawn"));
            bad.add(refusal.hint(RESTORE_FIRST).at(format!("updates[{row}].run_id")));
        }
    }
    bad.finish().map_err(Error::Row)
}

const RESTORE_FIRST: &str =
    "Restore it with timedb.restore_run() first; without \"run_id\" the value that is shown is changed.";

/// The run whose value a flat read shows by now, of each value that is named without one.
fn shown(tenant: Uuid, elements: &[Element]) -> Result<HashMap<OfSeries, Uuid>> {
    let mut wanted: BTreeMap<Uuid, BTreeSet<Key>> = BTreeMap::new();
    for Element { given, series } in elements {
        if let (None, Ok(series)) = (given.run, series) {
            wanted.entry(*series).or_default().insert((given.start, given.end));
        }
    }
    // Series of which the same times are asked are fetched together.
    let mut by_windows: BTreeMap<Vec<(Time, Time)>, Vec<Uuid>> = BTreeMap::new();
    for (series, keys) in &wanted {
        let times: Vec<Time> = keys.iter().map(|(start, _)| *start).collect();
        by_windows.entry(clusters::around(&times)).or_default().push(*series);
    }
    let mut shown = HashMap::new();
    for (windows, of_windows) in by_windows {
        let mut by_now = ByNow::within(tenant, &of_windows, &windows, None)?;
        for series in of_windows {
            answer_cancel();
            by_now.next(Which::Current, |version, point| {
                if wanted[&series].contains(&point.key()) {
                    shown.insert((series, point.key()), version.run);
                }
            })?;
        }
    }
    Ok(shown)
}
