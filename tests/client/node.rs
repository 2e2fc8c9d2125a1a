//! Where a plan has a node in the place of `read`: that it answers what the function answers, looks at no more than it must,
//! and stays away where only the function will do.

use crate::cases::Cases;
use postgres::Client;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use timedb_testkit::{Database, one, run};

use crate::support::{hour, update, upload, value_row, value_update};

const NODE: &str = "TimedbScan";

#[track_caller]
fn explained(client: &mut Client, options: &str, sql: &str) -> String {
    one::<Value>(client, &format!("EXPLAIN (FORMAT json, COSTS off{options}) {sql}")).to_string()
}

#[track_caller]
fn plan(client: &mut Client, sql: &str) -> String {
    explained(client, "", sql)
}

/// A number that EXPLAIN ANALYZE tells of the node.
#[track_caller]
fn looked_at(client: &mut Client, what: &str, sql: &str) -> i64 {
    let plan: Value = one(client, &format!("EXPLAIN (ANALYZE, FORMAT json, TIMING off) {sql}"));
    find(&plan, what).unwrap_or_else(|| panic!("no {what} in {plan}"))
}

fn find(plan: &Value, what: &str) -> Option<i64> {
    match plan {
        Value::Array(parts) => parts.iter().find_map(|part| find(part, what)),
        Value::Object(node) => match node.get(what) {
            Some(count) => count.as_i64(),
            None => node.values().find_map(|part| find(part, what)),
        },
        _ => None,
    }
}

/// Twenty series `s00` to `s19` of two days of hours each, in two runs of which the second corrects the first; half of them
/// packed.
fn stocked(name: &str) -> (Database, Client) {
    let database = Database::fresh(name);
    let (alice, bob) = database.two_tenants();
    for identity in [&bob, &alice] {
        let mut client = database.authenticated(identity);
        for known in ["2025-01-01", "2025-01-02"] {
            let sql = format!(
                "SELECT timedb.upload_points(now(), array_agg(format('s%s', lpad(s::text, 2, '0'))), \
                   array_agg('2025-01-01Z'::timestamptz + h * interval '1 hour'), array_agg((100 * s + h)::float8), \
                   known_time => '{known}Z') \
                 FROM generate_series(0, 19) AS s, generate_series(0, 47) AS h"
            );
            run(&mut client, &sql);
        }
        let packed = "SELECT timedb.compact((SELECT array_agg(series_id) FROM timedb.list_series() \
                      WHERE series_key < 's10'), '0')";
        run(&mut client, packed);
    }
    let client = database.authenticated(&alice);
    (database, client)
}

#[test]
fn read_and_the_view_of_current_values_are_nodes_of_a_plan() {
    let (_database, mut client) = stocked("node plans");
    for sql in [
        "SELECT * FROM timedb.read()",
        "SELECT value FROM timedb.read(mode => 'overlapping') WHERE value > 1",
        "SELECT count(*) FROM timedb.read()",
        "SELECT * FROM timedb.current_values",
        "SELECT r.value FROM timedb.list_series() l, LATERAL timedb.read(series_ids => ARRAY[l.series_id]) r",
        "SELECT (SELECT max(value) FROM timedb.read())",
        "WITH r AS MATERIALIZED (SELECT * FROM timedb.read()) SELECT * FROM r, r AS again",
    ] {
        assert!(plan(&mut client, sql).contains(NODE), "{sql}");
    }
    run(
        &mut client,
        "CREATE TEMPORARY TABLE kept (series_key text, value float8)",
    );
    let insert = "INSERT INTO kept SELECT series_key, value FROM timedb.read()";
    assert!(plan(&mut client, insert).contains(NODE));
    run(&mut client, insert);
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM kept"), 20 * 48);
    run(&mut client, "SET timedb.enable_scan = off");
    assert!(!plan(&mut client, "SELECT * FROM timedb.read()").contains(NODE));
}

