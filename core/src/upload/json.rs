//! The JSON rows of an upload: a value of a series each.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use uuid::Uuid;

use super::columns::{Named, Upload, UploadColumns};
use super::runs::RunKey;
use super::{Said, UPLOAD_HAS, UPLOAD_OF_RUNS_HAS};
use crate::limits::{FEWER_UPLOAD_ROWS, Limits};
use crate::points::Point;
use crate::rows::fields::{Given, needed, not_null, of_the_run};
use crate::rows::remark::{annotation, tags};
use crate::rows::walk::{Rows, walk};
use crate::rows::{Field, Refusal, RowError};
use crate::time::Time;

/// Reads the JSON rows of an upload, as many as one may have, into one column of points for each distinct reference
/// to a series, in first-seen order.
///
/// `tick` is called every few thousand rows, for the caller to answer a cancel; it may unwind.
pub fn read_json(json: &str, limits: &Limits, tick: &mut dyn FnMut()) -> Result<Upload, RowError> {
    read::<false>(json, UploadColumns::new(limits), tick)
}

/// The same of rows that say when they were known, and of which workflow they are; what they do not say is the call's.
pub fn read_json_of_runs(
    json: &str,
    of_the_call: RunKey,
    limits: &Limits,
    tick: &mut dyn FnMut(),
) -> Result<Upload, RowError> {
    read::<true>(json, UploadColumns::of_runs(of_the_call, limits), tick)
}

fn read<const OF_RUNS: bool>(json: &str, columns: UploadColumns, tick: &mut dyn FnMut()) -> Result<Upload, RowError> {
    let most_rows = columns.limits().upload_rows;
    let mut rows = UploadRows::<OF_RUNS> {
        columns,
        row: UploadRow::default(),
    };
    walk(json, &mut rows, most_rows, tick)?;
    Ok(rows.columns.finish())
}

struct UploadRows<'de, const OF_RUNS: bool> {
    columns: UploadColumns,
    row: UploadRow<'de>,
}

/// The row under way.
#[derive(Default)]
struct UploadRow<'de> {
    key: Option<Cow<'de, str>>,
    /// The number of their text.
    labels: Option<u32>,
    unit: Option<u32>,
    id: Option<Uuid>,
    start: Option<Time>,
    end: Option<Time>,
    /// The outer is whether the field is there: a null is a value too.
    value: Option<Option<f64>>,
    known: Option<Time>,
    workflow: Option<Cow<'de, str>>,
    /// Boxed, because few rows have it and all are taken out of their place.
    said: Option<Box<Said>>,
}

const FIELDS: &[Field] = &[
    Field::ValidTime,
    Field::ValidTimeEnd,
    Field::Value,
    Field::ValueKey,
    Field::Labels,
    Field::Unit,
    Field::SeriesId,
    Field::Annotation,
    Field::Tags,
];

const FIELDS_OF_RUNS: &[Field] = &[
    Field::ValidTime,
    Field::ValidTimeEnd,
    Field::Value,
    Field::ValueKey,
    Field::Labels,
    Field::Unit,
    Field::SeriesId,
    Field::Annotation,
    Field::Tags,
    Field::KnownTime,
    Field::WorkflowId,
];

impl<'de, const OF_RUNS: bool> Rows<'de> for UploadRows<'de, OF_RUNS> {
    const ARGUMENT: &'static str = "value_rows";
    const FEWER: &'static str = FEWER_UPLOAD_ROWS;
    const FIELDS: &'static [Field] = if OF_RUNS { FIELDS_OF_RUNS } else { FIELDS };
    const HAS: &'static str = if OF_RUNS { UPLOAD_OF_RUNS_HAS } else { UPLOAD_HAS };

    fn instead_of(unknown: &str) -> &'static str {
        of_the_run(unknown).unwrap_or(Self::HAS)
    }

    fn none(&self) -> Self {
        // What the call says of runs makes no row bad.
        let any_run = RunKey {
            known: None,
            workflow: "".into(),
        };
        Self {
            columns: match OF_RUNS {
                true => UploadColumns::of_runs(any_run, self.columns.limits()),
                false => UploadColumns::new(self.columns.limits()),
            },
            row: UploadRow::default(),
        }
    }

    fn set(&mut self, field: Field, given: Given<'de>) -> Result<(), Refusal> {
        let row = &mut self.row;
        match field {
            Field::ValidTime => row.start = Some(not_null(field.time(given)?)?),
            Field::ValidTimeEnd => row.end = field.time(given)?,
            Field::Value => row.value = Some(field.number(given)?),
            Field::ValueKey => row.key = field.text(given)?,
            Field::Labels => row.labels = self.columns.labels(field.object(given)?.unwrap_or("null"))?,
            Field::Unit => row.unit = self.columns.unit(field.text(given)?.as_deref())?,
            Field::SeriesId => row.id = field.uuid(given)?,
            Field::KnownTime => row.known = field.time(given)?,
            Field::WorkflowId => row.workflow = field.text(given)?,
            Field::Annotation => row.said().annotation = annotation(field.text(given)?)?,
            Field::Tags => row.said().tags = tags(field.list(given)?)?,
            // Not among FIELDS.
            Field::RunId | Field::TenantId => {}
        }
        Ok(())
    }

    fn end_row(&mut self, _: usize) -> Result<(), Refusal> {
        let row = std::mem::take(&mut self.row);
        let start = needed(Field::ValidTime, row.start)?;
        let value = needed(Field::Value, row.value)?;
        let run = match OF_RUNS {
            true => self.columns.run(row.known, row.workflow.as_deref())?,
            false => 0,
        };
        let said = row.said.map_or(Ok(0), |said| self.columns.said(*said))?;
        let named = Named {
            key: row.key.as_deref(),
            labels: row.labels,
            unit: row.unit,
            id: row.id,
            run,
        };
        let point = Point {
            start,
            end: row.end,
            value,
        };
        self.columns.push(named, point, said)
    }
}

impl UploadRow<'_> {
    fn said(&mut self) -> &mut Said {
        self.said.get_or_insert_default()
    }
}
