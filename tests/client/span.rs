//! The class of how long a row reaches, by which a window finds its rows: it is right on every row, a window loses nothing
//! by it, and what is read for a window does not grow with the history.

use std::cell::{Cell, RefCell};

use crate::cases::Cases;
use jiff::{Timestamp, ToSpan};
use postgres::Client;
use proptest::prelude::*;
use serde_json::{Value, json};
use timedb_testkit::{Database, one, run};
use uuid::Uuid;

use crate::support::{hour, update, value_update};

/// The longest reach of the shortest class is 2^32 µs, and each is eight times as long as the one before.
const LONGEST: [i64; 7] = [1 << 32, 1 << 35, 1 << 38, 1 << 41, 1 << 44, 1 << 47, 1 << 50];

/// As the column says, in other words than the library's.
fn class(reach: i64) -> i16 {
    LONGEST.iter().map(|longest| i16::from(reach > *longest)).sum()
}

fn micros(number: i64) -> Timestamp {
    hour(0) + number.microseconds()
}

/// Two values, so far apart from each other: a run of one row.
fn upload_pair(client: &mut Client, start: Timestamp, reach: i64) -> (Uuid, Uuid) {
    let end = start + reach.microseconds();
    let times = if reach == 0 { vec![start] } else { vec![start, end] };
    let values = vec![1.5; times.len()];
    let sql = "SELECT run_id, (series_ids->>'pair')::uuid FROM timedb.upload_points( \
                 now(), array_fill('pair'::text, ARRAY[cardinality($1::timestamptz[])]), $1, $2)";
    let row = client.query_one(sql, &[&times, &values]).expect("a pair");
    (row.get(0), row.get(1))
}

/// Every row and pack as span, reach of its bounds and reach of what is in it.
fn spans(client: &mut Client) -> Vec<(i16, i64, i64)> {
    let sql = "SELECT v.span, v.valid_from, v.valid_to, b.valid_from, b.valid_to \
               FROM timedb.values v, timedb.bound_points(v.points) b \
               UNION ALL \
               SELECT p.span, p.valid_from, p.valid_to, b.valid_from, b.valid_to \
               FROM timedb.packs p, LATERAL (SELECT min(b.valid_from), max(b.valid_to) \
                 FROM timedb.unnest_pack(p.versions) u, timedb.bound_points(u.points) b) b (valid_from, valid_to)";
    let rows = client.query(sql, &[]).expect("the rows");
    let reach = |row: &postgres::Row, from: usize| {
        let (from, to): (Timestamp, Timestamp) = (row.get(from), row.get(from + 1));
        to.as_microsecond() - from.as_microsecond()
    };
    rows.iter()
        .map(|row| (row.get(0), reach(row, 1), reach(row, 3)))
        .collect()
}

#[track_caller]
fn assert_spans(client: &mut Client, least: usize) {
    let spans = spans(client);
    assert!(spans.len() >= least, "the premise: {} rows", spans.len());
    for (span, of_bounds, of_points) in spans {
        assert_eq!((span, of_bounds), (class(of_points), of_points));
    }
}

#[test]
fn every_row_and_pack_has_the_class_of_how_long_it_reaches() {
    let database = Database::fresh("spans of rows");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let near = |longest: i64| [longest - 1, longest, longest + 1];
    let mut reaches: Vec<i64> = LONGEST.into_iter().flat_map(near).collect();
    reaches.extend([0, 1, 9_000_000_000_000_000]);
    // On both sides of the epoch, where a number of microseconds is below zero.
    for start in [hour(0), hour(-24 * 365 * 40)] {
        for reach in &reaches {
            let (run_id, series) = upload_pair(&mut client, start, *reach);
            let change = |at| value_update(run_id, series, at, json!({"value": 2}));
            let both = vec![change(start), change(start + reach.microseconds())];
            let updated = update(&mut client, &Value::from(both));
            assert!(updated.iter().all(|status| status == "updated"));
        }
    }
    assert_spans(&mut client, 4 * reaches.len());
    let classes = "SELECT count(DISTINCT span) FROM timedb.values";
    assert_eq!(one::<i64>(&mut client, classes), 8);
    run(&mut client, "SELECT timedb.compact(older_than => '0')");
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.values"), 0);
    assert_spans(&mut client, 8);
    // A vector that is cut is so many rows, each as long as it is.
    run(
        &mut client,
        "SELECT timedb.upload_points(now(), array_fill('cut'::text, ARRAY[20000]), \
           ARRAY(SELECT '2025-01-01'::timestamptz + n * n * interval '1 second' FROM generate_series(1, 20000) n), \
           array_fill(1::float8, ARRAY[20000]))",
    );
    assert_spans(&mut client, 11);
}

