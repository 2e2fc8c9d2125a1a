//! A real HTTP server in front of the extension, and an ordinary HTTP client with an `X-API-Key`.
//!
//! postrust keeps PostgREST's conventions but for these, which the contract test covers as PostgREST has them: it answers
//! `GET /` without asking the database, so without a key; it ignores `select` on a function with OUT arguments; it
//! makes an empty string of a JSON null in an argument; and it sends `BEGIN` and `SET TRANSACTION READ ONLY` in place of
//! one `BEGIN … READ ONLY`.

mod forecasters;
mod retention;
mod what_differs;

use std::thread;

use serde_json::{Value, json};
use timedb_testkit::{KEY_NEEDED, KEY_REFUSED, Stage, one, run, succeed};
use uuid::Uuid;

use crate::postrust::{Answer, Http, Postrust};
use crate::support::{assert_all_alike, web_roles};

/// A server in front of two tenants' values. The server goes first.
struct Gateway {
    server: Postrust,
    stage: Stage,
}

impl Gateway {
    /// As docs/http.md has it: everybody is a member of timedb_caller.
    #[track_caller]
    fn fresh(name: &str) -> Self {
        Self::of_role(name, "web_anon", 1)
    }

    /// For tenants who trust each other: everybody is a member of timedb_user.
    #[track_caller]
    fn of_readers(name: &str) -> Self {
        Self::of_role(name, "web_reader", 1)
    }

    #[track_caller]
    fn of_role(name: &str, role: &str, connections: u8) -> Self {
        let stage = Stage::set(name);
        web_roles(&stage.database);
        // Neither tenants nor operators live by UTC.
        stage.database.set("timezone", "Asia/Tokyo");
        let server = Postrust::in_front_of(&stage.database, role, connections);
        Self { server, stage }
    }

    fn alice(&self) -> Http {
        self.server.with_key(&self.stage.alice.api_key)
    }

    fn bob(&self) -> Http {
        self.server.with_key(&self.stage.bob.api_key)
    }
}

fn value_row(key: &str, hour: u8, value: impl Into<Value>) -> Value {
    json!({"valid_time": format!("2025-01-01T{hour:02}:00:00Z"), "value_key": key, "value": value.into()})
}

/// Every way in which a client of ours may ask.
fn requests(client: &Http) -> Vec<(String, Answer)> {
    let gets = [
        "/rpc/read",
        "/rpc/list_series",
        "/rpc/whoami",
        "/series",
        "/current_values",
        "/values?limit=1",
    ];
    let posts = [
        ("/rpc/upload", json!({"run_start_time": "2025-01-01", "value_rows": []})),
        ("/rpc/read", json!({})),
        ("/rpc/update", json!({"updates": []})),
        ("/rpc/create_series", json!({"name": "x"})),
        ("/rpc/logout", json!({})),
    ];
    let gets = gets.map(|path| (format!("GET {path}"), client.get(path)));
    let posts = posts.map(|(path, body)| (format!("POST {path}"), client.post(path, &body)));
    gets.into_iter().chain(posts).collect()
}

const KEY: &str = "Wind, onshore";

/// Alice's, with six values of a series whose key has a comma, and one of each part of it.
fn filled(gateway: Gateway) -> (Gateway, Http) {
    let alice = gateway.alice();
    let mut rows: Vec<Value> = (0..6).map(|hour| value_row(KEY, hour, hour)).collect();
    rows.extend([value_row("Wind", 0, 100), value_row("onshore", 0, 200)]);
    uploaded(&alice, &rows);
    (gateway, alice)
}

