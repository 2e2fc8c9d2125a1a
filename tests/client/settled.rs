//! Up to which moment nothing can appear any more: whatever a transaction does and however it ends, it never appears before
//! a moment that was told to be settled, and it holds that back no longer than it lasts.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Identity, Options, Stored, login, one, one_of, refused, run};

use crate::support::{hour, value_update};

/// In microseconds.
fn settled(client: &mut Client) -> i64 {
    one(
        client,
        &format!("SELECT {} FROM timedb.settled_time() s(at)", micros("s.at")),
    )
}

fn micros(time: &str) -> String {
    format!("(extract(epoch FROM {time}) * 1000000)::int8")
}

/// When the latest version was written that this session sees.
fn latest(client: &mut Client) -> i64 {
    let latest = format!("SELECT {} FROM timedb.values v", micros("max(v.change_time)"));
    one(client, &latest)
}

/// A writer and somebody else, of one tenant.
fn two_sessions(database: &Database) -> (Identity, Client, Client) {
    let (alice, _) = database.two_tenants();
    let mut writer = database.authenticated(&alice);
    Stored::of(&mut writer, "a", 0.0);
    let other = database.authenticated(&alice);
    (alice, writer, other)
}

#[test]
fn what_is_written_is_settled_once_it_is_committed_and_not_before() {
    let database = Database::fresh("settled once committed");
    let (_, mut writer, mut other) = two_sessions(&database);
    assert!(settled(&mut other) >= latest(&mut writer), "nothing is open");
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        run(&mut writer, &format!("BEGIN ISOLATION LEVEL {isolation}"));
        let before = settled(&mut other);
        let first = Stored::of(&mut writer, "a", 1.0);
        let first_change = latest(&mut writer);
        let held = settled(&mut other);
        assert!(held >= before && held < first_change, "{before} {held} {first_change}");
        assert_eq!(settled(&mut writer), held, "its own too");
        // Whatever follows in the transaction: its first write counts.
        let change = json!([value_update(
            first.run_id,
            first.series_id,
            hour(0),
            json!({"value": 2})
        )]);
        writer
            .execute("SELECT timedb.update($1)", &[&change])
            .expect("it updates");
        assert!(latest(&mut writer) > first_change, "the premise");
        assert_eq!(settled(&mut other), held);
        run(&mut writer, "COMMIT");
        assert!(settled(&mut other) >= latest(&mut writer));
    }
}

#[test]
fn an_update_holds_back_what_is_settled_as_an_upload_does() {
    let database = Database::fresh("settled updates");
    let (_, mut writer, mut other) = two_sessions(&database);
    let stored = Stored::of(&mut writer, "a", 1.0);
    let update = |value: i64| {
        json!([value_update(
            stored.run_id,
            stored.series_id,
            hour(0),
            json!({"value": value})
        )])
    };
    run(&mut writer, "BEGIN");
    writer
        .execute("SELECT timedb.update($1)", &[&update(2)])
        .expect("it updates");
    assert!(settled(&mut other) < latest(&mut writer));
    run(&mut writer, "COMMIT");
    // One that changes nothing writes nothing.
    run(&mut writer, "BEGIN");
    let before = settled(&mut other);
    writer
        .execute("SELECT timedb.update($1)", &[&update(2)])
        .expect("it is skipped");
    assert!(settled(&mut other) > before);
    run(&mut writer, "COMMIT");
}

