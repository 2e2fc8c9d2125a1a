//! Who a session is, from statement to statement: logins and how they end, and that whatever ends a key is felt at once.

use postgres::{Client, IsolationLevel};
use serde_json::json;
use timedb_testkit::{
    Identity, KEY_NEEDED, KEY_REFUSED, Stage, assert_functions_refuse, assert_ordinary, fail_to_login, login, one,
    refused, run, server_log, shown, tenant,
};
use uuid::Uuid;

use crate::support::{hour, upload, value_row};

/// Alice with three values, Bob of another tenant with one.
#[track_caller]
fn stage_of_four(name: &str) -> Stage {
    let stage = Stage::set(name);
    let mut client = stage.alice();
    assert_ordinary(&mut client);
    let rows = json!([value_row("b", hour(0), 2), value_row("c", hour(0), 3)]);
    upload(&mut client, &rows);
    stage
}

/// How many values are seen: each is of a series of its own.
#[track_caller]
fn seen(client: &mut Client) -> usize {
    timedb_testkit::seen(client).len()
}

/// Tables and views are empty.
#[track_caller]
fn assert_locked_out(client: &mut Client, why: &str) {
    assert_eq!(shown(client), Vec::<&str>::new(), "{why}");
    assert_eq!(tenant(client), None, "{why}");
}

/// The ways in which a key ends. Time does not pass in a test: an expiry is put behind the clock instead, but after
/// the start of whatever transaction is open.
const ENDINGS: [(&str, &str); 4] = [
    ("a deactivation", "SELECT timedb.deactivate_user(user_id => $1)"),
    (
        "a revocation",
        "SELECT timedb.revoke_key(key_id) FROM timedb.api_keys WHERE user_id = $1",
    ),
    ("a rotation", "SELECT timedb.regenerate_key(user_id => $1)"),
    (
        "an expiry",
        "UPDATE timedb.api_keys SET expires_at = clock_timestamp() WHERE user_id = $1",
    ),
];

#[test]
fn whatever_ends_a_key_is_felt_by_the_next_statement_of_a_live_session() {
    for (why, ending) in ENDINGS {
        let Stage {
            database, alice, bob, ..
        } = stage_of_four(why);
        let mut client = database.authenticated(&alice);
        let mut other = database.authenticated(&bob);
        assert_eq!(seen(&mut client), 3);
        database
            .admin()
            .execute(ending, &[&alice.user_id])
            .expect("the key ends");
        assert_locked_out(&mut client, why);
        assert_functions_refuse(&mut client, KEY_REFUSED);
        assert_eq!(seen(&mut other), 1, "{why} is Alice's alone");
        run(&mut client, "SELECT timedb.logout()");
        assert_functions_refuse(&mut client, KEY_NEEDED);
    }
}

#[test]
fn it_is_felt_within_an_open_transaction_of_every_isolation_level_read_only_or_not() {
    let levels = [
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ];
    for (why, ending) in ENDINGS {
        let Stage { database, alice, .. } = stage_of_four(why);
        let mut admin = database.admin();
        for (level, read_only) in levels.into_iter().flat_map(|level| [(level, true), (level, false)]) {
            let carol = database.create_user(alice.tenant_id, &format!("{}@tenant-a.com", Uuid::now_v7()), "admin");
            let mut client = database.authenticated(&carol);
            let transaction = client.build_transaction().isolation_level(level).read_only(read_only);
            let mut transaction = transaction.start().expect("a transaction");
            let count = "SELECT count(*) FROM timedb.values";
            let mut count = |expected: i64| {
                let row = transaction.query_one(count, &[]).expect("tables only get empty");
                assert_eq!(row.get::<_, i64>(0), expected, "{why} {read_only}");
            };
            count(3);
            admin.execute(ending, &[&carol.user_id]).expect("the key ends");
            count(0);
            refused(transaction.execute("SELECT timedb.read()", &[]))
                .code("28000")
                .message(KEY_REFUSED);
        }
    }
}

#[test]
fn a_user_who_is_activated_again_is_back_in_the_same_session() {
    let Stage { database, alice, .. } = stage_of_four("activated again");
    let mut client = database.authenticated(&alice);
    let mut operator = database.login("ops");
    for (call, visible) in [("deactivate_user", 0), ("activate_user", 3)] {
        let sql = format!("SELECT timedb.{call}(user_id => $1)");
        operator.execute(&sql, &[&alice.user_id]).expect("an operator may");
        assert_eq!(seen(&mut client), visible);
    }
}

