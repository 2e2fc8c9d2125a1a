//! Each line of docs/http.md's `What differs`, as postrust does it.

use super::*;

#[track_caller]
fn values(answer: &Answer) -> Vec<Value> {
    let rows = answer.body.as_array();
    let rows = rows.unwrap_or_else(|| panic!("no rows: {answer:?}"));
    rows.iter().map(|row| row["value"].clone()).collect()
}

#[test]
fn a_time_with_a_blank_is_another_in_a_get_and_right_with_z_or_by_post() {
    let (_gateway, alice) = filled(Gateway::fresh("blanks in times"));
    let of_key = "series_keys=%7B%22Wind,%20onshore%22%7D";
    let get = |start: &str| values(&alice.get(&format!("/rpc/read?start_valid={start}&{of_key}")));
    assert_eq!(
        get("2025-01-01+03:00:00").len(),
        6,
        "what a client makes of a blank is a zone"
    );
    assert_eq!(get("2025-01-01T03:00:00Z"), [3.0, 4.0, 5.0]);
    let by_post = json!({"start_valid": "2025-01-01 03:00:00", "series_keys": [KEY]});
    assert_eq!(values(&alice.post("/rpc/read", &by_post)), [3.0, 4.0, 5.0]);
}

#[test]
fn a_comma_in_a_key_is_two_keys_in_a_get_unless_it_is_quoted_and_one_by_post() {
    let (_gateway, alice) = filled(Gateway::fresh("commas in keys"));
    let get = |keys: &str| values(&alice.get(&format!("/rpc/read?series_keys={keys}")));
    assert_eq!(get("%7BWind,%20onshore%7D"), [100.0, 200.0]);
    assert_eq!(get("%7B%22Wind,%20onshore%22%7D").len(), 6);
    assert_eq!(
        values(&alice.post("/rpc/read", &json!({"series_keys": [KEY]}))).len(),
        6
    );
}

#[test]
fn what_is_not_finite_is_answered_as_null_and_stored_as_it_is() {
    let gateway = Gateway::fresh("not finite");
    let alice = gateway.alice();
    let rows = [
        value_row("odd", 0, "NaN"),
        value_row("odd", 1, "Infinity"),
        value_row("odd", 2, "-Infinity"),
    ];
    uploaded(&alice, &rows);
    let odd = "/rpc/read?series_keys=%7Bodd%7D";
    assert_eq!(values(&alice.get(odd)), [Value::Null, Value::Null, Value::Null]);
    let mut client = gateway.stage.alice();
    let stored: String = one(
        &mut client,
        "SELECT string_agg(value::text, ' ' ORDER BY valid_time) FROM timedb.read(series_keys => '{odd}')",
    );
    assert_eq!(stored, "NaN Infinity -Infinity");
}

#[test]
fn a_null_argument_is_an_empty_text_and_so_none_where_it_is_a_text() {
    let gateway = Gateway::fresh("null arguments");
    let alice = gateway.alice();
    let series = json!({"name": "n", "unit": null, "description": null});
    assert_eq!(alice.post("/rpc/create_series", &series).status, 200);
    let described = json!({"name": "n", "unit": "kW", "description": "a real one"});
    assert_eq!(alice.post("/rpc/create_series", &described).status, 200);
    let all = alice.get("/rpc/list_series");
    let found = all
        .body
        .as_array()
        .and_then(|all| all.iter().find(|series| series["series_key"] == "n"));
    let found = found.expect("the series");
    assert_eq!(
        (&found["unit"], &found["description"]),
        (&json!("kW"), &json!("a real one"))
    );
    let run = json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": [], "workflow_id": null});
    assert_eq!(alice.post("/rpc/upload", &run).status, 200);
    let run = json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": [], "known_time": null});
    assert_eq!(alice.post("/rpc/upload", &run).status, 400);
}

#[test]
fn filters_and_limits_are_not_for_functions() {
    let (_gateway, alice) = filled(Gateway::of_readers("filters"));
    let all = alice.get("/rpc/read");
    for ignored in ["value=gt.3", "limit=2", "order=value.desc", "offset=3"] {
        assert_eq!(alice.get(&format!("/rpc/read?{ignored}")).body, all.body, "{ignored}");
    }
    assert_eq!(
        alice.get("/current_values?limit=2").body.as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn an_arrow_stream_goes_as_hexadecimal_digits_both_ways() {
    let (_gateway, alice) = filled(Gateway::fresh("arrow"));
    let answer = alice.get("/rpc/read_arrow?series_keys=%7BWind%7D");
    let text = answer.body.as_str().unwrap_or_else(|| panic!("no text: {answer:?}"));
    assert!(text.starts_with("\\xffffffff"), "{text}");
    let body = json!({"run_start_time": "2025-01-01T00:00:00Z", "stream": text});
    let sent = alice.post("/rpc/upload_arrow", &body);
    let message = sent.body["message"].as_str().unwrap_or_default();
    // It is read as a stream: what is refused of it is a column that an answer has, and an upload has not.
    assert!(
        sent.status == 400 && message.starts_with("stream.known_time: unknown column"),
        "{sent:?}"
    );
    let base64 = json!({"run_start_time": "2025-01-01T00:00:00Z", "stream": "/////w=="});
    assert_eq!(alice.post("/rpc/upload_arrow", &base64).status, 400);
}

#[test]
fn batches_of_arrow_come_as_an_array_of_whole_streams() {
    let (_gateway, alice) = filled(Gateway::of_readers("batches"));
    let count = alice.get("/rpc/read").body.as_array().map(Vec::len).expect("rows");
    assert!(count > 1, "the premise");
    let every_row = alice.get("/rpc/read_arrow_batches?max_rows=1").body;
    let streams = every_row.as_array().unwrap_or_else(|| panic!("no array: {every_row}"));
    assert_eq!(streams.len(), count);
    let rows = streams.iter().map(rows_of_stream);
    assert_eq!(rows.sum::<usize>(), count);
    let posted = alice.post("/rpc/read_arrow_batches", &json!({}));
    let whole: Vec<usize> = posted
        .body
        .as_array()
        .expect("an array")
        .iter()
        .map(rows_of_stream)
        .collect();
    assert_eq!(whole, [count]);
    let refused = alice.get("/rpc/read_arrow_batches?max_rows=0");
    assert!(refused.status == 400 && refused.body["code"] == "22023", "{refused:?}");
}
