//! A row per value with eight indexes, as the original service stored it; see classic.sql.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use postgres::types::ToSql;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use timedb_testkit::Server;
use uuid::Uuid;

use crate::connection::{Connection, SUPERUSER};
use crate::data::{Run, series_key};
use crate::flat_read::{Answer, FlatRead};
use crate::peers::{CLASSIC, Peer};

const SCHEMA_SQL: &str = include_str!("../../classic.sql");
const TENANT: Uuid = Uuid::from_u128(1);
const CHANGED_BY: &str = "bench@timedb.test";

const INSERT: &str = "
    WITH run AS (
      INSERT INTO classic.runs (run_id, tenant_id, workflow_id, run_start_time, known_time)
      VALUES ($1, $2, 'api-workflow', $3, $3))
    INSERT INTO classic.values (run_id, tenant_id, series_id, valid_time, value, changed_by)
    SELECT $1, $2, series_id, valid_time, value, $7
    FROM unnest($4::uuid[], $5::timestamptz[], $6::float8[]) AS u (series_id, valid_time, value)";

const LOCK: &str = "
    SELECT value_id, annotation, tags FROM classic.values
    WHERE run_id = $1 AND tenant_id = $2 AND series_id = $3 AND valid_time = $4
      AND coalesce(valid_time_end, valid_time) = $4 AND is_current
    FOR UPDATE";
const RETIRE: &str = "UPDATE classic.values SET is_current = false WHERE value_id = $1";
const REPLACE: &str = "
    INSERT INTO classic.values (run_id, tenant_id, series_id, valid_time, value, annotation, tags, changed_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub struct Classic {
    pub connection: Connection,
}

/// One value that is to have another value.
#[derive(Clone, Copy, Debug)]
pub struct Correction {
    pub run: usize,
    pub series: usize,
    pub valid_time: Timestamp,
    pub value: f64,
}

impl Classic {
    pub fn connect(server: &Server, database: &str) -> Result<Self> {
        let connection = Connection::open(server, SUPERUSER, database)?;
        Ok(Self { connection })
    }

    pub fn create(server: &Server, database: &str, series: usize) -> Result<Self> {
        let mut classic = Self::connect(server, database)?;
        classic.connection.batch(SCHEMA_SQL)?;
        for number in 0..series {
            classic.connection.execute(
                "INSERT INTO classic.series VALUES ($1, $2, $3, 'kW')",
                &[&series_id(number), &TENANT, &series_key(number)],
            )?;
        }
        Ok(classic)
    }

    /// The run and its values in one statement: one round trip, one commit.
    pub fn insert(&mut self, run: &Run) -> Result<Duration> {
        let series: Vec<Uuid> = run.series.iter().map(|number| series_id(*number)).collect();
        self.connection.execute(
            INSERT,
            &[
                &run_id(run.number),
                &TENANT,
                &run.known_time,
                &series,
                &run.valid_times,
                &run.values,
                &CHANGED_BY,
            ],
        )
    }

    pub fn load(&mut self, runs: impl Iterator<Item = Run>) -> Result<()> {
        self.connection.batch("BEGIN")?;
        for run in runs {
            self.insert(&run)?;
        }
        self.connection.batch("COMMIT")?;
        self.connection.batch("VACUUM (ANALYZE) classic.values")?;
        self.connection.batch("VACUUM (ANALYZE) classic.runs")?;
        self.connection.batch("VACUUM (ANALYZE) classic.series")
    }

    /// All in one transaction; each locks the current version, retires it and inserts the next.
    pub fn update(&mut self, corrections: &[Correction]) -> Result<Duration> {
        let client = self.connection.client();
        let lock = client.prepare(LOCK)?;
        let retire = client.prepare(RETIRE)?;
        let replace = client.prepare(REPLACE)?;
        let started = Instant::now();
        let mut transaction = client.transaction()?;
        for correction in corrections {
            let run = run_id(correction.run);
            let series = series_id(correction.series);
            let row = transaction.query_one(&lock, &[&run, &TENANT, &series, &correction.valid_time])?;
            let value_id: i64 = row.try_get(0)?;
            let annotation: Option<String> = row.try_get(1)?;
            let tags: Option<Vec<String>> = row.try_get(2)?;
            transaction.execute(&retire, &[&value_id])?;
            transaction.execute(
                &replace,
                &[
                    &run,
                    &TENANT,
                    &series,
                    &correction.valid_time,
                    &correction.value,
                    &annotation,
                    &tags,
                    &CHANGED_BY,
                ],
            )?;
        }
        transaction.commit()?;
        Ok(started.elapsed())
    }

    pub fn bytes(&mut self) -> Result<i64> {
        self.connection
            .one("SELECT pg_total_relation_size('classic.values')", &[])
    }
}

impl Peer for Classic {
    fn name(&self) -> &'static str {
        CLASSIC
    }

    fn flat(&mut self, read: &FlatRead) -> Result<(Duration, Answer)> {
        let series = series_id(read.series);
        let (conditions, windows) = read.conditions("v.valid_time", "r.known_time", 3);
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&TENANT, &series];
        params.extend(windows);
        let (took, rows) = self.connection.query(
            &format!(
                "SELECT DISTINCT ON (v.valid_time, coalesce(v.valid_time_end, v.valid_time), v.series_id)
                        v.valid_time, v.value
                 FROM classic.values v
                 JOIN classic.runs r ON r.run_id = v.run_id AND r.tenant_id = v.tenant_id
                 JOIN classic.series s ON s.series_id = v.series_id AND s.tenant_id = v.tenant_id
                 WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.is_current{conditions}
                 ORDER BY v.valid_time, coalesce(v.valid_time_end, v.valid_time), v.series_id, r.known_time DESC"
            ),
            &params,
        )?;
        Ok((took, Answer::of_rows(&rows)?))
    }
}

fn run_id(number: usize) -> Uuid {
    random_uuid(number as u64)
}

fn series_id(number: usize) -> Uuid {
    random_uuid(u64::MAX - number as u64)
}

/// As random as the ones a server makes, and the same in every run of the bench.
fn random_uuid(seed: u64) -> Uuid {
    let mut random = StdRng::seed_from_u64(seed);
    Uuid::from_u64_pair(random.random(), random.random())
}
