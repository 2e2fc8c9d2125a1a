//! `timedb maintain`: the nightly call, with what it has done so far.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use postgres::Client;

use crate::connection::Target;
use crate::progress::Progress;
use crate::show::Form;

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// As an operator: a member of timedb_admin, or a superuser.
///
/// Each tenant's share is committed by itself: Ctrl-C, or the end of the budget, undoes nothing but the last. Twice at once
/// is no harm.
#[derive(Args)]
pub struct Maintain {
    /// How long at most
    #[arg(long, value_name = "INTERVAL", default_value = "1 hour")]
    budget: String,
    /// Pack what was written longer ago than this
    #[arg(long, value_name = "INTERVAL", default_value = "1 day")]
    older_than: String,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    form: Form,
}

impl Maintain {
    pub fn run(self) -> Result<()> {
        let mut client = self.target.connect()?;
        let mut observer = self.target.connect()?;
        let started: String = client.query_one("SELECT clock_timestamp()::text", &[])?.get(0);
        let (done, is_done) = channel::<()>();
        let since = started.clone();
        let watching = thread::spawn(move || watch(&mut observer, &since, &is_done));
        let sql = "CALL timedb.maintain($1::text::interval, $2::text::interval)";
        let maintained = client.execute(sql, &[&self.budget, &self.older_than]);
        drop(done);
        watching.join().ok();
        maintained?;
        let sql = "SELECT * FROM timedb.maintenance WHERE started_at >= $1::text::timestamptz";
        self.form.show(&mut client, sql, &[&started])?;
        let sql =
            "SELECT count(*) FROM timedb.maintenance WHERE error IS NOT NULL AND started_at >= $1::text::timestamptz";
        let failed: i64 = client.query_one(sql, &[&started])?.get(0);
        if failed > 0 {
            bail!("the maintenance of {failed} tenants failed: the column error says why");
        }
        Ok(())
    }
}

/// By another session, as this one is busy. Whatever keeps it from looking is no failure of what it looks at.
fn watch(client: &mut Client, started: &String, is_done: &Receiver<()>) {
    let progress = Progress::begin("maintaining");
    let sql = "SELECT count(*) FILTER (WHERE finished_at IS NOT NULL), count(error), \
                      COALESCE(sum(rows_before), 0)::int8 \
               FROM timedb.maintenance WHERE started_at >= $1::text::timestamptz";
    while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(BETWEEN_LOOKS) {
        let Ok(row) = client.query_one(sql, &[started]) else {
            return;
        };
        let [tenants, failed, rows]: [i64; 3] = [0, 1, 2].map(|column| row.get(column));
        progress.say(format!(
            "maintaining: {tenants} tenants are done, of {rows} rows; {failed} failed"
        ));
    }
}