#[track_caller]
fn uploaded(client: &Http, rows: &[Value]) {
    let body = json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": rows});
    let answer = client.post("/rpc/upload", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// How many rows a stream has, in the text that JSON has of it.
fn rows_of_stream(stream: &Value) -> usize {
    let digits = stream
        .as_str()
        .and_then(|text| text.strip_prefix("\\x"))
        .expect("bytes in digits");
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits"))
        .collect();
    let batches = arrow_ipc::reader::StreamReader::try_new(bytes.as_slice(), None).expect("a stream");
    batches.map(|batch| batch.expect("a batch").num_rows()).sum()
}

#[track_caller]
fn assert_unauthorized(answer: &Answer, message: &str) {
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.challenge.as_deref(), Some("ApiKey"), "{answer:?}");
    assert_eq!(answer.body["message"], message);
    assert_eq!(answer.body["code"], "28000");
    assert_eq!(answer.body["details"], Value::Null);
}

#[test]
fn without_a_key_every_request_is_401_and_asks_for_one() {
    let gateway = Gateway::fresh("no key");
    let answers = requests(&gateway.server.without_key());
    assert_all_alike(&answers);
    assert_unauthorized(&answers[0].1, KEY_NEEDED);
}

#[test]
fn a_bad_a_revoked_an_expired_and_a_deactivated_key_get_the_same_401() {
    let gateway = Gateway::fresh("bad keys");
    let mut operator = gateway.stage.ops();
    let mut admin = gateway.stage.admin();
    let [revoked, expired, deactivated] = ["read", "write", "admin"].map(|scope| gateway.stage.alice_of_scope(scope));
    for identity in [&revoked, &expired, &deactivated] {
        let answer = gateway.server.with_key(&identity.api_key).get("/rpc/read");
        assert_eq!(answer.status, 200, "the premise: it was good");
    }
    let revoke = "SELECT timedb.revoke_key(key_id) FROM timedb.list_keys() WHERE user_id = $1";
    succeed(operator.execute(revoke, &[&revoked.user_id]));
    let expire = "UPDATE timedb.api_keys SET expires_at = clock_timestamp() WHERE user_id = $1";
    succeed(admin.execute(expire, &[&expired.user_id]));
    let deactivate = "SELECT timedb.deactivate_user(user_id => $1)";
    succeed(operator.execute(deactivate, &[&deactivated.user_id]));

    let mut unknown = gateway.stage.alice.api_key.clone();
    let last = if unknown.ends_with('A') { "B" } else { "A" };
    unknown.replace_range(unknown.len() - 1.., last);
    let keys = [
        ("malformed", "tdb_bad"),
        ("mistyped", &unknown),
        ("injected", "' OR true --"),
        ("revoked", &revoked.api_key),
        ("expired", &expired.api_key),
        ("deactivated", &deactivated.api_key),
    ];
    let answers: Vec<_> = keys
        .iter()
        .flat_map(|(why, key)| {
            requests(&gateway.server.with_key(key))
                .into_iter()
                .map(move |(request, answer)| (format!("{why}: {request}"), answer))
        })
        .collect();
    assert_all_alike(&answers);
    assert_unauthorized(&answers[0].1, KEY_REFUSED);
}

/// Every row of the table of statuses in docs/http.md.
#[test]
fn the_walkthrough_of_the_original_service_works_with_the_new_paths() {
    let gateway = Gateway::fresh("walkthrough");
    let alice = gateway.alice();

    let upload = json!({
        "run_start_time": "2025-01-01T00:00:00Z",
        "workflow_id": "forecast",
        "known_time": "2025-01-01T06:00:00Z",
        "run_params": {"model": "m1"},
        "value_rows": [value_row("wind", 0, 1.5), value_row("wind", 1, 2.5), value_row("sun", 0, Value::Null)],
    });
    let uploaded = alice.post("/rpc/upload", &upload);
    assert_eq!(uploaded.status, 200, "{uploaded:?}");
    let series = &uploaded.body["series_ids"];
    let names: Vec<&String> = series.as_object().expect("ids by key").keys().collect();
    assert_eq!(names.len(), 2, "{uploaded:?}");
    assert!(uploaded.body["message"].is_string());
    let run = &uploaded.body["run_id"];

    let window = "start_valid=2025-01-01T00:00:00Z&end_valid=2025-01-01T02:00:00Z";
    let read = alice.get(&format!("/rpc/read?{window}&mode=flat&series_keys=%7Bwind%7D"));
    assert_eq!(read.status, 200, "{read:?}");
    let expected = |hour: u8, value: f64| {
        json!({
            "known_time": "2025-01-01T06:00:00+00:00",
            "valid_time": format!("2025-01-01T{hour:02}:00:00+00:00"),
            "valid_time_end": null, "series_id": series["wind"], "series_key": "wind",
            "unit": "dimensionless", "value": value, "run_id": run,
            "change_time": read.body[usize::from(hour)]["change_time"],
            "changed_by": "alice@tenant-a.com", "annotation": null, "tags": null, "labels": {},
        })
    };
    assert_eq!(
        read.body,
        json!([expected(0, 1.5), expected(1, 2.5)]),
        "in UTC, whatever the database lives by"
    );

    let update = json!({"updates": [
        {"run_id": run, "series_id": series["wind"], "valid_time": "2025-01-01T00:00:00Z",
         "value": 9.5, "annotation": "checked", "tags": ["Reviewed"]},
        {"run_id": run, "series_id": series["wind"], "valid_time": "2025-01-01T01:00:00Z", "value": 2.5},
    ]});
    let updated = alice.post("/rpc/update", &update);
    assert_eq!(updated.status, 200, "{updated:?}");
    let statuses = [&updated.body[0]["status"], &updated.body[1]["status"]];
    assert_eq!(statuses, ["updated", "skipped"]);
    let read = alice.post(
        "/rpc/read",
        &json!({"series_keys": ["wind"], "end_valid": "2025-01-01T01:00:00Z"}),
    );
    let row = &read.body[0];
    assert_eq!(
        [&row["value"], &row["annotation"], &row["tags"]],
        [&json!(9.5), &json!("checked"), &json!(["reviewed"])]
    );

    let named = json!({"name": "price", "description": "day ahead", "unit": "EUR/MWh"});
    let created = alice.post("/rpc/create_series", &named);
    assert_eq!(created.status, 200, "{created:?}");
    assert_eq!(
        alice.post("/rpc/create_series", &named),
        created,
        "the same series again"
    );

    let listed = alice.get("/rpc/list_series");
    assert_eq!(listed.status, 200);
    let listed = listed.body.as_array().expect("a list").clone();
    let keys: Vec<&Value> = listed.iter().map(|series| &series["series_key"]).collect();
    assert_eq!(keys, ["alice", "price", "sun", "wind"]);
    assert_eq!(listed[1]["series_id"], created.body);
    assert_eq!(listed[1]["unit"], "EUR/MWh");

    let bobs = gateway.bob().get("/rpc/read");
    let keys: Vec<&Value> = bobs
        .body
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| &row["series_key"])
        .collect();
    assert_eq!(keys, ["bob"], "and Bob sees none of it");
}

