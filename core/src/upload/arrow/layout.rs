//! The columns of a stream: which field of a row each is for, and whether its type can be that field.

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::{Endianness, Field as Described, Message, Type};
use arrow_schema::DataType;

use super::{Malformed, Wrong};
use crate::excerpt::printable;
use crate::rows::fields::of_the_run;
use crate::rows::{Field, Kind, Refusal, RowError};
use crate::upload::{UPLOAD_HAS, UPLOAD_OF_RUNS_HAS};

/// The columns a stream may have, by what they are called.
const COLUMNS: &[(&str, Field)] = &[
    ("valid_time", Field::ValidTime),
    ("valid_time_end", Field::ValidTimeEnd),
    ("value", Field::Value),
    ("value_key", Field::ValueKey),
    // What a read calls the key.
    ("series_key", Field::ValueKey),
    ("labels", Field::Labels),
    ("unit", Field::Unit),
    ("series_id", Field::SeriesId),
    ("annotation", Field::Annotation),
    ("tags", Field::Tags),
];

/// Those that a stream of several runs may have as well.
const COLUMNS_OF_RUNS: &[(&str, Field)] = &[("known_time", Field::KnownTime), ("workflow_id", Field::WorkflowId)];

/// Arrow's types without parts of their own. All that an upload takes is among them, but for tags, that are lists of texts,
/// and labels, that may be maps of texts: no type is looked into further than this.
const TEXTS: &[Type] = &[Type::Utf8, Type::LargeUtf8, Type::Utf8View];
const FLAT: &[Type] = &[
    Type::Null,
    Type::Int,
    Type::FloatingPoint,
    Type::Decimal,
    Type::Utf8,
    Type::LargeUtf8,
    Type::Utf8View,
    Type::FixedSizeBinary,
    Type::Binary,
    Type::LargeBinary,
    Type::BinaryView,
    Type::Date,
    Type::Timestamp,
];

/// The columns of a stream, in its order.
pub(super) struct Layout {
    pub(super) columns: Vec<Column>,
}

pub(super) struct Column {
    pub(super) field: Field,
    pub(super) name: &'static str,
    pub(super) of: DataType,
    /// The dictionary with the texts that the column's codes stand for.
    pub(super) dictionary: Option<i64>,
}

impl Layout {
    /// The layout that the first message of a stream tells.
    pub(super) fn read(message: &Message<'_>, of_runs: bool) -> Result<Layout, Wrong> {
        let schema = message
            .header_as_schema()
            .ok_or(Malformed("it does not begin with a schema"))?;
        if schema.endianness() != Endianness::Little {
            return Err(Malformed("it is not little-endian").into());
        }
        let given = schema.fields().unwrap_or_default();
        let mut columns: Vec<Column> = Vec::new();
        for column in given {
            let name = column.name().unwrap_or_default();
            let (name, field) = known(name, of_runs)?;
            not_again(&columns, name, field)?;
            if let Some(of) = unconverted(&column, field) {
                return Err(mismatch(name, field, &of));
            }
            columns.push(Column {
                field,
                name,
                of: DataType::Null,
                dictionary: column.dictionary().map(|dictionary| dictionary.id()),
            });
        }
        let converted = try_fb_to_schema(schema).map_err(|_| Malformed("its schema is damaged"))?;
        for (column, converted) in columns.iter_mut().zip(converted.fields()) {
            column.of = converted.data_type().clone();
            if !takes(column.field, &column.of) {
                return Err(mismatch(column.name, column.field, &column.of.to_string()));
            }
        }
        complete(&columns)?;
        Ok(Layout { columns })
    }

    /// What the stream calls a field.
    pub(super) fn name(&self, field: Field) -> &'static str {
        self.columns
            .iter()
            .find(|column| column.field == field)
            .map_or(field.name(), |column| column.name)
    }
}

/// The type of a column that is not looked into further: it is none of ours, or one that the format's library does not
/// know, as polars' integers of 128 bits.
fn unconverted(column: &Described<'_>, field: Field) -> Option<String> {
    let of = column.type_type();
    if !FLAT.contains(&of) {
        let name = of.variant_name().unwrap_or("unknown");
        return (!is_nested(column, field)).then(|| name.trim_end_matches('_').to_owned());
    }
    let integer = column.type_as_int()?;
    let sign = if integer.is_signed() { "" } else { "U" };
    (!matches!(integer.bitWidth(), 8 | 16 | 32 | 64)).then(|| format!("{sign}Int{}", integer.bitWidth()))
}

/// Whether it is a list of texts, for tags, or a map of texts, for labels.
fn is_nested(column: &Described<'_>, field: Field) -> bool {
    match (field, column.type_type()) {
        (Field::Tags, Type::List | Type::LargeList) => are_texts(column, 1),
        (Field::Labels, Type::Map) => {
            let entries = column.children().filter(|entries| entries.len() == 1);
            let entries = entries.map(|entries| entries.get(0));
            entries.is_some_and(|entries| entries.type_type() == Type::Struct_ && are_texts(&entries, 2))
        }
        _ => false,
    }
}

