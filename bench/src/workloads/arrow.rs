//! W6a: all stored values out as an Arrow stream, and what that saves on the way into a data frame.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use postgres::Row;
use serde_json::{Value, json};

use crate::connection::{Connection, SUPERUSER};
use crate::contest::Contest;
use crate::dataset::Dataset;
use crate::flat_read::Answer;
use crate::lab::Lab;
use crate::peers::{CLICKHOUSE, LEAN};
use crate::python::Python;
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::workloads::overlapping::ORDER;

const READ_ARROW: &str = "SELECT timedb.read_arrow(mode => 'overlapping')";
const READ: &str = "SELECT * FROM timedb.read(mode => 'overlapping')";
const ROWS: &str = "timedb, rows by ADBC";
pub const FRAME: &str = "the same into a polars frame";
const WARM_UP: usize = 1;
const REPETITIONS: usize = 5;

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    drop(lab.timedb(Dataset::Meter)?);
    let has_arrow = lab.has_function("read_arrow")?;
    let mut records = stream(lab, has_arrow)?;
    records.extend(frame(lab, has_arrow)?);
    Ok(records)
}

fn stream(lab: &mut Lab, has_arrow: bool) -> Result<Vec<Record>> {
    let mut timedb = lab.timedb(Dataset::Meter)?;
    let clickhouse = lab.clickhouse(Dataset::Meter)?;
    if let Ok(clickhouse) = &clickhouse {
        let (_, rows) = timedb
            .connection
            .query("SELECT valid_time, value FROM timedb.read(mode => 'overlapping')", &[])?;
        let theirs = clickhouse.borrow_mut().all_answer(Dataset::Meter.name())?;
        Answer::of_rows(&rows)?.must_be_that_of(CLICKHOUSE, &theirs)?;
    }
    let figures = Contest::new("all values as Arrow", WARM_UP, REPETITIONS)
        .with_if(TIMEDB, has_arrow.then_some(|_| bytes_of(&mut timedb.connection)))
        .with_if(
            CLICKHOUSE,
            clickhouse
                .as_ref()
                .ok()
                .map(|clickhouse| |_| clickhouse.borrow_mut().all(Dataset::Meter.name())),
        )
        .run(&lab.progress)?;
    let mut line = Line::new("W6a", "all 960,000 values out as an Arrow stream, in order", "ms")
        .figures(figures)
        .goal(CLICKHOUSE, Goal::Within(1.0));
    if !has_arrow {
        line = line.note(TIMEDB, "not there yet");
    }
    if let Err(absent) = clickhouse {
        line = line.note(CLICKHOUSE, absent);
    }
    Ok(line.records())
}

fn bytes_of(connection: &mut Connection) -> Result<Duration> {
    let (took, rows) = connection.query(READ_ARROW, &[])?;
    let bytes: &[u8] = rows.first().map(|row: &Row| row.try_get(0)).context("no stream")??;
    ensure!(!bytes.is_empty(), "the Arrow stream is empty");
    Ok(took)
}

/// ADBC, which makes Arrow of a binary COPY, is the fastest way from rows of Postgres to a frame.
fn frame(lab: &mut Lab, has_arrow: bool) -> Result<Vec<Record>> {
    let line = Line::new("W6a", FRAME, "ms");
    let program = lab.project.join("bench/python/frames.py");
    let mut python = match Python::start(&program) {
        Ok(python) => python,
        Err(error) => return Ok(line.note(TIMEDB, format!("{error:#}")).records()),
    };
    let lean_sql = format!("{} {ORDER}", lab.lean(Dataset::Meter)?.overlapping_sql("*"));
    let clickhouse = lab.clickhouse(Dataset::Meter)?.ok();
    start(lab, &mut python)?;
    if has_arrow {
        let same = python.ask(&json!({"do": "compare", "name": TIMEDB, "rows": READ, "arrow": READ_ARROW}))?;
        ensure!(
            same["same"] == Value::Bool(true),
            "read and read_arrow answer different frames: {same}"
        );
    }
    // All but ClickHouse are asked of the one process.
    let python = RefCell::new(python);
    let timed = |request: &Value| python.borrow_mut().timed(request);
    let arrow = json!({"do": "arrow", "sql": READ_ARROW});
    let rows = json!({"do": "adbc", "name": TIMEDB, "sql": READ});
    let of_lean = json!({"do": "adbc", "name": LEAN, "sql": lean_sql});
    let figures = Contest::new("a polars frame", WARM_UP, REPETITIONS)
        .with_if(TIMEDB, has_arrow.then_some(|_| timed(&arrow)))
        .with(ROWS, |_| timed(&rows))
        .with(LEAN, |_| timed(&of_lean))
        .with_if(
            CLICKHOUSE,
            clickhouse.map(|clickhouse| move |_| clickhouse.borrow_mut().all_as_frame(Dataset::Meter.name())),
        )
        .run(&lab.progress)?;
    let line = line.figures(figures);
    Ok(if has_arrow {
        line
    } else {
        line.note(TIMEDB, "not there yet")
    }
    .records())
}

/// Connects for Arrow, and by ADBC for rows of timedb and of lean.
fn start(lab: &Lab, python: &mut Python) -> Result<()> {
    let (app, superuser) = (
        lab.server.url("app", Dataset::Meter.name()),
        lab.server.url(SUPERUSER, Dataset::Meter.name()),
    );
    let api_key = &lab.tenant(Dataset::Meter)?.api_key;
    python.ask(&json!({"do": "start", "url": app, "api_key": api_key}))?;
    python.ask(&json!({"do": "start_adbc", "name": TIMEDB, "url": app, "api_key": api_key}))?;
    python.ask(&json!({"do": "start_adbc", "name": LEAN, "url": superuser}))?;
    Ok(())
}
