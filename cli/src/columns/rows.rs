//! The rows of a file as an Arrow stream that `timedb.upload_arrow` takes. All of a file is looked at, so that what is bad in
//! it is told at once; where anything is, there is no stream.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::builder::{
    Float64Builder, ListBuilder, StringBuilder, StringDictionaryBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use jiff::tz::TimeZone;

use super::bad::BadRows;
use super::cells::{Numbers, Tags, Times, labels, texts};
use super::clock::Clock;
use super::guess::{Meaning, Values};
use crate::files::{Chunk, Places};

/// As large as a value of Postgres can be.
const LARGEST_STREAM: usize = (1 << 30) - (1 << 20);

/// What is said once of all rows.
pub struct Constants {
    pub zone: TimeZone,
    pub zone_name: String,
    pub time_format: Option<String>,
    pub unit: Option<String>,
    /// As many rows as the server takes in a call.
    pub most_rows: u64,
}

pub struct Rows {
    meaning: Meaning,
    names: SchemaRef,
    said: Constants,
    clock: Clock,
    groups: HashMap<(String, String), u32>,
    schema: SchemaRef,
    stream: StreamWriter<Vec<u8>>,
    lines: Lines,
    pub bad: BadRows,
    pub read: u64,
    pub count: u64,
}

/// What is sent, and what is said of it.
pub struct Ready {
    pub stream: Vec<u8>,
    pub lines: Lines,
    pub clock: Clock,
    pub meaning: Meaning,
    pub names: SchemaRef,
    pub count: u64,
}

/// Where each row that is sent stands in its file: told where the step from one to the next is another one.
#[derive(Default)]
pub struct Lines {
    jumps: Vec<(u64, u64)>,
    next: u64,
    sent: u64,
    per_row: u64,
}

/// The columns of a chunk.
struct Columns {
    start: Times,
    end: Option<Times>,
    known: Option<Times>,
    values: Vec<(usize, Numbers)>,
    series: Option<StringArray>,
    unit: Option<StringArray>,
    labels: Option<StringArray>,
    annotation: Option<StringArray>,
    tags: Option<Tags>,
}

/// The columns of what is sent.
struct Sent {
    start: TimestampMicrosecondBuilder,
    end: TimestampMicrosecondBuilder,
    known: TimestampMicrosecondBuilder,
    value: Float64Builder,
    series: StringDictionaryBuilder<Int32Type>,
    unit: StringDictionaryBuilder<Int32Type>,
    labels: StringDictionaryBuilder<Int32Type>,
    annotation: StringDictionaryBuilder<Int32Type>,
    tags: ListBuilder<StringBuilder>,
}

/// What is wrong with a cell of a row.
struct Wrong {
    column: usize,
    reason: String,
}

impl Rows {
    pub fn new(file: &str, meaning: Meaning, names: SchemaRef, said: Constants) -> Result<Self> {
        let schema = Arc::new(schema(&meaning, &said));
        let per_row = match &meaning.values {
            Values::Wide(columns) => columns.len() as u64,
            Values::Long { .. } => 1,
        };
        Ok(Self {
            clock: Clock::of(said.zone.clone(), &said.zone_name),
            groups: HashMap::new(),
            stream: StreamWriter::try_new(Vec::new(), &schema)?,
            lines: Lines {
                per_row,
                ..Lines::default()
            },
            bad: BadRows::of(file),
            read: 0,
            count: 0,
            meaning,
            names,
            said,
            schema,
        })
    }

    pub fn take(&mut self, chunk: &Chunk) -> Result<()> {
        let mut bad = chunk.broken.clone();
        let columns = Columns::of(&chunk.batch, &self.meaning, &self.names)?;
        let mut sent = Sent::new();
        for row in 0..chunk.batch.num_rows() {
            self.read += 1;
            if let Err(wrong) = self.row(&columns, row, &chunk.places, &mut sent) {
                let name = self.names.field(wrong.column).name();
                let reason = format!("column \"{name}\": {}", wrong.reason);
                bad.push((chunk.places.of(row), reason));
            }
        }
        bad.sort_by_key(|(place, _)| *place);
        for (place, reason) in bad {
            self.bad.add(place, &reason);
        }
        if self.count > self.said.most_rows {
            bail!(
                "has more than {} values, which is as many as the server takes in one upload (timedb.max_upload_rows)\nHINT:  Split \
                 the file, or have that setting raised.",
                self.said.most_rows
            );
        }
        if self.bad.is_none() {
            self.stream.write(&sent.batch(&self.schema)?)?;
        }
        if self.stream.get_ref().len() > LARGEST_STREAM {
            bail!("is more than one upload can hold (1 GB): split the file");
        }
        Ok(())
    }

