//! What is asked for, and the call that asks it: batch after batch by a cursor, or the one stream of a relative read.

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use postgres::Client;
use postgres::types::ToSql;
use serde_json::Value;
use uuid::Uuid;

use crate::columns::time;
use crate::failure::Usage;

/// Rows that are held at once, about 20 MB on either side.
const ROWS_A_BATCH: usize = 250_000;

#[derive(Args, Clone)]
pub struct Question {
    /// The keys of series; without any, all of them
    keys: Vec<String>,
    /// Values from this moment on
    #[arg(long, value_name = "TIME")]
    start_valid: Option<String>,
    /// Values before this moment
    #[arg(long, value_name = "TIME")]
    end_valid: Option<String>,
    /// What was known from this moment on
    #[arg(long, value_name = "TIME")]
    start_known: Option<String>,
    /// What was known before this moment
    #[arg(long, value_name = "TIME")]
    end_known: Option<String>,
    /// What the database held at this moment
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Of each value the one known latest, or that of every run [default: flat]
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// The earlier versions as well
    #[arg(long)]
    all_versions: bool,
    /// Series whose labels contain these, such as '{"site": "north"}'
    #[arg(long, value_name = "JSON")]
    labels: Option<String>,
    /// Values in this unit
    #[arg(long)]
    unit: Option<String>,
    /// Whether a correction counts since its run was known, or since it was written [default: all]
    #[arg(long, value_enum)]
    corrections: Option<Corrections>,
    /// As if there were only this run; several times for several
    #[arg(long, value_name = "ID")]
    run_id: Vec<Uuid>,
    /// As if there were only runs of this program
    #[arg(long, value_name = "ID")]
    workflow_id: Option<String>,
    #[command(flatten)]
    relative: Relative,
}

/// What was known so long before each value: one of three ways to say how long.
#[derive(Args, Clone)]
struct Relative {
    /// What was known so long before each value, such as '6 hours'
    #[arg(long, help_heading = RELATIVE, value_name = "INTERVAL", conflicts_with_all = RELATIVE_EXCLUDES)]
    lead: Option<String>,
    /// What was known so many days before each value, at --time-of-day
    #[arg(long, help_heading = RELATIVE, value_name = "DAYS", requires = "time_of_day", allow_negative_numbers = true, conflicts_with_all = RELATIVE_EXCLUDES)]
    days_ahead: Option<i32>,
    /// Until when on that day, in --time-zone, such as 06:00
    #[arg(long, help_heading = RELATIVE, value_name = "TIME", requires = "days_ahead")]
    time_of_day: Option<String>,
    /// Of values in windows of this length, what was known at --cutoff-offset from the start of each, counted from
    /// --window-origin
    #[arg(long, help_heading = RELATIVE, value_name = "INTERVAL", requires = "cutoff_offset", requires = "window_origin", conflicts_with_all = RELATIVE_EXCLUDES)]
    window_length: Option<String>,
    /// How far from the start of its window, such as '-12 hours'
    #[arg(
        long,
        help_heading = RELATIVE,
        value_name = "INTERVAL",
        requires = "window_length",
        allow_hyphen_values = true
    )]
    cutoff_offset: Option<String>,
    /// Where a window starts
    #[arg(long, help_heading = RELATIVE, value_name = "TIME", requires = "window_length")]
    window_origin: Option<String>,
}

impl Relative {
    /// How many of the ways are said.
    fn ways(&self) -> usize {
        let said = [
            self.lead.is_some(),
            self.days_ahead.is_some(),
            self.window_length.is_some(),
        ];
        said.into_iter().filter(|is_said| *is_said).count()
    }
}

/// What these options are listed under.
const RELATIVE: &str = "What was known so long before";
/// What says itself which known times count.
const RELATIVE_EXCLUDES: [&str; 3] = ["start_known", "end_known", "mode"];

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Flat,
    Overlapping,
}

#[derive(Clone, Copy, ValueEnum)]
enum Corrections {
    All,
    Known,
}

/// A question whose times and labels can be read.
pub struct Checked<'a> {
    of: &'a Question,
    start_valid: Option<Timestamp>,
    end_valid: Option<Timestamp>,
    start_known: Option<Timestamp>,
    end_known: Option<Timestamp>,
    as_of: Option<Timestamp>,
    window_origin: Option<Timestamp>,
    labels: Option<Value>,
}

