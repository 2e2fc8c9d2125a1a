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
}

/// What came into a bucket. Nulls do not.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    pub window: Window,
    pub count: i64,
    /// What the aggregate has made of the values so far; of means their sum.
    value: f64,
    /// How many microseconds they held in all.
    held: f64,
}

/// Buckets that a value holds in until a caller is told that it goes on.
const STEPS_OF_A_TICK: u32 = 4096;

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
        let value = match aggregate {
            Aggregate::TimeWeighted => value * held,
            _ => value,
        };
        Bucket {
            window,
            count: 1,
            value,
            held,
        }
    }

    fn add(&mut self, aggregate: Aggregate, value: f64, held: f64) {
        self.count += 1;
        self.held += held;
        match aggregate {
            Aggregate::Mean | Aggregate::Sum => self.value += value,
            // As Postgres has it: NaN is greater than all others.
            Aggregate::Min if value < self.value || self.value.is_nan() => self.value = value,
            Aggregate::Max if value > self.value || value.is_nan() => self.value = value,
            Aggregate::Last => self.value = value,
            Aggregate::TimeWeighted => self.value += value * held,
            Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Count => {}
        }
    }

    fn result(&self, aggregate: Aggregate) -> f64 {
        match aggregate {
            Aggregate::Mean => self.value / self.count as f64,
            Aggregate::Count => self.count as f64,
            Aggregate::TimeWeighted => self.value / self.held,
            _ => self.value,
        }
    }
}

#[cfg(test)]
mod tests {
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
