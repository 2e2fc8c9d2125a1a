//! `read_buckets` against the same sums by Postgres' own aggregates, over what a flat read shows.

use jiff::Timestamp;
use postgres::types::ToSql;
use proptest::prelude::*;
use proptest::sample::select;
use timedb_testkit::{Database, one, refused, run};
use uuid::Uuid;

use super::ask;
use super::world::{World, ZONES, quarter};

#[derive(Clone, Debug)]
struct Question {
    bucket: &'static str,
    aggregate: &'static str,
    zone: &'static str,
    start: i64,
    length: i64,
    arguments: &'static str,
}

/// Of days and longer where date_trunc says that a bucket begins; shorter ones are of one length.
const BUCKETS: [(&str, Option<&str>); 10] = [
    ("1 day", Some("day")),
    ("7 days", Some("week")),
    ("1 month", Some("month")),
    ("3 months", Some("quarter")),
    ("1 year", Some("year")),
    ("15 minutes", None),
    ("1 hour", None),
    ("90 minutes", None),
    ("6 hours", None),
    ("24 hours", None),
];

/// By Postgres' own aggregates, of the values of one bucket.
const AGGREGATES: [(&str, &str); 7] = [
    ("mean", "avg(value ORDER BY n)"),
    ("min", "min(value)"),
    ("max", "max(value)"),
    ("sum", "sum(value ORDER BY n)"),
    ("count", "count(value)::float8"),
    ("first", "(array_agg(value ORDER BY n))[1]"),
    ("last", "(array_agg(value ORDER BY n DESC))[1]"),
];

/// Arguments of `read`, which `read_buckets` takes too.
const ARGUMENTS: [&str; 6] = [
    "",
    ", labels => '{\"n\": 1}'",
    ", series_keys => '{a}', labels => '{\"n\": 1}'",
    ", end_known => '2025-03-28T00:00Z'",
    ", start_known => '2025-03-28T00:00Z', corrections => 'known'",
    ", workflow_id => 'api-workflow', as_of => now()",
];

/// A row of an answer: series, bucket, value and count.
type Bucket = (Uuid, Timestamp, Timestamp, f64, i64);

fn bucket(row: &postgres::Row) -> Bucket {
    (
        row.get("series_id"),
        row.get("bucket_start"),
        row.get("bucket_end"),
        row.get("value"),
        row.get("value_count"),
    )
}

/// Sums in another order are alike, not the same.
fn are_alike(one: f64, other: f64) -> bool {
    let scale = one.abs().max(other.abs()).max(1.0);
    one == other || one.is_nan() && other.is_nan() || (one - other).abs() <= 1e-9 * scale
}

fn assert_alike(found: &[Bucket], expected: &[Bucket]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len(), "{:?}\n{:?}", found, expected);
    for (found, expected) in found.iter().zip(expected) {
        let same = (found.0, found.1, found.2, found.4) == (expected.0, expected.1, expected.2, expected.4);
        prop_assert!(same && are_alike(found.3, expected.3), "{:?}\n{:?}", found, expected);
    }
    Ok(())
}

fn question() -> impl Strategy<Value = Question> {
    let aggregates: Vec<&str> = AGGREGATES
        .iter()
        .map(|(name, _)| *name)
        .chain(["time_weighted"; 4])
        .collect();
    let buckets: Vec<&str> = BUCKETS.iter().map(|(name, _)| *name).collect();
    let window = (-100..900i64, prop_oneof![1..100i64, 100..1200i64]);
    (
        select(buckets),
        select(aggregates),
        select(ZONES.to_vec()),
        window,
        select(ARGUMENTS.to_vec()),
    )
        .prop_map(|(bucket, aggregate, zone, (start, length), arguments)| Question {
            bucket,
            aggregate,
            zone,
            start,
            length,
            arguments,
        })
}

