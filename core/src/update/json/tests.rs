use proptest::prelude::*;

use super::*;
use crate::rows::Kind;

const RUN: &str = "018f3a2b-1c4d-7e5f-8a6b-9c0d1e2f3a4b";
const SERIES: &str = "018f3a2b-1c4d-7e5f-8a6b-9c0d1e2f3a4c";
const TENANT: Uuid = Uuid::from_u128(0x018f_3a2b_1c4d_7e5f_8a6b_9c0d_1e2f_3a4d);

fn read(json: &str) -> Result<Updates, RowError> {
    let given = read_json(json, TENANT, &Limits::of_rows(1000), &mut || {})?;
    let resolved = given.rows.into_iter().map(|row| ValueUpdate {
        run_id: row.run.unwrap(),
        series_id: row.series.id.unwrap(),
        start: row.start,
        end: row.end,
        changes: row.changes,
    });
    Ok(Updates::of(resolved))
}

/// An update of the value at a time, with these fields beside.
fn update(time: &str, fields: &str) -> String {
    format!(r#"{{"run_id":"{RUN}","series_id":"{SERIES}","valid_time":"{time}"{fields}}}"#)
}

fn read_one(fields: &str) -> Result<ValueUpdate, RowError> {
    let mut updates = read(&format!("[{}]", update("2024-01-01", fields)))?;
    assert_eq!((updates.of_values.len(), updates.rows), (1, vec![0]));
    Ok(updates.of_values.remove(0))
}

fn read_with(fields: &str) -> Result<Changes, RowError> {
    read_one(fields).map(|update| update.changes)
}

fn says(json: &str, kind: Kind, message: &str) {
    let error = read(json).expect_err("the update should be refused");
    assert_eq!((error.to_string().as_str(), error.kind), (message, kind));
}

fn says_with(fields: &str, kind: Kind, message: &str) {
    says(&format!("[{}]", update("2024-01-01", fields)), kind, message);
}

fn set(tags: &[&str]) -> Change<Vec<String>> {
    Change::Set(tags.iter().map(|tag| (*tag).to_owned()).collect())
}

#[test]
fn absent_keeps_null_clears_and_a_value_sets() {
    let kept = read_with("").unwrap();
    assert_eq!(
        (kept.value, kept.annotation, kept.tags),
        (Change::Keep, Change::Keep, Change::Keep)
    );
    let cleared = read_with(r#","value":null,"annotation":null,"tags":null"#).unwrap();
    assert_eq!(
        (cleared.value, cleared.annotation, cleared.tags),
        (Change::Clear, Change::Clear, Change::Clear)
    );
    let changed = read_with(r#","value":1.5,"annotation":"seen","tags":["a"]"#).unwrap();
    assert_eq!(changed.value, Change::Set(1.5));
    assert_eq!(changed.annotation, Change::Set("seen".to_owned()));
    assert_eq!(changed.tags, set(&["a"]));
}

#[test]
fn an_update_may_name_its_own_tenant_and_no_other_one() {
    for own in [format!("\"{TENANT}\""), "null".to_owned()] {
        assert_eq!(read_with(&format!(r#","tenant_id":{own}"#)), read_with(""));
    }
    says_with(
        r#","tenant_id":"00000000-0000-0000-0000-000000000000""#,
        Kind::Absent,
        r#"updates[0].tenant_id: tenant "00000000-0000-0000-0000-000000000000" does not exist"#,
    );
    says_with(
        r#","tenant_id":7"#,
        Kind::BadValue,
        "updates[0].tenant_id: must be a uuid in a string",
    );
    // Of a value that is named again as well.
    let twice = [
        update("2024-01-01", r#","tenant_id":"00000000-0000-0000-0000-000000000000""#),
        update("2024-01-01", ""),
    ];
    assert_eq!(read(&format!("[{}]", twice.join(","))).unwrap_err().kind, Kind::Absent);
}

/// Rows that are looked at a second time are looked at for the same tenant.
#[test]
fn an_update_may_name_its_own_tenant_beside_a_large_number_and_after_a_bad_row() {
    let own = format!(r#","tenant_id":"{TENANT}""#);
    let large = read_with(&format!(r#","value":1e30{own}"#)).unwrap();
    assert_eq!(large.value, Change::Set(1e30));
    let (bad, good) = (update("soon", ""), update("2024-01-01", &format!(r#","value":1{own}"#)));
    says(
        &format!("[{bad},{good},{good}]"),
        Kind::BadTime,
        r#"updates[0].valid_time: "soon" is not a timestamp"#,
    );
}

#[test]
fn an_update_names_its_run_series_and_time() {
    let row = read_one(r#","valid_time_end":"2024-01-02""#).unwrap();
    assert_eq!(
        (row.run_id.to_string(), row.series_id.to_string()),
        (RUN.to_owned(), SERIES.to_owned())
    );
    assert_eq!(
        (row.start, row.end),
        (Time::parse("2024-01-01").unwrap(), Time::parse("2024-01-02").ok())
    );
    says(
        "[{}]",
        Kind::BadValue,
        r#"updates[0]: needs "series_id" or "value_key""#,
    );
    let json = format!(r#"[{{"run_id":"{RUN}","series_id":"{SERIES}"}}]"#);
    says(&json, Kind::BadValue, r#"updates[0]: needs "valid_time""#);
}

#[test]
fn a_row_names_its_series_by_id_or_by_key_and_labels_and_perhaps_no_run() {
    let read = |json: &str| read_json(json, TENANT, &Limits::of_rows(1000), &mut || {});
    let given = read(
        r#"[{"value_key":"wind","valid_time":"2024-01-01"},
            {"series_key":"wind","labels":{"a":1},"valid_time":"2024-01-01"},
            {"value_key":"wind","labels":{},"valid_time":"2024-01-01","value":2}]"#,
    )
    .unwrap();
    let wind = |labels| SeriesRef {
        key: Some("wind".to_owned()),
        labels,
        ..SeriesRef::default()
    };
    let series: Vec<_> = given.rows.iter().map(|row| row.series.clone()).collect();
    assert_eq!(series, [wind(None), wind(Some(0)), wind(None)]);
    assert!(given.rows.iter().all(|row| row.run.is_none()));
    assert_eq!(given.labels, [r#"{"a":1}"#.into()]);
    says(
        r#"[{"labels":{"a":1},"valid_time":"2024-01-01"}]"#,
        Kind::BadValue,
        r#"updates[0].labels: needs "value_key" beside it"#,
    );
    says(
        r#"[{"value_key":" ","valid_time":"2024-01-01"}]"#,
        Kind::BadValue,
        "updates[0].value_key: must not be blank",
    );
}

#[test]
fn what_names_a_value_is_not_null() {
    for field in ["run_id", "series_id", "valid_time"] {
        let message = format!("updates[0].{field}: must not be null");
        says(&format!(r#"[{{"{field}":null}}]"#), Kind::NullNotAllowed, &message);
    }
}

#[test]
fn each_field_is_refused_by_its_name() {
    let json = format!(r#"[{},{{"run_id":"17"}}]"#, update("2024-01-01", ""));
    says(&json, Kind::BadUuid, r#"updates[1].run_id: "17" is not a uuid"#);
    let message = "updates[0].series_id: must be a uuid in a string";
    says(r#"[{"series_id":17}]"#, Kind::BadValue, message);
    let message = r#"updates[0].valid_time_end: is not after "valid_time""#;
    says_with(r#","valid_time_end":"2024-01-01""#, Kind::BadValue, message);
    says_with(
        r#","annotation":17"#,
        Kind::BadValue,
        "updates[0].annotation: must be a string",
    );
    let message = r"updates[0].annotation: contains \u0000";
    says_with(r#","annotation":"\u0000""#, Kind::BadCharacter, message);
    let message = "updates[0].value: is out of range for type double precision";
    says_with(r#","value":1e400"#, Kind::NumberOutOfRange, message);
}

#[test]
fn an_annotation_is_trimmed_and_a_blank_one_clears() {
    let annotation = |text: &str| read_with(&format!(r#","annotation":"{text}""#)).unwrap().annotation;
    assert_eq!(annotation(r"\n a  B\t"), Change::Set("a  B".to_owned()));
    assert_eq!(annotation(""), Change::Clear);
    assert_eq!(annotation(r" \n\u00a0"), Change::Clear);
}

#[test]
fn tags_are_trimmed_lower_cased_sorted_and_each_kept_once() {
    let tags = |tags: &str| read_with(&format!(r#","tags":{tags}"#)).unwrap().tags;
    assert_eq!(tags(r#"[" b ","A","","a","Ä","\t"]"#), set(&["a", "b", "ä"]));
    assert_eq!(tags("[]"), Change::Clear);
    assert_eq!(tags(r#"[" ",""]"#), Change::Clear);
}

#[test]
fn a_bad_tag_is_refused_by_its_number() {
    let message = "updates[0].tags[1]: must not be null";
    says_with(r#","tags":["a",null]"#, Kind::NullNotAllowed, message);
    for other in ["17", "1.5", "false", "[]", "{}"] {
        let fields = format!(r#","tags":["a",{other}]"#);
        says_with(&fields, Kind::BadValue, "updates[0].tags[1]: must be a string");
    }
    let message = r"updates[0].tags[0]: contains \u0000";
    says_with(r#","tags":["\u0000"]"#, Kind::BadCharacter, message);
    let message = "updates[0].tags[0]: contains half of a surrogate pair";
    says_with(r#","tags":["\udead"]"#, Kind::BadCharacter, message);
    for other in ["17", r#""a""#, "true", "{}"] {
        let fields = format!(r#","tags":{other}"#);
        says_with(&fields, Kind::BadValue, "updates[0].tags: must be an array of strings");
    }
}

#[test]
fn what_follows_the_tags_is_not_blamed_on_a_tag() {
    let message = r#"updates[0].value: "x" is not a number, null, "NaN", "Infinity" or "-Infinity""#;
    says_with(r#","tags":["a"],"value":"x""#, Kind::BadValue, message);
}

#[test]
fn several_updates_of_a_value_are_applied_in_order_field_by_field() {
    let json = [
        update("2024-01-01", r#","value":1,"annotation":"first""#),
        update("2024-01-02", r#","value":2"#),
        update("2024-01-01", r#","valid_time_end":"2024-01-02","value":3"#),
        update("2024-01-01T00:00:00Z", r#","tags":["last"],"value":4"#),
        update("2024-01-01T01:00:00+01", r#","annotation":null"#),
    ];
    let updates = read(&format!("[{}]", json.join(","))).unwrap();
    assert_eq!(updates.rows, [0, 1, 2, 0, 0]);
    let of_values = &updates.of_values;
    let times = of_values.iter().map(|update| update.start.to_string());
    assert_eq!(
        times.collect::<Vec<_>>(),
        ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-01T00:00:00Z"]
    );
    let merged = &of_values[0].changes;
    assert_eq!((&merged.value, &merged.annotation), (&Change::Set(4.0), &Change::Clear));
    assert_eq!(merged.tags, set(&["last"]));
}

proptest! {
    #[test]
    fn what_is_stored_of_tags_is_stored_again_unchanged(list in prop::collection::vec(any::<String>(), 0..6)) {
        let once = tags(Some(list)).unwrap();
        prop_assert_eq!(tags(once.clone()).unwrap(), once);
    }
}

#[test]
fn what_would_cost_more_memory_than_it_is_worth_is_refused() {
    let long = "x".repeat(201);
    let message = "updates[0].tags: is longer than 200 bytes";
    says_with(&format!(r#","tags":["{long}"]"#), Kind::TooLong, message);
    let many = vec![r#""a""#; 101].join(",");
    let message = "updates[0].tags: has more than 100 elements";
    says_with(&format!(r#","tags":[{many}]"#), Kind::TooLong, message);
    let long = "x".repeat(10_001);
    let message = "updates[0].annotation: is longer than 10000 bytes";
    says_with(&format!(r#","annotation":"{long}""#), Kind::TooLong, message);
    let most = vec![r#""a""#; 100].join(",");
    assert!(read(&format!("[{}]", update("2024-01-01", &format!(r#","tags":[{most}]"#)))).is_ok());
}
