use std::path::{Path, PathBuf};

use timedb_testkit::{Cluster, Options, one};

use crate::support::{timedb_on, without_a_server};

/// A server that has never had timedb, with a database of each name.
fn bare(databases: &[&str]) -> Cluster {
    let cluster = Options::default().bare().start().expect("a server of our own");
    let mut admin = cluster.connect("postgres", "postgres").expect("its superuser");
    for name in databases {
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
        admin.batch_execute(&sql).expect("a database");
    }
    cluster
}

#[test]
fn tables_are_made_once_and_what_another_database_uses_stays() {
    let cluster = bare(&["first", "second"]);
    let first = || timedb_on(cluster.server(), "postgres", "first");
    let second = || timedb_on(cluster.server(), "postgres", "second");
    let created = first().types("create tables").done();
    assert!(created.contains("Created timedb"), "{created}");
    assert!(
        created.contains("It has no password: create tables --web-password"),
        "{created}"
    );
    let again = first().types("create tables").done();
    assert!(again.contains("is there already"), "{again}");
    second().types("create tables").done();

    let mut web = cluster.connect("timedb_web", "first").expect("timedb_web");
    let sql = "SELECT rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname = current_user";
    assert!(!one::<bool>(&mut web, sql));
    assert!(one::<bool>(&mut web, "SELECT pg_has_role('timedb_caller', 'USAGE')"));
    web.query("SELECT * FROM timedb.series", &[])
        .expect_err("it may call, and select nothing");
    drop(web);

    let kept = first().types("delete tables -y").done();
    assert!(
        kept.contains("timedb_web stay, as other databases of the server have timedb: second"),
        "{kept}"
    );
    cluster.connect("timedb_web", "second").expect("timedb_web is there");
    let mut admin = cluster.connect("postgres", "second").expect("a superuser");
    admin
        .batch_execute("CREATE TABLE public.its_own (); ALTER TABLE public.its_own OWNER TO timedb_web")
        .expect("a table");
    let owned = second().types("delete tables -y").done();
    assert!(
        owned.contains("The role timedb_web stays, as other things depend on it"),
        "{owned}"
    );
}

#[test]
fn what_will_be_lost_is_said_before_it_is_asked_for() {
    let cluster = bare(&["kept"]);
    let typist = || timedb_on(cluster.server(), "postgres", "kept");
    typist().types("create tables").done();
    let mut admin = cluster.connect("postgres", "kept").expect("a superuser");
    let key: String = one(
        &mut admin,
        "SELECT api_key FROM timedb.create_user(gen_random_uuid(), 'a@b.c')",
    );
    let mut alice = cluster.connect("timedb_web", "kept").expect("timedb_web");
    alice
        .execute("SELECT timedb.authenticate($1)", &[&key])
        .expect("her key");
    let upload =
        "SELECT timedb.upload(now(), '[{\"value_key\": \"wind\", \"valid_time\": \"2025-01-01\", \"value\": 1}]')";
    alice.execute(upload, &[]).expect("a value");
    alice.close().expect("closed");
    let lost = "In the database \"kept\" 1 tenant with 1 series, 1 run and 1 value, and 1 user will be lost";
    let nobody = typist().types("delete tables").failed(2);
    assert!(nobody.contains(lost) && nobody.contains("-y"), "{nobody}");
    let refused = typist().types_at_a_terminal(80, "delete tables", "n\n");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.out.contains(lost) && refused.out.contains("nothing was done"),
        "{refused:?}"
    );
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.runs"), 1);

    admin
        .batch_execute("CREATE VIEW public.mine AS SELECT * FROM timedb.runs")
        .expect("a view");
    let depended = typist().types("delete tables -y").failed(1);
    assert!(depended.contains("view public.mine depends on"), "{depended}");
    admin.batch_execute("DROP VIEW public.mine").expect("dropped");
    let gone = typist().types_at_a_terminal(80, "delete tables", "yes\n").done();
    assert!(gone.contains("Deleted timedb"), "{gone}");
    assert_eq!(
        one::<i64>(&mut admin, "SELECT count(*) FROM pg_namespace WHERE nspname = 'timedb'"),
        0
    );
}

#[test]
fn the_web_role_gets_a_password_that_no_log_shows_and_a_prepared_role_is_refused() {
    let cluster = bare(&["web"]);
    let mut admin = cluster.connect("postgres", "web").expect("a superuser");
    admin
        .batch_execute("ALTER DATABASE web SET log_statement = 'all'; CREATE ROLE timedb_web BYPASSRLS")
        .expect("set");
    let typist = || timedb_on(cluster.server(), "postgres", "web");
    let refused = typist().types("create tables").failed(1);
    assert!(refused.contains("a role timedb_web is there, with powers"), "{refused}");
    let none = "SELECT count(*) FROM pg_extension WHERE extname = 'timedb'";
    assert_eq!(one::<i64>(&mut admin, none), 0, "all of it, or nothing");
    admin.batch_execute("DROP ROLE timedb_web").expect("dropped");

    let nobody = typist().types("create tables --web-password").failed(2);
    assert!(nobody.contains("TIMEDB_WEB_PASSWORD"), "{nobody}");
    let created = typist()
        .env("TIMEDB_WEB_PASSWORD", "it's hunter2")
        .types("create tables --web-password")
        .done();
    assert!(created.contains("has the password that was given"), "{created}");
    let log = cluster.log();
    assert!(log.contains("ALTER ROLE timedb_web PASSWORD"), "the premise");
    assert!(!created.contains("hunter2") && !log.contains("hunter2"));
    let stored: String = one(
        &mut admin,
        "SELECT rolpassword FROM pg_authid WHERE rolname = 'timedb_web'",
    );
    assert!(stored.starts_with("SCRAM-SHA-256$"));
}

#[test]
fn a_server_without_timedb_and_a_database_with_an_old_one_are_told_of() {
    let cluster = bare(&["old", "none"]);
    let mut admin = cluster.connect("postgres", "old").expect("a superuser");
    admin
        .batch_execute("CREATE EXTENSION timedb VERSION '0.1.0'")
        .expect("a release");
    let old = || timedb_on(cluster.server(), "postgres", "old");
    for line in ["create tables", "users list", "check", "maintain", "stats --all"] {
        let said = old().types(line).failed(1);
        assert!(
            said.contains("the database has timedb 0.1.0, and this command needs 0.2.0"),
            "{said}"
        );
        assert!(said.contains("ALTER EXTENSION timedb UPDATE"), "{said}");
    }
    let gone = old().types("delete tables -y").done();
    assert!(
        gone.contains("Deleted timedb 0.1.0: In the database \"old\" 0 tenants, 0 series"),
        "{gone}"
    );

    let control = find(cluster.folder(), "timedb.control").expect("timedb is installed");
    std::fs::remove_file(control).expect("removed");
    let none = timedb_on(cluster.server(), "postgres", "none")
        .types("create tables")
        .failed(1);
    assert!(none.contains("\"timedb\" is not available"), "{none}");
    assert!(none.contains("make install"), "{none}");
    let unprivileged = without_a_server()
        .env("TIMEDB_DSN", &cluster.server().url("nobody", "none"))
        .types("create tables")
        .failed(1);
    assert!(
        unprivileged.contains("role \"nobody\" does not exist"),
        "{unprivileged}"
    );
}

/// Without the links, which lead into the system.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if entry.file_name() == name {
            return Some(path);
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Some(found) = find(&path, name)
        {
            return Some(found);
        }
    }
    None
}
