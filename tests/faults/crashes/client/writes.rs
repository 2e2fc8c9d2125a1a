//! What it writes, and how that goes into the record.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use postgres::error::SqlState;
use postgres::{Client, Error};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Gone, Player, gone, lock, number, or_gone};
use crate::model::{Fields, Place, Question, hour};
use crate::record::{Part, Target, UPDATE, Written};

/// Series that all clients of a tenant write to.
const SERIES: [&str; 4] = ["wind", "sun", "heat", "load"];
const HOURS: i64 = 300;
/// What the keys of those begin with that have a label.
const LABELLED: &str = "new ";
/// Runs in a call of upload_runs.
const RUNS: i64 = 4;

impl Player<'_> {
    /// A value that is there once, but for some nulls.
    fn value(&mut self) -> Option<f64> {
        let value = number() as f64 + 0.25;
        (self.random.random_range(0..20) > 0).then_some(value)
    }

    /// Different places of one series.
    fn places(&mut self, series: &str, most: i64) -> Vec<Place> {
        let start = self.random.random_range(0..HOURS);
        let count = self.random.random_range(1..=most);
        let place = |at: i64| {
            let end = (series == "heat").then(|| hour(at) + 1.hour());
            (series.to_owned(), hour(at), end)
        };
        (start..start + count).map(place).collect()
    }

    fn shared_places(&mut self) -> Vec<Place> {
        let series = SERIES.choose(&mut self.random).expect("a series");
        let mut places = self.places(series, 12);
        // Sometimes old ones, beside one that lasts.
        if self.random.random_range(0..5) == 0 {
            for place in &mut places[1..] {
                place.1 -= (2_000 * 60).minutes();
                place.2 = place.2.map(|end| end - (2_000 * 60).minutes());
            }
        }
        // Sometimes one that is new, with a label.
        if self.random.random_range(0..8) == 0 {
            let own = format!("{LABELLED}{}", number());
            places.extend(self.places(&own, 3));
        }
        places
    }

    fn versions(&mut self, places: Vec<Place>, known: Option<Timestamp>) -> Vec<Written> {
        let version = |place| {
            let annotation = (self.random.random_range(0..6) == 0).then(|| "seen \"twice\"".to_owned());
            let fields = Fields {
                value: self.value().map(f64::to_bits),
                annotation,
                tags: None,
            };
            Written {
                place,
                fields,
                known,
                change: None,
                run: None,
            }
        };
        places.into_iter().map(version).collect()
    }

    fn known(&mut self) -> Option<Timestamp> {
        let known = hour(self.random.random_range(-6..0));
        self.random.random_bool(0.6).then_some(known)
    }

    pub fn upload(&mut self) -> Result<(), Gone> {
        let known = self.known();
        let places = self.shared_places();
        let part = self.part(places, known);
        let run = stored(&mut self.client, &part, known);
        self.settle(run, vec![part], |parts, run| target(&mut parts[0], run))
    }

    fn part(&mut self, places: Vec<Place>, known: Option<Timestamp>) -> Part {
        let name = format!("upload {}", number());
        let versions = self.versions(places, known);
        Part { name, versions }
    }

    pub fn upload_points(&mut self) -> Result<(), Gone> {
        let known = self.known();
        let places = self.places("load", 60);
        let mut part = self.part(places, known);
        for version in &mut part.versions {
            version.fields.annotation = None;
        }
        let keys: Vec<&str> = part.versions.iter().map(|version| &*version.place.0).collect();
        let times: Vec<Timestamp> = part.versions.iter().map(|version| version.place.1).collect();
        let values: Vec<Option<f64>> = part.versions.iter().map(value).collect();
        let sql = "SELECT run_id FROM timedb.upload_points(now(), $1, $2, $3, workflow_id => $4, known_time => $5)";
        let run = self
            .client
            .query_one(sql, &[&keys, &times, &values, &part.name, &known]);
        self.settle(run.map(|row| row.get(0)), vec![part], |parts, run| {
            target(&mut parts[0], run)
        })
    }

    /// All of them or none.
    pub fn upload_runs(&mut self) -> Result<(), Gone> {
        let name = number();
        let mut parts = Vec::new();
        let mut rows = Vec::new();
        for run in 0..self.random.random_range(1..=RUNS) {
            let known = hour(-run);
            let places = self.shared_places();
            let versions = self.versions(places, Some(known));
            let name = format!("runs {name} {run}");
            for version in &versions {
                let mut row = row(version);
                row["known_time"] = json!(known.to_string());
                row["workflow_id"] = json!(name);
                rows.push(row);
            }
            parts.push(Part { name, versions });
        }
        let sql = "SELECT run_id, workflow_id FROM timedb.upload_runs($1)";
        let answer = self.client.query(sql, &[&Value::from(rows)]);
        let runs = answer.map(|rows| rows.iter().map(|row| (row.get(1), row.get(0))).collect());
        self.settle(runs, parts, |parts, runs: BTreeMap<String, Uuid>| {
            assert_eq!(runs.len(), parts.len());
            parts
                .iter_mut()
                .flat_map(|part| target(part, runs[&part.name]))
                .collect()
        })
    }

    /// Some of what is shown, and something else beside: only the latter is stored.
    pub fn poll(&mut self) -> Result<(), Gone> {
        let series = [self.polled.clone()];
        let shown = or_gone(Question::flat().ask(&mut self.client, Some(&series)))?;
        let shown: BTreeMap<Place, Option<u64>> = shown
            .into_iter()
            .map(|version| (version.place, version.fields.value))
            .collect();
        let places = self.places(&series[0], 10);
        let mut part = self.part(places, None);
        for version in &mut part.versions {
            version.fields.annotation = None;
            if let Some(value) = shown.get(&version.place)
                && self.random.random_bool(0.7)
            {
                version.fields.value = *value;
            }
        }
        let rows: Vec<Value> = part.versions.iter().map(row).collect();
        part.versions
            .retain(|version| shown.get(&version.place) != Some(&version.fields.value));
        let sql = "SELECT run_id, written FROM timedb.upload(now(), $1, workflow_id => $2, skip_unchanged => true)";
        let answer = self.client.query_one(sql, &[&Value::from(rows), &part.name]);
        let answer = answer.map(|row| (row.get(0), row.get(1)));
        self.settle(answer, vec![part], |parts, (run, written): (Option<Uuid>, i64)| {
            assert_eq!(parts[0].versions.len() as i64, written, "{parts:?}");
            assert_eq!(run.is_some(), written > 0);
            run.into_iter().for_each(|run| {
                target(&mut parts[0], run);
            });
            Vec::new()
        })
    }

    pub fn update(&mut self) -> Result<(), Gone> {
        let of = lock(&self.tenant.record).targets.choose(&mut self.random).cloned();
        let Some(of) = of else {
            return self.upload();
        };
        let part = self.update_of(&of);
        let answer = updated(&mut self.client, &part);
        self.settle(answer, vec![part], |parts, changes| {
            changed(&mut parts[0], changes);
            Vec::new()
        })
    }

    /// Some values of a run, and perhaps one that it does not have yet; sometimes of whichever run is shown.
    fn update_of(&mut self, of: &Target) -> Part {
        let name = format!("{UPDATE}{}", number());
        let is_of_shown = self.random.random_range(0..4) == 0;
        let mut places: Vec<Place> = of.places.sample(&mut self.random, 4).cloned().collect();
        if !is_of_shown && self.random.random_range(0..4) == 0 {
            let far = hour(HOURS * 2 + self.random.random_range(0..1_000));
            places.push((of.places[0].0.clone(), far, None));
        }
        let version = |place| Written {
            place,
            fields: Fields {
                value: self.value().map(f64::to_bits),
                annotation: Some(name.clone()),
                tags: Some(vec!["a".to_owned(), "checked".to_owned()]),
            },
            known: None,
            change: None,
            run: (!is_of_shown).then_some(of.run),
        };
        let versions = places.into_iter().map(version).collect();
        Part { name, versions }
    }

    /// An upload and an update of it: both or neither, and sometimes neither is what is asked for.
    pub fn transaction(&mut self) -> Result<(), Gone> {
        let places = self.shared_places();
        let known = self.known();
        let mut upload = self.part(places, known);
        or_gone(self.client.batch_execute("BEGIN"))?;
        let run = or_gone(stored(&mut self.client, &upload, known))?;
        let of = target(&mut upload, run).pop().expect("what was uploaded");
        transaction_of(self, upload, &of)
    }

    /// Records what a call has come to; `learn` takes from its answer what the server has chosen, and says what may be updated.
    fn settle<T>(
        &mut self,
        answer: Result<T, Error>,
        mut parts: Vec<Part>,
        learn: impl FnOnce(&mut Vec<Part>, T) -> Vec<Target>,
    ) -> Result<(), Gone> {
        match answer {
            Ok(answer) => {
                let targets = learn(&mut parts, answer);
                parts.retain(|part| !part.versions.is_empty());
                let mut record = lock(&self.tenant.record);
                record.targets.extend(targets);
                record.acknowledge(parts);
                Ok(())
            }
            // Of a run that somebody withdraws meanwhile nothing is updated, nor of a value that is gone or hidden by then.
            Err(error) if matches!(error.code().map(SqlState::code), Some("55000" | "42704")) => {
                assert!(parts.iter().all(|part| part.name.starts_with(UPDATE)), "{error:?}");
                Ok(())
            }
            Err(error) => {
                parts.retain(|part| !part.versions.is_empty());
                lock(&self.tenant.record).doubt(parts);
                Err(gone(&error))
            }
        }
    }
}

