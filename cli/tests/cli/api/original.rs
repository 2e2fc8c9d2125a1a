//! What the clients of the original service send, and what they get.

use serde_json::{Value, json};
use timedb_testkit::{Database, KEY_NEEDED, KEY_REFUSED, Stage};
use uuid::Uuid;

use super::server::{Answer, Api};

/// The HTTP part of its walkthrough, request by request.
#[test]
fn the_walkthrough_of_the_original_service_gets_what_it_got() {
    let database = Database::fresh("original walkthrough");
    // Neither the operator nor the database lives by UTC.
    database.set("timezone", "Asia/Tokyo");
    let (alice, bob) = database.two_tenants();
    let api = Api::of(&database, "caller");

    let root = api.without_key().get("/");
    assert_eq!(root.status, 200);
    assert_eq!(root.json()["name"], "TimeDB API");
    assert!(root.json()["version"].is_string() && root.json()["endpoints"].is_object());

    let without = api.without_key().get("/values");
    assert_eq!(without.status, 401);
    assert_eq!(without.json(), json!({ "detail": KEY_NEEDED }));
    assert_eq!(without.header("www-authenticate"), Some("ApiKey"));
    let bad = api.with_key("invalid-key-12345").get("/values");
    assert_eq!((bad.status, bad.json()), (401, json!({ "detail": KEY_REFUSED })));
    let [alices, bobs] = [&alice, &bob].map(|identity| api.with_key_of(identity));
    let nothing = alices.get("/values");
    assert_eq!((nothing.status, nothing.text()), (200, "{\"count\":0,\"data\":[]}"));
    assert_eq!(nothing.header("content-type"), Some("application/json"));

    let rows: Vec<Value> = (0..6)
        .map(|hour| {
            json!({"valid_time": format!("2025-01-01T{hour:02}:00:00Z"), "value_key": "temperature_a",
                   "value": 20.5 + f64::from(hour)})
        })
        .collect();
    let upload = json!({
        "workflow_id": "multi-tenant-example", "run_start_time": "2025-01-01T00:00:00Z",
        "run_finish_time": null, "known_time": "2025-01-01T00:00:00Z", "run_params": {"source": "test"},
        "value_rows": rows,
    });
    let uploaded = alices.post("/upload", &upload).done();
    let (run, series) = (&uploaded["run_id"], &uploaded["series_ids"]["temperature_a"]);
    assert_eq!(
        uploaded,
        json!({"run_id": run, "message": "Run created successfully", "series_ids": {"temperature_a": series}})
    );
    assert!(
        [run, series]
            .iter()
            .all(|id| id.as_str().is_some_and(|id| id.parse::<Uuid>().is_ok()))
    );

    let read = alices
        .get("/values?start_valid=2025-01-01T00:00:00Z&end_valid=2025-01-01T06:00:00%2B00:00&mode=flat")
        .done();
    let record = |hour: u32| {
        json!({"known_time": "2025-01-01T00:00:00+00:00", "valid_time": format!("2025-01-01T{hour:02}:00:00+00:00"),
               "valid_time_end": null, "series_id": series, "series_key": "temperature_a",
               "series_unit": "dimensionless", "value": 20.5 + f64::from(hour),
               "run_id": run, "annotation": null, "tags": null})
    };
    let records: Vec<Value> = (0..6).map(record).collect();
    assert_eq!(read, json!({"count": 6, "data": records}));
    assert_eq!(bobs.get("/values").done(), json!({"count": 0, "data": []}));

    // Whoever has pasted the time of an answer into a URL as it stands.
    let pasted = alices.get("/values?start_valid=2025-01-01T05:00:00+00:00");
    assert_eq!(pasted.done()["count"], 1);

    let ops = |sql: &str| database.login("ops").execute(sql, &[&bob.email]).map(drop);
    ops("SELECT timedb.deactivate_user($1)").expect("deactivated");
    let refused = bobs.get("/values");
    assert_eq!(
        (refused.status, refused.json()),
        (401, json!({ "detail": KEY_REFUSED }))
    );
    ops("SELECT timedb.activate_user($1)").expect("activated");
    assert_eq!(bobs.get("/values").status, 200);
}

#[test]
fn a_record_that_was_read_can_be_put_back_with_what_is_to_change() {
    let stage = Stage::set("original put");
    let api = Api::of(&stage.database, "caller");
    let alice = api.with_key_of(&stage.alice);
    let record = alice.get("/values").done()["data"][0].clone();
    let with = |changes: Value| {
        let mut update = record.clone();
        update["tenant_id"] = json!(stage.alice.tenant_id.to_string());
        for (name, value) in changes.as_object().expect("fields") {
            update[name] = value.clone();
        }
        json!({ "updates": [update] })
    };
    let same = alice.put("/values", &with(json!({}))).done();
    assert_eq!(same["updated"], json!([]));
    assert_eq!(same["skipped_no_ops"][0]["run_id"], record["run_id"]);
    let changed = with(json!({"value": 5.5, "annotation": "checked", "tags": ["Reviewed"]}));
    let put = alice.put("/values", &changed).done();
    assert_eq!(put["skipped_no_ops"], json!([]));
    let updated = &put["updated"][0];
    assert_eq!(updated["tenant_id"], json!(stage.alice.tenant_id.to_string()));
    for field in ["run_id", "series_id", "valid_time"] {
        assert_eq!(updated[field], record[field]);
    }
    let now = alice.get("/values").done()["data"][0].clone();
    assert_eq!(
        [&now["value"], &now["annotation"], &now["tags"]],
        [&json!(5.5), &json!("checked"), &json!(["reviewed"])]
    );
    let earlier = alice.get("/values?all_versions=true&mode=overlapping").done();
    assert_eq!(earlier["count"], 2);

    for tenant in [stage.bob.tenant_id, Uuid::now_v7()] {
        let of_another = alice.put("/values", &with(json!({"tenant_id": tenant.to_string()})));
        assert_eq!(of_another.status, 404);
        assert_eq!(
            of_another.detail(),
            format!("updates[0].tenant_id: tenant \"{tenant}\" does not exist")
        );
    }
}

