//! ClickHouse within a Python process; see clickhouse.sql and python/clickhouse.py.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::data::Run;
use crate::flat_read::{Answer, FlatRead};
use crate::lab::SharedClickhouse;
use crate::peers::{CLICKHOUSE, Peer};
use crate::python::Python;

const TABLE_SQL: &str = include_str!("../../clickhouse.sql");

pub struct Clickhouse {
    python: Python,
    folder: TempDir,
    pub version: String,
    loaded: HashSet<&'static str>,
}

impl Clickhouse {
    /// Its data lie beside the private server's, on the same disk.
    pub fn start(project: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("tdb.bench.").tempdir_in("/tmp")?;
        let mut python = Python::start(&project.join("bench/python/clickhouse.py"))?;
        let data = folder.path().join("data");
        let reply = python.ask(&json!({"do": "start", "folder": data}))?;
        let version = reply["version"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            python,
            folder,
            version,
            loaded: HashSet::new(),
        })
    }

    pub fn create(&mut self, table: &'static str) -> Result<()> {
        self.run(&format!("DROP TABLE IF EXISTS bench.{table} SYNC"))?;
        self.run(&TABLE_SQL.replace("TABLE bench.TABLE", &format!("TABLE bench.{table}")))
    }

    /// Hands rows to the Python process, which then holds them as an Arrow client would. Answers how many.
    pub fn hold(&mut self, name: &str, runs: impl Iterator<Item = Run>) -> Result<usize> {
        let path = self.folder.path().join("rows");
        let mut file = BufWriter::new(File::create(&path)?);
        for run in runs {
            let number = i64::try_from(run.number)?;
            let known = run.known_time.as_microsecond();
            for ((series, valid_time), value) in run.series.iter().zip(&run.valid_times).zip(&run.values) {
                for field in [number, i64::try_from(*series)?, known, valid_time.as_microsecond()] {
                    file.write_all(&field.to_le_bytes())?;
                }
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.into_inner()?.sync_all()?;
        let reply = self
            .python
            .ask(&json!({"do": "read_rows", "name": name, "file": path}))?;
        let rows = reply["rows"].as_u64().context("no count in the reply")?;
        Ok(usize::try_from(rows)?)
    }

    /// Inserts the rows held from `start` on and before `end`, `step` of them a statement.
    pub fn insert(&mut self, table: &str, held: &str, start: usize, end: usize, step: usize) -> Result<Duration> {
        self.python.timed(&json!({
            "do": "insert", "table": table, "name": held, "start": start, "end": end, "step": step
        }))
    }

    /// Once a table: all rows in one statement, then merged into as few parts as there can be.
    pub fn load(&mut self, table: &'static str, runs: impl Iterator<Item = Run>) -> Result<()> {
        if !self.loaded.insert(table) {
            return Ok(());
        }
        self.create(table)?;
        let rows = self.hold(table, runs)?;
        self.insert(table, table, 0, rows, rows)?;
        self.run(&format!("OPTIMIZE TABLE bench.{table} FINAL"))
    }

    pub fn all_answer(&mut self, table: &str) -> Result<Answer> {
        self.answer(&format!("SELECT valid_time, value FROM bench.{table}"))
    }

    fn answer(&mut self, sql: &str) -> Result<Answer> {
        let path = self.folder.path().join("answer");
        self.python.ask(&json!({"do": "answer", "sql": sql, "file": path}))?;
        let bytes = fs::read(&path)?;
        let pairs = bytes.chunks_exact(16).map(|pair| {
            let (time, value) = pair.split_at(8);
            let eight = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).unwrap_or_default();
            (i64::from_le_bytes(eight(time)), f64::from_le_bytes(eight(value)))
        });
        Ok(Answer::of(pairs))
    }

    /// All stored values, as bytes of an Arrow stream.
    pub fn all(&mut self, table: &str) -> Result<Duration> {
        self.python.timed(&json!({"do": "query", "sql": all_sql(table)}))
    }

    /// The same into a polars frame.
    pub fn all_as_frame(&mut self, table: &str) -> Result<Duration> {
        self.python.timed(&json!({"do": "frame", "sql": all_sql(table)}))
    }

    pub fn bytes(&mut self, table: &str) -> Result<f64> {
        self.number(&format!(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench' AND table = '{table}'"
        ))
    }

    pub fn number(&mut self, sql: &str) -> Result<f64> {
        let reply = self.python.ask(&json!({"do": "number", "sql": sql}))?;
        reply["number"].as_f64().context("no number in the reply")
    }

    fn run(&mut self, sql: &str) -> Result<()> {
        self.python.ask(&json!({"do": "run", "sql": sql})).map(drop)
    }
}

/// One of its tables, which it asks by itself.
pub struct ClickhouseTable {
    pub clickhouse: SharedClickhouse,
    pub table: &'static str,
}

impl Peer for ClickhouseTable {
    fn name(&self) -> &'static str {
        CLICKHOUSE
    }

    fn flat(&mut self, read: &FlatRead) -> Result<(Duration, Answer)> {
        let took = self.time(read)?;
        let sql = flat_sql(self.table, read);
        Ok((took, self.clickhouse.borrow_mut().answer(&sql)?))
    }

    fn time(&mut self, read: &FlatRead) -> Result<Duration> {
        let query = json!({"do": "query", "sql": flat_sql(self.table, read)});
        self.clickhouse.borrow_mut().python.timed(&query)
    }
}

fn all_sql(table: &str) -> String {
    format!(
        "SELECT knowledge_time, valid_time, valid_time_end, series_id, series_key, unit, value, run_id,
                change_time, changed_by, annotation, tags
         FROM bench.{table}
         ORDER BY series_key, series_id, valid_time, valid_time_end NULLS FIRST, knowledge_time, change_time, run_id"
    )
}

fn flat_sql(table: &str, read: &FlatRead) -> String {
    let series = Uuid::from_u128(read.series as u128 + 1);
    let mut conditions = format!("series_id = '{series}'");
    let moment = |time: jiff::Timestamp| format!("fromUnixTimestamp64Micro({}, 'UTC')", time.as_microsecond());
    if let Some((start, end)) = read.valid {
        conditions += &format!(" AND valid_time >= {} AND valid_time < {}", moment(start), moment(end));
    }
    if let Some(known) = read.known_before {
        conditions += &format!(" AND knowledge_time < {}", moment(known));
    }
    format!(
        "SELECT valid_time, argMax(value, (knowledge_time, change_time)) AS value FROM bench.{table}
         WHERE {conditions} GROUP BY valid_time ORDER BY valid_time"
    )
}
