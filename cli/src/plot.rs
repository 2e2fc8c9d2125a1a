//! A chart of characters, as wide as the terminal: several series in one, each with a sign of its own.

use std::collections::HashMap;
use std::io::Write;

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use jiff::tz::TimeZone;
use owo_colors::{AnsiColors, OwoColorize};

use crate::failure::Usage;
use crate::files;
use crate::show::printable;

const HEIGHT: u32 = 12;
/// Where there is no terminal that says otherwise.
const USUAL_WIDTH: usize = 80;
const NARROWEST: usize = 10;
/// Room for the numbers at the side.
const SIDE: usize = 14;
/// More points of a series than these are halved, each two of them to their mean.
const MOST_POINTS: usize = 200_000;
/// What the curves are drawn with, where it is not lines.
const SIGNS: [char; 8] = ['─', '*', '+', 'o', 'x', '#', '@', '%'];
const COLOURS: [AnsiColors; 8] = [
    AnsiColors::Blue,
    AnsiColors::Red,
    AnsiColors::Green,
    AnsiColors::Yellow,
    AnsiColors::Magenta,
    AnsiColors::Cyan,
    AnsiColors::BrightBlue,
    AnsiColors::BrightRed,
];

pub struct Plot {
    zone: TimeZone,
    series: Vec<Curve>,
    places: HashMap<String, usize>,
}

struct Curve {
    name: String,
    points: Vec<(i64, f64)>,
    /// How many values a point stands for.
    stands_for: usize,
    /// Those of the next point.
    sum: f64,
    summed: usize,
}

impl Plot {
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            series: Vec::new(),
            places: HashMap::new(),
        }
    }

    pub fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let texts = |name: &str| -> Result<StringArray> {
            let column = batch
                .column_by_name(name)
                .with_context(|| format!("there is no {name}"))?;
            Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
        };
        let [ids, keys, labels, units] = [
            texts("series_id")?,
            texts("series_key")?,
            texts("labels")?,
            texts("unit")?,
        ];
        let times = batch.column_by_name("valid_time").context("there is no valid_time")?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let values = batch
            .column_by_name("value")
            .context("there is no value")?
            .as_primitive::<Float64Type>();
        let mut place = None;
        for row in 0..batch.num_rows() {
            let goes_on = row > 0 && ids.value(row) == ids.value(row - 1);
            let at = match place.filter(|_| goes_on) {
                Some(place) => place,
                None => self.place(ids.value(row), || {
                    name(keys.value(row), labels.value(row), units.value(row))
                })?,
            };
            place = Some(at);
            if values.is_valid(row) && values.value(row).is_finite() {
                self.series[at].push(times.value(row), values.value(row));
            }
        }
        Ok(())
    }

    fn place(&mut self, id: &str, name: impl FnOnce() -> String) -> Result<usize> {
        if let Some(&place) = self.places.get(id) {
            return Ok(place);
        }
        if self.series.len() == SIGNS.len() {
            return Err(Usage(format!("it has at most {} series: name those to draw", SIGNS.len())).into());
        }
        let place = self.series.len();
        self.places.insert(id.to_owned(), place);
        self.series.push(Curve {
            name: name(),
            points: Vec::new(),
            stands_for: 1,
            sum: 0.0,
            summed: 0,
        });
        Ok(place)
    }

    pub fn print(&self, out: &mut impl Write) -> Result<()> {
        let times = || {
            self.series
                .iter()
                .flat_map(|curve| &curve.points)
                .map(|(time, _)| *time)
        };
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            writeln!(out, "(nothing to draw)")?;
            return Ok(());
        };
        let width = width();
        let inner = width.saturating_sub(SIDE).max(NARROWEST);
        let most = self.series.iter().map(|curve| curve.points.len()).max().unwrap_or(1);
        let columns = most.clamp(2, inner);
        let curves = self
            .series
            .iter()
            .map(|curve| stretched(&curve.columns(first, last, columns), inner));
        let (curves, power) = scaled(curves.collect());
        if !bounds(&curves).0.is_finite() {
            writeln!(out, "(nothing to draw)")?;
            return Ok(());
        }
        for line in overlaid(&curves, inner) {
            writeln!(out, "{}", line.trim_end())?;
        }
        let span = format!(
            "{} to {}",
            files::time(first, &self.zone),
            files::time(last, &self.zone)
        );
        writeln!(out, "{}", cut(&span, width))?;
        if power != 0 {
            writeln!(out, "numbers times 10^{power}")?;
        }
        for (place, curve) in self.series.iter().enumerate() {
            let sign = coloured(SIGNS[place], place);
            writeln!(out, "{sign} {}", cut(&printable(&curve.name), width.saturating_sub(2)))?;
        }
        Ok(())
    }
}

