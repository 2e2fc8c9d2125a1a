//! What holds for every array of rows, whatever its rows mean.

use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use crate::limits::Limits;
use crate::rows::{Kind, RowError};
use crate::{update, upload};

const ROW: &str = r#"{"valid_time":"2024-01-01","value_key":"wind","value":1}"#;

fn upload_error(json: &str) -> RowError {
    upload::read_json(json, &Limits::of_rows(1_000_000), &mut || {}).expect_err("the rows should be refused")
}

fn says(json: &str, kind: Kind, message: &str) {
    let error = upload_error(json);
    assert_eq!((error.to_string().as_str(), error.kind), (message, kind));
}

#[test]
fn what_is_not_an_array_of_rows_is_refused_as_a_whole() {
    for json in ["{}", "null", "17", "-1.5", "true", r#""rows""#, ROW] {
        says(json, Kind::BadValue, "value_rows: must be a JSON array of rows");
    }
    let error = update::read_json("{}", Uuid::nil(), &Limits::of_rows(1), &mut || {}).unwrap_err();
    assert_eq!(error.to_string(), "updates: must be a JSON array of rows");
}

#[test]
fn what_is_not_a_row_is_refused_by_its_number() {
    for other in ["[]", "null", "17", "-1.5", "true", r#""row""#, "[[[[]]]]"] {
        let json = format!("[{ROW},{other}]");
        says(&json, Kind::BadValue, "value_rows[1]: must be a JSON object");
    }
}

#[test]
fn a_number_is_out_of_range_wherever_it_stands() {
    let reason = "is out of range for type double precision";
    says("1e400", Kind::NumberOutOfRange, &format!("value_rows: {reason}"));
    says("[1e400]", Kind::NumberOutOfRange, &format!("value_rows[0]: {reason}"));
    let valid_time = r#"[{"valid_time":-1e400}]"#;
    says(
        valid_time,
        Kind::NumberOutOfRange,
        &format!("value_rows[0].valid_time: {reason}"),
    );
}

