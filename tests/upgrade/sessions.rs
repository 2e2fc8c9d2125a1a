//! One session at a time: with the library of the release before and after the update, and with the new one in between.

use postgres::Client;
use timedb_testkit::{KEY_REFUSED, Options, one, one_of, refused, run};
use uuid::Uuid;

use crate::support::{Person, RELEASE, UPDATE, Used, answers, assert_told, fill, upload};

/// New files alone: the functions of the release run with whichever library a session has loaded.
#[test]
fn between_the_new_files_and_the_update_sessions_of_both_libraries_work_on_the_same_tables() {
    let mut used = Used::start();
    let mut old = used.session_of(&used.alice);
    fill(&mut old);
    let before = answers(&mut old);
    used.install();
    let mut new = used.session_of(&used.alice);
    assert_eq!(answers(&mut new), before, "the new library reads as the release");
    assert_eq!(answers(&mut old), before);
    // Each sees what the other writes.
    for (writer, reader) in [(0, 1), (1, 0)] {
        let sessions = [&mut old, &mut new];
        fill(sessions[writer]);
        let written = answers(sessions[writer]);
        assert_ne!(written, before);
        assert_eq!(answers(sessions[reader]), written);
    }
    // A worker of a plan of the old one starts with the new library.
    let workers = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0";
    let count = "SELECT count(timedb.count_points(v.points)) FROM timedb.values v";
    let counted: i64 = one(&mut old, count);
    run(&mut old, workers);
    assert_eq!(one::<i64>(&mut old, count), counted);
    // A key that ends, ends in both.
    let sql = "SELECT api_key FROM timedb.create_user($1, 'carol@tenant-a.com')";
    let carol = Person {
        tenant: used.alice.tenant,
        key: one_of(&mut used.admin, sql, &[&used.alice.tenant]),
    };
    let (mut in_new, mut in_old) = (used.session_of(&carol), old);
    carol.log_in(&mut in_old);
    let revoke = "SELECT count(timedb.revoke_key(key_id)) FROM timedb.list_keys() WHERE email = 'carol@tenant-a.com'";
    assert_eq!(one::<i64>(&mut new, revoke), 1);
    for client in [&mut in_new, &mut in_old] {
        refused(client.query("SELECT FROM timedb.read()", &[]))
            .code("28000")
            .message(KEY_REFUSED);
    }
    assert_eq!(used.version(), RELEASE);
}

/// Whatever it asks, it is told one thing, and nothing of it is done.
#[test]
fn a_session_of_the_old_library_is_told_to_reconnect_whatever_it_does_after_the_update() {
    let mut used = Used::start();
    let mut old = used.session_of(&used.alice);
    fill(&mut old);
    let mut operating = used.connect("ops");
    run(&mut operating, "SELECT count(*) FROM timedb.list_keys()");
    used.install();
    used.update();
    let before = answers(&mut used.session_of(&used.alice));
    for sql in [
        "SELECT FROM timedb.read()",
        "SELECT * FROM timedb.read(series_keys => '{wind}')",
        "SELECT timedb.read_arrow()",
        "SELECT FROM timedb.upload(now(), '[{\"value_key\": \"a\", \"valid_time\": \"2026-01-01\", \"value\": 1}]')",
        "SELECT FROM timedb.upload_points(now(), '{a}', '{2026-01-01}', '{1}')",
        "SELECT FROM timedb.upload_arrow(now(), '\\x00')",
        "SELECT FROM timedb.update('[]')",
        "SELECT timedb.create_series('a')",
        "SELECT FROM timedb.compact(older_than => '0')",
        "SELECT FROM timedb.list_series()",
        "SELECT FROM timedb.whoami()",
        "SELECT FROM timedb.list_keys()",
        "SELECT FROM timedb.list_users()",
        "SELECT timedb.create_key('alice')",
        "SELECT timedb.regenerate_key('alice')",
        "SELECT timedb.revoke_key(gen_random_uuid())",
        "SELECT FROM timedb.list_audit()",
        "SELECT timedb.current_tenant()",
        "SELECT FROM timedb.current_values",
        "SELECT FROM timedb.versions",
        "SELECT FROM timedb.values",
        "SELECT FROM timedb.runs",
    ] {
        assert_told(&mut old, sql);
    }
    for sql in [
        "SELECT FROM timedb.list_keys()",
        "SELECT timedb.create_user(gen_random_uuid(), 'mallory@example.com')",
        "SELECT timedb.revoke_key(gen_random_uuid())",
        "SELECT timedb.deactivate_user('alice')",
    ] {
        assert_told(&mut operating, sql);
    }
    // To log in and out is to touch nothing.
    used.alice.log_in(&mut old);
    assert_told(&mut old, "SELECT FROM timedb.read()");
    run(&mut old, "SELECT timedb.logout()");
    assert_eq!(answers(&mut used.session_of(&used.alice)), before);
    used.assert_updated();
}

