//! `timedb read`: values into the terminal, a chart or a file, batch by batch, however many there are.

mod question;

use std::collections::HashSet;
use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use clap::Args;
use postgres::Client;

use crate::columns::time;
use crate::failure::Usage;
use crate::files::{Destination, Format, MOST_ROWS_OF_A_TABLE, Writer};
use crate::key::Tenant;
use crate::plot::Plot;
use crate::progress::Progress;
use crate::show::printable;
use question::Question;

#[derive(Args)]
pub struct Read {
    #[command(flatten)]
    question: Question,
    /// The zone that times are shown in, and that those without an offset are taken in: a name such as Europe/Berlin, or an
    /// offset
    #[arg(long, value_name = "ZONE", default_value = "UTC", allow_hyphen_values = true)]
    time_zone: String,
    /// No more rows than these
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    /// How it is written: without it as the extension of the file says, else a table at a terminal and csv elsewhere
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The file that it goes to, instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long, requires = "output")]
    force: bool,
    /// Draw a chart in the terminal
    #[arg(long)]
    plot: bool,
    #[command(flatten)]
    tenant: Tenant,
}

/// Where rows go.
struct Sinks {
    writer: Option<Writer>,
    plot: Option<Plot>,
    rows: usize,
    series: HashSet<String>,
}

impl Read {
    pub fn run(self) -> Result<()> {
        let zone = time::zone(&self.time_zone).map_err(Usage)?;
        let format = self.format()?;
        let question = self.question.check(&zone)?;
        // Before anybody is asked for anything: a file that is there stays.
        let destination = match self.plot && self.output.is_none() {
            true => None,
            false => Some(Destination::open(self.output.as_deref(), self.force)?),
        };
        let mut client = self.tenant.session()?;
        let mut sinks = Sinks {
            writer: None,
            plot: self.plot.then(|| Plot::new(zone.clone())),
            rows: 0,
            series: HashSet::new(),
        };
        let mut destination = destination;
        let progress = self.output.as_ref().map(|_| Progress::begin("reading"));
        let asked = question.ask(&mut client, &self.time_zone, self.most(format), &mut |batch| {
            if let Some(to) = destination.take() {
                sinks.writer = Some(Writer::open(to, format, zone.clone(), &batch.schema())?);
            }
            sinks.take(batch, self.limit(format))?;
            if let Some(progress) = &progress {
                progress.say(format!("{} rows", sinks.rows));
            }
            Ok(())
        });
        asked?;
        drop(progress);
        let (rows, series) = (sinks.rows, std::mem::take(&mut sinks.series));
        sinks.finish()?;
        self.tell(&mut client, rows, &series, format)
    }

    fn format(&self) -> Result<Format> {
        let said = if self.json { Some(Format::Json) } else { self.format };
        let named = self.output.as_deref().filter(|path| *path != "-");
        match (said, named) {
            (Some(format), _) => Ok(format),
            (None, Some(path)) => Format::of(path).ok_or_else(|| {
                let why = "what is to be written its name does not say: --format csv, json, arrow or parquet does";
                Usage(format!("{}: {why}", path.display())).into()
            }),
            (None, None) if stdout().is_terminal() => Ok(Format::Table),
            (None, None) => Ok(Format::Csv),
        }
    }

    fn limit(&self, format: Format) -> usize {
        let of_format = if format == Format::Table {
            MOST_ROWS_OF_A_TABLE
        } else {
            usize::MAX
        };
        self.limit.unwrap_or(usize::MAX).min(of_format)
    }

    /// How many rows are asked for: of a table one more than it has, to say that there are more.
    fn most(&self, format: Format) -> usize {
        let is_cut = self.limit(format) == MOST_ROWS_OF_A_TABLE && self.limit != Some(MOST_ROWS_OF_A_TABLE);
        self.limit(format).saturating_add(usize::from(is_cut))
    }

    /// What is not seen in the rows themselves.
    fn tell(&self, client: &mut Client, rows: usize, series: &HashSet<String>, format: Format) -> Result<()> {
        let mut err = anstream::stderr().lock();
        let shown = rows.min(self.limit(format));
        if rows > shown {
            let more = "--limit and --format csv show others";
            writeln!(
                err,
                "timedb: these are the first {shown} rows, and there are more: {more}"
            )?;
        }
        if let Some(path) = self.output.as_deref().filter(|path| *path != "-") {
            let rows = if shown == 1 { "row is" } else { "rows are" };
            writeln!(err, "timedb: {shown} {rows} in {}", path.display())?;
        }
        let unseen: Vec<&String> = self
            .question
            .keys()
            .iter()
            .filter(|key| !series.contains(*key))
            .collect();
        let missing = "SELECT key FROM unnest($1::text[]) AS key
            WHERE normalize(key, NFC) NOT IN (SELECT normalize(series_key, NFC) FROM timedb.list_series())";
        if !unseen.is_empty() && self.limit.is_none() {
            for key in client.query(missing, &[&unseen])? {
                writeln!(err, "timedb: there is no series \"{}\"", printable(key.get(0)))?;
            }
        }
        if rows == 0 {
            writeln!(err, "timedb: there are no values that fit")?;
        }
        Ok(())
    }
}

impl Sinks {
    fn take(&mut self, batch: RecordBatch, most: usize) -> Result<()> {
        if let Some(keys) = batch
            .column_by_name("series_key")
            .and_then(|keys| keys.as_dictionary_opt::<Int32Type>())
        {
            let keys = keys.values().as_string::<i32>();
            if self.series.len() < 1000 {
                self.series.extend(keys.iter().flatten().map(str::to_owned));
            }
        }
        let left = most.saturating_sub(self.rows).min(batch.num_rows());
        self.rows += batch.num_rows();
        let batch = batch.slice(0, left);
        if let Some(plot) = &mut self.plot {
            plot.take(&batch).context("the chart")?;
        }
        if let Some(writer) = &mut self.writer {
            writer.write(&batch)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        if let Some(writer) = self.writer {
            writer.finish()?;
        }
        if let Some(plot) = self.plot {
            plot.print(&mut stdout().lock())?;
        }
        Ok(())
    }
}
