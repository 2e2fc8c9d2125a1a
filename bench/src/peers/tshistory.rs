//! tshistory, the one other store of revised series in Postgres: a program of its own, asked through its Python API; see
//! python/revisions.py.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;
use timedb_testkit::Server;

use crate::connection::{Connection, SUPERUSER};
use crate::flat_read::Answer;
use crate::python::Python;

const INTERPRETER: &str = "TIMEDB_BENCH_TSHISTORY";

pub struct Tshistory {
    python: Python,
    /// Holds its configuration.
    _folder: TempDir,
}

impl Tshistory {
    /// With its tables in the database, which nobody else has written to.
    pub fn start(project: &Path, server: &Server, database: &str) -> Result<Self> {
        let mut python = Python::start_in(INTERPRETER, &project.join("bench/python/revisions.py"))?;
        let folder = tempfile::tempdir()?;
        let url = server.url(SUPERUSER, database);
        python.ask(&json!({"do": "start", "url": url, "folder": folder.path()}))?;
        Ok(Self {
            python,
            _folder: folder,
        })
    }

    pub fn update(&mut self, runs: &Value) -> Result<Duration> {
        self.python.timed(&json!({"do": "update", "runs": runs}))
    }

    /// `call` names one of its verbs with the arguments.
    pub fn time(&mut self, call: &Value) -> Result<Duration> {
        self.python.timed(&request("ask", call))
    }

    pub fn answer(&mut self, call: &Value) -> Result<Answer> {
        self.python.answer(&request("pairs", call))
    }
}

fn request(what: &str, call: &Value) -> Value {
    let mut request = call.clone();
    request["do"] = what.into();
    request
}

/// Of its tables of revisions and values, with indexes and TOAST.
pub fn bytes(server: &Server, database: &str) -> Result<i64> {
    Connection::open(server, SUPERUSER, database)?.one(
        "SELECT sum(pg_total_relation_size(c.oid))::bigint
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('tsh.revision', 'tsh.snapshot') AND c.relkind = 'r'",
        &[],
    )
}
