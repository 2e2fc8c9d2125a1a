//! Whatever is written, corrected and packed at random, retention leaves what the rules say, as a model keeps it row by row.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use timedb_testkit::{Database, assert_ordinary, one, run};
use uuid::Uuid;

use super::{Applied, apply, since, wet};
use crate::cases::Cases;
use crate::support::{hour, update, value_update};

const HOUR: i64 = 3_600_000_000;
/// The beginning of 2025, in microseconds since 1970.
const BEGINNING: i64 = 1_735_689_600_000_000;

#[derive(Clone, Debug)]
enum Write {
    /// Values at hours, so many apart; all are intervals, or none.
    Upload {
        series: usize,
        start: i64,
        step: i64,
        values: usize,
        are_intervals: bool,
        known: i64,
    },
    /// A value of a run, with another value and remark.
    Update {
        of: Index,
        value: Index,
        remark: usize,
    },
    Compact,
}

const SERIES: [&str; 2] = ["a", "b"];
const REMARKS: [&str; 3] = [r#"{}"#, r#"{"annotation": "seen"}"#, r#"{"tags": ["x", "y"]}"#];

fn write() -> impl Strategy<Value = Write> {
    let upload = (
        0..SERIES.len(),
        -60..60i64,
        select(&[1, 1, 3, 24, 700][..]),
        1..30usize,
        prop::bool::weighted(0.2),
        -80..80i64,
    );
    let upload = upload.prop_map(|(series, start, step, values, are_intervals, known)| Write::Upload {
        series,
        start,
        step,
        values,
        are_intervals,
        known,
    });
    let update = (any::<Index>(), any::<Index>(), 0..REMARKS.len()).prop_map(|(of, value, remark)| Write::Update {
        of,
        value,
        remark,
    });
    prop_oneof![6 => upload, 4 => update, 1 => Just(Write::Compact)]
}

/// What is kept: from when on, of which time, and from when on with all revisions.
#[derive(Clone, Debug)]
struct Rules {
    keep: Option<i64>,
    by_known: bool,
    revisions: Option<i64>,
}

/// Cutoffs are at half hours: the clock goes on while the test runs.
fn rules() -> impl Strategy<Value = Rules> {
    let cutoff = || prop_oneof![3 => -70..90i64, 1 => -2000..2000i64];
    (
        prop::option::weighted(0.8, cutoff()),
        any::<bool>(),
        prop::option::weighted(0.6, cutoff()),
    )
        .prop_map(|(keep, by_known, revisions)| Rules {
            keep,
            by_known,
            // Further back than what goes anyway it is refused.
            revisions: revisions.map(|of| {
                if by_known {
                    of
                } else {
                    keep.map_or(of, |keep| of.max(keep + 1))
                }
            }),
        })
}

impl Rules {
    fn set(&self, client: &mut Client) {
        let interval = |at: Option<i64>| at.map_or("NULL".to_owned(), |at| since(at * 60 + 30));
        let (keep, revisions) = (interval(self.keep), interval(self.revisions));
        let basis = if self.by_known { "known_time" } else { "valid_time" };
        run(
            client,
            &format!("SELECT timedb.set_retention({keep}, '{basis}', {revisions})"),
        );
    }
}

/// A version of a value, as a read of all of them shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Version {
    series: String,
    valid: i64,
    end: Option<i64>,
    known: i64,
    change: i64,
    run: Uuid,
    rest: String,
}

type Key = (String, i64, Option<i64>);

impl Version {
    fn key(&self) -> Key {
        (self.series.clone(), self.valid, self.end)
    }

    fn precedence(&self) -> (i64, Uuid, i64) {
        (self.known, self.run, self.change)
    }
}

