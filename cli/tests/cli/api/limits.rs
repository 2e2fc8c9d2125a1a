//! What is too large, packed or unpacked; what goes over the wire packed; the page of documentation.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use timedb_testkit::Stage;

use super::server::Api;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .args(["-c", "-1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip runs");
    let mut input = gzip.stdin.take().expect("its input");
    let bytes = bytes.to_owned();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = gzip.wait_with_output().expect("gzip ends");
    writer.join().expect("written").expect("written");
    output.stdout
}

fn upload(annotation: &str) -> Value {
    let row = json!({"value_key": "a", "valid_time": "2025-01-01T00:00:00Z", "value": 1});
    json!({"run_start_time": "2025-01-01T00:00:00Z", "run_params": {"note": annotation}, "value_rows": [row]})
}

#[test]
fn a_body_that_is_too_large_is_413_packed_or_not_with_its_length_or_without() {
    let stage = Stage::set("api too large");
    let api = Api::at(&stage.database.url("caller"), &["--max-body", "2"]);
    let alice = api.with_key_of(&stage.alice);
    let large = upload(&"x".repeat(3 << 20));
    let answer = alice.post("/upload", &large);
    assert_eq!((answer.status, answer.detail().contains("at most 2 MiB")), (413, true));
    let packed = gzip(large.to_string().as_bytes());
    assert!(packed.len() < 1 << 20, "the premise: it is small as it comes");
    let packed = alice
        .with("Content-Encoding", "gzip")
        .send("POST", "/upload", "application/json", &packed);
    assert_eq!(packed.status, 413, "{packed:?}");
    let small = gzip(upload("small").to_string().as_bytes());
    let small = alice
        .with("Content-Encoding", "gzip")
        .send("POST", "/upload", "application/json", &small);
    assert_eq!(small.status, 200, "{}", small.text());
    // Of somebody without a good key nothing large is read.
    let stranger = api
        .with_key("tdb_bad")
        .post("/upload", &upload(&"x".repeat((1 << 20) + 5)));
    assert_eq!(stranger.status, 401);
}

/// On one connection: what was not read of a body would be taken for the next request, or close it.
#[test]
fn a_request_that_is_refused_before_its_body_is_read_leaves_its_connection_to_the_next() {
    let stage = Stage::set("api unread");
    let api = Api::of(&stage.database, "caller");
    let alice = api.with_key_of(&stage.alice);
    for size in [10, 60_000, 3 << 20] {
        let body = json!({ "note": "x".repeat(size) });
        for _ in 0..10 {
            assert_eq!(alice.post("/rpc/nothing", &body).status, 404, "{size}");
            assert_eq!(api.without_key().post("/upload", &body).status, 401, "{size}");
            assert_eq!(alice.get("/values").status, 200, "{size}");
        }
    }
}

#[test]
fn an_answer_is_packed_for_whoever_can_unpack_it() {
    let stage = Stage::set("api gzip");
    let api = Api::of(&stage.database, "caller");
    let alice = api.with_key_of(&stage.alice);
    let packed = alice.with("Accept-Encoding", "gzip").get("/values");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(alice.get("/values").header("content-encoding"), None);
}

#[test]
fn the_page_of_documentation_is_all_from_the_server_itself() {
    let stage = Stage::set("api docs");
    let api = Api::of(&stage.database, "caller");
    let client = api.without_key();
    let page = client.get("/docs");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'self';"), "{policy}");
    let files: Vec<&str> = page
        .text()
        .split(['"', '\''])
        .filter(|word| word.ends_with(".js") || word.ends_with(".css") || word.ends_with(".png"))
        .collect();
    assert!(files.len() >= 5, "{}", page.text());
    assert!(!page.text().contains("://"), "{}", page.text());
    for file in files {
        let file = client.get(&format!("/docs/{}", file.trim_start_matches("./")));
        assert_eq!(file.status, 200);
        assert!(!file.bytes.is_empty());
    }
    let initializer = client.get("/docs/swagger-initializer.js");
    let initializer = initializer.text();
    assert!(
        initializer.contains("\"/openapi.json\"") && !initializer.contains("://"),
        "{initializer}"
    );
    assert!(initializer.contains("\"validatorUrl\": \"none\""), "{initializer}");
    let described = client.get("/openapi.json").done();
    for path in [
        "/upload",
        "/values",
        "/series",
        "/list_timeseries",
        "/rpc/read",
        "/rpc/upload_arrow",
    ] {
        assert!(described["paths"][path].is_object(), "{path}");
    }
    assert!(described["paths"]["/rpc/upload"]["get"].is_null());
    assert_eq!(described["paths"]["/rpc/authenticate"], Value::Null);
    assert_eq!(client.get("/docs/../Cargo.toml").status, 404);
}
