//! A server that is not there: its tenants are told, all others go on, and nothing that was acknowledged is lost.

use crate::support::{on_server, user_on};
use postgres::Client;
use postgres::error::DbError;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use timedb_testkit::{
    Cluster, Database, Identity, Options, Spread, login, one, refused, run, wait_until, wait_until_replayed, words,
};

const UPLOAD: &str = "SELECT run_id FROM timedb.upload(now(), $1, workflow_id => $2)";
const LOST: &str = "the server of this tenant cannot be reached";

/// A router and servers of the test's own; a tenant on each.
fn stage(name: &str) -> (Spread, Database, Vec<Identity>) {
    stage_with(name, &Options::default())
}

fn stage_with(name: &str, options: &Options) -> (Spread, Database, Vec<Identity>) {
    let spread = Spread::start(options, 3).expect("a router and three servers");
    let database = spread.router().database(name).expect("a database");
    let users = (0..3).map(|server| user_on(&database, server, "write")).collect();
    (spread, database, users)
}

fn rows(value: usize) -> Value {
    json!([{"value_key": "load", "valid_time": "2025-01-01T00:00:00Z", "value": value}])
}

fn read(client: &mut Client) -> Result<i64, postgres::Error> {
    Ok(client.query_one("SELECT count(*) FROM timedb.read()", &[])?.get(0))
}

/// That an error is the one of a lost server, and names none.
fn assert_lost(error: &DbError, folder: &str) {
    assert_eq!((error.code().code(), error.message()), ("08006", LOST));
    let said = format!("{} {:?}", words(error), error.where_());
    assert!(
        !said.contains(folder) && !said.contains("host") && !said.contains("dbname"),
        "{said}"
    );
}

#[test]
fn a_server_that_is_down_is_told_to_its_tenants_and_used_at_the_next_call_after_it_comes_back() {
    let (spread, database, users) = stage("down");
    let mut clients: Vec<Client> = users.iter().map(|user| database.authenticated(user)).collect();
    for client in &mut clients {
        client.execute(UPLOAD, &[&rows(1), &"w"]).expect("an upload");
    }
    let folder = spread.shards()[1].folder().display().to_string();
    spread.shards()[1].stop("immediate").expect("it stops");
    for (server, client) in clients.iter_mut().enumerate() {
        match read(client) {
            Ok(count) => assert!(server != 1 && count == 1),
            Err(error) => {
                assert_eq!(server, 1, "{error:?}");
                assert_lost(error.as_db_error().expect("the router's"), &folder);
            }
        }
    }
    let written = clients[1].execute(UPLOAD, &[&rows(2), &"w"]).expect_err("no server");
    assert_lost(written.as_db_error().expect("the router's"), &folder);
    let mut newcomer = database.login("app");
    let refusal = newcomer.query("SELECT timedb.authenticate($1)", &[&users[1].api_key]);
    refused(refusal).code("08006");
    // Why, and where, is in the router's log.
    assert!(spread.router().log().contains(&folder), "the log tells which server");
    spread.shards()[1].start().expect("it comes back");
    assert_eq!(read(&mut clients[1]).expect("served again"), 1);
    login(&mut newcomer, &users[1], false);
    assert_eq!(read(&mut newcomer).expect("served"), 1);
}

/// What is of the others alone would be taken for all there is.
#[test]
fn what_an_operator_asks_of_all_servers_is_answered_whole_or_not_at_all() {
    let (spread, database, users) = stage("gathered");
    let mut ops = database.login("ops");
    let gathered = [
        "list_users()",
        "list_keys()",
        "list_audit()",
        "list_bindings()",
        "tenant_stats()",
        "maintenance",
    ];
    let count = |ops: &mut Client, of: &str| -> i64 { one(ops, &format!("SELECT count(*) FROM timedb.{of}")) };
    let before = gathered.map(|of| count(&mut ops, of));
    assert_eq!(before[..2], [3, 3], "the premise: a user and a key on each");
    let folder = spread.shards()[1].folder().display().to_string();
    spread.shards()[1].stop("immediate").expect("it stops");
    for of in gathered {
        let error = ops.query(&format!("SELECT FROM timedb.{of}"), &[]).expect_err(of);
        assert_lost(error.as_db_error().expect("the router's"), &folder);
    }
    // He might have a namesake there.
    let ended = ops.query("SELECT FROM timedb.deactivate_user($1)", &[&users[0].email]);
    refused(ended).code("08006");
    spread.shards()[1].start().expect("it comes back");
    assert_eq!(gathered.map(|of| count(&mut ops, of)), before);
    database.authenticated(&users[0]);
}

