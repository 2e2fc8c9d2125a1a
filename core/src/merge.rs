//! What a read shows of the versions of one series: for each key the newest one, of all runs or of each, and on request the
//! earlier versions of those. Who may see which version, and what was known when, is decided before.
//!
//! Only keys are looked at, never values: what is not shown need not be unpacked. Vectors that lie on one grid, as nearly
//! all do, are merged in slots (`grid`); the rest by their keys (`keys`).

mod counted;
mod grid;
mod keys;
#[cfg(test)]
mod tests;

use crate::points::{Key, Shape};
use crate::time::Time;
use crate::version::Shaped;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// One point for each key: the current one of the run known last, and of those of the one uploaded last.
    Flat,
    /// The current point for each key of each run.
    Overlapping,
}

/// `[start, end)` on the starts of points; an open side has no bound.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Window {
    pub start: Option<Time>,
    pub end: Option<Time>,
}

/// A point to show: the version it is from, its place there, and its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pick {
    pub version: u32,
    pub index: u32,
    pub start: Time,
    pub end: Option<Time>,
}

/// Of a start of points, the moment until when what counts for them had to.
pub type Cutoff<'c> = &'c mut (dyn FnMut(Time) -> Option<Time> + 'c);

/// Which points of which versions count. Those that do not might as well not have been written.
#[derive(Default)]
pub struct Counts<'s, 'c> {
    /// Of each version since when it counts, and none of one that does not; without it all do, since they were known.
    pub since: Option<&'s [Option<Time>]>,
    /// Of a start of points, the moment at which what counts for them was known, itself included; none where that lies before all
    /// time. Without it all points of a version count.
    pub cutoff: Option<Cutoff<'c>>,
}

/// Merges the versions of one series. The picks are ordered by start, end (none first), known time, change time and run. Of
/// two versions of a run with the same change time, which are parts of one write, the later in the slice is the newer.
pub fn merge(versions: &[Shaped], mode: Mode, all_versions: bool, window: Window) -> Vec<Pick> {
    merge_counted(versions, mode, all_versions, window, Counts::default())
}

/// Of versions of which not all count.
pub fn merge_counted(versions: &[Shaped], mode: Mode, all_versions: bool, window: Window, counts: Counts) -> Vec<Pick> {
    let Counts { since, cutoff } = counts;
    let mut oldest_first = rank(versions, mode, window);
    oldest_first.retain(|version| since.is_none_or(|since| since[*version as usize].is_some()));
    let since = |version: u32| match since {
        Some(since) => since[version as usize].unwrap_or(Time::MAX),
        None => versions[version as usize].version.known,
    };
    let grid = grid::Grid::of(versions, &oldest_first, window);
    match (grid, cutoff) {
        (Some(grid), None) => grid.merge(mode, all_versions, &counted::All),
        (Some(grid), Some(cutoff)) => grid.merge(mode, all_versions, &grid.cut(since, cutoff)),
        (None, None) => keys::merge(versions, &oldest_first, mode, all_versions, window, &counted::All),
        (None, Some(cutoff)) => {
            let starts = keys::starts(versions, &oldest_first, window);
            let cut = counted::Cut::of(versions.len(), since, starts, cutoff);
            keys::merge(versions, &oldest_first, mode, all_versions, window, &cut)
        }
    }
}

/// The versions with points in the window, oldest first.
///
/// Of two runs known at one moment the one uploaded later wins, whatever was written to the older one since: between runs the
/// order that decides is not that of change times, by which an answer is ordered. Either mode needs one of the two only. A
/// flat read shows one run of each key, and its versions are in both orders the same; an overlapping one decides within runs
/// alone.
fn rank(versions: &[Shaped], mode: Mode, window: Window) -> Vec<u32> {
    let version = |place: &u32| &versions[*place as usize].version;
    let mut ranked: Vec<u32> = (0..)
        .zip(versions)
        .filter(|(_, version)| window.reaches(&version.shape))
        .map(|(place, _)| place)
        .collect();
    match mode {
        Mode::Flat => ranked.sort_by_key(|place| version(place).precedence()),
        Mode::Overlapping => ranked.sort_by_key(|place| version(place).place_in_answer()),
    }
    ranked
}

/// Each version's run as a small number.
fn number_runs(versions: &[Shaped], chosen: &[u32]) -> Vec<u32> {
    let run_of = |version: u32| versions[version as usize].version.run;
    let mut by_run = chosen.to_vec();
    by_run.sort_unstable_by_key(|&version| run_of(version));
    let mut numbers = vec![0; versions.len()];
    let runs = by_run.chunk_by(|&a, &b| run_of(a) == run_of(b));
    for (number, run) in (0..).zip(runs) {
        for &version in run {
            numbers[version as usize] = number;
        }
    }
    numbers
}

impl Window {
    /// Whether points of this shape may start within: the first of them before its end, the last not before its start.
    pub fn reaches(&self, shape: &Shape) -> bool {
        shape
            .first()
            .is_some_and(|first| self.end.is_none_or(|end| first < end))
            && shape
                .last()
                .is_some_and(|last| self.start.is_none_or(|start| last >= start))
    }

    /// Makes it no wider than `[from, until)`.
    pub fn narrow(&mut self, from: Option<Time>, until: Option<Time>) {
        self.start = self.start.max(from);
        self.end = match (self.end, until) {
            (Some(end), Some(until)) => Some(end.min(until)),
            (end, until) => end.or(until),
        };
    }

    pub fn contains(&self, time: Time) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time < end)
    }
}

impl Pick {
    fn key(&self) -> Key {
        (self.start, self.end)
    }
}
