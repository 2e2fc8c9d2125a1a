//! Arrow over the wire, written and read by the format's own library: `read_arrow` is `read`, in one stream or in batches,
//! and `upload_arrow` is `upload`, whatever the values and whatever is wrong with them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampSecondArray,
};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use jiff::Timestamp;
use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Database, KEY_NEEDED, assert_ordinary, cancelled, once_under_way, one, refused, run};
use uuid::Uuid;

use crate::support::{Uploaded, hour, row_counts, try_upload, update, upload, value_row, value_update};

/// A row of a read; times in microseconds since 1970, values bit for bit.
#[derive(Debug, PartialEq)]
pub struct Row {
    pub known_time: i64,
    pub valid_time: i64,
    pub valid_time_end: Option<i64>,
    pub series_id: String,
    pub series_key: String,
    pub unit: String,
    pub value: Option<u64>,
    pub run_id: String,
    pub change_time: i64,
    pub changed_by: String,
    pub annotation: Option<String>,
    pub tags: Option<Vec<String>>,
    pub labels: Value,
}

#[track_caller]
fn read(client: &mut Client, arguments: &str) -> Vec<Row> {
    rows_from(client, &format!("timedb.read({arguments})"))
}

/// The rows of a function that answers such as `read` does.
#[track_caller]
pub fn rows_from(client: &mut Client, source: &str) -> Vec<Row> {
    let rows = client.query(&format!("SELECT * FROM {source}"), &[]);
    let micros = |row: &postgres::Row, column| row.get::<_, Timestamp>(column).as_microsecond();
    let shown = |row: &postgres::Row| Row {
        known_time: micros(row, "known_time"),
        valid_time: micros(row, "valid_time"),
        valid_time_end: row
            .get::<_, Option<Timestamp>>("valid_time_end")
            .map(Timestamp::as_microsecond),
        series_id: row.get::<_, Uuid>("series_id").to_string(),
        series_key: row.get("series_key"),
        unit: row.get("unit"),
        value: row.get::<_, Option<f64>>("value").map(f64::to_bits),
        run_id: row.get::<_, Uuid>("run_id").to_string(),
        change_time: micros(row, "change_time"),
        changed_by: row.get("changed_by"),
        annotation: row.get("annotation"),
        tags: row.get("tags"),
        labels: row.get("labels"),
    };
    rows.unwrap_or_else(|error| panic!("{source}: {error:?}"))
        .iter()
        .map(shown)
        .collect()
}

#[track_caller]
fn read_arrow(client: &mut Client, arguments: &str) -> Vec<RecordBatch> {
    let stream: Vec<u8> = one(client, &format!("SELECT timedb.read_arrow({arguments})"));
    record_batches(&stream)
}

#[track_caller]
fn record_batches(stream: &[u8]) -> Vec<RecordBatch> {
    let reader = StreamReader::try_new(stream, None).expect("a stream");
    reader.map(|batch| batch.expect("a batch")).collect()
}

/// Those of a stream.
#[track_caller]
pub fn rows_of(stream: &[u8]) -> Vec<Row> {
    rows(&record_batches(stream))
}

fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let of_batch = |batch: &RecordBatch| -> Vec<Row> { (0..batch.num_rows()).map(|row| row_of(batch, row)).collect() };
    batches.iter().flat_map(of_batch).collect()
}

fn row_of(batch: &RecordBatch, row: usize) -> Row {
    let of = |name: &str| {
        let column = batch.column_by_name(name).expect("the column");
        column.is_valid(row).then_some(column)
    };
    let micros = |name| Some(of(name)?.as_primitive::<TimestampMicrosecondType>().value(row));
    let text = |name| {
        let texts = of(name)?.as_dictionary::<Int32Type>();
        let number = texts.key(row).expect("a number");
        Some(texts.values().as_string::<i32>().value(number).to_owned())
    };
    let tags = || {
        let tags = of("tags")?.as_list::<i32>().value(row);
        let tags = tags.as_string::<i32>().iter();
        Some(tags.map(|tag| tag.expect("a tag").to_owned()).collect())
    };
    let needed = "what is never null";
    Row {
        known_time: micros("known_time").expect(needed),
        valid_time: micros("valid_time").expect(needed),
        valid_time_end: micros("valid_time_end"),
        series_id: text("series_id").expect(needed),
        series_key: text("series_key").expect(needed),
        unit: text("unit").expect(needed),
        value: of("value").map(|values| values.as_primitive::<Float64Type>().value(row).to_bits()),
        run_id: text("run_id").expect(needed),
        change_time: micros("change_time").expect(needed),
        changed_by: text("changed_by").expect(needed),
        annotation: text("annotation"),
        tags: tags(),
        labels: serde_json::from_str(&text("labels").expect(needed)).expect("JSON"),
    }
}

