//! Uploads: large ones, refused ones, cancelled ones, and that all or nothing of each is stored.

use std::cell::RefCell;
use std::thread;
use std::time::{Instant, SystemTime};

use crate::cases::Cases;
use jiff::{Timestamp, ToSpan};
use postgres::Client;
use postgres::types::Json;
use proptest::prelude::*;
use serde::{Serialize, Serializer};
use serde_json::json;
use timedb_testkit::{
    Database, Identity, backend_pid, cancelled, once_under_way, one, peak_memory, refused, run, wait_until_blocked,
};
use uuid::Uuid;

use crate::support::{hour, row_counts, try_update, try_upload, upload, value_row, value_update};

const MILLION: usize = 1_000_000;
const SERIES: usize = 10;
/// What one call takes.
const MOST_ROWS: usize = 5_000_000;
/// In MiB.
const GIBIBYTE: u64 = 1024;

/// A row as a client would send it.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(serialize_with = "as_text")]
    valid_time: Timestamp,
    value_key: &'static str,
    value: f64,
}

fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

const KEYS: [&str; SERIES] = [
    "wind", "sun", "load", "price", "flow", "rain", "snow", "heat", "dust", "fog",
];

/// So many rows: ten series, hour by hour.
fn rows(count: usize) -> Vec<Row> {
    let start = hour(-876_000);
    let row = |number: usize| Row {
        valid_time: start + (number / SERIES).try_into().map_or(0, |hour: i64| hour).hours(),
        value_key: KEYS[number % SERIES],
        value: number as f64 / 8.0,
    };
    (0..count).map(row).collect()
}

/// What was measured, for whoever asks with `--nocapture`.
fn tell(what: &str, begun: Instant, pid: i32) {
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("{what}: {seconds:.1} s, backend's peak {} MiB", peak_memory(pid));
}

/// Everything that one upload of a million rows stores.
#[track_caller]
fn assert_a_million_stored(database: &Database, tenant: Uuid) {
    let stored = "SELECT sum(timedb.count_points(points)), count(DISTINCT series_id), count(DISTINCT run_id) \
                  FROM timedb.values WHERE tenant_id = $1";
    let row = database.admin().query_one(stored, &[&tenant]).expect("the values");
    let counts: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(counts, (MILLION as i64, SERIES as i64, 1));
}

/// Bound as text, as drivers do that know no json: Postgres then holds it in several copies.
#[test]
fn a_million_rows_in_one_json_call_take_less_than_a_gibibyte() {
    let database = Database::fresh("a million rows as json");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let pid = backend_pid(&mut client);
    let json = serde_json::to_string(&rows(MILLION)).expect("JSON");
    let begun = Instant::now();
    client
        .execute("SELECT timedb.upload(now(), $1::text::json)", &[&json])
        .expect("a million rows are taken");
    tell("1,000,000 rows in JSON", begun, pid);
    assert!(peak_memory(pid) < GIBIBYTE);
    assert_a_million_stored(&database, alice.tenant_id);
    let last: f64 = one(
        &mut client,
        "SELECT value FROM timedb.read(series_keys => '{fog}') ORDER BY valid_time DESC LIMIT 1",
    );
    assert_eq!(last, (MILLION - 1) as f64 / 8.0);
}

#[test]
fn a_million_rows_in_arrays_take_less_than_a_gibibyte() {
    let database = Database::fresh("a million rows as arrays");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let pid = backend_pid(&mut client);
    let rows = rows(MILLION);
    let keys: Vec<&str> = rows.iter().map(|row| row.value_key).collect();
    let times: Vec<SystemTime> = rows.iter().map(|row| row.valid_time.into()).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
    let begun = Instant::now();
    client
        .execute(
            "SELECT timedb.upload_points(now(), $1, $2, $3)",
            &[&keys, &times, &values],
        )
        .expect("a million rows are taken");
    tell("1,000,000 rows in arrays", begun, pid);
    assert!(peak_memory(pid) < GIBIBYTE);
    assert_a_million_stored(&database, alice.tenant_id);
}

