//! The picture of docs/performance.md: how many times better timedb is than each peer in every line, with what was aimed at, and
//! how cost grows.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::look::{self, Align, text};
use super::{Area, bars, curves};
use crate::results::Results;

pub const WIDTH: u32 = 1120;
/// Who the peers are, for readers who have not read bench/*.sql.
const PEERS: [&str; 4] = [
    "classic: a row per value, eight indexes, as the original service had it.   lean: a row per value, one index, ids as numbers.",
    "limit: binary COPY of the very rows timedb stores into a bare copy of its table; or those rows, fetched and left as they are.",
    "clickhouse: one MergeTree with codecs, in the client's own process.   tshistory: its own API; both from Python.",
    "bare copy: timedb's tables, read without policies.   All in Postgres: one server, the same settings.",
];
const HEAD: u32 = 178;

pub fn height(results: &Results, groups: &[bars::Group<'_>]) -> u32 {
    HEAD + bars::height(groups) + curves::height(&results.records)
}

pub fn paint(root: &Area<'_>, results: &Results, groups: &[bars::Group<'_>]) -> Result<()> {
    root.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let (head, rest) = root.split_vertically(HEAD);
    let (middle, foot) = rest.split_vertically(bars::height(groups));
    title(&head, results)?;
    bars::draw(&middle, groups)?;
    curves::draw(&foot, &results.records)
}

fn title(area: &Area<'_>, results: &Results) -> Result<()> {
    let words = "How many times faster, or smaller, timedb is";
    text(area, words, (24, 20), 24, &look::INK, Align::Left)?;
    text(
        area,
        &super::taken_on(results),
        (24, 52),
        13,
        &look::PALE_INK,
        Align::Left,
    )?;
    let legend = "Logarithmic scale; 1 x is as fast, or as small, as the peer. The diamond is what was aimed at: green and full where reached.";
    text(area, legend, (24, 71), 13, &look::PALE_INK, Align::Left)?;
    for (row, words) in PEERS.into_iter().enumerate() {
        text(area, words, (24, 100 + 18 * row as i32), 13, &look::INK, Align::Left)?;
    }
    Ok(())
}
