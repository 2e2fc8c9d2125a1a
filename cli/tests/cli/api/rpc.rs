//! `/rpc/NAME`: the functions of the catalog, in JSON and in Arrow.

use arrow_array::{Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use serde_json::{Value, json};
use std::sync::Arc;
use timedb_testkit::{Database, KEY_NEEDED, KEY_REFUSED, Stage};
use uuid::Uuid;

use super::server::{Api, Http};

const ARROW: &str = "application/vnd.apache.arrow.stream";

fn filled(client: &Http) {
    let row = |key: &str, hour: u8| json!({"value_key": key, "valid_time": format!("2025-01-01T{hour:02}:00:00Z"), "value": hour});
    let rows = json!([
        row("Wind, onshore", 0),
        row("Wind", 1),
        row("onshore", 2),
        row("sun", 3)
    ]);
    let body = json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": rows});
    client.post("/rpc/upload", &body).done();
}

fn keys(rows: &Value) -> Vec<&str> {
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| row["series_key"].as_str().expect("a key"))
        .collect()
}

#[test]
fn functions_take_named_arguments_typed_by_the_catalog() {
    let database = Database::fresh("api rpc");
    let (alice, _) = database.two_tenants();
    let api = Api::of(&database, "caller");
    let client = api.with_key_of(&alice);
    filled(&client);
    assert_eq!(
        keys(&client.get("/rpc/read?series_keys=%7BWind,sun%7D").done()),
        ["Wind", "sun"]
    );
    let read = |body: Value| client.post("/rpc/read", &body).done();
    assert_eq!(
        keys(&read(json!({"series_keys": ["Wind, onshore"]}))),
        ["Wind, onshore"]
    );
    assert_eq!(keys(&read(json!({"series_keys": "{Wind,sun}"}))), ["Wind", "sun"]);
    assert_eq!(
        keys(&read(
            json!({"series_keys": null, "start_valid": "2025-01-01T03:00:00Z"})
        )),
        ["sun"]
    );
    assert_eq!(read(json!({"series_keys": []})), json!([]));
    assert_eq!(
        keys(&client.get("/rpc/list_series?max_rows=2&search=WIND").done()),
        ["Wind", "Wind, onshore"]
    );
    // A value, an object of JSON, a row, rows, nothing.
    let id = client
        .post(
            "/rpc/create_series",
            &json!({"name": "new", "labels": {"site": "a\"b"}}),
        )
        .done();
    assert!(id.as_str().is_some_and(|id| id.parse::<Uuid>().is_ok()), "{id}");
    assert_eq!(
        keys(
            &client
                .post("/rpc/list_series", &json!({"labels": {"site": "a\"b"}}))
                .done()
        ),
        ["new"]
    );
    let points = json!({"run_start_time": "2025-01-01", "series_keys": ["p", "p"], "point_values": [1, "NaN"],
        "valid_times": ["2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"], "labels": [{"a": "1"}, null]});
    let uploaded = client.post("/rpc/upload_points", &points);
    assert_eq!(uploaded.done()["written"], 2);
    let who = client.get("/rpc/whoami").done();
    assert_eq!(
        (&who[0]["email"], &who[0]["scope"]),
        (&json!("alice@tenant-a.com"), &json!("write"))
    );
    assert_eq!(client.post("/rpc/settled_time", &json!({})).status, 200);
}

#[test]
fn what_cannot_be_called_is_said_and_nothing_is_that_changes_who_a_session_is() {
    let stage = Stage::set("api rpc refused");
    let api = Api::of(&stage.database, "caller");
    let alice = api.with_key_of(&stage.alice);
    let own = [
        "authenticate",
        "logout",
        "pre_request",
        "_may",
        "_create_user_tenant",
        "points_in",
        "_own_key",
    ];
    let operators = ["bind_role", "erase_tenant", "tenant_stats", "self_check", "maintain"];
    let never = [
        "nothing",
        "READ",
        "read%20",
        "pg_sleep",
        "merge_points",
        "read()--",
        "read%22",
    ];
    for name in own.into_iter().chain(operators).chain(never) {
        for answer in [
            alice.post(&format!("/rpc/{name}"), &json!({})),
            alice.get(&format!("/rpc/{name}")),
        ] {
            assert_eq!(answer.status, 404, "{name}: {answer:?}");
        }
    }
    let refused = [
        (alice.get("/rpc/read?colour=red"), "read has no argument \"colour\""),
        (
            alice.post("/rpc/read", &json!({"colour": "red"})),
            "read has no argument \"colour\"",
        ),
        (alice.get("/rpc/read?mode=flat&mode=flat"), "mode is given twice"),
        (alice.post("/rpc/upload", &json!({})), "upload needs run_start_time"),
        (
            alice.post("/rpc/read?mode=flat", &json!({})),
            "the arguments of a POST are in its body",
        ),
        (
            alice.post("/rpc/read", &json!({"start_valid": {"a": 1}})),
            "invalid input syntax",
        ),
        (
            alice.post("/rpc/read", &json!({"series_keys": [{"a": 1}, "\u{0}"]})),
            "invalid byte sequence",
        ),
        (
            alice.post("/rpc/list_series", &json!({"max_rows": "many"})),
            "invalid input syntax",
        ),
        (alice.post("/rpc/list_series", &json!({"labels": "no json"})), "labels"),
    ];
    for (answer, words) in refused {
        assert_eq!(answer.status, 400, "{words}: {answer:?}");
        let message = answer.json()["message"].clone();
        assert!(
            message.as_str().is_some_and(|message| message.contains(words)),
            "{words}: {message}"
        );
    }
    let by_get = alice.get("/rpc/create_series?name=x");
    assert_eq!((by_get.status, by_get.header("allow")), (405, Some("POST")));
    let without = api.without_key().get("/rpc/read");
    let expected = |message: &str| json!({"code": "28000", "message": message, "details": null, "hint": null});
    assert_eq!((without.status, without.json()), (401, expected(KEY_NEEDED)));
    assert_eq!(api.with_key("tdb_bad").get("/rpc/read").json(), expected(KEY_REFUSED));
}

