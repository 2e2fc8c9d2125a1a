//! The walkthrough of timedb: part one is two tenants who never see each other, part two a year of
//! hourly temperatures with a forecast for every day. It runs against any server that has the
//! extension, prints each call and what comes back, and checks what it claims. This file only puts
//! the parts in order.

mod report;
mod seattle;
mod server;
mod session;
mod sizes;
mod table;
mod temperatures;
mod tenants;

use std::process::ExitCode;

use anyhow::Result;

use report::Report;
use session::Session;

fn main() -> ExitCode {
    let mut report = Report::default();
    if let Err(error) = walk(&mut report) {
        report.stopped(&error);
    }
    if report.summary() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn walk(report: &mut Report) -> Result<()> {
    let operator_config = server::operator()?;
    let mut operator = Session::open("operator=# ", &operator_config)?;
    server::introduce(report, &mut operator)?;
    let size_before = sizes::of_values_table(&mut operator)?;

    report.part("Part one: two tenants, one database");
    let client_config = server::client(report, &mut operator, &operator_config)?;
    let pair = tenants::walk(report, &mut operator, &client_config)?;

    report.part("Part two: a year of hourly temperatures, and 365 forecasts");
    let uploads = seattle::walk(report, &client_config, &pair.alice)?;

    report.part("Sizes and times");
    sizes::print(report, &mut operator, &pair, size_before, &uploads)
}
