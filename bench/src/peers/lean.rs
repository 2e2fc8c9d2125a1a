//! A row per value with one index; see lean.sql. As a hypertable, it is `timescale`.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};
use timedb_testkit::Server;

use crate::connection::{Connection, SUPERUSER};
use crate::data::{Run, series_key};
use crate::flat_read::{Answer, FlatRead};
use crate::peers::Peer;

const SCHEMA_SQL: &str = include_str!("../../lean.sql");
const HYPERTABLE_SQL: &str = include_str!("../../timescale.sql");
const COPIED: [Type; 5] = [
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::INT8,
    Type::FLOAT8,
];

pub struct Lean {
    pub connection: Connection,
    schema: &'static str,
}

impl Lean {
    pub fn connect(server: &Server, database: &str, schema: &'static str) -> Result<Self> {
        let connection = Connection::open(server, SUPERUSER, database)?;
        Ok(Self { connection, schema })
    }

    pub fn create(server: &Server, database: &str, schema: &'static str, series: usize) -> Result<Self> {
        let mut lean = Self::connect(server, database, schema)?;
        lean.connection.batch(&SCHEMA_SQL.replace("LEAN", schema))?;
        if schema == super::TIMESCALE {
            lean.connection.batch(HYPERTABLE_SQL)?;
        }
        for number in 0..series {
            lean.connection.execute(
                &format!("INSERT INTO {schema}.series VALUES ($1, $2, 'kW')"),
                &[&big(number), &series_key(number)],
            )?;
        }
        Ok(lean)
    }

    /// The run and its values in one statement: one round trip, one commit.
    pub fn insert(&mut self, run: &Run) -> Result<Duration> {
        let schema = self.schema;
        let series: Vec<i64> = run.series.iter().map(|number| big(*number)).collect();
        self.connection.execute(
            &format!(
                "WITH run AS (
                   INSERT INTO {schema}.runs VALUES ($1, $2, 'api-workflow', 'bench@timedb.test'))
                 INSERT INTO {schema}.values (series_id, valid_time, known_time, run_id, value)
                 SELECT series_id, valid_time, $2, $1, value
                 FROM unnest($3::bigint[], $4::timestamptz[], $5::float8[]) AS u (series_id, valid_time, value)"
            ),
            &[
                &big(run.number),
                &run.known_time,
                &series,
                &run.valid_times,
                &run.values,
            ],
        )
    }

    /// One value, and nothing about its run.
    pub fn insert_value(&mut self, run: &Run) -> Result<Duration> {
        let schema = self.schema;
        self.connection.execute(
            &format!(
                "INSERT INTO {schema}.values (series_id, valid_time, known_time, run_id, value)
                 VALUES ($1, $2, $3, $4, $5)"
            ),
            &[
                &big(run.series[0]),
                &run.valid_times[0],
                &run.known_time,
                &big(run.number),
                &run.values[0],
            ],
        )
    }

    /// The run and its values by binary COPY, in one transaction.
    pub fn copy(&mut self, run: &Run) -> Result<Duration> {
        let schema = self.schema;
        let insert = format!("INSERT INTO {schema}.runs VALUES ($1, $2, 'api-workflow', 'bench@timedb.test')");
        let copy = format!(
            "COPY {schema}.values (series_id, valid_time, known_time, run_id, value) FROM STDIN (FORMAT binary)"
        );
        let insert = self.connection.client().prepare(&insert)?;
        let copy = self.connection.client().prepare(&copy)?;
        let started = Instant::now();
        let mut transaction = self.connection.client().transaction()?;
        transaction.execute(&insert, &[&big(run.number), &run.known_time])?;
        let mut writer = BinaryCopyInWriter::new(transaction.copy_in(&copy)?, &COPIED);
        write_rows(&mut writer, run)?;
        writer.finish()?;
        transaction.commit()?;
        Ok(started.elapsed())
    }

    pub fn load(&mut self, runs: impl Iterator<Item = Run>) -> Result<()> {
        self.connection.batch("BEGIN")?;
        let schema = self.schema;
        let insert = format!("INSERT INTO {schema}.runs VALUES ($1, $2, 'api-workflow', 'bench@timedb.test')");
        let copy = format!(
            "COPY {schema}.values (series_id, valid_time, known_time, run_id, value) FROM STDIN (FORMAT binary)"
        );
        for run in runs {
            self.connection.execute(&insert, &[&big(run.number), &run.known_time])?;
            let sink = self.connection.client().copy_in(&copy)?;
            let mut writer = BinaryCopyInWriter::new(sink, &COPIED);
            write_rows(&mut writer, &run)?;
            writer.finish()?;
        }
        self.connection.batch("COMMIT")?;
        self.settle()
    }

    pub fn settle(&mut self) -> Result<()> {
        let schema = self.schema;
        self.connection.batch(&format!("VACUUM (ANALYZE) {schema}.values"))?;
        self.connection.batch(&format!("VACUUM (ANALYZE) {schema}.runs"))?;
        self.connection.batch(&format!("VACUUM (ANALYZE) {schema}.series"))
    }

    /// `read`'s twelve columns of every stored value.
    pub fn overlapping_sql(&self, columns: &str) -> String {
        let schema = self.schema;
        format!(
            "SELECT {columns} FROM (
               SELECT v.known_time, v.valid_time, v.valid_time_end, v.series_id, s.series_key, s.unit, v.value,
                      v.run_id, v.change_time, r.changed_by, v.annotation, v.tags
               FROM {schema}.values v
               JOIN {schema}.runs r ON r.run_id = v.run_id
               JOIN {schema}.series s ON s.series_id = v.series_id
             ) AS read"
        )
    }

    pub fn bytes(&mut self) -> Result<i64> {
        let schema = self.schema;
        self.connection
            .one(&format!("SELECT pg_total_relation_size('{schema}.values')"), &[])
    }
}

impl Peer for Lean {
    fn name(&self) -> &'static str {
        self.schema
    }

    /// Down the primary key, so that nothing is sorted.
    fn flat(&mut self, read: &FlatRead) -> Result<(Duration, Answer)> {
        let schema = self.schema;
        let series = big(read.series);
        let (conditions, windows) = read.conditions("valid_time", "known_time", 2);
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&series];
        params.extend(windows);
        let (took, rows) = self.connection.query(
            &format!(
                "SELECT DISTINCT ON (valid_time) valid_time, value FROM {schema}.values
                 WHERE series_id = $1{conditions}
                 ORDER BY valid_time DESC, known_time DESC, run_id DESC, version DESC"
            ),
            &params,
        )?;
        Ok((took, Answer::of_rows(&rows)?))
    }
}

fn write_rows(writer: &mut BinaryCopyInWriter<'_>, run: &Run) -> Result<()> {
    let number = big(run.number);
    let known_time: &Timestamp = &run.known_time;
    for ((series, valid_time), value) in run.series.iter().zip(&run.valid_times).zip(&run.values) {
        writer.write(&[&big(*series), valid_time, known_time, &number, value])?;
    }
    Ok(())
}

fn big(number: usize) -> i64 {
    i64::try_from(number).expect("ids are small")
}
