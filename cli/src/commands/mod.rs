//! One command a file: its arguments, and what it asks the server.

mod api;
mod audit;
mod bindings;
mod check;
mod completions;
mod erase;
mod export;
mod import;
mod import_original;
mod keys;
mod maintain;
mod man;
mod move_tenant;
mod read;
mod retention;
mod runs;
mod series;
mod stats;
mod tables;
mod upload;
mod users;

use anyhow::Result;
use clap::Subcommand;

use crate::interrupt;

#[derive(Subcommand)]
pub enum Command {
    /// Serve the database over HTTP
    Api(api::Api),
    /// Make timedb in a database: the extension, and the role that its HTTP server connects as
    #[command(subcommand)]
    Create(tables::Create),
    /// Take timedb out of a database, with all that is stored in it
    #[command(subcommand, visible_alias = "drop")]
    Delete(tables::Delete),
    /// Who may use it: make, list, deactivate and activate users, and give them a new key
    #[command(subcommand)]
    Users(users::Users),
    /// API keys: further ones for a user, which there are, and their end
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Let a login role act for a tenant without a key
    Bind(bindings::Bind),
    /// End that
    Unbind(bindings::Unbind),
    /// Which login roles act for a tenant without a key
    Bindings(bindings::Bindings),
    /// Who made, changed or ended users, keys and bindings
    Audit(audit::Audit),
    /// Look for what is wrong with the installation: prints nothing where nothing is
    Check(check::Check),
    /// Write all of a tenant to a file
    Export(export::Export),
    /// Make a tenant from a file that export has written
    Import(import::Import),
    /// Move a tenant from one of a router's servers to another
    MoveTenant(move_tenant::MoveTenant),
    /// Store what the original service has
    ImportOriginal(import_original::ImportOriginal),
    /// How much is stored
    Stats(stats::Stats),
    /// Pack what was written, and remove what retention lets go, of all tenants: for operators, nightly
    Maintain(maintain::Maintain),
    /// How long values are kept
    #[command(subcommand)]
    Retention(retention::Retention),
    /// Store a file of values as one run
    Upload(Box<upload::Upload>),
    /// Read values into the terminal, a chart or a file
    Read(Box<read::Read>),
    /// What was uploaded, and taking it back
    #[command(subcommand)]
    Runs(runs::Runs),
    /// Which series there are, and what is said of them
    #[command(subcommand)]
    Series(series::Series),
    /// Erase a run, a series or a tenant, for good
    #[command(subcommand)]
    Erase(erase::Erase),
    /// Print what a shell completes commands by
    Completions(completions::Completions),
    /// Write the manual's pages into a folder
    Man(man::Man),
}

impl Command {
    pub fn run(self) -> Result<()> {
        // The server ends by itself, once requests in flight are answered.
        if let Command::Api(command) = self {
            return command.run();
        }
        interrupt::watch()?;
        match self {
            Command::Api(_) => unreachable!("it has run"),
            Command::Create(command) => command.run(),
            Command::Delete(command) => command.run(),
            Command::Users(command) => command.run(),
            Command::Keys(command) => command.run(),
            Command::Bind(command) => command.run(),
            Command::Unbind(command) => command.run(),
            Command::Bindings(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::MoveTenant(command) => command.run(),
            Command::ImportOriginal(command) => command.run(),
            Command::Stats(command) => command.run(),
            Command::Maintain(command) => command.run(),
            Command::Retention(command) => command.run(),
            Command::Upload(command) => command.run(),
            Command::Read(command) => command.run(),
            Command::Runs(command) => command.run(),
            Command::Series(command) => command.run(),
            Command::Erase(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        }
    }
}
