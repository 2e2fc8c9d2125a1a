//! Columns whose rows have several texts each: lists of them, and maps from one to another. How many elements a row has is
//! believed only when it is used, and then only if they are there.

use std::ops::Range;

use arrow_schema::DataType;

use super::parts::{Nulls, Parts, Slots, at};
use super::texts::Texts;
use super::{Malformed, Problem, text};
use crate::limits::{LONGEST_LABELS_TEXT, MOST_TAGS};
use crate::rows::{Kind, Refusal};

const OUTSIDE: Malformed = Malformed("a row has elements that are not there");

/// Where the elements of each row are.
struct Ranges<'a> {
    offsets: Slots<'a>,
    width: usize,
}

/// A column of lists of texts.
pub(super) struct Lists<'a>(Option<(Ranges<'a>, Elements<'a>)>);

/// A column of maps from texts to texts.
pub(super) struct Maps<'a> {
    ranges: Ranges<'a>,
    nulls: Nulls<'a>,
    keys: Elements<'a>,
    values: Elements<'a>,
    /// The text of a row's, as JSON.
    object: String,
}

/// Texts of rows, so many together.
struct Elements<'a> {
    texts: Texts<'a>,
    count: usize,
}

impl<'a> Ranges<'a> {
    fn of(parts: &mut Parts<'a>, width: usize) -> Result<Ranges<'a>, Malformed> {
        Ok(Ranges {
            offsets: parts.offsets(width)?,
            width,
        })
    }

    /// Which elements are those of a row, of as many as there are, unless it is null.
    fn get(&self, row: usize, count: usize) -> Result<Option<Range<usize>>, Malformed> {
        if self.offsets.nulls.has(row) {
            return Ok(None);
        }
        let range = self.offset(row).zip(self.offset(row + 1));
        let range = range.filter(|(from, to)| from <= to && *to <= count);
        range.map(|(from, to)| Some(from..to)).ok_or(OUTSIDE)
    }

    fn offset(&self, place: usize) -> Option<usize> {
        let bytes = self.offsets.bytes;
        match self.width {
            4 => at(bytes, place).and_then(|offset| usize::try_from(i32::from_le_bytes(offset)).ok()),
            _ => at(bytes, place).and_then(|offset| usize::try_from(i64::from_le_bytes(offset)).ok()),
        }
    }
}

impl<'a> Elements<'a> {
    fn of(parts: &mut Parts<'a>, of: &DataType) -> Result<Elements<'a>, Malformed> {
        let count = parts.rows;
        let texts = Texts::spelled_out(parts, of)?;
        Ok(Elements { texts, count })
    }

    fn get(&self, place: usize) -> Result<Option<&str>, Problem> {
        let bytes = self.texts.get(place)?;
        bytes.map(text).transpose().map_err(Problem::Row)
    }
}

impl<'a> Lists<'a> {
    pub(super) fn of(parts: &mut Parts<'a>, of: &DataType) -> Result<Lists<'a>, Malformed> {
        let (width, element) = match of {
            DataType::List(element) => (4, element),
            DataType::LargeList(element) => (8, element),
            _ => return parts.nothing().map(|_| Lists(None)),
        };
        let ranges = Ranges::of(parts, width)?;
        let elements = parts.within(|parts| Elements::of(parts, element.data_type()))?;
        Ok(Lists(Some((ranges, elements))))
    }

    /// The tags of a row.
    pub(super) fn get(&self, row: usize) -> Result<Option<Vec<String>>, Problem> {
        let Some((ranges, elements)) = &self.0 else {
            return Ok(None);
        };
        let Some(range) = ranges.get(row, elements.count)? else {
            return Ok(None);
        };
        if range.len() > MOST_TAGS {
            let reason = format!("has more than {MOST_TAGS} elements");
            return Err(Problem::Row(Refusal::new(Kind::TooLong, reason)));
        }
        let tags = range.map(|place| match elements.get(place)? {
            Some(tag) if tag.contains('\0') => Err(Problem::Row(Refusal::new(Kind::BadCharacter, r"contains \u0000"))),
            Some(tag) => Ok(tag.to_owned()),
            None => Err(Problem::Row(Refusal::new(
                Kind::NullNotAllowed,
                "must not contain null",
            ))),
        });
        tags.collect::<Result<Vec<String>, Problem>>().map(Some)
    }
}

impl<'a> Maps<'a> {
    pub(super) fn of(parts: &mut Parts<'a>, of: &DataType) -> Result<Maps<'a>, Malformed> {
        let not_a_map = Malformed("a map is of no keys and values");
        let DataType::Map(entries, _) = of else {
            return Err(not_a_map);
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(not_a_map);
        };
        let [key, value] = &fields[..] else {
            return Err(not_a_map);
        };
        let ranges = Ranges::of(parts, 4)?;
        let (nulls, keys, values) = parts.within(|parts| {
            let nulls = parts.only_nulls()?;
            let keys = Elements::of(parts, key.data_type())?;
            Ok((nulls, keys, Elements::of(parts, value.data_type())?))
        })?;
        Ok(Maps {
            ranges,
            nulls,
            keys,
            values,
            object: String::new(),
        })
    }

    /// The map of a row as the text of a JSON object; longer than labels can be where they are too long.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<&str>, Problem> {
        let Some(range) = self.ranges.get(row, self.keys.count)? else {
            return Ok(None);
        };
        self.object.clear();
        for place in range {
            if self.object.len() > LONGEST_LABELS_TEXT {
                break;
            }
            self.object.push(if self.object.is_empty() { '{' } else { ',' });
            let key = match self.nulls.has(place) {
                true => None,
                false => self.keys.get(place)?,
            };
            let key =
                key.ok_or_else(|| Problem::Row(Refusal::new(Kind::NullNotAllowed, "must not have a null for a key")))?;
            push_json(&mut self.object, key);
            self.object.push(':');
            match self.values.get(place)? {
                Some(value) => push_json(&mut self.object, value),
                None => self.object.push_str("null"),
            }
        }
        self.object.push_str(if self.object.is_empty() { "{}" } else { "}" });
        Ok(Some(&self.object))
    }
}

/// A text as JSON has it, if it is not longer than labels can be: then it is cut.
fn push_json(json: &mut String, text: &str) {
    let cut = text.floor_char_boundary(LONGEST_LABELS_TEXT);
    json.push_str(&serde_json::Value::from(&text[..cut]).to_string());
}
