//! W5: seven days out of a long history, and the same out of one that is a tenth as long.

use anyhow::Result;

use crate::contest::Contest;
use crate::data::hour;
use crate::dataset::{Dataset, deep_series};
use crate::flat_read::FlatRead;
use crate::lab::Lab;
use crate::peers::{LEAN, Peer};
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::workloads::flat::{REPETITIONS, WARM_UP, read_by_all};

const RUNS: usize = 8_760;
const TENTH: usize = 876;
pub const WEEK: &str = "7 days of one series of 8,760 runs of 48";
const WEEK_OF_LONG_RUNS: &str = "7 days of one series of 8,760 runs of 240";
const SHORTER: &str = "timedb, a tenth";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for (what, hours, goal) in [(WEEK, 48, 8.0), (WEEK_OF_LONG_RUNS, 240, 20.0)] {
        let line = Line::new("W5", what, "ms").goal(LEAN, Goal::Times(goal));
        records.extend(read_by_all(lab, Dataset::Deep, week(RUNS, hours), line, false)?.records());
        records.extend(tenfold(lab, hours)?);
    }
    Ok(records)
}

/// Seven days in the middle, so that runs lie before and after.
pub fn week(runs: usize, hours: usize) -> FlatRead {
    let start = (runs / 2).saturating_sub(84);
    FlatRead::whole(deep_series(runs, hours)).within(hour(start), hour(start + 168))
}

fn tenfold(lab: &mut Lab, hours: usize) -> Result<Vec<Record>> {
    let mut timedb = lab.timedb(Dataset::Deep)?;
    let mut same = lab.timedb(Dataset::Deep)?;
    let (long, short) = (week(RUNS, hours), week(TENTH, hours));
    let figures = Contest::new("the window in a tenth of the history", WARM_UP, REPETITIONS)
        .with(TIMEDB, |_| timedb.time(&long))
        .with(SHORTER, |_| same.time(&short))
        .run(&lab.progress)?;
    Ok(Line::new("W5", format!("the same against 876 runs of {hours}"), "ms")
        .figures(figures)
        .goal(SHORTER, Goal::Within(1.1))
        .records())
}
