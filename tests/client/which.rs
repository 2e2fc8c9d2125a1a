//! Which series, runs and corrections a read is of: by labels, by run_ids and workflow_id, by `corrections`; whether stored as
//! rows or packed, read by the node, the function or as Arrow.

use jiff::Timestamp;
use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Refusal, one, refused, run};
use uuid::Uuid;

use crate::support::{hour, update, value_row, value_update};

/// What a read with these arguments shows.
#[track_caller]
fn values(client: &mut Client, arguments: &str) -> Vec<f64> {
    let sql = format!(
        "SELECT coalesce(array_agg(r.value ORDER BY r.series_id, r.valid_time), '{{}}') FROM timedb.read({arguments}) r"
    );
    let of_node: Vec<f64> = one(client, &sql);
    run(client, "SET timedb.enable_scan = off");
    let of_function: Vec<f64> = one(client, &sql);
    run(client, "RESET timedb.enable_scan");
    assert_eq!(of_node, of_function, "{arguments}");
    of_node
}

#[track_caller]
fn refuse(client: &mut Client, arguments: &str) -> Refusal {
    refused(client.query(&format!("SELECT * FROM timedb.read({arguments})"), &[]))
}

fn upload(client: &mut Client, known: Timestamp, workflow: Option<&str>, rows: serde_json::Value) -> Uuid {
    let sql = "SELECT run_id FROM timedb.upload(now(), $1, known_time => $2, workflow_id => $3)";
    client
        .query_one(sql, &[&rows, &known, &workflow])
        .expect("a run")
        .get(0)
}

