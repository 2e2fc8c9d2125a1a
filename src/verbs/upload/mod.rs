//! Uploads, in whatever form their rows come: one run or several, all of it or nothing.

mod answer;
mod arguments;
mod describe;
mod functions;
mod new_runs;
mod of_runs;
mod resolve;
mod unchanged;
mod units;

use crate::error::Result;
use crate::identity::session;
use crate::identity::standing::Identity;
use crate::pg::clock;
use crate::pg::warning::warn;
use crate::verbs::resolved::Resolved;
use arguments::Run;
use new_runs::NewRuns;
use timedb_core::limits::KNOWN_AHEAD;
use timedb_core::time::Time;
use timedb_core::upload::Upload;

/// What has become of an upload.
struct Stored {
    runs: NewRuns,
    /// Of each run a part, with what of it has been written.
    series: Vec<Resolved>,
}

/// Stores the rows of an upload; those that change nothing only where that is asked for.
fn store(writer: &Identity, run: &Run, upload: Upload, argument: &'static str, skips: bool) -> Result<Stored> {
    if skips {
        unchanged::check_isolation()?;
    }
    let (said, keys) = (upload.said.clone(), upload.runs.clone());
    let mut series = resolve::resolve(writer.tenant, upload, argument)?;
    resolve::sort(&mut series, argument)?;
    describe::describe(writer.tenant, &run.descriptions, &series)?;
    if skips {
        unchanged::wait_for_others(writer.tenant, &series);
    }
    // Nothing is waited for after this: of two runs the one with the later id was uploaded later, and is known later too
    // where neither says since when.
    let told = session::begin_to_write(writer.tenant)?;
    let now = clock::read(told)?;
    let mut runs = NewRuns::of(writer, run, keys, &now);
    if skips {
        runs.skipped = unchanged::leave_out(writer.tenant, &runs.versions, &mut series, &said)?;
    }
    runs.write(writer, run, &series, &said, argument, skips)?;
    if let Some(latest) = runs.latest_known() {
        warn_if_ahead(latest, now.moment);
    }
    Ok(Stored { runs, series })
}

/// It may be meant, but mostly is a clock or a zone that is wrong, and nobody would see for how long.
fn warn_if_ahead(known: Time, now: Time) {
    if known.micros() - now.micros() > KNOWN_AHEAD {
        warn(
            format!("\"known_time\" is {known}, more than an hour ahead of the clock"),
            "A flat read shows the values of this run instead of those of every run with an earlier known_time, whenever \
             that is uploaded.",
            "A run with a still later known_time shows other values again; a read with end_known => now() leaves this one out.",
        );
    }
}