#[test]
fn series_are_named_and_listed() {
    let stage = Stage::set("original series");
    let api = Api::of(&stage.database, "caller");
    let alice = api.with_key_of(&stage.alice);
    let named = json!({"name": "price", "description": "day ahead", "unit": "EUR/MWh"});
    let created = alice.post("/series", &named).done();
    let id = created["series_id"].as_str().expect("an id").to_owned();
    assert_eq!(
        created,
        json!({"series_id": id, "message": "Series created successfully"})
    );
    assert_eq!(alice.post("/series", &named).done(), created, "the same series again");
    let own = stage.alices.series_id.to_string();
    assert_eq!(
        alice.get("/list_timeseries").done(),
        json!({ id: "price", own: "alice" })
    );
    let bobs = stage.bobs.series_id.to_string();
    assert_eq!(
        api.with_key_of(&stage.bob).get("/list_timeseries").done(),
        json!({ bobs: "bob" })
    );
}

#[test]
fn each_kind_of_mistake_has_its_status_and_the_words_of_the_database() {
    let stage = Stage::set("original mistakes");
    let api = Api::of(&stage.database, "caller");
    let alice = api.with_key_of(&stage.alice);
    let reader = api.with_key_of(&stage.alice_of_scope("read"));
    let row = json!({"value_key": "a", "valid_time": "2025-01-01T00:00:00Z", "value": 1});
    let upload = |rows: Value| json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": rows});
    let mut of_bob = upload(json!([row]));
    of_bob["tenant_id"] = json!(stage.bob.tenant_id.to_string());
    let mut misspelt = row.clone();
    misspelt["valid_time"] = json!("yesterday, or so");
    let told = |answer: Answer| (answer.status, answer.detail());
    let cases = [
        (
            told(alice.get("/values?start_valid=never")),
            400,
            "invalid input syntax for type timestamp with time zone: \"never\"",
        ),
        (told(alice.get("/values?mode=best")), 400, "mode"),
        (
            told(alice.get("/values?colour=red")),
            400,
            "read has no argument \"colour\"; it has start_valid, end_valid",
        ),
        (
            told(alice.post("/upload", &json!({"value_rows": []}))),
            400,
            "upload needs run_start_time",
        ),
        (
            told(alice.post("/upload", &upload(json!([misspelt])))),
            400,
            "value_rows[0].valid_time",
        ),
        (
            told(alice.send("POST", "/upload", "application/json", b"{\"value_rows\": ")),
            400,
            "the body is no JSON object",
        ),
        (
            told(alice.post("/upload", &json!([]))),
            400,
            "the body is no JSON object",
        ),
        (
            told(reader.post("/upload", &upload(json!([row])))),
            403,
            "this needs an API key of scope \"write\"",
        ),
        (told(alice.post("/upload", &of_bob)), 404, "does not exist"),
        (told(alice.get("/nothing")), 404, "Not Found"),
        (told(alice.get("/upload")), 405, "Method Not Allowed"),
    ];
    for ((status, detail), expected, words) in cases {
        assert_eq!(status, expected, "{detail}");
        assert!(detail.contains(words), "{detail}");
    }
    let withdraw = "SELECT FROM timedb.withdraw_run($1, 'wrong')";
    stage
        .alice()
        .execute(withdraw, &[&stage.alices.run_id])
        .expect("withdrawn");
    let update = json!({"updates": [{"run_id": stage.alices.run_id.to_string(), "value": 3,
        "series_id": stage.alices.series_id.to_string(), "valid_time": "2025-01-01T00:00:00Z"}]});
    assert_eq!(alice.put("/values", &update).status, 409);
}

/// What a read answers, an upload takes: JSON has no number for them, so they are texts both ways, as in Postgres' own JSON.
#[test]
fn values_that_are_not_finite_survive_a_round_trip() {
    let database = Database::fresh("original not finite");
    let (alice, bob) = database.two_tenants();
    let api = Api::of(&database, "caller");
    let values = json!(["NaN", "Infinity", "-Infinity", null, 1.5, -0.0, 1e-300]);
    let rows = |values: &Value| -> Value {
        let rows = values.as_array().expect("values").iter().enumerate();
        let row = |(hour, value)| json!({"value_key": "a", "valid_time": format!("2025-01-01T{hour:02}:00:00Z"), "value": value});
        rows.map(row).collect()
    };
    let mut given = values;
    for who in [&alice, &bob, &alice] {
        let client = api.with_key_of(who);
        let body = json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": rows(&given)});
        client.post("/upload", &body).done();
        let data = client.get("/values").done()["data"].clone();
        let read: Value = data
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row["value"].clone())
            .collect();
        assert_eq!(read, given);
        given = read;
    }
    let sql = "SELECT array_agg(value::text ORDER BY valid_time) FROM timedb.read()";
    let stored: Vec<Option<String>> = database.authenticated(&bob).query_one(sql, &[]).expect("values").get(0);
    let stored: Vec<&str> = stored.iter().map(|value| value.as_deref().unwrap_or("null")).collect();
    assert_eq!(stored, ["NaN", "Infinity", "-Infinity", "null", "1.5", "-0", "1e-300"]);
}
