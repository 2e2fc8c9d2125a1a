//! Logins and how they end: what one client of a pooled connection leaves to the next, and what a rollback, a reset or a
//! failed login leaves of the one before.

use postgres::Client;
use timedb_testkit::{
    KEY_REFUSED, RELATIONS, Stage, assert_nobody, assert_sees_nothing, fail_to_login, login, one, refused, run, seen,
    tenant,
};
use uuid::Uuid;

use crate::streams;
use crate::support::{each_refused, new_key, rows_of, update_of, upload};

/// What a pool in transaction mode does: one connection, two clients, a transaction at a time.
#[test]
fn t08_a_local_login_serves_its_transaction_and_not_the_next_one_of_the_connection() {
    let stage = Stage::set("t08");
    let mut connection = stage.app();
    for round in 0..4 {
        for (identity, own) in [(&stage.alice, &stage.alices), (&stage.bob, &stage.bobs)] {
            run(&mut connection, "BEGIN");
            assert_eq!(tenant(&mut connection), None, "round {round}");
            login(&mut connection, identity, true);
            assert_eq!(tenant(&mut connection), Some(identity.tenant_id));
            assert_eq!(seen(&mut connection), [own.series_id]);
            run(&mut connection, if round % 2 == 0 { "COMMIT" } else { "ROLLBACK" });
            assert_nobody(&mut connection);
        }
    }
}

#[test]
fn t08_a_local_login_ends_with_every_way_of_ending_a_transaction() {
    let stage = Stage::set("t08 ends");
    let mut connection = stage.app();
    for end in ["COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"] {
        run(&mut connection, "BEGIN");
        login(&mut connection, &stage.alice, true);
        run(&mut connection, end);
        assert_sees_nothing(&mut connection);
        run(&mut connection, "COMMIT");
        assert_nobody(&mut connection);
    }
    let in_a_block = format!(
        "DO $$ BEGIN PERFORM timedb.authenticate('{}', true); COMMIT; \
               IF timedb.current_tenant() IS NOT NULL THEN RAISE 'still there'; END IF; END $$",
        stage.alice.api_key
    );
    run(&mut connection, &in_a_block);
    assert_nobody(&mut connection);
}

#[test]
fn t09_a_local_login_outside_a_transaction_block_warns_that_it_is_lost() {
    let stage = Stage::set("t09");
    let (mut app, notices) = stage.connect("app", "");
    login(&mut app, &stage.alice, true);
    notices.assert_heard("25P01");
    assert_nobody(&mut app);
    notices.take();
    run(&mut app, "BEGIN");
    login(&mut app, &stage.alice, true);
    run(&mut app, "COMMIT");
    login(&mut app, &stage.alice, false);
    assert_eq!(notices.take(), [], "no warning where it lasts");
}

#[test]
fn t10_reset_all_and_discard_all_leave_nobody() {
    let stage = Stage::set("t10");
    for reset in ["RESET ALL", "DISCARD ALL"] {
        let mut alice = stage.alice();
        stage.assert_alice(&mut alice);
        run(&mut alice, reset);
        assert_nobody(&mut alice);
    }
    // Settings follow the transaction, resets of them too: a pool must not reset inside one.
    let mut alice = stage.alice();
    run(&mut alice, "BEGIN");
    run(&mut alice, "RESET ALL");
    assert_sees_nothing(&mut alice);
    run(&mut alice, "ROLLBACK");
    stage.assert_alice(&mut alice);
}

#[test]
fn t11_savepoints_and_rollbacks_give_back_exactly_who_was_there_before() {
    let stage = Stage::set("t11");
    for (local_a, local_b) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut app = stage.app();
        run(&mut app, "BEGIN");
        login(&mut app, &stage.alice, local_a);
        run(&mut app, "SAVEPOINT s");
        login(&mut app, &stage.bob, local_b);
        assert_eq!(seen(&mut app), [stage.bobs.series_id]);
        run(&mut app, "ROLLBACK TO s");
        assert_eq!(tenant(&mut app), Some(stage.alice.tenant_id));
        assert_eq!(seen(&mut app), [stage.alices.series_id]);
        run(&mut app, "ROLLBACK");
        assert_nobody(&mut app);
    }
}

#[test]
fn t11_an_exception_block_undoes_the_login_within_it() {
    let stage = Stage::set("t11 exception");
    let mut alice = stage.alice();
    let block = format!(
        "DO $$ BEGIN PERFORM timedb.authenticate('{}'); RAISE 'undo'; EXCEPTION WHEN raise_exception THEN NULL; END $$",
        stage.bob.api_key
    );
    run(&mut alice, &block);
    stage.assert_alice(&mut alice);
}

#[test]
fn t11_a_functions_set_clause_neither_keeps_nor_loses_a_login() {
    let stage = Stage::set("t11 set clause");
    let mut app = stage.app();
    run(
        &mut app,
        "CREATE FUNCTION pg_temp.enter(k text, l boolean) RETURNS void LANGUAGE plpgsql SET work_mem = '1MB' \
         AS 'BEGIN PERFORM timedb.authenticate(k, l); END'",
    );
    run(&mut app, "BEGIN");
    let enter = "SELECT pg_temp.enter($1, true)";
    app.execute(enter, &[&stage.alice.api_key]).expect("it logs in");
    assert_eq!(tenant(&mut app), Some(stage.alice.tenant_id));
    run(&mut app, "COMMIT");
    assert_nobody(&mut app);
}

