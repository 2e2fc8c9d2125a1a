//! The ways to store the same values, each as peers who know their trade would do it.

pub mod classic;
pub mod clickhouse;
pub mod lean;
pub mod limit;
pub mod timedb;
pub mod tshistory;

use std::time::Duration;

use anyhow::{Context, Result};

use crate::flat_read::{Answer, FlatRead};

pub use classic::Classic;
pub use clickhouse::{Clickhouse, ClickhouseTable};
pub use lean::Lean;
pub use limit::Limit;
pub use timedb::{Tenant, Timedb};
pub use tshistory::Tshistory;

pub const CLASSIC: &str = "classic";
pub const LEAN: &str = "lean";
pub const LEAN_COPY: &str = "lean COPY";
pub const LIMIT: &str = "limit";
pub const CLICKHOUSE: &str = "clickhouse";
pub const TIMESCALE: &str = "timescale";
pub const TSHISTORY: &str = "tshistory";

/// Whoever can be asked the question that most workloads ask. It is asked in the peer's own way, over its own client.
pub trait Peer {
    fn name(&self) -> &'static str;

    /// How long the read took, and what came of it; the answer is read from the client's rows after the clock stopped.
    fn flat(&mut self, read: &FlatRead) -> Result<(Duration, Answer)>;

    /// The time alone, for a peer whose answer would be a question more.
    fn time(&mut self, read: &FlatRead) -> Result<Duration> {
        Ok(self.flat(read)?.0)
    }
}

/// A peer that is fast because it left something out must not look good: all answer what the first one does.
pub fn must_answer_alike(peers: &mut [&mut dyn Peer], read: &FlatRead) -> Result<()> {
    let (first, others) = peers.split_first_mut().context("no peer to ask")?;
    let (_, answer) = first.flat(read)?;
    others
        .iter_mut()
        .try_for_each(|other| answer.must_be_that_of(other.name(), &other.flat(read)?.1))
}
