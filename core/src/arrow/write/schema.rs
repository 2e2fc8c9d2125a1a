//! The columns of the stream: their names, in the order in which `timedb.read` has them, and their types.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

/// The time zone that every time is in.
pub(super) const ZONE: &str = "UTC";

pub(super) fn schema() -> Schema {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some(ZONE.into()));
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let column = |name: &str, of: &DataType| Field::new(name, of.clone(), false);
    let nullable = |name: &str, of: &DataType| Field::new(name, of.clone(), true);
    Schema::new(vec![
        column("known_time", &time),
        column("valid_time", &time),
        nullable("valid_time_end", &time),
        column("series_id", &text),
        column("series_key", &text),
        column("unit", &text),
        nullable("value", &DataType::Float64),
        column("run_id", &text),
        column("change_time", &time),
        column("changed_by", &text),
        nullable("annotation", &text),
        nullable("tags", &DataType::List(Arc::new(tag()))),
    ])
}

/// One tag of a list of them.
pub(super) fn tag() -> Field {
    Field::new_list_field(DataType::Utf8, false)
}
