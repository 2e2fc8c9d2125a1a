//! Retention over the wire: what is older than asked for goes, and nothing else.

mod crowd;
mod meanwhile;
mod random;

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Database, Identity, backend_pid, login, one, refused, run, wait_until_blocked};
use uuid::Uuid;

use crate::support::{hour, row_counts, update, upload, value_row, value_update};

/// What a call answers.
#[derive(Clone, Debug, Default, PartialEq)]
struct Applied {
    series: i32,
    versions: i64,
    values: i64,
    bytes: i64,
    remaining: i64,
}

fn try_apply(client: &mut Client, arguments: &str) -> Result<Applied, postgres::Error> {
    let row = client.query_one(&format!("SELECT * FROM timedb.apply_retention({arguments})"), &[])?;
    Ok(Applied {
        series: row.get("series"),
        versions: row.get("versions"),
        values: row.get("value_count"),
        bytes: row.get("bytes"),
        remaining: row.get("remaining"),
    })
}

#[track_caller]
fn apply(client: &mut Client, arguments: &str) -> Applied {
    try_apply(client, arguments).unwrap_or_else(|error| panic!("it is not applied: {error:?}"))
}

fn wet(client: &mut Client) -> Applied {
    apply(client, "dry_run => false")
}

/// So that a cutoff lies so many minutes after the beginning of 2025.
fn since(minutes: i64) -> String {
    format!("clock_timestamp() - ('2025-01-01'::timestamptz + interval '{minutes} minutes')")
}

fn admin_of(database: &Database) -> Identity {
    database.create_user(Uuid::now_v7(), "admin@tenant-a.com", "admin")
}

/// Hourly values of a key, from an hour on, as one run.
#[track_caller]
fn upload_hours(client: &mut Client, key: &str, from: i64, count: i64) -> (Uuid, Uuid) {
    let rows: Vec<Value> = (from..from + count).map(|at| value_row(key, hour(at), at)).collect();
    let uploaded = upload(client, &json!(rows));
    (uploaded.run_id, uploaded.series(key))
}

fn values(client: &mut Client, arguments: &str) -> i64 {
    one(client, &format!("SELECT count(*) FROM timedb.read({arguments})"))
}

fn counts_of_runs(client: &mut Client) -> Vec<i64> {
    let rows = client.query("SELECT value_count FROM timedb.list_runs()", &[]);
    rows.expect("runs").iter().map(|row| row.get(0)).collect()
}

#[test]
fn what_begins_before_goes_of_rows_and_packs_that_straddle_it_and_nothing_by_itself() {
    let database = Database::fresh("retention straddles");
    let mut client = database.authenticated(&admin_of(&database));
    for packed in [false, true] {
        let key = if packed { "packed" } else { "rows" };
        for _ in 0..3 {
            upload_hours(&mut client, key, 0, 48);
        }
        if packed {
            run(&mut client, "SELECT timedb.compact(older_than => '0')");
            let packs: i64 = one(&mut client, "SELECT count(*) FROM timedb.packs");
            assert!(packs > 0, "the premise");
        }
        run(
            &mut client,
            &format!("SELECT timedb.set_retention({})", since(23 * 60 + 30)),
        );
        let of_key = format!("series_keys => '{{{key}}}', mode => 'overlapping'");
        assert_eq!(values(&mut client, &of_key), 3 * 48, "setting it takes nothing");
        let dry = apply(&mut client, "");
        assert_eq!((dry.series, dry.versions, dry.values, dry.remaining), (1, 0, 3 * 24, 0));
        assert_eq!(values(&mut client, &of_key), 3 * 48, "nor does a dry run");
        let done = wet(&mut client);
        assert_eq!(
            (done.series, done.versions, done.values, done.remaining),
            (1, 0, 3 * 24, 0)
        );
        assert_eq!(done.bytes, dry.bytes);
        assert_eq!(values(&mut client, &of_key), 3 * 24);
        let before = format!("end_valid => '2025-01-02', {of_key}");
        assert_eq!(values(&mut client, &before), 0);
        assert_eq!(counts_of_runs(&mut client)[..3], [24, 24, 24]);
        assert_eq!(wet(&mut client), Applied::default());
        // What remains is told as a change, what is left of cut rows too.
        let changes: i64 = one(&mut client, "SELECT count(*) FROM timedb.read_changes('2000-01-01')");
        assert_eq!(changes, if packed { 6 } else { 3 } * 24);
    }
}

