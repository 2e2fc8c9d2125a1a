//! One version everywhere, and releases stay as they were shipped; nothing is run but the server's SHA-256.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use timedb_testkit::{Project, Server, built_library};

/// The releases, each with the SHA-256 of its install script. A script that is edited no longer has what is written
/// here, and a change of both lines is one that a reviewer sees to be wrong: a database of that release stays as it is,
/// and what updates it is tested from what it truly holds. A new release adds a line.
const RELEASES: [(&str, &str); 1] = [(
    "0.1.0",
    "befee2937916af6e10d51202f485416981ef33f3ecd52c56c3cc367e285b1dfe",
)];

fn text(path: impl AsRef<Path>) -> String {
    let path = Project::default().root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn released_script(version: &str) -> String {
    text(format!("sql/released/timedb--{version}.sql"))
}

#[test]
fn control_meta_lock_and_library_are_of_one_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(Project::default().version().expect("a version"), version);
    let meta: Value = serde_json::from_str(&text("META.json")).expect("JSON");
    assert_eq!(meta["version"], version);
    assert_eq!(meta["provides"]["timedb"]["version"], version);
    let lock = text("Cargo.lock");
    let ours: Vec<&str> = lock
        .split("[[package]]\n")
        .filter(|of| of.starts_with("name = \"timedb"))
        .collect();
    assert_eq!(
        ours.len(),
        7,
        "the premise: the library and the members of the workspace"
    );
    for package in ours {
        assert!(package.contains(&format!("\nversion = \"{version}\"\n")), "{package}");
    }
}

#[test]
fn the_script_of_a_release_is_the_one_that_was_shipped() {
    let kept: Vec<_> = Project::default().released_scripts().expect("the scripts");
    assert_eq!(kept.len(), RELEASES.len(), "{kept:?}");
    let server = Server::from_environment().expect("a server");
    let mut client = server.connect("postgres", "postgres").expect("a superuser");
    for (version, hash) in RELEASES {
        let sql = "SELECT encode(sha256($1), 'hex')";
        let row = client
            .query_one(sql, &[&released_script(version).as_bytes()])
            .expect("a hash");
        assert_eq!(row.get::<_, &str>(0), hash, "{version}");
    }
}

#[test]
fn a_script_leads_from_every_release_to_this_version() {
    let project = Project::default();
    let version = project.version().expect("a version");
    let server = Server::from_environment().expect("a server");
    let mut client = server.connect("postgres", "postgres").expect("a superuser");
    for (release, _) in RELEASES {
        let sql = "SELECT path FROM pg_extension_update_paths('timedb') WHERE source = $1 AND target = $2";
        let path = client.query_opt(sql, &[&release, &version]).expect("the paths");
        let path: Option<String> = path.and_then(|row| row.get(0));
        assert!(release == version || path.is_some(), "from {release} to {version}");
    }
}

/// Between the installation of new files and ALTER EXTENSION UPDATE, and for as long as nobody does that, the functions
/// of a release call the new library.
#[test]
fn the_library_has_every_function_of_every_release() {
    let in_library = symbols(&built_library().expect("the library"));
    for (version, _) in RELEASES {
        let script = released_script(version);
        let named: BTreeSet<&str> = script
            .split("AS 'MODULE_PATHNAME', '")
            .skip(1)
            .filter_map(|rest| rest.split_once('\'').map(|(symbol, _)| symbol))
            .collect();
        assert!(named.len() > 20, "the premise: {named:?}");
        let gone: Vec<&&str> = named.iter().filter(|symbol| !in_library.contains(**symbol)).collect();
        assert!(gone.is_empty(), "{version} calls {gone:?}");
    }
}

/// What Postgres can call in a library by name and version.
fn symbols(library: &Path) -> BTreeSet<String> {
    let nm = Command::new("nm").args(["-D", "--defined-only"]).arg(library).output();
    let nm = nm.expect("nm runs");
    assert!(nm.status.success());
    let lines = String::from_utf8(nm.stdout).expect("UTF-8");
    let symbol = |line: &str| Some(line.split_once(" pg_finfo_")?.1.to_owned());
    lines.lines().filter_map(symbol).collect()
}