#[test]
fn an_unknown_field_is_refused_before_what_it_holds_is_read() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let json = format!(r#"[{ROW},{{"value":1,"valid_tme":{deep}}}]"#);
    says(&json, Kind::BadValue, "value_rows[1].valid_tme: unknown field");
    let deep = format!("{}1{}", r#"{"value":"#.repeat(100_000), "}".repeat(100_000));
    let expected = r#"must be a number, null, "NaN", "Infinity" or "-Infinity""#;
    says(
        &format!("[{deep}]"),
        Kind::BadValue,
        &format!("value_rows[0].value: {expected}"),
    );
}

#[test]
fn a_field_of_another_kind_of_row_is_unknown() {
    let error = update::read_json(r#"[{"known_time":""}]"#, Uuid::nil(), &Limits::of_rows(1), &mut || {}).unwrap_err();
    assert_eq!(error.to_string(), "updates[0].known_time: unknown field");
    says(
        r#"[{"run_id":""}]"#,
        Kind::BadValue,
        "value_rows[0].run_id: unknown field",
    );
    says(
        r#"[{"known_time":""}]"#,
        Kind::BadValue,
        "value_rows[0].known_time: unknown field",
    );
    let error = update::read_json(
        r#"[{"workflow_id":"wind"}]"#,
        Uuid::nil(),
        &Limits::of_rows(1),
        &mut || {},
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "updates[0].workflow_id: unknown field");
}

#[test]
fn an_unknown_name_is_cut_at_64_characters_and_escaped() {
    let json = format!(r#"[{{"{}":1}}]"#, "ä".repeat(1000));
    let message = format!("value_rows[0].{}…: unknown field", "ä".repeat(64));
    says(&json, Kind::BadValue, &message);
    let json = r#"[{"a\u0000\n":1}]"#;
    says(json, Kind::BadValue, r"value_rows[0].a\0\n: unknown field");
}

#[test]
fn a_repeated_field_is_refused_even_if_it_says_the_same() {
    let json = r#"[{"value":1,"value":1}]"#;
    says(json, Kind::BadValue, "value_rows[0].value: repeated field");
    let json = r#"[{"value_key":null,"v\u0061lue_key":"wind"}]"#;
    says(json, Kind::BadValue, "value_rows[0].value_key: repeated field");
}

#[test]
fn the_key_of_a_series_goes_by_either_of_its_names() {
    let row = ROW.replace("value_key", "series_key");
    let series = upload::read_json(
        &format!("[{ROW},{row}]").replace("01-01", "01-02"),
        &Limits::of_rows(2),
        &mut || {},
    )
    .unwrap();
    assert_eq!((series.series.len(), series.series[0].points.len()), (1, 2));
    let json = r#"[{"series_key":"wind","value_key":"wind"}]"#;
    says(
        json,
        Kind::BadValue,
        r#"value_rows[0].value_key: means the same as "series_key""#,
    );
    says(
        r#"[{"series_key":7}]"#,
        Kind::BadValue,
        "value_rows[0].series_key: must be a string",
    );
    let json = r#"[{"series_key":" ","value":1,"valid_time":"2025-01-01"}]"#;
    says(json, Kind::BadValue, "value_rows[0].series_key: must not be blank");
}

#[test]
fn all_bad_rows_are_counted_whatever_is_wrong_with_each() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let mixed = [
        ROW,
        r#"{"valid_time":"soon"}"#,
        ROW,
        "17",
        &deep,
        r#"{"value_key":" ","value":1,"valid_time":"2025-01-01"}"#,
        r#"{"value":1e400}"#,
        r#"{"value_key":"\ud800"}"#,
        r#"{"value_key":[],"value":{}}"#,
        ROW,
    ];
    let json = format!("[{}]", mixed.join(","));
    let message = r#"value_rows[1].valid_time: "soon" is not a timestamp (and 6 other rows are bad)"#;
    says(&json, Kind::BadTime, message);
    let json = format!("[{ROW},{},{},17]", mixed[1], mixed[3]);
    let error = upload::read_json(&json, &Limits::of_rows(3), &mut || {}).unwrap_err();
    assert_eq!(error.more, 1, "no row beyond the limit is looked at");
}

#[test]
fn an_integer_that_no_double_precision_is_is_refused_however_large() {
    let row = |value: &str| ROW.replace(":1}", &format!(":{value}}}"));
    let refused = |value: &str| {
        let reason = format!("{value} is beyond 2^53, where double precision is not exact");
        says(
            &format!("[{ROW},{}]", row(value)),
            Kind::NumberOutOfRange,
            &format!("value_rows[1].value: {reason}"),
        );
    };
    for value in [
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551617",
        "-9223372036854775809",
        "100000000000000000000001",
    ] {
        refused(value);
    }
    for (value, double) in [
        ("9007199254740992", 2f64.powi(53)),
        ("1152921504606846976", 2f64.powi(60)),
        ("1152921504606847000", 2f64.powi(60)),
        ("18446744073709551616", 2f64.powi(64)),
        ("18446744073709552000", 2f64.powi(64)),
        ("100000000000000000000000", 1e23),
        ("1e300", 1e300),
        ("9007199254740993.0", 2f64.powi(53)),
    ] {
        let series = upload::read_json(&format!("[{}]", row(value)), &Limits::of_rows(1), &mut || {}).unwrap();
        assert_eq!(series.series[0].points[0].value, Some(double), "{value}");
    }
    let json = format!("[{},{ROW},{}]", row("100000000000000000000001"), row("true"));
    let error = upload_error(&json);
    assert_eq!(
        (error.path.as_str(), error.more),
        ("value_rows[0].value", 1),
        "the first of them is named"
    );
}

#[test]
fn a_field_that_is_unknown_is_told_which_there_are() {
    let hint = |json: &str| upload_error(json).hint.unwrap_or_default();
    assert!(hint(r#"[{"known_time":"2025-01-01"}]"#).starts_with("A run has one known_time, an argument of the call"));
    assert!(hint(r#"[{"change_time":"2025-01-01"}]"#).contains("series_key"));
    let error = update::read_json(r#"[{"unit":"MW"}]"#, Uuid::nil(), &Limits::of_rows(1), &mut || {}).unwrap_err();
    assert!(error.hint.unwrap_or_default().contains("run_id"));
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for half in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud800\n", r"\ud800\u0061"] {
        let json = format!(r#"[{{"value_key":"{half}"}}]"#);
        let message = "value_rows[0].value_key: contains half of a surrogate pair";
        says(&json, Kind::BadCharacter, message);
        let json = format!(r#"[{{"{half}":1}}]"#);
        let message = "value_rows[0]: contains half of a surrogate pair";
        says(&json, Kind::BadCharacter, message);
    }
}

#[test]
fn one_bad_row_of_a_thousand_is_named() {
    let mut rows = vec![ROW; 1000];
    rows[999] = r#"{"valid_time":"foo","value_key":"wind","value":1}"#;
    let json = format!("[{}]", rows.join(","));
    says(
        &json,
        Kind::BadTime,
        r#"value_rows[999].valid_time: "foo" is not a timestamp"#,
    );
}

#[test]
fn rows_beyond_the_limit_are_refused_and_not_read() {
    let two = format!("[{ROW},{ROW}]");
    assert!(upload::read_json(&two, &Limits::of_rows(2), &mut || {}).is_ok());
    for third in [ROW, "17", "1e400"] {
        let error = upload::read_json(&format!("[{ROW},{ROW},{third}]"), &Limits::of_rows(2), &mut || {}).unwrap_err();
        assert_eq!(error.to_string(), "value_rows: has more than 2 rows");
        assert_eq!(error.kind, Kind::TooMany);
    }
    assert!(upload::read_json("[]", &Limits::of_rows(0), &mut || {}).is_ok());
}

#[test]
fn a_text_that_is_no_json_is_refused_where_it_breaks() {
    let message = "value_rows: is not valid JSON: EOF while parsing a value at line 1 column 0";
    says("", Kind::BadValue, message);
    let message = "value_rows: is not valid JSON: trailing characters at line 1 column 4";
    says("[] []", Kind::BadValue, message);
    let error = upload_error(r#"[{"value": nul}]"#);
    assert!(
        error
            .to_string()
            .starts_with("value_rows[0].value: is not valid JSON: "),
        "{error}"
    );
}

#[test]
fn the_caller_can_answer_a_cancel_every_few_thousand_rows_and_tags() {
    let json = format!("[{}]", vec![ROW; 10_000].join(","));
    let mut ticks = 0;
    upload::read_json(&json, &Limits::of_rows(10_000), &mut || ticks += 1).unwrap();
    assert_eq!(ticks, 2);
    let tags = vec![r#""d""#; 100].join(",");
    let ids = r#""run_id":"00000000-0000-0000-0000-000000000001","series_id":"00000000-0000-0000-0000-000000000002""#;
    let row = format!(r#"{{{ids},"valid_time":"2025-01-01","tags":[{tags}]}}"#);
    let json = format!("[{}]", vec![row; 100].join(","));
    let mut ticks = 0;
    update::read_json(&json, Uuid::nil(), &Limits::of_rows(100), &mut || ticks += 1).unwrap();
    assert_eq!(ticks, 2);
}

#[test]
fn a_tick_may_unwind() {
    let json = format!("[{}]", vec![ROW; 10_000].join(","));
    let unwound = std::panic::catch_unwind(|| {
        upload::read_json(&json, &Limits::of_rows(10_000), &mut || {
            std::panic::resume_unwind(Box::new(()))
        })
    });
    assert!(unwound.is_err());
}

fn no_tick() {}

/// A name or a text that some field could have, and some that none has.
fn text() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "valid_time",
        "valid_time_end",
        "value",
        "value_key",
        "series_id",
        "run_id",
        "annotation",
        "tags",
        "2024-01-01T00:00:00Z",
        "00000000-0000-0000-0000-000000000001",
        "NaN",
        "",
        "\0",
    ];
    prop_oneof![9 => prop::sample::select(KNOWN).prop_map(str::to_owned), 1 => any::<String>()]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_the_readers_panic(rows in prop::collection::vec(json(), 0..4)) {
        let json = Value::from(rows).to_string();
        if let Err(error) = upload::read_json(&json, &Limits::of_rows(3), &mut || {}) {
            prop_assert!(error.path.starts_with("value_rows") && !error.to_string().contains('\0'));
        }
        if let Err(error) = update::read_json(&json, Uuid::nil(), &Limits::of_rows(3), &mut || {}) {
            prop_assert!(error.path.starts_with("updates") && !error.to_string().contains('\0'));
        }
    }

    #[test]
    fn a_json_that_is_cut_off_is_refused(json in json(), cut in any::<prop::sample::Index>()) {
        let json = format!("[{json}]");
        let cut = &json[..json.floor_char_boundary(cut.index(json.len()))];
        prop_assert!(upload::read_json(cut, &Limits::of_rows(3), &mut no_tick).is_err());
        prop_assert!(update::read_json(cut, Uuid::nil(), &Limits::of_rows(3), &mut no_tick).is_err());
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in any::<String>()) {
        let _ = upload::read_json(&text, &Limits::of_rows(3), &mut || {});
        let _ = update::read_json(&text, Uuid::nil(), &Limits::of_rows(3), &mut || {});
    }
}
