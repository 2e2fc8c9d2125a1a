//! W19: a window of known time alone: the values of one run, out of a long history and out of one ten times as long.

use std::cell::RefCell;

use anyhow::Result;

use crate::contest::Contest;
use crate::data::{Run, Shape, hour};
use crate::flat_read::Answer;
use crate::lab::{Lab, compact, settle};
use crate::peers::{Tenant, Timedb};
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::workloads::flat::{REPETITIONS, WARM_UP};

/// Series 0 is the long one.
const SHAPES: [Shape; 2] = [Shape::one_series(87_600, 48), Shape::one_series(8_760, 48)];
const READ: &str = "SELECT valid_time, value FROM timedb.read(
    series_ids => ARRAY[$1::uuid], start_known => $2, end_known => $3)";
const TENTH: &str = "timedb, a tenth";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let database = lab.fresh_database("known")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    lab.progress.step("loads 87,600 runs");
    let mut timedb = Timedb::create(&lab.server, &database, &tenant, SHAPES.len())?;
    timedb.load((0..SHAPES[0].runs).filter_map(run))?;
    settle(&mut lab.operator(&database)?)?;
    let mut records = reads(lab, &mut timedb, "one run of 48 by its known time, out of 87,600")?;
    lab.progress.step("compacts 87,600 runs");
    compact(&mut timedb)?;
    settle(&mut lab.operator(&database)?)?;
    records.extend(reads(lab, &mut timedb, "the same after compact")?);
    Ok(records)
}

fn run(number: usize) -> Option<Run> {
    let of_series = SHAPES.iter().enumerate().filter(|(_, shape)| number < shape.runs);
    of_series
        .map(|(series, shape)| shape.run(number).of_series_from(series))
        .reduce(Run::and)
}

fn reads(lab: &Lab, timedb: &mut Timedb, what: &'static str) -> Result<Vec<Record>> {
    let ids = [timedb.series_id(0)?, timedb.series_id(1)?];
    let mut took = |series: usize| {
        let middle = SHAPES[series].runs / 2;
        let (took, rows) = timedb
            .connection
            .query(READ, &[&ids[series], &hour(middle), &hour(middle + 1)])?;
        let stored = SHAPES[series].run(middle);
        let stored = stored.valid_times.iter().zip(stored.values);
        Answer::of(stored.map(|(time, value)| (time.as_microsecond(), value)))
            .must_be_that_of("the read", &Answer::of_rows(&rows)?)?;
        Ok(took)
    };
    // Both are asked of the one connection.
    let took = RefCell::new(&mut took);
    let figures = Contest::new(what, WARM_UP, REPETITIONS)
        .with(TIMEDB, |_| took.borrow_mut()(0))
        .with(TENTH, |_| took.borrow_mut()(1))
        .run(&lab.progress)?;
    let line = Line::new("W19", what, "ms").figures(figures).at_most(1.0);
    Ok(line.goal(TENTH, Goal::Within(1.2)).records())
}
