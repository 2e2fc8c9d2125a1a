//! Of two runs known at one moment the one uploaded later is shown, whatever is done to the other afterwards; and who was
//! later, ids and change times tell alike.

use std::thread;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_ipc::reader::StreamReader;
use jiff::Timestamp;
use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Identity, backend_pid, one, one_of, run, wait_until_blocked};
use uuid::Uuid;

use crate::support::{Uploaded, hour, update, upload, value_row, value_update};

/// A run of values of the series `a`, all known at hour 0.
fn known_alike(client: &mut Client, values: &[(i64, f64)]) -> Uploaded {
    let rows: Vec<_> = values
        .iter()
        .map(|(hours, value)| value_row("a", hour(*hours), *value))
        .collect();
    let sql = "SELECT run_id, message, series_ids::text FROM timedb.upload(now(), $1, known_time => $2)";
    let row = client.query_one(sql, &[&json!(rows), &hour(0)]).expect("it is taken");
    Uploaded {
        run_id: row.get(0),
        message: row.get(1),
        series_ids: row.get(2),
    }
}

/// What is current, in every way to ask for it.
#[track_caller]
fn assert_current(client: &mut Client, expected: &[f64]) {
    let read = "SELECT array_agg(value ORDER BY valid_time) FROM timedb.read()";
    assert_eq!(one::<Vec<f64>>(client, read), expected, "read");
    let merged = "SELECT array_agg(p.value ORDER BY p.valid_time) \
                  FROM (SELECT timedb.merge_points(points, known_time, change_time, run_id) AS merged \
                        FROM timedb.versions) AS m, timedb.unnest_points(m.merged) AS p";
    assert_eq!(one::<Vec<f64>>(client, merged), expected, "merge_points");
    let stream: Vec<u8> = one(client, "SELECT timedb.read_arrow()");
    let batches = StreamReader::try_new(&stream[..], None).expect("a stream");
    let values: Vec<f64> = batches
        .flat_map(|batch| {
            let batch = batch.expect("a batch");
            let values = batch.column_by_name("value").expect("the column");
            values.as_primitive::<Float64Type>().values().to_vec()
        })
        .collect();
    assert_eq!(values, expected, "read_arrow");
}

#[test]
fn what_is_done_to_an_older_run_of_one_known_time_does_not_make_its_value_current_on_one_grid() {
    older_run_stays_older("tie on a grid", &[]);
}

#[test]
fn what_is_done_to_an_older_run_of_one_known_time_does_not_make_its_value_current_on_no_grid() {
    older_run_stays_older("tie on no grid", &[(50, 0.0), (51, 0.0), (53, 0.0)]);
}

/// The older run has these values beside.
fn older_run_stays_older(name: &str, others: &[(i64, f64)]) {
    let database = Database::fresh(name);
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let older = known_alike(&mut client, &[&[(1, 1.0)], others].concat());
    let newer = known_alike(&mut client, &[(1, 2.0)]);
    let series = older.series("a");
    let of = |run: &Uploaded, fields| json!([value_update(run.run_id, series, hour(1), fields)]);
    let is_current = |client: &mut Client, value| {
        let others = others.iter().map(|(_, value)| *value);
        assert_current(client, &[value].into_iter().chain(others).collect::<Vec<f64>>());
    };
    is_current(&mut client, 2.0);
    for fields in [
        json!({"annotation": "superseded by the re-run"}),
        json!({"tags": ["old"]}),
        json!({"value": 1.5}),
    ] {
        assert_eq!(update(&mut client, &of(&older, fields)), ["updated"]);
        is_current(&mut client, 2.0);
    }
    assert_eq!(update(&mut client, &of(&newer, json!({"value": 2.5}))), ["updated"]);
    is_current(&mut client, 2.5);

    let versions =
        "SELECT array_agg(value ORDER BY change_time) FROM timedb.read(all_versions => true, end_valid => $1)";
    assert_eq!(one_of::<Vec<f64>>(&mut client, versions, &[&hour(2)]), [2.0, 2.5]);
    // An answer of all is in the order in which they were written.
    let all = "SELECT array_agg(value ORDER BY place) FROM (SELECT row_number() OVER () AS place, value \
               FROM timedb.read(mode => 'overlapping', all_versions => true, end_valid => $1)) AS r";
    assert_eq!(
        one_of::<Vec<f64>>(&mut client, all, &[&hour(2)]),
        [1.0, 2.0, 1.0, 1.0, 1.5, 2.5]
    );

    let remaining: i64 = one(&mut client, "SELECT remaining FROM timedb.compact(older_than => '0')");
    assert_eq!(remaining, 0);
    let packs: i64 = one(&mut client, "SELECT count(*) FROM timedb.packs");
    assert!(packs > 0, "the premise: they are packed");
    is_current(&mut client, 2.5);
    let fields = json!({"annotation": "still superseded"});
    assert_eq!(update(&mut client, &of(&older, fields)), ["updated"]);
    is_current(&mut client, 2.5);
}

