//! The arguments of an upload that are about its run, or its runs.

use crate::error::{Error, Result};
use crate::pg::timestamp;
use crate::pg::varlena::Jsonb;
use std::collections::HashMap;
use timedb_core::blank::unless_blank;
use timedb_core::limits::LONGEST_WORKFLOW;
use timedb_core::time::Time;
use timedb_core::upload::RunKey;

const DEFAULT_WORKFLOW: &str = "api-workflow";

/// As they came.
pub struct RunArguments<'a> {
    pub run_start_time: Option<i64>,
    pub workflow_id: Option<&'a str>,
    pub run_finish_time: Option<i64>,
    pub known_time: Option<i64>,
    pub run_params: Option<Jsonb>,
    pub series_descriptions: Option<Jsonb>,
}

/// What they say, once they are checked.
pub struct Run<'a> {
    pub workflow_id: &'a str,
    /// None, where an upload may leave it out, for the known time.
    pub start: Option<Time>,
    pub finish: Option<Time>,
    pub params: Option<Jsonb>,
    /// None for the moment at which it is stored.
    pub known: Option<Time>,
    pub descriptions: HashMap<String, String>,
}

impl<'a> RunArguments<'a> {
    /// Those of one run, which says when it started.
    pub fn of_one(self) -> Result<Run<'a>> {
        let workflow_id = self.workflow()?;
        let start = timestamp::required("run_start_time", self.run_start_time)?;
        self.checked(workflow_id, Some(start))
    }

    /// Those of any number of runs.
    pub fn of_runs(self) -> Result<Run<'a>> {
        let workflow_id = self.workflow()?;
        let start = timestamp::optional("run_start_time", self.run_start_time)?;
        self.checked(workflow_id, start)
    }

    fn workflow(&self) -> Result<&'a str> {
        let workflow_id = unless_blank(self.workflow_id).unwrap_or(DEFAULT_WORKFLOW);
        Error::if_longer("workflow_id", workflow_id, LONGEST_WORKFLOW)?;
        Ok(workflow_id)
    }

    fn checked(self, workflow_id: &'a str, start: Option<Time>) -> Result<Run<'a>> {
        Ok(Run {
            workflow_id,
            start,
            finish: timestamp::optional("run_finish_time", self.run_finish_time)?,
            known: timestamp::optional("known_time", self.known_time)?,
            params: object_or_null(self.run_params)?,
            descriptions: descriptions(self.series_descriptions)?,
        })
    }
}

impl Run<'_> {
    /// The run of rows that do not say which they are of.
    pub fn key(&self) -> RunKey {
        RunKey {
            known: self.known,
            workflow: self.workflow_id.into(),
        }
    }
}

fn object_or_null(json: Option<Jsonb>) -> Result<Option<Jsonb>> {
    let Some(json) = json else { return Ok(None) };
    match json.inspect()?.kind.as_str() {
        "object" => Ok(Some(json)),
        "null" => Ok(None),
        _ => Err(Error::bad("run_params", "must be a JSON object")),
    }
}

fn descriptions(json: Option<Jsonb>) -> Result<HashMap<String, String>> {
    let Some(json) = json else {
        return Ok(HashMap::new());
    };
    let descriptions = json.texts_by_key()?;
    descriptions.ok_or_else(|| Error::bad("series_descriptions", "must be a JSON object of texts by series key"))
}
