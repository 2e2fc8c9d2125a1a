//! W21: an upload that stores only what is new, where all of it is and where nothing is, against one that does not ask.

use std::cell::RefCell;

use anyhow::Result;
use jiff::SignedDuration;

use crate::contest::Contest;
use crate::data::{Form, Run, Shape, series_key};
use crate::lab::Lab;
use crate::peers::{Tenant, Timedb};
use crate::record::{Goal, Line, Record, TIMEDB};

const PLAIN: &str = "timedb, a plain upload";
const UPLOAD: &str = "SELECT run_id FROM timedb.upload_points(
    $1, series_keys => $2, valid_times => $3, point_values => $4, known_time => $1)";
const UPLOAD_NEW: &str = "SELECT run_id FROM timedb.upload_points(
    $1, series_keys => $2, valid_times => $3, point_values => $4, known_time => $1, skip_unchanged => true)";
const HISTORY: usize = 200;
const WARM_UP: usize = 5;
const REPETITIONS: usize = 51;

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let shape = Shape::standard(Form::Meter);
    let mut records = Vec::new();
    for (what, repeats) in [
        ("960 values that are all new, asked to skip what is not", false),
        ("960 values that are all known, asked to skip them", true),
    ] {
        let database = lab.fresh_database("unchanged")?;
        let tenant = Tenant::create(&lab.server, &database, 0)?;
        let mut timedb = Timedb::create(&lab.server, &database, &tenant, shape.series)?;
        timedb.load((0..HISTORY).map(|number| shape.run(number)))?;
        let connection = RefCell::new(timedb.connection);
        // Each is known after all before it, whoever's turn it was.
        let number = RefCell::new(HISTORY);
        let upload = |sql, repeats: bool| {
            let turn = number.replace_with(|number| *number + 1);
            let mut run = shape.run(if repeats { HISTORY - 1 } else { turn });
            run.known_time += SignedDuration::from_secs(i64::try_from(turn)?);
            let keys: Vec<String> = run.series.iter().map(|series| series_key(*series)).collect();
            let Run {
                known_time,
                valid_times,
                values,
                ..
            } = run;
            connection
                .borrow_mut()
                .execute(sql, &[&known_time, &keys, &valid_times, &values])
        };
        let figures = Contest::new(what, WARM_UP, REPETITIONS)
            .with(TIMEDB, |_| upload(UPLOAD_NEW, repeats))
            .with(PLAIN, |_| upload(UPLOAD, repeats))
            .run(&lab.progress)?;
        let line = Line::new("W21", what, "ms").figures(figures);
        records.extend(line.goal(PLAIN, Goal::Within(2.0)).records());
    }
    Ok(records)
}
