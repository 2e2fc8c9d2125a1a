//! The way through an array of JSON rows: it knows which row, field and tag it is at, so that every mistake has a place.
//!
//! What a row means is the business of the [`Rows`] it fills. A row is refused at the first unknown or wrong thing in it,
//! before what lies inside is read: so the depth of a JSON never matters here.

mod again;
#[cfg(test)]
mod tests;
mod visit;

use serde::de::{self, DeserializeSeed};

use super::fields::Given;
use super::{Field, Kind, Refusal, RowError, number};
use crate::excerpt::printable;
use visit::Array;

/// Steps (rows and tags) between two calls of `tick`: often enough to cancel at once, too seldom to be felt.
const STEPS_A_TICK: usize = 4096;

/// What the rows of one argument are made into.
pub(crate) trait Rows<'de>: Sized {
    /// The argument's name, with which every path begins.
    const ARGUMENT: &'static str;
    const FIELDS: &'static [Field];
    /// What to do about more rows than are taken.
    const FEWER: &'static str;
    /// What a row has, in a sentence: for who sends another field.
    const HAS: &'static str;

    /// What to do about a field that a row does not have.
    fn instead_of(_unknown: &str) -> &'static str {
        Self::HAS
    }

    /// None yet, to be taken as these are.
    fn none(&self) -> Self;

    /// Takes one field of the row under way.
    fn set(&mut self, field: Field, given: Given<'de>) -> Result<(), Refusal>;

    /// Takes the row under way, whose fields have all been set.
    fn end_row(&mut self, row: usize) -> Result<(), Refusal>;
}

/// Reads the rows of a JSON array into `rows`; of those that are bad the first is told and the others counted. `tick` is
/// called every few thousand rows and may unwind.
pub(crate) fn walk<'de, R: Rows<'de>>(
    json: &'de str,
    rows: &mut R,
    most_rows: usize,
    tick: &mut dyn FnMut(),
) -> Result<(), RowError> {
    let mut walk = Walk::of(rows, most_rows, tick);
    let mut from = serde_json::Deserializer::from_str(json);
    let walked = Array(&mut walk).deserialize(&mut from).and_then(|()| from.end());
    let refused = walked.map_err(|error| walk.refused(&error)).err();
    let is_doubtful = walk.is_doubtful || walk.has_zeros && number::may_be_too_small(json);
    match (refused, walk.row) {
        (None, _) if !is_doubtful => Ok(()),
        (Some(refused), None) => Err(refused),
        (first, row) => {
            let first = first.zip(row);
            again::bad_rows(json, walk.rows, first, is_doubtful, most_rows, walk.tick)
        }
    }
}

struct Walk<'w, R> {
    rows: &'w mut R,
    most_rows: usize,
    tick: &'w mut dyn FnMut(),
    steps: usize,
    row: Option<usize>,
    field: Option<Field>,
    /// What the row calls the key of its series.
    key_name: &'static str,
    tag: Option<usize>,
    /// Whether some value may have been an integer that no double precision is: serde_json tells large ones as floats.
    is_doubtful: bool,
    /// Whether some value was zero, as serde_json also tells what is too small.
    has_zeros: bool,
    /// Why the walk ended early. serde's own errors have no room for it.
    refused: Option<RowError>,
}

impl<'de, 'w, R: Rows<'de>> Walk<'w, R> {
    fn of(rows: &'w mut R, most_rows: usize, tick: &'w mut dyn FnMut()) -> Walk<'w, R> {
        Walk {
            rows,
            most_rows,
            tick,
            steps: 0,
            row: None,
            field: None,
            key_name: Field::ValueKey.name(),
            tag: None,
            is_doubtful: false,
            has_zeros: false,
            refused: None,
        }
    }

    /// Why the walk ended early, which serde tells by an error of its own.
    fn refused(&mut self, error: &serde_json::Error) -> RowError {
        self.refused.take().unwrap_or_else(|| self.explain(error))
    }

    fn name(&self, field: Field) -> &'static str {
        match field {
            Field::ValueKey => self.key_name,
            field => field.name(),
        }
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS_A_TICK) {
            (self.tick)();
        }
    }

    fn path(&self, field: Option<&str>) -> String {
        let mut path = R::ARGUMENT.to_owned();
        if let Some(row) = self.row {
            path += &format!("[{row}]");
        }
        if let Some(field) = field {
            path += &format!(".{field}");
        }
        if let Some(tag) = self.tag {
            path += &format!("[{tag}]");
        }
        path
    }

    /// Remembers why the walk ends here; the error that comes back only carries the end through serde.
    fn refuse<E: de::Error>(&mut self, refusal: Refusal) -> E {
        let path = self.path(refusal.field.or(self.field).map(|field| self.name(field)));
        self.refused = Some(refusal.at(path));
        E::custom("")
    }

    fn refuse_name<E: de::Error>(&mut self, name: &str, refusal: Refusal) -> E {
        let path = self.path(Some(&printable(name)));
        self.refused = Some(refusal.at(path));
        E::custom("")
    }

    /// A string that had escapes, and so may hold what Postgres cannot.
    fn unescaped<E: de::Error>(&mut self, text: &str) -> Result<String, E> {
        if text.contains('\0') {
            return Err(self.refuse(Refusal::new(Kind::BadCharacter, r"contains \u0000")));
        }
        Ok(text.to_owned())
    }

    /// What serde_json itself could not read, at the place the walk had reached. Its error codes are private, so two of
    /// them are known by their text; the tests would notice if it changed.
    fn explain(&self, error: &serde_json::Error) -> RowError {
        let text = error.to_string();
        let refusal = if error.is_data() {
            Refusal::new(Kind::BadValue, format!("must be {}", self.takes()))
        } else if text.starts_with("number out of range") {
            number::out_of_range()
        } else if text.contains("surrogate") || text.starts_with("unexpected end of hex escape") {
            Refusal::new(Kind::BadCharacter, "contains half of a surrogate pair")
        } else {
            Refusal::new(Kind::BadValue, format!("is not valid JSON: {text}"))
        };
        refusal.at(self.path(self.field.map(|field| self.name(field))))
    }

    fn takes(&self) -> &'static str {
        match (self.row, self.field, self.tag) {
            (None, ..) => "a JSON array of rows",
            (_, None, _) => "a JSON object",
            (.., Some(_)) => "a string",
            (_, Some(field), None) => field.takes(),
        }
    }
}
