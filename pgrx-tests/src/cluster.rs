//! A private Postgres server with timedb installed, in a temporary folder of its own: its copy of
//! the programs, its data, its socket and its log. It goes away with the value that stands for it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};

use crate::account::Account;
use crate::database::Database;
use crate::environment::{LIBRARY, LOG, PG_CONFIG, PROJECT, SERVER_DIR, SHARDS};
use crate::installation::Installation;
use crate::keeper::Keeper;
use crate::memory;
use crate::project::{Project, built_library};
use crate::server::{Kind, SUPERUSER, Server};

/// Not `$TMPDIR`, which may be long: a socket's path has 107 bytes.
const TEMPORARY: &str = "/tmp";
const PREFIX: &str = "tdb.";
const LOG_LINES_SHOWN: usize = 30;

/// How to start a [`Cluster`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    pg_config: Option<PathBuf>,
    library: Option<PathBuf>,
    project: Project,
    settings: Vec<String>,
    durable: bool,
    bare: bool,
    in_memory: bool,
    initdb: Vec<String>,
    kind: Kind,
    packages: Vec<PathBuf>,
}

impl Options {
    /// Which Postgres to copy. Default: `$PG_CONFIG`, else `pg_config` on the PATH.
    pub fn pg_config(mut self, path: impl Into<PathBuf>) -> Self {
        self.pg_config = Some(path.into());
        self
    }

    /// Which `libtimedb.so` to install. Default: [`built_library`].
    pub fn library(mut self, path: impl Into<PathBuf>) -> Self {
        self.library = Some(path.into());
        self
    }

    /// Which checkout the control file and the SQL come from. Default: this one.
    pub fn project(mut self, project: Project) -> Self {
        self.project = project;
        self
    }

    /// A further line of postgresql.conf.
    pub fn setting(mut self, line: impl Into<String>) -> Self {
        self.settings.push(line.into());
        self
    }

    /// Writes reach the disk, as on a real server. Tests do without.
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Installs timedb's files but creates neither the extension nor the tests' login roles, for a
    /// test that restores a dump or squats a name. [`Cluster::create_database`] needs them.
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// The data lie in memory, where there is room for them: for many databases.
    pub fn in_memory(mut self, in_memory: bool) -> Self {
        self.in_memory = in_memory;
        self
    }

    /// A timedb that routers show keys to.
    pub fn shard(mut self) -> Self {
        self.kind = Kind::Shard;
        self
    }

    /// A router of these shards, which must outlive it.
    pub fn router(mut self, shards: Vec<Server>) -> Self {
        self.kind = Kind::Router(shards);
        self
    }

    /// A package of the distribution for this Postgres, by where it was unpacked.
    pub fn package(mut self, unpacked: impl Into<PathBuf>) -> Self {
        self.packages.push(unpacked.into());
        self
    }

    /// Makes the files of the WAL the smallest there are, 1 MiB each, for a test that gives them little room.
    pub fn small_wal(self) -> Self {
        self.initdb("--wal-segsize=1")
    }

    /// Another argument of initdb.
    pub fn initdb(mut self, argument: impl Into<String>) -> Self {
        self.initdb.push(argument.into());
        self
    }

    pub fn start(&self) -> Result<Cluster> {
        let account = Account::of_this_process()?;
        let folder = private_folder(&account)?;
        // From here on the keeper cleans up, whatever fails.
        let keeper = Keeper::of(&folder, &account)?;
        if self.in_memory {
            memory::lay_out(&folder, &account)?;
        }
        let pg_config = self.pg_config.clone().unwrap_or_else(Installation::default_pg_config);
        let library = self.library.clone().map_or_else(built_library, Ok)?;
        let library = library
            .canonicalize()
            .with_context(|| format!("cannot find the library {}", library.display()))?;

        let original = Installation::of(&pg_config)?;
        let copy = original.copy_under(&folder)?;
        for package in &self.packages {
            copy.add_package(&original, package)?;
        }
        copy.add_timedb(&self.project, &library)?;
        symlink(&copy.programs, folder.join("bin"))?;

        let server = Server::of_kind(&folder, self.kind.clone());
        let cluster = Cluster {
            server,
            copy,
            account,
            pg_config,
            library,
            project: self.project.clone(),
            keeper,
        };
        cluster.create(&self.configuration(&folder), &self.initdb)?;
        cluster.start()?;
        if !self.bare {
            cluster.server.prepare().map_err(|error| cluster.with_log(error))?;
        }
        Ok(cluster)
    }

    fn configuration(&self, folder: &Path) -> String {
        let mut lines = vec![
            "listen_addresses = ''".to_owned(),
            format!("unix_socket_directories = '{}'", folder.display()),
            "timezone = 'UTC'".to_owned(),
            "log_timezone = 'UTC'".to_owned(),
            "log_line_prefix = '%m [%p] %q%u@%d '".to_owned(),
        ];
        if !self.durable {
            lines.extend(["fsync", "full_page_writes", "jit"].map(off));
        }
        lines.extend(self.settings.iter().cloned());
        lines.join("\n") + "\n"
    }
}

