//! A PgBouncer of the test's own, configured as docs/pools.md says, in front of the private server.

use std::os::unix::net::UnixStream;

use postgres::{Client, Config, NoTls};
use timedb_testkit::{Database, Notices, Server, succeed};

use crate::program::{Account, Folder, Program, installed};

const DOCUMENTED: &str = include_str!("../../docs/pools.md");
const PORT: u16 = 6432;

pub struct PgBouncer {
    program: Program,
    database: String,
}

impl PgBouncer {
    /// In transaction mode, with one server connection for each login role; `settings` come last and so win.
    #[track_caller]
    pub fn in_front_of(database: &Database, settings: &[&str]) -> Self {
        let roles = ["app", "bi_alice", "bi_bob"];
        Self::of_server(database.server(), database.name(), &roles, settings)
    }

    /// The same for these roles, in front of any server.
    #[track_caller]
    pub fn of_server(server: &Server, database: &str, roles: &[&str], settings: &[&str]) -> Self {
        let folder = Folder::of(Account::of(server));
        // The user of the server may be unable to read the folder that cargo builds in.
        folder.copy(&installed("pgbouncer"));
        let users: String = roles.iter().map(|role| format!("\"{role}\" \"\"\n")).collect();
        folder.write("users", &users);
        let configuration = configuration(server, &folder, settings);
        let configuration = folder.write("pgbouncer.ini", &configuration);
        let socket = folder.path().join(format!(".s.PGSQL.{PORT}"));
        let run = folder.path().join("run");
        let program = Program::start(
            folder,
            &run,
            |command| {
                command.arg(configuration);
            },
            || UnixStream::connect(&socket).map(drop),
        );
        Self {
            program,
            database: database.to_owned(),
        }
    }

    /// As a router's table of shards has it.
    pub fn conninfo(&self) -> String {
        let folder = self.program.folder().display();
        format!("host={folder} port={PORT} dbname={}", self.database)
    }

    /// Whoever asks through the pool.
    #[track_caller]
    pub fn client(&self, role: &str) -> Client {
        self.config(role)
            .connect(NoTls)
            .unwrap_or_else(|error| panic!("{role} cannot connect: {error:?}"))
    }

    /// The same, and the notices it gets.
    #[track_caller]
    pub fn client_with_notices(&self, role: &str) -> (Client, Notices) {
        let mut config = self.config(role);
        let notices = Notices::of(&mut config);
        (succeed(config.connect(NoTls)), notices)
    }

    pub fn config(&self, role: &str) -> Config {
        let mut config: Config = self.conninfo().parse().expect("words of libpq");
        config.user(role);
        config
    }
}

/// The documented configuration, with this server's paths and without passwords.
fn configuration(server: &Server, folder: &Folder, settings: &[&str]) -> String {
    let documented = DOCUMENTED
        .split("```ini\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("docs/pools.md has a configuration");
    let mut lines: Vec<String> = documented
        .lines()
        .map(|line| match line.split('=').next().map(str::trim) {
            Some("timedb") => format!("* = host={}", server.folder().display()),
            Some("unix_socket_dir") => format!("unix_socket_dir = {}", folder.path().display()),
            Some("listen_port") => format!("listen_port = {PORT}"),
            Some("auth_type") => "auth_type = trust".to_owned(),
            Some("auth_file") => format!("auth_file = {}/users", folder.path().display()),
            _ => line.to_owned(),
        })
        .collect();
    lines.push("default_pool_size = 1".to_owned());
    lines.extend(settings.iter().map(|&line| line.to_owned()));
    lines.join("\n") + "\n"
}
