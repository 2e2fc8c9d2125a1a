//! The keys of a [`Shape`], one by one.

use std::iter::FusedIterator;

use super::cursor::Cursor;
use super::shape::{Ends, Grid, Shape, Spacing};
use crate::points::Key;
use crate::time::Time;

/// The keys in ascending order.
#[derive(Clone, Debug)]
pub struct Keys<'a> {
    left: usize,
    way: Way<'a>,
}

/// A grid is what nearly all points are on, and needs no decision from one point to the next.
#[derive(Clone, Debug)]
enum Way<'a> {
    Grid(Grid),
    Listed(Listed<'a>),
}

#[derive(Clone, Debug)]
struct Listed<'a> {
    start: i64,
    starts: Starts<'a>,
    ends: Ends<'a>,
}

/// The starts after the first.
#[derive(Clone, Debug)]
pub(super) struct Starts<'a> {
    start: i64,
    spacing: Spacing<'a>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(shape: &Shape<'a>) -> Keys<'a> {
        let way = match shape.grid() {
            Some(grid) => Way::Grid(grid),
            None => Way::Listed(Listed {
                start: shape.first,
                starts: shape.starts(),
                ends: shape.form.ends,
            }),
        };
        Keys { left: shape.len(), way }
    }
}

impl Iterator for Keys<'_> {
    type Item = Key;

    #[inline]
    fn next(&mut self) -> Option<Key> {
        self.left = self.left.checked_sub(1)?;
        Some(match &mut self.way {
            Way::Grid(grid) => grid.advance(),
            Way::Listed(listed) => listed.advance(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }

    fn fold<B, F: FnMut(B, Key) -> B>(self, init: B, f: F) -> B {
        match self.way {
            Way::Grid(mut grid) => (0..self.left).map(|_| grid.advance()).fold(init, f),
            Way::Listed(mut listed) => (0..self.left).map(|_| listed.advance()).fold(init, f),
        }
    }
}

impl ExactSizeIterator for Keys<'_> {}
impl FusedIterator for Keys<'_> {}

impl Grid {
    /// The key of the first point, which then is the next one.
    #[inline]
    fn advance(&mut self) -> Key {
        let start = self.first;
        self.first += self.step;
        key(start, self.length.unwrap_or(0))
    }
}

impl Listed<'_> {
    /// The next key; there must be one.
    fn advance(&mut self) -> Key {
        let start = self.start;
        let length = match &mut self.ends {
            Ends::None => 0,
            Ends::Constant(length) => *length,
            Ends::Listed(lengths) => next_duration(lengths),
        };
        self.start = self.starts.advance();
        key(start, length)
    }
}

impl<'a> Starts<'a> {
    pub fn new(first: i64, spacing: Spacing<'a>) -> Starts<'a> {
        Starts { start: first, spacing }
    }

    /// The next start; after the last it means nothing.
    pub fn advance(&mut self) -> i64 {
        self.start += match &mut self.spacing {
            Spacing::Regular(step) => *step,
            Spacing::Irregular(deltas) => next_duration(deltas),
        };
        self.start
    }
}

/// A length of 0 is that of a point without an end.
#[inline]
fn key(start: i64, length: i64) -> Key {
    let end = (length > 0).then(|| Time::from_checked_micros(start + length));
    (Time::from_checked_micros(start), end)
}

/// A duration that was read before without an error; after the last one 0.
fn next_duration(bytes: &mut &[u8]) -> i64 {
    let mut cursor = Cursor(bytes);
    let micros = cursor.duration().unwrap_or(0);
    *bytes = cursor.0;
    micros
}
