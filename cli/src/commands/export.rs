//! `timedb export`: all of a tenant in a file, as it stood at one moment.

use std::io::{BufRead, Write, stdout};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use postgres::{IsolationLevel, Transaction};
use uuid::Uuid;

use crate::archive::file::{self, NewArchive};
use crate::archive::{END_OF_ROWS, Header, Table, session, tables};
use crate::connection::Target;
use crate::interrupt;

/// Writes a tenant's users, keys, series, runs, values and all else of it to a file, as they stand at one moment, while
/// others read and write. The file can be read by its owner alone: it holds hashes of keys, and everything that the tenant has
/// stored. Needs a superuser.
#[derive(Args)]
pub struct Export {
    /// The tenant's id
    tenant: Uuid,
    /// The file to be made
    file: PathBuf,
    /// Put it in the place of a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    target: Target,
}

impl Export {
    pub fn run(self) -> Result<()> {
        file::check_free(&self.file, self.force)?;
        let mut client = self.target.connect_to_tables("export")?;
        let version = session::prepare(&mut client, "export")?;
        interrupt::unfinished(Some(file::beside(&self.file)?));
        let mut snapshot = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        let header = self.header(&mut snapshot, version)?;
        let mut archive = NewArchive::create(&self.file, self.force, &header)?;
        match write_rows(&mut snapshot, &header, &mut archive) {
            Ok(()) => {
                interrupt::unfinished(None);
                archive.finish()?;
            }
            Err(error) => {
                archive.give_up();
                return Err(error);
            }
        }
        self.tell(&header)
    }

    fn header(&self, snapshot: &mut Transaction, version: session::Version) -> Result<Header> {
        let mut columns = tables::columns(snapshot)?;
        tables::check_known(&columns)?;
        if tables::occupied(snapshot, self.tenant)?.is_none() {
            bail!("there is no tenant {}", self.tenant);
        }
        let mut counted = Vec::new();
        for name in tables::KEPT {
            counted.push(Table {
                name: name.to_owned(),
                columns: columns.remove(name).unwrap_or_default(),
                rows: tables::count(snapshot, name, self.tenant)?,
            });
        }
        let about = snapshot.query_one(
            "SELECT pg_catalog.current_setting('server_version'), pg_catalog.now()::text,
                    ARRAY(SELECT b.role_name || ' ' || b.scope FROM timedb.role_bindings b WHERE b.tenant_id = $1 ORDER BY 1)",
            &[&self.tenant],
        )?;
        Ok(Header {
            timedb: version,
            postgres: about.get(0),
            tenant_id: self.tenant,
            exported_at: about.get(1),
            tables: counted,
            bindings: about.get(2),
        })
    }

    fn tell(&self, header: &Header) -> Result<()> {
        let mut out = stdout().lock();
        let (tenant, path) = (self.tenant, self.file.display());
        writeln!(out, "Exported tenant {tenant} to {path}: {}", header.summary())?;
        writeln!(
            out,
            "Keep it like a secret: it holds the hashes of keys, and all values."
        )?;
        if !header.bindings.is_empty() {
            writeln!(out, "Left out: the bindings of roles ({})", header.bindings.join(", "))?;
        }
        Ok(())
    }
}

fn write_rows(snapshot: &mut Transaction, header: &Header, archive: &mut NewArchive) -> Result<()> {
    let progress = ProgressBar::new(header.rows());
    for Table { name, columns, rows } in &header.tables {
        let columns: Vec<String> = columns.iter().map(|column| format!("t.\"{column}\"")).collect();
        // COPY takes no parameters.
        let tenant = format!("'{}'::pg_catalog.uuid", header.tenant_id);
        let condition = tables::condition(name).replace("$1", &tenant);
        let sql = format!(
            "COPY (SELECT {} FROM timedb.{name} t WHERE {condition}) TO STDOUT",
            columns.join(", ")
        );
        let mut copied = snapshot.copy_out(&sql)?;
        let mut lines = 0;
        loop {
            let bytes = copied.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            // A line break within a text is written as \n.
            let of_these = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            archive.write(bytes)?;
            let length = bytes.len();
            copied.consume(length);
            lines += of_these;
            progress.inc(of_these);
        }
        if lines != *rows {
            bail!("of timedb.{name} {lines} rows came, and there are {rows}");
        }
        archive.write(END_OF_ROWS)?;
    }
    progress.finish_and_clear();
    Ok(())
}
