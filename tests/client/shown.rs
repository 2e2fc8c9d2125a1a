//! Updates of the value that is shown, whichever run it is of, and of series by their keys and labels.

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Database, one, refused, run};
use uuid::Uuid;

use crate::support::{hour, row_counts, try_update, update, upload, value_row};

/// An element that names the series `wind` and an hour, with these fields beside.
fn of_wind(hours: i64, fields: Value) -> Value {
    let mut element = json!({"value_key": "wind", "valid_time": hour(hours).to_string()});
    element
        .as_object_mut()
        .expect("an element")
        .extend(fields.as_object().expect("fields").clone());
    element
}

fn known(client: &mut Client, known: i64, values: &[(i64, f64)]) -> Uuid {
    let rows: Vec<Value> = values
        .iter()
        .map(|(hours, value)| value_row("wind", hour(*hours), *value))
        .collect();
    let sql = "SELECT run_id FROM timedb.upload(now(), $1, known_time => $2)";
    client
        .query_one(sql, &[&json!(rows), &hour(known)])
        .expect("it is taken")
        .get(0)
}

/// The run and the status of each element.
fn answered(client: &mut Client, updates: &Value) -> Vec<(Uuid, String)> {
    let rows = client
        .query("SELECT run_id, status FROM timedb.update($1)", &[updates])
        .expect("they are taken");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn without_a_run_the_value_that_is_shown_is_corrected_whichever_run_it_is_of() {
    let database = Database::fresh("corrections of what is shown");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let newer = known(&mut client, 2, &[(10, 1.0), (11, 2.0)]);
    let older = known(&mut client, 1, &[(10, 3.0), (11, 4.0), (12, 5.0)]);
    let updates = json!([
        of_wind(12, json!({"value": 50})),
        of_wind(10, json!({"annotation": "seen"}))
    ]);
    let updated = |run| (run, "updated".to_owned());
    assert_eq!(answered(&mut client, &updates), [updated(older), updated(newer)]);
    let shown = "SELECT array_agg(value ORDER BY valid_time) FROM timedb.read()";
    assert_eq!(one::<Vec<f64>>(&mut client, shown), [1.0, 2.0, 50.0]);
    // Where the run is named as well, it is one value, and so one version.
    let mut named = of_wind(10, json!({"value": 7}));
    named["run_id"] = json!(newer.to_string());
    let updates = json!([
        of_wind(10, json!({"tags": ["a"]})),
        named,
        of_wind(10, json!({"annotation": null}))
    ]);
    assert_eq!(
        answered(&mut client, &updates),
        [updated(newer), updated(newer), updated(newer)]
    );
    let versions = "SELECT count(*) FROM timedb.read(all_versions => true) WHERE valid_time = '2025-01-01 10:00Z'";
    assert_eq!(one::<i64>(&mut client, versions), 3);
    let told =
        "SELECT value::text || coalesce(annotation, '') || tags[1] FROM timedb.read(end_valid => '2025-01-01 11:00Z')";
    assert_eq!(one::<String>(&mut client, told), "7a");
    // So too of packs, and nothing is written where nothing would change.
    run(&mut client, "SELECT timedb.compact(older_than => '-1 day')");
    let updates = json!([of_wind(12, json!({"value": 50})), of_wind(11, json!({"value": 51}))]);
    let expected = [(older, "skipped".to_owned()), updated(newer)];
    assert_eq!(answered(&mut client, &updates), expected);
}

#[test]
fn labels_name_the_series_that_is_corrected() {
    let database = Database::fresh("corrections by labels");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut north = value_row("wind", hour(0), 1.0);
    north["labels"] = json!({"site": "north"});
    let rows = json!([value_row("wind", hour(0), 2.0), north]);
    let uploaded = upload(&mut client, &rows);
    let with = |labels: Value, value: i64| of_wind(0, json!({"labels": labels, "value": value}));
    let updates = json!([with(json!({"site": "north"}), 10), with(json!({}), 20)]);
    assert_eq!(update(&mut client, &updates), ["updated", "updated"]);
    let shown = "SELECT array_agg(value ORDER BY value) FROM timedb.read()";
    assert_eq!(one::<Vec<f64>>(&mut client, shown), [10.0, 20.0]);
    let mut by_both = with(json!({"site": "north"}), 11);
    by_both["series_id"] = json!(uploaded.series("wind").to_string());
    refused(try_update(&mut client, &json!([by_both])))
        .code("22023")
        .message("updates[0].series_id: is not the series that \"value_key\" and \"labels\" name");
}

#[test]
fn what_is_not_there_is_refused_by_its_row_and_nothing_is_stored() {
    let database = Database::fresh("corrections refused");
    let (alice, bob) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    known(&mut client, 1, &[(10, 1.0)]);
    let mut of_bob = value_row("load", hour(0), 1.0);
    of_bob["labels"] = json!({"site": "north"});
    upload(
        &mut database.authenticated(&bob),
        &json!([of_bob, value_row("sun", hour(0), 1.0)]),
    );
    let before = row_counts(&mut database.admin());
    let good = of_wind(10, json!({"value": 2}));
    let other = |key: &str, fields: Value| {
        let mut element = of_wind(0, fields);
        element["value_key"] = json!(key);
        element
    };
    for (bad, code, message) in [
        (
            of_wind(11, json!({"value": 2})),
            "42704",
            "updates[1]: value \"2025-01-01T11:00:00Z\" does not exist",
        ),
        (
            other("sun", json!({"value": 2})),
            "42704",
            "updates[1].value_key: series \"sun\" does not exist",
        ),
        (
            other("rain", json!({"value": 2})),
            "42704",
            "updates[1].value_key: series \"rain\" does not exist",
        ),
        (
            other("load", json!({"value": 2, "labels": {"site": "north"}})),
            "42704",
            "updates[1].value_key: series \"load\" with these labels does not exist",
        ),
        (
            of_wind(10, json!({"labels": [1]})),
            "22023",
            "updates[1].labels: must be a JSON object",
        ),
        (
            of_wind(10, json!({"run_id": null})),
            "22004",
            "updates[1].run_id: must not be null",
        ),
        (
            json!({"valid_time": "2025-01-01", "value": 1}),
            "22023",
            "updates[1]: needs \"series_id\" or \"value_key\"",
        ),
    ] {
        refused(try_update(&mut client, &json!([good, bad])))
            .code(code)
            .message(message);
    }
    let large = of_wind(10, json!({"labels": {"a": "x".repeat(2000)}}));
    refused(try_update(&mut client, &json!([good, large])))
        .code("54000")
        .message("updates[1].labels: is larger than 2000 bytes");
    assert_eq!(row_counts(&mut database.admin()), before);
}

#[test]
fn without_a_run_a_snapshot_that_may_be_older_is_refused_and_nothing_is_stored() {
    let database = Database::fresh("corrections and snapshots");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let older = known(&mut client, 1, &[(10, 1.0), (11, 1.0)]);
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let before = row_counts(&mut database.admin());
        let mut named = of_wind(11, json!({"annotation": level}));
        named["run_id"] = json!(older.to_string());
        run(&mut client, &format!("BEGIN ISOLATION LEVEL {level}"));
        let updates = json!([named, of_wind(10, json!({"value": 2}))]);
        refused(try_update(&mut client, &updates))
            .code("0A000")
            .message("an update without \"run_id\" needs a transaction that is READ COMMITTED")
            .hint_contains("give the \"run_id\"");
        run(&mut client, "ROLLBACK");
        assert_eq!(row_counts(&mut database.admin()), before);
        run(&mut client, &format!("BEGIN ISOLATION LEVEL {level}"));
        assert_eq!(update(&mut client, &json!([named])), ["updated"]);
        run(&mut client, "COMMIT");
    }
}
