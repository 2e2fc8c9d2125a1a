use proptest::prelude::*;

use super::*;
use crate::points::arbitrary::{all_bits, points};
use crate::points::{Points, pack};

fn retold(text: &str) -> String {
    let points = from_text(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    to_text(&Points::read(&pack(&points).unwrap()).unwrap()).unwrap()
}

fn refusal(text: &str) -> String {
    from_text(text).expect_err(text).to_string()
}

#[test]
fn every_shape_is_told_as_it_is_documented() {
    for text in [
        r#"{"values":[]}"#,
        r#"{"start":"2025-01-01T00:00:00Z","values":[20.0]}"#,
        r#"{"start":"2025-01-01T00:00:00Z","step":"PT1H","values":[20.0,null,"NaN"]}"#,
        r#"{"start":"2025-01-01T00:00:00Z","step":"PT15M","length":"PT1H","values":[1e-7,1e300]}"#,
        r#"{"start":"2025-01-01T00:00:00Z","length":"PT0.000001S","values":[null]}"#,
        r#"{"times":["2025-01-01T00:00:00Z","2025-01-01T00:07:00.5Z","2025-01-02T00:00:00Z"],"values":[1.0,2.0,3.0]}"#,
        r#"{"times":["2025-01-01T00:00:00Z","2025-01-01T00:00:00Z"],"ends":[null,"2025-01-02T00:00:00Z"],"values":[1.0,2.0]}"#,
        r#"{"start":"-004713-11-24T00:00:00Z","step":"PT1S","values":["NaN:7ff8000000000001","NaN:fff8000000000000","Infinity","-Infinity",-0.0]}"#,
    ] {
        assert_eq!(retold(text), text);
    }
}

#[test]
fn other_spellings_of_the_same_points_are_understood() {
    let told = r#"{"start":"2025-01-01T00:00:00Z","step":"PT1H","values":[20.0,-0.0,null]}"#;
    for text in [
        r#" { "values" : [20, -0, null], "step": "PT60M", "start": "2025-01-01 05:30:00+05:30" } "#,
        r#"{"times":["2025-01-01","2025-01-01 01:00","2025-01-01T02:00:00+00"],"values":[2e1,-0.0,null]}"#,
        r#"{"start":"2025-01-01","step":"PT1H","ends":[null,null,null],"values":[20,-0.0,null]}"#,
    ] {
        assert_eq!(retold(text), told, "{text}");
    }
    assert_eq!(retold(r#"{"times":[],"values":[]}"#), r#"{"values":[]}"#);
}

#[test]
fn what_does_not_fit_together_is_refused_in_words() {
    for (text, message) in [
        (r#"{"values":[1]}"#, r#""values" need "start" or "times""#),
        (r#"{"step":"PT1H","values":[]}"#, r#""step" needs "start""#),
        (
            r#"{"start":"2025-01-01","times":[],"values":[]}"#,
            r#""start" and "times" exclude each other"#,
        ),
        (
            r#"{"step":"PT1H","times":[],"values":[]}"#,
            r#""step" and "times" exclude each other"#,
        ),
        (
            r#"{"times":[],"values":[1]}"#,
            r#""times" has 0 elements, "values" has 1"#,
        ),
        (
            r#"{"start":"2025-01-01","values":[1,2]}"#,
            r#""start" of two values or more needs "step""#,
        ),
        (
            r#"{"start":"2025-01-01","length":"PT1H","ends":[null],"values":[1]}"#,
            r#""length" and "ends" exclude each other"#,
        ),
        (
            r#"{"start":"2025-01-01","ends":[],"values":[1]}"#,
            r#""ends" has 0 elements, "values" has 1"#,
        ),
        (
            r#"{"start":"9999-12-31","step":"PT25H","values":[1,2]}"#,
            "a time is out of range",
        ),
        (
            r#"{"start":"9999-12-31","length":"PT25H","values":[1]}"#,
            "a time is out of range",
        ),
        (
            r#"["2025-01-01",null,null,null,null,[1]]"#,
            "points are not a JSON object",
        ),
        ("null", "points are not a JSON object"),
        ("", "points are not a JSON object"),
    ] {
        assert_eq!(refusal(text), message, "{text}");
    }
}

#[test]
fn a_bad_part_is_refused_in_words() {
    let step = |step: &str| format!(r#"{{"start":"2025-01-01","step":"{step}","values":[1,2]}}"#);
    let value = |value: &str| format!(r#"{{"start":"2025-01-01","values":[{value}]}}"#);
    for (text, message) in [
        (step("PT0S"), "a duration is not above zero"),
        (step("-PT1H"), "a duration is not above zero"),
        (step("PT0.0000001S"), "a duration has digits below a microsecond"),
        (step("PT99999999999H"), "a duration is out of range"),
        (step("1 hour"), "a duration is not of the form"),
        (value("\"nan\""), "a string is not a value"),
        (value("\"NaN:7ff0000000000000\""), "a string is not a value"),
        (value("\"NaN:+ff8000000000001\""), "a string is not a value"),
        (value("\"NaN:7ff8\""), "a string is not a value"),
        (value("true"), "invalid type: boolean `true`, expected a number, null"),
        (value("1e999"), "a value is out of range for type double precision"),
        (value("1e-400"), "a value is out of range for type double precision"),
        (
            value("9007199254740993"),
            "a value 9007199254740993 is beyond 2^53, where double precision is not exact",
        ),
        (
            value("18446744073709551617"),
            "a value 18446744073709551617 is beyond 2^53, where double precision is not exact",
        ),
        (value("{}"), "invalid type: map, expected a number, null"),
        (value("NaN"), "expected"),
        (value("1]} x ["), "trailing characters"),
        (
            r#"{"start":"yesterday","values":[1]}"#.into(),
            r#""yesterday" is not a timestamp"#,
        ),
        (
            r#"{"start":"infinity","values":[1]}"#.into(),
            r#""infinity" is infinite"#,
        ),
        (r#"{"values":[],"values":[]}"#.into(), "duplicate field `values`"),
        (r#"{"values":[],"value":[]}"#.into(), "unknown field `value`"),
        (r#"{"start":"2025-01-01"}"#.into(), "missing field `values`"),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.contains(message), "{text}: {refusal}");
    }
    let long = format!(r#"{{"{}":1}}"#, "ä".repeat(10_000));
    assert_eq!(refusal(&long).chars().count(), 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_point_comes_back_from_the_text_bit_for_bit(points in points()) {
        let packed = pack(&points).unwrap();
        let text = to_text(&Points::read(&packed).unwrap()).unwrap();
        let again = from_text(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        prop_assert_eq!(all_bits(again.iter().copied()), all_bits(points));
        prop_assert_eq!(pack(&again).unwrap(), packed);
    }

    #[test]
    fn mutated_text_never_panics(
        points in points(), at in any::<prop::sample::Index>(), byte in prop::sample::select(&b" -{}[],:\"0129NPTZen"[..]),
    ) {
        let text = to_text(&Points::read(&pack(&points).unwrap()).unwrap()).unwrap();
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(points) = from_text(std::str::from_utf8(&bytes).unwrap()) {
            let _ = pack(&points);
        }
    }
}