#[test]
fn where_only_the_function_will_do_it_runs() {
    let (_database, mut client) = stocked("node function");
    run(
        &mut client,
        "CREATE TEMPORARY TABLE own (series_key text PRIMARY KEY, value float8)",
    );
    run(&mut client, "INSERT INTO own VALUES ('s03', 0)");
    for sql in [
        "SELECT * FROM timedb.read() WITH ORDINALITY",
        "SELECT * FROM ROWS FROM (timedb.read(), generate_series(1, 3))",
        "SELECT row_to_json(r) FROM timedb.read() r",
        "SELECT r FROM timedb.read() r",
        "SELECT count(r) FROM timedb.read() r WHERE r IS NOT NULL",
        "SELECT timedb.read()",
        "UPDATE own SET value = r.value FROM timedb.read() r WHERE r.series_key = own.series_key",
        "DELETE FROM own USING timedb.read() r WHERE r.series_key = own.series_key",
        "SELECT own.value FROM own JOIN timedb.read() r USING (series_key) FOR UPDATE OF own",
        "MERGE INTO own USING (SELECT DISTINCT ON (series_key) series_key, value FROM timedb.read()) r \
         ON r.series_key = own.series_key WHEN MATCHED THEN UPDATE SET value = r.value",
        "UPDATE own SET value = (SELECT max(value) FROM timedb.read(series_keys => ARRAY[own.series_key]))",
        "SELECT (SELECT max(value) FROM timedb.read(series_keys => ARRAY[own.series_key])) FROM own FOR UPDATE",
        "SELECT (SELECT max(value) FROM timedb.read(series_keys => ARRAY[own.series_key])) FROM own FOR KEY SHARE",
    ] {
        assert!(!plan(&mut client, sql).contains(NODE), "{sql}");
        run(&mut client, sql);
    }
    let rows: Vec<String> = one(
        &mut client,
        "SELECT array_agg(row_to_json(r)->>'series_key') FROM timedb.read(series_keys => '{s00}') r",
    );
    assert_eq!(rows.len(), 48);
}

#[test]
fn a_limit_and_a_cursor_stop_after_the_series_they_need() {
    let (_database, mut client) = stocked("node limit");
    let series = |client: &mut Client, sql: &str| looked_at(client, "Series", sql);
    assert_eq!(
        series(&mut client, "SELECT valid_time, value FROM timedb.read() LIMIT 10"),
        1
    );
    assert_eq!(
        series(&mut client, "SELECT valid_time, value FROM timedb.read() LIMIT 49"),
        2
    );
    assert_eq!(series(&mut client, "SELECT valid_time, value FROM timedb.read()"), 20);
    let sorted = "SELECT * FROM timedb.read() ORDER BY series_key COLLATE \"C\", series_id, valid_time LIMIT 10";
    assert_eq!(series(&mut client, sorted), 1);
    run(
        &mut client,
        "BEGIN; DECLARE c CURSOR FOR SELECT series_key FROM timedb.read()",
    );
    for key in ["s00", "s01"] {
        let fetched = client.query("FETCH 48 FROM c", &[]).expect("rows");
        assert!(fetched.len() == 48 && fetched.iter().all(|row| row.get::<_, &str>(0) == key));
    }
    run(&mut client, "COMMIT");
}

