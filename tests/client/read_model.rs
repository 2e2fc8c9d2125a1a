//! Reads against a naive model: random uploads and updates go to the server and into `model`, which says in the plainest
//! way what the README says and knows nothing of packs, though now and then some of the server's series are compacted; then every kind of read must answer the same rows in the same order.

mod model;
mod random;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use crate::cases::Cases;
use jiff::{Timestamp, Unit};
use postgres::types::ToSql;
use postgres::{Client, Statement};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use timedb_testkit::{Database, assert_ordinary, one, run};
use uuid::Uuid;

use crate::arrow;
use crate::support::{hour, try_update, upload, value_row};
use model::{Mode, Outcome, Query, Run, Series, Shown, World};
use random::{BASES, Change, Form, Question, Step, Way, When, questions, steps};

/// Of each case everything is read, and so many questions are asked, each as four reads and two relative ones.
const CASES: u32 = 120;
const QUESTIONS: usize = 28;
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
    /// What has been prepared in the first of them.
    asking: Asking,
    /// A session that knows nothing of timedb: Postgres' own clocks and calendars.
    clocks: Client,
    /// How many reads have been compared.
    reads: usize,
    emails: [String; 2],
    world: World,
    /// When the case began: known times are days before and after it.
    now: Timestamp,
    /// A series of another tenant, with values.
    foreign: Uuid,
}

