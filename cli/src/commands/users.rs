//! `timedb users`: whoever has a key is a user of a tenant. What is printed has the labels that the original's users cut out.

use anyhow::Result;
use clap::{Args, Subcommand};
use postgres::Client;
use postgres::error::SqlState;
use uuid::Uuid;

use crate::ask::Confirmation;
use crate::connection::Target;
use crate::key::Manager;
use crate::show::{Answer, Form};

pub const SAVE_THE_KEY: &str = "Save the API key - it will not be shown again.";

#[derive(Subcommand)]
pub enum Users {
    /// Make a user of a tenant, and its first key, which is shown once
    Create(Create),
    /// List users
    List(List),
    /// Refuse all keys of a user, from the next statement of every open session on
    Deactivate(Deactivate),
    /// Let a user's keys work again
    Activate(Activate),
    /// Replace a user's key by a new one, which is shown once
    RegenerateKey(RegenerateKey),
}

impl Users {
    pub fn run(self) -> Result<()> {
        match self {
            Users::Create(command) => command.run(),
            Users::List(command) => command.run(),
            Users::Deactivate(command) => command.run(),
            Users::Activate(command) => command.run(),
            Users::RegenerateKey(command) => command.run(),
        }
    }
}

/// What all of them take.
#[derive(Args)]
pub struct Common {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    manager: Manager,
    #[command(flatten)]
    form: Form,
}

impl Common {
    pub fn connect(&self) -> Result<Client> {
        self.manager.connect(&self.target)
    }

    pub fn form(&self) -> &Form {
        &self.form
    }
}

/// Which user.
#[derive(Args)]
pub struct Who {
    #[command(flatten)]
    name: Name,
    /// The tenant, where users of several have the email
    #[arg(long, value_name = "UUID")]
    tenant_id: Option<Uuid>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Name {
    /// The user's email
    #[arg(long)]
    email: Option<String>,
    /// The user's id
    #[arg(long, value_name = "UUID")]
    user_id: Option<Uuid>,
}

impl Who {
    pub fn email(&self) -> &Option<String> {
        &self.name.email
    }

    pub fn user_id(&self) -> &Option<Uuid> {
        &self.name.user_id
    }

    pub fn tenant_id(&self) -> &Option<Uuid> {
        &self.tenant_id
    }

    /// For a question.
    pub fn told(&self) -> String {
        let id = self.name.user_id.map(|id| id.to_string());
        self.name.email.clone().or(id).unwrap_or_default()
    }

    /// What the server says of an email of several tenants, with the option that tells them apart.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let told = error.downcast_ref::<postgres::Error>();
        let is_ambiguous = told.and_then(postgres::Error::as_db_error).is_some_and(|told| {
            *told.code() == SqlState::INVALID_PARAMETER_VALUE && told.message().contains("several tenants")
        });
        if is_ambiguous && self.tenant_id.is_none() {
            return error.context("--tenant-id is needed");
        }
        error
    }
}

#[derive(Args)]
pub struct Create {
    /// The tenant: any uuid, such as uuidgen prints; the first user of one makes it
    #[arg(long, value_name = "UUID")]
    tenant_id: Uuid,
    /// The user's email, or another name
    #[arg(long)]
    email: String,
    /// What the key may do: read; write, which uploads and corrects too; or admin, which manages the tenant's users too
    #[arg(long, default_value = "write", value_parser = ["read", "write", "admin"])]
    scope: String,
    #[command(flatten)]
    common: Common,
}

impl Create {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let sql = "SELECT user_id, tenant_id, email, api_key FROM timedb.create_user($1, $2, $3)";
        let answer = Answer::of(&mut client, sql, &[&self.tenant_id, &self.email, &self.scope])?;
        let answer = answer.labelled(["User ID", "Tenant ID", "Email", "API Key"]);
        self.common.form.print_record("User created", &answer)?;
        self.common.form.tell(SAVE_THE_KEY)
    }
}

#[derive(Args)]
pub struct List {
    /// Of this tenant alone
    #[arg(long, value_name = "UUID")]
    tenant_id: Option<Uuid>,
    /// Those too that are deactivated
    #[arg(long)]
    include_inactive: bool,
    #[command(flatten)]
    common: Common,
}

impl List {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let sql = "SELECT email, user_id, tenant_id, CASE WHEN is_active THEN 'active' ELSE 'inactive' END AS status, \
                          created_at FROM timedb.list_users($1, $2)";
        let answer = Answer::of(&mut client, sql, &[&self.tenant_id, &self.include_inactive])?;
        let answer = answer.labelled(["Email", "User ID", "Tenant ID", "Status", "Created"]);
        self.common.form.print_titled("Users", &answer)
    }
}

/// What deactivate_user and activate_user answer.
fn account(client: &mut Client, function: &str, who: &Who) -> Result<Answer> {
    let sql = format!(
        "SELECT email, user_id, tenant_id, CASE WHEN is_active THEN 'active' ELSE 'inactive' END AS status \
         FROM timedb.{function}($1, $2, $3)"
    );
    let answer = Answer::of(client, &sql, &[who.email(), who.user_id(), who.tenant_id()]);
    let answer = answer.map_err(|error| who.explain(error))?;
    Ok(answer.labelled(["Email", "User ID", "Tenant ID", "Status"]))
}

#[derive(Args)]
pub struct Deactivate {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    common: Common,
}

impl Deactivate {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let question = format!("All keys of {} will be refused. Go on?", self.who.told());
        self.confirmation.ask(&question)?;
        let answer = account(&mut client, "deactivate_user", &self.who)?;
        self.common.form.print_record("User deactivated", &answer)
    }
}

#[derive(Args)]
pub struct Activate {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    common: Common,
}

impl Activate {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let answer = account(&mut client, "activate_user", &self.who)?;
        self.common.form.print_record("User activated", &answer)
    }
}

#[derive(Args)]
pub struct RegenerateKey {
    #[command(flatten)]
    who: Who,
    /// How long the former key goes on working, such as '1 hour'
    #[arg(long, value_name = "INTERVAL", default_value = "0")]
    grace: String,
    /// Which key, where the user has several
    #[arg(long, value_name = "UUID")]
    key_id: Option<Uuid>,
    /// When the new key ends
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    common: Common,
}

impl RegenerateKey {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let question = format!("The present key of {} will end. Go on?", self.who.told());
        self.confirmation.ask(&question)?;
        let who = &self.who;
        let sql =
            "SELECT api_key FROM timedb.regenerate_key($1, $2, $3, $4::text::interval, $5, $6::text::timestamptz)";
        let answer = Answer::of(
            &mut client,
            sql,
            &[
                who.email(),
                who.user_id(),
                who.tenant_id(),
                &self.grace,
                &self.key_id,
                &self.expires_at,
            ],
        );
        let answer = answer.map_err(|error| who.explain(error))?.labelled(["API Key"]);
        self.common.form.print_record("Key replaced", &answer)?;
        self.common.form.tell(SAVE_THE_KEY)
    }
}
