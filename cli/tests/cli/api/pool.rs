//! Nothing of a request is left on its connection for the next one, however it has ended.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use postgres::Client;
use proptest::prelude::*;
use serde_json::{Value, json};
use timedb_testkit::{Stage, one, run, wait_until};

use super::server::{Api, Http};

/// Which series a client sees: its own alone, or a refusal.
fn seen(client: &Http) -> (u16, Vec<String>) {
    let answer = client.get("/list_timeseries");
    if answer.status != 200 {
        return (answer.status, Vec::new());
    }
    let listed = answer.json();
    let keys = listed.as_object().expect("series").values();
    (200, keys.map(|key| key.as_str().expect("a key").to_owned()).collect())
}

/// What is left of a request on the connections of the pool.
#[track_caller]
fn assert_clean(stage: &Stage, api: &Api) {
    let idle = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'timedb api' AND datname = current_database() \
                AND state <> 'idle'";
    let mut admin = stage.admin();
    wait_until("every connection is idle", || one(&mut admin, idle));
    assert_eq!(seen(&api.without_key()).0, 401);
    assert_eq!(seen(&api.with_key_of(&stage.bob)), (200, vec!["bob".to_owned()]));
    assert_eq!(seen(&api.with_key_of(&stage.alice)), (200, vec!["alice".to_owned()]));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Alice,
    Bob,
    Nobody,
    Bad,
    Mistake,
    Refused,
    Write,
    FailedWrite,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use Step::*;
    let step = prop::sample::select(vec![Alice, Bob, Nobody, Bad, Mistake, Refused, Write, FailedWrite]);
    prop::collection::vec(step, 1..12)
}

/// One after the other, each sees what its own key shows, whatever came before.
fn assert_each_sees_its_own(api: &Api, stage: &Stage, steps: &[Step]) {
    let [alice, bob] = [&stage.alice, &stage.bob].map(|identity| api.with_key_of(identity));
    let row = json!({"value_key": "alice", "valid_time": "2025-01-01T00:00:00Z", "value": 1});
    let upload = |rows: Value| json!({"run_start_time": "2025-01-01T00:00:00Z", "value_rows": rows});
    for step in steps {
        match step {
            Step::Alice => assert_eq!(seen(&alice), (200, vec!["alice".to_owned()])),
            Step::Bob => assert_eq!(seen(&bob), (200, vec!["bob".to_owned()])),
            Step::Nobody => assert_eq!(seen(&api.without_key()).0, 401),
            Step::Bad => assert_eq!(seen(&api.with_key("tdb_bad")).0, 401),
            Step::Mistake => assert_eq!(bob.get("/values?mode=best").status, 400),
            Step::Refused => assert_eq!(alice.post("/rpc/list_users", &json!({})).status, 403),
            Step::Write => assert_eq!(alice.post("/upload", &upload(json!([row]))).status, 200),
            Step::FailedWrite => assert_eq!(bob.post("/upload", &upload(json!([{"value_key": "x"}]))).status, 400),
        }
    }
}

#[test]
fn interleaved_keys_never_see_each_others_over_a_pool_of_one_and_of_eight() {
    let stage = Stage::set("api pool");
    for connections in ["1", "8"] {
        let api = Api::at(&stage.database.url("caller"), &["--connections", connections]);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 6,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let several = prop::collection::vec(steps(), 1..5);
        runner
            .run(&several, |clients| {
                thread::scope(|scope| {
                    for steps in &clients {
                        scope.spawn(|| assert_each_sees_its_own(&api, &stage, steps));
                    }
                });
                Ok(())
            })
            .unwrap_or_else(|failed| panic!("{connections} connections: {failed}"));
        assert_clean(&stage, &api);
    }
}

/// A lock that every read waits for.
fn held(stage: &Stage) -> Client {
    let mut admin = stage.admin();
    run(&mut admin, "BEGIN; LOCK TABLE timedb.series IN ACCESS EXCLUSIVE MODE");
    admin
}

fn waiting(stage: &Stage) -> bool {
    let sql = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'timedb api' AND datname = current_database() \
               AND wait_event_type = 'Lock'";
    one(&mut stage.admin(), sql)
}

#[test]
fn a_request_that_takes_too_long_is_ended_and_leaves_a_clean_connection() {
    let stage = Stage::set("api too slow");
    let api = Api::at(&stage.database.url("caller"), &["--connections", "1", "--timeout", "2"]);
    assert_clean(&stage, &api);
    let lock = held(&stage);
    let answer = api.with_key_of(&stage.alice).get("/values");
    assert_eq!(answer.status, 504, "{answer:?}");
    drop(lock);
    assert_clean(&stage, &api);
}

