//! timedb itself, as a client sees it: an ordinary login role, logged in with a key.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::BytesMut;
use jiff::Timestamp;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use serde_json::json;
use timedb_testkit::Server;
use uuid::Uuid;

use crate::connection::{Connection, SUPERUSER};
use crate::data::{Run, series_key};
use crate::flat_read::{Answer, FlatRead};
use crate::peers::Peer;
use crate::record::TIMEDB;

const UPLOAD_POINTS: &str = "SELECT run_id FROM timedb.upload_points(
    $1, series_keys => $2, valid_times => $3, point_values => $4, known_time => $1)";
const UPLOAD: &str = "SELECT run_id FROM timedb.upload($1, $2, known_time => $1)";
const READ: &str = "SELECT valid_time, value FROM timedb.read(
    series_ids => ARRAY[$1::uuid], start_valid => $2, end_valid => $3, end_known => $4)";
/// How many uploads one commit takes when loading only serves later reads.
const UPLOADS_A_COMMIT: usize = 500;

#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: Uuid,
    pub api_key: String,
}

impl Tenant {
    pub fn create(server: &Server, database: &str, number: usize) -> Result<Self> {
        let mut operator = Connection::open(server, SUPERUSER, database)?;
        let id = Uuid::from_u64_pair(1, number as u64);
        let email = format!("bench-{number}@timedb.test");
        let api_key = operator.one("SELECT api_key FROM timedb.create_user($1, $2)", &[&id, &email])?;
        Ok(Self { id, api_key })
    }
}

pub struct Timedb {
    pub connection: Connection,
    series: Vec<Uuid>,
}

impl Timedb {
    pub fn connect(server: &Server, database: &str, tenant: &Tenant) -> Result<Self> {
        let mut connection = Connection::open(server, "app", database)?;
        connection.query("SELECT * FROM timedb.authenticate($1)", &[&tenant.api_key])?;
        let (_, rows) = connection.query("SELECT series_id FROM timedb.list_series() ORDER BY series_key", &[])?;
        let series = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        Ok(Self { connection, series })
    }

    /// With the series made beforehand, so that they have a unit.
    pub fn create(server: &Server, database: &str, tenant: &Tenant, series: usize) -> Result<Self> {
        let mut timedb = Self::connect(server, database, tenant)?;
        for number in 0..series {
            timedb
                .connection
                .query("SELECT timedb.create_series($1, 'kW')", &[&series_key(number)])?;
        }
        Self::connect(server, database, tenant)
    }

    pub fn series_id(&self, series: usize) -> Result<Uuid> {
        self.series.get(series).copied().context("no such series")
    }

    pub fn upload_points(&mut self, run: &Run) -> Result<Duration> {
        let keys: Vec<String> = run.series.iter().map(|series| series_key(*series)).collect();
        self.connection
            .execute(UPLOAD_POINTS, &[&run.known_time, &keys, &run.valid_times, &run.values])
    }

    /// The text is made before the clock starts: it is what a client of HTTP sends.
    pub fn upload_json(&mut self, run: &Run) -> Result<Duration> {
        let text = json_rows(run);
        self.connection.execute(UPLOAD, &[&run.known_time, &JsonText(&text)])
    }

    /// Many runs, many a commit: for what only serves later reads.
    pub fn load(&mut self, runs: impl Iterator<Item = Run>) -> Result<()> {
        let mut open = false;
        for (number, run) in runs.enumerate() {
            if number.is_multiple_of(UPLOADS_A_COMMIT) {
                self.connection.batch(if open { "COMMIT; BEGIN" } else { "BEGIN" })?;
                open = true;
            }
            self.upload_points(&run)?;
        }
        if open {
            self.connection.batch("COMMIT")?;
        }
        Ok(())
    }

    pub fn first_column<T: for<'a> FromSql<'a>>(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<T>> {
        let (_, rows) = self.connection.query(sql, params)?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

impl Peer for Timedb {
    fn name(&self) -> &'static str {
        TIMEDB
    }

    fn flat(&mut self, read: &FlatRead) -> Result<(Duration, Answer)> {
        let series = self.series_id(read.series)?;
        let start: Option<Timestamp> = read.valid.map(|(start, _)| start);
        let end: Option<Timestamp> = read.valid.map(|(_, end)| end);
        let (took, rows) = self
            .connection
            .query(READ, &[&series, &start, &end, &read.known_before])?;
        Ok((took, Answer::of_rows(&rows)?))
    }
}

/// The rows of `upload`, as JSON text.
pub fn json_rows(run: &Run) -> String {
    let rows = run.series.iter().zip(&run.valid_times).zip(&run.values);
    rows.map(|((series, valid_time), value)| {
        json!({"value_key": series_key(*series), "valid_time": valid_time.to_string(), "value": value})
    })
    .collect::<serde_json::Value>()
    .to_string()
}

/// JSON that is text already, bound as it is.
#[derive(Debug)]
pub struct JsonText<'a>(pub &'a str);

impl ToSql for JsonText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSON
    }

    to_sql_checked!();
}
