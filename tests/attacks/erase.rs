//! Erasing what is not one's own, or without the right to; and holding up an erasure.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{KEY_REFUSED, Stage, one, one_of, refused, run};
use uuid::Uuid;

use crate::support::{each_refused, update_of, upload};

/// How many rows a tenant has in all tables that hold what it has stored.
fn stored(stage: &Stage, tenant: Uuid) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM timedb.series WHERE tenant_id = $1) \
                    + (SELECT count(*) FROM timedb.runs WHERE tenant_id = $1) \
                    + (SELECT count(*) FROM timedb.values WHERE tenant_id = $1) \
                    + (SELECT count(*) FROM timedb.packs WHERE tenant_id = $1)";
    let rows = one_of(&mut stage.admin(), sql, &[&tenant]);
    assert!(rows >= 3, "the premise: {rows}");
    rows
}

#[test]
fn no_tenant_erases_what_is_anothers_or_is_told_that_it_is_there() {
    let stage = Stage::set("erase anothers");
    let admin = stage.alice_of_scope("admin");
    let mut alice = stage.database.authenticated(&admin);
    let before = stored(&stage, stage.bob.tenant_id);
    let (bob, nobody) = (stage.bob.tenant_id, Uuid::now_v7());
    for (function, what, id) in [
        ("erase_run", "run", stage.bobs.run_id),
        ("erase_series", "series", stage.bobs.series_id),
    ] {
        for id in [id, nobody] {
            let message = format!("{what} \"{id}\" does not exist");
            for arguments in [
                format!("'{id}'"),
                format!("'{id}', '{bob}'"),
                format!("'{id}', '{nobody}'"),
            ] {
                let refusal = refused(alice.query(&format!("SELECT timedb.{function}({arguments})"), &[]));
                refusal.code("42704").message(&message).no_detail().no_hint();
            }
        }
        // What only operators may call, she may not, nor by its C symbol's other name.
        each_refused(
            &mut alice,
            "42501",
            [format!("SELECT timedb._{function}_operator('{id}', '{bob}')")],
        );
    }
    each_refused(
        &mut alice,
        "42501",
        [
            format!("SELECT timedb.erase_tenant('{bob}')"),
            format!("SELECT timedb.erase_tenant('{}')", stage.alice.tenant_id),
        ],
    );
    assert_eq!(stored(&stage, bob), before);
    stage.assert_bob(&mut stage.bob());
}

#[test]
fn only_scope_admin_and_operators_erase_and_nobody_deletes_by_hand() {
    let stage = Stage::set("erase scopes");
    let before = stored(&stage, stage.alice.tenant_id);
    let (run_id, series_id) = (stage.alices.run_id, stage.alices.series_id);
    let attempts = |form: &str| {
        [
            format!("SELECT timedb.erase_run{form}('{run_id}', NULL)").replace("erase_run_", "_erase_run_"),
            format!("SELECT timedb.erase_series{form}('{series_id}', NULL)").replace("erase_series_", "_erase_series_"),
        ]
    };
    for scope in ["read", "write"] {
        let mut client = stage.database.authenticated(&stage.alice_of_scope(scope));
        each_refused(&mut client, "42501", attempts(""));
        each_refused(&mut client, "42501", attempts("_tenant"));
    }
    each_refused(
        &mut stage.app(),
        "28000",
        attempts("").into_iter().chain(attempts("_tenant")),
    );
    each_refused(
        &mut stage.evil(),
        "42501",
        attempts("").into_iter().chain(attempts("_tenant")),
    );
    let mut admin = stage.database.authenticated(&stage.alice_of_scope("admin"));
    let tables = [
        "series",
        "series_labels",
        "runs",
        "values",
        "packs",
        "users",
        "api_keys",
        "key_ends",
        "role_bindings",
        "audit",
    ];
    each_refused(
        &mut admin,
        "42501",
        tables.map(|table| format!("DELETE FROM timedb.{table}")),
    );
    each_refused(
        &mut stage.ops(),
        "42501",
        tables.map(|table| format!("DELETE FROM timedb.{table}")),
    );
    assert_eq!(stored(&stage, stage.alice.tenant_id), before);
}

