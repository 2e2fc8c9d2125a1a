//! What the planner knows of other tenants: nothing but how large the tables are. A statement is planned before anybody asks
//! whether its relations may be read, so a refusal comes too late to hide what the plan was made of.

use postgres::Client;
use timedb_testkit::{Stage, login, one, run};
use uuid::Uuid;

use crate::support::{each_refused, rows_of, try_upload};

/// A column that has an order, and what conditions on it compare with.
struct Column {
    table: String,
    name: String,
    /// Values that one of the tenants has, and one that nobody has, as literals.
    values: Vec<String>,
}

/// Bob has far more than Alice in every table, so that statistics of any kind would tell them apart; then the tables are analysed.
#[track_caller]
fn stage_of_unequal_tenants(name: &str) -> Stage {
    let stage = Stage::set(name);
    let mut admin = stage.admin();
    for (tenant, rows) in [(stage.alice.tenant_id, 20), (stage.bob.tenant_id, 2000)] {
        let filled = format!(
            "INSERT INTO timedb.users (tenant_id, user_id, email) \
               SELECT '{tenant}', gen_random_uuid(), i || '@{tenant}' FROM generate_series(1, {rows}) i; \
             INSERT INTO timedb.api_keys (tenant_id, key_id, user_id, hint, key_hash, scope) \
               SELECT '{tenant}', gen_random_uuid(), gen_random_uuid(), '{rows}', sha256(i::text::bytea || '{tenant}'), 'read' \
               FROM generate_series(1, {rows}) i; \
             INSERT INTO timedb.key_ends (tenant_id, key_id, ended_at) \
               SELECT '{tenant}', gen_random_uuid(), now() FROM generate_series(1, {rows}) i; \
             INSERT INTO timedb.audit (tenant_id, audit_id, actor, via, action) \
               SELECT '{tenant}', gen_random_uuid(), '{tenant}', 'key', 'revoke_key' FROM generate_series(1, {rows}) i; \
             INSERT INTO timedb.role_bindings (role_name, tenant_id, scope) \
               SELECT '{rows}' || i, '{tenant}', 'read' FROM generate_series(1, {rows}) i; \
             INSERT INTO timedb.series (tenant_id, series_id, series_key, description) \
               SELECT '{tenant}', gen_random_uuid(), '{rows}' || i, '{tenant}' FROM generate_series(1, {rows}) i; \
             INSERT INTO timedb.runs \
                 (tenant_id, run_id, run_start_time, known_time, changed_by, inserted_at, last_change_time) \
               SELECT '{tenant}', gen_random_uuid(), now(), now(), '{tenant}', now(), now() \
               FROM generate_series(1, {rows}) i"
        );
        run(&mut admin, &filled);
    }
    for (mut client, series, uploads) in [
        (stage.alice(), stage.alices.series_id, 2),
        (stage.bob(), stage.bobs.series_id, 40),
    ] {
        for _ in 0..uploads {
            try_upload(&mut client, &rows_of(series)).expect("another version");
        }
        run(&mut client, "SELECT timedb.compact(older_than => '0')");
        try_upload(&mut client, &rows_of(series)).expect("one beside the pack");
    }
    run(&mut admin, "ANALYZE");
    stage
}

