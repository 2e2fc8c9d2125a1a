//! The rows of an answer as texts: times in the zone of whoever reads them, numbers so short that they are still the same.

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, Float64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A batch of an answer, opened.
pub struct Texts<'a> {
    zone: &'a TimeZone,
    pub columns: Vec<(String, Column)>,
}

pub enum Column {
    Time(TimestampMicrosecondArray),
    Number(Float64Array),
    Text(StringArray),
    Json(StringArray),
    List(ListArray),
}

impl<'a> Texts<'a> {
    pub fn of(batch: &RecordBatch, zone: &'a TimeZone) -> Result<Self> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| {
            let column = match column.data_type() {
                DataType::Timestamp(..) => Column::Time(column.as_primitive::<TimestampMicrosecondType>().clone()),
                DataType::Float64 => Column::Number(column.as_primitive::<Float64Type>().clone()),
                DataType::List(_) => Column::List(column.as_list::<i32>().clone()),
                _ => {
                    let texts = cast(column, &DataType::Utf8)?.as_string::<i32>().clone();
                    if field.name() == "labels" {
                        Column::Json(texts)
                    } else {
                        Column::Text(texts)
                    }
                }
            };
            Ok((field.name().clone(), column))
        });
        let columns = columns.collect::<Result<_>>().context("an answer of another server")?;
        Ok(Self { zone, columns })
    }

    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.array().len())
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, column)| column)
    }

    /// A cell as a text, which is empty where there is nothing.
    pub fn cell(&self, column: &Column, row: usize) -> String {
        if column.array().is_null(row) {
            return String::new();
        }
        match column {
            Column::Time(times) => time(times.value(row), self.zone),
            Column::Number(numbers) => number(numbers.value(row)),
            Column::Text(texts) | Column::Json(texts) => texts.value(row).to_owned(),
            Column::List(lists) => list(lists, row),
        }
    }

    /// The same as a value of JSON.
    pub fn json(&self, column: &Column, row: usize) -> String {
        if column.array().is_null(row) {
            return "null".to_owned();
        }
        match column {
            Column::Number(numbers) if numbers.value(row).is_finite() => number(numbers.value(row)),
            Column::Json(_) | Column::List(_) => self.cell(column, row),
            _ => serde_json::Value::from(self.cell(column, row)).to_string(),
        }
    }
}

impl Column {
    pub fn array(&self) -> &dyn Array {
        match self {
            Self::Time(array) => array,
            Self::Number(array) => array,
            Self::Text(array) | Self::Json(array) => array,
            Self::List(array) => array,
        }
    }
}

/// A moment of so many microseconds since 1970, as ISO 8601 has it.
pub fn time(micros: i64, zone: &TimeZone) -> String {
    let Ok(moment) = Timestamp::from_microsecond(micros) else {
        return micros.to_string();
    };
    if *zone == TimeZone::UTC {
        return moment.to_string();
    }
    let offset = zone.to_offset(moment);
    // Before there were zones, offsets had seconds, which a text leaves out.
    if offset.seconds() % 60 != 0 {
        return moment.to_string();
    }
    moment.display_with_offset(offset).to_string()
}

/// The words of timedb for what is not finite, in JSON and elsewhere.
fn number(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let mut text = format!("{number:?}");
    if text.ends_with(".0") {
        text.truncate(text.len() - 2);
    }
    text
}

fn list(lists: &ListArray, row: usize) -> String {
    let elements = lists.value(row);
    let elements: Vec<Option<&str>> = elements.as_string::<i32>().iter().collect();
    serde_json::Value::from(elements).to_string()
}
