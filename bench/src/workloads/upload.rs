//! W1 and W2: runs of 960 values are uploaded, a call and a commit each. All peers write the same runs
//! in turns of a hundred.

use std::time::Duration;

use anyhow::Result;

use crate::contest::Contest;
use crate::data::{Form, Run, Shape};
use crate::dataset::Dataset;
use crate::flat_read::FlatRead;
use crate::lab::{Absent, Lab, SharedClickhouse};
use crate::peers::{
    CLASSIC, CLICKHOUSE, Classic, LEAN, LEAN_COPY, LIMIT, Lean, Limit, Peer, Tenant, Timedb, must_answer_alike,
};
use crate::record::{Goal, Line, Record, TIMEDB};

pub const ARRAYS: &str = "upload from arrays, 100 runs of 960 values, a commit each";
const SHAPE: Shape = Shape::standard(Form::Meter);
pub const RUNS_A_TURN: usize = 100;
const WARM_UP: usize = 1;
const REPETITIONS: usize = 7;
const RUNS: usize = (WARM_UP + REPETITIONS) * RUNS_A_TURN;
/// Tables of ClickHouse's.
const TABLES: [&str; 2] = ["upload", "upload_json"];

struct Peers {
    runs: Vec<Run>,
    timedb: Timedb,
    classic: Classic,
    lean: Lean,
    limit: Limit,
    clickhouse: Result<SharedClickhouse, Absent>,
}

impl Peers {
    /// `table` is ClickHouse's.
    fn create(lab: &mut Lab, table: &'static str) -> Result<Self> {
        // Its rows are what `limit` copies.
        drop(lab.timedb(Dataset::Meter)?);
        let runs: Vec<Run> = (0..RUNS).map(|number| SHAPE.run(number)).collect();
        let clickhouse = lab.bare_clickhouse();
        if let Ok(clickhouse) = &clickhouse {
            clickhouse.borrow_mut().create(table)?;
            clickhouse.borrow_mut().hold(table, runs.iter().cloned())?;
        }
        let database = lab.fresh_database("upload")?;
        let tenant = Tenant::create(&lab.server, &database, 0)?;
        Ok(Self {
            timedb: Timedb::create(&lab.server, &database, &tenant, SHAPE.series)?,
            classic: Classic::create(&lab.server, &database, SHAPE.series)?,
            lean: Lean::create(&lab.server, &database, LEAN, SHAPE.series)?,
            limit: Limit::create(&lab.server, &database, Dataset::Meter.name(), RUNS)?,
            runs,
            clickhouse,
        })
    }

    fn must_have_stored_the_same(&mut self) -> Result<()> {
        let mut peers: [&mut dyn Peer; 3] = [&mut self.timedb, &mut self.lean, &mut self.classic];
        (0..SHAPE.series).try_for_each(|series| must_answer_alike(&mut peers, &FlatRead::whole(series)))
    }
}

pub fn arrays(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut peers = Peers::create(lab, TABLES[0])?;
    let runs = &peers.runs;
    let figures = Contest::new("uploads from arrays", WARM_UP, REPETITIONS)
        .with(TIMEDB, |turn| each(runs, turn, |run| peers.timedb.upload_points(run)))
        .with(CLASSIC, |turn| each(runs, turn, |run| peers.classic.insert(run)))
        .with(LEAN, |turn| each(runs, turn, |run| peers.lean.insert(run)))
        .with(LIMIT, |turn| each(runs, turn, |run| peers.limit.copy(run.number)))
        .with_if(CLICKHOUSE, inserts(&peers.clickhouse, TABLES[0]))
        .run(&lab.progress)?;
    peers.must_have_stored_the_same()?;
    let line = Line::new("W1", ARRAYS, "ms")
        .figures(figures)
        .goal(LIMIT, Goal::Within(1.5))
        .goal(LEAN, Goal::Times(7.0));
    Ok(told_if_absent(line, peers.clickhouse).records())
}

pub fn json(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut peers = Peers::create(lab, TABLES[1])?;
    let runs = &peers.runs;
    let figures = Contest::new("uploads as JSON", WARM_UP, REPETITIONS)
        .with(TIMEDB, |turn| each(runs, turn, |run| peers.timedb.upload_json(run)))
        .with(CLASSIC, |turn| each(runs, turn, |run| peers.classic.insert(run)))
        .with(LEAN_COPY, |turn| each(runs, turn, |run| peers.lean.copy(run)))
        .with(LIMIT, |turn| each(runs, turn, |run| peers.limit.copy(run.number)))
        .with_if(CLICKHOUSE, inserts(&peers.clickhouse, TABLES[1]))
        .run(&lab.progress)?;
    peers.must_have_stored_the_same()?;
    let line = Line::new("W2", "upload as JSON text, 100 runs of 960 values, a commit each", "ms")
        .figures(figures)
        .goal(LIMIT, Goal::Within(2.0))
        .goal(LEAN_COPY, Goal::Times(7.0));
    Ok(told_if_absent(line, peers.clickhouse).records())
}

fn each(runs: &[Run], turn: usize, upload: impl FnMut(&Run) -> Result<Duration>) -> Result<Duration> {
    runs[turn * RUNS_A_TURN..][..RUNS_A_TURN].iter().map(upload).sum()
}

/// ClickHouse's turns: it holds the rows already, and inserts a run's in one statement.
fn inserts(
    clickhouse: &Result<SharedClickhouse, Absent>,
    table: &'static str,
) -> Option<impl FnMut(usize) -> Result<Duration>> {
    const RUN: usize = SHAPE.series * SHAPE.hours;
    let clickhouse = clickhouse.as_ref().ok()?.clone();
    Some(move |turn| {
        let start = turn * RUNS_A_TURN * RUN;
        clickhouse
            .borrow_mut()
            .insert(table, table, start, start + RUNS_A_TURN * RUN, RUN)
    })
}

fn told_if_absent(line: Line, clickhouse: Result<SharedClickhouse, Absent>) -> Line {
    match clickhouse {
        Ok(_) => line,
        Err(absent) => line.note(CLICKHOUSE, absent),
    }
}
