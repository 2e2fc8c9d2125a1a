//! The newest value of each of 10,000 series, as W14's other half: without reading their history.

use anyhow::{Result, ensure};

use crate::contest::Contest;
use crate::data::{Form, Shape};
use crate::lab::{Lab, compact, settle};
use crate::peers::{Tenant, Timedb};
use crate::record::{Line, Record, TIMEDB};

const SHAPE: Shape = Shape {
    series: 10_000,
    runs: 20,
    hours: 48,
    form: Form::Meter,
};
const READ: &str = "SELECT series_key, valid_time, value FROM timedb.latest()";
const WARM_UP: usize = 1;
const REPETITIONS: usize = 7;

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    if !lab.has_function("latest")? {
        return Ok(Vec::new());
    }
    let database = lab.fresh_database("latest")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    lab.progress.step("loads 10,000 series");
    let mut timedb = Timedb::connect(&lab.server, &database, &tenant)?;
    timedb.load(SHAPE.all_runs())?;
    settle(&mut lab.operator(&database)?)?;
    let mut records = reads(lab, &mut timedb, "the newest value of 10,000 series, of 20 runs each")?;
    lab.progress.step("compacts 10,000 series");
    compact(&mut timedb)?;
    settle(&mut lab.operator(&database)?)?;
    records.extend(reads(lab, &mut timedb, "those after compact")?);
    Ok(records)
}

/// A hundred milliseconds are ten microseconds a series.
fn reads(lab: &Lab, timedb: &mut Timedb, what: &'static str) -> Result<Vec<Record>> {
    let figures = Contest::new(what, WARM_UP, REPETITIONS)
        .with(TIMEDB, |_| {
            let (took, rows) = timedb.connection.query(READ, &[])?;
            ensure!(rows.len() == SHAPE.series, "{} series", rows.len());
            Ok(took)
        })
        .run(&lab.progress)?;
    Ok(Line::new("W14", what, "ms").figures(figures).at_most(100.0).records())
}
