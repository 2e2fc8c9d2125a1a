//! Which tables have rows of a tenant, and which of them an archive has.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use postgres::GenericClient;
use uuid::Uuid;

/// In an archive, in this order.
pub const KEPT: [&str; 11] = [
    "users",
    "api_keys",
    "key_ends",
    "series",
    "series_labels",
    "retention",
    "runs",
    "withdrawals",
    "values",
    "packs",
    "audit",
];

/// In no archive.
pub const LEFT_OUT: [&str; 2] = [
    // Roles are a server's: one of the same name elsewhere may be anybody's, and would act for the tenant.
    "role_bindings",
    // What maintain has done on that server.
    "maintenance_log",
];

/// Keys, which open one tenant alone.
pub const OF_KEYS: [&str; 2] = ["api_keys", "key_ends"];

/// The columns that are stored of each table with rows of tenants, but for `tenant_id`.
pub fn columns(client: &mut impl GenericClient) -> Result<BTreeMap<String, Vec<String>>> {
    let sql = "SELECT c.relname::text,
                      coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attname <> 'tenant_id'), '{}')
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
               WHERE c.relnamespace = 'timedb'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
                 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                 AND EXISTS (SELECT FROM pg_catalog.pg_attribute t
                             WHERE t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped)
               GROUP BY c.oid";
    let rows = client.query(sql, &[])?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// That this command knows every table of the database that has rows of tenants, and the database each table of an archive:
/// else what a newer timedb stores would be lost without a word.
pub fn check_known(columns: &BTreeMap<String, Vec<String>>) -> Result<()> {
    let known = || KEPT.iter().chain(&LEFT_OUT);
    if let Some(unknown) = columns.keys().find(|name| known().all(|known| known != name)) {
        bail!(
            "the table timedb.{unknown} is newer than this command\nHINT:  Use the command of the database's version of timedb."
        );
    }
    if let Some(missing) = known().find(|known| !columns.contains_key(**known)) {
        bail!(
            "the database is older than this command: it has no table timedb.{missing}\nHINT:  ALTER EXTENSION timedb UPDATE."
        );
    }
    Ok(())
}

/// Which rows of a table an archive has. That a tenant was erased from a server is no part of the tenant.
pub fn condition(table: &str) -> &'static str {
    match table {
        "audit" => "t.tenant_id = $1 AND t.action <> 'erase_tenant'",
        _ => "t.tenant_id = $1",
    }
}

/// How many rows of a table an archive has.
pub fn count(client: &mut impl GenericClient, table: &str, tenant: Uuid) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM timedb.{table} t WHERE {}", condition(table));
    Ok(client.query_one(&sql, &[&tenant])?.get::<_, i64>(0).unsigned_abs())
}

/// A table of which the database has rows of a tenant, if there is one.
pub fn occupied(client: &mut impl GenericClient, tenant: Uuid) -> Result<Option<&'static str>> {
    for table in KEPT.iter().chain(&["role_bindings"]) {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM timedb.{table} t WHERE {})",
            condition(table)
        );
        if client.query_one(&sql, &[&tenant])?.get(0) {
            return Ok(Some(table));
        }
    }
    Ok(None)
}
