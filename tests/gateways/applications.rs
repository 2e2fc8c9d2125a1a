//! docs/pools.md on the pools inside an application: its table holds and its lines work, as they stand there. The pools are
//! those of Python, from PyPI; `applications.py` takes and gives back their connections.

use std::path::Path;
use std::process::Command;

use timedb_testkit::{Stage, assert_ordinary, without_postgres_variables};

use crate::program::installed;

#[track_caller]
fn assert_as_the_page_says(pool: &str) {
    let stage = Stage::set(pool);
    assert_ordinary(&mut stage.app());
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(installed("python/bin/python"));
    without_postgres_variables(&mut python);
    let output = python
        .arg(project.join("tests/gateways/applications.py"))
        .arg(pool)
        .arg(project.join("docs/pools.md"))
        .args([&stage.database.url("app"), &stage.alice.api_key, &stage.bob.api_key])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python runs");
    let (printed, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{printed}\n{complained}");
    assert_eq!(printed.trim(), "as the page says", "{complained}");
}

#[test]
fn a_login_in_sqlalchemy_on_psycopg_ends_by_the_lines_of_the_page() {
    assert_as_the_page_says("SQLAlchemy on psycopg");
}

#[test]
fn a_login_in_sqlalchemy_on_asyncpg_ends_by_the_lines_of_the_page() {
    assert_as_the_page_says("SQLAlchemy on asyncpg");
}

#[test]
fn a_login_in_psycopg_pool_ends_by_the_lines_of_the_page() {
    assert_as_the_page_says("psycopg_pool");
}

#[test]
fn a_login_in_the_pool_of_asyncpg_ends_by_itself_and_by_the_lines_of_the_page() {
    assert_as_the_page_says("asyncpg.Pool");
}
