//! The rows of a read, gathered into columns and written as one Arrow IPC stream, for clients whose tables are columns.
//!
//! What is the same for many rows is told once: a series, and a version. A row then is two codes, two times and a value. The
//! columns of a version are only spelled out batch by batch, on the way to the sink, so that they are written while they are
//! in the cache.

mod batch;
mod nullable;
mod table;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::HashMap;
use std::io;

use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use uuid::Uuid;

use super::columns::{Column, READ, Series, Source, Type};
use crate::points::Point;
use crate::version::Version;
use batch::Batches;
use nullable::Nullable;
use table::Table;

/// Rows of a record batch: so many that its columns, a megabyte, stay in the cache until they are written, and in memory that
/// the next batch takes again. A multiple of 8, so that each batch's part of a bitmap starts at a byte.
const ROWS_A_BATCH: usize = 1 << 14;

/// More than any message takes for its metadata and padding.
const BYTES_A_MESSAGE: usize = 4096;

/// A series of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesCode(u32);

/// A version of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionCode(u32);

/// The rows of a read on their way into an Arrow IPC stream, in the order in which they are pushed.
///
/// It holds 20 bytes a row, 28 with intervals, and 16 wherever the series changes from one row to the next; the stream that [`Frame::finish`] writes has about 73 a row.
#[derive(Debug)]
pub struct Frame {
    series_codes: HashMap<Uuid, SeriesCode>,
    /// For each version, what its lists add to each of its rows.
    list_bytes_of: Vec<usize>,
    /// For each column of a read what it says of each series or version; nothing of what is of a point.
    tables: Vec<Option<Table>>,
    rows: Rows,
    /// What each row takes in the stream, without its lists; what all lists take, and all texts.
    bytes_a_row: usize,
    list_bytes: usize,
    text_bytes: usize,
}

/// How much of a read a [`Frame`] is to take.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub rows: usize,
    /// Of the stream, which may have as many more as one row takes.
    pub bytes: usize,
}

/// What differs from row to row, as Arrow will have it.
#[derive(Debug, Default)]
struct Rows {
    starts: Vec<i64>,
    ends: Nullable<i64>,
    values: Nullable<f64>,
    versions: Vec<u32>,
    spans: Vec<Span>,
}

/// The rows that follow each other with the same series; they begin where the span before ends.
#[derive(Clone, Copy, Debug)]
struct Span {
    series: SeriesCode,
    end: usize,
}

impl Default for Frame {
    fn default() -> Frame {
        let table = |column: &Column| match column.source {
            Source::Series(_) | Source::Version(_) => Some(Table::of(column.of)),
            Source::Start | Source::End | Source::Value => None,
        };
        let mut frame = Frame {
            series_codes: HashMap::new(),
            list_bytes_of: Vec::new(),
            tables: READ.iter().map(table).collect(),
            rows: Rows::default(),
            bytes_a_row: bytes_a_row(),
            list_bytes: 0,
            text_bytes: 0,
        };
        frame.count_text_bytes();
        frame
    }
}

impl Frame {
    pub fn new() -> Frame {
        Frame::default()
    }

    /// The code of a series, to be asked for once a series rather than once a row.
    pub fn series(&mut self, series: &Series) -> SeriesCode {
        let next = SeriesCode(self.series_codes.len() as u32);
        let code = *self.series_codes.entry(series.id).or_insert(next);
        if code == next {
            for (column, table) in READ.iter().zip(&mut self.tables) {
                if let (Source::Series(content), Some(table)) = (column.source, table) {
                    table.push(content(series));
                }
            }
            self.count_text_bytes();
        }
        code
    }

    /// The code of a version, to be asked for once a version rather than once a row.
    pub fn version(&mut self, version: &Version) -> VersionCode {
        let code = VersionCode(self.list_bytes_of.len() as u32);
        let mut list_bytes = 0;
        for (column, table) in READ.iter().zip(&mut self.tables) {
            if let (Source::Version(content), Some(table)) = (column.source, table) {
                list_bytes += table.push(content(version));
            }
        }
        self.list_bytes_of.push(list_bytes);
        self.count_text_bytes();
        code
    }

    fn count_text_bytes(&mut self) {
        self.text_bytes = self.tables.iter().flatten().map(Table::bytes).sum();
    }

    /// Makes room for so many rows more.
    pub fn reserve(&mut self, rows: usize) {
        self.rows.starts.reserve(rows);
        self.rows.values.reserve(rows);
        self.rows.versions.reserve(rows);
    }

    /// Takes one row.
    #[inline]
    pub fn push(&mut self, series: SeriesCode, version: VersionCode, point: Point) {
        self.extend(series, version, [point]);
    }

    /// Takes the rows of one series and one version; a vector of points goes in faster so than point by point.
    #[inline]
    pub fn extend(&mut self, series: SeriesCode, version: VersionCode, points: impl IntoIterator<Item = Point>) {
        let rows = &mut self.rows;
        let before = rows.starts.len();
        for point in points {
            rows.starts.push(point.start.micros_since_1970());
            rows.ends.push(point.end.map(|end| end.micros_since_1970()));
            rows.values.push(point.value);
        }
        let end = rows.starts.len();
        rows.versions.resize(end, version.0);
        match rows.spans.last_mut() {
            Some(span) if span.series == series => span.end = end,
            _ => rows.spans.push(Span { series, end }),
        }
        self.list_bytes += (end - before) * self.list_bytes_of[version.0 as usize];
    }

    /// How many rows there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.rows.starts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.starts.is_empty()
    }

    /// The most bytes that the stream will have, and not many more than it will: for the caller to refuse what is too
    /// large before it is written, and to reserve what is not.
    #[inline]
    pub fn bytes(&self) -> usize {
        let batches = self.len().div_ceil(ROWS_A_BATCH).max(1);
        // The schema, a message for each dictionary, and the end.
        let messages = batches + 1 + READ.len() + 1;
        self.len() * self.bytes_a_row + self.list_bytes + self.text_bytes + messages * BYTES_A_MESSAGE
    }

    /// Whether it has so much that it should take no further row.
    #[inline]
    pub fn is_full(&self, most: Most) -> bool {
        self.len() >= most.rows || self.bytes() >= most.bytes
    }

    /// Writes the stream. Of no rows too it has the schema, and a batch, for readers that ask for one.
    ///
    /// An error is the sink's own, or that texts of one kind are together longer than Arrow can say (2 GB).
    pub fn finish(self, sink: impl io::Write) -> io::Result<()> {
        self.write(sink).map_err(|error| match error {
            ArrowError::IoError(_, error) => error,
            other => io::Error::other(other),
        })
    }

    fn write(self, sink: impl io::Write) -> Result<(), ArrowError> {
        let rows = self.len();
        let mut batches = Batches::of(self)?;
        let mut stream = StreamWriter::try_new(sink, &batches.schema)?;
        let mut from = 0;
        loop {
            let to = rows.min(from + ROWS_A_BATCH);
            stream.write(&batches.batch(from..to)?)?;
            from = to;
            if from == rows {
                return stream.finish();
            }
        }
    }
}

/// What a row takes in the stream without what is in its lists.
fn bytes_a_row() -> usize {
    let nullable = READ.iter().filter(|column| column.nullable).count();
    let bytes = READ.iter().map(|column| match column.of {
        Type::Time | Type::Number => size_of::<i64>(),
        // A code, or where the list ends.
        Type::Id | Type::Text | Type::Texts | Type::Json => size_of::<i32>(),
    });
    bytes.sum::<usize>() + nullable.div_ceil(8)
}