fn name(key: &str, labels: &str, unit: &str) -> String {
    let labels = if labels == "{}" {
        String::new()
    } else {
        format!(" {labels}")
    };
    let unit = if unit == "dimensionless" {
        String::new()
    } else {
        format!(" [{unit}]")
    };
    format!("{key}{labels}{unit}")
}

impl Curve {
    fn push(&mut self, time: i64, value: f64) {
        self.sum += value;
        self.summed += 1;
        if self.summed == self.stands_for {
            self.points.push((time, self.sum / self.summed as f64));
            (self.sum, self.summed) = (0.0, 0);
        }
        if self.points.len() >= MOST_POINTS {
            let halved = self.points.chunks(2).map(|two| {
                let sum: f64 = two.iter().map(|(_, value)| value).sum();
                (two[0].0, sum / two.len() as f64)
            });
            self.points = halved.collect();
            self.stands_for *= 2;
        }
    }

    /// The mean of what falls into each column of time.
    fn columns(&self, first: i64, last: i64, columns: usize) -> Vec<f64> {
        let mut sums = vec![(0.0, 0u32); columns];
        let span = (last - first).max(1) as f64;
        for (time, value) in &self.points {
            let column = ((time - first) as f64 / span * (columns - 1) as f64).round() as usize;
            let (sum, count) = &mut sums[column.min(columns - 1)];
            *sum += value;
            *count += 1;
        }
        // 0 / 0 is none, and so is what is beyond all numbers.
        let means = sums.into_iter().map(|(sum, count)| sum / f64::from(count));
        means
            .map(|mean| if mean.is_finite() { mean } else { f64::NAN })
            .collect()
    }
}

/// As many columns as there are in the chart, by straight lines between those that are known.
fn stretched(columns: &[f64], width: usize) -> Vec<f64> {
    let at = |x: usize| {
        let place = x as f64 * (columns.len() - 1) as f64 / (width - 1) as f64;
        let (before, after) = (place.floor() as usize, place.ceil() as usize);
        let part = place - place.floor();
        if part == 0.0 {
            columns[before]
        } else {
            columns[before] * (1.0 - part) + columns[after] * part
        }
    };
    (0..width).map(at).collect()
}

/// Numbers that fit beside a chart, and the power of ten that was taken out. What hardly differs is drawn as one.
fn scaled(mut curves: Vec<Vec<f64>>) -> (Vec<Vec<f64>>, i32) {
    let (min, max) = bounds(&curves);
    let largest = min.abs().max(max.abs());
    let power = match largest.log10().floor() as i32 {
        power if largest > 0.0 && !(-3..6).contains(&power) => power,
        _ => 0,
    };
    let is_constant = max / 2.0 - min / 2.0 <= largest * 1e-7;
    for value in curves.iter_mut().flatten().filter(|value| !value.is_nan()) {
        let drawn = if is_constant { max } else { *value };
        // In two steps, as a power of its own may be beyond what there is.
        *value = drawn / 10f64.powi(power / 2) / 10f64.powi(power - power / 2);
    }
    (curves, power)
}

