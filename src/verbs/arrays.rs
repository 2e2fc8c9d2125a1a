//! Parallel arrays, as drivers that have them bind them: one element a value.

use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::types::pieces::{element_time, null_element};
use pgrx::Array;
use pgrx::array::Scalar;
use pgrx::datum::UnboxDatum;
use timedb_core::points::Point;
use timedb_core::rows::{BadRows, Field, Kind};
use timedb_core::upload::{SeriesRows, UploadColumns};

/// The rows of an upload from one array a column; elements are counted from 0 in messages.
pub fn rows_of_arrays(
    keys: &Array<&str>,
    starts: &Array<i64>,
    values: &Array<f64>,
    ends: Option<&Array<i64>>,
    most_rows: usize,
) -> Result<Vec<SeriesRows>> {
    let count = keys.len();
    let lengths = [("valid_times", starts.len()), ("point_values", values.len())];
    let ends_length = ends.map(|ends| ("valid_time_ends", ends.len()));
    for (argument, length) in lengths.into_iter().chain(ends_length) {
        if length != count {
            let reason = format!("has {length} elements, but \"series_keys\" has {count}");
            return Err(Error::bad(argument, reason));
        }
    }
    if count > most_rows {
        let reason = format!("has more than {most_rows} elements");
        return Err(Error::TooLarge {
            argument: "series_keys",
            reason,
        });
    }
    let mut columns = UploadColumns::new();
    let mut bad = BadRows::default();
    let mut ends = ends.map(elements);
    for (row, ((key, start), value)) in keys.iter().zip(elements(starts)).zip(elements(values)).enumerate() {
        if row % 4096 == 0 {
            answer_cancel();
        }
        let end = ends.as_mut().and_then(|ends| ends.next()).flatten();
        match push(&mut columns, row, key, (start, end), value) {
            Ok(()) => {}
            Err(Error::Row(error)) if error.kind != Kind::TooMany => bad.add(error),
            Err(error) => return Err(error),
        }
    }
    bad.finish().map_err(Error::Row)?;
    Ok(columns.finish())
}

/// Mostly there is no null among them; where there may be one, pgrx looks before each.
fn elements<'a, T: Scalar + for<'d> UnboxDatum<As<'d> = T>>(
    array: &'a Array<T>,
) -> Box<dyn Iterator<Item = Option<T>> + 'a> {
    match array.as_slice() {
        Ok(elements) => Box::new(elements.iter().copied().map(Some)),
        Err(_) => Box::new(array.iter()),
    }
}

fn push(
    columns: &mut UploadColumns,
    row: usize,
    key: Option<&str>,
    (start, end): (Option<i64>, Option<i64>),
    value: Option<f64>,
) -> Result<()> {
    let key = key.ok_or_else(|| null_element("series_keys", row))?;
    let start = element_time("valid_times", row, start)?;
    let start = start.ok_or_else(|| null_element("valid_times", row))?;
    let end = element_time("valid_time_ends", row, end)?;
    let pushed = columns.push(Some(key), None, Point { start, end, value });
    pushed.map_err(|refusal| {
        let array = match refusal.field {
            Some(Field::ValidTimeEnd) => "valid_time_ends",
            _ => "series_keys",
        };
        Error::Row(refusal.at(format!("{array}[{row}]")))
    })
}
