use proptest::prelude::*;

use super::*;
use crate::calendar::tests::Zone;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

fn interval(months: i32, days: i32, hours: i64) -> Interval {
    Interval {
        months,
        days,
        micros: hours * HOUR,
    }
}

fn cutoffs(form: Form) -> Cutoffs<Zone> {
    Cutoffs::of(form, Zone::berlin()).unwrap()
}

fn day_ahead() -> Cutoffs<Zone> {
    cutoffs(Form::DaysAhead {
        days: 1,
        time_of_day: 12 * HOUR,
    })
}

#[test]
fn a_day_ahead_is_a_day_of_the_clocks() {
    let at = |valid: &str| day_ahead().at(time(valid)).unwrap();
    assert_eq!(at("2025-03-29T22:59Z"), time("2025-03-28T11:00Z"));
    assert_eq!(at("2025-03-29T23:00Z"), time("2025-03-29T11:00Z"));
    assert_eq!(at("2025-03-30T21:59Z"), time("2025-03-29T11:00Z"));
    assert_eq!(at("2025-03-30T22:00Z"), time("2025-03-30T10:00Z"));
    assert_eq!(at("2025-10-26T22:59Z"), time("2025-10-25T10:00Z"));
    assert_eq!(at("2025-10-26T23:00Z"), time("2025-10-26T11:00Z"));
}

#[test]
fn a_lead_of_days_is_of_the_clocks_and_one_of_hours_is_not() {
    let mut days = cutoffs(Form::Lead(interval(0, 1, 0)));
    let mut hours = cutoffs(Form::Lead(interval(0, 0, 24)));
    let valid = time("2025-03-30T10:00Z");
    assert_eq!(days.at(valid), Some(time("2025-03-29T11:00Z")));
    assert_eq!(hours.at(valid), Some(time("2025-03-29T10:00Z")));
    assert_eq!(
        cutoffs(Form::Lead(interval(0, 0, -1))).at(valid),
        Some(time("2025-03-30T11:00Z"))
    );
}

#[test]
fn what_lies_beyond_all_time_is_never_or_ever() {
    assert_eq!(
        cutoffs(Form::Lead(interval(12 * 9000, 0, 0))).at(time("2025-01-01")),
        None
    );
    assert_eq!(
        cutoffs(Form::Lead(interval(-12 * 9000, 0, 0))).at(time("2025-01-01")),
        Some(Time::MAX)
    );
    let days = |days| cutoffs(Form::DaysAhead { days, time_of_day: 0 }).at(time("2025-01-01"));
    assert_eq!(days(i64::from(i32::MAX)), None);
    assert_eq!(days(i64::from(i32::MIN)), Some(Time::MAX));
    let window = |offset| {
        let (length, origin) = (interval(1, 0, 0), time("2025-01-01"));
        cutoffs(Form::Window { length, offset, origin }).at(time("2024-02-02"))
    };
    assert_eq!(window(interval(-12 * 9000, 0, 0)), None);
    assert_eq!(window(interval(12 * 9000, 0, 0)), Some(Time::MAX));
}

fn form() -> impl Strategy<Value = Form> {
    let parts = || (-3..15i32, -40..40i32, -50..50i64).prop_map(|(months, days, hours)| interval(months, days, hours));
    let length = (0..15i32, 0..40i32, 0..50i64).prop_filter_map("no length", |(months, days, hours)| {
        let length = interval(months, days, hours);
        length.is_positive().then_some(length)
    });
    prop_oneof![
        parts().prop_map(Form::Lead),
        (-3..3i64, 0..=24i64).prop_map(|(days, hour)| Form::DaysAhead {
            days,
            time_of_day: hour * HOUR
        }),
        (length, parts(), -400_000..400_000i64).prop_map(|(length, offset, origin)| Form::Window {
            length,
            offset,
            origin: Time::from_micros(origin * HOUR / 4).unwrap()
        }),
    ]
}

proptest! {
    #[test]
    fn no_cutoff_is_later_than_the_latest_before_the_end(
        form in form(), end in -40_000..40_000i64, before in prop::collection::vec(1..4_000i64, 20),
    ) {
        let mut cutoffs = cutoffs(form);
        let end = Time::from_micros(end * HOUR).unwrap();
        let latest = cutoffs.latest_before(end).unwrap();
        for before in before {
            let valid = Time::from_micros(end.micros() - before * before * (DAY / 1_000_000)).unwrap();
            prop_assert!(cutoffs.at(valid).unwrap() <= latest);
        }
    }

    #[test]
    fn a_cutoff_does_not_depend_on_what_was_asked_before(form in form(), valid in prop::collection::vec(-9000..9000i64, 20)) {
        let mut kept = cutoffs(form);
        for valid in valid {
            let valid = Time::from_micros(valid * HOUR / 4).unwrap();
            prop_assert_eq!(kept.at(valid), cutoffs(form).at(valid));
        }
    }
}
