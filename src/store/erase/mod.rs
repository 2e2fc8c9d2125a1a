//! What is taken out of where values are stored and is gone for good: all of a run, of a series, or of a tenant. A share at a time,
//! so that no transaction grows long and none holds much.
//!
//! Nothing is waited for that another transaction holds: rows that are locked stay for a later share, and what is left says so.
//! Rows are deleted by where they are, which a scan of an index has found: a join, which no statistics guide, could be turned
//! round.

mod listing;
mod packs;
mod run;
mod series;
mod tenant;

pub use run::{Run, look_at_run, run};
pub use series::{look_at_series, series};
pub use tenant::{Everything, everything, is_there, left_of};

/// What a share has taken out, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Of rows one each, of packs as many as were in them.
    pub versions: i64,
    pub values: i64,
    /// Rows and packs that are still to be looked at.
    pub remaining: i64,
    /// Whether some are left because another transaction holds them.
    pub is_held: bool,
}

impl Erased {
    fn add(&mut self, versions: usize, values: usize) {
        self.versions += versions as i64;
        self.values += values as i64;
    }
}
