//! The cells of a column of a file, whatever the type it comes in, as what an upload takes.

use anyhow::Result;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array, GenericListArray, Int64Array, MapArray, StringArray, UInt64Array};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::number;
use super::time::{self, Moment};
use crate::failure::Usage;

pub enum Times {
    Texts(StringArray),
    Ticks {
        ticks: Int64Array,
        unit: TimeUnit,
        is_local: bool,
    },
}

pub enum Numbers {
    Texts(StringArray),
    Floats(Float64Array),
    Integers(Int64Array),
    Unsigned(UInt64Array),
}

pub enum Tags {
    Texts(StringArray),
    Lists(GenericListArray<i64>),
}

impl Times {
    pub fn of(name: &str, column: &ArrayRef) -> Result<Self> {
        let ticks = |column: &ArrayRef| -> Result<Int64Array> {
            Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        };
        Ok(match column.data_type() {
            DataType::Timestamp(unit, zone) => Self::Ticks {
                ticks: ticks(column)?,
                unit: *unit,
                is_local: zone.is_none(),
            },
            DataType::Date32 | DataType::Date64 => {
                let midnights = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
                Self::Ticks {
                    ticks: ticks(&midnights)?,
                    unit: TimeUnit::Microsecond,
                    is_local: true,
                }
            }
            of if is_text(of) => Self::Texts(texts(name, column)?),
            of => return Err(unfit(name, of, "times: numbers since an epoch are not taken")),
        })
    }

    pub fn get(&self, row: usize, format: Option<&str>) -> Result<Option<Moment>, String> {
        match self {
            Self::Texts(texts) if texts.is_null(row) || texts.value(row).trim().is_empty() => Ok(None),
            Self::Texts(texts) => time::parse(texts.value(row), format).map(Some),
            Self::Ticks { ticks, .. } if ticks.is_null(row) => Ok(None),
            Self::Ticks { ticks, unit, is_local } => {
                let micros = micros(ticks.value(row), *unit)?;
                if !is_local {
                    return Ok(Some(Moment::At(micros)));
                }
                let local = Timestamp::from_microsecond(micros).map_err(|_| "is out of range".to_owned())?;
                Ok(Some(Moment::Local(TimeZone::UTC.to_datetime(local))))
            }
        }
    }
}

fn micros(ticks: i64, unit: TimeUnit) -> Result<i64, String> {
    let range = || "is out of range".to_owned();
    match unit {
        TimeUnit::Second => ticks.checked_mul(1_000_000).ok_or_else(range),
        TimeUnit::Millisecond => ticks.checked_mul(1000).ok_or_else(range),
        TimeUnit::Microsecond => Ok(ticks),
        TimeUnit::Nanosecond if ticks % 1000 != 0 => {
            Err("has digits below a microsecond: round to the grid first".to_owned())
        }
        TimeUnit::Nanosecond => Ok(ticks / 1000),
    }
}

impl Numbers {
    pub fn of(name: &str, column: &ArrayRef) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                Self::Floats(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            of if of.is_signed_integer() => {
                Self::Integers(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            of if of.is_unsigned_integer() => {
                Self::Unsigned(cast(column, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
            }
            // By way of its text it becomes the nearest double.
            of if of.is_decimal() || is_text(of) => Self::Texts(texts(name, column)?),
            of => return Err(unfit(name, of, "numbers")),
        })
    }

    pub fn get(&self, row: usize) -> Result<Option<f64>, String> {
        match self {
            Self::Texts(texts) if texts.is_null(row) => Ok(None),
            Self::Texts(texts) => number::parse(texts.value(row)),
            Self::Floats(floats) => Ok(floats.is_valid(row).then(|| floats.value(row))),
            Self::Integers(integers) if integers.is_null(row) => Ok(None),
            Self::Integers(integers) => number::integer_of(i128::from(integers.value(row))).map(Some),
            Self::Unsigned(integers) if integers.is_null(row) => Ok(None),
            Self::Unsigned(integers) => number::integer_of(i128::from(integers.value(row))).map(Some),
        }
    }
}

impl Tags {
    pub fn of(name: &str, column: &ArrayRef) -> Result<Self> {
        let of = column.data_type();
        match of {
            DataType::List(element) | DataType::LargeList(element) if is_text(element.data_type()) => {
                let element = element.as_ref().clone().with_data_type(DataType::Utf8);
                let lists = cast(column, &DataType::LargeList(element.into()))?;
                Ok(Self::Lists(lists.as_list::<i64>().clone()))
            }
            of if is_text(of) => Ok(Self::Texts(texts(name, column)?)),
            of => Err(unfit(name, of, "lists of texts")),
        }
    }

    /// A text is a JSON array, or tags between commas.
    pub fn get(&self, row: usize) -> Result<Option<Vec<String>>, String> {
        match self {
            Self::Texts(texts) if texts.is_null(row) || texts.value(row).trim().is_empty() => Ok(None),
            Self::Texts(texts) => {
                let text = texts.value(row).trim();
                if text.starts_with('[') {
                    let tags = serde_json::from_str(text);
                    return tags
                        .map(Some)
                        .map_err(|_| format!("{text:?} is not a JSON array of texts"));
                }
                Ok(Some(text.split(',').map(|tag| tag.trim().to_owned()).collect()))
            }
            Self::Lists(lists) if lists.is_null(row) => Ok(None),
            Self::Lists(lists) => {
                let tags = lists.value(row);
                let tags = tags.as_string::<i32>().iter();
                let tags = tags.map(|tag| tag.map(str::to_owned).ok_or("has a null among its texts".to_owned()));
                tags.collect::<Result<_, _>>().map(Some)
            }
        }
    }
}

/// Labels as texts of JSON, of maps too.
pub fn labels(name: &str, column: &ArrayRef) -> Result<StringArray> {
    match column.data_type() {
        DataType::Map(..) => {
            let maps = column.as_map();
            let rows = (0..maps.len()).map(|row| maps.is_valid(row).then(|| object(name, maps, row)).transpose());
            Ok(StringArray::from(rows.collect::<Result<Vec<Option<String>>>>()?))
        }
        _ => texts(name, column),
    }
}

fn object(name: &str, maps: &MapArray, row: usize) -> Result<String> {
    let entries = maps.value(row);
    let (keys, values) = (texts(name, entries.column(0))?, texts(name, entries.column(1))?);
    let object: serde_json::Map<String, serde_json::Value> = keys
        .iter()
        .zip(values.iter())
        .map(|(key, value)| (key.unwrap_or_default().to_owned(), value.into()))
        .collect();
    Ok(serde_json::Value::from(object).to_string())
}

pub fn texts(name: &str, column: &ArrayRef) -> Result<StringArray> {
    let of = column.data_type();
    if !is_text(of) && !of.is_integer() && !of.is_decimal() {
        return Err(unfit(name, of, "texts"));
    }
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A column of nulls alone may be of any type.
fn is_text(of: &DataType) -> bool {
    match of {
        DataType::Dictionary(_, of) => is_text(of),
        of => of.is_string() || of.is_null(),
    }
}

fn unfit(name: &str, of: &DataType, wanted: &str) -> anyhow::Error {
    Usage(format!("column \"{name}\" is of type {of}, which are no {wanted}")).into()
}
