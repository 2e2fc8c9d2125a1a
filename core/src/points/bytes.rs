//! The versioned bytes of packed points. Packing is canonical (the same points are the same bytes), and reading refuses
//! shapes that packing never writes, so whoever holds [`Points`] walks their keys without a check. Values may be in any
//! encoding that holds them; they are checked when they are decoded.
//!
//! ```text
//! byte 0   format version: 1
//! byte 1   flags: bit 0 irregular times, bits 1-2 ends (none, one length, listed), bit 3 nulls, bits 4-7 value encoding
//! varint   count; if it is 0, nothing follows
//! moment   start of the first point
//! times    regular: the duration of a step, if there are two points or more; irregular: one from each point to the next
//! ends     one length: a duration; listed: a duration for each point, 0 where it has no end
//! nulls    a bit for each point, lowest first, 1 where the value is null
//! values   those that are not null, in their encoding: see `values`
//! ```
//!
//! Moments and durations are varints, of whole seconds where they are whole: see `cursor`.

mod client;
pub(crate) mod cursor;
mod keys;
mod opened;
mod read;
mod shape;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use super::values::{Encoding, Values};
use crate::time::Time;

pub use keys::Keys;
pub use opened::{Iter, Opened};
pub use read::peek;
pub(crate) use shape::{Ends, Form, Spacing};
pub use shape::{Grid, Shape};
pub(crate) use write::pack_values;
pub use write::{PackError, pack};

const VERSION: u8 = 1;

const IRREGULAR: u8 = 1;
const ENDS_CONSTANT: u8 = 1 << 1;
const ENDS_LISTED: u8 = 2 << 1;
const ENDS: u8 = 3 << 1;
const NULLS: u8 = 1 << 3;
/// The flags that are those of the shape; above them is the encoding of the values.
const SHAPE: u8 = 0x0f;
const ENCODING_SHIFT: u32 = 4;
const FLAGS_AT: usize = 1;

/// Packed points, checked: where they are, and their values as they are stored. Borrows the bytes and copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    shape: Shape<'a>,
    values: Values<'a>,
}

/// Bytes that packing never wrote, and the first thing found wrong with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt(pub(crate) &'static str);

impl<'a> Points<'a> {
    pub fn shape(&self) -> Shape<'a> {
        self.shape
    }

    /// Those that are not null.
    pub fn values(&self) -> Values<'a> {
        self.values
    }

    pub fn len(&self) -> usize {
        self.shape.len()
    }

    pub fn is_empty(&self) -> bool {
        self.shape.is_empty()
    }

    /// The start of the first point.
    pub fn first(&self) -> Option<Time> {
        self.shape.first()
    }

    /// The start of the last point.
    pub fn last(&self) -> Option<Time> {
        self.shape.last()
    }
}

/// Puts the encoding of the values into the flags of points.
fn set_encoding(bytes: &mut [u8], encoding: Encoding) {
    if let Some(flags) = bytes.get_mut(FLAGS_AT) {
        *flags = *flags & SHAPE | (encoding as u8) << ENCODING_SHIFT;
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Corrupt {}
