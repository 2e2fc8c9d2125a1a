//! Merging by keys: for times of any kind.

use super::counted::Counted;
use super::{Mode, Pick, Window, number_runs};
use crate::points::Key;
use crate::time::Time;
use crate::version::Shaped;

pub fn merge(
    versions: &[Shaped],
    oldest_first: &[u32],
    mode: Mode,
    all_versions: bool,
    window: Window,
    counted: &impl Counted<Time>,
) -> Vec<Pick> {
    let picks = |version| picks(versions, version, window).filter(|pick| counted.counts(pick.version, pick.start));
    match (mode, all_versions) {
        (Mode::Flat, false) => newest(oldest_first, picks),
        (Mode::Overlapping, false) => newest_of_each_run(versions, oldest_first, picks),
        (Mode::Overlapping, true) => all(oldest_first, picks),
        (Mode::Flat, true) => of_newest_run(&all(oldest_first, picks), versions),
    }
}

/// Where points of these versions start, those in the window.
pub fn starts(versions: &[Shaped], of: &[u32], window: Window) -> impl Iterator<Item = Time> {
    of.iter()
        .flat_map(move |version| picks(versions, *version, window).map(|pick| pick.start))
}

/// Every point of every version.
fn all<Of: Iterator<Item = Pick>>(oldest_first: &[u32], picks: impl Fn(u32) -> Of) -> Vec<Pick> {
    let mut all = Vec::new();
    for &version in oldest_first {
        picks(version).for_each(|pick| all.push(pick));
    }
    // Stable, so versions of a key stay oldest first; and quick, as each version is one ascending run.
    all.sort_by_key(Pick::key);
    all
}

/// Of sorted picks, for each key only those of the run that has its newest.
fn of_newest_run(picks: &[Pick], versions: &[Shaped]) -> Vec<Pick> {
    let run = |pick: &Pick| versions[pick.version as usize].version.run;
    let keys = picks.chunk_by(|a, b| a.key() == b.key());
    let kept = keys.flat_map(|versions_of_key| {
        let newest = versions_of_key.last().map(run);
        versions_of_key.iter().filter(move |pick| Some(run(pick)) == newest)
    });
    kept.copied().collect()
}

fn newest_of_each_run<Of: Iterator<Item = Pick>>(
    versions: &[Shaped],
    oldest_first: &[u32],
    picks: impl Fn(u32) -> Of,
) -> Vec<Pick> {
    let run_of = number_runs(versions, oldest_first);
    let all = all(oldest_first, picks);
    // Of a run's versions of a key the last one stays: from the newest on, the first that is met.
    let mut met_at = vec![usize::MAX; versions.len()];
    let mut kept = Vec::with_capacity(all.len());
    let keys: Vec<&[Pick]> = all.chunk_by(|a, b| a.key() == b.key()).collect();
    for (number, of_key) in keys.into_iter().enumerate().rev() {
        for pick in of_key.iter().rev() {
            let met = &mut met_at[run_of[pick.version as usize] as usize];
            if *met != number {
                *met = number;
                kept.push(*pick);
            }
        }
    }
    kept.reverse();
    kept
}

/// For each key, its newest point. A newer version mostly overwrites the end of what is there, and goes on after it; only a
/// key that falls between those already there must be put aside and sorted in at the end.
fn newest<Of: Iterator<Item = Pick>>(oldest_first: &[u32], picks: impl Fn(u32) -> Of) -> Vec<Pick> {
    let mut shown: Vec<Pick> = Vec::new();
    let mut between: Vec<Pick> = Vec::new();
    for &version in oldest_first {
        let mut at = 0;
        picks(version).for_each(|pick| {
            if shown.get(at).is_some_and(|next| next.key() != pick.key()) {
                at += shown[at..].partition_point(|other| other.key() < pick.key());
            }
            match shown.get_mut(at) {
                None => shown.push(pick),
                Some(older) if older.key() == pick.key() => *older = pick,
                Some(_) => {
                    between.push(pick);
                    return;
                }
            }
            at += 1;
        });
    }
    if !between.is_empty() {
        // A key put aside never gets into what is shown: nothing is inserted there, only added after its end.
        between.sort_by_key(Pick::key);
        shown.extend(last_of_each_key(&between));
        shown.sort_by_key(Pick::key);
    }
    shown
}

fn last_of_each_key(picks: &[Pick]) -> impl Iterator<Item = Pick> {
    let keys = picks.chunk_by(|a, b| a.key() == b.key());
    keys.filter_map(|picks| picks.last().copied())
}

/// The points of a version that are in the window. Visited by `for_each` they cost a third of what a `for` loop takes.
fn picks(versions: &[Shaped], version: u32, window: Window) -> impl Iterator<Item = Pick> {
    let keys = versions[version as usize].shape.keys();
    (0..)
        .zip(keys)
        .filter(move |(_, (start, _)): &(u32, Key)| window.contains(*start))
        .map(move |(index, (start, end))| Pick {
            version,
            index,
            start,
            end,
        })
}
