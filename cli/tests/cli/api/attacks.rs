//! What somebody with bad intent sends.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use timedb_testkit::{KEY_NEEDED, Options, Stage, one, wait_until};

use super::server::Api;

/// A request as it is, byte by byte, and all that comes back.
fn raw(api: &Api, request: &str) -> String {
    let mut client = TcpStream::connect(api.address()).expect("connected");
    client.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("read");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_key_counts_in_its_header_alone_and_once() {
    let stage = Stage::set("api key elsewhere");
    let api = Api::of(&stage.database, "caller");
    let key = &stage.alice.api_key;
    let nobody = api.without_key();
    let elsewhere = [
        nobody.get(&format!("/values?api_key={key}")),
        nobody.get(&format!("/values?X-API-Key={key}")),
        nobody.with("Authorization", &format!("Bearer {key}")).get("/values"),
        nobody.with("Cookie", &format!("X-API-Key={key}")).get("/values"),
        nobody.with("timedb.api_key", key).get("/values"),
        nobody.with("X-API-Key-2", key).get("/values"),
        nobody.post("/series", &json!({"name": "x", "api_key": key})),
    ];
    for answer in elsewhere {
        assert_eq!((answer.status, answer.json()), (401, json!({ "detail": KEY_NEEDED })));
    }
    let with_another = api.with_key(key).with("X-API-Key", &stage.bob.api_key).get("/values");
    assert_eq!(with_another.status, 400, "{with_another:?}");
    let joined = api.with_key(&format!("{key}, {}", stage.bob.api_key)).get("/values");
    assert_eq!(joined.status, 401);
}

/// What PostgREST puts into settings, and what a setting could say: nothing of a request becomes one.
#[test]
fn no_header_and_no_argument_becomes_a_setting() {
    let stage = Stage::set("api settings");
    let api = Api::of(&stage.database, "caller");
    let bobs = stage.bob.tenant_id.to_string();
    let client = api
        .with_key_of(&stage.alice)
        .with("timedb.tenant", &bobs)
        .with("request.headers", "{\"x-api-key\": \"x\"}")
        .with("Prefer", "timezone=Asia/Tokyo, tx=rollback")
        .with("Role", "postgres")
        .with("PGOPTIONS", "-c role=postgres")
        .with("X-HTTP-Method-Override", "DELETE")
        .with("X-Tenant-ID", &bobs);
    let who = client.get("/rpc/whoami").done();
    assert_eq!(who[0]["tenant_id"], json!(stage.alice.tenant_id.to_string()));
    assert_eq!(
        client.get("/values").done()["data"][0]["valid_time"],
        "2025-01-01T00:00:00+00:00"
    );
    for argument in ["timezone", "role", "search_path", "timedb.tenant", "statement_timeout"] {
        assert_eq!(client.get(&format!("/rpc/read?{argument}=x")).status, 400, "{argument}");
    }
    let split = raw(
        &api,
        &format!(
            "GET /values HTTP/1.1\r\nHost: x\r\nX-API-Key: tdb_bad\r\n X-API-Key: {}\r\nConnection: close\r\n\r\n",
            stage.alice.api_key
        ),
    );
    assert!(
        split.starts_with("HTTP/1.1 400") || split.starts_with("HTTP/1.1 401"),
        "{split}"
    );
    // One request within another, for a proxy that takes the one length or the other.
    let smuggled = raw(
        &api,
        &format!(
            "POST /series HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nX-API-Key: tdb_bad\r\n\
             Connection: close\r\n\r\n0\r\n\r\nGET /values HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n",
            stage.alice.api_key
        ),
    );
    assert!(!smuggled.contains("series_key"), "{smuggled}");
}

/// Whoever follows them one within the other needs a stack as deep as they are, and reads what is left of them at each.
#[test]
fn arrays_within_arrays_are_refused_however_many() {
    let stage = Stage::set("api deep");
    let api = Api::of(&stage.database, "caller");
    let sent = |key: &str, depth: usize| {
        let body = format!("{{\"series_keys\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        let client = api.with_key(key);
        client.send("POST", "/rpc/read", "application/json", body.as_bytes())
    };
    for depth in [400_000, 10_000, 7] {
        assert_eq!(sent(&stage.alice.api_key, depth).status, 400, "{depth}");
    }
    // A small body is looked at first.
    assert_eq!(sent("tdb_bad", 10_000).status, 400);
    let nested = api
        .with_key_of(&stage.alice)
        .post("/rpc/read", &json!({"series_keys": [["a"], ["b"]]}));
    assert!(nested.status < 500, "{nested:?}");
    assert_eq!(api.without_key().get("/health").status, 200);
}

#[test]
fn sql_in_names_and_arguments_is_a_text() {
    let stage = Stage::set("api injection");
    let api = Api::of(&stage.database, "caller");
    let alice = api.with_key_of(&stage.alice);
    let sql = "x'; DROP TABLE timedb.series; --";
    let escaped = "x%27%29%3B%20RESET%20SESSION%20AUTHORIZATION%3B%20--";
    for path in [format!("/rpc/read%22%28%29%3B{escaped}"), format!("/rpc/{escaped}")] {
        assert_eq!(alice.get(&path).status, 404, "{path}");
    }
    for path in [
        format!("/rpc/read?{escaped}=1"),
        format!("/rpc/read?mode=flat%22%20%3D%3E%20{escaped}"),
        format!("/rpc/read?series_keys={escaped}"),
        format!("/values?start_valid={escaped}"),
    ] {
        assert_eq!(alice.get(&path).status, 400, "{path}");
    }
    assert_eq!(alice.post("/rpc/read", &json!({sql: 1})).status, 400);
    assert_eq!(
        alice
            .post("/rpc/read", &json!({"series_keys": [sql, "\",NULL}'::text"]}))
            .done(),
        json!([])
    );
    let named = alice.post("/series", &json!({"name": sql})).done();
    let listed = alice.get("/list_timeseries").done();
    assert_eq!(listed[named["series_id"].as_str().expect("an id")], sql);
    for key in [sql, "' OR true --", "{}", ""] {
        assert_eq!(api.with_key(key).get("/values").status, 401, "{key}");
    }
    let tables: i64 = one(&mut stage.admin(), "SELECT count(*) FROM timedb.series");
    assert_eq!(tables, 3);
}

/// Wherever a client puts one, and whatever goes wrong.
#[test]
fn no_key_is_logged_by_the_server_or_by_postgres() {
    let cluster = Options::default()
        .setting("log_statement = 'all'")
        .setting("log_min_error_statement = 'debug5'")
        .start()
        .expect("a server of our own");
    let stage = Stage::on(cluster.database("api logs").expect("a database"));
    // As `timedb create tables` makes its role.
    timedb_testkit::run(
        &mut stage.admin(),
        "ALTER ROLE caller SET log_parameter_max_length = 0; ALTER ROLE caller SET log_parameter_max_length_on_error = 0",
    );
    let from = cluster.log().len();
    let api = Api::at(&stage.database.url("caller"), &["--connections", "2"]);
    let key = &stage.alice.api_key;
    let alice = api.with_key(key);
    alice.get("/values").done();
    for path in [
        format!("/{key}"),
        format!("/rpc/{key}"),
        format!("/values?api_key={key}"),
        format!("/rpc/read?{key}=1"),
        format!("/docs/{key}"),
    ] {
        let answer = alice.get(&path);
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.text().contains(key), "{answer:?}");
    }
    assert_eq!(alice.post("/rpc/read", &json!({key.as_str(): 1})).status, 400);
    let mut unknown = key.clone();
    unknown.replace_range(10..11, if &unknown[10..11] == "A" { "B" } else { "A" });
    assert_eq!(api.with_key(&unknown).get("/values").status, 401);
    wait_until("the last request is told", || api.log().contains("GET /values 401"));
    let log = api.log();
    assert!(
        log.contains("GET /values 200") && log.contains("GET /rpc/{name} 404"),
        "the premise: it logs\n{log}"
    );
    let database = cluster.log().split_off(from);
    assert!(database.contains("row_to_json"), "the premise: it logs statements");
    for (what, log) in [("the server", &log), ("Postgres", &database)] {
        for key in [key, &unknown] {
            assert!(!log.contains(key.as_str()), "{what} has logged a key:\n{log}");
        }
    }
}

/// Of what somebody asks whose key is refused, Postgres does not so much as look up the function; and he costs no connection.
#[test]
fn nothing_is_prepared_of_what_a_caller_asks_before_his_key_is_good() {
    let stage = Stage::set("api prepared");
    let api = Api::at(&stage.database.url("caller"), &["--connections", "1"]);
    let alice = api.with_key_of(&stage.alice);
    alice.get("/values").done();
    let mut admin = stage.admin();
    let backend =
        "SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'timedb api' AND datname = current_database()";
    let before: i32 = one(&mut admin, backend);
    timedb_testkit::run(&mut admin, "ALTER FUNCTION timedb.coverage RENAME TO another");
    for nobody in [api.with_key("tdb_bad"), api.with_key("")] {
        // One that is there, one that is not any more, a bad value.
        for path in ["/rpc/gaps?step=1h", "/rpc/coverage", "/rpc/latest?before=x"] {
            let answer = nobody.get(path);
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (401, &json!("28000")),
                "{path}"
            );
        }
    }
    let after: i32 = one(&mut admin, backend);
    assert_eq!(after, before, "the connection is the same");
    assert_eq!(alice.get("/rpc/coverage").status, 404, "the premise: it is looked up");
    alice.get("/values").done();
}
