//! Updates: what absent, null and a value do, and that of clients at once none loses a change and none waits in vain.

use std::thread;

use jiff::Timestamp;
use postgres::{Client, IsolationLevel};
use serde_json::{Value, json};
use timedb_testkit::{Database, Identity, backend_pid, one, one_of, refused, run, wait_until_blocked};
use uuid::Uuid;

use crate::support::{Uploaded, hour, row_counts, try_update, update, upload, value_row, value_update};

/// A version of the value, as `read` shows it.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    change_time: Timestamp,
    changed_by: String,
    value: Option<f64>,
    annotation: Option<String>,
    tags: Option<Vec<String>>,
}

/// Every version of every value of a run, oldest first.
fn history(client: &mut Client, run: Uuid) -> Vec<Version> {
    let sql = "SELECT change_time, changed_by, value, annotation, tags \
               FROM timedb.read(mode => 'overlapping', all_versions => true) \
               WHERE run_id = $1";
    let rows = client.query(sql, &[&run]).expect("it reads");
    let version = |row: &postgres::Row| Version {
        change_time: row.get(0),
        changed_by: row.get(1),
        value: row.get(2),
        annotation: row.get(3),
        tags: row.get(4),
    };
    rows.iter().map(version).collect()
}

fn last(client: &mut Client, run: Uuid) -> (Option<f64>, Option<String>, Option<Vec<String>>) {
    let version = history(client, run).pop().expect("a version");
    (version.value, version.annotation, version.tags)
}

fn tags(tags: &[&str]) -> Option<Vec<String>> {
    Some(tags.iter().map(|tag| (*tag).to_owned()).collect())
}

/// A run with the one value 1 of the series `a` at hour 0.
fn one_value(client: &mut Client) -> Uploaded {
    upload(client, &json!([value_row("a", hour(0), 1)]))
}

fn of_value(uploaded: &Uploaded, fields: Value) -> Value {
    json!([value_update(uploaded.run_id, uploaded.series("a"), hour(0), fields)])
}

#[test]
fn absent_leaves_null_clears_and_a_value_sets_each_of_three_fields() {
    let database = Database::fresh("tri-state");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    // For each field: absent, null, the same, another; with what the version then has.
    let values = [
        (None, Some(1.0)),
        (Some(json!(null)), None),
        (Some(json!(1)), Some(1.0)),
        (Some(json!(2.5)), Some(2.5)),
    ];
    let annotations = [
        (None, Some("seen")),
        (Some(json!(null)), None),
        (Some(json!("  seen\n")), Some("seen")),
        (Some(json!("  ")), None),
        (Some(json!(" heard ")), Some("heard")),
    ];
    let lists = [
        (None, tags(&["a", "b"])),
        (Some(json!(null)), None),
        (Some(json!(["B", " a ", "b"])), tags(&["a", "b"])),
        (Some(json!([])), None),
        (Some(json!(["Z", "", "m"])), tags(&["m", "z"])),
    ];
    let before = (Some(1.0), Some("seen".to_owned()), tags(&["a", "b"]));
    for (value, value_after) in &values {
        for (annotation, annotation_after) in &annotations {
            for (list, tags_after) in &lists {
                let uploaded = one_value(&mut client);
                let begin = of_value(&uploaded, json!({"annotation": "seen", "tags": ["a", "b"]}));
                assert_eq!(update(&mut client, &begin), ["updated"]);
                let mut fields = json!({});
                for (name, field) in [("value", value), ("annotation", annotation), ("tags", list)] {
                    if let Some(field) = field {
                        fields[name] = field.clone();
                    }
                }
                let after = (*value_after, annotation_after.map(str::to_owned), tags_after.clone());
                let expected = if after == before { "skipped" } else { "updated" };
                let status = update(&mut client, &of_value(&uploaded, fields.clone()));
                assert_eq!(status, [expected], "{fields}");
                assert_eq!(last(&mut client, uploaded.run_id), after, "{fields}");
                let versions = if expected == "skipped" { 2 } else { 3 };
                assert_eq!(history(&mut client, uploaded.run_id).len(), versions, "{fields}");
            }
        }
    }
}

