//! `read` as a node of a plan: it answers for whoever was logged in when its statement first asked, and tells nothing that the
//! function does not tell.

use postgres::Client;
use serde_json::Value;
use timedb_testkit::{Stage, Stored, assert_ordinary, login, one, run};
use uuid::Uuid;

use crate::support::each_refused;

/// Alice, as `app` or as `caller`, where plans have nodes, whatever the server says.
fn with_nodes(stage: &Stage, role: &str) -> Client {
    let mut client = stage.database.login(role);
    login(&mut client, &stage.alice, false);
    assert_ordinary(&mut client);
    run(&mut client, "SET timedb.enable_scan = on");
    let plan: Value = one(&mut client, "EXPLAIN (FORMAT json) SELECT value FROM timedb.read()");
    assert!(
        plan.to_string().contains("TimedbScan"),
        "the premise: a node, in {plan}"
    );
    client
}

fn of_alice(stage: &Stage, rows: &[postgres::Row]) -> bool {
    rows.iter()
        .all(|row| row.get::<_, Uuid>("series_id") == stage.alices.series_id)
}

#[test]
fn t15_a_plan_with_a_node_serves_whoever_is_logged_in_when_it_runs() {
    let stage = Stage::set("t15 node");
    for role in ["app", "caller"] {
        let mut client = with_nodes(&stage, role);
        run(&mut client, "SET plan_cache_mode = force_generic_plan");
        run(&mut client, "PREPARE q AS SELECT series_id FROM timedb.read()");
        run(
            &mut client,
            "CREATE FUNCTION pg_temp.f() RETURNS SETOF uuid LANGUAGE plpgsql \
             AS 'BEGIN RETURN QUERY SELECT r.series_id FROM timedb.read() r; END'",
        );
        let protocol = client.prepare("SELECT series_id FROM timedb.read()").expect("a plan");
        for (identity, own) in [
            (&stage.alice, &stage.alices),
            (&stage.bob, &stage.bobs),
            (&stage.alice, &stage.alices),
        ] {
            login(&mut client, identity, false);
            for rows in [
                client.query("EXECUTE q", &[]),
                client.query("SELECT pg_temp.f()", &[]),
                client.query(&protocol, &[]),
            ] {
                let series: Vec<Uuid> = rows.expect("rows").iter().map(|row| row.get(0)).collect();
                assert_eq!(series, [own.series_id]);
            }
        }
        run(&mut client, "SELECT timedb.logout()");
        each_refused(&mut client, "28000", ["EXECUTE q", "SELECT pg_temp.f()"]);
    }
}

/// Whatever logs in or out between its rows, in this session or in the middle of the statement itself.
#[test]
fn t15_an_answer_never_holds_rows_of_two_tenants() {
    let stage = Stage::set("t15 two tenants");
    for key in ["alice two", "alice three"] {
        Stored::of(&mut stage.alice(), key, 1.0);
    }
    let statements = [
        "SELECT series_key FROM timedb.read()",
        "SELECT a.series_key FROM timedb.read() a, timedb.read() b",
        "SELECT r.series_key FROM generate_series(1, 9) g, LATERAL timedb.read(end_valid => now() - g * interval '1 day') r",
        "SELECT r.series_key FROM (VALUES ('alice'), ('bob'), ('alice two'), ('alice three')) AS s (key), LATERAL timedb.read(series_keys => ARRAY[s.key]) r",
        "SELECT (SELECT max(series_key) FROM timedb.read(series_keys => ARRAY[s.key])) FROM (VALUES ('alice'), ('bob'), ('alice two'), ('alice three')) AS s (key)",
        "SELECT series_key FROM timedb.read() UNION ALL SELECT series_key FROM timedb.read(mode => 'overlapping')",
        "SELECT CASE WHEN position('bob'::bytea IN b) > 0 THEN 'bob' ELSE 'alice' END FROM timedb.read_arrow_batches(max_rows => 1) b",
    ];
    let of_views = [
        "SELECT series_key FROM timedb.current_values UNION ALL SELECT series_key FROM timedb.read()",
        "SELECT series_key FROM timedb.read() UNION ALL SELECT series_key FROM timedb.current_values \
         UNION ALL SELECT series_key FROM timedb.read(mode => 'overlapping')",
    ];
    for (role, statements) in [("app", &statements[..]), ("caller", &statements), ("app", &of_views)] {
        for sql in statements {
            let mut client = with_nodes(&stage, role);
            run(&mut client, &format!("BEGIN; DECLARE c CURSOR FOR {sql}"));
            let mut keys: Vec<Option<String>> = Vec::new();
            for identity in [
                &stage.alice,
                &stage.bob,
                &stage.alice,
                &stage.bob,
                &stage.bob,
                &stage.bob,
            ] {
                login(&mut client, identity, false);
                let fetched = client.query("FETCH 1 FROM c", &[]).expect("rows");
                keys.extend(fetched.iter().map(|row| row.get::<_, Option<String>>(0)));
            }
            run(&mut client, "SELECT timedb.logout()");
            let fetched = client.query("FETCH ALL FROM c", &[]).expect("rows");
            keys.extend(fetched.iter().map(|row| row.get::<_, Option<String>>(0)));
            assert!(keys.len() >= 3, "the premise: {sql}: {keys:?}");
            assert!(
                keys.iter().flatten().all(|key| key.starts_with("alice")),
                "{sql}: {keys:?}"
            );
        }
    }
}

