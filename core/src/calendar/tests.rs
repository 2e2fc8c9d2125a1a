use jiff::civil::{self, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000_000;

/// A zone whose clocks are set on and back by an hour a year, as Postgres takes it.
pub(crate) struct Zone(TimeZone);

impl Zone {
    pub(crate) fn berlin() -> Zone {
        Zone(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }
}

impl Calendar for Zone {
    fn local(&self, moment: Time) -> Option<Local> {
        let moment = jiff::Timestamp::from_microsecond(moment.micros_since_1970()).ok()?;
        let local = self.0.to_datetime(moment);
        Some(Local(i64::try_from(local.duration_since(EPOCH).as_micros()).ok()?))
    }

    fn moment(&self, local: Local) -> Option<Time> {
        let civil = EPOCH.checked_add(SignedDuration::from_micros(local.0)).ok()?;
        let ambiguous = self.0.to_ambiguous_timestamp(civil);
        let moment = match ambiguous.offset() {
            AmbiguousOffset::Fold { .. } => ambiguous.later(),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => ambiguous.compatible(),
        };
        let micros = moment.ok()?.as_microsecond();
        Time::from_micros(micros - crate::time::MICROS_FROM_1970_TO_2000)
    }
}

fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

fn interval(months: i32, days: i32, micros: i64) -> Interval {
    Interval { months, days, micros }
}

const MONTH: Interval = Interval {
    months: 1,
    days: 0,
    micros: 0,
};
const DAY: Interval = Interval {
    months: 0,
    days: 1,
    micros: 0,
};

#[test]
fn days_and_months_are_those_of_the_clocks_and_hours_those_of_time() {
    let berlin = Zone::berlin();
    let plus = |from: &str, interval, times| plus(&berlin, time(from), interval, times).unwrap();
    // A day of 23 hours, and one of 25.
    assert_eq!(plus("2025-03-29T11:00Z", DAY, 1), time("2025-03-30T10:00Z"));
    assert_eq!(plus("2025-10-25T10:00Z", DAY, 1), time("2025-10-26T11:00Z"));
    assert_eq!(
        plus("2025-03-29T11:00Z", interval(0, 0, 24 * HOUR), 1),
        time("2025-03-30T11:00Z")
    );
    // 02:30 is skipped, and comes twice.
    assert_eq!(plus("2025-03-29T01:30Z", DAY, 1), time("2025-03-30T01:30Z"));
    assert_eq!(plus("2025-10-25T00:30Z", DAY, 1), time("2025-10-26T01:30Z"));
    // No step leaves it where it is, in the first of the two hours too.
    for interval in [DAY, MONTH] {
        assert_eq!(plus("2025-10-26T00:30Z", interval, 0), time("2025-10-26T00:30Z"));
    }
    // No 30th of February; and each step by itself.
    assert_eq!(plus("2025-01-31T11:00Z", MONTH, 1), time("2025-02-28T11:00Z"));
    assert_eq!(plus("2025-01-31T11:00Z", MONTH, 2), time("2025-03-31T10:00Z"));
    assert_eq!(
        plus("2025-03-31T10:00Z", interval(1, 1, -HOUR), -1),
        time("2025-02-27T12:00Z")
    );
}

#[test]
fn what_lies_beyond_all_time_is_said_to_and_on_which_side() {
    let berlin = Zone::berlin();
    for (interval, side) in [
        (interval(12 * 20_000, 0, 0), 1),
        (interval(0, i32::MAX, 0), 1),
        (interval(0, 0, i64::MAX), 1),
        (interval(i32::MAX, i32::MAX, i64::MAX), 1_000_000),
    ] {
        assert_eq!(plus(&berlin, time("2025-01-01"), interval, side), Err(Beyond::After));
        assert_eq!(plus(&berlin, time("2025-01-01"), interval, -side), Err(Beyond::Before));
    }
    assert!(!interval(i32::MAX, i32::MAX, i64::MAX).is_in_range());
    assert!(!interval(i32::MIN, i32::MIN, i64::MIN).is_in_range());
    assert!(interval(-12 * 14_000, 1, 1).is_in_range());
}

#[test]
fn months_from_a_31st_end_where_months_do() {
    let mut windows = Windows::of(Zone::berlin(), time("2025-01-30T23:00Z"), MONTH).unwrap();
    let mut around = |moment: &str| {
        let window = windows.around(time(moment));
        (window.start.unwrap(), window.end.unwrap())
    };
    let february = (time("2025-02-27T23:00Z"), time("2025-03-30T22:00Z"));
    assert_eq!(around("2025-02-27T23:00Z"), february);
    assert_eq!(around("2025-03-30T21:59:59Z"), february);
    assert_eq!(around("2025-02-27T22:59:59Z").1, february.0);
    assert_eq!(
        around("2024-01-01"),
        (time("2023-12-30T23:00Z"), time("2024-01-30T23:00Z"))
    );
}

#[test]
fn a_length_that_does_not_go_forward_makes_no_windows() {
    for length in [
        interval(0, 0, 0),
        interval(0, 0, -1),
        interval(1, -1, 0),
        interval(-1, 31, 0),
    ] {
        assert!(Windows::of(Zone::berlin(), time("2025-01-01"), length).is_none());
    }
}

#[test]
fn the_first_and_the_last_window_are_open() {
    let mut windows = Windows::of(Zone(TimeZone::UTC), time("2025-01-01"), interval(12 * 5000, 0, 0)).unwrap();
    assert_eq!(windows.around(time("9999-01-01")).end, None);
    assert_eq!(windows.around(time("9999-01-01")).start, Some(time("7025-01-01")));
    assert_eq!(windows.around(Time::MIN).start, None);
    assert_eq!(windows.around(Time::MAX).start, Some(time("7025-01-01")));
}

proptest! {
    #[test]
    fn windows_follow_each_other_and_each_holds_what_is_around(
        origin in -400_000..400_000i64, at in -4_000_000..4_000_000i64,
        months in 0..15i32, days in 0..40i32, hours in 0..50i64,
    ) {
        let length = interval(months, days, hours * HOUR + i64::from(months + days == 0));
        let hour = |hour: i64| Time::from_micros(hour * HOUR / 4).unwrap();
        let mut windows = Windows::of(Zone::berlin(), hour(origin), length).unwrap();
        let window = windows.around(hour(at));
        let (start, end) = (window.start.unwrap(), window.end.unwrap());
        prop_assert!(start <= hour(at) && hour(at) < end);
        windows.last = None;
        prop_assert_eq!(windows.around(end).start, Some(end));
        prop_assert_eq!(windows.around(start).start, Some(start));
    }

    #[test]
    fn a_day_of_the_clocks_begins_at_its_midnight(at in -4_000_000..4_000_000i64) {
        let moment = Time::from_micros(at * HOUR / 4).unwrap();
        let local = Zone::berlin().local(moment).unwrap();
        let midnight = Local::of_day(local.day(), 0).unwrap();
        let begun = Zone::berlin().moment(midnight).unwrap();
        let next = Zone::berlin().moment(Local::of_day(local.day() + 1, 0).unwrap()).unwrap();
        prop_assert!(begun <= moment && moment < next);
        let hours = (next.micros() - begun.micros()) / HOUR;
        prop_assert!((23..=25).contains(&hours));
    }
}

#[test]
fn days_are_counted_from_the_year_2000_on_and_before() {
    let day = |date: civil::Date| {
        let micros = date.at(23, 59, 59, 999_999_000).duration_since(EPOCH).as_micros();
        Local(i64::try_from(micros).unwrap()).day()
    };
    assert_eq!(day(date(2000, 1, 1)), 0);
    assert_eq!(day(date(1999, 12, 31)), -1);
}
