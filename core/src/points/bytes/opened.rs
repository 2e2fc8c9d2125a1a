//! Points whose values have been decoded.

use std::iter::FusedIterator;
use std::slice;

use super::keys::Keys;
use super::{Corrupt, Points, Shape};
use crate::points::Point;

/// Points with a value for each of them in memory.
#[derive(Clone, Debug)]
pub struct Opened<'a> {
    shape: Shape<'a>,
    dense: Vec<f64>,
}

/// The points in ascending order of their keys.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    keys: Keys<'a>,
    shape: Shape<'a>,
    index: usize,
    dense: slice::Iter<'a, f64>,
}

impl<'a> Points<'a> {
    /// Decodes the values.
    pub fn open(&self) -> Result<Opened<'a>, Corrupt> {
        let shape = self.shape();
        let mut present = Vec::new();
        self.values().decode_into(&mut present)?;
        Ok(Opened::new(shape, present))
    }
}

impl<'a> Opened<'a> {
    /// Points of this shape, with these values where they are not null: as many as the shape says are present.
    pub fn new(shape: Shape<'a>, present: Vec<f64>) -> Opened<'a> {
        let dense = if shape.has_nulls() {
            let mut dense = Vec::with_capacity(shape.len());
            shape.spread_into(&present, &mut dense);
            dense
        } else {
            present
        };
        Opened { shape, dense }
    }

    pub fn shape(&self) -> Shape<'a> {
        self.shape
    }

    pub fn len(&self) -> usize {
        self.shape.len()
    }

    pub fn is_empty(&self) -> bool {
        self.shape.is_empty()
    }

    /// None where the point is null.
    #[inline]
    pub fn value_at(&self, index: usize) -> Option<f64> {
        if self.shape.is_null(index) {
            None
        } else {
            self.dense.get(index).copied()
        }
    }

    pub fn iter(&self) -> Iter<'_> {
        Iter {
            keys: self.shape.keys(),
            shape: self.shape,
            index: 0,
            dense: self.dense.iter(),
        }
    }
}

impl<'a> IntoIterator for &'a Opened<'_> {
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
        let (start, end) = self.keys.next()?;
        let value = *self.dense.next()?;
        let value = (!self.shape.is_null(self.index)).then_some(value);
        self.index += 1;
        Some(Point { start, end, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.keys.size_hint()
    }

    fn fold<B, F: FnMut(B, Point) -> B>(self, init: B, mut f: F) -> B {
        let Iter {
            keys,
            shape,
            mut index,
            mut dense,
        } = self;
        let has_nulls = shape.has_nulls();
        keys.fold(init, |folded, (start, end)| {
            let value = dense.next().copied();
            let value = value.filter(|_| !has_nulls || !shape.is_null(index));
            index += 1;
            f(folded, Point { start, end, value })
        })
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}
