use proptest::prelude::*;

use super::*;
use crate::limits::MOST_POINTS;
use crate::points::Point;
use crate::points::arbitrary::{all_bits, points};

const HOUR: i64 = 3_600_000_000;

fn moment(hour: i64, value: f64) -> Point {
    Point {
        start: Time::from_micros(hour * HOUR).unwrap(),
        end: None,
        value: Some(value),
    }
}

fn interval(hour: i64, hours: i64) -> Point {
    let end = Time::from_micros((hour + hours) * HOUR);
    Point {
        end,
        ..moment(hour, 1.0)
    }
}

fn null(hour: i64) -> Point {
    Point {
        value: None,
        ..moment(hour, 0.0)
    }
}

fn refusal(bytes: &[u8]) -> &'static str {
    Points::read(bytes).expect_err("these bytes are corrupt").0
}

/// The bytes of points, with some of them replaced.
fn forged(points: &[Point], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut packed = pack(points).unwrap();
    packed[at..at + bytes.len()].copy_from_slice(bytes);
    packed
}

#[test]
fn these_are_the_bytes_of_version_1_forever() {
    let hex = |points: &[Point]| -> String { pack(points).unwrap().iter().map(|byte| format!("{byte:02x}")).collect() };
    let third = |hour| moment(hour, 1.0 / 3.0);
    let plain = "555555555555d53f";
    assert_eq!(hex(&[]), "010000");
    assert_eq!(hex(&[third(1)]), format!("010001c070{plain}"));
    assert_eq!(
        hex(&[third(0), third(1), null(2)]),
        format!("01080300a03804{plain}{plain}"),
    );
    assert_eq!(hex(&[null(0)]), "0108010001");
    let one = "000002";
    assert_eq!(hex(&[moment(1, 1.0)]), format!("011001c070{one}"));
    assert_eq!(
        hex(&[interval(0, 1), interval(1, 1), interval(3, 1)]),
        format!("01130300a038c070a038{one}"),
    );
    assert_eq!(hex(&[moment(0, 1.0), interval(0, 1)]), format!("011502000000a038{one}"),);
}

#[test]
fn a_grid_costs_its_values_and_a_short_header() {
    let day =
        |value: fn(u32) -> f64| -> Vec<Point> { (1..49).map(|hour| moment(i64::from(hour), value(hour))).collect() };
    let size = |points: &[Point]| pack(points).unwrap().len();
    assert_eq!(size(&day(|hour| f64::from(hour).sqrt().sin())), 7 + 48 * 8);
    assert_eq!(size(&day(|hour| f64::from(hour * 29 % 64) / 100.0)), 7 + 3 + 48 * 6 / 8);
    assert_eq!(size(&day(|_| 0.5)), 7 + 3);
}

#[test]
fn points_are_opened_whatever_encoding_their_values_have_and_repacked_to_the_smallest() {
    let points: Vec<Point> = (0..3).map(|hour| moment(hour, 0.25)).collect();
    let packed = pack(&points).unwrap();
    let mut plain = packed[..6].to_vec();
    plain[1] = 0;
    plain.extend([0.25f64.to_le_bytes(); 3].concat());
    let read = Points::read_from_client(&plain).unwrap();
    assert_eq!(all_bits(&read.open().unwrap()), all_bits(points));
    assert_eq!(read.repack().unwrap(), packed);
    assert_eq!(read.to_wire().unwrap(), packed);
}

#[test]
fn a_client_receives_no_pco_and_sends_none() {
    let floats = (0..1000u16).map(|hour| f64::from((f32::from(hour) * 0.37).sin()));
    let points: Vec<Point> = (0..).zip(floats).map(|(hour, value)| moment(hour, value)).collect();
    let packed = pack(&points).unwrap();
    assert_eq!(packed[1], 0x20);
    let stored = Points::read(&packed).unwrap();
    let refusal = Points::read_from_client(&packed).unwrap_err();
    assert_eq!(refusal.0, "no client sends this encoding of values");
    let wire = stored.to_wire().unwrap();
    let received = Points::read_from_client(&wire).unwrap();
    assert_eq!(all_bits(&received.open().unwrap()), all_bits(points));
    assert_eq!(received.repack().unwrap(), packed);
}

/// Decimals whose integers leave their limit are found only by adding them up.
#[test]
fn a_client_sends_no_values_that_fail_to_open() {
    let mut forged = pack(&[moment(0, 1.0), moment(1, 3.0)]).unwrap();
    let at = forged.len() - 3;
    assert_eq!(forged[at..], [2, 2, 8]);
    forged.truncate(at + 1);
    cursor::push_varint(&mut forged, (1 << 52) - 2);
    forged.push(8);
    assert!(Points::read(&forged).unwrap().open().is_err());
    assert_eq!(
        Points::read_from_client(&forged).unwrap_err().0,
        "an integer is too large"
    );
}