    fn row(&mut self, columns: &Columns, row: usize, places: &Places, sent: &mut Sent) -> Result<(), Wrong> {
        let (meaning, format) = (&self.meaning, self.said.time_format.as_deref());
        let wrong = |column: usize| move |reason: String| Wrong { column, reason };
        let needed = |column: usize| {
            move || Wrong {
                column,
                reason: "is empty".to_owned(),
            }
        };
        let (known, at) = (columns.known.as_ref(), meaning.known_time.unwrap_or_default());
        let known = known
            .map(|times| times.get(row, format).map_err(wrong(at)))
            .transpose()?;
        let known = known.map(|known| known.ok_or_else(needed(at))).transpose()?;
        let known = known
            .map(|known| self.clock.alone(known).map_err(wrong(at)))
            .transpose()?;
        let at = meaning.valid_time;
        let start = columns
            .start
            .get(row, format)
            .map_err(wrong(at))?
            .ok_or_else(needed(at))?;
        let cell = |texts: &Option<StringArray>| -> Option<String> {
            let texts = texts.as_ref().filter(|texts| texts.is_valid(row))?;
            Some(texts.value(row).to_owned()).filter(|text| !text.trim().is_empty())
        };
        let (series, labels) = (cell(&columns.series), cell(&columns.labels));
        if let (None, Values::Long { series, .. }) = (&series, &meaning.values) {
            return Err(needed(*series)());
        }
        let group = match self.clock.needs_order() {
            true => {
                let next = self.groups.len() as u32;
                let name = (series.clone().unwrap_or_default(), labels.clone().unwrap_or_default());
                (*self.groups.entry(name).or_insert(next), known.unwrap_or_default())
            }
            false => (0, 0),
        };
        let start = self.clock.moment(start, group, places.of(row)).map_err(wrong(at))?;
        let at = meaning.valid_time_end.unwrap_or_default();
        let end = match &columns.end {
            Some(times) => times.get(row, format).map_err(wrong(at))?,
            None => None,
        };
        let end = end
            .map(|end| self.clock.end(end, start))
            .transpose()
            .map_err(wrong(at))?;
        if end.is_some_and(|end| end <= start) {
            return Err(wrong(at)("is not after the valid time".to_owned()));
        }
        let at = meaning.tags.unwrap_or_default();
        let tags = columns
            .tags
            .as_ref()
            .map(|tags| tags.get(row).map_err(wrong(at)))
            .transpose()?
            .flatten();
        let values = columns
            .values
            .iter()
            .map(|(at, numbers)| numbers.get(row).map_err(wrong(*at)));
        let values = values.collect::<Result<Vec<Option<f64>>, Wrong>>()?;

        let unit = cell(&columns.unit).or_else(|| self.said.unit.clone());
        let annotation = cell(&columns.annotation);
        for (place, value) in values.into_iter().enumerate() {
            let series = match &meaning.values {
                Values::Wide(columns) => columns[place].1.as_str(),
                Values::Long { .. } => series.as_deref().unwrap_or_default(),
            };
            sent.start.append_value(start);
            sent.end.append_option(end);
            sent.known.append_option(known);
            sent.value.append_option(value);
            sent.series.append_value(series);
            sent.unit.append_option(unit.as_deref());
            sent.labels.append_option(labels.as_deref());
            sent.annotation.append_option(annotation.as_deref());
            sent.tags.append_option(tags.as_ref().map(|tags| tags.iter().map(Some)));
            self.count += 1;
        }
        self.lines.add(places.of(row));
        Ok(())
    }

    pub fn finish(mut self) -> Result<Ready> {
        self.bad.finish()?;
        self.stream.finish()?;
        Ok(Ready {
            stream: self.stream.into_inner()?,
            lines: self.lines,
            clock: self.clock,
            meaning: self.meaning,
            names: self.names,
            count: self.count,
        })
    }
}

