//! How much memory a backend takes for a million values: its peak, less what it shares with the others.
//! Every figure is of a fresh connection.

use anyhow::{Context, Result};
use serde_json::json;
use timedb_testkit::memory;

use crate::connection::Connection;
use crate::data::{Form, Run, Shape, series_key};
use crate::lab::Lab;
use crate::peers::timedb::{JsonText, json_rows};
use crate::peers::{Tenant, Timedb};
use crate::python::Python;
use crate::record::{Line, Record, TIMEDB};

/// 1,000,000 values in one run.
const SHAPE: Shape = Shape {
    series: 20,
    runs: 1,
    hours: 50_000,
    form: Form::Meter,
};
const COPY: &str = "COPY (SELECT * FROM timedb.read()) TO STDOUT (FORMAT binary)";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let database = lab.fresh_database("memory")?;
    // One for each way to upload, so that all of them write, and later read, as much.
    let mut tenants = Vec::new();
    for number in 0..3 {
        let tenant = Tenant::create(&lab.server, &database, number)?;
        Timedb::create(&lab.server, &database, &tenant, SHAPE.series)?;
        tenants.push(tenant);
    }
    let run = SHAPE.run(0);
    let mut records = uploads(lab, &database, &tenants, &run)?;
    records.extend(upload_arrow(lab, &database, &tenants[2])?);
    records.extend(reads(lab, &database, &tenants[0])?);
    Ok(records)
}

fn uploads(lab: &Lab, database: &str, tenants: &[Tenant], run: &Run) -> Result<Vec<Record>> {
    lab.progress.step("uploads of a million values");
    let mut client = Timedb::connect(&lab.server, database, &tenants[0])?;
    client.upload_points(run)?;
    let mut records = line("upload of 1,000,000 values from arrays", peak(&mut client.connection)?);

    let mut client = Timedb::connect(&lab.server, database, &tenants[1])?;
    let text = json_rows(run);
    client.connection.query(
        "SELECT run_id FROM timedb.upload($1, $2, known_time => $1)",
        &[&run.known_time, &JsonText(&text)],
    )?;
    let what = format!(
        "upload of 1,000,000 values as JSON, a text of {} MB",
        text.len() / 1_000_000
    );
    records.extend(line(&what, peak(&mut client.connection)?));
    Ok(records)
}

/// The stream is made, and sent, by Python.
fn upload_arrow(lab: &Lab, database: &str, tenant: &Tenant) -> Result<Vec<Record>> {
    let what = "upload of 1,000,000 values as Arrow";
    if !lab.has_function("upload_arrow")? {
        return Ok(absent(what, "not there yet"));
    }
    let program = lab.project.join("bench/python/frames.py");
    let mut python = match Python::start(&program) {
        Ok(python) => python,
        Err(error) => return Ok(absent(what, &format!("{error:#}"))),
    };
    let url = lab.server.url("app", database);
    python.ask(&json!({"do": "start", "url": url, "api_key": tenant.api_key}))?;
    let keys: Vec<String> = (0..SHAPE.series).map(series_key).collect();
    let reply = python.ask(&json!({"do": "upload", "keys": keys, "hours": SHAPE.hours}))?;
    let backend = reply["backend"].as_i64().context("no backend in the reply")?;
    Ok(line(what, private_peak(i32::try_from(backend)?)?))
}

fn reads(lab: &Lab, database: &str, tenant: &Tenant) -> Result<Vec<Record>> {
    lab.progress.step("reads of a million values");
    let mut client = Timedb::connect(&lab.server, database, tenant)?;
    client.connection.copy_out(COPY)?;
    let mut records = line("read of 1,000,000 values by COPY", peak(&mut client.connection)?);
    let what = "read of 1,000,000 values as Arrow";
    if !lab.has_function("read_arrow")? {
        records.extend(absent(what, "not there yet"));
        return Ok(records);
    }
    let mut client = Timedb::connect(&lab.server, database, tenant)?;
    client.connection.query("SELECT timedb.read_arrow()", &[])?;
    records.extend(line(what, peak(&mut client.connection)?));
    Ok(records)
}

fn line(what: &str, bytes: f64) -> Vec<Record> {
    Line::new("memory", what, "MB").figure(TIMEDB, bytes / 1e6).records()
}

fn absent(what: &str, why: &str) -> Vec<Record> {
    Line::new("memory", what, "MB").note(TIMEDB, why).records()
}

pub fn peak(connection: &mut Connection) -> Result<f64> {
    let backend: i32 = connection.one("SELECT pg_backend_pid()", &[])?;
    private_peak(backend)
}

/// Its resident peak, less the shared buffers and the programs' pages it has touched by now.
fn private_peak(process: i32) -> Result<f64> {
    let shared = memory(process, "RssShmem")? + memory(process, "RssFile")?;
    Ok(memory(process, "VmHWM")? as f64 - shared as f64)
}
