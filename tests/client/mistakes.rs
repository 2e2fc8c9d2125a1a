//! What people send that cannot be taken, and what puts them right: SQLSTATE, message and HINT of each, in one table.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow_ipc::writer::StreamWriter;
use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Stage, assert_ordinary, one, refused, run, words};
use uuid::Uuid;

use crate::support::{hour, try_update, try_upload, update, upload, value_row, value_update};

const UPLOAD_HAS: &str = "An upload has valid_time, valid_time_end, value, value_key (or series_key), labels, unit, series_id, annotation and tags: select those.";
const UPDATE_HAS: &str = "An update has run_id, series_id or value_key (or series_key) and labels, valid_time, valid_time_end, value, annotation and tags: select those.";
const ONE_KNOWN_TIME: &str = "A run has one known_time, an argument of the call: upload_runs and upload_runs_arrow take rows that were known at several \
     moments.";
const ZONE_NAMES: &str = "Zone names are not taken. Write the offset, as in 2025-01-01T12:00:00+01:00.";
const FROM_EPOCH: &str = "Numbers since an epoch are not taken. Write ISO 8601, as in 2025-01-01T12:00:00Z; pandas: to_json(date_format=\"iso\", date_unit=\"us\").";
const ISO: &str = "Write ISO 8601, as in 2025-01-01T12:00:00+01:00.";
const ROUND: &str = "timedb keeps microseconds: round to the grid first.";
const ROUND_IT: &str = "Round it yourself to a number that double precision holds.";
const UTC: &str = "A time without an offset is UTC: local times need theirs, as an hour of a day of 25 comes twice.";
const SESSION: &str =
    "A time without an offset is one of the session's TimeZone: on a day of 25 hours an hour of it comes twice.";
const OPEN: &str = "Leave it out: without it the window is open.";
const NEW_CHARACTER: &str = "No series has this key yet, and a new one may have no such character.";
const TRIM: &str = "No series has this key yet: trim it.";
const A_UNIT_STAYS: &str = "A unit stays once it is set; name another series for values in another unit.";
const INDEX: &str =
    "It is the index of a pandas frame: pyarrow.Table.from_pandas(frame, preserve_index=False) leaves it out.";
const TO_DOUBLE: &str = "Cast it to double precision (float64).";

/// What was sent, and how it is refused: SQLSTATE and message, hint.
type Mistake<'a> = (&'a str, &'a str, Option<&'a str>);

/// Calls of `timedb`.
const CALLS: &[Mistake] = &[
    (
        "read(start_valid => 'infinity')",
        "22008 \"start_valid\" is infinite or out of range",
        Some(OPEN),
    ),
    (
        "read(end_known => '-infinity')",
        "22008 \"end_known\" is infinite or out of range",
        Some(OPEN),
    ),
    (
        "read(as_of => 'infinity')",
        "22008 \"as_of\" is infinite or out of range",
        Some("Leave it out: without it, it is now."),
    ),
    (
        "upload('infinity', '[]')",
        "22008 \"run_start_time\" is infinite or out of range",
        Some("Times go from 4714 BC to the end of the year 9999."),
    ),
    (
        "create_series('power', 'dimensionless')",
        "22023 \"unit\" is \"dimensionless\", but series \"power\" has \"kW\"",
        Some(A_UNIT_STAYS),
    ),
    (
        "create_series('pm25', U&'\\03BCg/m3')",
        "22023 \"unit\" is \"\u{3bc}g/m3\" (U+03BC U+0067 U+002F U+006D U+0033), but series \"pm25\" has \"\u{b5}g/m3\" (U+00B5 U+0067 U+002F U+006D U+0033)",
        Some(A_UNIT_STAYS),
    ),
    (
        "create_series(' wind')",
        "22023 \"name\" begins or ends with a blank",
        Some(TRIM),
    ),
    (
        "create_series(U&'wind\\200B')",
        "22023 \"name\" begins or ends with U+200B, which has no width",
        Some("No series has this key yet, and a new one may have no such character there."),
    ),
    (
        "create_series(E'wi\\nnd')",
        "22023 \"name\" contains the control character U+000A",
        Some(NEW_CHARACTER),
    ),
    (
        "upload_points(now(), '{wind,\"wind \",\" wind\"}', '{2025-01-01Z,2025-01-01Z,2025-01-01Z}', '{1,2,3}')",
        "22023 series_keys[1]: series key \"wind \" begins or ends with a blank (and 1 other row is bad)",
        Some(TRIM),
    ),
    (
        "upload_points(now(), '{wind,wind}', '{2025-01-01Z,2025-01-01Z}', '{1,2}')",
        "22023 valid_times[1]: gives the value of valid_times[0] again, of \"wind\" at 2025-01-01T00:00:00Z",
        Some(SESSION),
    ),
    (
        "upload_points(now(), '{wind,NULL,wind}', '{infinity,2025-01-01Z,NULL}', '{1,2,3}')",
        "22008 valid_times[0]: is infinite or out of range (and 2 other rows are bad)",
        Some("Times go from 4714 BC to the end of the year 9999."),
    ),
    (
        "count_points('{\"start\":\"2025-01-01\",\"values\":[9007199254740993]}')",
        "22P02 invalid text form of timedb.points: a value 9007199254740993 is beyond 2^53, where double precision is not exact at line 1 column 49",
        None,
    ),
    // The argument is json, which Postgres reads before timedb does.
    (
        "upload(now(), '[{\"valid_time\": \"2025-01-01Z\", \"value_key\": \"wind\", \"value\": NaN}]')",
        "22P02 invalid input syntax for type json\nDETAIL: Token \"NaN\" is invalid.",
        None,
    ),
];