#[test]
fn a_key_whose_scope_does_not_allow_it_is_403_and_reads_all_the_same() {
    let gateway = Gateway::fresh("scopes");
    let reader = gateway.server.with_key(&gateway.stage.alice_of_scope("read").api_key);
    let writes = [
        (
            "/rpc/upload",
            json!({"run_start_time": "2025-01-01", "value_rows": [value_row("a", 0, 1)]}),
        ),
        ("/rpc/update", json!({"updates": []})),
        ("/rpc/create_series", json!({"name": "a"})),
    ];
    for (path, body) in writes {
        let answer = reader.post(path, &body);
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(answer.challenge, None, "another login would not help");
        assert_eq!(answer.body["code"], "42501");
        assert_eq!(answer.body["message"], "this needs an API key of scope \"write\"");
    }
    let answer = reader.get("/rpc/read");
    assert_eq!((answer.status, &answer.body[0]["series_key"]), (200, &json!("alice")));
}

#[test]
fn users_and_keys_are_managed_by_a_key_of_scope_admin_and_in_its_own_tenant() {
    let gateway = Gateway::fresh("managing");
    let tenant = gateway.stage.alice.tenant_id.to_string();
    let managing = [
        (
            "/rpc/create_user",
            json!({"tenant_id": tenant, "email": "x@tenant-a.com"}),
        ),
        ("/rpc/list_users", json!({})),
        ("/rpc/create_key", json!({"email": "alice@tenant-a.com"})),
    ];
    for (path, body) in managing {
        let answer = gateway.alice().post(path, &body);
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (403, &json!("42501")),
            "{answer:?}"
        );
    }
    let admin = gateway.stage.alice_of_scope("admin");
    let admin = gateway.server.with_key(&admin.api_key);
    assert_eq!(admin.post("/rpc/list_users", &json!({})).status, 200);
    let of_bob = json!({"tenant_id": gateway.stage.bob.tenant_id.to_string(), "email": "x@tenant-b.com"});
    assert_eq!(admin.post("/rpc/create_user", &of_bob).status, 403);

    let carol = json!({"tenant_id": tenant, "email": "carol@tenant-a.com", "scope": "read"});
    let created = admin.post("/rpc/create_user", &carol);
    assert_eq!(created.status, 200, "{created:?}");
    let again = admin.post("/rpc/create_user", &carol);
    assert_eq!((again.status, &again.body["code"]), (409, &json!("23505")));
    let key = created.body["api_key"].as_str().expect("a key");
    assert_eq!(gateway.server.with_key(key).get("/rpc/read").status, 200);
    let of_carol = json!({"tenant_id": tenant, "user_id": created.body["user_id"]});
    let keys = admin.post("/rpc/list_keys", &of_carol);
    assert_eq!((keys.status, &keys.body[0]["scope"]), (200, &json!("read")), "{keys:?}");
}

