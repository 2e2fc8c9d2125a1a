//! PgBouncer between the router and its servers, as docs/pools.md has it: a call carries its key, so that it does not matter whose
//! connection it takes.

use crate::pgbouncer::PgBouncer;
use crate::support::{on_server, spread, user_on};
use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, fail_to_login, one, one_of, refused, succeed, tenant};

const LOGINS: [&str; 2] = ["timedb_router_caller", "timedb_router_admin"];

/// The router finds each of its servers behind a pool of one connection for each of its logins.
fn pooled(database: &Database) -> Vec<PgBouncer> {
    let mut admin = database.admin();
    let move_behind = |server: &timedb_testkit::Server| {
        let pool = PgBouncer::of_server(server, database.name(), &LOGINS, &[]);
        let sql = "UPDATE timedb_router.shards SET conninfo = $1 WHERE conninfo = $2";
        let found = succeed(admin.execute(sql, &[&pool.conninfo(), &server.conninfo(database.name())]));
        assert!(found > 0, "the premise: the server has shards");
        pool
    };
    database.server().shards().iter().map(move_behind).collect()
}

fn upload(client: &mut Client, value: f64) -> Result<u64, postgres::Error> {
    let rows = json!([{"value_key": "load", "valid_time": "2025-01-01T00:00:00Z", "value": value}]);
    client.execute("SELECT timedb.upload(now(), $1)", &[&rows])
}

#[test]
fn tenants_take_turns_on_one_connection_of_a_pool_and_each_reads_its_own() {
    let database = spread("behind pools");
    // Made before: where they are is told by the servers' own addresses.
    let users =
        [(0, "write"), (0, "write"), (1, "write"), (0, "read")].map(|(on, scope)| user_on(&database, on, scope));
    let _pools = pooled(&database);
    let mut clients = users.each_ref().map(|user| database.authenticated(user));
    for (number, client) in clients.iter_mut().take(3).enumerate() {
        succeed(upload(client, number as f64));
    }
    for _ in 0..5 {
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(tenant(client), Some(users[number].tenant_id));
            let read: Vec<f64> = one(client, "SELECT coalesce(array_agg(value), '{}') FROM timedb.read()");
            let own = if number < 3 { vec![number as f64] } else { vec![] };
            assert_eq!(read, own);
            // What fails leaves nothing on the connection that the next one takes.
            refused(client.query("SELECT * FROM timedb.read(mode => 'odd')", &[])).code("22023");
        }
        let [.., reader] = &mut clients;
        refused(upload(reader, 4.0)).code("42501");
    }
    fail_to_login(&mut clients[0], false);
    assert_eq!(tenant(&mut clients[0]), None);
    assert_eq!(tenant(&mut clients[1]), Some(users[1].tenant_id));
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename = 'timedb_router_caller'";
    let sessions: i64 = one_of(&mut on_server(&database, 0), sessions, &[&database.name()]);
    assert_eq!(sessions, 1, "the premise: they share one connection");
    let listed: i64 = one(&mut database.login("ops"), "SELECT count(*) FROM timedb.list_users()");
    assert_eq!(listed, 4);
}
