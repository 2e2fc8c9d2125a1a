//! The command `timedb`: what one would otherwise do by SQL, typed in a terminal or a script, and an HTTP server.
//!
//! It connects as a role, and can do nothing that the role cannot: whoever may do what is decided by Postgres alone. Each
//! command is a file of `commands/`, which asks by [`connection`] and shows by [`show`].
//!
//! It exits with 0, with 1 where what was asked for could not be done, with 2 where it could not be understood.

mod api;
mod archive;
mod ask;
mod columns;
mod commands;
mod connection;
mod failure;
mod files;
mod interrupt;
mod key;
mod original;
mod plot;
mod progress;
mod secrets;
mod show;
mod spread;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

/// Time series that are revised, in PostgreSQL.
///
/// Connects to a database as the role that the DSN names, and can do nothing that the role cannot. Whoever reads and writes
/// series does so with an API key (TIMEDB_API_KEY); whoever makes users does so as an operator, a member of timedb_admin or a
/// superuser, or with a key of scope admin for its own tenant.
///
/// Exits with 0; with 1 where what was asked for could not be done; with 2 where it was not understood.
#[derive(Parser)]
#[command(name = "timedb", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => match arguments.command.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure::tell(&error),
        },
        Err(answer) => explain(&answer),
    }
}

/// Help that was asked for, or what was not understood: without a key or a password that was typed in the wrong place.
fn explain(answer: &clap::Error) -> ExitCode {
    let is_asked_for = matches!(answer.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_asked_for {
        // Whoever reads no further has what they wanted.
        answer.print().ok();
        return ExitCode::SUCCESS;
    }
    anstream::eprint!("{}", secrets::hidden(&answer.render().ansi().to_string()));
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
