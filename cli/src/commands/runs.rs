//! `timedb runs`: what was uploaded, and taking it back.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;
use uuid::Uuid;

use super::series::labels;
use crate::key::Tenant;
use crate::show::{Answer, Form};

#[derive(Subcommand)]
pub enum Runs {
    /// List runs, the one uploaded last first
    List(List),
    /// Take a run back: no read shows it until it is restored
    Withdraw(Take),
    /// Show a withdrawn run again
    Restore(Take),
}

impl Runs {
    pub fn run(self) -> Result<()> {
        match self {
            Runs::List(command) => command.run(),
            Runs::Withdraw(command) => command.run("withdraw_run", "Run withdrawn"),
            Runs::Restore(command) => command.run("restore_run", "Run restored"),
        }
    }
}

#[derive(Args)]
pub struct List {
    /// Of this workflow
    #[arg(long, value_name = "TEXT")]
    workflow_id: Option<String>,
    /// With values of this series; may be repeated
    #[arg(long = "series", value_name = "KEY")]
    series_keys: Option<Vec<String>>,
    /// With values of the series of this id; may be repeated
    #[arg(long = "series-id", value_name = "UUID")]
    series_ids: Option<Vec<Uuid>>,
    /// With values of series whose labels contain these
    #[arg(long, value_name = "JSON", value_parser = labels)]
    labels: Option<Value>,
    /// Known at this moment or later
    #[arg(long, value_name = "TIME")]
    start_known: Option<String>,
    /// Known before this moment
    #[arg(long, value_name = "TIME")]
    end_known: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_rows: i32,
    /// The next page: the last run of this one
    #[arg(long, value_name = "RUN_ID")]
    after: Option<Uuid>,
    #[command(flatten)]
    tenant: Tenant,
    #[command(flatten)]
    form: Form,
}

impl List {
    fn run(self) -> Result<()> {
        let mut client = self.tenant.session()?;
        let sql = "SELECT * FROM timedb.list_runs( \
                     $1, $2, $3, $4, $5::text::timestamptz, $6::text::timestamptz, $7, $8)";
        self.form.show(
            &mut client,
            sql,
            &[
                &self.workflow_id,
                &self.series_keys,
                &self.series_ids,
                &self.labels,
                &self.start_known,
                &self.end_known,
                &self.max_rows,
                &self.after,
            ],
        )
    }
}

#[derive(Args)]
pub struct Take {
    /// The run's id, which runs list tells
    run_id: Uuid,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    tenant: Tenant,
    #[command(flatten)]
    form: Form,
}

impl Take {
    fn run(self, function: &str, done: &str) -> Result<()> {
        let mut client = self.tenant.session()?;
        let sql = format!("SELECT * FROM timedb.{function}($1, $2)");
        let answer = Answer::of(&mut client, &sql, &[&self.run_id, &self.reason])?;
        self.form.print_record(done, &answer)
    }
}
