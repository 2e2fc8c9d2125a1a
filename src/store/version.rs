//! A version as a row of `timedb.values` has it.

use crate::pg::tuple::FetchAll;
use crate::pg::varlena::{Payload, PointsBytes, Text};
use timedb_core::time::Time;
use timedb_core::version::{Remarks, Version};
use uuid::Uuid;

/// What each statement that brings versions selects of them, as [`Columns`].
macro_rules! version_columns {
    () => {
        "v.run_id, v.known_time, v.change_time, v.changed_by, v.annotation, v.tags, v.points"
    };
}
pub(super) use version_columns;

pub type Columns<'r> = (
    Uuid,
    Time,
    Time,
    Text<'r>,
    Option<Text<'r>>,
    Option<Vec<String>>,
    PointsBytes,
);

/// A row of them, while the executor holds it.
pub type Row<'r> = <Columns<'static> as FetchAll>::Fetched<'r>;

/// The version of a row, and its points where they stand.
pub fn version<'r>(row: Row<'r>, remarks: &mut Remarks) -> (Version, Payload<'r>) {
    let (run, known, change, by, annotation, tags, points) = row;
    let tags = tags.as_ref().map(|tags| tags.iter().map(String::as_str));
    let version = Version {
        run,
        known,
        change,
        remark: remarks.keep(&by, annotation.as_deref(), tags),
    };
    (version, points)
}
