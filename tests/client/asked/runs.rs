//! `list_runs` counts what a read of every run shows of each, and lists them newest first.

use postgres::types::ToSql;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use timedb_testkit::{Database, Stage, one, one_of, refused, run};
use uuid::Uuid;

use super::ask;
use super::world::quarter;

#[derive(Clone, Debug)]
struct Question {
    start: Option<i64>,
    end: Option<i64>,
    choice: Option<&'static str>,
    rows: i32,
}

const CHOICES: [&str; 4] = [
    "series_keys => '{a}'",
    "series_keys => '{ä, none}', series_ids => '{}'",
    "series_keys => '{}'",
    "series_ids => array(SELECT series_id FROM timedb.list_series('{\"m\": \"x\"}'))",
];

#[test]
fn list_runs_counts_the_current_values_of_each_run_and_pages_through_them_newest_first() {
    let day = || prop::option::of(-5..5i64).prop_map(|day| day.map(|day| day * 96));
    let question = (day(), day(), prop::option::of(select(CHOICES.to_vec())), 1..6i32);
    let question = question.prop_map(|(start, end, choice, rows)| Question {
        start,
        end,
        choice,
        rows,
    });
    ask("list runs", question, |world, question| {
        let (start, end) = (question.start.map(quarter), question.end.map(quarter));
        let known: [&(dyn ToSql + Sync); 2] = [&start, &end];
        // Where no series are chosen runs without values count, too.
        let (choice, join) = match question.choice {
            Some(choice) => (choice, "JOIN"),
            None => ("mode => 'overlapping'", "LEFT JOIN"),
        };
        let overlapping = if question.choice.is_some() {
            ", mode => 'overlapping'"
        } else {
            ""
        };
        let sql = format!(
            "SELECT r.run_id, r.known_time, r.inserted_at, r.last_change_time, coalesce(v.count, 0) FROM timedb.runs r {join} \
               (SELECT run_id, count(*) FROM timedb.read(start_known => $1, end_known => $2, {choice}{overlapping}) \
                GROUP BY run_id) v USING (run_id) \
             WHERE ($1 IS NULL OR r.known_time >= $1) AND ($2 IS NULL OR r.known_time < $2) ORDER BY r.run_id DESC"
        );
        let row = |row: &postgres::Row| -> (Uuid, jiff::Timestamp, jiff::Timestamp, jiff::Timestamp, i64) {
            (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))
        };
        let expected: Vec<_> = world
            .client
            .query(&sql, &known)
            .expect("it reads")
            .iter()
            .map(row)
            .collect();
        let choice = question.choice.map(|choice| format!(", {choice}")).unwrap_or_default();
        let sql = format!(
            "SELECT run_id, known_time, inserted_at, last_change_time, value_count \
             FROM timedb.list_runs(start_known => $1, end_known => $2, max_rows => $3, after => $4{choice})"
        );
        let (mut found, mut after) = (Vec::new(), None::<Uuid>);
        loop {
            let given: [&(dyn ToSql + Sync); 4] = [&start, &end, &question.rows, &after];
            let page: Vec<_> = world
                .client
                .query(&sql, &given)
                .expect("it lists")
                .iter()
                .map(row)
                .collect();
            prop_assert!(page.len() <= question.rows as usize);
            let Some(last) = page.last() else { break };
            after = Some(last.0);
            found.extend(page);
        }
        prop_assert_eq!(&found, &expected);
        Ok(!expected.is_empty())
    });
}