impl Lines {
    fn add(&mut self, line: u64) {
        if self.jumps.is_empty() || line != self.next {
            self.jumps.push((self.sent, line));
        }
        self.sent += 1;
        self.next = line + 1;
    }

    /// Where a row that was sent stands in the file.
    pub fn of(&self, sent: u64) -> u64 {
        let row = sent / self.per_row.max(1);
        let jump = self.jumps.partition_point(|(from, _)| *from <= row);
        match jump.checked_sub(1).map(|jump| self.jumps[jump]) {
            Some((from, line)) => line + (row - from),
            None => row + 1,
        }
    }
}

impl Columns {
    fn of(batch: &RecordBatch, meaning: &Meaning, names: &SchemaRef) -> Result<Self> {
        let column = |place: usize| (names.field(place).name().as_str(), batch.column(place));
        let of_texts = |place: Option<usize>| place.map(column).map(|(name, column)| texts(name, column)).transpose();
        let of_times = |place: Option<usize>| {
            place
                .map(column)
                .map(|(name, column)| Times::of(name, column))
                .transpose()
        };
        let (start_name, start) = column(meaning.valid_time);
        let places: Vec<usize> = match &meaning.values {
            Values::Wide(columns) => columns.iter().map(|(place, _)| *place).collect(),
            Values::Long { value, .. } => vec![*value],
        };
        let values = places.into_iter().map(|place| {
            let (name, column) = column(place);
            Ok((place, Numbers::of(name, column)?))
        });
        let series = match &meaning.values {
            Values::Long { series, .. } => Some(*series),
            Values::Wide(_) => None,
        };
        Ok(Self {
            start: Times::of(start_name, start)?,
            end: of_times(meaning.valid_time_end)?,
            known: of_times(meaning.known_time)?,
            values: values.collect::<Result<_>>()?,
            series: of_texts(series)?,
            unit: of_texts(meaning.unit)?,
            labels: meaning
                .labels
                .map(column)
                .map(|(name, column)| labels(name, column))
                .transpose()?,
            annotation: of_texts(meaning.annotation)?,
            tags: meaning
                .tags
                .map(column)
                .map(|(name, column)| Tags::of(name, column))
                .transpose()?,
        })
    }
}

impl Sent {
    fn new() -> Self {
        let times = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
        Self {
            start: times(),
            end: times(),
            known: times(),
            value: Float64Builder::new(),
            series: StringDictionaryBuilder::new(),
            unit: StringDictionaryBuilder::new(),
            labels: StringDictionaryBuilder::new(),
            annotation: StringDictionaryBuilder::new(),
            tags: ListBuilder::new(StringBuilder::new()),
        }
    }

    fn batch(&mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                "valid_time" => Arc::new(self.start.finish()),
                "valid_time_end" => Arc::new(self.end.finish()),
                "known_time" => Arc::new(self.known.finish()),
                "value" => Arc::new(self.value.finish()),
                "unit" => Arc::new(self.unit.finish()),
                "labels" => Arc::new(self.labels.finish()),
                "annotation" => Arc::new(self.annotation.finish()),
                "tags" => Arc::new(self.tags.finish()),
                _ => Arc::new(self.series.finish()),
            }
        });
        Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
    }
}

/// The columns that are sent: those that there is anything in.
fn schema(meaning: &Meaning, said: &Constants) -> Schema {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let text = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let list = || DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let series = match meaning.values {
        Values::Long { by_id: true, .. } => "series_id",
        _ => "value_key",
    };
    let fields = [
        ("valid_time", time(), true),
        ("value", DataType::Float64, true),
        (series, text(), true),
        ("valid_time_end", time(), meaning.valid_time_end.is_some()),
        ("known_time", time(), meaning.known_time.is_some()),
        ("unit", text(), meaning.unit.is_some() || said.unit.is_some()),
        ("labels", text(), meaning.labels.is_some()),
        ("annotation", text(), meaning.annotation.is_some()),
        ("tags", list(), meaning.tags.is_some()),
    ];
    let fields = fields.into_iter().filter(|(.., is_sent)| *is_sent);
    Schema::new(
        fields
            .map(|(name, of, _)| Field::new(name, of, true))
            .collect::<Vec<_>>(),
    )
}
