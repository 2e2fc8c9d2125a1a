//! Runs taken back: shown by nothing from then on, still there in what was known before, and shown again once restored.

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Database, one, one_of, refused, run};
use uuid::Uuid;

use crate::support::{Uploaded, hour, try_update, upload, value_row, value_update};

/// All that answers from values, in whatever way.
const ANSWERS: [&str; 15] = [
    "SELECT r::text FROM timedb.read() r",
    "SELECT r::text FROM timedb.read(mode => 'overlapping', all_versions => true) r",
    "SELECT r::text FROM timedb.read('2024-12-31', '2025-01-03', corrections => 'known') r",
    "SELECT r::text FROM timedb.read(workflow_id => 'api-workflow') r",
    "SELECT r::text FROM timedb.read_relative(lead => '-1000 years') r",
    "SELECT md5(timedb.read_arrow())",
    "SELECT md5(timedb.read_relative_arrow(lead => '-1000 years'))",
    "SELECT md5(b) FROM timedb.read_arrow_batches(max_rows => 2) b",
    "SELECT r::text FROM timedb.read_buckets('1 day') r",
    "SELECT g::text FROM timedb.gaps('1 hour', 'UTC', '2025-01-01', '2025-01-02') g",
    "SELECT c::text FROM timedb.coverage() c",
    "SELECT l::text FROM timedb.latest() l",
    "SELECT l::text FROM timedb.latest(before => '2025-01-01 02:00Z') l",
    "SELECT v::text FROM timedb.current_values v ORDER BY 1",
    "SELECT p::text FROM (SELECT timedb.merge_points(points, known_time, change_time, run_id) AS merged \
                          FROM timedb.versions GROUP BY series_id) m, timedb.unnest_points(m.merged) p ORDER BY 1",
];

/// What each of them answers, as a node of the plan and as a function.
fn answers(client: &mut Client) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for scan in ["on", "off"] {
        run(client, &format!("SET timedb.enable_scan = {scan}"));
        for sql in ANSWERS {
            let rows = client
                .query(sql, &[])
                .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            all.push(rows.iter().map(|row| row.get(0)).collect());
        }
    }
    all
}

fn withdraw(client: &mut Client, run: Uuid) -> Timestamp {
    one_of(client, "SELECT withdrawn_at FROM timedb.withdraw_run($1)", &[&run])
}

fn restore(client: &mut Client, run: Uuid) -> Timestamp {
    one_of(client, "SELECT restored_at FROM timedb.restore_run($1)", &[&run])
}

fn values(client: &mut Client) -> Vec<f64> {
    let sql = "SELECT coalesce(array_agg(value ORDER BY valid_time), '{}') FROM timedb.read()";
    one(client, sql)
}

fn values_as_of(client: &mut Client, moment: Timestamp) -> Vec<f64> {
    let sql = "SELECT coalesce(array_agg(value ORDER BY valid_time), '{}') FROM timedb.read(as_of => $1)";
    one_of(client, sql, &[&moment])
}

/// Values of the first hours of the series `a`.
fn of_hours(client: &mut Client, values: &[f64]) -> Uploaded {
    let rows = (0..)
        .zip(values)
        .map(|(hours, value)| value_row("a", hour(hours), *value));
    upload(client, &rows.collect())
}

/// As many withdrawals as no read looks at all of.
fn withdraw_many_others(database: &Database, tenant: Uuid) {
    let sql = "INSERT INTO timedb.withdrawals (tenant_id, run_id, withdrawn_at, withdrawn_by) \
               SELECT $1, gen_random_uuid(), '2025-01-01', 'nobody' FROM generate_series(1, 1500)";
    let made = database.admin().execute(sql, &[&tenant]);
    assert_eq!(made.expect("withdrawals"), 1500);
}

#[test]
fn a_withdrawn_run_is_in_no_answer_and_a_restored_one_is_in_all_again() {
    let database = Database::fresh("withdrawn run");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    of_hours(&mut client, &[1.0, 2.0, 3.0]);
    let before = answers(&mut client);
    let mistake = of_hours(&mut client, &[7.0, 8.0, 9.0, 10.0]);
    let change = value_update(mistake.run_id, mistake.series("a"), hour(1), json!({"value": 80}));
    try_update(&mut client, &json!([change])).expect("it updates");
    let with = answers(&mut client);
    for (one, other) in before.iter().zip(&with) {
        assert_ne!(one, other, "the premise: each shows it");
    }
    for many in [false, true] {
        if many {
            withdraw_many_others(&database, alice.tenant_id);
        }
        for is_packed in [false, true] {
            if is_packed {
                run(&mut client, "SELECT timedb.compact(older_than => '0')");
            }
            withdraw(&mut client, mistake.run_id);
            assert_eq!(answers(&mut client), before, "many: {many}, packed: {is_packed}");
            restore(&mut client, mistake.run_id);
            assert_eq!(answers(&mut client), with, "many: {many}, packed: {is_packed}");
        }
    }
    let packed: i64 = one(&mut client, "SELECT count(*) FROM timedb.packs");
    assert!(packed > 0, "the premise");
}

