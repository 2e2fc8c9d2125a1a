//! W8: corrections. Classic does what the original service did: lock the current version, retire it,
//! insert the next, three statements each, in one transaction a call.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use uuid::Uuid;

use crate::contest::Contest;
use crate::data::{Shape, hour};
use crate::flat_read::FlatRead;
use crate::lab::{Lab, settle};
use crate::peers::classic::Correction;
use crate::peers::timedb::JsonText;
use crate::peers::{CLASSIC, Classic, Tenant, Timedb, must_answer_alike};
use crate::record::{Goal, Line, Record, TIMEDB};

const SHAPE: Shape = Shape::one_series(1_000, 48);
const SINGLE: (usize, usize) = (20, 300);
const BATCHES: (usize, usize) = (1, 7);
const BATCH: usize = 1_000;

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let (mut peers, runs) = load(lab)?;
    let mut records = Vec::new();
    let one = |turn: usize| vec![correction(turn, 47, turn)];
    // The values of one run after the other, or one value of each of many.
    let dense = |turn: usize| (0..BATCH).map(|n| correction(n / 48, n % 48, turn + n)).collect();
    let sparse = |turn: usize| (0..BATCH).map(|n| correction(n, turn, turn + n)).collect();
    type Corrections<'a> = &'a dyn Fn(usize) -> Vec<Correction>;
    let lines: [(&str, Corrections<'_>, (usize, usize), f64); 3] = [
        ("update one value of a run of 48", &one, SINGLE, 1.5),
        ("1,000 updates in one call, of 21 runs", &dense, BATCHES, 9.0),
        ("1,000 updates in one call, of 1,000 runs", &sparse, BATCHES, 9.0),
    ];
    for (what, corrections, (warm_up, repetitions), goal) in lines {
        let (timedb, classic) = (&mut peers.0, &mut peers.1);
        let figures = Contest::new(what, warm_up, repetitions)
            .with(TIMEDB, |turn| update(timedb, &runs, &corrections(turn)))
            .with(CLASSIC, |turn| classic.update(&corrections(turn)))
            .run(&lab.progress)?;
        let line = Line::new("W8", what, "ms")
            .figures(figures)
            .goal(CLASSIC, Goal::Times(goal));
        records.extend(line.records());
    }
    must_answer_alike(&mut [&mut peers.0, &mut peers.1], &FlatRead::whole(0))?;
    Ok(records)
}

fn load(lab: &mut Lab) -> Result<((Timedb, Classic), Vec<Uuid>)> {
    let database = lab.fresh_database("update")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    let mut timedb = Timedb::create(&lab.server, &database, &tenant, 1)?;
    timedb.load(SHAPE.all_runs())?;
    settle(&mut lab.operator(&database)?)?;
    let mut classic = Classic::create(&lab.server, &database, 1)?;
    classic.load(SHAPE.all_runs())?;
    let runs = timedb.first_column("SELECT run_id FROM timedb.runs ORDER BY known_time", &[])?;
    Ok(((timedb, classic), runs))
}

/// A value that nothing had before.
fn correction(run: usize, step: usize, salt: usize) -> Correction {
    Correction {
        run,
        series: 0,
        valid_time: hour(run + step),
        value: 1_000.25 + (run * 97 + salt) as f64,
    }
}

fn update(timedb: &mut Timedb, runs: &[Uuid], corrections: &[Correction]) -> Result<Duration> {
    let mut elements = Vec::with_capacity(corrections.len());
    for correction in corrections {
        elements.push(json!({
            "run_id": runs[correction.run].to_string(),
            "series_id": timedb.series_id(correction.series)?.to_string(),
            "valid_time": correction.valid_time.to_string(),
            "value": correction.value,
        }));
    }
    let text = serde_json::Value::from(elements).to_string();
    let (took, _) = timedb
        .connection
        .query("SELECT status FROM timedb.update($1)", &[&JsonText(&text)])?;
    Ok(took)
}