#[test]
fn a_bad_row_at_the_end_of_a_million_is_named_and_leaves_every_table_as_it_was() {
    let database = Database::fresh("a bad row at the end");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let before = row_counts(&mut admin);
    let mut rows = rows(MILLION);
    rows[MILLION - 1].value_key = "";
    refused(client.execute("SELECT timedb.upload(now(), $1)", &[&Json(&rows)]))
        .code("22023")
        .message("value_rows[999999].value_key: must not be blank")
        .no_detail();
    assert_eq!(row_counts(&mut admin), before);
    upload(&mut client, &json!([value_row("fog", hour(0), 1)]));
}

#[test]
fn a_cancelled_upload_leaves_nothing_and_a_session_that_goes_on() {
    let database = Database::fresh("a cancelled upload");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    run(
        &mut client,
        "CREATE TEMP TABLE large AS SELECT json_agg(json_build_object( \
           'valid_time', to_char('2025-01-01'::timestamptz + hour * interval '1 hour', 'YYYY-MM-DD HH24:MI:SSOF'), \
           'value_key', 'large', 'value', hour)) AS rows FROM generate_series(1, 500000) AS hour",
    );
    let before = row_counts(&mut admin);
    let under_way = once_under_way(&mut client, 10);
    cancelled(&mut client, under_way, |client| {
        client.execute("SELECT timedb.upload(now(), rows) FROM large", &[])
    });
    assert_eq!(row_counts(&mut admin), before);
    upload(&mut client, &json!([value_row("large", hour(0), 1)]));
    // The premise: what was cancelled could have been stored.
    run(&mut client, "SELECT timedb.upload(now(), rows) FROM large");
}

#[test]
fn more_rows_than_a_call_takes_are_too_large() {
    let database = Database::fresh("too many rows");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let before = row_counts(&mut admin);
    let elements = MOST_ROWS + 1;
    let arrays = format!(
        "SELECT timedb.upload_points(now(), array_fill('k'::text, ARRAY[{elements}]), \
                array_fill(now(), ARRAY[{elements}]), array_fill(1::float8, ARRAY[{elements}]))"
    );
    refused(client.batch_execute(&arrays))
        .code("54000")
        .message("\"series_keys\" has more than 5000000 elements")
        .hint("Split it over several calls, or have timedb.max_upload_rows raised.")
        .no_detail();
    let row = r#"{"valid_time":"2025-01-01","value_key":"k","value":1}"#;
    let json = format!("('[' || repeat('{row},', {MOST_ROWS}) || '{row}]')::json");
    refused(client.batch_execute(&format!("SELECT timedb.upload(now(), {json})")))
        .code("54000")
        .message("value_rows: has more than 5000000 rows")
        .hint("Split it over several calls, or have timedb.max_upload_rows raised.")
        .no_detail();
    assert_eq!(row_counts(&mut admin), before);
    upload(&mut client, &json!([value_row("k", hour(0), 1)]));
}

#[test]
fn the_answer_names_the_series_in_first_seen_order() {
    let database = Database::fresh("order of series");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let labelled: Uuid = one(
        &mut client,
        r#"SELECT timedb.create_series('zeta', labels => '{"site": "north"}')"#,
    );
    let plain: Uuid = one(&mut client, "SELECT timedb.create_series('plain')");
    let at = |id: Uuid, hours| json!({"valid_time": hour(hours).to_string(), "series_id": id.to_string(), "value": 1});
    let both =
        json!({"valid_time": hour(5).to_string(), "series_id": plain.to_string(), "value_key": "plain", "value": 1});
    let answer = upload(
        &mut client,
        &json!([
            value_row("zeta", hour(0), 1),
            value_row("alpha", hour(0), 1),
            at(labelled, 0),
            value_row("zeta", hour(1), 1),
            at(plain, 0),
            value_row("midway", hour(0), 1),
            both,
            at(labelled, 1),
        ]),
    );
    assert_eq!(answer.message, "Run created successfully");
    let names = ["zeta", "alpha", &labelled.to_string(), "plain", "midway"];
    let expected: Vec<String> = names
        .iter()
        .map(|name| format!("\"{name}\":\"{}\"", answer.series(name)))
        .collect();
    let compact: String = answer.series_ids.split_whitespace().collect();
    assert_eq!(compact, format!("{{{}}}", expected.join(",")));
    assert_eq!(answer.series(&labelled.to_string()), labelled);
    assert_eq!(answer.series("plain"), plain);
    // A key means the series without labels, never the labelled one of that name.
    assert_ne!(answer.series("zeta"), labelled);
    let found: i64 = one(&mut client, "SELECT count(*) FROM timedb.list_series()");
    assert_eq!(found, 5);
}