#[test]
fn who_names_the_own_tenant_is_answered_the_same_for_a_huge_value_and_beside_a_bad_element() {
    let database = Database::fresh("own tenant");
    let (alice, bob) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let uploaded = one_value(&mut client);
    let of_tenant = |tenant: Uuid, fields: Value| {
        let mut updates = of_value(&uploaded, fields);
        updates[0]["tenant_id"] = json!(tenant.to_string());
        updates[0].clone()
    };
    for huge in [1e19, -1e300] {
        let updates = json!([of_tenant(alice.tenant_id, json!({"value": huge}))]);
        assert_eq!(update(&mut client, &updates), ["updated"], "{huge}");
        assert_eq!(last(&mut client, uploaded.run_id).0, Some(huge));
    }
    let good = of_tenant(alice.tenant_id, json!({"value": 2}));
    let foreign = of_tenant(bob.tenant_id, json!({"value": 2}));
    let mut bad = good.clone();
    bad["valid_time"] = json!("soon");
    for (elements, others) in [
        (json!([bad, good]), ""),
        (json!([bad, foreign, good]), " (and 1 other row is bad)"),
    ] {
        let message = format!("updates[0].valid_time: \"soon\" is not a timestamp{others}");
        refused(try_update(&mut client, &elements))
            .code("22007")
            .message(&message);
    }
}

#[test]
fn every_element_is_answered_in_input_order_and_those_of_one_value_make_one_version_field_by_field() {
    let database = Database::fresh("answer of update");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let uploaded = upload(
        &mut client,
        &json!([value_row("a", hour(0), 1), value_row("a", hour(1), 2)]),
    );
    let (run_id, series) = (uploaded.run_id, uploaded.series("a"));
    let at = |hours, fields| value_update(run_id, series, hour(hours), fields);
    let mut same_moment = at(0, json!({"tags": ["x"]}));
    same_moment["valid_time"] = json!("2025-01-01T01:00:00+01:00");
    let updates = json!([
        at(7, json!({"annotation": "its value comes later"})),
        at(1, json!({"value": 3, "annotation": "taken back"})),
        at(0, json!({"value": 5, "annotation": "first"})),
        at(7, json!({"value": 7})),
        at(0, json!({"annotation": "note"})),
        at(1, json!({"value": 2, "annotation": null})),
        same_moment,
    ]);
    let rows = client
        .query("SELECT * FROM timedb.update($1)", &[&updates])
        .expect("it updates");
    let answers: Vec<(String, Uuid, Uuid, Timestamp, Option<Timestamp>)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)))
        .collect();
    let answer = |status: &str, hours| (status.to_owned(), run_id, series, hour(hours), None);
    assert_eq!(
        answers,
        [
            answer("created", 7),
            answer("skipped", 1),
            answer("updated", 0),
            answer("created", 7),
            answer("updated", 0),
            answer("skipped", 1),
            answer("updated", 0),
        ]
    );
    let times: Vec<Timestamp> = rows.iter().map(|row| row.get("change_time")).collect();
    let written = times[0];
    assert_eq!(
        [2, 3, 4, 6].map(|place| times[place]),
        [written; 4],
        "one call and run, one change time"
    );
    assert!(
        times[1] < written && times[1] == times[5],
        "what is skipped keeps its own"
    );
    let versions = history(&mut client, run_id);
    assert_eq!(versions.len(), 4);
    let newest = versions.iter().filter(|version| version.change_time == written);
    let newest: Vec<_> = newest
        .map(|version| (version.value, version.annotation.as_deref(), version.tags.clone()))
        .collect();
    assert_eq!(
        newest,
        [
            (Some(5.0), Some("note"), tags(&["x"])),
            (Some(7.0), Some("its value comes later"), None)
        ]
    );
}

#[test]
fn elements_of_a_value_that_is_not_there_are_refused_where_none_gives_it() {
    let database = Database::fresh("no element has a value");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let uploaded = one_value(&mut client);
    let at = |fields| value_update(uploaded.run_id, uploaded.series("a"), hour(9), fields);
    let updates = json!([at(json!({"annotation": "of nothing"})), at(json!({"tags": ["x"]}))]);
    refused(try_update(&mut client, &updates))
        .code("42704")
        .message("updates[0]: value \"2025-01-01T09:00:00Z\" does not exist (and 1 other row is bad)");
    let updates = json!([
        at(json!({"annotation": "of null"})),
        at(json!({"value": null})),
        at(json!({"tags": ["x"]}))
    ]);
    assert_eq!(update(&mut client, &updates), ["created"; 3]);
    assert_eq!(
        last(&mut client, uploaded.run_id),
        (None, Some("of null".to_owned()), tags(&["x"]))
    );
}

#[test]
fn a_refused_batch_changes_nothing() {
    let database = Database::fresh("refused batch");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let uploaded = one_value(&mut client);
    let before = (row_counts(&mut admin), last(&mut client, uploaded.run_id));
    let good = value_update(uploaded.run_id, uploaded.series("a"), hour(0), json!({"value": 2}));
    let bad = value_update(uploaded.run_id, uploaded.series("a"), hour(9), json!({"tags": ["x"]}));
    refused(try_update(&mut client, &json!([good, bad]))).code("42704");
    assert_eq!((row_counts(&mut admin), last(&mut client, uploaded.run_id)), before);
}

