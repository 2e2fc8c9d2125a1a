//! What operators and tenants do to what is stored: maintenance, retention, taking back, erasing.

use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::Client;
use serde_json::Value;
use timedb_testkit::{Database, Identity, one, one_of, wait_until};
use uuid::Uuid;

use crate::support::{Typed, timedb};

fn upload(database: &Database, who: &Identity, key: &str, hours: i32) -> Uuid {
    let sql = "SELECT run_id FROM timedb.upload_points(now(), array_fill($1::text, ARRAY[$2::int]), \
                 array(SELECT '2025-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, $2) AS n), \
                 array(SELECT n::float8 FROM generate_series(1, $2) AS n))";
    one_of(&mut database.authenticated(who), sql, &[&key, &hours])
}

fn read(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn maintenance_packs_and_tells_of_each_tenant() {
    let database = Database::fresh("cli maintain");
    let (alice, bob) = database.two_tenants();
    for who in [&alice, &alice, &bob, &bob] {
        upload(&database, who, "wind", 3);
    }
    let told = timedb(&database, "ops").types("maintain --older-than 0 --json");
    assert!(told.err.contains("maintained 2 of 2 tenants"), "{told:?}");
    let rows = read(&told.done());
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.iter().all(|row| row["finished_at"].is_string()), "{rows:?}");
    for mistaken in ["maintain --budget soon", "maintain --older-than -1"] {
        let typed = timedb(&database, "ops").types(mistaken);
        assert!(matches!(typed.code, Some(1 | 2)) && typed.out.is_empty(), "{typed:?}");
    }
}

/// Interrupts a command whose statement waits for what we hold.
fn interrupted(database: &Database, mut waiting: Child) -> Typed {
    let mut admin = database.admin();
    wait_until("the statement waits", || waiting_statements(&mut admin) > 0);
    assert!(waiting.try_wait().expect("a state").is_none(), "the premise: it runs");
    let id = i32::try_from(waiting.id()).expect("an id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("interrupted");
    let typed = Typed::of(waiting.wait_with_output().expect("it ends"));
    wait_until("the server has let go of it", || waiting_statements(&mut admin) == 0);
    typed
}

fn waiting_statements(admin: &mut Client) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'timedb'";
    one(admin, sql)
}

#[test]
fn ctrl_c_ends_what_the_server_does_for_us() {
    let database = Database::fresh("cli interrupted");
    let (alice, _) = database.two_tenants();
    let run = upload(&database, &alice, "wind", 3);
    let mut holder = database.admin();
    let mut held = holder.transaction().expect("a transaction");
    held.batch_execute("LOCK TABLE timedb.values, timedb.series")
        .expect("locks");
    let tenant = alice.tenant_id;
    for line in [
        "maintain --older-than 0".to_owned(),
        "stats --all".to_owned(),
        format!("erase run {run} --tenant-id {tenant} -y"),
    ] {
        let typed = interrupted(&database, timedb(&database, "ops").begins(&line));
        assert_eq!(typed.code, Some(1), "{line}: {typed:?}");
        assert!(typed.err.ends_with("timedb: interrupted\n"), "{line}: {typed:?}");
    }
    held.rollback().expect("let go");
    let left = "SELECT value_count FROM timedb.runs WHERE run_id = $1";
    assert_eq!(one_of::<i64>(&mut holder, left, &[&run]), 3, "nothing is half done");
}

#[test]
fn retention_is_set_listed_and_applied_by_either() {
    let database = Database::fresh("cli retention");
    let alice = database.create_user(Uuid::now_v7(), "alice@a.com", "admin");
    upload(&database, &alice, "wind", 5);
    let tenant = alice.tenant_id;
    let own = |words: &[&str]| timedb(&database, "caller").with_key_of(&alice).types_words(words);
    own(&["retention", "set", "--keep", "1 day", "--keep-revisions", "1 hour"]).done();
    let listed = own(&["retention", "list"]).done();
    assert!(listed.contains("1 day") && listed.contains("01:00:00"), "{listed}");
    let operators = timedb(&database, "ops")
        .types(&format!("retention list --tenant-id {tenant} --json"))
        .done();
    assert_eq!(read(&operators)[0]["keep"], "1 day");
    let dry = own(&["retention", "apply", "--dry-run"]).done();
    assert!(dry.starts_with("Would go\n") && dry.contains("value_count: 5"), "{dry}");
    assert!(own(&["retention", "apply"]).failed(2).contains("-y"));
    let gone = own(&["retention", "apply", "-y"]).done();
    assert!(
        gone.contains("value_count: 5") && gone.contains("remaining: 0"),
        "{gone}"
    );
    own(&["retention", "set", "--keep", "forever"]).done();
    assert_eq!(own(&["retention", "list", "--json"]).done(), "[]\n");
    own(&["retention", "set", "--keep", "default"]).failed(2);
    assert!(
        own(&["retention", "set", "--keep", "often"])
            .failed(1)
            .contains("interval")
    );
}