#[test]
fn a_client_that_goes_away_ends_what_was_done_for_it_and_leaves_a_clean_connection() {
    let stage = Stage::set("api gone");
    // Nothing else ends it within the test's patience.
    let api = Api::at(
        &stage.database.url("caller"),
        &["--connections", "1", "--timeout", "600"],
    );
    assert_clean(&stage, &api);
    let mut lock = held(&stage);
    let mut client = TcpStream::connect(api.address()).expect("connected");
    let key = &stage.alice.api_key;
    write!(client, "GET /values HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n").expect("sent");
    wait_until("the request waits", || waiting(&stage));
    drop(client);
    wait_until("it waits no longer", || !waiting(&stage));
    run(&mut lock, "ROLLBACK");
    assert_clean(&stage, &api);
}

#[test]
fn a_client_that_reads_no_further_than_the_beginning_of_a_long_answer_leaves_a_clean_connection() {
    let stage = Stage::set("api long answer");
    let many = "SELECT FROM timedb.upload_points(now(), array_fill('long'::text, ARRAY[300000]), \
                  (SELECT array_agg('2025-01-01Z'::timestamptz + s * interval '1s') FROM generate_series(1, 300000) s), \
                  array_fill(1::float8, ARRAY[300000]))";
    run(&mut stage.alice(), many);
    let api = Api::at(&stage.database.url("caller"), &["--connections", "1"]);
    assert_eq!(seen(&api.with_key_of(&stage.bob)).0, 200);
    let before = timedb_testkit::peak_memory(api.process());
    let key = &stage.alice.api_key;
    let mut client = TcpStream::connect(api.address()).expect("connected");
    write!(client, "GET /values HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n").expect("sent");
    let mut beginning = [0; 4096];
    client.read_exact(&mut beginning).expect("a beginning");
    assert!(beginning.starts_with(b"HTTP/1.1 200 OK"));
    drop(client);
    let clean = thread::scope(|scope| {
        let bob = scope.spawn(|| seen(&api.with_key_of(&stage.bob)));
        bob.join().expect("answered")
    });
    assert_eq!(clean, (200, vec!["bob".to_owned()]));
    // Whole, in bounded memory, with its count at the end.
    let whole = api.with_key_of(&stage.alice).get("/values");
    assert_eq!(whole.done()["count"], 300_001);
    assert!(whole.bytes.len() > 50 << 20, "{} bytes", whole.bytes.len());
    let grown = timedb_testkit::peak_memory(api.process()) - before;
    assert!(
        grown < 40,
        "{grown} MiB for an answer of {} MiB",
        whole.bytes.len() >> 20
    );
}

#[test]
fn a_stop_lets_requests_in_flight_end_and_takes_no_others() {
    let stage = Stage::set("api stop");
    let mut api = Api::of(&stage.database, "caller");
    let mut lock = held(&stage);
    let alice = api.with_key_of(&stage.alice);
    let in_flight = thread::spawn(move || alice.get("/values"));
    wait_until("the request waits", || waiting(&stage));
    api.ask_to_stop();
    wait_until("it is stopping", || TcpStream::connect(api.address()).is_err());
    run(&mut lock, "ROLLBACK");
    let answer = in_flight.join().expect("answered");
    assert_eq!(answer.done()["count"], 1);
    assert_eq!(api.stopped().code(), Some(0), "{}", api.log());
}

#[test]
fn health_says_whether_the_database_answers_and_requests_that_it_is_away() {
    let cluster = timedb_testkit::Options::default().start().expect("a server of our own");
    let stage = Stage::on(cluster.database("health").expect("a database"));
    let api = Api::at(&stage.database.url("caller"), &["--connections", "1"]);
    let alice = api.with_key_of(&stage.alice);
    assert_eq!(api.without_key().get("/health").status, 200);
    assert_eq!(alice.get("/values").status, 200);
    cluster.stop("immediate").expect("stopped");
    assert_eq!(api.without_key().get("/health").status, 503);
    let answer = alice.get("/values");
    assert_eq!(
        (answer.status, answer.detail()),
        (503, "the database cannot be reached".to_owned())
    );
    cluster.start().expect("started");
    let is_back = || api.without_key().get("/health").status == 200;
    wait_until("it is back", is_back);
    assert_clean(&stage, &api);
}
