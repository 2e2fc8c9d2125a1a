//! Values of one series in buckets of time, each summed up: as they come, in their order, in one pass.

use std::collections::VecDeque;

use crate::calendar::{Calendar, Interval, Windows};
use crate::limits::MOST_BUCKETS;
use crate::merge::Window;
use crate::points::Point;
use crate::time::Time;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    Mean,
    Min,
    Max,
    Sum,
    Count,
    First,
    Last,
    /// The mean by how long each value holds: an interval's as long as it is, a moment's until the next value begins.
    TimeWeighted,
}

/// Their names, as a message lists them.
pub const AGGREGATES: &str = "mean, min, max, sum, count, first, last, time_weighted";

impl Aggregate {
    pub fn named(name: &str) -> Option<Aggregate> {
        Some(match name {
            "mean" => Aggregate::Mean,
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "sum" => Aggregate::Sum,
            "count" => Aggregate::Count,
            "first" => Aggregate::First,
            "last" => Aggregate::Last,
            "time_weighted" => Aggregate::TimeWeighted,
            _ => return None,
        })
    }

    /// How much a value counts that holds for so long.
    fn weight(self, held: f64) -> f64 {
        match self {
            Aggregate::TimeWeighted => held,
            _ => 1.0,
        }
    }
}

/// What came into a bucket. Nulls do not.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    pub window: Window,
    pub count: i64,
    /// What the aggregate has made of the values so far; of means their sum.
    value: f64,
    /// Of means the sum in small: it counts where the other is beyond all numbers.
    small: f64,
    /// How many microseconds they held in all.
    held: f64,
}

/// Buckets that a value holds in until a caller is told that it goes on.
const STEPS_OF_A_TICK: u32 = 4096;

/// What makes sums of all values there can be, over all time, numbers: a power of two, so that nothing is rounded by it.
const SMALL: f64 = 1.0 / (1u128 << 100) as f64;

/// More buckets of one series at once than are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

pub struct Buckets<C> {
    windows: Windows<C>,
    aggregate: Aggregate,
    /// Nothing holds longer.
    until: Option<Time>,
    /// In their order: those that more may come into, and those that nobody has taken.
    buckets: VecDeque<Bucket>,
    /// How many of them are full.
    full: usize,
    /// A moment that holds until the next value begins.
    holding: Option<(Time, Option<f64>)>,
}

impl<C: Calendar> Buckets<C> {
    /// Days and months are counted on the calendar, from the midnight there that the 21st century began with: a Monday. None where
    /// the length does not go forward.
    pub fn of(calendar: C, length: Interval, aggregate: Aggregate, until: Option<Time>) -> Option<Buckets<C>> {
        let origin = first_midnight(&calendar)?;
        Some(Buckets {
            windows: Windows::of(calendar, origin, length)?,
            aggregate,
            until,
            buckets: VecDeque::new(),
            full: 0,
            holding: None,
        })
    }

    /// Takes the next value, in the order of starts. A value may hold in many buckets: every few thousand of them are a tick.
    pub fn add(&mut self, point: &Point, tick: &mut impl FnMut()) -> Result<(), TooMany> {
        if self.aggregate == Aggregate::TimeWeighted {
            self.end_holding(Some(point.start), tick)?;
            match point.end {
                Some(end) => self.hold(point.start, end, point.value, tick)?,
                None => self.holding = Some((point.start, point.value)),
            }
            self.fill(point.start);
            return Ok(());
        }
        let Some(value) = point.value else { return Ok(()) };
        let window = self.windows.around(point.start);
        match self.buckets.back_mut().filter(|bucket| bucket.window == window) {
            Some(bucket) => bucket.add(self.aggregate, value, 1.0),
            None => {
                self.full = self.buckets.len();
                self.buckets.push_back(Bucket::of(window, self.aggregate, value, 1.0));
            }
        }
        Ok(())
    }

    /// That no further value comes: what holds then, holds until its bucket ends.
    pub fn finish(&mut self, tick: &mut impl FnMut()) -> Result<(), TooMany> {
        self.end_holding(None, tick)?;
        self.full = self.buckets.len();
        Ok(())
    }

