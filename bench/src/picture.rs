//! Two pictures of the figures: what a user does, for the README; and every line with its goal and how cost grows, for
//! docs/performance.md.

mod bars;
mod curves;
mod look;
mod overview;
mod whole;

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::results::Results;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// `docs/bench.svg` and `docs/bench-whole.svg`.
pub fn draw(results: &Results, docs: &Path) -> Result<()> {
    let deeds = overview::groups(&results.records);
    let size = (overview::WIDTH, overview::height(&deeds));
    on(&docs.join("bench.svg"), size, |root| {
        overview::paint(root, results, &deeds)
    })?;
    let groups = bars::groups(&results.records);
    let size = (whole::WIDTH, whole::height(results, &groups));
    on(&docs.join("bench-whole.svg"), size, |root| {
        whole::paint(root, results, &groups)
    })
}

fn on(path: &Path, size: (u32, u32), paint: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<()> {
    let root = SVGBackend::new(path, size).into_drawing_area();
    paint(&root)
        .and_then(|()| root.present().map_err(|error| anyhow!("{error}")))
        .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

/// What was measured, on what and when: the small print of a picture.
fn taken_on(results: &Results) -> String {
    let told = |name: &str| results.versions.get(name).map(String::as_str).unwrap_or_default();
    let postgres = told("postgres").split(" (").next().unwrap_or_default();
    let clickhouse = told("clickhouse").rsplit(", ").next().unwrap_or_default();
    let dates = results.records.iter().map(|record| record.date.as_str());
    format!(
        "timedb {} on {postgres}, {clickhouse}; {}, {}; fsync on; medians of one run, peers in turns; {}",
        told("timedb"),
        told("processor"),
        told("memory"),
        dates.max().unwrap_or_default(),
    )
}
