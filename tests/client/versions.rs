//! A database moves to a newer Postgres with all it has: by a dump, and by pg_upgrade. Two servers at once, each with the library
//! for its version: `scripts/test.sh versions` says in two variables where the older one is, and runs these.

use postgres::Client;
use timedb_testkit::{Cluster, Database, Options, run};

use crate::catalog::{Snapshot, assert_same, catalogs, contents};
use crate::dump::{Dumped, assert_lives_on, run_program, succeed, text};

/// Other databases of a server: where a dump is restored, and what it is compared with.
const MOVED: &str = "moved";
const FRESH: &str = "fresh";

#[track_caller]
fn older() -> Cluster {
    let given = |name| std::env::var_os(name).unwrap_or_else(|| panic!("no {name}: run scripts/test.sh versions"));
    let options = with_checksums().pg_config(given("TIMEDB_OLDER_PG_CONFIG"));
    let older = options.library(given("TIMEDB_OLDER_LIBRARY")).start();
    older.expect("a server of an older version")
}

/// A server of the version that is tested; it has nothing yet.
#[track_caller]
fn newer() -> Cluster {
    with_checksums().bare().start().expect("a server of the newer version")
}

/// Where one has them and the other has not, as new ones of 18 have and older ones had not, pg_upgrade refuses both.
fn with_checksums() -> Options {
    Options::default().initdb("--data-checksums")
}

#[track_caller]
fn create(cluster: &Cluster, database: &str) -> Client {
    let mut admin = cluster.connect("postgres", "postgres").expect("a superuser");
    run(&mut admin, &format!("CREATE DATABASE {database} TEMPLATE template0"));
    cluster.connect("postgres", database).expect("a superuser")
}

/// A database holds what it held, is made as a new one on its server is, and lives on.
#[track_caller]
fn assert_moved(cluster: &Cluster, database: &str, held: &Snapshot, dumped: &Dumped) {
    let mut admin = cluster.connect("postgres", database).expect("a superuser");
    assert_same(&contents(&mut admin), held);
    let mut fresh = create(cluster, FRESH);
    run(&mut fresh, "CREATE EXTENSION timedb");
    assert_same(&catalogs(&mut admin), &catalogs(&mut fresh));
    assert_lives_on(cluster.server(), database, dumped);
}

/// By the newer pg_dump, as Postgres wants it.
#[test]
#[ignore = "scripts/test.sh versions"]
fn a_dump_of_an_older_postgres_restores_into_a_newer_one() {
    let (older, newer) = (older(), newer());
    let database = Database::on(older.server().clone(), "to be dumped").expect("a database");
    let dumped = Dumped::of(&database);
    let held = contents(&mut database.admin());

    let archive = newer.folder().join("archive");
    let mut pg_dump = newer.server().command("pg_dump", "postgres", "postgres");
    older.server().tell(&mut pg_dump, "postgres", database.name());
    succeed(pg_dump.args(["--format=custom", "--file", text(&archive)]));
    let mut admin = create(&newer, MOVED);
    let pg_restore = ["--exit-on-error", "-1", "--dbname", MOVED, text(&archive)];
    run_program(newer.server(), "pg_restore", MOVED, &pg_restore);
    // Members are roles', not databases': pg_dumpall has them.
    run(&mut admin, "CREATE ROLE app LOGIN IN ROLE timedb_user");
    assert_moved(&newer, MOVED, &held, &dumped);
}

#[test]
#[ignore = "scripts/test.sh versions"]
fn pg_upgrade_by_links_brings_all_of_an_older_postgres_to_a_newer_one() {
    let (older, newer) = (older(), newer());
    let database = Database::on(older.server().clone(), "to be upgraded").expect("a database");
    let dumped = Dumped::of(&database);
    let held = contents(&mut database.admin());
    let name = database.name().to_owned();
    // Where it would be dropped at the end, nothing runs any more.
    std::mem::forget(database);

    newer.take_over(&older).expect("pg_upgrade --link");
    assert_moved(&newer, &name, &held, &dumped);
}