#[test]
fn by_known_time_runs_go_whole_and_a_series_that_nobody_uploads_ends_empty() {
    let database = Database::fresh("retention known");
    let mut client = database.authenticated(&admin_of(&database));
    // Backfills, far ahead and near.
    for (known, first) in [(0, 0), (1, 1000), (10, 2000), (30, 0), (31, 5)] {
        run(
            &mut client,
            &format!(
                "SELECT timedb.upload_points(now(), array_fill('wind'::text, ARRAY[6]), \
                   ARRAY(SELECT '2025-01-01'::timestamptz + n * interval '1 hour' FROM generate_series({first}, {first} + 5) n), \
                   ARRAY[1, 2, 3, 4, 5, 6], known_time => '2025-01-01'::timestamptz + interval '{known} hours')"
            ),
        );
    }
    let keep = since(20 * 60);
    run(
        &mut client,
        &format!("SELECT timedb.set_retention({keep}, 'known_time')"),
    );
    let dry = apply(&mut client, "true");
    assert_eq!((dry.versions, dry.values), (3, 18));
    let done = wet(&mut client);
    assert_eq!((done.versions, done.values, done.remaining), (3, 18, 0));
    assert_eq!(values(&mut client, "mode => 'overlapping'"), 12);
    assert_eq!(
        counts_of_runs(&mut client),
        [6, 6, 0, 0, 0],
        "runs stay, and tell that they are empty"
    );
    run(&mut client, "SELECT timedb.compact(older_than => '0')");
    run(
        &mut client,
        &format!("SELECT timedb.set_retention({}, 'known_time')", since(31 * 60 - 1)),
    );
    assert_eq!(wet(&mut client).values, 6);
    run(
        &mut client,
        &format!("SELECT timedb.set_retention({}, 'known_time')", since(100 * 60)),
    );
    assert_eq!(wet(&mut client).values, 6);
    assert_eq!(values(&mut client, "mode => 'overlapping'"), 0);
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.list_series()"), 1);
}

#[test]
fn of_what_is_further_back_only_what_is_shown_stays_with_what_is_said_of_it() {
    let database = Database::fresh("retention revisions");
    let mut client = database.authenticated(&admin_of(&database));
    let (older, series) = upload_hours(&mut client, "wind", 0, 10);
    upload_hours(&mut client, "wind", 5, 10);
    let remarked = json!([value_update(older, series, hour(2), json!({"annotation": "seen"}))]);
    update(&mut client, &remarked);
    let shown = "SELECT string_agg(r::text, '|') FROM timedb.read() r";
    let before: String = one(&mut client, shown);
    run(
        &mut client,
        &format!(
            "SELECT timedb.set_retention(NULL, keep_revisions => {})",
            since(7 * 60 + 30)
        ),
    );
    let done = wet(&mut client);
    // Three of the older run's, hidden at 05:00, 06:00 and 07:00, and the version before the remark.
    assert_eq!((done.values, done.versions, done.remaining), (4, 0, 0));
    assert_eq!(one::<String>(&mut client, shown), before);
    assert_eq!(values(&mut client, "mode => 'overlapping', all_versions => true"), 17);
    assert_eq!(counts_of_runs(&mut client), [10, 7]);
    assert_eq!(wet(&mut client), Applied::default());
}

#[test]
fn a_run_that_is_withdrawn_keeps_its_revisions_and_hides_nothing_but_goes_with_what_is_too_old() {
    let database = Database::fresh("retention withdrawn");
    let mut client = database.authenticated(&admin_of(&database));
    upload_hours(&mut client, "wind", 0, 4);
    let (withdrawn, _) = upload_hours(&mut client, "wind", 0, 4);
    run(&mut client, &format!("SELECT timedb.withdraw_run('{withdrawn}')"));
    run(
        &mut client,
        &format!("SELECT timedb.set_retention(NULL, keep_revisions => {})", since(600)),
    );
    assert_eq!(wet(&mut client), Applied::default());
    run(&mut client, &format!("SELECT timedb.restore_run('{withdrawn}')"));
    assert_eq!(values(&mut client, "mode => 'overlapping'"), 8);
    run(&mut client, &format!("SELECT timedb.withdraw_run('{withdrawn}')"));
    run(&mut client, &format!("SELECT timedb.set_retention({})", since(90)));
    assert_eq!(wet(&mut client).values, 4);
}

