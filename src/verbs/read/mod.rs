//! Reading: rows are fetched series by series, merged, and answered in their order, by `read` and the view current_values as
//! functions or as nodes of a plan, and by `read_arrow` and `read_arrow_batches` as streams.

mod conditions;
mod function;
mod node;
pub mod relative;
mod request;
mod series;
mod unit;

pub use node::{SCANNED, reader};
pub use request::{LookedAt, OfRead, OfUnit, OfVersions, Reading, Request, Shown, window};
pub use series::{Named, Which};
