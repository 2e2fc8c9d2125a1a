//! Part two: a year of hourly temperatures as one run, and a 48-hour forecast from every midnight,
//! 365 runs that overlap. What is read back is compared with what the file says, hour by hour; then
//! a value is corrected.

mod chart;
mod correction;
mod read;
mod upload;

use anyhow::Result;
use postgres::Config;

use crate::report::Report;
use crate::table::grouped;
use crate::temperatures::{self, Temperatures};
use crate::tenants::{self, Tenant};

pub use upload::Upload;

const MEASURED: &str = "temperature";
const FORECAST: &str = "temperature_forecast";

/// The day that is looked at more closely: of the whole year, autumn is when tomorrow is least like
/// today.
const DAY: &str = "2010-10-08T00:00:00Z";

pub struct Uploads {
    pub measured: Upload,
    pub forecasts: Upload,
    /// Values that `update` wrote besides.
    pub updated: usize,
}

pub fn walk(report: &mut Report, client: &Config, tenant: &Tenant) -> Result<Uploads> {
    let year = read_file(report)?;
    let mut alice = tenants::log_in(report, client, "alice=> ", tenant)?;

    let series_id = upload::create_series(report, &mut alice)?;
    let (run_id, measured) = upload::measurements(report, &mut alice, &year)?;
    let forecasts = upload::forecasts(report, &mut alice, &temperatures::persistence(&year))?;

    read::flat(report, &mut alice, &year)?;
    read::joined(report, &mut alice, &year)?;
    read::known_on_a_past_day(report, &mut alice, &year)?;
    read::overlapping(report, &mut alice, &year)?;

    let corrected = correction::correct(report, &mut alice, run_id, series_id)?;
    correction::history(report, &mut alice, &year, tenant, &corrected)?;
    correction::just_before(report, &mut alice, &year, &corrected)?;
    read::current_values(report, &mut alice, &year)?;
    Ok(Uploads {
        measured,
        forecasts,
        updated: corrected.values_written,
    })
}

fn read_file(report: &mut Report) -> Result<Temperatures> {
    report.step("The data: hourly temperatures in Seattle (NOAA, public domain)");
    let year = temperatures::measured()?;
    let missing = temperatures::missing_hours(&year);
    report.note(&format!(
        "{} hours of 2010 in °F, taken as UTC; missing in between: {missing:?}.",
        grouped(year.len())
    ));
    report.note("They are averages of many years, taken as measured in 2010: see examples/README.md.");
    chart::print(vec![year.values().copied().collect()], "°F, January to December");
    Ok(year)
}