#[test]
fn a_window_of_any_width_over_rows_of_all_lengths_is_what_filtering_everything_leaves() {
    let database = Database::fresh("windows over spans");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let input = (
        prop::collection::vec((-2000..2000i64, 1..40i64), 40),
        prop::collection::vec((-2500..2500i64, 0..44u32, 0.0..2.0f64, any::<bool>()), 12),
    );
    let client = RefCell::new(&mut client);
    let classes = Cell::new(0);
    Cases::of(6).shrunk(40).run(&input, |(runs, windows)| {
        let client = &mut *client.borrow_mut();
        let key = Uuid::now_v7().to_string();
        for (place, (start, count)) in runs.iter().enumerate() {
            // From a second to two and a half years between values.
            let step = 1_000_000 << (place % 27);
            let times: Vec<Timestamp> = (0..*count)
                .map(|at| hour(*start) + (at * step).microseconds())
                .collect();
            let values: Vec<f64> = (0..*count).map(|at| at as f64).collect();
            let sql = "SELECT timedb.upload_points(now(), array_fill($1::text, ARRAY[cardinality($2::timestamptz[])]), $2, $3)";
            client.execute(sql, &[&key, &times, &values]).expect("a run");
        }
        for compact in [false, true] {
            if compact {
                let sql = "SELECT count(DISTINCT span) FROM timedb.values";
                classes.set(classes.get().max(one(client, sql)));
                run(client, "SELECT timedb.compact(older_than => '0')");
            }
            for (start, bits, share, at_a_value) in &windows {
                let start = if *at_a_value { hour(runs[0].0) } else { hour(*start) };
                let width = ((1i64 << bits) as f64 * 1000.0 * share) as i64;
                let end = start + width.microseconds();
                for mode in ["flat", "overlapping"] {
                    // OFFSET 0 keeps the conditions from becoming windows.
                    let sql = "WITH whole AS MATERIALIZED ( \
                                 SELECT r.* FROM \
                                   (SELECT r.* FROM timedb.read(mode => $4, series_keys => ARRAY[$1]) r OFFSET 0) r \
                                 WHERE r.valid_time >= $2 AND r.valid_time < $3), \
                               shown AS MATERIALIZED ( \
                                 SELECT r.* FROM timedb.read($2, $3, mode => $4, series_keys => ARRAY[$1]) r) \
                               SELECT (SELECT count(*) FROM (TABLE whole EXCEPT ALL TABLE shown) lost), \
                                      (SELECT count(*) FROM (TABLE shown EXCEPT ALL TABLE whole) more)";
                    let row = client
                        .query_one(sql, &[&key, &start, &end, &mode])
                        .expect("both reads");
                    let differences: (i64, i64) = (row.get(0), row.get(1));
                    prop_assert_eq!(differences, (0, 0), "{} to {}, {}, {}", start, end, mode, compact);
                }
            }
        }
        Ok(())
    });
    let classes: i64 = classes.get();
    assert!(classes >= 6, "the premise: rows of {classes} lengths");
}

