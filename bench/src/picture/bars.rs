//! A bar for each peer in each line of a workload: to the right where timedb is better, to the left
//! where it is worse.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::Area;
use super::look::{self, Align, GRID, INK, NOT_REACHED, PALE_INK, REACHED, WIDTH, text};
use crate::record::Record;
use crate::table::figure;

const ROW: i32 = 18;
const GAP: i32 = 9;
const AXIS: i32 = 34;
const LABELS_END: i32 = 430;
const PEERS_END: i32 = 556;
const LEFT: i32 = 568;
const RIGHT: i32 = WIDTH as i32 - 76;
/// What the scale holds, as powers of ten.
const DECADES: (f64, f64) = (-1.0, 2.5);

/// A line of a workload, with its records that compare.
pub struct Group<'a> {
    records: Vec<&'a Record>,
}

pub fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for record in records.iter().filter(|record| is_shown(record)) {
        match groups.last_mut() {
            Some(group) if is_same_line(group.records[0], record) => group.records.push(record),
            _ => groups.push(Group {
                records: vec![record],
            }),
        }
    }
    groups
}

/// Curves have their own place; what compares timedb with itself, and has no goal, needs none.
fn is_shown(record: &Record) -> bool {
    let is_peer = !record.peer.starts_with("timedb");
    record.size.is_none() && record.ratio.is_some() && (is_peer || record.goal_ratio.is_some())
}

fn is_same_line(one: &Record, other: &Record) -> bool {
    one.workload == other.workload && one.what == other.what
}

pub fn height(groups: &[Group<'_>]) -> u32 {
    let rows: usize = groups.iter().map(|group| group.records.len()).sum();
    let height = 2 * AXIS + ROW * rows as i32 + GAP * groups.len() as i32;
    u32::try_from(height).unwrap_or_default()
}

pub fn draw(area: &Area<'_>, groups: &[Group<'_>]) -> Result<()> {
    let bottom = i32::try_from(height(groups))? - AXIS;
    scale(area, bottom)?;
    let mut top = AXIS;
    let mut workload = "";
    for group in groups {
        let first = group.records[0];
        let middle = top + ROW / 2;
        if first.workload != workload {
            workload = &first.workload;
            text(area, workload, (24, middle), 13, &INK, Align::Left)?;
        }
        text(
            area,
            &first.what,
            (LABELS_END, middle),
            13,
            &INK,
            Align::Right,
        )?;
        for record in &group.records {
            bar(area, record, top)?;
            top += ROW;
        }
        top += GAP;
    }
    Ok(())
}

fn scale(area: &Area<'_>, bottom: i32) -> Result<()> {
    for (ratio, words) in [
        (0.1, "10 x worse"),
        (0.33, ""),
        (1.0, "the same"),
        (3.0, "3 x"),
        (10.0, "10 x"),
        (30.0, "30 x"),
        (100.0, "100 x better"),
    ] {
        let style = if ratio == 1.0 {
            PALE_INK.stroke_width(2)
        } else {
            GRID.stroke_width(1)
        };
        let x = place(ratio);
        let line = PathElement::new([(x, AXIS - 8), (x, bottom)], style);
        area.draw(&line).map_err(|error| anyhow!("{error}"))?;
        for y in [AXIS - 18, bottom + 14] {
            text(area, words, (x, y), 12, &PALE_INK, Align::Middle)?;
        }
    }
    Ok(())
}

fn bar(area: &Area<'_>, record: &Record, top: i32) -> Result<()> {
    let ratio = record.ratio.unwrap_or(1.0);
    let (start, end) = (place(1.0), place(ratio));
    let middle = top + ROW / 2;
    text(
        area,
        &record.peer,
        (PEERS_END, middle),
        12,
        &PALE_INK,
        Align::Right,
    )?;
    let shape = [
        (start.min(end), top + 2),
        (start.max(end).max(start.min(end) + 1), top + ROW - 2),
    ];
    let fill = Rectangle::new(shape, look::colour(&record.peer).filled());
    area.draw(&fill).map_err(|error| anyhow!("{error}"))?;
    if let Some(goal) = record.goal_ratio {
        diamond(area, (place(goal), middle), record.met == Some(true))?;
    }
    let words = if ratio >= 1.0 {
        format!("{} x", figure(ratio))
    } else {
        format!("1 / {}", figure(1.0 / ratio))
    };
    // Beyond the goal's mark too, which would else lie on the figure.
    let beyond = record
        .goal_ratio
        .map_or(end, |goal| end.max(place(goal)))
        .max(start);
    text(area, &words, (beyond + 10, middle), 12, &INK, Align::Left)
}

fn diamond(area: &Area<'_>, (x, y): (i32, i32), reached: bool) -> Result<()> {
    let corners = vec![(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y), (x, y - 6)];
    let ink = if reached { REACHED } else { NOT_REACHED };
    let fill = if reached { REACHED } else { WHITE };
    area.draw(&Polygon::new(corners.clone(), fill.filled()))
        .map_err(|error| anyhow!("{error}"))?;
    area.draw(&PathElement::new(corners, ink.stroke_width(2)))
        .map_err(|error| anyhow!("{error}"))
}

fn place(ratio: f64) -> i32 {
    let (low, high) = DECADES;
    let share = (ratio.log10().clamp(low, high) - low) / (high - low);
    LEFT + (f64::from(RIGHT - LEFT) * share).round() as i32
}

#[cfg(test)]
mod tests {
    use super::{LEFT, RIGHT, groups, place};
    use crate::record::{Goal, Line, TIMEDB};

    #[test]
    fn the_scale_is_logarithmic_and_holds_everything() {
        assert_eq!(place(0.000_1), LEFT);
        assert_eq!(place(1e9), RIGHT);
        assert_eq!(place(10.0) - place(1.0), place(100.0) - place(10.0));
    }

    #[test]
    fn only_what_compares_is_shown() {
        let line = Line::new("W", "w", "ms")
            .figure(TIMEDB, 1.0)
            .figure("lean", 2.0);
        let line = line
            .figure("timedb, other", 2.0)
            .goal("lean", Goal::Times(1.0));
        let records = line.records();
        let groups = groups(&records);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].records.len(), 1);
    }
}
