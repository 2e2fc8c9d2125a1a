//! What an upload brings, in each of the forms that clients send: read straight into columns of points by series, or refused
//! with the place and the reason.
//!
//! `json` reads rows, `arrow` a stream; parallel arrays are pushed into [`UploadColumns`] by who has them.

mod arrow;
mod columns;
mod json;

pub use arrow::read_arrow;
pub use columns::{RepeatedRow, SeriesRef, SeriesRows, UploadColumns};
pub use json::read_json;
