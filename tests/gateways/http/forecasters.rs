//! What forecasters and dashboards ask, by GET and by POST.

use super::*;

#[test]
fn series_are_found_by_labels_page_by_page_and_renamed() {
    let gateway = Gateway::fresh("series");
    let alice = gateway.alice();
    for key in ["a", "b", "c"] {
        let created = alice.post(
            "/rpc/create_series",
            &json!({"name": key, "labels": {"zone": "DE", "n": 1.0}}),
        );
        assert_eq!(created.status, 200, "{created:?}");
    }
    let filter = "labels=%7B%22zone%22:%22DE%22,%22n%22:1%7D";
    let page = alice.get(&format!("/rpc/list_series?{filter}&max_rows=2"));
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!([&page.body[0]["series_key"], &page.body[1]["series_key"]], ["a", "b"]);
    let last = &page.body[1];
    let after = json!({"labels": {"zone": "DE"}, "max_rows": 2, "after_key": last["series_key"], "after_id": last["series_id"]});
    let page = alice.post("/rpc/list_series", &after);
    let rows = page.body.as_array().expect("rows");
    assert_eq!(rows.len(), 1, "{page:?}");
    let change = json!({"series_id": rows[0]["series_id"], "new_key": "d", "labels": {"zone": "FR"}, "unit": null});
    let changed = alice.post("/rpc/update_series", &change);
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.body["series_key"], "d");
    assert_eq!(changed.body["unit"], "dimensionless");
    let values = alice.get("/rpc/label_values?label=zone");
    assert_eq!(
        values.body,
        json!([{"value": "DE", "series_count": 2}, {"value": "FR", "series_count": 1}])
    );
    let taken = alice.post(
        "/rpc/update_series",
        &json!({"series_id": last["series_id"], "new_key": "a"}),
    );
    assert_eq!(taken.status, 409, "{taken:?}");
    let bobs = gateway.bob().get(&format!("/rpc/list_series?{filter}"));
    assert_eq!(bobs.body, json!([]));
}

#[test]
fn what_dashboards_ask_is_answered_by_get_and_post_alike() {
    let gateway = Gateway::fresh("asked");
    let (alice, bob) = (gateway.alice(), gateway.bob());
    let upload = json!({
        "run_start_time": "2025-01-01T00:00:00Z", "workflow_id": "forecast", "known_time": "2025-01-01T00:00:00Z",
        "value_rows": [value_row("wind", 0, 1.0), value_row("wind", 1, 2.0), value_row("wind", 3, 6.0)],
    });
    assert_eq!(alice.post("/rpc/upload", &upload).status, 200);
    let asked = [
        (
            "latest",
            json!({"series_keys": "{wind}", "before": "2025-01-01T03:00:00Z"}),
            "value",
            json!(2.0),
        ),
        (
            "read_buckets",
            json!({"bucket": "1 day", "aggregate": "sum", "time_zone": "Europe/Berlin", "series_keys": "{wind}"}),
            "value",
            json!(9.0),
        ),
        (
            "gaps",
            json!({"step": "1 hour", "series_keys": "{wind}"}),
            "missing_count",
            json!(1),
        ),
        (
            "coverage",
            json!({"series_keys": "{wind}", "labels": "{}"}),
            "value_count",
            json!(3),
        ),
        (
            "list_runs",
            json!({"workflow_id": "forecast", "max_rows": "5"}),
            "value_count",
            json!(3),
        ),
    ];
    for (function, arguments, column, expected) in asked {
        let path = format!("/rpc/{function}");
        let pairs = arguments.as_object().expect("arguments").iter();
        let query = pairs.map(|(name, value)| format!("{name}={}", encoded(value.as_str().expect("a text"))));
        let got = alice.get(&format!("{path}?{}", query.collect::<Vec<_>>().join("&")));
        assert_eq!(got.status, 200, "{function}: {got:?}");
        assert_eq!(got.body.as_array().map(Vec::len), Some(1), "{function}: {got:?}");
        assert_eq!(got.body[0][column], expected, "{function}");
        let mut body = arguments.clone();
        if let Some(keys) = body.get_mut("series_keys") {
            *keys = json!(["wind"]);
        }
        if let Some(labels) = body.get_mut("labels") {
            *labels = json!({});
        }
        assert_eq!(alice.post(&path, &body), got, "{function}");
        assert_eq!(bob.post(&path, &body).body, json!([]), "{function}");
    }
    let bad = alice.get("/rpc/read_buckets?bucket=0");
    assert_eq!((bad.status, &bad.body["code"]), (400, &json!("22023")));
}

