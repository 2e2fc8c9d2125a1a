//! What was measured, and what was wanted of it: the lines of `results.json` and of the table.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::statistics::Spread;

pub const TIMEDB: &str = "timedb";

/// One peer's figure in one line of a workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The workload that was run to get this; the same, but for some curves.
    pub measured_by: String,
    pub workload: String,
    pub what: String,
    pub peer: String,
    pub unit: String,
    #[serde(flatten)]
    pub spread: Option<Spread>,
    /// How many times better timedb is than this peer.
    pub ratio: Option<f64>,
    pub goal: Option<String>,
    /// The goal as a `ratio`, for the picture.
    pub goal_ratio: Option<f64>,
    pub met: Option<bool>,
    pub note: Option<String>,
    /// On a curve: runs, tenants or series.
    pub size: Option<u32>,
    pub date: String,
}

/// What is wanted of timedb against one peer.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least this many times as good.
    Times(f64),
    /// At most this many times the peer's figure.
    Within(f64),
}

impl Goal {
    pub fn text(self) -> String {
        match self {
            Self::Times(times) => format!("≥ {times} x"),
            Self::Within(times) => format!("≤ {times} x its figure"),
        }
    }

    pub fn as_ratio(self) -> f64 {
        match self {
            Self::Times(times) => times,
            Self::Within(times) => 1.0 / times,
        }
    }
}

/// A line of a workload: what all its peers were asked.
#[derive(Clone, Debug)]
pub struct Line {
    workload: &'static str,
    what: String,
    unit: &'static str,
    size: Option<u32>,
    more_is_better: bool,
    figures: Vec<(&'static str, Spread)>,
    goals: Vec<(&'static str, Goal)>,
    bound: Option<f64>,
    notes: Vec<(&'static str, String)>,
}

impl Line {
    pub fn new(workload: &'static str, what: impl Into<String>, unit: &'static str) -> Self {
        Self {
            workload,
            what: what.into(),
            unit,
            size: None,
            more_is_better: false,
            figures: Vec::new(),
            goals: Vec::new(),
            bound: None,
            notes: Vec::new(),
        }
    }

    pub fn size(mut self, size: u32) -> Self {
        self.size = Some(size);
        self
    }

    pub fn more_is_better(mut self) -> Self {
        self.more_is_better = true;
        self
    }

    pub fn figures(mut self, figures: impl IntoIterator<Item = (&'static str, Spread)>) -> Self {
        self.figures.extend(figures);
        self
    }

    pub fn figure(self, peer: &'static str, figure: f64) -> Self {
        self.figures([(peer, Spread::exactly(figure))])
    }

    pub fn goal(mut self, peer: &'static str, goal: Goal) -> Self {
        self.goals.push((peer, goal));
        self
    }

    /// A goal in the line's own unit.
    pub fn at_most(mut self, bound: f64) -> Self {
        self.bound = Some(bound);
        self
    }

    /// The same where more is better.
    pub fn at_least(mut self, bound: f64) -> Self {
        self.bound = Some(bound);
        self.more_is_better()
    }

    /// Says why a peer has no figure, or what to know about it.
    pub fn note(mut self, peer: &'static str, note: impl Into<String>) -> Self {
        self.notes.push((peer, note.into()));
        self
    }

    pub fn records(self) -> Vec<Record> {
        let mut peers: Vec<&'static str> = self.figures.iter().map(|(peer, _)| *peer).collect();
        for (peer, _) in &self.notes {
            if !peers.contains(peer) {
                peers.push(peer);
            }
        }
        peers.iter().map(|peer| self.record(peer)).collect()
    }

    fn record(&self, peer: &'static str) -> Record {
        let spread = self.spread(peer);
        let ratio = self.ratio(peer);
        let goal = self.goals.iter().find(|(name, _)| *name == peer);
        let mut record = Record {
            measured_by: self.workload.to_owned(),
            workload: self.workload.to_owned(),
            what: self.what.clone(),
            peer: peer.to_owned(),
            unit: self.unit.to_owned(),
            spread,
            ratio,
            goal: goal.map(|(_, goal)| goal.text()),
            goal_ratio: goal.map(|(_, goal)| goal.as_ratio()),
            met: goal.and_then(|(_, goal)| Some(ratio? >= goal.as_ratio())),
            note: self
                .notes
                .iter()
                .find(|(name, _)| *name == peer)
                .map(|(_, note)| note.clone()),
            size: self.size,
            date: today(),
        };
        if let (TIMEDB, Some(bound)) = (peer, self.bound) {
            let sign = if self.more_is_better { '≥' } else { '≤' };
            record.goal = Some(format!("{sign} {bound} {}", self.unit));
            record.goal_ratio = None;
            record.met = spread.map(|spread| match self.more_is_better {
                true => spread.median >= bound,
                false => spread.median <= bound,
            });
        }
        record
    }

    fn spread(&self, peer: &str) -> Option<Spread> {
        self.figures
            .iter()
            .find(|(name, _)| *name == peer)
            .map(|(_, spread)| *spread)
    }

    fn ratio(&self, peer: &str) -> Option<f64> {
        if peer == TIMEDB {
            return None;
        }
        let (ours, theirs) = (self.spread(TIMEDB)?.median, self.spread(peer)?.median);
        Some(if self.more_is_better {
            ours / theirs
        } else {
            theirs / ours
        })
    }
}

fn today() -> String {
    Timestamp::now().strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::{Goal, Line, TIMEDB};

    #[test]
    fn a_ratio_says_how_many_times_better_timedb_is() {
        let records = Line::new("W", "w", "ms")
            .figure(TIMEDB, 2.0)
            .figure("lean", 30.0)
            .figure("limit", 1.5)
            .goal("lean", Goal::Times(20.0))
            .goal("limit", Goal::Within(2.0))
            .records();
        assert_eq!(records[1].ratio, Some(15.0));
        assert_eq!(records[1].met, Some(false));
        assert_eq!(records[2].met, Some(true));
        let faster = Line::new("W", "w", "/s").more_is_better();
        let faster = faster.figure(TIMEDB, 30.0).figure("lean", 15.0).records();
        assert_eq!(faster[1].ratio, Some(2.0));
    }

    #[test]
    fn a_goal_in_the_lines_own_unit_is_timedbs() {
        let records = Line::new("W", "w", "B").figure(TIMEDB, 9.1).at_most(9.0).records();
        assert_eq!(records[0].met, Some(false));
        let faster = Line::new("W", "w", "a second")
            .figure(TIMEDB, 9.1)
            .at_least(9.0)
            .records();
        assert_eq!(faster[0].goal.as_deref(), Some("≥ 9 a second"));
        assert_eq!(faster[0].met, Some(true));
    }
}
