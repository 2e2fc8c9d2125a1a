use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::limits::MOST_POINTS;
use crate::points::arbitrary::{Bits, all_bits, points};
use crate::points::{Point, Points, pack};
use crate::time::Time;
use crate::version::{Remark, Version};

const HOUR: i64 = 3_600_000_000;

/// A version before it is packed.
#[derive(Clone, Debug)]
struct Written {
    version: Version,
    points: Vec<Point>,
}

fn packed(written: &[Written]) -> Vec<u8> {
    let vectors: Vec<Vec<u8>> = written.iter().map(|of| pack(&of.points).unwrap()).collect();
    let versions: Vec<(Version, Points)> = written
        .iter()
        .zip(&vectors)
        .map(|(of, vector)| (of.version.clone(), Points::read(vector).unwrap()))
        .collect();
    pack_versions(&versions).unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Written>, Corrupt> {
    let pack = Pack::read(bytes)?;
    let mut values = vec![7.0];
    pack.decode_values(&mut values)?;
    let values = values.split_off(1);
    assert_eq!(values.len(), pack.present());
    let versions = pack.versions().iter().enumerate();
    Ok(versions
        .map(|(number, of)| Written {
            version: of.version.clone(),
            points: pack.open(number, &values).iter().collect(),
        })
        .collect())
}

/// All that a version is, in a form that can be compared.
type Comparable = (Version, Vec<Bits>);

fn comparable(written: &[Written]) -> Vec<Comparable> {
    let of = |of: &Written| (of.version.clone(), all_bits(of.points.iter().copied()));
    written.iter().map(of).collect()
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        (0..100i64).prop_map(|hours| hours * HOUR),
        Time::MIN.micros()..=Time::MAX.micros(),
    ]
    .prop_map(|micros| Time::from_micros(micros).unwrap())
}

fn versions(most: usize) -> impl Strategy<Value = Vec<Written>> {
    let text = || prop_oneof![Just("a@b.c".to_owned()), any::<String>()];
    let run = prop_oneof![0..4u128, any::<u128>()].prop_map(Uuid::from_u128);
    let remark = (prop::option::of(text()), prop::option::of(vec(text(), 0..3)));
    let version = (run, time(), time(), text(), remark, points());
    let version = version.prop_map(|(run, known, change, by, (annotation, tags), points)| Written {
        version: Version {
            run,
            known,
            change,
            remark: Rc::new(Remark { by, annotation, tags }),
        },
        points,
    });
    vec(version, 0..most)
}

/// Hourly runs of forecasts with one user, each of `length` hours.
fn forecasts(runs: i64, length: i64, mut value: impl FnMut() -> f64) -> Vec<Written> {
    let run = |number: i64| {
        let known = Time::from_micros(number * HOUR + number * 7919 % 60_000_000).unwrap();
        let point = |hour: i64| Point {
            start: Time::from_micros((number + hour) * HOUR).unwrap(),
            end: None,
            value: Some(value()),
        };
        let run = number.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Written {
            version: Version {
                run: Uuid::from_u64_pair(run, 7),
                known,
                change: known,
                remark: Rc::new(Remark::by("forecaster@example.org")),
            },
            points: (1..=length).map(point).collect(),
        }
    };
    (0..runs).map(run).collect()
}

fn remark(annotation: &str, tags: &[&str]) -> Rc<Remark> {
    Rc::new(Remark {
        annotation: Some(annotation.to_owned()),
        tags: Some(tags.iter().map(|&tag| tag.to_owned()).collect()),
        ..Remark::by("forecaster@example.org")
    })
}

/// A value that goes up and down by up to one, with two decimals.
fn meter() -> impl FnMut() -> f64 {
    let mut random = noise();
    let mut level = 5000;
    move || {
        let step = (random() * 201.0) as i32 - 100;
        level += step;
        f64::from(level) / 100.0
    }
}

/// All 53 bits of a number from 0 to 1, the same numbers each time.
fn noise() -> impl FnMut() -> f64 {
    use rand::{RngExt, SeedableRng};
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    move || random.random()
}

fn bytes_a_value(written: &[Written]) -> f64 {
    let values: usize = written.iter().map(|of| of.points.len()).sum();
    let bytes = packed(written);
    assert_eq!(comparable(&read(&bytes).unwrap()), comparable(written));
    bytes.len() as f64 / values as f64
}