#[test]
fn a_series_own_setting_counts_instead_of_the_default_until_it_is_ended() {
    let database = Database::fresh("retention own");
    let mut client = database.authenticated(&admin_of(&database));
    let (_, kept) = upload_hours(&mut client, "kept", 0, 4);
    let (_, longer) = upload_hours(&mut client, "longer", 0, 4);
    upload_hours(&mut client, "other", 0, 4);
    run(
        &mut client,
        &format!(
            "SELECT timedb.set_retention({}); SELECT timedb.set_retention(NULL, series_ids => ARRAY['{kept}'::uuid]); \
             SELECT timedb.set_retention({}, series_ids => ARRAY['{longer}'::uuid]); \
             SELECT timedb.set_retention('1 day', series_ids => '{{}}')",
            since(150),
            since(30)
        ),
    );
    let listed = "SELECT string_agg(concat_ws(' ', coalesce(series_key, 'default'), keep IS NOT NULL, basis, changed_by), ', ' \
                    ORDER BY series_key NULLS FIRST) FROM timedb.list_retention()";
    let by = "valid_time admin@tenant-a.com";
    assert_eq!(
        one::<String>(&mut client, listed),
        format!("default t {by}, kept f {by}, longer t {by}")
    );
    assert_eq!(wet(&mut client).values, 1 + 3);
    let left = "SELECT string_agg(c, ' ' ORDER BY c) FROM (SELECT concat(series_key, count(*)) AS c FROM timedb.read() \
                GROUP BY series_key) AS c";
    assert_eq!(one::<String>(&mut client, left), "kept4 longer3 other1");
    run(
        &mut client,
        &format!("SELECT timedb.set_retention(NULL, 'default', series_ids => ARRAY['{kept}'::uuid, '{longer}'])"),
    );
    assert_eq!(wet(&mut client).values, 3 + 2);
    assert_eq!(one::<String>(&mut client, left), "kept1 longer1 other1");
    run(&mut client, "SELECT timedb.set_retention(NULL)");
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM timedb.list_retention()"),
        0
    );
    assert_eq!(apply(&mut client, ""), Applied::default());
}

/// More rows than a call takes: of one time all, or none.
#[test]
fn a_call_does_a_bounded_share_of_whole_times_and_whoever_goes_on_comes_to_the_end() {
    const OF_EACH: i64 = 30_000;
    let database = Database::fresh("retention share");
    let mut client = database.authenticated(&admin_of(&database));
    for at in 0..5 {
        upload_hours(&mut client, "wind", at, 1);
    }
    run(
        &mut database.admin(),
        &format!(
            "INSERT INTO timedb.values SELECT tenant_id, series_id, gen_random_uuid(), change_time, known_time, valid_from, \
               valid_to, part, span, points, changed_by FROM timedb.values, generate_series(2, {OF_EACH})"
        ),
    );
    run(&mut client, &format!("SELECT timedb.set_retention({})", since(270)));
    let dry = apply(&mut client, "");
    assert_eq!((dry.series, dry.versions, dry.values), (1, 5 * OF_EACH, 5 * OF_EACH));
    let first = wet(&mut client);
    assert!(
        first.versions < dry.versions,
        "the premise: more than a call does, {first:?}"
    );
    assert_eq!(first.remaining, 1);
    let each = "SELECT coalesce(bool_and(c = 30000), true) FROM (SELECT count(*) AS c FROM timedb.values GROUP BY valid_from) AS c";
    assert!(one::<bool>(&mut client, each), "a time that is left in part");
    let second = wet(&mut client);
    assert_eq!((first.versions + second.versions, second.remaining), (dry.versions, 0));
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.values"), 0);
}

