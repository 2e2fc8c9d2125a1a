//! `timedb erase`: what is gone for good, share by share, each committed.

use anyhow::Result;
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::users::Common;
use crate::ask::Confirmation;
use crate::progress::Progress;
use crate::show::Answer;

#[derive(Subcommand)]
pub enum Erase {
    /// A run, with all that its upload and updates have written
    Run(Part),
    /// A series, with its values of all runs
    Series(Part),
    /// A tenant: users, keys, bindings, series, runs and values; for operators
    Tenant(Tenant),
}

impl Erase {
    pub fn run(self) -> Result<()> {
        match self {
            Erase::Run(command) => command.run("run", "erase_run"),
            Erase::Series(command) => command.run("series", "erase_series"),
            Erase::Tenant(command) => command.run(),
        }
    }
}

#[derive(Args)]
pub struct Part {
    /// Its id
    id: Uuid,
    /// Whose it is, where an operator erases it
    #[arg(long, value_name = "UUID")]
    tenant_id: Option<Uuid>,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    common: Common,
}

impl Part {
    fn run(self, what: &str, function: &str) -> Result<()> {
        let mut client = self.common.connect()?;
        let question = format!("The {what} {} will be gone for good. Go on?", self.id);
        self.confirmation.ask(&question)?;
        let progress = Progress::begin(&format!("erasing the {what}"));
        let sql = format!("SELECT versions, value_count, remaining FROM timedb.{function}($1, $2)");
        let (mut versions, mut values) = (0i64, 0i64);
        let mut before = i64::MAX;
        let remaining = loop {
            let row = client.query_one(&sql, &[&self.id, &self.tenant_id])?;
            let [versions_now, values_now, remaining]: [i64; 3] = [0, 1, 2].map(|column| row.get(column));
            versions += versions_now;
            values += values_now;
            progress.say(format!(
                "erasing the {what}: {versions} versions are gone, {remaining} rows to look at"
            ));
            // What another transaction holds remains.
            if remaining == 0 || (remaining >= before && versions_now == 0) {
                break remaining;
            }
            before = remaining;
        };
        drop(progress);
        let sql = "SELECT $1::int8 AS versions, $2::int8 AS value_count, $3::int8 AS remaining";
        let answer = Answer::of(&mut client, sql, &[&versions, &values, &remaining])?;
        self.common.form().print_record("Erased", &answer)?;
        held_back(remaining)
    }
}

/// Whoever relies on it being gone must know that it is not.
fn held_back(remaining: i64) -> Result<()> {
    if remaining > 0 {
        anyhow::bail!("a transaction that is open holds the rest: erase it again once it has ended");
    }
    Ok(())
}

#[derive(Args)]
pub struct Tenant {
    /// The tenant's id
    tenant_id: Uuid,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    common: Common,
}

impl Tenant {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let question = format!(
            "The tenant {} will be gone for good, with all it has. Go on?",
            self.tenant_id
        );
        self.confirmation.ask(&question)?;
        let progress = Progress::begin("erasing the tenant");
        let sql = "SELECT users, keys, bindings, series, runs, value_count, remaining FROM timedb.erase_tenant($1)";
        let mut sums = [0i64; 6];
        let mut before = i64::MAX;
        let remaining = loop {
            let row = client.query_one(sql, &[&self.tenant_id])?;
            let now: [i64; 6] = [0, 1, 2, 3, 4, 5].map(|column| row.get(column));
            for (sum, now) in sums.iter_mut().zip(now) {
                *sum += now;
            }
            let remaining: i64 = row.get(6);
            progress.say(format!("erasing the tenant: {remaining} rows are left"));
            if remaining == 0 || (remaining >= before && now == [0; 6]) {
                break remaining;
            }
            before = remaining;
        };
        drop(progress);
        let sql = "SELECT $1::int8 AS users, $2::int8 AS keys, $3::int8 AS bindings, $4::int8 AS series, \
                          $5::int8 AS runs, $6::int8 AS value_count, $7::int8 AS remaining";
        let [users, keys, bindings, series, runs, values] = &sums;
        let answer = Answer::of(
            &mut client,
            sql,
            &[users, keys, bindings, series, runs, values, &remaining],
        )?;
        self.common.form().print_record("Erased", &answer)?;
        held_back(remaining)
    }
}
