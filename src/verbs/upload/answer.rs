//! What an upload answers.

use super::Stored;
use crate::error::{Error, Result};
use crate::pg::result::{Returned, Rows};
use crate::pg::varlena::Json;
use crate::verbs::resolved::Resolved;
use pgrx::pg_sys;
use serde::{Serialize, Serializer};
use timedb_core::time::Time;
use uuid::Uuid;

const CREATED: &str = "Run created successfully";
const NOTHING: &str = "Nothing changed";

impl Stored {
    /// The row of an upload of one run.
    pub fn answer(&self, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
        let (run, message, ids) = self.of_one()?;
        let of_one = self.runs.counts().next().unwrap_or_default();
        let answer = (run, message, Json::of(&ids), of_one.written, of_one.skipped);
        Returned::row::<(Option<Uuid>, &str, Option<Json>, i64, i64)>(fcinfo, answer)
    }

    /// As 0.1.0 declared it.
    pub fn answer_of_0_1(&self, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
        let (run, message, ids) = self.of_one()?;
        Returned::row::<(Option<Uuid>, &str, Option<Json>)>(fcinfo, (run, message, Json::of(&ids)))
    }

    fn of_one(&self) -> Result<(Option<Uuid>, &'static str, String)> {
        let run = self.runs.made().next().flatten();
        let message = if run.is_some() { CREATED } else { NOTHING };
        let ids = serde_json::to_string(&SeriesIds(&self.series)).map_err(|error| Error::Broken(error.to_string()))?;
        Ok((run, message, ids))
    }

    /// A row for each run, in the order of their known times.
    pub fn answer_of_runs(&self, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
        let mut answer = Rows::<(Option<Uuid>, Time, &str, i64, i64)>::open(fcinfo)?;
        let runs = self.runs.made().zip(&self.runs.versions).zip(&self.runs.workflows);
        let mut rows: Vec<_> = runs.zip(self.runs.counts()).collect();
        rows.sort_by_key(|(((_, version), _), _)| version.known);
        for (((run, version), workflow), of) in rows {
            answer.put((run, version.known, workflow, of.written, of.skipped));
        }
        Ok(answer.close())
    }
}

/// Name → id, in the order in which the upload first named the series; further names of one come after the first.
struct SeriesIds<'a>(&'a [Resolved]);

impl Serialize for SeriesIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = |series| Resolved::names(series).map(|name| (name, series.id.to_string()));
        serializer.collect_map(self.0.iter().flat_map(named))
    }
}
