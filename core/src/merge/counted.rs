//! Which points count: all of them, or those of versions that counted at the moment that is the last for their start.

use std::collections::HashMap;

use crate::time::Time;

/// Asked of each point, by its version and by where it starts: a slot of a grid, or a time.
pub trait Counted<At> {
    fn counts(&self, version: u32, at: At) -> bool;
}

/// All of them.
pub struct All;

impl<At> Counted<At> for All {
    fn counts(&self, _: u32, _: At) -> bool {
        true
    }
}

/// Those of versions that counted in time.
pub struct Cut<Cutoffs> {
    /// Since when each version counts.
    since: Vec<Time>,
    /// Of each start the last moment; none where nothing counts.
    cutoffs: Cutoffs,
}

impl<Cutoffs> Cut<Cutoffs> {
    pub fn with(versions: usize, since: impl Fn(u32) -> Time, cutoffs: Cutoffs) -> Cut<Cutoffs> {
        Cut {
            since: (0..versions as u32).map(since).collect(),
            cutoffs,
        }
    }
}

impl Cut<HashMap<Time, Option<Time>>> {
    /// Each start is asked for once.
    pub fn of(
        versions: usize,
        since: impl Fn(u32) -> Time,
        starts: impl Iterator<Item = Time>,
        cutoff: &mut dyn FnMut(Time) -> Option<Time>,
    ) -> Self {
        let mut cutoffs = HashMap::new();
        for start in starts {
            cutoffs.entry(start).or_insert_with(|| cutoff(start));
        }
        Cut::with(versions, since, cutoffs)
    }
}

impl Counted<Time> for Cut<HashMap<Time, Option<Time>>> {
    fn counts(&self, version: u32, start: Time) -> bool {
        let cutoff = self.cutoffs.get(&start).copied().flatten();
        cutoff.is_some_and(|cutoff| self.since[version as usize] <= cutoff)
    }
}

impl Counted<usize> for Cut<Vec<Option<Time>>> {
    fn counts(&self, version: u32, slot: usize) -> bool {
        self.cutoffs[slot].is_some_and(|cutoff| self.since[version as usize] <= cutoff)
    }
}