impl Question {
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    pub fn check(&self, zone: &TimeZone) -> Result<Checked<'_>> {
        let typed = |option: &str, text: &Option<String>| -> Result<Option<Timestamp>> {
            let text = text.as_deref();
            Ok(text.map(|text| time::typed(option, text, zone)).transpose()?)
        };
        if self.relative.ways() > 1 {
            return Err(Usage(
                "--lead, --days-ahead and --window-length are three ways to say one thing: give one".to_owned(),
            )
            .into());
        }
        let labels = self.labels.as_deref().map(serde_json::from_str::<Value>).transpose();
        let labels = labels.map_err(|error| Usage(format!("--labels: {error}")))?;
        if labels.as_ref().is_some_and(|labels| !labels.is_object()) {
            return Err(Usage("--labels: is not a JSON object".to_owned()).into());
        }
        Ok(Checked {
            of: self,
            start_valid: typed("start-valid", &self.start_valid)?,
            end_valid: typed("end-valid", &self.end_valid)?,
            start_known: typed("start-known", &self.start_known)?,
            end_known: typed("end-known", &self.end_known)?,
            as_of: typed("as-of", &self.as_of)?,
            window_origin: typed("window-origin", &self.relative.window_origin)?,
            labels,
        })
    }
}

impl Checked<'_> {
    /// Asks it, and hands over the answer, batch by batch, in order: no more than so many rows are asked for.
    pub fn ask(
        &self,
        client: &mut Client,
        zone: &str,
        most: usize,
        take: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let keys = (!self.of.keys.is_empty()).then_some(&self.of.keys);
        let runs = (!self.of.run_id.is_empty()).then_some(&self.of.run_id);
        let corrections = self.of.corrections.map(|corrections| match corrections {
            Corrections::All => "all",
            Corrections::Known => "known",
        });
        let shared: [&(dyn ToSql + Sync); 10] = [
            &self.start_valid,
            &self.end_valid,
            &self.of.all_versions,
            &keys,
            &self.as_of,
            &self.labels,
            &runs,
            &self.of.workflow_id,
            &corrections,
            &self.of.unit,
        ];
        if self.of.relative.ways() > 0 {
            return self.ask_relative(client, zone, &shared, most, take);
        }
        let mode = self.of.mode.map(|mode| match mode {
            Mode::Flat => "flat",
            Mode::Overlapping => "overlapping",
        });
        let batch = most.clamp(1, ROWS_A_BATCH) as i32;
        let mut arguments = shared.to_vec();
        arguments.extend([&self.start_known as &(dyn ToSql + Sync), &self.end_known, &mode, &batch]);
        let mut transaction = client.build_transaction().read_only(true).start()?;
        let sql = format!(
            "SELECT batch FROM timedb.read_arrow_batches({SHARED}, start_known => $11, end_known => $12, mode => $13, \
             max_rows => $14) AS batch"
        );
        let portal = transaction.bind(&sql, &arguments)?;
        let mut left = most;
        loop {
            let rows = transaction.query_portal(&portal, 1)?;
            let Some(row) = rows.first() else { break };
            hand_over(row.get(0), &mut left, take)?;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn ask_relative(
        &self,
        client: &mut Client,
        zone: &str,
        shared: &[&(dyn ToSql + Sync)],
        most: usize,
        take: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        // Postgres counts an offset by itself the other way round.
        if zone.starts_with(['+', '-']) {
            return Err(Usage("--time-zone: days before a value are those of a zone with a name".to_owned()).into());
        }
        let sql = format!(
            "SELECT timedb.read_relative_arrow({SHARED}, lead => $11::text::interval, days_ahead => $12, \
             time_of_day => $13::text::time, window_length => $14::text::interval, cutoff_offset => $15::text::interval, \
             window_origin => $16, time_zone => $17)"
        );
        let mut arguments = shared.to_vec();
        let of = &self.of.relative;
        arguments.extend([
            &of.lead as &(dyn ToSql + Sync),
            &of.days_ahead,
            &of.time_of_day,
            &of.window_length,
            &of.cutoff_offset,
            &self.window_origin,
            &zone,
        ]);
        let row = client.query_one(&sql, &arguments)?;
        let mut left = most;
        hand_over(row.get(0), &mut left, take)
    }
}

const SHARED: &str = "start_valid => $1, end_valid => $2, all_versions => $3, series_keys => $4, as_of => $5, labels => $6, \
     run_ids => $7, workflow_id => $8, corrections => $9, unit => $10";

fn hand_over(stream: &[u8], left: &mut usize, take: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let damaged = "the answer is not an Arrow stream";
    for batch in StreamReader::try_new(stream, None).context(damaged)? {
        let batch = batch.context(damaged)?;
        let rows = batch.num_rows().min(*left);
        *left -= rows;
        take(batch.slice(0, rows))?;
        if *left == 0 {
            break;
        }
    }
    Ok(())
}
