//! What an HTTP client of PostgREST gets, as far as a plain connection can tell: the settings are made as PostgREST makes
//! them, the transaction is READ ONLY as for a GET, and an error has the form that PostgREST answers with a status.
//! `tests/gateways` asks the same of a real server.

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{
    KEY_NEEDED, KEY_REFUSED, Stage, assert_nobody, assert_sees_nothing, fail_to_login, one, refused, run, tenant,
};

/// A request as PostgREST begins one: the mode by its method, then all settings in one statement, then the pre-request.
fn begin(client: &mut Client, method: &str, headers: &Value) {
    let mode = if method == "GET" { "READ ONLY" } else { "READ WRITE" };
    run(client, &format!("BEGIN ISOLATION LEVEL READ COMMITTED {mode}"));
    client
        .execute(
            "SELECT set_config('search_path', '\"timedb\", \"public\"', true), set_config('role', 'timedb_user', true), \
               set_config('request.jwt.claims', '{\"role\":\"web_anon\"}', true), set_config('request.method', $1, true), \
               set_config('request.path', '/rpc/read', true), set_config('request.headers', $2, true), \
               set_config('request.cookies', '{}', true)",
            &[&method, &headers.to_string()],
        )
        .expect("the settings of a request");
}

fn with_key(key: &str) -> Value {
    json!({"host": "localhost", "x-api-key": key})
}

/// The status, headers and body that PostgREST makes of an error.
struct Answer {
    status: u64,
    challenge: Option<String>,
    body: Value,
}

#[track_caller]
fn answer<T>(result: Result<T, postgres::Error>) -> Answer {
    let refusal = refused(result).code("PGRST");
    let error = refusal.error();
    let body: Value = serde_json::from_str(error.message()).expect("the message is JSON");
    let detail: Value = serde_json::from_str(error.detail().expect("a detail")).expect("the detail is JSON");
    let headers = detail["headers"].as_object().expect("PostgREST insists on headers");
    Answer {
        status: detail["status"].as_u64().expect("a status"),
        challenge: headers
            .get("WWW-Authenticate")
            .map(|value| value.as_str().expect("text").to_owned()),
        body,
    }
}

#[track_caller]
fn assert_unauthorized<T>(result: Result<T, postgres::Error>, message: &str) {
    let answer = answer(result);
    assert_eq!((answer.status, answer.challenge.as_deref()), (401, Some("ApiKey")));
    assert_eq!(
        (&answer.body["code"], &answer.body["message"]),
        (&json!("28000"), &json!(message))
    );
}

#[test]
fn t42_a_request_without_a_key_or_with_a_bad_one_is_401_and_challenged() {
    let stage = Stage::set("t42");
    let mut client = stage.app();
    for method in ["GET", "POST"] {
        for none in [
            json!({}),
            json!({"X-API-Key": stage.alice.api_key}),
            json!({"x-api-key": null}),
            json!({"x-api-key": [stage.alice.api_key]}),
            json!([]),
            json!("x"),
        ] {
            begin(&mut client, method, &none);
            assert_unauthorized(client.execute("SELECT timedb.pre_request()", &[]), KEY_NEEDED);
            run(&mut client, "ROLLBACK");
        }
        for bad in ["", "x", "tdb_\"quoted\\", "tdb_ümläut", &stage.alice.api_key[..51]] {
            begin(&mut client, method, &with_key(bad));
            assert_unauthorized(client.execute("SELECT timedb.pre_request()", &[]), KEY_REFUSED);
            run(&mut client, "ROLLBACK");
        }
        assert_nobody(&mut client);
    }
    // Not JSON at all, and no header setting whatever.
    run(
        &mut client,
        "BEGIN; SET LOCAL request.method = 'GET'; SET LOCAL request.headers = '{'",
    );
    assert_unauthorized(client.execute("SELECT timedb.pre_request()", &[]), KEY_NEEDED);
}

