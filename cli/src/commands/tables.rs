//! `timedb create tables` and `timedb delete tables`: the extension, and the role `timedb_web`.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use postgres::error::SqlState;
use postgres::{Client, GenericClient};
use postgres_protocol::password::scram_sha_256;

use crate::ask::Confirmation;
use crate::connection::{Installed, Target, installed, is_older};
use crate::failure::Usage;
use crate::show::print;

#[derive(Subcommand)]
pub enum Create {
    /// CREATE EXTENSION timedb, and a login role timedb_web for the HTTP server; nothing is changed that is there
    Tables(CreateTables),
}

#[derive(Subcommand)]
pub enum Delete {
    /// DROP EXTENSION timedb, with all series, runs, values, users and keys; roles that others use stay
    Tables(DeleteTables),
}

impl Create {
    pub fn run(self) -> Result<()> {
        let Create::Tables(command) = self;
        command.run()
    }
}

impl Delete {
    pub fn run(self) -> Result<()> {
        let Delete::Tables(command) = self;
        command.run()
    }
}

/// Run it as a superuser of a database in UTF-8.
#[derive(Args)]
pub struct CreateTables {
    #[command(flatten)]
    target: Target,
    /// Users and keys too: they are always made
    #[arg(long)]
    with_users: bool,
    /// Give timedb_web the password in TIMEDB_WEB_PASSWORD, or one that is typed now; without it the role has none,
    /// and logs in where pg_hba.conf asks for none (peer, trust, cert)
    #[arg(long)]
    web_password: bool,
    /// Nothing is asked
    #[arg(short, long)]
    yes: bool,
}

impl CreateTables {
    fn run(self) -> Result<()> {
        let password = if self.web_password { Some(web_password()?) } else { None };
        let mut client = self.target.connect_to_any()?;
        let found = installed(&mut client)?;
        check_tables("create tables", found.as_ref())?;
        if let Some(older) = found.as_ref().filter(|found| is_older(&found.version)) {
            bail!("{}", older.too_old());
        }
        let mut told = String::new();
        let mut transaction = client.transaction()?;
        match &found {
            Some(Installed { version, .. }) => told.push_str(&format!("timedb {version} is there already.\n")),
            None => {
                transaction
                    .batch_execute("CREATE EXTENSION timedb")
                    .map_err(with_hint)?;
                let version = extension_version(&mut transaction)?;
                told.push_str(&format!(
                    "Created timedb {version}: tables, functions, users and keys.\n"
                ));
            }
        }
        told.push_str(make_web_role(&mut transaction)?);
        if let Some(password) = password {
            set_password(&mut transaction, &password)?;
            told.push_str("timedb_web has the password that was given.\n");
        }
        told.push_str(web_role_needs(&mut transaction)?);
        transaction.commit()?;
        print(&told)
    }
}

/// A router has none, and none are made beside it.
fn check_tables(command: &str, found: Option<&Installed>) -> Result<()> {
    if found.is_some_and(Installed::is_router) {
        bail!(
            "{command} is for a server with tables, and this database is a router, which has none\n\
             HINT:  Connect to each of its servers (--dsn). The router itself is made and taken away by CREATE and DROP \
             EXTENSION timedb_router, and the role of timedb api there by CREATE ROLE timedb_web LOGIN IN ROLE timedb_caller."
        );
    }
    Ok(())
}

fn web_password() -> Result<String> {
    if let Some(password) = std::env::var("TIMEDB_WEB_PASSWORD").ok().filter(|it| !it.is_empty()) {
        return Ok(password);
    }
    let typed = rpassword::prompt_password("Password for timedb_web: ");
    let typed =
        typed.map_err(|_| Usage("there is no terminal to ask for a password: set TIMEDB_WEB_PASSWORD".into()))?;
    if typed.is_empty() {
        bail!("an empty password is none");
    }
    Ok(typed)
}

/// Where the server does not have timedb it says so, and not what to do.
fn with_hint(error: postgres::Error) -> anyhow::Error {
    let is_missing =
        error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) || error.code() == Some(&SqlState::UNDEFINED_FILE);
    if is_missing && error.to_string().contains("db error") {
        let hint = "timedb is installed on the machine of the server, by a package or by make install";
        return anyhow::Error::new(error).context(hint);
    }
    error.into()
}

fn extension_version(client: &mut impl GenericClient) -> Result<String> {
    let sql = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timedb'";
    Ok(client.query_one(sql, &[])?.get(0))
}

/// Without a password. One that somebody has prepared, with powers, would lend them to whoever comes by HTTP.
fn make_web_role(client: &mut impl GenericClient) -> Result<&'static str> {
    let sql = "SELECT r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication \
                      OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m \
                                 WHERE m.member = r.oid AND m.roleid <> 'timedb_caller'::pg_catalog.regrole) \
               FROM pg_catalog.pg_roles r WHERE r.rolname = 'timedb_web'";
    let found = client.query_opt(sql, &[])?.map(|row| row.get::<_, bool>(0));
    match found {
        Some(true) => bail!(
            "a role timedb_web is there, with powers or in groups that it should not have\n\
             HINT:  Find out who made it and why; drop it, or take them away."
        ),
        Some(false) => {
            client.batch_execute("ALTER ROLE timedb_web LOGIN; GRANT timedb_caller TO timedb_web")?;
            Ok("The role timedb_web is there already.\n")
        }
        None => {
            client.batch_execute("CREATE ROLE timedb_web LOGIN; GRANT timedb_caller TO timedb_web")?;
            Ok("Created the role timedb_web, a member of timedb_caller: what the HTTP server connects as.\n")
        }
    }
}

