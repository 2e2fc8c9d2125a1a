//! `timedb.points` as functions take it: its bytes, checked as if they were anybody's; nothing read from them is trusted.

use crate::error::{Error, Result};
use crate::pg::varlena::PackedBytes;
use timedb_core::points::{Opened, Points};

pub fn read(points: &PackedBytes) -> Result<Points<'_>> {
    Points::read(&points.0).map_err(Error::PointsStored)
}

pub fn open(points: &PackedBytes) -> Result<Opened<'_>> {
    read(points)?.open().map_err(Error::PointsStored)
}