#[test]
fn t42_a_get_in_a_read_only_transaction_reads_and_leaves_nobody() {
    let stage = Stage::set("t42 get");
    let mut client = stage.app();
    run(&mut client, "SET timezone = 'Asia/Tokyo'");
    for (identity, own) in [
        (&stage.alice, &stage.alices),
        (&stage.bob, &stage.bobs),
        (&stage.alice, &stage.alices),
    ] {
        begin(&mut client, "GET", &with_key(&identity.api_key));
        run(&mut client, "SELECT timedb.pre_request()");
        assert_eq!(one::<String>(&mut client, "SHOW timezone"), "UTC");
        let read = "WITH pgrst_source AS (SELECT pgrst_call.* FROM timedb.read(start_valid := '2025-01-01') pgrst_call) \
                    SELECT series_id FROM pgrst_source";
        assert_eq!(one::<uuid::Uuid>(&mut client, read), own.series_id);
        run(&mut client, "COMMIT");
        assert_nobody(&mut client);
    }
}

/// Else `POST /rpc/authenticate` would leave a login in the pool.
#[test]
fn t42_a_login_within_a_request_lasts_as_long_as_the_request() {
    let stage = Stage::set("t42 login");
    let mut client = stage.app();
    begin(&mut client, "POST", &json!({}));
    client
        .execute("SELECT timedb.authenticate($1, false)", &[&stage.alice.api_key])
        .expect("it logs in");
    assert_eq!(tenant(&mut client), Some(stage.alice.tenant_id));
    run(&mut client, "COMMIT");
    assert_nobody(&mut client);
}

/// The pre-request begins anew, whoever the connection was before: by a login, a setting or a binding.
#[test]
fn t42_a_request_without_a_key_is_nobody_whoever_the_connection_is() {
    let stage = Stage::set("t42 before");
    let bound = stage.bound_to_bob("read");
    let mut by_login = stage.bob();
    let mut by_setting = stage.app();
    run(
        &mut by_setting,
        &format!("SET timedb.api_key = '{}'", stage.bob.api_key),
    );
    let mut by_role = stage.database.login(&bound);
    for client in [&mut by_login, &mut by_setting, &mut by_role] {
        begin(client, "GET", &json!({}));
        assert_unauthorized(client.execute("SELECT timedb.pre_request()", &[]), KEY_NEEDED);
        run(client, "ROLLBACK");
        begin(client, "GET", &with_key(&stage.alice.api_key));
        run(client, "SELECT timedb.pre_request()");
        assert_eq!(tenant(client), Some(stage.alice.tenant_id));
        run(client, "COMMIT");
        stage.assert_bob(client);
    }
}

#[test]
fn t42_what_a_key_may_not_is_403_and_what_is_not_there_404() {
    let stage = Stage::set("t42 statuses");
    let reader = stage.alice_of_scope("read");
    let upload = "SELECT timedb.upload(now(), '[]')".to_owned();
    let create = format!("SELECT timedb.create_user('{}', 'x@y.z')", stage.bob.tenant_id);
    let admin = stage.alice_of_scope("admin");
    let onto = |id: uuid::Uuid| {
        format!(
            "SELECT timedb.upload(now(), '[{{\"valid_time\": \"2025-01-01\", \"series_id\": \"{id}\", \"value\": 1}}]')"
        )
    };
    let (bobs, nobodys) = (stage.bobs.series_id, uuid::Uuid::now_v7());
    let mut client = stage.app();
    let mut request = |key: &str, sql: &str| {
        begin(&mut client, "POST", &with_key(key));
        run(&mut client, "SELECT timedb.pre_request()");
        let answer = answer(client.batch_execute(sql));
        run(&mut client, "ROLLBACK");
        answer
    };
    for (key, sql) in [(&reader, &upload), (&stage.alice, &create), (&admin, &create)] {
        let answer = request(&key.api_key, sql);
        assert_eq!(
            (answer.status, answer.challenge, &answer.body["code"]),
            (403, None, &json!("42501"))
        );
    }
    let of_bobs = request(&stage.alice.api_key, &onto(bobs));
    let of_nobodys = request(&stage.alice.api_key, &onto(nobodys));
    assert_eq!((of_bobs.status, of_nobodys.status), (404, 404));
    let told = |answer: &Answer, id: uuid::Uuid| answer.body.to_string().replace(&id.to_string(), "…");
    assert_eq!(told(&of_bobs, bobs), told(&of_nobodys, nobodys));
    let long = "SELECT timedb.create_series(repeat('x', 1000))";
    assert_eq!(request(&stage.alice.api_key, long).status, 413);
}