/// What is known of a row is what the caller asks for; what is not asked for may not even be made.
#[test]
fn conditions_narrow_what_is_looked_at() {
    let (_database, mut client) = stocked("node conditions");
    let at = |client: &mut Client, what: &str, condition: &str| {
        looked_at(
            client,
            what,
            &format!("SELECT value FROM timedb.read() WHERE {condition}"),
        )
    };
    assert_eq!(at(&mut client, "Series", "series_key = 's11'"), 1);
    assert_eq!(at(&mut client, "Series", "series_key IN ('s11', 's12', 'none')"), 2);
    assert_eq!(at(&mut client, "Series", "series_key = (SELECT NULL::text)"), 0);
    let id: uuid::Uuid = one(
        &mut client,
        "SELECT series_id FROM timedb.list_series() WHERE series_key = 's13'",
    );
    assert_eq!(at(&mut client, "Series", &format!("series_id = '{id}'")), 1);
    assert_eq!(
        at(
            &mut client,
            "Series",
            &format!("series_id = '{id}' AND series_key = 's14'")
        ),
        0
    );
    let late = "series_key = 's11' AND valid_time >= '2025-01-05Z'";
    assert_eq!(at(&mut client, "Stored Rows", late), 0);
    assert_eq!(at(&mut client, "Stored Rows", "series_key = 's11'"), 2);
    assert_eq!(
        at(
            &mut client,
            "Stored Rows",
            "series_key = 's11' AND known_time >= '2025-01-02Z'"
        ),
        1
    );
    // Of a flat read an end of known time must not show what a later run has replaced.
    assert_eq!(
        at(
            &mut client,
            "Stored Rows",
            "series_key = 's11' AND known_time < '2025-01-02Z'"
        ),
        2
    );
    let overlapping = "SELECT value FROM timedb.read(mode => 'overlapping') \
                       WHERE series_key = 's11' AND known_time < '2025-01-02Z'";
    assert_eq!(looked_at(&mut client, "Stored Rows", overlapping), 1);
    let moment = "SELECT value FROM timedb.read() WHERE valid_time > now() - interval '1 day'";
    assert_eq!(looked_at(&mut client, "Stored Rows", moment), 0);
    assert!(plan(&mut client, moment).contains("Window Cond"));
    let volatile = "SELECT value FROM timedb.read() WHERE valid_time > clock_timestamp()";
    assert!(!plan(&mut client, volatile).contains("Window Cond"));
}

#[test]
fn explain_evaluates_no_argument_and_fetches_nothing() {
    let (_database, mut client) = stocked("node explain");
    run(
        &mut client,
        "CREATE FUNCTION pg_temp.boom() RETURNS timestamptz LANGUAGE plpgsql STABLE \
         AS $$ BEGIN RAISE EXCEPTION 'evaluated'; END $$",
    );
    let calls = [
        "SELECT value FROM timedb.read(start_valid => pg_temp.boom())",
        "SELECT value FROM timedb.read() WHERE valid_time < (SELECT pg_temp.boom())",
    ];
    for sql in calls {
        assert!(plan(&mut client, sql).contains(NODE), "{sql}");
        assert!(
            client.query(sql, &[]).is_err(),
            "the premise: it fails where it is evaluated: {sql}"
        );
    }
    run(&mut client, "SET plan_cache_mode = force_generic_plan");
    run(
        &mut client,
        "PREPARE q(timestamptz) AS SELECT value FROM timedb.read(start_valid => $1)",
    );
    assert!(plan(&mut client, "EXECUTE q(now())").contains(NODE));
}

