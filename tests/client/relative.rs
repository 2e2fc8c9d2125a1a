//! Reads of what was known so long before: the three forms, their zones and their mistakes, by the node, the function and as
//! Arrow, whether stored as rows or packed.

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, one, one_of, refused, run};
use uuid::Uuid;

use crate::support::{hour, update, value_row, value_update};

/// Noon of the first of January, as the cases of forecasters have it.
fn noon(hours: i64) -> Timestamp {
    hour(12 + hours)
}

fn client_of(name: &str) -> (Database, Client) {
    let database = Database::fresh(name);
    let (alice, _) = database.two_tenants();
    let client = database.authenticated(&alice);
    (database, client)
}

/// A run of these values, known at a moment.
fn known(client: &mut Client, known: Timestamp, values: &[(Timestamp, f64)]) -> Uuid {
    let rows: Vec<_> = values.iter().map(|(at, value)| value_row("a", *at, *value)).collect();
    let sql = "SELECT run_id FROM timedb.upload(now(), $1, known_time => $2)";
    one_of(client, sql, &[&json!(rows), &known])
}

/// What is answered: by the node and by the function, before and after compact.
#[track_caller]
fn shown(client: &mut Client, arguments: &str) -> Vec<f64> {
    let sql = format!("SELECT coalesce(array_agg(r.value), '{{}}') FROM timedb.read_relative({arguments}) r");
    let by_node: Vec<f64> = one(client, &sql);
    run(client, "SET timedb.enable_scan = off");
    let by_function: Vec<f64> = one(client, &sql);
    run(
        client,
        "RESET timedb.enable_scan; SELECT timedb.compact(older_than => '0')",
    );
    assert_eq!(by_node, by_function, "{arguments}");
    assert_eq!(by_node, one::<Vec<f64>>(client, &sql), "{arguments}, packed");
    by_node
}

/// Windows of a day from noon, known twelve hours before each.
const DAYS_FROM_NOON: &str =
    "window_length => '24 hours', cutoff_offset => '-12 hours', window_origin => '2025-01-01T12:00Z'";

#[test]
fn r1_what_was_known_before_the_cutoff_is_shown() {
    let (_database, mut client) = client_of("R1");
    known(
        &mut client,
        noon(-13),
        &[(noon(0), 10.0), (noon(1), 11.0), (noon(2), 12.0)],
    );
    known(
        &mut client,
        noon(-11),
        &[(noon(0), 99.0), (noon(1), 99.0), (noon(2), 99.0)],
    );
    assert_eq!(shown(&mut client, DAYS_FROM_NOON), [10.0, 11.0, 12.0]);
}

#[test]
fn r2_a_cutoff_is_inclusive() {
    let (_database, mut client) = client_of("R2");
    for (before, value) in [(-2, 1.0), (-1, 2.0), (0, 3.0), (1, 99.0)] {
        known(&mut client, noon(-12 + before), &[(noon(0), value)]);
    }
    assert_eq!(shown(&mut client, DAYS_FROM_NOON), [3.0]);
    assert_eq!(shown(&mut client, "lead => '12 hours'"), [3.0]);
    assert_eq!(shown(&mut client, "days_ahead => 0, time_of_day => '00:00'"), [3.0]);
    assert_eq!(shown(&mut client, "lead => '12 hours 1 microsecond'"), [2.0]);
}

#[test]
fn r3_each_window_has_a_cutoff_of_its_own() {
    let (_database, mut client) = client_of("R3");
    known(&mut client, noon(-13), &[(noon(6), 1.0), (noon(30), 2.0)]);
    known(&mut client, noon(-11), &[(noon(6), 99.0), (noon(30), 99.0)]);
    known(&mut client, noon(11), &[(noon(30), 2.0)]);
    known(&mut client, noon(13), &[(noon(30), 99.0)]);
    assert_eq!(shown(&mut client, DAYS_FROM_NOON), [1.0, 2.0]);
}

#[test]
fn r4_what_was_not_known_in_time_has_no_row() {
    let (_database, mut client) = client_of("R4");
    known(
        &mut client,
        noon(-11),
        &[(noon(0), 99.0), (noon(1), 99.0), (noon(2), 99.0)],
    );
    assert!(shown(&mut client, DAYS_FROM_NOON).is_empty());
}

#[test]
fn r5_and_r6_days_ahead_at_a_time_of_day() {
    let (_database, mut client) = client_of("R5");
    known(&mut client, hour(-19), &[(hour(0), 10.0)]);
    known(&mut client, hour(-17), &[(hour(0), 99.0)]);
    assert_eq!(shown(&mut client, "days_ahead => 1, time_of_day => '06:00'"), [10.0]);
    known(&mut client, hour(11), &[(hour(15), 5.0)]);
    known(&mut client, hour(13), &[(hour(15), 99.0)]);
    let sixth = "days_ahead => 0, time_of_day => '12:00', start_valid => '2025-01-01T15:00Z'";
    assert_eq!(shown(&mut client, sixth), [5.0]);
}

