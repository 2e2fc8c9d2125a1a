//! Comma-separated values, or values between semicolons or tabs: columns of texts, and where each row stands.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::RecordBatch;
use arrow_array::builder::StringBuilder;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use csv::{ByteRecord, Reader, ReaderBuilder};

use super::lines::Lines;
use super::source::{Chunk, Places};

const MARK_OF_UTF8: &str = "\u{feff}";
/// A header is not longer.
const LONGEST_HEADER: u64 = 1 << 20;

pub struct CommaSeparated {
    schema: SchemaRef,
    rows: Reader<Box<dyn Read + Send>>,
}

impl CommaSeparated {
    /// What is between two values is guessed from the line with the names, if it is not said.
    pub fn open(stream: Box<dyn Read + Send>, delimiter: Option<u8>) -> Result<Self> {
        let mut stream = BufReader::with_capacity(1 << 16, stream);
        let mut header = Vec::new();
        (&mut stream).take(LONGEST_HEADER).read_until(b'\n', &mut header)?;
        let text = std::str::from_utf8(&header).context("its first line is not UTF-8")?;
        let text = text.strip_prefix(MARK_OF_UTF8).unwrap_or(text);
        let delimiter = delimiter.unwrap_or_else(|| most_frequent(text));
        let names = names(text, delimiter)?;
        let again: Box<dyn Read + Send> = Box::new(Cursor::new(text.as_bytes().to_owned()).chain(stream));
        let again: Box<dyn Read + Send> = Box::new(Lines::of(again));
        let rows = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(again);
        let fields: Vec<Field> = names
            .iter()
            .map(|name| Field::new(name, DataType::Utf8, true))
            .collect();
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            rows,
        })
    }

    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    pub fn next(&mut self, most: usize) -> Result<Option<Chunk>> {
        let width = self.schema.fields().len();
        let mut columns: Vec<StringBuilder> = (0..width).map(|_| StringBuilder::new()).collect();
        let (mut lines, mut broken) = (Vec::new(), Vec::new());
        let mut row = ByteRecord::new();
        while lines.len() + broken.len() < most && self.rows.read_byte_record(&mut row)? {
            // The reader's own place of a row is before the empty lines above it.
            let within = row.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
            let line = self.rows.position().line() - 1 - within;
            if row.len() != width {
                broken.push((
                    line,
                    format!("has {} values, where there are names for {width}", row.len()),
                ));
                continue;
            }
            if let Some(place) = row.iter().position(|value| std::str::from_utf8(value).is_err()) {
                let name = self.schema.field(place).name();
                broken.push((line, format!("column \"{name}\": is not UTF-8")));
                continue;
            }
            lines.push(line);
            for (column, value) in columns.iter_mut().zip(row.iter()) {
                match std::str::from_utf8(value).unwrap_or_default() {
                    "" => column.append_null(),
                    text => column.append_value(text),
                }
            }
        }
        if lines.is_empty() && broken.is_empty() {
            return Ok(None);
        }
        let columns = columns.iter_mut().map(|column| Arc::new(column.finish()) as _);
        Ok(Some(Chunk {
            batch: RecordBatch::try_new(self.schema.clone(), columns.collect())?,
            places: Places::Lines(lines),
            broken,
        }))
    }
}

fn most_frequent(header: &str) -> u8 {
    let count = |delimiter: &u8| header.bytes().filter(|byte| byte == delimiter).count();
    // Of two that are as frequent the last one is taken.
    let delimiter = *b"|\t;,"
        .iter()
        .max_by_key(|delimiter| count(delimiter))
        .unwrap_or(&b',');
    if count(&delimiter) == 0 { b',' } else { delimiter }
}

fn names(header: &str, delimiter: u8) -> Result<Vec<String>> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .from_reader(header.as_bytes());
    let names = reader.records().next().transpose()?.unwrap_or_default();
    let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
    if let Some(name) = names.iter().find(|name| name.parse::<f64>().is_ok()) {
        bail!("its first line has to name the columns, and has \"{name}\"");
    }
    for (place, name) in names.iter().enumerate() {
        if !name.is_empty() && names[..place].contains(name) {
            bail!("has two columns \"{name}\"");
        }
    }
    Ok(names)
}
