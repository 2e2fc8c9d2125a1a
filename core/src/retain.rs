//! What retention takes out of the versions of one series, and how many values each run loses by it. Only keys are looked at:
//! what goes need not be unpacked.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::merge::{Counts, Mode, Window, merge_counted};
use crate::points::Key;
use crate::time::Time;
use crate::version::{Shaped, Version};

/// What goes: of which values, or runs, and what of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    pub which: Which,
    pub window: Window,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Values that begin in the window: all versions of them.
    Begun,
    /// Versions of runs that were known in the window: all that they have.
    Known,
    /// Of values that begin in the window, all versions but the one that a flat read shows.
    Hidden,
}

/// How much of a version goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Going {
    Nothing,
    Everything,
    /// Of each point, whether it goes: some do and some do not.
    Some(Vec<bool>),
}

impl Rule {
    /// Of each version how much of it goes. Those that are spared keep all they have, and hide nothing.
    pub fn going(&self, versions: &[Shaped], spares: impl Fn(&Version) -> bool) -> Vec<Going> {
        let of_each = |going: &dyn Fn(&Shaped) -> Going| -> Vec<Going> {
            let of = |of: &Shaped| match spares(&of.version) {
                true => Going::Nothing,
                false => going(of),
            };
            versions.iter().map(of).collect()
        };
        let window = &self.window;
        match self.which {
            Which::Begun => of_each(&|of| begun(of, window)),
            Which::Known => of_each(&|of| known(of, window)),
            Which::Hidden => hidden(versions, spares, *window),
        }
    }
}

/// Which version of each value a flat read shows, as far as versions have been added, in whatever order: where they are too many
/// to be looked at together, keys alone are held.
#[derive(Default, Debug)]
pub struct Shown {
    newest: HashMap<Key, (Time, Uuid, Time)>,
}

