//! The floor for timedb's own writes: the very rows it stored, by binary COPY into a bare copy of its
//! table. The rows are taken from a database that timedb has filled.

use std::time::Duration;

use anyhow::Result;
use timedb_testkit::Server;

use crate::connection::{Connection, SUPERUSER};

const SCHEMA_SQL: &str = include_str!("../../limit.sql");

pub struct Limit {
    connection: Connection,
    runs: Vec<Vec<u8>>,
}

impl Limit {
    /// `filled` is the database whose runs are copied, in the order they were known.
    pub fn create(server: &Server, database: &str, filled: &str, runs: usize) -> Result<Self> {
        let mut connection = Connection::open(server, SUPERUSER, database)?;
        connection.batch(SCHEMA_SQL)?;
        let runs = dump_runs(server, filled, runs)?;
        Ok(Self { connection, runs })
    }

    pub fn copy(&mut self, run: usize) -> Result<Duration> {
        self.connection
            .copy_in("COPY bare.values FROM STDIN (FORMAT binary)", &self.runs[run])
    }
}

fn dump_runs(server: &Server, database: &str, runs: usize) -> Result<Vec<Vec<u8>>> {
    let mut filled = Connection::open(server, SUPERUSER, database)?;
    let (_, rows) = filled.query(
        "SELECT run_id::text FROM timedb.runs ORDER BY known_time, run_id LIMIT $1",
        &[&i64::try_from(runs)?],
    )?;
    let mut dumped = Vec::with_capacity(runs);
    for row in rows {
        let run_id: String = row.try_get(0)?;
        dumped.push(filled.copied(&format!(
            "COPY (SELECT * FROM timedb.values WHERE run_id = '{run_id}') TO STDOUT (FORMAT binary)"
        ))?);
    }
    Ok(dumped)
}
