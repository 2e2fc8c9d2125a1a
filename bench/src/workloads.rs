//! The workloads by name, in the order in which they run.

mod arrow;
mod backfill;
mod clients;
mod flat;
mod growth;
mod http;
mod known;
mod labels;
mod latest;
mod login;
mod many;
mod memory;
mod new_series;
mod overlapping;
mod relative;
mod revisions;
mod router;
mod sizes;
mod stream;
mod tenants;
mod trickle;
mod unchanged;
mod update;
mod upload;
mod window;

use anyhow::{Result, bail};

pub use growth::{WHOLE as READ_OF_WHOLE, WINDOW as READ_OF_WINDOW};
pub use many::CURVE as READ_OF_MANY;
pub use new_series::CURVE as UPLOAD_OF_NEW_SERIES;
pub use tenants::CURVE as READ_AMONG_TENANTS;

use crate::lab::Lab;
use crate::record::Record;

/// The lines that the README's picture shows, by what they say.
pub mod whats {
    pub use super::arrow::FRAME;
    pub use super::flat::{KNOWN_BEFORE, WHOLE as READ};
    pub use super::revisions::{
        BYTES as BYTES_OF_FRAMES, KNOWN_BEFORE as KNOWN_BEFORE_OF_FRAMES, UPLOAD as UPLOAD_OF_FRAMES,
        WEEK as WEEK_OF_FRAMES, WHOLE as READ_OF_FRAMES,
    };
    pub use super::sizes::{AFTER_COMPACT, BEFORE_COMPACT};
    pub use super::upload::{ARRAYS as UPLOAD, RUNS_A_TURN as UPLOADS};
    pub use super::window::WEEK;
}

pub struct Workload {
    pub name: &'static str,
    pub measure: fn(&mut Lab) -> Result<Vec<Record>>,
}

const ALL: [Workload; 27] = [
    Workload {
        name: "W1",
        measure: upload::arrays,
    },
    Workload {
        name: "W2",
        measure: upload::json,
    },
    Workload {
        name: "W3",
        measure: sizes::measure,
    },
    Workload {
        name: "W4",
        measure: flat::whole_history,
    },
    Workload {
        name: "W5",
        measure: window::measure,
    },
    Workload {
        name: "W6",
        measure: overlapping::measure,
    },
    Workload {
        name: "W6a",
        measure: arrow::measure,
    },
    Workload {
        name: "W7",
        measure: flat::known_before,
    },
    Workload {
        name: "W8",
        measure: update::measure,
    },
    Workload {
        name: "W9",
        measure: login::measure,
    },
    Workload {
        name: "W10",
        measure: tenants::measure,
    },
    Workload {
        name: "W11",
        measure: trickle::measure,
    },
    Workload {
        name: "W12",
        measure: clients::measure,
    },
    Workload {
        name: "W13",
        measure: revisions::measure,
    },
    Workload {
        name: "W14",
        measure: many::measure,
    },
    Workload {
        name: "W15",
        measure: stream::measure,
    },
    Workload {
        name: "W16",
        measure: new_series::measure,
    },
    Workload {
        name: "W17",
        measure: backfill::measure,
    },
    Workload {
        name: "W18",
        measure: relative::relative,
    },
    Workload {
        name: "W19",
        measure: known::measure,
    },
    Workload {
        name: "W20",
        measure: relative::buckets,
    },
    Workload {
        name: "W21",
        measure: unchanged::measure,
    },
    Workload {
        name: "W22",
        measure: labels::measure,
    },
    Workload {
        name: "W23",
        measure: http::measure,
    },
    Workload {
        name: "growth",
        measure: growth::measure,
    },
    Workload {
        name: "memory",
        measure: memory::measure,
    },
    Workload {
        name: "W24",
        measure: router::measure,
    },
];

/// The place of a workload in the table.
pub fn rank(name: &str) -> usize {
    ALL.iter()
        .position(|workload| workload.name == name)
        .unwrap_or(ALL.len())
}

/// Those of a list such as `W4,W5`; all where it is empty.
pub fn chosen(list: &str) -> Result<Vec<&'static Workload>> {
    let names: Vec<&str> = list.split([',', ' ']).filter(|name| !name.is_empty()).collect();
    for name in &names {
        if !ALL.iter().any(|workload| workload.name.eq_ignore_ascii_case(name)) {
            let known: Vec<&str> = ALL.iter().map(|workload| workload.name).collect();
            bail!("no workload {name:?}: there are {}", known.join(", "));
        }
    }
    let is_chosen =
        |workload: &&Workload| names.is_empty() || names.iter().any(|name| workload.name.eq_ignore_ascii_case(name));
    Ok(ALL.iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::{ALL, chosen, rank};

    #[test]
    fn a_list_chooses_and_an_empty_one_chooses_all() {
        let names = |list| -> Vec<&str> {
            chosen(list)
                .expect("they are known")
                .iter()
                .map(|workload| workload.name)
                .collect()
        };
        assert_eq!(names("w5,W4"), ["W4", "W5"]);
        assert_eq!(names("").len(), ALL.len());
        assert!(chosen("W99").is_err());
        assert_eq!(rank("W2"), 1);
    }
}
