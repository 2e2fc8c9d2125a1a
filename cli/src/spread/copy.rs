//! The rows of a tenant, from a snapshot of one database into a transaction of another, where the same timedb runs.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail};
use postgres::{GenericClient, Transaction};
use uuid::Uuid;

use crate::archive::{Table, tables};
use crate::interrupt;
use crate::progress::Progress;

/// What there is of a tenant in each table that goes along.
pub fn count(client: &mut impl GenericClient, tenant: Uuid) -> Result<Vec<Table>> {
    let mut columns = tables::columns(client)?;
    tables::check_known(&columns)?;
    let mut counted = Vec::new();
    for name in tables::KEPT {
        counted.push(Table {
            name: name.to_owned(),
            columns: columns.remove(name).unwrap_or_default(),
            rows: tables::count(client, name, tenant)?,
        });
    }
    Ok(counted)
}

/// That nothing is stored there under another name.
pub fn check_columns(tables: &[Table], there: &BTreeMap<String, Vec<String>>) -> Result<()> {
    for Table { name, columns, .. } in tables {
        let sorted = |columns: &[String]| {
            let mut columns = columns.to_vec();
            columns.sort();
            columns
        };
        if there.get(name).map(|columns| sorted(columns)) != Some(sorted(columns)) {
            bail!("timedb.{name} has other columns there");
        }
    }
    Ok(())
}

/// A list of them, as SQL.
pub fn list(columns: &[String], before: &str) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("{before}\"{column}\"")).collect();
    columns.join(", ")
}

pub fn rows(
    from: &mut Transaction,
    to: &mut Transaction,
    tables: &[Table],
    tenant: Uuid,
    progress: &Progress,
) -> Result<()> {
    let all: u64 = tables.iter().map(|table| table.rows).sum();
    let mut before = 0;
    for table in tables {
        copy(from, to, table, tenant, |copied| {
            progress.say(format!("copying: {} of {all} rows", before + copied));
        })?;
        before += table.rows;
    }
    Ok(())
}

fn copy(
    from: &mut Transaction,
    to: &mut Transaction,
    table: &Table,
    tenant: Uuid,
    mut tell: impl FnMut(u64),
) -> Result<()> {
    let Table { name, columns, rows } = table;
    // COPY takes no parameters.
    let condition = tables::condition(name).replace("$1", &format!("'{tenant}'::pg_catalog.uuid"));
    let taken = list(columns, "t.");
    let mut read = from.copy_out(&format!(
        "COPY (SELECT t.tenant_id, {taken} FROM timedb.{name} t WHERE {condition}) TO STDOUT"
    ))?;
    let given = list(columns, "");
    let mut written = to.copy_in(&format!("COPY timedb.{name} (tenant_id, {given}) FROM STDIN"))?;
    let mut copied = 0;
    loop {
        let bytes = read.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        // A line break within a text is written as \n.
        copied += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        written
            .write_all(bytes)
            .with_context(|| format!("the rows of timedb.{name}"))?;
        let length = bytes.len();
        read.consume(length);
        tell(copied);
        interrupt::check()?;
    }
    let stored = written.finish().with_context(|| format!("the rows of timedb.{name}"))?;
    if (copied, stored) != (*rows, *rows) {
        bail!("of timedb.{name} {copied} rows came and {stored} were stored, and there are {rows}");
    }
    Ok(())
}
