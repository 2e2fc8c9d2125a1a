use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::points::{Point, Points, pack};
use crate::version::Version;

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
    merged_counted(written, mode, all_versions, window, Counts::default())
}

fn merged_counted(written: &[Written], mode: Mode, all_versions: bool, window: Window, counts: Counts) -> Vec<Pick> {
    let packed: Vec<Vec<u8>> = written.iter().map(|of| pack(&of.points).unwrap()).collect();
    let versions: Vec<Shaped> = written
        .iter()
        .zip(&packed)
        .map(|(of, bytes)| Shaped {
            version: Version {
                run: of.run,
                known: of.known,
                change: of.change,
                remark: Rc::default(),
            },
            shape: Points::read(bytes).unwrap().shape(),
        })
        .collect();
    merge_counted(&versions, mode, all_versions, window, counts)
}

/// What each mode is said to show, one rule after the other, over every point that counts.
fn model(
    written: &[Written],
    mode: Mode,
    all_versions: bool,
    window: Window,
    counts: impl Fn(usize, Time) -> bool,
) -> Vec<Pick> {
    let counts = &counts;
    let in_window = |point: &&Point| {
        window.start.is_none_or(|start| start <= point.start) && window.end.is_none_or(|end| point.start < end)
    };
    let every: Vec<Pick> = (0..written.len())
        .flat_map(|version| {
            let points = (0..).zip(&written[version].points);
            points
                .filter(move |(_, point)| in_window(point) && counts(version, point.start))
                .map(move |(index, point)| Pick {
                    version: version as u32,
                    index,
                    start: point.start,
                    end: point.end,
                })
        })
        .collect();
    let of = |pick: &Pick| &written[pick.version as usize];
    let same = |a: &Pick, b: &Pick| a.key() == b.key() && of(a).run == of(b).run;
    let is_current = |a: &&Pick| !every.iter().any(|b| same(a, b) && of(b).change > of(a).change);
    let current: Vec<Pick> = every.iter().filter(is_current).copied().collect();
    let rank = |pick: &Pick| (of(pick).known, of(pick).run, of(pick).change);
    let order = |pick: &Pick| (of(pick).known, of(pick).change, of(pick).run);
    let is_shown =
        |a: &&Pick| mode == Mode::Overlapping || !current.iter().any(|b| a.key() == b.key() && rank(b) > rank(a));
    let shown: Vec<Pick> = current.iter().filter(is_shown).copied().collect();
    let mut picks = if all_versions {
        let belongs = |a: &&Pick| shown.iter().any(|b| same(a, b));
        every.iter().filter(belongs).copied().collect()
    } else {
        shown
    };
    picks.sort_by_key(|pick| (pick.key(), order(pick)));
    picks
}