/// A float that JSON cannot say: a NaN with more in it.
const ODD_NAN: u64 = 0x7ff8_0000_0000_0001;

/// Values of every kind in several series and runs, some of them updated, annotated, tagged, packed.
fn fill(client: &mut Client) -> (Uuid, Uuid) {
    let labelled: Uuid = one(
        client,
        r#"SELECT timedb.create_series('wind', 'm/s', labels => '{"site": "nörth"}')"#,
    );
    let values = vec![
        Some(f64::from_bits(ODD_NAN)),
        Some(-0.0),
        None,
        Some(f64::INFINITY),
        Some(5e-324),
    ];
    let times: Vec<Timestamp> = (0..5).map(hour).collect();
    let sql =
        "SELECT timedb.upload_points(now(), array_fill('wind'::text, ARRAY[5]), $1, $2, known_time => '2024-12-31')";
    client.execute(sql, &[&times, &values]).expect("an upload");
    let interval = |from, to, value: Value| {
        json!({"valid_time": hour(from).to_string(), "valid_time_end": hour(to).to_string(), "value_key": "ä \"heat\"",
               "value": value})
    };
    let uploaded = upload(
        client,
        &json!([
            value_row("wind", hour(1), "-Infinity"),
            value_row("ä \"heat\"", hour(1), 20.5),
            interval(1, 2, json!(1e300)),
            interval(1, 3, Value::Null),
            {"valid_time": hour(9).to_string(), "series_id": labelled.to_string(), "value": 9},
        ]),
    );
    let (run_id, heat) = (uploaded.run_id, uploaded.series("ä \"heat\""));
    let change = |fields| value_update(run_id, heat, hour(1), fields);
    update(client, &json!([change(json!({"annotation": "of\ntwo lines"}))]));
    run(client, "SELECT timedb.compact(older_than => '0')");
    update(client, &json!([change(json!({"tags": ["ü", "a, {b}"]}))]));
    update(
        client,
        &json!([change(json!({"value": 21, "annotation": null, "tags": ["x"]}))]),
    );
    (run_id, heat)
}

#[test]
fn read_arrow_has_the_rows_of_read_in_their_order_with_every_argument() {
    let database = Database::fresh("read_arrow is read");
    let (alice, bob) = database.two_tenants();
    upload(
        &mut database.authenticated(&bob),
        &json!([value_row("wind", hour(1), 99)]),
    );
    let mut client = database.authenticated(&alice);
    assert_ordinary(&mut client);
    let (_, heat) = fill(&mut client);
    let moment = "as_of => (SELECT percentile_disc(0.6) WITHIN GROUP (ORDER BY change_time) FROM timedb.versions)";
    let mut most = 0;
    for arguments in [
        String::new(),
        "all_versions => true".into(),
        "mode => 'overlapping'".into(),
        "mode => 'overlapping', all_versions => true".into(),
        "'2025-01-01 01:00', '2025-01-01 03:00'".into(),
        "end_known => '2025-01-01'".into(),
        "start_known => '2025-01-01', all_versions => true".into(),
        "series_keys => '{wind}'".into(),
        format!("series_ids => '{{{heat}}}', all_versions => true"),
        format!("mode => 'overlapping', all_versions => true, {moment}"),
        "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL".into(),
    ] {
        let expected = read(&mut client, &arguments);
        assert!(!expected.is_empty(), "the premise: {arguments}");
        most = most.max(expected.len());
        let batches = read_arrow(&mut client, &arguments);
        assert_eq!(rows(&batches), expected, "{arguments}");
    }
    assert!(most > 10, "the premise: {most} rows");
    let odd = |row: &Row| row.value == Some(ODD_NAN);
    let negative_zero = |row: &Row| row.value == Some((-0.0f64).to_bits());
    let all = rows(&read_arrow(&mut client, "mode => 'overlapping'"));
    assert!(all.iter().any(odd) && all.iter().any(negative_zero));
    assert!(all.iter().any(|row| row.value.is_none()));

    for call in ["read", "read_arrow"] {
        let bad = client.execute(&format!("SELECT timedb.{call}(mode => 'newest')"), &[]);
        refused(bad)
            .code("22023")
            .message("\"mode\" must be \"flat\" or \"overlapping\"");
        let null = client.execute(&format!("SELECT timedb.{call}(series_ids => '{{NULL}}')"), &[]);
        refused(null)
            .code("22004")
            .message("\"series_ids\" must not contain null");
    }
}

