//! A tenant in a file: what `export` writes and `import` reads.
//!
//! ```text
//! timedb archive 1               the format's version
//! {"timedb": …, "tables": …}     the header, one line of JSON
//! …                              a frame of zstd: of each table of the header its rows, then a line `\.`
//! sha256 …                       of all that stands before it
//! ```
//!
//! Rows are the text form of COPY, without `tenant_id`: the reader puts the tenant in, so that no file can hold rows of another
//! one. Text, because Postgres promises it from version to version and timedb does for points and packs; because a table may
//! get columns; and because whoever has lost everything else can still read it by `zstd -dc`. Of packs there is no other form.

pub mod arrival;
pub mod file;
pub mod rows;
pub mod session;
pub mod tables;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the file begins with, before the number of its format.
pub const MAGIC: &str = "timedb archive ";
pub const FORMAT: u32 = 1;
/// What ends the rows of a table; none of them can look like it.
pub const END_OF_ROWS: &[u8] = b"\\.\n";

/// What a file says of itself.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Header {
    /// The version of the extension that the rows are of.
    pub timedb: String,
    pub postgres: String,
    #[serde(with = "as_text")]
    pub tenant_id: Uuid,
    pub exported_at: String,
    /// In the order in which their rows follow.
    pub tables: Vec<Table>,
    /// Login roles that acted for the tenant, and as what: to be told, as they are no part of it.
    pub bindings: Vec<String>,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Table {
    pub name: String,
    /// But for `tenant_id`.
    pub columns: Vec<String>,
    pub rows: u64,
}

impl Header {
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// How many rows there are of what people count.
    pub fn summary(&self) -> String {
        summary(&self.tables)
    }
}

pub fn summary(tables: &[Table]) -> String {
    let told = [
        ("users", "users"),
        ("api_keys", "keys"),
        ("series", "series"),
        ("runs", "runs"),
        ("values", "rows of values"),
        ("packs", "packs"),
    ];
    let counts = told.map(|(name, called)| {
        let table = tables.iter().find(|table| table.name == name);
        format!("{called} {}", table.map_or(0, |table| table.rows))
    });
    counts.join(", ")
}

/// An id, as the header has it.
mod as_text {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;
    use uuid::Uuid;

    pub fn serialize<S: Serializer>(id: &Uuid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
