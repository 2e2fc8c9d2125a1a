//! A small world of values, around the nights in which clocks are set forward and back.

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use timedb_testkit::{Database, assert_ordinary, run};
use uuid::Uuid;

/// Of one key twice, so that labels alone tell them apart.
pub const SERIES: [(&str, &str); 4] = [
    ("a", "{}"),
    ("a", r#"{"n": 1}"#),
    ("B", r#"{"n": 1, "m": "x"}"#),
    ("ä", "{}"),
];
/// Where the clocks of zones change on the days of the world: by an hour, by half of one, not at all.
pub const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/New_York",
    "Pacific/Apia",
];

/// Quarters of an hour after a midnight two days before the clocks of Europe are set forward.
pub fn quarter(number: i64) -> Timestamp {
    let midnight: Timestamp = "2025-03-28T00:00:00Z".parse().expect("a timestamp");
    midnight + (number * 15).minutes()
}

/// A week and a half, in which Lord Howe has its change too; now and then half a year away, or decades.
pub fn moment() -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => 0..20i64,
        8 => (0..44i64).prop_map(|quarters| 4 * quarters),
        6 => 0..1000i64,
        2 => (0..40i64).prop_map(|quarters| quarters + 96 * 211),
        1 => (-50..50i64).prop_map(|years| years * 35_064),
    ]
}

#[derive(Clone, Debug)]
pub struct Row {
    pub series: usize,
    pub start: i64,
    pub length: Option<i64>,
    pub value: Option<f64>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Upload {
        known: i64,
        rows: Vec<Row>,
    },
    /// A new value for one that is shown, or in its run so much later.
    Update {
        shown: Index,
        value: Option<f64>,
        quarters: i64,
    },
    Compact,
}

/// As a flat read shows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub known: Timestamp,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub series: Uuid,
    pub key: String,
    pub unit: String,
    pub value: Option<u64>,
    pub run: Uuid,
    pub change: Timestamp,
}

impl Shown {
    pub fn of(row: &postgres::Row) -> Shown {
        Shown {
            known: row.get("known_time"),
            start: row.get("valid_time"),
            end: row.get("valid_time_end"),
            series: row.get("series_id"),
            key: row.get("series_key"),
            unit: row.get("unit"),
            value: row.get::<_, Option<f64>>("value").map(f64::to_bits),
            run: row.get("run_id"),
            change: row.get("change_time"),
        }
    }
}

pub struct World {
    pub client: Client,
    pub series: Vec<Uuid>,
}

fn value() -> impl Strategy<Value = Option<f64>> {
    let values = [
        1.0,
        2.5,
        0.0,
        -0.0,
        -3.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e-300,
    ];
    let numbers = prop_oneof![2 => select(values.to_vec()), 5 => (-100..100i32).prop_map(f64::from)];
    prop::option::weighted(0.85, numbers)
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let length = prop::option::weighted(0.3, select(vec![1i64, 2, 4, 6, 96, 400]));
    let row = (0..SERIES.len(), moment(), length, value());
    let some = prop::collection::vec(row, 0..12).prop_map(|rows| {
        let row = |(series, start, length, value)| Row {
            series,
            start,
            length,
            value,
        };
        rows.into_iter().map(row).collect::<Vec<_>>()
    });
    // Mostly what is uploaded lies on a grid.
    let grid = (
        0..SERIES.len(),
        moment(),
        select(vec![1i64, 4, 96]),
        prop::collection::vec(value(), 0..30),
        any::<bool>(),
    );
    let grid = grid.prop_map(|(series, first, step, values, are_intervals)| {
        let row = |(place, value)| Row {
            series,
            start: first + step * place as i64,
            length: are_intervals.then_some(step),
            value,
        };
        values.into_iter().enumerate().map(row).collect::<Vec<_>>()
    });
    prop_oneof![some, grid]
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (-5..5i64, rows()).prop_map(|(known, rows)| Step::Upload { known, rows }),
        2 => (any::<Index>(), value(), select(vec![0i64, 0, 1, 4])).prop_map(|(shown, value, quarters)| Step::Update { shown, value, quarters }),
        2 => Just(Step::Compact),
    ];
    // Most worlds are packed at their end, so that there are always some with packs.
    let last = prop::option::weighted(0.8, Just(Step::Compact));
    (prop::collection::vec(step, 0..12), last).prop_map(|(mut steps, last)| {
        steps.extend(last);
        steps
    })
}

pub fn number(value: Option<f64>) -> Value {
    match value {
        None => Value::Null,
        Some(value) if value.is_nan() => json!("NaN"),
        Some(value) if value.is_infinite() => json!(if value > 0.0 { "Infinity" } else { "-Infinity" }),
        Some(value) => json!(value),
    }
}

impl World {
    pub fn begin(database: &Database) -> World {
        let tenant = Uuid::now_v7();
        let identity = database.create_user(tenant, &format!("alice@{tenant}.com"), "write");
        let mut client = database.authenticated(&identity);
        assert_ordinary(&mut client);
        let series = SERIES.map(|(key, labels)| {
            let sql = "SELECT timedb.create_series($1, 'kW', labels => $2::text::jsonb)";
            client.query_one(sql, &[&key, &labels]).expect("it is made").get(0)
        });
        World {
            client,
            series: series.into(),
        }
    }

    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Upload { known, rows } => self.upload(*known, rows),
            Step::Update { shown, value, quarters } => self.update(shown, *value, *quarters),
            Step::Compact => run(&mut self.client, "SELECT timedb.compact(older_than => '0')"),
        }
    }

    fn upload(&mut self, known: i64, rows: &[Row]) {
        let mut given: Vec<(usize, i64, Option<i64>)> = Vec::new();
        let mut json = Vec::new();
        for row in rows {
            let key = (row.series, row.start, row.length);
            if given.contains(&key) {
                continue;
            }
            given.push(key);
            json.push(json!({
                "series_id": self.series[row.series].to_string(), "valid_time": quarter(row.start).to_string(),
                "valid_time_end": row.length.map(|length| quarter(row.start + length).to_string()),
                "value": number(row.value),
            }));
        }
        let known = quarter(known * 96);
        let sql = "SELECT timedb.upload(now(), $1, known_time => $2)";
        self.client
            .execute(sql, &[&Value::from(json), &known])
            .expect("it is taken");
    }

    fn update(&mut self, which: &Index, value: Option<f64>, quarters: i64) {
        let shown = self.flat("", &[]);
        if shown.is_empty() {
            return;
        }
        let row = which.get(&shown);
        let later = |time: Timestamp| (time + (quarters * 15).minutes()).to_string();
        let update = json!([{
            "run_id": row.run.to_string(), "series_id": row.series.to_string(), "valid_time": later(row.start),
            "valid_time_end": row.end.map(later), "value": number(value),
        }]);
        self.client
            .execute("SELECT timedb.update($1)", &[&update])
            .expect("it is taken");
    }

    /// What a flat read with these arguments shows.
    pub fn flat(&mut self, arguments: &str, given: &[&(dyn postgres::types::ToSql + Sync)]) -> Vec<Shown> {
        let sql = format!("SELECT * FROM timedb.read({arguments})");
        let rows = self.client.query(&sql, given).expect("it reads");
        rows.iter().map(Shown::of).collect()
    }
}
