//! Reads in a unit that is asked for: by the node, the function and as Arrow, whether stored as rows or packed; uploads of rows
//! that say their unit; and what turns into no other.

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Database, one, one_of, refused, run};

use crate::arrow::{Row, rows_from, rows_of};
use crate::support::{hour, try_upload, upload, value_row};

/// A client, and one of another tenant with a series whose unit turns into none of these.
fn client_of(name: &str) -> (Database, Client) {
    let database = Database::fresh(name);
    let (alice, bob) = database.two_tenants();
    let mut other = database.authenticated(&bob);
    upload_in(&mut other, "theirs", "knots", &json!([1.0]));
    let others: i64 = one(&mut other, "SELECT count(*) FROM timedb.read()");
    assert_eq!(others, 1, "the other tenant has values");
    let client = database.authenticated(&alice);
    (database, client)
}

/// A series with values in this unit, from midnight on.
fn upload_in(client: &mut Client, key: &str, unit: &str, values: &Value) {
    let _: uuid::Uuid = one_of(client, "SELECT timedb.create_series($1, $2)", &[&key, &unit]);
    let values = values.as_array().expect("a list").iter();
    let rows = values
        .zip(0..)
        .map(|(value, hours)| value_row(key, hour(hours), value.clone()));
    upload(client, &rows.collect());
}

type Shown = Vec<(String, Option<f64>, String)>;

/// What is answered: by the node and by the function, before and after compact, and as Arrow.
#[track_caller]
fn shown(client: &mut Client, function: &str, arguments: &str) -> Shown {
    let by_node = rows_from(client, &format!("timedb.{function}({arguments})"));
    for stored in ["SELECT", "SELECT timedb.compact(older_than => '0')"] {
        run(client, stored);
        for scan in ["on", "off"] {
            run(client, &format!("SET timedb.enable_scan = {scan}"));
            let rows = rows_from(client, &format!("timedb.{function}({arguments})"));
            assert_eq!(by_node, rows, "{arguments}: {stored}, node {scan}");
            let stream = one::<Vec<u8>>(client, &format!("SELECT timedb.{function}_arrow({arguments})"));
            assert_eq!(by_node, rows_of(&stream), "{arguments}: {stored}, Arrow");
            if function == "read" {
                let stream = one::<Vec<u8>>(client, &format!("SELECT * FROM timedb.read_arrow_batches({arguments})"));
                assert_eq!(by_node, rows_of(&stream), "{arguments}: {stored}, a batch");
            }
        }
        run(client, "RESET timedb.enable_scan");
    }
    let row = |row: Row| (row.series_key, row.value.map(f64::from_bits), row.unit);
    by_node.into_iter().map(row).collect()
}

#[track_caller]
fn is_shown(client: &mut Client, arguments: &str, expected: &[(&str, Option<f64>, &str)]) {
    let expected: Shown = expected
        .iter()
        .map(|(key, value, unit)| ((*key).into(), *value, (*unit).into()))
        .collect();
    assert_eq!(shown(client, "read", arguments), expected, "{arguments}");
    let relative = format!("lead => '-100 years', {arguments}");
    assert_eq!(shown(client, "read_relative", &relative), expected, "{relative}");
}

#[test]
fn each_series_is_turned_into_the_unit_that_is_asked_for() {
    let (_database, mut client) = client_of("asked unit");
    upload_in(&mut client, "a", "MW", &json!([1.5, null, -2.0]));
    upload_in(&mut client, "b", "kW", &json!([7.25]));
    upload_in(&mut client, "c", "W", &json!([100.0]));
    let own = [
        ("a", Some(1.5), "MW"),
        ("a", None, "MW"),
        ("a", Some(-2.0), "MW"),
        ("b", Some(7.25), "kW"),
        ("c", Some(100.0), "W"),
    ];
    is_shown(&mut client, "unit => null", &own);
    is_shown(&mut client, "unit => E' \\t'", &own);
    let in_kilowatts = [
        ("a", Some(1500.0), "kW"),
        ("a", None, "kW"),
        ("a", Some(-2000.0), "kW"),
        ("b", Some(7.25), "kW"),
        ("c", Some(0.1), "kW"),
    ];
    is_shown(&mut client, "unit => 'kW'", &in_kilowatts);
    let value = "SELECT value FROM timedb.read(unit => 'kW') WHERE series_key = 'a' AND unit = 'kW' AND value > 1000";
    assert_eq!(one::<f64>(&mut client, value), 1500.0, "WHERE is of the unit asked for");
}

