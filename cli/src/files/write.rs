//! An answer, batch by batch, in one of the formats.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::Format;
use super::destination::Destination;
use super::text::Texts;
use crate::show::printable;

/// What a table of people has at most: it is laid out when all of it is there.
pub const MOST_ROWS_OF_A_TABLE: usize = 10_000;
/// Rows of a Parquet file that are held in memory.
const ROWS_A_GROUP: usize = 1 << 18;

/// The columns that a table has, where there is anything in them.
const SHOWN: &[&str] = &[
    "known_time",
    "valid_time",
    "valid_time_end",
    "series_key",
    "labels",
    "unit",
    "value",
    "annotation",
    "tags",
];
/// Those of them that are left out where no row has any.
const SHOWN_IF_ANY: &[&str] = &["valid_time_end", "labels", "annotation", "tags"];

pub struct Writer {
    to: To,
    zone: TimeZone,
    rows: usize,
}

enum To {
    Csv(csv::Writer<Destination>),
    Json(Destination),
    Table(Destination, Vec<Vec<String>>),
    ArrowFile(FileWriter<Destination>, SchemaRef),
    ArrowStream(StreamWriter<Destination>, SchemaRef),
    Parquet(Box<ArrowWriter<Destination>>, SchemaRef),
}

impl Writer {
    /// `schema` is that of the batches.
    pub fn open(to: Destination, format: Format, zone: TimeZone, schema: &Schema) -> Result<Self> {
        let plain = plain_schema(schema);
        let to = match format {
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(to);
                csv.write_record(schema.fields().iter().map(|field| field.name()))
                    .map_err(unwrapped)?;
                To::Csv(csv)
            }
            Format::Json => To::Json(to),
            Format::Table => To::Table(to, Vec::new()),
            Format::Arrow if to.is_file() => To::ArrowFile(FileWriter::try_new(to, &plain)?, plain),
            Format::Arrow | Format::ArrowStream => {
                To::ArrowStream(StreamWriter::try_new(to, &plain).map_err(unwrapped_arrow)?, plain)
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
                    .set_max_row_group_row_count(Some(ROWS_A_GROUP))
                    .build();
                let parquet = ArrowWriter::try_new(to, plain.clone(), Some(properties)).map_err(unwrapped_parquet)?;
                To::Parquet(Box::new(parquet), plain)
            }
        };
        Ok(Self { to, zone, rows: 0 })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.to {
            To::ArrowFile(file, schema) => file.write(&plain(batch, schema)?).map_err(unwrapped_arrow)?,
            To::ArrowStream(stream, schema) => stream.write(&plain(batch, schema)?).map_err(unwrapped_arrow)?,
            To::Parquet(file, schema) => file.write(&plain(batch, schema)?).map_err(unwrapped_parquet)?,
            To::Csv(csv) => write_csv(csv, &Texts::of(batch, &self.zone)?)?,
            To::Json(to) => write_json(to, &Texts::of(batch, &self.zone)?, self.rows)?,
            To::Table(_, cells) => {
                let texts = Texts::of(batch, &self.zone)?;
                let shown: Vec<_> = SHOWN.iter().filter_map(|name| texts.column(name)).collect();
                let rows = 0..texts.rows().min(MOST_ROWS_OF_A_TABLE - cells.len());
                cells.extend(rows.map(|row| {
                    shown
                        .iter()
                        .map(|column| printable(&texts.cell(column, row)).into_owned())
                        .collect()
                }));
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    pub fn finish(self) -> Result<()> {
        match self.to {
            To::Csv(csv) => csv.into_inner().map_err(|error| error.into_error())?.finish(),
            To::Json(mut to) => {
                to.write_all(if self.rows == 0 { b"[]\n" } else { b"]\n" })?;
                to.finish()
            }
            To::Table(mut to, cells) => {
                if !cells.is_empty() {
                    writeln!(to, "{}", table(cells))?;
                }
                writeln!(to, "({} row{})", self.rows, if self.rows == 1 { "" } else { "s" })?;
                to.finish()
            }
            To::ArrowFile(mut file, _) => {
                file.finish().map_err(unwrapped_arrow)?;
                file.into_inner().map_err(unwrapped_arrow)?.finish()
            }
            To::ArrowStream(mut stream, _) => {
                stream.finish().map_err(unwrapped_arrow)?;
                stream.into_inner().map_err(unwrapped_arrow)?.finish()
            }
            To::Parquet(file, _) => file.into_inner().map_err(unwrapped_parquet)?.finish(),
        }
    }
}

/// Texts as themselves: not every reader of files takes dictionaries that change from batch to batch.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Dictionary(_, of) => Field::new(field.name(), of.as_ref().clone(), field.is_nullable()),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

fn write_csv(csv: &mut csv::Writer<Destination>, texts: &Texts<'_>) -> Result<()> {
    for row in 0..texts.rows() {
        for (_, column) in &texts.columns {
            csv.write_field(texts.cell(column, row)).map_err(unwrapped)?;
        }
        csv.write_record(None::<&[u8]>).map_err(unwrapped)?;
    }
    Ok(())
}

fn write_json(to: &mut Destination, texts: &Texts<'_>, before: usize) -> Result<()> {
    for row in 0..texts.rows() {
        to.write_all(if before + row == 0 { b"[{" } else { b",\n {" })?;
        for (place, (name, column)) in texts.columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(to, "{comma}\"{name}\": {}", texts.json(column, row))?;
        }
        to.write_all(b"}")?;
    }
    Ok(())
}

fn table(rows: Vec<Vec<String>>) -> Table {
    let is_shown: Vec<bool> = SHOWN
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let has_any = |row: &Vec<String>| !matches!(row[place].as_str(), "" | "{}");
            !SHOWN_IF_ANY.contains(name) || rows.iter().any(has_any)
        })
        .collect();
    let kept = |cells: Vec<String>| {
        cells
            .into_iter()
            .zip(&is_shown)
            .filter(|(_, shown)| **shown)
            .map(|(cell, _)| cell)
    };
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(kept(SHOWN.iter().map(|name| (*name).to_owned()).collect()));
    for row in rows {
        table.add_row(kept(row));
    }
    table
}

/// A reader that has gone away is known by the error of the pipe itself.
fn unwrapped(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => anyhow::anyhow!("{other:?}"),
    }
}

fn unwrapped_arrow(error: ArrowError) -> anyhow::Error {
    match error {
        ArrowError::IoError(_, error) => error.into(),
        other => other.into(),
    }
}

fn unwrapped_parquet(error: ParquetError) -> anyhow::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => (*error).into(),
            Err(other) => anyhow::anyhow!("{other}"),
        },
        other => other.into(),
    }
}