/// Calls of an administrator.
const ADMINS_CALLS: &[Mistake] = &[(
    "list_audit(since => 'infinity')",
    "22008 \"since\" is infinite or out of range",
    Some("Leave it out: without it, all that is kept is listed."),
)];

/// Rows of an upload, after a good one.
const ROWS: &[Mistake] = &[
    (
        r#"{"valid_time": "2025-01-01T00:00:00Z", "value_key": "wind", "value": 2}"#,
        "22023 value_rows[1]: gives the value of value_rows[0] again, of \"wind\" at 2025-01-01T00:00:00Z",
        Some(UTC),
    ),
    (
        r#"{"valid_time": "2025-01-01T12:00:00[Europe/Berlin]"}"#,
        "22007 value_rows[1].valid_time: \"2025-01-01T12:00:00[Europe/Berlin]\" is not a timestamp",
        Some(ZONE_NAMES),
    ),
    (
        r#"{"valid_time": "2025-01-01 12:00:00 CET"}"#,
        "22007 value_rows[1].valid_time: \"2025-01-01 12:00:00 CET\" is not a timestamp",
        Some(ZONE_NAMES),
    ),
    (
        r#"{"valid_time": 1735732800000}"#,
        "22023 value_rows[1].valid_time: must be a timestamp in a string",
        Some(FROM_EPOCH),
    ),
    (
        r#"{"valid_time": "1735732800000"}"#,
        "22007 value_rows[1].valid_time: \"1735732800000\" is not a timestamp",
        Some(FROM_EPOCH),
    ),
    (
        r#"{"valid_time": "01.02.2025"}"#,
        "22007 value_rows[1].valid_time: \"01.02.2025\" is not a timestamp",
        Some(ISO),
    ),
    (
        r#"{"valid_time": "2025-01-01T00:00:00.123456789Z"}"#,
        "22007 value_rows[1].valid_time: \"2025-01-01T00:00:00.123456789Z\" has digits below a microsecond",
        Some(ROUND),
    ),
    (
        r#"{"valid_time": "2025-01-01T24:00:00Z"}"#,
        "22007 value_rows[1].valid_time: \"2025-01-01T24:00:00Z\" is not a timestamp",
        Some("Write 24:00 as 00:00 of the next day."),
    ),
    (
        r#"{"valid_time": "2025-01-01T23:59:60Z"}"#,
        "22007 value_rows[1].valid_time: \"2025-01-01T23:59:60Z\" is not a timestamp",
        Some("Minutes and seconds go from 00 to 59."),
    ),
    (
        r#"{"valid_time": "1/1/2025 5:00 PM"}"#,
        "22007 value_rows[1].valid_time: \"1/1/2025 5:00 PM\" is not a timestamp",
        Some(ISO),
    ),
    (
        r#"{"valid_time": "1735732800.5"}"#,
        "22007 value_rows[1].valid_time: \"1735732800.5\" is not a timestamp",
        Some(FROM_EPOCH),
    ),
    (
        r#"{"valid_time_end": "infinity"}"#,
        "22008 value_rows[1].valid_time_end: \"infinity\" is infinite",
        Some("Times go from 4714 BC to the end of the year 9999."),
    ),
    (
        r#"{"value": 9007199254740993}"#,
        "22003 value_rows[1].value: 9007199254740993 is beyond 2^53, where double precision is not exact",
        Some(ROUND_IT),
    ),
    (
        r#"{"valid_time": "2025-01-01T01:00:00Z", "value_key": "wind", "value": 100000000000000000000001}"#,
        "22003 value_rows[1].value: 100000000000000000000001 is beyond 2^53, where double precision is not exact",
        Some(ROUND_IT),
    ),
    (
        r#"{"valid_time": "2025-01-01T01:00:00Z", "value_key": "wind", "value": 1e-400}, {"value": 1e400}"#,
        "22003 value_rows[1].value: is out of range for type double precision (and 1 other row is bad)",
        None,
    ),
    (
        r#"{"known_time": "2025-01-01"}"#,
        "22023 value_rows[1].known_time: unknown field",
        Some(ONE_KNOWN_TIME),
    ),
    (
        r#"{"changed_by": "me"}"#,
        "22023 value_rows[1].changed_by: unknown field",
        Some(UPLOAD_HAS),
    ),
    (
        r#"{"series_key": "wind", "value_key": "wind"}"#,
        "22023 value_rows[1].value_key: means the same as \"series_key\"",
        None,
    ),
    (
        r#"{"valid_time": "2025-01-01T01:00:00Z", "series_key": "wi\u0007nd", "value": 2}"#,
        "22023 value_rows[1]: series key \"wi\\u{7}nd\" contains the control character U+0007",
        Some(NEW_CHARACTER),
    ),
    (
        r#"{"valid_time": "soon"}, 17, {"valid_time": "2025-01-02", "value_key": "sun", "value": 3}, {"tags": []}"#,
        "22007 value_rows[1].valid_time: \"soon\" is not a timestamp (and 2 other rows are bad)",
        Some(ISO),
    ),
];