fn read(client: &mut Client, from: &str) -> Vec<Version> {
    let micros = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::int8");
    let sql = format!(
        "SELECT series_key, {}, {}, {}, {}, run_id, concat_ws('|', encode(float8send(value), 'hex'), annotation, tags, changed_by) \
         FROM timedb.{from}",
        micros("valid_time"),
        micros("valid_time_end"),
        micros("known_time"),
        micros("change_time")
    );
    let rows = client
        .query(&sql, &[])
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let version = |row: &postgres::Row| Version {
        series: row.get(0),
        valid: row.get(1),
        end: row.get(2),
        known: row.get(3),
        change: row.get(4),
        run: row.get(5),
        rest: row.get(6),
    };
    rows.iter().map(version).collect()
}

const ALL: &str = "read(mode => 'overlapping', all_versions => true";

/// What the rules leave, one after the other.
fn left(rules: &Rules, all: &[Version]) -> Vec<Version> {
    let at = |hours: i64| BEGINNING + hours * HOUR + HOUR / 2;
    let mut left: Vec<Version> = all.to_vec();
    if let Some(keep) = rules.keep {
        left.retain(|of| if rules.by_known { of.known } else { of.valid } >= at(keep));
    }
    if let Some(revisions) = rules.revisions {
        let newest = newest(&left);
        left.retain(|of| of.valid >= at(revisions) || newest[&of.key()] == of.precedence());
    }
    left
}

fn newest(versions: &[Version]) -> BTreeMap<Key, (i64, Uuid, i64)> {
    let mut newest = BTreeMap::new();
    for of in versions {
        let known = newest.entry(of.key()).or_insert_with(|| of.precedence());
        *known = (*known).max(of.precedence());
    }
    newest
}

/// A run, its series and where its values begin and end.
type Run = (Uuid, Uuid, Vec<(i64, Option<i64>)>);

struct Play {
    client: Client,
    runs: Vec<Run>,
    written: usize,
}

impl Play {
    fn write(&mut self, write: &Write) {
        match write {
            Write::Upload {
                series,
                start,
                step,
                values,
                are_intervals,
                known,
            } => {
                let keys = (0..*values as i64).map(|number| {
                    let at = start + number * step;
                    (at, are_intervals.then_some(at + 1))
                });
                self.upload(SERIES[*series], keys.collect(), *known);
            }
            Write::Update { of, value, remark } if !self.runs.is_empty() => {
                let (run, series, keys) = &self.runs[of.index(self.runs.len())];
                let (start, end) = keys[value.index(keys.len())];
                let remark: Value = serde_json::from_str(REMARKS[*remark]).expect("JSON");
                let mut change = value_update(*run, *series, hour(start), remark);
                self.written += 1;
                change["value"] = json!(self.written);
                if let Some(end) = end {
                    change["valid_time_end"] = json!(hour(end).to_string());
                }
                update(&mut self.client, &json!([change]));
            }
            Write::Update { .. } => {}
            Write::Compact => run(&mut self.client, "SELECT timedb.compact(older_than => '0')"),
        }
    }

    fn upload(&mut self, key: &str, keys: Vec<(i64, Option<i64>)>, known: i64) {
        let starts: Vec<_> = keys.iter().map(|(start, _)| hour(*start)).collect();
        let ends: Vec<_> = keys.iter().map(|(_, end)| end.map(hour)).collect();
        let values: Vec<f64> = (0..keys.len()).map(|number| number as f64).collect();
        let row = self.client.query_one(
            "SELECT run_id, (series_ids->>$1::text)::uuid FROM timedb.upload_points( \
               now(), array_fill($1::text, ARRAY[cardinality($2::timestamptz[])]), $2, $3, $4, known_time => $5)",
            &[&key, &starts, &values, &ends, &hour(known)],
        );
        let row = row.expect("it is uploaded");
        self.runs.push((row.get(0), row.get(1), keys));
    }

