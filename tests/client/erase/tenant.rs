//! `erase_tenant`: nothing is left of it in any table, nor in a dump, but for the one entry of the audit; and nobody who still
//! has a transaction of it open can hold that up, or bring anything back.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Identity, KEY_REFUSED, backend_pid, one, one_of, refused, run, wait_until_blocked};
use uuid::Uuid;

use crate::dump::{fill_tenant, run_program};
use crate::support::{hour, tables, try_upload, update, upload, value_row, value_update};

/// A tenant with rows in every table there is, its admin, and another tenant.
struct Doomed {
    database: Database,
    admin: Identity,
    bob: Identity,
    ops: Client,
}

impl Doomed {
    fn of(name: &str) -> Doomed {
        let database = Database::fresh(name);
        let (alice, bob) = database.two_tenants();
        let admin = database.create_user(alice.tenant_id, "doomed-admin@tenant-a.com", "admin");
        for identity in [&alice, &bob] {
            let mut client = database.authenticated(identity);
            for value in 0..4 {
                upload(&mut client, &json!([value_row("packed", hour(value), value)]));
            }
            fill_tenant(&mut client);
        }
        run(
            &mut database.authenticated(&admin),
            &format!(
                "SELECT timedb.revoke_key(k.key_id) FROM timedb.create_key(user_id => '{}', name => 'doomed-key') k",
                alice.user_id
            ),
        );
        run(
            &mut database.admin(),
            &format!(
                "INSERT INTO timedb.role_bindings (role_name, tenant_id, scope) VALUES ('doomed_role', '{}', 'read')",
                alice.tenant_id
            ),
        );
        let mut ops = database.login("ops");
        upload(
            &mut database.authenticated(&alice),
            &json!([value_row("packed", hour(9), 9)]),
        );
        upload(
            &mut database.authenticated(&alice),
            &json!([value_row("packed", hour(10), 9)]),
        );
        run(&mut ops, "CALL timedb.maintain(older_than => '0')");
        upload(
            &mut database.authenticated(&alice),
            &json!([value_row("not packed", hour(0), 9)]),
        );
        run(
            &mut database.authenticated(&alice),
            "SELECT timedb.withdraw_run(r.run_id, 'doomed') FROM timedb.list_runs(max_rows => 1) r",
        );
        run(
            &mut ops,
            &format!(
                "SELECT timedb.set_retention('100 years', tenant_id => '{}')",
                alice.tenant_id
            ),
        );
        run(&mut ops, "SET lock_timeout = '5s'");
        Doomed {
            database,
            admin,
            bob,
            ops,
        }
    }

    fn tenant(&self) -> Uuid {
        self.admin.tenant_id
    }

    #[track_caller]
    fn erase(&mut self) -> i64 {
        let sql = "SELECT remaining FROM timedb.erase_tenant($1)";
        one_of(&mut self.ops, sql, &[&self.admin.tenant_id])
    }

    #[track_caller]
    fn erase_to_the_end(&mut self) {
        for _ in 0..20 {
            if self.erase() == 0 {
                return;
            }
        }
        panic!("something always remains");
    }

    /// How many rows of a tenant each table has.
    fn rows_of(&self, tenant: Uuid) -> Vec<(String, i64)> {
        let mut admin = self.database.admin();
        let tables = tables(&mut admin);
        let of = |table: String| {
            let count = one_of(
                &mut admin,
                &format!("SELECT count(*) FROM {table} WHERE tenant_id = $1"),
                &[&tenant],
            );
            (table, count)
        };
        tables.into_iter().map(of).collect()
    }

    #[track_caller]
    fn assert_gone(&self) {
        self.assert_left(1);
    }

    /// Nothing, but an entry for each time that it was erased.
    #[track_caller]
    fn assert_left(&self, entries: i64) {
        let left: Vec<_> = self
            .rows_of(self.tenant())
            .into_iter()
            .filter(|(_, rows)| *rows > 0)
            .collect();
        assert_eq!(left, [("timedb.audit".to_owned(), entries)]);
    }
}

