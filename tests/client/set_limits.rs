//! Limits that are settings: whoever operates the server says how much a call takes and how much a tenant may have.

use std::fs;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_ipc::writer::StreamWriter;
use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Options, Project, SHOWN_SETTINGS, one, one_of, refused, run, wait_until};
use uuid::Uuid;

use crate::support::{hour, row_counts, try_update, try_upload, update, upload, value_row, value_update};

/// Calls that ask for three of something, or more, of which two are let.
fn too_much() -> Vec<(&'static str, String, String)> {
    let keys = "ARRAY['a', 'b', 'c']";
    let times = "ARRAY['2025-01-01', '2025-01-02', '2025-01-03']::timestamptz[]";
    let points = |keys: &str| format!("SELECT timedb.upload_points(now(), {keys}, {times}, '{{1, 2, 3}}')");
    let rows = |key: fn(i64) -> String| json!([0, 1, 2].map(|at| value_row(&key(at), hour(at), at)));
    let (one_key, each_its_own) = (rows(|_| "a".into()), rows(|at| format!("series {at}")));
    let split = |setting: &str| format!("Split it over several calls, or have {setting} raised.");
    let (of_rows, of_series) = (split("timedb.max_upload_rows"), split("timedb.max_upload_series"));
    let series = Uuid::from_u128(1).to_string();
    let updates =
        json!([0, 1, 2].map(|at| json!({"series_id": series, "valid_time": hour(at).to_string(), "value": at})));
    let arrow = |key: fn(i64) -> String| {
        let hex: String = stream(key).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("'\\x{hex}'")
    };
    let (arrow_of_one, arrow_of_each) = (arrow(|_| "a".into()), arrow(|at| format!("series {at}")));
    let narrower = "Read a narrower window of valid time, or have timedb.max_read";
    vec![
        (
            "max_upload_rows",
            format!("SELECT timedb.upload(now(), '{one_key}')"),
            of_rows.clone(),
        ),
        (
            "max_upload_rows",
            format!("SELECT timedb.upload_runs('{one_key}')"),
            of_rows.clone(),
        ),
        ("max_upload_rows", points("ARRAY['a', 'a', 'a']"), of_rows.clone()),
        (
            "max_upload_rows",
            format!("SELECT timedb.upload_arrow(now(), {arrow_of_one})"),
            of_rows.clone(),
        ),
        (
            "max_upload_rows",
            format!("SELECT timedb.upload_runs_arrow({arrow_of_one})"),
            of_rows,
        ),
        (
            "max_upload_series",
            format!("SELECT timedb.upload(now(), '{each_its_own}')"),
            of_series.clone(),
        ),
        (
            "max_upload_series",
            format!("SELECT timedb.upload_runs('{each_its_own}')"),
            of_series.clone(),
        ),
        ("max_upload_series", points(keys), of_series.clone()),
        (
            "max_upload_series",
            format!("SELECT timedb.upload_arrow(now(), {arrow_of_each})"),
            of_series,
        ),
        (
            "max_updates",
            format!("SELECT timedb.update('{updates}')"),
            split("timedb.max_updates"),
        ),
        (
            "max_read_values",
            "SELECT FROM timedb.read(series_keys => '{long}')".into(),
            format!("{narrower}_values raised."),
        ),
        (
            "max_read_values",
            "SELECT FROM timedb.read_arrow(series_keys => '{long}')".into(),
            format!("{narrower}_values raised."),
        ),
        (
            "max_read_rows",
            "SELECT FROM timedb.read(series_keys => '{often}')".into(),
            "Read a narrower window of known time, or have timedb.max_read_rows raised.".into(),
        ),
    ]
}

/// An Arrow stream of three rows.
fn stream(key: fn(i64) -> String) -> Vec<u8> {
    let times = TimestampMicrosecondArray::from_iter_values((0..3).map(|at| hour(at).as_microsecond()));
    let keys = StringArray::from_iter_values((0..3).map(key));
    let columns: [(&str, ArrayRef); 3] = [
        ("valid_time", Arc::new(times)),
        ("value", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))),
        ("value_key", Arc::new(keys)),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a stream");
    writer.write(&batch).expect("it is written");
    writer.into_inner().expect("it ends")
}