#[test]
fn what_is_rolled_back_holds_back_nothing() {
    let database = Database::fresh("settled rollbacks");
    let (_, mut writer, mut other) = two_sessions(&database);
    run(&mut writer, "BEGIN; SAVEPOINT s");
    Stored::of(&mut writer, "a", 1.0);
    let held = settled(&mut other);
    run(&mut writer, "ROLLBACK TO s");
    let free = settled(&mut other);
    assert!(free > held, "nothing of it is left");
    // The same transaction goes on, and tells a moment of its own.
    Stored::of(&mut writer, "a", 2.0);
    let again = settled(&mut other);
    assert!(again >= free && again < latest(&mut writer), "{free} {again}");
    run(&mut writer, "SAVEPOINT t");
    Stored::of(&mut writer, "a", 3.0);
    run(&mut writer, "ROLLBACK TO t");
    assert_eq!(
        settled(&mut other),
        again,
        "what was before the savepoint is still open"
    );
    run(&mut writer, "RELEASE s; ROLLBACK");
    assert!(settled(&mut other) > again);
    // In a block that catches an error.
    let caught = "DO $$ BEGIN PERFORM timedb.upload_points(now(), '{a}', '{2025-01-01Z}', '{4}'); RAISE 'no'; \
                  EXCEPTION WHEN raise_exception THEN NULL; END $$";
    run(&mut writer, "BEGIN");
    run(&mut writer, caught);
    assert!(settled(&mut other) > again);
    run(&mut writer, "COMMIT");
}

#[test]
fn a_transaction_takes_one_lock_for_each_tenant_however_much_it_writes() {
    let database = Database::fresh("one lock a transaction");
    let (alice, bob) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let pid: i32 = one(&mut client, "SELECT pg_backend_pid()");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'userlock' AND pid = $1";
    run(&mut client, "BEGIN");
    for round in 0..100 {
        Stored::of(&mut client, "a", 1.0);
        let savepoint = ["SAVEPOINT s", "RELEASE s; SAVEPOINT s", "ROLLBACK TO s"][round % 3];
        run(&mut client, savepoint);
        login(&mut client, if round % 2 == 0 { &bob } else { &alice }, false);
    }
    assert_eq!(one_of::<i64>(&mut admin, locks, &[&pid]), 2);
    run(&mut client, "COMMIT");
    assert_eq!(one_of::<i64>(&mut admin, locks, &[&pid]), 0);
}

#[test]
fn a_prepared_transaction_holds_back_what_is_settled_also_after_a_crash() {
    let cluster = Options::default().setting("max_prepared_transactions = 4").start();
    let cluster = cluster.expect("a server of our own");
    let database = cluster.database("prepared").expect("a database");
    let (alice, mut writer, mut other) = two_sessions(&database);
    for end in ["COMMIT PREPARED 'p'", "ROLLBACK PREPARED 'p'"] {
        run(&mut writer, "BEGIN");
        Stored::of(&mut writer, "a", 1.0);
        let change = latest(&mut writer);
        let held = settled(&mut other);
        run(&mut writer, "PREPARE TRANSACTION 'p'");
        assert_eq!(settled(&mut other), held);
        // What the session writes now is another transaction's.
        Stored::of(&mut writer, "a", 2.0);
        assert_eq!(settled(&mut other), held);
        cluster.crash().expect("it recovers");
        other = database.authenticated(&alice);
        assert_eq!(settled(&mut other), held, "it is still open");
        assert!(held < change);
        writer = database.authenticated(&alice);
        run(&mut database.admin(), end);
        assert!(settled(&mut other) > change);
    }
}

#[test]
fn asking_what_is_settled_writes_nothing_and_needs_somebody() {
    let database = Database::fresh("settled for readers");
    let (alice, _) = database.two_tenants();
    let reader = database.create_user(alice.tenant_id, "reader@tenant-a.com", "read");
    let mut client = database.login("caller");
    login(&mut client, &reader, false);
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        run(&mut client, &format!("BEGIN ISOLATION LEVEL {isolation} READ ONLY"));
        settled(&mut client);
        let wrote = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL";
        assert!(!one::<bool>(&mut client, wrote));
        run(&mut client, "COMMIT");
    }
    run(&mut client, "SELECT timedb.logout()");
    refused(client.execute("SELECT timedb.settled_time()", &[])).code("28000");
}
