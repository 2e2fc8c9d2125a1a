//! The points of [`Points`], one by one. What the bytes say was checked when they were read.

use std::iter::FusedIterator;
use std::slice;

use super::cursor::Cursor;
use super::{Ends, Points, Spacing, Times};
use crate::points::Point;
use crate::time::Time;

/// The points in ascending order of their keys.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    left: usize,
    shape: Shape<'a>,
}

/// A grid without gaps is what nearly all points are, and needs no decision from one point to the next.
#[derive(Clone, Debug)]
enum Shape<'a> {
    Grid(Grid<'a>),
    Any(Any<'a>),
}

#[derive(Clone, Debug)]
struct Grid<'a> {
    start: i64,
    step: i64,
    length: Option<i64>,
    values: slice::Iter<'a, [u8; 8]>,
}

#[derive(Clone, Debug)]
struct Any<'a> {
    starts: Starts<'a>,
    start: i64,
    ends: Ends<'a>,
    nulls: Option<&'a [u8]>,
    index: usize,
    values: slice::Iter<'a, [u8; 8]>,
}

/// The starts after the first.
#[derive(Clone, Debug)]
pub(super) struct Starts<'a> {
    start: i64,
    spacing: Spacing<'a>,
}

impl<'a> Points<'a> {
    pub fn iter(&self) -> Iter<'a> {
        let values = self.values.iter();
        let length = match self.ends {
            Ends::None => Some(None),
            Ends::Constant(length) => Some(Some(length)),
            Ends::Listed(_) => None,
        };
        let shape = match (self.times.spacing, length, self.nulls) {
            (Spacing::Regular(step), Some(length), None) => Shape::Grid(Grid {
                start: self.times.first,
                step,
                length,
                values,
            }),
            _ => Shape::Any(Any {
                starts: self.times.starts(),
                start: self.times.first,
                ends: self.ends,
                nulls: self.nulls,
                index: 0,
                values,
            }),
        };
        Iter {
            left: self.count,
            shape,
        }
    }
}

impl<'a> IntoIterator for &Points<'a> {
    type Item = Point;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Iterator for Iter<'_> {
    type Item = Point;

    #[inline]
    fn next(&mut self) -> Option<Point> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.shape {
            Shape::Grid(grid) => grid.next(),
            Shape::Any(any) => Some(any.advance()),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }

    fn fold<B, F: FnMut(B, Point) -> B>(self, init: B, f: F) -> B {
        match self.shape {
            Shape::Grid(grid) => grid.fold(init, f),
            Shape::Any(mut any) => (0..self.left).map(|_| any.advance()).fold(init, f),
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}

impl Iterator for Grid<'_> {
    type Item = Point;

    #[inline]
    fn next(&mut self) -> Option<Point> {
        let value = f64::from_le_bytes(*self.values.next()?);
        let start = self.start;
        self.start += self.step;
        Some(point(start, self.length.unwrap_or(0), Some(value)))
    }
}

impl Any<'_> {
    /// The next point; there must be one.
    fn advance(&mut self) -> Point {
        let start = self.start;
        let length = match &mut self.ends {
            Ends::None => 0,
            Ends::Constant(length) => *length,
            Ends::Listed(lengths) => next_varint(lengths),
        };
        let value = if self.is_null() {
            None
        } else {
            self.values.next()
        };
        self.index += 1;
        self.start = self.starts.advance();
        point(start, length, value.map(|bytes| f64::from_le_bytes(*bytes)))
    }

    fn is_null(&self) -> bool {
        let byte = self.nulls.and_then(|nulls| nulls.get(self.index / 8));
        byte.is_some_and(|byte| byte >> (self.index % 8) & 1 != 0)
    }
}

impl<'a> Times<'a> {
    pub(super) fn starts(&self) -> Starts<'a> {
        Starts {
            start: self.first,
            spacing: self.spacing,
        }
    }
}

impl Starts<'_> {
    /// The next start; after the last it means nothing.
    pub fn advance(&mut self) -> i64 {
        self.start += match &mut self.spacing {
            Spacing::Regular(step) => *step,
            Spacing::Irregular(deltas) => next_varint(deltas),
        };
        self.start
    }
}

/// A length of 0 is that of a point without an end.
#[inline]
fn point(start: i64, length: i64, value: Option<f64>) -> Point {
    let end = (length > 0).then(|| Time::from_checked_micros(start + length));
    Point {
        start: Time::from_checked_micros(start),
        end,
        value,
    }
}

/// A varint that was read before without an error; after the last one 0.
fn next_varint(bytes: &mut &[u8]) -> i64 {
    let mut cursor = Cursor(bytes);
    let micros = cursor.micros().unwrap_or(0);
    *bytes = cursor.0;
    micros
}