/// A series of many values in one row, one of a value in each of many rows.
fn fill(client: &mut Client) {
    upload(client, &json!([0, 1, 2].map(|at| value_row("long", hour(at), at))));
    for known in 1..4 {
        let known = format!(
            "SELECT timedb.upload_points(now(), '{{often}}', '{{2025-01-01}}', '{{1}}', known_time => '2025-01-0{known}')"
        );
        run(client, &known);
    }
    upload(client, &json!([value_row("third", hour(0), 1)]));
}

#[test]
fn each_limit_of_a_call_bites_where_a_superuser_lowers_it_and_its_hint_names_it() {
    for place in ["DATABASE", "ROLE app IN DATABASE"] {
        let database = Database::fresh(&format!("limits of a {}", place.len()));
        let (alice, _) = database.two_tenants();
        fill(&mut database.authenticated(&alice));
        let mut admin = database.admin();
        let before = row_counts(&mut admin);
        for (setting, call, hint) in too_much() {
            let alter = format!("ALTER {place} \"{}\"", database.name());
            run(&mut admin, &format!("{alter} SET timedb.{setting} = 2"));
            let mut client = database.authenticated(&alice);
            refused(client.batch_execute(&call)).code("54000").hint(&hint);
            run(&mut admin, &format!("{alter} RESET timedb.{setting}"));
            assert_eq!(row_counts(&mut admin), before, "{call}");
            if setting != "max_updates" {
                run(&mut database.authenticated(&alice), &format!("BEGIN; {call}; ROLLBACK"));
            }
        }
    }
}

/// In a session that is open, too, from its next statement on.
#[test]
fn a_limit_of_the_whole_server_holds_once_it_is_reloaded() {
    let cluster = Options::default().start().expect("a server");
    let database = cluster.database("limits").expect("a database");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let rows = json!([0, 1, 2].map(|at| value_row("a", hour(at), at)));
    upload(&mut client, &rows);
    let mut admin = database.admin();
    run(&mut admin, "SELECT timedb.current_tenant()");
    run(&mut admin, "ALTER SYSTEM SET timedb.max_upload_rows = 2");
    run(&mut admin, "SELECT pg_reload_conf()");
    wait_until("the reload is seen", || {
        one::<String>(&mut client, "SHOW timedb.max_upload_rows") == "2"
    });
    refused(try_upload(&mut client, &rows))
        .code("54000")
        .message("value_rows: has more than 2 rows")
        .hint("Split it over several calls, or have timedb.max_upload_rows raised.");
    refused(try_upload(&mut database.authenticated(&alice), &rows)).code("54000");
}

#[test]
fn a_limit_has_bounds_that_nobody_leaves() {
    let database = Database::fresh("bounds of limits");
    let mut admin = database.admin();
    run(&mut admin, "SELECT timedb.current_tenant()");
    let settings = "SELECT name, min_val, max_val FROM pg_settings WHERE name LIKE 'timedb.max%' ORDER BY name";
    let rows = admin.query(settings, &[]).expect("the settings");
    assert_eq!(rows.len(), 7, "the premise");
    for row in rows {
        let (name, least, most): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        for beyond in [
            (least.parse::<i64>().expect("a number") - 1).to_string(),
            (most.parse::<i64>().expect("a number") + 1).to_string(),
        ] {
            refused(admin.batch_execute(&format!("SET {name} = {beyond}"))).code("22023");
        }
        run(
            &mut admin,
            &format!("SET {name} = {least}; SET {name} = {most}; RESET {name}"),
        );
    }
}

