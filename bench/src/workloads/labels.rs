//! W22: the series with some labels, found among 100,000 of their tenant and those of 1,000 others.

use anyhow::{Result, ensure};

use crate::contest::Contest;
use crate::lab::Lab;
use crate::peers::{Tenant, Timedb};
use crate::record::{Line, Record, TIMEDB};

/// Of 100 plants with 10 turbines and 100 kinds of signals each.
const MAKE: &str = "SELECT count(timedb.create_series('signal', labels => jsonb_build_object(
    'country', 'DE', 'plant', 'p' || i / 1000, 'turbine', i / 100 % 10, 'signal', 's' || i % 100)))
  FROM generate_series(0, 99999) AS i";
const MAKE_OTHERS: &str = "INSERT INTO timedb.series (tenant_id, series_id, series_key, labels)
  SELECT ('00000000-0000-0000-0002-' || lpad((i % 1000)::text, 12, '0'))::uuid, gen_random_uuid(), 'signal',
         jsonb_build_object('country', 'DE', 'plant', 'p' || i)
  FROM generate_series(0, 19999) AS i";
const FIND: &str = "SELECT series_id FROM timedb.list_series(labels => '{\"plant\": \"p42\", \"turbine\": 7}')";
const WARM_UP: usize = 2;
const REPETITIONS: usize = 21;

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    if !lab.has_function("label_values")? {
        return Ok(Vec::new());
    }
    let database = lab.fresh_database("labels")?;
    let tenant = Tenant::create(&lab.server, &database, 0)?;
    let mut timedb = Timedb::connect(&lab.server, &database, &tenant)?;
    lab.progress.step("makes 100,000 series with labels");
    timedb.connection.batch(MAKE)?;
    lab.operator(&database)?.batch(MAKE_OTHERS)?;
    let what = "the 100 series with two labels, among 100,000";
    let figures = Contest::new(what, WARM_UP, REPETITIONS)
        .with(TIMEDB, |_| {
            let (took, rows) = timedb.connection.query(FIND, &[])?;
            ensure!(rows.len() == 100, "{} series", rows.len());
            Ok(took)
        })
        .run(&lab.progress)?;
    Ok(Line::new("W22", what, "ms").figures(figures).at_most(20.0).records())
}
