//! Uploads of many runs in one call: one for each known time and workflow.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_ipc::writer::StreamWriter;
use jiff::Timestamp;
use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Database, one, refused, run};
use uuid::Uuid;

use crate::support::{hour, row_counts, value_row};

#[derive(Debug, PartialEq)]
struct Run {
    id: Option<Uuid>,
    known: Timestamp,
    workflow: String,
    values: i64,
    skipped: i64,
}

fn try_upload_runs(client: &mut Client, rows: &Value, arguments: &str) -> Result<Vec<Run>, postgres::Error> {
    let sql =
        format!("SELECT run_id, known_time, workflow_id, value_count, skipped FROM timedb.upload_runs($1 {arguments})");
    let rows = client.query(&sql, &[rows])?;
    let of = |row: &postgres::Row| Run {
        id: row.get(0),
        known: row.get(1),
        workflow: row.get(2),
        values: row.get(3),
        skipped: row.get(4),
    };
    Ok(rows.iter().map(of).collect())
}

#[track_caller]
fn upload_runs(client: &mut Client, rows: &Value, arguments: &str) -> Vec<Run> {
    try_upload_runs(client, rows, arguments).unwrap_or_else(|error| panic!("the upload fails: {error:?}"))
}

/// A row known at one hour, of another.
fn known(known: i64, valid: i64, value: f64) -> Value {
    let mut row = value_row("wind", hour(valid), value);
    row["known_time"] = json!(hour(known).to_string());
    row
}

fn of_workflow(mut row: Value, workflow: &str) -> Value {
    row["workflow_id"] = json!(workflow);
    row
}

/// Each value with when it was known.
fn read(client: &mut Client, mode: &str) -> Vec<(Timestamp, Timestamp, f64)> {
    let sql = format!("SELECT valid_time, known_time, value FROM timedb.read(mode => '{mode}')");
    let rows = client.query(&sql, &[]).expect("it reads");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[test]
fn there_is_a_run_for_each_known_time_and_workflow_with_ids_in_the_order_of_their_first_rows() {
    let database = Database::fresh("runs by known time");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let rows = json!([
        known(2, 10, 1.0),
        known(1, 10, 2.0),
        of_workflow(known(2, 10, 3.0), "other"),
        known(2, 11, 4.0),
        value_row("wind", hour(10), 5.0),
        of_workflow(known(3, 11, 6.0), " "),
        value_row("load", hour(10), 7.0),
    ]);
    let runs = upload_runs(
        &mut client,
        &rows,
        ", known_time => '2025-01-01 03:00Z', workflow_id => 'daily'",
    );
    let shown: Vec<_> = runs
        .iter()
        .map(|run| (run.known, run.workflow.as_str(), run.values, run.skipped))
        .collect();
    let expected = [
        (hour(1), "daily", 1, 0),
        (hour(2), "daily", 2, 0),
        (hour(2), "other", 1, 0),
        (hour(3), "daily", 3, 0),
    ];
    assert_eq!(shown, expected);
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id.expect("it is made")).collect();
    assert!(ids[1] < ids[0] && ids[0] < ids[2] && ids[2] < ids[3], "{ids:?}");
    let flat = read(&mut client, "flat");
    let values: Vec<_> = flat
        .iter()
        .map(|(valid, known, value)| (*valid, *known, *value))
        .collect();
    let expected = [
        (hour(10), hour(3), 7.0),
        (hour(10), hour(3), 5.0),
        (hour(11), hour(3), 6.0),
    ];
    assert_eq!(values, expected);
    assert_eq!(read(&mut client, "overlapping").len(), 7);
    // All of one reading of the clock; each starts when it was known.
    let sql = "SELECT count(DISTINCT inserted_at), bool_and(run_start_time = known_time), count(*) FROM timedb.runs";
    let row = database.admin().query_one(sql, &[]).expect("the runs");
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, bool>(1), row.get::<_, i64>(2)),
        (1, true, 4)
    );
    let before = read(&mut client, "overlapping");
    run(&mut client, "SELECT timedb.compact(older_than => '-1 day')");
    assert_eq!(read(&mut client, "overlapping"), before);
}

#[test]
fn rows_of_one_run_that_give_a_value_twice_are_refused_and_those_of_two_are_not() {
    let database = Database::fresh("runs and repeats");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let rows = json!([
        known(1, 10, 1.0),
        known(2, 10, 2.0),
        of_workflow(known(2, 10, 3.0), "other")
    ]);
    let runs = upload_runs(&mut client, &rows, "");
    let counts: Vec<_> = runs
        .iter()
        .map(|run| (run.known, run.workflow.as_str(), run.values))
        .collect();
    assert_eq!(
        counts,
        [
            (hour(1), "api-workflow", 1),
            (hour(2), "api-workflow", 1),
            (hour(2), "other", 1)
        ]
    );
    assert_eq!(read(&mut client, "flat"), [(hour(10), hour(2), 3.0)]);
    assert_eq!(read(&mut client, "overlapping").len(), 3);
    let before = row_counts(&mut database.admin());
    let rows = json!([known(1, 10, 1.0), known(2, 10, 2.0), known(1, 10, 3.0)]);
    refused(try_upload_runs(&mut client, &rows, ""))
        .code("22023")
        .message_contains("value_rows[2]: gives the value of value_rows[0] again");
    assert_eq!(row_counts(&mut database.admin()), before);
}

