//! The values of points that are not null, in the bytes they are stored as.

use crate::points::Corrupt;
use crate::points::bytes::cursor::Cursor;

/// Plain values: 8 bytes each, little-endian IEEE 754.
pub const PLAIN: u8 = 0;

/// Values that are not null, as stored: an encoding and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    plain: &'a [[u8; 8]],
}

impl<'a> Values<'a> {
    pub(crate) const NOTHING: Values<'static> = Values { plain: &[] };

    /// The values at the cursor, of which there are `present`.
    pub(crate) fn read(cursor: &mut Cursor<'a>, present: usize) -> Result<Values<'a>, Corrupt> {
        let size = present
            .checked_mul(size_of::<f64>())
            .ok_or(Corrupt("truncated"))?;
        Ok(Values {
            plain: cursor.take(size)?.as_chunks().0,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.plain.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends all of them; what was appended before an error means nothing.
    pub fn decode_into(&self, out: &mut Vec<f64>) -> Result<(), Corrupt> {
        out.extend(self.plain.iter().map(|bytes| f64::from_le_bytes(*bytes)));
        Ok(())
    }
}