#[test]
fn runs_and_series_are_erased_by_a_key_of_scope_admin_and_a_get_erases_nothing() {
    let gateway = Gateway::fresh("erasing");
    let run = json!({"run_id": gateway.stage.alices.run_id.to_string()});
    let series = json!({"series_id": gateway.stage.alices.series_id.to_string()});
    let refused = gateway.alice().post("/rpc/erase_run", &run);
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("42501")));
    let admin = gateway.stage.alice_of_scope("admin");
    let admin = gateway.server.with_key(&admin.api_key);
    let by_get = admin.get(&format!("/rpc/erase_run?run_id={}", gateway.stage.alices.run_id));
    assert_eq!(by_get.status, 405, "{by_get:?}");
    assert_eq!(admin.get("/rpc/read").body.as_array().map(Vec::len), Some(1));
    let of_bob = json!({"run_id": gateway.stage.bobs.run_id.to_string()});
    assert_eq!(admin.post("/rpc/erase_run", &of_bob).status, 404);
    let erased = admin.post("/rpc/erase_run", &run);
    let body = match &erased.body {
        Value::Array(rows) => rows[0].clone(),
        row => row.clone(),
    };
    assert_eq!(
        (erased.status, &body["value_count"], &body["remaining"]),
        (200, &json!(1), &json!(0)),
        "{erased:?}"
    );
    assert_eq!(admin.post("/rpc/erase_series", &series).status, 200);
    assert_eq!(admin.post("/rpc/erase_series", &series).status, 404);
    let tenant = json!({"tenant_id": gateway.stage.alice.tenant_id.to_string()});
    let status = admin.post("/rpc/erase_tenant", &tenant).status;
    assert!([401, 403].contains(&status), "{status}");
}

