//! An update waits for those who use what it changes, once, and holds nothing meanwhile: nobody meets it in a deadlock.

use std::thread;

use postgres::Client;
use timedb_testkit::{Cluster, Database, Project, backend_pid, one, refused, run, wait_until_blocked};

use super::{DATABASE, RELEASE, UPDATE, keys, server_of_release, version};
use crate::catalog::{assert_same, catalogs, everything};

/// A transaction of hers that has logged in, and so holds locks of the tables of keys, or none yet.
fn alice(cluster: &Cluster) -> Client {
    let mut alice = cluster.connect("app", DATABASE).expect("app");
    run(&mut alice, "BEGIN");
    alice
        .execute("SELECT timedb.authenticate($1)", &[&keys()["alice"]])
        .expect("her key");
    alice
}

#[test]
fn an_update_that_may_not_wait_so_long_says_what_is_in_use_and_has_changed_nothing() {
    let (cluster, mut admin) = server_of_release();
    let before = everything(&mut admin);
    run(&mut admin, "SET lock_timeout = '100ms'");
    let mut alice = alice(&cluster);
    for (use_, table) in [
        ("SELECT FROM timedb.read()", "series"),
        (
            "SELECT FROM timedb.upload(now(), '[{\"value_key\": \"a\", \"valid_time\": \"2026-01-01\", \"value\": 1}]')",
            "series",
        ),
        ("LOCK TABLE timedb.packs IN ACCESS SHARE MODE", "packs"),
    ] {
        run(&mut alice, "ROLLBACK; BEGIN");
        alice
            .execute("SELECT timedb.authenticate($1)", &[&keys()["alice"]])
            .expect("her key");
        run(&mut alice, use_);
        refused(admin.batch_execute(UPDATE))
            .code("55P03")
            .message(&format!("timedb is in use: \"{table}\" could not be locked in time"))
            .hint_contains("Nothing has been changed");
        assert_eq!(version(&mut admin), RELEASE, "{use_}");
    }
    run(&mut alice, "ROLLBACK");
    assert_same(&everything(&mut admin), &before);
    run(&mut admin, UPDATE);
}

/// The page about upgrading: its commands do what it says.
#[test]
fn indexes_that_were_made_beforehand_as_the_page_says_are_taken_unless_they_broke_off() {
    let (_cluster, mut admin) = server_of_release();
    let page = Project::default().root().join("docs/operations.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let indexes: Vec<&str> = page
        .split("CREATE INDEX CONCURRENTLY ")
        .skip(1)
        .map(|rest| rest.split(';').next().unwrap_or_default())
        .collect();
    assert_eq!(indexes.len(), 2, "the premise");
    let oids = "SELECT array_agg(indexrelid ORDER BY indexrelid) FROM pg_index \
                WHERE indexrelid::regclass::text IN ('timedb.values_known_idx', 'timedb.values_change_idx')";
    for index in &indexes {
        run(&mut admin, &format!("CREATE INDEX CONCURRENTLY {index}"));
    }
    let made: Vec<u32> = one(&mut admin, oids);
    assert_eq!(made.len(), 2, "the premise");
    // As one that was cancelled is left.
    let state = |is_valid| {
        format!(
            "UPDATE pg_index SET indisvalid = {is_valid} WHERE indexrelid = {}",
            made[0]
        )
    };
    run(&mut admin, &state(false));
    refused(admin.batch_execute(UPDATE))
        .code("55000")
        .message_contains("of timedb.values is not valid")
        .hint_contains("Drop it");
    run(&mut admin, &state(true));
    run(&mut admin, UPDATE);
    assert_eq!(one::<Vec<u32>>(&mut admin, oids), made);
    let fresh = Database::fresh("as new, with indexes");
    assert_same(&catalogs(&mut admin), &catalogs(&mut fresh.admin()));
}

/// Whatever each holds, and whatever it wants next: all are locked together, once they are free together.
#[test]
fn transactions_that_hold_some_of_it_and_want_the_rest_go_on_while_an_update_waits_for_them() {
    let (cluster, mut admin) = server_of_release();
    let relations: Vec<String> = {
        let sql = "SELECT format('timedb.%I', relname) FROM pg_class \
                   WHERE relnamespace = 'timedb'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1";
        let rows = admin.query(sql, &[]).expect("the tables and views");
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(relations.len(), 10, "the premise");
    let mut using = Vec::new();
    for held in &relations {
        let mut client = cluster.connect("postgres", DATABASE).expect("a superuser");
        // Whoever could be in a deadlock finds out at once.
        run(&mut client, "SET deadlock_timeout = '1ms'; BEGIN");
        run(&mut client, &format!("SELECT count(*) FROM {held}"));
        using.push(client);
    }
    let pid = backend_pid(&mut admin);
    let updating = thread::spawn(move || {
        run(&mut admin, UPDATE);
        admin
    });
    let mut watching = cluster.connect("postgres", DATABASE).expect("a superuser");
    wait_until_blocked(&mut watching, pid);
    let using: Vec<_> = using
        .into_iter()
        .map(|mut client| {
            let wanted = relations.clone();
            thread::spawn(move || {
                for relation in wanted {
                    run(&mut client, &format!("SELECT count(*) FROM {relation}"));
                }
                run(&mut client, "COMMIT");
            })
        })
        .collect();
    for client in using {
        client.join().expect("it goes on");
    }
    let mut admin = updating.join().expect("the update goes through");
    assert_ne!(version(&mut admin), RELEASE);
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
}
