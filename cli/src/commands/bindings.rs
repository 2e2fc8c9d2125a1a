//! `timedb bind`, `unbind` and `bindings`: login roles that act for a tenant without a key, for operators.

use anyhow::Result;
use clap::Args;
use uuid::Uuid;

use crate::ask::Confirmation;
use crate::connection::Target;
use crate::show::{Form, print};

#[derive(Args)]
pub struct Bind {
    /// The login role, such as that of a dashboard
    role: String,
    /// The tenant
    #[arg(long, value_name = "UUID")]
    tenant_id: Uuid,
    /// What it may do
    #[arg(long, default_value = "read", value_parser = ["read", "write", "admin"])]
    scope: String,
    #[command(flatten)]
    target: Target,
}

impl Bind {
    pub fn run(self) -> Result<()> {
        let mut client = self.target.connect()?;
        let sql = "SELECT timedb.bind_role($1::text::name, $2, $3)";
        client.execute(sql, &[&self.role, &self.tenant_id, &self.scope])?;
        let Self {
            role, tenant_id, scope, ..
        } = self;
        print(&format!(
            "Bound {role} to the tenant {tenant_id}, with scope {scope}: its sessions need no key.\n"
        ))
    }
}

#[derive(Args)]
pub struct Unbind {
    /// The login role
    role: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    target: Target,
}

impl Unbind {
    pub fn run(self) -> Result<()> {
        let mut client = self.target.connect()?;
        let question = format!("Sessions of {} will act for nobody. Go on?", self.role);
        self.confirmation.ask(&question)?;
        client.execute("SELECT timedb.unbind_role($1::text::name)", &[&self.role])?;
        print(&format!("Unbound {}.\n", self.role))
    }
}

#[derive(Args)]
pub struct Bindings {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    form: Form,
}

impl Bindings {
    pub fn run(self) -> Result<()> {
        let mut client = self.target.connect()?;
        self.form.show(&mut client, "SELECT * FROM timedb.list_bindings()", &[])
    }
}