/// By what is asked alone: so it is the same whoever asks, and whatever is stored.
#[test]
fn how_many_rows_are_expected_goes_by_the_series_and_the_times_that_are_asked_for() {
    let (_database, mut client) = stocked("node estimates");
    run(
        &mut client,
        "PREPARE of_a_day (text[]) AS SELECT FROM timedb.read('2025-01-01Z', '2025-01-02Z', series_keys => $1)",
    );
    run(&mut client, "SET plan_cache_mode = force_custom_plan");
    for (sql, expected) in [
        ("SELECT FROM timedb.read()", 10_000),
        ("SELECT FROM timedb.read(series_keys => '{s00,s01}')", 2000),
        ("SELECT FROM timedb.read('2025-01-01Z', '2025-01-02Z')", 240),
        (
            "SELECT FROM timedb.read('2025-01-01Z', '2025-01-02Z', series_keys => '{s00,s01}')",
            48,
        ),
        (
            "SELECT FROM timedb.read('2025-01-01Z', '2025-01-02Z', series_ids => '{}')",
            1,
        ),
        (
            "SELECT FROM timedb.read('2025-01-02Z', '2025-01-01Z', series_keys => '{s00}')",
            1,
        ),
        ("SELECT FROM timedb.read() WHERE series_key = 's00'", 1000),
        (
            "SELECT FROM timedb.read() WHERE series_key IN ('s00', 's01', 's02')",
            3000,
        ),
        (
            "SELECT FROM timedb.read(series_keys => '{s00,s01}') WHERE series_key IN ('s00', 's01', 's02')",
            2000,
        ),
        (
            "SELECT FROM timedb.read() WHERE valid_time >= '2025-01-01Z' AND valid_time < '2025-01-03Z'",
            480,
        ),
        (
            "SELECT FROM timedb.read() WHERE valid_time >= now() AND valid_time < now() + interval '2 days'",
            480,
        ),
        (
            "SELECT FROM timedb.read('2025-01-01Z', '2025-02-01Z') WHERE valid_time = '2025-01-03Z'",
            10,
        ),
        ("EXECUTE of_a_day('{s00,s01,s02}')", 72),
        (
            "SELECT FROM timedb.list_series() l, LATERAL timedb.read('2025-01-01Z', '2025-01-02Z', \
               series_ids => ARRAY[l.series_id]) r",
            24_000,
        ),
    ] {
        let plan: Value = one(&mut client, &format!("EXPLAIN (FORMAT json) {sql}"));
        assert_eq!(plan[0]["Plan"]["Plan Rows"].as_i64(), Some(expected), "{sql}: {plan}");
    }
    // What else is asked of them is asked of so many.
    let plan: Value = one(
        &mut client,
        "EXPLAIN (FORMAT json) SELECT FROM timedb.read(series_keys => '{s00}') WHERE value = 1",
    );
    assert_eq!(plan[0]["Plan"]["Plan Rows"].as_i64(), Some(5), "{plan}");
}

#[test]
fn an_order_that_the_rows_have_needs_no_sort() {
    let (_database, mut client) = stocked("node order");
    let whole = "SELECT value FROM timedb.read() ORDER BY series_key COLLATE \"C\", series_id, valid_time";
    assert!(!plan(&mut client, whole).contains("Sort"));
    let id: uuid::Uuid = one(
        &mut client,
        "SELECT series_id FROM timedb.list_series() WHERE series_key = 's13'",
    );
    let of_one = format!("SELECT value FROM timedb.read() WHERE series_id = '{id}' ORDER BY valid_time");
    assert!(!plan(&mut client, &of_one).contains("Sort"));
    // Series of one key may differ by their labels, so within a key times are not in order.
    let by_key = "SELECT value FROM timedb.read() ORDER BY series_key COLLATE \"C\", valid_time";
    assert!(plan(&mut client, by_key).contains("Incremental Sort"));
    let by_language = "SELECT value FROM timedb.read() ORDER BY series_key, series_id, valid_time";
    assert!(plan(&mut client, by_language).contains("Sort"));
    run(
        &mut client,
        "SET enable_hashjoin = off; SET enable_nestloop = off; SET enable_material = off",
    );
    let joined = "SELECT a.value, b.value FROM timedb.read() a JOIN timedb.read(mode => 'overlapping') b \
                  ON a.series_key COLLATE \"C\" = b.series_key COLLATE \"C\" AND a.series_id = b.series_id \
                    AND a.valid_time = b.valid_time";
    let merged = plan(&mut client, joined);
    assert!(
        merged.contains("Merge Join") && !merged.contains("\"Sort\""),
        "{merged}"
    );
    let rows = client.query(joined, &[]).expect("rows").len();
    assert_eq!(rows, 20 * 48 * 2);
}

