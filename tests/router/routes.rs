//! Which server a call goes to, and that the session is nobody else's there.

use crate::support::{home, on_server, spread, user_on};
use serde_json::json;
use timedb_testkit::{KEY_REFUSED, fail_to_login, login, one, refused, tenant};

const UPLOAD: &str = "SELECT run_id FROM timedb.upload(now(), $1)";

fn rows(value: f64) -> serde_json::Value {
    json!([{"value_key": "load", "valid_time": "2025-01-01T00:00:00Z", "value": value}])
}

#[test]
fn each_tenant_is_on_the_server_of_its_route_and_reads_its_own() {
    let database = spread("its own");
    for server in 0..3 {
        let user = user_on(&database, server, "write");
        let mut client = database.authenticated(&user);
        client
            .execute(UPLOAD, &[&rows(f64::from(u8::try_from(server).unwrap()))])
            .unwrap();
        let value: f64 = one(&mut client, "SELECT value FROM timedb.read()");
        assert_eq!(value as usize, server);
        let stored: i64 = one(&mut on_server(&database, server), "SELECT count(*) FROM timedb.values");
        assert_eq!(stored, 1);
        assert_eq!(tenant(&mut client), Some(user.tenant_id));
    }
}

#[test]
fn a_key_shown_to_another_server_is_refused_there() {
    let database = spread("another server");
    let user = user_on(&database, 0, "write");
    let mut elsewhere = on_server(&database, 1);
    let refusal = elsewhere.query("SELECT * FROM timedb_shard.whoami($1)", &[&user.api_key]);
    refused(refusal).code("28000").message(KEY_REFUSED);
    // And where the router errs: its table sends the tenant to a server that does not know him.
    let wrong = database.server().shards()[1].conninfo(database.name());
    database
        .admin()
        .execute("UPDATE timedb_router.shards SET conninfo = $1", &[&wrong])
        .unwrap();
    let mut client = database.login("app");
    let login = client.query("SELECT timedb.authenticate($1)", &[&user.api_key]);
    refused(login).code("28000").message(KEY_REFUSED);
}

#[test]
fn a_failed_login_a_logout_and_a_reset_leave_nobody() {
    let database = spread("nobody");
    let user = user_on(&database, 2, "write");
    let mut client = database.authenticated(&user);
    fail_to_login(&mut client, false);
    assert_eq!(tenant(&mut client), None);
    for ending in ["SELECT timedb.logout()", "RESET ALL", "DISCARD ALL"] {
        login(&mut client, &user, false);
        client.batch_execute(ending).unwrap();
        assert_eq!(tenant(&mut client), None, "{ending}");
        let read = client.query("SELECT * FROM timedb.read()", &[]);
        refused(read).code("28000");
    }
}

#[test]
fn a_login_of_the_transaction_ends_with_it() {
    let database = spread("transaction");
    let (alice, bob) = (user_on(&database, 0, "write"), user_on(&database, 1, "write"));
    let mut client = database.authenticated(&alice);
    let mut transaction = client.transaction().unwrap();
    transaction
        .execute("SELECT timedb.authenticate($1, true)", &[&bob.api_key])
        .unwrap();
    let now: Option<uuid::Uuid> = transaction
        .query_one("SELECT timedb.current_tenant()", &[])
        .unwrap()
        .get(0);
    assert_eq!(now, Some(bob.tenant_id));
    transaction.commit().unwrap();
    assert_eq!(tenant(&mut client), Some(alice.tenant_id));
}

#[test]
fn a_key_of_the_original_service_is_refused_in_words() {
    let database = spread("imported");
    let mut client = database.login("app");
    let key = "Drmhze6EPcv0fN_81Bj-nA-9x4k6Rk9mS2Y7tq0aXoE";
    let refusal = refused(client.query("SELECT timedb.authenticate($1)", &[&key]));
    refusal
        .code("28000")
        .message(KEY_REFUSED)
        .hint_contains("names no server");
}

#[test]
fn a_router_without_shards_says_so() {
    let database = spread("no shards");
    let user = user_on(&database, 0, "write");
    database
        .admin()
        .execute("DELETE FROM timedb_router.shards", &[])
        .unwrap();
    let mut client = database.login("app");
    let login = client.query("SELECT timedb.authenticate($1)", &[&user.api_key]);
    refused(login).code("55000");
}

#[test]
fn shards_are_a_power_of_two() {
    let database = spread("three shards");
    let cut = database
        .admin()
        .execute("DELETE FROM timedb_router.shards WHERE shard = 7", &[]);
    refused(cut).code("23514");
}

#[test]
fn routes_are_those_of_the_keys() {
    let database = spread("routes");
    for server in 0..3 {
        let user = user_on(&database, server, "read");
        let sql = "SELECT timedb_router._route_of_key($1) = timedb_router._route_of_tenant($2)";
        let same: bool = database
            .admin()
            .query_one(sql, &[&user.api_key, &user.tenant_id])
            .unwrap()
            .get(0);
        assert!(same && home(&database, user.tenant_id) == server);
    }
}
