//! W10: W4's read of one tenant, with other tenants of the same size beside it, and with thousands of small ones; and uploads of one value by a tenant of many
//! series among thousands of tenants of a few, whose statistics say nothing of it.

use std::iter;
use std::time::Duration;

use anyhow::Result;

use crate::connection::Connection;
use crate::contest::Contest;
use crate::data::Shape;
use crate::flat_read::FlatRead;
use crate::lab::{Lab, settle};
use crate::peers::{Peer, Tenant, Timedb, must_answer_alike};
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::workloads::flat::{REPETITIONS, WARM_UP};

const SHAPE: Shape = Shape::one_series(1_000, 48);
const ONE_VALUE: Shape = Shape::one_series(10_000, 1);
/// How many tenants there are, and how many runs those have that are new: all the same as the first, but for the many.
const CROWDS: [(u32, i64); 3] = [(10, 1_000), (100, 1_000), (10_000, 10)];
const NAMES: [&str; 4] = ["timedb, 1 tenant", "timedb, 10 tenants", "timedb, 100 tenants", TIMEDB];
const RUN_COLUMNS: &str = "run_id, workflow_id, run_start_time, known_time, changed_by, inserted_at, last_change_time";
const VALUE_COLUMNS: &str = "run_id, change_time, known_time, valid_from, valid_to, part, span, points, changed_by";
pub const CURVE: &str = "W4's read, of one tenant among many";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut database = lab.fresh_database("tenants")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    Timedb::create(&lab.server, &database, &tenant, 1)?.load(SHAPE.all_runs())?;
    settle(&mut lab.operator(&database)?)?;
    let mut databases = vec![database.clone()];
    let mut there = 1;
    for (tenants, runs) in CROWDS {
        lab.progress.step(&format!("makes {tenants} tenants"));
        database = lab.copy_database(&database, "tenants")?;
        neighbours(&mut lab.operator(&database)?, &tenant, tenants - there, runs)?;
        there = tenants;
        databases.push(database.clone());
    }
    let mut records = compare(lab, &databases, &tenant)?;
    records.extend(uploads_in_a_crowd(lab)?);
    Ok(records)
}

/// More tenants, each with a user, a series and copies of the tenant's earliest runs.
fn neighbours(operator: &mut Connection, tenant: &Tenant, tenants: u32, runs: i64) -> Result<()> {
    operator.batch(&format!(
        "CREATE TEMPORARY TABLE made AS
         SELECT id, (timedb.create_user(id, id || '@timedb.test')).user_id, gen_random_uuid() AS series_id
         FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, {tenants})) AS t;
         INSERT INTO timedb.series (tenant_id, series_id, series_key) SELECT id, series_id, 'series_00' FROM made"
    ))?;
    for (table, of_made, columns) in [
        ("runs", "tenant_id", RUN_COLUMNS),
        ("values", "tenant_id, series_id", VALUE_COLUMNS),
    ] {
        let made = of_made
            .replace("tenant_id", "made.id")
            .replace("series_id", "made.series_id");
        operator.execute(
            &format!(
                "INSERT INTO timedb.{table} ({of_made}, {columns})
                 SELECT {made}, {columns}
                 FROM made, (SELECT {columns} FROM timedb.{table} WHERE tenant_id = $1 ORDER BY known_time LIMIT $2) AS t
                 ORDER BY known_time"
            ),
            &[&tenant.id, &runs],
        )?;
    }
    settle(operator)?;
    operator.batch("VACUUM (ANALYZE) timedb.users")?;
    operator.batch("VACUUM (ANALYZE) timedb.api_keys")
}

fn uploads_in_a_crowd(lab: &mut Lab) -> Result<Vec<Record>> {
    const VALUES: usize = 1_000;
    const ALONE: &str = "timedb, 1 series alone";
    lab.progress.step("makes 3,000 tenants of 3 series");
    let mut alone = uploader(lab, "alone", false)?;
    let mut crowded = uploader(lab, "crowded", true)?;
    let one_by_one = |client: &mut Timedb, turn: usize| -> Result<Duration> {
        let numbers = turn * VALUES..(turn + 1) * VALUES;
        numbers.map(|number| client.upload_points(&ONE_VALUE.run(number))).sum()
    };
    let figures = Contest::new("uploads of one value among tenants", 1, REPETITIONS)
        .with(TIMEDB, |turn| one_by_one(&mut crowded, turn))
        .with(ALONE, |turn| one_by_one(&mut alone, turn))
        .run(&lab.progress)?;
    let what = "1,000 uploads of one value: 20,001 series, beside 3,000 tenants of 3";
    let line = Line::new("W10", what, "ms").figures(figures);
    Ok(line.goal(ALONE, Goal::Within(1.2)).records())
}

/// A tenant who uploads to one series: alone, or with 20,000 others of its own beside many small tenants.
fn uploader(lab: &mut Lab, name: &str, in_a_crowd: bool) -> Result<Timedb> {
    let database = lab.fresh_database(name)?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    let client = Timedb::create(&lab.server, &database, &tenant, 1)?;
    let mut operator = lab.operator(&database)?;
    if in_a_crowd {
        let series = "INSERT INTO timedb.series (tenant_id, series_id, series_key)";
        operator.batch(&format!(
            "{series} SELECT '{}', gen_random_uuid(), 'other ' || n FROM generate_series(1, 20000) n;
             {series} SELECT t.id, gen_random_uuid(), 'series ' || n
               FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 3000)) t, generate_series(1, 3) n",
            tenant.id
        ))?;
    }
    settle(&mut operator)?;
    Ok(client)
}

fn compare(lab: &Lab, databases: &[String], tenant: &Tenant) -> Result<Vec<Record>> {
    let read = FlatRead::whole(0);
    let mut clients = Vec::new();
    for database in databases {
        clients.push(Timedb::connect(&lab.server, database, tenant)?);
    }
    let mut asked: Vec<&mut dyn Peer> = Vec::new();
    for client in &mut clients {
        asked.push(client);
    }
    must_answer_alike(&mut asked, &read)?;
    let mut contest = Contest::new("flat reads among tenants", WARM_UP, 2 * REPETITIONS);
    for (name, client) in NAMES.into_iter().zip(&mut clients) {
        contest = contest.with(name, move |_| client.time(&read));
    }
    let figures = contest.run(&lab.progress)?;
    let mut records = Line::new("W10", "W4's read with 10,000 tenants, against 1, 10 and 100", "ms")
        .figures(figures.iter().copied())
        .goal(NAMES[0], Goal::Within(1.2))
        .records();
    let sizes = iter::once(1).chain(CROWDS.map(|(tenants, _)| tenants));
    for (tenants, (_, spread)) in sizes.zip(figures) {
        let line = Line::new("growth", CURVE, "ms").size(tenants);
        records.extend(line.figures([(TIMEDB, spread)]).records());
    }
    Ok(records)
}
