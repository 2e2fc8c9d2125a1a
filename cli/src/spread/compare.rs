//! Whether a copy is as what it was made of: the rows that are stored, and what is read by a key of the tenant.

use std::thread;

use anyhow::{Result, bail};
use postgres::Transaction;
use uuid::Uuid;

use super::copy::list;
use crate::archive::{Table, tables};
use crate::progress::Progress;

/// What is read of each way to read: with every version there ever was, and what counts now.
const READS: [(&str, &str); 4] = [
    (
        "read of all versions",
        "timedb.read(mode => 'overlapping', all_versions => true)",
    ),
    ("read of what counts", "timedb.read(mode => 'flat')"),
    ("list_series", "timedb.list_series()"),
    ("list_runs", "timedb.list_runs(max_rows => NULL)"),
];

/// Of any rows, whatever their order: how many they are, and the sum of the first eight bytes of the SHA-256 of each as a text.
const COUNT_AND_SUM: &str =
    "count(*)::text || ' rows, checksum ' || coalesce(sum(('x' || pg_catalog.left(pg_catalog.encode(
    pg_catalog.sha256(pg_catalog.convert_to(r::text, 'UTF8')), 'hex'), 16))::bit(64)::int8), 0)::text";

/// What something is called, and what it comes to.
type Sums = Vec<(String, String)>;

/// How many rows were compared.
pub fn compare(
    from: &mut Transaction,
    to: &mut Transaction,
    tables: &[Table],
    tenant: Uuid,
    progress: &Progress,
) -> Result<()> {
    progress.say("comparing both".to_owned());
    let (here, there) = thread::scope(|scope| {
        let here = scope.spawn(|| sums(from, tables, tenant));
        let there = sums(to, tables, tenant);
        (here.join(), there)
    });
    let here = here.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    for ((what, here), (_, there)) in here.iter().zip(&there?) {
        if here != there {
            bail!("the copy differs: {what} is {here} where the tenant is, and {there} where it was to be");
        }
    }
    Ok(())
}

fn sums(transaction: &mut Transaction, tables: &[Table], tenant: Uuid) -> Result<Sums> {
    let mut found = of_tables(transaction, tables, tenant)?;
    found.extend(of_reads(transaction, tenant)?);
    Ok(found)
}

fn of_tables(transaction: &mut Transaction, tables: &[Table], tenant: Uuid) -> Result<Sums> {
    let mut found = Sums::new();
    for Table { name, columns, .. } in tables {
        let (columns, condition) = (list(columns, "t."), tables::condition(name));
        let sql = format!("SELECT {COUNT_AND_SUM} FROM (SELECT {columns} FROM timedb.{name} t WHERE {condition}) r");
        found.push((
            format!("timedb.{name}"),
            transaction.query_one(&sql, &[&tenant])?.get(0),
        ));
    }
    Ok(found)
}

/// By a key of a user, neither of whom stays.
fn of_reads(transaction: &mut Transaction, tenant: Uuid) -> Result<Sums> {
    let mut visit = transaction.savepoint("visit")?;
    visit.batch_execute(
        "SET LOCAL row_security = on;
         SELECT pg_catalog.set_config(s.name, s.max_val, true) FROM pg_catalog.pg_settings s WHERE s.name = 'timedb.max_read_rows'",
    )?;
    let email = format!("{}@move-tenant.invalid", Uuid::now_v7());
    let sql = "SELECT api_key FROM timedb.create_user($1, $2, 'read')";
    let key: String = visit.query_one(sql, &[&tenant, &email])?.get(0);
    visit.batch_execute("SET LOCAL ROLE timedb_user")?;
    visit.execute("SELECT FROM timedb.authenticate($1)", &[&key])?;
    let mut found = Sums::new();
    for (what, read) in READS {
        let sql = format!("SELECT {COUNT_AND_SUM} FROM {read} r");
        found.push((what.to_owned(), visit.query_one(&sql, &[])?.get(0)));
    }
    visit.rollback()?;
    Ok(found)
}
