//! The session that a tenant is moved in: a superuser's, whose rows and texts are the same whatever its role is set to.

use anyhow::{Result, bail};
use postgres::Client;

/// The extension's version.
pub type Version = String;

/// Of a database with timedb.
pub fn prepare(client: &mut Client, command: &str) -> Result<Version> {
    settle(client, command)?;
    let sql = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timedb'";
    Ok(client.query_one(sql, &[])?.get(0))
}

/// Row-level security is forced on every table, so that even their owner sees no row of them: only a superuser does.
pub fn settle(client: &mut Client, command: &str) -> Result<()> {
    let row = client.query_one(
        "SELECT r.rolname::text, r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user",
        &[],
    )?;
    if !row.get::<_, bool>(1) {
        bail!(
            "{command} needs a superuser, which \"{}\" is not\nHINT:  Nobody else may see or write all rows of a tenant, and the hashes of its keys.",
            row.get::<_, &str>(0)
        );
    }
    // Names that this version of Postgres does not have are left out.
    client.query(
        "SELECT pg_catalog.set_config(s.name, w.setting, false)
         FROM (VALUES ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'),
                      ('extra_float_digits', '3'), ('bytea_output', 'hex'), ('row_security', 'off'),
                      ('search_path', 'pg_catalog'), ('statement_timeout', '0'), ('lock_timeout', '0'),
                      ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0')) AS w(name, setting)
         JOIN pg_catalog.pg_settings s ON s.name = w.name",
        &[],
    )?;
    // So that the server gives up soon after this command has: not on every system, and good for nothing else.
    client.batch_execute("SET client_connection_check_interval = '1s'").ok();
    Ok(())
}

/// The numbers of a version, to compare.
pub fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(u64::MAX))
        .collect()
}
