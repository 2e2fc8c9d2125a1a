//! `CALL timedb.maintain()` over the wire, as an operator: it comes to every tenant, changes no answer, and whatever ends it or
//! stands in one tenant's way is told and harms no other.

use std::collections::HashSet;
use std::thread;

use postgres::Client;
use timedb_testkit::{
    Database, Identity, backend_pid, cancelled, one, one_of, refused, run, wait_until, wait_until_blocked,
};
use uuid::Uuid;

const MAINTAIN: &str = "CALL timedb.maintain(older_than => '0')";

/// Tenants with so many rows to pack each, and an operator.
fn tenants(database: &Database, count: usize, rows: i64) -> Vec<Identity> {
    let mut tenants = Vec::new();
    for number in 0..count {
        let identity = database.create_user(Uuid::now_v7(), &format!("of{number}@tenant.com"), "write");
        upload_singles(&mut database.authenticated(&identity), rows);
        tenants.push(identity);
    }
    tenants.sort_by_key(|identity| identity.tenant_id);
    tenants
}

fn upload_singles(client: &mut Client, rows: i64) {
    let sql = format!(
        "SELECT count(u.message) FROM generate_series(1, {rows}) AS n, timedb.upload_points( \
           now(), ARRAY['secret'], ARRAY['2025-01-01'::timestamptz + n * interval '1 minute'], ARRAY[n / 4.0]) AS u"
    );
    assert_eq!(one::<i64>(client, &sql), rows);
}

fn answer(database: &Database, identity: &Identity) -> String {
    let sql = "SELECT coalesce(string_agg(r::text, ';'), '') FROM timedb.read(mode => 'overlapping') WITH ORDINALITY r";
    one(&mut database.authenticated(identity), sql)
}

/// A row of the view.
#[derive(Debug, PartialEq)]
struct Entry {
    tenant: Uuid,
    is_finished: bool,
    rows: (i64, i64),
    orphans: Option<i64>,
    error: Option<String>,
}

/// By tenant; of one the oldest first.
fn log(ops: &mut Client) -> Vec<Entry> {
    let sql = "SELECT tenant_id, finished_at >= started_at, rows_before, rows_after, orphans, error \
               FROM timedb.maintenance ORDER BY tenant_id, started_at";
    let rows = ops.query(sql, &[]).expect("an operator sees it");
    let entry = |row: &postgres::Row| Entry {
        tenant: row.get(0),
        is_finished: row.get::<_, Option<bool>>(1).is_some(),
        rows: (row.get(2), row.get(3)),
        orphans: row.get(4),
        error: row.get(5),
    };
    rows.iter().map(entry).collect()
}

fn done(tenant: Uuid, rows: i64) -> Entry {
    Entry {
        tenant,
        is_finished: true,
        rows: (rows, 1),
        orphans: Some(0),
        error: None,
    }
}

#[test]
fn it_comes_to_every_tenant_once_and_no_read_changes() {
    let database = Database::fresh("maintain all");
    let tenants = tenants(&database, 5, 20);
    // One whose users are all inactive is not forgotten, and one that stores nothing needs nothing.
    let mut ops = database.login("ops");
    run(&mut ops, "SELECT timedb.deactivate_user('of0@tenant.com')");
    database.create_user(Uuid::now_v7(), "empty@tenant.com", "write");
    let active: Vec<&Identity> = tenants
        .iter()
        .filter(|tenant| tenant.email != "of0@tenant.com")
        .collect();
    let before: Vec<String> = active.iter().map(|tenant| answer(&database, tenant)).collect();

    run(&mut ops, MAINTAIN);
    let expected: Vec<Entry> = tenants.iter().map(|tenant| done(tenant.tenant_id, 20)).collect();
    assert_eq!(log(&mut ops), expected);
    let after: Vec<String> = active.iter().map(|tenant| answer(&database, tenant)).collect();
    assert_eq!(after, before);

    // Nothing is left to do, and so nothing to tell.
    run(&mut ops, MAINTAIN);
    assert_eq!(log(&mut ops).len(), 5);
}

#[test]
fn what_is_younger_waits_and_a_share_ends_with_the_budget() {
    let database = Database::fresh("maintain little");
    let tenants = tenants(&database, 3, 5);
    let mut ops = database.login("ops");
    run(&mut ops, "CALL timedb.maintain()");
    assert_eq!(log(&mut ops), []);
    // Used up by the time that the first tenant is asked for.
    run(&mut ops, "CALL timedb.maintain('1 microsecond', '0')");
    assert_eq!(log(&mut ops), []);
    // In an order by chance: none is always behind others that take the whole budget.
    let first = |ops: &mut Client| one::<Vec<Uuid>>(ops, "SELECT timedb._tenants_to_maintain_operator()")[0];
    let firsts: HashSet<Uuid> = (0..100).map(|_| first(&mut ops)).collect();
    assert_eq!(firsts, tenants.iter().map(|tenant| tenant.tenant_id).collect());
}