    /// The next bucket that nothing more comes into.
    pub fn take(&mut self) -> Option<(Window, f64, i64)> {
        self.full = self.full.checked_sub(1)?;
        let bucket = self.buckets.pop_front()?;
        Some((bucket.window, bucket.result(self.aggregate), bucket.count))
    }

    fn end_holding(&mut self, at: Option<Time>, tick: &mut impl FnMut()) -> Result<(), TooMany> {
        let Some((since, value)) = self.holding.take() else {
            return Ok(());
        };
        let until = at.or_else(|| self.windows.around(since).end).unwrap_or(Time::MAX);
        self.hold(since, until, value, tick)
    }

    /// Adds a value to all buckets in which it holds.
    fn hold(&mut self, since: Time, until: Time, value: Option<f64>, tick: &mut impl FnMut()) -> Result<(), TooMany> {
        let until = self.until.map_or(until, |end| end.min(until));
        let (Some(value), true) = (value, since < until) else {
            return Ok(());
        };
        let mut from = since;
        // Mostly in the last one that there is.
        let mut place = self
            .buckets
            .partition_point(|bucket| bucket.window.end.is_some_and(|end| end <= from));
        let mut steps: u32 = 0;
        loop {
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(STEPS_OF_A_TICK) {
                tick();
            }
            // Where there is a bucket, no calendar is asked.
            let there = self.buckets.get(place).map(|bucket| bucket.window);
            let there = there.filter(|window| window.contains(from));
            let window = there.unwrap_or_else(|| self.windows.around(from));
            let end = window.end.map_or(until, |end| end.min(until));
            let micros = (end.micros() - from.micros()) as f64;
            let are_many = self.buckets.len() == MOST_BUCKETS;
            match self.buckets.get_mut(place).filter(|bucket| bucket.window == window) {
                Some(bucket) => bucket.add(self.aggregate, value, micros),
                None if are_many => return Err(TooMany),
                None => self
                    .buckets
                    .insert(place, Bucket::of(window, self.aggregate, value, micros)),
            }
            if end >= until {
                return Ok(());
            }
            from = end;
            place += 1;
        }
    }

    /// Nothing more comes into buckets that end before a value begins.
    fn fill(&mut self, start: Time) {
        while self
            .buckets
            .get(self.full)
            .is_some_and(|bucket| bucket.window.end.is_some_and(|end| end <= start))
        {
            self.full += 1;
        }
    }
}

fn first_midnight(calendar: &impl Calendar) -> Option<Time> {
    use crate::calendar::Local;
    // 366 days after the first of the year 2000.
    calendar.moment(Local::of_day(366, 0)?)
}

impl Bucket {
    fn of(window: Window, aggregate: Aggregate, value: f64, held: f64) -> Bucket {
        let weight = aggregate.weight(held);
        Bucket {
            window,
            count: 1,
            value: value * weight,
            small: value * SMALL * weight,
            held,
        }
    }

    fn add(&mut self, aggregate: Aggregate, value: f64, held: f64) {
        self.count += 1;
        self.held += held;
        let weight = aggregate.weight(held);
        self.small += value * SMALL * weight;
        match aggregate {
            Aggregate::Mean | Aggregate::Sum | Aggregate::TimeWeighted => self.value += value * weight,
            // As Postgres has it: NaN is greater than all others.
            Aggregate::Min if value < self.value || self.value.is_nan() => self.value = value,
            Aggregate::Max if value > self.value || value.is_nan() => self.value = value,
            Aggregate::Last => self.value = value,
            Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Count => {}
        }
    }

    fn result(&self, aggregate: Aggregate) -> f64 {
        match aggregate {
            Aggregate::Mean => self.mean(self.count as f64),
            Aggregate::Count => self.count as f64,
            Aggregate::TimeWeighted => self.mean(self.held),
            _ => self.value,
        }
    }

