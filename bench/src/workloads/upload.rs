//! W1 and W2: runs of 960 values are uploaded, a call and a commit each. All peers write the same runs
//! in turns of a hundred.

use std::time::Duration;

use anyhow::Result;

use crate::contest::Contest;
use crate::data::{Form, Run, Shape};
use crate::dataset::Dataset;
use crate::flat_read::FlatRead;
use crate::lab::Lab;
use crate::peers::{
    CLASSIC, CLICKHOUSE, Classic, LEAN, LEAN_COPY, LIMIT, Lean, Limit, Peer, Tenant, Timedb, must_answer_alike,
};
use crate::record::{Goal, Line, Record, TIMEDB};

const SHAPE: Shape = Shape::standard(Form::Meter);
const RUNS_A_TURN: usize = 100;
const WARM_UP: usize = 1;
const REPETITIONS: usize = 7;
const RUNS: usize = (WARM_UP + REPETITIONS) * RUNS_A_TURN;
/// A table of ClickHouse's.
const TABLE: &str = "upload";

struct Peers {
    database: String,
    runs: Vec<Run>,
    timedb: Timedb,
    classic: Classic,
    lean: Lean,
}

impl Peers {
    fn create(lab: &mut Lab) -> Result<Self> {
        let database = lab.fresh_database("upload")?;
        let tenant = Tenant::create(&lab.server, &database, 0)?;
        Ok(Self {
            runs: (0..RUNS).map(|number| SHAPE.run(number)).collect(),
            timedb: Timedb::create(&lab.server, &database, &tenant, SHAPE.series)?,
            classic: Classic::create(&lab.server, &database, SHAPE.series)?,
            lean: Lean::create(&lab.server, &database, LEAN, SHAPE.series)?,
            database,
        })
    }

    fn must_have_stored_the_same(&mut self) -> Result<()> {
        let mut peers: [&mut dyn Peer; 3] = [&mut self.timedb, &mut self.lean, &mut self.classic];
        (0..SHAPE.series).try_for_each(|series| must_answer_alike(&mut peers, &FlatRead::whole(series)))
    }
}

pub fn arrays(lab: &mut Lab) -> Result<Vec<Record>> {
    // Its rows are what `limit` copies.
    drop(lab.timedb(Dataset::Meter)?);
    let mut peers = Peers::create(lab)?;
    let mut limit = Limit::create(&lab.server, &peers.database, Dataset::Meter.name(), RUNS)?;
    let runs = &peers.runs;
    let figures = Contest::new("uploads from arrays", WARM_UP, REPETITIONS)
        .with(TIMEDB, |turn| each(runs, turn, |run| peers.timedb.upload_points(run)))
        .with(CLASSIC, |turn| each(runs, turn, |run| peers.classic.insert(run)))
        .with(LEAN, |turn| each(runs, turn, |run| peers.lean.insert(run)))
        .with(LIMIT, |turn| each(runs, turn, |run| limit.copy(run.number)))
        .run(&lab.progress)?;
    peers.must_have_stored_the_same()?;
    Ok(
        Line::new("W1", "upload from arrays, 100 runs of 960 values, a commit each", "ms")
            .figures(figures)
            .goal(CLASSIC, Goal::Times(60.0))
            .goal(LEAN, Goal::Times(8.0))
            .goal(LIMIT, Goal::Within(2.0))
            .records(),
    )
}

pub fn json(lab: &mut Lab) -> Result<Vec<Record>> {
    let clickhouse = lab.bare_clickhouse();
    let mut peers = Peers::create(lab)?;
    if let Ok(clickhouse) = &clickhouse {
        clickhouse.borrow_mut().create(TABLE)?;
        clickhouse.borrow_mut().hold(TABLE, peers.runs.iter().cloned())?;
    }
    let runs = &peers.runs;
    let values = SHAPE.series * SHAPE.hours;
    let insert = |turn: usize| {
        let start = turn * RUNS_A_TURN * values;
        move |clickhouse: &mut crate::peers::Clickhouse| {
            clickhouse.insert(TABLE, TABLE, start, start + RUNS_A_TURN * values, values)
        }
    };
    let figures = Contest::new("uploads as JSON", WARM_UP, REPETITIONS)
        .with(TIMEDB, |turn| each(runs, turn, |run| peers.timedb.upload_json(run)))
        .with(CLASSIC, |turn| each(runs, turn, |run| peers.classic.insert(run)))
        .with(LEAN_COPY, |turn| each(runs, turn, |run| peers.lean.copy(run)))
        .with_if(
            CLICKHOUSE,
            clickhouse
                .as_ref()
                .ok()
                .map(|clickhouse| |turn| insert(turn)(&mut clickhouse.borrow_mut())),
        )
        .run(&lab.progress)?;
    peers.must_have_stored_the_same()?;
    let mut line = Line::new("W2", "upload as JSON text, 100 runs of 960 values, a commit each", "ms")
        .figures(figures)
        .goal(CLASSIC, Goal::Times(45.0))
        .goal(LEAN_COPY, Goal::Times(8.0))
        .goal(CLICKHOUSE, Goal::Times(8.0));
    if let Err(absent) = clickhouse {
        line = line.note(CLICKHOUSE, absent);
    }
    Ok(line.records())
}

fn each(runs: &[Run], turn: usize, upload: impl FnMut(&Run) -> Result<Duration>) -> Result<Duration> {
    runs[turn * RUNS_A_TURN..][..RUNS_A_TURN].iter().map(upload).sum()
}
