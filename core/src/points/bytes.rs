//! The versioned bytes of packed points. Packing is canonical (the same points are the same bytes), and reading refuses
//! what packing never writes, so whoever holds [`Points`] iterates without a check.
//!
//! ```text
//! byte 0   format version: 1
//! byte 1   flags: bit 0 irregular times, bits 1-2 ends (none, one length, listed), bit 3 nulls, bits 4-7 value encoding
//! varint   count; if it is 0, nothing follows
//! 8 bytes  start of the first point, microseconds, little-endian
//! times    regular: a varint step, if there are two points or more; irregular: a varint delta for each point but the first
//! ends     one length: a varint; listed: a varint length for each point, 0 where it has no end
//! nulls    a bit for each point, lowest first, 1 where the value is null
//! values   encoding 0: 8 bytes for each value that is not null, little-endian IEEE 754
//! ```

mod cursor;
mod iter;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use crate::time::Time;

pub use iter::Iter;
pub use write::{PackError, pack};

const VERSION: u8 = 1;

const IRREGULAR: u8 = 1;
const ENDS_CONSTANT: u8 = 1 << 1;
const ENDS_LISTED: u8 = 2 << 1;
const ENDS: u8 = 3 << 1;
const NULLS: u8 = 1 << 3;
const ENCODING: u8 = 0xf0;
const ENCODING_PLAIN: u8 = 0;

/// Packed points, checked and ready to be iterated. Borrows the bytes and copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    count: usize,
    pub(super) times: Times<'a>,
    pub(super) ends: Ends<'a>,
    nulls: Option<&'a [u8]>,
    values: &'a [[u8; 8]],
}

/// Where points start, in microseconds; of no points, all zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times<'a> {
    pub first: i64,
    pub last: i64,
    pub spacing: Spacing<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Spacing<'a> {
    /// Microseconds from each point to the next; 0 when there is only one.
    Regular(i64),
    /// A varint for each point but the first.
    Irregular(&'a [u8]),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Ends<'a> {
    None,
    /// The length of every interval, in microseconds.
    Constant(i64),
    /// A varint length for each point, 0 where it has no end.
    Listed(&'a [u8]),
}

/// Bytes that packing never wrote, and the first thing found wrong with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt(&'static str);

impl<'a> Points<'a> {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The start of the first point.
    pub fn first(&self) -> Option<Time> {
        (self.count > 0).then(|| Time::from_checked_micros(self.times.first))
    }

    /// The start of the last point.
    pub fn last(&self) -> Option<Time> {
        (self.count > 0).then(|| Time::from_checked_micros(self.times.last))
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Corrupt {}
