//! Rows that a client sends, of an upload or of an update: what a field may hold, and why and where a row is refused.
//!
//! `walk` goes through a JSON of them and knows where it stands, `fields` knows what one field may hold. What makes a row
//! is said in `upload` and `update`. No tree of JSON values is ever built.

pub(crate) mod fields;
pub(crate) mod walk;

use std::fmt;

pub use fields::Field;

/// Why the rows were refused, and where: a path like `value_rows[17].valid_time`, or just `value_rows` for the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    pub path: String,
    pub reason: String,
    pub kind: Kind,
}

/// What is wrong with a row, as finely as SQLSTATE tells mistakes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 22023
    BadValue,
    /// 22007
    BadTime,
    /// 22008
    TimeOutOfRange,
    /// 22P02
    BadUuid,
    /// 22003
    NumberOutOfRange,
    /// 22004
    NullNotAllowed,
    /// 22P05: a character no Postgres text can hold
    BadCharacter,
    /// 54000
    TooMany,
    /// 54000
    TooLong,
}

/// Why a value was refused, by one who does not know in which row it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field to blame, where a row as a whole was looked at; `None` blames the row.
    pub field: Option<Field>,
    pub reason: String,
    pub kind: Kind,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, reason: impl Into<String>) -> Refusal {
        Refusal {
            field: None,
            reason: reason.into(),
            kind,
        }
    }

    pub(crate) fn of(self, field: Field) -> Refusal {
        Refusal {
            field: Some(field),
            ..self
        }
    }

    /// The refusal with its place.
    pub fn at(self, path: impl Into<String>) -> RowError {
        RowError {
            path: path.into(),
            reason: self.reason,
            kind: self.kind,
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for RowError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_its_path_and_its_reason() {
        let error = Refusal::new(Kind::BadValue, "unknown field").at("value_rows[3].valid_tme");
        assert_eq!(error.to_string(), "value_rows[3].valid_tme: unknown field");
        assert_eq!(error.kind, Kind::BadValue);
    }
}
