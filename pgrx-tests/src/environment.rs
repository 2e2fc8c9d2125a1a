//! The environment variables by which `private-server run` tells a command about its server, and
//! those that a server or client must not inherit.

use std::process::Command;

/// The folder of the private server: its socket, log, data and programs.
pub const SERVER_DIR: &str = "TIMEDB_SERVER_DIR";
/// The server's log file.
pub const LOG: &str = "TIMEDB_LOG";
/// Where the server is a router: the folders of its shards, with colons between them.
pub const SHARDS: &str = "TIMEDB_SHARDS";
/// The `libtimedb.so` that the server has installed.
pub const LIBRARY: &str = "TIMEDB_LIBRARY";
/// The checkout whose control file and SQL are used; else the one this was compiled from (which may
/// be another one, where two share a target folder).
pub const PROJECT: &str = "TIMEDB_PROJECT";
/// The `pg_config` of the Postgres that private servers are copies of.
pub const PG_CONFIG: &str = "PG_CONFIG";

/// Takes away what libpq and the server would read (`PGSERVICE`, `PGOPTIONS`, `PGDATA`, …), so that
/// a developer's own settings change no test. `PG_CONFIG` and pgrx's `PGRX_…` stay: builds need them.
pub fn without_postgres_variables(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_libpq_variable) {
            command.env_remove(name);
        }
    }
    command
}

fn is_libpq_variable(name: &str) -> bool {
    name.starts_with("PG") && !name.starts_with("PG_") && !name.starts_with("PGRX_")
}

#[cfg(test)]
mod tests {
    use super::is_libpq_variable;

    #[test]
    fn libpq_variables_go_and_the_build_ones_stay() {
        assert!(is_libpq_variable("PGOPTIONS"));
        assert!(is_libpq_variable("PGDATA"));
        assert!(!is_libpq_variable("PG_CONFIG"));
        assert!(!is_libpq_variable("PGRX_PG_CONFIG_PATH"));
        assert!(!is_libpq_variable("PATH"));
    }
}
