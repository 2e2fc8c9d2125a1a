//! Which server, and as whom: from `--dsn`, the environment, or what libpq itself would take.

mod dsn;
mod parameters;
mod passfile;
mod tls;

use std::error::Error as _;
use std::io::{IsTerminal, stdin};

use anyhow::{Context, Result, bail};
use clap::Args;
use postgres::Client;
use postgres::config::{Config, SslMode};
use postgres::error::{DbError, SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{failure, interrupt, progress};
pub use dsn::words;
use parameters::{Parameters, set};

/// What this command calls; a server may have a later one.
const VERSION_NEEDED: [u32; 3] = [0, 2, 0];

/// Where to connect to.
#[derive(Args, Clone)]
pub struct Target {
    /// A connection string, such as postgresql://user@host/database [env: TIMEDB_DSN, then DATABASE_URL, then PGHOST and
    /// the others that psql takes]
    ///
    /// What it leaves out is taken from PGHOST, PGPORT, PGUSER, PGDATABASE and the others of libpq. A password belongs in
    /// PGPASSWORD or ~/.pgpass rather than here: on a shared machine everybody can list who runs what.
    #[arg(long, global = true, value_name = "DSN")]
    dsn: Option<String>,
}

/// A server, and how it is spoken to: for those who connect by themselves.
pub struct Reach {
    pub config: tokio_postgres::Config,
    /// What is tried in turn.
    pub attempts: &'static [Attempt],
    pub tls: MakeRustlsConnect,
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Plain,
    IfServerCan,
    Encrypted,
}

impl Attempt {
    pub fn mode(self) -> SslMode {
        match self {
            Attempt::Plain => SslMode::Disable,
            Attempt::IfServerCan => SslMode::Prefer,
            Attempt::Encrypted => SslMode::Require,
        }
    }
}

impl Target {
    /// Another server, or another database, than the one that is acted on.
    pub fn of(dsn: String) -> Self {
        Self { dsn: Some(dsn) }
    }

    /// The connection string that was given, by the option or the environment.
    fn dsn(&self) -> String {
        let from_environment = || ["TIMEDB_DSN", "DATABASE_URL"].into_iter().find_map(set);
        self.dsn.clone().or_else(from_environment).unwrap_or_default()
    }

    /// What libpq would connect to: what the connection string leaves out is what its variables say.
    pub fn reach(&self) -> Result<Reach> {
        Parameters::of(&self.dsn())?.reach()
    }

    /// A session on a timedb, of this version or a later one, or on a router, which has the same functions.
    pub fn connect(&self) -> Result<Client> {
        self.connect_and_look().map(|(client, _)| client)
    }

    /// The same where tables are, for what a command does with them.
    pub fn connect_to_tables(&self, command: &str) -> Result<Client> {
        let (client, found) = self.connect_and_look()?;
        if found.is_router() {
            bail!(
                "{command} works on tables, and this database is a router, which has none\n\
                 HINT:  Connect to the server that the tenant is on (--dsn): SELECT timedb_router._of_tenant('…'), as a \
                 superuser of the router, names it."
            );
        }
        Ok(client)
    }

    fn connect_and_look(&self) -> Result<(Client, Installed)> {
        let mut client = self.connect_to_any()?;
        let Some(found) = installed(&mut client)? else {
            bail!("the database has no timedb: timedb create tables makes it");
        };
        if is_older(&found.version) {
            bail!("{}", found.too_old());
        }
        Ok((client, found))
    }

    /// A session on a server, whether it has timedb or not. Ctrl-C ends what it runs.
    pub fn connect_to_any(&self) -> Result<Client> {
        let reach = self.reach()?;
        let mut config = Config::from(reach.config.clone());
        config.notice_callback(|notice| tell_notice(&notice));
        let connected = match reach.connect(&mut config) {
            Err(error) if wants_password(&error) && stdin().is_terminal() => {
                let password = rpassword::prompt_password("Password: ").context("the password could not be read")?;
                config.password(password);
                reach.connect(&mut config)
            }
            connected => connected,
        };
        let mut client = connected.map_err(describe)?;
        interrupt::cancels(client.cancel_token(), reach.tls);
        // Whoever may make functions in this database does not have them called by whoever types a command.
        client.batch_execute("SET search_path = pg_catalog, pg_temp")?;
        Ok(client)
    }
}

impl Reach {
    fn connect(&self, config: &mut Config) -> Result<Client, postgres::Error> {
        let mut attempts = self.attempts.iter();
        let mut attempt = |config: &mut Config| {
            let attempt = attempts.next()?;
            Some(config.ssl_mode(attempt.mode()).connect(self.tls.clone()))
        };
        let mut connected = attempt(config).expect("there is one");
        while let Err(error) = &connected
            && depends_on_encryption(error)
            && let Some(next) = attempt(config)
        {
            // Of two refusals the first is the one that tells.
            if next.is_ok() {
                connected = next;
            }
        }
        connected
    }
}

/// No line of pg_hba.conf is for this user with, or without, encryption; or the two do not agree how to encrypt.
fn depends_on_encryption(error: &postgres::Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) || error.to_string().contains("TLS")
}

fn wants_password(error: &postgres::Error) -> bool {
    error
        .source()
        .is_some_and(|cause| cause.to_string() == "password missing")
}

fn describe(error: postgres::Error) -> anyhow::Error {
    if wants_password(&error) {
        return anyhow::anyhow!("no connection: the server asks for a password (PGPASSWORD, ~/.pgpass)");
    }
    anyhow::Error::new(error).context("no connection")
}

fn tell_notice(notice: &DbError) {
    progress::aside(|| anstream::eprintln!("{}:  {}", notice.severity(), failure::server_words(notice)));
}

/// The extension that answers for timedb in a database: timedb itself, or a router's.
pub struct Installed {
    pub extension: String,
    pub version: String,
}

pub fn installed(client: &mut Client) -> Result<Option<Installed>> {
    let sql =
        "SELECT extname::text, extversion FROM pg_catalog.pg_extension WHERE extname IN ('timedb', 'timedb_router')";
    Ok(client.query_opt(sql, &[])?.map(|row| Installed {
        extension: row.get(0),
        version: row.get(1),
    }))
}

impl Installed {
    pub fn is_router(&self) -> bool {
        self.extension == "timedb_router"
    }

    pub fn too_old(&self) -> String {
        let Self { extension, version } = self;
        let [major, minor, patch] = VERSION_NEEDED;
        format!(
            "the database has {extension} {version}, and this command needs {major}.{minor}.{patch}\n\
             HINT:  ALTER EXTENSION {extension} UPDATE; as a superuser, where the server has the later one installed."
        )
    }
}

/// Whether a version is before the one that this command needs.
pub fn is_older(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').map_while(|number| number.parse().ok()).collect();
    numbers.as_slice() < VERSION_NEEDED.as_slice()
}

#[cfg(test)]
mod tests {
    use super::is_older;

    #[test]
    fn versions_are_compared_by_number() {
        for (version, expected) in [
            ("0.1.0", true),
            ("0.2.0", false),
            ("0.10.0", false),
            ("1.0.0", false),
            ("0.2", true),
        ] {
            assert_eq!(is_older(version), expected, "{version}");
        }
    }
}
