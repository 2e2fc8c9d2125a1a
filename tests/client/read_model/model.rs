//! What a tenant's values are, as plainly as the README says it: a list of versions, searched from end to end.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use uuid::Uuid;

use super::random::{Change, Key, Moment, Row};

pub struct Series {
    pub id: Uuid,
    pub key: String,
    pub unit: String,
    pub labels: Value,
}

pub struct Run {
    pub id: Uuid,
    pub known: Timestamp,
    pub workflow: String,
}

/// Which value of which run: by number of run and series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub run: usize,
    pub series: usize,
    pub key: Key,
}

/// What a version holds: it is always whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    value: Option<u64>,
    annotation: Option<String>,
    tags: Option<Vec<String>>,
}

struct Version {
    place: Place,
    change: Timestamp,
    changed_by: String,
    fields: Fields,
    is_uploaded: bool,
}

/// From when on, and until when, a run is shown by no read.
struct Withdrawal {
    run: usize,
    from: Timestamp,
    until: Option<Timestamp>,
}

pub enum Outcome {
    Created(Fields),
    Updated(Fields),
    Skipped(Timestamp),
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Flat,
    Overlapping,
}

/// The arguments of a read.
#[derive(Debug)]
pub struct Query {
    pub start_valid: Option<Timestamp>,
    pub end_valid: Option<Timestamp>,
    pub start_known: Option<Timestamp>,
    pub end_known: Option<Timestamp>,
    pub mode: Mode,
    pub all_versions: bool,
    pub series_keys: Option<Vec<String>>,
    pub series_ids: Option<Vec<Uuid>>,
    pub as_of: Option<Timestamp>,
    pub labels: Option<Value>,
    pub run_ids: Option<Vec<Uuid>>,
    pub workflow: Option<String>,
    /// Whether what an update wrote counts since it was written.
    pub corrections_count_when_made: bool,
    /// Of each start the cutoff.
    pub cutoffs: Option<BTreeMap<Timestamp, Timestamp>>,
}

impl Query {
    /// Of everything.
    pub fn of(mode: Mode) -> Query {
        Query {
            start_valid: None,
            end_valid: None,
            start_known: None,
            end_known: None,
            mode,
            all_versions: false,
            series_keys: None,
            series_ids: None,
            as_of: None,
            labels: None,
            run_ids: None,
            workflow: None,
            corrections_count_when_made: false,
            cutoffs: None,
        }
    }
}

/// A row of the answer. Values are compared bit for bit.
#[derive(Debug, PartialEq)]
pub struct Shown {
    pub known_time: Timestamp,
    pub valid_time: Timestamp,
    pub valid_time_end: Option<Timestamp>,
    pub series_id: Uuid,
    pub series_key: String,
    pub unit: String,
    pub value: Option<u64>,
    pub run_id: Uuid,
    pub change_time: Timestamp,
    pub changed_by: String,
    pub annotation: Option<String>,
    pub tags: Option<Vec<String>>,
    pub labels: Value,
}

pub struct World {
    pub series: Vec<Series>,
    pub runs: Vec<Run>,
    versions: Vec<Version>,
    withdrawals: Vec<Withdrawal>,
    /// How many versions there were before the call under way.
    before_call: usize,
}

impl Withdrawal {
    fn moments(&self) -> impl Iterator<Item = Timestamp> + use<> {
        [Some(self.from), self.until].into_iter().flatten()
    }
}

impl World {
    pub fn of(series: Vec<Series>) -> World {
        World {
            series,
            runs: Vec::new(),
            versions: Vec::new(),
            withdrawals: Vec::new(),
            before_call: 0,
        }
    }

    pub fn upload(&mut self, uploaded: Run, change: Timestamp, by: &str, rows: &[&Row]) {
        let run = self.runs.len();
        self.runs.push(uploaded);
        for row in rows {
            let place = Place {
                run,
                series: row.series,
                key: row.key,
            };
            let fields = Fields {
                value: row.value.map(f64::to_bits),
                ..Fields::default()
            };
            self.versions.push(Version {
                place,
                change,
                changed_by: by.to_owned(),
                fields,
                is_uploaded: true,
            });
        }
        self.end_call();
    }

    /// What an update writes.
    pub fn write(&mut self, place: Place, change: Timestamp, by: &str, fields: Fields) {
        let changed_by = by.to_owned();
        self.versions.push(Version {
            place,
            change,
            changed_by,
            fields,
            is_uploaded: false,
        });
    }

    pub fn withdraw(&mut self, run: usize, from: Timestamp) {
        let until = None;
        self.withdrawals.push(Withdrawal { run, from, until });
    }

    /// Ends the withdrawal that lasts.
    pub fn restore(&mut self, run: usize, until: Timestamp) {
        let mut of_run = self.withdrawals.iter_mut().filter(|withdrawal| withdrawal.run == run);
        let lasting = of_run.find(|withdrawal| withdrawal.until.is_none());
        lasting.expect("a withdrawal").until = Some(until);
    }