#[test]
fn a_read_only_function_runs_read_only_by_post_too() {
    let stage = Stage::set("api read only");
    timedb_testkit::run(
        &mut stage.admin(),
        "CREATE FUNCTION timedb.pretender() RETURNS text STABLE LANGUAGE sql AS \
           'SELECT current_setting(''transaction_read_only'')'; \
         ALTER EXTENSION timedb ADD FUNCTION timedb.pretender(); \
         GRANT EXECUTE ON FUNCTION timedb.pretender() TO timedb_caller",
    );
    let api = Api::of(&stage.database, "caller");
    let alice = api.with_key_of(&stage.alice);
    assert_eq!(alice.get("/rpc/pretender").done(), json!("on"));
    assert_eq!(alice.post("/rpc/pretender", &json!({})).done(), json!("on"));
}

fn batches(stream: &[u8]) -> Vec<RecordBatch> {
    let batches = StreamReader::try_new(stream, None).expect("a stream");
    batches.map(|batch| batch.expect("a batch")).collect()
}

fn stream() -> Vec<u8> {
    let times =
        TimestampMicrosecondArray::from(vec![1_735_689_600_000_000, 1_735_693_200_000_000]).with_timezone("UTC");
    let batch = RecordBatch::try_from_iter([
        (
            "series_key",
            Arc::new(StringArray::from(vec!["arrow", "arrow"])) as arrow_array::ArrayRef,
        ),
        ("valid_time", Arc::new(times)),
        ("value", Arc::new(Float64Array::from(vec![f64::NAN, 2.5]))),
    ]);
    let batch = batch.expect("columns");
    let mut stream = Vec::new();
    let mut writer = StreamWriter::try_new(&mut stream, &batch.schema()).expect("a writer");
    writer.write(&batch).and_then(|()| writer.finish()).expect("written");
    drop(writer);
    stream
}

#[test]
fn arrow_goes_up_and_comes_down_as_it_is() {
    let database = Database::fresh("api arrow");
    let (alice, bob) = database.two_tenants();
    let api = Api::of(&database, "caller");
    let uploads = [
        (&alice, "/upload?run_start_time=2025-01-01T00:00:00Z"),
        (
            &bob,
            "/rpc/upload_arrow?run_start_time=2025-01-01T00:00:00Z&workflow_id=arrows",
        ),
    ];
    for (who, path) in uploads {
        let client = api.with_key_of(who);
        let uploaded = client.send("POST", path, ARROW, &stream()).done();
        assert!(uploaded["run_id"].is_string(), "{uploaded}");
        for path in ["/values", "/rpc/read", "/rpc/read_arrow"] {
            let answer = client.with("Accept", ARROW).get(path);
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, Some(ARROW)),
                "{path}"
            );
            let batches = batches(&answer.bytes);
            let values = batches[0].column_by_name("value").expect("values");
            let values = values.as_any().downcast_ref::<Float64Array>().expect("floats");
            assert!(
                values.len() == 2 && values.value(0).is_nan() && values.value(1) == 2.5,
                "{values:?}"
            );
        }
        let in_json = client.get("/rpc/read_arrow").done();
        assert!(in_json.as_str().is_some_and(|text| text.starts_with("\\x")));
        let wrong = client.send("POST", "/rpc/create_series", ARROW, b"ARROW1");
        assert_eq!(wrong.status, 400, "{wrong:?}");
        let broken = client.send("POST", "/upload?run_start_time=2025-01-01", ARROW, b"no stream");
        assert_eq!(broken.status, 400, "{broken:?}");
    }
}
