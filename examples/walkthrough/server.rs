//! Where the server is (libpq's environment variables), and the two roles the walkthrough uses on
//! it: an operator, who may manage every tenant, and a login role with no rights of its own, as an
//! application would have.

use std::env;

use anyhow::{Context, Result};
use postgres::Config;

use crate::report::Report;
use crate::session::Session;

const CLIENT_ROLE: &str = "walkthrough_app";

/// The operator's connection, from `PGHOST`, `PGPORT`, `PGDATABASE`, `PGUSER` and `PGPASSWORD` as
/// for psql.
pub fn operator() -> Result<Config> {
    let mut config = Config::new();
    config
        .host(&setting("PGHOST", "/var/run/postgresql"))
        .port(setting("PGPORT", "5432").parse().context("PGPORT")?)
        .dbname(&setting("PGDATABASE", "timedb"))
        .user(&setting("PGUSER", "postgres"))
        .application_name("timedb walkthrough");
    if let Ok(password) = env::var("PGPASSWORD") {
        config.password(password);
    }
    Ok(config)
}

fn setting(name: &str, default: &str) -> String {
    env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| default.to_owned())
}

/// Says what is at the other end, so that a printed walkthrough is worth something later.
pub fn introduce(report: &Report, operator: &mut Session) -> Result<()> {
    let row = operator.quietly_one(
        "SELECT current_setting('server_version'),
                (SELECT extversion FROM pg_extension WHERE extname = 'timedb'),
                current_database()::text",
        &[],
    )?;
    let (server, database): (String, String) = (row.try_get(0)?, row.try_get(2)?);
    let extension: Option<String> = row.try_get(1)?;
    let extension = extension
        .with_context(|| format!("database \"{database}\" has no timedb: CREATE EXTENSION timedb, or `make serve`"))?;
    report.note(&format!(
        "timedb {extension} on PostgreSQL {server}, database \"{database}\""
    ));
    Ok(())
}

/// Makes the login role that plays the application, if it is not there yet, and says how to connect
/// as it.
pub fn client(report: &mut Report, operator: &mut Session, operator_config: &Config) -> Result<Config> {
    report.step("A login role for the application: a member of timedb_user, and nothing else");
    let known = operator.quietly("SELECT FROM pg_roles WHERE rolname = $1", &[&CLIENT_ROLE])?;
    if known.is_empty() {
        operator.query("CREATE ROLE walkthrough_app LOGIN", &[])?;
    }
    operator.query("GRANT timedb_user TO walkthrough_app", &[])?;

    let row = operator.quietly_one(
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole AS privileged,
                ARRAY(SELECT roleid::regrole::text FROM pg_auth_members
                      WHERE member = r.oid) AS groups
           FROM pg_roles AS r WHERE rolname = $1",
        &[&CLIENT_ROLE],
    )?;
    let privileged: bool = row.try_get("privileged")?;
    let groups: Vec<String> = row.try_get("groups")?;
    report.claim(
        "its role is no superuser, bypasses no policy and is a member of timedb_user only",
        !privileged && groups == ["timedb_user"],
    );

    let mut config = operator_config.clone();
    config.user(CLIENT_ROLE);
    Ok(config)
}
