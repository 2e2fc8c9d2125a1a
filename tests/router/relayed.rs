//! Arguments and answers go as bytes: that they come as they were, and are understood or refused.

use crate::support::{on_server, spread, user_on};
use timedb_testkit::{one, refused, run};

#[test]
fn an_answer_of_another_shape_is_one_of_another_version() {
    let database = spread("shapes");
    let sql = "SELECT * FROM timedb_router._opened(timedb_router._packed(1::int8, 'a'::text)) r(a int8)";
    refused(database.admin().query(sql, &[])).code("55000");
    let halves = "SELECT * FROM timedb_router._opened(timedb_router._packed(1::int8)) r(a int4)";
    refused(database.admin().query(halves, &[])).code("XX000");
    let garbled = "SELECT * FROM timedb_router._opened('\\x0203') r(a int8, b text)";
    refused(database.admin().query(garbled, &[])).code("XX000");
}

/// The server has done it: whatever this router understands of the answer, another call that writes is a second one.
#[test]
fn what_a_server_has_answered_is_written_whatever_it_says() {
    let database = spread("answered");
    let user = user_on(&database, 0, "write");
    let mut server = on_server(&database, 0);
    for (answer, code) in [("\\x0103", "XX000"), ("\\x0200", "55000")] {
        let garble = format!(
            "CREATE OR REPLACE FUNCTION timedb_shard.create_series(shown_key text, packed bytea) RETURNS SETOF bytea
             LANGUAGE sql AS $$ SELECT '{answer}'::bytea $$"
        );
        run(&mut server, &garble);
        let mut client = database.authenticated(&user);
        let mut transaction = client.transaction().unwrap();
        let mut savepoint = transaction.transaction().unwrap();
        refused(savepoint.query("SELECT timedb.create_series('wind')", &[])).code(code);
        savepoint.rollback().unwrap();
        refused(transaction.query("SELECT * FROM timedb.upload(now(), '[]')", &[])).code("0A000");
    }
}

/// What every type of an argument or an answer goes through.
#[test]
fn values_of_every_type_come_as_they_were() {
    let database = spread("types");
    let mut admin = database.admin();
    // Then arrays of texts go as texts, too: otherwise only a server understands them.
    run(&mut admin, "SET client_encoding = 'LATIN1'");
    let values = [
        ("bool", vec!["true", "NULL", "false"]),
        ("int2", vec!["-32768", "32767"]),
        ("int4", vec!["-2147483648", "0", "0", "2147483647"]),
        ("int8", vec!["-9223372036854775808", "9223372036854775807"]),
        (
            "float8",
            vec![
                "'NaN'",
                "'-Infinity'",
                "-0.0",
                "0.1",
                "5e-324",
                "1.7976931348623157e308",
                "NULL",
            ],
        ),
        (
            "timestamptz",
            vec![
                "'infinity'",
                "'-infinity'",
                "'4713-01-01 BC'",
                "'2025-03-30 01:00:00.000001Z'",
            ],
        ),
        ("time", vec!["'24:00'", "'00:00:00.000001'"]),
        ("interval", vec!["'-1 year 2 days -00:00:00.5'", "'178000000 years'"]),
        (
            "uuid",
            vec![
                "'00000000-0000-0000-0000-000000000000'",
                "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
                "NULL",
            ],
        ),
        ("bytea", vec!["'\\x00ff'", "''"]),
        (
            "text",
            vec![
                "''",
                "NULL",
                "'Ærø\n'",
                "repeat('long ', 100000)",
                "repeat('long ', 100000)",
            ],
        ),
        ("name", vec!["'timedb'"]),
        ("json", vec!["'{\"a\":  1}'"]),
        ("jsonb", vec!["'{\"a\": [1e400, null, \"\\u00e9\"]}'"]),
        (
            "float8[]",
            vec!["'{}'", "'{NULL,NaN,1}'", "'{{1,2},{3,4}}'", "'[5:6]={1,2}'"],
        ),
        ("timestamptz[]", vec!["ARRAY['infinity'::timestamptz, NULL]"]),
        ("uuid[]", vec!["ARRAY[gen_random_uuid()]", "NULL"]),
        ("text[]", vec!["ARRAY['', NULL, 'NULL', 'a,b', E'\\\\\"']", "'{}'"]),
        ("jsonb[]", vec!["ARRAY['{}'::jsonb, NULL]"]),
    ];
    for (of, values) in values {
        for value in values {
            let sql = format!(
                "WITH v AS MATERIALIZED (SELECT ({value})::{of} AS v)
                 SELECT r.v::text IS NOT DISTINCT FROM v.v::text
                 FROM v, timedb_router._opened(timedb_router._packed(v.v, 1)) r(v {of}, one int4)"
            );
            assert!(one::<bool>(&mut admin, &sql), "{of}: {}", &value[..value.len().min(60)]);
        }
    }
}

/// A client that speaks another encoding than its database: what it says must not reach the server in it.
#[test]
fn texts_of_a_client_with_another_encoding_come_as_they_were() {
    let database = spread("latin");
    let user = user_on(&database, 0, "write");
    let mut client = database.authenticated(&user);
    let keys = r#"ARRAY['vent ' || chr(230) || chr(248), 'a, "b" \ {c}', 'NULL']"#;
    for (encoding, number) in [("LATIN1", 1), ("UTF8", 2)] {
        run(&mut client, &format!("SET client_encoding = '{encoding}'"));
        let upload = format!(
            "SELECT written FROM timedb.upload_points(now(), {keys}, array_fill('2025-01-0{number}Z'::timestamptz, ARRAY[3]),
               ARRAY[1, 2, 3]::float8[])"
        );
        assert_eq!(one::<i64>(&mut client, &upload), 3);
        let same = format!(
            "SELECT bool_and(series_key = ({keys})[value::int]) AND count(*) = 3 * {number}
             FROM timedb.read(series_keys => {keys})"
        );
        assert!(one::<bool>(&mut client, &same), "{encoding}");
    }
    let stored = format!("SELECT bool_and(series_key = ANY ({keys})) AND count(*) = 3 FROM timedb.series");
    assert!(one::<bool>(&mut on_server(&database, 0), &stored));
}

/// Rows that are more than goes at once, each different from the one before.
#[test]
fn an_answer_of_many_parts_is_whole() {
    let database = spread("parts");
    let user = user_on(&database, 0, "write");
    let mut client = database.authenticated(&user);
    let count = 60_000;
    let upload = format!(
        "SELECT written FROM timedb.upload_points(now(), array_fill('wind'::text, ARRAY[{count}]),
           ARRAY(SELECT timestamptz '2025-01-01Z' + n * interval '1 minute' FROM generate_series(1, {count}) n),
           ARRAY(SELECT n::float8 FROM generate_series(1, {count}) n))"
    );
    assert_eq!(one::<i64>(&mut client, &upload), count);
    let sums = "SELECT (count(*) = 60000 AND sum(value) = 60000::float8 * 60001 / 2
                 AND count(DISTINCT valid_time) = 60000 AND count(DISTINCT run_id) = 1) FROM timedb.read()";
    assert!(one::<bool>(&mut client, sums));
}