/// Whether a column's parts are so many columns of texts, which have no parts.
fn are_texts(column: &Described<'_>, count: usize) -> bool {
    let parts = column.children().unwrap_or_default();
    let is_text = |part: Described<'_>| {
        TEXTS.contains(&part.type_type())
            && part.dictionary().is_none()
            && part.children().unwrap_or_default().is_empty()
    };
    column.dictionary().is_none() && parts.len() == count && parts.iter().all(is_text)
}

fn known(name: &str, of_runs: bool) -> Result<(&'static str, Field), RowError> {
    let columns = || COLUMNS.iter().chain(if of_runs { COLUMNS_OF_RUNS } else { &[] });
    columns().find(|(known, _)| *known == name).copied().ok_or_else(|| {
        let known: Vec<&str> = columns().map(|(name, _)| *name).collect();
        let reason = format!("unknown column; an upload has {}", known.join(", "));
        let refusal = Refusal::new(Kind::BadValue, reason).hint(without(name, of_runs));
        refusal.at(format!("stream.{}", printable(name)))
    })
}

/// How to leave out a column that an upload does not have.
fn without(name: &str, of_runs: bool) -> &'static str {
    if name.starts_with("__index_level_") {
        "It is the index of a pandas frame: pyarrow.Table.from_pandas(frame, preserve_index=False) leaves it out."
    } else {
        of_the_run(name).unwrap_or(if of_runs { UPLOAD_OF_RUNS_HAS } else { UPLOAD_HAS })
    }
}

fn not_again(columns: &[Column], name: &str, field: Field) -> Result<(), RowError> {
    let Some(earlier) = columns.iter().find(|column| column.field == field) else {
        return Ok(());
    };
    let reason = if earlier.name == name {
        "repeated column".to_owned()
    } else {
        format!("means the same as \"{}\"", earlier.name)
    };
    Err(Refusal::new(Kind::BadValue, reason).at(format!("stream.{name}")))
}

fn complete(columns: &[Column]) -> Result<(), RowError> {
    let is_there = |field| columns.iter().any(|column| column.field == field);
    let needs = if !is_there(Field::ValidTime) {
        r#"needs "valid_time""#
    } else if !is_there(Field::Value) {
        r#"needs "value""#
    } else if !is_there(Field::ValueKey) && !is_there(Field::SeriesId) {
        r#"needs "value_key" or "series_id""#
    } else {
        return Ok(());
    };
    Err(Refusal::new(Kind::BadValue, needs).at("stream"))
}

fn mismatch(name: &str, field: Field, of: &str) -> Wrong {
    let takes = match field {
        Field::ValidTime | Field::ValidTimeEnd | Field::KnownTime => "timestamps",
        Field::Value => "numbers",
        Field::Labels => "strings or maps of strings",
        Field::Tags => "lists of strings",
        Field::SeriesId => "strings or of 16 bytes each",
        _ => "strings",
    };
    // A time zone of the client's is part of how a type is written.
    let reason = format!("must be a column of {takes}, not of type {}", printable(of));
    let cast = match field {
        Field::ValidTime | Field::ValidTimeEnd | Field::KnownTime => "Cast it to a timestamp in microseconds, in UTC.",
        Field::Value => "Cast it to double precision (float64).",
        Field::Labels => "Cast it to strings, each a JSON object.",
        Field::Tags => "Cast it to lists of strings.",
        _ => "Cast it to strings.",
    };
    let refusal = Refusal::new(Kind::BadValue, reason).hint(cast);
    refusal.at(format!("stream.{name}")).into()
}

/// A column of nulls alone has no type that says what they are nulls of.
fn takes(field: Field, of: &DataType) -> bool {
    let of_texts = || match of {
        DataType::Dictionary(_, of) => is_text(of),
        of => is_text(of),
    };
    of.is_null()
        || match field {
            Field::ValidTime | Field::ValidTimeEnd | Field::KnownTime => {
                matches!(of, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
            }
            Field::Value => of.is_integer() || of.is_decimal() || of.is_floating(),
            Field::ValueKey | Field::Unit | Field::Annotation | Field::WorkflowId => of_texts(),
            // What their parts are has been looked at.
            Field::Labels => matches!(of, DataType::Map(..)) || of_texts(),
            Field::Tags => matches!(of, DataType::List(_) | DataType::LargeList(_)),
            Field::SeriesId => *of == DataType::FixedSizeBinary(16) || is_bytes(of) || of_texts(),
            _ => false,
        }
}

pub(super) fn is_bytes(of: &DataType) -> bool {
    matches!(of, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn is_text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