#[test]
fn list_runs_tells_what_the_upload_said_and_finds_runs_by_workflow() {
    let database = Database::fresh("runs listed");
    let (alice, _) = database.two_tenants();
    let mut alice = database.authenticated(&alice);
    for number in 0..150 {
        run(
            &mut alice,
            &format!(
                "SELECT timedb.upload('2025-01-01', '[]', 'w{}', run_finish_time => '2025-01-02', known_time => '2025-01-03', \
                   run_params => '{{\"n\": {number}}}')",
                number % 3
            ),
        );
    }
    assert_eq!(
        one::<i64>(&mut alice, "SELECT count(*) FROM timedb.list_runs()"),
        100,
        "by default"
    );
    let sql = "SELECT run_params, workflow_id, run_start_time::text, run_finish_time::text, known_time::text, changed_by, value_count \
               FROM timedb.list_runs('w1', max_rows => 1)";
    let row = alice.query_one(sql, &[]).expect("the last one");
    assert_eq!(row.get::<_, Value>(0), serde_json::json!({"n": 148}));
    assert_eq!(row.get::<_, &str>(1), "w1");
    let times = [2, 3, 4].map(|column| row.get::<_, String>(column)[..10].to_owned());
    assert_eq!(times, ["2025-01-01", "2025-01-02", "2025-01-03"]);
    assert_eq!((row.get::<_, &str>(5), row.get::<_, i64>(6)), ("alice@tenant-a.com", 0));
    let count = |client: &mut postgres::Client, arguments: &str| -> i64 {
        one(client, &format!("SELECT count(*) FROM timedb.list_runs({arguments})"))
    };
    assert_eq!(count(&mut alice, "max_rows => 1000"), 150);
    assert_eq!(count(&mut alice, "null, max_rows => null"), 100);
    assert_eq!(count(&mut alice, "'w2', max_rows => 1000"), 50);
    assert_eq!(count(&mut alice, "'w3'"), 0);
    assert_eq!(count(&mut alice, "start_known => '2025-01-04'"), 0);
    assert_eq!(
        count(&mut alice, "start_known => '2025-01-04', end_known => '2025-01-01'"),
        0
    );
    for (arguments, code, message) in [
        (
            "start_known => 'infinity'",
            "22008",
            "\"start_known\" is infinite or out of range",
        ),
        (
            "end_known => '-infinity'",
            "22008",
            "\"end_known\" is infinite or out of range",
        ),
        ("max_rows => 0", "22023", "\"max_rows\" must be 1 or more"),
        ("labels => '1'", "22023", "\"labels\" must be a JSON object"),
        (
            "series_keys => '{null}'",
            "22004",
            "\"series_keys\" must not contain null",
        ),
        (
            "series_ids => '{null}'",
            "22004",
            "\"series_ids\" must not contain null",
        ),
        (
            "workflow_id => repeat('x', 501)",
            "54000",
            "\"workflow_id\" is longer than 500 bytes",
        ),
    ] {
        let sql = format!("SELECT * FROM timedb.list_runs({arguments})");
        refused(alice.query(&sql, &[])).code(code).message(message);
    }
    refused(
        database
            .login("app")
            .query("SELECT * FROM timedb.list_runs(max_rows => 0)", &[]),
    )
    .code("28000");
}

#[test]
fn list_runs_lists_and_counts_the_tenants_own_runs_only() {
    let stage = Stage::set("runs of tenants");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    let runs = |client: &mut postgres::Client, arguments: &str| -> Vec<(Uuid, i64)> {
        let sql = format!("SELECT run_id, value_count FROM timedb.list_runs({arguments})");
        let rows = client.query(&sql, &[]).expect("it lists");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let bobs = stage.bobs.series_id;
    for arguments in ["", &format!("series_ids => '{{{bobs}}}'"), "series_keys => '{bob}'"] {
        assert_eq!(runs(&mut bob, arguments), [(stage.bobs.run_id, 1)], "the premise");
        let expected: &[_] = if arguments.is_empty() {
            &[(stage.alices.run_id, 1)]
        } else {
            &[]
        };
        assert_eq!(runs(&mut alice, arguments), expected, "{arguments}");
    }
    // By another's run as a place in the order nothing is told but the order.
    let after: i64 = one_of(
        &mut alice,
        "SELECT count(*) FROM timedb.list_runs(after => $1)",
        &[&stage.bobs.run_id],
    );
    assert_eq!(after, 1);
    // A run that nobody has counted is counted when it is listed.
    run(&mut stage.admin(), "UPDATE timedb.runs SET value_count = NULL");
    run(&mut alice, "BEGIN READ ONLY");
    assert_eq!(runs(&mut alice, ""), [(stage.alices.run_id, 1)]);
    run(&mut alice, "COMMIT");
}
