//! Index scans by the class of how long rows and packs reach: one for each class, which ends where a row of it that starts
//! earlier can no longer reach.

use crate::pg::timestamp::Timestamptz;
use timedb_core::points::Shape;
use timedb_core::span;
use timedb_core::time::Time;

pub use timedb_core::span::class;

/// The class of points of a shape; none of none.
pub fn of(shape: &Shape) -> Option<i16> {
    Some(class(shape.first()?, shape.last()?))
}

/// A class for each scan, and from where on it looks.
pub fn scans(reached: Option<Time>) -> [(i16, Timestamptz); span::CLASSES] {
    let earliest = span::earliest_starts(reached).map(Timestamptz::lower_bound);
    let classes = span::classes();
    std::array::from_fn(|class| (classes[class], earliest[class]))
}
