//! What an upload brings, in each of the forms that clients send: read straight into columns of points by series, or refused
//! with the place and the reason.
//!
//! `json` reads rows, `arrow` a stream; parallel arrays are pushed into [`UploadColumns`] by who has them.

/// What an upload takes, of all that a read answers.
const UPLOAD_HAS: &str = "An upload has valid_time, valid_time_end, value, value_key (or series_key), labels, unit, series_id, annotation and tags: \
     select those.";

/// The same of an upload of several runs.
const UPLOAD_OF_RUNS_HAS: &str = "An upload of runs has valid_time, valid_time_end, value, value_key (or series_key), labels, unit, series_id, annotation, tags, \
     known_time and workflow_id: select those.";

mod arrow;
mod columns;
mod json;
mod runs;
mod said;
pub mod unchanged;

pub use arrow::{read_arrow, read_arrow_of_runs};
pub use columns::{Named, RepeatedRow, SeriesRef, SeriesRows, Upload, UploadColumns};
pub use json::{read_json, read_json_of_runs};
pub use runs::RunKey;
pub use said::Said;
