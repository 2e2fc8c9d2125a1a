//! A server with PostgREST's conventions in front of a router: as in front of one server.

use crate::postrust::{Answer, Http, Postrust};
use crate::support::{spread, user_on};
use crate::web::{assert_all_alike, web_roles};
use serde_json::{Value, json};
use timedb_testkit::{Database, Identity, KEY_NEEDED, KEY_REFUSED, succeed};

/// Alice is of a tenant on one server, Bob of one on another, and there is one connection to the router. The gateway goes first.
struct Gateway {
    server: Postrust,
    database: Database,
    alice: Identity,
    bob: Identity,
}

impl Gateway {
    #[track_caller]
    fn fresh(name: &str) -> Self {
        let database = spread(name);
        web_roles(&database);
        let (alice, bob) = (user_on(&database, 0, "write"), user_on(&database, 2, "write"));
        let server = Postrust::in_front_of(&database, "web_anon", 1);
        Self {
            server,
            database,
            alice,
            bob,
        }
    }

    fn client(&self, identity: &Identity) -> Http {
        self.server.with_key(&identity.api_key)
    }
}

fn upload(key: &str, value: f64) -> Value {
    json!({"run_start_time": "2025-01-01T00:00:00Z",
           "value_rows": [{"value_key": key, "valid_time": "2025-01-01T00:00:00Z", "value": value}]})
}

fn uploaded(client: &Http, key: &str, value: f64) {
    let answer = client.post("/rpc/upload", &upload(key, value));
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[track_caller]
fn assert_reads(client: &Http, expected: &[(&str, f64)]) {
    let answers = [client.get("/rpc/read"), client.post("/rpc/read", &json!({}))];
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        let rows = answer.body.as_array().expect("rows").iter();
        let rows: Vec<Value> = rows.map(|row| json!([row["series_key"], row["value"]])).collect();
        assert_eq!(json!(rows), json!(expected));
    }
}

#[track_caller]
fn assert_unauthorized(answer: &Answer, message: &str) {
    let told = (answer.status, answer.challenge.as_deref(), &answer.body["message"]);
    assert_eq!(told, (401, Some("ApiKey"), &json!(message)), "{answer:?}");
}

fn every_request(client: &Http) -> [Answer; 4] {
    [
        client.get("/rpc/read"),
        client.get("/rpc/whoami"),
        client.post("/rpc/upload", &upload("x", 1.0)),
        client.post("/rpc/logout", &json!({})),
    ]
}

#[test]
fn over_http_without_a_key_and_with_every_bad_one_the_answer_is_that_of_one_server() {
    let gateway = Gateway::fresh("http keys");
    let deactivate = "SELECT timedb.deactivate_user(user_id => $1)";
    let gone = user_on(&gateway.database, 1, "write");
    succeed(gateway.database.login("ops").execute(deactivate, &[&gone.user_id]));
    for answer in every_request(&gateway.server.without_key()) {
        assert_unauthorized(&answer, KEY_NEEDED);
        assert_eq!(answer.body["hint"], "In SQL, call timedb.authenticate(api_key) first.");
    }
    // What is refused by the router, which sees that it is no key, and what by a server, which knows none like it.
    let mut answers = Vec::new();
    for key in ["tdb_bad", "null", &gone.api_key] {
        answers.extend(every_request(&gateway.server.with_key(key)).map(|answer| (key.to_owned(), answer)));
    }
    assert_all_alike(&answers);
    assert_unauthorized(&answers[0].1, KEY_REFUSED);
}

#[test]
fn over_http_two_tenants_on_two_servers_are_served_by_one_connection_and_its_next_request_is_nobody_s() {
    let gateway = Gateway::fresh("http tenants");
    let (alice, bob) = (gateway.client(&gateway.alice), gateway.client(&gateway.bob));
    uploaded(&alice, "heat", 1.5);
    uploaded(&bob, "wind", 2.5);
    for _ in 0..3 {
        assert_reads(&alice, &[("heat", 1.5)]);
        assert_unauthorized(&gateway.server.without_key().get("/rpc/read"), KEY_NEEDED);
        assert_reads(&bob, &[("wind", 2.5)]);
        assert_unauthorized(&gateway.server.with_key("tdb_bad").get("/rpc/read"), KEY_REFUSED);
        let bad = json!({"run_start_time": "2025-01-01", "value_rows": [{"value_key": "x"}]});
        assert_eq!(bob.post("/rpc/upload", &bad).status, 400);
    }
}

#[test]
fn over_http_values_are_corrected_and_a_scope_that_does_not_allow_it_is_403() {
    let gateway = Gateway::fresh("http scopes");
    let (alice, bob) = (gateway.client(&gateway.alice), gateway.client(&gateway.bob));
    let reader = gateway
        .database
        .create_user(gateway.alice.tenant_id, "reader@tenant-a.com", "read");
    let reader = gateway.client(&reader);
    uploaded(&alice, "heat", 1.5);
    let read = alice.get("/rpc/read").body[0].clone();
    let updates = json!({"updates": [{"run_id": read["run_id"], "series_id": read["series_id"],
                                      "valid_time": read["valid_time"], "value": 3.5}]});
    assert_eq!(reader.post("/rpc/update", &updates).status, 403);
    assert_eq!(reader.post("/rpc/upload", &upload("heat", 9.0)).status, 403);
    assert_eq!(
        bob.post("/rpc/update", &updates).status,
        404,
        "it is none of his server's"
    );
    let answer = alice.post("/rpc/update", &updates);
    assert_eq!(
        (answer.status, &answer.body[0]["status"]),
        (200, &json!("updated")),
        "{answer:?}"
    );
    assert_reads(&reader, &[("heat", 3.5)]);
}