/// A pack that cannot be opened.
fn break_pack(database: &Database, tenant: Uuid) {
    let mut admin = database.admin();
    run(&mut admin, "CREATE CAST (bytea AS timedb.pack) WITHOUT FUNCTION");
    let sql = r"UPDATE timedb.packs SET versions = '\xffff'::bytea::timedb.pack WHERE tenant_id = $1";
    assert_eq!(admin.execute(sql, &[&tenant]).expect("as a superuser"), 1);
}

#[test]
fn an_error_in_one_tenant_is_recorded_and_the_next_goes_on() {
    let database = Database::fresh("maintain the broken");
    let tenants = tenants(&database, 3, 20);
    let mut ops = database.login("ops");
    run(&mut ops, MAINTAIN);
    break_pack(&database, tenants[1].tenant_id);
    for tenant in &tenants {
        upload_singles(&mut database.authenticated(tenant), 20);
    }
    run(&mut ops, MAINTAIN);
    // Of each the second.
    let entries: Vec<Entry> = log(&mut ops).into_iter().skip(1).step_by(2).collect();
    let failed: Vec<bool> = entries.iter().map(|entry| entry.error.is_some()).collect();
    assert_eq!(failed, [false, true, false], "{entries:?}");
    let error = entries[1].error.as_deref().expect("it is told");
    assert!(error.starts_with("XX001: "), "{error}");
    assert!(entries[1].is_finished && entries[1].orphans.is_none(), "{entries:?}");
    let left = "SELECT count(*) FROM timedb.values WHERE tenant_id = $1";
    let left = |tenant: &Identity| one_of::<i64>(&mut database.admin(), left, &[&tenant.tenant_id]);
    assert_eq!(tenants.iter().map(left).collect::<Vec<_>>(), [0, 20, 0]);
}

#[test]
fn a_tenants_own_transaction_that_packs_holds_up_nobody() {
    let database = Database::fresh("maintain the busy");
    let tenants = tenants(&database, 2, 20);
    let mut busy = database.authenticated(&tenants[0]);
    run(&mut busy, "BEGIN; SELECT timedb.compact(older_than => '0')");
    let mut ops = database.login("ops");
    run(&mut ops, MAINTAIN);
    let entries = log(&mut ops);
    let error = "55P03: another transaction packs or removes values of this tenant";
    assert_eq!(entries[0].error.as_deref(), Some(error), "{entries:?}");
    assert_eq!(entries[1], done(tenants[1].tenant_id, 20));
    run(&mut busy, "ROLLBACK");
    run(&mut ops, MAINTAIN);
    assert_eq!(log(&mut ops)[1], done(tenants[0].tenant_id, 20));
}

#[test]
fn twice_at_once_does_all_of_it_once() {
    let database = Database::fresh("maintain at once");
    let tenants = tenants(&database, 12, 40);
    let before: Vec<String> = tenants.iter().map(|tenant| answer(&database, tenant)).collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| run(&mut database.login("ops"), MAINTAIN));
        }
    });
    let after: Vec<String> = tenants.iter().map(|tenant| answer(&database, tenant)).collect();
    assert_eq!(after, before);
    let mut ops = database.login("ops");
    let entries = log(&mut ops);
    let packed: i64 = entries.iter().map(|entry| entry.rows.0).sum();
    assert_eq!(packed, 12 * 40, "{entries:?}");
    assert!(entries.iter().all(|entry| entry.is_finished), "{entries:?}");
    // Whom one found busy, the other did.
    let is_known = |entry: &Entry| entry.error.as_deref().is_none_or(|error| error.starts_with("55P03"));
    assert!(entries.iter().all(is_known), "{entries:?}");
}

