//! The ways in which people dump and restore: each does what docs/operations.md says, or is refused in words.

use timedb_testkit::{Database, one, run};

use super::{Dump, Dumped, assert_restored, run_program, text};
use crate::catalog::{assert_same, everything};

/// Makes a database of the server, empty but for what the statements make.
fn prepared(database: &Database, suffix: &str, statements: &str) -> String {
    let name = format!("{}_{suffix}", database.name());
    let server = database.server();
    let mut admin = server.connect("postgres", "postgres").expect("a superuser");
    run(&mut admin, &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"));
    run(&mut server.connect("postgres", &name).expect("a superuser"), statements);
    name
}

#[test]
fn without_owners_or_privileges_and_over_what_is_there_a_restore_is_whole() {
    let database = Database::fresh("dump ways");
    let dumped = Dumped::of(&database);
    let dump = Dump::of(&database);
    let server = database.server();
    let custom = dump.custom();
    for (suffix, statements, options) in [
        ("no_owner", "SELECT", &["--no-owner", "--no-privileges"][..]),
        ("clean", "CREATE EXTENSION timedb", &["--clean", "--if-exists"]),
        ("clean_empty", "SELECT", &["--clean", "--if-exists"]),
        ("data", "CREATE EXTENSION timedb", &["--data-only"]),
    ] {
        let name = prepared(&database, suffix, statements);
        let mut arguments = vec!["--exit-on-error", "-1", "--dbname", &name];
        arguments.extend(options);
        arguments.push(text(&custom));
        run_program(server, "pg_restore", &name, &arguments);
        assert_restored(server, &name, &dumped);
        server.drop_database(&name).expect("it is dropped");
    }
}

#[test]
fn a_dump_of_data_alone_joins_other_tenants_and_is_refused_where_its_own_are() {
    let database = Database::fresh("dump data");
    let dumped = Dumped::of(&database);
    let server = database.server();
    let plain = std::env::temp_dir().join(format!("{}.data.sql", database.name()));
    let pg_dump = ["--data-only", "--file", text(&plain)];
    run_program(server, "pg_dump", database.name(), &pg_dump);

    let used = prepared(&database, "used", "CREATE EXTENSION timedb");
    let mut admin = server.connect("postgres", &used).expect("a superuser");
    run(
        &mut admin,
        "SELECT timedb.create_user(gen_random_uuid(), 'zoe@tenant-z.com')",
    );
    super::restore_plain(server, &used, &plain);
    let others = "SELECT count(*) FROM timedb.users WHERE email <> 'zoe@tenant-z.com'";
    let users: i64 = one(&mut database.admin(), others);
    assert_eq!(one::<i64>(&mut admin, others), users);
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
    for identity in &dumped.people {
        super::logged_in(server, &used, identity);
    }

    // Once more: every row is there already.
    let before = everything(&mut admin);
    let mut psql = server.command("psql", "postgres", &used);
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        "-1",
        "--file",
        text(&plain),
    ]);
    let output = psql.output().expect("psql runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("duplicate key value violates unique constraint"),
        "{said}"
    );
    assert_same(&everything(&mut admin), &before);
    server.drop_database(&used).expect("it is dropped");
    std::fs::remove_file(&plain).expect("it goes");
}
