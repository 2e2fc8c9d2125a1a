//! The second way through an array of rows, taken where the first found something amiss: row by row, each by itself, so that
//! all that are bad are counted, and with the text of its value, so that a large integer, or a small number, is seen as it was
//! written.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::visit::Row;
use super::{Rows, Walk};
use crate::rows::{BadRows, Field, RowError, number};

/// The bad rows: the first one, as far as the first walk has seen, with its number, and what comes after it. Where that
/// walk has seen doubtful values, the rows before it are looked at as well.
pub(super) fn bad_rows<'de, R: Rows<'de>>(
    json: &'de str,
    rows: &R,
    first: Option<(RowError, usize)>,
    is_doubtful: bool,
    most_rows: usize,
    tick: &mut dyn FnMut(),
) -> Result<(), RowError> {
    let first_row = first.as_ref().map_or(usize::MAX, |(_, row)| *row);
    let mut first = first.map(|(error, _)| error);
    let mut bad = BadRows::default();
    let mut see = |row: usize, text: &'de str| {
        let error = match row {
            row if row == first_row => first.take(),
            row if row < first_row && !is_doubtful => None,
            row => bad_row(rows.none(), row, text, tick),
        };
        error.into_iter().for_each(|error| bad.add(error));
        row + 1 < most_rows
    };
    // Whatever serde_json cannot read here, it could not read before: then that is the first error.
    let _ = EachRow(&mut see).deserialize(&mut serde_json::Deserializer::from_str(json));
    first.into_iter().for_each(|error| bad.add(error));
    bad.finish()
}

/// Why a row by itself is refused.
fn bad_row<'de, R: Rows<'de>>(mut rows: R, row: usize, text: &'de str, tick: &mut dyn FnMut()) -> Option<RowError> {
    let mut walk = Walk::of(&mut rows, usize::MAX, tick);
    walk.row = Some(row);
    walk.step();
    let read = Row(&mut walk).deserialize(&mut serde_json::Deserializer::from_str(text));
    match read {
        Err(error) => Some(walk.refused(&error)),
        Ok(()) if walk.is_doubtful || walk.has_zeros => {
            let refusal = number_of(text).map(number::of_text)?.err()?;
            Some(refusal.at(walk.path(Some(Field::Value.name()))))
        }
        Ok(()) => None,
    }
}

/// The text of the value, if it is a number.
fn number_of(row: &str) -> Option<&str> {
    #[derive(Deserialize)]
    struct Valued<'a> {
        #[serde(borrow)]
        value: Option<&'a RawValue>,
    }
    let text = serde_json::from_str::<Valued>(row).ok()?.value?.get();
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        .then_some(text)
}

/// Each element of an array as its text, for as long as it is answered that more are wanted.
struct EachRow<'s, F>(&'s mut F);

impl<'de, F: FnMut(usize, &'de str) -> bool> DeserializeSeed<'de> for EachRow<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(usize, &'de str) -> bool> Visitor<'de> for EachRow<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut row = 0;
        while let Some(text) = rows.next_element::<&'de RawValue>()? {
            if !(self.0)(row, text.get()) {
                break;
            }
            row += 1;
        }
        Ok(())
    }
}
