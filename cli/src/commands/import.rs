//! `timedb import`: a tenant from a file that `export` has written: all of it or nothing.

use std::collections::BTreeMap;
use std::io::{BufRead, Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use postgres::Transaction;
use uuid::Uuid;

use crate::archive::file::Archive;
use crate::archive::{Header, Table, arrival, rows, session, tables};
use crate::connection::Target;

/// Makes a tenant from a file that export has written, in one transaction: its keys log in as before, and every read answers as
/// before. A tenant that the database has already is refused. Needs a superuser.
#[derive(Args)]
pub struct Import {
    /// The file
    file: PathBuf,
    /// Make another tenant of it, which gets the users and no key: one key cannot open two tenants
    #[arg(long, value_name = "NEW")]
    tenant_id: Option<Uuid>,
    #[command(flatten)]
    target: Target,
}

impl Import {
    pub fn run(self) -> Result<()> {
        let mut archive = Archive::open(&self.file)?;
        let mut client = self.target.connect_to_tables("import")?;
        let version = session::prepare(&mut client, "import")?;
        check_version(&archive.header, &version)?;
        let tenant = self.tenant_id.unwrap_or(archive.header.tenant_id);
        let mut transaction = client.build_transaction().read_only(false).start()?;
        let importing = Importing {
            tenant,
            has_keys: tenant == archive.header.tenant_id,
        };
        let renewed = importing.store(&mut transaction, &mut archive)?;
        transaction.commit()?;
        importing.tell(&archive.header, renewed)
    }
}

/// What a newer timedb stores, an older one may read otherwise.
fn check_version(header: &Header, version: &str) -> Result<()> {
    if session::numbers(&header.timedb) > session::numbers(version) {
        bail!(
            "the file is of timedb {}, and the database has timedb {version}\nHINT:  Install the newer one, then ALTER EXTENSION timedb UPDATE.",
            header.timedb
        );
    }
    Ok(())
}

struct Importing {
    tenant: Uuid,
    has_keys: bool,
}

impl Importing {
    /// How many users have got a new id.
    fn store(&self, transaction: &mut Transaction, archive: &mut Archive) -> Result<usize> {
        let known = tables::columns(transaction)?;
        tables::check_known(&known)?;
        arrival::lock(transaction, self.tenant)?;
        arrival::check_absent(transaction, self.tenant)?;
        let header = archive.header.clone();
        let progress = ProgressBar::new(header.rows());
        for table in &header.tables {
            self.copy(transaction, table, &known, archive, &progress)?;
        }
        progress.finish_and_clear();
        if !archive.rows.fill_buf()?.is_empty() {
            bail!("the file has more in it than it says");
        }
        self.check_counts(transaction, &header)?;
        arrival::check_keys(transaction, self.tenant)?;
        let renewed = arrival::renew_users(transaction, self.tenant)?;
        let detail = serde_json::json!({
            "exported_tenant": header.tenant_id.to_string(),
            "exported_at": header.exported_at,
            "keys": self.has_keys,
        });
        arrival::record(transaction, self.tenant, "import_tenant", &detail)?;
        Ok(renewed)
    }

    fn copy(
        &self,
        transaction: &mut Transaction,
        table: &Table,
        known: &BTreeMap<String, Vec<String>>,
        archive: &mut Archive,
        progress: &ProgressBar,
    ) -> Result<()> {
        let Table { name, columns, rows } = table;
        let of_table = known.get(name).filter(|_| tables::KEPT.contains(&name.as_str()));
        let Some(of_table) = of_table else {
            bail!("the file has rows of \"{name}\", which is no table of a tenant's");
        };
        if let Some(unknown) = columns.iter().find(|column| !of_table.contains(column)) {
            bail!("the file has a column \"{unknown}\" that timedb.{name} does not have");
        }
        let columns: Vec<String> = columns.iter().map(|column| format!(", \"{column}\"")).collect();
        let sql = format!("COPY timedb.{name} (tenant_id{}) FROM STDIN", columns.concat());
        let is_kept = self.has_keys || !tables::OF_KEYS.contains(&name.as_str());
        let mut copied = is_kept.then(|| transaction.copy_in(&sql)).transpose()?;
        let tenant = format!("{}\t", self.tenant);
        let mut read = 0;
        loop {
            let mut is_begun = false;
            let is_one = rows::next(&mut archive.rows, rows::LONGEST, |piece| {
                // COPY ends a row at one as well, where the first row does, and what follows would name its own tenant. Export
                // writes it as \r.
                if piece.contains(&b'\r') {
                    bail!("the file has a carriage return within a row of timedb.{name}, which export never writes");
                }
                let Some(copied) = &mut copied else { return Ok(()) };
                if !is_begun {
                    copied.write_all(tenant.as_bytes())?;
                }
                is_begun = true;
                Ok(copied.write_all(piece)?)
            })?;
            // It may have any number of them.
            if !is_one || read > *rows {
                break;
            }
            read += 1;
            progress.inc(1);
        }
        if let Some(copied) = copied {
            copied.finish().with_context(|| format!("the rows of timedb.{name}"))?;
        }
        if read > *rows {
            bail!("the file has more rows of timedb.{name} than the {rows} that it says");
        }
        if read != *rows {
            bail!("the file has {read} rows of timedb.{name}, and says that it has {rows}");
        }
        Ok(())
    }

    /// Of what is there now, all is the file's: nobody has made users or values of this tenant meanwhile.
    fn check_counts(&self, transaction: &mut Transaction, header: &Header) -> Result<()> {
        for Table { name, rows, .. } in &header.tables {
            let is_kept = self.has_keys || !tables::OF_KEYS.contains(&name.as_str());
            let sql = format!("SELECT count(*) FROM timedb.{name} t WHERE {}", tables::condition(name));
            let stored: i64 = transaction.query_one(&sql, &[&self.tenant])?.get(0);
            let expected = if is_kept { *rows } else { 0 };
            if stored.unsigned_abs() != expected {
                bail!(
                    "timedb.{name} has {stored} rows of the tenant, and the file {expected}: somebody has made the tenant meanwhile"
                );
            }
        }
        Ok(())
    }

    fn tell(&self, header: &Header, renewed: usize) -> Result<()> {
        let mut out = stdout().lock();
        writeln!(out, "Imported tenant {}: {}", self.tenant, header.summary())?;
        if !self.has_keys {
            writeln!(
                out,
                "Left out: its keys. timedb.create_key() makes new ones for its users."
            )?;
        }
        if renewed > 0 {
            writeln!(
                out,
                "Changed: the ids of {renewed} users, which are those of another tenant's"
            )?;
        }
        if !header.bindings.is_empty() {
            let bindings = header.bindings.join(", ");
            writeln!(
                out,
                "Left out: the bindings of roles ({bindings}). timedb.bind_role() makes them."
            )?;
        }
        Ok(())
    }
}