#[track_caller]
fn batches_of(client: &mut Client, arguments: &str) -> Vec<Vec<RecordBatch>> {
    let sql = format!("SELECT batch FROM timedb.read_arrow_batches({arguments}) AS batch");
    let answer = client.query(&sql, &[]);
    let batches = answer.unwrap_or_else(|error| panic!("{arguments}: {error:?}"));
    batches.iter().map(|row| record_batches(row.get(0))).collect()
}

/// How many series EXPLAIN ANALYZE says that the node has looked at; none where there is no node.
#[track_caller]
fn series_looked_at(client: &mut Client, sql: &str) -> Option<i64> {
    let plan: Value = one(client, &format!("EXPLAIN (ANALYZE, FORMAT json, TIMING off) {sql}"));
    fn find(plan: &Value) -> Option<i64> {
        match plan {
            Value::Array(parts) => parts.iter().find_map(find),
            Value::Object(node) => match node.get("Series") {
                Some(count) => count.as_i64(),
                None => node.values().find_map(find),
            },
            _ => None,
        }
    }
    find(&plan)
}

#[test]
fn batches_have_the_rows_of_read_in_their_order_and_no_more_of_them_than_asked_for() {
    let database = Database::fresh("batches are read");
    let (alice, bob) = database.two_tenants();
    fill(&mut database.authenticated(&bob));
    let mut client = database.authenticated(&alice);
    assert_ordinary(&mut client);
    fill(&mut client);
    for arguments in [
        "mode => 'overlapping', all_versions => true",
        "mode => 'flat'",
        "'2025-01-01 01:00', '2025-01-01 03:00'",
        "series_keys => '{wind}'",
    ] {
        let expected = read(&mut client, arguments);
        assert!(expected.len() > 2, "the premise: {arguments}");
        for most in [1, 2, 3, 7, expected.len(), 1_000_000] {
            for scan in ["on", "off"] {
                run(&mut client, &format!("SET timedb.enable_scan = {scan}"));
                let batches = batches_of(&mut client, &format!("{arguments}, max_rows => {most}"));
                let lengths: Vec<usize> = batches.iter().map(|batch| rows(batch).len()).collect();
                let full = expected.len() / most;
                let rest = [expected.len() % most];
                let rest: &[usize] = if rest == [0] { &[] } else { &rest };
                let wanted = [vec![most; full], rest.to_vec()].concat();
                assert_eq!(lengths, wanted, "{arguments}, {most} rows, scan {scan}");
                assert_eq!(
                    rows(&batches.concat()),
                    expected,
                    "{arguments}, {most} rows, scan {scan}"
                );
            }
        }
        run(&mut client, "RESET timedb.enable_scan");
        let whole = batches_of(&mut client, arguments);
        assert_eq!(whole, [read_arrow(&mut client, arguments)], "{arguments}");
    }
}

#[test]
fn batches_of_no_rows_are_one_with_the_columns_all_the_same() {
    let database = Database::fresh("batches of nothing");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    fill(&mut client);
    let none = "series_keys => '{}'";
    let expected = read_arrow(&mut client, none);
    assert_eq!(expected.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [0]);
    for scan in ["on", "off"] {
        run(&mut client, &format!("SET timedb.enable_scan = {scan}"));
        assert_eq!(batches_of(&mut client, none), std::slice::from_ref(&expected));
    }
}

#[test]
fn batches_are_a_node_that_looks_at_no_more_series_than_were_fetched() {
    let database = Database::fresh("batches node");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let some: Vec<Value> = (0..40)
        .map(|n| value_row(&format!("s{}", n / 2), hour(n % 2), n))
        .collect();
    upload(&mut client, &Value::Array(some));
    let all = "SELECT * FROM timedb.read_arrow_batches(max_rows => 3) AS batch";
    assert_eq!(series_looked_at(&mut client, all), Some(20));
    assert_eq!(series_looked_at(&mut client, &format!("{all} LIMIT 1")), Some(2));
    assert_eq!(series_looked_at(&mut client, &format!("{all} LIMIT 2")), Some(3));
    let counted = "SELECT count(*) FROM timedb.read_arrow_batches(max_rows => 3)";
    assert_eq!(series_looked_at(&mut client, counted), Some(20));
    assert_eq!(one::<i64>(&mut client, counted), 14);
    let narrowed = format!("{all} WHERE length(batch) > 0");
    assert_eq!(client.query(&narrowed, &[]).expect("batches").len(), 14);
    let lateral = "SELECT count(*) FROM timedb.list_series() l, \
                   LATERAL timedb.read_arrow_batches(series_ids => ARRAY[l.series_id], max_rows => 1) AS batch";
    assert_eq!(one::<i64>(&mut client, lateral), 40);
    // What is kept of the node's rows is a copy.
    let kept = "SELECT count(DISTINCT batch) FROM timedb.read_arrow_batches(max_rows => 1) AS batch";
    assert_eq!(one::<i64>(&mut client, kept), 40);

    let expected = read(&mut client, "");
    run(&mut client, &format!("BEGIN; DECLARE c SCROLL CURSOR FOR {all}"));
    let mut fetch = |which: &str| {
        let fetched = client.query(&format!("FETCH {which} FROM c"), &[]).expect("batches");
        let batches = fetched.iter().map(|row| record_batches(row.get(0)));
        rows(&batches.collect::<Vec<_>>().concat())
    };
    assert_eq!(fetch("1"), expected[..3]);
    assert_eq!(fetch("2"), expected[3..9]);
    assert_eq!(fetch("ALL"), expected[9..]);
    assert_eq!(fetch("FIRST"), expected[..3]);
    run(&mut client, "COMMIT");

    run(&mut client, "SET timedb.enable_scan = off");
    assert_eq!(series_looked_at(&mut client, all), None);
    assert_eq!(one::<i64>(&mut client, counted), 14);
    let listed = "SELECT timedb.read_arrow_batches(max_rows => 3)";
    assert_eq!(client.query(listed, &[]).expect("batches").len(), 14);
}