#[test]
fn what_the_call_says_is_of_each_run_and_a_run_known_at_no_time_is_known_now() {
    let database = Database::fresh("runs and the call");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let rows = json!([known(1, 10, 1.0), value_row("wind", hour(10), 2.0)]);
    let arguments = ", run_start_time => '2025-01-01 06:00Z', run_finish_time => '2025-01-01 07:00Z', \
                     run_params => '{\"a\": 1}', series_descriptions => '{\"wind\": \"of the north\"}'";
    let runs = upload_runs(&mut client, &rows, arguments);
    assert_eq!((runs.len(), runs[0].known), (2, hour(1)));
    let sql = "SELECT count(*) FROM timedb.runs WHERE run_start_time = '2025-01-01 06:00Z' \
               AND run_finish_time = '2025-01-01 07:00Z' AND run_params = '{\"a\": 1}'";
    assert_eq!(one::<i64>(&mut database.admin(), sql), 2);
    let sql = "SELECT count(*) FROM timedb.runs WHERE known_time = inserted_at";
    assert_eq!(one::<i64>(&mut database.admin(), sql), 1);
    let description: String = one(&mut client, "SELECT description FROM timedb.list_series()");
    assert_eq!(description, "of the north");
    assert!(upload_runs(&mut client, &json!([]), "").is_empty());
}

#[test]
fn bad_runs_are_refused_by_row_and_field_and_nothing_is_stored() {
    let database = Database::fresh("bad runs");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let before = row_counts(&mut database.admin());
    let with = |field: &str, value: Value| {
        let mut row = known(1, 10, 1.0);
        row[field] = value;
        row
    };
    for (row, code, message) in [
        (with("known_time", json!("soon")), "22007", "value_rows[1].known_time: "),
        (
            with("known_time", json!("infinity")),
            "22008",
            "value_rows[1].known_time: ",
        ),
        (
            with("known_time", json!(7)),
            "22023",
            "value_rows[1].known_time: must be a timestamp in a string",
        ),
        (
            with("workflow_id", json!(7)),
            "22023",
            "value_rows[1].workflow_id: must be a string",
        ),
        (
            with("workflow_id", json!("w".repeat(501))),
            "54000",
            "value_rows[1].workflow_id: is longer than 500 bytes",
        ),
        (
            with("run_start_time", json!("2025-01-01")),
            "22023",
            "value_rows[1].run_start_time: unknown field",
        ),
    ] {
        let rows = json!([known(1, 9, 1.0), row]);
        refused(try_upload_runs(&mut client, &rows, ""))
            .code(code)
            .message_contains(message);
    }
    refused(client.query("SELECT timedb.upload_runs(NULL)", &[]))
        .code("22004")
        .message("\"value_rows\" must not be null");
    refused(client.query("SELECT timedb.upload_runs_arrow(NULL)", &[]))
        .code("22004")
        .message("\"stream\" must not be null");
    let call = "SELECT timedb.upload_runs('[]', run_start_time => 'infinity')";
    refused(client.query(call, &[]))
        .code("22008")
        .message("\"run_start_time\" is infinite or out of range");
    let one_run = json!([known(1, 10, 1.0)]);
    refused(crate::support::try_upload(&mut client, &one_run))
        .code("22023")
        .message("value_rows[0].known_time: unknown field")
        .hint_contains("upload_runs");
    assert_eq!(row_counts(&mut database.admin()), before);
}

/// So many runs of so many values each, hour by hour.
fn year(runs: usize, values: usize) -> Vec<u8> {
    let micros = |hours: usize| hour(hours as i64).as_microsecond();
    let each = || (0..runs).flat_map(|run| (0..values).map(move |value| (run, value)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "known_time",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                each().map(|(run, _)| micros(run)),
            )),
        ),
        (
            "valid_time",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                each().map(|(run, value)| micros(run + value)),
            )),
        ),
        (
            "value",
            Arc::new(Float64Array::from_iter_values(
                each().map(|(run, value)| (run * value) as f64),
            )),
        ),
        (
            "value_key",
            Arc::new(StringArray::from_iter_values(each().map(|_| "wind"))),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns");
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a schema");
    stream.write(&batch).expect("a batch");
    stream.into_inner().expect("a stream")
}

#[test]
fn a_stream_of_many_runs_is_stored_in_one_call() {
    let database = Database::fresh("a stream of runs");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let begun = std::time::Instant::now();
    let sql = "SELECT count(*), sum(value_count)::int8, count(DISTINCT run_id) FROM timedb.upload_runs_arrow($1)";
    let row = client.query_one(sql, &[&year(8760, 48)]).expect("a year is taken");
    eprintln!("8,760 runs of 48 values: {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)),
        (8760, 420_480, 8760)
    );
    let shown: (i64, i64) = {
        let row = client
            .query_one("SELECT count(*), sum(value)::int8 FROM timedb.read()", &[])
            .expect("it reads");
        (row.get(0), row.get(1))
    };
    // Each value but the last ones is that of the run known last: its first.
    let last: usize = (0..48).map(|value| 8759 * value).sum();
    assert_eq!(shown, (8760 + 47, last as i64));
}

#[test]
fn more_runs_than_a_call_takes_are_refused() {
    let database = Database::fresh("too many runs");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    refused(client.query("SELECT timedb.upload_runs_arrow($1)", &[&year(100_001, 1)]))
        .code("54000")
        .message("stream[100000]: is of more than 100000 runs");
    assert_eq!(one::<i64>(&mut database.admin(), "SELECT count(*) FROM timedb.runs"), 0);
}