/// Every node of a plan, however often it is begun anew, and whatever is asked for of its rows.
#[test]
fn rescans_laterals_and_parallel_plans_answer_what_the_function_answers() {
    let (_database, mut client) = stocked("node rescans");
    let parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; \
                    SET max_parallel_workers_per_gather = 2";
    run(
        &mut client,
        "CREATE TEMPORARY TABLE picked AS SELECT format('s%s', lpad(n::text, 2, '0')) AS key, \
           '2025-01-01Z'::timestamptz + n * interval '1 hour' AS at FROM generate_series(0, 30, 3) n",
    );
    let queries = [
        "SELECT p.key, r.valid_time, r.value FROM picked p, \
           LATERAL timedb.read(start_valid => p.at, series_keys => ARRAY[p.key]) r",
        "SELECT p.key, r.valid_time, r.value FROM picked p LEFT JOIN LATERAL \
           (SELECT * FROM timedb.read(end_valid => p.at) WHERE series_key = p.key ORDER BY valid_time DESC LIMIT 1) r ON true",
        "SELECT p.key, (SELECT sum(value) FROM timedb.read(series_keys => ARRAY[p.key])) FROM picked p",
        "SELECT p.key, r.value FROM picked p JOIN timedb.read() r ON r.series_key = p.key AND r.valid_time = p.at",
        "SELECT a.series_key, count(*) FROM timedb.read() a, timedb.read(series_keys => '{s01}') b GROUP BY 1",
        "SELECT series_key, changed_by, unit, tags, annotation, run_id IS NULL, valid_time_end FROM timedb.read() WHERE value > 700",
        "SELECT count(*), sum(s.x) FROM generate_series(1, 3) s(x), timedb.read()",
        "SELECT series_key, unit FROM timedb.current_values WHERE series_key LIKE 's1%' AND known_time > '2025-01-01Z'",
    ];
    for settings in ["", "SET enable_hashjoin = off; SET enable_mergejoin = off", parallel] {
        run(
            &mut client,
            &format!("RESET enable_hashjoin; RESET enable_mergejoin; {settings}"),
        );
        for sql in queries {
            let rows = |client: &mut Client, scan: &str| {
                run(client, &format!("SET timedb.enable_scan = {scan}"));
                assert_eq!(plan(client, sql).contains(NODE), scan == "on", "{sql}");
                let sql = format!("SELECT coalesce(array_agg(q::text ORDER BY q::text), '{{}}') FROM ({sql}) AS q");
                one::<Vec<String>>(client, &sql)
            };
            let by_function = rows(&mut client, "off");
            assert!(!by_function.is_empty(), "the premise: {sql}");
            assert_eq!(rows(&mut client, "on"), by_function, "{settings} {sql}");
        }
    }
}

/// What keeps a row may take it out of the slot: the rows after it are still themselves.
#[test]
fn rows_that_are_kept_as_they_come_are_whole() {
    let (_database, mut client) = stocked("node kept");
    let columns = "known_time, valid_time, valid_time_end, series_id, series_key, unit, value, run_id, change_time, \
                   changed_by, annotation, tags";
    run(
        &mut client,
        &format!(
            "CREATE TEMPORARY TABLE kept AS SELECT {columns} FROM timedb.read(); \
             CREATE TEMPORARY TABLE more (LIKE kept); INSERT INTO more SELECT {columns} FROM timedb.read(); \
             SET timedb.enable_scan = off"
        ),
    );
    for table in ["kept", "more"] {
        let sql =
            format!("SELECT count(*) FROM (TABLE {table} INTERSECT ALL SELECT {columns} FROM timedb.read()) AS same");
        assert_eq!(one::<i64>(&mut client, &sql), 20 * 48, "{table}");
    }
}

