//! The packed vector of points: what a point is, and what packing promises. Its bytes are in `bytes`, those of its
//! values in `values`, its text in `text`.

#[cfg(test)]
pub(crate) mod arbitrary;
pub(crate) mod bytes;
pub(crate) mod text;
pub(crate) mod values;

use crate::time::Time;

pub use bytes::{Corrupt, Grid, Iter, Keys, Opened, PackError, Points, Shape, pack, peek};
pub use text::{TextError, from_text, to_text};
pub use values::Values;

/// One value of a series: at a moment, or over an interval `[start, end)`. A value may be null: known to be absent.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub start: Time,
    pub end: Option<Time>,
    pub value: Option<f64>,
}

/// What names a point within its series and run; ordered by start, a moment before the intervals that start at it.
pub type Key = (Time, Option<Time>);

impl Point {
    pub fn key(&self) -> Key {
        (self.start, self.end)
    }
}