#[test]
fn a_prepared_statement_and_its_generic_plan_serve_whoever_is_logged_in_now() {
    let Stage {
        database, alice, bob, ..
    } = stage_of_four("generic plans");
    let mut client = database.login("app");
    run(&mut client, "SET plan_cache_mode = force_generic_plan");
    let statements: Vec<_> = ["timedb.values", "timedb.current_values", "timedb.read()"]
        .map(|from| format!("SELECT count(*), count(DISTINCT series_id) FROM {from}"))
        .iter()
        .map(|sql| client.prepare(sql).expect("it is prepared"))
        .collect();
    for (identity, expected) in [(&alice, 3), (&bob, 1), (&alice, 3)] {
        login(&mut client, identity, false);
        for statement in &statements {
            let row = client.query_one(statement, &[]).expect("it executes");
            assert_eq!(row.get::<_, i64>(0), expected);
        }
    }
    let plans: i64 = one(
        &mut client,
        "SELECT sum(generic_plans)::int8 FROM pg_prepared_statements",
    );
    assert!(plans >= 9, "the premise: the plans are generic");
    let mut admin = database.admin();
    let deactivate = "SELECT timedb.deactivate_user(user_id => $1)";
    admin
        .execute(deactivate, &[&alice.user_id])
        .expect("she is deactivated");
    for statement in &statements[..2] {
        let row = client.query_one(statement, &[]).expect("it executes");
        assert_eq!(row.get::<_, i64>(0), 0);
    }
    refused(client.query_one(&statements[2], &[]))
        .code("28000")
        .message(KEY_REFUSED);
}

/// A cursor is one statement: it has asked who reads once it has given its first row, and not before.
#[test]
fn a_cursor_that_has_not_begun_gives_nothing_and_one_that_has_goes_on() {
    let Stage { database, alice, .. } = stage_of_four("open cursors");
    let mut client = database.authenticated(&alice);
    run(
        &mut client,
        "BEGIN; \
         DECLARE begun CURSOR FOR SELECT series_id FROM timedb.values; \
         DECLARE fresh CURSOR FOR SELECT series_id FROM timedb.values; \
         DECLARE called CURSOR FOR SELECT series_id FROM timedb.read()",
    );
    let mut fetch = |cursor: &str| {
        client
            .query(&format!("FETCH 1 FROM {cursor}"), &[])
            .map(|rows| rows.len())
    };
    assert_eq!(fetch("begun").ok(), Some(1));
    let revoke = "SELECT timedb.revoke_key(key_id) FROM timedb.api_keys WHERE user_id = $1";
    database
        .admin()
        .execute(revoke, &[&alice.user_id])
        .expect("it is revoked");
    assert_eq!(fetch("begun").ok(), Some(1));
    assert_eq!(fetch("fresh").ok(), Some(0));
    refused(fetch("called")).code("28000").message(KEY_REFUSED);
}

#[test]
fn logging_in_and_reading_write_nothing_and_take_no_transaction_id() {
    let Stage { database, alice, .. } = stage_of_four("read only");
    for read_only in [true, false] {
        let mut client = database.login("app");
        let mut transaction = client
            .build_transaction()
            .read_only(read_only)
            .start()
            .expect("a transaction");
        let sql = "SELECT email, scope FROM timedb.authenticate($1)";
        let row = transaction.query_one(sql, &[&alice.api_key]).expect("it logs in");
        assert_eq!((row.get(0), row.get(1)), ("alice@tenant-a.com", "write"));
        for (from, expected) in [
            ("timedb.read()", 3),
            ("timedb.read(mode => 'overlapping', all_versions => true)", 3),
            ("timedb.current_values", 3),
            ("timedb.values", 3),
            ("timedb.list_series()", 3),
            ("timedb.whoami()", 1),
        ] {
            let row = transaction.query_one(&format!("SELECT count(*) FROM {from}"), &[]);
            assert_eq!(row.expect("it reads").get::<_, i64>(0), expected, "{from}");
        }
        transaction.execute("SELECT timedb.logout()", &[]).expect("it logs out");
        let assigned = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL";
        let assigned: bool = transaction.query_one(assigned, &[]).expect("a row").get(0);
        assert!(!assigned, "read only: {read_only}");
    }
    let mut client = database.authenticated(&alice);
    let mut transaction = client
        .build_transaction()
        .read_only(true)
        .start()
        .expect("a transaction");
    refused(transaction.execute("SELECT timedb.upload(now(), '[]')", &[])).code("25006");
}