/// A run's last change is that of its newest version, and nothing is newer where all is as it was asked for.
#[test]
fn an_update_marks_the_runs_that_it_changes_and_no_others() {
    let database = Database::fresh("marked runs");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let mut admin = database.admin();
    let (kept, changed) = (one_value(&mut client), one_value(&mut client));
    let mut marks = || {
        [&kept, &changed].map(|uploaded| -> Timestamp {
            let sql = "SELECT last_change_time FROM timedb.runs WHERE run_id = $1";
            one_of(&mut admin, sql, &[&uploaded.run_id])
        })
    };
    let before = marks();
    let same = value_update(kept.run_id, kept.series("a"), hour(0), json!({"value": 1}));
    assert_eq!(update(&mut client, &json!([same, same])), ["skipped"; 2]);
    assert_eq!(marks(), before);
    let new = value_update(changed.run_id, changed.series("a"), hour(0), json!({"value": 2}));
    assert_eq!(update(&mut client, &json!([same, new])), ["skipped", "updated"]);
    let newest = history(&mut client, changed.run_id)
        .pop()
        .expect("a version")
        .change_time;
    assert_eq!(marks(), [before[0], newest]);
    assert!(newest > before[1]);
}

#[test]
fn change_times_increase_also_when_the_clock_has_been_set_back() {
    let database = Database::fresh("clock set back");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let uploaded = one_value(&mut client);
    // As if the last change had been made by a clock an hour ahead of the one that there is now.
    run(
        &mut database.admin(),
        "UPDATE timedb.runs SET last_change_time = clock_timestamp() + interval '1 hour'",
    );
    for value in [2, 3, 4] {
        update(&mut client, &of_value(&uploaded, json!({"value": value})));
    }
    let versions = history(&mut client, uploaded.run_id);
    let values: Vec<_> = versions.iter().map(|version| version.value).collect();
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0].map(Some));
    assert!(versions.is_sorted_by(|a, b| a.change_time < b.change_time));
    assert!(versions[1].change_time > Timestamp::now());
}

/// Writes until it is written: what a client must do where Postgres answers 40001.
fn update_again_and_again(client: &mut Client, level: IsolationLevel, updates: &Value) -> u32 {
    let mut refusals = 0;
    loop {
        let mut transaction = client
            .build_transaction()
            .isolation_level(level)
            .start()
            .expect("a transaction");
        let result = transaction
            .execute("SELECT timedb.update($1)", &[updates])
            .and_then(|_| transaction.commit());
        match result {
            Ok(()) => return refusals,
            Err(error) => {
                refused::<()>(Err(error)).code("40001");
                refusals += 1;
            }
        }
    }
}

const WRITERS: [&str; 4] = ["value", "annotation", "tags", "value too"];
const ROUNDS: usize = 25;

/// Each writer changes its own field of one value, over and over: whoever read too old a version would bring back what
/// another had changed since.
fn race(level: IsolationLevel) {
    let database = Database::fresh(&format!("{level:?}"));
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let uploaded = one_value(&mut client);
    let people: Vec<Identity> = (0..WRITERS.len())
        .map(|number| database.create_user(alice.tenant_id, &format!("writer{number}@tenant-a.com"), "write"))
        .collect();
    thread::scope(|scope| {
        for (number, identity) in people.iter().enumerate() {
            let (database, uploaded) = (&database, &uploaded);
            scope.spawn(move || {
                let mut client = database.authenticated(identity);
                for round in 0..ROUNDS {
                    let fields = match number {
                        1 => json!({"annotation": format!("round {round}")}),
                        2 => json!({"tags": [format!("round {round}")]}),
                        _ => json!({"value": (round * WRITERS.len() + number) as f64 + 0.5}),
                    };
                    update_again_and_again(&mut client, level, &of_value(uploaded, fields));
                }
            });
        }
    });
    let versions = history(&mut client, uploaded.run_id);
    assert_eq!(versions.len(), WRITERS.len() * ROUNDS + 1);
    assert!(versions.is_sorted_by(|a, b| a.change_time < b.change_time));
    for pair in versions.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        let number = people.iter().position(|identity| identity.email == after.changed_by);
        let kept = |is_own: bool, is_same: bool| is_own != is_same;
        let own = WRITERS[number.expect("one of the writers")];
        assert!(kept(own.starts_with("value"), before.value == after.value), "{pair:?}");
        assert!(
            kept(own == "annotation", before.annotation == after.annotation),
            "{pair:?}"
        );
        assert!(kept(own == "tags", before.tags == after.tags), "{pair:?}");
    }
}