/// Elements of an update.
const UPDATES: &[Mistake] = &[
    (
        r#"{"series_key": "wind"}"#,
        "22023 updates[0]: needs \"valid_time\"",
        None,
    ),
    (
        r#"{"known_time": "2025-01-01"}"#,
        "22023 updates[0].known_time: unknown field",
        Some(UPDATE_HAS),
    ),
    (
        r#"{"workflow_id": "nightly"}"#,
        "22023 updates[0].workflow_id: unknown field",
        Some(UPDATE_HAS),
    ),
    (
        r#"{"valid_time": 1735732800}"#,
        "22023 updates[0].valid_time: must be a timestamp in a string",
        Some(FROM_EPOCH),
    ),
    (
        r#"{"value": -9007199254740993}, {"value": 1e400}"#,
        "22003 updates[0].value: -9007199254740993 is beyond 2^53, where double precision is not exact (and 1 other row is bad)",
        Some(ROUND_IT),
    ),
    (
        r#"{"run_id": "018f3a2b-1c4d-7e5f-8a6b-9c0d1e2f3a4b", "series_id": "018f3a2b-1c4d-7e5f-8a6b-9c0d1e2f3a4c",
             "valid_time": "2025-01-01", "value": -1E-400}"#,
        "22003 updates[0].value: is out of range for type double precision",
        None,
    ),
];

fn client(database: &Database) -> Client {
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    assert_ordinary(&mut client);
    run(&mut client, "SELECT timedb.create_series('power', 'kW')");
    run(&mut client, "SELECT timedb.create_series('pm25', U&'\\00B5g/m3')");
    client
}

