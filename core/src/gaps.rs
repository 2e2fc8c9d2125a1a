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
        let Interval {
            months: 0,
            days: 0,
            micros,
        } = self.step
        else {
            while self.next.is_some_and(|next| next < at) {
                self.go_to(self.number + 1);
            }
            return;
        };
        // No clock matters to it.
        let steps = (at.micros() - next.micros() - 1) / micros + 1;
        self.go_to(self.number + steps);
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
