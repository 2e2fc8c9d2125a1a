use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::points::{Point, Points, pack};

fn hour(hour: i64) -> Time {
    Time::from_micros(hour * 3_600_000_000).unwrap()
}

/// A version before it is packed: its run, when it was written, and the keys of its points.
#[derive(Clone, Debug)]
struct Written {
    run: u128,
    change: i64,
    points: Vec<Point>,
}

impl Written {
    /// Of two runs one is known when the other is.
    fn known(&self) -> Time {
        hour(self.run as i64 / 2)
    }
}

/// Up to twelve versions of five runs, each written at a moment of its own.
fn written() -> impl Strategy<Value = Vec<Written>> {
    let key = (0..30i64, 0..3i64);
    let version = (0..5u128, prop::collection::btree_set(key, 1..12));
    vec(version, 1..12).prop_map(|versions| {
        let each = (0..).zip(versions).map(|(change, (run, keys))| Written {
            run,
            change,
            points: keys
                .into_iter()
                .map(|(start, length)| Point {
                    start: hour(start),
                    end: (length > 0).then(|| hour(start + length)),
                    value: Some(0.0),
                })
                .collect(),
        });
        each.collect()
    })
}

fn window() -> impl Strategy<Value = Window> {
    let bound = || prop::option::of((0..30i64).prop_map(hour));
    (bound(), bound()).prop_map(|(start, end)| Window { start, end })
}

fn rule() -> impl Strategy<Value = Rule> {
    let which = prop_oneof![Just(Which::Begun), Just(Which::Known), Just(Which::Hidden)];
    (which, window()).prop_map(|(which, window)| Rule { which, window })
}

/// Whether a point goes, as the rules are said.
fn goes(written: &[Written], spared: u128, rule: Rule, of: &Written, point: &Point) -> bool {
    let counted = || written.iter().filter(|other| other.run != spared);
    let has = |other: &&Written| other.points.iter().any(|other| other.key() == point.key());
    let precedence = |of: &Written| (of.known(), of.run, of.change);
    of.run != spared
        && match rule.which {
            Which::Begun => rule.window.contains(point.start),
            Which::Known => rule.window.contains(of.known()),
            Which::Hidden => {
                let newest = counted().filter(has).map(precedence).max();
                rule.window.contains(point.start) && newest != Some(precedence(of))
            }
        }
}

proptest! {
    #[test]
    fn what_goes_is_what_the_rule_says_and_each_run_loses_the_values_it_keeps_no_version_of(
        written in written(), rule in rule(), spared in 0..9u128,
    ) {
        let packed: Vec<Vec<u8>> = written.iter().map(|of| pack(&of.points).unwrap()).collect();
        let versions: Vec<Shaped> = written.iter().zip(&packed).map(|(of, bytes)| Shaped {
            version: Version {
                run: Uuid::from_u128(of.run),
                known: of.known(),
                change: hour(of.change),
                remark: Rc::default(),
            },
            shape: Points::read(bytes).unwrap().shape(),
        }).collect();
        let going = rule.going(&versions, |version| version.run == Uuid::from_u128(spared));
        let is_spared = |of: &Shaped| of.version.run == Uuid::from_u128(spared);
        let mut shown = Shown::default();
        // In another order than that of the versions.
        for of in versions.iter().rev().filter(|of| !is_spared(of)) {
            shown.add(of, &rule.window);
        }
        for (of, going) in versions.iter().zip(&going) {
            let one_by_one = if is_spared(of) { Going::Nothing } else { rule.going_of(of, &shown) };
            prop_assert_eq!(&one_by_one, going, "{:?} {:?}", rule, of);
        }
        let mut one_by_one = Lost::default();
        // Asked for where something may be shown all the same.
        let shown = if rule.which == Which::Hidden { shown } else { Shown::default() };
        for (of, of_going) in versions.iter().zip(&going) {
            let all = versions.iter().zip(&going);
            let loses = all.filter(|(other, going)| other.version.run == of.version.run && **going != Going::Nothing);
            let writes: BTreeSet<Time> = loses.map(|(other, _)| other.version.change).collect();
            one_by_one.add(of, of_going, &shown, writes.len() < 2);
        }
        prop_assert_eq!(one_by_one.counted(), lost(&versions, &going));
        let mut had: HashMap<u128, BTreeSet<Key>> = HashMap::new();
        let mut has: HashMap<u128, BTreeSet<Key>> = HashMap::new();
        for (of, going) in written.iter().zip(&going) {
            let expected: Vec<bool> = of.points.iter().map(|point| goes(&written, spared, rule, of, point)).collect();
            let told: Vec<bool> = (0..of.points.len()).map(|index| going.goes(index)).collect();
            prop_assert_eq!(&told, &expected, "{:?} {:?}", rule, of);
            prop_assert_eq!(going.count(of.points.len()), expected.iter().filter(|goes| **goes).count());
            had.entry(of.run).or_default().extend(of.points.iter().map(Point::key));
            let kept = of.points.iter().zip(expected).filter(|(_, goes)| !goes);
            has.entry(of.run).or_default().extend(kept.map(|(point, _)| point.key()));
        }
        let expected: BTreeMap<Uuid, i64> = had.iter()
            .map(|(run, keys)| (Uuid::from_u128(*run), keys.difference(&has[run]).count() as i64))
            .filter(|(_, lost)| *lost > 0)
            .collect();
        prop_assert_eq!(lost(&versions, &going), expected);
    }
}
