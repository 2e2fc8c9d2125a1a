//! Timestamps as Postgres has them: those that come as arguments and must be finite, and bounds of windows, whose open ends
//! are infinite.

use crate::error::{Error, Result};
use timedb_core::time::Time;

/// A timestamptz that may be infinite, in Postgres' microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Timestamptz(pub i64);

impl Timestamptz {
    const MINUS_INFINITY: Timestamptz = Timestamptz(i64::MIN);
    const INFINITY: Timestamptz = Timestamptz(i64::MAX);

    /// A window's start; infinite where it is open, so that every bound stays a plain comparison.
    pub fn lower_bound(time: Option<Time>) -> Timestamptz {
        time.map_or(Timestamptz::MINUS_INFINITY, Timestamptz::from)
    }

    /// As [`Timestamptz::lower_bound`], of an end.
    pub fn upper_bound(time: Option<Time>) -> Timestamptz {
        time.map_or(Timestamptz::INFINITY, Timestamptz::from)
    }
}

impl From<Time> for Timestamptz {
    fn from(time: Time) -> Timestamptz {
        Timestamptz(time.micros())
    }
}

/// An argument that must be a finite time.
pub fn required(argument: &'static str, micros: Option<i64>) -> Result<Time> {
    finite(argument, micros.ok_or(Error::NullArgument(argument))?)
}

/// An argument that may be null.
pub fn optional(argument: &'static str, micros: Option<i64>) -> Result<Option<Time>> {
    micros.map(|micros| finite(argument, micros)).transpose()
}

fn finite(argument: &'static str, micros: i64) -> Result<Time> {
    Time::from_micros(micros).ok_or_else(|| Error::time_out_of_range(argument))
}