/// Every column of every table whose type has an order.
#[track_caller]
fn columns(stage: &Stage) -> Vec<Column> {
    let mut admin = stage.admin();
    let sql = "SELECT c.oid::regclass::text, quote_ident(a.attname), format_type(a.atttypid, NULL) \
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
               WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
                 AND a.atttypid NOT IN ('timedb.points'::regtype, 'timedb.pack'::regtype) \
               ORDER BY c.relname, a.attnum";
    let rows = admin.query(sql, &[]).expect("the columns");
    let columns = rows.iter().map(|row| {
        let (table, name, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let of_both = "SELECT coalesce(array_agg(quote_literal(v)), '{}') FROM (";
        let of = |tenant: Uuid| {
            format!("(SELECT {name}::text FROM {table} WHERE tenant_id = '{tenant}' AND {name} IS NOT NULL LIMIT 1)")
        };
        let of_both = format!(
            "{of_both}{} UNION {}) q (v)",
            of(stage.alice.tenant_id),
            of(stage.bob.tenant_id)
        );
        let mut values: Vec<String> = one(&mut admin, &of_both);
        values.push(nobodys(&kind));
        for value in &mut values {
            *value += &format!("::{kind}");
        }
        Column { table, name, values }
    });
    columns.collect()
}

/// A value that no row has.
fn nobodys(kind: &str) -> String {
    let value = match kind {
        "uuid" => Uuid::now_v7().to_string(),
        "timestamp with time zone" => "2001-01-01T00:00:00Z".into(),
        // Negative as parts are that a run lists: the index of the others has a condition, which a number meets or not, whoever
        // has it.
        "smallint" | "integer" | "bigint" => "-12345".into(),
        "bytea" => "\\x00".into(),
        "boolean" => "false".into(),
        "interval" => "12345 days".into(),
        "jsonb" => "{\"no\": \"body\"}".into(),
        "text[]" => "{nobody}".into(),
        "text" | "name" => "nobody".into(),
        other => panic!("a value of {other}"),
    };
    format!("'{value}'")
}

/// What a plan says of costs and rows, of all its nodes.
fn estimates(plan: &str) -> Vec<&str> {
    let words: Vec<&str> = plan.split_whitespace().collect();
    // From 16 on by the names of the nodes that they stand in, as `:scan.plan.plan_rows`.
    let is_one = |name: &str| {
        let last = name.strip_prefix(':').and_then(|name| name.rsplit('.').next());
        last.is_some_and(|last| ["startup_cost", "total_cost", "plan_rows"].contains(&last))
    };
    let estimates = words.windows(2).filter(|pair| is_one(pair[0]));
    estimates.map(|pair| pair[1]).collect()
}

/// By what is logged of plans to whoever asks for it, though no statement is executed.
#[test]
fn t55_the_plan_of_a_refused_statement_is_the_same_whomever_it_asks_for() {
    let stage = stage_of_unequal_tenants("t55 logged plans");
    let columns = columns(&stage);
    assert!(columns.len() > 60, "the premise: all columns");
    for column in ["email", "key_hash", "series_key", "tenant_id"] {
        let values = columns.iter().find(|c| c.name == column).map(|c| c.values.len());
        assert_eq!(values, Some(3), "the premise: {column} of A, of B, of nobody");
    }
    for role in ["caller", "app", "ops"] {
        let asked = "-c client_min_messages=log -c debug_print_plan=on";
        let (mut client, notices) = stage.connect(role, asked);
        let mut told = 0;
        for way in [
            "enable_seqscan = off; SET enable_bitmapscan = off",
            "enable_indexscan = off",
        ] {
            run(
                &mut client,
                &format!("RESET enable_seqscan; RESET enable_bitmapscan; SET {way}"),
            );
            notices.take();
            for column in &columns {
                let Column { table, name, values } = column;
                for operator in ["=", "<"] {
                    let mut plans = Vec::new();
                    for value in values {
                        // Refused or empty; planned in either case.
                        let asked = format!("SELECT 1 FROM {table} WHERE {name} {operator} {value}");
                        let _ = client.batch_execute(&asked);
                        let [plan] = &notices.take_details("plan:")[..] else {
                            panic!("the premise: a plan of {asked}");
                        };
                        let estimates = estimates(plan);
                        assert!(!estimates.is_empty(), "{plan}");
                        plans.push(estimates.join(" "));
                    }
                    told += plans.len();
                    let same = plans.iter().all(|plan| *plan == plans[0]);
                    assert!(same, "{role}: {table}.{name} {operator} {values:?}: {plans:?}");
                }
            }
        }
        assert!(told > 300, "the premise");
    }
}

/// By how often Postgres thought a plan of its own worth while, which needs no plan to be shown.
#[test]
fn t55_no_counter_of_prepared_statements_tells_what_others_have() {
    let stage = stage_of_unequal_tenants("t55 counted plans");
    let mut caller = stage.caller();
    let counted = |caller: &mut Client, of: &str| {
        run(
            caller,
            "DEALLOCATE ALL; PREPARE p(uuid) AS SELECT 1 FROM timedb.series WHERE tenant_id < $1",
        );
        each_refused(caller, "42501", vec![format!("EXECUTE p('{of}')"); 7]);
        let sql = "SELECT generic_plans || ' ' || custom_plans FROM pg_prepared_statements WHERE name = 'p'";
        one::<String>(caller, sql)
    };
    let [alice, bob] = [&stage.alice, &stage.bob].map(|of| of.tenant_id.to_string());
    let (first, last) = (Uuid::nil().to_string(), Uuid::max().to_string());
    let of_nobody = counted(&mut caller, &first);
    for of in [&alice, &bob, &last] {
        assert_eq!(counted(&mut caller, of), of_nobody, "{of}");
    }
}

/// What a function asks of the tables is planned as its owner, and is not the caller's to see or to have planned otherwise.
#[test]
fn t55_no_plan_within_a_function_is_shown_to_whoever_calls_it() {
    let stage = Stage::set("t55 inner plans");
    let admin = stage.alice_of_scope("admin");
    let (alice, user) = (stage.alice.tenant_id, admin.user_id);
    let series = stage.alices.series_id;
    let calls = [
        format!(
            "upload('2025-01-01', '[{{\"valid_time\": \"2025-01-03T00:00:00Z\", \"series_id\": \"{series}\", \"value\": 1}}]')"
        ),
        "upload_points('2025-01-01', '{planned}', '{2025-01-01Z}', '{1}')".into(),
        format!(
            "update('[{{\"run_id\": \"{}\", \"series_id\": \"{series}\", \"valid_time\": \"2025-01-01T00:00:00Z\", \"value\": 2}}]')",
            stage.alices.run_id
        ),
        "read()".into(),
        "read_arrow(series_keys => '{alice}')".into(),
        format!("read(series_ids => '{{{series}}}', mode => 'overlapping')"),
        "list_series()".into(),
        "settled_time()".into(),
        "read_changes('2000-01-01')".into(),
        "create_series('planned too')".into(),
        "compact(older_than => '0')".into(),
        format!("create_user('{alice}', 'planned@tenant-a.com')"),
        "list_users()".into(),
        format!("create_key(user_id => '{user}')"),
        "list_keys()".into(),
        "regenerate_key('planned@tenant-a.com')".into(),
        "deactivate_user('planned@tenant-a.com')".into(),
        "list_audit()".into(),
        "revoke_key((SELECT key_id FROM timedb.whoami()))".into(),
    ];
    for mode in ["auto", "force_custom_plan", "force_generic_plan"] {
        let shown = format!("-c client_min_messages=log -c debug_print_plan=on -c plan_cache_mode={mode}");
        let key = stage.alice_of_scope("admin");
        let (mut caller, notices) = stage.connect("caller", &shown);
        login(&mut caller, &key, false);
        run(&mut caller, "BEGIN");
        let mut own = 0;
        for call in &calls {
            notices.take();
            run(&mut caller, &format!("SELECT * FROM timedb.{call}"));
            for plan in notices.take_details("plan:") {
                own += 1;
                // Of the caller's own statement, and of expressions in PL/pgSQL, which are hers too: no table is in them.
                assert!(!plan.contains(":rtekind 0"), "{mode}, {call}: {plan}");
            }
        }
        assert!(own >= calls.len(), "the premise: {own} plans are shown");
        let mode_now: String = one(&mut caller, "SHOW plan_cache_mode");
        assert_eq!(mode_now, mode, "her own settings are hers");
        run(&mut caller, "ROLLBACK");
    }
    let (mut ops, notices) = stage.connect("ops", "-c client_min_messages=log -c debug_print_plan=on");
    for call in [
        "list_users()",
        "list_keys()",
        "list_audit()",
        "list_bindings()",
        "_keys_without_user()",
    ] {
        run(&mut ops, &format!("SELECT * FROM timedb.{call}"));
        for plan in notices.take_details("plan:") {
            assert!(!plan.contains(":rtekind 0"), "{call}: {plan}");
        }
    }
}

#[test]
fn t55_whatever_statistics_there_are_are_reported() {
    let stage = Stage::set("t55 reported");
    let mut admin = stage.admin();
    let mut reports = |sql: &str| -> Vec<String> {
        run(&mut admin, &format!("BEGIN; {sql}"));
        let found = "SELECT array_agg(concat_ws(' ', c.object, c.found) ORDER BY c) FROM timedb.self_check() c \
                     WHERE c.promise = 'the planner keeps no statistics'";
        let found: Option<Vec<String>> = one(&mut admin, found);
        run(&mut admin, "ROLLBACK");
        found.unwrap_or_default()
    };
    assert_eq!(reports("ANALYZE"), Vec::<String>::new());
    assert_eq!(
        reports("ALTER TABLE timedb.series ALTER unit SET STATISTICS 10"),
        ["timedb.series.unit its target is 10"]
    );
    assert_eq!(
        reports(
            "ALTER TABLE timedb.series ALTER unit SET STATISTICS -1; ANALYZE timedb.series; \
             ALTER TABLE timedb.series ALTER unit SET STATISTICS 0"
        ),
        ["timedb.series.unit has some"]
    );
    assert_eq!(
        reports("ALTER TABLE timedb.series ADD later int"),
        ["timedb.series.later its target is the default"]
    );
    assert_eq!(
        reports("CREATE INDEX ON timedb.series (tenant_id, lower(unit)); ANALYZE"),
        ["timedb.series_tenant_id_lower_idx.lower its target is the default, has some"]
    );
    assert_eq!(
        reports("CREATE STATISTICS public.s ON tenant_id, unit FROM timedb.series"),
        ["timedb.series extended: public.s"]
    );
}