/// As it stands in a URL.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[test]
fn rows_say_labels_and_known_times_and_updates_need_no_run() {
    let gateway = Gateway::fresh("rows say more");
    let alice = gateway.alice();
    let row = |known: &str, value: f64| {
        json!({"known_time": known, "valid_time": "2025-01-02T00:00:00Z", "value_key": "wind",
               "labels": {"site": "north"}, "value": value, "annotation": "seen"})
    };
    let rows = json!([row("2025-01-01T06:00:00Z", 1.0), row("2025-01-01T12:00:00Z", 2.0)]);
    let uploaded = alice.post("/rpc/upload_runs", &json!({"value_rows": rows}));
    assert_eq!(uploaded.status, 200, "{uploaded:?}");
    let counts: Vec<_> = uploaded
        .body
        .as_array()
        .expect("rows")
        .iter()
        .map(|run| &run["value_count"])
        .collect();
    assert_eq!(counts, [1, 1]);
    let again = alice.post("/rpc/upload_runs", &json!({"value_rows": rows, "skip_unchanged": true}));
    assert_eq!(again.body[1]["run_id"], Value::Null, "{again:?}");
    assert_eq!(again.body[1]["skipped"], 1);
    let mut one = row("", 2.0);
    one.as_object_mut().expect("a row").remove("known_time");
    let skipped = json!({"run_start_time": "2025-01-01T13:00:00Z", "value_rows": [one], "skip_unchanged": true});
    let skipped = alice.post("/rpc/upload", &skipped);
    assert_eq!(
        [
            &skipped.body["message"],
            &skipped.body["written"],
            &skipped.body["skipped"]
        ],
        [&json!("Nothing changed"), &json!(0), &json!(1)]
    );
    let update =
        json!([{"value_key": "wind", "labels": {"site": "north"}, "valid_time": "2025-01-02T00:00:00Z", "value": 3}]);
    let updated = alice.post("/rpc/update", &json!({"updates": update}));
    assert_eq!(updated.body[0]["status"], "updated", "{updated:?}");
    assert_eq!(updated.body[0]["run_id"], uploaded.body[1]["run_id"]);
    let read = alice.get("/rpc/read?series_keys=%7Bwind%7D");
    assert_eq!(
        [&read.body[0]["value"], &read.body[0]["annotation"]],
        [&json!(3.0), &json!("seen")]
    );
    let large = json!({"value_rows": [{"valid_time": "2025-01-02", "value_key": "wind", "value": 1,
                                       "labels": {"site": "x".repeat(2000)}}]});
    assert_eq!(alice.post("/rpc/upload_runs", &large).status, 413);
    let bob = gateway.bob().post("/rpc/update", &json!({"updates": update}));
    assert_eq!(bob.status, 404, "{bob:?}");
}

#[test]
fn a_read_in_a_unit_is_a_get_and_one_that_cannot_be_is_400() {
    let gateway = Gateway::fresh("units");
    let alice = gateway.alice();
    let made = alice.post("/rpc/create_series", &json!({"name": "wind", "unit": "m/s"}));
    assert_eq!(made.status, 200, "{made:?}");
    let rows = json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": [value_row("wind", 0, 10)]});
    assert_eq!(alice.post("/rpc/upload", &rows).status, 200);
    let answer = alice.get("/rpc/read?series_keys=%7Bwind%7D&unit=km/h");
    let row = &answer.body[0];
    assert_eq!(
        (&row["value"], &row["unit"]),
        (&json!(36.0), &json!("km/h")),
        "{answer:?}"
    );
    let answer = alice.get("/rpc/read?series_keys=%7Bwind%7D&unit=kW");
    let refused = (answer.status, &answer.body["code"]);
    assert_eq!(refused, (400, &json!("22023")), "{answer:?}");
}

#[test]
fn changes_are_exported_by_get_and_post_from_the_last_change_time_on() {
    let (_gateway, alice) = filled(Gateway::fresh("changes"));
    let settled = alice.get("/rpc/settled_time");
    assert_eq!(settled.status, 200, "{settled:?}");
    let all = alice.get("/rpc/read_changes?after=2000-01-01").body;
    let all = all.as_array().expect("rows");
    assert!(all.len() > 1, "the premise: {all:?}");
    let until = json!({"after": "2000-01-01", "until": settled.body});
    assert_eq!(alice.post("/rpc/read_changes", &until).body.as_array(), Some(all));
    let last = all.last().expect("a row")["change_time"].as_str().expect("a time");
    for nothing in [
        alice.post("/rpc/read_changes", &json!({"after": last})),
        alice.get(&format!("/rpc/read_changes?after={}", encoded(last))),
    ] {
        assert_eq!((nothing.status, &nothing.body), (200, &json!([])));
    }
    let stream = alice.get("/rpc/read_changes_arrow?after=2000-01-01").body;
    assert_eq!(rows_of_stream(&stream), all.len());
    let refused = alice.get("/rpc/read_changes?after=infinity");
    assert_eq!(refused.status, 400);
    assert!(
        refused.body["message"]
            .as_str()
            .is_some_and(|said| said.contains("\"after\"")),
        "{refused:?}"
    );
}

