//! `timedb stats`: how much is stored, by a tenant with its key, of all of them by an operator.

use anyhow::Result;
use clap::Args;

use crate::connection::Target;
use crate::key::KeyOption;
use crate::show::Form;

#[derive(Args)]
pub struct Stats {
    /// Of every tenant, for operators; without it, of the tenant of the API key
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    key: KeyOption,
    #[command(flatten)]
    form: Form,
}

impl Stats {
    pub fn run(self) -> Result<()> {
        let mut client = self.target.connect()?;
        if self.all {
            return self.form.show(&mut client, "SELECT * FROM timedb.tenant_stats()", &[]);
        }
        self.key.log_in(&mut client)?;
        self.form.show(&mut client, "SELECT * FROM timedb.stats()", &[])
    }
}