impl Play {
    /// In a tenant that has perhaps so many withdrawals that a read does not look at all of them.
    fn begin(database: &Database, foreign: Uuid, has_many: bool) -> Play {
        let tenant = Uuid::now_v7();
        if has_many {
            withdraw_many(&mut database.admin(), tenant);
        }
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
                labels: serde_json::from_str(labels).expect("JSON"),
            }
        });
        Play {
            people,
            asking: Asking::default(),
            clocks: database.admin(),
            reads: 0,
            emails,
            world: World::of(series.into()),
            now: Timestamp::now().round(Unit::Microsecond).expect("a rounded time"),
            foreign,
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Upload {
                by,
                workflow,
                known,
                rows,
            } => self.upload(*by, *workflow, *known, rows),
            Step::Update { by, changes } => self.update(*by, changes),
            Step::Compact { by, series } => self.compact(*by, series),
            Step::Withdraw { by, run } => self.withdraw(*by, run),
            Step::Restore { by, run } => self.restore(*by, run),
        }
    }

    fn upload(
        &mut self,
        by: usize,
        workflow: Option<&str>,
        known: When,
        rows: &[random::Row],
    ) -> Result<(), TestCaseError> {
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
        let sql = "SELECT run_id FROM timedb.upload(now(), $1, known_time => $2, workflow_id => $3)";
        let run: Uuid = client
            .query_one(sql, &[&Value::from(json), &known, &workflow])
            .expect("it is taken")
            .get(0);
        let sql = "SELECT last_change_time FROM timedb.runs WHERE run_id = $1";
        let change = client.query_one(sql, &[&run]).expect("the run").get(0);
        let run = Run {
            id: run,
            known,
            workflow: workflow.unwrap_or("api-workflow").to_owned(),
        };
        self.world.upload(run, change, &self.emails[by], &given);
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
        if self.world.any_is_withdrawn(changes) {
            let refused = try_update(&mut self.people[by], &Value::from(json)).expect_err("a run that is withdrawn");
            prop_assert_eq!(refused.code().map(|code| code.code()), Some("55000"));
            return Ok(());
        }
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

    fn withdraw(&mut self, by: usize, run: &Index) -> Result<(), TestCaseError> {
        let run = run.index(self.world.runs.len());
        let sql = "SELECT withdrawn_at, withdrawn_by FROM timedb.withdraw_run($1)";
        let row = self.people[by]
            .query_one(sql, &[&self.world.runs[run].id])
            .expect("it is withdrawn");
        let at: Timestamp = row.get(0);
        if let Some((since, None)) = self.world.last_withdrawal(run) {
            prop_assert_eq!(at, since);
            return Ok(());
        }
        prop_assert_eq!(row.get::<_, &str>(1), &self.emails[by]);
        prop_assert!(at > self.world.latest_change(run));
        self.world.withdraw(run, at);
        Ok(())
    }

    fn restore(&mut self, by: usize, run: &Index) -> Result<(), TestCaseError> {
        let run = run.index(self.world.runs.len());
        let sql = "SELECT withdrawn_at, restored_at FROM timedb.restore_run($1)";
        let restored = self.people[by].query_one(sql, &[&self.world.runs[run].id]);
        let Some((since, until)) = self.world.last_withdrawal(run) else {
            let refused = restored.expect_err("it was never withdrawn");
            prop_assert_eq!(refused.code().map(|code| code.code()), Some("55000"));
            return Ok(());
        };
        let row = restored.expect("it is restored");
        let at: Timestamp = row.get(1);
        prop_assert_eq!(row.get::<_, Timestamp>(0), since);
        if let Some(until) = until {
            prop_assert_eq!(at, until);
            return Ok(());
        }
        prop_assert!(at > self.world.latest_change(run));
        self.world.restore(run, at);
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
            start_valid: question.start_valid.map(random::Key::start),
            end_valid: question.end_valid.map(random::Key::start),
            start_known: question.start_known.map(|when| when.from(self.now)),
            end_known: question.end_known.map(|when| when.from(self.now)),
            mode,
            all_versions,
            series_keys: question.series_keys.clone(),
            series_ids: self.ids(&question.series_ids),
            as_of: self.world.moment(question.as_of.as_ref()),
            labels: question
                .labels
                .map(|labels| serde_json::from_str(labels).expect("JSON")),
            run_ids: question.run_ids.as_ref().map(|runs| self.run_ids(runs)),
            workflow: question
                .workflow
                .filter(|workflow| !workflow.is_empty())
                .map(str::to_owned),
            corrections_count_when_made: question.corrections == Some("known"),
            cutoffs: None,
        }
    }

    fn run_ids(&self, places: &[Option<Index>]) -> Vec<Uuid> {
        let runs = &self.world.runs;
        let id = |place: &Option<Index>| match place {
            Some(place) if !runs.is_empty() => runs[place.index(runs.len())].id,
            _ => Uuid::now_v7(),
        };
        places.iter().map(id).collect()
    }

    fn ask(&mut self, question: &Question) -> Result<(), TestCaseError> {
        for mode in [Mode::Flat, Mode::Overlapping] {
            for all_versions in [false, true] {
                let query = self.query(question, mode, all_versions);
                let given = Given::of_read(&query, question);
                self.compare(question.way, "read", &given, &query)?;
            }
        }
        for all_versions in [false, true] {
            let mut query = self.query(question, Mode::Flat, all_versions);
            (query.start_known, query.end_known) = (None, None);
            let form = Told::of(&question.form, &self.world, self.now);
            query.cutoffs = Some(self.cutoffs(&form, question.time_zone));
            let given = Given::of_relative(&query, question, &form);
            // There is no form of it in batches.
            let way = if question.way == Way::Batches {
                Way::Arrow
            } else {
                question.way
            };
            self.compare(way, "read_relative", &given, &query)?;
        }
        Ok(())
    }

    fn compare(&mut self, way: Way, function: &str, given: &Given, query: &Query) -> Result<(), TestCaseError> {
        let expected = self.world.read(query);
        self.reads += 1;
        if matches!(way, Way::Node | Way::Function) {
            let answer = self.asking.read(&mut self.people[0], way, function, given);
            prop_assert_eq!(&answer, &expected, "{} {:?} {:?} {:?}", function, way, given, query);
            return Ok(());
        }
        let answer = self.asking.read_streams(&mut self.people[0], way, function, given);
        let expected: Vec<arrow::Row> = expected.into_iter().map(of_stream).collect();
        prop_assert_eq!(&answer, &expected, "{} {:?} {:?} {:?}", function, way, given, query);
        Ok(())
    }

    /// The cutoff of each start, by Postgres' own arithmetic in a session of the zone.
    fn cutoffs(&mut self, form: &Told, zone: &str) -> BTreeMap<Timestamp, Timestamp> {
        let cutoff = match form {
            Told::Lead(lead) => format!("v - interval '{lead}'"),
            Told::DaysAhead(days, time) => {
                format!("((v AT TIME ZONE '{zone}')::date - {days} + time '{time}') AT TIME ZONE '{zone}'")
            }
            Told::Window { length, offset, origin } => format!(
                "(SELECT max(start) FROM (SELECT timestamptz '{origin}' + k * interval '{length}' AS start FROM \
                   generate_series(floor(extract(epoch FROM v - '{origin}') / extract(epoch FROM interval '{length}'))::int - 3, \
                     floor(extract(epoch FROM v - '{origin}') / extract(epoch FROM interval '{length}'))::int + 3) k) s \
                 WHERE start <= v) + interval '{offset}'"
            ),
        };
        run(&mut self.clocks, &format!("SET TimeZone = '{zone}'"));
        let sql = format!("SELECT v, {cutoff} FROM unnest($1::timestamptz[]) AS v");
        let rows = self.clocks.query(&sql, &[&self.world.starts()]);
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
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
        self.ask_the_latest()
    }

    /// Of each series the last row of a flat read, of all values and of those before some time.
    fn ask_the_latest(&mut self) -> Result<(), TestCaseError> {
        let sql =
            "SELECT series_id, valid_time, valid_time_end, value, run_id, change_time FROM timedb.latest(before => $1)";
        let starts = self.world.starts();
        for before in [None, starts.last().copied(), starts.get(starts.len() / 2).copied()] {
            let mut query = Query::of(Mode::Flat);
            query.end_valid = before;
            let flat = self.world.read(&query);
            let of_series = flat.chunk_by(|one, other| one.series_id == other.series_id);
            let expected: Vec<_> = of_series
                .filter_map(|rows| rows.last())
                .map(|row| {
                    (
                        row.series_id,
                        row.valid_time,
                        row.valid_time_end,
                        row.value,
                        row.run_id,
                        row.change_time,
                    )
                })
                .collect();
            let rows = self.people[1].query(sql, &[&before]).expect("the latest");
            let answer = rows.iter().map(|row| {
                let value: Option<f64> = row.get(3);
                (
                    row.get(0),
                    row.get(1),
                    row.get(2),
                    value.map(f64::to_bits),
                    row.get(4),
                    row.get(5),
                )
            });
            prop_assert_eq!(answer.collect::<Vec<_>>(), expected, "before {:?}", before);
        }
        Ok(())
    }
}

