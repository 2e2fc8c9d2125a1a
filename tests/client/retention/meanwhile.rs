//! What others do while values are taken out, and what must not keep them from being.

use std::thread;

use timedb_testkit::{
    Cluster, Database, backend_pid, login, one, refused, run, wait_until_blocked, wait_until_replayed,
};

use super::{admin_of, apply, try_apply, upload_hours, values, wet};

#[test]
fn a_run_that_is_withdrawn_while_a_call_waits_hides_nothing_any_more() {
    let database = Database::fresh("retention and withdrawal");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    upload_hours(&mut client, "a", 0, 3);
    let (later, _) = upload_hours(&mut client, "a", 0, 3);
    run(
        &mut client,
        "SELECT timedb.set_retention(NULL, keep_revisions => '1 day')",
    );
    let dry = apply(&mut client, "");
    assert_eq!(dry.values, 3, "the premise: the earlier run is hidden");

    let mut packing = database.authenticated(&admin);
    run(&mut packing, "BEGIN; SELECT timedb.compact(older_than => '0')");
    let mut waiting = database.authenticated(&admin);
    let pid = backend_pid(&mut waiting);
    thread::scope(|scope| {
        let call = scope.spawn(|| wet(&mut waiting));
        wait_until_blocked(&mut database.admin(), pid);
        run(&mut client, &format!("SELECT timedb.withdraw_run('{later}')"));
        run(&mut packing, "ROLLBACK");
        assert_eq!(call.join().expect("it ends").values, 0);
    });
    assert_eq!(values(&mut client, ""), 3);
}

#[test]
fn a_transaction_that_sees_nothing_new_takes_nothing_out() {
    let database = Database::fresh("retention snapshots");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    let (run_id, series_id) = upload_hours(&mut client, "a", 0, 3);
    run(&mut client, "SELECT timedb.set_retention('1 day')");
    let mut ops = database.login("ops");
    let tenant = admin.tenant_id;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let begin = format!("BEGIN ISOLATION LEVEL {level}; SELECT timedb.current_tenant()");
        for call in [
            "apply_retention(false)".to_owned(),
            format!("erase_run('{run_id}')"),
            format!("erase_series('{series_id}')"),
        ] {
            run(&mut client, &begin);
            refused(client.execute(&format!("SELECT timedb.{call}"), &[]))
                .code("0A000")
                .message("values are taken out in READ COMMITTED alone");
            run(&mut client, "ROLLBACK");
        }
        run(&mut client, &begin);
        assert_eq!(apply(&mut client, "").values, 3, "it may look");
        run(&mut client, "ROLLBACK");
        run(&mut ops, &begin);
        refused(ops.execute(&format!("SELECT timedb.erase_tenant('{tenant}')"), &[])).code("0A000");
        run(&mut ops, "ROLLBACK");
        run(&mut ops, &format!("SET default_transaction_isolation = '{level}'"));
        refused(ops.batch_execute("CALL timedb.maintain()")).code("0A000");
        run(&mut ops, "RESET default_transaction_isolation");
    }
    assert_eq!(values(&mut client, ""), 3);
}

#[test]
fn an_operator_waits_for_no_transaction_of_the_tenant() {
    let database = Database::fresh("retention and operators");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    for _ in 0..2 {
        upload_hours(&mut client, "a", 0, 3);
    }
    run(&mut client, "SELECT timedb.set_retention('1 day')");
    run(&mut client, "BEGIN; SELECT timedb.compact(older_than => '0')");
    let mut ops = database.login("ops");
    run(&mut ops, "SET lock_timeout = '5s'");
    let of_tenant = format!("false, '{}'", admin.tenant_id);
    refused(try_apply(&mut ops, &of_tenant).map(|_| ()))
        .code("55P03")
        .message("another transaction packs or removes values of this tenant");
    run(&mut client, "ROLLBACK");
    // A setting that is made, changed or ended.
    let set = format!(
        "SELECT timedb.set_retention('2 days', tenant_id => '{}')",
        admin.tenant_id
    );
    for open in [
        "'3 days'",
        "'3 days', series_ids => ARRAY(SELECT series_id FROM timedb.series)",
        "NULL",
    ] {
        run(&mut client, &format!("BEGIN; SELECT timedb.set_retention({open})"));
        refused(ops.batch_execute(&set))
            .code("55P03")
            .message("another transaction sets how long values are kept of this tenant");
        run(&mut client, "ROLLBACK");
    }
    run(&mut ops, &set);
    assert_eq!(apply(&mut ops, &of_tenant).values, 6);
}

/// Where nothing can be written it may still be looked at: what would go, and what is set.
#[test]
fn a_dry_run_works_in_a_read_only_transaction_and_on_a_standby_and_nothing_else_does() {
    let primary = Cluster::start_default().expect("a primary");
    let database = primary.database("retention standby").expect("a database");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    upload_hours(&mut client, "a", 0, 48);
    run(
        &mut client,
        &format!("SELECT timedb.set_retention({})", super::since(23 * 60 + 30)),
    );
    let expected = apply(&mut client, "");
    assert_eq!(expected.values, 24, "the premise");
    let standby = primary.standby();
    let mut observer = standby.connect("postgres", database.name()).expect("its superuser");
    wait_until_replayed(&mut database.admin(), &mut observer);
    let mut follower = standby.connect("app", database.name()).expect("app");
    login(&mut follower, &admin, false);
    let mut ops = standby.connect("ops", database.name()).expect("ops");
    run(&mut client, "SET default_transaction_read_only = on");
    let of_tenant = format!("tenant_id => '{}'", admin.tenant_id);
    for (client, tenant) in [(&mut client, ""), (&mut follower, ""), (&mut ops, &*of_tenant)] {
        assert_eq!(apply(client, tenant), expected);
        let set: i64 = one(client, &format!("SELECT count(*) FROM timedb.list_retention({tenant})"));
        assert_eq!(set, 1);
        for call in ["apply_retention(false", "set_retention('1 year'"] {
            let comma = if tenant.is_empty() { "" } else { ", " };
            let sql = format!("SELECT timedb.{call}{comma}{tenant})");
            refused(client.batch_execute(&sql)).code("25006");
        }
    }
}

#[test]
fn a_tenant_who_has_too_much_may_have_less() {
    let database = Database::fresh("retention and limits");
    let admin = admin_of(&database);
    let mut client = database.authenticated(&admin);
    // Rows that straddle the cutoff, so that something of each is put back.
    for packed in [false, true] {
        for _ in 0..4 {
            upload_hours(&mut client, "a", 0, 48);
        }
        if packed {
            run(&mut client, "SELECT timedb.compact(older_than => '0')");
        }
    }
    run(
        &mut client,
        &format!("SELECT timedb.set_retention({})", super::since(23 * 60 + 30)),
    );
    database.set("timedb.max_tenant_size", "1kB");
    let mut limited = database.authenticated(&admin);
    assert_eq!(
        one::<String>(&mut limited, "SHOW timedb.max_tenant_size"),
        "1kB",
        "the premise"
    );
    assert_eq!(wet(&mut limited).values, 8 * 24);
}
