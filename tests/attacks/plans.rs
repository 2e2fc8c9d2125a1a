//! Plans that outlive a login, and plans that run in several processes: each statement is for whoever is logged in now.

use postgres::Client;
use uuid::Uuid;

use timedb_testkit::{Stage, assert_key_refused, assert_nobody, assert_sees_nothing, login, one, run, tenant};

use crate::support::each_refused;

/// Makes the planner choose parallel plans for a handful of rows.
pub const PARALLEL: &str = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; \
     SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0; \
     SET max_parallel_workers_per_gather = 2; SET enable_indexscan = off; SET enable_bitmapscan = off";

/// The forced mode has changed its name.
fn force_parallel(client: &mut Client) {
    let version: i32 = one(client, "SELECT current_setting('server_version_num')::int");
    let setting = if version < 160_000 {
        "force_parallel_mode"
    } else {
        "debug_parallel_query"
    };
    run(client, &format!("SET {setting} = on"));
}

#[test]
fn t15_a_generic_plan_serves_whoever_is_logged_in_when_it_runs() {
    let stage = Stage::set("t15");
    let mut app = stage.app();
    run(&mut app, "SET plan_cache_mode = force_generic_plan");
    run(&mut app, "PREPARE q AS SELECT DISTINCT tenant_id FROM timedb.values");
    run(
        &mut app,
        "CREATE FUNCTION pg_temp.f() RETURNS SETOF uuid LANGUAGE plpgsql \
         AS 'BEGIN RETURN QUERY SELECT DISTINCT v.tenant_id FROM timedb.values v; END'",
    );
    let protocol = app
        .prepare("SELECT DISTINCT tenant_id FROM timedb.values")
        .expect("a plan");
    for identity in [&stage.alice, &stage.bob, &stage.alice, &stage.bob] {
        login(&mut app, identity, false);
        for _ in 0..2 {
            for rows in [
                app.query("EXECUTE q", &[]),
                app.query("SELECT pg_temp.f()", &[]),
                app.query(&protocol, &[]),
            ] {
                let tenants: Vec<Uuid> = rows.expect("rows").iter().map(|row| row.get(0)).collect();
                assert_eq!(tenants, [identity.tenant_id]);
            }
        }
    }
    run(&mut app, "SELECT timedb.logout()");
    assert!(app.query("EXECUTE q", &[]).expect("rows").is_empty());
    assert!(app.query(&protocol, &[]).expect("rows").is_empty());
}

#[test]
fn t15_what_answers_the_tenant_is_stable_parallel_restricted_and_not_leakproof() {
    let stage = Stage::set("t15 marks");
    let marks: Vec<String> = one(
        &mut stage.app(),
        "SELECT array_agg(DISTINCT format('%s%s%s', provolatile, proparallel, proleakproof)) FROM pg_proc \
         WHERE pronamespace = 'timedb'::regnamespace \
           AND proname IN ('current_tenant', '_may', '_require_login', '_presented_key_hash')",
    );
    assert_eq!(marks, ["srf"]);
}

/// CVE-2024-10976 and its like: a plan made where policies bind nobody, run where they do.
#[test]
fn t15_a_plan_made_by_a_superuser_is_not_run_for_the_role_he_becomes() {
    let stage = Stage::set("t15 roles");
    let mut client = stage.admin();
    login(&mut client, &stage.alice, false);
    run(&mut client, "SET plan_cache_mode = force_generic_plan");
    let bare = [
        "SELECT count(*) FROM timedb.series",
        "SELECT (SELECT count(*) FROM timedb.series)",
        "WITH s AS (SELECT * FROM timedb.series) SELECT count(*) FROM s",
    ];
    let plans = bare.map(|sql| client.prepare(sql).expect("a plan"));
    let counts = |client: &mut Client| {
        plans
            .each_ref()
            .map(|plan| client.query_one(plan, &[]).expect("a count").get::<_, i64>(0))
    };
    assert_eq!(
        counts(&mut client),
        [2; 3],
        "the premise: policies do not bind a superuser"
    );
    run(&mut client, "SET ROLE app");
    assert_eq!(counts(&mut client), [1; 3]);
    run(&mut client, "RESET ROLE");
    assert_eq!(counts(&mut client), [2; 3]);
}

