//! `timedb upload`: a file of values as one run, or a run for each known time in it: all of it or nothing.

mod answer;
mod server_rows;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use postgres::Client;

use crate::columns::{Choice, Constants, Meaning, Ready, Rows, Values, time};
use crate::connection::installed;
use crate::failure::Usage;
use crate::files::{Chunk, Format, Source};
use crate::key::Tenant;
use crate::progress::Progress;
use crate::show::printable;
use answer::Answer;

#[derive(Args)]
pub struct Upload {
    /// A CSV, Parquet or Arrow file; - is the standard input
    file: PathBuf,
    /// What the file is, where its name does not say
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What stands between two values of CSV, if it cannot be guessed from the first line
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
    #[command(flatten)]
    columns: Choice,
    /// Of times without an offset: a name such as Europe/Berlin, or an offset; otherwise they are UTC
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    time_zone: Option<String>,
    /// How times are written, as strptime has it, where they are not ISO 8601
    #[arg(long, value_name = "FORMAT")]
    time_format: Option<String>,
    /// The unit of rows that say none
    #[arg(long)]
    unit: Option<String>,
    /// When all of it was known; otherwise when it is stored
    #[arg(long, value_name = "TIME", conflicts_with = "known_time_column")]
    known_time: Option<String>,
    /// Which program the values are of [default: api-workflow]
    #[arg(long, value_name = "ID")]
    workflow_id: Option<String>,
    /// When that program started [default: now]
    #[arg(long, value_name = "TIME")]
    run_start_time: Option<String>,
    /// Leave out values that are shown already
    #[arg(long)]
    skip_unchanged: bool,
    /// Do all of it, say what came of it, and take it back
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tenant: Tenant,
}

/// What is said of a run.
struct Run {
    known_time: Option<Timestamp>,
    start_time: Option<Timestamp>,
}

impl Upload {
    pub fn run(self) -> Result<()> {
        let zone_name = self.time_zone.as_deref().unwrap_or("UTC");
        let zone = time::zone(zone_name).map_err(Usage)?;
        let typed = |option: &str, text: &Option<String>| -> Result<Option<Timestamp>> {
            let text = text.as_deref();
            Ok(text.map(|text| time::typed(option, text, &zone)).transpose()?)
        };
        let run = Run {
            known_time: typed("known-time", &self.known_time)?,
            start_time: typed("run-start-time", &self.run_start_time)?,
        };
        let file = self.file_name();
        let mut source = Source::open(&self.file, self.format, self.delimiter()?).with_context(|| file.clone())?;
        let first = source.next().with_context(|| file.clone())?;
        let first = first.with_context(|| format!("{file} has no rows"))?;
        let mut meaning = self
            .columns
            .decide(&source.schema(), &first.batch)
            .with_context(|| file.clone())?;
        if run.known_time.is_some() {
            meaning.leave_out_known_time(&source.schema());
        }
        tell(&file, &meaning, &source)?;
        let mut client = self.tenant.session()?;
        if self.dry_run {
            check_that_it_can_be_taken_back(&mut client)?;
        }
        let ready = self.read(&mut client, source, first, meaning, zone)?;
        self.tell_of_clocks(&file, &ready)?;
        let answer = self.send(&mut client, &run, &ready)?;
        answer.show(self.json, self.dry_run)
    }

    fn file_name(&self) -> String {
        match self.file.to_str() {
            Some("-") => "standard input".to_owned(),
            _ => self.file.display().to_string(),
        }
    }

    fn delimiter(&self) -> Result<Option<u8>> {
        let byte = |delimiter: char| {
            let byte = u8::try_from(delimiter).ok().filter(u8::is_ascii);
            byte.ok_or_else(|| Usage(format!("--delimiter: {delimiter:?} is not ASCII")).into())
        };
        self.delimiter.map(byte).transpose()
    }

