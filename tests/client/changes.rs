//! What has changed since: `read_changes` answers every version that was written between two moments, once, wherever it is stored
//! by now, and whoever asks it again and again, beside whatever writes, misses none and gets none twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use postgres::Client;
use postgres::types::ToSql;
use serde_json::json;
use timedb_testkit::{Cluster, Database, Identity, Options, one, refused, run};
use uuid::Uuid;

use crate::arrow::{rows_from, rows_of};
use crate::support::{hour, update, upload, value_row, value_update};

/// All that a row says, and in which order it comes.
const ROW: &str = "(r.known_time, r.valid_time, r.valid_time_end, r.series_id, r.series_key, r.unit, r.value, r.run_id, \
                    r.change_time, r.changed_by, r.annotation, r.tags, r.labels)::text";
const ORDER: &str = "r.change_time, r.series_key COLLATE \"C\", r.series_id, r.valid_time, r.valid_time_end NULLS FIRST, \
                     r.known_time, r.run_id";
const BEGINNING: &str = "2000-01-01Z";

fn rows(client: &mut Client, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Vec<String> {
    let rows = client.query(sql, arguments);
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// As they come.
fn changes(client: &mut Client, arguments: &str) -> Vec<String> {
    let sql = format!("SELECT {ROW} FROM timedb.read_changes({arguments}) WITH ORDINALITY r ORDER BY r.ordinality");
    rows(client, &sql, &[])
}

/// The same by a read of everything.
fn by_read(client: &mut Client, condition: &str) -> Vec<String> {
    let sql = format!(
        "SELECT {ROW} FROM timedb.read(mode => 'overlapping', all_versions => true) r WHERE {condition} ORDER BY {ORDER}"
    );
    rows(client, &sql, &[])
}

/// Forty calls: uploads of one series and of several, long ones, intervals, nulls, and updates of what is there.
fn write(client: &mut Client, calls: i64) {
    let key = |call: i64| ["b", "a", "Ä", "c"][call as usize % 4];
    for call in 0..calls {
        let uploaded = upload(
            client,
            &json!([
                value_row(key(call), hour(call), call),
                value_row(key(call + 1), hour(call % 7), serde_json::Value::Null),
                {"valid_time": hour(call % 5).to_string(), "valid_time_end": hour(call % 5 + 2).to_string(), "value_key": "d",
                 "value": call}
            ]),
        );
        let (run, series) = (uploaded.run_id, uploaded.series(key(call)));
        let remark = json!({"value": -call, "annotation": format!("call {call}"), "tags": ["x", "y"]});
        update(
            client,
            &json!([
                value_update(run, series, hour(call), remark),
                value_update(run, series, hour(call + 100), json!({"value": 1})),
                value_update(run, uploaded.series("d"), hour(3), json!({"value": 2})),
            ]),
        );
    }
    run(
        client,
        "SELECT timedb.upload_points(now(), array_agg('long'::text), array_agg('2025-01-01Z'::timestamptz + n * interval '1 minute'), \
           array_agg(n::float8)) FROM generate_series(1, 20000) n",
    );
}

fn filled(name: &str) -> (Database, Identity, Client) {
    let database = Database::fresh(name);
    let (alice, bob) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    write(&mut client, 40);
    let labelled = r#"SELECT timedb.create_series('a', labels => '{"site": "north"}')"#;
    let labelled: Uuid = one(&mut client, labelled);
    run(
        &mut client,
        &format!(
            "SELECT timedb.upload(now(), json_build_array(json_build_object('valid_time', '2025-01-01T00:00:00Z', 'value', 5, \
               'series_id', '{labelled}')))"
        ),
    );
    // Another tenant's are never among them.
    write(&mut database.authenticated(&bob), 3);
    (database, alice, client)
}

#[test]
fn every_version_is_answered_once_in_the_order_in_which_it_was_written() {
    let (_database, _, mut client) = filled("changes");
    let mut all = by_read(&mut client, "true");
    let listed =
        "SELECT count(*) FILTER (WHERE part < 0) > 100 AND count(*) FILTER (WHERE part >= 0) > 80 FROM timedb.values";
    assert!(one::<bool>(&mut client, listed), "the premise: rows of either kind");
    assert!(all.len() > 20_200, "the premise: {}", all.len());
    for older_than in ["1 day", "0", "0"] {
        run(
            &mut client,
            &format!("SELECT timedb.compact(older_than => '{older_than}')"),
        );
        assert!(changes(&mut client, &format!("'{BEGINNING}'")) == all);
        let packs: i64 = one(&mut client, "SELECT count(*) FROM timedb.packs");
        assert_eq!(packs > 0, older_than == "0", "the premise");
        // Some of it packed, and some that is written since.
        write(&mut client, 2);
        all = by_read(&mut client, "true");
        assert!(changes(&mut client, &format!("'{BEGINNING}'")) == all);
        assert_parts(&mut client, &all);
    }
}

/// Windows of time, and series.
#[track_caller]
fn assert_parts(client: &mut Client, all: &[String]) {
    let times = rows(
        client,
        "SELECT DISTINCT r.change_time::text FROM timedb.read(mode => 'overlapping', all_versions => true) r ORDER BY 1",
        &[],
    );
    assert!(times.len() > 80, "the premise: {}", times.len());
    for (from, to) in [(0, 1), (3, 3), (5, 4), (10, 40), (times.len() - 3, times.len() - 1)] {
        let (after, until) = (&times[from], &times[to]);
        let condition = format!("r.change_time > '{after}' AND r.change_time <= '{until}'");
        let expected = by_read(client, &condition);
        assert_eq!(expected.is_empty(), from >= to, "the premise");
        assert_eq!(changes(client, &format!("'{after}', '{until}'")), expected);
    }
    let of_some = by_read(client, "r.series_key IN ('a', 'd')");
    assert!(of_some.len() < all.len() && !of_some.is_empty(), "the premise");
    assert!(changes(client, &format!("'{BEGINNING}', series_keys => '{{d,a,nope}}'")) == of_some);
    let d: Uuid = one(client, "SELECT series_id FROM timedb.series WHERE series_key = 'd'");
    let by_id = format!(
        "'{BEGINNING}', series_keys => '{{a}}', series_ids => '{{{d},{}}}'",
        Uuid::nil()
    );
    assert!(changes(client, &by_id) == of_some);
    let north = r#"labels => '{"site": "north"}'"#;
    let of_north = by_read(client, r#"r.labels @> '{"site": "north"}'"#);
    assert_eq!(of_north.len(), 1, "the premise");
    assert_eq!(
        changes(client, &format!("'{BEGINNING}', series_keys => '{{a}}', {north}")),
        of_north
    );
    assert_eq!(changes(client, &format!("'{BEGINNING}', {north}")), of_north);
    for nothing in [format!("series_keys => '{{b}}', {north}"), "series_keys => '{}'".into()] {
        let changes = changes(client, &format!("'{BEGINNING}', {nothing}"));
        assert_eq!(changes, Vec::<String>::new(), "{nothing}");
    }
}

#[test]
fn a_bounded_answer_goes_on_after_its_last_change_time_and_cuts_none() {
    let (_database, _, mut client) = filled("changes bounded");
    for compact in [false, true] {
        if compact {
            run(&mut client, "SELECT timedb.compact(older_than => '0')");
            write(&mut client, 1);
        }
        let all = by_read(&mut client, "true");
        for most in [1, 2, 50, 1000, 10_000_000] {
            let mut got = Vec::new();
            let mut after = BEGINNING.to_owned();
            loop {
                let part = changes(&mut client, &format!("'{after}', max_rows => {most}"));
                if part.is_empty() {
                    break;
                }
                let sql = format!(
                    "SELECT count(*), max(r.change_time)::text, count(*) FILTER (WHERE r.change_time < m.last) \
                     FROM timedb.read_changes('{after}', max_rows => {most}) r, \
                       LATERAL (SELECT max(s.change_time) AS last FROM timedb.read_changes('{after}', max_rows => {most}) s) m"
                );
                let row = client.query_one(&sql, &[]).expect("the answer");
                let (count, last, before_last): (i64, String, i64) = (row.get(0), row.get(1), row.get(2));
                assert_eq!(count, part.len() as i64);
                assert!(before_last < most, "no more moments than it takes");
                got.extend(part);
                after = last;
                if most == 1 && got.len() > 200 {
                    break;
                }
            }
            assert!(got == all[..got.len()]);
            assert!(got.len() == all.len() || most == 1);
        }
    }
}

/// As those of a session are from before the clock was set back.
#[test]
fn an_upload_whose_id_is_later_than_what_it_wrote_comes_in_its_turn() {
    let (database, _, mut client) = filled("changes ahead");
    let moved = "WITH one AS ( \
                   SELECT r.run_id, (lpad(to_hex(('x' || left(t.hex, 12))::bit(48)::int8 + 30000), 12, '0') || right(t.hex, 20))::uuid AS later \
                   FROM timedb.runs r, LATERAL (SELECT replace(r.run_id::text, '-', '') AS hex) t \
                   WHERE r.changed_by LIKE 'alice%' ORDER BY r.run_id OFFSET 3 LIMIT 1), \
                 run AS (UPDATE timedb.runs r SET run_id = o.later FROM one o WHERE r.run_id = o.run_id), \
                 rows AS (UPDATE timedb.values v SET run_id = o.later FROM one o WHERE v.run_id = o.run_id RETURNING v.part) \
                 SELECT count(*) FROM rows WHERE part < 0";
    assert!(one::<i64>(&mut database.admin(), moved) > 0, "the premise: listed rows");
    let all = by_read(&mut client, "true");
    let (mut got, mut after) = (Vec::new(), BEGINNING.to_owned());
    while got.len() < 100 {
        got.extend(export(&mut client, &mut after, Some(4), false));
    }
    assert!(got == all[..got.len()]);
}

#[test]
fn packs_that_do_not_say_when_they_were_written_to_are_looked_into_until_they_are_too_old() {
    let (database, _, mut client) = filled("changes of old packs");
    run(&mut client, "SELECT timedb.compact(older_than => '0')");
    let all = by_read(&mut client, "true");
    let mut admin = database.admin();
    let exact = "SELECT bool_and(p.last_change = (SELECT max(u.change_time) FROM timedb.unnest_pack(p.versions) u)) FROM timedb.packs p";
    assert!(one::<bool>(&mut admin, exact));
    run(&mut admin, "UPDATE timedb.packs SET last_change = DEFAULT");
    assert!(changes(&mut client, &format!("'{BEGINNING}'")) == all);
    // Nor are they where their ids tell that they are older than what is asked for.
    run(
        &mut admin,
        "UPDATE timedb.packs p SET pack_id = ('00000000' || substr(p.pack_id::text, 9))::uuid",
    );
    assert!(changes(&mut client, &format!("'{BEGINNING}'")).len() < all.len() / 2);
    assert!(changes(&mut client, "'1970-01-02Z'") == all);
}

#[test]
fn arrow_has_the_same_changes() {
    let (_database, _, mut client) = filled("changes arrow");
    let arguments = format!("'{BEGINNING}', series_keys => '{{a,d,long}}', max_rows => 300");
    let stream: Vec<u8> = one(&mut client, &format!("SELECT timedb.read_changes_arrow({arguments})"));
    let expected = rows_from(&mut client, &format!("timedb.read_changes({arguments})"));
    assert!(expected.len() >= 300, "the premise");
    assert_eq!(rows_of(&stream), expected);
    let empty: Vec<u8> = one(&mut client, "SELECT timedb.read_changes_arrow(clock_timestamp())");
    assert_eq!(rows_of(&empty), []);
}

#[test]
fn what_is_asked_wrongly_is_refused_by_name() {
    let (_database, _, mut client) = filled("changes refused");
    for function in ["read_changes", "read_changes_arrow"] {
        for (arguments, code, message) in [
            ("NULL", "22004", "\"after\" must not be null"),
            ("'-infinity'", "22008", "\"after\" is infinite or out of range"),
            (
                "'2025-01-01', 'infinity'",
                "22008",
                "\"until\" is infinite or out of range",
            ),
            (
                "'2025-01-01', max_rows => 0",
                "22023",
                "\"max_rows\" must be from 1 to 10000000",
            ),
            (
                "'2025-01-01', max_rows => -1",
                "22023",
                "\"max_rows\" must be from 1 to 10000000",
            ),
            (
                "'2025-01-01', max_rows => 10000001",
                "22023",
                "\"max_rows\" must be from 1 to 10000000",
            ),
            (
                "'2025-01-01', series_keys => '{a,NULL}'",
                "22004",
                "\"series_keys\" must not contain null",
            ),
            (
                "'2025-01-01', labels => '[]'",
                "22023",
                "\"labels\" must be a JSON object",
            ),
            (
                "'2025-01-01', series_ids => '{NULL}'",
                "22004",
                "\"series_ids\" must not contain null",
            ),
        ] {
            let sql = format!("SELECT timedb.{function}({arguments})");
            refused(client.execute(&sql, &[])).code(code).message(message);
        }
        for isolation in ["REPEATABLE READ", "SERIALIZABLE"] {
            run(&mut client, &format!("BEGIN ISOLATION LEVEL {isolation}"));
            refused(client.execute(&format!("SELECT timedb.{function}('2025-01-01')"), &[]))
                .code("0A000")
                .message("\"until\" must be given in a transaction of REPEATABLE READ or SERIALIZABLE");
            run(&mut client, "ROLLBACK");
        }
    }
    // Within a snapshot too, what is asked up to a moment.
    let until: String = one(&mut client, "SELECT timedb.settled_time()::text");
    let all = by_read(&mut client, "true");
    run(&mut client, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    assert!(changes(&mut client, &format!("'{BEGINNING}', '{until}'")) == all);
    run(&mut client, "COMMIT");
}

#[test]
fn what_this_transaction_writes_is_among_the_changes_once_it_is_committed() {
    let (database, alice, mut client) = filled("changes of ones own");
    let mut other = database.authenticated(&alice);
    let last: String = one(&mut client, "SELECT timedb.settled_time()::text");
    run(&mut client, "BEGIN");
    upload(&mut client, &json!([value_row("a", hour(0), 7)]));
    assert_eq!(changes(&mut client, &format!("'{last}'")), Vec::<String>::new());
    // Written later by another, and committed: to be seen in its turn.
    upload(&mut other, &json!([value_row("a", hour(0), 8)]));
    assert_eq!(changes(&mut other, &format!("'{last}'")), Vec::<String>::new());
    run(&mut client, "COMMIT");
    let seen = changes(&mut other, &format!("'{last}'"));
    assert_eq!(seen.len(), 2);
    assert!(seen[0].contains(",7,") && seen[1].contains(",8,"), "{seen:?}");
}

/// How many calls each writer makes beside the exporters.
const CALLS: i64 = 40;
const WRITERS: usize = 8;

/// One of the ways in which a transaction goes; whatever it leaves open is ended by a later one.
fn write_somehow(client: &mut Client, admin: &mut Client, writer: usize, call: i64) {
    let key = format!("w{}", (writer + call as usize) % 5);
    let row = |value: i64| {
        json!([
            value_row(&key, hour(value % 9), value),
            value_row("all", hour(call), value)
        ])
    };
    match (writer as i64 * 7 + call) % 7 {
        0 => drop(upload(client, &row(call))),
        1 => {
            let uploaded = upload(client, &row(call));
            let change = value_update(
                uploaded.run_id,
                uploaded.series("all"),
                hour(call),
                json!({"value": -1}),
            );
            update(client, &json!([change]));
        }
        2 => {
            run(client, "BEGIN; SAVEPOINT s");
            upload(client, &row(call));
            run(client, "ROLLBACK TO s");
            upload(client, &row(call + 1));
            run(client, "SAVEPOINT t");
            upload(client, &row(call + 2));
            run(client, "ROLLBACK TO t; COMMIT");
        }
        3 => {
            run(client, "BEGIN");
            for more in 0..5 {
                upload(client, &row(call + more));
            }
            run(client, if call % 2 == 0 { "COMMIT" } else { "ROLLBACK" });
        }
        4 => {
            let name = format!("p{writer}_{call}");
            run(client, "BEGIN");
            upload(client, &row(call));
            run(client, &format!("PREPARE TRANSACTION '{name}'"));
            upload(client, &row(call + 1));
            let end = if call % 3 == 0 { "ROLLBACK" } else { "COMMIT" };
            run(admin, &format!("{end} PREPARED '{name}'"));
        }
        5 => {
            run(client, "SELECT timedb.compact(older_than => '0')");
            upload(client, &row(call));
        }
        // Open for as long as these take.
        _ => {
            run(client, "BEGIN");
            upload(client, &row(call));
            run(client, "SELECT count(*) FROM timedb.read()");
            run(
                client,
                "SELECT count(*) FROM timedb.read(mode => 'overlapping', all_versions => true)",
            );
            run(client, "COMMIT");
        }
    }
}

/// Goes on after the last moment that it got, or up to a moment that it asked for first.
fn export(client: &mut Client, after: &mut String, most: Option<i64>, asks: bool) -> Vec<String> {
    let most = most.map_or(String::new(), |most| format!(", max_rows => {most}"));
    let until = match asks {
        true => format!(", '{}'", one::<String>(client, "SELECT timedb.settled_time()::text")),
        false => String::new(),
    };
    let sql = format!(
        "SELECT {ROW}, r.change_time::text FROM timedb.read_changes('{after}'{until}{most}) WITH ORDINALITY r ORDER BY r.ordinality"
    );
    let rows = client.query(&sql, &[]).expect("the changes");
    if let Some(last) = rows.last() {
        *after = last.get(1);
    }
    rows.iter().map(|row| row.get(0)).collect()
}

/// Counts a writer off, also where it fails: the exporters wait for all of them.
struct Ends<'a>(&'a AtomicUsize);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn exporters_beside_eight_writers_lose_nothing_and_see_nothing_twice() {
    let cluster: Cluster = Options::default()
        .setting("max_prepared_transactions = 20")
        .start()
        .expect("a server of our own");
    let database = cluster.database("exporters").expect("a database");
    let (alice, _) = database.two_tenants();
    let writing = AtomicUsize::new(WRITERS);
    let exported = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (database, alice, writing) = (&database, &alice, &writing);
            scope.spawn(move || {
                let _ended = Ends(writing);
                let mut client = database.authenticated(alice);
                let mut admin = database.admin();
                (0..CALLS).for_each(|call| write_somehow(&mut client, &mut admin, writer, call));
            });
        }
        let exporters = [(None, false), (Some(3), false), (None, true)].map(|(most, asks)| {
            let (database, alice, writing) = (&database, &alice, &writing);
            scope.spawn(move || {
                let mut client = database.authenticated(alice);
                let (mut got, mut after, mut answers) = (Vec::new(), BEGINNING.to_owned(), 0);
                loop {
                    let is_over = writing.load(Ordering::SeqCst) == 0;
                    let part = export(&mut client, &mut after, most, asks);
                    answers += i64::from(!part.is_empty() && !is_over);
                    let is_last = part.is_empty() && is_over;
                    got.extend(part);
                    if is_last {
                        return (got, answers);
                    }
                }
            })
        });
        exporters.map(|exporter| exporter.join().expect("it exports"))
    });
    let all = by_read(&mut database.authenticated(&alice), "true");
    assert!(all.len() > 400, "the premise: {}", all.len());
    for (got, answers) in exported {
        assert!(answers > 10, "the premise: while they wrote, {answers}");
        let seen: BTreeSet<&String> = got.iter().collect();
        let lost: Vec<&String> = all.iter().filter(|row| !seen.contains(row)).collect();
        assert!(lost.is_empty(), "lost {} of {}: {lost:?}", lost.len(), all.len());
        assert_eq!(seen.len(), got.len(), "nothing twice");
        assert!(got == all, "in order");
    }
}
