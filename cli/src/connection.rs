//! Which server, and as whom: from `--dsn`, the environment, or what libpq itself would take.

use std::env;

use anyhow::{Context, Result, bail};
use clap::Args;
use postgres::Client;
use postgres::config::{Config, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::failure::Usage;

/// Where to connect to.
#[derive(Args, Clone)]
pub struct Target {
    /// A connection string, such as postgresql://user@host/database [env: TIMEDB_DSN, then DATABASE_URL, then PGHOST and
    /// the others that psql takes]
    #[arg(long, global = true, value_name = "DSN")]
    dsn: Option<String>,
}

impl Target {
    /// The connection string that was given, by the option or the environment.
    fn dsn(&self) -> String {
        let from_environment = || ["TIMEDB_DSN", "DATABASE_URL"].into_iter().find_map(set);
        self.dsn.clone().or_else(from_environment).unwrap_or_default()
    }

    /// What libpq would connect to: what the connection string leaves out is what its variables say.
    pub fn config(&self) -> Result<Config> {
        let mut config: Config = self
            .dsn()
            .parse()
            .map_err(|error: postgres::Error| Usage(format!("the DSN cannot be read: {error}")))?;
        if config.get_hosts().is_empty() {
            config.host(&set("PGHOST").unwrap_or_else(|| "/var/run/postgresql".to_owned()));
        }
        if let (true, Some(port)) = (config.get_ports().is_empty(), set("PGPORT")) {
            config.port(port.parse().map_err(|_| Usage(format!("PGPORT is \"{port}\"")))?);
        }
        if let (None, Some(user)) = (config.get_user(), set("PGUSER")) {
            config.user(&user);
        }
        if let (None, Some(name)) = (config.get_dbname(), set("PGDATABASE")) {
            config.dbname(&name);
        }
        if let (None, Some(password)) = (config.get_password(), set("PGPASSWORD")) {
            config.password(&password);
        }
        if let (None, Some(options)) = (config.get_options(), set("PGOPTIONS")) {
            config.options(&options);
        }
        if config.get_application_name().is_none() {
            config.application_name("timedb");
        }
        Ok(config)
    }

    /// A session on a server that has timedb.
    pub fn connect(&self) -> Result<Client> {
        let mut client = self.connect_to_any()?;
        let installed = client.query_opt("SELECT extversion FROM pg_extension WHERE extname = 'timedb'", &[])?;
        if installed.is_none() {
            bail!("the database has no timedb: timedb create tables makes it");
        }
        Ok(client)
    }

    /// A session on a server, whether it has timedb or not.
    pub fn connect_to_any(&self) -> Result<Client> {
        let config = self.config()?;
        let connected = match config.get_ssl_mode() {
            SslMode::Disable => config.connect(postgres::NoTls),
            _ => config.connect(tls()?),
        };
        connected.context("no connection")
    }
}

fn set(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Certificates are checked against those that the system trusts.
fn tls() -> Result<MakeRustlsConnect> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        roots.add(certificate).ok();
    }
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
