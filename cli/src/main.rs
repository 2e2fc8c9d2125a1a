//! The command `timedb`: what one would otherwise do by SQL, typed in a terminal or a script, and an HTTP server.
//!
//! It connects as a role, and can do nothing that the role cannot: whoever may do what is decided by Postgres alone. Each
//! command is a file of `commands/`, which asks by [`connection`] and shows by [`show`].
//!
//! It exits with 0, with 1 where what was asked for could not be done, with 2 where it could not be understood.

mod commands;
mod connection;
mod failure;
mod key;
mod show;

use std::process::ExitCode;

use clap::Parser;

/// Time series that are revised, in PostgreSQL.
#[derive(Parser)]
#[command(name = "timedb", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::tell(&error),
    }
}
