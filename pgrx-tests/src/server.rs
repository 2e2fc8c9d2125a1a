//! Where a private server listens, and how to connect to it. Its socket trusts every role.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use postgres::{Client, Config, NoTls};

use crate::environment::without_postgres_variables;

/// A role that owns the private server.
pub(crate) const SUPERUSER: &str = "postgres";
/// The database that all others are copies of: the extension is in it.
pub(crate) const TEMPLATE: &str = "timedb_template";
/// A private server has its socket folder to itself, so one number does for all.
const PORT: u16 = 5432;

/// The address of a private server: the folder of its Unix socket.
#[derive(Clone, Debug)]
pub struct Server {
    folder: PathBuf,
}

impl Server {
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The server that `private-server run` started this process for.
    pub fn from_environment() -> Result<Self> {
        let folder = std::env::var_os("PGHOST")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .context(
                "PGHOST names no private server: run the tests by `make test`, \
                 or one of them by `target/debug/private-server run -- cargo test …`",
            )?;
        Ok(Self { folder })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgresql:///{database}?host={}&user={role}", self.folder.display())
    }

    pub fn connect(&self, role: &str, database: &str) -> Result<Client> {
        Config::new()
            .host_path(&self.folder)
            .port(PORT)
            .user(role)
            .dbname(database)
            .connect_timeout(Duration::from_secs(30))
            .connect(NoTls)
            .with_context(|| format!("cannot connect to {}", self.url(role, database)))
    }

    /// A client program (`psql`, `pg_dump`, …) of the server's own version, told where to connect.
    pub fn command(&self, program: &str, role: &str, database: &str) -> Command {
        let mut command = Command::new(self.folder.join("bin").join(program));
        self.tell(&mut command, role, database);
        command
    }

    /// Puts libpq's variables for this server into a command's environment.
    pub fn tell(&self, command: &mut Command, role: &str, database: &str) {
        without_postgres_variables(command)
            .env("PGHOST", &self.folder)
            .env("PGPORT", PORT.to_string())
            .env("PGUSER", role)
            .env("PGDATABASE", database);
    }

    /// Makes a database that has the extension.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let mut client = self.connect(SUPERUSER, "postgres")?;
        client
            .batch_execute(&format!(r#"CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}"#))
            .with_context(|| format!("cannot create the database {name}"))
    }

    pub fn drop_database(&self, name: &str) -> Result<()> {
        let mut client = self.connect(SUPERUSER, "postgres")?;
        client
            .batch_execute(&format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#))
            .with_context(|| format!("cannot drop the database {name}"))
    }

    /// Makes the template database and the login roles of the tests, once a server: `app` is a
    /// member of timedb_user, `caller` of timedb_caller, `ops` of timedb_admin, `evil` of nothing.
    pub(crate) fn prepare(&self) -> Result<()> {
        let mut client = self.connect(SUPERUSER, "postgres")?;
        client.batch_execute(&format!("CREATE DATABASE {TEMPLATE}"))?;
        let mut template = self.connect(SUPERUSER, TEMPLATE)?;
        template
            .batch_execute("CREATE EXTENSION timedb")
            .context("CREATE EXTENSION timedb")?;
        template.close()?;
        client
            .batch_execute(
                "CREATE ROLE app LOGIN IN ROLE timedb_user; \
                 CREATE ROLE caller LOGIN IN ROLE timedb_caller; \
                 CREATE ROLE ops LOGIN IN ROLE timedb_admin; \
                 CREATE ROLE evil LOGIN",
            )
            .context("cannot create the login roles app, caller, ops and evil")
    }
}
