//! What a member of timedb_caller may: call the API, and select from nothing, so that no plan of hers tells of others.

use postgres::Client;
use timedb_testkit::{KEY_NEEDED, Stage, Stored, assert_functions_refuse, login, one, run, series_of, tenant};

use crate::support::{each_refused, rows_of, try_upload};

/// Every table and view of the extension, by name.
#[track_caller]
fn relations(stage: &Stage) -> Vec<String> {
    let sql = "SELECT array_agg(c.oid::regclass::text ORDER BY c.relname) FROM pg_class c \
               WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind NOT IN ('i', 'c', 't')";
    let relations: Vec<String> = one(&mut stage.admin(), sql);
    assert!(relations.len() >= 10, "the premise: {relations:?}");
    relations
}

/// Every way to have a relation planned, whether its rows are asked for or not.
fn ways_of_planning(relation: &str, bob: uuid::Uuid) -> Vec<String> {
    // The views have no tenant_id.
    let column = match relation {
        "timedb.current_values" | "timedb.versions" => "series_id",
        _ => "tenant_id",
    };
    let of_bob = format!("SELECT 1 FROM {relation} WHERE {column} = '{bob}'");
    let asked = [format!("TABLE {relation}"), format!("SELECT 1 FROM {relation}"), of_bob];
    let asked = asked.iter().flat_map(|sql| {
        [
            sql.clone(),
            format!("EXPLAIN {sql}"),
            format!("EXPLAIN (FORMAT json) {sql}"),
            format!("EXPLAIN ANALYZE {sql}"),
            format!("EXPLAIN WITH r AS ({sql}) SELECT count(*) FROM r"),
            format!("EXPLAIN SELECT EXISTS ({sql})"),
            format!("PREPARE p AS {sql}; EXPLAIN EXECUTE p"),
            format!("DECLARE c CURSOR WITH HOLD FOR {sql}"),
            format!("COPY ({sql}) TO STDOUT"),
            format!("CREATE TEMP TABLE copied AS {sql}"),
        ]
    });
    asked.collect()
}

#[test]
fn t55_as_a_caller_no_table_or_view_is_explained_or_read() {
    let stage = Stage::set("t55");
    run(&mut stage.admin(), "ANALYZE timedb.series");
    let mut caller = stage.caller();
    for logged_in in [false, true] {
        if logged_in {
            login(&mut caller, &stage.alice, false);
        }
        for relation in relations(&stage) {
            for sql in ways_of_planning(&relation, stage.bob.tenant_id) {
                each_refused(&mut caller, "42501", [sql]);
                run(&mut caller, "DEALLOCATE ALL");
            }
        }
    }
}

#[test]
fn t55_a_callers_plans_of_functions_are_the_same_whatever_others_have() {
    let stage = Stage::set("t55 functions");
    let mut caller = stage.caller();
    login(&mut caller, &stage.alice, false);
    let calls = [
        "timedb.read()",
        "timedb.read_arrow()",
        "timedb.read_arrow_batches()",
        "timedb.read_relative(lead => '1 day', labels => '{\"site\": \"north\"}', workflow_id => 'x')",
        "timedb.read_relative_arrow(days_ahead => 1, time_of_day => '12:00')",
        "timedb.list_series()",
        "timedb.settled_time()",
        "timedb.read_changes(now())",
        "timedb.read_changes_arrow(now())",
        "timedb.list_series('{\"site\": \"north\"}', max_rows => 1)",
        "timedb.label_values('site')",
        "timedb.latest()",
        "timedb.list_runs()",
        "timedb.read_buckets('1 day')",
        "timedb.gaps('1 hour')",
        "timedb.coverage()",
        "timedb.compact()",
        "timedb.whoami()",
        "timedb.update('[]')",
    ];
    let plans = |caller: &mut Client| {
        calls.map(|call| {
            let rows = caller.query(&format!("EXPLAIN VERBOSE SELECT * FROM {call}"), &[]);
            let lines: Vec<String> = rows.expect("a plan").iter().map(|row| row.get(0)).collect();
            lines.join("\n")
        })
    };
    let before = plans(&mut caller);
    for plan in &before {
        let is_whole = plan.contains("Function Scan") || plan.contains("TimedbScan");
        assert!(is_whole, "{plan}");
    }
    let more = "INSERT INTO timedb.series (tenant_id, series_id, series_key) \
                SELECT $1, gen_random_uuid(), 'secret' || i FROM generate_series(1, 5000) i";
    let mut admin = stage.admin();
    admin.execute(more, &[&stage.bob.tenant_id]).expect("a superuser may");
    run(&mut admin, "ANALYZE timedb.series");
    assert_eq!(plans(&mut caller), before);
    let shown = "SELECT count(*) FROM pg_stats WHERE schemaname = 'timedb'";
    assert_eq!(one::<i64>(&mut caller, shown), 0);
}

