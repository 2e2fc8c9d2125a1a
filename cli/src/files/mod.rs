//! Files of values: which format one is in, what stands in it, and how one is written. What its columns mean is the business
//! of [`crate::columns`].

mod comma;
mod destination;
mod lines;
mod source;
mod text;
mod write;

use std::path::Path;

use clap::ValueEnum;

pub use destination::Destination;
pub use source::{Chunk, Places, Source};
pub use text::time;
pub use write::{MOST_ROWS_OF_A_TABLE, Writer};

/// What a file is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// For people, at most 10,000 rows
    Table,
    Csv,
    /// An array of an object for each row
    Json,
    /// An Arrow IPC file (Feather); a stream where it goes to a pipe
    Arrow,
    /// An Arrow IPC stream
    ArrowStream,
    Parquet,
}

impl Format {
    /// What the extension of a file says.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "arrow" | "feather" | "ipc" => Some(Self::Arrow),
            "arrows" => Some(Self::ArrowStream),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Arrow => "arrow",
            Self::ArrowStream => "arrow-stream",
            Self::Parquet => "parquet",
        }
    }
}
