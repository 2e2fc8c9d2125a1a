//! `compact` over the wire: whatever has been written, however often it is called and however it ends, every read answers
//! the same after it as before.

mod random;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, backend_pid, cancelled, login, one, refused, run, wait_until_blocked};

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

/// How many rows and packs the tenant of a session has.
fn stored(client: &mut Client) -> (i64, i64) {
    let rows = one(client, "SELECT count(*) FROM timedb.values");
    (rows, one(client, "SELECT count(*) FROM timedb.packs"))
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

/// So many of each row there is, by hand: so many uploads would take minutes.
fn copy_values(database: &Database, of_each: i64) {
    let copy = format!(
        "INSERT INTO timedb.values \
         SELECT tenant_id, series_id, gen_random_uuid(), change_time, known_time, valid_from, valid_to, part, span, points, \
                changed_by, annotation, tags \
         FROM timedb.values, generate_series(2, {of_each})"
    );
    run(&mut database.admin(), &copy);
}

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
    copy_values(&database, OF_EACH);
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

/// It cannot become fewer rows: whoever calls until nothing remains would call once more for it.
#[test]
fn a_row_that_is_left_over_is_no_work_that_remains() {
    const ROWS: i64 = 20_001;
    let database = Database::fresh("compact one left over");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    upload_singles(&mut client, "a", 1);
    copy_values(&database, ROWS);
    let compacted = compact(&mut client);
    assert_eq!((compacted.versions, compacted.remaining), (ROWS - 1, 0));
    assert_eq!(stored(&mut client).0, 1, "the premise");
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

/// A call that waits, and so looks at what is there by now, looks at packs and at rows by a statement each: in between, everything
/// may be moved from the one to the other.
#[test]
fn what_is_packed_while_a_call_looks_for_it_is_found() {
    let database = Database::fresh("packed meanwhile");
    let (alice, _) = database.two_tenants();
    let calls = [
        "SELECT status FROM timedb.update('[{\"value_key\": \"wind\", \"valid_time\": \"2025-01-01\", \"annotation\": \"seen\"}]')",
        "SELECT message FROM timedb.upload(now(), '[{\"value_key\": \"wind\", \"valid_time\": \"2025-01-01\", \"value\": 2}]', \
           skip_unchanged => true)",
    ];
    for (call, expected) in calls.into_iter().zip(["updated", "Nothing changed"]) {
        let mut client = database.authenticated(&alice);
        for value in [1, 2] {
            upload(&mut client, &json!([value_row("wind", hour(0), value)]));
        }
        let mut packing = database.admin();
        login(&mut packing, &alice, false);
        run(&mut packing, "BEGIN; LOCK TABLE timedb.values IN ACCESS EXCLUSIVE MODE");
        let pid = backend_pid(&mut client);
        let answer: String = thread::scope(|scope| {
            let calling = scope.spawn(|| one(&mut client, call));
            wait_until_blocked(&mut database.admin(), pid);
            assert!(compact(&mut packing).rows_before > 1, "the premise: it is moved");
            run(&mut packing, "COMMIT");
            calling.join().expect("an answer")
        });
        assert_eq!(answer, expected);
    }
}