#[test]
fn no_key_is_left_where_others_may_look() {
    let Stage { database, alice, .. } = stage_of_four("keys out of sight");
    let mut onlooker = database.login("app");
    let mut admin = database.admin();
    let shown = "SELECT coalesce(string_agg(query, E'\n'), '') FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
    // Kept apart from the others: only here is a key part of a statement's text.
    let spelled_out = format!("SELECT timedb.authenticate('{}')", alice.api_key);
    let mut bound = database.login("app");
    login(&mut bound, &alice, false);
    let mut literal = database.login("app");
    literal.batch_execute(&spelled_out).expect("it logs in");
    let mut failed = database.login("app");
    let bad_key = format!("{}x", alice.api_key);
    let spelled_out = format!("SELECT timedb.authenticate('{bad_key}')");
    refused(failed.batch_execute(&spelled_out)).code("28000");
    refused(failed.execute("SELECT timedb.authenticate($1)", &[&bad_key])).code("28000");
    for client in [&mut onlooker, &mut admin] {
        let queries: String = one(client, shown);
        assert!(queries.contains("authenticate"), "the premise: logins are seen");
        assert!(!queries.contains(&alice.api_key), "{queries}");
    }
    let log = server_log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(database.name())).collect();
    assert!(
        lines.iter().any(|line| line.contains(KEY_REFUSED)),
        "the premise: failures are logged"
    );
    assert!(!log.contains(&alice.api_key));
    let stored: i64 = admin
        .query_one(
            "SELECT count(*) FROM timedb.api_keys k WHERE position($1 in k::text) > 0",
            &[&alice.api_key[4..40].to_owned()],
        )
        .expect("keys")
        .get(0);
    assert_eq!(stored, 0);
}

#[test]
fn a_failed_login_leaves_nobody_whatever_is_rolled_back() {
    let Stage {
        database, alice, bob, ..
    } = stage_of_four("failed logins");
    let mut client = database.authenticated(&alice);
    assert_eq!(seen(&mut client), 3);
    fail_to_login(&mut client, false);
    assert_locked_out(&mut client, "after a failure");
    assert_functions_refuse(&mut client, KEY_NEEDED);

    login(&mut client, &alice, false);
    run(&mut client, "BEGIN; SAVEPOINT s");
    fail_to_login(&mut client, false);
    run(&mut client, "ROLLBACK TO s");
    assert_locked_out(&mut client, "after a rollback to a savepoint");
    run(&mut client, "ROLLBACK");
    assert_locked_out(&mut client, "after the rollback");

    // A login that is rolled back does not bring the one before the failure back either.
    run(&mut client, "BEGIN");
    login(&mut client, &bob, false);
    assert_eq!(tenant(&mut client), Some(bob.tenant_id));
    run(&mut client, "ROLLBACK");
    assert_locked_out(&mut client, "after the rollback of a login");

    login(&mut client, &alice, false);
    assert_eq!(tenant(&mut client), Some(alice.tenant_id));
    refused(client.execute("SELECT timedb.authenticate(NULL)", &[])).code("28000");
    assert_locked_out(&mut client, "after NULL");
}

#[test]
fn a_failed_local_login_leaves_nobody_until_its_transaction_ends() {
    let Stage { database, alice, .. } = stage_of_four("failed local logins");
    let mut client = database.authenticated(&alice);
    run(&mut client, "BEGIN; SAVEPOINT s");
    fail_to_login(&mut client, true);
    run(&mut client, "ROLLBACK TO s");
    assert_locked_out(&mut client, "within the transaction");
    run(&mut client, "COMMIT");
    assert_eq!(tenant(&mut client), Some(alice.tenant_id));
}

#[test]
fn a_failed_login_voids_the_binding_of_a_role_until_a_logout() {
    let Stage { database, alice, .. } = stage_of_four("failed logins of a bound role");
    let bind = "INSERT INTO timedb.role_bindings (role_name, tenant_id, scope) VALUES ('app', $1, 'read')";
    let mut admin = database.admin();
    admin.execute(bind, &[&alice.tenant_id]).expect("it is bound");
    let mut client = database.login("app");
    assert_eq!(seen(&mut client), 3, "the binding logs in by itself");
    for leave in ["SELECT timedb.logout()", "RESET ALL", "DISCARD ALL"] {
        fail_to_login(&mut client, false);
        assert_locked_out(&mut client, leave);
        run(&mut client, leave);
        assert_eq!(tenant(&mut client), Some(alice.tenant_id), "{leave}");
    }
    let unbind = "DELETE FROM timedb.role_bindings WHERE role_name = 'app'";
    admin.execute(unbind, &[]).expect("it is unbound");
    assert_locked_out(&mut client, "unbound");
}

