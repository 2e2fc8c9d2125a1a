//! What several of the attacks need: keys, rows of uploads and updates, and refusals one after the other.

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Stored, told};
use uuid::Uuid;

/// What of a key is secret: not its prefix, its tenant's route or its last four characters.
pub fn secret(key: &str) -> &str {
    &key[8..48]
}

/// A well-formed key that is nobody's.
pub fn new_key(tenant: Uuid) -> String {
    timedb_core::key::make(tenant).expect("random bytes")
}

/// Each of the attempts is refused with the SQLSTATE.
#[track_caller]
pub fn each_refused<S: AsRef<str>>(client: &mut Client, code: &str, attempts: impl IntoIterator<Item = S>) {
    for attempt in attempts {
        let attempt = attempt.as_ref();
        match client.batch_execute(attempt) {
            Ok(()) => panic!("accepted, but should be {code}: {attempt}"),
            Err(error) => assert_eq!(told(&error).0, code, "{attempt}: {error:?}"),
        }
    }
}

/// Uploads one value.
#[track_caller]
pub fn upload(client: &mut Client, key: &str) -> Stored {
    Stored::of(client, key, 1.0)
}

/// An update of the value that `upload` gave a run.
pub fn update_of(run_id: Uuid, series_id: Uuid, value: f64) -> Value {
    let (run_id, series_id) = (run_id.to_string(), series_id.to_string());
    json!([{"run_id": run_id, "series_id": series_id, "valid_time": "2025-01-01T00:00:00Z", "value": value}])
}

/// An upload onto a series that is there.
pub fn rows_of(series_id: Uuid) -> Value {
    json!([{"valid_time": "2025-01-02T00:00:00Z", "series_id": series_id.to_string(), "value": 2}])
}

/// What the first row of an upload has become.
pub fn try_upload(client: &mut Client, rows: &Value) -> Result<Stored, postgres::Error> {
    let sql = "SELECT u.run_id, i.value::uuid FROM timedb.upload(pg_catalog.now(), $1) u, \
                 pg_catalog.json_each_text(u.series_ids) i";
    let row = client.query_one(sql, &[rows])?;
    Ok(Stored {
        run_id: row.get(0),
        series_id: row.get(1),
    })
}