/// What is accepted, in the page's words, is how large a table is.
#[test]
fn t55_as_a_member_of_timedb_user_an_estimate_tells_of_all_tenants_together_and_of_none() {
    let stage = Stage::set("t55 users");
    let mut admin = stage.admin();
    let more = "INSERT INTO timedb.runs (tenant_id, run_id, run_start_time, known_time, changed_by, inserted_at, last_change_time) \
                SELECT $1, gen_random_uuid(), now(), now(), 'bob@tenant-b.com', now(), now() FROM generate_series(1, 500)";
    admin.execute(more, &[&stage.bob.tenant_id]).expect("a superuser may");
    run(&mut admin, "ANALYZE timedb.runs");
    let mut alice = stage.alice();
    let mut estimate = |condition: &str| -> i64 {
        let plan: serde_json::Value = one(
            &mut alice,
            &format!("EXPLAIN (FORMAT json) SELECT 1 FROM timedb.runs WHERE {condition}"),
        );
        plan[0]["Plan"]["Plan Rows"].as_i64().expect("an estimate")
    };
    let of = |tenant: uuid::Uuid| format!("tenant_id = '{tenant}'");
    let of_nobody = estimate(&of(uuid::Uuid::now_v7()));
    assert_eq!(estimate(&of(stage.bob.tenant_id)), of_nobody);
    assert_eq!(estimate(&of(stage.alice.tenant_id)), of_nobody);
    let [known, unknown] = ["bob", "nobody"].map(|who| format!("changed_by = '{who}@tenant-b.com'"));
    assert_eq!(estimate(&known), estimate(&unknown), "whether an email is there");
    assert_eq!(series_of(&mut alice, "timedb.series"), [stage.alices.series_id]);
    let page = include_str!("../../docs/security.md");
    for said in ["keeps no statistics", "`EXPLAIN ANALYZE`", "`timedb_caller`"] {
        assert!(page.contains(said), "docs/security.md does not say {said}");
    }
}

/// Whoever holds its login role and no key.
#[test]
fn t59_a_stolen_http_server_is_a_plain_caller_and_nobody_without_a_key() {
    let stage = Stage::set("t59");
    let mut caller = stage.caller();
    assert_eq!(tenant(&mut caller), None);
    assert_functions_refuse(&mut caller, KEY_NEEDED);
    let id = uuid::Uuid::now_v7();
    each_refused(
        &mut caller,
        "28000",
        [
            format!("create_user('{id}', 'x@y.z')"),
            "list_users()".into(),
            "deactivate_user('bob@tenant-b.com')".into(),
            "activate_user('bob@tenant-b.com')".into(),
            "create_key('bob@tenant-b.com')".into(),
            "regenerate_key('bob@tenant-b.com')".into(),
            "list_keys()".into(),
            format!("revoke_key('{id}')"),
            "list_audit()".into(),
            "create_series('x')".into(),
        ]
        .map(|call| format!("SELECT * FROM timedb.{call}")),
    );
    each_refused(
        &mut caller,
        "42501",
        relations(&stage)
            .into_iter()
            .map(|relation| format!("TABLE {relation}")),
    );
    each_refused(
        &mut caller,
        "42501",
        [
            "SELECT timedb.bind_role('caller', gen_random_uuid())",
            "SELECT timedb.self_check()",
            "SELECT timedb._series_values(gen_random_uuid())",
            "SET ROLE timedb_user",
            "SET ROLE timedb_admin",
        ],
    );
}

/// The other half of the promise: with a key, all that the API does.
#[test]
fn a_caller_with_a_key_uploads_reads_and_manages_as_her_scope_says() {
    let stage = Stage::set("callers");
    let admin = stage.alice_of_scope("admin");
    let mut caller = stage.caller();
    login(&mut caller, &admin, false);
    assert_eq!(tenant(&mut caller), Some(stage.alice.tenant_id));
    let stored = Stored::of(&mut caller, "called", 3.0);
    try_upload(&mut caller, &rows_of(stage.alices.series_id)).expect("onto her tenant's series");
    let mut own = [stage.alices.series_id, stored.series_id];
    own.sort_unstable();
    assert_eq!(
        series_of(
            &mut caller,
            "timedb.read() UNION SELECT series_id FROM timedb.list_series()"
        ),
        own
    );
    let merged = "SELECT count(*) FROM timedb.unnest_points(timedb.make_points('{2025-01-01Z}', '{1}'))";
    assert_eq!(one::<i64>(&mut caller, merged), 1);
    assert_eq!(one::<i64>(&mut caller, "SELECT count(*) FROM timedb.list_users()"), 2);
    run(
        &mut caller,
        "SELECT timedb.create_key('alice@tenant-a.com'); SELECT timedb.compact(older_than => '0')",
    );
    assert_eq!(
        one::<i64>(&mut stage.admin(), "SELECT count(*) FROM timedb.self_check()"),
        0
    );
}

/// What one group keeps from a role another gives it.
#[test]
fn a_caller_who_may_select_by_another_group_is_reported() {
    let stage = Stage::set("callers who select");
    let mut admin = stage.admin();
    for other in ["timedb_user", "pg_read_all_data"] {
        run(&mut admin, &format!("BEGIN; GRANT {other} TO caller"));
        let found = "SELECT concat_ws(' ', c.object, c.found) FROM timedb.self_check() c WHERE c.promise = 'callers select nothing'";
        let found: String = one(&mut admin, found);
        assert_eq!(found, format!("caller inherits timedb_caller and {other}"));
        run(&mut admin, "ROLLBACK");
    }
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
}
