//! The API key to act with: from an option, the environment or a prompt, never shown again.

use std::io::{IsTerminal, stdin};

use anyhow::{Context, Result, bail};
use clap::Args;
use postgres::Client;

use crate::connection::Target;

/// Where a key comes from. In a process list an option can be read by everybody: the environment, or the prompt, is better.
#[derive(Args, Clone, Default)]
pub struct KeyOption {
    /// The API key to act with; better by TIMEDB_API_KEY or at the prompt, where no process list shows it
    ///
    /// On a machine that others use they can list which programs run with which options (ps aux), and a shell keeps what
    /// is typed. The variable TIMEDB_API_KEY is seen by nobody else; without it, a terminal asks, and shows nothing of
    /// what is typed.
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
    /// The key that was given, if one was.
    fn given(&self) -> Option<&str> {
        self.api_key.as_deref().filter(|key| !key.is_empty())
    }

    /// The key that was given, or that somebody types now.
    fn ask(&self) -> Result<String> {
        if let Some(key) = self.given() {
            return Ok(key.to_owned());
        }
        if !stdin().is_terminal() {
            bail!("an API key is needed: set TIMEDB_API_KEY");
        }
        rpassword::prompt_password("API key: ").context("the key could not be read")
    }

    /// Logs a session in, for as long as it lasts. A role that is bound to a tenant needs no key.
    fn log_in(&self, client: &mut Client) -> Result<()> {
        if self.given().is_none() && is_bound(client) {
            return Ok(());
        }
        let key = self.ask()?;
        authenticate(client, &key)
    }
}

fn authenticate(client: &mut Client, key: &str) -> Result<()> {
    client.query_one("SELECT FROM timedb.authenticate($1)", &[&key])?;
    Ok(())
}

/// A role that may not even ask is not.
fn is_bound(client: &mut Client) -> bool {
    let asked = client.query_one("SELECT timedb.current_tenant() IS NOT NULL", &[]);
    asked.is_ok_and(|row| row.get(0))
}

/// A tenant's session: where it is, and by which key.
#[derive(Args)]
pub struct Tenant {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    key: KeyOption,
}

impl Tenant {
    pub fn session(&self) -> Result<Client> {
        let mut client = self.target.connect()?;
        self.key.log_in(&mut client)?;
        Ok(client)
    }

    /// Of the role that connects, which needs no key.
    pub fn operators_session(&self) -> Result<Client> {
        self.target.connect()
    }
}

/// Who manages: a tenant's admin by a key, or an operator by the role that connects.
#[derive(Args, Clone, Default)]
pub struct Manager {
    #[command(flatten)]
    key: KeyOption,
    /// Act as the role that connects, even where TIMEDB_API_KEY is set
    #[arg(long, global = true)]
    as_operator: bool,
}

impl Manager {
    pub fn connect(&self, target: &Target) -> Result<Client> {
        let mut client = target.connect()?;
        if let (false, Some(key)) = (self.as_operator, self.key.given()) {
            authenticate(&mut client, key)?;
        }
        Ok(client)
    }
}
