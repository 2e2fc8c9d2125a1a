//! `compact` over the wire: whatever has been written, however often it is called and however it ends, every read answers
//! the same after it as before.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use timedb_testkit::{Database, assert_ordinary, backend_pid, cancelled, one, refused, run, wait_until_blocked};
use uuid::Uuid;

use crate::support::{hour, row_counts, update, upload, value_row, value_update};

const EVERYTHING: &str = "timedb.compact(older_than => '0')";

/// What a call answers.
#[derive(Debug, Default, PartialEq)]
struct Compacted {
    series: i32,
    versions: i64,
    rows_before: i64,
    rows_after: i64,
    bytes_before: i64,
    bytes_after: i64,
    remaining: i64,
}

fn try_compact(client: &mut Client) -> Result<Compacted, postgres::Error> {
    let row = client.query_one(&format!("SELECT * FROM {EVERYTHING}"), &[])?;
    Ok(Compacted {
        series: row.get("series"),
        versions: row.get("versions"),
        rows_before: row.get("rows_before"),
        rows_after: row.get("rows_after"),
        bytes_before: row.get("bytes_before"),
        bytes_after: row.get("bytes_after"),
        remaining: row.get("remaining"),
    })
}

#[track_caller]
fn compact(client: &mut Client) -> Compacted {
    try_compact(client).unwrap_or_else(|error| panic!("it is not compacted: {error:?}"))
}

/// A value for each of so many runs, at minute after minute.
#[track_caller]
fn upload_singles(client: &mut Client, key: &str, runs: i64) {
    let sql = format!(
        "SELECT count(u.message) FROM generate_series(1, {runs}) AS n, timedb.upload_points( \
           now(), ARRAY['{key}'], ARRAY['2025-01-01'::timestamptz + n * interval '1 minute'], ARRAY[n / 4.0]) AS u"
    );
    assert_eq!(one::<i64>(client, &sql), runs);
}

/// How many rows a read has, and a number that any other rows, or the same in another order, would change.
fn answer(client: &mut Client, arguments: &str) -> (i64, String) {
    let sql = format!(
        "SELECT count(*), coalesce(sum(hashtextextended((r.*)::text, 0)::numeric), 0)::text \
         FROM timedb.read({arguments}) WITH ORDINALITY AS r"
    );
    let row = client.query_one(&sql, &[]);
    let row = row.unwrap_or_else(|error| panic!("{arguments}: {error:?}"));
    (row.get(0), row.get(1))
}

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

/// How many rows and packs the tenant of a session has.
fn stored(client: &mut Client) -> (i64, i64) {
    let rows = one(client, "SELECT count(*) FROM timedb.values");
    (rows, one(client, "SELECT count(*) FROM timedb.packs"))
}

