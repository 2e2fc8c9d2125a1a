//! What an upload brings, in each of the forms that clients send: read straight into columns of points by series, or refused
//! with the place and the reason.
//!
//! `json` reads rows, `arrow` a stream; parallel arrays are pushed into [`UploadColumns`] by who has them.

/// What an upload takes, of all that a read answers.
const UPLOAD_HAS: &str =
    "An upload has valid_time, valid_time_end, value, value_key (or series_key) and series_id: select those.";

mod arrow;
mod columns;
mod json;

pub use arrow::read_arrow;
pub use columns::{RepeatedRow, SeriesRef, SeriesRows, UploadColumns};
pub use json::read_json;
