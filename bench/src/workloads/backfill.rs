//! W17: a year of hourly forecasts of 48 hours, each with the moment at which it was known: in one call, and in a call each.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use arrow_array::{Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use crate::data::{Run, Shape, series_key};
use crate::lab::Lab;
use crate::peers::{Tenant, Timedb};
use crate::record::{Line, Record, TIMEDB};
use crate::statistics::Spread;

const YEAR: Shape = Shape::one_series(8_760, 48);
const IN_ONE_CALL: &str = "SELECT count(*) FROM timedb.upload_runs_arrow($1)";
const REPETITIONS: usize = 3;

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    if !lab.has_function("upload_runs_arrow")? {
        return Ok(Vec::new());
    }
    let stream = stream()?;
    let one_call = uploads(lab, "backfills a year in one call", |timedb| {
        let (took, rows) = timedb.connection.query(IN_ONE_CALL, &[&stream])?;
        ensure!(
            rows[0].try_get::<_, i64>(0)? == YEAR.runs as i64,
            "other runs than were sent"
        );
        Ok(took)
    })?;
    let calls = uploads(lab, "backfills a year in 8,760 calls", |timedb| {
        YEAR.all_runs().map(|run| timedb.upload_points(&run)).sum()
    })?;
    let line = Line::new(
        "W17",
        "a year of hourly forecasts of 48 hours, in one call of Arrow",
        "ms",
    );
    let line = line.figures([(TIMEDB, one_call), ("timedb, 8,760 calls", calls)]);
    Ok(line.at_most(5_000.0).records())
}

fn uploads(lab: &mut Lab, what: &str, upload: impl Fn(&mut Timedb) -> Result<Duration>) -> Result<Spread> {
    lab.progress.step(what);
    let mut samples = Vec::new();
    for _ in 0..REPETITIONS {
        let database = lab.fresh_database("backfill")?;
        let tenant = Tenant::create(&lab.server, &database, 0)?;
        let mut timedb = Timedb::create(&lab.server, &database, &tenant, YEAR.series)?;
        samples.push(upload(&mut timedb)?.as_secs_f64() * 1e3);
        drop(timedb);
        lab.server.drop_database(&database)?;
    }
    Ok(Spread::of(&samples))
}

/// All of it as one stream, as a data frame writes it.
fn stream() -> Result<Vec<u8>> {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Arc::new(Schema::new(vec![
        Field::new("known_time", time(), false),
        Field::new("valid_time", time(), false),
        Field::new("value_key", DataType::Utf8, false),
        Field::new("value", DataType::Float64, false),
    ]));
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &schema)?;
    let runs: Vec<Run> = YEAR.all_runs().collect();
    let of_all = |of: fn(&Run) -> Vec<i64>| -> TimestampMicrosecondArray {
        TimestampMicrosecondArray::from(runs.iter().flat_map(of).collect::<Vec<i64>>()).with_timezone("UTC")
    };
    writer.write(&RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(of_all(|run| vec![run.known_time.as_microsecond(); run.values.len()])),
            Arc::new(of_all(|run| {
                run.valid_times.iter().map(|time| time.as_microsecond()).collect()
            })),
            Arc::new(StringArray::from_iter_values(
                runs.iter()
                    .flat_map(|run| &run.series)
                    .map(|series| series_key(*series)),
            )),
            Arc::new(Float64Array::from_iter_values(
                runs.iter().flat_map(|run| &run.values).copied(),
            )),
        ],
    )?)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}
