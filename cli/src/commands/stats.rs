//! `timedb stats`: how much is stored, by a tenant with its key, of all of them by an operator.

use anyhow::Result;
use clap::Args;

use crate::key::Tenant;
use crate::show::Form;

#[derive(Args)]
pub struct Stats {
    /// Of every tenant, for operators; without it, of the tenant of the API key
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    tenant: Tenant,
    #[command(flatten)]
    form: Form,
}

impl Stats {
    pub fn run(self) -> Result<()> {
        let (mut client, sql) = match self.all {
            true => (self.tenant.operators_session()?, "SELECT * FROM timedb.tenant_stats()"),
            false => (self.tenant.session()?, "SELECT * FROM timedb.stats()"),
        };
        self.form.show(&mut client, sql, &[])
    }
}
