//! Reads against a naive model: random uploads and updates go to the server and into `model`, which says in the plainest
//! way what the README says and knows nothing of packs, though now and then some of the server's series are compacted; then every kind of read must answer the same rows in the same order.

mod model;
mod random;

use std::cell::RefCell;

use jiff::{Timestamp, Unit};
use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use timedb_testkit::{Database, assert_ordinary, one, run};
use uuid::Uuid;

use crate::support::{hour, try_update, upload, value_row};
use model::{Mode, Outcome, Query, Series, Shown, World};
use random::{Change, Question, Step, When, questions, steps};

const CASES: u32 = 80;
/// Two of one key, so that labels alone tell them apart; a capital, which sorts first in C; and a letter beyond ASCII.
const SERIES: [(&str, &str, &str); 4] = [
    ("a", "{}", "kW"),
    ("a", r#"{"site": "north"}"#, "dimensionless"),
    ("B", "{}", "dimensionless"),
    ("ä", "{}", "°C"),
];

/// Two people of one tenant, each in a session of an ordinary role, and what the model knows of their tenant.
struct Play {
    people: [Client; 2],
    emails: [String; 2],
    world: World,
    /// When the case began: known times are days before and after it.
    now: Timestamp,
    /// A series of another tenant, with values.
    foreign: Uuid,
}

impl Play {
    fn begin(database: &Database, foreign: Uuid) -> Play {
        let tenant = Uuid::now_v7();
        let emails = ["alice", "albert"].map(|name| format!("{name}@{tenant}.com"));
        let mut people = emails.each_ref().map(|email| {
            let identity = database.create_user(tenant, email, "write");
            database.authenticated(&identity)
        });
        people.iter_mut().for_each(|client| assert_ordinary(client));
        let series = SERIES.map(|(key, labels, unit)| {
            let sql = format!("SELECT timedb.create_series('{key}', '{unit}', labels => '{labels}')");
            Series {
                id: one(&mut people[0], &sql),
                key: key.to_owned(),
                unit: unit.to_owned(),
            }
        });
        Play {
            people,
            emails,
            world: World::of(series.into()),
            now: Timestamp::now().round(Unit::Microsecond).expect("a rounded time"),
            foreign,
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Upload { by, known, rows } => self.upload(*by, *known, rows),
            Step::Update { by, changes } => self.update(*by, changes),
            Step::Compact { by, series } => self.compact(*by, series),
        }
    }

    fn upload(&mut self, by: usize, known: When, rows: &[random::Row]) -> Result<(), TestCaseError> {
        let mut given: Vec<&random::Row> = Vec::new();
        for row in rows {
            if !given
                .iter()
                .any(|other| (other.series, other.key) == (row.series, row.key))
            {
                given.push(row);
            }
        }
        let json: Vec<Value> = given.iter().map(|row| self.row_json(row)).collect();
        let known = known.from(self.now);
        let client = &mut self.people[by];
        let sql = "SELECT run_id FROM timedb.upload(now(), $1, known_time => $2)";
        let run: Uuid = client
            .query_one(sql, &[&Value::from(json), &known])
            .expect("it is taken")
            .get(0);
        let sql = "SELECT last_change_time FROM timedb.runs WHERE run_id = $1";
        let change = client.query_one(sql, &[&run]).expect("the run").get(0);
        self.world.upload(run, known, change, &self.emails[by], &given);
        Ok(())
    }

    /// Those without labels are named by key as well, the other by its id alone.
    fn row_json(&self, row: &random::Row) -> Value {
        let series = &self.world.series[row.series];
        let mut json = json!({"valid_time": row.key.start().to_string(), "value": number(row.value)});
        if let Some(end) = row.key.end() {
            json["valid_time_end"] = json!(end.to_string());
        }
        if row.series == 1 || row.by_id {
            json["series_id"] = json!(series.id.to_string());
        } else {
            json["value_key"] = json!(series.key);
        }
        json
    }

    fn update(&mut self, by: usize, changes: &[Change]) -> Result<(), TestCaseError> {
        if self.world.runs.is_empty() {
            return Ok(());
        }
        let json: Vec<Value> = changes.iter().map(|change| self.change_json(change)).collect();
        let expected = self.world.outcomes(changes);
        if expected.iter().any(|(_, outcome)| matches!(outcome, Outcome::Refused)) {
            let refused = try_update(&mut self.people[by], &Value::from(json)).expect_err("a value that is not there");
            prop_assert_eq!(refused.code().map(|code| code.code()), Some("42704"));
            return Ok(());
        }
        let sql = "SELECT status, run_id, series_id, valid_time, valid_time_end, change_time FROM timedb.update($1)";
        let rows = self.people[by].query(sql, &[&Value::from(json)]).expect("it updates");
        prop_assert_eq!(rows.len(), expected.len());
        for (row, (place, outcome)) in rows.iter().zip(expected) {
            let written: Timestamp = row.get("change_time");
            let status = match &outcome {
                Outcome::Created(_) => "created",
                Outcome::Updated(_) => "updated",
                Outcome::Skipped(_) | Outcome::Refused => "skipped",
            };
            prop_assert_eq!(row.get::<_, &str>("status"), status);
            let named = (
                row.get("run_id"),
                row.get("series_id"),
                row.get("valid_time"),
                row.get("valid_time_end"),
            );
            prop_assert_eq!(named, self.world.named(place));
            let latest = self.world.latest_change(place.run);
            match outcome {
                Outcome::Skipped(change) => prop_assert_eq!(written, change),
                Outcome::Created(fields) | Outcome::Updated(fields) => {
                    // All of one call and run share a change time, which is later than any before.
                    prop_assert!(written > latest);
                    let shared = self.world.change_of_call(place.run);
                    prop_assert!(shared.is_none_or(|shared| shared == written));
                    if !self.world.is_written(place) {
                        self.world.write(place, written, &self.emails[by], fields);
                    }
                }
                Outcome::Refused => {}
            }
        }
        self.world.end_call();
        Ok(())
    }

    fn compact(&mut self, by: usize, series: &Option<Vec<usize>>) -> Result<(), TestCaseError> {
        let series = self.ids(series);
        let sql = "SELECT remaining FROM timedb.compact($1, '0')";
        let row = self.people[by].query_one(sql, &[&series]);
        prop_assert_eq!(row.expect("it is compacted").get::<_, i64>(0), 0);
        Ok(())
    }

    fn change_json(&self, change: &Change) -> Value {
        let run = &self.world.runs[change.run.index(self.world.runs.len())];
        let series = &self.world.series[change.series];
        let mut json = json!({
            "run_id": run.id.to_string(),
            "series_id": series.id.to_string(),
            "valid_time": change.key.start().to_string(),
        });
        if let Some(end) = change.key.end() {
            json["valid_time_end"] = json!(end.to_string());
        }
        if let Some(value) = &change.value {
            json["value"] = number(*value);
        }
        if let Some(annotation) = &change.annotation {
            json["annotation"] = json!(annotation);
        }
        if let Some(tags) = &change.tags {
            json["tags"] = json!(tags);
        }
        json
    }

    fn ids(&self, places: &Option<Vec<usize>>) -> Option<Vec<Uuid>> {
        let id = |place: &usize| match self.world.series.get(*place) {
            Some(series) => series.id,
            None => self.foreign,
        };
        Some(places.as_ref()?.iter().map(id).collect())
    }

    fn query(&self, question: &Question, mode: Mode, all_versions: bool) -> Query {
        Query {
            start_valid: question.start_valid.map(random::quarter),
            end_valid: question.end_valid.map(random::quarter),
            start_known: question.start_known.map(|when| when.from(self.now)),
            end_known: question.end_known.map(|when| when.from(self.now)),
            mode,
            all_versions,
            series_keys: question.series_keys.clone(),
            series_ids: self.ids(&question.series_ids),
            as_of: self.world.moment(question.as_of.as_ref()),
        }
    }

    fn ask(&mut self, question: &Question) -> Result<(), TestCaseError> {
        for mode in [Mode::Flat, Mode::Overlapping] {
            for all_versions in [false, true] {
                let query = self.query(question, mode, all_versions);
                let answer = read(&mut self.people[0], &query);
                prop_assert_eq!(&answer, &self.world.read(&query), "{:?}", query);
            }
        }
        Ok(())
    }

    /// The view is the overlapping read of everything, and the aggregate the flat one.
    fn ask_the_rest(&mut self) -> Result<(), TestCaseError> {
        let view = format!(
            "SELECT {COLUMNS} FROM timedb.current_values ORDER BY series_key COLLATE \"C\", series_id, valid_time, \
               valid_time_end NULLS FIRST, known_time, change_time, run_id"
        );
        let rows = self.people[1].query(&view, &[]).expect("the view");
        let shown: Vec<Shown> = rows.iter().map(shown).collect();
        prop_assert_eq!(shown, self.world.read(&Query::of(Mode::Overlapping)));

        let merged = "SELECT m.series_id, u.valid_time, u.valid_time_end, u.value \
                      FROM (SELECT v.series_id, timedb.merge_points(v.points, v.known_time, v.change_time, v.run_id) \
                            FROM timedb.versions v GROUP BY v.series_id) AS m (series_id, points), \
                           timedb.unnest_points(m.points) WITH ORDINALITY AS u \
                      ORDER BY m.series_id, u.ordinality";
        let rows = self.people[1].query(merged, &[]).expect("the aggregate");
        let mut flat = self.world.read(&Query::of(Mode::Flat));
        flat.sort_by_key(|row| row.series_id);
        let flat: Vec<_> = flat
            .into_iter()
            .map(|row| (row.series_id, row.valid_time, row.valid_time_end, row.value))
            .collect();
        let merged: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.get(0),
                    row.get(1),
                    row.get(2),
                    row.get::<_, Option<f64>>(3).map(f64::to_bits),
                )
            })
            .collect();
        prop_assert_eq!(merged, flat);
        Ok(())
    }
}