#[test]
fn a_series_whose_run_is_being_updated_is_passed_over_and_nobody_waits() {
    let database = Database::fresh("retention beside an update");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    let (busy, series) = upload_hours(&mut client, "busy", 0, 4);
    upload_hours(&mut client, "free", 0, 4);
    run(&mut client, &format!("SELECT timedb.set_retention({})", since(90)));
    let mut other = database.authenticated(&admin);
    run(&mut other, "BEGIN");
    update(
        &mut other,
        &json!([value_update(busy, series, hour(0), json!({"value": 7}))]),
    );
    let first = wet(&mut client);
    assert_eq!((first.series, first.values, first.remaining), (1, 2, 1));
    run(&mut other, "COMMIT");
    // Its two versions, and the other value.
    let second = wet(&mut client);
    assert_eq!((second.values, second.remaining), (3, 0));
    assert_eq!(counts_of_runs(&mut client), [2, 2]);
}

/// What an update changes inside of what is kept is not lost, and what has gone is not there to be changed.
#[test]
fn an_update_waits_for_what_goes_of_its_run_and_then_writes_to_what_is_left() {
    let database = Database::fresh("retention before an update");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    let (run_id, series) = upload_hours(&mut client, "wind", 0, 4);
    run(&mut client, &format!("SELECT timedb.set_retention({})", since(90)));
    run(&mut client, "BEGIN");
    assert_eq!(wet(&mut client).values, 2);
    let mut other = database.authenticated(&admin);
    let pid = backend_pid(&mut other);
    let updates = json!([
        value_update(run_id, series, hour(3), json!({"value": 30})),
        value_update(run_id, series, hour(0), json!({"value": 10})),
    ]);
    let writer = std::thread::spawn(move || update(&mut other, &updates));
    wait_until_blocked(&mut database.admin(), pid);
    // An upload and a read of the same series do not.
    let mut third = database.authenticated(&admin);
    upload_hours(&mut third, "wind", 10, 1);
    assert_eq!(values(&mut third, "mode => 'overlapping'"), 5);
    run(&mut client, "COMMIT");
    assert_eq!(writer.join().expect("it is updated"), ["updated", "created"]);
    assert_eq!(values(&mut client, "mode => 'overlapping'"), 4);
    assert_eq!(counts_of_runs(&mut client), [1, 3]);
}

#[test]
fn bad_arguments_and_keys_without_the_scope_change_nothing_and_say_why() {
    let database = Database::fresh("retention refused");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    upload_hours(&mut client, "wind", 0, 2);
    let before = row_counts(&mut database.admin());
    let absent = Uuid::now_v7();
    for (arguments, code, message) in [
        ("'0'", "22023", "\"keep\" must be positive"),
        ("'-1 day'", "22023", "\"keep\" must be positive"),
        ("'1 month -2 days'", "22023", "\"keep\" must be positive"),
        ("'300000 years'", "22008", "\"keep\" is infinite or out of range"),
        ("'9000 years'", "22008", "out of range"),
        (
            "'1 year', keep_revisions => '0'",
            "22023",
            "\"keep_revisions\" must be positive",
        ),
        (
            "'1 year', keep_revisions => '13 months'",
            "22023",
            "must be shorter than \"keep\"",
        ),
        (
            "'1 year', 'change_time'",
            "22023",
            "\"basis\" is \"valid_time\" or \"known_time\"",
        ),
        ("'1 year', 'default'", "22023", "\"basis\" is \"default\" for some"),
        (
            "'1 year', series_ids => '{NULL}'",
            "22004",
            "\"series_ids\" must not contain null",
        ),
        (
            &format!("'1 year', series_ids => '{{{absent}}}'"),
            "42704",
            "does not exist",
        ),
        (&format!("'1 year', tenant_id => '{absent}'"), "42704", "does not exist"),
    ] {
        let sql = format!("SELECT timedb.set_retention({arguments})");
        refused(client.batch_execute(&sql)).code(code).message_contains(message);
    }
    refused(try_apply(&mut client, &format!("false, '{absent}'"))).code("42704");
    run(&mut client, "BEGIN READ ONLY");
    refused(try_apply(&mut client, "false"))
        .code("25006")
        .message("cannot execute apply_retention() in a read-only transaction");
    run(&mut client, "ROLLBACK; BEGIN READ ONLY");
    assert_eq!(apply(&mut client, ""), Applied::default());
    refused(client.batch_execute("SELECT timedb.set_retention('1 day')")).code("25006");
    run(&mut client, "ROLLBACK");
    for scope in ["read", "write"] {
        let other = database.create_user(admin.tenant_id, &format!("{scope}@tenant-a.com"), scope);
        let mut other = database.authenticated(&other);
        for call in [
            "set_retention('1 day')",
            "list_retention()",
            "apply_retention()",
            "apply_retention(false)",
        ] {
            refused(other.batch_execute(&format!("SELECT timedb.{call}"))).code("42501");
        }
    }
    let after = row_counts(&mut database.admin());
    let changed: Vec<_> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after)
        .collect();
    assert!(
        changed
            .iter()
            .all(|(_, (table, _))| ["timedb.users", "timedb.api_keys", "timedb.audit"].contains(&table.as_str())),
        "{changed:?}"
    );
}