fn written() -> impl Strategy<Value = Vec<Written>> {
    let grid = (0..12i64, 1..3i64, 0..10i64, 0..2i64)
        .prop_map(|(from, step, count, hours)| (0..count).map(|at| (from + at * step, hours)).collect::<Vec<_>>());
    let any = prop_oneof![grid.clone(), vec((0..20i64, 0..3i64), 0..10)];
    let one_grid = (vec(grid, 12), 0..2i64).prop_map(|(grids, hours)| {
        let of_length = |grid: Vec<(i64, i64)>| grid.into_iter().map(|(start, _)| (start, hours)).collect();
        grids.into_iter().map(of_length).collect::<Vec<Vec<_>>>()
    });
    let keys = prop_oneof![vec(any, 12), one_grid];
    // Few runs and known times, so that runs share the latter, and change times that say nothing about runs.
    let version = (0..4u8, 0..20i64);
    (vec(0..3i64, 4), vec(version, 0..12), keys).prop_map(|(known_of_run, versions, keys)| {
        let mut written: Vec<Written> = versions
            .into_iter()
            .zip(keys)
            .enumerate()
            .map(|(number, ((run, change), keys))| Written {
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
    let value = |at: usize| (!at.is_multiple_of(5)).then(|| f64::from(u8::try_from(number * 16 + at).unwrap()));
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

/// A run of one value at hour 0, or, not on one grid with it, of others beside.
fn version(run: u8, known: i64, change: i64, others: &[i64]) -> Written {
    let keys = [&[0], others].concat().into_iter().map(|start| (start, 0));
    Written {
        known: hour(known),
        change: hour(change),
        run: Uuid::from_bytes([run; 16]),
        points: points(usize::from(run), keys.collect()),
    }
}

/// The versions of what is shown at hour 0.
fn shown(written: &[Written], mode: Mode, all_versions: bool) -> Vec<u32> {
    let picks = merged(written, mode, all_versions, Window::default());
    let at_hour_0 = picks.iter().filter(|pick| pick.start == hour(0));
    at_hour_0.map(|pick| pick.version).collect()
}

#[test]
fn an_update_of_an_older_run_does_not_hide_a_run_known_later() {
    let written = [version(1, 1, 1, &[]), version(2, 2, 2, &[]), version(1, 1, 9, &[])];
    assert_eq!(shown(&written, Mode::Flat, false), [1]);
    assert_eq!(shown(&written, Mode::Flat, true), [1]);
    assert_eq!(shown(&written, Mode::Overlapping, false), [2, 1]);
    assert_eq!(shown(&written, Mode::Overlapping, true), [0, 2, 1]);
}

/// The first run is touched once more after the second was uploaded, on one grid and on none.
#[test]
fn of_two_runs_known_at_one_moment_the_one_uploaded_later_is_shown_whatever_is_done_to_the_other() {
    for others in [&[][..], &[1000, 1001, 1003]] {
        let written = [version(1, 1, 1, others), version(2, 1, 2, &[]), version(1, 1, 9, &[])];
        assert_eq!(shown(&written, Mode::Flat, false), [1]);
        assert_eq!(shown(&written, Mode::Flat, true), [1]);
        // The answer is in the order of change times.
        assert_eq!(shown(&written, Mode::Overlapping, false), [1, 2]);
        assert_eq!(shown(&written, Mode::Overlapping, true), [0, 1, 2]);
    }
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
    let versions: Vec<u32> = picks.iter().map(|pick| pick.version).collect();
    let expected: Vec<u32> = (0..99).chain([99; 10]).collect();
    assert_eq!(versions, expected);
    assert!(picks.iter().zip(0..).all(|(pick, at)| pick.start == hour(at)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_mode_answers_what_the_design_says(written in written(), window in window()) {
        for mode in [Mode::Flat, Mode::Overlapping] {
            for all_versions in [false, true] {
                for window in [window, Window::default()] {
                    let picks = merged(&written, mode, all_versions, window);
                    let expected = model(&written, mode, all_versions, window, |_, _| true);
                    prop_assert_eq!(
                        picks, expected, "{:?} {} {:?}", mode, all_versions, window
                    );
                }
            }
        }
    }

    /// Each version counts since a moment of its own, or not at all; and what starts somewhere, where it counted at another.
    #[test]
    fn what_does_not_count_might_as_well_not_have_been_written(
        written in written(), window in window(),
        since in prop_oneof![Just(None), vec(prop::option::weighted(0.8, (0..6i64).prop_map(hour)), 12).prop_map(Some)],
        cutoffs in prop::option::of((vec(prop::option::weighted(0.9, (0..6i64).prop_map(hour)), 50), 1..4i64)),
    ) {
        let cutoff_of = |start: Time| cutoffs.as_ref().map(|(of, each)| of[(start.micros() / HOUR / each) as usize]);
        let since = since.map(|mut since| { since.truncate(written.len()); since });
        let counts = |version: usize, start: Time| {
            let since = since.as_ref().map_or(Some(written[version].known), |since| since[version]);
            let in_time = |since| cutoff_of(start).is_none_or(|cutoff| cutoff.is_some_and(|cutoff| since <= cutoff));
            since.is_some_and(in_time)
        };
        for mode in [Mode::Flat, Mode::Overlapping] {
            for all_versions in [false, true] {
                let mut asked = std::collections::HashSet::new();
                let mut cutoff = |start: Time| {
                    assert!(asked.insert(start), "a start is asked for twice");
                    cutoff_of(start).unwrap()
                };
                let given = Counts {
                    since: since.as_deref(),
                    cutoff: cutoffs.is_some().then_some(&mut cutoff),
                };
                let picks = merged_counted(&written, mode, all_versions, window, given);
                let expected = model(&written, mode, all_versions, window, counts);
                prop_assert_eq!(picks, expected, "{:?} {}", mode, all_versions);
            }
        }
    }
}