/// A table that is added to the schema needs rows here, and a statement among those of the erasure.
#[test]
fn nothing_of_an_erased_tenant_is_left_in_any_table_or_in_a_dump_but_one_entry_of_the_audit() {
    let mut doomed = Doomed::of("erase tenant");
    let bare: Vec<_> = doomed
        .rows_of(doomed.tenant())
        .into_iter()
        .filter(|(_, rows)| *rows == 0)
        .collect();
    assert!(
        bare.is_empty(),
        "the premise: each table has rows of the tenant, but for {bare:?}"
    );
    let others = doomed.rows_of(doomed.bob.tenant_id);
    let dump = |doomed: &Doomed| run_program(doomed.database.server(), "pg_dump", doomed.database.name(), &[]);
    // Texts and ids that are the tenant's alone.
    let email = doomed.admin.email.clone();
    let series: Uuid = one_of(
        &mut doomed.database.admin(),
        "SELECT series_id FROM timedb.series WHERE tenant_id = $1 LIMIT 1",
        &[&doomed.admin.tenant_id],
    );
    let whole = dump(&doomed);
    let traces = [email.as_str(), "doomed-key", "doomed_role", &series.to_string()].map(str::to_owned);
    for trace in &traces {
        assert!(whole.contains(trace), "the premise: {trace}");
    }
    doomed.erase_to_the_end();
    doomed.assert_gone();
    assert_eq!(doomed.rows_of(doomed.bob.tenant_id), others);
    let rest = dump(&doomed);
    for trace in &traces {
        assert!(!rest.contains(trace), "{trace}");
    }
    let told: Vec<&str> = rest
        .lines()
        .filter(|line| line.contains(&doomed.tenant().to_string()))
        .collect();
    assert!(told.len() == 1 && told[0].contains("erase_tenant"), "{told:?}");
    let sql = "SELECT timedb.erase_tenant($1)";
    let (absent, null) = (doomed.tenant(), None::<Uuid>);
    refused(doomed.ops.execute(sql, &[&absent]))
        .code("42704")
        .message(&format!("tenant \"{absent}\" does not exist"));
    refused(doomed.ops.execute(sql, &[&null])).code("22004");
    let promises: i64 = one(&mut doomed.ops, "SELECT count(*) FROM timedb.self_check()");
    assert_eq!(promises, 0);
}

#[test]
fn the_one_entry_counts_what_all_the_calls_have_erased() {
    let mut doomed = Doomed::of("erase tenant counts");
    let tenant = doomed.tenant();
    let mut admin = doomed.database.admin();
    let stored = "SELECT (SELECT count(*) FROM timedb.users WHERE tenant_id = $1), \
                         (SELECT count(*) FROM timedb.api_keys WHERE tenant_id = $1), \
                         (SELECT count(*) FROM timedb.runs WHERE tenant_id = $1), \
                         (SELECT sum(timedb.count_points(points))::int8 FROM timedb.values WHERE tenant_id = $1) \
                         + (SELECT sum(point_count)::int8 FROM timedb.packs WHERE tenant_id = $1)";
    let counts = |row: postgres::Row| -> Vec<i64> { (0..4).map(|place| row.get(place)).collect() };
    let before = counts(admin.query_one(stored, &[&tenant]).expect("it counts"));
    assert!(before.iter().all(|count| *count > 0), "the premise: {before:?}");
    doomed.erase_to_the_end();
    let told = "SELECT (detail->>'users')::int8, (detail->>'keys')::int8, (detail->>'runs')::int8, \
                       (detail->>'value_count')::int8, actor, via, detail->>'remaining' \
                FROM timedb.list_audit(tenant_id => $1)";
    let told = doomed.ops.query(told, &[&tenant]).expect("the audit");
    assert_eq!(told.len(), 1);
    let by: (String, String, String) = (told[0].get(4), told[0].get(5), told[0].get(6));
    assert_eq!(by, ("ops".into(), "operator".into(), "0".into()));
    assert_eq!(counts(told.into_iter().next().expect("an entry")), before);
}

#[test]
fn the_first_call_ends_keys_and_bindings_in_open_sessions_and_is_never_the_last() {
    let mut doomed = Doomed::of("erase tenant keys");
    let mut open = doomed.database.authenticated(&doomed.admin);
    run(
        &mut open,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM timedb.read()",
    );
    assert!(doomed.erase() > 0);
    let read = open.execute("SELECT count(*) FROM timedb.read()", &[]);
    refused(read).code("28000").message(KEY_REFUSED);
    refused(open.execute("ROLLBACK; SELECT 1", &[])).code("42601");
    // A loop in one transaction would never see the keys ended by then.
    let bobs = doomed.bob.tenant_id;
    run(&mut doomed.ops, "BEGIN");
    let share = "SELECT remaining FROM timedb.erase_tenant($1)";
    assert!(one_of::<i64>(&mut doomed.ops, share, &[&bobs]) > 0);
    refused(doomed.ops.query(share, &[&bobs]))
        .code("0A000")
        .hint_contains("Commit after each call");
    run(&mut doomed.ops, "ROLLBACK");
    doomed.erase_to_the_end();
    doomed.assert_gone();
}

