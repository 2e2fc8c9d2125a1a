//! The rows of an upload that come as an Arrow IPC stream, read straight into columns of points by series.
//!
//! Anybody who is logged in may send any bytes, and a process that cannot have the memory it asks for takes all the others
//! down. So a stream is read where it lies: the metadata is verified by the format's own library, within limits of size,
//! and every buffer it tells of is looked up in the bytes that are there, or refused. Nothing is allocated but the points.
//!
//! The format's own reader is not for bytes from anybody: by a hostile stream it can be made to abort the process
//! (arrow-rs #10521) or to panic (#9869, #10437).

mod layout;
mod messages;
mod nested;
mod parts;
#[cfg(test)]
mod tests;
mod texts;
mod values;

use std::rc::Rc;

use arrow_ipc::{DictionaryBatch, MessageHeader, MetadataVersion, RecordBatch};
use uuid::Uuid;

use super::columns::{Named, Upload, UploadColumns};
use super::runs::RunKey;
use super::said::Said;
use crate::limits::{FEWER_UPLOAD_ROWS, Limits};
use crate::points::Point;
use crate::rows::fields::uuid;
use crate::rows::remark::{annotation, tags};
use crate::rows::{BadRows, Field, Kind, Refusal, RowError};
use layout::{Layout, is_bytes};
use messages::Messages;
use nested::{Lists, Maps};
use parts::Parts;
use texts::{Dictionaries, Dictionary, Texts};
use values::Values;

/// Rows between two calls of `pause`: often enough to cancel at once, too seldom to be felt.
const ROWS_A_PAUSE: usize = 4096;

/// What an Arrow file begins with, that has the same messages but is no stream.
const FILE: &[u8] = b"ARROW1";

/// Reads the rows of an upload, as many as one may have, into one column of points for each distinct reference to a
/// series, in first-seen order. Of those that are bad the first is told and the others counted.
///
/// The columns go by their names: `valid_time`, `value`, `value_key` (or `series_key`, as a read has it) or `series_id` or
/// both, and perhaps `valid_time_end`, `labels`, `unit`, `annotation` and `tags`. A timestamp without a time zone is in UTC. `pause`
/// is called every few thousand rows, for the caller to answer a cancel; it may unwind.
pub fn read_arrow(bytes: &[u8], limits: &Limits, pause: &mut dyn FnMut()) -> Result<Upload, RowError> {
    read(bytes, None, limits, pause).map_err(RowError::from)
}

/// The same of rows that say in `known_time` and `workflow_id` which run they are of; what they do not say is the call's.
pub fn read_arrow_of_runs(
    bytes: &[u8],
    of_the_call: RunKey,
    limits: &Limits,
    pause: &mut dyn FnMut(),
) -> Result<Upload, RowError> {
    read(bytes, Some(of_the_call), limits, pause).map_err(RowError::from)
}

impl From<Wrong> for RowError {
    fn from(wrong: Wrong) -> RowError {
        match wrong {
            Wrong::Row(error) => error,
            Wrong::Stream(Malformed(why)) => {
                let reason = format!("is not an Arrow IPC stream that can be read: {why}");
                Refusal::new(Kind::BadValue, reason).at("stream")
            }
        }
    }
}

fn read(bytes: &[u8], of_the_call: Option<RunKey>, limits: &Limits, pause: &mut dyn FnMut()) -> Result<Upload, Wrong> {
    if bytes.starts_with(FILE) {
        return Err(Malformed("it is an Arrow file, where a stream is expected").into());
    }
    let mut messages = Messages::new(bytes);
    let (schema, _) = messages.next()?.ok_or(Malformed("it is empty"))?;
    let mut upload = Stream {
        layout: Layout::read(&schema, of_the_call.is_some())?,
        dictionaries: Dictionaries::new(),
        columns: match of_the_call {
            Some(of_the_call) => UploadColumns::of_runs(of_the_call, limits),
            None => UploadColumns::new(limits),
        },
        bad: BadRows::default(),
        rows: 0,
        most_rows: limits.upload_rows,
    };
    let rest = upload.read(messages, pause);
    // A row that is bad comes before whatever is wrong behind it.
    upload.bad.finish()?;
    rest?;
    Ok(upload.columns.finish())
}

/// Why a stream is refused.
enum Wrong {
    Row(RowError),
    Stream(Malformed),
}

