//! The JSON rows of an upload: a value of a series each.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use uuid::Uuid;

use super::UPLOAD_HAS;
use super::columns::{SeriesRows, UploadColumns};
use crate::points::Point;
use crate::rows::fields::{Given, needed, not_null, of_the_run};
use crate::rows::walk::{Rows, walk};
use crate::rows::{Field, Refusal, RowError};
use crate::time::Time;

/// Reads the JSON rows of an upload, at most `most_rows` of them, into one column of points for each distinct reference
/// to a series, in first-seen order.
///
/// `tick` is called every few thousand rows, for the caller to answer a cancel; it may unwind.
pub fn read_json(json: &str, most_rows: usize, tick: &mut dyn FnMut()) -> Result<Vec<SeriesRows>, RowError> {
    let mut rows = UploadRows::default();
    walk(json, &mut rows, most_rows, tick)?;
    Ok(rows.columns.finish())
}

#[derive(Default)]
struct UploadRows<'de> {
    columns: UploadColumns,
    row: UploadRow<'de>,
}

/// The row under way.
#[derive(Default)]
struct UploadRow<'de> {
    key: Option<Cow<'de, str>>,
    id: Option<Uuid>,
    start: Option<Time>,
    end: Option<Time>,
    /// The outer is whether the field is there: a null is a value too.
    value: Option<Option<f64>>,
}

impl<'de> Rows<'de> for UploadRows<'de> {
    const ARGUMENT: &'static str = "value_rows";
    const FIELDS: &'static [Field] = &[
        Field::ValidTime,
        Field::ValidTimeEnd,
        Field::Value,
        Field::ValueKey,
        Field::SeriesId,
    ];
    const HAS: &'static str = UPLOAD_HAS;

    fn instead_of(unknown: &str) -> &'static str {
        of_the_run(unknown).unwrap_or(UPLOAD_HAS)
    }

    fn none(&self) -> Self {
        Self::default()
    }

    fn set(&mut self, field: Field, given: Given<'de>) -> Result<(), Refusal> {
        let row = &mut self.row;
        match field {
            Field::ValidTime => row.start = Some(not_null(field.time(given)?)?),
            Field::ValidTimeEnd => row.end = field.time(given)?,
            Field::Value => row.value = Some(field.number(given)?),
            Field::ValueKey => row.key = field.text(given)?,
            Field::SeriesId => row.id = field.uuid(given)?,
            // Not among FIELDS.
            Field::RunId | Field::TenantId | Field::Annotation | Field::Tags => {}
        }
        Ok(())
    }

    fn end_row(&mut self, _: usize) -> Result<(), Refusal> {
        let row = std::mem::take(&mut self.row);
        let start = needed(Field::ValidTime, row.start)?;
        let value = needed(Field::Value, row.value)?;
        self.columns.push(
            row.key.as_deref(),
            row.id,
            Point {
                start,
                end: row.end,
                value,
            },
        )
    }
}
