//! Whatever is written and read, compacting shows in no read.

use std::cell::RefCell;

use crate::cases::Cases;
use jiff::{Timestamp, ToSpan};
use postgres::Client;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use timedb_testkit::{Database, assert_ordinary, one};
use uuid::Uuid;

use super::{Compacted, EVERYTHING, answer, compact, stored};
use crate::support::{hour, update, value_update};

/// What is written at random, over years and in series that differ in nothing: `step` minutes between the values.
#[derive(Clone, Debug)]
enum Write {
    Upload {
        series: usize,
        start: i64,
        step: i64,
        values: Vec<Option<f64>>,
        are_intervals: bool,
        known: i64,
    },
    Update {
        of: Index,
        values: Vec<(Index, Option<f64>)>,
        remark: usize,
    },
}

const SERIES: [&str; 3] = ["a", "b", "c"];
const REMARKS: [&str; 5] = [
    r#"{}"#,
    r#"{"annotation": "seen"}"#,
    r#"{"annotation": null, "tags": ["x", "y"]}"#,
    r#"{"tags": null}"#,
    r#"{"annotation": "\"two\"\nlines", "tags": ["ä", "{,}"]}"#,
];

fn value() -> impl Strategy<Value = Option<f64>> {
    let some = prop_oneof![
        (-1000..1000i32).prop_map(|tenths| f64::from(tenths) / 10.0),
        any::<f64>(),
        select(&[-0.0, f64::NAN, f64::NEG_INFINITY][..]),
    ];
    prop::option::weighted(0.9, some)
}

fn upload_at_random() -> impl Strategy<Value = Write> {
    let values = prop_oneof![
        prop::collection::vec(value(), 1..3),
        prop::collection::vec(value(), 1..60),
    ];
    // A minute, an hour, a day and a month.
    let step = select(&[1, 60, 60, 60, 1440, 43_200][..]);
    (
        0..SERIES.len(),
        -200..400i64,
        step,
        values,
        prop::bool::weighted(0.2),
        -30..30i64,
    )
        .prop_map(|(series, start, step, values, are_intervals, known)| Write::Upload {
            series,
            start,
            step,
            values,
            are_intervals,
            known,
        })
}

fn writes(count: usize) -> impl Strategy<Value = Vec<Write>> {
    let values = prop::collection::vec((any::<Index>(), value()), 1..6);
    let update = (any::<Index>(), values, 0..REMARKS.len()).prop_map(|(of, values, remark)| Write::Update {
        of,
        values,
        remark,
    });
    let write = prop_oneof![3 => upload_at_random(), 2 => update];
    (upload_at_random(), prop::collection::vec(write, count)).prop_map(|(first, mut writes)| {
        writes.insert(0, first);
        writes
    })
}

/// The arguments of a read, but for its mode.
fn question() -> impl Strategy<Value = String> {
    let window = |name: &'static str, from: i64, to: i64| {
        let width = prop_oneof![1..5i64, 1..200i64, 1..20_000i64];
        let window = (from..to, width, 0..4usize).prop_map(move |(start, width, sides)| {
            let at = |side: &str, hours: i64| {
                format!(
                    ", {side}_{name} => '2025-01-01'::timestamptz + interval '{} minutes'",
                    hours * 15
                )
            };
            match sides {
                0 => at("start", start),
                1 => at("end", start + width),
                _ => at("start", start) + &at("end", start + width),
            }
        });
        prop::option::weighted(0.7, window).prop_map(Option::unwrap_or_default)
    };
    let series = prop::option::weighted(0.3, select(&SERIES[..]))
        .prop_map(|key| key.map_or(String::new(), |key| format!(", series_keys => '{{{key}}}'")));
    // The moments at which anything was written, by rank.
    let as_of = prop::option::weighted(0.4, 0.0..1.0f64).prop_map(|share| {
        share.map_or(String::new(), |share| {
            format!(
                ", as_of => (SELECT percentile_disc({share}) WITHIN GROUP (ORDER BY change_time) FROM timedb.versions)"
            )
        })
    });
    (
        window("valid", -1000, 2000),
        window("known", -3000, 3000),
        series,
        as_of,
    )
        .prop_map(|(valid, known, series, as_of)| valid + &known + &series + &as_of)
}

/// A run's values of a series, as far as an update must know them.
struct Run {
    id: Uuid,
    series: Uuid,
    keys: Vec<(Timestamp, Option<Timestamp>)>,
}

struct Play {
    client: Client,
    runs: Vec<Run>,
}

impl Play {
    fn write(&mut self, write: &Write) {
        match write {
            Write::Upload {
                series,
                start,
                step,
                values,
                are_intervals,
                known,
            } => {
                let time = |number: i64| hour(*start) + (number * step).minutes();
                let end = |number: i64| are_intervals.then(|| time(number + 1));
                let keys = (0..).take(values.len()).map(|at| (time(at), end(at)));
                self.upload(SERIES[*series], keys.collect(), values, hour(*known));
            }
            Write::Update { of, values, remark } => self.update(of, values, REMARKS[*remark]),
        }
    }