/// Why a stream is none, in words that follow a colon.
#[derive(Clone, Copy, Debug)]
struct Malformed(&'static str);

/// What has been read of a stream.
struct Stream<'a> {
    layout: Layout,
    dictionaries: Dictionaries<'a>,
    columns: UploadColumns,
    bad: BadRows,
    rows: usize,
    most_rows: usize,
}

/// The columns of one batch.
struct Batch<'a> {
    start: Values<'a>,
    end: Option<Values<'a>>,
    value: Values<'a>,
    key: Option<Texts<'a>>,
    id: Option<Ids<'a>>,
    labels: Option<Labels<'a>>,
    unit: Option<Texts<'a>>,
    run: Option<Run<'a>>,
    said: Option<Sayings<'a>>,
}

/// Labels as texts that are JSON, or as what they are.
enum Labels<'a> {
    Texts(Texts<'a>),
    Maps(Box<Maps<'a>>),
}

/// What rows say of the run that they are of.
#[derive(Default)]
struct Run<'a> {
    known: Option<Values<'a>>,
    workflow: Option<Texts<'a>>,
}

/// What rows say of their values.
#[derive(Default)]
struct Sayings<'a> {
    annotation: Option<Texts<'a>>,
    tags: Option<Lists<'a>>,
}

/// Ids as texts, of which the last that was parsed is remembered, or as what they are.
enum Ids<'a> {
    Texts(Texts<'a>, Option<(Vec<u8>, Uuid)>),
    Bytes(Values<'a>),
    /// Bytes of any length, of which sixteen are an id.
    AnyBytes(Texts<'a>),
}

impl<'a> Stream<'a> {
    fn read(&mut self, mut messages: Messages<'a>, pause: &mut dyn FnMut()) -> Result<(), Wrong> {
        while let Some((message, body)) = messages.next()? {
            if message.version() < MetadataVersion::V4 {
                return Err(Malformed("it is of a version before the first stable one").into());
            }
            if let Some(batch) = message.header_as_record_batch() {
                self.rows(batch, body, pause)?;
            } else if let Some(batch) = message.header_as_dictionary_batch() {
                self.dictionary(batch, body)?;
            } else if message.header_type() == MessageHeader::Schema {
                return Err(Malformed("it has a second schema").into());
            } else {
                return Err(Malformed("it has a message that is no part of a table").into());
            }
            pause();
        }
        Ok(())
    }

    fn dictionary(&mut self, batch: DictionaryBatch<'a>, body: &'a [u8]) -> Result<(), Malformed> {
        if batch.isDelta() {
            return Err(Malformed("it has a dictionary in parts, which is not supported"));
        }
        let column = self
            .layout
            .columns
            .iter()
            .find(|column| column.dictionary == Some(batch.id()))
            .ok_or(Malformed("a dictionary is of no column"))?;
        let data = batch.data().ok_or(Malformed("a dictionary is missing"))?;
        let dictionary = Dictionary::of(&mut Parts::of(data, body)?, &column.of)?;
        self.dictionaries.insert(batch.id(), Rc::new(dictionary));
        Ok(())
    }

    fn rows(&mut self, batch: RecordBatch<'a>, body: &'a [u8], pause: &mut dyn FnMut()) -> Result<(), Wrong> {
        let mut parts = Parts::of(batch, body)?;
        let rows = parts.rows;
        if rows > self.most_rows - self.rows {
            let reason = format!("has more than {} rows", self.most_rows);
            return Err(Refusal::new(Kind::TooMany, reason)
                .hint(FEWER_UPLOAD_ROWS)
                .at("stream")
                .into());
        }
        let mut batch = Batch::of(&mut parts, &self.layout, &self.dictionaries)?;
        for row in 0..rows {
            match batch.push(row, &mut self.columns) {
                Ok(()) => {}
                Err(Problem::Stream(malformed)) => return Err(malformed.into()),
                // Nothing is wrong with the row by itself.
                Err(Problem::Row(refusal)) if refusal.kind == Kind::TooMany => {
                    return Err(self.at(self.rows + row, refusal).into());
                }
                Err(Problem::Row(refusal)) => {
                    let error = self.at(self.rows + row, refusal);
                    self.bad.add(error);
                }
            }
            if (row + 1).is_multiple_of(ROWS_A_PAUSE) {
                pause();
            }
        }
        self.rows += rows;
        Ok(())
    }

    /// The refusal with its place.
    fn at(&self, row: usize, refusal: Refusal) -> RowError {
        let path = match refusal.field {
            Some(field) => format!("stream[{row}].{}", self.layout.name(field)),
            None => format!("stream[{row}]"),
        };
        refusal.at(path)
    }
}

/// Why a row is refused, before its number is known.
enum Problem {
    Row(Refusal),
    Stream(Malformed),
}

impl<'a> Batch<'a> {
    fn of(parts: &mut Parts<'a>, layout: &Layout, dictionaries: &Dictionaries<'a>) -> Result<Batch<'a>, Malformed> {
        let (mut start, mut end, mut value, mut key, mut id, mut labels) = (None, None, None, None, None, None);
        let (mut run, mut said, mut unit) = (None::<Run>, None::<Sayings>, None);
        for column in &layout.columns {
            match column.field {
                Field::ValidTime => start = Some(Values::of(parts, &column.of)?),
                Field::ValidTimeEnd => end = Some(Values::of(parts, &column.of)?),
                Field::Value => value = Some(Values::of(parts, &column.of)?),
                Field::ValueKey => key = Some(Texts::of(parts, column, dictionaries)?),
                Field::Labels => labels = Some(Labels::of(parts, column, dictionaries)?),
                Field::Unit => unit = Some(Texts::of(parts, column, dictionaries)?),
                Field::KnownTime => run.get_or_insert_default().known = Some(Values::of(parts, &column.of)?),
                Field::WorkflowId => {
                    run.get_or_insert_default().workflow = Some(Texts::of(parts, column, dictionaries)?);
                }
                Field::Annotation => {
                    said.get_or_insert_default().annotation = Some(Texts::of(parts, column, dictionaries)?);
                }
                Field::Tags => said.get_or_insert_default().tags = Some(Lists::of(parts, &column.of)?),
                _ if column.of == arrow_schema::DataType::FixedSizeBinary(16) => {
                    id = Some(Ids::Bytes(Values::of(parts, &column.of)?));
                }
                _ if is_bytes(&column.of) => id = Some(Ids::AnyBytes(Texts::of(parts, column, dictionaries)?)),
                _ => id = Some(Ids::Texts(Texts::of(parts, column, dictionaries)?, None)),
            }
        }
        let needed = Malformed("a column is missing");
        Ok(Batch {
            start: start.ok_or(needed)?,
            end,
            value: value.ok_or(needed)?,
            key,
            id,
            labels,
            unit,
            run,
            said,
        })
    }

    fn push(&mut self, row: usize, columns: &mut UploadColumns) -> Result<(), Problem> {
        let start = self.start.time(row).map_err(of(Field::ValidTime))?;
        let start =
            start.ok_or_else(|| of(Field::ValidTime)(Refusal::new(Kind::NullNotAllowed, "must not be null")))?;
        let end = match &self.end {
            Some(end) => end.time(row).map_err(of(Field::ValidTimeEnd))?,
            None => None,
        };
        let value = self.value.number(row).map_err(of(Field::Value))?;
        let key = match &self.key {
            Some(keys) => keys.get(row)?.map(text).transpose().map_err(of(Field::ValueKey))?,
            None => None,
        };
        let id = match &mut self.id {
            Some(ids) => ids.get(row)?,
            None => None,
        };
        let labels = match &mut self.labels {
            Some(labels) => labels.number(row, columns)?,
            None => None,
        };
        let unit = match &self.unit {
            Some(units) => {
                let unit = whole(units, row, Field::Unit)?;
                columns.unit(unit).map_err(of(Field::Unit))?
            }
            None => None,
        };
        // Asked where the stream has no such column too: the call's run is then numbered as any other.
        let run = match &self.run {
            Some(run) => run.number(row, columns)?,
            None => columns.run(None, None).map_err(Problem::Row)?,
        };
        let said = match &self.said {
            Some(said) => said.number(row, columns)?,
            None => 0,
        };
        let named = Named {
            key,
            labels,
            id,
            unit,
            run,
        };
        columns
            .push(named, Point { start, end, value }, said)
            .map_err(Problem::Row)
    }
}

impl<'a> Labels<'a> {
    fn of(
        parts: &mut Parts<'a>,
        column: &layout::Column,
        dictionaries: &Dictionaries<'a>,
    ) -> Result<Labels<'a>, Malformed> {
        Ok(match column.of {
            arrow_schema::DataType::Map(..) => Labels::Maps(Box::new(Maps::of(parts, &column.of)?)),
            _ => Labels::Texts(Texts::of(parts, column, dictionaries)?),
        })
    }

    fn number(&mut self, row: usize, columns: &mut UploadColumns) -> Result<Option<u32>, Problem> {
        let text = match self {
            Labels::Texts(texts) => texts.get(row)?.map(text).transpose().map_err(of(Field::Labels))?,
            Labels::Maps(maps) => maps.get(row).map_err(within(Field::Labels))?,
        };
        text.map_or(Ok(None), |text| columns.labels(text))
            .map_err(of(Field::Labels))
    }
}

