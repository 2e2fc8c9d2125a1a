//! Colours, measures and the one way to write text.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Area;
use crate::peers::{CLASSIC, CLICKHOUSE, LEAN, LEAN_COPY, LIMIT, TIMESCALE, TSHISTORY};
use crate::record::TIMEDB;

pub const INK: RGBColor = RGBColor(31, 41, 55);
pub const PALE_INK: RGBColor = RGBColor(107, 114, 128);
pub const GRID: RGBColor = RGBColor(229, 231, 235);
pub const REACHED: RGBColor = RGBColor(21, 128, 61);
pub const NOT_REACHED: RGBColor = RGBColor(220, 38, 38);
const FONT: &str = "sans-serif";

pub enum Align {
    Left,
    Middle,
    Right,
}

/// The same peer has the same colour everywhere.
pub fn colour(peer: &str) -> RGBColor {
    match peer {
        TIMEDB => RGBColor(234, 88, 12),
        CLASSIC => RGBColor(148, 163, 184),
        LEAN | LEAN_COPY => RGBColor(37, 99, 235),
        CLICKHOUSE => RGBColor(217, 165, 10),
        LIMIT => RGBColor(13, 148, 136),
        TIMESCALE => RGBColor(147, 51, 234),
        TSHISTORY => RGBColor(190, 24, 93),
        _ => RGBColor(203, 173, 141),
    }
}

/// `at` is the middle of the line of text, in pixels.
pub fn text(area: &Area<'_>, words: &str, at: (i32, i32), size: i32, ink: &RGBColor, align: Align) -> Result<()> {
    let horizontal = match align {
        Align::Left => HPos::Left,
        Align::Middle => HPos::Center,
        Align::Right => HPos::Right,
    };
    let style = (FONT, size)
        .into_font()
        .color(ink)
        .pos(Pos::new(horizontal, VPos::Center));
    area.draw(&Text::new(words.to_owned(), at, style))
        .map_err(|error| anyhow!("{error}"))
}
