//! What a call that writes promises, and what the router refuses to pretend.

use crate::support::{spread, user_on};
use postgres::{Client, IsolationLevel};
use serde_json::json;
use timedb_testkit::{login, one, refused, run, words};

const UPLOAD: &str = "SELECT run_id FROM timedb.upload(now(), $1)";

fn rows() -> serde_json::Value {
    json!([{"value_key": "load", "valid_time": "2025-01-01T00:00:00Z", "value": 1}])
}

#[test]
fn a_second_call_that_writes_is_refused_in_one_transaction_and_the_first_stays() {
    let database = spread("second");
    let user = user_on(&database, 0, "write");
    let mut client = database.authenticated(&user);
    let mut transaction = client.transaction().unwrap();
    transaction.execute(UPLOAD, &[&rows()]).unwrap();
    refused(transaction.execute(UPLOAD, &[&rows()])).code("0A000");
    transaction.rollback().unwrap();
    let runs: i64 = one(&mut client, "SELECT count(*) FROM timedb.list_runs()");
    assert_eq!(runs, 1);
    client.execute(UPLOAD, &[&rows()]).unwrap();
}

#[test]
fn a_call_that_was_refused_may_be_tried_again_in_its_transaction() {
    let database = spread("again");
    let user = user_on(&database, 1, "write");
    let mut client = database.authenticated(&user);
    let mut transaction = client.transaction().unwrap();
    let mut savepoint = transaction.transaction().unwrap();
    refused(savepoint.execute(UPLOAD, &[&json!([{}])])).code("22023");
    savepoint.rollback().unwrap();
    transaction.execute(UPLOAD, &[&rows()]).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn nothing_is_written_in_a_transaction_that_only_reads() {
    let database = spread("read only");
    let user = user_on(&database, 2, "write");
    let mut client = database.authenticated(&user);
    let mut transaction = client
        .build_transaction()
        .read_only(true)
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .unwrap();
    refused(transaction.execute(UPLOAD, &[&rows()])).code("25006");
    transaction.rollback().unwrap();
    // What only says what would be done is done.
    let admin = user_on(&database, 1, "admin");
    login(&mut client, &admin, false);
    run(&mut client, "BEGIN READ ONLY");
    for (dry_run, is_served) in [("", true), ("true", true), ("NULL", true), ("false", false)] {
        let sql = format!("SAVEPOINT s; SELECT * FROM timedb.apply_retention({dry_run}); ROLLBACK TO s");
        let answer = client.batch_execute(&sql);
        assert_eq!(answer.is_ok(), is_served, "{dry_run}: {answer:?}");
        if !is_served {
            refused(answer).code("25006");
            run(&mut client, "ROLLBACK");
        }
    }
    login(&mut client, &user, false);
    let runs: i64 = one(&mut client, "SELECT count(*) FROM timedb.list_runs()");
    assert_eq!(runs, 0);
}

#[test]
fn an_error_is_the_server_s_own() {
    let database = spread("errors");
    let user = user_on(&database, 0, "write");
    let mut through = database.authenticated(&user);
    let mut direct = database.server().shards()[0].connect("app", database.name()).unwrap();
    direct
        .execute("SELECT timedb.authenticate($1)", &[&user.api_key])
        .unwrap();
    for sql in [
        "SELECT * FROM timedb.upload(now(), '[{\"value_key\": \"a\", \"valid_time\": \"x\", \"value\": 1}]')",
        "SELECT * FROM timedb.read(mode => 'odd')",
        "SELECT * FROM timedb.read(start_valid => 'infinity')",
        "SELECT * FROM timedb.list_users()",
        "SELECT * FROM timedb.update('[{}]')",
        "SELECT * FROM timedb.withdraw_run('00000000-0000-0000-0000-000000000001')",
        "SELECT timedb.create_series(NULL)",
    ] {
        let said = |client: &mut Client| {
            let error = client.query(sql, &[]).expect_err("a refusal");
            words(error.as_db_error().expect("the server's"))
        };
        assert_eq!(said(&mut through), said(&mut direct), "{sql}");
    }
}
