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

/// When the tenant was erased here the last time, if it was.
pub fn erased_at(transaction: &mut Transaction, tenant: Uuid) -> Result<Option<String>> {
    let sql = "SELECT date_trunc('second', max(a.occurred_at))::text FROM timedb.audit a
               WHERE a.tenant_id = $1 AND a.action = 'erase_tenant'";
    Ok(transaction.query_one(sql, &[&tenant])?.get(0))
}

/// An operator may name a user by the id alone, so it is one user's in a database: where another tenant has it, as the one that
/// this one is a copy of, the user here gets a new one. How many did.
pub fn renew_users(transaction: &mut Transaction, tenant: Uuid) -> Result<usize> {
    let sql = "SELECT u.user_id FROM timedb.users u
               WHERE u.tenant_id = $1
                 AND EXISTS (SELECT FROM timedb.users o WHERE o.user_id = u.user_id AND o.tenant_id <> $1)
               ORDER BY u.user_id";
    let users: Vec<Uuid> = transaction
        .query(sql, &[&tenant])?
        .iter()
        .map(|row| row.get(0))
        .collect();
    for user in &users {
        let new = Uuid::now_v7();
        for table in ["users", "api_keys", "audit"] {
            let sql = format!("UPDATE timedb.{table} t SET user_id = $3 WHERE t.tenant_id = $1 AND t.user_id = $2");
            transaction.execute(&sql, &[&tenant, user, &new])?;
        }
    }
    Ok(users.len())
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
