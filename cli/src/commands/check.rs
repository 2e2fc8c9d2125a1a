//! `timedb check`: what `timedb.self_check()` finds.

use anyhow::{Result, bail};
use clap::Args;

use crate::connection::Target;
use crate::show::Form;

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    form: Form,
}

impl Check {
    pub fn run(self) -> Result<()> {
        let mut client = self.target.connect()?;
        self.form.show(&mut client, "SELECT * FROM timedb.self_check()", &[])?;
        let findings: i64 = client
            .query_one("SELECT count(*) FROM timedb.self_check()", &[])?
            .get(0);
        if findings > 0 {
            bail!("the installation differs from what timedb made");
        }
        Ok(())
    }
}