/// Where a bucket begins and ends, as SQL, of a time of a row.
fn bounds(question: &Question, time: &str) -> (String, String) {
    let zone = question.zone;
    let calendar = BUCKETS
        .iter()
        .find(|(name, _)| *name == question.bucket)
        .and_then(|(_, field)| *field);
    match calendar {
        Some(field) => {
            let start = format!("date_trunc('{field}', {time}, '{zone}')");
            let end = format!(
                "(({start} AT TIME ZONE '{zone}') + interval '{}') AT TIME ZONE '{zone}'",
                question.bucket
            );
            (start, end)
        }
        None => {
            let origin = format!("timestamp '2001-01-01' AT TIME ZONE '{zone}'");
            let start = format!("date_bin('{}', {time}, {origin})", question.bucket);
            let end = format!("{start} + interval '{}'", question.bucket);
            (start, end)
        }
    }
}

fn expected(world: &mut World, question: &Question, given: &[&(dyn ToSql + Sync)]) -> Vec<Bucket> {
    if question.aggregate == "time_weighted" {
        return expected_by_time(world, question, given);
    }
    let (start, end) = bounds(question, "valid_time");
    let aggregate = AGGREGATES
        .iter()
        .find(|(name, _)| *name == question.aggregate)
        .expect("it is one")
        .1;
    let sql = format!(
        "SELECT series_id, bucket_start, bucket_end, {aggregate} AS value, count(value) AS value_count \
         FROM (SELECT series_id, series_key, value, row_number() OVER () AS n, {start} AS bucket_start, {end} AS bucket_end \
               FROM timedb.read($1, $2{})) AS r \
         WHERE value IS NOT NULL \
         GROUP BY series_key, series_id, bucket_start, bucket_end ORDER BY series_key COLLATE \"C\", series_id, bucket_start",
        question.arguments
    );
    world
        .client
        .query(&sql, given)
        .expect("it reads")
        .iter()
        .map(bucket)
        .collect()
}

/// Each value is cut into quarters of an hour, which no bucket and no value of the world divides.
fn expected_by_time(world: &mut World, question: &Question, given: &[&(dyn ToSql + Sync)]) -> Vec<Bucket> {
    let (_, bucket_end) = bounds(question, "valid_time");
    let (start, end) = bounds(question, "quarter");
    let sql = format!(
        "SELECT series_id, {start} AS bucket_start, {end} AS bucket_end, avg(value) AS value, count(DISTINCT n) AS value_count \
         FROM (SELECT series_id, series_key, value, valid_time, n, \
                 least($2, coalesce(valid_time_end, lead(valid_time) OVER (PARTITION BY series_id ORDER BY n), {bucket_end})) AS until \
               FROM (SELECT *, row_number() OVER () AS n FROM timedb.read($1, $2{})) AS r) AS r, \
              LATERAL generate_series(valid_time, until - interval '1 microsecond', interval '15 minutes') AS quarter \
         WHERE value IS NOT NULL \
         GROUP BY series_key, series_id, bucket_start, bucket_end ORDER BY series_key COLLATE \"C\", series_id, bucket_start",
        question.arguments
    );
    world
        .client
        .query(&sql, given)
        .expect("it reads")
        .iter()
        .map(bucket)
        .collect()
}

#[test]
fn read_buckets_is_what_aggregates_say_of_a_flat_read() {
    ask("buckets", question(), |world, question| {
        let (start, end) = (quarter(question.start), quarter(question.start + question.length));
        let given: [&(dyn ToSql + Sync); 2] = [&start, &end];
        let expected = expected(world, question, &given);
        let sql = format!(
            "SELECT * FROM timedb.read_buckets('{}', '{}', '{}', $1, $2{})",
            question.bucket, question.aggregate, question.zone, question.arguments
        );
        let rows = world.client.query(&sql, &given).expect("it answers");
        let found: Vec<Bucket> = rows.iter().map(bucket).collect();
        assert_alike(&found, &expected)?;
        Ok(!expected.is_empty())
    });
}

