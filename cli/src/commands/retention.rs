//! `timedb retention`: how long values are kept.

use anyhow::Result;
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::users::Common;
use crate::ask::Confirmation;
use crate::failure::Usage;
use crate::progress::Progress;
use crate::show::{Answer, print};

#[derive(Subcommand)]
pub enum Retention {
    /// Say how long a tenant's values are kept, or those of some series
    Set(Set),
    /// List what is set
    List(List),
    /// Take out what is kept no longer, for good; with --dry-run, only say what would go
    Apply(Apply),
}

impl Retention {
    pub fn run(self) -> Result<()> {
        match self {
            Retention::Set(command) => command.run(),
            Retention::List(command) => command.run(),
            Retention::Apply(command) => command.run(),
        }
    }
}

/// Nothing goes at once: at the next retention apply, or maintain.
#[derive(Args)]
pub struct Set {
    /// How long, such as '2 years'; forever; or default, which ends what the series have of their own
    #[arg(long, value_name = "INTERVAL")]
    keep: String,
    /// By which time: valid_time, or the known_time of their run
    #[arg(long, default_value = "valid_time", value_parser = ["valid_time", "known_time"])]
    basis: String,
    /// How long former versions are kept: of values further back only what a flat read shows
    #[arg(long, value_name = "INTERVAL")]
    keep_revisions: Option<String>,
    /// Of the series of this id, instead of the tenant's default; may be repeated
    #[arg(long = "series-id", value_name = "UUID")]
    series_ids: Option<Vec<Uuid>>,
    /// The tenant, where an operator sets it
    #[arg(long, value_name = "UUID")]
    tenant_id: Option<Uuid>,
    #[command(flatten)]
    common: Common,
}

impl Set {
    fn run(self) -> Result<()> {
        let (keep, basis) = match self.keep.as_str() {
            "forever" => (None, self.basis.as_str()),
            "default" if self.series_ids.is_none() => {
                return Err(Usage("--keep default goes with --series-id".into()).into());
            }
            "default" => (None, "default"),
            interval => (Some(interval), self.basis.as_str()),
        };
        let mut client = self.common.connect()?;
        let sql = "SELECT timedb.set_retention($1::text::interval, $2, $3::text::interval, $4, $5)";
        client.execute(
            sql,
            &[&keep, &basis, &self.keep_revisions, &self.series_ids, &self.tenant_id],
        )?;
        print("Retention set. It is applied by retention apply, and by maintain.\n")
    }
}

#[derive(Args)]
pub struct List {
    /// The tenant, where an operator asks
    #[arg(long, value_name = "UUID")]
    tenant_id: Option<Uuid>,
    #[command(flatten)]
    common: Common,
}

impl List {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let sql = "SELECT * FROM timedb.list_retention($1)";
        self.common.form().show(&mut client, sql, &[&self.tenant_id])
    }
}

#[derive(Args)]
pub struct Apply {
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// The tenant, where an operator applies it
    #[arg(long, value_name = "UUID")]
    tenant_id: Option<Uuid>,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    common: Common,
}

impl Apply {
    fn run(self) -> Result<()> {
        let mut client = self.common.connect()?;
        let sql = "SELECT * FROM timedb.apply_retention($1, $2)";
        if self.dry_run {
            let answer = Answer::of(&mut client, sql, &[&true, &self.tenant_id])?;
            return self.common.form().print_record("Would go", &answer);
        }
        self.confirmation
            .ask("What is kept no longer will be gone for good (--dry-run says what). Go on?")?;
        let progress = Progress::begin("removing");
        let mut sums = [0i64; 4];
        let mut before = i64::MAX;
        let remaining = loop {
            let row = client.query_one(
                "SELECT series::int8, versions, value_count, bytes, remaining FROM timedb.apply_retention($1, $2)",
                &[&false, &self.tenant_id],
            )?;
            let now: [i64; 4] = [0, 1, 2, 3].map(|column| row.get(column));
            for (sum, now) in sums.iter_mut().zip(now) {
                *sum += now;
            }
            let remaining: i64 = row.get(4);
            progress.say(format!(
                "removing: {} values are gone, {remaining} series to look at",
                sums[2]
            ));
            // A series with a run that an open transaction updates remains.
            if remaining == 0 || (remaining >= before && now == [0; 4]) {
                break remaining;
            }
            before = remaining;
        };
        drop(progress);
        let sql = "SELECT $1::int8 AS series, $2::int8 AS versions, $3::int8 AS value_count, $4::int8 AS bytes, \
                          $5::int8 AS remaining";
        let [series, versions, values, bytes] = &sums;
        let answer = Answer::of(&mut client, sql, &[series, versions, values, bytes, &remaining])?;
        self.common.form().print_record("Removed", &answer)
    }
}