#[test]
fn r7_a_correction_is_shown_or_was_not_known_yet() {
    let (_database, mut client) = client_of("R7");
    let run_id = known(&mut client, noon(-13), &[(noon(0), 100.0)]);
    let series: Uuid = one(&mut client, "SELECT series_id FROM timedb.series");
    update(
        &mut client,
        &json!([value_update(run_id, series, noon(0), json!({"value": 110.0}))]),
    );
    for (corrections, expected) in [
        ("", 110.0),
        (", corrections => 'all'", 110.0),
        (", corrections => 'known'", 100.0),
    ] {
        let arguments = format!("{DAYS_FROM_NOON}{corrections}");
        assert_eq!(shown(&mut client, &arguments), [expected], "{arguments}");
    }
    // One that was made in time counts.
    assert_eq!(
        shown(&mut client, "lead => '-100 years', corrections => 'known'"),
        [110.0]
    );
    let versions = format!("{DAYS_FROM_NOON}, all_versions => true");
    assert_eq!(shown(&mut client, &versions), [100.0, 110.0]);
    assert_eq!(
        shown(&mut client, &format!("{versions}, corrections => 'known'")),
        [100.0]
    );
}

#[test]
fn r8_a_whole_day_is_shown_by_what_was_known_the_day_before() {
    let (_database, mut client) = client_of("R8");
    let day: Vec<(Timestamp, f64)> = (0..24).map(|at| (hour(24 + at), 1.0)).collect();
    known(&mut client, hour(5), &day);
    assert_eq!(shown(&mut client, "days_ahead => 1, time_of_day => '06:00'").len(), 24);
    assert!(shown(&mut client, "days_ahead => 1, time_of_day => '04:59:59.999999'").is_empty());
}

#[test]
fn r9_one_form_is_given_whole() {
    let (_database, mut client) = client_of("R9");
    for arguments in [
        "",
        "lead => NULL",
        "days_ahead => 1",
        "time_of_day => '06:00'",
        "window_length => '1 day', cutoff_offset => '0'",
        "window_origin => '2025-01-01'",
        "lead => '1 hour', days_ahead => 1, time_of_day => '06:00'",
        "lead => '1 hour', days_ahead => 1",
        "days_ahead => 1, time_of_day => '06:00', window_length => '1 day', cutoff_offset => '0', window_origin => 'today'",
        "time_zone => 'Europe/Berlin'",
    ] {
        for function in ["read_relative", "read_relative_arrow"] {
            refused(client.query(&format!("SELECT * FROM timedb.{function}({arguments})"), &[]))
                .code("22023")
                .message(
                    "give one of \"lead\"; \"days_ahead\" and \"time_of_day\"; \"window_length\", \"cutoff_offset\" and \
                     \"window_origin\": whole, and none of another",
                );
        }
    }
}

#[test]
fn r10_of_overlapping_runs_each_value_is_of_the_one_known_in_time() {
    let (_database, mut client) = client_of("R10");
    for run in 0..6 {
        let values: Vec<(Timestamp, f64)> = (0..48).map(|at| (hour(run * 12 + at), run as f64)).collect();
        known(&mut client, hour(run * 12), &values);
    }
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.read()"), 108);
    let days = "window_length => '24 hours', cutoff_offset => '-12 hours', window_origin => '2025-01-02'";
    let sql = format!(
        "SELECT string_agg(day || ':' || count, ' ' ORDER BY day) FROM \
           (SELECT (r.valid_time AT TIME ZONE 'UTC')::date AS day, count(*) FROM timedb.read_relative({days}) r GROUP BY 1) d"
    );
    let expected = "2025-01-02:24 2025-01-03:24 2025-01-04:24 2025-01-05:12";
    assert_eq!(one::<String>(&mut client, &sql), expected);
    let of_run = "SELECT count(DISTINCT r.run_id) FROM timedb.read_relative(lead => '12 hours', start_valid => '2025-01-02', \
                  end_valid => '2025-01-03') r";
    assert_eq!(one::<i64>(&mut client, of_run), 2);
}

/// Zones, and days before their clocks are set on and back: by an hour, by half of one, from a half hour; or never are.
const ZONES: [(&str, [&str; 2]); 5] = [
    ("Europe/Berlin", ["2025-03-28", "2025-10-24"]),
    ("Australia/Lord_Howe", ["2025-04-04", "2025-10-03"]),
    ("America/St_Johns", ["2025-03-07", "2025-10-31"]),
    ("Asia/Kolkata", ["2025-01-29", "2025-02-26"]),
    ("UTC", ["2025-01-29", "2025-02-26"]),
];