/// Runs that have no values, half of them restored by now.
fn withdraw_many(admin: &mut Client, tenant: Uuid) {
    let sql = "INSERT INTO timedb.withdrawals (tenant_id, run_id, withdrawn_at, withdrawn_by, restored_at) \
               SELECT $1, gen_random_uuid(), '2025-01-01', 'nobody', CASE WHEN n % 2 = 0 THEN now() END \
               FROM generate_series(1, 2500) AS n";
    admin.execute(sql, &[&tenant]).expect("withdrawals");
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
                       change_time, changed_by, annotation, tags, labels";

/// How a relative read is told how long before, as texts.
#[derive(Debug)]
enum Told {
    Lead(String),
    DaysAhead(i32, String),
    Window {
        length: String,
        offset: String,
        origin: Timestamp,
    },
}

impl Told {
    fn of(form: &Form, world: &World, now: Timestamp) -> Told {
        match form {
            Form::Lead(lead) => Told::Lead(lead.text()),
            Form::LeadTo(key, moment) => {
                let moment = world.moment(Some(moment)).unwrap_or(now);
                Told::Lead(format!(
                    "{} microseconds",
                    key.start().as_microsecond() - moment.as_microsecond()
                ))
            }
            Form::DaysAhead(days, minutes) => Told::DaysAhead(*days, format!("{}:{:02}", minutes / 60, minutes % 60)),
            Form::Window { length, offset, origin } => Told::Window {
                length: length.text(),
                offset: offset.text(),
                origin: origin.from(now),
            },
        }
    }
}

/// The arguments of a call, by name; null is left to be the default.
#[derive(Debug)]
struct Given(Vec<(&'static str, Box<Argument>)>);

type Argument = dyn ToSql + Sync;

impl Given {
    fn of_both(query: &Query, question: &Question) -> Given {
        Given(vec![
            ("start_valid", Box::new(query.start_valid)),
            ("end_valid", Box::new(query.end_valid)),
            ("all_versions", Box::new(query.all_versions.then_some(true))),
            ("series_keys", Box::new(query.series_keys.clone())),
            ("series_ids", Box::new(query.series_ids.clone())),
            ("as_of", Box::new(query.as_of)),
            ("labels", Box::new(query.labels.clone())),
            ("run_ids", Box::new(query.run_ids.clone())),
            ("workflow_id", Box::new(question.workflow)),
            ("corrections", Box::new(question.corrections)),
        ])
    }

    fn of_read(query: &Query, question: &Question) -> Given {
        let mut given = Given::of_both(query, question);
        let mode = (query.mode == Mode::Overlapping).then_some("overlapping");
        given.0.extend([
            ("start_known", Box::new(query.start_known) as Box<Argument>),
            ("end_known", Box::new(query.end_known)),
            ("mode", Box::new(mode)),
        ]);
        given
    }

    fn of_relative(query: &Query, question: &Question, form: &Told) -> Given {
        let mut given = Given::of_both(query, question);
        given.0.push(("time_zone", Box::new(question.time_zone)));
        match form {
            Told::Lead(lead) => given.0.push(("lead", Box::new(lead.clone()))),
            Told::DaysAhead(days, time) => given.0.extend([
                ("days_ahead", Box::new(*days) as Box<Argument>),
                ("time_of_day", Box::new(time.clone())),
            ]),
            Told::Window { length, offset, origin } => given.0.extend([
                ("window_length", Box::new(length.clone()) as Box<Argument>),
                ("cutoff_offset", Box::new(offset.clone())),
                ("window_origin", Box::new(*origin)),
            ]),
        }
        given
    }

    /// As SQL with parameters, some of them by way of a text: a driver knows no intervals.
    fn sql(&self) -> String {
        let one = |(number, (name, _)): (usize, &(&str, _))| match *name {
            "lead" | "window_length" | "cutoff_offset" => format!("{name} => ${number}::text::interval"),
            "time_of_day" => format!("{name} => ${number}::text::time"),
            _ => format!("{name} => ${number}"),
        };
        let all: Vec<String> = (1..).zip(&self.0).map(one).collect();
        all.join(", ")
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0.iter().map(|(_, value)| &**value).collect()
    }
}

/// How reads are asked for: each statement is prepared once, for nodes and for functions apart.
#[derive(Default)]
struct Asking {
    prepared: HashMap<(Way, String), Statement>,
    scan: Option<&'static str>,
}

impl Asking {
    fn rows(&mut self, client: &mut Client, way: Way, sql: String, given: &Given) -> Vec<postgres::Row> {
        let scan = if way == Way::Function { "off" } else { "on" };
        if self.scan.replace(scan) != Some(scan) {
            run(client, &format!("SET timedb.enable_scan = {scan}"));
        }
        let statement = self.prepared.entry((way, sql)).or_insert_with_key(|(_, sql)| {
            let prepared = client.prepare(sql);
            prepared.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        });
        let rows = client.query(statement, &given.values());
        rows.unwrap_or_else(|error| panic!("{given:?}: {error:?}"))
    }

    fn read(&mut self, client: &mut Client, way: Way, function: &str, given: &Given) -> Vec<Shown> {
        let sql = format!("SELECT {COLUMNS} FROM timedb.{function}({})", given.sql());
        self.rows(client, way, sql, given).iter().map(shown).collect()
    }

    /// By streams of Arrow, of one or of several rows each.
    fn read_streams(&mut self, client: &mut Client, way: Way, function: &str, given: &Given) -> Vec<arrow::Row> {
        let given_sql = given.sql();
        let call = match way {
            Way::Batches => format!("timedb.read_arrow_batches({given_sql}, max_rows => 3)"),
            _ => format!("timedb.{function}_arrow({given_sql})"),
        };
        let rows = self.rows(client, way, format!("SELECT stream FROM {call} AS stream"), given);
        rows.iter().flat_map(|row| arrow::rows_of(row.get(0))).collect()
    }
}

fn of_stream(shown: Shown) -> arrow::Row {
    arrow::Row {
        known_time: shown.known_time.as_microsecond(),
        valid_time: shown.valid_time.as_microsecond(),
        valid_time_end: shown.valid_time_end.map(Timestamp::as_microsecond),
        series_id: shown.series_id.to_string(),
        series_key: shown.series_key,
        unit: shown.unit,
        value: shown.value,
        run_id: shown.run_id.to_string(),
        change_time: shown.change_time.as_microsecond(),
        changed_by: shown.changed_by,
        annotation: shown.annotation,
        tags: shown.tags,
        labels: shown.labels,
    }
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
        labels: row.get(12),
    }
}

#[test]
fn every_read_of_random_uploads_and_updates_answers_what_the_model_says() {
    let database = Database::fresh("read against a model");
    let (_, bob) = database.two_tenants();
    let rows = json!([value_row("a", hour(0), 99), value_row("B", hour(1), 99)]);
    let foreign = upload(&mut database.authenticated(&bob), &rows).series("a");
    let input = (0..BASES.len()).prop_flat_map(|base| (steps(base), questions(base, QUESTIONS)));
    let (shown, reads) = (RefCell::new(0), RefCell::new(0));
    Cases::of(CASES).shrunk(400).run(&input, |(steps, questions)| {
        let mut play = Play::begin(&database, foreign, steps.len() % 2 == 1);
        steps.iter().try_for_each(|step| play.take(step))?;
        play.ask(&Question::open())?;
        questions.iter().try_for_each(|question| play.ask(question))?;
        *shown.borrow_mut() += play.world.read(&Query::of(Mode::Overlapping)).len();
        *reads.borrow_mut() += play.reads;
        play.ask_the_rest()
    });
    println!("{} reads", reads.borrow());
    assert!(reads.take() >= 20_000, "the premise: there were as many reads");
    assert!(shown.take() > CASES as usize * 5, "the premise: there was much to read");
    let sql = "SELECT count(*) > $1 AND count(*) > count(DISTINCT p.pack_id) FROM timedb.packs p, \
                 timedb.unnest_pack(p.versions)";
    let packed = database.admin().query_one(sql, &[&i64::from(CASES / 4)]);
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
