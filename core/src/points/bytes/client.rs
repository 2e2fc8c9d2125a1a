//! Points as clients may send and receive them: the same bytes without the encoding whose decoder must not be attacked.

use super::write::pack_values;
use super::{Corrupt, Points};
use crate::points::values::{Encoding, encode, encode_for_client};

impl<'a> Points<'a> {
    /// Checks bytes from anybody, all of them: opening them later does not fail. They may be more bytes than packing would
    /// have made of the points; what is stored is [`Points::repack`] of them.
    pub fn read_from_client(bytes: &'a [u8]) -> Result<Points<'a>, Corrupt> {
        let points = Points::read(bytes)?;
        if points.values.encoding() == Encoding::Pco {
            return Err(Corrupt("no client sends this encoding of values"));
        }
        points.open()?;
        Ok(points)
    }

    /// The bytes that packing makes of these points.
    pub fn repack(&self) -> Result<Vec<u8>, Corrupt> {
        self.with_values(encode)
    }

    /// The bytes that a client may send back.
    pub fn to_wire(&self) -> Result<Vec<u8>, Corrupt> {
        self.with_values(encode_for_client)
    }

    fn with_values(&self, encode: fn(&[f64], &mut Vec<u8>) -> Encoding) -> Result<Vec<u8>, Corrupt> {
        let mut present = Vec::new();
        self.values.decode_into(&mut present)?;
        Ok(pack_values(&self.shape, &present, encode))
    }
}