#[test]
fn a_day_of_a_zone_has_23_or_25_hours_and_an_open_window_all_of_them() {
    let database = Database::fresh("days of buckets");
    let (alice, _) = database.two_tenants();
    let mut alice = database.authenticated(&alice);
    run(
        &mut alice,
        "SELECT timedb.upload_points(now(), array_fill('hours'::text, ARRAY[8760]), \
           array(SELECT '2024-12-31T23:00Z'::timestamptz + h * interval '1 hour' FROM generate_series(0, 8759) AS h), \
           array_fill(2::float8, ARRAY[8760]))",
    );
    let sql = "SELECT count(*)::text || ' ' || string_agg(value_count::text, ',') FILTER (WHERE value_count <> 24) \
               FROM timedb.read_buckets('1 day', 'sum', 'Europe/Berlin') WHERE value = 2 * value_count";
    assert_eq!(one::<String>(&mut alice, sql), "365 23,25");
    let sql = "SELECT count(*) FROM timedb.read_buckets('1 day', 'time_weighted', 'Europe/Berlin') WHERE value = 2";
    assert_eq!(one::<i64>(&mut alice, sql), 365);
    let sql = "SELECT series_key || ' ' || unit || ' ' || bucket_start || ' ' || bucket_end || ' ' || value \
               FROM timedb.read_buckets('1 month', null, null, end_valid => '2025-01-01T00:00Z')";
    run(&mut alice, "SET timezone = 'UTC'");
    assert_eq!(
        one::<String>(&mut alice, sql),
        "hours dimensionless 2024-12-01 00:00:00+00 2025-01-01 00:00:00+00 2"
    );
}

#[test]
fn what_read_buckets_cannot_take_is_refused_by_name() {
    let database = Database::fresh("bad buckets");
    let (alice, _) = database.two_tenants();
    let mut alice = database.authenticated(&alice);
    run(
        &mut alice,
        "SELECT timedb.upload_points(now(), '{a,a}', '{2000-01-01,2025-01-01}', '{1,2}')",
    );
    let positive = "must be positive, in each of its months, days and hours";
    for (arguments, code, message) in [
        ("null", "22004", "\"bucket\" must not be null".to_owned()),
        ("'0'", "22023", format!("\"bucket\" {positive}")),
        ("'-1 day'", "22023", format!("\"bucket\" {positive}")),
        ("'1 month -1 day'", "22023", format!("\"bucket\" {positive}")),
        (
            "'1 day', 'median'",
            "22023",
            "\"aggregate\" must be one of mean, min, max, sum, count, first, last, time_weighted".to_owned(),
        ),
        (
            "'1 day', ''",
            "22023",
            "\"aggregate\" must be one of mean, min, max, sum, count, first, last, time_weighted".to_owned(),
        ),
        (
            "'1 day', time_zone => 'Mars'",
            "22023",
            "\"time_zone\" is no time zone that this server knows: \"Mars\"".to_owned(),
        ),
        (
            "'1 day', start_valid => 'infinity'",
            "22008",
            "\"start_valid\" is infinite or out of range".to_owned(),
        ),
        (
            "'1 day', as_of => '-infinity'",
            "22008",
            "\"as_of\" is infinite or out of range".to_owned(),
        ),
        (
            "'1 day', labels => '[]'",
            "22023",
            "\"labels\" must be a JSON object".to_owned(),
        ),
        (
            "'1 day', run_ids => '{null}'",
            "22004",
            "\"run_ids\" must not contain null".to_owned(),
        ),
        (
            "'1 day', corrections => 'none'",
            "22023",
            "\"corrections\" must be \"all\" or \"known\"".to_owned(),
        ),
        (
            "'1 minute', 'time_weighted'",
            "22023",
            "\"bucket\" is so short that one value holds for more than 1000000 of them".to_owned(),
        ),
    ] {
        let sql = format!("SELECT * FROM timedb.read_buckets({arguments})");
        refused(alice.query(&sql, &[])).code(code).message(&message);
    }
    refused(alice.query("SELECT * FROM timedb.read_buckets('100000 years')", &[])).code("22008");
    refused(
        database
            .login("app")
            .query("SELECT * FROM timedb.read_buckets(null)", &[]),
    )
    .code("28000");
    // Reversed and empty windows have no bucket.
    let sql =
        "SELECT count(*) FROM timedb.read_buckets('1 day', start_valid => '2026-01-01', end_valid => '2020-01-01')";
    assert_eq!(one::<i64>(&mut alice, sql), 0);
}
