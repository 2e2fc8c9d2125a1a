//! Capturing names and roles: objects of the attacker's that stand in front of ours, roles she tries to become, and
//! pieces of the installation she tries to replace.

use postgres::Client;
use timedb_testkit::{Notices, Stage, assert_key_refused, assert_nobody, login, one, refused, run};

use crate::support::{each_refused, new_key, update_of, upload};

/// Everything by which our functions' bodies might be fooled, if they looked anywhere but in pg_catalog.
const TRAPS: &str = "
  CREATE FUNCTION pg_temp.setup() RETURNS void LANGUAGE plpgsql AS $setup$
  DECLARE
    call text;
    body CONSTANT text := 'LANGUAGE plpgsql AS $b$ BEGIN RAISE WARNING ''captured''; RETURN NULL; END $b$';
  BEGIN
    FOREACH call IN ARRAY ARRAY[
      'sha256(bytea) RETURNS bytea', 'clock_timestamp() RETURNS timestamptz', 'now() RETURNS timestamptz',
      'unnest(uuid[]) RETURNS uuid', 'jsonb_typeof(jsonb) RETURNS text', 'octet_length(text) RETURNS int',
      'current_tenant() RETURNS uuid', '_may(text) RETURNS boolean', 'to_json(text[]) RETURNS json', 'upper(text) RETURNS text',
      'uuid_same(uuid, uuid) RETURNS boolean', 'bytea_same(bytea, bytea) RETURNS boolean',
      'text_same(text, text) RETURNS boolean', 'time_after(timestamptz, timestamptz) RETURNS boolean',
      'time_minus(timestamptz, interval) RETURNS timestamptz', 'unnest_pack(timedb.pack) RETURNS uuid',
      '_pack_of_bytes(bytea) RETURNS timedb.pack', 'pg_column_size(timedb.points) RETURNS int'] LOOP
      EXECUTE format('CREATE FUNCTION %s.%s %s', 'public', call, body);
    END LOOP;
    CREATE OPERATOR public.= (FUNCTION = public.uuid_same, LEFTARG = uuid, RIGHTARG = uuid);
    CREATE OPERATOR public.= (FUNCTION = public.bytea_same, LEFTARG = bytea, RIGHTARG = bytea);
    CREATE OPERATOR public.= (FUNCTION = public.text_same, LEFTARG = text, RIGHTARG = text);
    CREATE OPERATOR public.>= (FUNCTION = public.time_after, LEFTARG = timestamptz, RIGHTARG = timestamptz);
    CREATE OPERATOR public.< (FUNCTION = public.time_after, LEFTARG = timestamptz, RIGHTARG = timestamptz);
    CREATE OPERATOR public.- (FUNCTION = public.time_minus, LEFTARG = timestamptz, RIGHTARG = interval);
  END $setup$;
  SELECT pg_temp.setup();
  CREATE TYPE public.user_account AS (x int);
  CREATE TEMP TABLE series (tenant_id uuid, series_id uuid, series_key text, labels jsonb, unit text,
    description text, inserted_at timestamptz);
  CREATE TEMP TABLE runs (tenant_id uuid);
  CREATE TEMP TABLE \"values\" (tenant_id uuid);
  CREATE TEMP TABLE packs (tenant_id uuid, series_id uuid, versions text);
  CREATE TEMP TABLE users (tenant_id uuid, user_id uuid, email text, is_active boolean);
  CREATE TEMP TABLE pg_roles (rolname name, rolsuper boolean, rolbypassrls boolean, oid oid)";