#[test]
fn a_run_is_withdrawn_and_restored_by_post_and_shown_accordingly() {
    let (gateway, alice) = filled(Gateway::fresh("withdrawn"));
    let shown = alice.get("/rpc/read").body;
    let run = &shown[0]["run_id"];
    let refused = alice.post("/rpc/restore_run", &json!({"run_id": run}));
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("55000")),
        "{refused:?}"
    );
    let withdrawn = alice.post("/rpc/withdraw_run", &json!({"run_id": run, "reason": "by mistake"}));
    assert_eq!(withdrawn.status, 200, "{withdrawn:?}");
    assert_eq!(
        [&withdrawn.body["run_id"], &withdrawn.body["reason"]],
        [run, &json!("by mistake")]
    );
    let again = alice.post("/rpc/withdraw_run", &json!({"run_id": run}));
    assert_eq!(again, withdrawn);
    let left = alice.get("/rpc/read?mode=overlapping").body;
    let left = left.as_array().expect("rows");
    assert!(left.iter().all(|row| row["run_id"] != *run), "{left:?}");
    let listed = alice.get("/rpc/list_runs").body;
    let listed = listed.as_array().expect("rows");
    let of_run = listed.iter().find(|row| row["run_id"] == *run).expect("it is listed");
    assert_eq!(of_run["withdrawn_at"], withdrawn.body["withdrawn_at"]);
    let update =
        json!([{"run_id": run, "series_id": shown[0]["series_id"], "valid_time": shown[0]["valid_time"], "value": 2}]);
    let refused = alice.post("/rpc/update", &json!({"updates": update}));
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("55000")),
        "{refused:?}"
    );
    let bob = gateway.bob().post("/rpc/restore_run", &json!({"run_id": run}));
    assert_eq!(bob.status, 404, "{bob:?}");
    assert_eq!(
        alice
            .get(&format!("/rpc/withdraw_run?run_id={}", run.as_str().expect("an id")))
            .status,
        405
    );
    let restored = alice.post("/rpc/restore_run", &json!({"run_id": run}));
    assert_eq!(restored.status, 200, "{restored:?}");
    assert_eq!(alice.get("/rpc/read").body, shown);
}

#[test]
fn relative_reads_and_what_reads_are_of_are_asked_for_by_name() {
    let (_gateway, alice) = filled(Gateway::of_readers("relative"));
    let rows = |answer: Answer| {
        answer
            .body
            .as_array()
            .map(Vec::len)
            .unwrap_or_else(|| panic!("no rows: {answer:?}"))
    };
    let count = rows(alice.get("/rpc/read"));
    let run = alice.get("/rpc/read").body[0]["run_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert!(count > 0, "the premise");
    for (query, body) in [
        ("read_relative?lead=-1000%20years", json!({"lead": "-1000 years"})),
        (
            "read_relative?days_ahead=-1000000&time_of_day=12:00&time_zone=Europe/Berlin",
            json!({"days_ahead": -1_000_000, "time_of_day": "12:00", "time_zone": "Europe/Berlin"}),
        ),
        (
            "read_relative?window_length=1%20month&cutoff_offset=1000%20years&window_origin=2025-01-01T00:00:00Z&corrections=all",
            json!({"window_length": "1 month", "cutoff_offset": "1000 years", "window_origin": "2025-01-01T00:00:00Z"}),
        ),
        (
            "read?labels=%7B%7D&corrections=known",
            json!({"labels": {}, "corrections": "known"}),
        ),
        ("read?workflow_id=api-workflow", json!({"workflow_id": "api-workflow"})),
    ] {
        assert_eq!(rows(alice.get(&format!("/rpc/{query}"))), count, "{query}");
        let (path, _) = query.split_once('?').expect("a query");
        assert_eq!(rows(alice.post(&format!("/rpc/{path}"), &body)), count, "{body}");
    }
    assert!(rows(alice.get(&format!("/rpc/read?run_ids=%7B{run}%7D"))) > 0);
    assert_eq!(rows(alice.post("/rpc/read", &json!({"labels": {"site": "none"}}))), 0);
    let refused = alice.get("/rpc/read_relative");
    assert!(refused.status == 400 && refused.body["code"] == "22023", "{refused:?}");
    let stream = alice.get("/rpc/read_relative_arrow?lead=-1000%20years").body;
    assert_eq!(rows_of_stream(&stream), count);
}
