//! What a read answers: its columns, said once for all forms of an answer, and an Arrow stream as one of them. Rows of
//! Postgres are made by its shell.

mod arrow;
pub mod columns;

pub use arrow::{Frame, Most, SeriesCode, VersionCode};
pub use columns::{Column, Content, Series, Source};