fn number(value: Option<f64>) -> Value {
    match value {
        None => Value::Null,
        Some(value) if value.is_nan() => json!("NaN"),
        Some(value) if value.is_infinite() => {
            json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
        }
        Some(value) => json!(value),
    }
}

const COLUMNS: &str = "known_time, valid_time, valid_time_end, series_id, series_key, unit, value, run_id, \
                       change_time, changed_by, annotation, tags";

fn read(client: &mut Client, query: &Query) -> Vec<Shown> {
    // Null is the default, so the default mode is asked for by null.
    let mode = (query.mode == Mode::Overlapping).then_some("overlapping");
    let all_versions = query.all_versions.then_some(true);
    let rows = client.query(
        &format!("SELECT {COLUMNS} FROM timedb.read($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
        &[
            &query.start_valid,
            &query.end_valid,
            &query.start_known,
            &query.end_known,
            &mode,
            &all_versions,
            &query.series_keys,
            &query.series_ids,
            &query.as_of,
        ],
    );
    let rows = rows.unwrap_or_else(|error| panic!("{query:?}: {error:?}"));
    rows.iter().map(shown).collect()
}

fn shown(row: &postgres::Row) -> Shown {
    Shown {
        known_time: row.get(0),
        valid_time: row.get(1),
        valid_time_end: row.get(2),
        series_id: row.get(3),
        series_key: row.get(4),
        unit: row.get(5),
        value: row.get::<_, Option<f64>>(6).map(f64::to_bits),
        run_id: row.get(7),
        change_time: row.get(8),
        changed_by: row.get(9),
        annotation: row.get(10),
        tags: row.get(11),
    }
}

#[test]
fn every_read_of_random_uploads_and_updates_answers_what_the_model_says() {
    let database = Database::fresh("read against a model");
    let (_, bob) = database.two_tenants();
    let rows = json!([value_row("a", hour(0), 99), value_row("B", hour(1), 99)]);
    let foreign = upload(&mut database.authenticated(&bob), &rows).series("a");
    let input = (steps(), questions());
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let shown = RefCell::new(0);
    let outcome = TestRunner::new(config).run(&input, |(steps, questions)| {
        let mut play = Play::begin(&database, foreign);
        steps.iter().try_for_each(|step| play.take(step))?;
        play.ask(&Question::default())?;
        questions.iter().try_for_each(|question| play.ask(question))?;
        *shown.borrow_mut() += play.world.read(&Query::of(Mode::Overlapping)).len();
        play.ask_the_rest()
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(shown.take() > CASES as usize * 5, "the premise: there was much to read");
    let sql = "SELECT count(*) > $1 AND count(*) > count(DISTINCT p.pack_id) FROM timedb.packs p, \
                 timedb.unnest_pack(p.versions)";
    let packed = database.admin().query_one(sql, &[&i64::from(CASES)]);
    assert!(
        packed.expect("packs").get::<_, bool>(0),
        "the premise: there were packs of several versions"
    );
}

/// Several parts and rows of one run and series, and a window into the middle of them.
#[test]
fn a_long_series_is_read_whole_and_by_windows_across_the_rows_it_is_stored_in() {
    let database = Database::fresh("long series");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    run(
        &mut client,
        "SELECT timedb.upload_points(now(), array_agg('long'::text), \
           array_agg('2025-01-01'::timestamptz + n * interval '1 minute'), array_agg(n::float8)) \
         FROM generate_series(0, 19999) AS n",
    );
    let parts: i64 = one(&mut client, "SELECT count(*) FROM timedb.values");
    assert!(parts > 1, "the premise: it is stored in several rows");
    for (from, to) in [(0, 20_000), (8_190, 8_195), (16_383, 16_386), (19_999, 30_000), (5, 5)] {
        let sql = format!(
            "SELECT coalesce(array_agg(value ORDER BY valid_time), '{{}}') FROM timedb.read( \
               '2025-01-01'::timestamptz + {from} * interval '1 minute', \
               '2025-01-01'::timestamptz + {to} * interval '1 minute')"
        );
        let expected: Vec<f64> = (from..to.min(20_000)).map(f64::from).collect();
        assert_eq!(one::<Vec<f64>>(&mut client, &sql), expected);
    }
}
