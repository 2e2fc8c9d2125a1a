//! From codes to record batches, whose schema is that of the columns of a read.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::nullable::Finished as FinishedRows;
use super::table::{Finished, Table};
use super::{Frame, Span};
use crate::answer::columns::{Column, READ, Source, Type};

/// The time zone that every time is in.
pub(super) const ZONE: &str = "UTC";

/// A whole frame, from which batches are cut.
pub(super) struct Batches {
    pub(super) schema: SchemaRef,
    starts: ScalarBuffer<i64>,
    ends: FinishedRows<i64>,
    values: FinishedRows<f64>,
    /// The version of each row.
    versions: Vec<u32>,
    spans: Vec<Span>,
    /// The first span with rows that are in no batch yet.
    span: usize,
    tables: Vec<Option<Finished>>,
}

impl Batches {
    pub(super) fn of(frame: Frame) -> Result<Batches, ArrowError> {
        let Frame { tables, rows, .. } = frame;
        let tables = tables.into_iter().map(|table| {
            let finished = table.map(Table::finish);
            finished.transpose()
        });
        Ok(Batches {
            schema: Arc::new(schema()),
            starts: rows.starts.into(),
            ends: rows.ends.finish(),
            values: rows.values.finish(),
            versions: rows.versions,
            spans: rows.spans,
            span: 0,
            tables: tables.collect::<Result<_, _>>()?,
        })
    }

    /// The record batch of these rows, which follow those of the batch before.
    pub(super) fn batch(&mut self, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let series = self.series(rows.clone());
        let versions = &self.versions[rows.clone()];
        let columns = READ.iter().zip(&self.tables).map(|(column, table)| {
            Ok(match (column.source, table) {
                (Source::Series(_), Some(table)) => table.column(&series)?,
                (Source::Version(_), Some(table)) => table.column(versions)?,
                (Source::End, _) => zoned(self.ends.slice(rows.clone())),
                (Source::Value, _) => Arc::new(self.values.slice::<Float64Type>(rows.clone())),
                _ => {
                    let starts = self.starts.slice(rows.start, rows.len());
                    zoned(TimestampMicrosecondArray::new(starts, None))
                }
            })
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
        RecordBatch::try_new(self.schema.clone(), columns)
    }

    /// The series of each of these rows.
    fn series(&mut self, rows: Range<usize>) -> Vec<u32> {
        let mut series = Vec::with_capacity(rows.len());
        while series.len() < rows.len() {
            let span = self.spans[self.span];
            series.resize(span.end.min(rows.end) - rows.start, span.series.0);
            if span.end <= rows.end {
                self.span += 1;
            }
        }
        series
    }
}

fn zoned(column: TimestampMicrosecondArray) -> ArrayRef {
    Arc::new(column.with_timezone(ZONE))
}

fn schema() -> Schema {
    let field = |column: &Column| Field::new(column.name, data_type(column.of), column.nullable);
    Schema::new(READ.iter().map(field).collect::<Vec<_>>())
}

fn data_type(of: Type) -> DataType {
    match of {
        Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(ZONE.into())),
        Type::Number => DataType::Float64,
        Type::Id | Type::Text | Type::Json => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Type::Texts => DataType::List(Arc::new(element())),
    }
}

/// One text of a list of them.
pub(super) fn element() -> Field {
    Field::new_list_field(DataType::Utf8, false)
}