    fn upload(
        &mut self,
        key: &str,
        keys: Vec<(Timestamp, Option<Timestamp>)>,
        values: &[Option<f64>],
        known: Timestamp,
    ) {
        let (starts, ends): (Vec<_>, Vec<_>) = keys.iter().copied().unzip();
        let row = self.client.query_one(
            "SELECT run_id, (series_ids->>$1::text)::uuid FROM timedb.upload_points( \
               now(), array_fill($1::text, ARRAY[cardinality($2::timestamptz[])]), $2, $3, $4, known_time => $5)",
            &[&key, &starts, &values, &ends, &known],
        );
        let row = row.expect("it is uploaded");
        let (id, series) = (row.get(0), row.get(1));
        self.runs.push(Run { id, series, keys });
    }

    /// Some values of one run, each with the remark.
    fn update(&mut self, of: &Index, values: &[(Index, Option<f64>)], remark: &str) {
        let run = &self.runs[of.index(self.runs.len())];
        let update = |(at, value): &(Index, Option<f64>)| {
            let (start, end) = run.keys[at.index(run.keys.len())];
            let remark: Value = serde_json::from_str(remark).expect("JSON");
            let mut update = value_update(run.id, run.series, start, remark);
            if let Some(end) = end {
                update["valid_time_end"] = json!(end.to_string());
            }
            // An absent one leaves the value: so is every third.
            if at.index(3) > 0 {
                update["value"] = match value {
                    Some(value) if !value.is_finite() => json!("NaN"),
                    value => json!(value),
                };
            }
            update
        };
        let updates: Vec<Value> = values.iter().map(update).collect();
        update_all(&mut self.client, updates);
    }

    fn answers(&mut self, questions: &[String]) -> Vec<(i64, String)> {
        let mut answers = Vec::new();
        for question in questions {
            for mode in ["flat", "overlapping"] {
                for all_versions in [false, true] {
                    let arguments = format!("mode => '{mode}', all_versions => {all_versions}{question}");
                    answers.push(answer(&mut self.client, &arguments));
                }
            }
        }
        let views = "SELECT concat((SELECT sum(hashtextextended(v::text, 0)::numeric) FROM timedb.current_values v), '|', \
                       (SELECT sum(hashtextextended(concat_ws('|', series_id, run_id, known_time, change_time, changed_by, \
                                                              annotation, tags, points), 0)::numeric) FROM timedb.versions))";
        answers.push((0, one(&mut self.client, views)));
        answers
    }

    /// Compacts series, before and after which every question has the same answer; what was packed is fewer rows, and no more
    /// bytes.
    fn assert_unseen(
        &mut self,
        compact: &str,
        questions: &[String],
        before: &[(i64, String)],
    ) -> Result<(), TestCaseError> {
        let sql = format!(
            "SELECT versions = 0 AND rows_before = 0 OR rows_after < rows_before AND bytes_after <= bytes_before FROM {compact}"
        );
        prop_assert!(one::<bool>(&mut self.client, &sql), "no gain of {compact}");
        let after = self.answers(questions);
        for (number, (after, before)) in after.iter().zip(before).enumerate() {
            let question = questions.get(number / 4);
            prop_assert_eq!(after, before, "{:?}: {} after {}", question, number % 4, sql);
        }
        prop_assert_eq!(after.len(), before.len());
        Ok(())
    }
}

fn update_all(client: &mut Client, updates: Vec<Value>) {
    update(client, &Value::from(updates));
}

#[test]
fn no_read_of_anything_that_was_written_at_random_changes_however_often_it_is_compacted() {
    let database = Database::fresh("compact at random");
    let questions = prop::collection::vec(question(), 12);
    let input = (writes(80), writes(25), questions);
    let shown = RefCell::new(0);
    Cases::of(8).shrunk(60).run(&input, |(first, second, mut questions)| {
        questions.insert(0, String::new());
        let tenant = Uuid::now_v7();
        let alice = database.create_user(tenant, &format!("alice@{tenant}.com"), "write");
        let mut client = database.authenticated(&alice);
        assert_ordinary(&mut client);
        let mut play = Play {
            client,
            runs: Vec::new(),
        };
        first.iter().for_each(|write| play.write(write));
        let before = play.answers(&questions);
        *shown.borrow_mut() += before.iter().map(|(rows, _)| *rows).sum::<i64>();
        let some = "timedb.compact(ARRAY[(SELECT series_id FROM timedb.series ORDER BY series_id LIMIT 1)], '0')";
        play.assert_unseen(some, &questions, &before)?;
        play.assert_unseen(EVERYTHING, &questions, &before)?;
        // Of each series and class of spans one row may be left, which nobody looks at again.
        let alone = "SELECT count(*) = count(DISTINCT (series_id, span)) FROM timedb.values";
        prop_assert!(one::<bool>(&mut play.client, alone));
        prop_assert!(stored(&mut play.client).1 > 0);
        prop_assert_eq!(compact(&mut play.client), Compacted::default());

        second.iter().for_each(|write| play.write(write));
        let before = play.answers(&questions);
        play.assert_unseen(EVERYTHING, &questions, &before)?;
        // The first question is of everything: packed or not, what was written is there as often as it was written.
        let versions: i64 = one(
            &mut play.client,
            "SELECT sum(timedb.count_points(points)) FROM timedb.versions",
        );
        prop_assert_eq!(before[3].0, versions);
        Ok(())
    });
    let shown = shown.take();
    assert!(shown > 30_000, "the premise: {shown} rows to read");
}
