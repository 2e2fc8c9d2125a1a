//! What a read shows of the versions of one series: for each key the newest one, of all runs or of each, and on request the
//! earlier versions of those. Who may see which version, and what was known when, is decided before.

use uuid::Uuid;

use crate::points::{Key, Opened, Point};
use crate::time::Time;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// One point for each key: the current one of the run known last.
    Flat,
    /// The current point for each key of each run.
    Overlapping,
}

/// `[start, end)` on the starts of points; an open side has no bound.
#[derive(Clone, Copy, Default, Debug)]
pub struct Window {
    pub start: Option<Time>,
    pub end: Option<Time>,
}

/// The points a run wrote at one change. All versions of a run have its known time; of two with the same change time,
/// which are parts of one write, the later in the slice counts as the newer.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    pub known: Time,
    pub change: Time,
    pub run: Uuid,
    pub points: &'a Opened<'a>,
}

/// A point to show, and the index of the version it is from.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    pub version: usize,
    pub point: Point,
}

/// Merges the versions of one series. The picks are ordered by start, end (none first), known time, change time and run.
pub fn merge(versions: &[Version], mode: Mode, all_versions: bool, window: Window) -> Vec<Pick> {
    let oldest_first = rank(versions, window);
    match (mode, all_versions) {
        (Mode::Flat, false) => newest(versions, &oldest_first, window),
        (Mode::Overlapping, false) => newest_of_each_run(versions, &oldest_first, window),
        (Mode::Overlapping, true) => all(versions, &oldest_first, window),
        (Mode::Flat, true) => of_newest_run(&all(versions, &oldest_first, window), versions),
    }
}

/// The versions with points in the window, oldest first.
fn rank(versions: &[Version], window: Window) -> Vec<usize> {
    let overlaps = |points: &Opened| {
        points
            .shape()
            .first()
            .is_some_and(|first| window.end.is_none_or(|end| first < end))
            && points
                .shape()
                .last()
                .is_some_and(|last| window.start.is_none_or(|start| last >= start))
    };
    let mut ranked: Vec<usize> = (0..versions.len())
        .filter(|&version| overlaps(versions[version].points))
        .collect();
    ranked.sort_by_key(|&version| {
        let Version {
            known, change, run, ..
        } = versions[version];
        (known, change, run)
    });
    ranked
}

/// Every point of every version.
fn all(versions: &[Version], oldest_first: &[usize], window: Window) -> Vec<Pick> {
    let mut all = Vec::new();
    for &version in oldest_first {
        picks(versions, version, window).for_each(|pick| all.push(pick));
    }
    // Stable, so versions of a key stay oldest first; and quick, as each version is one ascending run.
    all.sort_by_key(Pick::key);
    all
}

/// Of sorted picks, for each key only those of the run that has its newest.
fn of_newest_run(picks: &[Pick], versions: &[Version]) -> Vec<Pick> {
    let run = |pick: &Pick| versions[pick.version].run;
    let keys = picks.chunk_by(|a, b| a.key() == b.key());
    let kept = keys.flat_map(|versions_of_key| {
        let newest = versions_of_key.last().map(run);
        versions_of_key
            .iter()
            .filter(move |pick| Some(run(pick)) == newest)
    });
    kept.copied().collect()
}

fn newest_of_each_run(versions: &[Version], oldest_first: &[usize], window: Window) -> Vec<Pick> {
    let mut rank_of = vec![0; versions.len()];
    for (rank, &version) in oldest_first.iter().enumerate() {
        rank_of[version] = rank;
    }
    let mut by_run = oldest_first.to_vec();
    by_run.sort_by_key(|&version| versions[version].run);
    let mut picks: Vec<Pick> = by_run
        .chunk_by(|&a, &b| versions[a].run == versions[b].run)
        .flat_map(|of_run| newest(versions, of_run, window))
        .collect();
    picks.sort_by_key(|pick| (pick.key(), rank_of[pick.version]));
    picks
}