/// As its SCRAM verifier: the password itself appears in no log.
fn set_password(client: &mut impl GenericClient, password: &str) -> Result<()> {
    let verifier = scram_sha_256(password.as_bytes());
    let statement = format!("ALTER ROLE timedb_web PASSWORD '{verifier}'");
    client
        .batch_execute(&statement)
        .context("the password could not be set")
}

fn web_role_needs(client: &mut impl GenericClient) -> Result<&'static str> {
    // Only a superuser sees it, and nobody else has come so far.
    let sql = "SELECT a.rolpassword IS NULL, \
                      has_database_privilege('timedb_web', pg_catalog.current_database(), 'CONNECT') \
               FROM pg_catalog.pg_authid a WHERE a.rolname = 'timedb_web'";
    let row = client.query_one(sql, &[])?;
    Ok(match (row.get(0), row.get(1)) {
        (_, false) => "It may not connect to this database: GRANT CONNECT ON DATABASE … TO timedb_web.\n",
        (true, true) => {
            "It has no password: create tables --web-password gives it one, or \\password timedb_web in psql.\n"
        }
        (false, true) => "",
    })
}

/// Everything in it is lost. Objects of others that depend on it, such as views, keep it from going.
#[derive(Args)]
pub struct DeleteTables {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl DeleteTables {
    fn run(self) -> Result<()> {
        let mut client = self.target.connect_to_any()?;
        let found = installed(&mut client)?;
        check_tables("delete tables", found.as_ref())?;
        let Some(Installed { version, .. }) = found else {
            return print("The database has no timedb: there is nothing to delete.\n");
        };
        let lost = what_is_lost(&mut client, &version)?;
        self.confirmation.ask(&format!("{lost} will be lost. Go on?"))?;
        client
            .batch_execute("DROP EXTENSION timedb")
            .context("timedb was not deleted")?;
        print(&format!("Deleted timedb {version}: {lost}.\n"))?;
        print(&drop_web_role(&mut client)?)
    }
}

/// By the tables, which a superuser reads whole; so that an older version is counted, too, as far as it has them.
fn what_is_lost(client: &mut Client, version: &str) -> Result<String> {
    let database: String = client
        .query_one("SELECT pg_catalog.current_database()::text", &[])?
        .get(0);
    if is_older(version) {
        let sql = "SELECT (SELECT count(DISTINCT u.tenant_id) FROM timedb.users u), \
                          (SELECT count(*) FROM timedb.series), (SELECT count(*) FROM timedb.runs)";
        let row = client.query_one(sql, &[])?;
        let [tenants, series, runs]: [i64; 3] = [0, 1, 2].map(|column| row.get(column));
        return Ok(format!(
            "In the database \"{database}\" {}, {series} series, {} and all their values",
            counted(tenants, "tenant"),
            counted(runs, "run"),
        ));
    }
    let sql = "SELECT count(DISTINCT tenant_id), COALESCE(sum(series), 0)::int8, COALESCE(sum(runs), 0)::int8, \
                      COALESCE(sum(value_count), 0)::int8, count(email) \
               FROM (SELECT tenant_id, series, runs, value_count, NULL AS email FROM timedb.tenant_stats() \
                     UNION ALL SELECT tenant_id, 0, 0, 0, email FROM timedb.list_users(NULL, true)) AS had";
    let row = client.query_one(sql, &[])?;
    let [tenants, series, runs, values, users]: [i64; 5] = [0, 1, 2, 3, 4].map(|column| row.get(column));
    Ok(format!(
        "In the database \"{database}\" {} with {series} series, {} and {}, and {}",
        counted(tenants, "tenant"),
        counted(runs, "run"),
        counted(values, "value"),
        counted(users, "user"),
    ))
}

fn counted(count: i64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Where nobody else on the server uses it. The roles of the extension stay: logins may be their members.
fn drop_web_role(client: &mut Client) -> Result<String> {
    let sql = "SELECT COALESCE(pg_catalog.string_agg(DISTINCT d.datname, ', '), '') \
               FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.oid = s.dbid \
               WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
                 AND s.refobjid = 'timedb_owner'::pg_catalog.regrole AND d.datname <> pg_catalog.current_database()";
    let others: String = client.query_one(sql, &[])?.get(0);
    if !others.is_empty() {
        return Ok(format!(
            "The roles of timedb and timedb_web stay, as other databases of the server have timedb: {others}.\n"
        ));
    }
    match client.batch_execute("DROP ROLE IF EXISTS timedb_web") {
        Ok(()) => Ok("Dropped the role timedb_web; the roles of timedb stay, as logins may be their members.\n".into()),
        Err(error) if error.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
            Ok("The role timedb_web stays, as other things depend on it, and so do the roles of timedb.\n".into())
        }
        Err(error) => Err(error.into()),
    }
}