const CLIENTS: usize = 2;
const UPLOADS: usize = 400;

#[test]
fn ids_of_runs_are_in_the_order_of_their_change_times_whichever_client_uploaded() {
    let database = Database::fresh("ids in order");
    let (alice, _) = database.two_tenants();
    upload(
        &mut database.authenticated(&alice),
        &json!([value_row("a", hour(0), 0)]),
    );
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let (database, alice): (&Database, &Identity) = (&database, &alice);
            scope.spawn(move || {
                let mut client = database.authenticated(alice);
                for number in 0..UPLOADS {
                    upload(&mut client, &json!([value_row("a", hour(0), number as f64)]));
                }
            });
        }
    });
    let mut client = database.authenticated(&alice);
    let runs = client
        .query(
            "SELECT run_id, inserted_at, known_time FROM timedb.runs ORDER BY inserted_at, run_id",
            &[],
        )
        .expect("the runs");
    assert_eq!(runs.len(), CLIENTS * UPLOADS + 1);
    let ids: Vec<Uuid> = runs.iter().map(|run| run.get(0)).collect();
    let reversed = ids.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert_eq!(reversed, 0, "neighbours whose ids are the other way round");
}

#[test]
fn a_newer_upload_in_an_older_transaction_is_shown_and_known_when_it_was_stored() {
    let database = Database::fresh("older transaction");
    let (alice, _) = database.two_tenants();
    let mut older = database.authenticated(&alice);
    let mut newer = database.authenticated(&alice);
    upload(&mut newer, &json!([value_row("a", hour(0), 4)]));
    run(&mut older, "BEGIN; SELECT now()");
    upload(&mut newer, &json!([value_row("a", hour(0), 5)]));
    upload(&mut older, &json!([value_row("a", hour(0), 6)]));
    run(&mut older, "COMMIT");
    assert_current(&mut newer, &[6.0]);
    for arguments in ["", ", known_time => NULL"] {
        for call in [
            r#"upload(now(), '[{"value_key": "a", "valid_time": "2025-01-01", "value": 7}]'"#,
            "upload_points(now(), '{a}', '{2025-01-01}', '{7}'",
        ] {
            let sql = format!("SELECT run_id FROM timedb.{call}{arguments})");
            run(&mut older, "BEGIN; SELECT now()");
            let made: Uuid = one(&mut older, &sql);
            let alike = "SELECT known_time = inserted_at AND inserted_at > now() FROM timedb.runs WHERE run_id = $1";
            assert!(one_of::<bool>(&mut older, alike, &[&made]), "{sql}");
            run(&mut older, "COMMIT");
        }
    }
}

/// The second upload begins first and ends last: what counts is when it could be stored.
#[test]
fn an_upload_that_waited_reads_the_clock_once_it_has_waited() {
    let database = Database::fresh("clock after waiting");
    let (alice, _) = database.two_tenants();
    let mut admin = database.admin();
    let mut first = database.authenticated(&alice);
    let mut waits = database.authenticated(&alice);
    let blocked = backend_pid(&mut waits);
    let rows = json!([value_row("a", hour(0), 1)]);
    run(&mut first, "BEGIN");
    let earlier = upload(&mut first, &rows);
    let (waited, moment) = thread::scope(|scope| {
        let waiting = scope.spawn(|| known_alike(&mut waits, &[(0, 2.0)]));
        wait_until_blocked(&mut admin, blocked);
        let moment: Timestamp = one(&mut admin, "SELECT clock_timestamp()");
        run(&mut first, "COMMIT");
        (waiting.join().expect("it ends"), moment)
    });
    let written = "SELECT inserted_at FROM timedb.runs WHERE run_id = $1";
    let inserted: Timestamp = one_of(&mut first, written, &[&waited.run_id]);
    assert!(inserted > moment, "{inserted} is while it waited, before {moment}");
    assert!(waited.run_id > earlier.run_id);
    let (seconds, nanos) = waited.run_id.get_timestamp().expect("a moment in the id").to_unix();
    let of_id = Timestamp::new(seconds as i64, nanos as i32).expect("a moment");
    assert_eq!(
        of_id.as_millisecond(),
        inserted.as_millisecond(),
        "one reading of the clock"
    );
}
