//! A client at random: it uploads, updates, compacts and logs in, until it is told to stop or the server is gone; what became of
//! each write goes into the record that all clients of its tenant share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{Timestamp, ToSpan};
use postgres::{Client, Error};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use timedb_testkit::{Database, Identity};
use uuid::Uuid;

use crate::model::{Fields, Place, Question, hour};
use crate::record::{Part, Record, Target, UPDATE, Written};

/// Series that all clients of a tenant write to.
const SERIES: [&str; 4] = ["wind", "sun", "heat", "load"];
const HOURS: i64 = 300;
/// What the keys of those begin with that have a label.
const LABELLED: &str = "new ";
/// Runs in a call of upload_runs.
const RUNS: i64 = 4;

/// What the clients of one tenant share.
pub struct Tenant {
    pub people: Identity,
    pub administrator: Identity,
    pub record: Mutex<Record>,
    pub keys: Mutex<Vec<Key>>,
}

/// A key whose making was acknowledged.
pub struct Key {
    pub id: Uuid,
    pub key: String,
    /// None where its end was asked for and the server went away.
    pub is_ended: Option<bool>,
}

/// What all clients share.
#[derive(Default)]
pub struct Signals {
    pub stop: AtomicBool,
    pub acknowledged: AtomicUsize,
}

/// Of names and values: no two are one.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Why a client has ended before it was told to.
pub enum Gone {
    Server,
}

fn number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Any other error is the end of the test.
#[track_caller]
fn gone(error: &Error) -> Gone {
    match error.as_db_error().map(|refusal| refusal.code().code()) {
        // What a backend says last, and what it says instead of letting somebody in.
        None | Some("57P01" | "57P02" | "57P03") => Gone::Server,
        Some(_) => panic!("a call fails: {error:?}"),
    }
}

pub fn or_gone<T>(result: Result<T, Error>) -> Result<T, Gone> {
    result.map_err(|error| gone(&error))
}

pub struct Player<'a> {
    pub database: &'a Database,
    pub tenant: &'a Tenant,
    pub signals: &'a Signals,
    pub random: StdRng,
    /// A series that nobody else writes to, whose uploads leave out what is unchanged.
    pub polled: String,
    client: Client,
}

impl<'a> Player<'a> {
    pub fn enter(
        database: &'a Database,
        tenant: &'a Tenant,
        signals: &'a Signals,
        number: usize,
        random: StdRng,
    ) -> Result<Self, Gone> {
        let client = connect(database)?;
        let polled = format!("polled by {number}");
        let mut player = Self {
            database,
            tenant,
            signals,
            random,
            polled,
            client,
        };
        player.login()?;
        Ok(player)
    }

    /// One operation after the other.
    pub fn play(&mut self) -> Result<(), Gone> {
        while !self.signals.stop.load(Ordering::Relaxed) {
            self.operation()?;
            self.signals.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Each with its weight. What takes back runs, or values that have grown old, has its place here, with what it wrote in the
    /// record.
    fn operation(&mut self) -> Result<(), Gone> {
        match self.random.random_range(0..100) {
            0..26 => self.upload(),
            26..34 => self.upload_points(),
            34..42 => self.upload_runs(),
            42..52 => self.poll(),
            52..72 => self.update(),
            72..80 => self.transaction(),
            80..88 => self.compact(),
            88..94 => self.log_in_anew(),
            _ => self.keys(),
        }
    }

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

    fn upload(&mut self) -> Result<(), Gone> {
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

    fn upload_points(&mut self) -> Result<(), Gone> {
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
    fn upload_runs(&mut self) -> Result<(), Gone> {
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
    fn poll(&mut self) -> Result<(), Gone> {
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

    fn update(&mut self) -> Result<(), Gone> {
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
    fn transaction(&mut self) -> Result<(), Gone> {
        let places = self.shared_places();
        let known = self.known();
        let mut upload = self.part(places, known);
        or_gone(self.client.batch_execute("BEGIN"))?;
        let run = or_gone(stored(&mut self.client, &upload, known))?;
        let of = target(&mut upload, run).pop().expect("what was uploaded");
        transaction_of(self, upload, &of)
    }

    fn compact(&mut self) -> Result<(), Gone> {
        let sql = "SELECT timedb.compact(older_than => '0')";
        or_gone(self.client.execute(sql, &[])).map(drop)
    }

    fn login(&mut self) -> Result<(), Gone> {
        let sql = "SELECT timedb.authenticate($1)";
        or_gone(self.client.execute(sql, &[&self.tenant.people.api_key])).map(drop)
    }

    fn log_in_anew(&mut self) -> Result<(), Gone> {
        match self.random.random_range(0..3) {
            0 => self.client = connect(self.database)?,
            1 => or_gone(self.client.batch_execute("SELECT timedb.logout()"))?,
            _ => {
                let refused = self.client.execute("SELECT timedb.authenticate('tdb_bad')", &[]);
                let error = refused.expect_err("it is no key");
                if error.code().is_none_or(|code| code.code() != "28000") {
                    return Err(gone(&error));
                }
            }
        }
        self.login()
    }

    /// Makes a key, or ends one.
    fn keys(&mut self) -> Result<(), Gone> {
        let login = "SELECT timedb.authenticate($1)";
        let mut administrator = connect(self.database)?;
        or_gone(administrator.execute(login, &[&self.tenant.administrator.api_key]))?;
        let standing = {
            let mut keys = lock(&self.tenant.keys);
            let standing = keys.iter_mut().rev().find(|key| key.is_ended == Some(false));
            // From here on nobody knows, until it is acknowledged.
            standing.filter(|_| self.random.random_bool(0.5)).map(|key| {
                key.is_ended = None;
                key.id
            })
        };
        let Some(id) = standing else {
            let name = format!("key {}", number());
            let sql = "SELECT key_id, api_key FROM timedb.create_key(user_id => $1, name => $2)";
            let row = or_gone(administrator.query_one(sql, &[&self.tenant.people.user_id, &name]))?;
            lock(&self.tenant.keys).push(Key {
                id: row.get(0),
                key: row.get(1),
                is_ended: Some(false),
            });
            return Ok(());
        };
        or_gone(administrator.execute("SELECT timedb.revoke_key($1)", &[&id]))?;
        let mut keys = lock(&self.tenant.keys);
        let key = keys.iter_mut().find(|key| key.id == id).expect("the key");
        key.is_ended = Some(true);
        Ok(())
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

fn connect(database: &Database) -> Result<Client, Gone> {
    database
        .server()
        .connect("app", database.name())
        .map_err(|_| Gone::Server)
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
