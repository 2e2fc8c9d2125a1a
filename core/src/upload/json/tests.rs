use proptest::prelude::*;

use super::*;
use crate::rows::Kind;
use crate::upload::{SeriesRef, SeriesRows};

const ID: &str = "018f3a2b-1c4d-7e5f-8a6b-9c0d1e2f3a4b";

fn read(json: &str) -> Result<Vec<SeriesRows>, RowError> {
    read_json(json, &Limits::of_rows(1_000_000), &mut || {}).map(|upload| upload.series)
}

/// Reads one row that has this beside its time.
fn read_with(fields: &str) -> Result<Vec<SeriesRows>, RowError> {
    read(&format!(r#"[{{"valid_time":"2024-01-01",{fields}}}]"#))
}

fn says(fields: &str, kind: Kind, message: &str) {
    let error = read_with(fields).expect_err("the row should be refused");
    assert_eq!((error.to_string().as_str(), error.kind), (message, kind));
}

fn value(json: &str) -> Option<f64> {
    read_with(&format!(r#""value_key":"k","value":{json}"#)).unwrap()[0].points[0].value
}

fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

#[test]
fn no_rows_are_no_series() {
    assert!(read("[]").unwrap().is_empty());
    assert!(read(" [\t\r\n] ").unwrap().is_empty());
}

#[test]
fn rows_are_gathered_by_series_in_first_seen_order() {
    let json = format!(
        r#"[{{"value":1,"value_key":"wind","valid_time":"2024-01-01"}},
            {{"value":2,"series_id":"{ID}","valid_time":"2024-01-01","valid_time_end":"2024-01-02"}},
            {{"value":null,"value_key":"wind","valid_time":"2024-01-02","series_id":null,"valid_time_end":null}},
            {{"value":4,"value_key":"wind","series_id":"{ID}","valid_time":"2024-01-01"}}]"#
    );
    let series = read(&json).unwrap();
    let wind = Some("wind".to_owned());
    let id = Uuid::try_parse(ID).ok();
    let references: Vec<_> = series.iter().map(|rows| (*rows.series).clone()).collect();
    let expected = [(wind.clone(), None), (None, id), (wind, id)];
    assert_eq!(
        references,
        expected.map(|(key, id)| SeriesRef {
            key,
            id,
            ..SeriesRef::default()
        })
    );
    assert_eq!(series.iter().map(|rows| rows.first_row).collect::<Vec<_>>(), [0, 1, 3]);
    assert_eq!(series[0].rows, [0, 2]);
    assert_eq!(series[0].points[1].key(), (time("2024-01-02"), None));
    assert_eq!(series[0].points[1].value, None);
    assert_eq!(
        series[1].points[0].key(),
        (time("2024-01-01"), Some(time("2024-01-02")))
    );
}

#[test]
fn a_row_needs_a_time_a_value_and_a_series() {
    let error = read(r#"[{}]"#).unwrap_err();
    assert_eq!(error.to_string(), r#"value_rows[0]: needs "valid_time""#);
    assert_eq!(error.kind, Kind::BadValue);
    says(r#""value_key":"k""#, Kind::BadValue, r#"value_rows[0]: needs "value""#);
    let message = r#"value_rows[0]: needs "value_key" or "series_id""#;
    says(r#""value":1"#, Kind::BadValue, message);
    says(
        r#""value":1,"value_key":null,"series_id":null"#,
        Kind::BadValue,
        message,
    );
}

#[test]
fn a_row_does_not_inherit_from_the_row_before() {
    let row = r#"{"valid_time":"2024-01-01","value_key":"k","value":1}"#;
    let error = read(&format!(r#"[{row},{{"valid_time":"2024-01-02","value":1}}]"#)).unwrap_err();
    assert_eq!(error.to_string(), r#"value_rows[1]: needs "value_key" or "series_id""#);
}

#[test]
fn a_valid_time_is_a_timestamp() {
    let says = |time: &str, kind, message: &str| {
        let error = read(&format!(r#"[{{"valid_time":{time}}}]"#)).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind), (message, kind));
    };
    says(
        "null",
        Kind::NullNotAllowed,
        "value_rows[0].valid_time: must not be null",
    );
    let message = r#"value_rows[0].valid_time: "foo" is not a timestamp"#;
    says(r#""foo""#, Kind::BadTime, message);
    let message = "value_rows[0].valid_time: must be a timestamp in a string";
    for other in ["17", "1.5", "true", "[]", "{}", r#"["2024-01-01"]"#] {
        says(other, Kind::BadValue, message);
    }
    let message = r"value_rows[0].valid_time: contains \u0000";
    says(r#""2024-01-01\u0000""#, Kind::BadCharacter, message);
    let error = read(r#"[{"valid_time":"infinity"}]"#).unwrap_err();
    assert_eq!(
        (error.path.as_str(), error.kind),
        ("value_rows[0].valid_time", Kind::TimeOutOfRange)
    );
}

#[test]
fn a_long_text_that_is_no_timestamp_is_cut() {
    let error = read(&format!(r#"[{{"valid_time":"{}"}}]"#, "ä".repeat(1000))).unwrap_err();
    assert!(
        error.reason.contains(&"ä".repeat(64)) && error.reason.contains('…'),
        "{error}"
    );
    assert!(!error.reason.contains(&"ä".repeat(65)), "{error}");
}

#[test]
fn an_interval_ends_after_it_starts() {
    let message = r#"value_rows[0].valid_time_end: is not after "valid_time""#;
    for end in ["2024-01-01", "2023-12-31"] {
        let fields = format!(r#""value_key":"k","value":1,"valid_time_end":"{end}""#);
        says(&fields, Kind::BadValue, message);
    }
    let message = r#"value_rows[0].valid_time_end: "soon" is not a timestamp"#;
    says(r#""valid_time_end":"soon""#, Kind::BadTime, message);
}

#[test]
fn a_value_is_a_number_null_or_one_of_three_strings() {
    assert_eq!(value("1"), Some(1.0));
    assert_eq!(value("18446744073709551616"), Some(18446744073709551616.0));
    assert_eq!(value("-9223372036854775808"), Some(-9223372036854775808.0));
    assert_eq!(value(&format!("1{}", "0".repeat(30))), Some(1e30));
    assert_eq!(value("5e-324"), Some(5e-324));
    assert_eq!(value("0e-400"), Some(0.0));
    assert_eq!(value("null"), None);
    assert!(value(r#""NaN""#).unwrap().is_nan());
    assert_eq!(value(r#""Infinity""#), Some(f64::INFINITY));
    assert_eq!(value(r#""-Infinity""#), Some(f64::NEG_INFINITY));
}

#[test]
fn a_negative_zero_keeps_its_sign() {
    for zero in ["-0", "-0.0", "-0e7", "-0e-400"] {
        assert_eq!(value(zero).unwrap().to_bits(), (-0.0f64).to_bits(), "{zero}");
    }
}

#[test]
fn what_is_no_value_is_refused() {
    let takes = r#"a number, null, "NaN", "Infinity" or "-Infinity""#;
    for other in ["true", "[]", "{}", "[1]"] {
        let message = format!("value_rows[0].value: must be {takes}");
        says(&format!(r#""value":{other}"#), Kind::BadValue, &message);
    }
    for other in ["", "nan", "1", "+Infinity"] {
        let message = format!(r#"value_rows[0].value: "{other}" is not {takes}"#);
        says(&format!(r#""value":"{other}""#), Kind::BadValue, &message);
    }
    let message = "value_rows[0].value: is out of range for type double precision";
    let tiny = format!("0.{}1", "0".repeat(400));
    for number in [
        "1e400",
        "-1e400",
        &"9".repeat(400),
        "1e99999999999999999999",
        "1e-400",
        "-1E-400",
        "1e-99999999999999999999",
        &tiny,
    ] {
        let fields = format!(r#""value_key":"k","value":{number}"#);
        says(&fields, Kind::NumberOutOfRange, message);
    }
}

#[test]
fn a_key_is_a_text_that_can_name_a_series() {
    let says = |key: &str, kind, reason: &str| {
        let fields = format!(r#""value":1,"value_key":{key}"#);
        super::tests::says(&fields, kind, &format!("value_rows[0].value_key: {reason}"));
    };
    says("17", Kind::BadValue, "must be a string");
    says(r#"["k"]"#, Kind::BadValue, "must be a string");
    says(r#""""#, Kind::BadValue, "must not be blank");
    says(r#"" \t\u00a0""#, Kind::BadValue, "must not be blank");
    says(r#""a\u0000b""#, Kind::BadCharacter, r"contains \u0000");
    let longest = "ä".repeat(250);
    assert!(read_with(&format!(r#""value":1,"value_key":"{longest}""#)).is_ok());
    says(&format!(r#""{longest}a""#), Kind::TooLong, "is longer than 500 bytes");
}

#[test]
fn a_key_is_taken_as_it_is_and_escapes_do_not_make_another_series() {
    let row = |key: &str| format!(r#"{{"valid_time":"2024-01-01","value_key":"{key}","value":1}}"#);
    let series = read(&format!("[{},{},{}]", row("kä"), row(r"k\u00e4"), row(" kä"))).unwrap();
    let keys: Vec<_> = series.iter().map(|rows| rows.series.key.as_deref()).collect();
    assert_eq!(keys, [Some("kä"), Some(" kä")]);
    assert_eq!(series[0].rows, [0, 1]);
}

#[test]
fn a_series_id_is_a_uuid() {
    let message = r#"value_rows[0].series_id: "17" is not a uuid"#;
    says(r#""series_id":"17""#, Kind::BadUuid, message);
    let message = "value_rows[0].series_id: must be a uuid in a string";
    says(r#""series_id":17"#, Kind::BadValue, message);
    let upper = read_with(&format!(r#""value":1,"series_id":"{}""#, ID.to_uppercase())).unwrap();
    assert_eq!(upper[0].series.id, Uuid::try_parse(ID).ok());
}

#[test]
fn one_value_twice_is_an_error_that_names_both_rows() {
    let row = |day: u8| format!(r#"{{"valid_time":"2024-01-0{day}","value_key":"k","value":1}}"#);
    let json = format!("[{}]", [4, 1, 3, 2, 3, 1].map(row).join(","));
    let repeated = read(&json).unwrap()[0].sort().unwrap_err();
    let error = repeated.of("value_rows", "wind");
    assert_eq!(
        error.to_string(),
        r#"value_rows[4]: gives the value of value_rows[2] again, of "wind" at 2024-01-03T00:00:00Z (and 1 other row is bad)"#
    );
    assert_eq!(error.kind, Kind::BadValue);
}

/// A row, and the order of its fields.
#[derive(Clone, Debug)]
struct Given {
    series: (Option<String>, Option<Uuid>),
    point: Point,
    order: Vec<usize>,
}

impl Given {
    fn json(&self) -> String {
        let value = match self.point.value {
            Some(value) if value.is_nan() => r#""NaN""#.to_owned(),
            Some(value) if value.is_infinite() => {
                format!(r#""{}Infinity""#, if value < 0.0 { "-" } else { "" })
            }
            finite => text(&finite),
        };
        let fields = [
            ("valid_time", text(&self.point.start.to_string())),
            ("valid_time_end", text(&self.point.end.map(|end| end.to_string()))),
            ("value", value),
            ("value_key", text(&self.series.0)),
            ("series_id", text(&self.series.1.map(|id| id.to_string()))),
        ];
        let fields: Vec<_> = self
            .order
            .iter()
            .map(|&at| format!("\"{}\": {}", fields[at].0, fields[at].1))
            .collect();
        format!("{{{}}}", fields.join(", "))
    }
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn given() -> impl Strategy<Value = Given> {
    let keys = ["wind", "sun \"north\"", "k\u{e4}se\n", "🌬"]
        .map(str::to_owned)
        .to_vec();
    let key = prop::sample::select(keys);
    let id = (0..3u128).prop_map(Uuid::from_u128);
    let series = prop_oneof![
        key.clone().prop_map(|key| (Some(key), None)),
        id.clone().prop_map(|id| (None, Some(id))),
        (key, id).prop_map(|(key, id)| (Some(key), Some(id))),
    ];
    let micros = -3_000_000_000_000_000..3_000_000_000_000_000i64;
    let interval = (micros, prop::option::of(1..1_000_000_000i64));
    let value = prop::option::of(prop::num::f64::ANY);
    let order = Just((0..5).collect::<Vec<_>>()).prop_shuffle();
    (series, interval, value, order).prop_map(|(series, (start, length), value, order)| {
        let end = length.and_then(|length| Time::from_micros(start + length));
        let start = Time::from_micros(start).unwrap();
        Given {
            series,
            point: Point { start, end, value },
            order,
        }
    })
}

type Plain = (Time, Option<Time>, Option<u64>);

/// A point to compare by: bit for bit, but for the payload of a NaN, which JSON cannot carry.
fn plain(point: &Point) -> Plain {
    let bits = |value: f64| {
        if value.is_nan() {
            f64::NAN.to_bits()
        } else {
            value.to_bits()
        }
    };
    (point.start, point.end, point.value.map(bits))
}

proptest! {
    #[test]
    fn rows_come_back_as_they_were_written(given in prop::collection::vec(given(), 0..40)) {
        let json: Vec<_> = given.iter().map(Given::json).collect();
        let series = read(&format!("[{}]", json.join(","))).unwrap();
        let mut back: Vec<Option<Plain>> = vec![None; given.len()];
        let mut last_first_row = None;
        for rows in &series {
            prop_assert!(Some(rows.first_row) > last_first_row);
            last_first_row = Some(rows.first_row);
            prop_assert_eq!(rows.first_row, rows.rows[0] as usize);
            prop_assert_eq!(rows.rows.len(), rows.points.len());
            for (row, point) in rows.rows.iter().zip(&rows.points) {
                let reference = SeriesRef { key: given[*row as usize].series.0.clone(), id: given[*row as usize].series.1, ..SeriesRef::default() };
                prop_assert_eq!(&reference, &*rows.series);
                back[*row as usize] = Some(plain(point));
            }
        }
        let expected: Vec<_> = given.iter().map(|given| Some(plain(&given.point))).collect();
        prop_assert_eq!(back, expected);
        let references: std::collections::HashSet<_> = series.iter().map(|rows| &rows.series).collect();
        prop_assert_eq!(references.len(), series.len());
    }
}