#[test]
fn a_local_login_ends_with_its_transaction_however_it_ends() {
    let Stage {
        database, alice, bob, ..
    } = stage_of_four("local logins");
    let mut client = database.login("app");
    for end in ["COMMIT", "ROLLBACK"] {
        run(&mut client, "BEGIN");
        login(&mut client, &alice, true);
        assert_eq!(seen(&mut client), 3);
        run(&mut client, end);
        assert_locked_out(&mut client, end);
    }
    login(&mut client, &bob, false);
    run(&mut client, "BEGIN");
    login(&mut client, &alice, true);
    assert_eq!(tenant(&mut client), Some(alice.tenant_id));
    run(&mut client, "COMMIT");
    assert_eq!(
        tenant(&mut client),
        Some(bob.tenant_id),
        "the session's own login is back"
    );
}

#[test]
fn logins_follow_savepoints_and_rollbacks() {
    let Stage {
        database, alice, bob, ..
    } = stage_of_four("savepoints");
    for is_local in [false, true] {
        let mut client = database.login("app");
        run(&mut client, "BEGIN");
        login(&mut client, &alice, is_local);
        run(&mut client, "SAVEPOINT s");
        login(&mut client, &bob, is_local);
        assert_eq!((tenant(&mut client), seen(&mut client)), (Some(bob.tenant_id), 1));
        run(&mut client, "ROLLBACK TO s");
        assert_eq!((tenant(&mut client), seen(&mut client)), (Some(alice.tenant_id), 3));
        run(&mut client, "SELECT timedb.logout(); SAVEPOINT s");
        assert_locked_out(&mut client, "logged out");
        run(&mut client, "ROLLBACK");
        assert_locked_out(&mut client, "rolled back");
    }
}

#[test]
fn a_pool_that_discards_all_hands_on_nobody() {
    let Stage { database, alice, .. } = stage_of_four("pools");
    for leave in ["DISCARD ALL", "RESET ALL", "SELECT timedb.logout()"] {
        let mut client = database.authenticated(&alice);
        assert_eq!(seen(&mut client), 3);
        run(&mut client, leave);
        assert_locked_out(&mut client, leave);
        assert_functions_refuse(&mut client, KEY_NEEDED);
    }
}

#[test]
fn a_rotated_key_lives_on_for_its_grace_and_not_beyond() {
    let Stage { database, alice, .. } = stage_of_four("grace");
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let rotate = "SELECT timedb.regenerate_key(user_id => $1, grace => '1 hour')";
    let row = admin.query_one(rotate, &[&alice.user_id]).expect("a new key");
    let renewed = Identity {
        api_key: row.get(0),
        ..alice.clone()
    };
    for key in [&alice, &renewed] {
        assert_eq!(seen(&mut database.authenticated(key)), 3);
    }
    let pass = "UPDATE timedb.key_ends SET ended_at = ended_at - interval '1 hour' \
                WHERE key_id IN (SELECT key_id FROM timedb.api_keys WHERE user_id = $1)";
    assert_eq!(admin.execute(pass, &[&alice.user_id]).ok(), Some(1));
    assert_locked_out(&mut client, "the grace is over");
    assert_eq!(seen(&mut database.authenticated(&renewed)), 3);
}

const UNDONE: &str = "The login was rolled back with its transaction; commit it, or log in inside this one.";
const FIRST: &str = "In SQL, call timedb.authenticate(api_key) first.";

/// One sentence for whoever is nobody; the hint tells how that came about.
#[track_caller]
fn assert_hint(client: &mut Client, hint: &str, what: &str) {
    for sql in ["SELECT timedb.read()", "SELECT timedb.upload(now(), '[]')"] {
        run(client, "SAVEPOINT asked");
        let refusal = refused(client.batch_execute(sql)).code("28000").message(KEY_NEEDED);
        assert_eq!(refusal.error().hint(), Some(hint), "{what}");
        run(client, "ROLLBACK TO asked; RELEASE asked");
    }
}