#[test]
fn a_cancel_or_a_kill_ends_it_between_two_shares_and_the_next_call_says_so() {
    let database = Database::fresh("maintain and end");
    let tenants = tenants(&database, 3, 20);
    let mut admin = database.admin();
    let mut watcher = database.admin();
    for (round, is_killed) in [false, true].into_iter().enumerate() {
        // Whoever deletes waits, at the second tenant.
        let sql = format!(
            "BEGIN; SELECT FROM timedb.values WHERE tenant_id = '{}' FOR UPDATE",
            tenants[1].tenant_id
        );
        run(&mut admin, &sql);
        let mut ops = database.login("ops");
        let pid = backend_pid(&mut ops);
        if is_killed {
            thread::scope(|scope| {
                scope.spawn(|| ops.batch_execute(MAINTAIN).expect_err("it is killed"));
                wait_until_blocked(&mut watcher, pid);
                run(&mut watcher, &format!("SELECT pg_terminate_backend({pid})"));
            });
        } else {
            cancelled(
                &mut ops,
                || wait_until_blocked(&mut watcher, pid),
                |ops| ops.batch_execute(MAINTAIN),
            );
        }
        run(&mut admin, "ROLLBACK");
        let open = "SELECT count(*) FILTER (WHERE finished_at IS NULL) FROM timedb.maintenance";
        let mut ops = database.login("ops");
        wait_until("the other is gone", || {
            let there = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state <> 'idle'";
            one_of::<i64>(&mut watcher, there, &[&pid]) == 0
        });
        assert_eq!(one::<i64>(&mut ops, open), 1, "round {round}");
    }
    let mut ops = database.login("ops");
    run(&mut ops, MAINTAIN);
    let entries = log(&mut ops);
    let told: Vec<(Uuid, Option<&str>)> = entries
        .iter()
        .map(|entry| (entry.tenant, entry.error.as_deref()))
        .collect();
    let [first, second, third] = [0, 1, 2].map(|place: usize| tenants[place].tenant_id);
    let interrupted = (second, Some("interrupted"));
    assert_eq!(
        told.iter().filter(|entry| **entry == interrupted).count(),
        2,
        "{told:?}"
    );
    for tenant in [first, second, third] {
        assert_eq!(
            told.iter().filter(|entry| **entry == (tenant, None)).count(),
            1,
            "{told:?}"
        );
    }
}

#[test]
fn what_retention_lets_go_goes_too_and_of_no_other_tenant() {
    let database = Database::fresh("maintain and retain");
    let tenants = tenants(&database, 2, 20);
    let mut ops = database.login("ops");
    // Of twenty minutes of 2025 none is younger.
    let sql = "SELECT timedb.set_retention('1 day', tenant_id => $1)";
    ops.execute(sql, &[&tenants[0].tenant_id]).expect("an operator sets it");
    let kept = answer(&database, &tenants[1]);
    run(&mut ops, MAINTAIN);
    let removed = "SELECT array_agg(versions_removed ORDER BY tenant_id) FROM timedb.maintenance WHERE error IS NULL";
    assert_eq!(one::<Vec<i64>>(&mut ops, removed), [20, 0]);
    assert_eq!(answer(&database, &tenants[0]), "");
    assert_eq!(answer(&database, &tenants[1]), kept);
    // Nothing is left to do.
    run(&mut ops, MAINTAIN);
    assert_eq!(log(&mut ops).len(), 2);
}

#[test]
fn rows_that_have_lost_their_run_or_series_are_counted() {
    let database = Database::fresh("maintain orphans");
    let tenants = tenants(&database, 2, 3);
    let mut admin = database.admin();
    let sql = "DELETE FROM timedb.runs WHERE (tenant_id, run_id) IN \
               (SELECT tenant_id, run_id FROM timedb.runs WHERE tenant_id = $1 ORDER BY run_id LIMIT 2)";
    assert_eq!(admin.execute(sql, &[&tenants[0].tenant_id]).expect("as a superuser"), 2);
    let sql = "DELETE FROM timedb.series WHERE tenant_id = $1";
    assert_eq!(admin.execute(sql, &[&tenants[1].tenant_id]).expect("as a superuser"), 1);
    let mut ops = database.login("ops");
    run(&mut ops, "CALL timedb.maintain()");
    let orphans: Vec<Option<i64>> = log(&mut ops).iter().map(|entry| entry.orphans).collect();
    assert_eq!(orphans, [Some(2), Some(3)]);
}

#[test]
fn what_cannot_be_maintained_is_refused_in_words() {
    let database = Database::fresh("maintain badly");
    tenants(&database, 1, 3);
    let mut ops = database.login("ops");
    for (arguments, code, message) in [
        ("NULL", "22004", "\"budget\" must not be null"),
        ("older_than => NULL", "22004", "\"older_than\" must not be null"),
        ("'0'", "22023", "\"budget\" must be positive"),
        ("'-1 hour'", "22023", "\"budget\" must be positive"),
        ("older_than => '-1 day'", "22023", "\"older_than\" must not be negative"),
    ] {
        let error = ops.batch_execute(&format!("CALL timedb.maintain({arguments})"));
        refused(error).code(code).message(message);
    }
    run(&mut ops, "BEGIN");
    refused(ops.batch_execute(MAINTAIN)).code("2D000");
    run(&mut ops, "ROLLBACK; SET default_transaction_read_only = on");
    refused(ops.batch_execute(MAINTAIN))
        .code("25006")
        .message("cannot execute CALL timedb.maintain() in a read-only transaction");
    run(&mut ops, "RESET default_transaction_read_only");
    assert_eq!(log(&mut ops), []);
    run(&mut ops, MAINTAIN);
    assert_eq!(log(&mut ops).len(), 1);
}
