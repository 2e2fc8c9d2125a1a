//! `timedb keys`: a user may have several, each with its own scope and end.

use anyhow::Result;
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::users::{Common, SAVE_THE_KEY, Who};
use crate::ask::Confirmation;
use crate::show::Answer;

#[derive(Subcommand)]
pub enum Keys {
    /// Make another key for a user, which is shown once
    Create(Create),
    /// List keys by name and last four characters
    List(List),
    /// End a key, from the next statement of every open session on
    Revoke(Revoke),
}

impl Keys {
    pub fn run(self) -> Result<()> {
        match self {
            Keys::Create(command) => command.run(),
            Keys::List(command) => command.run(),
            Keys::Revoke(command) => command.run(),
        }
    }
}

#[derive(Args)]
pub struct Create {
    #[command(flatten)]
    who: Who,
    /// What the key is for
    #[arg(long)]
    name: Option<String>,
    /// What it may do
    #[arg(long, default_value = "write", value_parser = ["read", "write", "admin"])]
    scope: String,
    /// When it ends, such as 2030-01-01; never, where it is left out
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Create {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let who = &self.who;
        let sql = "SELECT key_id, api_key FROM timedb.create_key($1, $2, $3, $4, $5, $6::text::timestamptz)";
        let answer = Answer::of(
            &mut client,
            sql,
            &[
                who.email(),
                who.user_id(),
                who.tenant_id(),
                &self.name,
                &self.scope,
                &self.expires_at,
            ],
        );
        let answer = answer.map_err(|error| who.explain(error))?;
        let answer = answer.labelled(["Key ID", "API Key"]);
        self.common.form().print_record("Key created", &answer)?;
        self.common.form().tell(SAVE_THE_KEY)
    }
}

#[derive(Args)]
pub struct List {
    /// Of this tenant alone
    #[arg(long, value_name = "UUID")]
    tenant_id: Option<Uuid>,
    /// Of this user alone
    #[arg(long, value_name = "UUID")]
    user_id: Option<Uuid>,
    #[command(flatten)]
    common: Common,
}

impl List {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let sql = "SELECT key_id, email, name, hint, scope, created_at, expires_at, revoked_at \
                   FROM timedb.list_keys($1, $2)";
        let answer = Answer::of(&mut client, sql, &[&self.tenant_id, &self.user_id])?;
        let labels = [
            "Key ID",
            "Email",
            "Name",
            "Ends with",
            "Scope",
            "Created",
            "Expires",
            "Revoked",
        ];
        self.common.form().print_titled("Keys", &answer.labelled(labels))
    }
}

#[derive(Args)]
pub struct Revoke {
    /// The key's id, which keys list tells
    #[arg(value_name = "KEY_ID", value_parser = key_id)]
    key_id: Uuid,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    common: Common,
}

/// Whoever types the key itself is not shown it again.
fn key_id(text: &str) -> Result<Uuid, String> {
    text.parse()
        .map_err(|_| "not the id of a key: keys list tells it".to_owned())
}

impl Revoke {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let question = format!("The key {} will be refused from now on. Go on?", self.key_id);
        self.confirmation.ask(&question)?;
        let sql = "SELECT $1::uuid AS key_id, revoked_at FROM timedb.revoke_key($1)";
        let answer = Answer::of(&mut client, sql, &[&self.key_id])?;
        let answer = answer.labelled(["Key ID", "Revoked"]);
        self.common.form().print_record("Key revoked", &answer)
    }
}
