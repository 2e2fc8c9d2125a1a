//! Installing: over what somebody else has prepared, by whom, where, twice, and again.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Cluster, Database, Options, one, refused, run};
use uuid::Uuid;

use crate::support::{hour, upload, value_row};

const CREATE: &str = "CREATE EXTENSION timedb";
const OWNERS: [&str; 6] = [
    "timedb_owner",
    "timedb_api",
    "timedb_auth",
    "timedb_operator",
    "timedb_compactor",
    "timedb_eraser",
];
const GROUPS: [&str; 3] = ["timedb_admin", "timedb_caller", "timedb_user"];

/// A server that has timedb's files, but neither the extension nor its roles.
fn bare() -> (Cluster, Client) {
    let cluster = Options::default().bare().start().expect("a server of our own");
    let admin = cluster.connect("postgres", "postgres").expect("its superuser");
    (cluster, admin)
}

fn roles(admin: &mut Client) -> Vec<String> {
    one(
        admin,
        "SELECT coalesce(array_agg(rolname::text ORDER BY rolname), '{}') FROM pg_roles WHERE rolname LIKE 'timedb%'",
    )
}

/// A user who logs in, uploads and reads, in the session of a superuser that has become `app`.
#[track_caller]
fn assert_works(client: &mut Client) {
    let sql = "SELECT api_key FROM timedb.create_user($1, 'alice@tenant-a.com')";
    let row = client.query_one(sql, &[&Uuid::now_v7()]).expect("a user");
    run(client, "SET SESSION AUTHORIZATION app");
    client
        .execute("SELECT timedb.authenticate($1)", &[&row.get::<_, String>(0)])
        .expect("it logs in");
    let run_id = upload(client, &json!([value_row("a", hour(0), 1)])).run_id;
    let read: Uuid = one(client, "SELECT run_id FROM timedb.read()");
    assert_eq!(read, run_id);
    assert_eq!(one::<i64>(client, "SELECT count(*) FROM timedb.current_values"), 1);
    run(client, "SELECT timedb.logout(); RESET SESSION AUTHORIZATION");
    assert_eq!(one::<i64>(client, "SELECT count(*) FROM timedb.self_check()"), 0);
}

#[test]
fn a_role_prepared_with_powers_or_members_is_refused_by_name_and_nothing_is_left() {
    let (_cluster, mut admin) = bare();
    run(&mut admin, "CREATE ROLE evil LOGIN");
    let mut squats: Vec<(&str, String)> = Vec::new();
    for role in OWNERS.iter().chain(&GROUPS).copied() {
        for power in [
            "LOGIN",
            "SUPERUSER",
            "BYPASSRLS",
            "CREATEROLE",
            "CREATEDB",
            "REPLICATION",
        ] {
            squats.push((role, format!("CREATE ROLE {role} {power}")));
        }
        squats.push((role, format!("CREATE ROLE {role} IN ROLE evil")));
    }
    for role in OWNERS {
        squats.push((role, format!("CREATE ROLE {role} ROLE evil")));
    }
    for (role, squat) in squats {
        run(&mut admin, &squat);
        refused(admin.batch_execute(CREATE))
            .code("42P17")
            .message(&format!("role \"{role}\" exists and is not as timedb needs it"))
            .hint_contains("then drop it or take its privileges and memberships away");
        assert_eq!(roles(&mut admin), [role], "{squat}");
        run(&mut admin, &format!("DROP ROLE {role}"));
    }
    // Harmless ones are taken, a group with its members.
    run(
        &mut admin,
        "CREATE ROLE timedb_api; CREATE ROLE timedb_user; CREATE ROLE timedb_caller ROLE evil; CREATE EXTENSION timedb",
    );
    assert_eq!(roles(&mut admin).len(), OWNERS.len() + GROUPS.len());
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
}

#[test]
fn a_schema_prepared_by_somebody_else_is_refused_and_nothing_is_left() {
    let (cluster, mut admin) = bare();
    run(
        &mut admin,
        "CREATE ROLE evil LOGIN; GRANT CREATE ON DATABASE postgres TO evil",
    );
    let mut evil = cluster.connect("evil", "postgres").expect("evil");
    run(&mut evil, "CREATE SCHEMA timedb");
    refused(admin.batch_execute(CREATE))
        .code("42P06")
        .message("schema \"timedb\" already exists");
    assert_eq!(roles(&mut admin), Vec::<String>::new());
    run(&mut evil, "DROP SCHEMA timedb");
    run(&mut admin, CREATE);
    let owner: String = one(
        &mut admin,
        "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'timedb'",
    );
    assert_eq!(owner, "postgres");
}

