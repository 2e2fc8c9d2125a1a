//! How cost grows: over three decades of runs, tenants or series.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::Area;
use super::look::{self, Align, GRID, INK, PALE_INK, text};
use crate::record::Record;
use crate::table::figure;
use crate::workloads::{READ_AMONG_TENANTS, READ_OF_MANY, READ_OF_WHOLE, READ_OF_WINDOW, UPLOAD_OF_NEW_SERIES};

const HEAD: i32 = 40;
const CHART: u32 = 290;
const CHARTS_A_ROW: usize = 3;
/// What is drawn, and by what it grows.
const CURVES: [(&str, &str); 5] = [
    (READ_OF_WHOLE, "runs"),
    (READ_OF_WINDOW, "runs"),
    (READ_AMONG_TENANTS, "tenants"),
    (READ_OF_MANY, "series"),
    (UPLOAD_OF_NEW_SERIES, "series"),
];
/// The height of a label.
const LINE: i32 = 15;

struct Curve<'a> {
    peer: &'a str,
    points: Vec<(f64, f64)>,
}

pub fn draw(area: &Area<'_>, records: &[Record]) -> Result<()> {
    text(
        area,
        "How it grows: milliseconds a call, both scales logarithmic",
        (24, 14),
        18,
        &INK,
        Align::Left,
    )?;
    let (_, below) = area.split_vertically(HEAD);
    let drawn = drawn(records);
    let places = below.split_evenly((rows(&drawn), CHARTS_A_ROW));
    for (place, (what, unit)) in places.iter().zip(drawn) {
        chart(place, what, unit, &curves(records, what))?;
    }
    Ok(())
}

/// Those that were measured.
fn drawn(records: &[Record]) -> Vec<(&'static str, &'static str)> {
    let mut drawn = CURVES.to_vec();
    drawn.retain(|(what, _)| !curves(records, what).is_empty());
    drawn
}

fn rows(drawn: &[(&str, &str)]) -> usize {
    drawn.len().div_ceil(CHARTS_A_ROW).max(1)
}

pub fn height(records: &[Record]) -> u32 {
    let rows = u32::try_from(rows(&drawn(records))).unwrap_or_default();
    HEAD.unsigned_abs() + rows * CHART
}

fn curves<'a>(records: &'a [Record], what: &str) -> Vec<Curve<'a>> {
    let mut curves: Vec<Curve<'a>> = Vec::new();
    for record in records.iter().filter(|record| record.what == what) {
        let (Some(size), Some(spread)) = (record.size, record.spread) else {
            continue;
        };
        let point = (f64::from(size), spread.median);
        match curves.iter_mut().find(|curve| curve.peer == record.peer) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve {
                peer: &record.peer,
                points: vec![point],
            }),
        }
    }
    curves
}

fn chart(area: &Area<'_>, what: &str, unit: &str, curves: &[Curve<'_>]) -> Result<()> {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let bounds = |side: fn(&(f64, f64)) -> f64| {
        all().map(side).fold(None, |bounds: Option<(f64, f64)>, value| {
            Some(bounds.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        })
    };
    let (Some((first, last)), Some((low, high))) = (bounds(|point| point.0), bounds(|point| point.1)) else {
        return Ok(());
    };
    text(area, &format!("{what}, by {unit}"), (64, 10), 13, &INK, Align::Left)?;
    // Whole decades, so that the three can be compared.
    let (low, high) = (10_f64.powf(low.log10().floor()), 10_f64.powf(high.log10().ceil()));
    let mut chart = ChartBuilder::on(area)
        .margin_top(26)
        .margin_right(84)
        .margin_bottom(12)
        .x_label_area_size(24)
        .y_label_area_size(60)
        .build_cartesian_2d((first..last).log_scale(), (low..high).log_scale())
        .map_err(|error| anyhow!("{error}"))?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(PALE_INK)
        .label_style(("sans-serif", 12).into_font().color(&PALE_INK))
        .x_labels(3)
        .y_labels(4)
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_label_formatter(&|time| format!("{time} ms"))
        .draw()
        .map_err(|error| anyhow!("{error}"))?;
    let mut ends = Vec::new();
    for curve in curves {
        let colour = look::colour(curve.peer);
        let line = LineSeries::new(curve.points.clone(), colour.stroke_width(3)).point_size(4);
        chart.draw_series(line).map_err(|error| anyhow!("{error}"))?;
        if let Some(point) = curve.points.last() {
            let (x, y) = chart.backend_coord(point);
            let (left, top) = area.get_base_pixel();
            ends.push((x - left + 8, y - top, curve.peer, point.1));
        }
    }
    label_ends(area, ends)
}

/// Curves may end at the same height; their labels must not.
fn label_ends(area: &Area<'_>, mut ends: Vec<(i32, i32, &str, f64)>) -> Result<()> {
    ends.sort_by_key(|(_, y, ..)| *y);
    let mut free = i32::MIN;
    for (x, y, peer, time) in ends {
        let y = y.max(free);
        let label = format!("{peer} {}", figure(time));
        text(area, &label, (x, y), 12, &look::colour(peer), Align::Left)?;
        free = y + LINE;
    }
    Ok(())
}
