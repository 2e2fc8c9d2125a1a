//! A connection whose calls are timed: statements prepared, parameters and answers in binary, the
//! clock around the one call of the driver.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use postgres::types::ToSql;
use postgres::{Client, Row, Statement};
use timedb_testkit::Server;

pub const SUPERUSER: &str = "postgres";
const COPIED_AT_ONCE: usize = 1 << 20;

pub struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Connection {
    pub fn open(server: &Server, role: &str, database: &str) -> Result<Self> {
        Ok(Self {
            client: server.connect(role, database)?,
            statements: HashMap::new(),
        })
    }

    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub fn batch(&mut self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).with_context(|| format!("in {sql}"))
    }

    pub fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<(Duration, Vec<Row>)> {
        let statement = self.prepared(sql)?;
        let started = Instant::now();
        let rows = self
            .client
            .query(&statement, params)
            .with_context(|| format!("in {sql}"))?;
        Ok((started.elapsed(), rows))
    }

    /// The first column of the only row.
    pub fn one<T>(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<T>
    where
        T: for<'a> postgres::types::FromSql<'a>,
    {
        let (_, rows) = self.query(sql, params)?;
        let row = rows.first().with_context(|| format!("no row from {sql}"))?;
        Ok(row.try_get(0)?)
    }

    pub fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Duration> {
        let statement = self.prepared(sql)?;
        let started = Instant::now();
        self.client
            .execute(&statement, params)
            .with_context(|| format!("in {sql}"))?;
        Ok(started.elapsed())
    }

    pub fn copy_in(&mut self, sql: &str, bytes: &[u8]) -> Result<Duration> {
        let statement = self.prepared(sql)?;
        let started = Instant::now();
        let mut writer = self.client.copy_in(&statement)?;
        writer.write_all(bytes)?;
        writer.finish().with_context(|| format!("in {sql}"))?;
        Ok(started.elapsed())
    }

    /// Takes all that COPY sends and looks at none of it.
    pub fn copy_out(&mut self, sql: &str) -> Result<Duration> {
        let statement = self.prepared(sql)?;
        let mut buffer = vec![0; COPIED_AT_ONCE];
        let started = Instant::now();
        let mut reader = self.client.copy_out(&statement).with_context(|| format!("in {sql}"))?;
        while reader.read(&mut buffer)? > 0 {}
        Ok(started.elapsed())
    }

    pub fn copied(&mut self, sql: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut reader = self.client.copy_out(sql).with_context(|| format!("in {sql}"))?;
        reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).with_context(|| format!("in {sql}"))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}