#[test]
fn no_update_of_four_clients_at_once_is_lost_under_read_committed() {
    race(IsolationLevel::ReadCommitted);
}

#[test]
fn no_update_of_four_clients_at_once_is_lost_under_repeatable_read() {
    race(IsolationLevel::RepeatableRead);
}

#[test]
fn no_update_of_four_clients_at_once_is_lost_under_serializable() {
    race(IsolationLevel::Serializable);
}

#[test]
fn an_update_that_waited_builds_on_what_it_waited_for() {
    let database = Database::fresh("waits and builds on");
    let (alice, _) = database.two_tenants();
    let mut first = database.authenticated(&alice);
    let mut second = database.authenticated(&alice);
    let mut admin = database.admin();
    let uploaded = one_value(&mut first);
    let blocked = backend_pid(&mut second);
    run(&mut first, "BEGIN");
    update(&mut first, &of_value(&uploaded, json!({"value": 2})));
    thread::scope(|scope| {
        let fields = json!({"annotation": "second"});
        let waiting = scope.spawn(|| update(&mut second, &of_value(&uploaded, fields)));
        wait_until_blocked(&mut admin, blocked);
        run(&mut first, "COMMIT");
        assert_eq!(waiting.join().expect("it ends"), ["updated"]);
    });
    let expected = (Some(2.0), Some("second".to_owned()), None);
    assert_eq!(last(&mut first, uploaded.run_id), expected);
}

#[test]
fn under_repeatable_read_an_update_on_top_of_a_newer_one_is_a_serialization_failure() {
    let database = Database::fresh("40001");
    let (alice, _) = database.two_tenants();
    let mut first = database.authenticated(&alice);
    let mut second = database.authenticated(&alice);
    let uploaded = one_value(&mut first);
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        let mut transaction = second
            .build_transaction()
            .isolation_level(level)
            .start()
            .expect("a transaction");
        transaction
            .execute("SELECT count(*) FROM timedb.values", &[])
            .expect("its snapshot is taken");
        let newer = of_value(&uploaded, json!({"annotation": format!("{level:?}")}));
        assert_eq!(update(&mut first, &newer), ["updated"]);
        let older = of_value(&uploaded, json!({"value": 3}));
        refused(transaction.execute("SELECT timedb.update($1)", &[&older])).code("40001");
    }
    assert_eq!(last(&mut first, uploaded.run_id).0, Some(1.0));
}

#[test]
fn batches_in_opposite_order_never_deadlock() {
    let database = Database::fresh("opposite order");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let runs: Vec<Uploaded> = (0..8).map(|_| one_value(&mut client)).collect();
    let batch = |writer: usize, round: usize| -> Vec<Value> {
        let value = (writer * 1000 + round) as f64;
        let update =
            |uploaded: &Uploaded| value_update(uploaded.run_id, uploaded.series("a"), hour(0), json!({"value": value}));
        runs.iter().map(update).collect()
    };
    thread::scope(|scope| {
        for writer in 1..=4usize {
            let (database, alice, batch) = (&database, &alice, &batch);
            scope.spawn(move || {
                let mut client = database.authenticated(alice);
                for round in 0..ROUNDS {
                    let mut updates = batch(writer, round);
                    if writer % 2 == 0 {
                        updates.reverse();
                    }
                    update(&mut client, &Value::from(updates));
                }
            });
        }
    });
    for uploaded in &runs {
        assert_eq!(history(&mut client, uploaded.run_id).len(), 4 * ROUNDS + 1);
    }
}

#[test]
fn updates_of_different_runs_do_not_wait_for_each_other_and_uploads_for_none() {
    let database = Database::fresh("different runs");
    let (alice, _) = database.two_tenants();
    let mut first = database.authenticated(&alice);
    let mut second = database.authenticated(&alice);
    let (one_run, other_run) = (one_value(&mut first), one_value(&mut first));
    run(&mut first, "BEGIN");
    update(&mut first, &of_value(&one_run, json!({"value": 2})));
    run(&mut second, "SET lock_timeout = '1ms'");
    let same = try_update(&mut second, &of_value(&one_run, json!({"value": 3})));
    refused(same).code("55P03");
    assert_eq!(
        update(&mut second, &of_value(&other_run, json!({"value": 3}))),
        ["updated"]
    );
    one_value(&mut second);
    let read: i64 = one(&mut second, "SELECT count(*) FROM timedb.read(mode => 'overlapping')");
    assert_eq!(read, 3);
    run(&mut first, "COMMIT");
    assert_eq!(
        update(&mut second, &of_value(&one_run, json!({"value": 3}))),
        ["updated"]
    );
}
