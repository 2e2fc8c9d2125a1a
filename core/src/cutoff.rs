//! What was known so long before: until when something had to be known that is shown of a valid time.

#[cfg(test)]
mod tests;

use crate::calendar::{Beyond, Calendar, Interval, Local, Windows, plus};
use crate::time::Time;

/// How a cutoff is told.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// So long before the valid time.
    Lead(Interval),
    /// So many days before the day of the valid time, at a time of day, in microseconds.
    DaysAhead { days: i64, time_of_day: i64 },
    /// So long after the start of the window that the valid time is in; windows follow each other from an origin on.
    Window {
        length: Interval,
        offset: Interval,
        origin: Time,
    },
}

/// The cutoffs of valid times, on the calendar of a zone.
pub enum Cutoffs<C> {
    Lead(C, Interval),
    DaysAhead {
        calendar: C,
        days: i64,
        time_of_day: i64,
        /// That of the last day that was asked for: mostly it is asked for again.
        last: Option<(i64, Option<Time>)>,
    },
    Window {
        windows: Windows<C>,
        offset: Interval,
        /// That of the last window.
        last: Option<(Time, Option<Time>)>,
    },
}

/// The length of a window does not go forward.
#[derive(Debug)]
pub struct NotForward;

/// However the clocks of a zone are set, of two moments the earlier has no cutoff that is later than the other's by as much.
const DISORDER: i64 = 3 * 86_400_000_000;

impl<C: Calendar> Cutoffs<C> {
    pub fn of(form: Form, calendar: C) -> Result<Cutoffs<C>, NotForward> {
        Ok(match form {
            Form::Lead(lead) => Cutoffs::Lead(calendar, lead),
            Form::DaysAhead { days, time_of_day } => Cutoffs::DaysAhead {
                calendar,
                days,
                time_of_day,
                last: None,
            },
            Form::Window { length, offset, origin } => Cutoffs::Window {
                windows: Windows::of(calendar, origin, length).ok_or(NotForward)?,
                offset,
                last: None,
            },
        })
    }

    /// The moment until when, itself included, something had to be known; none where that lies before all time, and the last
    /// of all time where it lies after it.
    pub fn at(&mut self, valid: Time) -> Option<Time> {
        match self {
            Cutoffs::Lead(calendar, lead) => within(plus(calendar, valid, *lead, -1)),
            Cutoffs::DaysAhead {
                calendar,
                days,
                time_of_day,
                last,
            } => {
                let day = calendar.local(valid)?.day();
                once(last, day, || {
                    let local = Local::of_day(day - *days, *time_of_day);
                    let beyond = if day < *days { Beyond::Before } else { Beyond::After };
                    within(local.and_then(|local| calendar.moment(local)).ok_or(beyond))
                })
            }
            Cutoffs::Window { windows, offset, last } => {
                let start = windows.around(valid).start?;
                once(last, start, || within(plus(windows.calendar(), start, *offset, 1)))
            }
        }
    }

    /// A moment that no cutoff of a valid time before the end is later than; none where all time may be.
    pub fn latest_before(&mut self, end: Time) -> Option<Time> {
        Time::from_micros(self.at(end)?.micros().checked_add(DISORDER)?)
    }
}

fn once<K: Copy + PartialEq>(
    last: &mut Option<(K, Option<Time>)>,
    key: K,
    cutoff: impl FnOnce() -> Option<Time>,
) -> Option<Time> {
    match last {
        Some((of, cutoff)) if *of == key => *cutoff,
        _ => last.insert((key, cutoff())).1,
    }
}

fn within(moment: Result<Time, Beyond>) -> Option<Time> {
    match moment {
        Ok(moment) => Some(moment),
        Err(Beyond::Before) => None,
        Err(Beyond::After) => Some(Time::MAX),
    }
}
