//! One command a file: its arguments, and what it asks the server.

mod check;
mod stats;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    /// Look for what is wrong with the installation: prints nothing where nothing is
    Check(check::Check),
    /// How much is stored
    Stats(stats::Stats),
}

impl Command {
    pub fn run(self) -> Result<()> {
        match self {
            Command::Check(command) => command.run(),
            Command::Stats(command) => command.run(),
        }
    }
}
