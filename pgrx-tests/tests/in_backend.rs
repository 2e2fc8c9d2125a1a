//! Runs the tests that live inside the extension. A library built with the feature
//! `in_backend_tests` exports them as functions named `test_…`; each is called by a superuser in a
//! transaction of its own that is rolled back.

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use timedb_testkit::{LIBRARY, Server, words};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match tests() {
        Ok(names) => libtest_mimic::run(&arguments, names.into_iter().map(trial).collect()).exit_code(),
        Err(error) => {
            eprintln!("in_backend: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The tests are found by the record that Postgres wants of every C function it calls.
fn tests() -> Result<Vec<String>> {
    let library =
        env::var(LIBRARY).with_context(|| format!("{LIBRARY} is not set: run this by `private-server run`"))?;
    let output = Command::new("nm").args(["-D", "--defined-only", &library]).output();
    let output = output.context("cannot run nm")?;
    ensure!(output.status.success(), "nm cannot read {library}");
    let symbols = String::from_utf8(output.stdout)?;
    let names: Vec<String> = symbols.lines().filter_map(test_name).map(str::to_owned).collect();
    ensure!(
        !names.is_empty(),
        "{library} has no tests: build it with --features in_backend_tests"
    );
    Ok(names)
}

fn test_name(symbol: &str) -> Option<&str> {
    let name = symbol.rsplit(' ').next()?;
    let name = name.strip_prefix("pg_finfo_")?.strip_suffix("_wrapper")?;
    name.starts_with("test_").then_some(name)
}

fn trial(name: String) -> Trial {
    Trial::test(name.clone(), move || call(&name))
}

fn call(name: &str) -> Result<(), Failed> {
    let mut client = Server::from_environment()
        .and_then(|server| server.connect("postgres", "timedb"))
        .map_err(|error| format!("{error:#}"))?;
    let mut transaction = client.transaction().map_err(told)?;
    transaction
        .batch_execute(&format!(
            "CREATE FUNCTION pg_temp.{name}() RETURNS void LANGUAGE c \
             AS '$libdir/timedb', '{name}_wrapper'; \
             SELECT pg_temp.{name}()"
        ))
        .map_err(told)?;
    transaction.rollback().map_err(told)
}

fn told(error: postgres::Error) -> Failed {
    let Some(said) = error.as_db_error() else {
        return format!("{error:?}").into();
    };
    let context = said.where_().map(|context| format!("\nCONTEXT: {context}"));
    (words(said) + &context.unwrap_or_default()).into()
}
