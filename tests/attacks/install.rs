//! Before the extension is installed: schemas, roles, names and default privileges that somebody has prepared for it, and
//! who may install it at all.

use std::fs;

use postgres::Client;
use timedb_testkit::{Options, Project, Server, Stage, one, refused, run};

use crate::support::each_refused;

/// A database without the extension, on the tests' server; dropped at the end.
pub struct Empty {
    pub server: Server,
    pub name: String,
}

impl Empty {
    pub fn beside(stage: &Stage, what: &str) -> Empty {
        let name = format!("{what}_{}", stage.database.name());
        let name = name[..name.len().min(63)].to_owned();
        let server = stage.database.server().clone();
        run(
            &mut stage.admin(),
            &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"),
        );
        Empty { server, name }
    }

    pub fn connect(&self, role: &str) -> Client {
        self.server.connect(role, &self.name).expect("it connects")
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        let _ = self.server.drop_database(&self.name);
    }
}

#[test]
fn t25_a_schema_squatted_before_the_install_makes_it_fail_and_leaves_nothing() {
    let stage = Stage::set("t25");
    let squatted = Empty::beside(&stage, "t25");
    let mut admin = squatted.connect("postgres");
    run(
        &mut admin,
        &format!("GRANT CREATE ON DATABASE \"{}\" TO evil", squatted.name),
    );
    run(&mut squatted.connect("evil"), "CREATE SCHEMA timedb");
    each_refused(&mut admin, "42P06", ["CREATE EXTENSION timedb"]);
    each_refused(&mut admin, "0A000", ["CREATE EXTENSION timedb SCHEMA public"]);
    assert_eq!(
        one::<i64>(&mut admin, "SELECT count(*) FROM pg_extension WHERE extname = 'timedb'"),
        0
    );
    run(&mut admin, "DROP SCHEMA timedb; CREATE EXTENSION timedb");
    let owner: String = one(
        &mut admin,
        "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'timedb'",
    );
    assert_eq!(owner, "postgres");
    each_refused(
        &mut squatted.connect("evil"),
        "42501",
        ["ALTER SCHEMA timedb RENAME TO mine", "DROP SCHEMA timedb CASCADE"],
    );
}

#[test]
fn t26_objects_squatted_before_the_install_are_not_adopted() {
    let stage = Stage::set("t26");
    let squatted = Empty::beside(&stage, "t26");
    let mut admin = squatted.connect("postgres");
    // By a superuser even: what is in the schema before us is never ours.
    run(
        &mut admin,
        "CREATE SCHEMA timedb; CREATE FUNCTION timedb.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    );
    each_refused(
        &mut admin,
        "42P06",
        ["CREATE EXTENSION timedb", "CREATE EXTENSION timedb CASCADE"],
    );
    run(
        &mut admin,
        "DROP SCHEMA timedb CASCADE; CREATE TYPE public.points AS (x int); GRANT CREATE ON SCHEMA public TO evil",
    );
    run(
        &mut squatted.connect("evil"),
        "CREATE FUNCTION public.pg_extension_config_dump(regclass, text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'captured'; END $$; \
         CREATE FUNCTION public.format(text, regclass) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'captured'; END $$",
    );
    run(&mut admin, "CREATE EXTENSION timedb");
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
    let script = Project::default().script().expect("the script");
    let words: Vec<String> = script
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(|line| line.split_whitespace().map(str::to_uppercase))
        .collect();
    assert!(!words.windows(2).any(|two| two == ["OR", "REPLACE"]));
    // PL/pgSQL's `IF NOT EXISTS (SELECT …)` is a question, not an adoption.
    assert!(
        !words
            .windows(4)
            .any(|four| four[..3] == ["IF", "NOT", "EXISTS"] && !four[3].starts_with('('))
    );
}

#[test]
fn t26_a_squatted_role_with_powers_or_members_makes_the_install_fail() {
    let cluster = Options::default()
        .bare()
        .start()
        .expect("a server of our own: roles are a server's");
    let mut admin = cluster.connect("postgres", "postgres").expect("its superuser");
    run(&mut admin, "CREATE ROLE evil LOGIN");
    for (squat, undo) in [
        ("CREATE ROLE timedb_owner LOGIN", "DROP ROLE timedb_owner"),
        ("CREATE ROLE timedb_api BYPASSRLS", "DROP ROLE timedb_api"),
        ("CREATE ROLE timedb_user CREATEROLE", "DROP ROLE timedb_user"),
        ("CREATE ROLE timedb_caller LOGIN", "DROP ROLE timedb_caller"),
        (
            "CREATE ROLE timedb_user; CREATE ROLE timedb_caller IN ROLE timedb_user",
            "DROP ROLE timedb_caller; DROP ROLE timedb_user",
        ),
        (
            "CREATE ROLE timedb_auth; GRANT timedb_auth TO evil",
            "DROP ROLE timedb_auth",
        ),
        (
            "CREATE ROLE timedb_admin IN ROLE pg_read_all_data",
            "DROP ROLE timedb_admin",
        ),
    ] {
        run(&mut admin, squat);
        refused(admin.batch_execute("CREATE EXTENSION timedb"))
            .code("42P17")
            .message_contains("timedb_");
        run(&mut admin, undo);
    }
    run(&mut admin, "CREATE EXTENSION timedb");
}

#[test]
fn t27_a_role_that_is_no_superuser_may_not_install_update_or_drop() {
    let stage = Stage::set("t27");
    let empty = Empty::beside(&stage, "t27");
    let grant = format!("ALTER DATABASE \"{}\" OWNER TO evil", empty.name);
    run(&mut empty.connect("postgres"), &grant);
    let mut evil = empty.connect("evil");
    each_refused(&mut evil, "42501", ["CREATE EXTENSION timedb"]);
    each_refused(
        &mut stage.evil(),
        "42501",
        ["ALTER EXTENSION timedb UPDATE", "DROP EXTENSION timedb CASCADE"],
    );
    let control = fs::read_to_string(Project::default().control_file()).expect("the control file");
    let says = |line: &str| {
        control
            .lines()
            .any(|said| said.split_whitespace().collect::<String>() == line)
    };
    for line in ["superuser=true", "trusted=false", "relocatable=false"] {
        assert!(says(line), "{line} in\n{control}");
    }
    assert!(!says("schema=timedb") && !says("schema='timedb'"));
}

/// What a database gives by default to whoever is named, it gives on every new object.
#[test]
fn t28_default_privileges_prepared_before_the_install_give_nobody_anything() {
    let stage = Stage::set("t28 defaults");
    let empty = Empty::beside(&stage, "t28");
    let mut admin = empty.connect("postgres");
    for kind in ["TABLES", "FUNCTIONS", "SCHEMAS", "TYPES"] {
        let grant = format!("ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} TO evil");
        run(&mut admin, &grant);
    }
    run(&mut admin, "CREATE EXTENSION timedb");
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
    let mut evil = empty.connect("evil");
    each_refused(
        &mut evil,
        "42501",
        [
            "TABLE timedb.values",
            "TABLE timedb.api_keys",
            "SELECT timedb.current_tenant()",
        ],
    );
}