/// Clients of the original service name their tenant: in an upload, and in every update.
#[test]
fn a_body_may_name_its_own_tenant_and_anothers_is_a_404_like_one_that_is_not_there() {
    let gateway = Gateway::fresh("old bodies");
    let alice = gateway.alice();
    let own = alice.get("/rpc/read").body[0].clone();
    let upload = |tenant: &Uuid| {
        let row = json!({"value_key": "old", "valid_time": "2025-01-01T00:00:00Z", "value": 1});
        let body =
            json!({"run_start_time": "2025-01-01T00:00:00Z", "tenant_id": tenant.to_string(), "value_rows": [row]});
        alice.post("/rpc/upload", &body)
    };
    let update = |tenant: &Uuid| {
        let mut update = json!({"tenant_id": tenant.to_string(), "value": 5});
        for field in ["run_id", "series_id", "valid_time"] {
            update[field] = own[field].clone();
        }
        alice.post("/rpc/update", &json!({"updates": [update]}))
    };
    let stage = &gateway.stage;
    let uploaded = upload(&stage.alice.tenant_id);
    assert_eq!(uploaded.status, 200, "{uploaded:?}");
    let updated = update(&stage.alice.tenant_id);
    assert_eq!((updated.status, &updated.body[0]["status"]), (200, &json!("updated")));
    for (send, path) in [
        (&upload as &dyn Fn(&Uuid) -> Answer, ""),
        (&update, "updates[0].tenant_id: "),
    ] {
        for tenant in [stage.bob.tenant_id, Uuid::now_v7()] {
            let answer = send(&tenant);
            assert_eq!(
                (answer.status, &answer.body["code"]),
                (404, &json!("42704")),
                "{answer:?}"
            );
            let message = format!("{path}tenant \"{tenant}\" does not exist");
            assert_eq!(answer.body["message"], json!(message));
        }
    }
}

#[test]
fn an_unknown_id_and_another_tenants_get_the_same_404() {
    let gateway = Gateway::fresh("unknown ids");
    let bobs = gateway.bob().get("/rpc/read").body[0].clone();
    assert_eq!(bobs["series_key"], "bob", "the premise: Bob's value exists");
    let own = gateway.alice().get("/rpc/read").body[0].clone();
    let anybodys = Uuid::now_v7().to_string();

    let alice = gateway.alice();
    let update = |run: &Value, series: &Value| {
        let key = json!({"run_id": run, "series_id": series, "valid_time": "2025-01-01", "value": 1});
        alice.post("/rpc/update", &json!({"updates": [key]}))
    };
    let upload = |series: &Value| {
        let row = json!({"series_id": series, "valid_time": "2025-01-01", "value": 1});
        alice.post(
            "/rpc/upload",
            &json!({"run_start_time": "2025-01-01", "value_rows": [row]}),
        )
    };
    let masked = |answer: Answer, id: &Value| {
        let text = answer.body.to_string().replace(id.as_str().expect("an id"), "<id>");
        (answer.status, text)
    };
    let mut answers = Vec::new();
    for id in [&bobs["run_id"], &json!(anybodys)] {
        answers.push(("a run".to_owned(), masked(update(id, &own["series_id"]), id)));
    }
    assert_all_alike(&answers);
    assert_eq!(answers[0].1.0, 404, "{answers:?}");
    let mut answers = Vec::new();
    for id in [&bobs["series_id"], &json!(anybodys)] {
        answers.push(("a series".to_owned(), masked(upload(id), id)));
    }
    assert_all_alike(&answers);
    assert_eq!(answers[0].1.0, 404, "{answers:?}");
    let mut answers = Vec::new();
    for id in [&bobs["series_id"], &json!(anybodys)] {
        answers.push(("a series".to_owned(), masked(update(&own["run_id"], id), id)));
    }
    assert_all_alike(&answers);
    assert_eq!(answers[0].1.0, 404, "{answers:?}");

    let path = format!(
        "/rpc/read?series_ids=%7B{}%7D",
        bobs["series_id"].as_str().expect("an id")
    );
    let answer = alice.get(&path);
    assert_eq!(
        (answer.status, answer.body),
        (200, json!([])),
        "a read finds nothing, and is no error"
    );
}