/// What a row takes that holds one version, at the least; and a pack's row beside the pack, at the most.
const ROW: usize = 32 + 84 + 2;
const PACK_ROW: usize = 128;

/// What they take as rows, and as one pack.
fn sizes(written: &[Written]) -> (usize, usize) {
    let row = |of: &Written| {
        let remark = &of.version.remark;
        let tags = remark.tags.iter().flatten();
        let text = remark.by.len() + remark.annotation.as_ref().map_or(0, String::len);
        ROW + text + tags.map(|tag| 4 + tag.len()).sum::<usize>() + pack(&of.points).unwrap().len()
    };
    (written.iter().map(row).sum(), PACK_ROW + packed(written).len())
}

/// A flag and a measurement would cost each other's bytes.
#[test]
fn values_that_are_nothing_like_each_other_stay_apart() {
    let mut mixed = forecasts(1, 300, || 1.0);
    mixed.extend(forecasts(2, 20, noise()).split_off(1));
    mixed.extend(forecasts(3, 0, || 0.0).split_off(2));
    mixed.extend(forecasts(4, 100, meter()).split_off(3));
    let bytes = packed(&mixed);
    assert_eq!(comparable(&read(&bytes).unwrap()), comparable(&mixed));
    let (rows, pack) = sizes(&mixed);
    assert!(pack < rows, "{pack} of {rows} bytes");
    // The premise: together they are larger.
    let values: Vec<f64> = mixed
        .iter()
        .flat_map(|of| of.points.iter().filter_map(|point| point.value))
        .collect();
    let mut together = Vec::new();
    crate::points::values::encode(&values, &mut together);
    let together = PACK_ROW + together.len();
    assert!(together > rows, "{together} of {rows} bytes");
    // Cut off or damaged it is refused.
    let content = &bytes[5..];
    for end in 0..content.len() {
        let checksum = crc32fast::hash(&content[..end]).to_le_bytes();
        assert!(read(&[&[VERSION], &checksum[..], &content[..end]].concat()).is_err());
    }
}

