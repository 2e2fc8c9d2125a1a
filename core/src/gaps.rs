//! Where values are missing of one series: the times at which there should be one and is none, as they come to light between
//! those that there are.

use crate::calendar::{Calendar, Interval, plus};
use crate::time::Time;

/// Times in a row without a value: from the first until the one after the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    pub from: Time,
    pub to: Time,
    pub missing: i64,
}

/// The times at which there should be values: a step after the other, each counted from the first.
pub struct Gaps<'a, C> {
    calendar: &'a C,
    first: Time,
    step: Interval,
    /// The number of the next time that nobody has looked at, and the time; none where it lies beyond all time.
    number: i64,
    next: Option<Time>,
    /// Of the gap that is open its first time, and the number of that.
    open: Option<(Time, i64)>,
}

impl<'a, C: Calendar> Gaps<'a, C> {
    /// None where the step does not go forward.
    pub fn of(calendar: &'a C, first: Time, step: Interval) -> Option<Gaps<'a, C>> {
        step.is_positive().then_some(Gaps {
            calendar,
            first,
            step,
            number: 0,
            next: Some(first),
            open: None,
        })
    }

    /// That there is a value, later than those before: ends the gap before it, if there is one and it is at a time that is
    /// looked for.
    pub fn value(&mut self, at: Time) -> Option<Gap> {
        self.pass(at);
        if self.next != Some(at) {
            return None;
        }
        let gap = self.close();
        self.go_to(self.number + 1);
        gap
    }

    /// That values are looked for until a time and no further.
    pub fn end(&mut self, at: Time) -> Option<Gap> {
        self.pass(at);
        self.close()
    }

    /// All times before this one that are still to be looked at have no value.
    fn pass(&mut self, at: Time) {
        let Some(next) = self.next.filter(|next| *next < at) else {
            return;
        };
        self.open.get_or_insert((next, self.number));
        // About where it should be, and from there to where it is.
        let since = i128::from(at.micros()) - i128::from(self.first.micros());
        let mut number = (since / self.step.about()) as i64;
        number = number.max(self.number + 1);
        while number > self.number + 1 && !self.is_before(number - 1, at) {
            number -= 1;
        }
        while self.is_before(number, at) {
            number += 1;
        }
        self.go_to(number);
    }

    fn is_before(&self, number: i64, at: Time) -> bool {
        plus(self.calendar, self.first, self.step, number).is_ok_and(|time| time < at)
    }

    fn go_to(&mut self, number: i64) {
        self.number = number;
        self.next = plus(self.calendar, self.first, self.step, number).ok();
    }

    fn close(&mut self) -> Option<Gap> {
        let (from, number) = self.open.take()?;
        Some(Gap {
            from,
            to: self.next.unwrap_or(Time::MAX),
            missing: self.number - number,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::calendar::Local;
    use crate::calendar::tests::Zone;

    const HOUR: i64 = 3_600_000_000;

    /// How often it is asked.
    struct Counted(Zone, Cell<usize>);

    impl Counted {
        fn berlin() -> Counted {
            Counted(Zone::berlin(), Cell::default())
        }

        fn count(&self) {
            self.1.set(self.1.get() + 1);
        }
    }

    impl Calendar for Counted {
        fn local(&self, moment: Time) -> Option<Local> {
            self.count();
            self.0.local(moment)
        }

        fn moment(&self, local: Local) -> Option<Time> {
            self.count();
            self.0.moment(local)
        }
    }

    fn step(months: i32, days: i32, micros: i64) -> Interval {
        Interval { months, days, micros }
    }

    #[test]
    fn a_gap_of_all_time_is_counted_without_looking_at_each_of_its_times() {
        let calendar = Counted::berlin();
        let end = Time::parse("9999-12-01T00:00Z").unwrap();
        let mut gaps = Gaps::of(&calendar, Time::MIN, step(0, 1, 0)).unwrap();
        let gap = gaps.end(end).unwrap();
        let days = (end.micros() - Time::MIN.micros()) / (24 * HOUR);
        assert_eq!((gap.from, gap.to, gap.missing), (Time::MIN, end, days));
        assert!(
            calendar.1.get() < 50,
            "the calendar was asked {} times",
            calendar.1.get()
        );
    }

    /// Time after time.
    fn naive(times: &[Time], present: &BTreeSet<Time>) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        for pair in times.windows(2).filter(|pair| !present.contains(&pair[0])) {
            match gaps.last_mut().filter(|gap| gap.to == pair[0]) {
                Some(gap) => (gap.to, gap.missing) = (pair[1], gap.missing + 1),
                None => gaps.push(Gap {
                    from: pair[0],
                    to: pair[1],
                    missing: 1,
                }),
            }
        }
        gaps
    }

    proptest! {
        #[test]
        fn gaps_are_the_steps_without_a_value(
            step in (select(vec![0, 0, 1, 3]), select(vec![0, 1, 7, 40]), select(vec![0, HOUR, 7 * HOUR + 1]))
                .prop_map(|(months, days, micros)| step(months, days, micros))
                .prop_filter("it goes forward", |step| step.is_positive()),
            first in -2000 * 24 * HOUR..2000 * 24 * HOUR,
            picked in prop::collection::btree_set((0..400usize, 0..3i64), 0..30),
            length in 1..500usize,
        ) {
            let zone = Zone::berlin();
            let first = Time::from_micros(first).unwrap();
            let times: Vec<Time> = (0..=length as i64).map(|number| plus(&zone, first, step, number).unwrap()).collect();
            // On a step and a little after it.
            let present: BTreeSet<Time> = picked
                .iter()
                .filter(|(number, _)| *number < length)
                .map(|(number, after)| Time::from_micros(times[*number].micros() + after).unwrap())
                .collect();
            let mut gaps = Gaps::of(&zone, first, step).unwrap();
            let mut found: Vec<Gap> = present.iter().filter_map(|time| gaps.value(*time)).collect();
            found.extend(gaps.end(times[length]));
            prop_assert_eq!(found, naive(&times, &present));
        }
    }
}