#[test]
fn temperatures_have_an_offset_and_nan_stays() {
    let (_database, mut client) = client_of("temperatures");
    upload_in(&mut client, "t", "°C", &json!([0.0, -273.15, 20.0]));
    let in_kelvin = [
        ("t", Some(273.15), "K"),
        ("t", Some(0.0), "K"),
        ("t", Some(293.15), "K"),
    ];
    is_shown(&mut client, "unit => 'K'", &in_kelvin);
    let fahrenheit = "SELECT value FROM timedb.read(unit => '[degF]') OFFSET 2";
    assert_eq!(one::<f64>(&mut client, fahrenheit), 68.0);
    let sql = "SELECT timedb.upload_points(now(), '{t}', '{2025-01-02}', '{NaN}')";
    run(&mut client, sql);
    let nan = "SELECT value FROM timedb.read(unit => 'K', start_valid => '2025-01-02')";
    assert!(one::<f64>(&mut client, nan).is_nan());
}

#[test]
fn a_series_whose_unit_turns_into_no_such_is_named_where_the_read_comes_to_it() {
    let (_database, mut client) = client_of("refused units");
    upload_in(&mut client, "a", "MW", &json!([1.0]));
    upload_in(&mut client, "b", "kW.h", &json!([1.0]));
    upload_in(&mut client, "c", "turns", &json!([1.0]));
    for (arguments, message) in [
        ("unit => 'kW'", "\"unit\" is \"kW\", but series \"b\" has \"kW.h\""),
        ("unit => 'J'", "\"unit\" is \"J\", but series \"a\" has \"MW\""),
        (
            "unit => 'kW', series_keys => '{c}'",
            "\"unit\" is \"kW\", but series \"c\" has \"turns\"",
        ),
        (
            "unit => 'megawatts'",
            "\"unit\" is \"megawatts\", which is no unit that is known",
        ),
    ] {
        for call in [
            format!("SELECT * FROM timedb.read({arguments})"),
            format!("SELECT timedb.read_arrow({arguments})"),
            format!("SELECT * FROM timedb.read_arrow_batches({arguments})"),
            format!("SELECT * FROM timedb.read_relative(lead => '0', {arguments})"),
            format!("SELECT timedb.read_relative_arrow(lead => '0', {arguments})"),
        ] {
            for scan in ["on", "off"] {
                run(&mut client, &format!("SET timedb.enable_scan = {scan}"));
                refused(client.query(&call, &[])).code("22023").message(message);
            }
        }
    }
    run(&mut client, "RESET timedb.enable_scan");
    let first = "SELECT value FROM timedb.read(unit => 'kW') LIMIT 1";
    assert_eq!(one::<f64>(&mut client, first), 1000.0, "a limit comes to no other");
    is_shown(
        &mut client,
        "unit => 'turns', series_keys => '{c}'",
        &[("c", Some(1.0), "turns")],
    );
    let long = format!("SELECT * FROM timedb.read(unit => '{}')", "m".repeat(101));
    refused(client.query(&long, &[])).code("54000");
}

/// A row of an upload, in this unit.
fn in_unit(key: &str, hours: i64, value: impl Into<Value>, unit: impl Into<Value>) -> Value {
    let mut row = value_row(key, hour(hours), value);
    row["unit"] = unit.into();
    row
}

#[test]
fn rows_that_say_a_unit_are_stored_in_that_of_the_series() {
    let (_database, mut client) = client_of("units of rows");
    upload_in(&mut client, "a", "MW", &json!([1.5]));
    let rows = json!([
        in_unit("a", 1, 2500, "kW"),
        in_unit("a", 2, 3.5, "MW"),
        in_unit("a", 3, Value::Null, "W"),
        in_unit("a", 4, 4.5, " "),
        in_unit("a", 5, 5.5, Value::Null),
        in_unit("a", 6, "NaN", "kW"),
        value_row("a", hour(7), 7.5),
    ]);
    upload(&mut client, &rows);
    let stored: Vec<Option<f64>> = one(
        &mut client,
        "SELECT array_agg(value) FROM timedb.read() WHERE value <> 'NaN' OR value IS NULL",
    );
    assert_eq!(
        stored,
        [Some(1.5), Some(2.5), Some(3.5), None, Some(4.5), Some(5.5), Some(7.5)]
    );
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.read()"), 8);
}