#[test]
fn t42_a_bad_value_keeps_its_own_sqlstate_which_is_a_400() {
    let stage = Stage::set("t42 bad value");
    let mut client = stage.app();
    for (sql, code) in [
        ("SELECT timedb.read(mode := 'x')", "22023"),
        (
            "SELECT timedb.upload(now(), '[{\"valid_time\": \"x\", \"value_key\": \"a\", \"value\": 1}]')",
            "22007",
        ),
        ("SELECT timedb.upload(NULL, '[]')", "22004"),
    ] {
        begin(&mut client, "POST", &with_key(&stage.alice.api_key));
        run(&mut client, "SELECT timedb.pre_request()");
        refused(client.batch_execute(sql)).code(code);
        run(&mut client, "ROLLBACK");
    }
}

/// What the client sends comes back inside JSON inside an error: it must not break out of it.
#[test]
fn t42_what_a_client_sends_cannot_forge_the_answers_status_or_headers() {
    let stage = Stage::set("t42 injection");
    let mut client = stage.app();
    let admin = stage.alice_of_scope("admin");
    for name in [
        "a\"}\n{\"status\":200",
        "\\\"",
        "x@y\u{7f}.z",
        "\u{1f600}@é.z",
        "',\"code\":\"00000\"@x",
    ] {
        begin(&mut client, "POST", &with_key(&admin.api_key));
        run(&mut client, "SELECT timedb.pre_request()");
        let result = client.execute("SELECT timedb.deactivate_user(email => $1)", &[&name]);
        let error = result.expect_err("no such user");
        if error.as_db_error().is_some_and(|error| error.code().code() == "PGRST") {
            let answer = answer::<u64>(Err(error));
            assert_eq!((answer.status, &answer.body["code"]), (404, &json!("42704")), "{name}");
        }
        run(&mut client, "ROLLBACK");
    }
}

/// A session may set the request's settings itself: it gains the form of the errors, and no key.
#[test]
fn t42_forged_request_settings_in_plain_sql_gain_nothing() {
    let stage = Stage::set("t42 forged");
    let mut client = stage.app();
    run(&mut client, "SET request.method = 'POST'");
    run(
        &mut client,
        &format!(
            "SET request.jwt.claims = '{{\"tenant_id\": \"{}\"}}'",
            stage.bob.tenant_id
        ),
    );
    assert_sees_nothing(&mut client);
    assert_unauthorized(client.execute("SELECT timedb.read()", &[]), KEY_NEEDED);
    // An error of somebody else's keeps its SQLSTATE, also after one of ours was caught.
    let raise =
        "DO $$ BEGIN BEGIN PERFORM timedb.read(); EXCEPTION WHEN OTHERS THEN NULL; END; RAISE SQLSTATE '08P01'; END $$";
    refused(client.batch_execute(raise)).code("08P01");
    run(&mut client, "RESET ALL");
    refused(client.execute("SELECT timedb.read()", &[]))
        .code("28000")
        .message(KEY_NEEDED);
    run(&mut client, "BEGIN; SET LOCAL request.method = 'GET'; SAVEPOINT s");
    let bad = client.execute("SELECT timedb.authenticate('x')", &[]);
    assert_unauthorized(bad, KEY_REFUSED);
    run(&mut client, "ROLLBACK");
    fail_to_login(&mut client, false);
    assert_nobody(&mut client);
}

/// By way of PostgREST a plan is shown only where the server is told to; what the plan of its statement holds is here.
#[test]
fn t43_the_plan_of_a_requests_statement_tells_nothing_of_the_tables_behind_it() {
    let stage = Stage::set("t43 request");
    let mut client = stage.app();
    begin(&mut client, "GET", &with_key(&stage.alice.api_key));
    run(&mut client, "SELECT timedb.pre_request()");
    let plan = client
        .query(
            "EXPLAIN (ANALYZE, COSTS, TIMING off) SELECT * FROM timedb.read() pgrst_call",
            &[],
        )
        .expect("a plan");
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    let is_whole = ["Function Scan on read", "Custom Scan (TimedbScan)"].map(|node| plan[0].starts_with(node));
    assert!(is_whole.contains(&true), "{plan:?}");
    let plan = plan.join(" ");
    assert!(!plan.contains("Removed") && !plan.contains("->"), "{plan}");
}
