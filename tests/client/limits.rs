//! How much of one series a read takes: what lies in its windows counts, packed or not, and nothing else.
//!
//! Millions of equal values at equal steps are a few bytes: they are put where they are stored by hand.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Identity, one, refused, run};
use uuid::Uuid;

use crate::support::{hour, upload, value_row};

/// The most values that a row, or a pack, may hold.
const MANY: usize = 5_000_000;
const FEW: usize = 10;
/// Together more than a read merges.
const TIMES: usize = 5;

/// Equal values, one a second.
fn equal_values(start: &str, count: usize) -> String {
    let values = "1,".repeat(count - 1) + "1";
    format!(r#"{{"start":"{start}","step":"PT1S","values":[{values}]}}"#)
}

/// A series of one value, known long before what is put beside it.
fn a_series(database: &Database) -> (Identity, Uuid) {
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    run(
        &mut client,
        "SELECT timedb.upload_points('2000-01-01', '{long}', '{2000-01-01}', '{1}', known_time => '2000-01-01')",
    );
    let series = one(&mut client, "SELECT series_id FROM timedb.series");
    (alice, series)
}

/// Packs with few values of the year 2024 beside many of 2025, which were known earlier and written later.
fn put_packs(database: &Database, alice: &Identity, series: Uuid) {
    let version = |run: u128, known: &str, change: &str, points: &str| {
        let run = Uuid::from_u128(run);
        format!(
            r#"{{"run_id":"{run}","known_time":"{known}","change_time":"{change}","changed_by":"x","points":{points}}}"#
        )
    };
    let few = equal_values("2024-01-01T00:00:00Z", FEW);
    let many = equal_values("2025-01-01T00:00:00Z", MANY - FEW);
    let pack = format!(
        "[{},{}]",
        version(1, "2025-01-01T01:00:00Z", "2025-01-01T01:00:00Z", &few),
        version(2, "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z", &many)
    );
    let insert = "INSERT INTO timedb.packs (tenant_id, series_id, pack_id, span, valid_from, valid_to, first_known, last_known, \
                    first_change, point_count, versions) \
                  SELECT $1, $2, gen_random_uuid(), 7, '2024-01-01', '2025-03-01', '2025-01-01 00:00', '2025-01-01 01:00', \
                    '2025-01-01 01:00', $4, p.versions \
                  FROM (SELECT $3::text::timedb.pack AS versions OFFSET 0) p, generate_series(1, $5)";
    let (values, times) = (MANY as i32, TIMES as i32);
    let inserted = database
        .admin()
        .execute(insert, &[&alice.tenant_id, &series, &pack, &values, &times]);
    assert_eq!(inserted.expect("the packs"), TIMES as u64);
}

#[track_caller]
fn count(client: &mut Client, arguments: &str) -> i64 {
    one(client, &format!("SELECT count(*) FROM timedb.read({arguments})"))
}

#[track_caller]
fn assert_too_wide(client: &mut Client, arguments: &str, hint: &str) {
    for read in ["read", "read_arrow", "read_arrow_batches"] {
        refused(client.query(&format!("SELECT FROM timedb.{read}({arguments})"), &[]))
            .code("54000")
            .message("more than 20000000 stored values of one series lie in the windows")
            .hint(hint);
    }
}

/// In windows of either time, and of what was there at a moment, a pack counts as the rows that were packed would.
#[test]
fn a_read_takes_what_is_in_its_windows_whatever_packs_hold_beside_it() {
    let database = Database::fresh("limits of packs");
    let (alice, series) = a_series(&database);
    put_packs(&database, &alice, series);
    let mut client = database.authenticated(&alice);
    let packed: i64 = one(&mut client, "SELECT sum(point_count) FROM timedb.packs");
    assert_eq!(packed as usize, TIMES * MANY, "the premise: more than is merged");
    let few = FEW as i64;
    assert_eq!(count(&mut client, "start_known => '2025-01-01 00:30'"), few);
    assert_eq!(
        count(&mut client, "start_valid => '2023-01-01', end_valid => '2025-01-01'"),
        few
    );
    assert_eq!(count(&mut client, "as_of => '2025-01-01 12:00'"), few);
    let bytes = "SELECT length(timedb.read_arrow(start_known => '2025-01-01 00:30'))";
    assert!(one::<i32>(&mut client, bytes) < 10_000);
    assert_too_wide(
        &mut client,
        "",
        "Read narrower windows of valid or known time, or have timedb.max_read_values raised.",
    );
    assert_too_wide(
        &mut client,
        "start_known => '2001-01-01', end_known => '2025-01-01 00:30'",
        "Read a narrower window of valid time, or have timedb.max_read_values raised.",
    );
}

/// What is taken out of packs is what they hold: the versions, in their order, with what is said of them.
#[test]
fn what_is_taken_out_of_packs_is_read_as_if_it_had_never_been_packed() {
    let database = Database::fresh("limits of what is taken out");
    let (alice, series) = a_series(&database);
    let mut client = database.authenticated(&alice);
    let uploaded = upload(
        &mut client,
        &json!([
            value_row("long", hour(0), 7),
            value_row("long", hour(1), serde_json::Value::Null)
        ]),
    );
    run(
        &mut client,
        &format!(
            "SELECT timedb.update('[{{\"run_id\": \"{}\", \"series_id\": \"{series}\", \"valid_time\": \"2025-01-01\", \
               \"value\": 8, \"annotation\": \"seen\", \"tags\": [\"a\", \"b\"]}}]')",
            uploaded.run_id
        ),
    );
    let everything = "SELECT string_agg(r::text, E'\\n') FROM timedb.read( \
                        start_known => '2025-02-01', mode => 'overlapping', all_versions => true) r";
    let before: String = one(&mut client, everything);
    assert_eq!(before.lines().count(), 3);
    // A pack of these versions and of many values known earlier, as a pack holds them: by its text.
    let text: String = one(
        &mut client,
        "SELECT string_agg(format('{\"run_id\":\"%s\",\"known_time\":%s,\"change_time\":%s,\"changed_by\":\"%s\",%s%s\"points\":%s}', \
           run_id, to_json(known_time), to_json(change_time), changed_by, '\"annotation\":' || to_json(annotation) || ',', \
           '\"tags\":' || to_json(tags) || ',', points), ',') \
         FROM timedb.versions WHERE known_time > '2025-02-01'",
    );
    let many = equal_values("2025-01-01T00:00:00Z", MANY - 3);
    let pack = format!(
        r#"[{{"run_id":"{}","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"x","points":{many}}},{text}]"#,
        Uuid::from_u128(2)
    );
    let mut admin = database.admin();
    let insert = "INSERT INTO timedb.packs \
                  SELECT $1, $2, gen_random_uuid(), 7, $6::text::timestamptz, '2025-03-01', '2025-01-01', 'infinity', '2025-01-01', \
                    $4, p.versions \
                  FROM (SELECT $3::text::timedb.pack AS versions OFFSET 0) p, generate_series(1, $5)";
    let (values, times) = (MANY as i32, TIMES as i32);
    admin
        .execute(insert, &[&alice.tenant_id, &series, &pack, &values, &1, &"2024-12-31"])
        .expect("the pack");
    run(&mut admin, "DELETE FROM timedb.values WHERE known_time > '2025-02-01'");
    assert_eq!(
        one::<String>(&mut client, everything),
        before,
        "out of a pack that is held"
    );
    // It comes first, and is looked into when the last of the others would be too much.
    let other = pack.replace(&format!(",{text}"), "");
    admin
        .execute(
            insert,
            &[&alice.tenant_id, &series, &other, &values, &times, &"2025-01-01"],
        )
        .expect("more packs");
    assert_eq!(one::<String>(&mut client, everything), before, "out of one that is not");
}

#[test]
fn the_values_of_rows_are_counted_as_they_come() {
    let database = Database::fresh("limits of rows");
    let (alice, series) = a_series(&database);
    let points = equal_values("2025-01-01T00:00:00Z", MANY);
    let insert = "INSERT INTO timedb.values (tenant_id, series_id, run_id, change_time, known_time, valid_from, valid_to, part, \
                    span, points, changed_by) \
                  SELECT $1, $2, gen_random_uuid(), '2025-01-01', '2025-01-01', '2025-01-01', '2025-03-01', 0, 7, p.points, 'x' \
                  FROM (SELECT $3::text::timedb.points AS points OFFSET 0) p, generate_series(1, $4)";
    let times = TIMES as i32;
    let inserted = database
        .admin()
        .execute(insert, &[&alice.tenant_id, &series, &points, &times]);
    assert_eq!(inserted.expect("the rows"), TIMES as u64);
    let mut client = database.authenticated(&alice);
    assert_eq!(count(&mut client, "end_known => '2025-01-01'"), 1);
    assert_eq!(count(&mut client, "end_valid => '2025-01-01'"), 1);
    assert_too_wide(
        &mut client,
        "",
        "Read narrower windows of valid or known time, or have timedb.max_read_values raised.",
    );
    assert_too_wide(
        &mut client,
        "start_known => '2025-01-01'",
        "Read a narrower window of valid time, or have timedb.max_read_values raised.",
    );
}