    fn applied(&mut self, rules: &Rules) -> Result<i64, TestCaseError> {
        let all = read(&mut self.client, &format!("{ALL})"));
        let moments: Vec<String> = (1..3)
            .map(|third| all.get(all.len() * third / 3).map_or(BEGINNING, |of| of.change))
            .map(|micros| {
                format!(
                    "to_timestamp({}) + interval '{} microseconds'",
                    micros / 1_000_000,
                    micros % 1_000_000
                )
            })
            .collect();
        rules.set(&mut self.client);
        let dry = apply(&mut self.client, "");
        prop_assert_eq!(read(&mut self.client, &format!("{ALL})")), &all[..], "a dry run");
        let mut as_of: Vec<Vec<Version>> = Vec::new();
        for moment in &moments {
            as_of.push(read(&mut self.client, &format!("{ALL}, as_of => {moment})")));
        }
        let done = wet(&mut self.client);
        prop_assert_eq!(
            &done,
            &Applied {
                bytes: done.bytes,
                ..dry
            }
        );
        let left = left(rules, &all);
        prop_assert_eq!(done.values as usize, all.len() - left.len());
        prop_assert_eq!(read(&mut self.client, &format!("{ALL})")), &left[..]);
        let newest = newest(&left);
        let flat: Vec<Version> = left
            .iter()
            .filter(|of| newest[&of.key()] == of.precedence())
            .cloned()
            .collect();
        prop_assert_eq!(read(&mut self.client, "read()"), flat);
        let kept: BTreeSet<&Version> = left.iter().collect();
        for (moment, before) in moments.iter().zip(as_of) {
            let expected: Vec<&Version> = before.iter().filter(|of| kept.contains(of)).collect();
            let after = read(&mut self.client, &format!("{ALL}, as_of => {moment})"));
            prop_assert_eq!(after.iter().collect::<Vec<_>>(), expected, "{}", moment);
        }
        let mut changes = read(&mut self.client, "read_changes('2000-01-01')");
        changes.sort();
        prop_assert_eq!(
            changes.iter().collect::<Vec<_>>(),
            kept.iter().copied().collect::<Vec<_>>(),
            "changes"
        );
        self.counted(&left)?;
        prop_assert_eq!(wet(&mut self.client), Applied::default(), "a second time");
        Ok(done.values)
    }

    /// Each run tells how many values it has left.
    fn counted(&mut self, left: &[Version]) -> Result<(), TestCaseError> {
        let mut of_runs: BTreeMap<Uuid, BTreeSet<Key>> =
            self.runs.iter().map(|(run, ..)| (*run, BTreeSet::new())).collect();
        for of in left {
            of_runs.entry(of.run).or_default().insert(of.key());
        }
        let rows = self.client.query(
            "SELECT run_id, value_count FROM timedb.list_runs(max_rows => 1000)",
            &[],
        );
        let told: BTreeMap<Uuid, i64> = rows.expect("runs").iter().map(|row| (row.get(0), row.get(1))).collect();
        let expected: BTreeMap<Uuid, i64> = of_runs.iter().map(|(run, keys)| (*run, keys.len() as i64)).collect();
        prop_assert_eq!(told, expected);
        Ok(())
    }
}

#[test]
fn whatever_is_written_at_random_of_what_is_older_nothing_is_left_and_nothing_else_goes() {
    let database = Database::fresh("retention at random");
    let writes = || prop::collection::vec(write(), 1..25);
    let input = (writes(), rules(), writes(), rules());
    let gone = RefCell::new(0);
    Cases::of(40).shrunk(200).run(&input, |(first, rules, second, others)| {
        let tenant = Uuid::now_v7();
        let admin = database.create_user(tenant, &format!("admin@{tenant}.com"), "admin");
        let mut client = database.authenticated(&admin);
        assert_ordinary(&mut client);
        let mut play = Play {
            client,
            runs: Vec::new(),
            written: 100,
        };
        for (writes, rules) in [(first, rules), (second, others)] {
            writes.iter().for_each(|write| play.write(write));
            *gone.borrow_mut() += play.applied(&rules)?;
        }
        let orphans = "SELECT count(*) FROM timedb.versions v WHERE timedb.count_points(v.points) = 0";
        prop_assert_eq!(one::<i64>(&mut play.client, orphans), 0);
        Ok(())
    });
    let gone = gone.take();
    assert!(gone > 1000, "the premise: {gone} values go");
}