/// Threat 61: whoever holds a key keeps a transaction open that has touched everything he can touch.
#[test]
fn no_transaction_that_the_tenant_has_open_holds_up_the_end_of_its_keys() {
    let mut doomed = Doomed::of("erase tenant held");
    let mut holder = doomed.database.authenticated(&doomed.admin);
    let stored = upload(&mut holder, &json!([value_row("held", hour(0), 1)]));
    run(&mut holder, "BEGIN");
    update(
        &mut holder,
        &json!([value_update(
            stored.run_id,
            stored.series("held"),
            hour(0),
            json!({"value": 2})
        )]),
    );
    run(
        &mut holder,
        &format!(
            "SELECT timedb.update_series('{}', description => 'open'); \
             SELECT timedb.deactivate_user(user_id => u.user_id), timedb.activate_user(user_id => u.user_id) \
             FROM timedb.list_users() u WHERE u.email <> '{}'; \
             SELECT timedb.create_user('{}', 'late@tenant-a.com'); \
             SELECT timedb.compact(older_than => '0')",
            stored.series("held"),
            doomed.admin.email,
            doomed.admin.tenant_id
        ),
    );
    let mut other = doomed.database.authenticated(&doomed.admin);
    for _ in 0..3 {
        assert!(doomed.erase() > 0, "what is open remains");
    }
    refused(
        other
            .execute("SELECT timedb.whoami()", &[])
            .and_then(|_| other.execute("SELECT * FROM timedb.read()", &[])),
    )
    .code("28000");
    // It cannot be stopped from ending well; then what it has written goes, too.
    run(&mut holder, "COMMIT");
    let late: i64 = one_of(
        &mut doomed.database.admin(),
        "SELECT count(*) FROM timedb.users WHERE tenant_id = $1 AND email = 'late@tenant-a.com'",
        &[&doomed.admin.tenant_id],
    );
    assert_eq!(late, 1, "the premise: it has committed what it began before");
    doomed.erase_to_the_end();
    doomed.assert_gone();
}

#[test]
fn an_upload_that_commits_after_the_first_call_goes_with_a_later_one_and_none_begins_any_more() {
    let mut doomed = Doomed::of("erase tenant upload");
    let mut writer = doomed.database.authenticated(&doomed.admin);
    let rows = json!([value_row("late", hour(0), 1)]);
    run(&mut writer, "BEGIN");
    upload(&mut writer, &rows);
    let mut maker = doomed.database.authenticated(&doomed.admin);
    run(&mut maker, "BEGIN; SELECT timedb.create_series('made late')");
    for _ in 0..5 {
        assert!(doomed.erase() > 0, "an open transaction may still commit");
    }
    run(&mut maker, "ROLLBACK");
    assert!(doomed.erase() > 0, "the upload is still open");
    run(&mut writer, "COMMIT");
    refused(try_upload(&mut writer, &rows)).code("28000");
    doomed.erase_to_the_end();
    doomed.assert_gone();
}

/// It waits for another upload of the series when its key goes: afterwards it would write what no call finds any more.
#[test]
fn an_upload_that_was_under_way_when_its_key_went_is_refused_before_it_writes() {
    let mut doomed = Doomed::of("erase tenant under way");
    let polled = |client: &mut Client| {
        let rows = json!([value_row("polled", hour(0), 1)]);
        let sql = "SELECT message FROM timedb.upload(now(), $1, skip_unchanged => true)";
        client.query_one(sql, &[&rows]).map(|_| ())
    };
    let mut first = doomed.database.authenticated(&doomed.admin);
    run(&mut first, "SELECT timedb.create_series('polled'); BEGIN");
    polled(&mut first).expect("the upload that the other waits for");
    let mut second = doomed.database.authenticated(&doomed.admin);
    let pid = backend_pid(&mut second);
    std::thread::scope(|scope| {
        let under_way = scope.spawn(|| polled(&mut second));
        wait_until_blocked(&mut doomed.database.admin(), pid);
        assert!(doomed.erase() > 0);
        run(&mut first, "ROLLBACK");
        let outcome = under_way.join().expect("no panic");
        refused(outcome).code("28000").message(KEY_REFUSED);
    });
    doomed.erase_to_the_end();
    doomed.assert_gone();
}

