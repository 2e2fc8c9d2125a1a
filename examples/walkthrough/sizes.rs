//! The headline figures: what the walkthrough stored, how large it is on disk and how long the
//! uploads took.

use std::time::Duration;

use anstream::println;
use anyhow::Result;
use comfy_table::{Table, presets};

use crate::report::Report;
use crate::seattle::{Upload, Uploads};
use crate::session::Session;
use crate::table::grouped;
use crate::tenants::Pair;

/// Bytes of `timedb.values` with its index and TOAST, for all tenants: only a superuser's business.
pub fn of_values_table(operator: &mut Session) -> Result<i64> {
    let row = operator.quietly_one("SELECT pg_total_relation_size('timedb.values')", &[])?;
    Ok(row.try_get(0)?)
}

pub fn print(
    report: &mut Report,
    operator: &mut Session,
    pair: &Pair,
    size_before: i64,
    uploads: &Uploads,
) -> Result<()> {
    report.step("What it took");
    let size: i64 = operator
        .query_one("SELECT pg_total_relation_size('timedb.values')", &[])?
        .try_get(0)?;
    let tenants = vec![pair.alice.id, pair.bob.id];
    let rows: i64 = operator
        .query_one(
            "SELECT count(*) FROM timedb.values WHERE tenant_id = ANY ($1)",
            &[&tenants],
        )?
        .try_get(0)?;

    // Part one stored six values for each tenant.
    let values = uploads.measured.values + uploads.forecasts.values + uploads.updated + 2 * 6;
    let added = size - size_before;
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.add_row(["values stored by this walkthrough", &grouped(values)]);
    table.add_row(["rows that hold them", &grouped(usize::try_from(rows)?)]);
    table.add_row(["timedb.values with index and TOAST", &format!("{} kB", size / 1024)]);
    table.add_row(["of that, added by this walkthrough", &format!("{} kB", added / 1024)]);
    table.add_row(["bytes a value", &format!("{:.1}", added as f64 / values as f64)]);
    table.add_row(["upload of the measurements", &pace(&uploads.measured)]);
    table.add_row(["uploads of the forecasts", &pace(&uploads.forecasts)]);
    for line in table.lines() {
        println!("  {line}");
    }
    report.claim(
        &format!(
            "{} values take fewer than {} rows",
            grouped(values),
            grouped(values / 40)
        ),
        usize::try_from(rows)? < values / 40,
    );
    Ok(())
}

fn pace(upload: &Upload) -> String {
    let runs = if upload.runs == 1 { "run" } else { "runs" };
    format!(
        "{} values in {} {runs}: {}",
        grouped(upload.values),
        upload.runs,
        milliseconds(upload.took)
    )
}

fn milliseconds(took: Duration) -> String {
    format!("{:.0} ms", took.as_secs_f64() * 1000.0)
}