#[test]
fn a_scroll_cursor_and_one_that_is_held_answer_as_the_function_does() {
    let (_database, mut client) = stocked("node cursors");
    let sql = "SELECT series_key, valid_time, value FROM timedb.read(series_keys => '{s01,s12}')";
    let texts = |rows: Vec<postgres::Row>| -> Vec<f64> { rows.iter().map(|row| row.get(2)).collect() };
    let whole = texts(client.query(sql, &[]).expect("rows"));
    run(&mut client, &format!("BEGIN; DECLARE s SCROLL CURSOR FOR {sql}"));
    let fetch =
        |client: &mut Client, which: &str| texts(client.query(&format!("FETCH {which} FROM s"), &[]).expect("rows"));
    assert_eq!(fetch(&mut client, "50"), whole[..50]);
    assert_eq!(fetch(&mut client, "BACKWARD 20").len(), 20);
    assert_eq!(fetch(&mut client, "ABSOLUTE 5"), whole[4..5]);
    run(
        &mut client,
        &format!("DECLARE h CURSOR WITH HOLD FOR {sql}; FETCH 10 FROM h; COMMIT"),
    );
    let rest = texts(client.query("FETCH ALL FROM h", &[]).expect("rows"));
    assert_eq!(rest, whole[10..]);
}

/// The numbers of operators are Postgres' own: what each means here is what the catalog says.
#[test]
fn every_comparison_keeps_what_it_compares_with() {
    let (_database, mut client) = stocked("node comparisons");
    let at = "'2025-01-01T10:00Z'::timestamptz";
    for (condition, hours) in [
        (format!("valid_time < {at}"), 0..10),
        (format!("valid_time <= {at}"), 0..11),
        (format!("valid_time = {at}"), 10..11),
        (format!("valid_time >= {at}"), 10..48),
        (format!("valid_time > {at}"), 11..48),
        (format!("{at} < valid_time"), 11..48),
        (format!("{at} <= valid_time"), 10..48),
        (format!("{at} > valid_time"), 0..10),
        (format!("{at} >= valid_time"), 0..11),
        (format!("valid_time BETWEEN {at} AND {at} + interval '1 hour'"), 10..12),
        ("valid_time < 'infinity'".to_owned(), 0..48),
        ("valid_time > '-infinity'".to_owned(), 0..48),
        ("valid_time > 'infinity'".to_owned(), 0..0),
        ("valid_time = '-infinity'".to_owned(), 0..0),
        ("valid_time < NULL::timestamptz".to_owned(), 0..0),
        (format!("valid_time <> {at} AND valid_time <= {at}"), 0..10),
    ] {
        let sql = format!(
            "SELECT coalesce(array_agg(value ORDER BY value), '{{}}') FROM timedb.read(series_keys => '{{s00}}') WHERE {condition}"
        );
        let expected: Vec<f64> = hours.map(f64::from).collect();
        assert_eq!(one::<Vec<f64>>(&mut client, &sql), expected, "{condition}");
    }
}

/// A condition on a column, at random.
fn condition() -> impl Strategy<Value = String> {
    let time = (0..60i64).prop_map(|hours| format!("'{}'", hour(hours)));
    let time = prop_oneof![
        10 => time,
        1 => Just("'infinity'".to_owned()),
        1 => Just("NULL".to_owned()),
        1 => Just("(SELECT min(at) FROM moments)".to_owned()),
    ];
    let column = select(vec!["valid_time", "known_time", "change_time", "valid_time_end"]);
    let operator = select(vec!["<", "<=", "=", ">=", ">", "<>"]);
    let compared = (column, operator, time, any::<bool>()).prop_map(|(column, operator, time, turned)| {
        let time = format!("{time}::timestamptz");
        match turned {
            true => format!("{time} {operator} {column}"),
            false => format!("{column} {operator} {time}"),
        }
    });
    let key = select(vec!["a", "b", "ä", "none", "A"]);
    let keys = prop::collection::vec(key, 0..3).prop_map(|keys| format!("series_key = ANY ('{{{}}}')", keys.join(",")));
    let one_key = select(vec!["a", "b", "ä", "none"]).prop_map(|key| format!("series_key = '{key}'"));
    let id = select(vec!["a", "b"]).prop_map(|key| {
        format!("series_id = (SELECT min(series_id::text)::uuid FROM timedb.list_series() WHERE series_key = '{key}')")
    });
    let others = select(vec![
        "value > 2",
        "annotation IS NULL",
        "series_key LIKE 'a%'",
        "unit <> series_key",
        "(valid_time < '2025-01-01T05:00Z' OR series_key = 'b')",
        "NOT valid_time < '2025-01-01T05:00Z'",
        "series_key COLLATE \"C\" = 'a'",
    ]);
    prop_oneof![6 => compared, 2 => keys, 2 => one_key, 1 => id, 2 => others.prop_map(str::to_owned)]
}