#[test]
fn t12_a_failed_login_leaves_nobody_and_not_the_tenant_before_it() {
    let stage = Stage::set("t12");
    let mut alice = stage.alice();
    stage.assert_alice(&mut alice);
    fail_to_login(&mut alice, false);
    assert_nobody(&mut alice);
    // Nor does a rollback to before the failure bring her back.
    let mut alice = stage.alice();
    run(&mut alice, "BEGIN");
    run(&mut alice, "SAVEPOINT s");
    fail_to_login(&mut alice, false);
    run(&mut alice, "ROLLBACK TO s");
    assert_sees_nothing(&mut alice);
    run(&mut alice, "COMMIT");
    assert_nobody(&mut alice);
    login(&mut alice, &stage.alice, false);
    stage.assert_alice(&mut alice);
}

#[test]
fn t12_every_kind_of_failure_leaves_nobody() {
    let stage = Stage::set("t12 kinds");
    let unknown = new_key(stage.bob.tenant_id);
    for attempt in [
        "SELECT timedb.authenticate(NULL)".to_owned(),
        "SELECT timedb.authenticate('', NULL)".to_owned(),
        format!("SELECT timedb.authenticate('{unknown}')"),
        format!("SELECT timedb.authenticate('{} ')", stage.bob.api_key),
    ] {
        let mut alice = stage.alice();
        refused(alice.batch_execute(&attempt))
            .code("28000")
            .message(KEY_REFUSED);
        assert_nobody(&mut alice);
    }
}

/// An ERROR in the middle of a login, which the login itself never gets to see.
#[test]
fn t12_a_login_that_is_interrupted_leaves_nobody_and_no_hash_presented() {
    let stage = Stage::set("t12 interrupted");
    let mut blocker = stage.admin();
    // A superuser, who can become timedb_auth to look.
    let mut client = stage.admin();
    login(&mut client, &stage.alice, false);
    run(&mut client, "SET lock_timeout = '50ms'");
    run(
        &mut blocker,
        "BEGIN; LOCK TABLE timedb.api_keys IN ACCESS EXCLUSIVE MODE",
    );
    let attempt = client.execute("SELECT timedb.authenticate($1)", &[&stage.bob.api_key]);
    refused(attempt).code("55P03");
    run(&mut blocker, "ROLLBACK");
    assert_eq!(tenant(&mut client), None);
    run(&mut client, "SET ROLE timedb_auth");
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.api_keys k"), 0);
}

#[test]
fn t12_a_failed_local_login_leaves_nobody_until_its_transaction_ends() {
    let stage = Stage::set("t12 local");
    let mut alice = stage.alice();
    run(&mut alice, "BEGIN; SAVEPOINT s");
    fail_to_login(&mut alice, true);
    run(&mut alice, "ROLLBACK TO s");
    assert_sees_nothing(&mut alice);
    run(&mut alice, "COMMIT");
    stage.assert_alice(&mut alice);
}

#[test]
fn t12_a_request_without_a_key_does_not_lift_what_a_failed_login_refused() {
    let stage = Stage::set("t12 request");
    let mut alice = stage.alice();
    run(&mut alice, "BEGIN; SAVEPOINT s");
    fail_to_login(&mut alice, true);
    run(&mut alice, "ROLLBACK TO s");
    assert_sees_nothing(&mut alice);
    each_refused(&mut alice, "28000", ["SELECT timedb.pre_request()"]);
    run(&mut alice, "ROLLBACK TO s");
    assert_sees_nothing(&mut alice);
}

/// Whatever is called, nothing that reads stays behind for the next client of the connection.
#[test]
fn t46_no_call_leaves_a_cursor_or_a_temporary_object() {
    let stage = Stage::set("t46");
    let admin = stage.alice_of_scope("admin");
    let mut client = stage.database.authenticated(&admin);
    for call in every_call(&stage) {
        run(&mut client, "BEGIN");
        run(&mut client, &call);
        assert_eq!(left_behind(&mut client), 0, "{call}");
        run(&mut client, "COMMIT");
        assert_eq!(left_behind(&mut client), 0, "{call}");
    }
}

fn left_behind(client: &mut Client) -> i64 {
    one(
        client,
        "SELECT (SELECT count(*) FROM pg_cursors WHERE name <> '') + (SELECT count(*) FROM pg_prepared_statements WHERE from_sql) \
           + (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema())",
    )
}