#[test]
fn a_batch_has_one_row_at_least_and_ten_million_at_most() {
    let database = Database::fresh("batches bad");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    for scan in ["on", "off"] {
        run(&mut client, &format!("SET timedb.enable_scan = {scan}"));
        for bad in ["NULL", "0", "-1", "10000001", "2147483647"] {
            let sql = format!("SELECT FROM timedb.read_arrow_batches(max_rows => {bad})");
            refused(client.execute(&sql, &[]))
                .code("22023")
                .message("\"max_rows\" must be from 1 to 10000000");
        }
        assert_eq!(batches_of(&mut client, "max_rows => 10000000").len(), 1);
        let mode = client.execute(
            "SELECT FROM timedb.read_arrow_batches(mode => 'newest', max_rows => 0)",
            &[],
        );
        refused(mode)
            .code("22023")
            .message("\"mode\" must be \"flat\" or \"overlapping\"");
    }
}

#[test]
fn an_answer_of_no_rows_has_the_columns_all_the_same() {
    let database = Database::fresh("read_arrow of nothing");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let columns = |stream: &[u8]| -> Vec<String> {
        let reader = StreamReader::try_new(stream, None).expect("a stream");
        let schema = reader.schema();
        assert_eq!(reader.map(|batch| batch.expect("a batch").num_rows()).sum::<usize>(), 0);
        let column = |field: &Arc<arrow_schema::Field>| {
            let null = if field.is_nullable() { ", null" } else { "" };
            format!("{}: {}{null}", field.name(), field.data_type())
        };
        schema.fields().iter().map(column).collect()
    };
    let nothing: Vec<u8> = one(&mut client, "SELECT timedb.read_arrow()");
    fill(&mut client);
    let none: Vec<u8> = one(&mut client, "SELECT timedb.read_arrow(series_keys => '{}')");
    assert_eq!(columns(&none), columns(&nothing));
    assert_eq!(
        columns(&nothing),
        [
            "known_time: Timestamp(µs, \"UTC\")",
            "valid_time: Timestamp(µs, \"UTC\")",
            "valid_time_end: Timestamp(µs, \"UTC\"), null",
            "series_id: Dictionary(Int32, Utf8)",
            "series_key: Dictionary(Int32, Utf8)",
            "unit: Dictionary(Int32, Utf8)",
            "value: Float64, null",
            "run_id: Dictionary(Int32, Utf8)",
            "change_time: Timestamp(µs, \"UTC\")",
            "changed_by: Dictionary(Int32, Utf8)",
            "annotation: Dictionary(Int32, Utf8), null",
            "tags: List(non-null Utf8), null",
            "labels: Dictionary(Int32, Utf8)",
        ]
    );
}

#[track_caller]
fn stream(batches: &[RecordBatch]) -> Vec<u8> {
    let schema = batches.first().expect("a batch").schema();
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("a stream");
    for batch in batches {
        writer.write(batch).expect("it writes");
    }
    writer.into_inner().expect("the stream")
}

/// A column by its name; all may be null.
fn table(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let columns = columns.iter().cloned();
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("a table")
}

fn times(times: &[Option<Timestamp>]) -> ArrayRef {
    let micros = times.iter().map(|time| time.map(Timestamp::as_microsecond));
    Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC"))
}

