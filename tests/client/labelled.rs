//! Rows that say more: labels beside a key as the address of a series, annotations and tags beside a value.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, MapBuilder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampSecondArray};
use arrow_ipc::writer::StreamWriter;
use jiff::ToSpan;
use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Database, Notices, one, refused, run};
use uuid::Uuid;

use crate::support::{hour, row_counts, try_upload, upload, value_row, value_update};

/// A row of the series `wind` with these labels.
fn labelled(hours: i64, labels: Value, value: f64) -> Value {
    let mut row = value_row("wind", hour(hours), value);
    row["labels"] = labels;
    row
}

fn made(client: &mut Client, labels: &str) -> Uuid {
    one(
        client,
        &format!("SELECT timedb.create_series('wind', labels => '{labels}')"),
    )
}

/// How many values of each series there are.
fn values(client: &mut Client) -> Vec<(Uuid, i64)> {
    let sql = "SELECT series_id, count(*) FROM timedb.read() GROUP BY series_id ORDER BY min(value)";
    let rows = client.query(sql, &[]).expect("it reads");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn labels_name_the_series_of_exactly_them_which_is_made_if_unknown() {
    let database = Database::fresh("labels as an address");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let north = made(&mut client, r#"{"site": "north", "height": 1}"#);
    let rows = json!([
        labelled(0, json!({"height": 1.0, "site": "north"}), 1.0),
        labelled(0, json!({"site": "north"}), 2.0),
        labelled(1, json!({"site": "north"}), 2.5),
        labelled(0, json!({}), 3.0),
        labelled(1, json!(null), 3.5),
        value_row("wind", hour(2), 3.7),
    ]);
    let uploaded = upload(&mut client, &rows);
    let ids: Value = serde_json::from_str(&uploaded.series_ids).expect("JSON");
    let plain: Uuid = ids["wind"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("the plain one goes by its key");
    let other = made(&mut client, r#"{"site": "north"}"#);
    let mut named: Vec<&str> = ids.as_object().expect("ids").keys().map(String::as_str).collect();
    named.sort_unstable();
    let mut expected = [north.to_string(), other.to_string(), "wind".into()];
    expected.sort_unstable();
    assert_eq!(named, expected);
    assert_eq!(values(&mut client), [(north, 1), (other, 2), (plain, 3)]);
    // Whatever spells the same number, in any order of names, is the same.
    let again = json!([labelled(5, json!({"site": "north", "height": 1}), 1.5)]);
    upload(&mut client, &again);
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.list_series()"), 3);
    let with_id = json!([{"series_id": north.to_string(), "value_key": "wind", "labels": {"site": "north", "height": 1},
                          "valid_time": "2025-02-01", "value": 9}]);
    upload(&mut client, &with_id);
    assert_eq!(values(&mut client)[0], (north, 3));
}

#[test]
fn what_labels_cannot_be_is_refused_by_row_and_field_and_nothing_is_stored() {
    let database = Database::fresh("labels refused");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let north = made(&mut client, r#"{"site": "north"}"#);
    let before = row_counts(&mut database.admin());
    let long = "x".repeat(2000);
    let longer = "x".repeat(20_000);
    let small = format!(
        "{{{}}}",
        (0..180).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(",")
    );
    let small: Value = serde_json::from_str(&small).expect("JSON");
    for (labels, code, message) in [
        (json!("north"), "22023", "must be a JSON object"),
        (json!(7), "22023", "must be a JSON object"),
        (json!(["north"]), "22023", "must be a JSON object"),
        (json!({"site": long}), "54000", "is larger than 2000 bytes"),
        (json!({"site": longer}), "54000", "is longer than 16384 bytes"),
        (small, "54000", "is larger than 2100 bytes as it is stored"),
    ] {
        let rows = json!([value_row("load", hour(0), 1.0), labelled(0, labels, 1.0)]);
        let message = format!("value_rows[1].labels: {message}");
        refused(try_upload(&mut client, &rows)).code(code).message(&message);
    }
    let mut both = labelled(0, json!({"site": "south"}), 1.0);
    both["series_id"] = json!(north.to_string());
    refused(try_upload(&mut client, &json!([both])))
        .code("22023")
        .message("value_rows[0].series_id: is not the series that \"value_key\" and \"labels\" name");
    let without_key =
        json!([{"series_id": north.to_string(), "labels": {"a": 1}, "valid_time": "2025-01-01", "value": 1}]);
    refused(try_upload(&mut client, &without_key))
        .code("22023")
        .message("value_rows[0].labels: needs \"value_key\" beside it");
    let twice = json!([
        labelled(0, json!({"a": 1, "b": 2}), 1.0),
        labelled(0, json!({"b": 2, "a": 1.0}), 1.0)
    ]);
    let error = refused(try_upload(&mut client, &twice)).code("22023");
    error.message_contains("value_rows[1]: gives the value of value_rows[0] again");
    assert_eq!(row_counts(&mut database.admin()), before);
}

#[test]
fn a_new_series_of_a_key_that_others_have_with_labels_is_told_of() {
    let database = Database::fresh("labels told");
    let (alice, _) = database.two_tenants();
    let mut config = database.url("app").parse::<postgres::Config>().expect("a URL");
    let notices = Notices::of(&mut config);
    let mut client = config.connect(postgres::NoTls).expect("a session");
    timedb_testkit::login(&mut client, &alice, false);
    made(&mut client, r#"{"site": "north"}"#);
    made(&mut client, r#"{"site": "south"}"#);
    notices.take();
    upload(&mut client, &json!([labelled(0, json!({"site": "east"}), 1.0)]));
    assert!(notices.take().is_empty(), "what is labelled is meant");
    upload(&mut client, &json!([value_row("load", hour(0), 1.0)]));
    assert!(notices.take().is_empty(), "no other has the key");
    upload(&mut client, &json!([value_row("wind", hour(0), 1.0)]));
    let told = notices.take();
    let expected = "a new series \"wind\" without labels, beside 3 of that key with labels";
    assert_eq!(told, [("00000".to_owned(), expected.to_owned())]);
    upload(&mut client, &json!([value_row("wind", hour(1), 1.0)]));
    assert!(notices.take().is_empty(), "it is there now");
}

#[test]
fn arrays_have_labels_for_each_value_or_one_for_all() {
    let database = Database::fresh("labels in arrays");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let north = made(&mut client, r#"{"site": "north"}"#);
    let call = |labels: &str| {
        format!(
            "SELECT timedb.upload_points(now(), '{{wind,wind}}', '{{2025-01-01,2025-01-02}}', '{{1,2}}', \
             labels => {labels})"
        )
    };
    run(&mut client, &call(r#"ARRAY['{"site": "north"}'::jsonb]"#));
    assert_eq!(values(&mut client), [(north, 2)]);
    run(&mut client, &call(r#"ARRAY['{"site": "north"}', NULL]::jsonb[]"#));
    let of_each = values(&mut client);
    assert_eq!((of_each.len(), of_each[0], of_each[1].1), (2, (north, 2), 1));
    for (labels, code, message) in [
        (
            "ARRAY[NULL, NULL, NULL]::jsonb[]",
            "22023",
            "\"labels\" has 3 elements, but \"series_keys\" has 2",
        ),
        ("'{}'", "22023", "\"labels\" has 0 elements, but \"series_keys\" has 2"),
        (
            r#"ARRAY[NULL, '[]']::jsonb[]"#,
            "22023",
            "labels[1]: must be a JSON object",
        ),
        (
            r#"ARRAY[jsonb_build_object('a', repeat('x', 2000))]"#,
            "54000",
            "labels[0]: is larger than 2000 bytes",
        ),
    ] {
        refused(client.execute(call(labels).as_str(), &[]))
            .code(code)
            .message(message);
    }
}

/// A stream of one batch.
fn stream(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).expect("columns");
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a schema");
    stream.write(&batch).expect("a batch");
    stream.into_inner().expect("a stream")
}

#[test]
fn a_stream_has_labels_as_texts_or_maps_and_says_what_is_said_of_values() {
    let database = Database::fresh("labels in a stream");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let north = made(&mut client, r#"{"site": "north"}"#);
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    maps.keys().append_value("site");
    maps.values().append_value("north");
    maps.append(true).expect("a map");
    maps.append(false).expect("no map");
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("b"), Some(" A "), Some("b")]);
    tags.append_null();
    let texts = StringArray::from(vec![Some(r#"{ "site": "north" }"#), None]);
    let of_labels: [ArrayRef; 2] = [Arc::new(texts), Arc::new(maps.finish())];
    let tags: ArrayRef = Arc::new(tags.finish());
    for (number, labels) in (1..).zip(of_labels) {
        let stream = stream(vec![
            ("valid_time", Arc::new(TimestampSecondArray::from(vec![0, 0]))),
            ("value", Arc::new(Float64Array::from(vec![f64::from(number), 10.0]))),
            ("value_key", Arc::new(StringArray::from(vec!["wind", "wind"]))),
            ("labels", labels),
            ("annotation", Arc::new(StringArray::from(vec![None, Some(" seen ")]))),
            ("tags", tags.clone()),
        ]);
        client
            .execute("SELECT timedb.upload_arrow(now(), $1)", &[&stream])
            .expect("it is taken");
        let sql = "SELECT series_id, annotation, tags FROM timedb.read() ORDER BY value";
        let rows = client.query(sql, &[]).expect("it reads");
        assert_eq!(rows[0].get::<_, Uuid>(0), north);
        assert_eq!(rows[0].get::<_, Option<String>>(1), None);
        assert_eq!(
            rows[0].get::<_, Option<Vec<String>>>(2),
            Some(vec!["a".into(), "b".into()])
        );
        assert_eq!(rows[1].get::<_, Option<String>>(1), Some("seen".into()));
        assert_eq!(rows[1].get::<_, Option<Vec<String>>>(2), None);
    }
}

#[test]
fn what_is_said_of_values_is_stored_with_them_and_values_of_which_the_same_is_said_share_a_row() {
    let database = Database::fresh("values annotated");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let row = |hours, said: Value| {
        let mut row = value_row("wind", hour(hours), hours as f64);
        let said = said.as_object().expect("an object").clone();
        row.as_object_mut().expect("a row").extend(said);
        row
    };
    // In no order of time, so that what is said must move with its value.
    let rows = json!([
        row(3, json!({"annotation": " gust ", "tags": ["B", "a", "b "]})),
        row(1, json!({"tags": ["checked"]})),
        row(0, json!({})),
        row(2, json!({"annotation": "gust", "tags": ["a", "b"]})),
        row(4, json!({"annotation": null, "tags": []})),
    ]);
    let uploaded = upload(&mut client, &rows);
    let said = |client: &mut Client| {
        let sql = "SELECT value, annotation, tags FROM timedb.read() ORDER BY valid_time";
        let rows = client.query(sql, &[]).expect("it reads");
        let of = |row: &postgres::Row| -> (f64, Option<String>, Option<Vec<String>>) {
            (row.get(0), row.get(1), row.get(2))
        };
        rows.iter().map(of).collect::<Vec<_>>()
    };
    let gust = (Some("gust".to_owned()), Some(vec!["a".to_owned(), "b".to_owned()]));
    let expected = [
        (0.0, None, None),
        (1.0, None, Some(vec!["checked".to_owned()])),
        (2.0, gust.0.clone(), gust.1.clone()),
        (3.0, gust.0, gust.1),
        (4.0, None, None),
    ];
    assert_eq!(said(&mut client), expected);
    assert_eq!(
        one::<i64>(&mut database.admin(), "SELECT count(*) FROM timedb.values"),
        3
    );
    assert!(
        one::<i64>(
            &mut client,
            "SELECT versions FROM timedb.compact(older_than => '-1 day')"
        ) > 0
    );
    assert_eq!(said(&mut client), expected);
    // An update goes on from there.
    let update = json!([value_update(
        uploaded.run_id,
        uploaded.series("wind"),
        hour(2),
        json!({"annotation": null})
    )]);
    assert_eq!(crate::support::update(&mut client, &update), ["updated"]);
    assert_eq!(said(&mut client)[2].1, None);
    for (said, code, message) in [
        (
            json!({"annotation": 7}),
            "22023",
            "value_rows[0].annotation: must be a string",
        ),
        (
            json!({"annotation": "x".repeat(10_001)}),
            "54000",
            "value_rows[0].annotation: is longer than 10000 bytes",
        ),
        (
            json!({"tags": "a"}),
            "22023",
            "value_rows[0].tags: must be an array of strings",
        ),
        (
            json!({"tags": [null]}),
            "22004",
            "value_rows[0].tags[0]: must not be null",
        ),
    ] {
        let rows = json!([row(9, said)]);
        refused(try_upload(&mut client, &rows)).code(code).message(message);
    }
}

#[test]
fn a_series_made_after_the_snapshot_is_a_serialization_failure_with_labels_as_without() {
    let database = Database::fresh("labels and snapshots");
    let (alice, _) = database.two_tenants();
    let mut first = database.authenticated(&alice);
    let mut second = database.authenticated(&alice);
    for (number, level) in (0..).zip(["REPEATABLE READ", "SERIALIZABLE"]) {
        let begin = |client: &mut Client| {
            run(client, &format!("BEGIN ISOLATION LEVEL {level}"));
            assert!(one::<i64>(client, "SELECT count(*) FROM timedb.list_series()") >= 0);
        };
        let with_labels = labelled(0, json!({"site": number}), 1.0);
        let without = value_row(&format!("plain {number}"), hour(0), 1.0);
        for row in [without, with_labels] {
            begin(&mut second);
            upload(&mut first, &json!([row]));
            refused(try_upload(&mut second, &json!([row])))
                .code("40001")
                .message("could not serialize access due to concurrent update");
            run(&mut second, "ROLLBACK");
            upload(&mut second, &json!([row]));
        }
        // So too where a value of a series is updated.
        let mut row = labelled(0, json!({"farm": number}), 1.0);
        begin(&mut second);
        let uploaded = upload(&mut first, &json!([row]));
        row["run_id"] = json!(uploaded.run_id.to_string());
        refused(second.query("SELECT timedb.update($1)", &[&json!([row])]))
            .code("40001")
            .message("could not serialize access due to concurrent update");
        run(&mut second, "ROLLBACK");
        assert_eq!(
            second
                .query("SELECT timedb.update($1)", &[&json!([row])])
                .expect("it is seen")
                .len(),
            1
        );
    }
}

#[test]
fn a_series_of_which_too_much_is_said_in_one_run_is_named() {
    let database = Database::fresh("too much said");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let row = |key: &str, minutes: i64| {
        let at = (hour(0) + minutes.minutes()).to_string();
        json!({"value_key": key, "valid_time": at, "value": 1, "annotation": minutes.to_string()})
    };
    let mut rows: Vec<Value> = (0..32_768).map(|minutes| row("wind", minutes)).collect();
    rows.push(row("sun", 0));
    refused(try_upload(&mut client, &json!(rows)))
        .code("54000")
        .message("\"value_rows\" have more than 32,767 different annotations and tags for series \"wind\"");
    rows.swap_remove(0);
    upload(&mut client, &json!(rows));
    let run: Uuid = one(&mut client, "SELECT run_id FROM timedb.runs");
    let id: Uuid = one(
        &mut client,
        "SELECT series_id FROM timedb.series WHERE series_key = 'sun'",
    );
    let update = |minutes: i64| {
        value_update(
            run,
            id,
            hour(0) + minutes.minutes(),
            json!({"value": 1, "annotation": minutes.to_string()}),
        )
    };
    let updates: Vec<Value> = (1..=32_768).map(update).collect();
    refused(client.query("SELECT timedb.update($1)", &[&json!(updates)]))
        .code("54000")
        .message(&format!(
            "\"updates\" have more than 32,767 different annotations and tags for series \"{id}\""
        ));
}
