//! What several topics need: times, uploads, what the tables hold, and how to wait for a backend without sleeping.

use std::fs;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use serde_json::{Value, json};
use uuid::Uuid;

/// Long past what anything here takes: a condition that has not come true by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Midnight of 2025-01-01 and so many hours.
pub fn hour(hours: i64) -> Timestamp {
    let midnight: Timestamp = "2025-01-01T00:00:00Z".parse().expect("a timestamp");
    midnight + hours.hours()
}

/// A row of an upload.
pub fn value_row(key: &str, at: Timestamp, value: impl Into<Value>) -> Value {
    json!({"valid_time": at.to_string(), "value_key": key, "value": value.into()})
}

/// What `upload` answers.
#[derive(Debug)]
pub struct Uploaded {
    pub run_id: Uuid,
    pub message: String,
    /// As text, because its order counts.
    pub series_ids: String,
}

impl Uploaded {
    /// The id of the series that the answer calls so.
    #[track_caller]
    pub fn series(&self, name: &str) -> Uuid {
        let ids: Value = serde_json::from_str(&self.series_ids).expect("series_ids is JSON");
        let id = ids[name].as_str().and_then(|id| id.parse().ok());
        id.unwrap_or_else(|| panic!("no series {name} in {ids}"))
    }
}

pub fn try_upload(client: &mut Client, rows: &Value) -> Result<Uploaded, postgres::Error> {
    let sql = "SELECT run_id, message, series_ids::text FROM timedb.upload(now(), $1)";
    let row = client.query_one(sql, &[rows])?;
    Ok(Uploaded {
        run_id: row.get(0),
        message: row.get(1),
        series_ids: row.get(2),
    })
}

#[track_caller]
pub fn upload(client: &mut Client, rows: &Value) -> Uploaded {
    try_upload(client, rows).unwrap_or_else(|error| panic!("the upload fails: {error:?}"))
}

/// An update of one value of a run, with these fields beside its name.
pub fn value_update(run: Uuid, series: Uuid, at: Timestamp, fields: Value) -> Value {
    let (run, series) = (run.to_string(), series.to_string());
    let mut update = json!({"run_id": run, "series_id": series, "valid_time": at.to_string()});
    let fields = fields.as_object().expect("fields are an object").clone();
    update
        .as_object_mut()
        .expect("an update is an object")
        .extend(fields);
    update
}

pub fn try_update(client: &mut Client, updates: &Value) -> Result<Vec<String>, postgres::Error> {
    let rows = client.query("SELECT status FROM timedb.update($1)", &[updates])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[track_caller]
pub fn update(client: &mut Client, updates: &Value) -> Vec<String> {
    try_update(client, updates).unwrap_or_else(|error| panic!("the update fails: {error:?}"))
}

/// The one value of a query that has one.
#[track_caller]
pub fn one<T>(client: &mut Client, sql: &str) -> T
where
    T: for<'a> postgres::types::FromSql<'a>,
{
    match client.query_one(sql, &[]) {
        Ok(row) => row.get(0),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

#[track_caller]
pub fn run(client: &mut Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql) {
        panic!("{sql}: {error:?}");
    }
}

/// The tables of the extension, by name.
pub fn tables(admin: &mut Client) -> Vec<String> {
    let sql = "SELECT format('timedb.%I', c.relname) FROM pg_class c \
               WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind = 'r' ORDER BY 1";
    let rows = admin.query(sql, &[]).expect("the tables can be listed");
    assert!(!rows.is_empty(), "the extension has tables");
    rows.iter().map(|row| row.get(0)).collect()
}

/// How many rows each table holds, all tenants together.
pub fn row_counts(admin: &mut Client) -> Vec<(String, i64)> {
    let tables = tables(admin);
    let count = |table: String| {
        let rows = one(admin, &format!("SELECT count(*) FROM {table}"));
        (table, rows)
    };
    tables.into_iter().map(count).collect()
}

/// The premise of every test of isolation: policies bind this role.
#[track_caller]
pub fn assert_ordinary(client: &mut Client) {
    let is_ordinary = "SELECT NOT (r.rolsuper OR r.rolbypassrls OR EXISTS ( \
                         SELECT FROM pg_class c WHERE c.relnamespace = 'timedb'::regnamespace \
                           AND pg_has_role(r.oid, c.relowner, 'MEMBER'))) \
                       FROM pg_roles r WHERE r.rolname = current_user";
    assert!(
        one::<bool>(client, is_ordinary),
        "an ordinary role, neither superuser nor owner nor BYPASSRLS"
    );
}

pub fn backend_pid(client: &mut Client) -> i32 {
    one(client, "SELECT pg_backend_pid()")
}

/// Asks again until it is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Waits until a backend waits for a lock.
#[track_caller]
pub fn wait_until_blocked(admin: &mut Client, pid: i32) {
    wait_until("a backend waits for a lock", || {
        let sql = "SELECT cardinality(pg_blocking_pids($1)) > 0";
        admin
            .query_one(sql, &[&pid])
            .expect("a superuser may look")
            .get(0)
    });
}

/// The most memory that a backend has had so far, in MiB: shared buffers it has touched included.
pub fn peak_memory(pid: i32) -> u64 {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("VmHWM in kB") / 1024
}

/// The processor time that a process has used, in hundredths of a second.
pub fn cpu_ticks(pid: i32) -> u64 {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // The name of the program, in parentheses, may hold spaces: user and system time are 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|field| field.parse::<u64>().expect("ticks"))
        .sum()
}
