//! Parallel arrays, as drivers that have them bind them: one element a value.

use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::varlena::JsonbArray;
use crate::types::pieces::{element_time, null_element};
use pgrx::Array;
use pgrx::array::Scalar;
use pgrx::datum::UnboxDatum;
use timedb_core::limits::{FEWER_UPLOAD_ROWS, Limits};
use timedb_core::points::Point;
use timedb_core::rows::{BadRows, Field, Kind};
use timedb_core::upload::{Named, Upload, UploadColumns};

/// The rows of an upload from one array a column, and labels for each or one for all; elements are counted from 0 in messages.
pub fn rows_of_arrays(
    keys: &Array<&str>,
    starts: &Array<i64>,
    values: &Array<f64>,
    ends: Option<&Array<i64>>,
    labels: Option<JsonbArray>,
    limits: &Limits,
) -> Result<Upload> {
    let count = keys.len();
    let lengths = [("valid_times", starts.len()), ("point_values", values.len())];
    let ends_length = ends.map(|ends| ("valid_time_ends", ends.len()));
    for (argument, length) in lengths.into_iter().chain(ends_length) {
        if length != count {
            let reason = format!("has {length} elements, but \"series_keys\" has {count}");
            return Err(Error::bad(argument, reason));
        }
    }
    if count > limits.upload_rows {
        let reason = format!("has more than {} elements", limits.upload_rows);
        return Err(Error::TooLarge {
            argument: "series_keys",
            reason,
            hint: FEWER_UPLOAD_ROWS,
        });
    }
    let mut columns = UploadColumns::new(limits);
    let labels = Labels::of(labels, count, &mut columns)?;
    let mut bad = BadRows::default();
    let mut ends = ends.map(elements);
    for (row, ((key, start), value)) in keys.iter().zip(elements(starts)).zip(elements(values)).enumerate() {
        if row % 4096 == 0 {
            answer_cancel();
        }
        let end = ends.as_mut().and_then(|ends| ends.next()).flatten();
        let given = Given {
            key,
            labels: labels.get(row),
            start,
            end,
            value,
        };
        match push(&mut columns, row, given) {
            Ok(()) => {}
            Err(Error::Row(error)) if error.kind != Kind::TooMany => bad.add(error),
            Err(error) => return Err(error),
        }
    }
    bad.finish().map_err(Error::Row)?;
    Ok(columns.finish())
}

/// The numbers of the labels of each value, or of all of them.
enum Labels {
    OfAll(Option<u32>),
    OfEach(Vec<Option<u32>>),
}

impl Labels {
    fn of(array: Option<JsonbArray>, count: usize, columns: &mut UploadColumns) -> Result<Labels> {
        let Some(array) = array else {
            return Ok(Labels::OfAll(None));
        };
        let mut bad = BadRows::default();
        let mut numbers = Vec::new();
        array.each_text(|text| {
            let number = match text.map_or(Ok(None), |text| columns.labels(text)) {
                Ok(number) => number,
                Err(refusal) if refusal.kind == Kind::TooMany => return Err(Error::Row(refusal.at("labels"))),
                Err(refusal) => {
                    bad.add(refusal.at(format!("labels[{}]", numbers.len())));
                    None
                }
            };
            numbers.push(number);
            Ok(())
        })?;
        if numbers.len() != count && numbers.len() != 1 {
            let reason = format!("has {} elements, but \"series_keys\" has {count}", numbers.len());
            return Err(Error::BadArgument {
                argument: "labels",
                reason,
                hint: Some("One element stands for all values."),
            });
        }
        bad.finish().map_err(Error::Row)?;
        Ok(match numbers[..] {
            [of_all] => Labels::OfAll(of_all),
            _ => Labels::OfEach(numbers),
        })
    }

    fn get(&self, row: usize) -> Option<u32> {
        match self {
            Labels::OfAll(number) => *number,
            Labels::OfEach(numbers) => numbers[row],
        }
    }
}

/// What the arrays have in one place.
struct Given<'a> {
    key: Option<&'a str>,
    labels: Option<u32>,
    start: Option<i64>,
    end: Option<i64>,
    value: Option<f64>,
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

fn push(columns: &mut UploadColumns, row: usize, given: Given) -> Result<()> {
    let key = given.key.ok_or_else(|| null_element("series_keys", row))?;
    let start = element_time("valid_times", row, given.start)?;
    let start = start.ok_or_else(|| null_element("valid_times", row))?;
    let end = element_time("valid_time_ends", row, given.end)?;
    let named = Named {
        key: Some(key),
        labels: given.labels,
        ..Named::default()
    };
    let value = given.value;
    let pushed = columns.push(named, Point { start, end, value }, 0);
    pushed.map_err(|refusal| {
        let array = match refusal.field {
            Some(Field::ValidTimeEnd) => "valid_time_ends",
            _ => "series_keys",
        };
        Error::Row(refusal.at(format!("{array}[{row}]")))
    })
}
