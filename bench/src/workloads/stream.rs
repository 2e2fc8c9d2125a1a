//! W15: a million values, of which a client wants the first few, or all without holding them: time to the first row, `LIMIT`,
//! and the memory of a cursor.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::connection::Connection;
use crate::contest::Contest;
use crate::data::{Form, Shape};
use crate::lab::{Lab, settle};
use crate::peers::{Tenant, Timedb};
use crate::record::{Line, Record, TIMEDB};
use crate::workloads::memory::peak;

const READ: &str = "SELECT valid_time, value FROM timedb.read()";
const VALUES: usize = 1_000_000;
const LIMITED: usize = 10;
const FETCHED: usize = 1_000;
const WARM_UP: usize = 1;
const REPETITIONS: usize = 5;

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut records = of(lab, 20, "20 series")?;
    // A series is what a read holds at once: no goal, but to be known.
    for mut record in of(lab, 1, "one series")? {
        (record.goal, record.met) = (None, None);
        records.push(record);
    }
    Ok(records)
}

fn of(lab: &mut Lab, series: usize, words: &str) -> Result<Vec<Record>> {
    let shape = Shape {
        series,
        runs: 1,
        hours: VALUES / series,
        form: Form::Meter,
    };
    let database = lab.fresh_database("stream")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    Timedb::create(&lab.server, &database, &tenant, series)?.load(shape.all_runs())?;
    settle(&mut lab.operator(&database)?)?;
    let (mut reader, mut other) = (connect(lab, &database, &tenant)?, connect(lab, &database, &tenant)?);
    let limited = format!("{READ} LIMIT {LIMITED}");
    let first = Contest::new("the first row of a million", WARM_UP, REPETITIONS)
        .with(TIMEDB, |_| first_row(&mut reader))
        .run(&lab.progress)?;
    let few = Contest::new("the first ten rows of a million", WARM_UP, REPETITIONS)
        .with(TIMEDB, |_| rows(&mut other, &limited, LIMITED))
        .run(&lab.progress)?;
    let what = |what: &str| format!("{what} of 1,000,000 values of {words}");
    let mut records = Line::new("W15", what("the first row, by a portal,"), "ms")
        .figures(first)
        .at_most(10.0)
        .records();
    records.extend(
        Line::new("W15", what("LIMIT 10"), "ms")
            .figures(few)
            .at_most(10.0)
            .records(),
    );
    let peak = by_cursor(lab, connect(lab, &database, &tenant)?)?;
    let line = Line::new("W15", what("memory of FETCH 1000 through all"), "MB");
    records.extend(line.figure(TIMEDB, peak / 1e6).at_most(40.0).records());
    Ok(records)
}

fn connect(lab: &Lab, database: &str, tenant: &Tenant) -> Result<Connection> {
    Ok(Timedb::connect(&lab.server, database, tenant)?.connection)
}

/// From the call to its first row at the client; the portal is then closed.
fn first_row(connection: &mut Connection) -> Result<Duration> {
    let client = connection.client();
    let statement = client.prepare(READ)?;
    let mut transaction = client.transaction()?;
    let started = Instant::now();
    let portal = transaction.bind(&statement, &[])?;
    let rows = transaction.query_portal(&portal, 1)?;
    let took = started.elapsed();
    ensure!(rows.len() == 1, "no first row");
    transaction.rollback()?;
    Ok(took)
}

fn rows(connection: &mut Connection, sql: &str, count: usize) -> Result<Duration> {
    let (took, rows) = connection.query(sql, &[])?;
    ensure!(rows.len() == count, "{} rows where {count} were asked for", rows.len());
    Ok(took)
}

/// The peak of a fresh backend, in bytes.
fn by_cursor(lab: &Lab, mut connection: Connection) -> Result<f64> {
    lab.progress.step("a million values by a cursor");
    connection.batch(&format!("BEGIN; DECLARE million CURSOR FOR {READ}"))?;
    let fetch = format!("FETCH {FETCHED} FROM million");
    let mut fetched = 0;
    loop {
        let rows = connection.query(&fetch, &[])?.1.len();
        fetched += rows;
        if rows < FETCHED {
            break;
        }
    }
    connection.batch("COMMIT")?;
    ensure!(fetched == VALUES, "the cursor answered {fetched} values");
    peak(&mut connection)
}
