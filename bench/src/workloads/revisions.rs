//! W13: the verbs of tshistory, by its API and by ours, both from Python. What one stores and answers is what the other does.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::contest::Contest;
use crate::data::{Form, Shape, hour, series_key};
use crate::lab::{Lab, settle, timedb_bytes};
use crate::peers::{TSHISTORY, Tenant, Timedb, Tshistory, tshistory};
use crate::python::Python;
use crate::record::{Goal, Line, Record, TIMEDB};

const SHAPE: Shape = Shape {
    series: 4,
    runs: 300,
    hours: 48,
    form: Form::Meter,
};
const RUNS_A_TURN: usize = 50;
const UPLOADS: (usize, usize) = (1, 5);
const QUICK: (usize, usize) = (2, 11);
const SLOW: (usize, usize) = (1, 5);
/// Any will do.
const SERIES: usize = 2;

pub const UPLOAD: &str = "200 uploads of one series of a run of 48, from a frame";
pub const WHOLE: &str = "the newest values of a series, 347 out, as a frame";
pub const WEEK: &str = "a week of them";
pub const KNOWN_BEFORE: &str = "the series as it was at a revision";
pub const BYTES: &str = "on disk before compact (as uploaded), runs of 48";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let theirs = lab.fresh_database("tshistory")?;
    let client = lab.project.join("bench/python/frames.py");
    let started = Tshistory::start(&lab.project, &lab.server, &theirs);
    let (mut timedb, mut tshistory) = match started.and_then(|peer| Ok((Python::start(&client)?, peer))) {
        Ok(both) => both,
        Err(absent) => {
            let line = Line::new("W13", "tshistory's own verbs", "ms");
            return Ok(line.note(TSHISTORY, format!("{absent:#}")).records());
        }
    };
    let ours = lab.fresh_database("beside_tshistory")?;
    log_in(lab, &ours, &mut timedb)?;
    let mut records = uploads(lab, &mut timedb, &mut tshistory)?;
    for database in [&ours, &theirs] {
        lab.operator(database)?.batch("VACUUM (ANALYZE)")?;
    }
    for verb in verbs() {
        records.extend(verb.compare(lab, &mut timedb, &mut tshistory)?);
    }
    records.extend(sizes(lab, &ours, &theirs)?);
    Ok(records)
}

/// As a tenant of its own, with the series made beforehand.
fn log_in(lab: &Lab, database: &str, python: &mut Python) -> Result<()> {
    let tenant = Tenant::create(&lab.server, database, 0)?;
    drop(Timedb::create(&lab.server, database, &tenant, SHAPE.series)?);
    let url = lab.server.url("app", database);
    python.ask(&json!({"do": "start", "url": url, "api_key": tenant.api_key}))?;
    Ok(())
}

fn uploads(lab: &Lab, timedb: &mut Python, tshistory: &mut Tshistory) -> Result<Vec<Record>> {
    let figures = Contest::new("uploads from frames", UPLOADS.0, UPLOADS.1)
        .with(TIMEDB, |turn| {
            timedb.timed(&json!({"do": "update", "runs": runs(turn)}))
        })
        .with(TSHISTORY, |turn| tshistory.update(&runs(turn)))
        .run(&lab.progress)?;
    let line = Line::new("W13", UPLOAD, "ms").figures(figures);
    Ok(line.goal(TSHISTORY, Goal::Times(20.0)).records())
}

/// Those of a turn, a series at a time: so tshistory takes them.
fn runs(turn: usize) -> Value {
    let mut runs = Vec::new();
    for number in turn * RUNS_A_TURN..(turn + 1) * RUNS_A_TURN {
        let run = SHAPE.run(number);
        let times: Vec<i64> = run.valid_times.iter().map(|time| time.as_microsecond()).collect();
        let shares = times.chunks(SHAPE.hours).zip(run.values.chunks(SHAPE.hours));
        runs.extend(shares.enumerate().map(|(series, (times, values))| {
            json!({"key": series_key(series), "known_time": run.known_time.as_microsecond(),
                   "valid_times": times, "values": values})
        }));
    }
    runs.into()
}