/// The functions are the first wall; here a superuser takes it away.
#[test]
fn the_role_that_erases_is_held_by_the_policies_too() {
    let stage = Stage::set("erase role");
    let (alice, bob) = (stage.alice.tenant_id, stage.bob.tenant_id);
    let before = (stored(&stage, alice), stored(&stage, bob));
    let tables = [
        "series",
        "series_labels",
        "runs",
        "values",
        "packs",
        "users",
        "api_keys",
        "key_ends",
        "role_bindings",
        "audit",
    ];
    let delete = |client: &mut Client, table: &str| {
        let gone = client.execute(&format!("DELETE FROM timedb.{table}"), &[]);
        gone.unwrap_or_else(|error| panic!("{table}: {error:?}"))
    };
    for identity in [None, Some(&stage.alice)] {
        let mut client = stage.admin();
        if let Some(identity) = identity {
            let key = &identity.api_key;
            client
                .execute("SELECT timedb.authenticate($1)", &[key])
                .expect("the login");
        }
        run(&mut client, "SET ROLE timedb_eraser");
        for table in tables {
            assert_eq!(delete(&mut client, table), 0, "{table}, without scope admin");
        }
    }
    let admin = stage.alice_of_scope("admin");
    let mut client = stage.admin();
    client
        .execute("SELECT timedb.authenticate($1)", &[&admin.api_key])
        .expect("the login");
    run(&mut client, "SET ROLE timedb_eraser");
    // What it may hold it may not change.
    each_refused(
        &mut client,
        "42501",
        [
            "UPDATE timedb.series SET description = 'x'",
            "UPDATE timedb.users SET updated_at = updated_at",
            "UPDATE timedb.users SET is_active = true",
            "SELECT key_hash FROM timedb.api_keys",
        ],
    );
    run(&mut client, "BEGIN");
    for table in ["series", "runs", "values"] {
        assert_eq!(delete(&mut client, table), 1, "{table}: her tenant's alone");
    }
    run(&mut client, "ROLLBACK");
    assert_eq!((stored(&stage, alice), stored(&stage, bob)), before);
}

#[test]
fn t61_no_transaction_left_open_holds_up_the_erasure_of_its_tenant() {
    let stage = Stage::set("t61 erase");
    let admin = stage.alice_of_scope("admin");
    let mut thief = stage.database.authenticated(&admin);
    let more = upload(&mut thief, "more");
    run(&mut thief, "BEGIN");
    thief
        .execute(
            "SELECT timedb.update($1)",
            &[&update_of(more.run_id, more.series_id, 2.0)],
        )
        .expect("an update");
    run(
        &mut thief,
        &format!(
            "SELECT timedb.update_series('{}', description => 'mine'); \
             SELECT timedb.create_key(user_id => '{}'); SELECT timedb.compact(older_than => '0')",
            more.series_id, admin.user_id
        ),
    );
    let mut other = stage.database.authenticated(&admin);
    let mut ops = stage.ops();
    // Whatever waits fails.
    run(&mut ops, "SET lock_timeout = '5s'");
    let erase = "SELECT remaining FROM timedb.erase_tenant($1)";
    let tenant = stage.alice.tenant_id;
    assert!(one_of::<i64>(&mut ops, erase, &[&tenant]) > 0);
    refused(other.query("SELECT * FROM timedb.read()", &[]))
        .code("28000")
        .message(KEY_REFUSED);
    assert!(
        one_of::<i64>(&mut ops, erase, &[&tenant]) > 0,
        "the transaction is open"
    );
    refused(thief.query("SELECT timedb.upload(now(), $1)", &[&json!([])])).code("28000");
    run(&mut thief, "ROLLBACK");
    let mut calls = 0;
    while one_of::<i64>(&mut ops, erase, &[&tenant]) > 0 {
        calls += 1;
        assert!(calls < 10, "something always remains");
    }
    let left = "SELECT count(*) FROM timedb.users WHERE tenant_id = $1";
    assert_eq!(one_of::<i64>(&mut stage.admin(), left, &[&tenant]), 0);
    stage.assert_bob(&mut stage.bob());
    assert_eq!(one::<i64>(&mut ops, "SELECT count(*) FROM timedb.self_check()"), 0);
}