fn off(setting: &str) -> String {
    format!("{setting} = off")
}

/// A running private server. Dropping it stops the server and removes the folder.
pub struct Cluster {
    server: Server,
    copy: Installation,
    account: Account,
    pg_config: PathBuf,
    library: PathBuf,
    project: Project,
    keeper: Keeper,
}

impl Cluster {
    pub fn start_default() -> Result<Self> {
        Options::default().start()
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub fn connect(&self, role: &str, database: &str) -> Result<postgres::Client> {
        self.server.connect(role, database)
    }

    /// Installs the project's files and another library under the running server, as `make install` does.
    pub fn install(&self, library: &Path) -> Result<()> {
        self.copy.add_timedb(&self.project, library)
    }

    /// Makes a database that has the extension; it lives as long as the cluster.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.server.create_database(name)
    }

    /// Makes a database for one test; it is dropped with the value.
    pub fn database(&self, name: &str) -> Result<Database> {
        Database::on(self.server.clone(), name)
    }

    /// Stops in good order and starts again.
    pub fn restart(&self) -> Result<()> {
        self.stop("fast")?;
        self.start()
    }

    /// Ends the server as a power cut would, as far as its own memory goes, and lets it recover.
    pub fn crash(&self) -> Result<()> {
        self.stop("immediate")?;
        self.start()
    }

    pub fn start(&self) -> Result<()> {
        let log = self.log_path();
        let mut command = self.pg_ctl("start");
        command.args(["--wait", "--timeout=60", "--log"]).arg(&log);
        succeed(&mut command).map_err(|error| self.with_log(error))
    }

    /// `mode` is pg_ctl's: `smart`, `fast` or `immediate`.
    pub fn stop(&self, mode: &str) -> Result<()> {
        let mut command = self.pg_ctl("stop");
        command.args(["--wait", "--mode", mode]);
        succeed(&mut command).map_err(|error| self.with_log(error))
    }

    pub fn log_path(&self) -> PathBuf {
        self.folder().join("log")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Makes a command a client of this server: libpq's variables, the server's own programs first
    /// on the PATH, and the variables that tests find their server by.
    pub fn tell(&self, command: &mut Command, database: &str) {
        self.server.tell(command, SUPERUSER, database);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", self.folder().join("bin").display()))
            .env(SERVER_DIR, self.folder())
            .env(LOG, self.log_path())
            .env(LIBRARY, &self.library)
            .env(PROJECT, self.project.root())
            .env(PG_CONFIG, &self.pg_config)
            .env_remove("RUST_BACKTRACE");
        let shards: Vec<String> = self
            .server
            .shards()
            .iter()
            .map(|shard| shard.folder().display().to_string())
            .collect();
        if shards.is_empty() {
            command.env_remove(SHARDS);
        } else {
            command.env(SHARDS, shards.join(":"));
        }
    }

    /// Lets the server live on after this process and returns where it is. [`remove`] ends it.
    pub fn leave_running(self) -> Result<Server> {
        self.keeper.dismiss()?;
        Ok(self.server)
    }

    fn create(&self, configuration: &str, arguments: &[String]) -> Result<()> {
        let mut initdb = self.account.command(&self.folder().join("bin/initdb"));
        initdb
            .args(["--no-sync", "--locale=C.UTF-8", "--encoding=UTF8", "--auth=trust"])
            .args(["--username", SUPERUSER, "--pgdata"])
            .arg(self.data())
            .args(arguments);
        succeed(&mut initdb)?;
        let path = self.data().join("postgresql.conf");
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(configuration.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = self.account.command(&self.folder().join("bin/pg_ctl"));
        command.args([action, "--silent", "--pgdata"]).arg(self.data());
        command
    }

    /// The server's own last words usually say why.
    fn with_log(&self, error: Error) -> Error {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
        anyhow!("{error:#}\nThe log of the private server ends with:\n{tail}")
    }
}

/// Stops a server that was left running and removes its folder.
pub fn remove(folder: &Path) -> Result<()> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ensure!(
        folder.parent() == Some(Path::new(TEMPORARY)) && name.starts_with(PREFIX),
        "{} is no private server's folder: left alone",
        folder.display()
    );
    drop(Keeper::of(folder, &Account::of_this_process()?)?);
    ensure!(!folder.exists(), "cannot remove {}: whose is it?", folder.display());
    Ok(())
}

fn private_folder(account: &Account) -> Result<PathBuf> {
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(TEMPORARY)
        .with_context(|| format!("cannot make a folder in {TEMPORARY}"))?;
    account.own(folder.path())?;
    Ok(folder.keep())
}

pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        // Some say there what went well, pg_upgrade what did not.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        bail!("{command:?} ended with {}:\n{}", output.status, said.trim_end());
    }
    Ok(())
}