fn every_call(stage: &Stage) -> Vec<String> {
    let (run_id, series_id) = (stage.alices.run_id, stage.alices.series_id);
    let update = update_of(run_id, series_id, 2.0);
    let upload = rows_of(series_id);
    let (tenant, alice) = (stage.alice.tenant_id, stage.alice.user_id);
    [
        "timedb.read(mode => 'overlapping', all_versions => true)".to_owned(),
        "timedb.current_values".into(),
        format!("timedb.upload(now(), '{upload}')"),
        "timedb.upload_points(now(), '{p}', '{2025-01-01}', '{1}')".into(),
        format!("timedb.update('{update}')"),
        format!(
            "timedb.upload_arrow(now(), {})",
            streams::literal(&streams::of_key("arrow"))
        ),
        "timedb.read_arrow()".into(),
        "timedb.read_arrow_batches()".into(),
        "timedb.compact(older_than => '0')".into(),
        "timedb.versions".into(),
        "timedb.create_series('new', 'MW')".into(),
        "timedb.list_series()".into(),
        "timedb.settled_time()".into(),
        "timedb.read_changes('2000-01-01')".into(),
        "timedb.read_changes_arrow('2000-01-01')".into(),
        format!("timedb.create_user('{tenant}', 'c@tenant-a.com')"),
        "timedb.list_users()".into(),
        format!("timedb.regenerate_key(user_id => '{alice}')"),
        format!("timedb.create_key(user_id => '{alice}')"),
        "timedb.list_keys()".into(),
        format!("timedb.deactivate_user(user_id => '{alice}')"),
        format!("timedb.activate_user(user_id => '{alice}')"),
        "timedb.list_audit()".into(),
        "timedb.whoami()".into(),
    ]
    .map(|call| format!("SELECT * FROM {call}"))
    .into()
}

/// Accepted: what a session has copied out of the tables is its own, until it is discarded.
#[test]
fn t46_what_a_session_made_for_itself_is_readable_to_its_next_tenant_until_discard_all() {
    let stage = Stage::set("t46 residue");
    let mut connection = stage.alice();
    run(
        &mut connection,
        "CREATE TEMP TABLE residue AS SELECT * FROM timedb.series",
    );
    run(
        &mut connection,
        "DECLARE held CURSOR WITH HOLD FOR SELECT series_id FROM timedb.series",
    );
    login(&mut connection, &stage.bob, false);
    stage.assert_bob(&mut connection);
    assert_eq!(
        one::<Uuid>(&mut connection, "SELECT series_id FROM residue"),
        stage.alices.series_id
    );
    assert_eq!(
        one::<Uuid>(&mut connection, "FETCH ALL FROM held"),
        stage.alices.series_id
    );
    run(&mut connection, "DISCARD ALL");
    each_refused(&mut connection, "42P01", ["SELECT * FROM residue"]);
    each_refused(&mut connection, "34000", ["FETCH ALL FROM held"]);
}

#[test]
fn t47_row_security_off_is_an_error_and_never_more_rows() {
    let stage = Stage::set("t47");
    let mut alice = stage.alice();
    run(&mut alice, "SET row_security = off");
    let calls = [
        "read_arrow()",
        "read_arrow_batches()",
        "read_changes('2000-01-01')",
        "read_changes_arrow('2000-01-01')",
        "compact(older_than => '0')",
    ];
    for from in RELATIONS.into_iter().chain(calls) {
        each_refused(&mut alice, "42501", [format!("SELECT * FROM timedb.{from}")]);
    }
    for call in ["timedb.read()", "timedb.list_series()"] {
        match alice.query(&format!("SELECT series_id FROM {call}"), &[]) {
            Ok(rows) => assert!(rows.iter().all(|row| row.get::<_, Uuid>(0) == stage.alices.series_id)),
            Err(error) => drop(refused::<()>(Err(error)).code("42501")),
        }
    }
    run(&mut alice, "RESET row_security");
    stage.assert_alice(&mut alice);
}

/// Which tenant a statement is for is decided once, in no order one could rely on: a login is a statement of its own.
#[test]
fn a_login_within_the_statement_that_reads_never_mixes_two_tenants() {
    let stage = Stage::set("login within a read");
    upload(&mut stage.bob(), "bobs second");
    let mut alice = stage.alice();
    for sql in [
        "SELECT s.tenant_id FROM timedb.series s, LATERAL timedb.authenticate($1) a",
        "SELECT s.tenant_id FROM timedb.authenticate($1) a, timedb.series s",
        "WITH a AS MATERIALIZED (SELECT timedb.authenticate($1)) SELECT s.tenant_id FROM a, timedb.series s",
    ] {
        let rows = alice.query(sql, &[&stage.bob.api_key]).expect("it logs in and reads");
        let mut tenants: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        tenants.dedup();
        assert!(tenants.len() <= 1, "{sql}");
        login(&mut alice, &stage.alice, false);
    }
}

#[test]
fn a_cursor_shows_whoever_was_logged_in_when_it_was_first_fetched_from() {
    let stage = Stage::set("cursors");
    let mut client = stage.alice();
    run(
        &mut client,
        "BEGIN; DECLARE c CURSOR FOR SELECT series_id FROM timedb.series",
    );
    login(&mut client, &stage.bob, false);
    assert_eq!(one::<Uuid>(&mut client, "FETCH ALL FROM c"), stage.bobs.series_id);
    run(&mut client, "COMMIT");
}
