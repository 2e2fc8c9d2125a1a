//! What the server says of an upload, of one run or of many.

use std::io::{Write, stdout};

use anyhow::Result;
use jiff::Timestamp;
use postgres::{Error, Transaction};
use serde_json::json;
use uuid::Uuid;

use super::{Run, Upload};
use crate::columns::Ready;

pub struct Answer {
    /// None of a run that has got no value.
    runs: Vec<Option<Uuid>>,
    written: i64,
    skipped: i64,
    series_made: i64,
}

impl Answer {
    pub fn of(transaction: &mut Transaction<'_>, upload: &Upload, run: &Run, ready: &Ready) -> Result<Self, Error> {
        let before: Timestamp = transaction
            .query_one("SELECT pg_catalog.clock_timestamp()", &[])?
            .get(0);
        let sql = match ready.meaning.known_time {
            Some(_) => {
                "SELECT run_id, value_count, skipped FROM timedb.upload_runs_arrow($1, run_start_time => $2, workflow_id => $3,
                   known_time => $4, skip_unchanged => $5)"
            }
            None => {
                "SELECT run_id, written, skipped FROM timedb.upload_arrow(coalesce($2, pg_catalog.now()), $1, workflow_id => $3,
                   known_time => $4, skip_unchanged => $5)"
            }
        };
        let runs = transaction.query(
            sql,
            &[
                &ready.stream,
                &run.start_time,
                &upload.workflow_id,
                &run.known_time,
                &upload.skip_unchanged,
            ],
        )?;
        let made = "SELECT count(*) FROM timedb.list_series() WHERE inserted_at >= $1";
        let made = transaction.query_one(made, &[&before])?;
        Ok(Self {
            runs: runs.iter().map(|run| run.get(0)).collect(),
            written: runs.iter().map(|run| run.get::<_, i64>(1)).sum(),
            skipped: runs.iter().map(|run| run.get::<_, i64>(2)).sum(),
            series_made: made.get(0),
        })
    }

    pub fn show(&self, as_json: bool, is_trial: bool) -> Result<()> {
        let runs: Vec<Uuid> = self.runs.iter().flatten().copied().collect();
        let mut out = stdout().lock();
        if as_json {
            let answer = json!({
                "run_ids": runs.iter().map(Uuid::to_string).collect::<Vec<_>>(),
                "rows": self.written + self.skipped,
                "written": self.written,
                "skipped": self.skipped,
                "series_made": self.series_made,
                "stored": !is_trial,
            });
            writeln!(out, "{answer}")?;
            return Ok(());
        }
        match &runs[..] {
            _ if is_trial => writeln!(out, "Runs:         {} (a trial: nothing is stored)", runs.len())?,
            [] => writeln!(out, "Runs:         0 (nothing has changed)")?,
            [run] => writeln!(out, "Run ID:       {run}")?,
            runs => writeln!(out, "Runs:         {}", runs.len())?,
        }
        writeln!(out, "Rows:         {}", self.written + self.skipped)?;
        writeln!(out, "Written:      {}", self.written)?;
        writeln!(out, "Skipped:      {}", self.skipped)?;
        writeln!(out, "Series made:  {}", self.series_made)?;
        Ok(())
    }
}
