//! Values as integers over a power of ten: what a meter, a price or a rounded forecast is. The few values of a block that are
//! no such decimal (NaN, infinities, a negative zero, a third) are exceptions, kept whole.
//!
//! ```text
//! byte     bits 0-3 the exponent of ten, bit 4 exceptions
//! if there are exceptions: a varint, how many; for each a varint, how many values are between it and the one before, and
//!          8 bytes, little-endian IEEE 754
//! ```
//!
//! The integers follow. A value is exactly its integer, as a float, divided by the power of ten.

use crate::limits::MOST_POINTS;
use crate::points::Corrupt;
use crate::points::bytes::cursor::{Cursor, push_varint, varint_size};

const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const EXPONENT: u8 = 0x0f;
const EXCEPTIONS: u8 = 1 << 4;

/// Integers are in `-LIMIT..LIMIT`.
pub const LIMIT: i64 = 1 << 51;
/// Added and taken away again it rounds a float below [`LIMIT`] to an integer, ties to even.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
const FLOAT_LIMIT: f64 = LIMIT as f64;

/// Exceptions that any block may have, and after how many values one more.
const FEW_EXCEPTIONS: usize = 2;
const VALUES_AN_EXCEPTION: usize = 16;

/// What stands before the integers.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    exponent: usize,
    exceptions: usize,
    bytes: &'a [u8],
}

/// Values taken apart.
pub struct Decimals {
    exponent: usize,
    /// For each value one; that of an exception repeats the one before it.
    pub integers: Vec<i64>,
    exceptions: Vec<(usize, f64)>,
}

impl Decimals {
    /// None where so many values are no decimals that plain ones are as small.
    pub fn of(values: &[f64]) -> Option<Decimals> {
        let mut decimals = Decimals {
            exponent: 0,
            integers: Vec::with_capacity(values.len()),
            exceptions: Vec::new(),
        };
        while let Some(exponent) = decimals.fill(values)? {
            decimals.exponent = exponent;
        }
        Some(decimals)
    }

    /// Takes all values apart with the exponent so far, unless one needs a larger exponent: then it is that one's turn.
    fn fill(&mut self, values: &[f64]) -> Option<Option<usize>> {
        self.integers.clear();
        self.exceptions.clear();
        let power = POWERS[self.exponent];
        let mut before = 0;
        for (index, &value) in values.iter().enumerate() {
            if let Some(integer) = integer(value, power) {
                before = integer;
            } else if let Some(exponent) = self.larger_exponent(value) {
                return Some(Some(exponent));
            } else if self.exceptions.len() < FEW_EXCEPTIONS + index / VALUES_AN_EXCEPTION {
                self.exceptions.push((index, value));
            } else {
                return None;
            }
            self.integers.push(before);
        }
        Some(None)
    }

    fn larger_exponent(&self, value: f64) -> Option<usize> {
        (self.exponent + 1..POWERS.len()).find(|&exponent| integer(value, POWERS[exponent]).is_some())
    }

    /// How many bytes the head takes at most.
    pub fn head_size(&self) -> usize {
        const WIDEST: usize = varint_size(MOST_POINTS as u64);
        if self.exceptions.is_empty() {
            1
        } else {
            1 + WIDEST + self.exceptions.len() * (WIDEST + size_of::<f64>())
        }
    }

    pub fn push_head(&self, bytes: &mut Vec<u8>) {
        let exponent = self.exponent.to_le_bytes()[0];
        if self.exceptions.is_empty() {
            bytes.push(exponent);
            return;
        }
        bytes.push(exponent | EXCEPTIONS);
        push_varint(bytes, self.exceptions.len() as u64);
        let mut next = 0;
        for &(index, value) in &self.exceptions {
            push_varint(bytes, (index - next) as u64);
            bytes.extend(value.to_le_bytes());
            next = index + 1;
        }
    }
}

/// The integer that the value is when multiplied by a power of ten, if it is one.
#[inline]
fn integer(value: f64, power: f64) -> Option<i64> {
    let scaled = value * power;
    let rounded = (scaled + ROUNDING) - ROUNDING;
    let is_exact = scaled.abs() < FLOAT_LIMIT && (rounded / power).to_bits() == value.to_bits();
    is_exact.then_some(rounded as i64)
}

impl<'a> Head<'a> {
    pub fn read(cursor: &mut Cursor<'a>, count: usize) -> Result<Head<'a>, Corrupt> {
        let byte = cursor.byte()?;
        let exponent = usize::from(byte & EXPONENT);
        if exponent >= POWERS.len() || byte & !(EXPONENT | EXCEPTIONS) != 0 {
            return Err(Corrupt("unknown kind of decimals"));
        }
        let exceptions = if byte & EXCEPTIONS == 0 {
            0
        } else {
            match usize::try_from(cursor.varint()?) {
                Ok(exceptions) if (1..=count).contains(&exceptions) => exceptions,
                _ => return Err(Corrupt("the exceptions are not as many as they can be")),
            }
        };
        let before = cursor.0;
        let mut left = count as u64;
        for _ in 0..exceptions {
            let gap = cursor.varint()?;
            left = left
                .checked_sub(gap)
                .and_then(|left| left.checked_sub(1))
                .ok_or(Corrupt("an exception is after the last value"))?;
            cursor.fixed()?;
        }
        Ok(Head {
            exponent,
            exceptions,
            bytes: &before[..before.len() - cursor.0.len()],
        })
    }

    pub fn divisor(&self) -> f64 {
        POWERS[self.exponent]
    }

    /// Puts the exceptions in their places.
    pub fn patch(&self, values: &mut [f64]) {
        let mut cursor = Cursor(self.bytes);
        let mut places = values.iter_mut();
        for _ in 0..self.exceptions {
            let gap = cursor.varint().ok().and_then(|gap| usize::try_from(gap).ok());
            let bits = cursor.fixed().unwrap_or_default().cast_unsigned();
            if let Some(place) = gap.and_then(|gap| places.nth(gap)) {
                *place = f64::from_bits(bits);
            }
        }
    }
}
