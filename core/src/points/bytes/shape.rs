//! Where points are and which of them are null: all of them that merging looks at. What the bytes say was checked when they
//! were read.

use super::keys::{Keys, Starts};
use crate::time::Time;

/// A form, put where its first point is.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    pub(super) first: i64,
    pub(super) form: Form<'a>,
}

/// A shape without the moment it starts at, which is all that the runs of a regular forecast differ in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    pub count: usize,
    /// How many values are not null.
    pub present: usize,
    /// Microseconds from the first start to the last.
    pub span: i64,
    /// Microseconds from the first start to the latest start or end.
    pub reach: i64,
    pub spacing: Spacing<'a>,
    pub ends: Ends<'a>,
    pub nulls: Option<&'a [u8]>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Spacing<'a> {
    /// Microseconds from each point to the next; 0 when there is only one.
    Regular(i64),
    /// A varint for each point but the first.
    Irregular(&'a [u8]),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends<'a> {
    None,
    /// The length of every interval, in microseconds.
    Constant(i64),
    /// A varint length for each point, 0 where it has no end.
    Listed(&'a [u8]),
}

/// Points at equal distances, all of them moments or intervals of one length. Times are microseconds as in [`Time`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grid {
    pub first: i64,
    /// 0 when there is only one point.
    pub step: i64,
    pub count: usize,
    /// None: the points are moments.
    pub length: Option<i64>,
}

impl<'a> Shape<'a> {
    pub fn len(&self) -> usize {
        self.form.count
    }

    pub fn is_empty(&self) -> bool {
        self.form.count == 0
    }

    /// How many values are not null.
    pub fn present(&self) -> usize {
        self.form.present
    }

    /// The start of the first point.
    pub fn first(&self) -> Option<Time> {
        (!self.is_empty()).then(|| Time::from_checked_micros(self.first))
    }

    /// The start of the last point.
    pub fn last(&self) -> Option<Time> {
        (!self.is_empty()).then(|| Time::from_checked_micros(self.first + self.form.span))
    }

    /// The grid that the points are on; none if times or ends are listed, or there are no points.
    pub fn grid(&self) -> Option<Grid> {
        let (Spacing::Regular(step), false) = (self.form.spacing, self.is_empty()) else {
            return None;
        };
        let length = match self.form.ends {
            Ends::None => None,
            Ends::Constant(length) => Some(length),
            Ends::Listed(_) => return None,
        };
        Some(Grid {
            first: self.first,
            step,
            count: self.form.count,
            length,
        })
    }

    /// The keys of all points, ascending.
    pub fn keys(&self) -> Keys<'a> {
        Keys::of(self)
    }

    pub fn has_nulls(&self) -> bool {
        self.form.nulls.is_some()
    }

    #[inline]
    pub fn is_null(&self, index: usize) -> bool {
        let byte = self.form.nulls.and_then(|nulls| nulls.get(index / 8));
        byte.is_some_and(|byte| byte >> (index % 8) & 1 != 0)
    }

    /// Appends the values that are not null so that each has the index of its point; where a point is null there is 0.
    pub fn spread_into(&self, present: &[f64], dense: &mut Vec<f64>) {
        if !self.has_nulls() {
            dense.extend_from_slice(present);
            return;
        }
        let mut present = present.iter();
        dense.extend((0..self.form.count).map(|index| {
            let value = if self.is_null(index) { None } else { present.next() };
            value.copied().unwrap_or(0.0)
        }));
    }

    pub(crate) fn form(&self) -> Form<'a> {
        self.form
    }

    pub(super) fn starts(&self) -> Starts<'a> {
        Starts::new(self.first, self.form.spacing)
    }
}

impl Form<'_> {
    pub const NOTHING: Form<'static> = Form {
        count: 0,
        present: 0,
        span: 0,
        reach: 0,
        spacing: Spacing::Regular(0),
        ends: Ends::None,
        nulls: None,
    };
}