/// The library of the release does not look where keys end now.
#[test]
fn a_key_that_ends_after_the_update_reads_nothing_in_a_session_of_the_old_library() {
    let used = Used::start();
    let mut old = used.session_of(&used.alice);
    upload(&mut old, "wind", 3);
    let mut loaded: Client = used.connect("app");
    run(&mut loaded, "SELECT timedb.current_tenant()");
    used.install();
    used.update();
    let ended: i64 = one(
        &mut used.connect("postgres"),
        "SELECT count(timedb.revoke_key(key_id)) FROM timedb.list_keys() WHERE revoked_at IS NULL",
    );
    assert_eq!(ended, 2, "the premise: all keys there are");
    used.alice.log_in(&mut loaded);
    for client in [&mut old, &mut loaded] {
        for sql in [
            "SELECT FROM timedb.read()",
            "SELECT FROM timedb.runs",
            "SELECT FROM timedb.current_values",
        ] {
            assert_told(client, sql);
        }
    }
    let login = used
        .connect("app")
        .execute("SELECT timedb.authenticate($1)", &[&used.alice.key]);
    refused(login).code("28000").message(KEY_REFUSED);
}

/// Opened between the new files and the update, it has made its plans on the tables of the release.
#[test]
fn a_session_of_the_new_library_goes_on_through_the_update() {
    let mut used = Used::start();
    let mut old = used.session_of(&used.alice);
    fill(&mut old);
    used.install();
    let mut new = used.session_of(&used.alice);
    fill(&mut new);
    let keys = "SELECT count(*) FROM timedb.list_keys()";
    let before = (answers(&mut new), one::<i64>(&mut new, keys));
    used.update();
    assert_eq!((answers(&mut new), one::<i64>(&mut new, keys)), before);
    let run_id: Uuid = upload(&mut new, "late", 5);
    assert_eq!(
        one_of::<i64>(
            &mut new,
            "SELECT count(*) FROM timedb.read() WHERE run_id = $1",
            &[&run_id]
        ),
        5
    );
    assert_eq!(
        one::<i64>(&mut new, "SELECT count(*) FROM timedb.latest(series_keys => '{late}')"),
        1
    );
    fill(&mut new);
    let revoke = "SELECT count(timedb.revoke_key(key_id)) FROM timedb.whoami()";
    assert_eq!(one::<i64>(&mut new, revoke), 1);
    refused(new.query("SELECT FROM timedb.read()", &[])).code("28000");
    used.assert_updated();
}

/// The new script needs the new library: where it is not there, or not loaded, nothing is changed.
#[test]
fn an_update_without_the_new_library_is_told_so_and_changes_nothing() {
    let mut used = Used::start();
    let mut alice = used.session_of(&used.alice);
    fill(&mut alice);
    let before = answers(&mut alice);
    // The scripts are there, the library is not.
    assert_told(&mut used.connect("postgres"), UPDATE);
    // It is there by now; this session has loaded the one before.
    used.install();
    assert_told(&mut used.admin, UPDATE);
    assert_eq!(used.version(), RELEASE);
    assert_eq!(answers(&mut alice), before);
    used.update();
    used.assert_updated();
    assert_eq!(answers(&mut used.session_of(&used.alice)), before);
}

/// All sessions have the library that the server started with.
#[test]
fn where_the_library_is_preloaded_the_update_is_told_so_until_the_server_is_started_anew() {
    let mut used = Used::with(Options::default().setting("shared_preload_libraries = 'timedb'"));
    let mut alice = used.session_of(&used.alice);
    fill(&mut alice);
    let before = answers(&mut alice);
    used.install();
    assert_told(&mut used.connect("postgres"), UPDATE);
    assert_eq!(used.version(), RELEASE);
    assert_eq!(answers(&mut alice), before);
    drop(alice);
    used.cluster.restart().expect("it starts anew");
    used.admin = used.connect("postgres");
    assert_eq!(answers(&mut used.session_of(&used.alice)), before);
    used.update();
    used.assert_updated();
    assert_eq!(answers(&mut used.session_of(&used.alice)), before);
}