/// For each key, its newest point. A newer version mostly overwrites the end of what is there, and goes on after it; only a
/// key that falls between those already there must be put aside and sorted in at the end.
fn newest(versions: &[Version], oldest_first: &[usize], window: Window) -> Vec<Pick> {
    let mut shown: Vec<Pick> = Vec::new();
    let mut between: Vec<Pick> = Vec::new();
    for &version in oldest_first {
        let mut at = 0;
        picks(versions, version, window).for_each(|pick| {
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
fn picks(versions: &[Version], version: usize, window: Window) -> impl Iterator<Item = Pick> {
    let points = versions[version].points.iter();
    let in_window = points.filter(move |point| window.contains(point.start));
    in_window.map(move |point| Pick { version, point })
}

impl Window {
    fn contains(&self, time: Time) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time < end)
    }
}

impl Pick {
    fn key(&self) -> Key {
        self.point.key()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::points::arbitrary::{Bits, bits};
    use crate::points::{Points, pack};

    const HOUR: i64 = 3_600_000_000;

    fn hour(hour: i64) -> Time {
        Time::from_micros(hour * HOUR).unwrap()
    }

    /// A version before it is packed.
    #[derive(Clone, Debug)]
    struct Written {
        known: Time,
        change: Time,
        run: Uuid,
        points: Vec<Point>,
    }

    fn merged(written: &[Written], mode: Mode, all_versions: bool, window: Window) -> Vec<Pick> {
        let packed: Vec<Vec<u8>> = written.iter().map(|of| pack(&of.points).unwrap()).collect();
        let opened: Vec<Opened> = packed
            .iter()
            .map(|bytes| Points::read(bytes).unwrap().open().unwrap())
            .collect();
        let versions: Vec<Version> = written
            .iter()
            .zip(&opened)
            .map(|(of, points)| Version {
                known: of.known,
                change: of.change,
                run: of.run,
                points,
            })
            .collect();
        merge(&versions, mode, all_versions, window)
    }

    /// The words of design.md 4.1, one after the other, over every point.
    fn model(written: &[Written], mode: Mode, all_versions: bool, window: Window) -> Vec<Pick> {
        let in_window = |point: &&Point| {
            window.start.is_none_or(|start| start <= point.start)
                && window.end.is_none_or(|end| point.start < end)
        };
        let every: Vec<Pick> = (0..written.len())
            .flat_map(|version| {
                let points = written[version].points.iter().filter(in_window);
                points.map(move |&point| Pick { version, point })
            })
            .collect();
        let of = |pick: &Pick| &written[pick.version];
        let same = |a: &Pick, b: &Pick| a.key() == b.key() && of(a).run == of(b).run;
        let is_current = |a: &&Pick| {
            !every
                .iter()
                .any(|b| same(a, b) && of(b).change > of(a).change)
        };
        let current: Vec<Pick> = every.iter().filter(is_current).copied().collect();
        let rank = |pick: &Pick| (of(pick).known, of(pick).change, of(pick).run);
        let is_shown = |a: &&Pick| {
            mode == Mode::Overlapping
                || !current
                    .iter()
                    .any(|b| a.key() == b.key() && rank(b) > rank(a))
        };
        let shown: Vec<Pick> = current.iter().filter(is_shown).copied().collect();
        let mut picks = if all_versions {
            let belongs = |a: &&Pick| shown.iter().any(|b| same(a, b));
            every.iter().filter(belongs).copied().collect()
        } else {
            shown
        };
        picks.sort_by_key(|pick| (pick.key(), rank(pick)));
        picks
    }

    fn comparable(picks: &[Pick]) -> Vec<(usize, Bits)> {
        picks
            .iter()
            .map(|pick| (pick.version, bits(&pick.point)))
            .collect()
    }

    fn written() -> impl Strategy<Value = Vec<Written>> {
        let grid = (0..12i64, 1..3i64, 0..10i64, 0..2i64).prop_map(|(from, step, count, hours)| {
            (0..count)
                .map(|at| (from + at * step, hours))
                .collect::<Vec<_>>()
        });
        let keys = prop_oneof![grid, vec((0..20i64, 0..3i64), 0..10)];
        // Few runs and known times, so that runs share the latter, and change times that say nothing about runs.
        let version = (0..4u8, 0..20i64, keys);
        (vec(0..3i64, 4), vec(version, 0..12)).prop_map(|(known_of_run, versions)| {
            let mut written: Vec<Written> = versions
                .into_iter()
                .enumerate()
                .map(|(number, (run, change, keys))| Written {
                    known: hour(known_of_run[usize::from(run)]),
                    change: hour(change),
                    run: Uuid::from_bytes([run; 16]),
                    points: points(number, keys),
                })
                .collect();
            // A run writes at one change time once.
            let mut seen = std::collections::HashSet::new();
            written.retain(|version| seen.insert((version.run, version.change)));
            written
        })
    }

    fn points(number: usize, mut keys: Vec<(i64, i64)>) -> Vec<Point> {
        keys.sort_unstable();
        keys.dedup();
        let value = |at: usize| {
            (!at.is_multiple_of(5)).then(|| f64::from(u8::try_from(number * 16 + at).unwrap()))
        };
        let point = |(at, (start, hours)): (usize, (i64, i64))| Point {
            start: hour(start),
            end: (hours > 0).then(|| hour(start + hours)),
            value: value(at),
        };
        keys.into_iter().enumerate().map(point).collect()
    }

    fn window() -> impl Strategy<Value = Window> {
        let side = || prop::option::of((0..25i64).prop_map(hour));
        (side(), side()).prop_map(|(start, end)| Window { start, end })
    }

    #[test]
    fn nothing_merges_to_nothing() {
        for mode in [Mode::Flat, Mode::Overlapping] {
            assert!(merge(&[], mode, true, Window::default()).is_empty());
            assert!(merge(&[], mode, false, Window::default()).is_empty());
        }
    }

    #[test]
    fn an_update_of_an_older_run_does_not_hide_a_run_known_later() {
        let version = |run: u8, known, change, value: f64| Written {
            known: hour(known),
            change: hour(change),
            run: Uuid::from_bytes([run; 16]),
            points: vec![Point {
                start: hour(0),
                end: None,
                value: Some(value),
            }],
        };
        let written = [
            version(1, 1, 1, 1.0),
            version(2, 2, 2, 2.0),
            version(1, 1, 9, 3.0),
        ];
        let shown = |mode, all_versions| -> Vec<usize> {
            let picks = merged(&written, mode, all_versions, Window::default());
            picks.iter().map(|pick| pick.version).collect()
        };
        assert_eq!(shown(Mode::Flat, false), [1]);
        assert_eq!(shown(Mode::Flat, true), [1]);
        assert_eq!(shown(Mode::Overlapping, false), [2, 1]);
        assert_eq!(shown(Mode::Overlapping, true), [0, 2, 1]);
    }

    #[test]
    fn forecasts_shifted_by_an_hour_merge_to_the_newest_value_of_each_hour() {
        let written: Vec<Written> = (0..100)
            .map(|run: i64| Written {
                known: hour(run),
                change: hour(1000 - run),
                run: Uuid::from_u128(u128::from(run.unsigned_abs())),
                points: points(0, (run..run + 10).map(|start| (start, 0)).collect()),
            })
            .collect();
        let picks = merged(&written, Mode::Flat, false, Window::default());
        let versions: Vec<usize> = picks.iter().map(|pick| pick.version).collect();
        let expected: Vec<usize> = (0..99).chain([99; 10]).collect();
        assert_eq!(versions, expected);
        assert!(
            picks
                .iter()
                .zip(0..)
                .all(|(pick, at)| pick.point.start == hour(at))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn every_mode_answers_what_the_design_says(written in written(), window in window()) {
            for mode in [Mode::Flat, Mode::Overlapping] {
                for all_versions in [false, true] {
                    for window in [window, Window::default()] {
                        let picks = merged(&written, mode, all_versions, window);
                        let expected = model(&written, mode, all_versions, window);
                        prop_assert_eq!(
                            comparable(&picks), comparable(&expected), "{:?} {} {:?}", mode, all_versions, window
                        );
                    }
                }
            }
        }
    }
}