impl Run<'_> {
    fn number(&self, row: usize, columns: &mut UploadColumns) -> Result<u32, Problem> {
        let known = match &self.known {
            Some(known) => known.time(row).map_err(of(Field::KnownTime))?,
            None => None,
        };
        let workflow = match &self.workflow {
            Some(workflows) => whole(workflows, row, Field::WorkflowId)?,
            None => None,
        };
        columns.run(known, workflow).map_err(Problem::Row)
    }
}

impl Sayings<'_> {
    fn number(&self, row: usize, columns: &mut UploadColumns) -> Result<u32, Problem> {
        let said_of = match &self.annotation {
            Some(texts) => whole(texts, row, Field::Annotation)?.map(Into::into),
            None => None,
        };
        let list = match &self.tags {
            Some(lists) => lists.get(row).map_err(within(Field::Tags))?,
            None => None,
        };
        let said = Said {
            annotation: annotation(said_of).map_err(of(Field::Annotation))?,
            tags: tags(list).map_err(of(Field::Tags))?,
        };
        columns.said(said).map_err(Problem::Row)
    }
}

/// A text of a row that Postgres can hold.
fn whole<'t>(texts: &'t Texts<'_>, row: usize, field: Field) -> Result<Option<&'t str>, Problem> {
    let found = texts.get(row)?.map(text).transpose().map_err(of(field))?;
    match found {
        Some(text) if text.contains('\0') => Err(of(field)(Refusal::new(Kind::BadCharacter, r"contains \u0000"))),
        found => Ok(found),
    }
}