#[test]
fn runs_are_listed_withdrawn_and_restored() {
    let database = Database::fresh("cli runs");
    let (alice, bob) = database.two_tenants();
    let run = upload(&database, &alice, "wind", 2);
    upload(&database, &bob, "sun", 2);
    let own = |line: &str| timedb(&database, "app").with_key_of(&alice).types(line);
    let listed = read(&own("runs list --json").done());
    assert_eq!((listed.len(), &listed[0]["run_id"]), (1, &Value::from(run.to_string())));
    assert_eq!(own("runs list --series sun").done(), "(0 rows)\n");
    assert_eq!(
        own("runs list --series sun --series wind")
            .done()
            .matches(&run.to_string())
            .count(),
        1
    );
    let reason = ["runs", "withdraw", &run.to_string(), "--reason", "a wrong sensor"];
    let withdrawn = timedb(&database, "app").with_key_of(&alice).types_words(&reason).done();
    assert!(
        withdrawn.contains("Run withdrawn") && withdrawn.contains("a wrong sensor"),
        "{withdrawn}"
    );
    let count = "SELECT count(*) FROM timedb.read()";
    assert_eq!(one::<i64>(&mut database.authenticated(&alice), count), 0);
    own(&format!("runs restore {run}")).done();
    assert_eq!(one::<i64>(&mut database.authenticated(&alice), count), 2);
    let foreign = timedb(&database, "app")
        .with_key_of(&bob)
        .types(&format!("runs withdraw {run}"));
    assert!(foreign.failed(1).contains("does not exist"));
}

#[test]
fn series_are_listed_and_described() {
    let database = Database::fresh("cli series");
    let (alice, _) = database.two_tenants();
    upload(&database, &alice, "wind", 1);
    upload(&database, &alice, "sun", 1);
    let own = |words: &[&str]| timedb(&database, "app").with_key_of(&alice).types_words(words);
    let listed = read(&own(&["series", "list", "--json"]).done());
    assert_eq!(listed.len(), 2);
    let id = listed[1]["series_id"].as_str().expect("an id");
    let labels = "{\"site\": \"north\"}";
    let updated = own(&[
        "series",
        "update",
        id,
        "--unit",
        "m/s",
        "--description",
        "at 100 m",
        "--labels",
        labels,
    ])
    .done();
    assert!(
        updated.contains("unit: m/s") && updated.contains("at 100 m"),
        "{updated}"
    );
    let found = read(&own(&["series", "list", "--labels", labels, "--search", "WIND", "--json"]).done());
    assert_eq!((found.len(), &found[0]["series_key"]), (1, &Value::from("wind")));
    let page = own(&[
        "series",
        "list",
        "--max-rows",
        "1",
        "--after-key",
        "sun",
        "--after-id",
        listed[0]["series_id"].as_str().expect("an id"),
    ]);
    assert!(page.done().contains("wind"));
    own(&["series", "update", id]).failed(2);
    own(&["series", "list", "--labels", "north"]).failed(2);
    own(&["series", "list", "--labels", "[1]"]).failed(2);
}

#[test]
fn what_is_erased_is_gone_whoever_erases_it() {
    let database = Database::fresh("cli erase");
    let alice = database.create_user(Uuid::now_v7(), "alice@a.com", "admin");
    let (first, _) = (
        upload(&database, &alice, "wind", 2),
        upload(&database, &alice, "sun", 3),
    );
    let own = |line: &str| timedb(&database, "caller").with_key_of(&alice).types(line);
    assert!(own(&format!("erase run {first}")).failed(2).contains("gone for good"));
    let erased = own(&format!("erase run {first} -y")).done();
    assert!(
        erased.contains("value_count: 2") && erased.contains("remaining: 0"),
        "{erased}"
    );
    let series = read(&own("series list --search sun --json").done());
    let series = series[0]["series_id"].as_str().expect("an id").to_owned();
    let tenant = alice.tenant_id;
    let line = format!("erase series {series} --tenant-id {tenant} -y");
    let erased = timedb(&database, "ops").types(&line).done();
    assert!(erased.contains("value_count: 3"), "{erased}");
    upload(&database, &alice, "wind", 4);
    assert!(
        own(&format!("erase tenant {tenant} -y"))
            .failed(1)
            .contains("permission denied")
    );
    let erased = timedb(&database, "ops")
        .types(&format!("erase tenant {tenant} -y --json"))
        .done();
    let counts = read(&erased).remove(0);
    assert_eq!(
        (&counts["users"], &counts["value_count"], &counts["remaining"]),
        (&1.into(), &4.into(), &0.into())
    );
    assert!(own("stats").failed(1).contains("Invalid or inactive API key."));
}