#[test]
fn labels_are_of_series_that_contain_them_among_those_that_are_named() {
    let database = Database::fresh("labels of reads");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut value = 0.0;
    let ids: Vec<Uuid> = [
        ("wind", "{}"),
        ("wind", r#"{"site": "north"}"#),
        ("wind", r#"{"site": "north", "kind": "forecast", "level": 1.50}"#),
        ("sun", r#"{"site": "south", "tags": ["a", "b"]}"#),
    ]
    .into_iter()
    .map(|(key, labels)| {
        let id: Uuid = one(
            &mut client,
            &format!("SELECT timedb.create_series('{key}', labels => '{labels}')"),
        );
        value += 1.0;
        let row = json!([{"series_id": id.to_string(), "valid_time": hour(0).to_string(), "value": value}]);
        upload(&mut client, hour(0), None, row);
        id
    })
    .collect();
    let north = r#"labels => '{"site": "north"}'"#;
    for (arguments, expected) in [
        ("", &[1.0, 2.0, 3.0, 4.0][..]),
        ("labels => NULL", &[1.0, 2.0, 3.0, 4.0]),
        ("labels => '{}'", &[1.0, 2.0, 3.0, 4.0]),
        ("labels => 'null'", &[1.0, 2.0, 3.0, 4.0]),
        (north, &[2.0, 3.0]),
        (r#"labels => '{"kind": "forecast", "site": "north"}'"#, &[3.0]),
        (r#"labels => '{"level": 1.5}'"#, &[3.0]),
        (r#"labels => '{"level": "1.5"}'"#, &[]),
        (r#"labels => '{"tags": ["b"]}'"#, &[4.0]),
        (r#"labels => '{"site": "west"}'"#, &[]),
        (&format!("{north}, series_keys => '{{sun}}'"), &[]),
        (&format!("{north}, series_keys => '{{wind,sun}}'"), &[2.0, 3.0]),
        (&format!("{north}, series_keys => '{{}}'"), &[]),
        (&format!("{north}, series_ids => '{{{},{}}}'", ids[0], ids[1]), &[2.0]),
        (
            &format!("{north}, series_keys => '{{sun}}', series_ids => '{{{}}}'", ids[2]),
            &[3.0],
        ),
    ] {
        assert_eq!(values(&mut client, arguments), expected, "{arguments}");
    }
    let found: f64 = one(
        &mut client,
        &format!(
            "SELECT r.value FROM timedb.read({north}) r WHERE r.series_id = '{}'",
            ids[2]
        ),
    );
    assert_eq!(found, 3.0);
    // As they are stored, in the answer and in the view.
    for source in ["timedb.read()", "timedb.current_values"] {
        let sql = format!("SELECT count(*) FROM {source} r JOIN timedb.series s USING (series_id, labels)");
        assert_eq!(one::<i64>(&mut client, &sql), 4, "{source}");
    }
    let text: String = one(
        &mut client,
        "SELECT r.labels::text FROM timedb.read(labels => '{\"level\": 1.5}') r",
    );
    assert_eq!(text, r#"{"kind": "forecast", "site": "north", "level": 1.50}"#);
}

#[test]
fn runs_and_workflows_that_are_not_asked_for_might_as_well_not_be_there() {
    let database = Database::fresh("runs of reads");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let rows = |value: f64| json!([value_row("a", hour(0), value), value_row("b", hour(0), value)]);
    let first = upload(&mut client, hour(0), Some("night"), rows(1.0));
    let second = upload(&mut client, hour(1), None, rows(2.0));
    let third = upload(&mut client, hour(2), Some("night"), rows(3.0));
    let fourth = upload(&mut client, hour(2), Some("day"), rows(4.0));
    let runs = |runs: &[Uuid]| {
        let runs: Vec<String> = runs.iter().map(Uuid::to_string).collect();
        format!("run_ids => '{{{}}}'", runs.join(","))
    };
    let unknown = Uuid::now_v7();
    for is_packed in [false, true] {
        if is_packed {
            run(&mut client, "SELECT timedb.compact(older_than => '0')");
        }
        for (arguments, expected) in [
            (String::new(), &[4.0][..]),
            ("run_ids => NULL, workflow_id => NULL".into(), &[4.0]),
            ("workflow_id => ''".into(), &[4.0]),
            (runs(&[first]), &[1.0]),
            (runs(&[first, second, first]), &[2.0]),
            (runs(&[first, third]), &[3.0]),
            (runs(&[unknown]), &[]),
            (runs(&[unknown, second]), &[2.0]),
            (runs(&[]), &[]),
            (
                format!("{}, mode => 'overlapping'", runs(&[first, third, fourth])),
                &[1.0, 3.0, 4.0],
            ),
            (format!("{}, end_known => '{}'", runs(&[first, third]), hour(2)), &[1.0]),
            ("workflow_id => 'night'".into(), &[3.0]),
            ("workflow_id => 'api-workflow'".into(), &[2.0]),
            ("workflow_id => 'none'".into(), &[]),
            (format!("workflow_id => 'night', end_known => '{}'", hour(2)), &[1.0]),
            ("workflow_id => 'night', mode => 'overlapping'".into(), &[1.0, 3.0]),
            (
                format!("workflow_id => 'night', {}", runs(&[first, second, fourth])),
                &[1.0],
            ),
        ] {
            let expected = expected.repeat(2);
            let mut shown = values(&mut client, &arguments);
            shown.sort_by(f64::total_cmp);
            let mut expected: Vec<f64> = expected;
            expected.sort_by(f64::total_cmp);
            assert_eq!(shown, expected, "{arguments}");
        }
    }
}

/// Known on Monday, corrected on Friday: what was shown on Tuesday.
#[test]
fn known_corrections_count_since_they_were_made() {
    let database = Database::fresh("corrections");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let run_id = upload(
        &mut client,
        hour(0),
        None,
        json!([value_row("a", hour(0), 1), value_row("a", hour(1), 1)]),
    );
    let series: Uuid = one(&mut client, "SELECT series_id FROM timedb.series");
    let fields = json!({"value": 2.0, "annotation": "corrected"});
    update(&mut client, &json!([value_update(run_id, series, hour(0), fields)]));
    update(
        &mut client,
        &json!([value_update(run_id, series, hour(5), json!({"value": 9.0}))]),
    );
    let corrected: Timestamp = one(
        &mut client,
        "SELECT max(change_time) FROM timedb.read(end_valid => '2025-01-01T01:00Z')",
    );
    for is_packed in [false, true] {
        if is_packed {
            run(&mut client, "SELECT timedb.compact(older_than => '0')");
        }
        let then = format!("end_known => '{}'", hour(10));
        for (arguments, expected) in [
            (then.clone(), &[2.0, 1.0, 9.0][..]),
            (format!("{then}, corrections => 'all'"), &[2.0, 1.0, 9.0]),
            (format!("{then}, corrections => NULL"), &[2.0, 1.0, 9.0]),
            (format!("{then}, corrections => 'known'"), &[1.0, 1.0]),
            (
                format!("{then}, corrections => 'known', mode => 'overlapping'"),
                &[1.0, 1.0],
            ),
            (
                format!("{then}, corrections => 'known', all_versions => true"),
                &[1.0, 1.0],
            ),
            ("corrections => 'known'".into(), &[2.0, 1.0, 9.0]),
            (
                format!("corrections => 'known', start_known => '{}'", hour(0)),
                &[2.0, 1.0, 9.0],
            ),
            (format!("corrections => 'known', start_known => '{}'", hour(1)), &[]),
            // The end itself is not in the window.
            (
                format!("corrections => 'known', end_known => '{corrected}'"),
                &[1.0, 1.0],
            ),
            (
                format!("corrections => 'known', end_known => timestamptz '{corrected}' + interval '1 us'"),
                &[2.0, 1.0],
            ),
            // What was to be known is asked of the run, and of the correction.
            (format!("corrections => 'known', end_known => '{}'", hour(0)), &[]),
        ] {
            assert_eq!(values(&mut client, &arguments), expected, "{arguments} {is_packed}");
        }
        let sql = format!(
            "SELECT count(*) FROM timedb.read({then}, corrections => 'known') r WHERE r.known_time < '{}'",
            hour(1)
        );
        assert_eq!(one::<i64>(&mut client, &sql), 2);
    }
}

#[test]
fn what_an_argument_cannot_be_is_said_of_it() {
    let database = Database::fresh("bad filters");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    for labels in ["[]", "1", "\"site\"", "true"] {
        refuse(&mut client, &format!("labels => '{labels}'"))
            .code("22023")
            .message("\"labels\" must be a JSON object");
    }
    refuse(&mut client, "labels => jsonb_build_object('a', repeat('x', 2000))")
        .code("54000")
        .message("\"labels\" is larger than 2000 bytes");
    refuse(&mut client, "run_ids => '{NULL}'")
        .code("22004")
        .message("\"run_ids\" must not contain null");
    refuse(&mut client, "workflow_id => repeat('x', 501)")
        .code("54000")
        .message("\"workflow_id\" is longer than 500 bytes");
    for corrections in ["", "none", "All"] {
        refuse(&mut client, &format!("corrections => '{corrections}'"))
            .code("22023")
            .message("\"corrections\" must be \"all\" or \"known\"");
    }
}