#[test]
fn a_login_that_was_rolled_back_is_told_of_in_the_hint_until_something_else_decides() {
    let Stage {
        database, alice, bob, ..
    } = stage_of_four("undone logins");
    let log_in =
        |identity: &Identity, is_local: bool| format!("SELECT timedb.authenticate('{}', {is_local})", identity.api_key);
    let login = log_in(&alice, false);
    let (bobs, local) = (log_in(&bob, false), log_in(&alice, true));
    let undone = [
        format!("BEGIN; {login}; ROLLBACK"),
        format!("BEGIN; {login}; SELECT 1; ROLLBACK; BEGIN; COMMIT"),
        // To a savepoint, in the same transaction and after it.
        format!("BEGIN; SAVEPOINT s; {login}; ROLLBACK TO s; COMMIT"),
        format!("BEGIN; SAVEPOINT s; {login}; SAVEPOINT t; SELECT 1; RELEASE t; ROLLBACK TO s; COMMIT"),
        format!("BEGIN; {login}; {bobs}; ROLLBACK"),
        format!("BEGIN; SELECT timedb.logout(); {login}; ROLLBACK"),
        format!("BEGIN; {login}; {local}; ROLLBACK"),
    ];
    for steps in undone {
        let mut client = database.login("app");
        run(&mut client, &steps);
        assert_eq!(seen(&mut client), 0, "{steps}");
        run(&mut client, "BEGIN");
        assert_hint(&mut client, UNDONE, &steps);
        run(&mut client, "COMMIT");
        for ends in ["SELECT timedb.logout()", "RESET ALL", "DISCARD ALL"] {
            run(&mut client, &steps);
            run(&mut client, ends);
            run(&mut client, "BEGIN");
            assert_hint(&mut client, FIRST, &format!("{steps}; {ends}"));
            run(&mut client, "COMMIT");
        }
        // And a login ends it.
        run(&mut client, &steps);
        run(&mut client, &login);
        assert_eq!(seen(&mut client), 3);
        run(&mut client, "SELECT timedb.logout(); BEGIN");
        assert_hint(&mut client, FIRST, &steps);
    }
    // Not yet over: within the transaction, after a savepoint was rolled back.
    let mut client = database.login("app");
    run(&mut client, &format!("BEGIN; SAVEPOINT s; {login}; ROLLBACK TO s"));
    assert_hint(&mut client, UNDONE, "within the transaction");
    run(&mut client, &format!("{login}; COMMIT"));
    assert_eq!(seen(&mut client), 3);
    // A statement that fails takes the login before it in the same message along.
    let mut client = database.login("app");
    assert!(client.batch_execute(&format!("{login}; SELECT 1 / 0")).is_err());
    run(&mut client, "BEGIN");
    assert_hint(&mut client, UNDONE, "one message");
}

#[test]
fn nobody_is_told_of_a_rollback_that_undid_no_login_of_the_session() {
    let Stage {
        database, alice, bob, ..
    } = stage_of_four("nothing undone");
    let log_in =
        |identity: &Identity, is_local: bool| format!("SELECT timedb.authenticate('{}', {is_local})", identity.api_key);
    let (login, local) = (log_in(&alice, false), log_in(&alice, true));
    for steps in [
        "BEGIN; ROLLBACK".to_owned(),
        // One of the transaction ends with it, as it should.
        format!("BEGIN; {local}; ROLLBACK"),
        format!("BEGIN; {local}; COMMIT"),
        format!("{login}; SELECT timedb.logout()"),
        format!("BEGIN; {login}; COMMIT; SELECT timedb.logout(); COMMIT; BEGIN; ROLLBACK"),
        format!("BEGIN; {login}; SELECT timedb.logout(); ROLLBACK"),
        format!("BEGIN; {login}; RESET ALL; ROLLBACK"),
        format!("BEGIN; {login}; {local}; COMMIT; SELECT timedb.logout()"),
    ] {
        let mut client = database.login("app");
        run(&mut client, &steps);
        run(&mut client, "BEGIN");
        assert_hint(&mut client, FIRST, &steps);
    }
    // A failed login is why nobody is there, whatever was undone before.
    let mut client = database.login("app");
    run(&mut client, &format!("BEGIN; {login}; ROLLBACK"));
    refused(client.batch_execute("SELECT timedb.authenticate('tdb_bad')")).message(KEY_REFUSED);
    run(&mut client, "BEGIN");
    assert_hint(&mut client, FIRST, "a failed login");
    // Whoever was there before is there again.
    let mut client = database.authenticated(&bob);
    run(&mut client, &format!("BEGIN; {login}; ROLLBACK"));
    let email: String = one(&mut client, "SELECT email FROM timedb.whoami()");
    assert_eq!(email, bob.email);
}