#[test]
fn t15_a_function_in_the_middle_of_a_scan_that_logs_in_as_another_changes_nothing_of_it() {
    let stage = Stage::set("t15 in the middle");
    for key in ["alice two", "alice three"] {
        Stored::of(&mut stage.alice(), key, 1.0);
    }
    let mut client = with_nodes(&stage, "app");
    run(
        &mut client,
        &format!(
            "CREATE FUNCTION pg_temp.switch(text) RETURNS text LANGUAGE plpgsql AS $$ \
             BEGIN PERFORM timedb.authenticate('{}'); RETURN (SELECT string_agg(series_key, ',') FROM timedb.read()); END $$",
            stage.bob.api_key
        ),
    );
    let rows = client.query(
        "SELECT series_key, pg_temp.switch(series_key) AS within FROM timedb.read()",
        &[],
    );
    let rows: Vec<(String, String)> = rows.expect("rows").iter().map(|row| (row.get(0), row.get(1))).collect();
    let keys: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["alice", "alice three", "alice two"]);
    assert!(
        rows.iter().all(|(_, within)| within == "bob"),
        "a statement of its own is for whoever is logged in then"
    );
}

/// A statement that has begun goes on, as docs/security.md says; the next one is refused.
#[test]
fn a_cursor_on_a_node_goes_on_after_a_revocation_and_a_new_statement_does_not() {
    let stage = Stage::set("node revoked");
    Stored::of(&mut stage.alice(), "alice two", 1.0);
    let mut client = with_nodes(&stage, "caller");
    run(
        &mut client,
        "BEGIN; DECLARE c CURSOR FOR SELECT series_id, series_key FROM timedb.read()",
    );
    assert_eq!(client.query("FETCH 1 FROM c", &[]).expect("a row").len(), 1);
    let end = "SELECT timedb.deactivate_user(user_id => $1)";
    stage.ops().execute(end, &[&stage.alice.user_id]).expect("it ends");
    assert_eq!(client.query("FETCH ALL FROM c", &[]).expect("rows").len(), 1);
    run(
        &mut client,
        "DECLARE d CURSOR FOR SELECT value FROM timedb.read(); SAVEPOINT s",
    );
    let refused = client.query("FETCH 1 FROM d", &[]).expect_err("it is refused");
    assert_eq!(refused.code().map(|code| code.code()), Some("28000"));
    run(&mut client, "ROLLBACK");
    each_refused(&mut client, "28000", ["SELECT value FROM timedb.read()"]);
}

#[test]
fn a_held_cursor_on_a_node_is_filled_at_commit_under_a_login_of_the_transaction() {
    let stage = Stage::set("node held");
    let mut client = with_nodes(&stage, "app");
    run(&mut client, "SELECT timedb.logout(); BEGIN");
    login(&mut client, &stage.alice, true);
    run(
        &mut client,
        "DECLARE c CURSOR WITH HOLD FOR SELECT series_id FROM timedb.read(); COMMIT",
    );
    login(&mut client, &stage.bob, false);
    let rows = client.query("FETCH ALL FROM c", &[]).expect("rows");
    assert!(rows.len() == 1 && of_alice(&stage, &rows));
}

/// Execution is asked for when a plan begins, as of a function, whoever had it when it was made.
#[test]
fn who_may_not_execute_read_gets_no_node_either() {
    let stage = Stage::set("node execute");
    let mut client = with_nodes(&stage, "caller");
    let protocol = client.prepare("SELECT series_id FROM timedb.read()").expect("a plan");
    assert_eq!(client.query(&protocol, &[]).expect("rows").len(), 1);
    run(
        &mut stage.admin(),
        "REVOKE EXECUTE ON FUNCTION timedb.read FROM timedb_caller",
    );
    for sql in [
        "SELECT value FROM timedb.read()",
        "EXPLAIN SELECT value FROM timedb.read()",
    ] {
        each_refused(&mut client, "42501", [sql]);
    }
    let refused = client.query(&protocol, &[]).expect_err("it is refused");
    assert_eq!(refused.code().map(|code| code.code()), Some("42501"));
}

#[test]
fn nobody_may_call_what_a_node_fetches_by() {
    let stage = Stage::set("node fetches");
    for role in ["app", "caller", "ops", "evil"] {
        let mut client = stage.database.login(role);
        assert_ordinary(&mut client);
        each_refused(&mut client, "42501", ["SELECT timedb._run_scan()"]);
    }
    // A superuser may, and it does nothing.
    each_refused(&mut stage.admin(), "XX000", ["SELECT timedb._run_scan()"]);
}