    /// The last withdrawal of a run: since when, and until when.
    pub fn last_withdrawal(&self, run: usize) -> Option<(Timestamp, Option<Timestamp>)> {
        let mut of_run = self.withdrawals.iter().filter(|withdrawal| withdrawal.run == run);
        of_run.next_back().map(|withdrawal| (withdrawal.from, withdrawal.until))
    }

    /// At that moment, or by now.
    fn is_withdrawn(&self, run: usize, as_of: Option<Timestamp>) -> bool {
        let mut of_run = self.withdrawals.iter().filter(|withdrawal| withdrawal.run == run);
        of_run.any(|Withdrawal { from, until, .. }| match as_of {
            None => until.is_none(),
            Some(moment) => *from <= moment && until.is_none_or(|until| moment < until),
        })
    }

    /// Whether somebody has asked for a change of what is withdrawn.
    pub fn any_is_withdrawn(&self, changes: &[Change]) -> bool {
        changes
            .iter()
            .any(|change| self.is_withdrawn(self.place(change).run, None))
    }

    /// Where values start.
    pub fn starts(&self) -> Vec<Timestamp> {
        let mut starts: Vec<Timestamp> = self.versions.iter().map(|version| version.place.key.start()).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    pub fn end_call(&mut self) {
        self.before_call = self.versions.len();
    }

    /// What each change of a call comes to: all of one value are made one after the other, and the outcome is that of them
    /// all.
    pub fn outcomes(&self, changes: &[Change]) -> Vec<(Place, Outcome)> {
        let outcome = |change| {
            let place = self.place(change);
            let of_value: Vec<&Change> = changes.iter().filter(|other| self.place(other) == place).collect();
            (place, self.outcome(place, &of_value))
        };
        changes.iter().map(outcome).collect()
    }

    fn place(&self, change: &Change) -> Place {
        Place {
            run: change.run.index(self.runs.len()),
            series: change.series,
            key: change.key,
        }
    }

    fn outcome(&self, place: Place, changes: &[&Change]) -> Outcome {
        let all = |fields| changes.iter().copied().fold(fields, changed);
        match self.current(place) {
            None if changes.iter().all(|change| change.value.is_none()) => Outcome::Refused,
            None => Outcome::Created(all(Fields::default())),
            Some(current) => {
                let fields = all(current.fields.clone());
                if fields == current.fields {
                    Outcome::Skipped(current.change)
                } else {
                    Outcome::Updated(fields)
                }
            }
        }
    }

    fn current(&self, place: Place) -> Option<&Version> {
        let versions = self.versions.iter().filter(|version| version.place == place);
        versions.max_by_key(|version| version.change)
    }

    pub fn named(&self, place: Place) -> (Uuid, Uuid, Timestamp, Option<Timestamp>) {
        let (run, series) = (self.runs[place.run].id, self.series[place.series].id);
        (run, series, place.key.start(), place.key.end())
    }

    /// The latest change of a run before the call under way.
    pub fn latest_change(&self, run: usize) -> Timestamp {
        let before = self.versions[..self.before_call].iter();
        let changes = before
            .filter(|version| version.place.run == run)
            .map(|version| version.change);
        let withdrawals = self.withdrawals.iter().filter(|withdrawal| withdrawal.run == run);
        changes
            .chain(withdrawals.flat_map(Withdrawal::moments))
            .max()
            .unwrap_or(Timestamp::MIN)
    }

    /// The change time of what the call under way has written to a run so far.
    pub fn change_of_call(&self, run: usize) -> Option<Timestamp> {
        let mut written = self.versions[self.before_call..].iter();
        written
            .find(|version| version.place.run == run)
            .map(|version| version.change)
    }

    /// Whether the call under way has written the value.
    pub fn is_written(&self, place: Place) -> bool {
        self.versions[self.before_call..]
            .iter()
            .any(|version| version.place == place)
    }

    /// A moment at, just before or just after something that happened.
    pub fn moment(&self, moment: Option<&Moment>) -> Option<Timestamp> {
        let moment = moment?;
        let changes = self.versions.iter().map(|version| version.change);
        let withdrawals = self.withdrawals.iter().flat_map(Withdrawal::moments);
        let known = self.runs.iter().map(|run| run.known);
        let mut happened: Vec<Timestamp> = changes.chain(withdrawals).chain(known).collect();
        happened.sort_unstable();
        if happened.is_empty() {
            return None;
        }
        Some(happened[moment.at.index(happened.len())] + moment.micros.microseconds())
    }

    pub fn read(&self, query: &Query) -> Vec<Shown> {
        let held: Vec<&Version> = self
            .versions
            .iter()
            .filter(|version| self.is_asked_for(version, query))
            .collect();
        let shown = held.iter().filter(|version| match query.mode {
            Mode::Overlapping => is_current(version, &held),
            Mode::Flat => self.is_newest_of_all_runs(version, &held),
        });
        let mut answer: Vec<&Version> = Vec::new();
        for shown in shown {
            answer.push(shown);
            let earlier = |version: &&&Version| version.place == shown.place && version.change < shown.change;
            if query.all_versions {
                answer.extend(held.iter().filter(earlier));
            }
        }
        answer.sort_by_key(|version| self.order(version));
        answer.into_iter().map(|version| self.row(version)).collect()
    }

    fn is_asked_for(&self, version: &Version, query: &Query) -> bool {
        let known = self.runs[version.place.run].known;
        let series = &self.series[version.place.series];
        let start = version.place.key.start();
        let named = match (&query.series_keys, &query.series_ids) {
            (None, None) => true,
            (keys, ids) => {
                keys.as_ref().is_some_and(|keys| keys.contains(&series.key))
                    || ids.as_ref().is_some_and(|ids| ids.contains(&series.id))
            }
        };
        let run = &self.runs[version.place.run];
        let counts_since = match query.corrections_count_when_made && !version.is_uploaded {
            true => known.max(version.change),
            false => known,
        };
        named
            && query
                .labels
                .as_ref()
                .is_none_or(|labels| contains(&series.labels, labels))
            && query.run_ids.as_ref().is_none_or(|runs| runs.contains(&run.id))
            && query.workflow.as_ref().is_none_or(|workflow| *workflow == run.workflow)
            && within(start, query.start_valid, query.end_valid)
            && within(known, query.start_known, None)
            && within(counts_since, None, query.end_known)
            && query
                .cutoffs
                .as_ref()
                .is_none_or(|cutoffs| counts_since <= cutoffs[&start])
            && query
                .as_of
                .is_none_or(|as_of| version.change <= as_of && known <= as_of)
            && !self.is_withdrawn(version.place.run, query.as_of)
    }

    /// Runs are numbered in the order of their uploads.
    fn is_newest_of_all_runs(&self, version: &Version, held: &[&Version]) -> bool {
        let rank = |version: &Version| {
            let run = version.place.run;
            (self.runs[run].known, run, version.change)
        };
        let same_value =
            |other: &&&Version| (other.place.series, other.place.key) == (version.place.series, version.place.key);
        held.iter().filter(same_value).all(|other| rank(other) <= rank(version))
    }

    fn order(&self, version: &Version) -> impl Ord + use<> {
        let (series, run) = (&self.series[version.place.series], &self.runs[version.place.run]);
        let key = version.place.key;
        let series_key = series.key.as_bytes().to_vec();
        (
            series_key,
            series.id,
            key.start(),
            key.end(),
            run.known,
            version.change,
            run.id,
        )
    }

    fn row(&self, version: &Version) -> Shown {
        let (series, run) = (&self.series[version.place.series], &self.runs[version.place.run]);
        Shown {
            known_time: run.known,
            valid_time: version.place.key.start(),
            valid_time_end: version.place.key.end(),
            series_id: series.id,
            series_key: series.key.clone(),
            unit: series.unit.clone(),
            value: version.fields.value,
            run_id: run.id,
            change_time: version.change,
            changed_by: version.changed_by.clone(),
            annotation: version.fields.annotation.clone(),
            tags: version.fields.tags.clone(),
            labels: series.labels.clone(),
        }
    }
}

/// Of labels that are texts.
fn contains(labels: &Value, asked: &Value) -> bool {
    let asked = asked.as_object().expect("an object");
    asked.iter().all(|(label, value)| labels.get(label) == Some(value))
}

fn is_current(version: &Version, held: &[&Version]) -> bool {
    let mut same = held.iter().filter(|other| other.place == version.place);
    same.all(|other| other.change <= version.change)
}

fn within(time: Timestamp, start: Option<Timestamp>, end: Option<Timestamp>) -> bool {
    start.is_none_or(|start| time >= start) && end.is_none_or(|end| time < end)
}

/// Absent leaves, null clears, a value sets; in the form that is stored.
fn changed(fields: Fields, change: &Change) -> Fields {
    let annotation = |text: &Option<String>| {
        let text = text.as_ref()?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let tags = |tags: &Option<Vec<String>>| {
        let mut tags: Vec<String> = tags.as_ref()?.iter().map(|tag| tag.trim().to_lowercase()).collect();
        tags.retain(|tag| !tag.is_empty());
        tags.sort();
        tags.dedup();
        (!tags.is_empty()).then_some(tags)
    };
    Fields {
        value: change.value.map_or(fields.value, |value| value.map(f64::to_bits)),
        annotation: change.annotation.as_ref().map_or(fields.annotation, annotation),
        tags: change.tags.as_ref().map_or(fields.tags, tags),
    }
}