#[test]
fn objects_in_public_do_not_capture_a_name_of_the_install_script() {
    let (_cluster, mut admin) = bare();
    run(
        &mut admin,
        "CREATE FUNCTION public.trap() RETURNS text LANGUAGE plpgsql AS \
           $$ BEGIN RAISE EXCEPTION 'captured'; END $$; \
         CREATE FUNCTION public.format(text, name) RETURNS text LANGUAGE sql AS 'SELECT trap()'; \
         CREATE FUNCTION public.format(text, regclass) RETURNS text LANGUAGE sql AS 'SELECT trap()'; \
         CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT trap()'; \
         CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS \
           'SELECT trap()::timestamptz'; \
         CREATE FUNCTION public.octet_length(bytea) RETURNS int LANGUAGE sql AS 'SELECT trap()::int'; \
         CREATE FUNCTION public.uuid_is(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT trap()::boolean'; \
         CREATE OPERATOR public.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = public.uuid_is); \
         CREATE ROLE app LOGIN; \
         SET search_path = public, pg_catalog",
    );
    run(&mut admin, CREATE);
    run(&mut admin, "GRANT timedb_user TO app");
    assert_works(&mut admin);
}

#[test]
fn a_role_that_is_no_superuser_may_not_install() {
    let (cluster, mut admin) = bare();
    run(
        &mut admin,
        "CREATE ROLE evil LOGIN; GRANT ALL ON DATABASE postgres TO evil",
    );
    let mut evil = cluster.connect("evil", "postgres").expect("evil");
    refused(evil.batch_execute(CREATE))
        .code("42501")
        .message("permission denied to create extension \"timedb\"");
    assert_eq!(roles(&mut admin), Vec::<String>::new());
}

#[test]
fn a_database_that_is_not_in_utf8_is_refused() {
    let (cluster, mut admin) = bare();
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let name = encoding.to_lowercase();
        run(
            &mut admin,
            &format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"),
        );
        let mut other = cluster.connect("postgres", &name).expect("the database");
        refused(other.batch_execute(CREATE))
            .code("0A000")
            .message(&format!("timedb needs a database in UTF8, not {encoding}"));
    }
    assert_eq!(roles(&mut admin), Vec::<String>::new());
}

#[test]
fn a_second_creation_in_one_database_is_refused() {
    let database = Database::fresh("created twice");
    let mut admin = database.admin();
    refused(admin.batch_execute(CREATE))
        .code("42710")
        .message("extension \"timedb\" already exists");
    assert_works(&mut admin);
}

#[test]
fn every_database_of_a_server_has_users_of_its_own() {
    let (one_database, other) = (Database::fresh("first"), Database::fresh("second"));
    let (alice, _) = one_database.two_tenants();
    assert_works(&mut one_database.admin());
    assert_works(&mut other.admin());
    refused(
        other
            .login("app")
            .execute("SELECT timedb.authenticate($1)", &[&alice.api_key]),
    )
    .code("28000");
}

#[test]
fn a_session_that_has_used_the_extension_uses_it_again_after_a_drop_and_a_new_creation() {
    let database = Database::fresh("dropped and created");
    let mut admin = database.admin();
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    upload(&mut client, &json!([value_row("a", hour(0), 1)]));
    for _ in 0..2 {
        assert_works(&mut admin);
        run(&mut admin, "DROP EXTENSION timedb");
        let left: bool = one(&mut admin, "SELECT to_regnamespace('timedb') IS NOT NULL");
        assert!(!left);
        // The library is still loaded, and there is nobody it could speak for.
        assert!(client.execute("SELECT timedb.current_tenant()", &[]).is_err());
        run(&mut admin, CREATE);
    }
    assert_works(&mut admin);
    // Whoever was logged in before is a stranger now: his key went with the tables.
    assert_eq!(one::<Option<Uuid>>(&mut client, "SELECT timedb.current_tenant()"), None);
    refused(client.execute("SELECT timedb.authenticate($1)", &[&alice.api_key])).code("28000");
}
