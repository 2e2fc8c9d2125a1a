//! Tenants by the server that they are on.

use postgres::Client;
use timedb_testkit::{Database, Identity, Server, one_of};
use uuid::Uuid;

/// A database on the router, and one of the same name on each server.
pub fn spread(name: &str) -> Database {
    let database = Database::fresh(name);
    assert_eq!(database.server().shards().len(), 3, "run by scripts/test.sh router");
    database
}

/// Which of the servers a tenant is on, by what the router says.
pub fn home(database: &Database, tenant: Uuid) -> usize {
    let conninfo: String = one_of(&mut database.admin(), "SELECT timedb_router._of_tenant($1)", &[&tenant]);
    let is_it = |shard: &Server| shard.conninfo(database.name()) == conninfo;
    database
        .server()
        .shards()
        .iter()
        .position(is_it)
        .expect("one of the servers")
}

/// A user of a tenant that is on this server.
pub fn user_on(database: &Database, server: usize, scope: &str) -> Identity {
    let tenant = std::iter::repeat_with(Uuid::now_v7)
        .find(|tenant| home(database, *tenant) == server)
        .expect("a tenant of it");
    database.create_user(tenant, &format!("user@server-{server}.com"), scope)
}

/// A superuser on one of the servers.
pub fn on_server(database: &Database, server: usize) -> Client {
    let server = &database.server().shards()[server];
    server.connect("postgres", database.name()).expect("a connection")
}