#[test]
fn a_server_that_restarts_behind_idle_connections_costs_its_readers_nothing() {
    let (spread, database, users) = stage("restarted");
    let mut client = database.authenticated(&users[2]);
    client.execute(UPLOAD, &[&rows(1), &"w"]).expect("an upload");
    for mode in ["fast", "immediate"] {
        spread.shards()[2].stop(mode).expect("it stops");
        spread.shards()[2].start().expect("it starts");
        assert_eq!(read(&mut client).expect("tried once more"), 1, "{mode}");
    }
}

/// Uploads until told to stop: which were acknowledged, and how many were refused.
fn write_on(database: &Database, user: &Identity, ends: &AtomicBool) -> (Vec<String>, usize) {
    let mut client = database.authenticated(user);
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    while !ends.load(Ordering::Relaxed) {
        let name = format!("{}-{}", user.email, acknowledged.len() + refused);
        match client.execute(UPLOAD, &[&rows(acknowledged.len()), &name]) {
            Ok(_) => acknowledged.push(name),
            Err(error) => {
                assert_eq!(error.code().map(|code| code.code()), Some("08006"), "{error:?}");
                refused += 1;
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
    (acknowledged, refused)
}

#[test]
fn a_server_killed_under_load_takes_nothing_acknowledged_with_it_and_nobody_else() {
    let (spread, database, users) = stage_with("killed", &Options::default().durable(true));
    let ends = AtomicBool::new(false);
    let (outcomes, seconds) = thread::scope(|scope| {
        let writers: Vec<_> = users
            .iter()
            .map(|user| scope.spawn(|| write_on(&database, user, &ends)))
            .collect();
        thread::sleep(Duration::from_secs(1));
        let began = Instant::now();
        spread.shards()[0].kill_all().expect("killed");
        thread::sleep(Duration::from_secs(1));
        spread.shards()[0].start().expect("it recovers");
        let seconds = began.elapsed().as_secs_f64();
        thread::sleep(Duration::from_secs(1));
        ends.store(true, Ordering::Relaxed);
        let outcomes: Vec<_> = writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer"))
            .collect();
        (outcomes, seconds)
    });
    for (server, (user, (acknowledged, refused))) in users.iter().zip(&outcomes).enumerate() {
        println!(
            "server {server}: {} acknowledged, {refused} refused",
            acknowledged.len()
        );
        assert_eq!(
            *refused > 0,
            server == 0,
            "refused on server {server} only if it was killed"
        );
        let mut client = database.authenticated(user);
        let stored = client
            .query("SELECT workflow_id FROM timedb.list_runs(max_rows => 1000000)", &[])
            .expect("the runs");
        let stored: Vec<String> = stored.iter().map(|row| row.get(0)).collect();
        let lost: Vec<_> = acknowledged.iter().filter(|name| !stored.contains(name)).collect();
        assert!(
            lost.is_empty() && acknowledged.len() > 50,
            "{lost:?} of {}",
            acknowledged.len()
        );
        // An upload that nobody acknowledged is whole, or not there.
        assert!(stored.len() <= acknowledged.len() + refused);
    }
    println!("down for {seconds:.1} s");
}

#[test]
fn a_connection_cut_in_the_middle_of_an_upload_leaves_nothing_and_says_what_to_ask() {
    let (_spread, database, users) = stage("cut");
    let mut superuser = on_server(&database, 1);
    let mut lock = superuser.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE timedb.runs IN EXCLUSIVE MODE")
        .expect("a lock");
    let upload = thread::scope(|scope| {
        let upload = scope.spawn(|| database.authenticated(&users[1]).execute(UPLOAD, &[&rows(1), &"cut"]));
        let mut observer = on_server(&database, 1);
        let waiting =
            "SELECT pid FROM pg_stat_activity WHERE usename = 'timedb_router_caller' AND wait_event_type = 'Lock'";
        let mut pid = None;
        wait_until("the upload waits", || {
            pid = observer
                .query_opt(waiting, &[])
                .expect("the activity")
                .map(|row| row.get::<_, i32>(0));
            pid.is_some()
        });
        observer
            .execute("SELECT pg_terminate_backend($1)", &[&pid])
            .expect("cut");
        upload.join().expect("the uploader")
    });
    lock.rollback().expect("let go");
    refused(upload).code("08006").message(LOST).hint_contains("list_runs()");
    let mut client = database.authenticated(&users[1]);
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.list_runs()"), 0);
}

#[test]
fn a_cancel_ends_the_call_on_the_server_too() {
    let (_spread, database, users) = stage("cancelled");
    let mut superuser = on_server(&database, 0);
    let mut lock = superuser.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE timedb.runs IN EXCLUSIVE MODE")
        .expect("a lock");
    let mut client = database.authenticated(&users[0]);
    run(&mut client, "SET statement_timeout = '500ms'");
    refused(client.execute(UPLOAD, &[&rows(1), &"cut"])).code("57014");
    lock.rollback().expect("let go");
    run(&mut client, "RESET statement_timeout");
    assert_eq!(read(&mut client).expect("the session goes on"), 0);
    client.execute(UPLOAD, &[&rows(1), &"w"]).expect("an upload");
}

/// A second router database, with the standby in the place of one of the servers.
fn reading_router(spread: &Spread, database: &Database, standby: &Cluster) -> Database {
    let readers = spread.router().database("readers").expect("a second router");
    // The databases of the servers are the first one's.
    for (number, shard) in spread.shards().iter().enumerate() {
        let server = if number == 0 { standby.server() } else { shard.server() };
        let sql = "UPDATE timedb_router.shards SET conninfo = $1 WHERE conninfo = $2";
        let (now, before) = (
            server.conninfo(database.name()),
            shard.server().conninfo(readers.name()),
        );
        readers.admin().execute(sql, &[&now, &before]).expect("the shards");
    }
    readers
}

#[test]
fn reads_go_to_a_standby_by_a_second_router_which_follows_revocations_and_writes_nothing() {
    let (spread, database, users) = stage("primary");
    let alice = &users[0];
    database
        .authenticated(alice)
        .execute(UPLOAD, &[&rows(1), &"w"])
        .expect("an upload");
    let standby = spread.shards()[0].standby();
    let mut observer = standby.connect("postgres", database.name()).expect("its superuser");
    let readers = reading_router(&spread, &database, &standby);
    let mut reader = readers.authenticated(alice);
    assert_eq!(read(&mut reader).expect("by the standby"), 1);
    refused(reader.execute(UPLOAD, &[&rows(2), &"w"])).code("25006");
    // Another server's tenants are read where they were.
    assert_eq!(read(&mut readers.authenticated(&users[1])).expect("by its server"), 0);

    // What is not replayed is not read, and a key that is not yet known as revoked goes on.
    run(&mut observer, "SELECT pg_wal_replay_pause()");
    database
        .authenticated(alice)
        .execute(
            UPLOAD,
            &[
                &json!([{"value_key": "b", "valid_time": "2025-01-01T00:00:00Z", "value": 2}]),
                &"w",
            ],
        )
        .expect("an upload");
    run(
        &mut database.admin(),
        &format!("SELECT timedb.deactivate_user(user_id => '{}')", alice.user_id),
    );
    refused(
        database
            .login("app")
            .query("SELECT timedb.authenticate($1)", &[&alice.api_key]),
    )
    .code("28000");
    assert_eq!(read(&mut reader).expect("still known there"), 1);
    run(&mut observer, "SELECT pg_wal_replay_resume()");
    wait_until_replayed(&mut on_server(&database, 0), &mut observer);
    refused(read(&mut reader)).code("28000");
}

#[test]
fn a_whole_server_moves_by_a_standby_that_is_promoted_and_named_in_its_place() {
    let (spread, database, users) = stage("promoted");
    let mut client = database.authenticated(&users[0]);
    client.execute(UPLOAD, &[&rows(1), &"w"]).expect("an upload");
    let standby = spread.shards()[0].standby();
    let mut observer = standby.connect("postgres", database.name()).expect("its superuser");
    wait_until_replayed(&mut on_server(&database, 0), &mut observer);
    spread.shards()[0].stop("fast").expect("it stops");
    assert!(one::<bool>(&mut observer, "SELECT pg_promote()"));
    let (now, before) = (
        standby.server().conninfo(database.name()),
        spread.shards()[0].server().conninfo(database.name()),
    );
    let moved = database
        .admin()
        .execute(
            "UPDATE timedb_router.shards SET conninfo = $1 WHERE conninfo = $2",
            &[&now, &before],
        )
        .expect("the shards");
    assert!(moved > 0);
    client
        .execute(UPLOAD, &[&rows(2), &"w"])
        .expect("on the new server, in the same session");
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.list_runs()"), 2);
    drop(client);
    spread.shards()[0]
        .start()
        .expect("it comes back, for its database to be dropped");
}
