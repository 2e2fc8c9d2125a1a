//! What the catalogs say of every table, view, function and grant, asked directly; and that `self_check` notices what is
//! added later.

use postgres::Client;

use timedb_testkit::{RELATIONS, Stage, login, one, run};

use crate::support::each_refused;

/// Whatever a query finds, as text; nothing is the pass.
#[track_caller]
fn assert_none(client: &mut Client, sql: &str) {
    let rows = client
        .query(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn t17_every_table_has_row_security_enabled_and_forced() {
    let stage = Stage::set("t17");
    let tables: i64 = one(
        &mut stage.app(),
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'timedb'::regnamespace AND relkind IN ('r', 'p')",
    );
    assert!(tables >= 6, "the premise: there are tables");
    assert_none(
        &mut stage.app(),
        "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'timedb'::regnamespace \
           AND relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)",
    );
}

#[test]
fn t17_what_is_added_later_without_its_guards_is_reported() {
    let stage = Stage::set("t17 later");
    assert_none(&mut stage.ops(), "SELECT promise FROM timedb.self_check()");
    for (slip, promise) in [
        (
            "CREATE TABLE timedb.later (tenant_id uuid)",
            "row-level security is enabled and forced",
        ),
        (
            "ALTER TABLE timedb.values NO FORCE ROW LEVEL SECURITY",
            "row-level security is enabled and forced",
        ),
        (
            "CREATE POLICY more ON timedb.series USING (true)",
            "policies are the standard ones",
        ),
        (
            "ALTER POLICY values_tenant ON timedb.values USING (true)",
            "policies are the standard ones",
        ),
        (
            "CREATE VIEW timedb.careless AS TABLE timedb.values",
            "views are security_invoker",
        ),
        (
            "GRANT INSERT ON timedb.values TO timedb_user",
            "nothing more is granted on tables",
        ),
        (
            "ALTER TABLE timedb.packs NO FORCE ROW LEVEL SECURITY",
            "row-level security is enabled and forced",
        ),
        (
            "ALTER POLICY packs_compact ON timedb.packs USING (true)",
            "policies are the standard ones",
        ),
        (
            "ALTER POLICY values_compact ON timedb.values TO timedb_compactor, timedb_api",
            "policies are the standard ones",
        ),
        (
            "GRANT DELETE ON timedb.packs TO timedb_api",
            "nothing more is granted on tables",
        ),
        (
            "GRANT EXECUTE ON FUNCTION timedb._pack_of_bytes(bytea) TO timedb_user",
            "nothing more is granted on functions",
        ),
        (
            "ALTER FUNCTION timedb.update OWNER TO timedb_compactor",
            "what may delete runs as a role of its own",
        ),
        ("GRANT timedb_compactor TO app", "owning roles have no members"),
        ("GRANT timedb_user TO timedb_caller", "roles belong to no role"),
        ("GRANT timedb_caller TO timedb_user", "roles belong to no role"),
        (
            "GRANT SELECT ON timedb.current_values TO timedb_caller",
            "nothing more is granted on tables",
        ),
        (
            "GRANT SELECT (series_key) ON timedb.series TO timedb_caller",
            "nothing more is granted on tables",
        ),
        (
            "GRANT EXECUTE ON FUNCTION timedb._series_values(uuid) TO timedb_caller",
            "nothing more is granted on functions",
        ),
        (
            "GRANT SELECT (key_hash) ON timedb.api_keys TO timedb_user",
            "nothing more is granted on tables",
        ),
        (
            "GRANT EXECUTE ON FUNCTION timedb.list_bindings() TO PUBLIC",
            "nothing more is granted on functions",
        ),
        (
            "ALTER FUNCTION timedb.upload OWNER TO postgres",
            "functions belong to roles that own no table",
        ),
        (
            "ALTER FUNCTION timedb.upload SET search_path = public",
            "security definer functions pin their search_path",
        ),
        (
            "ALTER FUNCTION timedb.current_tenant() IMMUTABLE",
            "current_tenant is stable and parallel restricted",
        ),
        ("ALTER FUNCTION timedb._may(text) LEAKPROOF", "no function is leakproof"),
        (
            "CREATE UNIQUE INDEX oracle ON timedb.series (series_key)",
            "keys start with tenant_id",
        ),
        (
            "CREATE RULE r AS ON INSERT TO timedb.runs DO ALSO NOTIFY x",
            "tables have no triggers, rules or children",
        ),
    ] {
        let mut admin = stage.admin();
        run(&mut admin, &format!("BEGIN; {slip}"));
        let noticed: Vec<String> = one(
            &mut admin,
            "SELECT array_agg(DISTINCT promise) FROM timedb.self_check()",
        );
        assert!(noticed.iter().any(|noticed| noticed == promise), "{slip}: {noticed:?}");
        run(&mut admin, "ROLLBACK");
    }
}

#[test]
fn t18_every_unique_key_and_foreign_key_starts_with_the_tenant() {
    let stage = Stage::set("t18 keys");
    let mut app = stage.app();
    assert_none(
        &mut app,
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
         WHERE c.relnamespace = 'timedb'::regnamespace AND indisunique AND indkey[0] IS DISTINCT FROM \
           (SELECT attnum FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id') \
           AND i.indexrelid <> 'timedb.role_bindings_pkey'::regclass",
    );
    assert_none(
        &mut app,
        "SELECT k.conname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
         WHERE c.relnamespace = 'timedb'::regnamespace AND contype = 'f' AND NOT EXISTS ( \
           SELECT FROM pg_attribute a, pg_attribute b WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1] \
             AND b.attrelid = k.confrelid AND b.attnum = k.confkey[1] \
             AND (a.attname, b.attname) = ('tenant_id', 'tenant_id'))",
    );
}

#[test]
fn t21_every_view_reads_as_whoever_asks() {
    let stage = Stage::set("t21");
    let views = "FROM pg_class c WHERE relnamespace = 'timedb'::regnamespace AND relkind IN ('v', 'm')";
    let mut alice = stage.alice();
    assert!(
        one::<i64>(&mut alice, &format!("SELECT count(*) {views}")) > 0,
        "the premise"
    );
    assert_none(
        &mut alice,
        &format!("SELECT c.relname::text {views} AND NOT coalesce(reloptions, '{{}}') @> '{{security_invoker=true}}'"),
    );
    stage.assert_alice(&mut alice);
}

/// Accepted, and so a rule for operators: Postgres lets a view read as its owner.
#[test]
fn t21_a_superusers_own_view_shows_every_tenant_unless_it_is_security_invoker() {
    let stage = Stage::set("t21 own views");
    run(
        &mut stage.admin(),
        "CREATE VIEW public.careless AS TABLE timedb.series; \
         CREATE VIEW public.careful WITH (security_invoker = true) AS TABLE timedb.series; \
         CREATE MATERIALIZED VIEW public.copied AS TABLE timedb.series; \
         GRANT SELECT ON public.careless, public.careful, public.copied TO app",
    );
    let mut alice = stage.alice();
    for (view, rows) in [("careless", 2), ("careful", 1), ("copied", 2)] {
        assert_eq!(
            one::<i64>(&mut alice, &format!("SELECT count(*) FROM public.{view}")),
            rows,
            "{view}"
        );
    }
}

#[test]
fn t21_a_tenants_own_view_shows_each_reader_what_the_reader_may_see() {
    let stage = Stage::set("t21 tenants view");
    run(&mut stage.admin(), "GRANT CREATE ON SCHEMA public TO app");
    let mut alice = stage.alice();
    run(
        &mut alice,
        "CREATE VIEW public.mine AS TABLE timedb.series; GRANT SELECT ON public.mine TO PUBLIC",
    );
    let mut bob = stage.bob();
    let shown = "SELECT array_agg(series_id) FROM public.mine";
    assert_eq!(one::<Vec<uuid::Uuid>>(&mut bob, shown), [stage.bobs.series_id]);
    each_refused(&mut stage.evil(), "42501", [shown]);
}

#[test]
fn t22_no_function_runs_as_a_superuser_or_as_an_owner_of_tables() {
    let stage = Stage::set("t22");
    let mut app = stage.app();
    assert_none(
        &mut app,
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_roles r ON r.oid = proowner \
         WHERE pronamespace = 'timedb'::regnamespace AND (rolsuper OR rolbypassrls \
           OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relnamespace = p.pronamespace) \
           OR rolname NOT IN ('timedb_api', 'timedb_auth', 'timedb_operator', 'timedb_compactor', \
             'timedb_eraser'))",
    );
    assert_none(
        &mut app,
        "SELECT r.rolname::text FROM pg_roles r WHERE rolname ~ '^timedb_(owner|api|auth|operator|compactor|eraser|admin|caller|user)$' \
           AND (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication \
             OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) \
             OR rolname !~ 'admin|caller|user' AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid))",
    );
}

#[test]
fn t23_every_definer_function_pins_its_search_path() {
    let stage = Stage::set("t23 pins");
    assert_none(
        &mut stage.app(),
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'timedb'::regnamespace AND prosecdef \
           AND NOT coalesce(proconfig, '{}') @> '{\"search_path=pg_catalog, pg_temp\"}'",
    );
}

#[test]
fn t28_a_role_without_grants_may_execute_read_and_enter_nothing() {
    let stage = Stage::set("t28");
    let mut evil = stage.evil();
    assert_none(
        &mut evil,
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE pronamespace = 'timedb'::regnamespace \
           AND has_function_privilege('evil', p.oid, 'EXECUTE')",
    );
    assert_none(
        &mut evil,
        "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'timedb'::regnamespace AND relkind <> 'i' \
           AND (has_table_privilege('evil', oid, 'SELECT, INSERT, UPDATE, DELETE') \
             OR has_any_column_privilege('evil', oid, 'SELECT, INSERT, UPDATE, REFERENCES'))",
    );
    each_refused(
        &mut evil,
        "42501",
        [
            "SELECT timedb.current_tenant()",
            "SELECT timedb.authenticate('x')",
            "TABLE timedb.values",
            "CREATE TABLE timedb.mine ()",
        ],
    );
}

#[test]
fn t28_what_is_the_operators_or_internal_is_refused_to_a_tenants_role() {
    let stage = Stage::set("t28 operators");
    let admin = stage.alice_of_scope("admin");
    // Even with an admin key: it is the database role that may not.
    let mut client = stage.database.authenticated(&admin);
    each_refused(
        &mut client,
        "42501",
        [
            "timedb.bind_role('app', gen_random_uuid(), 'admin')",
            "timedb.unbind_role('app')",
            "timedb.list_bindings()",
            "timedb.self_check()",
            "timedb._create_user_operator(gen_random_uuid(), 'x@y.z', 'admin')",
            "timedb._list_users_operator(NULL, true)",
            "timedb._list_keys_operator(NULL, NULL)",
            "timedb._list_audit_operator(NULL, NULL)",
            "timedb._presented_key_hash()",
            "timedb._may('read')",
            "timedb._require_login()",
            "timedb._points_of_bytes('')",
            "timedb._pack_of_bytes('')",
        ]
        .map(|call| format!("SELECT * FROM {call}")),
    );
    let mut app = stage.app();
    let create = format!("SELECT timedb.create_user('{}', 'x@y.z')", stage.bob.tenant_id);
    each_refused(&mut app, "28000", [&create]);
    login(&mut app, &stage.alice, false);
    each_refused(&mut app, "42501", [&create]);
    each_refused(&mut client, "42501", [&create]);
}

#[test]
fn t28_an_operator_manages_and_reads_no_data_and_no_hash() {
    let stage = Stage::set("t28 ops");
    let mut ops = stage.ops();
    let of_management = ["users", "api_keys", "key_ends", "audit", "role_bindings"];
    for table in RELATIONS.into_iter().chain(of_management) {
        each_refused(&mut ops, "42501", [format!("TABLE timedb.{table}")]);
    }
    each_refused(
        &mut ops,
        "42501",
        [
            "timedb.read()",
            "timedb.list_series()",
            "timedb.settled_time()",
            "timedb.read_changes(now())",
            "timedb.read_changes_arrow(now())",
            "timedb.upload(now(), '[]')",
            "timedb.update('[]')",
            "timedb.read_arrow()",
            "timedb.read_arrow_batches()",
            "timedb.upload_arrow(now(), '')",
            "timedb.compact()",
        ]
        .map(|call| format!("SELECT * FROM {call}")),
    );
    assert_eq!(one::<i64>(&mut ops, "SELECT count(*) FROM timedb.list_users()"), 2);
}

/// Row-level security does not apply to these.
#[test]
fn t29_nobody_may_truncate_reference_or_put_triggers_on_a_table() {
    let stage = Stage::set("t29");
    let mut app = stage.app();
    for role in [
        "app",
        "caller",
        "ops",
        "timedb_caller",
        "timedb_user",
        "timedb_admin",
        "timedb_api",
        "timedb_auth",
        "timedb_operator",
        "timedb_compactor",
        "timedb_eraser",
    ] {
        assert_none(
            &mut app,
            &format!(
                "SELECT relname::text FROM pg_class WHERE relnamespace = 'timedb'::regnamespace AND relkind = 'r' \
                   AND has_table_privilege('{role}', oid, 'TRUNCATE, REFERENCES, TRIGGER')"
            ),
        );
    }
    run(&mut stage.admin(), "GRANT CREATE ON SCHEMA public TO app");
    let mut alice = stage.alice();
    run(
        &mut alice,
        "CREATE FUNCTION pg_temp.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    each_refused(
        &mut alice,
        "42501",
        [
            "TRUNCATE timedb.values",
            "TRUNCATE timedb.packs",
            "CREATE TABLE public.probe (t uuid, s uuid, FOREIGN KEY (t, s) REFERENCES timedb.series)",
            "CREATE TRIGGER t BEFORE INSERT ON timedb.values EXECUTE FUNCTION pg_temp.t()",
            "CREATE RULE r AS ON SELECT TO timedb.values DO INSTEAD SELECT 1",
            "CREATE INDEX ON timedb.values (tenant_id)",
            "CREATE STATISTICS public.s ON tenant_id, series_id FROM timedb.values",
            "CREATE TABLE public.child () INHERITS (timedb.values)",
        ],
    );
}

#[test]
fn t44_there_is_no_sequence_to_count_anybodys_rows_by() {
    let stage = Stage::set("t44");
    assert_none(
        &mut stage.app(),
        "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'S' AND relnamespace = 'timedb'::regnamespace",
    );
    assert_none(
        &mut stage.app(),
        "SELECT attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid \
         WHERE relnamespace = 'timedb'::regnamespace AND attidentity <> ''",
    );
}