/// Against Postgres' own arithmetic, over all that is known: quarters of an hour, of which something is known every half hour.
#[test]
fn days_are_those_of_the_zone_and_have_23_24_and_25_hours() {
    let (_database, mut client) = client_of("zones");
    for (zone, days) in ZONES {
        for day in days {
            run(
                &mut client,
                &format!(
                    "SELECT count(timedb.upload_points(now(), array_fill('{zone} {day}'::text, ARRAY[480]), v.times, \
                       array_fill(0::float8, ARRAY[480]), known_time => '{day}Z'::timestamptz + (n - 96) * interval '30 minutes')) \
                     FROM generate_series(0, 240) AS n, \
                       (SELECT array_agg('{day}Z'::timestamptz + m * interval '15 minutes') FROM generate_series(0, 479) m) AS v(times)"
                ),
            );
        }
        if zone < "B" {
            run(&mut client, "SELECT timedb.compact(older_than => '0')");
        }
        let origin = format!("window_origin => timestamp '2025-01-01' AT TIME ZONE '{zone}'");
        for (arguments, cutoff) in [
            (
                "days_ahead => 1, time_of_day => '12:00'",
                "((v AT TIME ZONE z)::date - 1 + time '12:00') AT TIME ZONE z",
            ),
            (
                "days_ahead => 0, time_of_day => '02:30'",
                "((v AT TIME ZONE z)::date + time '02:30') AT TIME ZONE z",
            ),
            (
                "lead => '1 day'",
                "((v AT TIME ZONE z) - interval '1 day') AT TIME ZONE z",
            ),
            (
                "lead => '1 day 30 minutes'",
                "((v AT TIME ZONE z) - interval '1 day') AT TIME ZONE z - interval '30 minutes'",
            ),
            ("lead => '36 hours'", "v - interval '36 hours'"),
            (
                "window_length => '1 day', cutoff_offset => '-1 day 10 hours'",
                "(date_trunc('day', v AT TIME ZONE z) - interval '1 day') AT TIME ZONE z + interval '10 hours'",
            ),
            (
                "window_length => '1 month', cutoff_offset => '27 days'",
                "(date_trunc('month', v AT TIME ZONE z) + interval '27 days') AT TIME ZONE z",
            ),
        ] {
            let arguments = match arguments.starts_with("window") {
                true => format!("{arguments}, {origin}"),
                false => arguments.to_owned(),
            };
            let keys = format!("'{{{zone} {},{zone} {}}}'", days[0], days[1]);
            let sql = format!(
                "WITH asked AS (SELECT series_id, valid_time AS v, '{zone}'::text AS z FROM timedb.read(series_keys => {keys})), \
                   known AS (SELECT DISTINCT series_id, known_time AS known FROM timedb.versions), \
                   expected AS (SELECT series_id, v, max(known) FROM asked JOIN known USING (series_id) \
                     WHERE known <= {cutoff} GROUP BY series_id, v), \
                   found AS (SELECT series_id, valid_time, known_time \
                     FROM timedb.read_relative({arguments}, time_zone => '{zone}', series_keys => {keys})) \
                 SELECT (SELECT count(*) FROM expected), \
                   (SELECT count(*) FROM (TABLE expected EXCEPT TABLE found) x), \
                   (SELECT count(*) FROM (TABLE found EXCEPT TABLE expected) x)"
            );
            let row = client.query_one(&sql, &[]).expect("the comparison");
            let [expected, lacking, wrong] = [0, 1, 2].map(|column| row.get::<_, i64>(column));
            assert_eq!((lacking, wrong), (0, 0), "{zone} {arguments}");
            assert!(expected > 100, "the premise: {zone} {arguments} {expected}");
        }
    }
}