#[test]
fn a_series_that_an_upload_makes_has_the_first_unit_that_is_said_of_it() {
    let (_database, mut client) = client_of("units of new series");
    let mut labelled = in_unit("a", 0, 20, "Cel");
    labelled["labels"] = json!({"site": "north"});
    let mut in_kelvin = in_unit("a", 1, 273.15, "K");
    in_kelvin["labels"] = json!({"site": "north"});
    let rows = json!([
        value_row("a", hour(0), 1),
        in_unit("a", 1, 2, "MW"),
        in_unit("a", 2, 3000, "kW"),
        labelled,
        in_kelvin,
        in_unit("b", 0, 1, "turns"),
        value_row("c", hour(0), 1),
    ]);
    upload(&mut client, &rows);
    let rows = client.query(
        "SELECT series_key, value, unit FROM timedb.read() ORDER BY series_key, labels, valid_time",
        &[],
    );
    let shown: Shown = rows
        .expect("rows")
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let expected = [
        ("a", 1.0, "MW"),
        ("a", 2.0, "MW"),
        ("a", 3.0, "MW"),
        ("a", 20.0, "Cel"),
        ("a", 0.0, "Cel"),
        ("b", 1.0, "turns"),
        ("c", 1.0, "dimensionless"),
    ];
    assert_eq!(
        shown,
        expected.map(|(key, value, unit)| (key.into(), Some(value), unit.into()))
    );
    // What is read is uploaded again as it is.
    let again = "SELECT skipped FROM timedb.upload(now(), (SELECT json_agg(json_build_object('valid_time', valid_time, 'series_id', series_id,
        'value', value, 'unit', unit)) FROM timedb.read(series_keys => '{a,c}')), skip_unchanged => true)";
    assert_eq!(one::<i64>(&mut client, again), 6);
}

#[test]
fn rows_in_a_unit_that_turns_into_no_such_are_refused_by_row_and_nothing_of_them_stays() {
    let (_database, mut client) = client_of("refused units of rows");
    upload_in(&mut client, "a", "MW", &json!([1.0]));
    upload_in(&mut client, "none", "dimensionless", &json!([1.0]));
    upload_in(&mut client, "odd", "turns", &json!([1.0]));
    for (key, unit, message) in [
        ("a", "kW.h", "is \"kW.h\", but series \"a\" has \"MW\""),
        ("a", "megawatts", "is \"megawatts\", but series \"a\" has \"MW\""),
        ("none", "MW", "is \"MW\", but series \"none\" has \"dimensionless\""),
        ("odd", "MW", "is \"MW\", but series \"odd\" has \"turns\""),
    ] {
        let rows = json!([value_row("new", hour(1), 1), in_unit(key, 1, 1, unit)]);
        let refusal = refused(try_upload(&mut client, &rows));
        let refusal = refusal.code("22023").message(&format!("value_rows[1].unit: {message}"));
        if key == "none" {
            refusal.hint("Say the unit of what is stored by timedb.update_series(series_id, unit => …) first.");
        }
    }
    let long = json!([in_unit("a", 1, 1, "m".repeat(101))]);
    refused(try_upload(&mut client, &long)).code("54000");
    let number = json!([in_unit("a", 1, 1, 7)]);
    refused(try_upload(&mut client, &number))
        .code("22023")
        .message("value_rows[0].unit: must be a string");
    upload_in(&mut client, "small", "W", &json!([1.0]));
    let beyond = json!([in_unit("small", 1, 1e307, "W"), in_unit("small", 2, 1e307, "kW")]);
    refused(try_upload(&mut client, &beyond))
        .code("22023")
        .message("value_rows[1].value: is out of range in \"W\"");
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.read()"), 4);
}
