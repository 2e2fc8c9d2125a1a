//! What each tenant uploads and reads, and what keeps the other out.

use anyhow::{Context, Result};
use jiff::{Timestamp, ToSpan};
use postgres::Row;
use postgres::error::SqlState;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Pair;
use crate::report::Report;
use crate::session::{Session, column};

pub const READ: &str = "SELECT known_time, valid_time, series_key, unit, value, changed_by
    FROM timedb.read()";

pub fn first_read(report: &mut Report, alice: &mut Session) -> Result<()> {
    report.step("Alice's first read");
    let rows = alice.query(READ, &[])?;
    report.same("a new tenant reads 0 rows", &rows.len(), &0);
    Ok(())
}

/// Six hourly values, counting up from `first`.
fn six_hours(first: f64) -> Result<Vec<(Timestamp, f64)>> {
    let start: Timestamp = "2025-01-01T00:00:00Z".parse()?;
    Ok(start
        .series(1.hour())
        .zip(0..6)
        .map(|(valid_time, step)| (valid_time, first + f64::from(step)))
        .collect())
}

pub fn upload_six(report: &mut Report, session: &mut Session, key: &str, first: f64) -> Result<Uuid> {
    report.step(&format!("An upload: six hourly values of {key}"));
    let row = |(valid_time, value): (Timestamp, f64)| {
        let valid_time = valid_time.to_string();
        json!({"valid_time": valid_time, "value_key": key, "value": value})
    };
    let value_rows: Value = six_hours(first)?.into_iter().map(row).collect();
    let run_start_time: Timestamp = "2025-01-01T00:00:00Z".parse()?;
    let run = session.query_one(
        "SELECT * FROM timedb.upload(
           run_start_time => $1,
           value_rows => $2::text::json)",
        &[&run_start_time, &value_rows.to_string()],
    )?;
    report.same(
        "the answer is \"Run created successfully\"",
        &run.try_get::<_, String>("message")?,
        &"Run created successfully".to_owned(),
    );
    let series_ids: Value = run.try_get("series_ids")?;
    let id = series_ids[key]
        .as_str()
        .with_context(|| format!("no id for {key} in {series_ids}"))?;
    Ok(id.parse()?)
}

pub fn own_rows_only(report: &mut Report, alice: &mut Session, bob: &mut Session) -> Result<()> {
    report.step("Each reads what is theirs");
    let of_alice = alice.query(READ, &[])?;
    report.same(
        "alice reads exactly her 6 rows",
        &readings(&of_alice)?,
        &expected("temperature_a", 20.0)?,
    );
    let of_bob = bob.query(READ, &[])?;
    report.same(
        "bob reads exactly his 6 rows",
        &readings(&of_bob)?,
        &expected("humidity_b", 50.0)?,
    );
    Ok(())
}

pub fn expected(key: &str, first: f64) -> Result<Vec<(String, Timestamp, f64)>> {
    let hours = six_hours(first)?;
    Ok(hours
        .into_iter()
        .map(|(time, value)| (key.to_owned(), time, value))
        .collect())
}

pub fn readings(rows: &[Row]) -> Result<Vec<(String, Timestamp, f64)>> {
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get("series_key")?,
                row.try_get("valid_time")?,
                row.try_get("value")?,
            ))
        })
        .collect()
}

pub fn other_series(report: &mut Report, alice: &mut Session, series_a: Uuid, series_b: Uuid) -> Result<()> {
    report.step("No series in common, even by its id");
    let series = alice.query("SELECT series_id, series_key, unit FROM timedb.list_series()", &[])?;
    report.same(
        "alice sees her one series and not bob's",
        &column(&series, "series_id")?,
        &vec![series_a],
    );
    let rows = alice.query("SELECT * FROM timedb.read(series_ids => $1)", &[&vec![series_b]])?;
    report.same(
        "asking for bob's series by its id adds no row, and is no error",
        &rows.len(),
        &0,
    );
    Ok(())
}

pub fn borders(report: &mut Report, alice: &mut Session, pair: &Pair) -> Result<()> {
    report.step("The border holds below the functions too");
    let denied = SqlState::INSUFFICIENT_PRIVILEGE;
    let outcome = alice.attempt(&format!("SET timedb.tenant = '{}'", pair.bob.id), &[]);
    report.refused(
        "alice cannot set herself to bob's tenant: 42501",
        &outcome,
        &denied,
        "permission denied",
    );
    let tenant = alice.query_one("SELECT timedb.current_tenant()", &[])?;
    report.same("she is still where she was", &tenant.try_get(0)?, &pair.alice.id);

    let stored = alice.query(
        "SELECT tenant_id, series_id, known_time, points::text AS points
         FROM timedb.values",
        &[],
    )?;
    let tenants: Vec<Uuid> = column(&stored, "tenant_id")?;
    report.claim(
        "the bare table shows alice her own rows only",
        !tenants.is_empty() && tenants.iter().all(|tenant| *tenant == pair.alice.id),
    );
    let outcome = alice.attempt("UPDATE timedb.values SET annotation = 'forged'", &[]);
    report.refused(
        "stored values cannot be rewritten: 42501",
        &outcome,
        &denied,
        "permission denied",
    );
    let outcome = alice.attempt("TABLE timedb.api_keys", &[]);
    report.refused(
        "the table of key hashes is closed: 42501",
        &outcome,
        &denied,
        "permission denied",
    );
    Ok(())
}
