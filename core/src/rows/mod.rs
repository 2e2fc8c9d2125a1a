//! Rows that a client sends, of an upload or of an update: what a field may hold, and why and where a row is refused.
//!
//! `walk` goes through a JSON of them and knows where it stands, `fields` knows what one field may hold. What makes a row
//! is said in `upload` and `update`. No tree of JSON values is ever built.

pub(crate) mod fields;
pub(crate) mod labels;
pub(crate) mod number;
pub(crate) mod remark;
pub(crate) mod shared;
pub(crate) mod walk;

use std::fmt;

pub use fields::Field;

/// Why the rows were refused, and where: a path like `value_rows[17].valid_time`, or just `value_rows` for the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    pub path: String,
    pub reason: String,
    pub kind: Kind,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// How many other rows are refused as well.
    pub more: usize,
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
    /// 42704: what is named is not there, or another tenant's
    Absent,
    /// 55000: a run that is taken back
    Withdrawn,
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
    pub hint: Option<&'static str>,
}

/// The rows that are refused, of which the first is told and the others counted.
#[derive(Debug, Default)]
pub struct BadRows {
    first: Option<RowError>,
    more: usize,
}

impl BadRows {
    /// Takes another one, further down.
    pub fn add(&mut self, error: RowError) {
        match self.first {
            Some(_) => self.more += 1 + error.more,
            None => self.first = Some(error),
        }
    }

    pub fn are_there(&self) -> bool {
        self.first.is_some()
    }

    pub fn finish(self) -> Result<(), RowError> {
        match self.first {
            Some(first) => Err(RowError {
                more: first.more + self.more,
                ..first
            }),
            None => Ok(()),
        }
    }
}

impl Refusal {
    pub fn new(kind: Kind, reason: impl Into<String>) -> Refusal {
        Refusal {
            field: None,
            reason: reason.into(),
            kind,
            hint: None,
        }
    }

    /// What is not there, or another tenant's, which is told alike.
    pub fn absent(what: &str, name: impl fmt::Display) -> Refusal {
        Refusal::new(Kind::Absent, format!("{what} \"{name}\" does not exist"))
    }

    pub fn hint(self, hint: impl Into<Option<&'static str>>) -> Refusal {
        Refusal {
            hint: hint.into(),
            ..self
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
            hint: self.hint,
            more: 0,
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)?;
        match self.more {
            0 => Ok(()),
            1 => write!(f, " (and 1 other row is bad)"),
            more => write!(f, " (and {more} other rows are bad)"),
        }
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

    #[test]
    fn of_many_bad_rows_the_first_is_shown_and_the_others_are_counted() {
        let mut bad = BadRows::default();
        assert!(!bad.are_there());
        for (row, message) in [
            "value_rows[0]: unknown field",
            "value_rows[0]: unknown field (and 1 other row is bad)",
            "value_rows[0]: unknown field (and 2 other rows are bad)",
        ]
        .into_iter()
        .enumerate()
        {
            bad.add(Refusal::new(Kind::BadValue, "unknown field").at(format!("value_rows[{row}]")));
            let so_far = BadRows {
                first: bad.first.clone(),
                more: bad.more,
            };
            assert_eq!(so_far.finish().unwrap_err().to_string(), message);
        }
    }
}
