//! W3: bytes on disk a value, with indexes and TOAST; the small tables of runs and series not counted,
//! for any peer. After the uploads comes a plain VACUUM, as autovacuum does it; after `compact`, and
//! only there, a VACUUM FULL, because what it frees is else given back only in time.

use anyhow::Result;

use crate::dataset::Dataset;
use crate::lab::{Lab, timedb_bytes};
use crate::peers::{CLASSIC, CLICKHOUSE, LEAN};
use crate::record::{Goal, Line, Record, TIMEDB};

const UNIT: &str = "B a value";
pub const BEFORE_COMPACT: &str = "on disk before compact (as uploaded), meter";
pub const AFTER_COMPACT: &str = "on disk after compact and VACUUM FULL, meter";

/// What timedb is to take of a dataset: bytes a value, and then how many times less than ClickHouse.
struct Goals {
    uploaded: f64,
    compacted: Goal,
}

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for (dataset, goals) in [
        (
            Dataset::Meter,
            Goals {
                uploaded: 8.1,
                compacted: Goal::Within(0.5),
            },
        ),
        (
            Dataset::Noise,
            Goals {
                uploaded: 15.3,
                compacted: Goal::Within(1.0),
            },
        ),
    ] {
        let uploaded = timedb_before_compact(lab, dataset)?;
        let line = Line::new("W3", of(BEFORE_COMPACT, dataset), UNIT).figure(TIMEDB, uploaded);
        records.extend(with_peers(lab, dataset, line.at_most(goals.uploaded))?.records());
        let line = Line::new("W3", of(AFTER_COMPACT, dataset), UNIT);
        if !lab.has_function("compact")? {
            records.extend(line.note(TIMEDB, "not there yet").records());
            continue;
        }
        let line = line.figure(TIMEDB, timedb_after_compact(lab, dataset)?);
        let line = with_peers(lab, dataset, line.goal(CLICKHOUSE, goals.compacted))?;
        records.extend(line.records());
    }
    Ok(records)
}

fn of(what: &str, dataset: Dataset) -> String {
    what.replace(Dataset::Meter.name(), dataset.name())
}

fn timedb_before_compact(lab: &mut Lab, dataset: Dataset) -> Result<f64> {
    drop(lab.timedb(dataset)?);
    let bytes = timedb_bytes(&mut lab.operator(dataset.name())?)?;
    Ok(a_value(dataset, bytes as f64))
}

fn timedb_after_compact(lab: &mut Lab, dataset: Dataset) -> Result<f64> {
    let database = lab.compacted(dataset)?;
    let bytes = timedb_bytes(&mut lab.operator(&database)?)?;
    Ok(a_value(dataset, bytes as f64))
}

/// What peers take, who compact nothing or do it by themselves.
fn with_peers(lab: &mut Lab, dataset: Dataset, mut line: Line) -> Result<Line> {
    // A row per value takes the same whatever the value is.
    if dataset == Dataset::Meter {
        line = line
            .figure(CLASSIC, a_value(dataset, lab.classic(dataset)?.bytes()? as f64))
            .figure(LEAN, a_value(dataset, lab.lean(dataset)?.bytes()? as f64));
    }
    Ok(match lab.clickhouse(dataset)? {
        Ok(clickhouse) => {
            let bytes = clickhouse.borrow_mut().bytes(dataset.name())?;
            line.figure(CLICKHOUSE, a_value(dataset, bytes))
        }
        Err(absent) => line.note(CLICKHOUSE, absent),
    })
}

fn a_value(dataset: Dataset, bytes: f64) -> f64 {
    bytes / dataset.values() as f64
}