#[test]
fn an_admin_key_meets_404_for_users_and_keys_of_another_tenant() {
    let gateway = Gateway::fresh("foreign users");
    let admin = gateway.server.with_key(&gateway.stage.alice_of_scope("admin").api_key);
    let key_id: Uuid = one(
        &mut gateway.stage.admin(),
        "SELECT key_id FROM timedb.list_keys() WHERE email = 'bob@tenant-b.com'",
    );
    let user = gateway.stage.bob.user_id.to_string();
    for (path, body) in [
        ("/rpc/revoke_key", json!({"key_id": key_id.to_string()})),
        ("/rpc/deactivate_user", json!({"user_id": user})),
        ("/rpc/create_key", json!({"user_id": user})),
        ("/rpc/regenerate_key", json!({"user_id": user})),
    ] {
        let answer = admin.post(path, &body);
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (404, &json!("42704")),
            "{path}: {answer:?}"
        );
    }
    assert_eq!(
        gateway.bob().get("/rpc/read").status,
        200,
        "Bob's key is as good as it was"
    );
}

#[test]
fn bad_rows_are_400_and_name_the_row_and_what_is_too_large_is_413() {
    let gateway = Gateway::fresh("bad rows");
    let alice = gateway.alice();
    let upload = |rows: Value| {
        alice.post(
            "/rpc/upload",
            &json!({"run_start_time": "2025-01-01", "value_rows": rows}),
        )
    };
    let good = value_row("a", 0, 1);
    let bad = [
        (json!([good, {"valid_time": "2025-01-01", "value_key": "a"}]), "22023"),
        (
            json!([good, {"valid_time": null, "value_key": "a", "value": 1}]),
            "22004",
        ),
        (json!([good, value_row("a", 1, "many")]), "22023"),
        (json!([good, value_row("a", 0, 2)]), "22023"),
        (
            json!([good, {"valid_time": "soon", "value_key": "a", "value": 1}]),
            "22007",
        ),
        (json!({"not": "rows"}), "22023"),
    ];
    for (rows, code) in bad {
        let answer = upload(rows.clone());
        assert_eq!(answer.status, 400, "{rows}: {answer:?}");
        assert_eq!(answer.body["code"], code, "{rows}: {answer:?}");
        let message = answer.body["message"].as_str().expect("a message");
        let names_it = message.contains("value_rows[1]") || message.contains("\"value_rows\"");
        assert!(names_it || message.starts_with("value_rows"), "{answer:?}");
    }
    let answer = upload(json!([value_row(&"k".repeat(501), 0, 1)]));
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (413, &json!("54000")),
        "{answer:?}"
    );
    let answer = alice.get("/rpc/read?mode=sideways");
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (400, &json!("22023")),
        "{answer:?}"
    );
    let answer = alice.get("/rpc/list_series");
    assert_eq!(
        answer.body.as_array().expect("a list").len(),
        1,
        "nothing of a bad upload stays"
    );
}

#[test]
fn a_get_never_writes() {
    let gateway = Gateway::fresh("a get");
    let alice = gateway.alice();
    for path in [
        "/rpc/create_series?name=x",
        "/rpc/upload?run_start_time=2025-01-01&value_rows=%5B%7B%22valid_time%22:%222025-01-01%22,%22value_key%22:%22x%22,%22value%22:1%7D%5D",
    ] {
        let answer = alice.get(path);
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (405, &json!("25006")),
            "{path}: {answer:?}"
        );
    }
    assert_eq!(alice.get("/rpc/list_series").body.as_array().map(Vec::len), Some(1));
    assert_eq!(alice.get("/rpc/read").status, 200);
}