    fn read(
        &self,
        client: &mut Client,
        mut source: Source,
        first: Chunk,
        meaning: Meaning,
        zone: TimeZone,
    ) -> Result<Ready> {
        let limit = client.query_one("SELECT current_setting('timedb.max_upload_rows')::int8", &[])?;
        let said = Constants {
            zone,
            zone_name: self.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            time_format: self.time_format.clone(),
            unit: self.unit.clone(),
            most_rows: limit.get::<_, i64>(0).unsigned_abs(),
        };
        let file = self.file_name();
        let mut rows = Rows::new(&file, meaning, source.schema(), said)?;
        let progress = Progress::begin("reading the file");
        let mut chunk = Some(first);
        while let Some(read) = chunk {
            rows.take(&read).with_context(|| file.clone())?;
            progress.say(format!("{} rows read", rows.read));
            chunk = source.next().with_context(|| file.clone())?;
        }
        rows.finish()
    }

    /// Sends all of it in one call, and takes it back where it is a trial or somebody has pressed Ctrl-C.
    fn send(&self, client: &mut Client, run: &Run, ready: &Ready) -> Result<Answer> {
        let _progress = Progress::begin(&format!("{} values are being stored", ready.count));
        let mut transaction = client.transaction()?;
        let sent = Answer::of(&mut transaction, self, run, ready);
        let answer = sent.map_err(|error| server_rows::in_file(error, &self.file_name(), ready))?;
        if self.dry_run {
            transaction.rollback()?;
        } else {
            let unknown =
                "the connection ended while the upload was committed: timedb.list_runs() tells whether it was";
            transaction.commit().context(unknown)?;
        }
        Ok(answer)
    }

    fn tell_of_clocks(&self, file: &str, ready: &Ready) -> Result<()> {
        let mut err = anstream::stderr().lock();
        let [first, second] = ready.clock.doubled;
        if ready.clock.was_asked {
            let zone = self.time_zone.as_deref().unwrap_or("UTC");
            writeln!(err, "timedb: {file}: times without an offset are taken as {zone}")?;
        }
        if first + second > 0 {
            let rows = format!("{first} as the earlier, {second} as the later pass");
            writeln!(
                err,
                "timedb: {file}: in hours that come twice rows are taken in their order, {rows}"
            )?;
        }
        Ok(())
    }
}

/// A trial is an upload that is rolled back, and no rollback on a router undoes what a server has committed.
fn check_that_it_can_be_taken_back(client: &mut Client) -> Result<()> {
    if installed(client)?.is_some_and(|found| found.is_router()) {
        bail!(
            "--dry-run is an upload that is taken back, and this database is a router, where none can be\n\
             HINT:  Nothing was uploaded. Connect to the server that the tenant is on (--dsn), or leave out --dry-run: a file \
             that is refused is refused whole."
        );
    }
    Ok(())
}

/// What the columns are taken for.
fn tell(file: &str, meaning: &Meaning, source: &Source) -> Result<()> {
    let schema = source.schema();
    let quoted = |place: usize| format!("\"{}\"", schema.field(place).name());
    let mut told = vec![format!("valid_time is {}", quoted(meaning.valid_time))];
    for (what, place) in [
        ("valid_time_end", meaning.valid_time_end),
        ("known_time", meaning.known_time),
        ("unit", meaning.unit),
        ("labels", meaning.labels),
        ("annotation", meaning.annotation),
        ("tags", meaning.tags),
    ] {
        told.extend(place.map(|place| format!("{what} is {}", quoted(place))));
    }
    match &meaning.values {
        Values::Long { value, series, .. } => {
            told.push(format!("value is {}", quoted(*value)));
            told.push(format!("series is {}", quoted(*series)));
        }
        Values::Wide(columns) => {
            let series = columns.iter().map(|(place, name)| match quoted(*place) {
                column if column == format!("\"{name}\"") => column,
                column => format!("\"{name}\" ({column})"),
            });
            told.push(format!(
                "the values of series {}",
                series.collect::<Vec<_>>().join(", ")
            ));
        }
    }
    let mut err = anstream::stderr().lock();
    writeln!(err, "timedb: {}", printable(&format!("{file}: {}", told.join(", "))))?;
    if !meaning.left_out.is_empty() {
        let names: Vec<String> = meaning.left_out.iter().map(|name| format!("\"{name}\"")).collect();
        writeln!(
            err,
            "timedb: {}",
            printable(&format!("{file}: left out: {}", names.join(", ")))
        )?;
    }
    Ok(())
}