/// Where a row reaches up to a window's end, start or neither, to the microsecond.
#[test]
fn a_row_as_long_as_its_class_is_found_by_the_last_of_its_values() {
    let database = Database::fresh("windows at the edge of a class");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    for longest in LONGEST {
        for reach in [longest - 1, longest, longest + 1] {
            let (run_id, _) = upload_pair(&mut client, hour(0), reach);
            for compact in [false, true] {
                if compact {
                    upload_pair(&mut client, hour(0), reach);
                    run(&mut client, "SELECT timedb.compact(older_than => '0')");
                }
                for (from, to, found) in [
                    (reach, reach + 1, 1),
                    (reach + 1, reach + 2, 0),
                    (reach - 1, reach, 0),
                    (0, 1, 1),
                    (-1, 0, 0),
                    (0, reach, 1),
                ] {
                    let sql = "SELECT count(*) FROM timedb.read($1, $2, mode => 'overlapping') WHERE run_id = $3";
                    let row = client.query_one(sql, &[&micros(from), &micros(to), &run_id]);
                    let count: i64 = row.expect("a read").get(0);
                    assert_eq!(count, found, "{reach}: {from} to {to}, {compact}");
                }
            }
        }
    }
}

/// How many pages a statement looks at, once the session knows the catalogs.
fn pages(client: &mut Client, arguments: &str) -> i64 {
    let sql =
        format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT count(*) FROM timedb.read({arguments})");
    run(client, &sql);
    let plan: Value = one(client, &sql);
    let count = |kind: &str| plan[0]["Plan"][kind].as_i64().expect("a number of pages");
    count("Shared Hit Blocks") + count("Shared Read Blocks")
}

/// Forecasts of a day, one an hour, and a backfill of all the years before them.
fn upload_history(client: &mut Client, key: &str, runs: i64) {
    let sql = format!(
        "SELECT count(u.message) FROM generate_series(1, {runs}) AS run, timedb.upload_points( \
           now(), array_fill('{key}'::text, ARRAY[24]), \
           ARRAY(SELECT '2025-01-01'::timestamptz + (hour - run) * interval '1 hour' FROM generate_series(0, 23) hour), \
           ARRAY(SELECT sin(hour * run) FROM generate_series(0, 23) hour)) u"
    );
    assert_eq!(one::<i64>(client, &sql), runs);
    run(
        client,
        &format!(
            "SELECT timedb.upload_points(now(), array_fill('{key}'::text, ARRAY[2000]), \
               ARRAY(SELECT '2025-01-01'::timestamptz - day * interval '1 day' FROM generate_series(1, 2000) day), \
               array_fill(1::float8, ARRAY[2000]))"
        ),
    );
}

#[test]
fn what_a_window_looks_at_does_not_grow_with_the_history() {
    let database = Database::fresh("pages of a window");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    upload_history(&mut client, "short", 300);
    upload_history(&mut client, "tenfold", 3000);
    let window = |key: &str| format!("'2024-12-31', '2025-01-01', mode => 'overlapping', series_keys => '{{{key}}}'");
    let rows = |client: &mut Client, key: &str| {
        let sql = format!("SELECT count(*) FROM timedb.read({})", window(key));
        one::<i64>(client, &sql)
    };
    assert_eq!(rows(&mut client, "short"), rows(&mut client, "tenfold"));
    let short = pages(&mut client, &window("short"));
    let tenfold = pages(&mut client, &window("tenfold"));
    let whole = pages(&mut client, "series_keys => '{tenfold}'");
    assert!(tenfold <= short + short / 2, "{short} pages, then {tenfold}");
    assert!(whole > 4 * short, "the premise: {whole} pages, not {short}");
    // One value at the end of the window costs no more than all of it.
    let moment = "'2024-12-31 23:00', '2025-01-01', series_keys => '{tenfold}'";
    assert!(pages(&mut client, moment) <= tenfold);

    run(&mut client, "SELECT timedb.compact(older_than => '0')");
    let packs: i64 = one(&mut client, "SELECT count(*) FROM timedb.packs");
    // The two backfills stay rows: alone in its class, each would be no smaller.
    assert!(packs >= 4, "the premise: {packs} packs");
    let window = pages(&mut client, &window("tenfold"));
    let whole = pages(&mut client, "series_keys => '{tenfold}'");
    assert!(2 * window < whole, "{window} of {whole} pages");
}
