//! The rows of a read, gathered into columns and written as one Arrow IPC stream.
//!
//! What is the same for many rows is told once: a series, and a version (what one stored row says of all its points). A row
//! then is two codes, two times and a value. The columns of a version are only spelled out batch by batch, on the way to
//! the sink, so that they are written while they are in the cache.

mod batch;
mod nullable;
mod schema;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::HashMap;
use std::io;

use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use uuid::Uuid;

use super::since_1970;
use crate::points::Point;
use crate::time::Time;
use batch::Columns;
use nullable::Nullable;
use texts::Texts;

/// Rows of a record batch. A multiple of 8, so that each batch's part of a bitmap starts at a byte.
const ROWS_A_BATCH: usize = 1 << 16;

/// What a row takes in the stream without its tags: four times, a value, six codes, where its tags end, and four bits.
const BYTES_A_ROW: usize = 4 * 8 + 8 + 6 * 4 + 4 + 1;
/// More than any message takes for its metadata and padding.
const BYTES_A_MESSAGE: usize = 4096;
/// The schema, a message for each dictionary, and the end.
const MESSAGES_BESIDE_BATCHES: usize = 8;

/// A series of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesCode(i32);

/// A version of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionCode(u32);

/// What one stored row says of all its points.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    pub run: Uuid,
    pub known: Time,
    pub change: Time,
    pub changed_by: &'a str,
    pub annotation: Option<&'a str>,
    pub tags: Option<&'a [&'a str]>,
}

/// The rows of a read on their way into an Arrow IPC stream, in the order in which they are pushed.
///
/// It holds 16 bytes a row, 24 with intervals, and 16 wherever series or version change from one row to the next; the
/// stream that [`Frame::finish`] writes has about 69 a row.
#[derive(Debug, Default)]
pub struct Frame {
    series: SeriesTable,
    versions: VersionTable,
    rows: Rows,
    tag_bytes: usize,
}

/// The series by their codes. The code of a series is the place of its id in `ids`.
#[derive(Debug, Default)]
struct SeriesTable {
    codes: HashMap<Uuid, SeriesCode>,
    ids: Texts,
    keys: Texts,
    units: Texts,
    key_of: Vec<i32>,
    unit_of: Vec<i32>,
}

/// The versions by their codes.
#[derive(Debug, Default)]
struct VersionTable {
    runs: Texts,
    run_codes: HashMap<Uuid, i32>,
    changers: Texts,
    annotations: Texts,
    known: Vec<i64>,
    change: Vec<i64>,
    run_of: Vec<i32>,
    changer_of: Vec<i32>,
    annotation_of: Vec<Option<i32>>,
    tags_of: Vec<Option<Box<[String]>>>,
    /// How many versions have an annotation, and how many have tags: mostly none, and then no row is asked.
    annotations_told: usize,
    tags_told: usize,
    /// What the tags of a version add to each of its rows.
    tag_bytes_of: Vec<usize>,
}

/// What differs from row to row, as Arrow will have it.
#[derive(Debug, Default)]
struct Rows {
    starts: Vec<i64>,
    ends: Nullable<i64>,
    values: Nullable<f64>,
    spans: Vec<Span>,
}

/// The rows that follow each other with the same series and version; they begin where the span before ends.
#[derive(Clone, Copy, Debug)]
struct Span {
    series: SeriesCode,
    version: VersionCode,
    end: usize,
}

impl Frame {
    pub fn new() -> Frame {
        Frame::default()
    }

    /// The code of a series, to be asked for once a series rather than once a row.
    pub fn series(&mut self, id: Uuid, key: &str, unit: &str) -> SeriesCode {
        let table = &mut self.series;
        *table.codes.entry(id).or_insert_with(|| {
            table.key_of.push(table.keys.code(key));
            table.unit_of.push(table.units.code(unit));
            SeriesCode(table.ids.code(&id.to_string()))
        })
    }

    /// The code of a version, to be asked for once a stored row.
    pub fn version(&mut self, version: Version<'_>) -> VersionCode {
        let table = &mut self.versions;
        let code = VersionCode(table.known.len() as u32);
        let run = *table
            .run_codes
            .entry(version.run)
            .or_insert_with(|| table.runs.code(&version.run.to_string()));
        let tags = version.tags.unwrap_or_default();
        table.annotations_told += usize::from(version.annotation.is_some());
        table.tags_told += usize::from(version.tags.is_some());
        table.known.push(since_1970(version.known));
        table.change.push(since_1970(version.change));
        table.run_of.push(run);
        table
            .changer_of
            .push(table.changers.code(version.changed_by));
        table
            .annotation_of
            .push(version.annotation.map(|text| table.annotations.code(text)));
        table.tags_of.push(
            version
                .tags
                .map(|tags| tags.iter().map(|&tag| tag.to_owned()).collect()),
        );
        table
            .tag_bytes_of
            .push(tags.iter().map(|tag| tag.len() + size_of::<i32>()).sum());
        code
    }

    /// Makes room for so many rows more.
    pub fn reserve(&mut self, rows: usize) {
        self.rows.starts.reserve(rows);
        self.rows.values.reserve(rows);
    }

    /// Takes one row.
    pub fn push(&mut self, series: SeriesCode, version: VersionCode, point: Point) {
        self.extend(series, version, [point]);
    }

    /// Takes the rows of one series and one version; a vector of points goes in faster so than point by point.
    pub fn extend(
        &mut self,
        series: SeriesCode,
        version: VersionCode,
        points: impl IntoIterator<Item = Point>,
    ) {
        let rows = &mut self.rows;
        let before = rows.starts.len();
        for point in points {
            rows.starts.push(since_1970(point.start));
            rows.ends.push(point.end.map(since_1970));
            rows.values.push(point.value);
        }
        let end = rows.starts.len();
        match rows.spans.last_mut() {
            Some(span) if (span.series, span.version) == (series, version) => span.end = end,
            _ => rows.spans.push(Span {
                series,
                version,
                end,
            }),
        }
        self.tag_bytes += (end - before) * self.versions.tag_bytes_of[version.0 as usize];
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.starts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.starts.is_empty()
    }

    /// The most bytes that the stream will have, and not many more than it will: for the caller to refuse what is too
    /// large before it is written, and to reserve what is not.
    pub fn bytes(&self) -> usize {
        let batches = self.len().div_ceil(ROWS_A_BATCH).max(1);
        let texts = [
            &self.series.ids,
            &self.series.keys,
            &self.series.units,
            &self.versions.runs,
            &self.versions.changers,
            &self.versions.annotations,
        ];
        self.len() * BYTES_A_ROW
            + self.tag_bytes
            + texts.map(Texts::bytes).iter().sum::<usize>()
            + (batches + MESSAGES_BESIDE_BATCHES) * BYTES_A_MESSAGE
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
        let mut columns = Columns::new(self)?;
        let mut stream = StreamWriter::try_new(sink, &columns.schema)?;
        let mut from = 0;
        loop {
            let to = rows.min(from + ROWS_A_BATCH);
            stream.write(&columns.batch(from..to)?)?;
            from = to;
            if from == rows {
                return stream.finish();
            }
        }
    }
}
