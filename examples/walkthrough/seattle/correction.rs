//! A corrected value: its history, and the database as it was just before.

use anyhow::{Context, Result};
use jiff::{Timestamp, ToSpan};
use postgres::Row;
use serde_json::json;
use uuid::Uuid;

use super::{DAY, MEASURED};
use crate::report::Report;
use crate::session::{Session, column};
use crate::temperatures::Temperatures;
use crate::tenants::Tenant;

const CORRECTED_VALUE: f64 = 60.1;
const ANNOTATION: &str = "thermometer in the sun";

/// Which value was corrected, and when.
pub struct Correction {
    pub values_written: usize,
    valid_time: Timestamp,
    change_time: Timestamp,
}

pub fn correct(report: &mut Report, alice: &mut Session, run_id: Uuid, series_id: Uuid) -> Result<Correction> {
    report.step("A correction, and the missing hour filled in: nothing is overwritten");
    let valid_time = DAY.parse::<Timestamp>()? + 15.hours();
    let (run_id, series_id) = (run_id.to_string(), series_id.to_string());
    let updates = json!([
        {
            "run_id": run_id,
            "series_id": series_id,
            "valid_time": valid_time.to_string(),
            "value": CORRECTED_VALUE,
            "annotation": ANNOTATION,
            "tags": ["Sensor", "corrected ", "sensor"],
        },
        {
            "run_id": run_id,
            "series_id": series_id,
            "valid_time": "2010-03-14T03:00:00Z",
            "value": 42.6,
            "annotation": "missing in the source: the mean of its neighbours",
        },
    ]);
    let rows = alice.query(
        "SELECT status, valid_time, change_time
         FROM timedb.update($1::text::json)",
        &[&updates.to_string()],
    )?;
    report.same(
        "one value is updated, one created, in the order they were given",
        &column(&rows, "status")?,
        &vec!["updated".to_owned(), "created".to_owned()],
    );
    let first = rows.first().context("update answered no row")?;
    Ok(Correction {
        values_written: rows.len(),
        valid_time,
        change_time: first.try_get("change_time")?,
    })
}

pub fn history(
    report: &mut Report,
    alice: &mut Session,
    year: &Temperatures,
    tenant: &Tenant,
    corrected: &Correction,
) -> Result<()> {
    report.step("The history of the corrected value: what, who and when");
    let valid_time = corrected.valid_time;
    let rows = alice.query(
        "SELECT value, change_time, changed_by, annotation, tags
         FROM timedb.read(
           start_valid => $1,
           end_valid => $2,
           series_keys => $3,
           all_versions => true)",
        &[&valid_time, &(valid_time + 1.hour()), &vec![MEASURED]],
    )?;
    report.same(
        "it has two versions: as measured, then as corrected",
        &column(&rows, "value")?,
        &vec![year[&valid_time], CORRECTED_VALUE],
    );
    report.same(
        "both were written by alice",
        &column(&rows, "changed_by")?,
        &vec![tenant.email.to_owned(), tenant.email.to_owned()],
    );
    what_changed(report, &rows, corrected)
}

fn what_changed(report: &mut Report, versions: &[Row], corrected: &Correction) -> Result<()> {
    let change_times: Vec<Timestamp> = column(versions, "change_time")?;
    report.claim(
        "the correction is the later one, of the moment that update answered",
        change_times.is_sorted() && change_times.last() == Some(&corrected.change_time),
    );
    report.same(
        "only the correction is annotated",
        &column(versions, "annotation")?,
        &vec![None, Some(ANNOTATION.to_owned())],
    );
    report.same(
        "its tags are trimmed, in lower case, sorted, and each there once",
        &column(versions, "tags")?,
        &vec![None, Some(vec!["corrected".to_owned(), "sensor".to_owned()])],
    );
    Ok(())
}

pub fn just_before(
    report: &mut Report,
    alice: &mut Session,
    year: &Temperatures,
    corrected: &Correction,
) -> Result<()> {
    report.step("The database as it was just before the correction");
    let valid_time = corrected.valid_time;
    let as_of = corrected.change_time - 1.microsecond();
    let rows = alice.query(
        "SELECT valid_time, value, changed_by, annotation
         FROM timedb.read(
           start_valid => $1,
           end_valid => $2,
           series_keys => $3,
           as_of => $4)",
        &[&valid_time, &(valid_time + 1.hour()), &vec![MEASURED], &as_of],
    )?;
    report.same(
        "it still held the value as measured",
        &column(&rows, "value")?,
        &vec![year[&valid_time]],
    );
    Ok(())
}
