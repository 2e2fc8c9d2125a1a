//! Integers in as few bits as the widest of them needs, counted from the smallest or each from the one before it.
//!
//! ```text
//! byte     bits 0-5 the width in bits, bit 6: each from the one before
//! varint   the smallest, or the first; zigzag
//! bits     from the smallest: for each its distance; from the one before: for each but the first the zigzag of the
//!          difference. Lowest bit first, the last byte filled with 0
//! ```

use super::decimal::LIMIT;
use crate::points::Corrupt;
use crate::points::bytes::cursor::{Cursor, push_varint, varint_size};

const WIDTH: u8 = 0x3f;
const FROM_BEFORE: u8 = 1 << 6;
/// What a difference of two integers within the limit needs at most; a word that begins anywhere in a byte holds it.
const WIDEST: u32 = 53;
const WORD: usize = size_of::<u64>();

/// Integers, packed.
#[derive(Clone, Copy, Debug)]
pub struct Integers<'a> {
    from_before: bool,
    width: usize,
    base: i64,
    bytes: &'a [u8],
}

/// Integers, measured: how they are packed, and in how many bytes.
pub struct Plan {
    from_before: bool,
    width: u32,
    base: i64,
    packed: usize,
}

impl Plan {
    /// Of two forms of one size it is the one that is quicker to read: from the smallest.
    pub fn of(integers: &[i64]) -> Plan {
        let first = integers.first().copied().unwrap_or(0);
        let (mut smallest, mut largest, mut before, mut all_steps) = (first, first, first, 0);
        for &integer in integers {
            smallest = smallest.min(integer);
            largest = largest.max(integer);
            all_steps |= zigzag(integer - before);
            before = integer;
        }
        let plan = |from_before, widest: u64, base, count: usize| {
            let width = u64::BITS - widest.leading_zeros();
            Plan {
                from_before,
                width,
                base,
                packed: (count * width as usize).div_ceil(8),
            }
        };
        let from_smallest = plan(false, largest.abs_diff(smallest), smallest, integers.len());
        let from_before = plan(true, all_steps, first, integers.len().saturating_sub(1));
        if from_before.packed < from_smallest.packed {
            from_before
        } else {
            from_smallest
        }
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        1 + varint_size(zigzag(self.base)) + self.packed
    }

    /// Packs the integers that the plan was made for.
    pub fn push(&self, integers: &[i64], bytes: &mut Vec<u8>) {
        let width = self.width.to_le_bytes()[0];
        bytes.push(if self.from_before { width | FROM_BEFORE } else { width });
        push_varint(bytes, zigzag(self.base));
        if self.width == 0 {
            return;
        }
        if self.from_before {
            let steps = integers.array_windows();
            push_bits(
                bytes,
                self.width,
                steps.map(|[before, integer]| zigzag(integer - before)),
            );
        } else {
            let distances = integers.iter().map(|integer| integer.abs_diff(self.base));
            push_bits(bytes, self.width, distances);
        }
    }
}

impl<'a> Integers<'a> {
    pub fn read(cursor: &mut Cursor<'a>, count: usize) -> Result<Integers<'a>, Corrupt> {
        let byte = cursor.byte()?;
        let width = byte & WIDTH;
        let from_before = byte & FROM_BEFORE != 0;
        if u32::from(width) > WIDEST || byte & !(WIDTH | FROM_BEFORE) != 0 {
            return Err(Corrupt("unknown kind of integers"));
        }
        let base = unzigzag(cursor.varint()?);
        if !(-LIMIT..LIMIT).contains(&base) {
            return Err(BEYOND_LIMIT);
        }
        let width = usize::from(width);
        let bits = (count - usize::from(from_before)) * width;
        let bytes = cursor.take(bits.div_ceil(8))?;
        let used_bits = bits % 8;
        if used_bits > 0 && bytes.last().is_some_and(|byte| byte >> used_bits != 0) {
            return Err(Corrupt("bits follow the last value"));
        }
        Ok(Integers {
            from_before,
            width,
            base,
            bytes,
        })
    }

    /// Appends `count` integers, as many as were read, each as a float divided by `divisor`.
    pub fn decode_into(&self, count: usize, divisor: f64, out: &mut Vec<f64>) -> Result<(), Corrupt> {
        out.reserve(count);
        if self.width == 0 {
            out.extend(std::iter::repeat_n(float(self.base) / divisor, count));
            return Ok(());
        }
        // All integers moved by the limit: a bit above twice the limit says that one of them was beyond it.
        let mut moved = 0;
        let mut integer = self.base;
        if self.from_before {
            out.push(float(integer) / divisor);
            self.unpack(count - 1, |bits| {
                integer = integer.wrapping_add(unzigzag(bits));
                moved |= integer.wrapping_add(LIMIT);
                out.push(float(integer) / divisor);
            });
        } else {
            self.unpack(count, |bits| {
                integer = self.base.wrapping_add_unsigned(bits);
                moved |= integer.wrapping_add(LIMIT);
                out.push(float(integer) / divisor);
            });
        }
        if (0..2 * LIMIT).contains(&moved) {
            Ok(())
        } else {
            Err(BEYOND_LIMIT)
        }
    }

    /// Each group of bits in turn. A word is read at once wherever there is a whole one, so that nothing depends on where
    /// in it the bits are; the last groups are read from a copy that has room behind them.
    #[inline]
    fn unpack(&self, count: usize, mut each: impl FnMut(u64)) {
        let whole_words = match self.bytes.len().checked_sub(WORD) {
            Some(last_word) => ((last_word * 8 + 7) / self.width + 1).min(count),
            None => 0,
        };
        for index in 0..whole_words {
            each(self.bits(self.bytes, index * self.width));
        }
        let rest = whole_words * self.width / 8;
        let mut padded = [0; 3 * WORD];
        let tail = self.bytes.get(rest..).unwrap_or_default();
        if let Some(room) = padded.get_mut(..tail.len()) {
            room.copy_from_slice(tail);
        }
        for index in whole_words..count {
            each(self.bits(&padded, index * self.width - rest * 8));
        }
    }

    #[inline]
    fn bits(&self, bytes: &[u8], at: usize) -> u64 {
        let word = bytes.get(at / 8..).and_then(|bytes| bytes.first_chunk());
        let word = word.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        word >> (at % 8) & ((1 << self.width) - 1)
    }
}

const BEYOND_LIMIT: Corrupt = Corrupt("an integer is too large");

fn push_bits(bytes: &mut Vec<u8>, width: u32, groups: impl Iterator<Item = u64>) {
    let (mut word, mut filled) = (0, 0);
    for bits in groups {
        word |= bits << filled;
        filled += width;
        if filled >= u64::BITS {
            bytes.extend(word.to_le_bytes());
            filled -= u64::BITS;
            word = bits >> (width - filled);
        }
    }
    bytes.extend(&word.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

#[inline]
pub fn float(integer: i64) -> f64 {
    integer as f64
}

/// Small numbers of either sign as small numbers.
#[inline]
pub fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

#[inline]
pub fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