/// Goes on in a transaction that has uploaded.
fn transaction_of(player: &mut Player, upload: Part, of: &Target) -> Result<(), Gone> {
    let update = player.update_of(of);
    let answer = updated(&mut player.client, &update);
    let mut parts = vec![upload, update];
    let changes = or_gone(answer)?;
    changed(&mut parts[1], changes);
    if player.random.random_range(0..4) == 0 {
        return or_gone(player.client.batch_execute("ROLLBACK"));
    }
    let answer = player.client.batch_execute("COMMIT");
    let of = of.clone();
    player.settle(answer, parts, |_, ()| vec![of])
}

fn value(version: &Written) -> Option<f64> {
    version.fields.value.map(f64::from_bits)
}

/// A row of an upload, or an element of an update.
fn row(version: &Written) -> Value {
    let (series, start, end) = &version.place;
    let mut row = json!({"value_key": series, "valid_time": start.to_string(), "value": value(version)});
    if series.starts_with(LABELLED) {
        row["labels"] = json!({"made": series});
    }
    if let Some(end) = end {
        row["valid_time_end"] = json!(end.to_string());
    }
    if let Some(annotation) = &version.fields.annotation {
        row["annotation"] = json!(annotation);
    }
    if let Some(tags) = &version.fields.tags {
        row["tags"] = json!(tags);
    }
    if let Some(run) = version.run {
        row["run_id"] = json!(run.to_string());
    }
    row
}

