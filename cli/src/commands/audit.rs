//! `timedb audit`: who did what to users, keys and bindings.

use anyhow::Result;
use clap::Args;
use uuid::Uuid;

use super::users::Common;

#[derive(Args)]
pub struct Audit {
    /// Of this tenant alone
    #[arg(long, value_name = "UUID")]
    tenant_id: Option<Uuid>,
    /// From this moment on, such as 2025-01-01 or '2025-01-01 06:00+01'
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Audit {
    pub fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let sql = "SELECT * FROM timedb.list_audit($1, $2::text::timestamptz)";
        self.common
            .form()
            .show(&mut client, sql, &[&self.tenant_id, &self.since])
    }
}
