//! Points of every shape, for the property tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::Point;
use crate::time::Time;

const HOUR: i64 = 3_600_000_000;

/// What must be equal for two points to be the same: start, end and the bits of the value.
pub type Bits = (i64, Option<i64>, Option<u64>);

pub fn bits(point: &Point) -> Bits {
    (
        point.start.micros(),
        point.end.map(Time::micros),
        point.value.map(f64::to_bits),
    )
}

pub fn all_bits(points: impl IntoIterator<Item = Point>) -> Vec<Bits> {
    points.into_iter().map(|point| bits(&point)).collect()
}

/// Up to 40 points that can be packed: grids, gaps, shared starts; all kinds of ends, nulls and floats.
pub fn points() -> impl Strategy<Value = Vec<Point>> {
    (starts(), lengths(), values()).prop_map(|(starts, lengths, values)| {
        let mut points: Vec<Point> = starts
            .into_iter()
            .zip(lengths.into_iter().cycle())
            .zip(values.into_iter().cycle())
            .filter_map(|((start, length), value)| point(start, length, value))
            .collect();
        points.sort_by_key(Point::key);
        points.dedup_by_key(|point| point.key());
        points
    })
}

fn point(start: i64, length: i64, value: Option<f64>) -> Option<Point> {
    let start = Time::from_micros(start)?;
    let end = if length == 0 {
        None
    } else {
        Some(Time::from_micros(start.micros() + length)?)
    };
    Some(Point { start, end, value })
}

fn starts() -> impl Strategy<Value = Vec<i64>> {
    let first = prop_oneof![
        any::<i32>().prop_map(|hours| i64::from(hours % 1000) * HOUR),
        Time::MIN.micros()..=Time::MAX.micros(),
        Just(Time::MIN.micros()),
        Just(Time::MAX.micros()),
    ];
    let step = prop_oneof![Just(HOUR), 1..100i64, 1..HOUR, 1..Time::MAX.micros()];
    let grid = (step, 0..40i64).prop_map(|(step, count)| {
        (0..count)
            .map_while(|index| step.checked_mul(index))
            .collect::<Vec<i64>>()
    });
    let gaps = vec(0..30i64, 0..40).prop_map(|hours| hours.iter().map(|hour| hour * HOUR).collect());
    let spacing = prop_oneof![grid, gaps, vec(0..Time::MAX.micros(), 0..40)];
    (first, spacing)
        .prop_map(|(first, spacing)| spacing.iter().filter_map(|offset| first.checked_add(*offset)).collect())
}

fn lengths() -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        Just(vec![0]),
        prop_oneof![Just(HOUR), 1..Time::MAX.micros()].prop_map(|length| vec![length]),
        vec(prop_oneof![Just(0), Just(HOUR), 1..1000i64], 1..40),
    ]
}

fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<i16>().prop_map(|hundredths| f64::from(hundredths) / 100.0),
        (0x7ff8_0000_0000_0000..0x7ff8_0000_0000_0010u64).prop_map(f64::from_bits),
        Just(-0.0),
        Just(f64::NEG_INFINITY),
        Just(f64::from_bits(0x7ff0_0000_0000_0001)),
    ]
    .boxed();
    prop_oneof![
        vec(value.clone().prop_map(Some), 1..40),
        vec(prop::option::of(value), 1..40),
        Just(vec![None]),
    ]
}