impl Shown {
    /// Adds what a version has of values that begin in the window. One that is spared is not added.
    pub fn add(&mut self, of: &Shaped, window: &Window) {
        if !window.reaches(&of.shape) {
            return;
        }
        let precedence = of.version.precedence();
        for key in of.shape.keys().filter(|(start, _)| window.contains(*start)) {
            let newest = self.newest.entry(key).or_insert(precedence);
            *newest = precedence.max(*newest);
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    fn shows(&self, key: &Key, of: &Version) -> bool {
        self.newest.get(key) == Some(&of.precedence())
    }

    fn shows_of_run(&self, key: &Key, run: Uuid) -> bool {
        self.newest.get(key).is_some_and(|(_, shown, _)| *shown == run)
    }
}

/// How many values runs lose that are looked at a version at a time, where all that a run loses is met: those that go and are not
/// shown of the run itself.
#[derive(Default, Debug)]
pub struct Lost {
    counts: BTreeMap<Uuid, i64>,
    /// Of runs that were written more than once, whose versions may have values in common.
    keys: HashMap<Uuid, Vec<Key>>,
}

impl Lost {
    /// Adds what of a version goes; parts of one write have no value in common.
    pub fn add(&mut self, of: &Shaped, going: &Going, shown: &Shown, is_of_one_write: bool) {
        let run = of.version.run;
        let keys = of.shape.keys().enumerate();
        let keys = keys.filter(|(index, key)| going.goes(*index) && !shown.shows_of_run(key, run));
        let keys = keys.map(|(_, key)| key);
        match (going, is_of_one_write) {
            (Going::Nothing, _) => {}
            (_, false) => self.keys.entry(run).or_default().extend(keys),
            (Going::Everything, true) if shown.is_empty() => {
                *self.counts.entry(run).or_default() += of.shape.len() as i64
            }
            (_, true) => *self.counts.entry(run).or_default() += keys.count() as i64,
        }
    }

    pub fn counted(mut self) -> BTreeMap<Uuid, i64> {
        for (run, mut keys) in self.keys {
            keys.sort_unstable();
            keys.dedup();
            *self.counts.entry(run).or_default() += keys.len() as i64;
        }
        self.counts.retain(|_, lost| *lost > 0);
        self.counts
    }
}

impl Rule {
    /// How much of a version goes that is not spared: as [`Rule::going`] tells, where all versions have been added to what is shown.
    pub fn going_of(&self, of: &Shaped, shown: &Shown) -> Going {
        match self.which {
            Which::Begun => begun(of, &self.window),
            Which::Known => known(of, &self.window),
            Which::Hidden if !self.window.reaches(&of.shape) => Going::Nothing,
            Which::Hidden => {
                let goes = |key: Key| self.window.contains(key.0) && !shown.shows(&key, &of.version);
                some(of.shape.keys().map(goes).collect())
            }
        }
    }
}

fn known(of: &Shaped, window: &Window) -> Going {
    match window.contains(of.version.known) && !of.shape.is_empty() {
        true => Going::Everything,
        false => Going::Nothing,
    }
}

fn begun(of: &Shaped, window: &Window) -> Going {
    let is_within = |time: Option<Time>| time.is_some_and(|time| window.contains(time));
    if !window.reaches(&of.shape) {
        Going::Nothing
    } else if is_within(of.shape.first()) && is_within(of.shape.last()) {
        Going::Everything
    } else {
        some(of.shape.keys().map(|(start, _)| window.contains(start)).collect())
    }
}

fn hidden(versions: &[Shaped], spares: impl Fn(&Version) -> bool, window: Window) -> Vec<Going> {
    let since = |of: &Shaped| (!spares(&of.version)).then_some(of.version.known);
    let since: Vec<Option<Time>> = versions.iter().map(since).collect();
    let counts = Counts {
        since: Some(&since),
        cutoff: None,
    };
    let mut shown: Vec<Vec<u32>> = vec![Vec::new(); versions.len()];
    for pick in merge_counted(versions, Mode::Flat, false, window, counts) {
        shown[pick.version as usize].push(pick.index);
    }
    let going = |((of, shown), since): ((&Shaped, Vec<u32>), Option<Time>)| {
        if since.is_none() || !window.reaches(&of.shape) {
            return Going::Nothing;
        }
        let mut goes: Vec<bool> = of.shape.keys().map(|(start, _)| window.contains(start)).collect();
        shown.into_iter().for_each(|index| goes[index as usize] = false);
        some(goes)
    };
    versions.iter().zip(shown).zip(since).map(going).collect()
}

fn some(goes: Vec<bool>) -> Going {
    match (goes.contains(&true), goes.contains(&false)) {
        (false, _) => Going::Nothing,
        (true, false) => Going::Everything,
        (true, true) => Going::Some(goes),
    }
}

impl Going {
    /// How many of so many points go.
    pub fn count(&self, points: usize) -> usize {
        match self {
            Going::Nothing => 0,
            Going::Everything => points,
            Going::Some(goes) => goes.iter().filter(|goes| **goes).count(),
        }
    }

    pub fn goes(&self, index: usize) -> bool {
        match self {
            Going::Nothing => false,
            Going::Everything => true,
            Going::Some(goes) => goes.get(index).copied().unwrap_or(false),
        }
    }
}

/// How many values each run loses: those of which it keeps no version. Every version that a run has of a value must be there.
pub fn lost(versions: &[Shaped], going: &[Going]) -> BTreeMap<Uuid, i64> {
    let mut of_runs: HashMap<Uuid, Vec<usize>> = HashMap::new();
    for (place, of) in versions.iter().enumerate() {
        of_runs.entry(of.version.run).or_default().push(place);
    }
    let mut lost = BTreeMap::new();
    for (run, places) in of_runs {
        let count = |place: &usize| going[*place].count(versions[*place].shape.len());
        let change = |place: &usize| versions[*place].version.change;
        // Parts of one write have no value in common.
        let is_one_write = places.iter().all(|place| change(place) == change(&places[0]));
        let values = if is_one_write {
            places.iter().map(count).sum()
        } else if places.iter().all(|place| going[*place] == Going::Nothing) {
            0
        } else {
            lost_keys(versions, going, &places)
        };
        if values > 0 {
            lost.insert(run, values as i64);
        }
    }
    lost
}

/// Of several writes of one run: keys that go and that none of them keeps.
fn lost_keys(versions: &[Shaped], going: &[Going], places: &[usize]) -> usize {
    let mut keys: Vec<(Key, bool)> = Vec::new();
    for &place in places {
        let of_version = versions[place].shape.keys().enumerate();
        keys.extend(of_version.map(|(index, key)| (key, going[place].goes(index))));
    }
    keys.sort_unstable();
    let keys = keys.chunk_by(|a, b| a.0 == b.0);
    keys.filter(|of_key| of_key.iter().all(|(_, goes)| *goes)).count()
}

#[cfg(test)]
mod tests;
