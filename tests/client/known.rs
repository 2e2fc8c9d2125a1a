//! Windows of known time: rows are found by when they were known, near what they speak of or far from it, and what is
//! looked at for a window does not grow with the history.

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use serde_json::Value;
use timedb_testkit::{Database, one, run};

use crate::support::hour;

/// From when a run was known to when it begins, in microseconds: on both sides of what is near.
const NEAR: i64 = 48 * HOUR;
const HOUR: i64 = 3_600_000_000;
const OFFSETS: [i64; 11] = [
    -20_000 * HOUR,
    -NEAR - 1,
    -NEAR,
    -NEAR + 1,
    -HOUR,
    0,
    30 * HOUR,
    NEAR - 1,
    NEAR,
    NEAR + 1,
    9000 * HOUR,
];

/// Runs of two values, an hour or so many days apart.
fn upload(client: &mut Client, key: &str, runs: i64, offset: i64, days: i64) {
    let sql = "SELECT timedb.upload_points(now(), ARRAY[$1, $1], ARRAY[v, v + $4 * interval '1 day' + interval '1 hour'], \
                 '{1, 2}', known_time => k) \
               FROM generate_series(1, $2::bigint) n, LATERAL (SELECT '2025-01-01Z'::timestamptz + n * interval '1 hour' AS k) k, \
                 LATERAL (SELECT k + $3 * interval '1 microsecond' AS v) v";
    client
        .execute(sql, &[&key, &runs, &(offset as f64), &(days as f64)])
        .expect("the runs");
}

#[test]
fn a_window_of_known_time_finds_what_begins_near_it_and_far_from_it() {
    let database = Database::fresh("windows of known time");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    for (place, offset) in OFFSETS.into_iter().enumerate() {
        upload(&mut client, "a", 30, offset, (place as i64 % 3) * 40);
    }
    for compact in [false, true] {
        if compact {
            run(&mut client, "SELECT timedb.compact(older_than => '0')");
            upload(&mut client, "a", 3, NEAR + 2, 0);
            upload(&mut client, "a", 3, 7, 0);
        }
        let rows: Vec<i64> = windows()
            .iter()
            .map(|windows| assert_filtered(&mut client, windows))
            .collect();
        let some = rows.iter().filter(|rows| **rows > 0).count();
        assert!(some > 15, "the premise: {rows:?}");
    }
}

/// Of valid and of known time.
fn windows() -> Vec<[Option<Timestamp>; 4]> {
    let at = |hours: i64| Some(hour(hours));
    let known = [
        (at(5), at(6)),
        (at(5), Some(hour(5) + 1.microseconds())),
        (at(28), None),
        (at(-100), at(3)),
        (at(9), at(4)),
    ];
    let valid = [
        (None, None),
        (at(-48), None),
        (None, at(55)),
        (at(-30_000), at(10_000)),
        (at(-44), at(-40)),
        (at(5 + 48), at(600)),
        (at(9000), None),
    ];
    let of = |(start, end)| move |(from, to)| [start, end, from, to];
    valid.into_iter().flat_map(|valid| known.map(of(valid))).collect()
}

/// How many rows there are in them.
#[track_caller]
fn assert_filtered(client: &mut Client, windows: &[Option<Timestamp>; 4]) -> i64 {
    let [start, end, from, to] = windows;
    // OFFSET 0 keeps the conditions from becoming windows.
    let sql = "WITH whole AS MATERIALIZED ( \
                 SELECT r.* FROM (SELECT r.* FROM timedb.read(mode => 'overlapping') r OFFSET 0) r \
                 WHERE r.valid_time >= coalesce($1::timestamptz, '-infinity') AND r.valid_time < coalesce($2::timestamptz, 'infinity') \
                   AND r.known_time >= $3::timestamptz AND r.known_time < coalesce($4::timestamptz, 'infinity')), \
               shown AS MATERIALIZED (SELECT r.* FROM timedb.read($1, $2, $3, $4, mode => 'overlapping') r) \
               SELECT (SELECT count(*) FROM (TABLE whole EXCEPT ALL TABLE shown) lost), \
                      (SELECT count(*) FROM (TABLE shown EXCEPT ALL TABLE whole) more), \
                      (SELECT count(*) FROM whole)";
    let row = client.query_one(sql, &[start, end, from, to]).expect("both reads");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (0, 0), "{windows:?}");
    row.get(2)
}

/// The pages that a read looks at.
fn pages(client: &mut Client, arguments: &str) -> i64 {
    let explain = format!(
        "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT FROM timedb.read({arguments})"
    );
    // The first one fills the caches of the session.
    let _first: Value = one(client, &explain);
    let plan: Value = one(client, &explain);
    let count = |kind: &str| plan[0]["Plan"][kind].as_i64().expect("a number");
    count("Shared Hit Blocks") + count("Shared Read Blocks")
}

#[test]
fn what_a_window_of_known_time_looks_at_does_not_grow_with_the_history() {
    for analyse in ["", "VACUUM ANALYZE"] {
        let database = Database::fresh("pages of a window of known time");
        let (alice, _) = database.two_tenants();
        run(
            &mut database.admin(),
            "ALTER TABLE timedb.values SET (autovacuum_enabled = off)",
        );
        let mut client = database.authenticated(&alice);
        for (key, runs) in [("short", 300), ("tenfold", 3000)] {
            upload(&mut client, key, runs, 0, 0);
            upload(&mut client, key, runs, 60 * 24 * HOUR, 0);
        }
        run(&mut database.admin(), analyse);
        let mut client = database.authenticated(&alice);
        for window in [
            "start_known => '2025-01-10 00:00Z', end_known => '2025-01-10 01:00Z'",
            "'2020-01-01', '2030-01-01', '2025-01-10 00:00Z', '2025-01-10 01:00Z'",
        ] {
            let window = |key: &str| format!("{window}, series_keys => '{{{key}}}'");
            let answered = format!("SELECT count(*) FROM timedb.read({})", window("tenfold"));
            assert_eq!(one::<i64>(&mut client, &answered), 4, "the premise");
            let short = pages(&mut client, &window("short"));
            let tenfold = pages(&mut client, &window("tenfold"));
            let whole = pages(&mut client, "series_keys => '{tenfold}'");
            assert!(tenfold <= short + short / 2, "{short} pages, then {tenfold}");
            assert!(whole > 4 * short, "the premise: {whole} pages, not {short}");
        }
    }
}