#[test]
fn as_of_shows_a_run_as_it_was_shown_then_to_the_microsecond() {
    let database = Database::fresh("withdrawn as of");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    of_hours(&mut client, &[1.0]);
    let mistake = of_hours(&mut client, &[7.0]).run_id;
    let first = withdraw(&mut client, mistake);
    let second = restore(&mut client, mistake);
    let third = withdraw(&mut client, mistake);
    assert!(first < second && second < third);
    for many in [false, true] {
        if many {
            withdraw_many_others(&database, alice.tenant_id);
        }
        let micro = 1.microsecond();
        for (moment, value) in [
            (first - micro, 7.0),
            (first, 1.0),
            (second - micro, 1.0),
            (second, 7.0),
            (third - micro, 7.0),
            (third, 1.0),
            (third + 1.hour(), 1.0),
        ] {
            assert_eq!(values_as_of(&mut client, moment), [value], "{moment}, many: {many}");
        }
        assert_eq!(values(&mut client), [1.0]);
    }
    // Nothing was shown before anything was uploaded, withdrawn or not.
    assert!(values_as_of(&mut client, hour(0)).is_empty());
}

#[test]
fn a_call_that_is_made_again_changes_nothing_and_tells_what_stands() {
    let database = Database::fresh("withdrawn twice");
    let (alice, _) = database.two_tenants();
    let carol = database.create_user(alice.tenant_id, "carol@tenant-a.com", "write");
    let (mut client, mut other) = (database.authenticated(&alice), database.authenticated(&carol));
    let mistake = of_hours(&mut client, &[7.0]).run_id;
    refused(client.execute("SELECT timedb.restore_run($1)", &[&mistake]))
        .code("55000")
        .message(&format!("run \"{mistake}\" was never withdrawn"));
    let withdraw = "SELECT w::text FROM timedb.withdraw_run($1, $2) w";
    let restore = "SELECT r::text FROM timedb.restore_run($1, $2) r";
    for (sql, by) in [(withdraw, "withdrawn_by"), (restore, "restored_by")] {
        let first: String = one_of(&mut client, sql, &[&mistake, &" wrong units "]);
        let again: String = one_of(&mut other, sql, &[&mistake, &"another reason"]);
        assert_eq!(first, again, "{sql}");
        assert!(first.contains("wrong units"), "{first}");
        let by: String = one(&mut client, &format!("SELECT {by} FROM timedb.withdrawals"));
        assert_eq!(by, alice.email);
    }
    let rows: i64 = one(&mut client, "SELECT count(*) FROM timedb.withdrawals");
    assert_eq!(rows, 1);
    // Anew, it is a withdrawal of its own; a blank reason is none.
    let anew = "SELECT reason IS NULL AND withdrawn_by = $2 FROM timedb.withdraw_run($1, ' ')";
    assert!(one_of::<bool>(&mut other, anew, &[&mistake, &carol.email]));
    let kept = "SELECT string_agg(format('%s/%s', w.withdrawn_by, w.restored_by), ' ' ORDER BY w.withdrawn_at) \
                FROM timedb.withdrawals w";
    let expected = format!("{0}/{0} {1}/", alice.email, carol.email);
    assert_eq!(one::<String>(&mut client, kept), expected);
}

#[test]
fn list_runs_tells_since_when_a_run_is_withdrawn_and_goes_on_counting_it() {
    let database = Database::fresh("withdrawn listed");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let good = of_hours(&mut client, &[1.0]).run_id;
    let mistake = of_hours(&mut client, &[7.0, 8.0]).run_id;
    let listed = |client: &mut Client| -> Vec<(Uuid, i64, Option<Timestamp>, Timestamp)> {
        let mut all = Vec::new();
        for chosen in ["", "series_keys => '{a}'"] {
            let sql =
                format!("SELECT run_id, value_count, withdrawn_at, last_change_time FROM timedb.list_runs({chosen})");
            let rows = client.query(&sql, &[]).expect("it lists");
            all.push(
                rows.iter()
                    .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
                    .collect(),
            );
        }
        assert_eq!(all[0], all[1]);
        all.remove(0)
    };
    let at = withdraw(&mut client, mistake);
    let [newest, oldest] = listed(&mut client)[..] else {
        panic!("two runs")
    };
    assert_eq!(newest, (mistake, 2, Some(at), at));
    assert_eq!((oldest.0, oldest.1, oldest.2), (good, 1, None));
    let at = restore(&mut client, mistake);
    assert_eq!(listed(&mut client)[0], (mistake, 2, None, at));
}