#[test]
fn a_login_by_http_ends_with_its_request() {
    let gateway = Gateway::fresh("login by http");
    let nobody = gateway.server.without_key();
    let key = &gateway.stage.alice.api_key;
    let login = json!({"api_key": key});
    assert_unauthorized(&nobody.post("/rpc/authenticate", &login), KEY_NEEDED);
    for is_local in [false, true] {
        let login = json!({"api_key": key, "is_local": is_local});
        let answer = gateway.bob().post("/rpc/authenticate", &login);
        assert_eq!(
            (answer.status, &answer.body["email"]),
            (200, &json!("alice@tenant-a.com"))
        );
        assert_unauthorized(&nobody.get("/rpc/read"), KEY_NEEDED);
        assert_eq!(gateway.bob().get("/rpc/whoami").body[0]["email"], "bob@tenant-b.com");
    }
    assert!(!gateway.server.log().contains("tdb_"), "the server logs no key");
}

#[test]
fn tables_and_views_show_the_keys_tenant_alone_and_take_nothing() {
    let gateway = Gateway::of_readers("tables");
    let alice = gateway.alice();
    for path in ["/series", "/current_values"] {
        let answer = alice.get(&format!("{path}?select=series_key"));
        assert_eq!(
            (answer.status, answer.body),
            (200, json!([{"series_key": "alice"}])),
            "{path}"
        );
    }
    let foreign = format!("/values?tenant_id=eq.{}", gateway.stage.bob.tenant_id);
    assert_eq!(alice.get(&foreign).body, json!([]));
    for path in ["/users", "/api_keys", "/role_bindings", "/audit"] {
        let answer = alice.get(path);
        // The role is the anonymous one, so PostgREST's answer to 42501 is 401, or 404 as it shows no such table.
        assert!([401, 403, 404].contains(&answer.status), "{path}: {answer:?}");
    }
    let tenant = gateway.stage.alice.tenant_id.to_string();
    let row = json!({"tenant_id": tenant, "series_id": Uuid::now_v7().to_string(), "series_key": "x"});
    let answer = alice.post("/series", &row);
    assert!([401, 403, 404, 405].contains(&answer.status), "{answer:?}");
    let count: i64 = one(&mut gateway.stage.admin(), "SELECT count(*) FROM timedb.series");
    assert_eq!(count, 2);
}

#[test]
fn plans_and_their_row_counts_are_not_shown() {
    let gateway = Gateway::of_readers("plans");
    for path in ["/series", "/rpc/read"] {
        let accept = [("Accept", "application/vnd.pgrst.plan+json")];
        let answer = gateway.alice().get_with(path, &accept);
        assert_eq!(answer.status, 406, "{answer:?}");
    }
}

/// How front ends ask how many rows there are: by counting them, or by the planner's estimate, which is of all tenants.
const COUNTS: [&str; 3] = ["count=exact", "count=planned", "count=estimated"];

/// Bob gets so many more series, and the planner knows.
#[track_caller]
fn give_bob_more(gateway: &Gateway, name: &str, series: i64) {
    let mut admin = gateway.stage.admin();
    let sql = "INSERT INTO timedb.series (tenant_id, series_id, series_key) \
               SELECT $1, gen_random_uuid(), $2::text || i FROM generate_series(1, $3::bigint) i";
    succeed(admin.execute(sql, &[&gateway.stage.bob.tenant_id, &name, &series]));
    run(&mut admin, "ANALYZE timedb.series");
}

