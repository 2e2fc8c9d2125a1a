//! `bench/results.json`: the figures of the last run of each workload, and on what they were taken.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::workloads;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub versions: BTreeMap<String, String>,
    pub settings: BTreeMap<String, String>,
    pub records: Vec<Record>,
}

impl Results {
    /// What is there already; nothing if there is no file.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path)?;
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Puts a workload's records in the place of its earlier ones. (A curve may come from a workload
    /// that is otherwise named.)
    pub fn merge(&mut self, records: Vec<Record>) {
        let same = |a: &Record, b: &Record| a.workload == b.workload && a.measured_by == b.measured_by;
        self.records.retain(|old| !records.iter().any(|new| same(old, new)));
        self.records.extend(records);
        self.records.sort_by_key(|record| workloads::rank(&record.workload));
    }
}

#[cfg(test)]
mod tests {
    use super::Results;
    use crate::record::{Line, TIMEDB};

    #[test]
    fn a_workload_that_ran_again_takes_the_place_of_its_earlier_figures() {
        let records = |workload, figure| Line::new(workload, "w", "ms").figure(TIMEDB, figure).records();
        let mut results = Results::default();
        results.merge(records("W5", 1.0));
        results.merge(records("W4", 2.0));
        results.merge(records("W5", 3.0));
        let medians: Vec<_> = results
            .records
            .iter()
            .map(|record| record.spread.map(|s| s.median))
            .collect();
        assert_eq!(medians, [Some(2.0), Some(3.0)]);
    }
}