#[test]
fn points_out_of_order_are_refused_with_their_index() {
    assert_eq!(pack(&[moment(1, 0.0), moment(1, 0.0)]), Err(PackError::Key(1)));
    assert_eq!(
        pack(&[moment(1, 0.0), moment(2, 0.0), moment(0, 0.0)]),
        Err(PackError::Key(2))
    );
    assert_eq!(pack(&[interval(1, 1), moment(1, 0.0)]), Err(PackError::Key(1)));
    assert_eq!(pack(&[moment(0, 0.0), interval(1, 0)]), Err(PackError::End(1)));
    assert_eq!(pack(&[interval(1, -1)]), Err(PackError::End(0)));
}

/// A bitmap of nulls claims eight points a byte, and each takes forty bytes where it is opened.
#[test]
fn more_points_than_a_vector_holds_are_refused_in_both_directions() {
    let null = |index: i64| Point {
        start: Time::from_micros(index).unwrap(),
        end: None,
        value: None,
    };
    let mut points: Vec<Point> = (0..MOST_POINTS as i64).map(null).collect();
    let mut packed = pack(&points).unwrap();
    assert_eq!(Points::read(&packed).unwrap().len(), MOST_POINTS);
    points.push(null(MOST_POINTS as i64));
    assert_eq!(pack(&points), Err(PackError::TooMany(MOST_POINTS)));
    // Byte 2 is the lowest of the count's; the bitmap's last byte has room for one more.
    packed[2] += 1;
    let corrupt = Points::read(&packed).unwrap_err().to_string();
    assert_eq!(corrupt, "more points than a vector holds");
}

#[test]
fn first_and_last_are_the_starts_at_both_sides() {
    let packed = pack(&[interval(1, 5), moment(2, 0.0), moment(4, 0.0)]).unwrap();
    let points = Points::read(&packed).unwrap();
    assert_eq!(points.len(), 3);
    assert!(!points.is_empty());
    assert_eq!(points.first(), Time::from_micros(HOUR));
    assert_eq!(points.last(), Time::from_micros(4 * HOUR));
    let nothing = Points::read(&[1, 0, 0]).unwrap();
    assert!(nothing.is_empty() && nothing.first().is_none() && nothing.last().is_none());
}

#[test]
fn a_grid_is_known_as_one() {
    let grid = |points: &[Point]| Points::read(&pack(points).unwrap()).unwrap().shape().grid();
    let hours = |count, step, length| Grid {
        first: HOUR,
        step,
        count,
        length,
    };
    assert_eq!(
        grid(&[moment(1, 0.0), null(3), moment(5, 0.0)]),
        Some(hours(3, 2 * HOUR, None))
    );
    assert_eq!(
        grid(&[interval(1, 4), interval(3, 4)]),
        Some(hours(2, 2 * HOUR, Some(4 * HOUR)))
    );
    assert_eq!(grid(&[moment(1, 0.0)]), Some(hours(1, 0, None)));
    assert_eq!(grid(&[moment(1, 0.0), interval(2, 1)]), None);
    assert_eq!(grid(&[moment(1, 0.0), moment(2, 0.0), null(4)]), None);
    assert_eq!(grid(&[]), None);
}

#[test]
fn an_unknown_version_flag_or_encoding_is_refused() {
    assert_eq!(refusal(&[]), "truncated");
    assert_eq!(refusal(&[2, 0, 0]), "unknown format version");
    assert_eq!(refusal(&[1, 0x30, 0]), "unknown value encoding");
    assert_eq!(refusal(&[1, 6, 0]), "unknown kind of ends");
    assert_eq!(refusal(&[1, 0x10, 0]), "no points, but flags for them");
    assert_eq!(refusal(&[1, 8, 0]), "no points, but flags for them");
    assert_eq!(refusal(&[1, 0, 0, 0]), "bytes follow the points");
}

#[test]
fn a_count_beyond_the_bytes_is_refused_without_allocating() {
    for flags in [0, IRREGULAR, ENDS_LISTED, NULLS, IRREGULAR | ENDS_LISTED | NULLS] {
        let mut bytes = vec![VERSION, flags];
        cursor::push_varint(&mut bytes, (1 << 57) - 1);
        bytes.extend([0; 8]);
        bytes.extend([1, 1, 2, 1]);
        refusal(&bytes);
    }
}

#[test]
fn times_that_leave_the_range_are_refused() {
    let grid = [moment(0, 1.0), moment(1, 1.0)];
    let gaps = [moment(0, 1.0), moment(1, 1.0), moment(3, 1.0)];
    let intervals = [interval(0, 1), interval(1, 1)];
    let listed = [moment(0, 1.0), interval(1, 1)];
    for points in [&grid[..], &gaps, &intervals, &listed] {
        for first in [Time::MIN.micros() - 1, Time::MAX.micros(), i64::MAX >> 3] {
            let mut bytes = pack(points).unwrap();
            let rest = bytes.split_off(4);
            bytes.truncate(3);
            cursor::push_moment(&mut bytes, first);
            bytes.extend(rest);
            assert_eq!(refusal(&bytes), "a time is out of range");
        }
    }
}

