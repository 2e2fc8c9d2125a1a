//! Making the series and uploading the runs.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use postgres::Row;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{FORECAST, MEASURED};
use crate::report::Report;
use crate::session::Session;
use crate::temperatures::{Forecast, Temperatures};

const CREATE_SERIES: &str = "SELECT timedb.create_series(
    name => $1,
    unit => $2,
    description => $3)";

const UPLOAD: &str = "SELECT * FROM timedb.upload(
    run_start_time => $1,
    value_rows => $2::text::json,
    workflow_id => $3,
    known_time => $4)";

/// How much was uploaded, and how long it took.
pub struct Upload {
    pub runs: usize,
    pub values: usize,
    pub took: Duration,
}

pub fn create_series(report: &mut Report, alice: &mut Session) -> Result<Uuid> {
    report.step("Two series, with unit and description");
    let measured = [MEASURED, "°F", "Air temperature in Seattle, hourly"];
    let forecast = [FORECAST, "°F", "Persistence: the next 48 hours as the last day was"];
    let mut create = |[name, unit, description]: [&str; 3]| -> Result<Uuid> {
        let row = alice.query_one(CREATE_SERIES, &[&name, &unit, &description])?;
        Ok(row.try_get(0)?)
    };
    let series_id = create(measured)?;
    create(forecast)?;
    let again = create(measured)?;
    report.same("making a series that exists gives its id", &again, &series_id);
    alice.query("SELECT series_key, unit, description FROM timedb.list_series()", &[])?;
    Ok(series_id)
}

/// Values as `upload` takes them: a JSON row for each.
fn value_rows<'a>(key: &str, values: impl IntoIterator<Item = (&'a Timestamp, &'a f64)>) -> String {
    let row = |(valid_time, value): (&Timestamp, &f64)| {
        let valid_time = valid_time.to_string();
        json!({"valid_time": valid_time, "value_key": key, "value": value})
    };
    values.into_iter().map(row).collect::<Value>().to_string()
}

/// Uploads the year; answers the run's id too.
pub fn measurements(report: &mut Report, alice: &mut Session, year: &Temperatures) -> Result<(Uuid, Upload)> {
    report.step("The measurements: the whole year in one run, known when it was over");
    let known_time: Timestamp = "2011-01-01T00:00:00Z".parse()?;
    let rows = value_rows(MEASURED, year);
    let started = Instant::now();
    let run = alice.query_one(UPLOAD, &[&known_time, &rows, &"measurements", &known_time])?;
    let took = started.elapsed();
    report.claim("the run is made", is_created(&run)?);
    let upload = Upload {
        runs: 1,
        values: year.len(),
        took,
    };
    Ok((run.try_get("run_id")?, upload))
}

fn is_created(run: &Row) -> Result<bool> {
    Ok(run.try_get::<_, &str>("message")? == "Run created successfully")
}

pub fn forecasts(report: &mut Report, alice: &mut Session, forecasts: &[Forecast]) -> Result<Upload> {
    report.step("A forecast from every midnight: 365 runs of 48 hours, each known at its midnight");
    let started = Instant::now();
    let mut created = 0;
    let mut values = 0;
    for (index, Forecast { known_time, hours }) in forecasts.iter().enumerate() {
        let rows = value_rows(FORECAST, hours);
        let run = if index == 0 {
            alice.query_one(UPLOAD, &[known_time, &rows, &"persistence", known_time])?
        } else {
            alice.quietly_one(UPLOAD, &[known_time, &rows, &"persistence", known_time])?
        };
        created += usize::from(is_created(&run)?);
        values += hours.len();
    }
    let took = started.elapsed();
    report.note(&format!("… and {} more like it", forecasts.len() - 1));
    report.same("365 runs are made", &created, &365);
    Ok(Upload {
        runs: forecasts.len(),
        values,
        took,
    })
}