struct Verb {
    what: &'static str,
    sql: String,
    /// Whether the answer is of versions: tshistory's is of the states that they made.
    states: bool,
    theirs: Value,
    goal: f64,
    repetitions: (usize, usize),
}

fn verbs() -> [Verb; 5] {
    let key = series_key(SERIES);
    let arrow = |arguments: &str| format!("SELECT timedb.read_arrow(series_keys => '{{{key}}}'{arguments})");
    let theirs = |verb: &str, moments: Value| json!({"verb": verb, "key": key, "moments": moments});
    // To tshistory the end of a window belongs to it.
    let between = |start: usize, end: usize| json!({"from_value_date": hour(start).as_microsecond(), "to_value_date": hour(end - 1).as_microsecond()});
    let window = |start, end| format!(", start_valid => '{}', end_valid => '{}'", hour(start), hour(end));
    let verb = |what, sql, theirs, goal| Verb {
        what,
        sql,
        states: false,
        theirs,
        goal,
        repetitions: QUICK,
    };
    let revision = hour(150);
    let mut staircase = theirs("staircase", json!({}));
    staircase["lead"] = 24.into();
    [
        verb(WHOLE, arrow(""), theirs("get", json!({})), 5.0),
        verb(WEEK, arrow(&window(84, 252)), theirs("get", between(84, 252)), 5.0),
        verb(
            KNOWN_BEFORE,
            arrow(&format!(
                ", end_known => '{}'",
                hour(150) + jiff::SignedDuration::from_micros(1)
            )),
            theirs("get", json!({"revision_date": revision.as_microsecond()})),
            5.0,
        ),
        Verb {
            repetitions: SLOW,
            ..verb(
                "what was known a day ahead, of 323 hours",
                format!("SELECT timedb.read_relative_arrow(lead => '24 hours', series_keys => '{{{key}}}')"),
                staircase,
                100.0,
            )
        },
        Verb {
            states: true,
            repetitions: SLOW,
            ..verb(
                "every version of a day",
                arrow(&(window(144, 168) + ", mode => 'overlapping'")),
                theirs("history", between(144, 168)),
                300.0,
            )
        },
    ]
}

impl Verb {
    fn compare(&self, lab: &Lab, timedb: &mut Python, tshistory: &mut Tshistory) -> Result<Vec<Record>> {
        let pairs = json!({"do": "pairs", "sql": self.sql, "states": self.states});
        timedb
            .answer(&pairs)?
            .must_be_that_of(TSHISTORY, &tshistory.answer(&self.theirs)?)
            .context(self.what)?;
        let ours = json!({"do": "arrow", "sql": self.sql});
        let tshistory = RefCell::new(tshistory);
        let figures = Contest::new(self.what, self.repetitions.0, self.repetitions.1)
            .with(TIMEDB, |_| timedb.timed(&ours))
            .with(TSHISTORY, |_| -> Result<Duration> {
                tshistory.borrow_mut().time(&self.theirs)
            })
            .run(&lab.progress)?;
        let line = Line::new("W13", self.what, "ms").figures(figures);
        Ok(line.goal(TSHISTORY, Goal::Times(self.goal)).records())
    }
}

fn sizes(lab: &Lab, ours: &str, theirs: &str) -> Result<Vec<Record>> {
    let values = SHAPE.values() as f64;
    settle(&mut lab.operator(ours)?)?;
    let ours = timedb_bytes(&mut lab.operator(ours)?)? as f64 / values;
    let theirs = tshistory::bytes(&lab.server, theirs)? as f64 / values;
    let line = Line::new("W13", BYTES, "B a value");
    Ok(line.figure(TIMEDB, ours).figure(TSHISTORY, theirs).records())
}