#[test]
fn an_operator_sets_and_applies_it_for_a_tenant_and_is_told_counts_alone() {
    let database = Database::fresh("retention operator");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    let (_, series) = upload_hours(&mut client, "secret name", 0, 4);
    let tenant = admin.tenant_id;
    let mut ops = database.login("ops");
    refused(ops.batch_execute("SELECT timedb.set_retention('1 day')"))
        .code("22004")
        .message("\"tenant_id\" must not be null");
    let keep = since(90);
    run(
        &mut ops,
        &format!("SELECT timedb.set_retention({keep}, series_ids => ARRAY['{series}'::uuid], tenant_id => '{tenant}')"),
    );
    let listed = ops.query_one(
        "SELECT series_id, series_key FROM timedb.list_retention($1)",
        &[&tenant],
    );
    let listed = listed.expect("what is set");
    assert_eq!(
        (listed.get::<_, Uuid>(0), listed.get::<_, Option<&str>>(1)),
        (series, None)
    );
    let share = format!("SELECT versions + remaining FROM timedb._retain_share_operator('{tenant}')");
    // What a transaction of the tenant's packs meanwhile, it does not wait for.
    run(&mut client, "BEGIN; SELECT timedb.compact(older_than => '0')");
    let mut other = database.authenticated(&admin);
    upload_hours(&mut other, "packed", 0, 1);
    upload_hours(&mut other, "packed", 0, 1);
    run(&mut client, "SELECT timedb.compact(older_than => '0')");
    refused(ops.batch_execute(&share)).code("55P03");
    run(&mut client, "ROLLBACK");
    assert_eq!(one::<i64>(&mut ops, &share), 0);
    assert_eq!(values(&mut client, "series_keys => '{secret name}'"), 2);
    refused(ops.batch_execute("SELECT count(*) FROM timedb.values")).code("42501");
    // Somebody else's tenant has nothing to lose by it.
    let other = apply(&mut ops, &format!("false, '{}'", Uuid::now_v7()));
    assert_eq!(other, Applied::default());
    // Whoever has logged in with a key is no more than that key.
    let bob = database.create_user(Uuid::now_v7(), "bob@tenant-b.com", "admin");
    login(&mut ops, &bob, false);
    refused(try_apply(&mut ops, &format!("false, '{tenant}'"))).code("42704");
}

#[test]
fn the_audit_tells_who_set_it_and_how_much_went() {
    let database = Database::fresh("retention audited");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    upload_hours(&mut client, "wind", 0, 4);
    let mut ops = database.login("ops");
    run(
        &mut client,
        "SELECT timedb.set_retention('1 year', keep_revisions => '1 month')",
    );
    run(
        &mut ops,
        &format!(
            "SELECT timedb.set_retention({}, tenant_id => '{}')",
            since(90),
            admin.tenant_id
        ),
    );
    apply(&mut client, "");
    wet(&mut client);
    wet(&mut client);
    let entries = "SELECT string_agg(concat_ws(' ', actor, via, action, detail->>'keep', detail->>'keep_revisions', \
                     detail->>'value_count'), ', ' ORDER BY occurred_at) FROM timedb.list_audit() WHERE action ~ 'retention'";
    let told: String = one(&mut client, entries);
    assert!(
        told.starts_with("admin@tenant-a.com key set_retention P12M0D P1M0D, ops operator set_retention P0M"),
        "{told}"
    );
    assert!(told.ends_with(", admin@tenant-a.com key apply_retention 2"), "{told}");
}
