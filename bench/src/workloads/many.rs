//! W14: a day of many series in one call (and `latest`), against the rows of that day fetched and left as they are, and against `lean`.

use std::time::Duration;

use anyhow::{Result, ensure};
use uuid::Uuid;

use crate::connection::Connection;
use crate::contest::Contest;
use crate::data::{Form, Run, Shape, hour, series_key};
use crate::flat_read::Answer;
use crate::lab::{Lab, settle};
use crate::peers::{LEAN, LIMIT, Lean, Tenant, Timedb};
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::workloads::latest;

const SHAPE: Shape = Shape {
    series: 1_000,
    runs: 10,
    hours: 48,
    form: Form::Meter,
};
const READ: &str = "SELECT valid_time, value, series_key FROM timedb.read(
    series_keys => $1, start_valid => $2, end_valid => $3)";
/// Down the primary key of each series, so that nothing is sorted.
const READ_OF_LEAN: &str = "
    SELECT v.valid_time, v.value, s.series_key
    FROM unnest($1::text[]) AS k (series_key) JOIN lean.series s ON s.series_key = k.series_key, LATERAL (
      SELECT DISTINCT ON (valid_time) valid_time, value FROM lean.values
      WHERE series_id = s.series_id AND valid_time >= $2 AND valid_time < $3
      ORDER BY valid_time DESC, known_time DESC, run_id DESC, version DESC) AS v";
const ROWS: &str = "
    SELECT * FROM timedb.values
    WHERE tenant_id = $1 AND series_id = ANY ($2) AND valid_from < $4 AND valid_to >= $3";
/// A run a day: two of them reach into any day.
const RUNS_OF_A_DAY: usize = 2;
const WARM_UP: usize = 2;
const REPETITIONS: usize = 11;
pub const CURVE: &str = "W14: a day of many series in one call";

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let database = lab.fresh_database("many")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    lab.progress.step("loads 1,000 series");
    let mut timedb = Timedb::create(&lab.server, &database, &tenant, SHAPE.series)?;
    timedb.load(daily_runs())?;
    settle(&mut lab.operator(&database)?)?;
    let mut lean = Lean::create(&lab.server, &database, LEAN, SHAPE.series)?;
    lean.load(daily_runs())?;
    let mut day = Day {
        operator: lab.operator(&database)?,
        tenant: tenant.id,
        timedb: timedb.connection,
        lean: lean.connection,
    };
    let mut records = Vec::new();
    for series in [10, 100, 1_000] {
        records.extend(day.read_by_all(lab, series)?);
    }
    records.extend(latest::measure(lab)?);
    Ok(records)
}

fn daily_runs() -> impl Iterator<Item = Run> {
    (0..SHAPE.runs).map(|day| SHAPE.run(24 * day))
}

/// In the middle of the runs.
struct Day {
    operator: Connection,
    tenant: Uuid,
    timedb: Connection,
    lean: Connection,
}

impl Day {
    fn read_by_all(&mut self, lab: &Lab, series: usize) -> Result<Vec<Record>> {
        let keys: Vec<String> = (0..series).map(series_key).collect();
        let (start, end) = (hour(120), hour(144));
        let ids = "SELECT array_agg(series_id) FROM timedb.series WHERE series_key = ANY ($1)";
        let ids: Vec<Uuid> = self.operator.one(ids, &[&keys])?;
        self.must_answer_alike(&keys, &ids)?;
        let figures = Contest::new(format!("a day of {series} series"), WARM_UP, REPETITIONS)
            .with(TIMEDB, |_| took(&mut self.timedb, READ, &[&keys, &start, &end]))
            .with(LEAN, |_| took(&mut self.lean, READ_OF_LEAN, &[&keys, &start, &end]))
            .with(LIMIT, |_| {
                took(&mut self.operator, ROWS, &[&self.tenant, &ids, &start, &end])
            })
            .run(&lab.progress)?;
        let line = Line::new("growth", CURVE, "ms").size(u32::try_from(series)?);
        let mut records = line.figures(figures.iter().copied()).records();
        if series == SHAPE.series {
            let line = Line::new("W14", "one day of 1,000 series in one call, 24,000 out", "ms").figures(figures);
            records.extend(line.goal(LIMIT, Goal::Within(2.0)).records());
        }
        Ok(records)
    }

    fn must_answer_alike(&mut self, keys: &[String], ids: &[Uuid]) -> Result<()> {
        let (start, end) = (hour(120), hour(144));
        let (_, ours) = self.timedb.query(READ, &[&keys, &start, &end])?;
        let (_, theirs) = self.lean.query(READ_OF_LEAN, &[&keys, &start, &end])?;
        ensure!(ours.len() == 24 * keys.len(), "{} values of a day", ours.len());
        Answer::of_rows(&ours)?.must_be_that_of(LEAN, &Answer::of_rows(&theirs)?)?;
        let (_, rows) = self.operator.query(ROWS, &[&self.tenant, &ids, &start, &end])?;
        ensure!(
            rows.len() == RUNS_OF_A_DAY * keys.len(),
            "{} rows reach into the day",
            rows.len()
        );
        Ok(())
    }
}

fn took(connection: &mut Connection, sql: &str, params: &[&(dyn postgres::types::ToSql + Sync)]) -> Result<Duration> {
    Ok(connection.query(sql, params)?.0)
}
