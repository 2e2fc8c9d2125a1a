//! Timestamps that come as SQL arguments: finite ones, and windows, whose open ends are infinite.

use crate::error::{Error, Result};
use timedb_core::time::Time;

/// An argument that must be a finite time.
pub fn required(argument: &'static str, micros: Option<i64>) -> Result<Time, Error> {
    finite(argument, micros.ok_or(Error::NullArgument(argument))?)
}

/// An argument that may be null.
pub fn optional(argument: &'static str, micros: Option<i64>) -> Result<Option<Time>, Error> {
    micros.map(|micros| finite(argument, micros)).transpose()
}

fn finite(argument: &'static str, micros: i64) -> Result<Time, Error> {
    Time::from_micros(micros).ok_or(Error::TimeOutOfRange(argument))
}

/// A window's end; where it is open, what Postgres calls `-infinity` or `infinity`.
pub fn lower_bound(time: Option<Time>) -> i64 {
    time.map_or(i64::MIN, Time::micros)
}

/// See [`lower_bound`].
pub fn upper_bound(time: Option<Time>) -> i64 {
    time.map_or(i64::MAX, Time::micros)
}