fn bounds(curves: &[Vec<f64>]) -> (f64, f64) {
    let values = || curves.iter().flatten().copied();
    (values().fold(f64::NAN, f64::min), values().fold(f64::NAN, f64::max))
}

/// All curves in one chart: each is drawn by itself with the bounds of all, and laid over those before.
fn overlaid(curves: &[Vec<f64>], width: usize) -> Vec<String> {
    let (min, max) = bounds(curves);
    let mut chart: Vec<Vec<(char, usize)>> = Vec::new();
    for (place, curve) in curves.iter().enumerate() {
        let with_bounds = [curve, &vec![f64::NAN, min, max][..]].concat();
        let drawn = rasciigraph::plot(with_bounds, rasciigraph::Config::default().with_height(HEIGHT));
        for (line, drawn) in drawn.lines().enumerate() {
            let letters: Vec<char> = drawn.chars().collect();
            let side = letters
                .iter()
                .position(|letter| matches!(letter, '┤' | '┼'))
                .map_or(0, |axis| axis + 1);
            let letters = letters.into_iter().take(side + width);
            if place == 0 {
                let axis = side.saturating_sub(1);
                chart.push(
                    letters
                        .enumerate()
                        .map(|(at, letter)| (letter, if at < axis { usize::MAX } else { 0 }))
                        .collect(),
                );
                continue;
            }
            let Some(under) = chart.get_mut(line) else { continue };
            for (at, letter) in letters.enumerate().skip(side) {
                if letter == ' ' {
                    continue;
                }
                if under.len() <= at {
                    under.resize(at + 1, (' ', usize::MAX));
                }
                under[at] = (SIGNS[place], place);
            }
        }
    }
    let text = |line: Vec<(char, usize)>| {
        line.into_iter()
            .map(|(letter, place)| coloured(letter, place))
            .collect()
    };
    chart.into_iter().map(text).collect()
}

fn coloured(letter: char, place: usize) -> String {
    match COLOURS.get(place) {
        Some(colour) if letter != ' ' && has_colours() => letter.color(*colour).to_string(),
        _ => letter.to_string(),
    }
}

fn has_colours() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// Of the terminal, or what COLUMNS says.
fn width() -> usize {
    let of_terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_terminal.or_else(said).unwrap_or(USUAL_WIDTH)
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_numbers_are_drawn_within_the_width() {
        let sine: Vec<f64> = (0..46).map(|x| f64::from(x).sin()).collect();
        let mut with_gap = sine.clone();
        with_gap[10..20].fill(f64::NAN);
        for curves in [
            vec![sine.clone()],
            vec![with_gap, sine.iter().map(|value| value * 3.0).collect()],
            vec![vec![5.0; 46]],
            vec![vec![0.0; 46], vec![f64::NAN; 46]],
            vec![[f64::MAX, -f64::MAX].repeat(23)],
            vec![[1e15, 1e15 + 1.0].repeat(23)],
            vec![[1e-300, 2e-300].repeat(23)],
            vec![[-99_999.0, 99_999.5].repeat(23)],
        ] {
            let (curves, _) = scaled(curves);
            let lines = overlaid(&curves, 46);
            assert!(!lines.is_empty());
            assert!(lines.iter().all(|line| line.chars().count() <= 60), "{lines:#?}");
        }
    }

    #[test]
    fn many_points_become_fewer_and_few_become_many() {
        let mut curve = Curve {
            name: String::new(),
            points: Vec::new(),
            stands_for: 1,
            sum: 0.0,
            summed: 0,
        };
        for time in 0..1_000_000 {
            curve.push(time, if time < 500_000 { 1.0 } else { 3.0 });
        }
        assert!(curve.points.len() < MOST_POINTS);
        let columns = curve.columns(0, 999_999, 10);
        assert_eq!((columns[0], columns[9]), (1.0, 3.0));
        assert_eq!(stretched(&[1.0, 2.0, 3.0], 5), [1.0, 1.5, 2.0, 2.5, 3.0]);
    }
}
