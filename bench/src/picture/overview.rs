//! The picture of the README: what a user does with revised series, and how much longer, or larger, that is with each peer.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::Area;
use super::look::{self, Align, GRID, INK, PALE_INK, text};
use crate::peers::{CLASSIC, CLICKHOUSE, LEAN, TSHISTORY};
use crate::record::{Record, TIMEDB};
use crate::results::Results;
use crate::table::figure;
use crate::workloads::whats;

pub const WIDTH: u32 = 960;
const HEAD: u32 = 84;
/// Who the peers are, and what is not told of them elsewhere.
const PEERS: [&str; 3] = [
    "classic: a row a value in Postgres, with eight indexes.   lean: the same with one index, and no more than it needs.",
    "clickhouse: in the client's own process.   tshistory: revised series in Postgres; it and timedb both from Python,",
    "with 57,600 values, and its upload is of one series.   Logarithmic scale; one server, one run, medians, in turns.",
];
const FOOT: u32 = 84;
const ROW: i32 = 20;
const GAP: i32 = 16;
const AXIS: i32 = 34;
const LEFT: i32 = 24;
const PEERS_END: i32 = 432;
const BARS: i32 = 444;
const BARS_END: i32 = 856;
const RIGHT: i32 = WIDTH as i32 - 24;
/// What the scale holds, as powers of ten.
const DECADES: (f64, f64) = (-0.5, 2.6);

/// One thing that a user does, and the lines of the workloads that say how long it takes: each line with the peers to show.
struct Deed {
    words: &'static str,
    detail: &'static str,
    lines: &'static [(&'static str, &'static str, &'static [&'static str])],
}

const DEEDS: [Deed; 7] = [
    Deed {
        words: "Upload a run",
        detail: "20 series of 48 values, a commit",
        lines: &[
            ("W1", whats::UPLOAD, &[CLASSIC, LEAN, CLICKHOUSE]),
            ("W13", whats::UPLOAD_OF_FRAMES, &[TSHISTORY]),
        ],
    },
    Deed {
        words: "Read what is known now",
        detail: "of one series, 1,000 runs of 48",
        lines: &[
            ("W4", whats::READ, &[CLASSIC, LEAN, CLICKHOUSE]),
            ("W13", whats::READ_OF_FRAMES, &[TSHISTORY]),
        ],
    },
    Deed {
        words: "Read a week",
        detail: "of one series, 8,760 runs of 48",
        lines: &[
            ("W5", whats::WEEK, &[LEAN, CLICKHOUSE]),
            ("W13", whats::WEEK_OF_FRAMES, &[TSHISTORY]),
        ],
    },
    Deed {
        words: "Read as of a past moment",
        detail: "what was known then",
        lines: &[
            ("W7", whats::KNOWN_BEFORE, &[CLASSIC, LEAN, CLICKHOUSE]),
            ("W13", whats::KNOWN_BEFORE_OF_FRAMES, &[TSHISTORY]),
        ],
    },
    Deed {
        words: "All into a polars frame",
        detail: "960,000 values, by Arrow",
        lines: &[("W6a", whats::FRAME, &[LEAN, CLICKHOUSE])],
    },
    Deed {
        words: "Bytes a value, as uploaded",
        detail: "two decimals, runs of 48",
        lines: &[
            ("W3", whats::BEFORE_COMPACT, &[CLASSIC, LEAN, CLICKHOUSE]),
            ("W13", whats::BYTES_OF_FRAMES, &[TSHISTORY]),
        ],
    },
    Deed {
        words: "Bytes a value, after compact",
        detail: "the same values",
        lines: &[("W3", whats::AFTER_COMPACT, &[CLASSIC, LEAN, CLICKHOUSE])],
    },
];

/// A deed with the figures that there are; a peer that was not measured is left out.
pub struct Group<'a> {
    deed: &'static Deed,
    ours: &'a Record,
    peers: Vec<&'a Record>,
}

pub fn groups(records: &[Record]) -> Vec<Group<'_>> {
    DEEDS.iter().filter_map(|deed| group(deed, records)).collect()
}

fn group<'a>(deed: &'static Deed, records: &'a [Record]) -> Option<Group<'a>> {
    let find = |workload: &str, what: &str, peer: &str| {
        records
            .iter()
            .find(|record| record.workload == workload && record.what == what && record.peer == peer)
    };
    let (workload, what, _) = deed.lines.first()?;
    let ours = find(workload, what, TIMEDB).filter(|record| record.spread.is_some())?;
    let mut peers = Vec::new();
    for (workload, what, names) in deed.lines {
        peers.extend(names.iter().filter_map(|peer| find(workload, what, peer)));
    }
    peers.retain(|record| record.ratio.is_some());
    (!peers.is_empty()).then_some(Group { deed, ours, peers })
}

/// A group has two lines of words beside its bars.
fn rows(group: &Group<'_>) -> i32 {
    i32::try_from(group.peers.len().max(2)).unwrap_or(i32::MAX)
}

