//! One series of an upload with all that came for it, under whichever of its names.

use std::collections::BTreeMap;
use timedb_core::rows::RowError;
use timedb_core::upload::{RepeatedRow, SeriesRows};
use uuid::Uuid;

/// One series of an upload, found or made.
pub struct Resolved {
    pub id: Uuid,
    /// What it is called in the answer: its key, or its id where the key does not name it.
    pub name: String,
    pub rows: SeriesRows,
    /// What else the upload calls it, keys that are the same in normal form, and the rows that came so.
    others: BTreeMap<String, Vec<u32>>,
}

/// What is meant where two names clash.
pub const ONE_KEY: &str = "The two are one key in Unicode's normal form C, and so name one series.";

impl Resolved {
    pub fn of(id: Uuid, name: String, rows: SeriesRows) -> Resolved {
        Resolved {
            id,
            name,
            rows,
            others: BTreeMap::new(),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.name).chain(self.others.keys())
    }

    /// Joins rows that came under a name of this series.
    pub fn absorb(&mut self, name: String, rows: SeriesRows) {
        if self.name != name {
            self.others.entry(name).or_default().extend(&rows.rows);
        }
        self.rows.absorb(rows);
    }

    /// Under which other name a row came, if under one.
    fn other_name(&self, row: usize) -> Option<&String> {
        let mut others = self.others.iter();
        let other = others.find(|(_, rows)| rows.iter().any(|&came| came as usize == row));
        other.map(|(name, _)| name)
    }

    /// That a time came again: in one spelling, or in two.
    pub fn again(&self, again: &RepeatedRow, argument: &str) -> RowError {
        let error = again.of(argument, &self.name);
        match self.other_name(again.row) == self.other_name(again.earlier) {
            true => error,
            false => RowError {
                hint: Some(ONE_KEY),
                ..error
            },
        }
    }
}
