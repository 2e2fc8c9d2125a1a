//! W18: what was known so long before, of every hour of a year, and W20: what dashboards ask of that year; each against the flat
//! read of the same versions.

use std::cell::RefCell;

use anyhow::Result;

use crate::contest::Contest;
use crate::dataset::{Dataset, deep_series};
use crate::lab::Lab;
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::workloads::flat::{REPETITIONS, WARM_UP};

const FLAT: &str = "timedb, the flat read";
const READ: &str = "SELECT valid_time, value FROM timedb.read(series_ids => ARRAY[$1::uuid])";

/// A question, the function that answers it, and how it is asked.
struct Question {
    workload: &'static str,
    what: &'static str,
    function: &'static str,
    sql: &'static str,
}

const QUESTIONS: [Question; 3] = [
    Question {
        workload: "W18",
        what: "known 24 hours ahead, of a year of hourly forecasts",
        function: "read_relative",
        sql: "SELECT valid_time, value FROM timedb.read_relative(lead => '24 hours', series_ids => ARRAY[$1::uuid])",
    },
    Question {
        workload: "W18",
        what: "known at noon of the day before in Berlin, of the same",
        function: "read_relative",
        sql: "SELECT valid_time, value FROM timedb.read_relative(days_ahead => 1, time_of_day => '12:00',
                time_zone => 'Europe/Berlin', series_ids => ARRAY[$1::uuid])",
    },
    Question {
        workload: "W20",
        what: "a year of hours by days of Berlin",
        function: "read_buckets",
        sql: "SELECT bucket_start, value FROM timedb.read_buckets('1 day', time_zone => 'Europe/Berlin',
                series_ids => ARRAY[$1::uuid])",
    },
];

pub fn relative(lab: &mut Lab) -> Result<Vec<Record>> {
    measure(lab, "W18")
}

pub fn buckets(lab: &mut Lab) -> Result<Vec<Record>> {
    measure(lab, "W20")
}

fn measure(lab: &mut Lab, workload: &str) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for question in QUESTIONS.iter().filter(|question| question.workload == workload) {
        if !lab.has_function(question.function)? {
            continue;
        }
        let timedb = lab.timedb(Dataset::Deep)?;
        let series = timedb.series_id(deep_series(8_760, 48))?;
        // Both are asked of the one connection.
        let connection = RefCell::new(timedb.connection);
        let took = |sql| Ok(connection.borrow_mut().query(sql, &[&series])?.0);
        let figures = Contest::new(question.what, WARM_UP, REPETITIONS)
            .with(TIMEDB, |_| took(question.sql))
            .with(FLAT, |_| took(READ))
            .run(&lab.progress)?;
        let line = Line::new(question.workload, question.what, "ms").figures(figures);
        records.extend(line.goal(FLAT, Goal::Within(2.0)).records());
    }
    Ok(records)
}