/// The later one finds what the earlier has begun, not the tenant as it was.
#[test]
fn of_two_operators_who_erase_at_once_the_later_goes_on_where_the_earlier_has_left_off() {
    let mut doomed = Doomed::of("erase tenant twice at once");
    let tenant = doomed.tenant();
    let mut other = doomed.database.login("ops");
    let pid = backend_pid(&mut other);
    run(&mut doomed.ops, "BEGIN");
    assert!(doomed.erase() > 0, "the first call is never the last");
    let remaining: i64 = std::thread::scope(|scope| {
        let sql = "SELECT remaining FROM timedb.erase_tenant($1)";
        let erasing = scope.spawn(|| one_of(&mut other, sql, &[&tenant]));
        wait_until_blocked(&mut doomed.database.admin(), pid);
        run(&mut doomed.ops, "COMMIT");
        erasing.join().expect("no panic")
    });
    // What else the earlier call has held is given back a moment after what the later has waited for: it may have found that still.
    if remaining > 0 {
        assert_eq!(remaining, 1);
        doomed.erase_to_the_end();
    }
    doomed.assert_gone();
}

/// What is made beside values waits for a call that is under way, and then finds the key gone.
#[test]
fn a_series_or_a_user_that_is_about_to_be_made_is_refused_after_the_call() {
    let mut doomed = Doomed::of("erase tenant making");
    let tenant = doomed.tenant();
    let making = [
        "SELECT timedb.create_series('late')".to_owned(),
        format!("SELECT timedb.create_user('{tenant}', 'late@tenant-a.com')"),
        "SELECT timedb.set_retention('10 years')".to_owned(),
        format!("SELECT timedb.erase_run('{}')", Uuid::nil()),
        format!("SELECT timedb.erase_series('{}')", Uuid::nil()),
    ];
    for (times, sql) in making.iter().enumerate() {
        let admin = doomed.database.create_user(tenant, "maker@tenant-a.com", "admin");
        let mut maker = doomed.database.authenticated(&admin);
        let pid = backend_pid(&mut maker);
        run(&mut doomed.ops, "BEGIN");
        assert!(doomed.erase() > 0);
        std::thread::scope(|scope| {
            let making = scope.spawn(|| maker.execute(sql, &[]));
            wait_until_blocked(&mut doomed.database.admin(), pid);
            run(&mut doomed.ops, "COMMIT");
            let outcome = making.join().expect("no panic");
            refused(outcome).code("28000").message(KEY_REFUSED);
        });
        doomed.erase_to_the_end();
        doomed.assert_left(times as i64 + 1);
    }
}

/// An operator has no key that could end: what he sets for a tenant waits as well, and then finds nobody to set it for.
#[test]
fn nothing_is_set_for_a_tenant_that_is_erased_meanwhile_or_never_was() {
    let mut doomed = Doomed::of("erase tenant setting");
    let tenant = doomed.tenant();
    let sql = "SELECT timedb.set_retention('10 years', tenant_id => $1)";
    let mut setter = doomed.database.login("ops");
    refused(setter.execute(sql, &[&Uuid::nil()]))
        .code("42704")
        .message(&format!("tenant \"{}\" does not exist", Uuid::nil()));
    setter.execute(sql, &[&tenant]).expect("the premise: there it is");
    let pid = backend_pid(&mut setter);
    while doomed.erase() > 1 {}
    run(&mut doomed.ops, "BEGIN");
    assert_eq!(doomed.erase(), 0, "the premise: the last share");
    std::thread::scope(|scope| {
        let setting = scope.spawn(|| setter.execute(sql, &[&tenant]));
        wait_until_blocked(&mut doomed.database.admin(), pid);
        run(&mut doomed.ops, "COMMIT");
        let outcome = setting.join().expect("no panic");
        refused(outcome).code("42704");
    });
    doomed.assert_gone();
}

