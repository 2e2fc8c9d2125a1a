//! The premise of every test of isolation, which must not hold of a role or session that policies do not bind.

use timedb_testkit::{Cluster, Database, Stage, assert_ordinary, powers, run};

/// Roles are a server's, and those here would be noticed by the self-checks of others.
#[test]
fn a_role_is_not_ordinary_by_any_power_of_its_own_or_of_a_role_it_may_become() {
    let cluster = Cluster::start_default().expect("a server of our own");
    let stage = Stage::on(cluster.database("premise").expect("a database"));
    let mut admin = stage.admin();
    let go_between = stage.role_of_any_power("go_between", "NOINHERIT IN ROLE timedb_owner");
    let indirect = format!("NOINHERIT IN ROLE {go_between}");
    for (number, (attributes, power)) in [
        ("SUPERUSER", "superuser"),
        ("BYPASSRLS", "BYPASSRLS"),
        ("CREATEROLE", "CREATEROLE"),
        ("REPLICATION", "REPLICATION"),
        ("IN ROLE timedb_owner", "an owner"),
        ("NOINHERIT IN ROLE timedb_api", "an owner"),
        ("IN ROLE timedb_auth", "an owner"),
        ("IN ROLE timedb_operator", "an owner"),
        ("IN ROLE timedb_compactor", "an owner"),
        (indirect.as_str(), "an owner"),
        ("IN ROLE pg_read_server_files", "the server's files"),
        ("IN ROLE pg_write_server_files", "the server's files"),
        ("IN ROLE pg_execute_server_program", "the server's files"),
    ]
    .into_iter()
    .enumerate()
    {
        let role = stage.role_of_any_power(&format!("r{number}"), attributes);
        let found = powers(&mut admin, &["app", &role]);
        let suffix = format!(": {power}");
        assert!(
            found
                .iter()
                .any(|line| line.starts_with(&role) && line.ends_with(&suffix)),
            "{attributes}: {found:?}"
        );
    }
    assert_eq!(powers(&mut admin, &["app", "nobody"]), ["nobody: no such role"]);
}

#[test]
#[should_panic(expected = "postgres as postgres: superuser")]
fn a_superuser_with_the_role_of_another_is_not_ordinary() {
    let database = Database::fresh("set role");
    let mut admin = database.admin();
    run(&mut admin, "SET ROLE app");
    assert_ordinary(&mut admin);
}

#[test]
#[should_panic(expected = "postgres as postgres: superuser")]
fn a_superuser_who_has_become_another_for_the_session_is_not_ordinary() {
    let database = Database::fresh("set session authorization");
    let mut admin = database.admin();
    run(&mut admin, "SET SESSION AUTHORIZATION app");
    assert_ordinary(&mut admin);
}

/// Where there is nothing to own, nobody would be an owner.
#[test]
#[should_panic(expected = "schema \\\"timedb\\\" does not exist")]
fn nobody_is_ordinary_where_timedb_is_not_installed() {
    let database = Database::fresh("not installed");
    let mut admin = database.admin();
    run(&mut admin, "DROP EXTENSION timedb CASCADE");
    assert_ordinary(&mut admin);
}