#[test]
fn a_tenant_makes_as_many_series_as_it_may_have_and_no_more() {
    let database = Database::fresh("series of a tenant");
    let (alice, bob) = database.two_tenants();
    upload(
        &mut database.authenticated(&bob),
        &json!([0, 1, 2, 3].map(|at| value_row(&format!("bob {at}"), hour(at), at))),
    );
    database.set("timedb.max_tenant_series", "3");
    let mut client = database.authenticated(&alice);
    run(&mut client, "SELECT timedb.create_series('first')");
    upload(&mut client, &json!([value_row("second", hour(0), 1)]));
    let labelled =
        json!([{"value_key": "second", "labels": {"site": "a"}, "valid_time": hour(0).to_string(), "value": 1}]);
    upload(&mut client, &labelled);
    let mut admin = database.admin();
    let before = row_counts(&mut admin);
    let fourth = json!([value_row("first", hour(0), 1), value_row("fourth", hour(0), 1)]);
    let labels =
        json!([{"value_key": "second", "labels": {"site": "b"}, "valid_time": hour(0).to_string(), "value": 1}]);
    for session in [&mut client, &mut database.authenticated(&alice)] {
        for call in [
            "SELECT timedb.create_series('fourth')".to_owned(),
            "SELECT timedb.create_series('first', labels => '{\"site\": \"c\"}')".to_owned(),
            format!("SELECT timedb.upload(now(), '{fourth}')"),
            format!("SELECT timedb.upload(now(), '{labels}')"),
            "SELECT timedb.upload_points(now(), '{fourth}', '{2025-01-01}', '{1}')".to_owned(),
        ] {
            refused(session.batch_execute(&call))
                .code("54000")
                .message("the tenant may have 3 series, and no more")
                .hint("Have timedb.max_tenant_series raised.");
        }
    }
    assert_eq!(row_counts(&mut admin), before, "nothing is stored");
    run(&mut client, "SELECT timedb.create_series('first')");
    upload(&mut client, &labelled);
    upload(&mut client, &json!([value_row("first", hour(0), 1)]));
    database.set("timedb.max_tenant_series", "4");
    upload(&mut database.authenticated(&alice), &fourth);
}

/// What was rolled back is not held against anybody.
#[test]
fn a_series_that_was_rolled_back_leaves_room_for_another() {
    let database = Database::fresh("series rolled back");
    let (alice, _) = database.two_tenants();
    database.set("timedb.max_tenant_series", "1");
    let mut client = database.authenticated(&alice);
    for key in ["first", "second", "third"] {
        run(
            &mut client,
            &format!("BEGIN; SELECT timedb.create_series('{key}'); ROLLBACK"),
        );
    }
    run(&mut client, "SELECT timedb.create_series('kept')");
    refused(client.batch_execute("SELECT timedb.create_series('more')")).code("54000");
}

#[test]
fn a_tenants_values_take_as_many_bytes_as_they_may_and_no_more() {
    let database = Database::fresh("bytes of a tenant");
    let (alice, bob) = database.two_tenants();
    let noise = |from: i64| {
        json!(
            (from..from + 100)
                .map(|at| value_row("noise", hour(at), (at as f64).sin()))
                .collect::<Vec<_>>()
        )
    };
    let mut bobs = database.authenticated(&bob);
    (0..50).for_each(|_| drop(upload(&mut bobs, &noise(0))));
    database.set("timedb.max_tenant_size", "8kB");
    let mut client = database.authenticated(&alice);
    let first = upload(&mut client, &json!([value_row("noise", hour(-1), 1)]));
    let mut uploads = 0;
    while let Ok(uploaded) = try_upload(&mut client, &noise(uploads * 100)) {
        assert_ne!(uploaded.message, "");
        uploads += 1;
        assert!(uploads < 12, "a hundred values of noise take more than 700 bytes");
    }
    assert!(uploads > 5, "and less than 1,300, not {uploads} times as many");
    let mut admin = database.admin();
    let before = row_counts(&mut admin);
    let series = first.series("noise");
    let of_first = |value: f64| {
        json!([value_update(
            first.run_id,
            series,
            hour(-1),
            json!({"value": value, "annotation": "a".repeat(2000)})
        )])
    };
    for session in [&mut client, &mut database.authenticated(&alice)] {
        for result in [
            try_upload(session, &noise(5000)).map(drop),
            try_update(session, &of_first(2.0)).map(drop),
        ] {
            refused(result)
                .code("54000")
                .message("the values of the tenant may take 8 kB, and no more")
                .hint("Have timedb.compact() pack what is stored, or timedb.max_tenant_size raised.");
        }
    }
    assert_eq!(row_counts(&mut admin), before, "nothing is stored");
    let none = json!([value_update(first.run_id, series, hour(-1), json!({"value": 1}))]);
    assert_eq!(update(&mut client, &none), ["skipped"]);
    let read: i64 = one(&mut client, "SELECT count(*) FROM timedb.read()");
    assert_eq!(read, 1 + uploads * 100);
    database.set("timedb.max_tenant_size", "16kB");
    upload(&mut database.authenticated(&alice), &noise(5000));
}

