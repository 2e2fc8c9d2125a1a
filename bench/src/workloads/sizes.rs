//! W3: bytes on disk a value, with indexes and TOAST; the small tables of runs and series not counted,
//! for any peer. After the uploads comes a plain VACUUM, as autovacuum does it; after `compact`, and
//! only there, a VACUUM FULL, because what it frees is else given back only in time.

use anyhow::Result;

use crate::dataset::Dataset;
use crate::lab::{Lab, timedb_bytes};
use crate::peers::{CLASSIC, CLICKHOUSE, LEAN};
use crate::record::{Line, Record, TIMEDB};

const UNIT: &str = "B a value";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for (dataset, uploaded, compacted) in [(Dataset::Meter, 9.0, 4.0), (Dataset::Noise, 15.5, 9.0)] {
        records.extend(as_uploaded(lab, dataset, uploaded)?);
        records.extend(after_compact(lab, dataset, compacted)?);
    }
    Ok(records)
}

fn as_uploaded(lab: &mut Lab, dataset: Dataset, goal: f64) -> Result<Vec<Record>> {
    let what = format!("on disk as uploaded, {}", dataset.name());
    drop(lab.timedb(dataset)?);
    let bytes = timedb_bytes(&mut lab.operator(dataset.name())?)?;
    let mut line = Line::new("W3", what, UNIT)
        .figure(TIMEDB, a_value(dataset, bytes))
        .at_most(goal);
    // A row per value takes the same whatever the value is.
    if dataset == Dataset::Meter {
        line = line
            .figure(CLASSIC, a_value(dataset, lab.classic(dataset)?.bytes()?))
            .figure(LEAN, a_value(dataset, lab.lean(dataset)?.bytes()?));
    }
    let clickhouse = match lab.clickhouse(dataset)? {
        Ok(clickhouse) => Ok(clickhouse.borrow_mut().bytes(dataset.name())?),
        Err(absent) => Err(absent),
    };
    Ok(match clickhouse {
        Ok(bytes) => line.figure(CLICKHOUSE, bytes / dataset.values() as f64),
        Err(absent) => line.note(CLICKHOUSE, absent),
    }
    .records())
}

fn after_compact(lab: &mut Lab, dataset: Dataset, goal: f64) -> Result<Vec<Record>> {
    let what = format!("on disk after compact and VACUUM FULL, {}", dataset.name());
    let line = Line::new("W3", what, UNIT).at_most(goal);
    if !lab.has_function("compact")? {
        return Ok(line.note(TIMEDB, "not there yet").records());
    }
    let database = lab.compacted(dataset)?;
    let bytes = timedb_bytes(&mut lab.operator(&database)?)?;
    Ok(line.figure(TIMEDB, a_value(dataset, bytes)).records())
}

fn a_value(dataset: Dataset, bytes: i64) -> f64 {
    bytes as f64 / dataset.values() as f64
}