#[test]
fn these_are_the_bytes_of_packs_of_version_1_forever() {
    let hex = |written: &[Written]| -> String {
        let bytes = packed(written);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(hex(&[]), "018def02d200");
    let mut two = forecasts(2, 2, || 0.5);
    two[1].version.known = two[0].version.known;
    two[1].version.remark = remark("ä", &["x", "y"]);
    let (runs, known_and_change, changed_by) = (
        "0200000000000000000000000000000007 9e3779b97f4a7c150000000000000007 000202",
        "000000 000000de8b9ee91a",
        "01 16 666f7265636173746572406578616d706c652e6f7267 000200",
    );
    let (annotations, tags) = ("01 02c3a4 000002", "01 0201780179 000002");
    let (shapes, first) = ("01 0002a038 000200", "000080909de91a80909de91a");
    let values = "01 01000a";
    let content = [
        runs,
        known_and_change,
        changed_by,
        annotations,
        tags,
        shapes,
        first,
        values,
    ];
    let expected = format!("015c4afd9402{}", content.concat().replace(' ', ""));
    assert_eq!(hex(&two), expected);
}

#[test]
fn many_runs_of_a_meter_cost_less_than_two_bytes_a_value_with_all_that_is_known_of_them() {
    let cost = bytes_a_value(&forecasts(1000, 48, meter()));
    assert!(cost <= 2.0, "{cost}");
}

#[test]
fn noise_costs_little_more_than_itself() {
    let cost = bytes_a_value(&forecasts(1000, 48, noise()));
    assert!(cost <= 8.0, "{cost}");
}

#[test]
fn a_pack_of_single_values_costs_less_than_35_bytes_for_each() {
    let cost = bytes_a_value(&forecasts(10_000, 1, meter()));
    assert!(cost <= 35.0, "{cost}");
}

#[test]
fn more_points_than_a_pack_holds_are_not_packed() {
    let point = |index: usize| Point {
        start: Time::from_micros(i64::try_from(index).unwrap()).unwrap(),
        end: None,
        value: None,
    };
    let all = pack(&(0..MOST_POINTS).map(point).collect::<Vec<_>>()).unwrap();
    let one = pack(&[point(0)]).unwrap();
    let version = |points| {
        let version = Version {
            run: Uuid::nil(),
            known: Time::MIN,
            change: Time::MAX,
            remark: Rc::default(),
        };
        (version, Points::read(points).unwrap())
    };
    let full = pack_versions(&[version(&all)]).unwrap();
    assert_eq!(Pack::read(&full).unwrap().versions()[0].shape.len(), MOST_POINTS);
    let refusal = pack_versions(&[version(&all), version(&one)]).unwrap_err();
    assert_eq!(refusal, PackVersionsError::TooMany);
    assert_eq!(refusal.to_string(), "more than 5000000 points in a pack");
}

/// Whoever writes the checksum too writes a pack; but not one that takes the memory of more points than a pack holds.
#[test]
fn a_pack_that_claims_more_points_than_a_pack_holds_is_refused() {
    let written = forecasts(2, 3, || 0.5);
    let bytes = packed(&written);
    // The one shape of both: its flags and its count.
    let shape = bytes.windows(3).position(|three| three == [1, 0, 3]).unwrap();
    let forge = |count: &[u8]| {
        let content = [&bytes[5..shape + 2], count, &bytes[shape + 3..]].concat();
        let checksum = crc32fast::hash(&content).to_le_bytes();
        [&[VERSION], &checksum[..], &content].concat()
    };
    assert!(Pack::read(&forge(&[3])).is_ok());
    let mut half_and_one = Vec::new();
    crate::points::bytes::cursor::push_varint(&mut half_and_one, MOST_POINTS as u64 / 2 + 1);
    let refusal = Pack::read(&forge(&half_and_one)).unwrap_err();
    assert_eq!(refusal.to_string(), "more points than a pack holds");
}

#[test]
fn the_text_of_a_pack_is_as_documented() {
    let mut written = forecasts(2, 2, || 20.5);
    written[1].version.remark = remark("a \"b\"\n", &["x", "y"]);
    written[1].points[1].value = None;
    let bytes = packed(&written);
    let text = to_text(&Pack::read(&bytes).unwrap()).unwrap();
    assert_eq!(
        text,
        r#"[{"run_id":"00000000-0000-0000-0000-000000000007","known_time":"2000-01-01T00:00:00Z","change_time":"2000-01-01T00:00:00Z","changed_by":"forecaster@example.org","points":{"start":"2000-01-01T01:00:00Z","step":"PT1H","values":[20.5,20.5]}},
 {"run_id":"9e3779b9-7f4a-7c15-0000-000000000007","known_time":"2000-01-01T01:00:00.007919Z","change_time":"2000-01-01T01:00:00.007919Z","changed_by":"forecaster@example.org","annotation":"a \"b\"\n","tags":["x","y"],"points":{"start":"2000-01-01T02:00:00Z","step":"PT1H","values":[20.5,null]}}]"#
    );
    assert_eq!(from_text(&text).unwrap(), bytes);
    let nothing = packed(&[]);
    assert_eq!(to_text(&Pack::read(&nothing).unwrap()).unwrap(), "[]");
    assert_eq!(from_text(" [ ] ").unwrap(), nothing);
}

