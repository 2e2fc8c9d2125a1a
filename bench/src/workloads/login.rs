//! W9: what isolation costs. Every figure is of prepared round trips in one session.

use std::cell::RefCell;

use anyhow::{Result, ensure};
use postgres::types::ToSql;
use uuid::Uuid;

use crate::connection::Connection;
use crate::contest::Contest;
use crate::dataset::Dataset;
use crate::lab::Lab;
use crate::peers::Timedb;
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::statistics::Spread;

const WARM_UP: usize = 100;
const REPETITIONS: usize = 1_000;
const LOOKUP: &str = "lookup";
const BARE: &str = "bare copy";

/// One of those looked up.
const KEY: &str = "c4ca4238a0b923820dcc509a6f75849b";

/// As many rows as a service has keys, found by a hash, as authenticate finds its own.
const LOOKUP_SQL: &str = "
    CREATE SCHEMA bench;
    CREATE TABLE bench.lookup (key text PRIMARY KEY, tenant_id uuid NOT NULL);
    INSERT INTO bench.lookup SELECT md5(n::text), gen_random_uuid() FROM generate_series(1, 10000) AS n;
    CREATE TABLE bench.series (LIKE timedb.series INCLUDING INDEXES);
    INSERT INTO bench.series SELECT * FROM timedb.series;
    CREATE TABLE bench.values (LIKE timedb.values INCLUDING INDEXES);
    INSERT INTO bench.values SELECT * FROM timedb.values;
    GRANT USAGE ON SCHEMA bench TO app;
    GRANT SELECT ON ALL TABLES IN SCHEMA bench TO app";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    drop(lab.timedb(Dataset::Meter)?);
    let mut operator = lab.operator(Dataset::Meter.name())?;
    operator.batch(LOOKUP_SQL)?;
    for table in ["lookup", "series", "values"] {
        operator.batch(&format!("VACUUM (ANALYZE) bench.{table}"))?;
    }
    let mut records = login(lab)?;
    records.extend(recheck(lab)?);
    records.extend(read(lab)?);
    Ok(records)
}

fn login(lab: &mut Lab) -> Result<Vec<Record>> {
    let api_key = lab.tenant(Dataset::Meter)?.api_key.clone();
    let mut session = lab.timedb(Dataset::Meter)?.connection;
    let figures = in_turns(
        lab,
        "logins",
        &mut session,
        (TIMEDB, "SELECT * FROM timedb.authenticate($1)", &[&api_key]),
        (LOOKUP, "SELECT * FROM bench.lookup WHERE key = $1", &[&KEY]),
        (WARM_UP, REPETITIONS),
    )?;
    Ok(
        Line::new("W9", "authenticate, against an index lookup of one row", "µs")
            .figures(figures.map(|(peer, spread)| (peer, spread.times(1e3))))
            .goal(LOOKUP, Goal::Within(1.6))
            .records(),
    )
}

/// One row by primary key, through the policy and past it: the difference is the re-check.
fn recheck(lab: &mut Lab) -> Result<Vec<Record>> {
    let (mut session, tenant, series) = session(lab)?;
    let figures = in_turns(
        lab,
        "one row under a policy",
        &mut session,
        (
            TIMEDB,
            "SELECT unit FROM timedb.series WHERE series_id = $1",
            &[&series],
        ),
        (
            BARE,
            "SELECT unit FROM bench.series WHERE series_id = $1 AND tenant_id = $2",
            &[&series, &tenant],
        ),
        (WARM_UP, REPETITIONS),
    )?;
    let mut records = Line::new("W9", "one row by its key, under the policy", "µs")
        .figures(figures.map(|(peer, spread)| (peer, spread.times(1e3))))
        .records();
    let difference = (figures[0].1.median - figures[1].1.median) * 1e3;
    let line = Line::new("W9", "the re-check, per statement: the difference", "µs");
    records.extend(line.figure(TIMEDB, difference).at_most(22.0).records());
    Ok(records)
}

/// The rows of one series as they are stored.
fn read(lab: &mut Lab) -> Result<Vec<Record>> {
    let (mut session, tenant, series) = session(lab)?;
    let figures = in_turns(
        lab,
        "a read under a policy",
        &mut session,
        (TIMEDB, "SELECT * FROM timedb.values WHERE series_id = $1", &[&series]),
        (
            BARE,
            "SELECT * FROM bench.values WHERE series_id = $1 AND tenant_id = $2",
            &[&series, &tenant],
        ),
        (WARM_UP / 10, REPETITIONS / 5),
    )?;
    Ok(
        Line::new("W9", "the stored rows of one series, 1,000, under the policy", "ms")
            .figures(figures)
            .goal(BARE, Goal::Within(1.05))
            .records(),
    )
}

fn session(lab: &mut Lab) -> Result<(Connection, Uuid, Uuid)> {
    let tenant = lab.tenant(Dataset::Meter)?.id;
    let timedb: Timedb = lab.timedb(Dataset::Meter)?;
    let series = timedb.series_id(7)?;
    Ok((timedb.connection, tenant, series))
}

type Question<'a> = (&'static str, &'a str, &'a [&'a (dyn ToSql + Sync)]);

/// Two statements of one session, in turns; both must answer as many rows.
fn in_turns(
    lab: &Lab,
    what: &str,
    session: &mut Connection,
    ours: Question<'_>,
    theirs: Question<'_>,
    (warm_up, repetitions): (usize, usize),
) -> Result<[(&'static str, Spread); 2]> {
    let (our_rows, their_rows) = (session.query(ours.1, ours.2)?.1, session.query(theirs.1, theirs.2)?.1);
    ensure!(
        our_rows.len() == their_rows.len(),
        "{what}: {} and {} answer different rows",
        ours.0,
        theirs.0
    );
    let session = RefCell::new(session);
    let turn = |(_, sql, params): Question<'_>| Ok(session.borrow_mut().query(sql, params)?.0);
    let figures = Contest::new(what, warm_up, repetitions)
        .with(ours.0, |_| turn(ours))
        .with(theirs.0, |_| turn(theirs))
        .run(&lab.progress)?;
    Ok([figures[0], figures[1]])
}