fn numbers(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn texts(texts: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

fn try_upload_arrow(client: &mut Client, stream: &[u8]) -> Result<Uploaded, postgres::Error> {
    let sql = "SELECT run_id, message, series_ids::text FROM timedb.upload_arrow(now(), $1)";
    let row = client.query_one(sql, &[&stream])?;
    Ok(Uploaded {
        run_id: row.get(0),
        message: row.get(1),
        series_ids: row.get(2),
    })
}

/// What is stored of a run, but for when.
fn stored(client: &mut Client, run: Uuid) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', series_id, part, span, valid_from, valid_to, changed_by, points) \
               FROM timedb.values WHERE run_id = $1 ORDER BY series_id, part";
    let rows = client.query(sql, &[&run]).expect("the rows of the run");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Some of the columns of a table.
fn select<const N: usize>(batches: &[RecordBatch], names: [&str; N]) -> Vec<RecordBatch> {
    let select = |batch: &RecordBatch| {
        let column = |name| batch.schema().index_of(name).expect("the column");
        batch.project(&names.map(column)).expect("some columns")
    };
    batches.iter().map(select).collect()
}

#[test]
fn what_read_arrow_gives_another_tenant_uploads_and_reads_again() {
    const LONG: i64 = 140_000;
    let database = Database::fresh("from read_arrow to upload_arrow");
    let (alice, bob) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    fill(&mut client);
    // Longer than a batch, so that dictionaries are given once and meant by several.
    run(
        &mut client,
        &format!(
            "SELECT timedb.upload_points(now(), array_fill('long'::text, ARRAY[{LONG}]), \
               ARRAY(SELECT '2025-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, {LONG}) n), \
               ARRAY(SELECT n / 7.0::float8 FROM generate_series(1, {LONG}) n))"
        ),
    );
    let batches = read_arrow(&mut client, "");
    assert!(batches.len() > 2, "the premise: {} batches", batches.len());
    let selected = select(&batches, ["valid_time", "valid_time_end", "series_key", "value"]);
    let mut other = database.authenticated(&bob);
    let uploaded = try_upload_arrow(&mut other, &stream(&selected)).expect("it is taken");
    assert_eq!(uploaded.message, "Run created successfully");

    let key = |row: Row| (row.series_key, row.valid_time, row.valid_time_end, row.value);
    let mut sent: Vec<_> = rows(&batches).into_iter().map(key).collect();
    // Two series of one key are one there.
    sent.sort_unstable();
    let back: Vec<_> = read(&mut other, "").into_iter().map(key).collect();
    assert_eq!((back.len(), sent.len()), (sent.len(), sent.len()));
    let differs = back.iter().zip(&sent).find(|(back, sent)| back != sent);
    assert_eq!(differs, None);

    // Within the tenant the id says which series it is, also where two have one key.
    let selected = select(
        &batches,
        ["series_id", "value", "valid_time", "series_key", "valid_time_end"],
    );
    let uploaded = try_upload_arrow(&mut client, &stream(&selected)).expect("it is taken");
    let key = |row: Row| (row.series_id, row.valid_time, row.valid_time_end, row.value);
    let sent: Vec<_> = rows(&batches).into_iter().map(key).collect();
    let (run_id, back) = (uploaded.run_id.to_string(), read(&mut client, ""));
    assert!(back.iter().all(|row| row.run_id == run_id));
    let back: Vec<_> = back.into_iter().map(key).collect();
    assert!(back == sent, "{} rows, not {}", back.len(), sent.len());
}

#[test]
fn rows_of_a_stream_say_their_unit_as_rows_of_json_do() {
    let database = Database::fresh("units of a stream");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    run(&mut client, "SELECT timedb.create_series('wind', 'MW')");
    let upload_in = |client: &mut Client, units: &[Option<&str>]| {
        let table = table(&[
            ("valid_time", times(&[1, 2, 3].map(|at| Some(hour(at))))),
            ("value", numbers(&[Some(1500.0), None, Some(2.0)])),
            ("value_key", texts(&[Some("wind"); 3])),
            ("unit", texts(units)),
        ]);
        try_upload_arrow(client, &stream(&[table]))
    };
    upload_in(&mut client, &[Some("kW"), Some("kW"), None]).expect("it is taken");
    let shown = read(&mut client, "").into_iter();
    let shown: Vec<_> = shown.map(|row| (row.value.map(f64::from_bits), row.unit)).collect();
    assert_eq!(
        shown,
        [Some(1.5), None, Some(2.0)].map(|value| (value, "MW".to_owned()))
    );
    let refusal = refused(upload_in(&mut client, &[None, None, Some("K")])).code("22023");
    refusal.message("stream[2].unit: is \"K\", but series \"wind\" has \"MW\"");
}

#[test]
fn upload_arrow_stores_and_answers_what_upload_does() {
    let database = Database::fresh("upload_arrow is upload");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    assert_ordinary(&mut client);
    let labelled: Uuid = one(
        &mut client,
        r#"SELECT timedb.create_series('heat', labels => '{"site": "north"}')"#,
    );
    let id = labelled.to_string();
    let by_json = upload(
        &mut client,
        &json!([
            {"valid_time": hour(2).to_string(), "value_key": "wind", "value": 2.5},
            {"valid_time": hour(1).to_string(), "value_key": "ä", "value": "NaN"},
            {"valid_time": hour(1).to_string(), "value_key": "wind", "value": null},
            {"valid_time": hour(1).to_string(), "valid_time_end": hour(2).to_string(), "value_key": "wind", "value": -0.0},
            {"valid_time": hour(1).to_string(), "series_id": id, "value": 4},
            {"valid_time": hour(2).to_string(), "series_id": id, "value_key": "heat", "value": 1e300},
        ]),
    );
    let table = table(&[
        ("series_id", texts(&[None, None, None, None, Some(&id), Some(&id)])),
        (
            "value",
            numbers(&[Some(2.5), Some(f64::NAN), None, Some(-0.0), Some(4.0), Some(1e300)]),
        ),
        ("valid_time", times(&[2, 1, 1, 1, 1, 2].map(|at| Some(hour(at))))),
        (
            "value_key",
            texts(&[Some("wind"), Some("ä"), Some("wind"), Some("wind"), None, Some("heat")]),
        ),
        ("valid_time_end", times(&[None, None, None, Some(hour(2)), None, None])),
    ]);
    let halves = [table.slice(0, 3), table.slice(3, 3)];
    for stream in [stream(&[table]), stream(&halves)] {
        let by_arrow = try_upload_arrow(&mut client, &stream).expect("it is taken");
        assert_eq!(
            (&by_arrow.message, &by_arrow.series_ids),
            (&by_json.message, &by_json.series_ids)
        );
        assert_ne!(by_arrow.run_id, by_json.run_id);
        let expected = stored(&mut client, by_json.run_id);
        assert_eq!(expected.len(), 3);
        assert_eq!(stored(&mut client, by_arrow.run_id), expected);
    }
    // The arguments about the run are those of upload too.
    let empty = stream(&[self::table(&[
        ("valid_time", times(&[])),
        ("value", numbers(&[])),
        ("value_key", texts(&[])),
    ])]);
    let sql = "SELECT run_id, series_ids::text FROM timedb.upload_arrow('2025-01-02', $1, 'nightly', '2025-01-03', \
                 '2025-01-01', '{\"model\": \"x\"}')";
    let row = client.query_one(sql, &[&empty]).expect("no rows are fine");
    assert_eq!(row.get::<_, &str>(1), "{}");
    let sql = "SELECT concat_ws(' ', workflow_id, run_start_time, run_finish_time, known_time, run_params, changed_by) \
               FROM timedb.runs WHERE run_id = $1";
    run(&mut client, "SET TimeZone = 'UTC'");
    let told = client.query_one(sql, &[&row.get::<_, Uuid>(0)]);
    assert_eq!(
        told.expect("the run").get::<_, &str>(0),
        "nightly 2025-01-02 00:00:00+00 2025-01-03 00:00:00+00 2025-01-01 00:00:00+00 {\"model\": \"x\"} alice@tenant-a.com"
    );
    run(&mut client, "BEGIN; SELECT now()");
    let row = client.query_one("SELECT run_id FROM timedb.upload_arrow(now(), $1)", &[&empty]);
    let run_id: Uuid = row.expect("no rows are fine").get(0);
    let sql = "SELECT known_time = inserted_at AND inserted_at > now() FROM timedb.runs WHERE run_id = $1";
    let alike = client.query_one(sql, &[&run_id]);
    assert!(alike.expect("the run").get::<_, bool>(0), "known when it was stored");
    run(&mut client, "COMMIT");
}

/// A good stream of three rows, with some of its columns given, others left out and others beside them.
fn changed(given: &[(&str, ArrayRef)], left_out: &[&str]) -> Vec<u8> {
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("valid_time", times(&[1, 2, 3].map(|at| Some(hour(at))))),
        ("value", numbers(&[Some(1.0); 3])),
        ("value_key", texts(&[Some("new"); 3])),
    ];
    columns.retain(|(name, _)| !left_out.contains(name) && given.iter().all(|(given, _)| given != name));
    columns.extend_from_slice(given);
    stream(&[table(&columns)])
}

/// The same table as a file, which has an index at its end.
fn file() -> Vec<u8> {
    let batch = table(&[
        ("valid_time", times(&[Some(hour(1))])),
        ("value", numbers(&[Some(1.0)])),
        ("value_key", texts(&[Some("new")])),
    ]);
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).expect("a file");
    writer.write(&batch).expect("it writes");
    writer.into_inner().expect("the file")
}