#[test]
fn what_an_argument_cannot_be_is_said_of_it() {
    let (_database, mut client) = client_of("bad relative reads");
    let mut refuse =
        |arguments: &str| refused(client.query(&format!("SELECT * FROM timedb.read_relative({arguments})"), &[]));
    let window = |length: &str, offset: &str, origin: &str| {
        format!("window_length => '{length}', cutoff_offset => '{offset}', window_origin => '{origin}'")
    };
    for zone in ["Mars/Olympus", "CEST", "+25:99x", "right/UTC"] {
        refuse(&format!("lead => '1 hour', time_zone => '{zone}'"))
            .code("22023")
            .message(&format!(
                "\"time_zone\" is no time zone that this server knows: \"{zone}\""
            ));
    }
    for length in ["0", "-1 day", "1 month -1 day", "-1 month"] {
        refuse(&window(length, "0", "2025-01-01"))
            .code("22023")
            .message("\"window_length\" must be positive");
    }
    for (arguments, argument) in [
        ("lead => '20000 years'".to_owned(), "lead"),
        ("lead => '-178000000 years'".into(), "lead"),
        (window("20000 years", "0", "2025-01-01"), "window_length"),
        (window("1 day", "-20000 years", "2025-01-01"), "cutoff_offset"),
        (window("1 day", "0", "infinity"), "window_origin"),
        (window("1 day", "0", "-infinity"), "window_origin"),
        ("lead => '0', start_valid => 'infinity'".into(), "start_valid"),
        ("lead => '0', as_of => '-infinity'".into(), "as_of"),
    ] {
        refuse(&arguments)
            .code("22008")
            .message(&format!("\"{argument}\" is infinite or out of range"));
    }
    refuse("lead => '0', corrections => 'no'").code("22023");
    refuse("lead => '0', labels => '[]'").code("22023");
    refuse("lead => '0', run_ids => '{NULL}'").code("22004");
}

/// A reversed window has nothing in it, a zone of blanks is none, a lead may be negative or none.
#[test]
fn what_is_unusual_is_no_mistake() {
    let (_database, mut client) = client_of("unusual relative reads");
    known(&mut client, hour(1), &[(hour(0), 1.0)]);
    for (arguments, expected) in [
        ("lead => '0'", &[][..]),
        ("lead => '-1 hour'", &[1.0]),
        ("lead => '-1 hour', time_zone => ' '", &[1.0]),
        ("lead => '-1 hour', time_zone => NULL", &[1.0]),
        ("lead => '-1 hour', time_zone => 'europe/berlin'", &[1.0]),
        (
            "lead => '-1 hour', start_valid => '2025-01-02', end_valid => '2024-01-01'",
            &[],
        ),
        ("lead => '10000 years'", &[]),
        ("lead => '-10000 years'", &[1.0]),
        ("days_ahead => 2147483647, time_of_day => '24:00'", &[]),
        ("days_ahead => -2147483648, time_of_day => '24:00'", &[1.0]),
        ("days_ahead => 0, time_of_day => '01:00'", &[1.0]),
        ("days_ahead => 1, time_of_day => '24:00'", &[]),
        (
            "window_length => '14000 years', cutoff_offset => '0', window_origin => '2025-01-01T01:00Z'",
            &[],
        ),
        (
            "window_length => '1 microsecond', cutoff_offset => '1 hour', window_origin => '9999-12-31'",
            &[1.0],
        ),
    ] {
        assert_eq!(shown(&mut client, arguments), expected, "{arguments}");
    }
}

#[test]
fn what_where_says_narrows_and_changes_nothing() {
    let (_database, mut client) = client_of("relative WHERE");
    for run in 0..20 {
        let values: Vec<(Timestamp, f64)> = (0..10).map(|at| (hour(run + at), (run * 100 + at) as f64)).collect();
        known(&mut client, hour(run), &values);
    }
    let relative = "timedb.read_relative(lead => '3 hours') r";
    for condition in [
        "r.valid_time >= '2025-01-01T05:00Z' AND r.valid_time < '2025-01-01T09:00Z'",
        "r.known_time >= '2025-01-01T05:00Z'",
        "r.known_time < '2025-01-01T05:00Z'",
        "r.known_time = '2025-01-01T05:00Z'",
        "r.series_key = 'a' AND r.valid_time < '2025-01-01T09:00Z'",
        "r.series_key = 'b'",
    ] {
        let narrowed = format!("SELECT array_agg(r.value) FROM {relative} WHERE {condition}");
        let checked = format!("SELECT array_agg(r.value) FROM (SELECT * FROM {relative} OFFSET 0) r WHERE {condition}");
        let found: Option<Vec<f64>> = one(&mut client, &narrowed);
        assert_eq!(found, one::<Option<Vec<f64>>>(&mut client, &checked), "{condition}");
        assert_eq!(found.is_some(), !condition.contains("'b'"), "{condition}");
    }
    // What was known after all cutoffs is not looked at.
    let looked_at = |client: &mut Client, arguments: &str| {
        let sql =
            format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT value FROM timedb.read_relative({arguments})");
        let lines = client.query(&sql, &[]).expect("a plan");
        let rows = lines.iter().find_map(|line| {
            line.get::<_, String>(0)
                .trim()
                .strip_prefix("Stored Rows: ")
                .map(str::to_owned)
        });
        rows.expect("they are counted").parse::<i64>().expect("a number")
    };
    assert_eq!(looked_at(&mut client, "lead => '3 hours'"), 20);
    let end = (hour(9) + 0.hours()).to_string();
    let far = looked_at(&mut client, &format!("lead => '80 hours', end_valid => '{end}'"));
    assert!(far < 8, "{far}");
}
