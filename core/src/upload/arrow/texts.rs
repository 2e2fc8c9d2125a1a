//! A column of texts, or of bytes, in whichever of Arrow's ways they lie: between offsets, behind views, or in a dictionary. An offset or
//! a code is only believed when it is used, and then only if it points at something.

use std::collections::HashMap;
use std::rc::Rc;

use arrow_schema::DataType;

use super::Malformed;
use super::layout::Column;
use super::parts::{Parts, Slots, at};
use super::values::Values;

/// The longest text that a view holds itself.
const LONGEST_WITHIN_A_VIEW: usize = 12;

const OUTSIDE: Malformed = Malformed("a text lies outside of its buffer");

/// The dictionaries of a stream, as far as they have come.
pub(super) type Dictionaries<'a> = HashMap<i64, Rc<Dictionary<'a>>>;

/// The texts that codes stand for.
pub(super) struct Dictionary<'a> {
    entries: usize,
    texts: Texts<'a>,
}

/// The texts of a column, which may be no UTF-8.
pub(super) enum Texts<'a> {
    Null,
    /// Between offsets of this many bits.
    Between32(Offsets<'a>),
    Between64(Offsets<'a>),
    Behind(Slots<'a>, Vec<&'a [u8]>),
    /// The dictionary may be missing if all codes are null.
    Coded(Values<'a>, Option<Rc<Dictionary<'a>>>),
}

/// Texts that lie one after the other.
pub(super) struct Offsets<'a> {
    offsets: Slots<'a>,
    joined: &'a [u8],
}

impl<'a> Dictionary<'a> {
    /// The dictionary that is the only column of a batch.
    pub(super) fn of(parts: &mut Parts<'a>, of: &DataType) -> Result<Dictionary<'a>, Malformed> {
        let DataType::Dictionary(_, of) = of else {
            return Err(Malformed("a dictionary is of a column without codes"));
        };
        Ok(Dictionary {
            entries: parts.rows,
            texts: Texts::spelled_out(parts, of)?,
        })
    }

    fn get(&self, code: i128) -> Result<Option<&[u8]>, Malformed> {
        let entry = usize::try_from(code)
            .ok()
            .filter(|&entry| entry < self.entries)
            .ok_or(Malformed("a code is not in its dictionary"))?;
        self.texts.get(entry)
    }
}

impl<'a> Texts<'a> {
    /// The next column.
    pub(super) fn of(
        parts: &mut Parts<'a>,
        column: &Column,
        dictionaries: &Dictionaries<'a>,
    ) -> Result<Texts<'a>, Malformed> {
        let DataType::Dictionary(codes, _) = &column.of else {
            return Texts::spelled_out(parts, &column.of);
        };
        let dictionary = column.dictionary.and_then(|id| dictionaries.get(&id));
        Ok(Texts::Coded(Values::of(parts, codes)?, dictionary.cloned()))
    }

    /// The next column, of a type without codes.
    pub(super) fn spelled_out(parts: &mut Parts<'a>, of: &DataType) -> Result<Texts<'a>, Malformed> {
        Ok(match of {
            DataType::Utf8 | DataType::Binary => Texts::Between32(Offsets::of(parts, 4)?),
            DataType::LargeUtf8 | DataType::LargeBinary => Texts::Between64(Offsets::of(parts, 8)?),
            DataType::Utf8View | DataType::BinaryView => Texts::Behind(parts.slots(16)?, parts.view_buffers()?),
            _ => {
                parts.nothing()?;
                Texts::Null
            }
        })
    }

    /// The text of a row, unless it is null. There is such a row.
    pub(super) fn get(&self, row: usize) -> Result<Option<&[u8]>, Malformed> {
        match self {
            Texts::Null => Ok(None),
            Texts::Between32(texts) => texts.get(row, |offset| usize::try_from(i32::from_le_bytes(offset)).ok()),
            Texts::Between64(texts) => texts.get(row, |offset| usize::try_from(i64::from_le_bytes(offset)).ok()),
            Texts::Behind(views, _) if views.nulls.has(row) => Ok(None),
            Texts::Behind(views, buffers) => behind(views.bytes, row, buffers).map(Some).ok_or(OUTSIDE),
            Texts::Coded(codes, dictionary) => match (codes.integer(row), dictionary) {
                (None, _) => Ok(None),
                (Some(_), None) => Err(Malformed("a dictionary is missing")),
                (Some(code), Some(dictionary)) => dictionary.get(code),
            },
        }
    }
}

impl<'a> Offsets<'a> {
    fn of(parts: &mut Parts<'a>, width: usize) -> Result<Offsets<'a>, Malformed> {
        Ok(Offsets {
            offsets: parts.offsets(width)?,
            joined: parts.buffer()?,
        })
    }

    fn get<const WIDTH: usize>(
        &self,
        row: usize,
        offset: impl Fn([u8; WIDTH]) -> Option<usize>,
    ) -> Result<Option<&[u8]>, Malformed> {
        if self.offsets.nulls.has(row) {
            return Ok(None);
        }
        let from = at(self.offsets.bytes, row).and_then(&offset);
        let to = at(self.offsets.bytes, row + 1).and_then(&offset);
        from.zip(to)
            .and_then(|(from, to)| self.joined.get(from..to))
            .map(Some)
            .ok_or(OUTSIDE)
    }
}

/// A view is a length, and then the text itself, or four bytes of it, a buffer and a place there.
fn behind<'a>(views: &'a [u8], row: usize, buffers: &[&'a [u8]]) -> Option<&'a [u8]> {
    let view = views.get(row * 16..)?.get(..16)?;
    let part = |part| at(view, part).map(u32::from_le_bytes);
    let length = part(0)? as usize;
    if length <= LONGEST_WITHIN_A_VIEW {
        return view.get(4..4 + length);
    }
    let buffer = buffers.get(part(2)? as usize)?;
    buffer.get(part(3)? as usize..)?.get(..length)
}
