//! The picture of the README: how many times better timedb is than each peer, with what was aimed at,
//! and how reads grow with their history and their neighbours.

mod bars;
mod curves;
mod look;

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::results::Results;
use look::{Align, WIDTH, text};

/// Who the peers are, for readers who have not read bench/*.sql.
const PEERS: [&str; 3] = [
    "classic: a row per value, eight indexes, as the original service had it.   lean: a row per value, one index, ids as numbers.",
    "limit: binary COPY of the very rows timedb stores into a bare copy of its table.   bare copy: that, read without policies.",
    "clickhouse: one MergeTree with codecs, in the client's own process.   All in Postgres: one server, the same settings.",
];
const HEAD: u32 = 160;
const CURVES: u32 = 330;

pub fn draw(results: &Results, path: &Path) -> Result<()> {
    let groups = bars::groups(&results.records);
    let bars_height = bars::height(&groups);
    let size = (WIDTH, HEAD + bars_height + CURVES);
    let root = SVGBackend::new(path, size).into_drawing_area();
    paint(&root, results, &groups, bars_height)
        .and_then(|()| root.present().map_err(|error| anyhow!("{error}")))
        .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn paint(root: &Area<'_>, results: &Results, groups: &[bars::Group<'_>], bars_height: u32) -> Result<()> {
    root.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let (head, rest) = root.split_vertically(HEAD);
    let (middle, foot) = rest.split_vertically(bars_height);
    title(&head, results)?;
    bars::draw(&middle, groups)?;
    curves::draw(&foot, &results.records)
}

fn title(area: &Area<'_>, results: &Results) -> Result<()> {
    text(
        area,
        "How many times faster, or smaller, timedb is",
        (24, 20),
        24,
        &look::INK,
        Align::Left,
    )?;
    let told = |name: &str| results.versions.get(name).map(String::as_str).unwrap_or_default();
    let postgres = told("postgres").split(" (").next().unwrap_or_default();
    let clickhouse = told("clickhouse").rsplit(", ").next().unwrap_or_default();
    let date = results
        .records
        .iter()
        .map(|record| record.date.as_str())
        .max()
        .unwrap_or_default();
    let under = format!(
        "timedb {} on {postgres}, {clickhouse}; {}, {}; fsync on; medians of one run, peers in turns; {date}",
        told("timedb"),
        told("processor"),
        told("memory"),
    );
    text(area, &under, (24, 52), 13, &look::PALE_INK, Align::Left)?;
    let legend = "Logarithmic scale; 1 x is as fast, or as small, as the peer. The diamond is what was aimed at: green and full where reached.";
    text(area, legend, (24, 71), 13, &look::PALE_INK, Align::Left)?;
    for (row, words) in PEERS.into_iter().enumerate() {
        text(area, words, (24, 100 + 18 * row as i32), 13, &look::INK, Align::Left)?;
    }
    Ok(())
}