/// What a client says of a run, or of why it is withdrawn, is stored as well.
#[test]
fn what_is_said_of_runs_and_withdrawals_is_counted_and_a_run_can_be_restored_in_any_case() {
    let database = Database::fresh("bytes of runs");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let kept = upload(&mut client, &json!([value_row("kept", hour(0), 1)])).run_id;
    database.set("timedb.max_tenant_size", "64kB");
    // Noise, which nothing makes shorter.
    let noise = "(SELECT string_agg(md5(n::text || clock_timestamp()), '') FROM generate_series(1, 100) n)";
    let empty = format!("SELECT timedb.upload(now(), '[]', run_params => jsonb_build_object('noise', {noise}))");
    let withdraw = format!("SELECT timedb.restore_run(run_id) FROM timedb.withdraw_run('{kept}', {noise})");
    for (what, sql) in [("runs", &empty), ("withdrawals", &withdraw)] {
        let mut client = database.authenticated(&alice);
        let mut times = 0;
        let refusal = loop {
            match client.batch_execute(sql) {
                Ok(()) => times += 1,
                Err(error) => break error,
            }
            assert!(times < 30, "{what}: each says 3,200 bytes");
        };
        refused(Err::<(), _>(refusal)).code("54000");
        assert!(times > 5, "{what}: {times}");
        // Room for the other.
        database.set("timedb.max_tenant_size", "128kB");
    }
    database.set("timedb.max_tenant_size", "0");
    let mut client = database.authenticated(&alice);
    run(&mut client, &format!("SELECT timedb.withdraw_run('{kept}')"));
    database.set("timedb.max_tenant_size", "1kB");
    let mut client = database.authenticated(&alice);
    refused(client.batch_execute(&empty)).code("54000");
    run(&mut client, &format!("SELECT timedb.restore_run('{kept}', {noise})"));
}

/// A row of one value is mostly head, and packs have few of those.
#[test]
fn what_is_packed_leaves_room() {
    let database = Database::fresh("room by packing");
    let (alice, _) = database.two_tenants();
    database.set("timedb.max_tenant_size", "8kB");
    let mut client = database.authenticated(&alice);
    let mut uploads = 0;
    while try_upload(&mut client, &json!([value_row("small", hour(uploads), 1)])).is_ok() {
        uploads += 1;
        assert!(uploads < 40, "each takes more than 200 bytes, its run included");
    }
    assert!(uploads > 15, "and less than 520");
    run(&mut client, "SELECT timedb.compact(older_than => '-1 hour')");
    upload(&mut client, &json!([value_row("small", hour(uploads), 1)]));
    let packed: i64 = one(&mut client, "SELECT count(*) FROM timedb.packs");
    assert_eq!(packed, 1, "the premise");
}

/// The rows of the reference's table: the setting, its default, the most it may be.
#[test]
fn the_reference_shows_every_setting_with_its_default_and_its_bounds() {
    let page = fs::read_to_string(Project::default().root().join("docs/reference.md")).expect("the reference");
    let database = Database::fresh("settings of the reference");
    let mut admin = database.admin();
    run(&mut admin, "SELECT timedb.current_tenant()");
    for name in SHOWN_SETTINGS {
        let row = page
            .lines()
            .find_map(|line| line.strip_prefix(&format!("| `{name}` | ")));
        let mut cells = row
            .unwrap_or_else(|| panic!("the reference has no {name}"))
            .split(" | ");
        let mut cell = || cells.next().expect("a cell").replace(',', "");
        let (default, most) = (cell(), cell());
        let sql = "SELECT boot_val FROM pg_settings WHERE name = $1";
        assert_eq!(default, one_of::<String>(&mut admin, sql, &[&name]), "{name}");
        let sql = "SELECT coalesce(max_val || coalesce(' ' || unit, ''), '') FROM pg_settings WHERE name = $1";
        assert_eq!(most, one_of::<String>(&mut admin, sql, &[&name]), "{name}");
    }
}