/// Every statement through a worker: what needs the tenant stays with the leader and is passed down.
#[test]
fn t52_forced_parallel_mode_shows_each_tenant_its_own_rows() {
    let stage = Stage::set("t52");
    let mut client = stage.app();
    force_parallel(&mut client);
    assert_nobody(&mut client);
    for is_local in [false, true] {
        run(&mut client, "BEGIN");
        login(&mut client, &stage.alice, is_local);
        stage.assert_alice(&mut client);
        login(&mut client, &stage.bob, is_local);
        stage.assert_bob(&mut client);
        run(&mut client, "COMMIT");
    }
    stage.assert_bob(&mut client);
    run(&mut client, "RESET ALL");
    force_parallel(&mut client);
    assert_nobody(&mut client);
    run(&mut client, &format!("SET timedb.api_key = '{}'", stage.alice.api_key));
    stage.assert_alice(&mut client);
}

#[test]
fn t52_real_parallel_plans_have_workers_that_see_the_leaders_tenant() {
    let stage = Stage::set("t52 gather");
    run(
        &mut stage.admin(),
        "INSERT INTO timedb.series (tenant_id, series_id, series_key) \
         SELECT t.tenant_id, gen_random_uuid(), 's' || i \
         FROM (SELECT DISTINCT tenant_id FROM timedb.users) t, generate_series(1, 5000) i; ANALYZE timedb.series",
    );
    let mut client = stage.app();
    run(&mut client, PARALLEL);
    let sql = "SELECT count(*), count(DISTINCT tenant_id), min(tenant_id::text) FROM timedb.series WHERE length(series_key) > 0";
    for identity in [&stage.alice, &stage.bob] {
        login(&mut client, identity, false);
        let plan = client
            .query(&format!("EXPLAIN (ANALYZE, COSTS OFF) {sql}"), &[])
            .expect("a plan");
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("Workers Launched: 2"), "the premise: workers, in\n{plan}");
        let row = client.query_one(sql, &[]).expect("a row");
        let found: (i64, i64, String) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(found, (5001, 1, identity.tenant_id.to_string()));
    }
    run(&mut client, "SELECT timedb.logout()");
    assert_sees_nothing(&mut client);
}

/// Somebody's own function, marked as if it could run in a worker.
#[test]
fn t52_a_function_wrongly_marked_parallel_safe_logs_nobody_in_and_is_nobody() {
    let stage = Stage::set("t52 mislabelled");
    let mut client = stage.alice();
    run(
        &mut client,
        "CREATE FUNCTION pg_temp.whose() RETURNS uuid PARALLEL SAFE LANGUAGE plpgsql STABLE AS 'BEGIN RETURN timedb.current_tenant(); END'; \
         CREATE FUNCTION pg_temp.enter(k text) RETURNS void PARALLEL SAFE LANGUAGE plpgsql AS 'BEGIN PERFORM timedb.authenticate(k); END'",
    );
    force_parallel(&mut client);
    assert_eq!(one::<Option<Uuid>>(&mut client, "SELECT pg_temp.whose()"), None);
    let enter = format!("SELECT pg_temp.enter('{}')", stage.bob.api_key);
    each_refused(&mut client, "25000", [enter]);
    assert_ne!(tenant(&mut client), Some(stage.bob.tenant_id));
}

/// A startup option that makes the re-check's index scans scans of the whole table.
#[test]
fn without_system_indexes_the_tenant_and_its_end_are_still_found() {
    let stage = Stage::set("ignore_system_indexes");
    let (mut client, _) = stage.connect("app", "-c ignore_system_indexes=on");
    login(&mut client, &stage.alice, false);
    stage.assert_alice(&mut client);
    login(&mut client, &stage.bob, false);
    stage.assert_bob(&mut client);
    let end = "SELECT timedb.deactivate_user(user_id => $1)";
    stage.ops().execute(end, &[&stage.bob.user_id]).expect("it ends");
    assert_key_refused(&mut client);
}
