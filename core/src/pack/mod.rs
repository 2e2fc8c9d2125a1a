//! A pack: versions of one series, of many runs, in one value. A small vector of points costs more in its row than in its
//! values; in a pack what the versions share is stored once, and what they count is stored as columns. A reader merges on
//! the shapes alone, and decodes the values of a pack only if one of its points is shown.
//!
//! ```text
//! byte     format version: 1
//! 4 bytes  CRC-32 of all that follows, little-endian
//! varint   how many versions; if it is 0, nothing follows
//! runs           a dictionary of 16 bytes each
//! known times    a column, in microseconds
//! change times   a column beside the known times
//! changed by     a dictionary of strings
//! annotations    a dictionary of strings
//! tags           a dictionary of lists of strings: a varint, how many, then each
//! shapes         a dictionary of shapes without their start, see `points`
//! first starts   a column beside the known times
//! byte, values   the encoding of the values that are not null, of all versions in their order, and those values;
//!                or 255, and for each version that has such values a varint, how many bytes, and those bytes: the encoding
//!                and the values as the points of that version alone have them
//! ```
//!
//! Values that are nothing like each other (a flag and a measurement) stay apart where that is smaller: so what versions
//! share makes a pack smaller than they are, whatever their values.
//!
//! A string is a varint, its bytes, and that many bytes of UTF-8. Columns are in `column`, dictionaries in `dictionary`.
//! Packs come from [`pack_versions`] alone; the checksum keeps damaged ones from the decoders.

mod column;
mod dictionary;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod versions;
mod write;

use std::ops::Range;

use crate::points::bytes::pack_values;
use crate::points::values::encode;
use crate::points::{Corrupt, Opened, Values};
use crate::version::Shaped;

pub use text::{from_text, to_text};
pub use versions::text_bytes;
pub use write::{PackVersionsError, pack_versions};

const VERSION: u8 = 1;
/// In place of an encoding: the values of each version have their own.
const APART: u8 = 0xff;
const TOO_MANY: Corrupt = Corrupt("more points than a pack holds");

/// A pack that was read: all but the values, which are still as stored.
#[derive(Clone, Debug)]
pub struct Pack<'a> {
    versions: Vec<Shaped<'a>>,
    /// For each version, where its values that are not null end among those of all.
    ends: Vec<usize>,
    /// Those of all versions, one after the other: together, or in parts.
    values: Vec<Values<'a>>,
}

impl<'a> Pack<'a> {
    /// In the order in which they were packed.
    pub fn versions(&self) -> &[Shaped<'a>] {
        &self.versions
    }

    /// How many values of all versions are not null.
    pub fn present(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Appends the values of all versions that are not null.
    pub fn decode_values(&self, out: &mut Vec<f64>) -> Result<(), Corrupt> {
        self.values.iter().try_for_each(|values| values.decode_into(out))
    }

    /// Where the values of a version that are not null are, among those that [`Pack::decode_values`] appends.
    pub fn values_of(&self, version: usize) -> Range<usize> {
        let start = version.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[version]
    }

    /// The points of a version, with its values out of those of the pack.
    pub fn open(&self, version: usize, values_of_pack: &[f64]) -> Opened<'a> {
        let present = self.values_in(version, values_of_pack).to_vec();
        Opened::new(self.versions[version].shape, present)
    }

    /// The bytes of the points of a version, as packing them alone makes them.
    pub fn points(&self, version: usize, values_of_pack: &[f64]) -> Vec<u8> {
        let present = self.values_in(version, values_of_pack);
        pack_values(&self.versions[version].shape, present, encode)
    }

    fn values_in<'v>(&self, version: usize, values_of_pack: &'v [f64]) -> &'v [f64] {
        values_of_pack.get(self.values_of(version)).unwrap_or_default()
    }
}
