//! The values of points that are not null, in the bytes they are stored as. Every float comes back bit for bit.
//!
//! ```text
//! encoding 0, plain    8 bytes for each value, little-endian IEEE 754
//! encoding 1, decimal  a head and bit-packed integers: see `decimal` and `integers`
//! encoding 2, pco      a byte that is 255, or the head of decimals; 4 bytes CRC-32 of what follows, little-endian; the
//!                      values, or the integers of the decimals, as a standalone file of pco
//! ```
//!
//! `choose` alone decides which one values get. pco's decoder is no place for hostile bytes: what a client sends is plain
//! or decimal.

mod choose;
mod decimal;
pub(crate) mod integers;
mod long;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;

use decimal::Head;
use integers::Integers;
use long::Long;

use crate::points::Corrupt;
use crate::points::bytes::cursor::Cursor;

pub(crate) use choose::{encode, encode_for_client};

/// How values are stored, as the number in the flags of points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    Plain = 0,
    Decimal = 1,
    Pco = 2,
}

/// Values that are not null, as stored: an encoding and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    count: usize,
    stored: Stored<'a>,
    /// All of them as they are stored.
    bytes: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum Stored<'a> {
    Plain(&'a [[u8; 8]]),
    Decimal(Head<'a>, Integers<'a>),
    Pco(Option<Head<'a>>, Long<'a>),
}

impl Encoding {
    pub fn from_number(number: u8) -> Result<Encoding, Corrupt> {
        match number {
            0 => Ok(Encoding::Plain),
            1 => Ok(Encoding::Decimal),
            2 => Ok(Encoding::Pco),
            _ => Err(Corrupt("unknown value encoding")),
        }
    }
}

impl<'a> Values<'a> {
    pub(crate) const NOTHING: Values<'static> = Values {
        count: 0,
        stored: Stored::Plain(&[]),
        bytes: &[],
    };

    /// The values at the cursor, of which there are `count`; in pco they reach to the end of the bytes.
    pub(crate) fn read(cursor: &mut Cursor<'a>, encoding: Encoding, count: usize) -> Result<Values<'a>, Corrupt> {
        if count == 0 && encoding != Encoding::Plain {
            return Err(Corrupt("no values, but an encoding of them"));
        }
        let before = cursor.0;
        let stored = match encoding {
            Encoding::Plain => {
                let size = count.checked_mul(size_of::<f64>());
                let bytes = cursor.take(size.ok_or(Corrupt("truncated"))?)?;
                Stored::Plain(bytes.as_chunks().0)
            }
            Encoding::Decimal => {
                let head = Head::read(cursor, count)?;
                Stored::Decimal(head, Integers::read(cursor, count)?)
            }
            Encoding::Pco => {
                let head = if cursor.0.first() == Some(&long::FLOATS) {
                    cursor.byte()?;
                    None
                } else {
                    Some(Head::read(cursor, count)?)
                };
                Stored::Pco(head, Long::read(cursor)?)
            }
        };
        let bytes = &before[..before.len() - cursor.0.len()];
        Ok(Values { count, stored, bytes })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes that [`Values::read`] reads in this encoding.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Appends all of them; what was appended before an error means nothing.
    pub fn decode_into(&self, out: &mut Vec<f64>) -> Result<(), Corrupt> {
        let from = out.len();
        match self.stored {
            Stored::Plain(bytes) => {
                out.extend(bytes.iter().map(|bytes| f64::from_le_bytes(*bytes)));
            }
            Stored::Decimal(head, integers) => {
                integers.decode_into(self.count, head.divisor(), out)?;
                head.patch(&mut out[from..]);
            }
            Stored::Pco(None, long) => long.floats_into(self.count, out)?,
            Stored::Pco(Some(head), long) => {
                long.decimals_into(self.count, head.divisor(), out)?;
                head.patch(&mut out[from..]);
            }
        }
        Ok(())
    }

    pub(crate) fn encoding(&self) -> Encoding {
        match self.stored {
            Stored::Plain(_) => Encoding::Plain,
            Stored::Decimal(..) => Encoding::Decimal,
            Stored::Pco(..) => Encoding::Pco,
        }
    }
}
