//! W16: the first upload of many series, in one call, on a database that has just been made: there are no statistics yet, and
//! every series is new.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use postgres::error::SqlState;

use crate::data::{Form, Shape};
use crate::lab::Lab;
use crate::peers::{Tenant, Timedb};
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::statistics::Spread;

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
const REPETITIONS: usize = 5;
/// More is not waited for, so that one bad figure does not take the bench's whole time.
const PATIENCE: Duration = Duration::from_secs(60);
const TENTH: &str = "timedb, 10,000";
pub const CURVE: &str = "W16: so many new series in one call";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut figures = Vec::new();
    for series in SIZES {
        let figure = uploads(lab, series)?;
        let line = Line::new("growth", CURVE, "ms").size(series);
        records.extend(told(line, figure).records());
        figures.push(figure);
    }
    let line = Line::new("W16", "upload of 100,000 new series, a value each, in one call", "ms");
    records.extend(told(line, figures[2]).at_most(5_000.0).records());
    let line = Line::new("W16", "a series of those, against one of 10,000 in a call", "µs");
    let line = told(line, figures[2].map(|spread| a_series(spread, SIZES[2])));
    let line = match figures[1] {
        Some(spread) => line.figures([(TENTH, a_series(spread, SIZES[1]))]),
        None => line,
    };
    records.extend(line.goal(TENTH, Goal::Within(1.2)).records());
    Ok(records)
}

fn told(line: Line, figure: Option<Spread>) -> Line {
    match figure {
        Some(spread) => line.figures([(TIMEDB, spread)]),
        None => line.note(TIMEDB, format!("over {} s", PATIENCE.as_secs())),
    }
}

/// Of milliseconds a call, microseconds a series.
fn a_series(spread: Spread, series: u32) -> Spread {
    spread.times(1e3 / f64::from(series))
}

/// In milliseconds, or nothing where one took too long.
fn uploads(lab: &mut Lab, series: u32) -> Result<Option<Spread>> {
    lab.progress.step(&format!("uploads {series} new series"));
    let mut samples = Vec::new();
    for _ in 0..REPETITIONS {
        match upload(lab, series as usize)? {
            Some(took) => samples.push(took.as_secs_f64() * 1e3),
            None => return Ok(None),
        }
    }
    Ok(Some(Spread::of(&samples)))
}

fn upload(lab: &mut Lab, series: usize) -> Result<Option<Duration>> {
    let database = lab.fresh_database("new_series")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    let mut timedb = Timedb::connect(&lab.server, &database, &tenant)?;
    let patience = format!("SET statement_timeout = {}", PATIENCE.as_millis());
    timedb.connection.batch(&patience)?;
    let shape = Shape {
        series,
        runs: 1,
        hours: 1,
        form: Form::Meter,
    };
    let took = match timedb.upload_points(&shape.run(0)) {
        Err(error) if was_cancelled(&error) => None,
        took => Some(took?),
    };
    if took.is_some() {
        let count = "SELECT count(*) FROM timedb.series";
        let stored: i64 = timedb.connection.one(count, &[]).context("after the upload")?;
        ensure!(usize::try_from(stored)? == series, "{stored} series are there");
    }
    drop(timedb);
    lab.server.drop_database(&database)?;
    Ok(took)
}

fn was_cancelled(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<postgres::Error>();
    error.and_then(postgres::Error::code) == Some(&SqlState::QUERY_CANCELED)
}
