//! From codes to the columns of a record batch.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, ListArray, RecordBatch, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, SchemaRef};

use super::nullable::Finished;
use super::schema::{ZONE, schema, tag};
use super::texts::texts;
use super::{Frame, Span, VersionTable};

/// A whole frame, from which batches are cut.
pub(super) struct Columns {
    pub(super) schema: SchemaRef,
    starts: ScalarBuffer<i64>,
    ends: Finished<i64>,
    values: Finished<f64>,
    spans: Vec<Span>,
    /// The first span with rows that are in no batch yet.
    span: usize,
    key_of: Vec<i32>,
    unit_of: Vec<i32>,
    table: VersionTable,
    dictionaries: Dictionaries,
}

/// The same for all batches: a writer sends what it has sent before only once.
struct Dictionaries {
    ids: ArrayRef,
    keys: ArrayRef,
    units: ArrayRef,
    runs: ArrayRef,
    changers: ArrayRef,
    annotations: ArrayRef,
}

impl Columns {
    pub(super) fn new(frame: Frame) -> Result<Columns, ArrowError> {
        let Frame {
            series,
            mut versions,
            rows,
            ..
        } = frame;
        Ok(Columns {
            schema: Arc::new(schema()),
            starts: rows.starts.into(),
            ends: rows.ends.finish(),
            values: rows.values.finish(),
            spans: rows.spans,
            span: 0,
            key_of: series.key_of,
            unit_of: series.unit_of,
            dictionaries: Dictionaries {
                ids: series.ids.finish()?,
                keys: series.keys.finish()?,
                units: series.units.finish()?,
                runs: std::mem::take(&mut versions.runs).finish()?,
                changers: std::mem::take(&mut versions.changers).finish()?,
                annotations: std::mem::take(&mut versions.annotations).finish()?,
            },
            table: versions,
        })
    }

    /// The record batch of these rows, which follow those of the batch before.
    pub(super) fn batch(&mut self, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let (series, versions) = self.codes(rows.clone());
        let starts = self.starts.slice(rows.start, rows.len());
        let (table, dictionaries) = (&self.table, &self.dictionaries);
        let of_series = |codes: &[i32]| gather(codes, series.iter().map(|&code| code as usize));
        let of_version = |codes: &[i32]| gather(codes, versions.iter().map(|&code| code as usize));
        let time_of_version =
            |times: &[i64]| gather(times, versions.iter().map(|&code| code as usize));
        RecordBatch::try_new(
            self.schema.clone(),
            vec![
                zoned(time_of_version(&table.known).into()),
                zoned(TimestampMicrosecondArray::new(starts, None)),
                zoned(self.ends.slice(rows.clone())),
                named(series.clone().into(), &dictionaries.ids)?,
                named(of_series(&self.key_of).into(), &dictionaries.keys)?,
                named(of_series(&self.unit_of).into(), &dictionaries.units)?,
                Arc::new(self.values.slice::<Float64Type>(rows)),
                named(of_version(&table.run_of).into(), &dictionaries.runs)?,
                zoned(time_of_version(&table.change).into()),
                named(of_version(&table.changer_of).into(), &dictionaries.changers)?,
                named(annotations(table, &versions), &dictionaries.annotations)?,
                Arc::new(tags(table, &versions)?),
            ],
        )
    }

    /// The series and the version of each of these rows.
    fn codes(&mut self, rows: Range<usize>) -> (Vec<i32>, Vec<u32>) {
        let mut series = Vec::with_capacity(rows.len());
        let mut versions = Vec::with_capacity(rows.len());
        while series.len() < rows.len() {
            let span = self.spans[self.span];
            let until = span.end.min(rows.end) - rows.start;
            series.resize(until, span.series.0);
            versions.resize(until, span.version.0);
            if span.end <= rows.end {
                self.span += 1;
            }
        }
        (series, versions)
    }
}

/// The column of what each row's code stands for.
fn gather<T: Copy>(table: &[T], codes: impl Iterator<Item = usize>) -> Vec<T> {
    codes.map(|code| table[code]).collect()
}

fn zoned(column: TimestampMicrosecondArray) -> ArrayRef {
    Arc::new(column.with_timezone(ZONE))
}

fn named(codes: Int32Array, texts: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(DictionaryArray::try_new(codes, texts.clone())?))
}

fn annotations(table: &VersionTable, versions: &[u32]) -> Int32Array {
    if table.annotations_told == 0 {
        return Int32Array::new_null(versions.len());
    }
    versions
        .iter()
        .map(|&version| table.annotation_of[version as usize])
        .collect()
}

/// The tags are spelled out in each row: seldom has a row any.
fn tags(table: &VersionTable, versions: &[u32]) -> Result<ListArray, ArrowError> {
    let mut joined = Vec::new();
    let mut text_ends = vec![0];
    let mut list_ends = vec![0; versions.len() + 1];
    let valid = |version: u32| table.tags_of[version as usize].is_some();
    if table.tags_told > 0 {
        for (row, &version) in versions.iter().enumerate() {
            for tag in table.tags_of[version as usize].iter().flatten() {
                joined.extend_from_slice(tag.as_bytes());
                text_ends.push(joined.len());
            }
            let end = text_ends.len() - 1;
            list_ends[row + 1] =
                i32::try_from(end).map_err(|_| ArrowError::OffsetOverflowError(end))?;
        }
    }
    let nulls = match table.tags_told {
        0 => NullBuffer::new_null(versions.len()),
        _ => BooleanBuffer::collect_bool(versions.len(), |row| valid(versions[row])).into(),
    };
    ListArray::try_new(
        Arc::new(tag()),
        OffsetBuffer::new(list_ends.into()),
        Arc::new(texts(text_ends.into_iter(), joined)?),
        Some(nulls),
    )
}
