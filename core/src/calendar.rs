//! Days and months as people count them: on the clocks and calendars of some zone. What these show when, whoever knows the
//! zone says; the counting is here, and does as Postgres does in a session of that zone.

#[cfg(test)]
pub(crate) mod tests;

use jiff::{SignedDuration, Span, civil::DateTime};

use crate::merge::Window;
use crate::time::{EPOCH, Time};

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Of the calendar's 400 years.
const MICROS_PER_MONTH: i64 = MICROS_PER_DAY * 146_097 / 4_800;

/// What the clocks of a zone show: microseconds since they showed the beginning of the year 2000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Local(pub i64);

/// A zone.
pub trait Calendar {
    /// What its clocks show at a moment; none where the calendar does not reach.
    fn local(&self, moment: Time) -> Option<Local>;

    /// The moment at which they show it: one of two where they are set back; where they skip it, the one at which they would
    /// have shown it.
    fn moment(&self, local: Local) -> Option<Time>;
}

/// Months, days and microseconds, which none of the others can be told in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

/// Where no time is: before the first, or after the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beyond {
    Before,
    After,
}

impl Local {
    /// The day, counted from the first of the year 2000.
    pub fn day(self) -> i64 {
        self.0.div_euclid(MICROS_PER_DAY)
    }

    /// So many microseconds after the midnight that a day begins with.
    pub fn of_day(day: i64, micros: i64) -> Option<Local> {
        day.checked_mul(MICROS_PER_DAY)?.checked_add(micros).map(Local)
    }

    fn plus_days(self, days: i64) -> Option<Local> {
        self.0.checked_add(days.checked_mul(MICROS_PER_DAY)?).map(Local)
    }

    /// The same day of a later month, or its last where it has no such day.
    fn plus_months(self, months: i64) -> Option<Local> {
        let date: DateTime = EPOCH.checked_add(SignedDuration::from_micros(self.0)).ok()?;
        let date = date.checked_add(Span::new().try_months(months).ok()?).ok()?;
        let micros = date.duration_since(EPOCH).as_micros();
        i64::try_from(micros).ok().map(Local)
    }
}

impl Interval {
    /// Whether it goes forward in each of its parts.
    pub fn is_positive(self) -> bool {
        self.months >= 0 && self.days >= 0 && self.micros >= 0 && self != Interval::default()
    }

    /// Whether it is at most as long as all time that there is; an infinite one is not.
    pub fn is_in_range(self) -> bool {
        let all = i128::from(Time::MAX.micros()) - i128::from(Time::MIN.micros());
        let parts = [
            i128::from(self.months) * i128::from(MICROS_PER_MONTH),
            i128::from(self.days) * i128::from(MICROS_PER_DAY),
            i128::from(self.micros),
        ];
        parts.iter().all(|part| part.abs() <= all)
    }

    /// About how many microseconds it is.
    pub(crate) fn about(self) -> i128 {
        let months = i128::from(self.months) * i128::from(MICROS_PER_MONTH);
        months + i128::from(self.days) * i128::from(MICROS_PER_DAY) + i128::from(self.micros)
    }
}

/// The moment that lies so many times an interval after another: months first, then days, as the clocks there show them, then
/// what is left, which no clock matters to.
pub fn plus(calendar: &impl Calendar, moment: Time, interval: Interval, times: i64) -> Result<Time, Beyond> {
    let about = i128::from(moment.micros()) + interval.about() * i128::from(times);
    stepped(calendar, moment, interval, times).ok_or(match about < 0 {
        true => Beyond::Before,
        false => Beyond::After,
    })
}

fn stepped(calendar: &impl Calendar, mut moment: Time, interval: Interval, times: i64) -> Option<Time> {
    let months = i64::from(interval.months).checked_mul(times)?;
    // None of them is no look at the clocks: it would take the first of two equal hours for the second.
    if months != 0 {
        moment = calendar.moment(calendar.local(moment)?.plus_months(months)?)?;
    }
    let days = i64::from(interval.days).checked_mul(times)?;
    if days != 0 {
        moment = calendar.moment(calendar.local(moment)?.plus_days(days)?)?;
    }
    let micros = interval.micros.checked_mul(times)?;
    Time::from_micros(moment.micros().checked_add(micros)?)
}

/// Windows of one length, each from where the one before ends, the first from an origin on; and as many before it. The start of
/// each is counted from the origin, so that months from a 31st on end at the end of each month.
pub struct Windows<C> {
    calendar: C,
    origin: Time,
    length: Interval,
    /// The last one that was asked for: mostly it is asked for again.
    last: Option<Window>,
}

impl<C: Calendar> Windows<C> {
    /// None where the length does not go forward.
    pub fn of(calendar: C, origin: Time, length: Interval) -> Option<Windows<C>> {
        length.is_positive().then_some(Windows {
            calendar,
            origin,
            length,
            last: None,
        })
    }

    pub fn calendar(&self) -> &C {
        &self.calendar
    }

    /// The window that a moment is in; open where it reaches beyond all time.
    pub fn around(&mut self, moment: Time) -> Window {
        match self.last {
            Some(window) if window.contains(moment) => window,
            _ => *self.last.insert(self.find(moment)),
        }
    }

    /// About where it should be, and from there to where it is.
    fn find(&self, moment: Time) -> Window {
        let since = i128::from(moment.micros()) - i128::from(self.origin.micros());
        let mut number = since.div_euclid(self.length.about()) as i64;
        while !self.has_begun(number, moment) {
            number -= 1;
        }
        while self.has_begun(number + 1, moment) {
            number += 1;
        }
        Window {
            start: self.start(number).ok(),
            end: self.start(number + 1).ok(),
        }
    }

    fn has_begun(&self, number: i64, moment: Time) -> bool {
        match self.start(number) {
            Ok(start) => start <= moment,
            Err(beyond) => beyond == Beyond::Before,
        }
    }

    fn start(&self, number: i64) -> Result<Time, Beyond> {
        plus(&self.calendar, self.origin, self.length, number)
    }
}