/// Capture does not work on what is qualified, or on functions whose path is pinned; it does on the attacker's own SQL.
#[test]
fn t24_objects_in_public_and_pg_temp_capture_no_name_of_any_function() {
    let stage = Stage::set("t24");
    run(&mut stage.admin(), "GRANT CREATE ON SCHEMA public TO app");
    let admin = stage.alice_of_scope("admin");
    let plain = answers(&stage, &mut stage.database.authenticated(&admin));
    let (mut client, notices) = stage.connect("app", "");
    run(&mut client, TRAPS);
    run(&mut client, "SET search_path = pg_temp, public, pg_catalog");
    login(&mut client, &admin, false);
    assert_not_captured(&notices, "authenticate");
    let trapped = answers(&stage, &mut client);
    assert_eq!(trapped, plain);
    assert_not_captured(&notices, "the functions");
    upload(&mut client, "captured");
    let update = update_of(stage.alices.run_id, stage.alices.series_id, 2.0);
    client
        .execute("SELECT timedb.update($1)", &[&update])
        .expect("it updates");
    for call in [
        // A second run of each, so that there is something to pack.
        "upload('2025-01-03', '[{\"valid_time\": \"2025-01-03\", \"value_key\": \"captured\", \"value\": 3}]')",
        "compact(older_than => '0')",
        "read_arrow()",
        "read_arrow_batches()",
        "settled_time()",
        "versions",
        "create_series('x', 'MW')",
        "create_user(timedb.current_tenant(), 'x@y.z')",
        "regenerate_key(email => 'x@y.z')",
        "create_key(email => 'x@y.z')",
        "deactivate_user(email => 'x@y.z')",
        "activate_user(email => 'x@y.z')",
    ] {
        run(&mut client, &format!("SELECT * FROM timedb.{call}"));
        assert_not_captured(&notices, call);
    }
    let packs: i64 = one(&mut stage.admin(), "SELECT count(*) FROM timedb.packs");
    assert!(packs > 0, "the premise: compact had something to pack");
    let own = client.query("SELECT 1 WHERE 'a'::text = 'a'::text", &[]);
    assert!(
        own.expect("a query").is_empty(),
        "the premise: the traps work, on one's own SQL"
    );
    notices.assert_heard("01000");
}

#[track_caller]
fn assert_not_captured(notices: &Notices, by: &str) {
    let heard = notices.take();
    assert!(!heard.iter().any(|(_, notice)| notice == "captured"), "{by}: {heard:?}");
}

/// What the functions that only read answer, as text.
fn answers(stage: &Stage, client: &mut Client) -> Vec<String> {
    let sources = [
        "timedb.read(mode => 'overlapping', all_versions => true)".to_owned(),
        format!(
            "timedb.read(series_ids => '{{{}}}', series_keys => '{{alice}}')",
            stage.bobs.series_id
        ),
        "timedb.current_values".into(),
        "timedb.list_series()".into(),
        "timedb.list_users()".into(),
        "timedb.list_keys()".into(),
        "timedb.list_audit()".into(),
        "timedb.whoami()".into(),
        "timedb.values".into(),
        "timedb.versions".into(),
        "timedb.read_arrow()".into(),
        "timedb.read_arrow_batches()".into(),
        "timedb.read_changes('2000-01-01')".into(),
        "timedb.read_changes_arrow('2000-01-01')".into(),
    ];
    sources
        .map(|source| {
            let sql = format!(
                "SELECT pg_catalog.string_agg(r::text, ' ' ORDER BY r::text COLLATE pg_catalog.\"C\") FROM {source} r"
            );
            one(client, &sql)
        })
        .into()
}

#[test]
fn t23_a_temporary_table_of_keys_makes_no_key() {
    let stage = Stage::set("t23 keys");
    let mut app = stage.app();
    each_refused(&mut app, "42501", ["CREATE TEMP TABLE api_keys (LIKE timedb.api_keys)"]);
    let fake = new_key(stage.bob.tenant_id);
    let (tenant, user) = (stage.bob.tenant_id, stage.bob.user_id);
    run(
        &mut app,
        &format!(
            "CREATE TEMP TABLE users AS SELECT '{tenant}'::uuid AS tenant_id, '{user}'::uuid AS user_id, \
               'bob'::text AS email, true AS is_active; \
             CREATE TEMP TABLE api_keys AS SELECT '{tenant}'::uuid AS tenant_id, gen_random_uuid() AS key_id, \
               '{user}'::uuid AS user_id, NULL::text AS name, \
               'hint'::text AS hint, pg_catalog.sha256('{fake}') AS key_hash, 'admin'::text AS scope, \
               now() AS created_at, NULL::timestamptz AS expires_at, \
               NULL::timestamptz AS revoked_at; \
             CREATE TEMP TABLE role_bindings AS SELECT 'app'::name AS role_name, \
               '{tenant}'::uuid AS tenant_id, 'admin'::text AS scope; \
             SET search_path = pg_temp, timedb, public"
        ),
    );
    refused(app.execute("SELECT timedb.authenticate($1)", &[&fake])).code("28000");
    run(&mut app, "SELECT timedb.logout(); SET search_path = pg_temp");
    assert_nobody(&mut app);
    run(&mut app, &format!("SET timedb.api_key = '{fake}'"));
    assert_key_refused(&mut app);
}

