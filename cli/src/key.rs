//! The API key to act with: from an option, the environment or a prompt, never shown again.

use std::io::{IsTerminal, stdin};

use anyhow::{Context, Result, bail};
use clap::Args;
use postgres::Client;

/// Where a key comes from. In a process list an option can be read by everybody: the environment, or the prompt, is better.
#[derive(Args, Clone, Default)]
pub struct KeyOption {
    /// The API key to act with; better by TIMEDB_API_KEY or at the prompt, where no process list shows it
    #[arg(
        long,
        global = true,
        env = "TIMEDB_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    api_key: Option<String>,
}

impl KeyOption {
    /// The key that was given, or that somebody types now.
    pub fn ask(&self) -> Result<String> {
        if let Some(key) = &self.api_key {
            return Ok(key.clone());
        }
        if !stdin().is_terminal() {
            bail!("an API key is needed: set TIMEDB_API_KEY");
        }
        rpassword::prompt_password("API key: ").context("the key could not be read")
    }

    /// Logs a session in, for as long as it lasts.
    pub fn log_in(&self, client: &mut Client) -> Result<()> {
        let key = self.ask()?;
        client.query_one("SELECT * FROM timedb.authenticate($1)", &[&key])?;
        Ok(())
    }
}
