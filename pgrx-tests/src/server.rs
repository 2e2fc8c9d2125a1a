//! Where a private server listens, and how to connect to it. Its socket trusts every role. One that is a router has shards, and
//! what is made on it is made on them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use postgres::{Client, Config, NoTls};

use crate::environment::{SHARDS, without_postgres_variables};
use crate::gathered;

/// A role that owns the private server.
pub(crate) const SUPERUSER: &str = "postgres";
/// The database that all others are copies of: the extension is in it.
pub(crate) const TEMPLATE: &str = "timedb_template";
/// A private server has its socket folder to itself, so one number does for all.
pub(crate) const PORT: u16 = 5432;

/// The address of a private server: the folder of its Unix socket.
#[derive(Clone, Debug)]
pub struct Server {
    folder: PathBuf,
    kind: Kind,
}

/// What the databases of a server are.
#[derive(Clone, Debug, Default)]
pub(crate) enum Kind {
    #[default]
    Timedb,
    /// A timedb that routers show keys to.
    Shard,
    /// `timedb_router`, and the servers of its shards.
    Router(Vec<Server>),
}

impl Server {
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self::of_kind(folder, Kind::Timedb)
    }

    pub(crate) fn of_kind(folder: impl Into<PathBuf>, kind: Kind) -> Self {
        let folder = folder.into();
        Self { folder, kind }
    }

    /// The servers of the shards, where this one is a router.
    pub fn shards(&self) -> &[Server] {
        match &self.kind {
            Kind::Router(shards) => shards,
            Kind::Timedb | Kind::Shard => &[],
        }
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
        let kind = match std::env::var(SHARDS) {
            Ok(folders) => Kind::Router(folders.split(':').map(Server::at).collect()),
            Err(_) => Kind::Timedb,
        };
        Ok(Self::of_kind(folder, kind))
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

    /// Makes a database that has the extension; of a router, one on each of its shards too, and more logical shards than servers.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let mut client = self.connect(SUPERUSER, "postgres")?;
        client
            .batch_execute(&format!(r#"CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}"#))
            .with_context(|| format!("cannot create the database {name}"))?;
        for shard in self.shards() {
            shard.create_database(name)?;
        }
        if !self.shards().is_empty() {
            self.name_shards(name)?;
        }
        Ok(())
    }

    fn name_shards(&self, database: &str) -> Result<()> {
        let shards = self.shards();
        let logical = (2 * shards.len()).next_power_of_two();
        let mut transaction = self.connect(SUPERUSER, database)?;
        let mut transaction = transaction.transaction()?;
        for (number, shard) in shards.iter().cycle().take(logical).enumerate() {
            let sql = "INSERT INTO timedb_router.shards (shard, conninfo) VALUES ($1, $2)";
            transaction.execute(sql, &[&i32::try_from(number)?, &shard.conninfo(database)])?;
        }
        gathered::name_database(&mut transaction, database, shards.len())?;
        Ok(transaction.commit()?)
    }

    /// As a router's table of shards has it.
    pub fn conninfo(&self, database: &str) -> String {
        format!("host={} port={PORT} dbname={database}", self.folder.display())
    }

    pub fn drop_database(&self, name: &str) -> Result<()> {
        for shard in self.shards() {
            shard.drop_database(name)?;
        }
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
        let sql = match &self.kind {
            Kind::Timedb => "CREATE EXTENSION timedb",
            Kind::Shard => "CREATE EXTENSION timedb; CREATE EXTENSION timedb_shard",
            Kind::Router(_) => "CREATE EXTENSION plproxy; CREATE EXTENSION timedb_router",
        };
        template.batch_execute(sql).context(sql)?;
        gathered::prepare(&mut template, self.shards())?;
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