#[test]
fn a_text_that_is_no_pack_is_refused_in_words() {
    let with = |from: &str, to: &str| {
        let text = r#"[{"run_id":"9e3779b9-7f4a-7c15-0000-000000000007","known_time":"2000-01-01","change_time":"2000-01-01","changed_by":"a","points":{"start":"2000-01-01","step":"PT1H","values":[1,2]}}]"#;
        assert!(text.contains(from) && from_text(text).is_ok());
        text.replace(from, to)
    };
    for (text, message) in [
        (String::new(), "EOF while parsing"),
        ("{}".to_owned(), "expected a sequence"),
        ("[[]]".to_owned(), "expected a JSON object"),
        (with(r#""changed_by":"a","#, ""), "missing field `changed_by`"),
        (with("changed_by", "changed"), "unknown field `changed`"),
        (with("9e3779b9", "9e3779b"), "\"run_id\" is not a UUID"),
        (
            with(r#""changed_by":"a""#, r#""changed_by":"a\u0000b""#),
            "a text has a zero byte",
        ),
        (with("}]", r#","annotation":"\u0000"}]"#), "a text has a zero byte"),
        (with("}]", r#","tags":["a","\u0000"]}]"#), "a text has a zero byte"),
        (with(r#"me":"2000-01-01""#, r#"me":"infinity""#), "is infinite"),
        (
            with(r#"{"start":"2000-01-01","step":"PT1H","values":[1,2]}"#, "[]"),
            "expected a JSON object",
        ),
        (
            with(r#""step":"PT1H","#, ""),
            "\"start\" of two values or more needs \"step\"",
        ),
        (
            with(
                r#""start":"2000-01-01","step":"PT1H""#,
                r#""times":["2000-01-02","2000-01-01"]"#,
            ),
            "point 1 is not after the one before it",
        ),
    ] {
        let refusal = from_text(&text).expect_err(&text).to_string();
        assert!(refusal.contains(message), "{text}: {refusal}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_version_comes_back_whole_from_bytes_and_from_text(written in versions(12)) {
        let bytes = packed(&written);
        prop_assert_eq!(comparable(&read(&bytes).unwrap()), comparable(&written));
        prop_assert_eq!(packed(&read(&bytes).unwrap()), bytes.clone());
        let pack_of_all = Pack::read(&bytes).unwrap();
        let mut values = Vec::new();
        pack_of_all.decode_values(&mut values).unwrap();
        for (number, of) in written.iter().enumerate() {
            prop_assert_eq!(pack_of_all.points(number, &values), pack(&of.points).unwrap());
        }
        let text = to_text(&Pack::read(&bytes).unwrap()).unwrap();
        prop_assert_eq!(from_text(&text).unwrap(), bytes);
    }

    #[test]
    fn many_small_versions_come_back_too(versions in versions(6), times in 1..60usize) {
        let written = vec![versions; times].concat();
        prop_assert_eq!(comparable(&read(&packed(&written)).unwrap()), comparable(&written));
    }

    #[test]
    fn truncated_or_changed_bytes_are_refused(
        written in versions(5), at in any::<prop::sample::Index>(), flip in 1..=255u8, more in any::<u8>(),
    ) {
        let mut bytes = packed(&written);
        let at = at.index(bytes.len());
        prop_assert!(Pack::read(&bytes[..at]).is_err());
        prop_assert!(Pack::read(&[&bytes[..], &[more]].concat()).is_err());
        bytes[at] ^= flip;
        prop_assert!(Pack::read(&bytes).is_err());
    }

    #[test]
    fn what_a_right_checksum_stands_before_never_panics(
        written in versions(5), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut content = packed(&written).split_off(5);
        for (at, byte) in changes {
            let at = at.index(content.len());
            content[at] = byte;
        }
        // The decoder of pco is for bytes of its own making.
        let has_pco = written.iter().map(|of| of.points.len()).sum::<usize>() >= 512 || written.len() >= 32;
        prop_assume!(!has_pco);
        let checksum = crc32fast::hash(&content).to_le_bytes();
        let _ = read(&[&[VERSION], &checksum[..], &content].concat());
    }

    #[test]
    fn two_versions_or_more_take_no_more_bytes_in_a_pack_than_as_rows(mut written in versions(8)) {
        written.retain(|of| !of.points.is_empty());
        // Two by two authors, at times that are thousands of years apart, may be a few bytes larger.
        let is_near = |time: Time| time.micros().abs() < 500 * 365 * 24 * HOUR;
        let are_near = |of: &Written| {
            let times = [of.version.known, of.version.change, of.points[0].start];
            times.into_iter().all(is_near)
        };
        if written.len() > 2 || written.len() == 2 && written.iter().all(are_near) {
            let (rows, pack) = sizes(&written);
            prop_assert!(pack <= rows, "{} of {} bytes", pack, rows);
        }
    }

    #[test]
    fn changed_text_never_panics(
        written in versions(4), at in any::<prop::sample::Index>(), byte in prop::sample::select(&b" -{}[],:\"0129NPTZen"[..]),
    ) {
        let bytes = packed(&written);
        let mut text = to_text(&Pack::read(&bytes).unwrap()).unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(bytes) = from_text(&String::from_utf8_lossy(&text)) {
            prop_assert!(read(&bytes).is_ok());
        }
    }
}