/// What differs from the table, all of it.
#[track_caller]
fn assert_told(client: &mut Client, mistakes: &[Mistake], sql: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for (sent, message, hint) in mistakes {
        let got = match client.batch_execute(&sql(sent)) {
            Ok(()) => "is taken".to_owned(),
            Err(error) => error.as_db_error().map_or_else(|| format!("{error:?}"), words),
        };
        let hint = hint.map(|hint| format!("\nHINT: {hint}"));
        let expected = format!("{message}{}", hint.unwrap_or_default());
        if got != expected {
            wrong.push(format!("{sent}\n  {got}\nexpected:\n  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn each_mistake_is_told_with_what_to_send_instead() {
    let database = Database::fresh("mistakes");
    let mut client = client(&database);
    assert_told(&mut client, CALLS, |call| format!("SELECT * FROM timedb.{call}"));
    let admin = database.create_user(Uuid::now_v7(), "admin@tenant-c.com", "admin");
    assert_told(&mut database.authenticated(&admin), ADMINS_CALLS, |call| {
        format!("SELECT * FROM timedb.{call}")
    });
    let good = r#"{"valid_time": "2025-01-01T00:00:00Z", "value_key": "wind", "value": 1}"#;
    let quoted = |text: &str| text.replace('\'', "''");
    assert_told(&mut client, ROWS, |row| {
        format!("SELECT timedb.upload(now(), '[{good}, {}]')", quoted(row))
    });
    assert_told(&mut client, UPDATES, |element| {
        format!("SELECT timedb.update('[{}]')", quoted(element))
    });
    // No further call helps.
    let many = format!(r#"{{"tags": ["a"{}]}}"#, r#", "a""#.repeat(100));
    let told = (many.as_str(), "54000 updates[0].tags: has more than 100 elements", None);
    assert_told(&mut client, &[told], |element| {
        format!("SELECT timedb.update('[{element}]')")
    });
    let stored: i64 = one(&mut database.admin(), "SELECT count(*) FROM timedb.runs");
    assert_eq!(stored, 0, "nothing of all that is stored");
}

fn stream(changed: (&str, ArrayRef)) -> Vec<u8> {
    stream_without(changed.0, changed)
}

/// Two rows with this column in place of the one of that name.
fn stream_without(left_out: &str, changed: (&str, ArrayRef)) -> Vec<u8> {
    let noon = 1_735_732_800_000_000_000;
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        (
            "valid_time",
            Arc::new(TimestampNanosecondArray::from(vec![noon, noon + 1000])),
        ),
        ("value", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
        ("value_key", Arc::new(StringArray::from(vec!["wind", "wind"]))),
    ];
    columns.retain(|(name, _)| *name != left_out);
    columns.push(changed);
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a stream");
    stream.write(&batch).expect("the batch is written");
    stream.into_inner().expect("the stream ends")
}

#[test]
fn each_mistake_in_a_frame_is_told_with_what_to_do_with_it() {
    let database = Database::fresh("mistakes in frames");
    let mut client = client(&database);
    let of = |array: &dyn Array| -> ArrayRef { arrow_array::make_array(array.to_data()) };
    let columns = "unknown column; an upload has valid_time, valid_time_end, value, value_key, series_key, labels, unit, series_id, annotation, tags";
    let cases = [
        (
            ("__index_level_0__", of(&Float64Array::from(vec![0.0, 1.0]))),
            format!("22023 stream.__index_level_0__: {columns}"),
            INDEX,
        ),
        (
            ("known_time", of(&TimestampNanosecondArray::from(vec![0, 0]))),
            format!("22023 stream.known_time: {columns}"),
            ONE_KNOWN_TIME,
        ),
        (
            ("run_id", of(&StringArray::from(vec!["a", "b"]))),
            format!("22023 stream.run_id: {columns}"),
            UPLOAD_HAS,
        ),
        (
            ("value", of(&BooleanArray::from(vec![true, false]))),
            "22023 stream.value: must be a column of numbers, not of type Bool".to_owned(),
            TO_DOUBLE,
        ),
        (
            ("valid_time", of(&TimestampNanosecondArray::from(vec![1, 2]))),
            "22007 stream[0].valid_time: has digits below a microsecond (and 1 other row is bad)".to_owned(),
            ROUND,
        ),
        (
            (
                "valid_time",
                of(&TimestampNanosecondArray::from(vec![3_600_000_000_000; 2])),
            ),
            "22023 stream[1]: gives the value of stream[0] again, of \"wind\" at 1970-01-01T01:00:00Z".to_owned(),
            UTC,
        ),
    ];
    for ((name, column), message, hint) in cases {
        let sent = stream((name, column));
        let error = client.execute("SELECT timedb.upload_arrow(now(), $1)", &[&sent]);
        let told = words(refused(error).error());
        assert_eq!(told, format!("{message}\nHINT: {hint}"));
    }
}

/// Series and runs that are not there, and another tenant's, which are told alike, in every form that rows come in.
#[test]
fn each_row_that_names_what_is_not_there_is_counted() {
    let stage = Stage::set("mistakes in names");
    let mut alice = stage.alice();
    let (hers, of_bob, of_nobody) = (stage.alices, stage.bobs, Uuid::now_v7());
    let row = |series: Uuid, at: i64| json!({"valid_time": hour(at).to_string(), "series_id": series.to_string(), "value": at});
    let mut rows = vec![
        row(hers.series_id, 1),
        row(of_bob.series_id, 1),
        value_row(" wind", hour(1), 1),
        row(of_nobody, 1),
        row(of_bob.series_id, 2),
    ];
    rows.push(row(hers.series_id, 2));
    rows[5]["value_key"] = json!("wind");
    let told = |error| words(refused::<()>(Err(error)).error());
    let error = try_upload(&mut alice, &json!(rows)).expect_err("five rows are bad");
    let absent = |path: &str, what: &str, name: &str| format!("42704 {path}: {what} \"{name}\" does not exist");
    let bobs = absent("value_rows[1].series_id", "series", &of_bob.series_id.to_string());
    assert_eq!(told(error), format!("{bobs} (and 4 other rows are bad)"));

    let ids = [hers.series_id, of_nobody].map(|id| id.to_string());
    let sent = stream_without(
        "value_key",
        ("series_id", Arc::new(StringArray::from(ids.to_vec())) as ArrayRef),
    );
    let in_frames = "SELECT timedb.upload_arrow(now(), $1)";
    let nobodys = absent("stream[1].series_id", "series", &ids[1]);
    assert_eq!(
        told(alice.execute(in_frames, &[&sent]).expect_err("it is refused")),
        nobodys
    );

    let change = |run, series| value_update(run, series, hour(0), json!({"annotation": "seen"}));
    let updates = json!([
        change(hers.run_id, hers.series_id),
        change(hers.run_id, of_bob.series_id),
        change(of_bob.run_id, of_bob.series_id),
        change(of_nobody, hers.series_id),
        change(hers.run_id, of_bob.series_id),
    ]);
    let error = try_update(&mut alice, &updates).expect_err("four elements are bad");
    let bobs = absent("updates[1].series_id", "series", &of_bob.series_id.to_string());
    assert_eq!(told(error), format!("{bobs} (and 3 other rows are bad)"));

    let at = |hours| value_update(hers.run_id, hers.series_id, hour(hours), json!({"annotation": "seen"}));
    let updates = json!([at(0), at(1), at(2), at(1)]);
    let error = try_update(&mut alice, &updates).expect_err("three elements are bad");
    let no_value = absent("updates[1]", "value", "2025-01-01T01:00:00Z");
    assert_eq!(told(error), format!("{no_value} (and 2 other rows are bad)"));
    stage.assert_alice(&mut alice);
}

#[test]
fn what_a_read_answered_is_taken_back_once_its_columns_are_selected() {
    let database = Database::fresh("taken back");
    let mut client = client(&database);
    upload(&mut client, &json!([value_row("wind", hour(1), 21)]));
    let sql = "SELECT series_ids::text FROM timedb.upload(now(), (
                 SELECT json_agg(r) FROM (SELECT valid_time, valid_time_end, series_key, series_id, value
                                          FROM timedb.read()) r))";
    let ids: String = one(&mut client, sql);
    assert!(ids.starts_with("{\"wind\":"), "{ids}");
}

#[test]
fn a_series_is_found_by_its_key_as_it_was_sent_and_then_in_normal_form() {
    let database = Database::fresh("normal forms");
    let mut client = client(&database);
    let (composed, apart) = ("S\u{fc}d", "Su\u{308}d");
    let made = upload(&mut client, &json!([value_row(apart, hour(0), 1)]));
    assert_eq!(
        made.series_ids,
        upload(&mut client, &json!([value_row(apart, hour(1), 2)])).series_ids
    );
    let id = made.series(apart);
    assert_eq!(
        upload(&mut client, &json!([value_row(composed, hour(2), 3)])).series(composed),
        id
    );
    let stored: String = one(
        &mut client,
        "SELECT series_key FROM timedb.list_series() WHERE series_key LIKE 'S%'",
    );
    assert_eq!(stored, composed, "a new series has its key in normal form");

    for key in [composed, apart] {
        let count = client.query_one(
            "SELECT count(DISTINCT valid_time) FROM timedb.read(series_keys => $1, end_valid => '2025-01-01T03:00Z')",
            &[&vec![key]],
        );
        assert_eq!(count.expect("a read").get::<_, i64>(0), 3, "{key}");
        let same = client.query_one("SELECT timedb.create_series($1)", &[&key]);
        assert_eq!(same.expect("the series").get::<_, Uuid>(0), id);
        let both =
            json!([{"valid_time": hour(3).to_string(), "value_key": key, "series_id": id.to_string(), "value": 4}]);
        try_upload(&mut client, &both).expect("key and id agree");
        let described = "SELECT timedb.upload(now(), $1, series_descriptions => $2)";
        let rows = json!([value_row(composed, hour(4), 5)]);
        client
            .execute(described, &[&rows, &json!({key: "of the south"})])
            .expect("a description");
    }
    // Two spellings in one call are one series, and so a value given twice.
    let twice = json!([value_row(composed, hour(9), 1), value_row(apart, hour(9), 2)]);
    refused(try_upload(&mut client, &twice))
        .code("22023")
        .message_contains("gives the value of value_rows[0] again");
    let both = client.query_one(
        "SELECT count(DISTINCT series_id) FROM timedb.read(series_keys => $1)",
        &[&vec![composed, apart, "power"]],
    );
    assert_eq!(both.expect("a read").get::<_, i64>(0), 1);
}

#[test]
fn two_spellings_of_one_key_in_an_upload_are_both_answered_and_told_where_they_clash() {
    let database = Database::fresh("two spellings");
    let mut client = client(&database);
    let (composed, apart) = ("S\u{fc}d", "Su\u{308}d");
    let both = json!([
        value_row(apart, hour(0), 1),
        value_row("wind", hour(0), 1),
        value_row(composed, hour(1), 2)
    ]);
    let uploaded = upload(&mut client, &both);
    assert_eq!(uploaded.series(composed), uploaded.series(apart));
    let order = "SELECT series_ids::text FROM timedb.upload(now(), $1)";
    let order: String = client.query_one(order, &[&both]).expect("an upload").get(0);
    let places = [apart, composed, "wind"].map(|name| order.find(name).expect("a name"));
    assert!(places.is_sorted(), "{order}");

    let sql = "SELECT timedb.upload(now(), $1, series_descriptions => $2)";
    let clash = |rows: &serde_json::Value, descriptions: serde_json::Value, client: &mut Client| {
        words(refused(client.execute(sql, &[rows, &descriptions])).error())
    };
    const ONE_KEY: &str = "HINT: The two are one key in Unicode's normal form C, and so name one series.";
    let again = json!([value_row(composed, hour(0), 1), value_row(apart, hour(0), 2)]);
    let message =
        "22023 value_rows[1]: gives the value of value_rows[0] again, of \"S\u{fc}d\" at 2025-01-01T00:00:00Z";
    assert_eq!(clash(&again, json!({}), &mut client), format!("{message}\n{ONE_KEY}"));
    // In one spelling it is a time that comes twice, whatever the other one gives.
    let twice = json!([
        value_row(composed, hour(0), 1),
        value_row(composed, hour(0), 1),
        value_row(apart, hour(1), 2)
    ]);
    assert_eq!(clash(&twice, json!({}), &mut client), format!("{message}\nHINT: {UTC}"));
    let message = r#"22023 "series_descriptions" has two texts for one series, by "Su\u{308}d" and "Süd""#;
    let two = json!({composed: "of one", apart: "of the other"});
    assert_eq!(clash(&both, two, &mut client), format!("{message}\n{ONE_KEY}"));
    let same = json!({composed: "the same", apart: "the same"});
    client.execute(sql, &[&both, &same]).expect("the same text twice");
    let stored = "SELECT description FROM timedb.list_series() WHERE series_key = U&'S\\00FCd'";
    assert_eq!(one::<String>(&mut client, stored), "the same");
}

/// As a database has it that comes from 0.1.0.
#[test]
fn a_series_whose_key_is_in_no_normal_form_is_found_as_it_is() {
    let database = Database::fresh("other forms");
    let mut client = client(&database);
    let (composed, apart) = ("S\u{fc}d", "Su\u{308}d");
    upload(
        &mut client,
        &json!([value_row("old", hour(0), 1), value_row("older", hour(0), 2)]),
    );
    let mut admin = database.admin();
    let rename = "UPDATE timedb.series SET series_key = $2 WHERE series_key = $1";
    admin.execute(rename, &[&"old", &apart]).expect("an old key");
    admin.execute(rename, &[&"older", &" blank\t"]).expect("another");
    let mut ids = |key: &str| upload(&mut client, &json!([value_row(key, hour(1), 2)])).series(key);
    assert_eq!(ids(" blank\t"), ids(" blank\t"));
    let old = ids(apart);
    let new = ids(composed);
    assert_ne!(old, new, "what is sent is what is meant, where it is there");
    assert_eq!((ids(apart), ids(composed)), (old, new));
    for (key, id) in [(composed, new), (apart, old)] {
        let found = client.query(
            "SELECT DISTINCT series_id FROM timedb.read(series_keys => $1)",
            &[&vec![key]],
        );
        let found: Vec<Uuid> = found.expect("a read").iter().map(|row| row.get(0)).collect();
        assert_eq!(found, [id]);
        let made = client
            .query_one("SELECT timedb.create_series($1)", &[&key])
            .expect("the series");
        assert_eq!(made.get::<_, Uuid>(0), id);
    }
}

#[test]
fn without_a_unit_a_series_is_taken_as_it_is() {
    let database = Database::fresh("no unit");
    let mut client = client(&database);
    let mut same = |arguments: &str| {
        let sql = format!("SELECT timedb.create_series('power', 'kW') = timedb.create_series({arguments})");
        assert!(one::<bool>(&mut client, &sql), "{arguments}");
    };
    same("'power'");
    same("'power', NULL, NULL, NULL");
    same("'power', ''");
    same("'power', labels => 'null'");
    run(&mut client, "SELECT timedb.create_series('new')");
    let units: String = one(
        &mut client,
        "SELECT unit FROM timedb.list_series() WHERE series_key = 'new'",
    );
    assert_eq!(units, "dimensionless");
}

#[test]
fn a_text_of_blanks_is_none_wherever_a_text_may_be_left_out() {
    let database = Database::fresh("blank texts");
    let alice = database.create_user(Uuid::now_v7(), "alice@tenant-a.com", "admin");
    let mut client = database.authenticated(&alice);
    let described = "SELECT description FROM timedb.list_series() WHERE series_key = 'd'";
    for blank in ["''", "' '", "NULL"] {
        run(
            &mut client,
            &format!("SELECT timedb.create_series('d', description => {blank})"),
        );
        assert_eq!(one::<Option<String>>(&mut client, described), None);
    }
    run(&mut client, "SELECT timedb.create_series('d', ' ', 'a real one')");
    run(
        &mut client,
        "SELECT timedb.create_series('d', description => 'another')",
    );
    assert_eq!(
        one::<Option<String>>(&mut client, described).as_deref(),
        Some("a real one")
    );
    let unit = "SELECT unit FROM timedb.list_series() WHERE series_key = 'd'";
    assert_eq!(one::<String>(&mut client, unit), "dimensionless");

    let rows = json!([value_row("e", hour(0), 1)]);
    let upload = "SELECT timedb.upload(now(), $1, series_descriptions => $2, workflow_id => $3)";
    for (descriptions, workflow) in [
        (json!({"e": ""}), ""),
        (json!({"e": null, "d": null}), " "),
        (json!(null), "nightly"),
        (json!({"e": "of e"}), ""),
        (json!({"e": "another"}), ""),
    ] {
        client
            .execute(upload, &[&rows, &descriptions, &workflow])
            .expect("an upload");
    }
    let of_e = "SELECT description FROM timedb.list_series() WHERE series_key = 'e'";
    assert_eq!(one::<Option<String>>(&mut client, of_e).as_deref(), Some("of e"));
    let workflows = "SELECT string_agg(workflow_id, ',' ORDER BY inserted_at) FROM timedb.runs";
    let of_runs: String = one(&mut client, workflows);
    assert_eq!(of_runs, "api-workflow,api-workflow,nightly,api-workflow,api-workflow");

    run(
        &mut client,
        "SELECT timedb.create_key('alice@tenant-a.com', name => ' ')",
    );
    let named: i64 = one(&mut client, "SELECT count(name) FROM timedb.list_keys()");
    assert_eq!(named, 0);
}

/// Before, a description of blanks was stored, and then was the first.
#[test]
fn a_description_of_blanks_that_is_stored_makes_room_for_a_real_one() {
    let database = Database::fresh("stored blanks");
    let mut client = client(&database);
    upload(
        &mut client,
        &json!([value_row("a", hour(0), 1), value_row("b", hour(0), 1)]),
    );
    run(
        &mut database.admin(),
        "UPDATE timedb.series SET description = E' \\n' WHERE series_key IN ('a', 'b')",
    );
    run(&mut client, "SELECT timedb.create_series('a', description => 'of a')");
    let sql = "SELECT timedb.upload(now(), $1, series_descriptions => $2)";
    let rows = json!([value_row("b", hour(0), 1)]);
    client.execute(sql, &[&rows, &json!({"b": "of b"})]).expect("an upload");
    let texts: String = one(
        &mut client,
        "SELECT string_agg(description, ',' ORDER BY series_key) FROM timedb.list_series()",
    );
    assert_eq!(texts, "of a,of b");
}

#[test]
fn a_null_in_a_row_is_the_same_as_nothing_but_where_it_says_something() {
    let database = Database::fresh("nulls in rows");
    let mut client = client(&database);
    let row =
        |series: &str| format!(r#"[{{"valid_time": "2025-01-01", "valid_time_end": null, "value": null, {series}}}]"#);
    for series in [r#""value_key": "wind", "series_id": null"#, r#""series_key": "wind""#] {
        run(&mut client, &format!("SELECT timedb.upload(now(), '{}')", row(series)));
    }
    let uploaded = upload(&mut client, &json!([value_row("sun", hour(0), 1)]));
    let (run_id, sun) = (uploaded.run_id, uploaded.series("sun"));
    let say = |fields| json!([value_update(run_id, sun, hour(0), fields)]);
    let said = json!({"value": 5, "annotation": "a", "tags": ["t"], "valid_time_end": null});
    assert_eq!(update(&mut client, &say(said)), ["updated"]);
    let unsaid = json!({"value": null, "annotation": null, "tags": null});
    assert_eq!(update(&mut client, &say(unsaid)), ["updated"]);
    let left: i64 = one(
        &mut client,
        "SELECT count(*) FROM timedb.read(series_keys => '{sun}') WHERE value IS NULL AND annotation IS NULL AND tags IS NULL",
    );
    assert_eq!(left, 1);
}
