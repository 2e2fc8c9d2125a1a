//! `latest` is the last row that a flat read shows of each series.

use postgres::types::ToSql;
use proptest::prelude::*;
use proptest::sample::select;
use timedb_testkit::{Database, Stage, one, refused, run};

use super::ask;
use super::world::{Shown, moment, quarter};

#[derive(Clone, Debug)]
struct Question {
    before: Option<i64>,
    choice: &'static str,
}

/// The arguments of `read` of today that choose, and those of `latest`.
const CHOICES: [&str; 5] = [
    "",
    ", series_keys => '{a}'",
    ", series_keys => '{ä, none, a}'",
    ", series_keys => '{}'",
    ", series_ids => array(SELECT series_id FROM timedb.list_series('{\"m\": \"x\"}'))",
];

#[test]
fn latest_is_the_last_row_that_a_flat_read_shows_of_each_series() {
    let before = prop::option::weighted(0.7, moment());
    let question = (before, select(CHOICES.to_vec())).prop_map(|(before, choice)| Question { before, choice });
    ask("latest", question, |world, question| {
        let before = question.before.map(quarter);
        let given: [&(dyn ToSql + Sync); 1] = [&before];
        let mut expected: Vec<Shown> = Vec::new();
        for row in world.flat(&format!("end_valid => $1{}", question.choice), &given) {
            match expected.last_mut() {
                Some(last) if last.series == row.series => *last = row,
                _ => expected.push(row),
            }
        }
        let sql = format!("SELECT * FROM timedb.latest(before => $1{})", question.choice);
        let rows = world.client.query(&sql, &given).expect("it answers");
        let found: Vec<Shown> = rows.iter().map(Shown::of).collect();
        prop_assert_eq!(&found, &expected);
        Ok(!expected.is_empty())
    });
}

#[test]
fn latest_takes_labels_and_refuses_what_is_none_by_name() {
    let database = Database::fresh("latest arguments");
    let (alice, _) = database.two_tenants();
    let mut alice = database.authenticated(&alice);
    run(
        &mut alice,
        "SELECT timedb.upload(now(), json_build_array(json_build_object('valid_time', '2025-01-01', 'value', n, \
           'series_id', timedb.create_series('s' || n, labels => json_build_object('n', n)::jsonb)))) \
         FROM generate_series(1, 3) AS n",
    );
    let of = |client: &mut postgres::Client, arguments: &str| -> String {
        let sql = format!("SELECT coalesce(string_agg(series_key, ' '), '') FROM timedb.latest({arguments})");
        one(client, &sql)
    };
    assert_eq!(of(&mut alice, ""), "s1 s2 s3");
    assert_eq!(of(&mut alice, "labels => '{\"n\": 2.0}'"), "s2");
    assert_eq!(of(&mut alice, "'{s1,s2}', labels => '{\"n\": 2.0}'"), "s2");
    assert_eq!(of(&mut alice, "'{s1}', labels => '{\"n\": 2.0}'"), "");
    let labels = "SELECT string_agg(labels ->> 'n', ' ') FROM timedb.latest()";
    assert_eq!(one::<String>(&mut alice, labels), "1 2 3", "in the order of the series");
    assert_eq!(of(&mut alice, "null, null, null, null"), "s1 s2 s3");
    assert_eq!(of(&mut alice, "before => '2025-01-01'"), "");
    assert_eq!(of(&mut alice, "before => '2025-01-01 00:00:00.000001'"), "s1 s2 s3");
    for (arguments, code, message) in [
        (
            "before => 'infinity'",
            "22008",
            "\"before\" is infinite or out of range",
        ),
        ("labels => '[]'", "22023", "\"labels\" must be a JSON object"),
        ("'{null}'", "22004", "\"series_keys\" must not contain null"),
        (
            "series_ids => '{null}'",
            "22004",
            "\"series_ids\" must not contain null",
        ),
    ] {
        let sql = format!("SELECT * FROM timedb.latest({arguments})");
        refused(alice.query(&sql, &[])).code(code).message(message);
    }
    refused(
        database
            .login("app")
            .query("SELECT * FROM timedb.latest(labels => '[]')", &[]),
    )
    .code("28000");
}

/// A short read beside a long history: what is looked at is what reaches the end.
#[test]
fn latest_reads_neither_the_history_nor_another_tenants() {
    let stage = Stage::set("latest of a history");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    run(
        &mut alice,
        "SELECT timedb.upload_points(now(), array_fill('alice'::text, ARRAY[48]), \
           array(SELECT '2024-01-01'::timestamptz + (n + h) * interval '1 hour' FROM generate_series(0, 47) AS h), \
           array(SELECT n::float8 FROM generate_series(0, 47)), known_time => '2024-01-01'::timestamptz + n * interval '1 hour') \
         FROM generate_series(1, 400) AS n",
    );
    let read = "SELECT value FROM timedb.latest(series_ids => ARRAY[$1::uuid], before => '2024-01-17')";
    let value = |client: &mut postgres::Client| -> Option<f64> {
        let row = client.query_opt(read, &[&stage.alices.series_id]).expect("it answers");
        row.map(|row| row.get(0))
    };
    for compacted in [false, true] {
        if compacted {
            run(&mut alice, "SELECT timedb.compact(older_than => '0')");
        }
        assert_eq!(value(&mut alice), Some(383.0), "compacted: {compacted}");
        assert_eq!(value(&mut bob), None);
    }
    run(&mut alice, "BEGIN READ ONLY");
    assert_eq!(value(&mut alice), Some(383.0));
    run(&mut alice, "COMMIT");
}
