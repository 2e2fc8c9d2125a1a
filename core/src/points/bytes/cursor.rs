//! Reading bytes from the front, and the varints in them: LEB128 of a u64, lowest group first, in as few bytes as it fits.

use super::Corrupt;

const GROUP_BITS: u32 = 7;
const GROUP: u8 = 0x7f;
const MORE: u8 = 0x80;
const LAST_SHIFT: u32 = 63;

#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Corrupt("truncated"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Corrupt> {
        let (&byte, rest) = self.0.split_first().ok_or(Corrupt("truncated"))?;
        self.0 = rest;
        Ok(byte)
    }

    pub fn fixed(&mut self) -> Result<i64, Corrupt> {
        let (&bytes, rest) = self.0.split_first_chunk().ok_or(Corrupt("truncated"))?;
        self.0 = rest;
        Ok(i64::from_le_bytes(bytes))
    }

    pub fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            if shift == LAST_SHIFT && byte > 1 {
                return Err(Corrupt("a number is too large"));
            }
            number |= u64::from(byte & GROUP) << shift;
            if byte & MORE == 0 {
                let needless = byte == 0 && shift > 0;
                return if needless {
                    Err(Corrupt("a number is padded"))
                } else {
                    Ok(number)
                };
            }
            shift += GROUP_BITS;
        }
    }

    /// A varint that counts microseconds.
    pub fn micros(&mut self) -> Result<i64, Corrupt> {
        i64::try_from(self.varint()?).map_err(|_| Corrupt("a number is too large"))
    }
}

pub fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > u64::from(GROUP) {
        bytes.push(number.to_le_bytes()[0] | MORE);
        number >>= GROUP_BITS;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// How many bytes [`push_varint`] appends.
pub const fn varint_size(number: u64) -> usize {
    let bits = u64::BITS - (number | 1).leading_zeros();
    bits.div_ceil(GROUP_BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_varint_comes_back_and_ends_where_it_ended() {
        for number in (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, u64::MAX >> bit]) {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, number);
            assert_eq!(bytes.len(), varint_size(number));
            bytes.push(7);
            let mut cursor = Cursor(&bytes);
            assert_eq!(cursor.varint(), Ok(number));
            assert_eq!(cursor.0, [7]);
        }
    }

    #[test]
    fn a_varint_that_is_cut_padded_or_too_large_is_refused() {
        let read = |bytes: &[u8]| Cursor(bytes).varint().map_err(|corrupt| corrupt.0);
        assert_eq!(read(&[]), Err("truncated"));
        assert_eq!(read(&[0x80]), Err("truncated"));
        assert_eq!(read(&[0x80, 0]), Err("a number is padded"));
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert_eq!(read(&largest), Ok(u64::MAX));
        largest[9] = 2;
        assert_eq!(read(&largest), Err("a number is too large"));
        assert_eq!(read(&[0x80; 12]), Err("a number is too large"));
    }
}