/// Each of the three is written by a statement of its own.
#[test]
fn a_run_of_no_row_of_one_and_of_many_is_stored_with_all_of_its_rows() {
    let database = Database::fresh("none, one, many");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let labelled: Uuid = one(
        &mut client,
        r#"SELECT timedb.create_series('zeta', labels => '{"site": "north"}')"#,
    );
    upload(&mut client, &json!([]));
    let made = upload(&mut client, &json!([value_row("zeta", hour(0), 1)]));
    let found = upload(&mut client, &json!([value_row("zeta", hour(1), 2)]));
    upload(
        &mut client,
        &json!([value_row("zeta", hour(2), 3), value_row("eta", hour(2), 4)]),
    );
    // A key alone means the series without labels, also where it is the only one asked for.
    assert_ne!(made.series("zeta"), labelled);
    assert_eq!(found.series("zeta"), made.series("zeta"));
    let stored = database.admin().query(
        "SELECT count(v.run_id) FROM timedb.runs r
         LEFT JOIN timedb.values v
           ON (v.tenant_id, v.run_id, v.known_time, v.changed_by, v.change_time)
            = (r.tenant_id, r.run_id, r.known_time, r.changed_by, r.last_change_time)
         WHERE r.inserted_at = r.last_change_time
         GROUP BY r.run_id ORDER BY r.run_id",
        &[],
    );
    let stored: Vec<i64> = stored.expect("runs").iter().map(|row| row.get(0)).collect();
    assert_eq!(stored, [0, 1, 1, 2]);
    let values: Vec<f64> = one(
        &mut client,
        "SELECT array_agg(value ORDER BY valid_time, value) FROM timedb.read()",
    );
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_key_and_an_id_that_disagree_are_refused_and_make_no_series() {
    let database = Database::fresh("key and id disagree");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let wind: Uuid = one(&mut client, "SELECT timedb.create_series('wind')");
    let before = row_counts(&mut admin);
    let mut row = value_row("sun", hour(0), 1);
    row["series_id"] = json!(wind.to_string());
    refused(try_upload(&mut client, &json!([value_row("new", hour(0), 1), row])))
        .code("22023")
        .message("value_rows[1].series_id: is not the series that \"value_key\" names")
        .no_detail();
    assert_eq!(row_counts(&mut admin), before);
}

/// One value must not be written twice under two names of its series.
#[test]
fn one_value_by_key_and_again_by_id_is_refused_and_named() {
    let database = Database::fresh("twice by two names");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let wind: Uuid = one(&mut client, "SELECT timedb.create_series('wind')");
    let by_id = json!({"valid_time": hour(0).to_string(), "series_id": wind.to_string(), "value": 2});
    let rows = json!([value_row("wind", hour(1), 1), value_row("wind", hour(0), 1), by_id]);
    refused(try_upload(&mut client, &rows))
        .code("22023")
        .message("value_rows[2]: gives the value of value_rows[1] again, of \"wind\" at 2025-01-01T00:00:00Z");
}

#[test]
fn json_nested_deeply_is_refused_and_not_a_crash() {
    let database = Database::fresh("deep json");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let upload = "SELECT timedb.upload(now(), $1::text::json)";
    for depth in [200, 4_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        refused(client.execute(upload, &[&deep]))
            .code("22023")
            .message("value_rows[0]: must be a JSON object");
        let row = format!(r#"[{{"valid_time":"2025-01-01","value_key":"a","value":{deep}}}]"#);
        refused(client.execute(upload, &[&row]))
            .code("22023")
            .message_contains("value_rows[0].value: must be a number");
        let row = format!(r#"[{{"valid_time":"2025-01-01","other":{deep}}}]"#);
        refused(client.execute(upload, &[&row]))
            .code("22023")
            .message("value_rows[0].other: unknown field");
        let tags = format!(r#"[{{"tags":{deep}}}]"#);
        refused(client.execute("SELECT timedb.update($1::text::json)", &[&tags]))
            .code("22023")
            .message("updates[0].tags[0]: must be a string");
    }
    // Deeper still, Postgres refuses the JSON itself.
    let deepest = "[".repeat(1_000_000);
    refused(client.execute(upload, &[&deepest])).code("54001");
    assert_eq!(one::<i32>(&mut client, "SELECT 1"), 1);
}

#[test]
fn arrays_and_json_store_the_same() {
    let database = Database::fresh("arrays and json");
    let (alice, bob) = database.two_tenants();
    let (mut json, mut arrays) = (database.authenticated(&alice), database.authenticated(&bob));
    upload(
        &mut json,
        &json!([
            {"valid_time": "2025-01-01T02:00Z", "value_key": "b", "value": -0.0},
            {"valid_time": "2025-01-01T00:00Z", "value_key": "a", "value": "NaN", "valid_time_end": "2025-01-02"},
            {"valid_time": "2025-01-01T01:00Z", "value_key": "b", "value": null},
            {"valid_time": "2025-01-01T00:00Z", "value_key": "a", "value": "-Infinity"},
        ]),
    );
    run(
        &mut arrays,
        "SELECT timedb.upload_points(now(), '{b,a,b,a}', \
           '{2025-01-01 02:00+00,2025-01-01 00:00+00,2025-01-01 01:00+00,2025-01-01 00:00+00}', \
           '{-0,NaN,NULL,-Infinity}', '{NULL,2025-01-02 00:00+00,NULL,NULL}')",
    );
    let all = "SELECT coalesce(string_agg(concat_ws('|', series_key, valid_time, valid_time_end, \
                 float8send(value)), E'\n'), '') FROM timedb.read()";
    let (one_way, other_way): (String, String) = (one(&mut json, all), one(&mut arrays, all));
    assert_eq!(one_way.lines().count(), 4);
    assert_eq!(one_way, other_way);
}

#[test]
fn two_uploads_at_once_that_make_one_series_agree_on_it() {
    let database = Database::fresh("one new series twice");
    let (alice, _) = database.two_tenants();
    let mut admin = database.admin();
    for end in ["COMMIT", "ROLLBACK"] {
        let mut first = database.authenticated(&alice);
        let mut second = database.authenticated(&alice);
        let key = format!("made before {end}");
        let rows = json!([value_row(&key, hour(0), 1)]);
        let blocked = backend_pid(&mut second);
        run(&mut first, "BEGIN");
        let made = upload(&mut first, &rows).series(&key);
        let other = thread::scope(|scope| {
            let waiting = scope.spawn(|| upload(&mut second, &rows).series(&key));
            wait_until_blocked(&mut admin, blocked);
            run(&mut first, end);
            waiting.join().expect("the second upload succeeds")
        });
        assert_eq!(made == other, end == "COMMIT");
        let sql = "SELECT count(*) FROM timedb.series WHERE series_key = $1";
        let made = admin.query_one(sql, &[&key]).expect("the series");
        assert_eq!(made.get::<_, i64>(0), 1);
    }
}

/// What one of the sessions does next. Ids are those seen so far, of rolled-back and of uncommitted rows too.
#[derive(Clone, Debug)]
enum Step {
    Sql(&'static str),
    CreateSeries(u8),
    UploadKey(u8),
    UploadId(prop::sample::Index),
    /// A good row by key, then one that is refused.
    UploadInVain(u8),
    Update(prop::sample::Index, prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    const CONTROL: [&str; 6] = [
        "BEGIN",
        "SAVEPOINT s",
        "ROLLBACK TO s",
        "RELEASE s",
        "COMMIT",
        "ROLLBACK",
    ];
    prop_oneof![
        4 => prop::sample::select(&CONTROL[..]).prop_map(Step::Sql),
        1 => (0..6u8).prop_map(Step::CreateSeries),
        3 => (0..6u8).prop_map(Step::UploadKey),
        3 => any::<prop::sample::Index>().prop_map(Step::UploadId),
        1 => (0..6u8).prop_map(Step::UploadInVain),
        3 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(run, series)| Step::Update(run, series)),
    ]
}

/// Three sessions, two of them of one tenant, and every id that any of them has been told.
struct Sessions {
    clients: Vec<Client>,
    series: Vec<Uuid>,
    runs: Vec<Uuid>,
}

impl Sessions {
    fn of(database: &Database, identities: [&Identity; 3]) -> Sessions {
        let login = |identity| {
            let mut client = database.authenticated(identity);
            // One thread drives all sessions: whoever waits for another must give up.
            run(
                &mut client,
                "SET lock_timeout = '20ms'; SET client_min_messages = error",
            );
            client
        };
        Sessions {
            clients: identities.map(login).into(),
            series: vec![Uuid::now_v7()],
            runs: vec![Uuid::now_v7()],
        }
    }

    /// Refusals are part of the game; what they leave is what counts.
    fn take(&mut self, session: usize, step: &Step) {
        let client = &mut self.clients[session];
        let key = |number: &u8| format!("series {number}");
        match step {
            Step::Sql(sql) => {
                let _ = client.batch_execute(sql);
            }
            Step::CreateSeries(number) => {
                let sql = "SELECT timedb.create_series($1)";
                if let Ok(row) = client.query_one(sql, &[&key(number)]) {
                    self.series.push(row.get(0));
                }
            }
            Step::UploadKey(number) => {
                if let Ok(answer) = try_upload(client, &json!([value_row(&key(number), hour(0), 1)])) {
                    self.series.push(answer.series(&key(number)));
                    self.runs.push(answer.run_id);
                }
            }
            Step::UploadId(series) => {
                let id = series.get(&self.series);
                let row = json!({"valid_time": hour(1).to_string(), "series_id": id.to_string(), "value": 1});
                if let Ok(answer) = try_upload(client, &json!([row])) {
                    self.runs.push(answer.run_id);
                }
            }
            Step::UploadInVain(number) => {
                let rows = json!([value_row(&key(number), hour(0), 1), {}]);
                assert!(try_upload(client, &rows).is_err());
            }
            Step::Update(run, series) => {
                let (run, series) = (*run.get(&self.runs), *series.get(&self.series));
                let update = value_update(run, series, hour(2), json!({"value": 1}));
                let _ = try_update(client, &json!([update]));
            }
        }
    }
}

#[test]
fn no_way_of_writing_leaves_a_value_without_its_series_or_run() {
    let database = Database::fresh("orphans");
    let (alice, bob) = database.two_tenants();
    let sessions = RefCell::new(Sessions::of(&database, [&alice, &alice, &bob]));
    let admin = RefCell::new(database.admin());
    let orphans = "SELECT count(*) FROM timedb.values v \
                   WHERE NOT EXISTS (SELECT FROM timedb.series s \
                                     WHERE (s.tenant_id, s.series_id) = (v.tenant_id, v.series_id)) \
                      OR NOT EXISTS (SELECT FROM timedb.runs r \
                                     WHERE (r.tenant_id, r.run_id, r.known_time) = (v.tenant_id, v.run_id, v.known_time) \
                                       AND r.last_change_time >= v.change_time)";
    let steps = prop::collection::vec((0..3usize, step()), 1..25);
    Cases::of(60).run(&steps, |steps| {
        let mut sessions = sessions.borrow_mut();
        for (session, step) in &steps {
            sessions.take(*session, step);
        }
        for (number, client) in sessions.clients.iter_mut().enumerate() {
            let end = if number == 0 { "ROLLBACK" } else { "COMMIT" };
            run(client, end);
        }
        prop_assert_eq!(one::<i64>(&mut admin.borrow_mut(), orphans), 0);
        Ok(())
    });
    let counts = row_counts(&mut admin.borrow_mut());
    let values = counts.iter().find(|(table, _)| table == "timedb.\"values\"");
    assert!(values.is_some_and(|(_, rows)| *rows > 50), "the premise: {counts:?}");
}