impl Ids<'_> {
    fn get(&mut self, row: usize) -> Result<Option<Uuid>, Problem> {
        match self {
            Ids::Bytes(values) => Ok(values.sixteen_bytes(row).map(Uuid::from_bytes)),
            Ids::AnyBytes(bytes) => {
                let id = bytes.get(row)?.map(Uuid::from_slice).transpose();
                id.map_err(|_| of(Field::SeriesId)(Refusal::new(Kind::BadUuid, "is not 16 bytes")))
            }
            Ids::Texts(texts, last) => {
                let Some(given) = texts.get(row)? else {
                    return Ok(None);
                };
                if let Some((parsed, id)) = last
                    && parsed == given
                {
                    return Ok(Some(*id));
                }
                let id = text(given).and_then(uuid).map_err(of(Field::SeriesId))?;
                *last = Some((given.to_vec(), id));
                Ok(Some(id))
            }
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, Refusal> {
    str::from_utf8(bytes).map_err(|_| Refusal::new(Kind::BadCharacter, "is not UTF-8"))
}

/// Says of which field a refusal is.
fn of(field: Field) -> impl Fn(Refusal) -> Problem {
    move |refusal| {
        Problem::Row(Refusal {
            field: Some(field),
            ..refusal
        })
    }
}

/// As [`of`], of what may be no row's fault.
fn within(field: Field) -> impl Fn(Problem) -> Problem {
    move |problem| match problem {
        Problem::Row(refusal) => of(field)(refusal),
        malformed => malformed,
    }
}

impl From<RowError> for Wrong {
    fn from(error: RowError) -> Wrong {
        Wrong::Row(error)
    }
}

impl From<Malformed> for Wrong {
    fn from(malformed: Malformed) -> Wrong {
        Wrong::Stream(malformed)
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Problem {
        Problem::Stream(malformed)
    }
}