/// Maintenance comes to a tenant that was there when its call began.
#[test]
fn no_log_begins_for_a_tenant_that_is_being_erased_or_is_gone_or_never_was() {
    let mut doomed = Doomed::of("erase tenant log");
    let mut maintainer = doomed.database.login("ops");
    run(&mut maintainer, "SET lock_timeout = '5s'");
    let begun = |client: &mut Client, tenant: Uuid| -> Option<Uuid> {
        let begin = "SELECT timedb._begin_maintenance_operator($1, '0', true)";
        let begun = one_of(client, begin, &[&tenant]);
        let end = "SELECT timedb._end_maintenance_operator($1, NULL, 0, '55P03', 'held')";
        client.execute(end, &[&tenant]).expect("nothing to end is no error");
        begun
    };
    let tenant = doomed.tenant();
    assert!(begun(&mut maintainer, tenant).is_some(), "the premise");
    assert_eq!(begun(&mut maintainer, Uuid::nil()), None);
    run(&mut doomed.ops, "BEGIN");
    assert!(doomed.erase() > 0);
    assert_eq!(begun(&mut maintainer, tenant), None, "it waits for nobody");
    run(&mut doomed.ops, "COMMIT");
    doomed.erase_to_the_end();
    assert_eq!(begun(&mut maintainer, tenant), None);
    doomed.assert_gone();
    let logged: i64 = one(
        &mut doomed.database.admin(),
        &format!(
            "SELECT count(*) FROM timedb.maintenance_log WHERE tenant_id = '{}'",
            Uuid::nil()
        ),
    );
    assert_eq!(logged, 0);
}

#[test]
fn a_log_that_has_begun_goes_with_a_later_share() {
    let mut doomed = Doomed::of("erase tenant begun log");
    let tenant = doomed.tenant();
    let mut maintainer = doomed.database.login("ops");
    run(&mut maintainer, "BEGIN");
    let begin = "SELECT timedb._begin_maintenance_operator($1, '0', true)";
    let begun: Option<Uuid> = one_of(&mut maintainer, begin, &[&tenant]);
    for _ in 0..5 {
        assert!(doomed.erase() > 0, "the log may still be written to");
    }
    run(&mut maintainer, "COMMIT");
    doomed.erase_to_the_end();
    let end = "SELECT timedb._end_maintenance_operator($1, $2, 0, NULL, NULL)";
    maintainer.execute(end, &[&tenant, &begun]).expect("it ends");
    doomed.assert_gone();
}

#[test]
fn a_tenant_of_that_id_may_be_made_again_and_begins_with_nothing() {
    let mut doomed = Doomed::of("erase tenant again");
    doomed.erase_to_the_end();
    let again = doomed
        .database
        .create_user(doomed.tenant(), "again@tenant-a.com", "admin");
    let mut client = doomed.database.authenticated(&again);
    let left: i64 = one(
        &mut client,
        "SELECT (SELECT count(*) FROM timedb.list_series()) + (SELECT count(*) FROM timedb.list_runs()) \
              + (SELECT count(*) FROM timedb.read())",
    );
    assert_eq!(left, 0);
    upload(&mut client, &json!([value_row("new", hour(0), 1)]));
    doomed.erase_to_the_end();
    let entries = doomed.rows_of(doomed.tenant());
    assert!(
        entries.contains(&("timedb.audit".to_owned(), 2)),
        "one of each erasure: {entries:?}"
    );
}

/// What a stolen key may leave open of what is withdrawn and of how long values are kept.
#[test]
fn neither_a_withdrawal_nor_a_setting_left_open_holds_up_the_end_of_the_keys() {
    let mut doomed = Doomed::of("erase held");
    let mut holder = doomed.database.authenticated(&doomed.admin);
    run(&mut holder, "SELECT timedb.set_retention('1000 years')");
    run(
        &mut holder,
        "BEGIN; SELECT timedb.set_retention('999 years'); \
         SELECT timedb.restore_run(w.run_id) FROM timedb.withdrawals w WHERE w.restored_at IS NULL",
    );
    assert!(doomed.erase() > 0);
    let mut other = doomed.database.login("app");
    let login = "SELECT FROM timedb.authenticate($1)";
    refused(other.execute(login, &[&doomed.admin.api_key])).code("28000");
    assert!(doomed.erase() > 0, "what is held remains");
    run(&mut holder, "ROLLBACK");
    doomed.erase_to_the_end();
    doomed.assert_gone();
}
