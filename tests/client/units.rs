//! Reads in a unit that is asked for: by the node, the function and as Arrow, whether stored as rows or packed; and what turns
//! into no other.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, one, one_of, refused, run};

use crate::arrow::{Row, rows_from, rows_of};
use crate::support::{hour, upload, value_row};

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
fn upload_in(client: &mut Client, key: &str, unit: &str, values: &serde_json::Value) {
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
