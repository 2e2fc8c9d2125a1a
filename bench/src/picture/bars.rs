//! A bar for each peer in each line of a workload: to the right where timedb is better, to the left
//! where it is worse.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::Area;
use super::look::{self, Align, GRID, INK, NOT_REACHED, PALE_INK, REACHED, text};
use super::whole::WIDTH;
use crate::record::Record;
use crate::table::figure;

const ROW: i32 = 18;
const GAP: i32 = 9;
const AXIS: i32 = 34;
const LABELS: i32 = 68;
const PEERS_END: i32 = 556;
const LEFT: i32 = 568;
const RIGHT: i32 = 946;
const RATIOS_END: i32 = 1014;
const GOALS_END: i32 = WIDTH as i32 - 24;
/// What the scale holds, as powers of ten.
const DECADES: (f64, f64) = (-1.0, 2.6);

/// A line of a workload, with its records that compare.
pub struct Group<'a> {
    records: Vec<&'a Record>,
}

pub fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for record in records.iter().filter(|record| is_shown(record)) {
        match groups.last_mut() {
            Some(group) if is_same_line(group.records[0], record) => group.records.push(record),
            _ => groups.push(Group { records: vec![record] }),
        }
    }
    groups
}

/// Curves have their own place; what compares timedb with itself, and has no goal, needs none; where
/// timedb has no figure yet, there is nothing to compare.
fn is_shown(record: &Record) -> bool {
    let is_peer = !record.peer.starts_with("timedb");
    let compares = record.ratio.is_some() && is_peer;
    record.size.is_none() && (compares || record.met.is_some())
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
    text(area, "measured", (RATIOS_END, AXIS - 18), 12, &PALE_INK, Align::Right)?;
    text(area, "aimed at", (GOALS_END, AXIS - 18), 12, &PALE_INK, Align::Right)?;
    let mut top = AXIS;
    let mut workload = "";
    for group in groups {
        let first = group.records[0];
        let middle = top + ROW / 2;
        if first.workload != workload {
            workload = &first.workload;
            separate(area, top)?;
            text(area, workload, (24, middle), 13, &INK, Align::Left)?;
        }
        text(area, &first.what, (LABELS, middle), 13, &INK, Align::Left)?;
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
        (0.1, "0.1 x"),
        (0.3, "0.3 x"),
        (1.0, "the same"),
        (3.0, "3 x"),
        (10.0, "10 x"),
        (30.0, "30 x"),
        (100.0, "100 x"),
        (300.0, "300 x"),
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
    let middle = top + ROW / 2;
    let write = |words: &str, end: i32, ink: &RGBColor| text(area, words, (end, middle), 12, ink, Align::Right);
    write(&record.peer, PEERS_END, &PALE_INK)?;
    write(&measured(record), RATIOS_END, &INK)?;
    let reached = record.met == Some(true);
    write(&aimed_at(record), GOALS_END, goal_colour(reached))?;
    let Some(ratio) = record.ratio else {
        return Ok(());
    };
    let (start, end) = (place(1.0), place(ratio));
    let shape = [(start.min(end), top + 2), (start.max(end), top + ROW - 2)];
    let fill = Rectangle::new(shape, look::colour(&record.peer).filled());
    area.draw(&fill).map_err(|error| anyhow!("{error}"))?;
    match record.goal_ratio {
        Some(goal) => diamond(area, (place(goal), middle), reached),
        None => Ok(()),
    }
}

/// A ratio; where there is none, timedb's own figure.
fn measured(record: &Record) -> String {
    match (record.ratio, record.spread) {
        (Some(ratio), _) => format!("{} x", figure(ratio)),
        (None, Some(spread)) => format!("{} {}", figure(spread.median), first_word(&record.unit)),
        (None, None) => String::new(),
    }
}

fn aimed_at(record: &Record) -> String {
    match (record.goal_ratio, &record.goal) {
        (Some(goal), _) => format!("≥ {} x", shortest(goal)),
        (None, Some(goal)) => goal.replace(&record.unit, first_word(&record.unit)),
        (None, None) => String::new(),
    }
}

/// "20.0" as "20", and "100" as it is.
fn shortest(number: f64) -> String {
    let figure = figure(number);
    match figure.split_once('.') {
        Some(_) => figure.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => figure,
    }
}

/// "B a value" as "B", where there is little room.
fn first_word(unit: &str) -> &str {
    unit.split(' ').next().unwrap_or(unit)
}

fn goal_colour(reached: bool) -> &'static RGBColor {
    if reached { &REACHED } else { &NOT_REACHED }
}

/// A thin line above each workload.
fn separate(area: &Area<'_>, top: i32) -> Result<()> {
    let y = top - GAP / 2;
    let line = PathElement::new([(24, y), (GOALS_END, y)], GRID.stroke_width(1));
    area.draw(&line).map_err(|error| anyhow!("{error}"))
}

fn diamond(area: &Area<'_>, (x, y): (i32, i32), reached: bool) -> Result<()> {
    let corners = vec![(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y), (x, y - 6)];
    let ink = *goal_colour(reached);
    let fill = if reached { ink } else { WHITE };
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
    use super::{LEFT, RIGHT, groups, place, shortest};
    use crate::record::{Goal, Line, TIMEDB};

    #[test]
    fn the_scale_is_logarithmic_and_holds_everything() {
        assert_eq!(place(0.000_1), LEFT);
        assert_eq!(place(1e9), RIGHT);
        assert_eq!(place(10.0) - place(1.0), place(100.0) - place(10.0));
    }

    #[test]
    fn a_goal_is_written_as_it_was_set() {
        assert_eq!(
            [1.0, 0.5, 20.0, 100.0, 300.0].map(shortest),
            ["1", "0.5", "20", "100", "300"]
        );
    }

    #[test]
    fn only_what_compares_is_shown() {
        let line = Line::new("W", "w", "ms").figure(TIMEDB, 1.0).figure("lean", 2.0);
        let line = line.figure("timedb, other", 2.0).goal("lean", Goal::Times(1.0));
        let records = line.records();
        let groups = groups(&records);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].records.len(), 1);
    }
}