#[test]
fn random_conditions_on_the_node_and_on_the_function_leave_the_same_rows() {
    let database = Database::fresh("node at random");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    for (known, hours) in [(0, 0..9), (3, 2..12), (3, 4..7), (8, 5..30)] {
        let rows = ["a", "b", "ä"].into_iter().flat_map(|key| {
            let hours = hours.clone();
            hours.map(move |at| value_row(key, hour(at), known * 100 + at))
        });
        let mut rows: Vec<Value> = rows.collect();
        rows.push(json!({"value_key": "a", "valid_time": hour(6).to_string(), "valid_time_end": hour(9).to_string(), "value": 7}));
        let uploaded: uuid::Uuid = client
            .query_one(
                "SELECT run_id FROM timedb.upload(now(), $1, known_time => $2)",
                &[&Value::from(rows), &hour(known)],
            )
            .expect("an upload")
            .get(0);
        let series: uuid::Uuid = one(
            &mut client,
            "SELECT series_id FROM timedb.list_series() WHERE series_key = 'a'",
        );
        let note = json!({"value": 1.5, "annotation": "noted"});
        update(
            &mut client,
            &json!([value_update(uploaded, series, hour(hours.start), note)]),
        );
    }
    run(
        &mut client,
        "SELECT timedb.compact((SELECT array_agg(series_id) FROM timedb.list_series() WHERE series_key <> 'b'), '0')",
    );
    upload(&mut client, &json!([value_row("a", hour(3), 99)]));
    run(
        &mut client,
        "CREATE TEMPORARY TABLE moments AS SELECT '2025-01-01T04:00Z'::timestamptz AS at",
    );
    let arguments = select(vec![
        "",
        "mode => 'overlapping'",
        "all_versions => true",
        "mode => 'overlapping', all_versions => true",
        "start_valid => '2025-01-01T03:00Z', series_keys => '{a,b}'",
        "end_known => '2025-01-01T05:00Z'",
        "series_keys => '{}'",
    ]);
    let from = prop_oneof![
        6 => arguments.prop_map(|arguments| format!("timedb.read({arguments})")),
        1 => Just("timedb.current_values".to_owned()),
    ];
    let columns = select(vec![
        "value, valid_time",
        "*",
        "known_time, series_key, tags, annotation",
        "1",
        "change_time, changed_by, run_id, series_id",
    ]);
    let input = (columns, from, prop::collection::vec(condition(), 0..4));
    let client = std::cell::RefCell::new(client);
    Cases::of(600).run(&input, |(columns, from, conditions)| {
        let mut conditions = conditions;
        conditions.push("true".to_owned());
        let inner = format!("SELECT {columns} FROM {from} WHERE {}", conditions.join(" AND "));
        // The view promises no order.
        let order = if from.contains("read") { "" } else { "ORDER BY q::text" };
        let sql = format!("SELECT coalesce(array_agg(q::text {order}), '{{}}') FROM ({inner}) AS q");
        let mut client = client.borrow_mut();
        run(&mut client, "SET timedb.enable_scan = off");
        let by_function: Vec<String> = one(&mut client, &sql);
        run(&mut client, "SET timedb.enable_scan = on");
        let by_node: Vec<String> = one(&mut client, &sql);
        prop_assert_eq!(by_node, by_function, "{}", inner);
        Ok::<(), TestCaseError>(())
    });
}