#[test]
fn what_packing_would_have_written_otherwise_is_refused() {
    let gaps = [moment(0, 1.0), moment(1, 1.0), moment(3, 1.0)];
    let step = [0xa0, 0x38];
    assert_eq!(refusal(&forged(&gaps, 6, &step)), "regular times are listed");
    let listed = [moment(0, 1.0), interval(1, 1)];
    assert_eq!(refusal(&forged(&listed, 6, &[0x80, 0x00])), "a number is padded");
    let nulls = [null(0), null(1), moment(2, 1.0)];
    assert_eq!(refusal(&forged(&nulls, 6, &[0])), "no null is marked");
    assert_eq!(
        refusal(&forged(&nulls, 6, &[0x0b])),
        "a null is marked after the last point"
    );
    let shared = [moment(0, 1.0), interval(0, 1)];
    assert_eq!(
        refusal(&forged(&shared, 1, &[IRREGULAR])),
        "the points are not in ascending order"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_point_comes_back_bit_for_bit(points in points()) {
        let packed = pack(&points).unwrap();
        let read = Points::read(&packed).unwrap();
        prop_assert_eq!(read.len(), points.len());
        prop_assert_eq!(read.first(), points.first().map(|point| point.start));
        prop_assert_eq!(read.last(), points.last().map(|point| point.start));
        prop_assert_eq!(read.open().unwrap().iter().len(), points.len());
        let mut one_by_one = Vec::new();
        let opened = read.open().unwrap();
        for point in &opened {
            one_by_one.push(point);
        }
        prop_assert_eq!(all_bits(one_by_one), all_bits(points.clone()));
        let folded = opened.iter().fold(Vec::new(), |mut points, point| { points.push(point); points });
        prop_assert_eq!(all_bits(folded), all_bits(points.clone()));
        let shape = read.shape();
        prop_assert_eq!(shape.keys().len(), points.len());
        prop_assert!(shape.keys().eq(points.iter().map(Point::key)));
        let folded = shape.keys().fold(Vec::new(), |mut keys, key| { keys.push(key); keys });
        prop_assert!(folded.into_iter().eq(points.iter().map(Point::key)));
        for (index, point) in points.iter().enumerate() {
            prop_assert_eq!(shape.is_null(index), point.value.is_none());
            prop_assert_eq!(opened.value_at(index).map(f64::to_bits), point.value.map(f64::to_bits));
        }
        prop_assert_eq!(opened.value_at(points.len()), None);
    }

    #[test]
    fn points_are_refused_at_the_first_that_is_not_after_the_one_before(
        points in points(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!points.is_empty());
        let mut points = points;
        let (from, to) = (from.index(points.len()), to.index(points.len()));
        points.swap(from, to);
        let expected = (1..points.len()).find(|&at| points[at].key() <= points[at - 1].key());
        prop_assert_eq!(pack(&points).err(), expected.map(PackError::Key));
    }

    #[test]
    fn mutated_bytes_are_refused_or_are_the_bytes_of_other_points(
        points in points(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_header in any::<bool>(),
    ) {
        let mut bytes = pack(&points).unwrap();
        let reach = if in_header { bytes.len().min(24) } else { bytes.len() };
        for (at, byte) in changes {
            bytes[at.index(reach)] = byte;
        }
        check_untrusted(&bytes)?;
    }

    #[test]
    fn truncated_and_extended_bytes_are_refused(
        points in points(), cut in any::<prop::sample::Index>(), more in any::<u8>(),
    ) {
        let mut bytes = pack(&points).unwrap();
        prop_assert!(Points::read(&bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(more);
        prop_assert!(Points::read(&bytes).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        flags in 0..48u8, bytes in prop::collection::vec(prop_oneof![0..4u8, any::<u8>()], 0..64),
    ) {
        check_untrusted(&bytes)?;
        check_untrusted(&[&[VERSION, flags], &bytes[..]].concat())?;
        // With a small count and a start near 2000, most of the bytes are deltas, lengths and nulls.
        let start = [2 + flags % 16 / 4, 0, 0, 0, 0, 0, 0, 0, 0];
        check_untrusted(&[&[VERSION, flags], &start[..], &bytes[..]].concat())?;
    }
}

/// Bytes are refused, or are the bytes of points, and of nothing else but another encoding of the values.
fn check_untrusted(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(points) = Points::read_from_client(bytes) else {
        let opened = Points::read(bytes).and_then(|points| points.open());
        prop_assert!(opened.is_err() || bytes[1] >> ENCODING_SHIFT == 2);
        return Ok(());
    };
    let opened = points.open().unwrap();
    let again = pack(&opened.iter().collect::<Vec<_>>()).unwrap();
    prop_assert_eq!(points.repack(), Ok(again.clone()));
    prop_assert_eq!(again[1] & SHAPE, bytes[1] & SHAPE);
    let head = |bytes: &[u8]| {
        let mut head = Vec::new();
        write::push_head(&mut head, &Points::read(bytes).unwrap().shape());
        head[2..].to_vec()
    };
    prop_assert_eq!(head(&again), head(bytes));
    prop_assert!(bytes[2..].starts_with(&head(bytes)));
    let wire = points.to_wire().unwrap();
    let received = Points::read_from_client(&wire).unwrap().open().unwrap();
    prop_assert_eq!(all_bits(&received), all_bits(&opened));
    Ok(())
}
