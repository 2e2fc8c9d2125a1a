//! W4 and W7, and what W5 and the curves of growth ask too: a flat read, the same of every peer. Before
//! anything is timed, all answers are compared, value by value.

use anyhow::{Context, Result};
use postgres::types::ToSql;

use crate::contest::Contest;
use crate::data::hour;
use crate::dataset::Dataset;
use crate::flat_read::FlatRead;
use crate::lab::Lab;
use crate::peers::{LEAN, LIMIT, Peer, Timedb, must_answer_alike};
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::statistics::Spread;

pub const WARM_UP: usize = 3;
pub const REPETITIONS: usize = 15;
/// Any will do.
const SERIES: usize = 7;

pub const WHOLE: &str = "flat read of one series, 48,000 stored, 1,047 out";
pub const KNOWN_BEFORE: &str = "W4's read as of a past known_time, 547 out";

pub fn whole_history(lab: &mut Lab) -> Result<Vec<Record>> {
    before_and_after_compact(lab, "W4", WHOLE, FlatRead::whole(SERIES))
}

pub fn known_before(lab: &mut Lab) -> Result<Vec<Record>> {
    let read = FlatRead::whole(SERIES).known_before(hour(500));
    before_and_after_compact(lab, "W7", KNOWN_BEFORE, read)
}

fn before_and_after_compact(lab: &mut Lab, workload: &'static str, what: &str, read: FlatRead) -> Result<Vec<Record>> {
    let line = Line::new(workload, what, "ms").goal(LIMIT, Goal::Within(1.1));
    let line = read_by_all(lab, Dataset::Meter, read, line, true)?;
    let mut records = line.figures(rows_alone(lab, read)?).records();
    let line = Line::new(workload, "the same by timedb after compact", "ms");
    records.extend(after_compact(lab, read, line)?.records());
    Ok(records)
}

/// The line with the figures of all peers that have the dataset.
pub fn read_by_all(
    lab: &mut Lab,
    dataset: Dataset,
    read: FlatRead,
    mut line: Line,
    with_classic: bool,
) -> Result<Line> {
    let mut readers = lab.readers(dataset, with_classic)?;
    let mut peers: Vec<&mut dyn Peer> = Vec::new();
    for peer in &mut readers.peers {
        peers.push(peer.as_mut());
    }
    must_answer_alike(&mut peers, &read)?;
    let figures = Contest::new("flat reads", WARM_UP, REPETITIONS)
        .of_reads(peers, &read)
        .run(&lab.progress)?;
    line = line.figures(figures);
    for (peer, why) in readers.absent {
        line = line.note(peer, why);
    }
    Ok(line)
}

/// The floor for timedb's read: the rows it opens, fetched and left as they are.
fn rows_alone(lab: &mut Lab, read: FlatRead) -> Result<Vec<(&'static str, Spread)>> {
    let series = lab.timedb(Dataset::Meter)?.series_id(read.series)?;
    let tenant = lab.tenant(Dataset::Meter)?.id;
    let mut operator = lab.operator(Dataset::Meter.name())?;
    let (conditions, windows) = read.conditions("valid_from", "known_time", 3);
    let rows = format!("SELECT * FROM timedb.values WHERE tenant_id = $1 AND series_id = $2{conditions}");
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant, &series];
    params.extend(windows);
    Contest::new("the rows alone", WARM_UP, REPETITIONS)
        .with(LIMIT, |_| Ok(operator.query(&rows, &params)?.0))
        .run(&lab.progress)
}

/// timedb with its old rows packed together; lean is as it was.
fn after_compact(lab: &mut Lab, read: FlatRead, line: Line) -> Result<Line> {
    if !lab.has_function("compact")? {
        return Ok(line.note(TIMEDB, "not there yet"));
    }
    let mut timedb = lab.timedb(Dataset::Meter)?;
    let (_, answer) = timedb.flat(&read)?;
    drop(timedb);
    let database = lab.compacted(Dataset::Meter)?;
    let tenant = lab.tenant(Dataset::Meter)?.clone();
    let mut compacted = Timedb::connect(&lab.server, &database, &tenant)?;
    answer
        .must_be_that_of("compacted", &compacted.flat(&read)?.1)
        .context("after compact")?;
    let mut lean = lab.lean(Dataset::Meter)?;
    let figures = Contest::new("flat reads after compact", WARM_UP, REPETITIONS)
        .of_reads([&mut compacted as &mut dyn Peer, &mut lean], &read)
        .run(&lab.progress)?;
    Ok(line.figures(figures).goal(LEAN, Goal::Times(20.0)))
}