#[test]
fn a_withdrawn_run_is_updated_by_nobody_and_stands_in_the_way_of_no_value() {
    let database = Database::fresh("withdrawn update");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let good = of_hours(&mut client, &[1.0]);
    let mistake = of_hours(&mut client, &[7.0]);
    withdraw(&mut client, mistake.run_id);
    let change = |run: Uuid| value_update(run, mistake.series("a"), hour(0), json!({"value": 2}));
    let both = json!([change(good.run_id), change(mistake.run_id)]);
    refused(try_update(&mut client, &both))
        .code("55000")
        .message(&format!("updates[1].run_id: run \"{}\" is withdrawn", mistake.run_id))
        .hint("Restore it with timedb.restore_run() first; without \"run_id\" the value that is shown is changed.");
    assert_eq!(values(&mut client), [1.0], "nothing of the call is done");
    // What is shown is the other's, and so is what is corrected.
    let shown = json!([{"value_key": "a", "valid_time": hour(0).to_string(), "value": 3}]);
    let row = client.query_one("SELECT run_id, status FROM timedb.update($1)", &[&shown]);
    let row = row.expect("it updates");
    assert_eq!((row.get(0), row.get(1)), (good.run_id, "updated"));
    // What only a withdrawn run says is not known: it is stored again.
    let polled = "SELECT written, skipped FROM timedb.upload(now(), $1, skip_unchanged => true)";
    let mut poll = |value: f64| -> (i64, i64) {
        let row = client.query_one(polled, &[&json!([value_row("a", hour(0), value)])]);
        let row = row.expect("an upload");
        (row.get(0), row.get(1))
    };
    assert_eq!(poll(3.0), (0, 1));
    assert_eq!(poll(7.0), (1, 0));
    // Restored, it is as any other.
    restore(&mut client, mistake.run_id);
    let statuses = try_update(&mut client, &json!([change(mistake.run_id)])).expect("it updates");
    assert_eq!(statuses, ["updated"]);
}

#[test]
fn who_may_not_or_names_no_run_is_told_so_and_changes_nothing() {
    let database = Database::fresh("withdraw refused");
    let (alice, bob) = database.two_tenants();
    let reader = database.create_user(alice.tenant_id, "reader@tenant-a.com", "read");
    let mut client = database.authenticated(&alice);
    let mut nobody = database.login("app");
    let mistake = of_hours(&mut client, &[7.0]).run_id;
    let long = "x".repeat(10_001);
    for call in ["withdraw_run", "restore_run"] {
        let sql = format!("SELECT timedb.{call}($1, $2)");
        refused(client.execute(&sql, &[&None::<Uuid>, &"why"]))
            .code("22004")
            .message("\"run_id\" must not be null");
        refused(client.execute(&sql, &[&mistake, &long]))
            .code("54000")
            .message("\"reason\" is longer than 10000 bytes");
        refused(database.authenticated(&reader).execute(&sql, &[&mistake, &"why"]))
            .code("42501")
            .message("this needs an API key of scope \"write\"");
        refused(nobody.execute(&sql, &[&mistake, &"why"])).code("28000");
        refused(database.authenticated(&bob).execute(&sql, &[&mistake, &"why"]))
            .code("42704")
            .message(&format!("run \"{mistake}\" does not exist"));
        let absent = Uuid::now_v7();
        refused(client.execute(&sql, &[&absent, &"why"]))
            .code("42704")
            .message(&format!("run \"{absent}\" does not exist"));
        run(&mut client, "BEGIN READ ONLY");
        refused(client.execute(&sql, &[&mistake, &"why"]))
            .code("25006")
            .message("cannot execute SELECT FOR NO KEY UPDATE in a read-only transaction");
        run(&mut client, "ROLLBACK");
    }
    assert_eq!(
        one::<i64>(&mut database.admin(), "SELECT count(*) FROM timedb.withdrawals"),
        0
    );
    assert_eq!(values(&mut client), [7.0]);
}