/// Whatever others have, the plan and what it says are the same; and so they are for whoever is logged in.
#[test]
fn t43_no_plan_with_a_node_tells_of_others() {
    let stage = Stage::set("t43 node");
    let mut client = with_nodes(&stage, "caller");
    let statements = [
        "SELECT * FROM timedb.read()",
        "SELECT value FROM timedb.read() WHERE series_key = 'bob'",
        "SELECT value FROM timedb.read(series_keys => '{bob}') WHERE valid_time > '2025-01-01Z' ORDER BY valid_time",
        "SELECT a.value FROM timedb.read() a JOIN timedb.list_series() s USING (series_id)",
        "SELECT length(b) FROM timedb.read_arrow_batches() b",
    ];
    let plans = |client: &mut Client| {
        statements.map(|sql| one::<Value>(client, &format!("EXPLAIN (FORMAT json, VERBOSE) {sql}")).to_string())
    };
    let before = plans(&mut client);
    let upload = "SELECT timedb.upload_points(now(), array_agg('bob'::text), \
                    array_agg('2025-02-01Z'::timestamptz + n * interval '1 minute'), array_agg(n::float8)) \
                  FROM generate_series(1, 1000000) n";
    run(&mut stage.bob(), upload);
    run(&mut stage.admin(), "ANALYZE");
    assert_eq!(plans(&mut client), before);
    login(&mut client, &stage.bob, false);
    assert_eq!(plans(&mut client), before);
    run(&mut client, "SELECT timedb.logout()");
    assert_eq!(plans(&mut client), before);
    login(&mut client, &stage.alice, false);
    for sql in statements {
        let sql = format!("EXPLAIN (FORMAT json, ANALYZE, VERBOSE, BUFFERS off, TIMING off) {sql}");
        let plan = one::<Value>(&mut client, &sql).to_string();
        assert!(plan.contains("TimedbScan") && !plan.contains("Relation Name"), "{plan}");
        assert!(
            !plan.contains("\"Packs\":1") && !plan.contains("\"Stored Rows\":2"),
            "{plan}"
        );
    }
}

/// Each would tell by an error or a notice of a row it should not have been given.
#[test]
fn t45_a_leaky_function_over_a_node_is_given_the_tenants_own_rows_only() {
    let stage = Stage::set("t45 node");
    let (mut app, notices) = stage.connect("app", "");
    login(&mut app, &stage.alice, false);
    run(&mut app, "SET timedb.enable_scan = on");
    run(
        &mut app,
        "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 \
           AS $$ BEGIN RAISE NOTICE 'leaked %', $1; RETURN true; END $$",
    );
    notices.take();
    for sql in [
        "SELECT count(*) FROM timedb.read() WHERE pg_temp.leak(series_key)",
        "SELECT count(*) FROM timedb.read() WHERE pg_temp.leak(series_key) AND series_key IN ('alice', 'bob')",
        "SELECT count(*) FROM timedb.read() a JOIN timedb.read() b ON pg_temp.leak(a.series_key || b.series_key)",
        "SELECT count(*) FROM timedb.current_values WHERE pg_temp.leak(changed_by)",
    ] {
        assert_eq!(one::<i64>(&mut app, sql), 1, "{sql}");
        let told = notices.take();
        assert!(!told.is_empty(), "the premise: the function is called: {sql}");
        let is_own = |(_, notice): &(_, String)| notice.contains("alice") && !notice.contains("bob");
        assert!(told.iter().all(is_own), "{sql}: {told:?}");
    }
}

/// What ends a scan in its middle leaves nothing of it to the session.
#[test]
fn an_error_in_the_middle_of_a_scan_leaves_no_identity_behind() {
    let stage = Stage::set("node error");
    let mut client = with_nodes(&stage, "app");
    for sql in [
        "SELECT 1 / (value - value) FROM timedb.read()",
        "SELECT value FROM timedb.read(mode => 'neither')",
        "SELECT value FROM timedb.read(start_valid => 'infinity')",
    ] {
        assert!(client.query(sql, &[]).is_err(), "{sql}");
        run(
            &mut client,
            "BEGIN; DECLARE c CURSOR FOR SELECT series_id FROM timedb.read(); FETCH 1 FROM c; SAVEPOINT s",
        );
        assert!(client.query(sql, &[]).is_err(), "{sql}");
        run(&mut client, "ROLLBACK TO s; FETCH 1 FROM c; COMMIT");
        run(&mut client, "SELECT timedb.logout()");
        assert_eq!(one::<Option<Uuid>>(&mut client, "SELECT timedb.current_tenant()"), None);
        each_refused(&mut client, "28000", ["SELECT value FROM timedb.read()"]);
        login(&mut client, &stage.bob, false);
        assert_eq!(
            one::<Uuid>(&mut client, "SELECT series_id FROM timedb.read()"),
            stage.bobs.series_id
        );
        login(&mut client, &stage.alice, false);
    }
}
