//! What several topics need: times, uploads and updates, and what the tables hold.

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::one;
use uuid::Uuid;

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
    update.as_object_mut().expect("an update is an object").extend(fields);
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