/// What a read asks first is asked with its own snapshot.
#[test]
fn a_transaction_that_began_before_sees_neither_a_withdrawal_nor_its_end() {
    let database = Database::fresh("withdrawn snapshot");
    let (alice, _) = database.two_tenants();
    let (mut client, mut other) = (database.authenticated(&alice), database.authenticated(&alice));
    of_hours(&mut client, &[1.0]);
    let mistake = of_hours(&mut client, &[7.0]);
    let change = json!([value_update(
        mistake.run_id,
        mistake.series("a"),
        hour(0),
        json!({"value": 2})
    )]);
    for (shown, take) in [(7.0, withdraw as fn(&mut Client, Uuid) -> Timestamp), (1.0, restore)] {
        run(&mut client, "BEGIN ISOLATION LEVEL REPEATABLE READ");
        assert_eq!(values(&mut client), [shown]);
        take(&mut other, mistake.run_id);
        assert_ne!(values(&mut other), [shown], "the premise");
        assert_eq!(values(&mut client), [shown]);
        refused(try_update(&mut client, &change)).code("40001");
        run(&mut client, "ROLLBACK");
        assert_ne!(values(&mut client), [shown]);
    }
}

#[test]
fn a_withdrawal_is_settled_once_it_is_committed_and_later_than_all_that_was_settled_before() {
    let database = Database::fresh("withdrawal settled");
    let (alice, _) = database.two_tenants();
    let (mut client, mut other) = (database.authenticated(&alice), database.authenticated(&alice));
    let mistake = of_hours(&mut client, &[7.0]).run_id;
    for take in [withdraw as fn(&mut Client, Uuid) -> Timestamp, restore] {
        let before: Timestamp = one(&mut other, "SELECT timedb.settled_time()");
        run(&mut client, "BEGIN");
        let at = take(&mut client, mistake);
        let open: Timestamp = one(&mut other, "SELECT timedb.settled_time()");
        assert!(before < at && open < at, "{before} {open} {at}");
        let shown = values_as_of(&mut other, open);
        run(&mut client, "COMMIT");
        assert_eq!(values_as_of(&mut other, open), shown, "it stays so");
        assert_ne!(values_as_of(&mut other, at), shown);
        assert!(one::<Timestamp>(&mut other, "SELECT timedb.settled_time()") >= at);
    }
}

/// Nothing is lost to whoever follows the changes, whenever a run is withdrawn and restored in between.
#[test]
fn changes_of_a_withdrawn_run_are_told_like_any_others() {
    let database = Database::fresh("withdrawn changes");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mistake = of_hours(&mut client, &[7.0, 8.0]).run_id;
    let changes = "SELECT count(*) FROM timedb.read_changes('2025-01-01') c WHERE c.run_id = $1";
    for _ in 0..2 {
        withdraw(&mut client, mistake);
        assert_eq!(one_of::<i64>(&mut client, changes, &[&mistake]), 2);
        run(&mut client, "SELECT timedb.compact(older_than => '0')");
        assert_eq!(one_of::<i64>(&mut client, changes, &[&mistake]), 2);
        restore(&mut client, mistake);
    }
}

/// However much of what is newest was taken back: hidden runs reach over the whole of what is left, and far beyond it.
#[test]
fn latest_is_what_is_left_however_many_runs_after_it_are_withdrawn() {
    let database = Database::fresh("withdrawn latest");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    of_hours(&mut client, &[1.0, 2.0]);
    let mut mistakes = Vec::new();
    for n in 0..60 {
        let rows: Vec<Value> = (0..4).map(|h| value_row("a", hour(1 + n * 7 + h), 100 + n)).collect();
        mistakes.push(upload(&mut client, &Value::from(rows)).run_id);
    }
    let latest = "SELECT value FROM timedb.latest()";
    for is_packed in [false, true] {
        if is_packed {
            run(&mut client, "SELECT timedb.compact(older_than => '0')");
        }
        for (n, mistake) in mistakes.iter().enumerate().rev() {
            if n % 20 == 19 || n < 3 {
                assert_eq!(one::<f64>(&mut client, latest), 100.0 + n as f64);
            }
            withdraw(&mut client, *mistake);
        }
        assert_eq!(one::<f64>(&mut client, latest), 2.0);
        mistakes.iter().for_each(|mistake| {
            restore(&mut client, *mistake);
        });
        assert_eq!(one::<f64>(&mut client, latest), 159.0);
    }
    let everything: Vec<Uuid> = client
        .query("SELECT run_id FROM timedb.runs", &[])
        .expect("the runs")
        .iter()
        .map(|row| row.get(0))
        .collect();
    everything.into_iter().for_each(|run| {
        withdraw(&mut client, run);
    });
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.latest()"), 0);
}
