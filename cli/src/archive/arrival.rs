//! What is asked of a database around the rows of a tenant that comes into it, in the transaction that brings them.

use anyhow::{Result, bail};
use postgres::Transaction;
use serde_json::Value;
use uuid::Uuid;

use super::tables;

/// Of two that bring one tenant the second waits here, and finds it then.
pub fn lock(transaction: &mut Transaction, tenant: Uuid) -> Result<()> {
    let lock = format!("timedb import {tenant}");
    transaction.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", &[&lock])?;
    Ok(())
}

/// A tenant that is there already is never mixed with another of its id.
pub fn check_absent(transaction: &mut Transaction, tenant: Uuid) -> Result<()> {
    if let Some(table) = tables::occupied(transaction, tenant)? {
        bail!(
            "the tenant {tenant} is there already: it has rows in timedb.{table}\nHINT:  timedb.erase_tenant() removes a tenant; import --tenant-id makes another one of a file."
        );
    }
    Ok(())
}

/// One key that opens two tenants would open neither; of two of one id revoke_key() would end the one or the other.
pub fn check_keys(transaction: &mut Transaction, tenant: Uuid) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT FROM timedb.api_keys k JOIN timedb.api_keys o ON o.key_hash = k.key_hash OR o.key_id = k.key_id
                              WHERE k.tenant_id = $1 AND o.tenant_id <> $1)";
    if transaction.query_one(sql, &[&tenant])?.get(0) {
        bail!("a key of the tenant {tenant} is another tenant's in this database");
    }
    Ok(())
}

/// The tenant's own audit tells where its users and keys come from.
pub fn record(transaction: &mut Transaction, tenant: Uuid, action: &str, detail: &Value) -> Result<()> {
    transaction.execute(
        "INSERT INTO timedb.audit (tenant_id, audit_id, actor, via, action, detail)
         VALUES ($1, $2, session_user, 'operator', $3, $4::text::jsonb)",
        &[&tenant, &Uuid::now_v7(), &action, &detail.to_string()],
    )?;
    Ok(())
}
