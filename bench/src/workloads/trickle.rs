//! W11: a value at a time, each a call and a commit; and then W4's read of what that left behind.

use std::time::Duration;

use anyhow::Result;

use crate::contest::Contest;
use crate::data::{Run, Shape};
use crate::flat_read::FlatRead;
use crate::lab::{Lab, compact, settle};
use crate::peers::{LEAN, Lean, Peer, Tenant, Timedb, must_answer_alike};
use crate::record::{Goal, Line, Record, TIMEDB};

const TURN: usize = 20_000;
const TURNS: usize = 5;
const SHAPE: Shape = Shape::one_series(TURN * TURNS, 1);
const READS: (usize, usize) = (1, 7);

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let database = lab.fresh_database("trickle")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    let mut timedb = Timedb::create(&lab.server, &database, &tenant, 1)?;
    let mut lean = Lean::create(&lab.server, &database, LEAN, 1)?;
    let figures = Contest::new("uploads of one value", 0, TURNS)
        .with(TIMEDB, |turn| each(turn, |run| timedb.upload_points(run)))
        .with(LEAN, |turn| each(turn, |run| lean.insert_value(run)))
        .run(&lab.progress)?;
    let mut records = Line::new("W11", "20,000 uploads of one value, a commit each", "ms")
        .figures(figures)
        .goal(LEAN, Goal::Times(0.9))
        .records();

    settle(&mut lab.operator(&database)?)?;
    lean.settle()?;
    let what = "flat read of those 100,000 values";
    records.extend(reads(lab, what, &mut timedb, &mut lean, Goal::Times(0.8))?);
    compact(&mut timedb)?;
    settle(&mut lab.operator(&database)?)?;
    let what = "the same after compact";
    records.extend(reads(lab, what, &mut timedb, &mut lean, Goal::Times(2.0))?);
    Ok(records)
}

fn reads(lab: &Lab, what: &'static str, timedb: &mut Timedb, lean: &mut Lean, goal: Goal) -> Result<Vec<Record>> {
    let read = FlatRead::whole(0);
    let mut peers: [&mut dyn Peer; 2] = [timedb, lean];
    must_answer_alike(&mut peers, &read)?;
    let figures = Contest::new("reads of what trickled in", READS.0, READS.1)
        .of_reads(peers, &read)
        .run(&lab.progress)?;
    Ok(Line::new("W11", what, "ms").figures(figures).goal(LEAN, goal).records())
}

fn each(turn: usize, mut upload: impl FnMut(&Run) -> Result<Duration>) -> Result<Duration> {
    (turn * TURN..(turn + 1) * TURN)
        .map(|number| upload(&SHAPE.run(number)))
        .sum()
}
