//! Uploads that leave out what is unchanged.

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Database, Notices, one, refused, run};
use uuid::Uuid;

use crate::support::{hour, row_counts, value_row};

#[derive(Debug, PartialEq)]
struct Told {
    made: bool,
    message: String,
    written: i64,
    skipped: i64,
}

fn told(written: i64, skipped: i64) -> Told {
    let message = match written {
        0 => "Nothing changed",
        _ => "Run created successfully",
    };
    Told {
        made: written > 0,
        message: message.into(),
        written,
        skipped,
    }
}

fn told_by(row: &postgres::Row) -> Told {
    Told {
        made: row.get::<_, Option<Uuid>>(0).is_some(),
        message: row.get(1),
        written: row.get(2),
        skipped: row.get(3),
    }
}

/// An upload of these rows, known at an hour, that leaves out what is unchanged or does not.
#[track_caller]
fn upload(client: &mut Client, known: i64, rows: &Value, skips: bool) -> Told {
    let sql = "SELECT run_id, message, written, skipped \
               FROM timedb.upload(now(), $1, known_time => $2, skip_unchanged => $3)";
    let row = client.query_one(sql, &[rows, &hour(known), &skips]);
    told_by(&row.unwrap_or_else(|error| panic!("the upload fails: {error:?}")))
}

/// Values of one series from hour 0 on.
fn values(values: &[Value]) -> Value {
    let row = |(hours, value): (i64, &Value)| value_row("wind", hour(hours), value.clone());
    Value::from_iter((0..).zip(values).map(row))
}

fn stored(database: &Database) -> (i64, i64) {
    let mut admin = database.admin();
    let values = "SELECT coalesce(sum(timedb.count_points(points)), 0)::int8 FROM timedb.values";
    (
        one(&mut admin, values),
        one(&mut admin, "SELECT count(*) FROM timedb.runs"),
    )
}

#[test]
fn what_is_shown_already_is_left_out_and_a_run_without_anything_new_is_not_made() {
    let database = Database::fresh("nothing changed");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let three = values(&[json!(0), json!(1), json!(2)]);
    assert_eq!(
        upload(&mut client, 6, &three, true),
        told(3, 0),
        "of nothing all is new"
    );
    assert_eq!(stored(&database), (3, 1));
    assert_eq!(upload(&mut client, 7, &three, true), told(0, 3));
    assert_eq!(stored(&database), (3, 1));
    let second = values(&[json!(0), json!(51), json!(2)]);
    assert_eq!(upload(&mut client, 7, &second, true), told(1, 2));
    assert_eq!(stored(&database), (4, 2));
    assert_eq!(
        upload(&mut client, 7, &second, true),
        told(0, 3),
        "known at the same time counts"
    );
    assert_eq!(
        upload(&mut client, 6, &three, true),
        told(0, 3),
        "what is known later does not"
    );
    assert_eq!(upload(&mut client, 8, &three, false), told(3, 0));
    assert_eq!(stored(&database), (7, 3));
    let shown: Vec<f64> = one(
        &mut client,
        "SELECT array_agg(value ORDER BY valid_time) FROM timedb.read()",
    );
    assert_eq!(shown, [0.0, 1.0, 2.0]);
    // So too of packs.
    run(&mut client, "SELECT timedb.compact(older_than => '-1 day')");
    assert!(one::<i64>(&mut database.admin(), "SELECT count(*) FROM timedb.packs") > 0);
    assert_eq!(upload(&mut client, 9, &three, true), told(0, 3));
    assert_eq!(upload(&mut client, 7, &second, true), told(0, 3));
    assert_eq!(upload(&mut client, 9, &second, true), told(1, 2));
    assert_eq!(upload(&mut client, 9, &json!([]), true), told(0, 0));
}

#[test]
fn a_nan_is_unchanged_as_a_nan_and_a_null_as_a_null_and_zeros_of_two_signs_are_two() {
    let database = Database::fresh("unchanged by bits");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let first = values(&[json!("NaN"), json!(null), json!(0.0), json!("Infinity"), json!(-0.0)]);
    assert_eq!(upload(&mut client, 1, &first, true), told(5, 0));
    assert_eq!(upload(&mut client, 2, &first, true), told(0, 5));
    let second = values(&[json!(null), json!("NaN"), json!(-0.0), json!("-Infinity"), json!(-0.0)]);
    assert_eq!(upload(&mut client, 3, &second, true), told(4, 1));
}

#[test]
fn an_interval_is_another_value_than_a_moment() {
    let database = Database::fresh("unchanged intervals");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let until = |hours: Option<i64>| {
        let mut row = value_row("wind", hour(0), 1);
        row["valid_time_end"] = json!(hours.map(|hours| hour(hours).to_string()));
        row
    };
    let rows = json!([until(None), until(Some(1))]);
    assert_eq!(upload(&mut client, 1, &rows, true), told(2, 0));
    assert_eq!(
        upload(
            &mut client,
            2,
            &json!([until(Some(1)), until(Some(2)), until(None)]),
            true
        ),
        told(1, 2)
    );
}