fn stored(client: &mut Client, part: &Part, known: Option<Timestamp>) -> Result<Uuid, Error> {
    let rows: Vec<Value> = part.versions.iter().map(row).collect();
    let sql = "SELECT run_id FROM timedb.upload(now(), $1, workflow_id => $2, known_time => $3)";
    let row = client.query_one(sql, &[&Value::from(rows), &part.name, &known])?;
    Ok(row.get(0))
}

/// The run of what was uploaded, which may be updated from then on.
fn target(part: &mut Part, run: Uuid) -> Vec<Target> {
    for version in &mut part.versions {
        version.run = Some(run);
    }
    let places = part.versions.iter().map(|version| version.place.clone()).collect();
    vec![Target { run, places }]
}

/// The run and change time of each element.
type Changes = Vec<(Uuid, Timestamp)>;

fn updated(client: &mut Client, part: &Part) -> Result<Changes, Error> {
    let updates: Vec<Value> = part.versions.iter().map(row).collect();
    let sql = "SELECT run_id, change_time FROM timedb.update($1)";
    let rows = client.query(sql, &[&Value::from(updates)])?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn changed(part: &mut Part, changes: Changes) {
    assert_eq!(part.versions.len(), changes.len());
    for (version, (run, change)) in part.versions.iter_mut().zip(changes) {
        assert!(version.run.is_none_or(|named| named == run));
        (version.run, version.change) = (Some(run), Some(change));
    }
}
