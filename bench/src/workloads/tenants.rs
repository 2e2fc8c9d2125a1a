//! W10: W4's read of one tenant, with other tenants of the same size beside it; and uploads of one value by a tenant of many
//! series among thousands of tenants of a few, whose statistics say nothing of it.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use timedb_testkit::Server;

use crate::contest::Contest;
use crate::data::Shape;
use crate::flat_read::FlatRead;
use crate::lab::{Lab, settle};
use crate::peers::{Peer, Tenant, Timedb, must_answer_alike};
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::workloads::flat::{REPETITIONS, WARM_UP};

const SHAPE: Shape = Shape::one_series(1_000, 48);
const ONE_VALUE: Shape = Shape::one_series(10_000, 1);
const TENANTS: [u32; 3] = [1, 10, 100];
const NAMES: [&str; 3] = ["timedb, 1 tenant", "timedb, 10 tenants", TIMEDB];
const LOADERS: usize = 2;
pub const CURVE: &str = "W4's read, of one tenant among many";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let mut databases: Vec<String> = Vec::new();
    let mut first = None;
    let mut there = 0;
    for tenants in TENANTS {
        lab.progress.step(&format!("loads {tenants} tenants"));
        let database = match databases.last() {
            None => lab.fresh_database("tenants")?,
            Some(smaller) => lab.copy_database(smaller, "tenants")?,
        };
        let loaded = load(&lab.server, &database, there, tenants as usize)?;
        settle(&mut lab.operator(&database)?)?;
        first = first.or(loaded);
        there = tenants as usize;
        databases.push(database);
    }
    let tenant = first.ok_or_else(|| anyhow!("no tenant was made"))?;
    let mut records = compare(lab, &databases, &tenant)?;
    records.extend(uploads_in_a_crowd(lab)?);
    Ok(records)
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

/// Makes and fills tenants `from` to `to`; answers the first of them.
fn load(server: &Server, database: &str, from: usize, to: usize) -> Result<Option<Tenant>> {
    let mut tenants = Vec::new();
    for number in from..to {
        tenants.push(Tenant::create(server, database, number)?);
    }
    let shares = tenants.chunks(tenants.len().div_ceil(LOADERS).max(1));
    thread::scope(|scope| {
        let loaders: Vec<_> = shares
            .map(|share| {
                scope.spawn(move || -> Result<()> {
                    for tenant in share {
                        Timedb::create(server, database, tenant, 1)?.load(SHAPE.all_runs())?;
                    }
                    Ok(())
                })
            })
            .collect();
        for loader in loaders {
            loader.join().map_err(|_| anyhow!("a loader panicked"))??;
        }
        Ok(())
    })
    .map(|()| tenants.first().cloned())
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
    let mut records = Line::new("W10", "W4's read with 100 tenants, against 1 and 10", "ms")
        .figures(figures.iter().copied())
        .goal(NAMES[0], Goal::Within(1.2))
        .records();
    for (tenants, (_, spread)) in TENANTS.into_iter().zip(figures) {
        let line = Line::new("growth", CURVE, "ms").size(tenants);
        records.extend(line.figures([(TIMEDB, spread)]).records());
    }
    Ok(records)
}