#[test]
fn no_read_of_anything_that_was_written_at_random_changes_however_often_it_is_compacted() {
    let database = Database::fresh("compact at random");
    let questions = prop::collection::vec(question(), 12);
    let input = (writes(80), writes(25), questions);
    let config = Config {
        cases: 8,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let shown = RefCell::new(0);
    let outcome = TestRunner::new(config).run(&input, |(first, second, mut questions)| {
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
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let shown = shown.take();
    assert!(shown > 30_000, "the premise: {shown} rows to read");
}

#[test]
fn thousands_of_single_values_become_few_packs_and_remaining_comes_to_nothing() {
    let database = Database::fresh("compact thousands");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    upload_singles(&mut client, "meter", 2500);
    upload_singles(&mut client, "other", 2);
    let before = answer(&mut client, "mode => 'overlapping', all_versions => true");
    assert_eq!((before.0, stored(&mut client)), (2502, (2502, 0)));
    let compacted = compact(&mut client);
    assert_eq!(
        (compacted.series, compacted.versions, compacted.rows_before),
        (2, 2502, 2502)
    );
    assert_eq!((compacted.rows_after, compacted.remaining), (2, 0));
    assert!(
        compacted.bytes_after > 0 && compacted.bytes_after * 3 < compacted.bytes_before,
        "{compacted:?}"
    );
    assert_eq!(stored(&mut client), (0, 2));
    let after = answer(&mut client, "mode => 'overlapping', all_versions => true");
    assert_eq!(after, before);
    assert_eq!(compact(&mut client), Compacted::default());
}

/// Rows of different spans would be packs of their own, each larger than its row.
#[test]
fn rows_that_would_be_no_fewer_stay_and_do_not_count_as_remaining() {
    const SERIES: i64 = 100;
    let database = Database::fresh("compact nothing");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    run(
        &mut client,
        &format!(
            "SELECT count(u.message) FROM generate_series(1, {SERIES}) n, timedb.upload_points(now(), \
               array_fill('small ' || n, ARRAY[2]), '{{2025-01-01, 2025-01-03}}', ARRAY[n, n]) u; \
             SELECT timedb.update((SELECT json_agg(json_build_object('run_id', run_id, 'series_id', series_id, \
               'valid_time', valid_time, 'tags', ARRAY['seen'])) FROM timedb.read(end_valid => '2025-01-02')))"
        ),
    );
    assert_eq!(stored(&mut client), (2 * SERIES, 0));
    assert_eq!(compact(&mut client), Compacted::default());
    assert_eq!(stored(&mut client), (2 * SERIES, 0));
    // A further short row of each is company for one of them.
    for number in 1..=SERIES {
        upload(&mut client, &json!([value_row(&format!("small {number}"), hour(1), 5)]));
    }
    let compacted = compact(&mut client);
    assert_eq!(
        (i64::from(compacted.series), compacted.versions, compacted.remaining),
        (SERIES, 2 * SERIES, 0)
    );
    assert_eq!((compacted.rows_before, compacted.rows_after), (2 * SERIES, SERIES));
    assert!(compacted.bytes_after < compacted.bytes_before, "{compacted:?}");
    assert_eq!(stored(&mut client), (SERIES, SERIES));
    assert_eq!(compact(&mut client), Compacted::default());
}

/// Hundreds of equal values, a few that are noise and some decimals take more bytes together than each alone.
#[test]
fn values_that_would_make_each_other_larger_take_no_more_bytes_in_a_pack() {
    let database = Database::fresh("compact apart");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let flag = (300, "1 hour", "1");
    let noise = (20, "12 hours", "sin(i)");
    let decimals = (100, "3 hours", "(i * 7919 % 100003) / 100.0");
    for (count, step, value) in [flag, noise, decimals] {
        run(
            &mut client,
            &format!(
                "SELECT timedb.upload_points(now(), array_fill('mixed'::text, '{{{count}}}'), \
                   (SELECT array_agg('2025-01-01'::timestamptz + i * interval '{step}' ORDER BY i) FROM generate_series(1, {count}) i), \
                   (SELECT array_agg(({value})::float8 ORDER BY i) FROM generate_series(1, {count}) i))"
            ),
        );
    }
    let before = answer(&mut client, "mode => 'overlapping'");
    let compacted = compact(&mut client);
    assert_eq!(
        (compacted.versions, compacted.rows_after, compacted.remaining),
        (3, 1, 0)
    );
    assert!(compacted.bytes_after <= compacted.bytes_before, "{compacted:?}");
    assert_eq!(answer(&mut client, "mode => 'overlapping'"), before);
}

/// More rows than are held in memory at once, each an update with an annotation of its own.
#[test]
fn more_rows_than_are_packed_at_once_are_packed_in_one_call() {
    const UPDATES: i64 = 23_000;
    let database = Database::fresh("compact tens of thousands");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    run(
        &mut client,
        &format!(
            "CREATE TEMP TABLE uploaded AS SELECT run_id, series_ids->>'long' AS series_id FROM timedb.upload_points( \
               now(), array_fill('long'::text, ARRAY[{UPDATES}]), \
               ARRAY(SELECT '2025-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, {UPDATES}) n), \
               ARRAY(SELECT n::float8 FROM generate_series(1, {UPDATES}) n))"
        ),
    );
    let uploaded: i64 = one(&mut client, "SELECT count(*) FROM timedb.values");
    for round in [1, 2] {
        run(
            &mut client,
            &format!(
                "SELECT count(*) FROM timedb.update((SELECT json_agg(json_build_object('run_id', run_id, 'series_id', \
                   series_id, 'valid_time', '2025-01-01'::timestamp + n * interval '1 hour', 'annotation', \
                   format('{round}: %s', n))) FROM uploaded, generate_series(1, {UPDATES}) n))"
            ),
        );
    }
    let before = answer(&mut client, "all_versions => true");
    let rows = uploaded + 2 * UPDATES;
    assert_eq!(before.0, 3 * UPDATES);
    assert_eq!(stored(&mut client), (rows, 0));
    let compacted = compact(&mut client);
    assert_eq!(
        (compacted.series, compacted.versions, compacted.remaining),
        (1, rows, 0)
    );
    assert!(compacted.rows_after < 20, "{compacted:?}");
    assert!(compacted.bytes_after * 3 < compacted.bytes_before, "{compacted:?}");
    assert_eq!(stored(&mut client).0, 0);
    assert_eq!(answer(&mut client, "all_versions => true"), before);
    let window = "'2025-06-01', '2025-06-02', all_versions => true";
    assert_eq!(answer(&mut client, window).0, 72);
}

/// The rows are copied by hand: so many uploads would take minutes.
#[test]
fn a_call_does_a_bounded_share_and_says_how_many_rows_remain() {
    const SHARE: i64 = 200_000;
    const OF_EACH: i64 = 90_000;
    const ROWS: i64 = 3 * OF_EACH;
    let database = Database::fresh("compact hundreds of thousands");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    for key in ["a", "b", "c"] {
        upload_singles(&mut client, key, 1);
    }
    let copy = format!(
        "INSERT INTO timedb.values \
         SELECT tenant_id, series_id, gen_random_uuid(), change_time, known_time, valid_from, valid_to, part, span, points, \
                changed_by, annotation, tags \
         FROM timedb.values, generate_series(2, {OF_EACH})"
    );
    run(&mut database.admin(), &copy);
    let count = "SELECT count(*) FROM timedb.versions";
    assert_eq!(one::<i64>(&mut client, count), ROWS);
    let first = compact(&mut client);
    assert!(
        (SHARE..ROWS).contains(&first.versions),
        "the premise: more than a call does, {first:?}"
    );
    assert_eq!((first.series, first.remaining), (3, ROWS - first.versions));
    assert_eq!(stored(&mut client).0, first.remaining);
    let second = compact(&mut client);
    assert_eq!(
        (second.series, second.versions, second.remaining),
        (1, first.remaining, 0)
    );
    assert_eq!(stored(&mut client).0, 0);
    assert_eq!(one::<i64>(&mut client, count), ROWS);
    assert_eq!(compact(&mut client), Compacted::default());
}

/// What is said beside the points counts too: a window would have to read all of it.
#[test]
fn long_annotations_do_not_make_a_pack_that_is_slow_to_open() {
    const VALUES: i64 = 2000;
    const MEBIBYTE: i32 = 1 << 20;
    let database = Database::fresh("compact long annotations");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    upload_singles(&mut client, "noted", VALUES);
    run(
        &mut client,
        "SELECT count(*) FROM timedb.update((SELECT json_agg(json_build_object('run_id', run_id, 'series_id', series_id, \
           'valid_time', valid_from::timestamp, 'annotation', repeat(md5(run_id::text), 300))) FROM timedb.versions))",
    );
    let compacted = compact(&mut client);
    assert!(compacted.bytes_after <= 2 * compacted.bytes_before, "{compacted:?}");
    let largest = "SELECT coalesce(max(pg_column_size(versions)), 0) FROM timedb.packs";
    let largest: i32 = one(&mut client, largest);
    assert!(largest <= 4 * MEBIBYTE, "a pack of {largest} bytes");
}

/// A value moves a few times at most, and there are never many packs.
#[test]
fn packs_stay_few_and_are_not_packed_again_and_again_however_often_it_is_called() {
    const ROUNDS: i64 = 40;
    const ROWS: i64 = 50;
    let database = Database::fresh("compact often");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut packs_packed = 0;
    for round in 1..=ROUNDS {
        upload_singles(&mut client, "meter", ROWS);
        let compacted = compact(&mut client);
        assert_eq!((compacted.versions, compacted.remaining), (ROWS, 0));
        packs_packed += compacted.rows_before - compacted.versions;
        let (rows, packs) = stored(&mut client);
        assert_eq!(rows, 0);
        assert!(packs <= round.min(12), "{packs} packs in round {round}");
    }
    assert!(packs_packed < ROUNDS * 2, "{packs_packed}");
    let sql = "SELECT count(*) FROM timedb.versions";
    assert_eq!(one::<i64>(&mut client, sql), ROUNDS * ROWS);
}

/// Not before the last series: what has been packed of the others is undone with it.
#[test]
fn a_cancelled_compact_leaves_everything_as_it_was_and_a_session_that_goes_on() {
    let database = Database::fresh("a cancelled compact");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    for key in ["a", "b", "c"] {
        upload_singles(&mut client, key, 20);
    }
    let before = (row_counts(&mut admin), answer(&mut client, ""));
    run(
        &mut admin,
        "BEGIN; SELECT FROM timedb.values v WHERE v.series_id = (SELECT max(s.series_id::text)::uuid FROM timedb.series s) FOR UPDATE",
    );
    let mut watcher = database.admin();
    let pid = backend_pid(&mut client);
    cancelled(&mut client, || wait_until_blocked(&mut watcher, pid), try_compact);
    run(&mut admin, "COMMIT");
    let after = (row_counts(&mut admin), answer(&mut client, ""));
    assert_eq!(after, before);
    let compacted = compact(&mut client);
    assert_eq!((compacted.series, compacted.versions), (3, 60));
    assert_eq!(answer(&mut client, ""), before.1);
}

#[test]
fn a_read_only_transaction_compacts_nothing_and_says_why() {
    let database = Database::fresh("compact read-only");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    upload_singles(&mut client, "a", 3);
    let before = answer(&mut client, "");
    run(&mut client, "BEGIN READ ONLY");
    refused(try_compact(&mut client))
        .code("25006")
        .message("cannot execute DELETE in a read-only transaction")
        .no_detail();
    run(&mut client, "ROLLBACK");
    assert_eq!((stored(&mut client), answer(&mut client, "")), ((3, 0), before));
    // The premise: elsewhere it does.
    assert_eq!(compact(&mut client).versions, 3);
}

/// Two that compact all the time beside two that write and one that reads: nobody fails, and no value is lost or doubled.
#[test]
fn clients_that_compact_write_and_read_at_once_do_not_disturb_each_other() {
    const ROUNDS: i64 = 60;
    let database = Database::fresh("compact at once");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let uploaded = upload(&mut client, &json!([value_row("meter", hour(-1), 0)]));
    let (run_id, series) = (uploaded.run_id, uploaded.series("meter"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (database, alice, is_over) = (&database, &alice, &is_over);
        let compacting: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = database.authenticated(alice);
                    let mut versions = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        versions += compact(&mut client).versions;
                    }
                    versions
                })
            })
            .collect();
        let reading = scope.spawn(move || {
            let mut client = database.authenticated(alice);
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                let sql =
                    "SELECT count(*), count(DISTINCT (run_id, valid_time)) FROM timedb.read(mode => 'overlapping')";
                let row = client.query_one(sql, &[]).expect("a read");
                let (rows, keys): (i64, i64) = (row.get(0), row.get(1));
                assert_eq!(rows, keys, "no value twice");
                assert!(rows >= most, "{rows} values after {most}: none is lost");
                most = rows;
            }
        });
        let updating = scope.spawn(move || {
            let mut client = database.authenticated(alice);
            for number in 1..=ROUNDS {
                let change = value_update(run_id, series, hour(-1), json!({"value": number}));
                assert_eq!(update(&mut client, &json!([change])), ["updated"]);
            }
        });
        for _ in 0..ROUNDS {
            upload_singles(&mut client, "meter", 3);
        }
        let updated = updating.join();
        is_over.store(true, Ordering::Relaxed);
        updated.expect("all updates are taken");
        reading.join().expect("all reads are whole");
        let versions: i64 = compacting
            .into_iter()
            .map(|thread| thread.join().expect("all calls end well"))
            .sum();
        assert!(versions > ROUNDS, "the premise: {versions} were packed");
    });
    let versions: i64 = one(&mut client, "SELECT count(*) FROM timedb.versions");
    assert_eq!(versions, 1 + ROUNDS + 3 * ROUNDS);
    let history: Vec<f64> = one(
        &mut client,
        "SELECT array_agg(value ORDER BY change_time) FROM timedb.read(end_valid => '2025-01-01', all_versions => true)",
    );
    let expected: Vec<f64> = (0..=ROUNDS).map(|number| number as f64).collect();
    assert_eq!(history, expected);
}
