//! How the cost of W4 and W5 grows with the number of runs.

use anyhow::Result;

use crate::dataset::{Dataset, deep_series};
use crate::flat_read::FlatRead;
use crate::lab::Lab;
use crate::record::{Line, Record};
use crate::workloads::flat::read_by_all;
use crate::workloads::window::week;

pub const WHOLE: &str = "W4: whole history of one series";
pub const WINDOW: &str = "W5: 7 days of one series";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for runs in [100_u32, 1_000, 10_000] {
        let whole = FlatRead::whole(deep_series(runs as usize, 48));
        let line = Line::new("growth", WHOLE, "ms").size(runs);
        records.extend(read_by_all(lab, Dataset::Deep, whole, line, false)?.records());
        let line = Line::new("growth", WINDOW, "ms").size(runs);
        records.extend(read_by_all(lab, Dataset::Deep, week(runs as usize, 48), line, false)?.records());
    }
    Ok(records)
}
