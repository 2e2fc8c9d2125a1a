//! The notebooks of examples/ run from their first cell to their last, and what they assert holds. Their outputs are not compared:
//! the assertions are what a reader can check.

use std::path::Path;
use std::process::Command;

use timedb_testkit::{Database, Options, assert_ordinary_roles, without_postgres_variables};

use crate::program::installed;

#[track_caller]
fn run_notebook(name: &str, prepare: impl FnOnce(&mut Command)) {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notebooks");
    let mut python = Command::new(installed("python/bin/python"));
    without_postgres_variables(&mut python);
    python
        .arg(examples.join("run.py"))
        .arg(examples.join(name))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*");
    prepare(&mut python);
    let output = python.output().expect("python runs");
    let (printed, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{printed}\n{complained}");
    assert!(printed.trim_end().ends_with("cells ran"), "{printed}");
}

#[test]
fn the_notebook_on_forecasts_runs_as_an_ordinary_role() {
    let database = Database::fresh("notebook_forecasts");
    assert_ordinary_roles(&mut database.admin(), &["caller"]);
    let user = database.create_user(uuid::Uuid::now_v7(), "me@example.com", "write");
    run_notebook("forecasts.ipynb", |python| {
        python
            .env("TIMEDB_DSN", database.url("caller"))
            .env("TIMEDB_API_KEY", &user.api_key);
    });
}

/// From a server that has timedb's files and nothing else, to two tenants and back: by the command, which lies beside these tests.
#[test]
fn the_notebook_on_two_tenants_runs_from_an_empty_database() {
    let cluster = Options::default().bare().start().expect("a server of our own");
    let url = cluster.server().url("postgres", "postgres");
    let tests = std::env::current_exe().expect("the path of the running tests");
    let programs = tests.ancestors().nth(2).expect("tests run in target/debug/deps");
    assert!(programs.join("timedb").exists(), "cargo build -p timedb-cli");
    run_notebook("multi_tenant_authentication.ipynb", |python| {
        let path = std::env::var("PATH").unwrap_or_default();
        python
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("TIMEDB_DSN", &url);
    });
}
