//! Classes of how long a vector of points reaches, from its first start to its last. A row's class is part of its key, so
//! that a window bounds the scan on both sides: a vector of a class that starts earlier than the class is long, counted
//! back from the window, cannot reach into it. One long backfill among short forecasts then costs its own class only.

use crate::time::Time;

/// How many classes there are; each is eight times as long as the one before.
pub const CLASSES: usize = 8;

/// The longest reach of the shortest class, as a power of two: 2^32 microseconds are 72 minutes.
const SHORTEST_BITS: u32 = 32;
const BITS_A_CLASS: u32 = 3;

/// The class of a vector whose points start between these two.
pub fn class(first: Time, last: Time) -> i16 {
    let reach = last.micros().abs_diff(first.micros());
    (0..LAST_CLASS)
        .find(|&class| reach <= longest(class))
        .unwrap_or(LAST_CLASS)
}

const LAST_CLASS: i16 = CLASSES as i16 - 1;

fn longest(class: i16) -> u64 {
    1 << (SHORTEST_BITS + BITS_A_CLASS * u32::from(class.unsigned_abs()))
}

/// Every class.
pub fn classes() -> [i16; CLASSES] {
    std::array::from_fn(|class| class as i16)
}

/// For each class, where a vector starts at the earliest that reaches `time`; none where nothing is too early.
pub fn earliest_starts(time: Option<Time>) -> [Option<Time>; CLASSES] {
    classes().map(|class| {
        if class == LAST_CLASS {
            return None;
        }
        let reach = i64::try_from(longest(class)).ok()?;
        Time::from_micros(time?.micros() - reach)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(micros: i64) -> Time {
        Time::from_micros(micros).unwrap()
    }

    #[test]
    fn a_moment_an_hour_a_day_and_a_year_are_of_different_classes() {
        const HOUR: i64 = 3_600_000_000;
        let class_of = |hours: i64| class(time(0), time(hours * HOUR));
        assert_eq!([0, 1, 24, 24 * 365].map(class_of), [0, 0, 2, 5]);
        assert_eq!(class(Time::MIN, Time::MAX), LAST_CLASS);
    }

    proptest! {
        #[test]
        fn whatever_reaches_a_time_does_not_start_before_the_earliest_start_of_its_class(
            first in Time::MIN.micros()..=Time::MAX.micros(), bits in 0..60u32, share in 0.0..1.0f64, back in 0.0..1.0f64,
        ) {
            let reach = ((1u64 << bits) as f64 * share) as i64;
            let last = first.saturating_add(reach).min(Time::MAX.micros());
            let reached = first + ((last - first) as f64 * back) as i64;
            let (first, last) = (time(first), time(last));
            let earliest = earliest_starts(Some(time(reached.min(last.micros()))));
            let of_class = earliest[usize::from(class(first, last).unsigned_abs())];
            prop_assert!(of_class.is_none_or(|earliest| earliest <= first), "{:?} {:?}", first, last);
        }
    }
}