#[test]
fn a_tenants_role_becomes_nobody_elses_by_any_command() {
    let stage = Stage::set("set role");
    let mut alice = stage.alice();
    for role in [
        "timedb_owner",
        "timedb_api",
        "timedb_auth",
        "timedb_operator",
        "timedb_compactor",
        "timedb_eraser",
        "timedb_admin",
        "postgres",
        "ops",
    ] {
        each_refused(
            &mut alice,
            "42501",
            [
                format!("SET ROLE {role}"),
                format!("SET SESSION AUTHORIZATION {role}"),
                format!("GRANT {role} TO app"),
            ],
        );
    }
    run(&mut alice, "SET ROLE timedb_user");
    stage.assert_alice(&mut alice);
    run(&mut alice, "RESET ROLE");
    stage.assert_alice(&mut alice);
}

#[test]
fn a_tenants_role_replaces_adds_and_switches_off_nothing_of_the_installation() {
    let stage = Stage::set("tampering");
    let mut alice = stage.alice();
    each_refused(
        &mut alice,
        "42501",
        [
            "ALTER TABLE timedb.values DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE timedb.values NO FORCE ROW LEVEL SECURITY",
            "CREATE POLICY mine ON timedb.values USING (true)",
            "DROP POLICY values_tenant ON timedb.values",
            "CREATE OR REPLACE FUNCTION timedb.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
            "ALTER FUNCTION timedb.current_tenant() IMMUTABLE",
            "CREATE FUNCTION timedb.current_tenant(int) RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
            "CREATE FUNCTION pg_temp.f() RETURNS uuid LANGUAGE c AS '$libdir/timedb', 'current_tenant_wrapper'",
            "LOAD 'timedb'",
            "ALTER EXTENSION timedb UPDATE",
            "DROP EXTENSION timedb",
            "ALTER SCHEMA timedb RENAME TO mine",
            "ALTER ROLE timedb_user BYPASSRLS",
            "SET session_replication_role = replica",
            "SET session_preload_libraries = 'x'",
            "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION pg_temp.f()",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
        ],
    );
    stage.assert_alice(&mut alice);
}

/// Accepted: up to Postgres 15 whoever may create roles may grant any that is no superuser's. From 16 on not.
#[test]
fn a_role_that_may_create_roles_is_an_administrator_up_to_postgres_15_only() {
    let cluster = timedb_testkit::Cluster::start_default().expect("a server of our own: roles are a server's");
    let stage = Stage::on(cluster.database("createrole").expect("a database"));
    let role = stage.role_of_any_power("maker", "CREATEROLE");
    let mut maker = stage.database.login(&role);
    let version: i32 = one(&mut maker, "SELECT current_setting('server_version_num')::int");
    let grant = format!("GRANT timedb_owner TO {role}");
    if version >= 160_000 {
        each_refused(&mut maker, "42501", [grant]);
        return;
    }
    run(&mut maker, &grant);
    let noticed: i64 = one(
        &mut stage.admin(),
        "SELECT count(*) FROM timedb.self_check() WHERE promise = 'owning roles have no members'",
    );
    assert_eq!(noticed, 1, "what is accepted is at least noticed");
}
