//! Bodies that never come to their end, and more of them than the server has room for.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use timedb_testkit::{Identity, Stage, wait_until};

use super::server::{Answer, Api};

/// A client that sends the head of a request and no more yet.
fn begun(api: &Api, path: &str, headers: &[&str]) -> TcpStream {
    let mut client = TcpStream::connect(api.address()).expect("connected");
    let headers = headers.join("\r\n");
    write!(client, "POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n").expect("sent");
    client
}

/// Sends a piece now and then until there is an answer, of which the first line and the last come back.
fn trickled(mut client: TcpStream, piece: &[u8]) -> (String, String) {
    const PIECES: usize = 100;
    client
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a timeout");
    let mut answer = [0; 4096];
    for _ in 0..PIECES {
        client.write_all(piece).expect("sent");
        match client.read(&mut answer) {
            Ok(0) => panic!("closed without an answer"),
            Ok(length) => {
                let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
                let line = |line: Option<&str>| line.unwrap_or_default().to_owned();
                return (line(answer.lines().next()), line(answer.lines().last()));
            }
            Err(error) => {
                let is_none_yet = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
                assert!(is_none_yet.contains(&error.kind()), "{error}");
            }
        }
    }
    panic!("no answer after {PIECES} pieces");
}

#[test]
fn whoever_sends_a_body_byte_by_byte_is_408_small_or_large_and_in_chunks() {
    let stage = Stage::set("api slow body");
    let api = Api::at(&stage.database.url("caller"), &["--body-timeout", "2"]);
    let key = format!("X-API-Key: {}", stage.alice.api_key);
    let late = "the body did not come to its end within 2 seconds";
    let cases: [(&str, &[&str], &[u8]); 4] = [
        // Nobody is asked for a key before a small body is there.
        ("/upload", &["Content-Length: 60000"], b"x"),
        ("/rpc/read", &["Content-Length: 60000"], b"x"),
        ("/upload", &[&key, "Content-Length: 3000000"], b"x"),
        ("/upload", &[&key, "Transfer-Encoding: chunked"], b"1\r\nx\r\n"),
    ];
    for (path, headers, piece) in cases {
        let (status, body) = trickled(begun(&api, path, headers), piece);
        assert_eq!(status, "HTTP/1.1 408 Request Timeout", "{headers:?}");
        let said = match path {
            "/upload" => json!({ "detail": late }),
            _ => json!({"code": null, "message": late, "details": null, "hint": null}),
        };
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body, said);
    }
    assert_eq!(api.with_key_of(&stage.alice).get("/values").status, 200);
}

const FULL: &str = "the server holds as many bodies as it may at once: send it again";
const MIB: usize = 1 << 20;

fn half_sent(api: &Api, identity: &Identity, length: usize) -> TcpStream {
    let key = format!("X-API-Key: {}", identity.api_key);
    begun(api, "/upload", &[&key, &format!("Content-Length: {length}")])
}

/// A body that means nothing, of somebody with a key: 400 where there was room to read it.
fn sent(api: &Api, identity: &Identity, length: usize) -> Answer {
    let body = vec![b' '; length];
    api.with_key_of(identity)
        .send("POST", "/upload", "application/json", &body)
}

#[track_caller]
fn assert_full(answer: &Answer) {
    let told = (answer.status, answer.header("retry-after"), answer.detail());
    assert_eq!(told, (503, Some("1"), FULL.to_owned()));
}

#[test]
fn bodies_that_are_held_at_once_have_a_bound_and_whoever_has_gone_leaves_room() {
    let stage = Stage::set("api room");
    let options = ["--max-body", "2", "--body-memory", "3"];
    let api = Api::at(&stage.database.url("caller"), &options);
    assert_eq!(sent(&api, &stage.bob, 2 * MIB).status, 400, "the premise: it fits");
    let alices = half_sent(&api, &stage.alice, 2 * MIB);
    wait_until("what is held leaves no room", || {
        sent(&api, &stage.bob, 2 * MIB).status == 503
    });
    assert_full(&sent(&api, &stage.bob, 2 * MIB));
    // What is packed, or in chunks, finds out as it comes.
    let key = format!("X-API-Key: {}", stage.bob.api_key);
    let mut chunks = begun(&api, "/upload", &[&key, "Transfer-Encoding: chunked"]);
    let chunk = [b"10000\r\n", &vec![b' '; 1 << 16][..], b"\r\n"].concat();
    chunks.write_all(&chunk.repeat((2 * MIB) >> 16)).expect("sent");
    chunks.write_all(b"0\r\n\r\n").expect("sent");
    let mut answer = String::new();
    chunks.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // Small bodies, and requests without one, go on.
    let bob = api.with_key_of(&stage.bob);
    assert_eq!(bob.post("/series", &json!({"name": "small"})).status, 200);
    assert_eq!(bob.get("/values").status, 200);
    drop(alices);
    wait_until("there is room again", || sent(&api, &stage.bob, 2 * MIB).status == 400);
}

#[test]
fn one_tenant_cannot_take_the_room_of_all() {
    let stage = Stage::set("api room of one");
    let options = ["--max-body", "1", "--body-memory", "4"];
    let api = Api::at(&stage.database.url("caller"), &options);
    let _held: Vec<TcpStream> = (0..3).map(|_| half_sent(&api, &stage.alice, MIB)).collect();
    wait_until("alice has no room", || sent(&api, &stage.alice, MIB).status == 503);
    assert_eq!(sent(&api, &stage.bob, MIB).status, 400);
}

/// What is larger than small is read only of somebody whose key is good: else nobody's bodies would take the room.
#[test]
fn whoever_has_no_good_key_takes_no_room() {
    let stage = Stage::set("api room of nobody");
    let options = ["--max-body", "1", "--body-memory", "1"];
    let api = Api::at(&stage.database.url("caller"), &options);
    for headers in [
        ["Content-Length: 1000000", "X-API-Key: tdb_bad"],
        ["Transfer-Encoding: chunked", "X-API-Key: tdb_bad"],
        ["Content-Length: 1000000", "X-Nothing: x"],
    ] {
        let _held = begun(&api, "/upload", &headers);
        assert_eq!(sent(&api, &stage.alice, MIB).status, 400, "{headers:?}");
    }
    let stranger = api.with_key("tdb_bad").post("/upload", &json!("x".repeat(1 << 17)));
    assert_eq!(stranger.status, 401);
}