#[test]
fn a_value_of_which_something_else_is_said_is_written() {
    let database = Database::fresh("unchanged remarks");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let said = |fields: Value| {
        let mut row = value_row("wind", hour(0), 1);
        row.as_object_mut()
            .expect("a row")
            .extend(fields.as_object().expect("fields").clone());
        json!([row])
    };
    let noted = said(json!({"annotation": "seen", "tags": ["a"]}));
    assert_eq!(upload(&mut client, 1, &noted, true), told(1, 0));
    for (fields, expected) in [
        (json!({"annotation": "seen", "tags": ["A "]}), told(0, 1)),
        (json!({}), told(0, 1)),
        (json!({"tags": ["a"]}), told(0, 1)),
        (json!({"annotation": null}), told(0, 1)),
        (json!({"tags": ["b"]}), told(1, 0)),
        (json!({"annotation": "seen"}), told(1, 0)),
    ] {
        assert_eq!(
            upload(&mut client, 1, &said(fields.clone()), true),
            expected,
            "{fields}"
        );
    }
}

#[test]
fn every_form_of_upload_leaves_out_what_is_unchanged_of_all_its_series() {
    let database = Database::fresh("unchanged in every form");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let series: Vec<String> = (0..50).map(|number| format!("s{number}")).collect();
    let rows = |changed: usize| {
        let row = |(number, key): (usize, &String)| {
            let hours = number as i64 % 3;
            value_row(key, hour(hours), if number == changed { 7 } else { 1 })
        };
        Value::from_iter(series.iter().enumerate().map(row))
    };
    assert_eq!(upload(&mut client, 1, &rows(99), true), told(50, 0));
    assert_eq!(upload(&mut client, 2, &rows(17), true), told(1, 49));
    let arrays = "SELECT run_id, message, written, skipped FROM timedb.upload_points(now(), $1, \
                  array_fill(timestamptz '2025-01-01 00:00Z', ARRAY[2]), ARRAY[1, $2::float8], skip_unchanged => true)";
    let keys = ["s0", "s3"];
    let row = client.query_one(arrays, &[&&keys[..], &1.0]).expect("it is taken");
    assert_eq!(told_by(&row), told(0, 2));
    let row = client.query_one(arrays, &[&&keys[..], &2.0]).expect("it is taken");
    assert_eq!(told_by(&row), told(1, 1));
    let null = "SELECT run_id, message, written, skipped FROM timedb.upload(now(), '[]', skip_unchanged => NULL)";
    let row = client.query_one(null, &[]).expect("null is the default");
    assert_eq!((told_by(&row).made, told_by(&row).written), (true, 0));
}

#[test]
fn runs_of_one_call_leave_out_what_is_unchanged_as_if_they_came_one_after_the_other() {
    let database = Database::fresh("unchanged runs");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    assert_eq!(upload(&mut client, 4, &values(&[json!(5)]), false), told(1, 0));
    let known = |known: i64, value: i64| {
        let mut row = value_row("wind", hour(0), value);
        row["known_time"] = json!(hour(known).to_string());
        row
    };
    // Of hour 4 there is a 5. Not in the order of known times.
    let rows = json!([
        known(3, 1),
        known(1, 1),
        known(2, 1),
        known(5, 1),
        known(6, 5),
        known(4, 5),
        known(7, 5)
    ]);
    let sql = "SELECT known_time, run_id IS NOT NULL, value_count, skipped \
               FROM timedb.upload_runs($1, skip_unchanged => true)";
    let runs = client.query(sql, &[&rows]).expect("they are taken");
    let of = |row: &postgres::Row| (row.get::<_, bool>(1), row.get::<_, i64>(2), row.get::<_, i64>(3));
    let (new, same) = ((true, 1, 0), (false, 0, 1));
    let expected = [new, same, same, same, new, new, same];
    assert_eq!(runs.iter().map(of).collect::<Vec<_>>(), expected);
    assert_eq!(stored(&database), (4, 4));
}

#[test]
fn a_snapshot_that_may_be_older_is_refused_and_nothing_is_stored() {
    let database = Database::fresh("unchanged and snapshots");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let before = row_counts(&mut database.admin());
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        run(&mut client, &format!("BEGIN ISOLATION LEVEL {level}"));
        let sql = "SELECT timedb.upload(now(), $1, skip_unchanged => true)";
        refused(client.query(sql, &[&values(&[json!(1)])]))
            .code("0A000")
            .message("\"skip_unchanged\" needs a transaction that is READ COMMITTED");
        run(&mut client, "ROLLBACK");
    }
    assert_eq!(row_counts(&mut database.admin()), before);
}

#[test]
fn a_run_known_far_ahead_is_warned_of_only_where_it_is_made() {
    let database = Database::fresh("unchanged and far ahead");
    let (alice, _) = database.two_tenants();
    let mut config: postgres::Config = database.url("app").parse().expect("a URL");
    let notices = Notices::of(&mut config);
    let mut client = config.connect(postgres::NoTls).expect("it connects");
    timedb_testkit::login(&mut client, &alice, false);
    let far = 24 * 365 * 900;
    let three = values(&[json!(0), json!(1), json!(2)]);
    assert_eq!(upload(&mut client, 1, &three, true), told(3, 0));
    notices.take();
    assert_eq!(upload(&mut client, far, &three, true), told(0, 3));
    assert!(notices.take().is_empty(), "nothing is known then");
    assert_eq!(upload(&mut client, far, &values(&[json!(7)]), true), told(1, 0));
    notices.assert_heard("01000");
    // Of several runs, that which is made.
    let known = |known: i64, value: i64| {
        let mut row = value_row("wind", hour(1), value);
        row["known_time"] = json!(hour(known).to_string());
        row
    };
    let runs = json!([known(2, 5), known(far, 5)]);
    run(&mut client, "BEGIN");
    client
        .query("SELECT timedb.upload_runs($1, skip_unchanged => true)", &[&runs])
        .expect("they are taken");
    assert!(notices.take().is_empty(), "the later one is not made");
    run(&mut client, "ROLLBACK");
}