#[test]
fn what_upload_arrow_refuses_is_named_and_nothing_of_it_stays() {
    let database = Database::fresh("upload_arrow refuses");
    let (alice, bob) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let known = upload(&mut client, &json!([value_row("wind", hour(0), 1)]));
    let wind = known.series("wind").to_string();
    let theirs = upload(
        &mut database.authenticated(&bob),
        &json!([value_row("theirs", hour(0), 1)]),
    );
    let theirs = theirs.series("theirs").to_string();
    let absent = Uuid::now_v7().to_string();
    let good = changed(&[], &[]);
    let no_stream = |why: &str| format!("stream: is not an Arrow IPC stream that can be read: {why}");
    let hours = |at: [i64; 3]| times(&at.map(|at| Some(hour(at))));
    let third = |text: &str| {
        let of = [Some("new"), Some("new"), Some(text)];
        texts(&of)
    };
    let third_id = |id: &str| texts(&[None, None, Some(id)]);
    let cases: Vec<(Vec<u8>, &str, String)> = vec![
        (Vec::new(), "22023", no_stream("it is empty")),
        (b"not a stream".to_vec(), "22023", no_stream("a message does not begin as one")),
        (file(), "22023", no_stream("it is an Arrow file, where a stream is expected")),
        (good[..good.len() / 2].to_vec(), "22023", no_stream("it is cut off")),
        ([&good[..], &[0]].concat(), "22023", no_stream("it goes on after its end")),
        (
            changed(&[("changed_by", texts(&[None; 3]))], &[]),
            "22023",
            "stream.changed_by: unknown column; an upload has valid_time, valid_time_end, value, value_key, series_key, labels, unit, series_id, annotation, tags".into(),
        ),
        (changed(&[], &["valid_time"]), "22023", r#"stream: needs "valid_time""#.into()),
        (changed(&[], &["value"]), "22023", r#"stream: needs "value""#.into()),
        (changed(&[], &["value_key"]), "22023", r#"stream: needs "value_key" or "series_id""#.into()),
        (
            changed(&[("value", texts(&[Some("1"); 3]))], &[]),
            "22023",
            "stream.value: must be a column of numbers, not of type Utf8".into(),
        ),
        (
            changed(&[("valid_time", Arc::new(Int64Array::from(vec![1, 2, 3])))], &[]),
            "22023",
            "stream.valid_time: must be a column of timestamps, not of type Int64".into(),
        ),
        (
            changed(&[("series_key", texts(&[None; 3]))], &[]),
            "22023",
            r#"stream.series_key: means the same as "value_key""#.into(),
        ),
        (
            changed(&[("valid_time", times(&[Some(hour(1)), None, Some(hour(2))]))], &[]),
            "22004",
            "stream[1].valid_time: must not be null".into(),
        ),
        (
            changed(&[("value_key", texts(&[Some("new"), Some("new"), None]))], &[]),
            "22023",
            r#"stream[2]: needs "value_key" or "series_id""#.into(),
        ),
        (
            changed(&[("value_key", third(""))], &[]),
            "22023",
            "stream[2].value_key: must not be blank".into(),
        ),
        (
            changed(&[("series_id", third_id("x"))], &[]),
            "22P02",
            r#"stream[2].series_id: "x" is not a uuid"#.into(),
        ),
        (
            changed(&[("valid_time_end", hours([2, 3, 3]))], &[]),
            "22023",
            "stream[2].valid_time_end: is not after \"valid_time\"".into(),
        ),
        (
            changed(&[("valid_time", Arc::new(TimestampSecondArray::from(vec![0, 1, i64::MAX])))], &[]),
            "22008",
            "stream[2].valid_time: is out of range".into(),
        ),
        (
            changed(&[("valid_time", hours([1, 2, 1]))], &[]),
            "22023",
            "stream[2]: gives the value of stream[0] again, of \"new\" at 2025-01-01T01:00:00Z".into(),
        ),
        (
            changed(&[("series_id", third_id(&wind))], &[]),
            "22023",
            r#"stream[2].series_id: is not the series that "value_key" names"#.into(),
        ),
        (
            changed(&[("value_key", texts(&[None; 3])), ("series_id", texts(&[Some(&wind), Some(&wind), Some(&absent)]))], &[]),
            "42704",
            format!("stream[2].series_id: series \"{absent}\" does not exist"),
        ),
        (
            changed(&[("value_key", texts(&[None; 3])), ("series_id", texts(&[Some(&wind), Some(&wind), Some(&theirs)]))], &[]),
            "42704",
            format!("stream[2].series_id: series \"{theirs}\" does not exist"),
        ),
    ];
    let before = row_counts(&mut admin);
    let mut wrong = Vec::new();
    for (stream, code, message) in &cases {
        let got = match try_upload_arrow(&mut client, stream) {
            Ok(_) => "is accepted".to_owned(),
            Err(error) => {
                let error = error.as_db_error().expect("a refusal by the server").clone();
                assert_eq!(error.detail(), None, "{message}");
                format!("{} {}", error.code().code(), error.message())
            }
        };
        if got != format!("{code} {message}") {
            wrong.push(format!("{code} {message}\n  {got}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let null = client.execute("SELECT timedb.upload_arrow(now(), NULL)", &[]);
    refused(null).code("22004").message("\"stream\" must not be null");
    assert_eq!(row_counts(&mut admin), before);
    // The premise: what all of them differ from is taken.
    try_upload_arrow(&mut client, &good).expect("it is taken");
}

#[test]
fn arrow_takes_the_scopes_and_logins_that_its_sisters_do() {
    let database = Database::fresh("arrow and scopes");
    let (alice, _) = database.two_tenants();
    let reader = database.create_user(alice.tenant_id, "reader@tenant-a.com", "read");
    let rows = json!([value_row("wind", hour(0), 1)]);
    upload(&mut database.authenticated(&alice), &rows);
    let good = changed(&[], &[]);
    let mut client = database.authenticated(&reader);
    assert_eq!(read_arrow(&mut client, "")[0].num_rows(), 1);
    for stream in [&good[..], b"no stream"] {
        refused(try_upload_arrow(&mut client, stream))
            .code("42501")
            .message("this needs an API key of scope \"write\"");
    }
    refused(try_upload(&mut client, &rows)).code("42501");
    run(&mut client, "SELECT timedb.logout()");
    for stream in [&good[..], b"no stream"] {
        refused(try_upload_arrow(&mut client, stream))
            .code("28000")
            .message(KEY_NEEDED);
    }
    refused(client.execute("SELECT timedb.read_arrow()", &[]))
        .code("28000")
        .message(KEY_NEEDED);
}

#[track_caller]
fn cancelled_under_way(client: &mut Client, sql: &str) {
    let under_way = once_under_way(client, 2);
    cancelled(client, under_way, |client| client.execute(sql, &[]));
}

#[test]
fn a_cancel_ends_either_and_leaves_nothing_and_a_session_that_goes_on() {
    const MANY: i64 = 2_000_000;
    let database = Database::fresh("arrow cancelled");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let start = hour(0).as_microsecond();
    let hours = (0..MANY).map(|minute| start + minute * 60_000_000);
    let many = stream(&[table(&[
        (
            "valid_time",
            Arc::new(TimestampMicrosecondArray::from_iter_values(hours)),
        ),
        (
            "value",
            Arc::new(Float64Array::from_iter_values((0..MANY).map(|n| (n % 1009) as f64))),
        ),
        (
            "value_key",
            Arc::new(StringArray::from_iter_values(
                (0..MANY).map(|n| ["a", "b"][n as usize % 2]),
            )),
        ),
    ])]);
    let before = row_counts(&mut admin);
    // Sent once, so that the time of the statement is that of the upload.
    run(&mut client, "CREATE TEMP TABLE sent (stream bytea)");
    run(&mut client, "ALTER TABLE sent ALTER stream SET STORAGE external");
    client
        .execute("INSERT INTO sent VALUES ($1)", &[&many])
        .expect("the stream is sent");
    let upload = "SELECT u.message FROM sent, timedb.upload_arrow(now(), stream) u";
    cancelled_under_way(&mut client, upload);
    assert_eq!(row_counts(&mut admin), before);
    // The premise: what was cancelled can be stored.
    assert_eq!(one::<String>(&mut client, upload), "Run created successfully");

    let read = "SELECT length(timedb.read_arrow())";
    cancelled_under_way(&mut client, read);
    let batches = "SELECT count(*) FROM timedb.read_arrow_batches(max_rows => 100)";
    cancelled_under_way(&mut client, batches);
    let few = "SELECT length(timedb.read_arrow(end_valid => '2025-01-01 00:10'))";
    assert!(one::<i32>(&mut client, few) > 1000);
    assert!(one::<i32>(&mut client, read) > MANY as i32 * 8, "the premise");
}
