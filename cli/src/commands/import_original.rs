//! `timedb import-original`: all tenants of the original service, one after the other.

use std::io::{Write, stdout};

use anyhow::{Result, anyhow};
use clap::Args;
use indicatif::ProgressBar;
use postgres::{Client, IsolationLevel};
use uuid::Uuid;

use crate::archive::{arrival, session, tables};
use crate::connection::Target;
use crate::original::source::Source;
use crate::original::tenant::{self, Stored};

/// Stores what the original service has: series, runs, values and all their versions, users and their keys, which go on
/// working. Each tenant is one transaction; tenants that are through are left out, so it can be broken off and begun again.
/// Only reads the original. Needs a superuser of the database that it writes to.
#[derive(Args)]
pub struct ImportOriginal {
    /// Where the original's tables are: a connection string
    #[arg(env = "TIMEDB_ORIGINAL_DSN", hide_env_values = true)]
    dsn_of_original: String,
    /// Bring back tenants that were erased here, too, instead of leaving them out
    #[arg(long)]
    with_erased: bool,
    #[command(flatten)]
    target: Target,
}

/// What became of a tenant.
enum Outcome {
    Stored(Stored),
    WasThrough,
    /// Here, at this time.
    WasErased(String),
}

impl ImportOriginal {
    pub fn run(self) -> Result<()> {
        let mut client = self.target.connect_to_tables("import-original")?;
        session::prepare(&mut client, "import-original")?;
        tables::check_known(&tables::columns(&mut client)?)?;
        let mut original = Target::of(self.dsn_of_original).connect_to_any()?;
        look_where_the_tables_are(&mut original)?;
        // What is hidden by row-level security would be left behind without a word.
        original.batch_execute("SET row_security = off; SET statement_timeout = 0; SET TimeZone = 'UTC'")?;
        let snapshot = original
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        let mut source = Source::of(snapshot)?;
        import(&mut source, &mut client, self.with_erased)
    }
}

/// In the schema that the DSN or the role says, and for all else in `pg_catalog` first.
fn look_where_the_tables_are(original: &mut Client) -> Result<()> {
    original.batch_execute("RESET search_path")?;
    let sql = "SELECT pg_catalog.quote_ident(n.nspname::pg_catalog.text)
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
               WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass('values_table')";
    if let Some(row) = original.query_opt(sql, &[])? {
        let schema: String = row.get(0);
        original.batch_execute(&format!("SET search_path = pg_catalog, {schema}, pg_temp"))?;
    }
    Ok(())
}

/// One tenant that cannot be stored does not keep the others from it.
fn import(source: &mut Source, client: &mut Client, with_erased: bool) -> Result<()> {
    let mut out = stdout().lock();
    let (mut stored, mut through, mut erased, mut failed) = (0, 0, 0, 0);
    for tenant in source.tenants()? {
        match import_tenant(source, client, tenant, with_erased) {
            Ok(Outcome::Stored(now)) => {
                stored += 1;
                tell(&mut out, tenant, &now)?;
            }
            Ok(Outcome::WasThrough) => {
                through += 1;
                writeln!(out, "{tenant}: was imported before")?;
            }
            Ok(Outcome::WasErased(at)) => {
                erased += 1;
                writeln!(out, "{tenant}: left out, as it was erased here at {at}")?;
            }
            Err(error) if client.is_closed() => return Err(error),
            Err(error) => {
                failed += 1;
                anstream::eprintln!("timedb: tenant {tenant}: {}", crate::failure::words(&error));
            }
        }
    }
    let unused = source.unused_series()?;
    writeln!(
        out,
        "{stored} tenants imported, whose counts are those of the original; {through} were there before"
    )?;
    if erased > 0 {
        writeln!(
            out,
            "Left out: {erased} tenants that were erased here; --with-erased brings them back"
        )?;
    }
    if unused > 0 {
        writeln!(out, "Left out: {unused} series without values, which are no tenant's")?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(anyhow!("{failed} tenants were not imported")),
    }
}

fn import_tenant(source: &mut Source, client: &mut Client, tenant: Uuid, with_erased: bool) -> Result<Outcome> {
    let mut transaction = client.build_transaction().read_only(false).start()?;
    arrival::lock(&mut transaction, tenant)?;
    if tenant::is_through(&mut transaction, tenant)? {
        return Ok(Outcome::WasThrough);
    }
    // Of all that is erased this alone is kept, so that nobody brings it back without knowing.
    if let Some(at) = arrival::erased_at(&mut transaction, tenant)?
        && !with_erased
    {
        return Ok(Outcome::WasErased(at));
    }
    let progress = ProgressBar::new(0);
    let stored = tenant::store(source, &mut transaction, tenant, &progress);
    progress.finish_and_clear();
    let stored = stored?;
    transaction.commit()?;
    Ok(Outcome::Stored(stored))
}

fn tell(out: &mut impl Write, tenant: Uuid, stored: &Stored) -> Result<()> {
    let counts = stored.counts;
    let older = counts.versions - counts.values;
    write!(
        out,
        "{tenant}: users {}, keys {}, series {}, runs {}, values {}, older versions {older}",
        counts.users, stored.keys, counts.series, counts.runs, counts.values
    )?;
    match stored.without_key {
        0 => writeln!(out)?,
        users => writeln!(out, "; without a key: {users} users")?,
    }
    Ok(())
}
