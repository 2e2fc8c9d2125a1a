//! Few windows around times: what lies far apart is not worth looking at all that lies between.

use crate::time::Time;

/// Times that are closer are always in one window.
const APART: i64 = 7 * 86_400_000_000;
/// The most windows.
const MOST: usize = 16;

/// The first and the last time of each window, in order. The times are sorted.
pub fn around(times: &[Time]) -> Vec<(Time, Time)> {
    let gap = |pair: &[Time]| pair[1].micros() - pair[0].micros();
    let mut gaps: Vec<i64> = times.windows(2).map(gap).filter(|gap| *gap > APART).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    // The widest are cut at, as many as there may be.
    let widest = gaps.get(MOST - 1).copied().unwrap_or(APART);
    let clusters = times.chunk_by(|a, b| gap(&[*a, *b]) <= widest);
    clusters
        .filter_map(|cluster| Some((*cluster.first()?, *cluster.last()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(days: i64) -> Time {
        Time::from_micros(days * 86_400_000_000).unwrap()
    }

    #[test]
    fn times_that_are_close_are_together_and_others_are_not() {
        assert!(around(&[]).is_empty());
        assert_eq!(around(&[day(1)]), [(day(1), day(1))]);
        assert_eq!(
            around(&[day(1), day(1), day(8), day(20)]),
            [(day(1), day(8)), (day(20), day(20))]
        );
    }

    proptest! {
        #[test]
        fn each_time_is_in_one_of_few_windows_that_follow_each_other(mut days in prop::collection::vec(-5000..5000i64, 1..80)) {
            days.sort_unstable();
            let times: Vec<Time> = days.into_iter().map(day).collect();
            let windows = around(&times);
            prop_assert!(windows.len() <= MOST);
            prop_assert!(windows.iter().all(|(first, last)| first <= last));
            prop_assert!(windows.is_sorted_by(|a, b| a.1 < b.0));
            for time in &times {
                prop_assert_eq!(windows.iter().filter(|(first, last)| first <= time && time <= last).count(), 1);
            }
            prop_assert!(windows.iter().all(|(first, last)| times.contains(first) && times.contains(last)));
        }
    }
}
