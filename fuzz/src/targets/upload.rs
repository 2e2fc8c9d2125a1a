//! What must hold of the rows of an upload, whether they came as an Arrow stream or as JSON.

use std::collections::HashSet;

use crate::formats::{LONGEST_SERIES_KEY, Refused, Series};

/// Reads at most so many rows.
type Read<'a> = &'a dyn Fn(usize) -> Result<Vec<Series>, Refused>;

/// More rows than any input that is not a bomb has.
pub const MOST_ROWS: usize = 5_000;

/// Of an input while it is read, for each of its bytes: a short row may name a series of its own.
pub const BYTES_A_BYTE: usize = 150;

/// Each row is of one series, which can be named so, and the limit of rows holds.
pub fn check_series(all: &[Series], read: Read) {
    let mut rows = HashSet::new();
    for series in all {
        assert_eq!(series.points.len(), series.rows.len());
        assert_eq!(series.rows.first(), Some(&(series.first_row as u32)));
        assert!(series.rows.is_sorted());
        rows.extend(series.rows.iter().copied());
        assert!(series.key.is_some() || series.id.is_some());
        if let Some(key) = &series.key {
            assert!(!key.trim().is_empty() && key.len() <= LONGEST_SERIES_KEY && !key.contains('\0'));
        }
        for (start, end, _) in &series.points {
            assert!(end.is_none_or(|end| end > *start));
        }
    }
    let count: usize = all.iter().map(|series| series.rows.len()).sum();
    assert!(rows.len() == count && rows.iter().all(|row| (*row as usize) < count));
    assert!(read(count).is_ok());
    assert!(count == 0 || read(count - 1).is_err());
}

/// A refusal says where, in words that a message of Postgres can hold, however long what it refuses.
pub fn check_refusal(refused: &Refused, argument: &str) {
    assert!(refused.starts_with(argument), "{refused}");
    assert!(refused.len() < 1000, "{refused}");
    assert!(!refused.contains(char::is_control), "{refused:?}");
}