fn bars_height(groups: &[Group<'_>]) -> u32 {
    let rows: i32 = groups.iter().map(|group| rows(group) * ROW + GAP).sum();
    u32::try_from(AXIS + rows).unwrap_or_default()
}

pub fn height(groups: &[Group<'_>]) -> u32 {
    HEAD + bars_height(groups) + FOOT
}

pub fn paint(root: &Area<'_>, results: &Results, groups: &[Group<'_>]) -> Result<()> {
    root.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let (head, rest) = root.split_vertically(HEAD);
    let (bars, foot) = rest.split_vertically(bars_height(groups));
    let title = "How many times longer, or larger, it is without timedb";
    text(&head, title, (LEFT, 24), 24, &INK, Align::Left)?;
    text(&head, &super::taken_on(results), (LEFT, 54), 12, &PALE_INK, Align::Left)?;
    draw(&bars, groups)?;
    for (row, words) in (0..).zip(PEERS) {
        text(&foot, words, (LEFT, 16 + 19 * row), 13, &PALE_INK, Align::Left)?;
    }
    Ok(())
}

fn draw(area: &Area<'_>, groups: &[Group<'_>]) -> Result<()> {
    scale(area, i32::try_from(bars_height(groups))? - GAP / 2)?;
    let mut top = AXIS;
    for group in groups {
        let words = |words: &str, row: i32, size: i32, ink: &RGBColor| {
            text(area, words, (LEFT, top + ROW * row + ROW / 2), size, ink, Align::Left)
        };
        words(group.deed.words, 0, 16, &INK)?;
        words(&format!("{}: {}", group.deed.detail, of_one(group)), 1, 13, &PALE_INK)?;
        for (row, record) in (0..).zip(&group.peers) {
            bar(area, record, top + ROW * row)?;
        }
        top += rows(group) * ROW + GAP;
        let y = top - GAP / 2;
        let line = PathElement::new([(LEFT, y), (RIGHT, y)], GRID.stroke_width(1));
        area.draw(&line).map_err(|error| anyhow!("{error}"))?;
    }
    Ok(())
}

/// timedb's own figure: of one of a hundred uploads, where so many were timed together.
fn of_one(group: &Group<'_>) -> String {
    let median = group.ours.spread.map_or(0.0, |spread| spread.median);
    let median = if group.ours.what == whats::UPLOAD {
        median / whats::UPLOADS as f64
    } else {
        median
    };
    let unit = group.ours.unit.split(' ').next().unwrap_or_default();
    format!("{} {unit}", figure(median))
}

fn scale(area: &Area<'_>, bottom: i32) -> Result<()> {
    for (ratio, words) in [
        (0.5, "half"),
        (1.0, "timedb"),
        (3.0, "3 x"),
        (10.0, "10 x"),
        (30.0, "30 x"),
        (100.0, "100 x"),
        (300.0, "300 x"),
    ] {
        let (style, ink) = if ratio == 1.0 {
            (look::colour(TIMEDB).stroke_width(2), look::colour(TIMEDB))
        } else {
            (GRID.stroke_width(1), PALE_INK)
        };
        let line = PathElement::new([(place(ratio), AXIS - 10), (place(ratio), bottom)], style);
        area.draw(&line).map_err(|error| anyhow!("{error}"))?;
        text(area, words, (place(ratio), AXIS - 20), 13, &ink, Align::Middle)?;
    }
    Ok(())
}

fn bar(area: &Area<'_>, record: &Record, top: i32) -> Result<()> {
    let middle = top + ROW / 2;
    text(area, &record.peer, (PEERS_END, middle), 14, &INK, Align::Right)?;
    let Some(ratio) = record.ratio else {
        return Ok(());
    };
    let (one, end) = (place(1.0), place(ratio));
    let shape = [(one.min(end), top + 3), (one.max(end), top + ROW - 3)];
    let fill = Rectangle::new(shape, look::colour(&record.peer).filled());
    area.draw(&fill).map_err(|error| anyhow!("{error}"))?;
    let after = (one.max(end) + 8, middle);
    text(area, &format!("{} x", figure(ratio)), after, 14, &INK, Align::Left)
}

fn place(ratio: f64) -> i32 {
    let (low, high) = DECADES;
    let share = (ratio.log10().clamp(low, high) - low) / (high - low);
    BARS + (f64::from(BARS_END - BARS) * share).round() as i32
}

#[cfg(test)]
mod tests {
    use super::{BARS, BARS_END, groups, place};
    use crate::peers::{CLASSIC, LEAN, LIMIT};
    use crate::record::{Line, TIMEDB};
    use crate::workloads::whats;

    #[test]
    fn what_a_user_does_is_shown_against_the_peers_that_were_measured() {
        assert!(groups(&[]).is_empty());
        let line = Line::new("W4", whats::READ, "ms").figure(TIMEDB, 1.0);
        let line = line.figure(LEAN, 7.0).figure(LIMIT, 0.9).note(CLASSIC, "not measured");
        let records = line.records();
        let groups = groups(&records);
        assert_eq!(groups.len(), 1);
        let peers: Vec<&str> = groups[0].peers.iter().map(|record| record.peer.as_str()).collect();
        assert_eq!(peers, [LEAN]);
    }

    #[test]
    fn the_scale_holds_everything() {
        assert_eq!(place(0.000_1), BARS);
        assert_eq!(place(1e9), BARS_END);
    }
}