    fn mean(&self, weights: f64) -> f64 {
        if self.value.is_finite() {
            return self.value / weights;
        }
        let mean = self.small / weights / SMALL;
        match self.small.is_finite() {
            // Rounded up, the greatest number of all would be none.
            true => mean.clamp(f64::MIN, f64::MAX),
            false => mean,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::calendar::Local;

    const HOUR: i64 = 3_600_000_000;

    struct Utc;

    impl Calendar for Utc {
        fn local(&self, moment: Time) -> Option<Local> {
            Some(Local(moment.micros()))
        }

        fn moment(&self, local: Local) -> Option<Time> {
            Time::from_micros(local.0)
        }
    }

    fn at(hours: f64) -> Time {
        Time::from_micros((hours * HOUR as f64) as i64).unwrap()
    }

    fn moment(hours: f64, value: impl Into<Option<f64>>) -> Point {
        Point {
            start: at(hours),
            end: None,
            value: value.into(),
        }
    }

    fn interval(hours: f64, end: f64, value: f64) -> Point {
        Point {
            end: Some(at(end)),
            ..moment(hours, value)
        }
    }

    /// Start, value and count of each bucket of two hours.
    fn summed(aggregate: Aggregate, points: &[Point], until: Option<Time>) -> Vec<(f64, f64, i64)> {
        let two_hours = Interval {
            micros: 2 * HOUR,
            ..Interval::default()
        };
        let mut buckets = Buckets::of(Utc, two_hours, aggregate, until).unwrap();
        let mut taken = Vec::new();
        for point in points {
            buckets.add(point, &mut || ()).unwrap();
            taken.extend(std::iter::from_fn(|| buckets.take()));
        }
        buckets.finish(&mut || ()).unwrap();
        taken.extend(std::iter::from_fn(|| buckets.take()));
        let start = |window: Window| window.start.unwrap().micros() as f64 / HOUR as f64;
        taken
            .into_iter()
            .map(|(window, value, count)| (start(window), value, count))
            .collect()
    }

    #[test]
    fn nulls_do_not_count_and_nan_is_the_greatest() {
        let points = [
            moment(0.0, None),
            moment(0.5, f64::NAN),
            moment(1.0, 3.0),
            moment(4.0, None),
            moment(6.0, f64::NAN),
        ];
        let smallest = summed(Aggregate::Min, &points, None);
        assert_eq!(smallest[0], (0.0, 3.0, 2));
        assert!(smallest[1].1.is_nan() && smallest.len() == 2);
        assert!(summed(Aggregate::Max, &points, None)[0].1.is_nan());
        assert_eq!(summed(Aggregate::Count, &points, None)[0], (0.0, 2.0, 2));
        assert_eq!(summed(Aggregate::Last, &points[..4], None), [(0.0, 3.0, 2)]);
    }

    #[test]
    fn a_moment_holds_until_the_next_value_an_interval_as_long_as_it_is_and_the_last_until_its_bucket_ends() {
        let points = [
            moment(1.0, 10.0),
            moment(3.0, None),
            interval(4.0, 7.0, 1.0),
            moment(5.0, 4.0),
        ];
        let means = summed(Aggregate::TimeWeighted, &points, None);
        assert_eq!(means, [(0.0, 10.0, 1), (2.0, 10.0, 1), (4.0, 2.0, 2), (6.0, 1.0, 1)]);
        let until = summed(Aggregate::TimeWeighted, &points, Some(at(5.5)));
        assert_eq!(until, [(0.0, 10.0, 1), (2.0, 10.0, 1), (4.0, 1.75, 2)]);
        let together = summed(
            Aggregate::TimeWeighted,
            &[moment(0.0, 9.0), interval(0.0, 1.0, 1.0)],
            None,
        );
        assert_eq!(together, [(0.0, 1.0, 1)]);
    }

    #[test]
    fn a_mean_is_no_greater_than_its_values_whatever_their_sum() {
        let mean = |aggregate, values: [f64; 3]| {
            let [first, second, third] = values;
            let points = [
                interval(0.0, 0.5, first),
                interval(0.5, 1.0, second),
                interval(1.0, 2.0, third),
            ];
            summed(aggregate, &points, None)[0].1
        };
        for aggregate in [Aggregate::Mean, Aggregate::TimeWeighted] {
            for value in [1e300, 1.7e308, f64::MAX, f64::MIN] {
                let mean = mean(aggregate, [value; 3]);
                assert!((mean / value - 1.0).abs() < 1e-12, "{aggregate:?} of {value}: {mean}");
            }
            assert_eq!(
                mean(aggregate, [f64::MAX, f64::MAX, f64::NEG_INFINITY]),
                f64::NEG_INFINITY
            );
            assert!(mean(aggregate, [f64::INFINITY, 1.0, f64::NEG_INFINITY]).is_nan());
        }
    }

    /// Sums over quarters of an hour.
    fn naive(aggregate: Aggregate, values: &[(u32, u32, f64)]) -> Vec<(f64, f64, i64)> {
        let weight = |bucket: u32, start: u32, end: u32| match aggregate {
            Aggregate::Mean => u32::from(start / 8 == bucket),
            _ => end.min(bucket * 8 + 8).saturating_sub(start.max(bucket * 8)),
        };
        let mut means = Vec::new();
        for bucket in 0..20 {
            let (mut sum, mut weights, mut count) = (0.0, 0.0, 0);
            for &(start, length, value) in values {
                let weight = weight(bucket, start, start + length);
                count += i64::from(weight > 0);
                weights += f64::from(weight);
                sum += value * f64::from(weight);
            }
            if count > 0 {
                means.push((f64::from(bucket) * 2.0, sum / weights, count));
            }
        }
        means
    }

    proptest! {
        #[test]
        fn means_are_the_naive_ones_of_values_of_any_size(
            mut values in prop::collection::vec((0..100u32, 1..40u32, -1e6..1e6), 1..30),
            aggregate in select(vec![Aggregate::Mean, Aggregate::TimeWeighted]),
            size in select(vec![1.0, 2f64.powi(-900), 2f64.powi(1003)]),
        ) {
            values.sort_by_key(|value| value.0);
            let quarters = |count: u32| f64::from(count) / 4.0;
            let points: Vec<Point> = values
                .iter()
                .map(|&(start, length, value)| interval(quarters(start), quarters(start + length), value * size))
                .collect();
            let (found, expected) = (summed(aggregate, &points, None), naive(aggregate, &values));
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!((found.0, found.2), (expected.0, expected.2));
                prop_assert!((found.1 / size - expected.1).abs() < 1e-6, "{:?} {:?}", found, expected);
            }
        }
    }

    #[test]
    fn a_value_that_holds_for_too_many_buckets_is_refused() {
        let micro = Interval {
            micros: 1,
            ..Interval::default()
        };
        let mut buckets = Buckets::of(Utc, micro, Aggregate::TimeWeighted, None).unwrap();
        assert_eq!(buckets.add(&interval(0.0, 1.0, 1.0), &mut || ()), Err(TooMany));
    }

    #[test]
    fn values_that_hold_in_many_buckets_tick_on_the_way() {
        let second = Interval {
            micros: HOUR / 3600,
            ..Interval::default()
        };
        let mut buckets = Buckets::of(Utc, second, Aggregate::TimeWeighted, None).unwrap();
        let mut ticks = 0;
        let mut add = |point| {
            buckets.add(&point, &mut || ticks += 1).unwrap();
            std::mem::take(&mut ticks)
        };
        let of_a_day = 24 * 3600 / 4096;
        assert_eq!(add(interval(0.0, 24.0, 1.0)), of_a_day);
        assert_eq!(add(interval(0.0, 24.0, 2.0)), of_a_day);
        assert_eq!(add(moment(0.0, 3.0)), 0);
        assert_eq!(add(moment(24.0, None)), of_a_day);
    }

    #[test]
    fn buckets_are_counted_from_a_monday_and_reach_to_the_ends_of_time() {
        let week = Interval {
            days: 7,
            ..Interval::default()
        };
        let mut buckets = Buckets::of(Utc, week, Aggregate::Sum, None).unwrap();
        for start in [Time::MIN, Time::parse("2025-03-26T12:00Z").unwrap(), Time::MAX] {
            let point = Point {
                start,
                end: None,
                value: Some(1.0),
            };
            buckets.add(&point, &mut || ()).unwrap();
        }
        buckets.finish(&mut || ()).unwrap();
        let windows: Vec<Window> = std::iter::from_fn(|| buckets.take())
            .map(|(window, ..)| window)
            .collect();
        // The first moment of all begins a Monday, too.
        assert_eq!(windows[0].start, Some(Time::MIN));
        assert_eq!(windows[1].start, Some(Time::parse("2025-03-24T00:00Z").unwrap()));
        assert_eq!(windows[1].end, Some(Time::parse("2025-03-31T00:00Z").unwrap()));
        assert_eq!(windows[2].end, None);
    }
}