#[test]
fn as_a_caller_no_table_or_view_is_answered_and_so_no_row_of_anybodys_is_counted() {
    let gateway = Gateway::fresh("callers");
    give_bob_more(&gateway, "secret", 500);
    let relations = "SELECT array_agg(c.relname::text) FROM pg_class c \
                     WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v')";
    let relations: Vec<String> = one(&mut gateway.stage.admin(), relations);
    assert!(relations.len() >= 10, "the premise: {relations:?}");
    let bob = gateway.stage.bob.tenant_id;
    for relation in &relations {
        // The views have no tenant_id.
        let column = match relation.as_str() {
            "current_values" | "versions" => "series_id",
            _ => "tenant_id",
        };
        for path in [format!("/{relation}"), format!("/{relation}?{column}=eq.{bob}&limit=1")] {
            for count in COUNTS {
                let answer = gateway.alice().get_with(&path, &[("Prefer", count)]);
                // By Postgres, or before it by a front that shows no such table.
                let code = answer.body["code"].as_str().unwrap_or_default();
                let refused = [(401, "42501"), (404, "PGRST205")].contains(&(answer.status, code));
                assert!(refused, "{path}: {answer:?}");
                assert_eq!(answer.range, None, "{path}, {count}");
            }
        }
    }
    // And what a caller may call is counted by what it answers.
    for count in COUNTS {
        let answer = gateway.alice().get_with("/rpc/list_series", &[("Prefer", count)]);
        assert_eq!(answer.body.as_array().map(Vec::len), Some(1), "{answer:?}");
        let total = answer.range.as_deref().and_then(|range| range.split_once('/'));
        // What it answers, or what it is declared to answer.
        assert!(
            matches!(total, None | Some((_, "*" | "1" | "1000"))),
            "{count}: {answer:?}"
        );
    }
}

/// A planned count is of all tenants together.
#[test]
fn as_a_member_of_timedb_user_planned_counts_tell_no_tenants_share() {
    let gateway = Gateway::of_readers("planned");
    let (bob, alice) = (gateway.stage.bob.tenant_id, gateway.alice());
    let total = |tenant: Uuid, count: &str| {
        let path = format!("/series?tenant_id=eq.{tenant}&limit=1");
        let answer = alice.get_with(&path, &[("Prefer", count)]);
        assert_eq!(answer.body, json!([]), "no row of his");
        let range = answer.range.unwrap_or_default();
        let total = range.split_once('/').map(|(_, total)| total.parse::<i64>());
        total
            .and_then(Result::ok)
            .unwrap_or_else(|| panic!("{path}, {count}: {range}"))
    };
    for (name, series) in [("secret", 500), ("more", 3000)] {
        give_bob_more(&gateway, name, series);
        assert_eq!(total(bob, "count=exact"), 0);
        for count in ["count=planned", "count=estimated"] {
            assert_eq!(total(bob, count), total(Uuid::now_v7(), count), "{count}");
        }
    }
}

/// Threads of two tenants, each request with its own key, over fewer connections than there are threads.
#[test]
fn many_requests_of_two_tenants_at_once_never_mix() {
    const REQUESTS: usize = 60;
    for connections in [1, 3] {
        let gateway = Gateway::of_role("many requests", "web_reader", connections);
        gateway.stage.database.set("plan_cache_mode", "force_generic_plan");
        let strangers = gateway.server.without_key();
        thread::scope(|scope| {
            for (client, own) in [(gateway.alice(), "alice"), (gateway.bob(), "bob")] {
                let client = std::sync::Arc::new(client);
                for _ in 0..2 {
                    let client = std::sync::Arc::clone(&client);
                    scope.spawn(move || ask_again_and_again(&client, own, REQUESTS));
                }
            }
            for _ in 0..REQUESTS {
                assert_unauthorized(&strangers.get("/rpc/read"), KEY_NEEDED);
            }
        });
    }
}

fn ask_again_and_again(client: &Http, own: &str, times: usize) {
    for turn in 0..times {
        for path in ["/rpc/read", "/rpc/list_series", "/current_values"] {
            let answer = client.get(path);
            let rows = answer.body.as_array().unwrap_or_else(|| panic!("{path}: {answer:?}"));
            assert!(!rows.is_empty(), "{path}, turn {turn}");
            assert!(
                rows.iter().all(|row| row["series_key"] == own),
                "{path}, turn {turn}: {answer:?}"
            );
        }
        let row = value_row(own, 0, turn);
        let answer = client.post(
            "/rpc/upload",
            &json!({"run_start_time": "2025-01-01", "value_rows": [row]}),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body["series_ids"][own].is_string(), "{answer:?}");
    }
}
