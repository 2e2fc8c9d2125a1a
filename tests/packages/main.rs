//! The Debian packages that `scripts/deb.sh` makes, in the hands of dpkg: installed, used, upgraded and purged, in a copy of a
//! Postgres installation that has a dpkg of its own. The system's is never touched.

mod dpkg;

use std::fs;
use std::path::Path;
use std::process::Command;

use postgres::Client;
use timedb_testkit::{Cluster, Project, one, run};
use uuid::Uuid;

use dpkg::{Dpkg, debs, rebuilt};

const RELEASE: &str = "0.1.0";

/// A session of the superuser in a database with timedb.
fn used(cluster: &Cluster, version: &str) -> Client {
    let mut admin = cluster.connect("postgres", "postgres").expect("a superuser");
    run(&mut admin, &format!("CREATE EXTENSION timedb VERSION '{version}'"));
    let sql = "SELECT api_key FROM timedb.create_user($1, 'alice@tenant-a.com')";
    let key: String = admin.query_one(sql, &[&Uuid::now_v7()]).expect("a user").get(0);
    admin
        .execute("SELECT timedb.authenticate($1)", &[&key])
        .expect("her key");
    run(
        &mut admin,
        r#"SELECT timedb.upload(now(), '[{"value_key": "wind", "valid_time": "2025-01-01", "value": 4.5}]')"#,
    );
    assert_eq!(value(&mut admin), 4.5);
    admin
}

fn value(client: &mut Client) -> f64 {
    one(client, "SELECT value FROM timedb.read()")
}

#[test]
fn the_extension_is_installed_used_and_purged_without_a_trace() {
    let dpkg = Dpkg::on_a_server_without_timedb();
    let version = Project::default().version().expect("a version");
    let deb = debs("timedb");
    let before = dpkg.files();
    dpkg.does(&["--install", deb.to_str().expect("a path")]);
    let mut admin = used(&dpkg.cluster, &version);
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
    let name = format!("postgresql-{}-timedb", dpkg.postgres());
    assert!(dpkg.says(&["--verify", &name]).is_empty());
    run(&mut admin, "DROP EXTENSION timedb");
    dpkg.does(&["--purge", &name]);
    assert_eq!(dpkg.files(), before);
}

#[test]
fn a_package_of_the_release_is_upgraded_under_the_running_server() {
    let Some(library) = std::env::var_os("TIMEDB_RELEASED") else {
        println!("Left out: the library of {RELEASE} is not in this clone.");
        return;
    };
    let dpkg = Dpkg::on_a_server_without_timedb();
    let project = Project::default();
    let released = rebuilt(&debs("timedb"), RELEASE, &|root: &Path| {
        let extensions = root.join(format!("usr/share/postgresql/{}/extension", dpkg.postgres()));
        let version = project.version().expect("a version");
        let control = fs::read_to_string(extensions.join("timedb.control")).expect("the control file");
        fs::write(extensions.join("timedb.control"), control.replace(&version, RELEASE)).expect("written");
        for script in [
            format!("timedb--{version}.sql"),
            format!("timedb--{RELEASE}--{version}.sql"),
        ] {
            fs::remove_file(extensions.join(script)).expect("a script");
        }
        let script = format!("timedb--{RELEASE}.sql");
        let shipped = project.root().join("sql/released").join(&script);
        fs::copy(shipped, extensions.join(&script)).expect("the script of the release");
        let so = root.join(format!("usr/lib/postgresql/{}/lib/timedb.so", dpkg.postgres()));
        fs::copy(&library, so).expect("the library of the release");
    });
    dpkg.does(&["--install", released.path().to_str().expect("a path")]);
    let mut open = used(&dpkg.cluster, RELEASE);
    dpkg.does(&["--install", debs("timedb").to_str().expect("a path")]);
    assert_eq!(
        value(&mut open),
        4.5,
        "a session goes on with the library that it has loaded"
    );
    let mut admin = dpkg.cluster.connect("postgres", "postgres").expect("a superuser");
    run(&mut admin, "ALTER EXTENSION timedb UPDATE");
    let mut admin = dpkg.cluster.connect("postgres", "postgres").expect("a superuser");
    let sql = "SELECT extversion FROM pg_extension WHERE extname = 'timedb'";
    assert_eq!(one::<String>(&mut admin, sql), project.version().expect("a version"));
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.values"), 1);
}

#[test]
fn the_command_is_installed_with_its_manual_and_runs() {
    let dpkg = Dpkg::on_a_server_without_timedb();
    dpkg.does(&["--install", debs("timedb-cli").to_str().expect("a path")]);
    let root = dpkg.cluster.folder();
    let told = Command::new(root.join("usr/bin/timedb")).arg("--version").output();
    let told = String::from_utf8(told.expect("it runs").stdout).expect("UTF-8");
    let version = Project::default().version().expect("a version");
    assert_eq!(told, format!("timedb {version}\n"));
    for file in [
        "usr/share/man/man1/timedb.1.gz",
        "usr/share/bash-completion/completions/timedb",
        "usr/share/doc/timedb-cli/changelog.gz",
    ] {
        assert!(root.join(file).is_file(), "{file}");
    }
    // Nothing of Postgres, nor of OpenSSL: the C library alone.
    let needs = dpkg.says(&["--status", "timedb-cli"]);
    let depends = needs
        .lines()
        .find(|line| line.starts_with("Depends:"))
        .expect("its needs");
    let packages: Vec<&str> = depends["Depends:".len()..]
        .split(',')
        .filter_map(|package| package.split_whitespace().next())
        .collect();
    assert_eq!(packages, ["libc6", "libgcc-s1"]);
}
