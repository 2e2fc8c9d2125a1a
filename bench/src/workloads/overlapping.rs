//! W6: all stored values out by binary COPY, twelve columns on both sides.

use anyhow::{Result, ensure};

use crate::contest::Contest;
use crate::dataset::Dataset;
use crate::lab::Lab;
use crate::peers::LEAN;
use crate::record::{Goal, Line, Record, TIMEDB};

/// The columns that do not hold ids of a peer's own.
/// All that both sides have.
const COLUMNS: &str = "known_time, valid_time, valid_time_end, series_id, series_key, unit, value, run_id, change_time, \
                       changed_by, annotation, tags";
const COMPARED: &str = "known_time, valid_time, valid_time_end, series_key, unit, value, annotation, tags";
pub const ORDER: &str = r#"ORDER BY series_key COLLATE "C", series_id, valid_time, valid_time_end NULLS FIRST,
    known_time, change_time, run_id"#;
const WARM_UP: usize = 1;
const REPETITIONS: usize = 5;

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut timedb = lab.timedb(Dataset::Meter)?;
    let mut lean = lab.lean(Dataset::Meter)?;

    lab.progress.step("compares all values of timedb and lean");
    let read = "timedb.read(mode => 'overlapping')";
    let ours = timedb
        .connection
        .copied(&copy(&format!("SELECT {COMPARED} FROM {read}")))?;
    let theirs = format!("{} {ORDER}", lean.overlapping_sql("*"));
    let theirs = copy(&format!("SELECT {COMPARED} FROM ({theirs}) AS read"));
    ensure!(
        ours == lean.connection.copied(&theirs)?,
        "timedb and lean answer different values"
    );

    let mut records = Vec::new();
    for (what, goal, ours, theirs) in [
        (
            "unordered",
            1.3,
            format!("SELECT {COLUMNS} FROM timedb.current_values"),
            lean.overlapping_sql("*"),
        ),
        (
            "in order",
            4.0,
            format!("SELECT {COLUMNS} FROM {read}"),
            format!("{} {ORDER}", lean.overlapping_sql("*")),
        ),
    ] {
        let (ours, theirs) = (copy(&ours), copy(&theirs));
        let figures = Contest::new(format!("all values {what}"), WARM_UP, REPETITIONS)
            .with(TIMEDB, |_| timedb.connection.copy_out(&ours))
            .with(LEAN, |_| lean.connection.copy_out(&theirs))
            .run(&lab.progress)?;
        records.extend(
            Line::new("W6", format!("all 960,000 values out by COPY, {what}"), "ms")
                .figures(figures)
                .goal(LEAN, Goal::Times(goal))
                .records(),
        );
    }
    Ok(records)
}

fn copy(query: &str) -> String {
    format!("COPY ({query}) TO STDOUT (FORMAT binary)")
}
