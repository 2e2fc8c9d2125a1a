//! A key, its user or a binding that ends is felt by the next statement of every open session, whatever its transaction
//! has seen, how its plans were made, and on which server it reads.

use postgres::Client;
use timedb_testkit::{
    Cluster, Identity, KEY_REFUSED, Stage, assert_key_refused, assert_nobody, assert_sees_nothing, backend_pid, bind,
    fail_to_login, login, one, one_of, refused, run, series_of, tenant, wait_until, wait_until_blocked,
    wait_until_replayed,
};
use uuid::Uuid;

/// How a key ends, as an operator sees it; the last one is the clock's, put behind the start of whatever runs.
const ENDINGS: [&str; 4] = [
    "SELECT timedb.revoke_key(key_id) FROM timedb.list_keys(user_id => $1)",
    "SELECT timedb.deactivate_user(user_id => $1)",
    "SELECT timedb.regenerate_key(user_id => $1)",
    "UPDATE timedb.api_keys SET expires_at = clock_timestamp() WHERE user_id = $1",
];

#[track_caller]
fn end(stage: &Stage, ending: &str) {
    let mut admin = stage.admin();
    admin.execute(ending, &[&stage.alice.user_id]).expect("the key ends");
}

#[test]
fn t13_a_key_that_ends_is_refused_at_the_next_statement_of_a_live_session() {
    for ending in ENDINGS {
        let stage = Stage::set("t13");
        let mut alice = stage.alice();
        stage.assert_alice(&mut alice);
        end(&stage, ending);
        assert_key_refused(&mut alice);
        stage.assert_bob(&mut stage.bob());
    }
}

#[test]
fn t13_so_is_it_inside_a_transaction_of_every_isolation_level_that_has_begun_before() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        for mode in ["READ WRITE", "READ ONLY", "READ ONLY DEFERRABLE"] {
            let stage = Stage::set("t13 isolation");
            let mut alice = stage.alice();
            run(&mut alice, &format!("BEGIN ISOLATION LEVEL {level} {mode}"));
            stage.assert_alice(&mut alice);
            end(&stage, ENDINGS[0]);
            assert_sees_nothing(&mut alice);
            refused(alice.execute("SELECT timedb.read()", &[]))
                .code("28000")
                .message(KEY_REFUSED);
        }
    }
}

/// The same with the key in the setting, which is looked up by its hash instead.
#[test]
fn t13_so_is_a_key_in_the_credential_setting() {
    for ending in ENDINGS {
        let stage = Stage::set("t13 setting");
        let mut app = stage.app();
        run(&mut app, &format!("SET timedb.api_key = '{}'", stage.alice.api_key));
        run(&mut app, "BEGIN ISOLATION LEVEL REPEATABLE READ");
        stage.assert_alice(&mut app);
        end(&stage, ending);
        assert_sees_nothing(&mut app);
        run(&mut app, "COMMIT");
        assert_key_refused(&mut app);
    }
}

#[test]
fn t13_prepared_generic_and_parallel_plans_feel_it_too() {
    let stage = Stage::set("t13 plans");
    let mut alice = stage.alice();
    run(&mut alice, "SET plan_cache_mode = force_generic_plan");
    run(&mut alice, crate::plans::PARALLEL);
    let count = alice.prepare("SELECT count(*) FROM timedb.values").expect("a plan");
    let counted = |client: &mut Client| client.query_one(&count, &[]).expect("it counts").get::<_, i64>(0);
    for _ in 0..6 {
        assert_eq!(counted(&mut alice), 1);
    }
    end(&stage, ENDINGS[0]);
    assert_eq!(counted(&mut alice), 0);
}

/// A call that waits has been let in by a key that may end meanwhile: it would write as long as somebody keeps it waiting.
#[test]
fn t13_a_call_that_waits_while_its_key_is_revoked_is_refused_and_writes_nothing() {
    let stage = Stage::set("t13 waits");
    let mut holder = stage.database.authenticated(&stage.alice_of_scope("admin"));
    let series: Uuid = one(&mut holder, "SELECT series_id FROM timedb.list_series()");
    let mut upload = |at: i64| -> Uuid {
        let sql = format!(
            "SELECT run_id FROM timedb.upload_points(now(), ARRAY['wind'], \
               ARRAY['2025-01-01'::timestamptz + {at} * interval '1 hour'], ARRAY[1])"
        );
        one(&mut holder, &sql)
    };
    let (run_id, withdrawn) = (upload(1), upload(2));
    run(
        &mut holder,
        &format!("SELECT timedb.withdraw_run('{withdrawn}'); SELECT timedb.set_retention('1 day')"),
    );
    let user = stage.alice.user_id;
    let rename = format!("update_series('{series}', new_key => 'renamed')");
    let new_user = format!("create_user('{}', 'new@tenant-a.com')", stage.alice.tenant_id);
    for (left_open, call) in [
        (
            format!("update_series('{series}', description => 'open')"),
            rename.clone(),
        ),
        ("create_series('renamed')".to_owned(), rename),
        ("create_series('new')".to_owned(), "create_series('new')".to_owned()),
        (format!("withdraw_run('{run_id}')"), format!("withdraw_run('{run_id}')")),
        (
            format!("restore_run('{withdrawn}')"),
            format!("restore_run('{withdrawn}')"),
        ),
        (
            "compact(older_than => '0')".to_owned(),
            "compact(older_than => '0')".to_owned(),
        ),
        (
            "compact(older_than => '0')".to_owned(),
            "apply_retention(false)".to_owned(),
        ),
        (
            "set_retention('2 days')".to_owned(),
            "set_retention('3 days')".to_owned(),
        ),
        (new_user.clone(), new_user),
        (
            format!("deactivate_user(user_id => '{user}')"),
            format!("deactivate_user(user_id => '{user}')"),
        ),
        (
            format!("deactivate_user(user_id => '{user}')"),
            format!("create_key(user_id => '{user}')"),
        ),
    ] {
        refused_after_waiting(&stage, &mut holder, &left_open, &call, "ROLLBACK");
    }
}

/// The call waits for what is left open, its key is revoked, and what was left open ends.
#[track_caller]
fn refused_after_waiting(stage: &Stage, holder: &mut Client, left_open: &str, call: &str, end: &str) {
    let stolen = stage.alice_of_scope("admin");
    let key_id = key_id_of(stage, &stolen);
    let mut thief = stage.database.authenticated(&stolen);
    let revoke = || {
        let revoked = stage.ops().execute("SELECT timedb.revoke_key($1)", &[&key_id]);
        revoked.expect("it waits for nobody");
    };
    refused(after_waiting(stage, holder, left_open, &mut thief, call, end, revoke))
        .code("28000")
        .message(KEY_REFUSED);
}

/// What becomes of a call that waits for what somebody has left open, while something else is done.
fn after_waiting(
    stage: &Stage,
    holder: &mut Client,
    left_open: &str,
    caller: &mut Client,
    call: &str,
    end: &str,
    meanwhile: impl FnOnce(),
) -> Result<u64, postgres::Error> {
    let pid = backend_pid(caller);
    run(holder, &format!("BEGIN; SELECT timedb.{left_open}"));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| caller.execute(&format!("SELECT timedb.{call}"), &[]));
        wait_until_blocked(&mut stage.admin(), pid);
        meanwhile();
        run(holder, end);
        waits.join().expect("no panic")
    })
}

/// Where there is nothing left to write, or nothing that could be, the answer or the error would tell what others have done since.
#[test]
fn t13_nor_is_a_call_told_what_was_done_while_it_waited_and_its_key_was_revoked() {
    let stage = Stage::set("t13 told");
    let mut holder = stage.database.authenticated(&stage.alice_of_scope("admin"));
    let series: Uuid = one(&mut holder, "SELECT timedb.create_series('told')");
    let uploaded =
        "SELECT run_id FROM timedb.upload_points(now(), ARRAY['told'], ARRAY['2025-01-01Z'::timestamptz], ARRAY[1])";
    let run_id: Uuid = one(&mut holder, uploaded);
    let set = format!(
        r#"update('[{{"run_id": "{run_id}", "series_id": "{series}", "valid_time": "2025-01-01T00:00:00Z", "value": 2}}]')"#
    );
    let in_meters = r#"upload('2025-01-01Z', '[{"valid_time": "2025-01-01T00:00:00Z", "value_key": "new", "value": 1, "unit": "m"}]')"#;
    let labelled = in_meters.replace(r#""new""#, r#""new", "labels": {"site": "a"}"#);
    for (left_open, call) in [
        (set.clone(), set),
        (
            format!("withdraw_run('{run_id}', 'private')"),
            format!("withdraw_run('{run_id}')"),
        ),
        (
            format!("restore_run('{run_id}', 'private')"),
            format!("restore_run('{run_id}')"),
        ),
        (
            format!("update_series('{series}', unit => 'MW')"),
            format!("update_series('{series}', unit => 'kV')"),
        ),
        ("create_series('new', 'MW')".to_owned(), in_meters.to_owned()),
        (
            r#"create_series('new', 'MW', labels => '{"site": "a"}')"#.to_owned(),
            labelled,
        ),
    ] {
        refused_after_waiting(&stage, &mut holder, &left_open, &call, "COMMIT");
    }
}

/// A binding may come back meanwhile, as another one: to less, or to somebody else's tenant.
#[test]
fn t13_nor_does_a_call_go_on_that_waited_while_its_role_was_bound_to_less_or_to_another_tenant() {
    let stage = Stage::set("t13 bound");
    let mut holder = stage.bob();
    let series: Uuid = one(&mut holder, "SELECT series_id FROM timedb.list_series()");
    let (own, other) = (stage.bob.tenant_id, stage.alice.tenant_id);
    for (number, call) in [
        format!("update_series('{series}', description => 'open')"),
        "create_series('new')".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        for (tenant, scope, code) in [
            (own, "read", Some("42501")),
            (other, "admin", Some("28000")),
            // All that the call needs.
            (own, "write", None),
        ] {
            let role = stage.role(&format!("{scope}{number}"), "IN ROLE timedb_user");
            bind(&mut stage.ops(), &role, own, "admin");
            let mut bound = stage.database.login(&role);
            let bind_anew = || {
                let unbound = stage
                    .ops()
                    .execute("SELECT timedb.unbind_role($1::text::name)", &[&role]);
                unbound.expect("it was bound");
                bind(&mut stage.ops(), &role, tenant, scope);
            };
            let outcome = after_waiting(&stage, &mut holder, call, &mut bound, call, "ROLLBACK", bind_anew);
            match code {
                Some(code) => drop(refused(outcome).code(code)),
                None => drop(outcome.expect("it may still do so")),
            }
        }
    }
}

#[test]
fn t13_a_deactivated_user_who_is_activated_again_is_back() {
    let stage = Stage::set("t13 activated");
    let mut alice = stage.alice();
    end(&stage, ENDINGS[1]);
    assert_key_refused(&mut alice);
    end(&stage, "SELECT timedb.activate_user(user_id => $1)");
    stage.assert_alice(&mut alice);
}

/// By the clock, not by the start of the transaction.
#[test]
fn t14_a_key_that_expires_within_a_transaction_is_refused_from_then_on() {
    let stage = Stage::set("t14");
    let mut ops = stage.ops();
    let row = ops
        .query_one(
            "SELECT api_key FROM timedb.create_key(user_id => $1, expires_at => clock_timestamp() + interval '1 s')",
            &[&stage.alice.user_id],
        )
        .expect("a key of one second");
    let short: String = row.get(0);
    let mut app = stage.app();
    run(&mut app, "BEGIN");
    app.execute("SELECT timedb.authenticate($1)", &[&short])
        .expect("it logs in");
    stage.assert_alice(&mut app);
    wait_until("the key has expired", || tenant(&mut app).is_none());
    let expired: bool = one_of(
        &mut stage.admin(),
        "SELECT expires_at <= clock_timestamp() FROM timedb.api_keys WHERE user_id = $1 AND expires_at IS NOT NULL",
        &[&stage.alice.user_id],
    );
    assert!(expired, "not a moment before");
    assert_sees_nothing(&mut app);
    for call in [
        "compact(older_than => '0')",
        "read_arrow()",
        "read_arrow_batches()",
        "read()",
        "settled_time()",
        "read_changes(now())",
        "read_changes_arrow(now())",
    ] {
        run(&mut app, "SAVEPOINT s");
        refused(app.execute(&format!("SELECT timedb.{call}"), &[]))
            .code("28000")
            .message(KEY_REFUSED);
        run(&mut app, "ROLLBACK TO s");
    }
}

#[test]
fn t39_login_and_reads_work_in_a_read_only_transaction_and_take_no_transaction_id() {
    let stage = Stage::set("t39");
    let mut app = stage.app();
    run(&mut app, "BEGIN READ ONLY");
    login(&mut app, &stage.alice, true);
    stage.assert_alice(&mut app);
    assert!(!one::<bool>(
        &mut app,
        "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
    ));
    refused(app.execute("SELECT timedb.upload(now(), '[]')", &[])).code("25006");
    run(&mut app, "ROLLBACK");
    assert_nobody(&mut app);
}

#[test]
fn t39_a_hot_standby_logs_in_reads_and_feels_every_ending_as_it_is_replayed() {
    let primary = Cluster::start_default().expect("a primary");
    let stage = Stage::on(primary.database("standby").expect("a database"));
    let role = stage.bound_to_bob("read");
    let standby = primary.standby();
    let connect = |role: &str| standby.connect(role, stage.database.name()).expect("it connects");
    let mut observer = connect("postgres");
    assert!(
        one::<bool>(&mut observer, "SELECT pg_is_in_recovery()"),
        "the premise: a standby"
    );

    let mut alice = connect("app");
    assert_nobody(&mut alice);
    fail_to_login(&mut alice, false);
    login(&mut alice, &stage.alice, false);
    stage.assert_alice(&mut alice);
    // What is settled only the primary knows; what was written up to a moment is read here too.
    let settled: String = one(&mut stage.alice(), "SELECT timedb.settled_time()::text");
    let up_to = format!("timedb.read_changes('2000-01-01', '{settled}')");
    assert_eq!(series_of(&mut alice, &up_to), [stage.alices.series_id]);
    for call in [
        "settled_time()",
        "read_changes('2000-01-01')",
        "read_changes_arrow('2000-01-01')",
    ] {
        refused(alice.execute(&format!("SELECT timedb.{call}"), &[]))
            .code("0A000")
            .message("a standby does not know what is settled");
    }
    let mut in_transaction = connect("app");
    login(&mut in_transaction, &stage.alice, false);
    run(&mut in_transaction, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    stage.assert_alice(&mut in_transaction);
    let mut by_setting = connect("app");
    run(
        &mut by_setting,
        &format!("SET timedb.api_key = '{}'", stage.alice.api_key),
    );
    stage.assert_alice(&mut by_setting);
    let mut bound = connect(&role);
    stage.assert_bob(&mut bound);
    for arguments in [
        "read(labels => '{}', workflow_id => 'api-workflow', corrections => 'known', end_known => 'tomorrow')",
        &format!("read(run_ids => '{{{}}}')", stage.alices.run_id),
        "read_relative(lead => '-1000 years', corrections => 'known')",
        "list_series(labels => '{}', search => 'ali', max_rows => 1)",
        "latest(before => '2100-01-01', labels => '{}')",
        "read_buckets('1 day', 'time_weighted', 'Europe/Berlin')",
        "coverage('{alice}')",
        "gaps('1 day', start_valid => '2025-01-01', end_valid => '2025-01-03', series_keys => '{alice}')",
        "read_relative(days_ahead => -1000000, time_of_day => '12:00', time_zone => 'Europe/Berlin')",
    ] {
        for client in [&mut alice, &mut in_transaction] {
            assert_eq!(
                one::<i64>(client, &format!("SELECT count(*) FROM timedb.{arguments}")),
                1,
                "{arguments}"
            );
        }
    }

    end(&stage, ENDINGS[0]);
    run(&mut stage.ops(), &format!("SELECT timedb.unbind_role('{role}')"));
    wait_until_replayed(&mut stage.admin(), &mut observer);
    assert_sees_nothing(&mut in_transaction);
    assert_sees_nothing(&mut alice);
    assert_sees_nothing(&mut by_setting);
    assert_sees_nothing(&mut bound);
    let mut bob = connect("app");
    login(&mut bob, &stage.bob, false);
    stage.assert_bob(&mut bob);
    bind(&mut stage.ops(), &role, stage.alice.tenant_id, "read");
    wait_until_replayed(&mut stage.admin(), &mut observer);
    stage.assert_alice(&mut bound);
}

/// An id that is nobody's.
#[test]
fn t13_a_login_as_a_key_that_never_was_is_refused_like_one_that_has_ended() {
    let stage = Stage::set("t13 never was");
    let mut alice = stage.alice();
    let mut admin = stage.admin();
    admin
        .execute(
            "UPDATE timedb.api_keys SET key_id = $1 WHERE user_id = $2",
            &[&Uuid::now_v7(), &stage.alice.user_id],
        )
        .expect("a superuser may");
    assert_key_refused(&mut alice);
}

/// The one key that a user has.
#[track_caller]
fn key_id_of(stage: &Stage, identity: &Identity) -> Uuid {
    let sql = "SELECT key_id FROM timedb.list_keys(user_id => $1)";
    one_of(&mut stage.ops(), sql, &[&identity.user_id])
}

/// Her key opens nothing, neither now nor once what she has left open is undone.
#[track_caller]
fn assert_ended(stage: &Stage, thief: &mut Client, identity: &Identity) {
    let login = "SELECT timedb.authenticate($1)";
    refused(stage.app().execute(login, &[&identity.api_key]))
        .code("28000")
        .message(KEY_REFUSED);
    run(thief, "ROLLBACK");
    assert_key_refused(thief);
    refused(stage.app().execute(login, &[&identity.api_key])).code("28000");
}

/// Whoever has stolen a key may do with it what stands in the way of whoever ends it: end it herself, and never commit.
#[test]
fn t61_a_key_that_ends_itself_in_an_open_transaction_holds_up_no_revocation() {
    let stage = Stage::set("t61");
    let manager = stage.alice_of_scope("admin");
    for scope in ["read", "write", "admin"] {
        for ending in ["revoke_key($1)", "regenerate_key(key_id => $1)"] {
            for by_operator in [true, false] {
                let stolen = stage.alice_of_scope(scope);
                let key_id = key_id_of(&stage, &stolen);
                let mut thief = stage.database.authenticated(&stolen);
                run(&mut thief, &format!("BEGIN; SELECT timedb.revoke_key('{key_id}')"));
                let mut manager = match by_operator {
                    true => stage.ops(),
                    false => stage.database.authenticated(&manager),
                };
                // An error where it would wait.
                run(&mut manager, "SET lock_timeout = '1s'");
                let ended = manager.query_one(&format!("SELECT timedb.{ending}::text"), &[&key_id]);
                let ended: String = ended
                    .unwrap_or_else(|error| panic!("{scope}, {ending}: {error:?}"))
                    .get(0);
                assert_ended(&stage, &mut thief, &stolen);
                if ending.starts_with("regenerate") {
                    let anew = Identity {
                        api_key: ended,
                        ..stolen
                    };
                    stage.assert_alice(&mut stage.database.authenticated(&anew));
                }
            }
        }
    }
    assert_eq!(
        one::<i64>(&mut stage.admin(), "SELECT count(*) FROM timedb.self_check()"),
        0
    );
}

/// With scope admin there is more to leave open; an operator ends the key all the same.
#[test]
fn t61_whatever_an_admin_key_leaves_open_holds_up_no_revocation_of_it() {
    let stage = Stage::set("t61 admin");
    for left_open in [
        "regenerate_key(key_id => '{key}')",
        "regenerate_key(key_id => '{key}', grace => '1 day')",
        "create_key(user_id => '{user}')",
        "deactivate_user(user_id => '{user}')",
    ] {
        let stolen = stage.alice_of_scope("admin");
        let key_id = key_id_of(&stage, &stolen);
        let left_open = left_open
            .replace("{key}", &key_id.to_string())
            .replace("{user}", &stolen.user_id.to_string());
        let mut thief = stage.database.authenticated(&stolen);
        run(&mut thief, &format!("BEGIN; SELECT timedb.{left_open}"));
        let mut ops = stage.ops();
        run(&mut ops, "SET lock_timeout = '1s'");
        let revoked = ops.execute("SELECT timedb.revoke_key($1)", &[&key_id]);
        revoked.unwrap_or_else(|error| panic!("{left_open}: {error:?}"));
        assert_ended(&stage, &mut thief, &stolen);
    }
}

/// What cannot be looked up is no reason to let anybody in.
#[test]
fn t61_where_the_index_of_ends_is_missing_every_key_is_refused() {
    let stage = Stage::set("t61 index");
    let mut alice = stage.alice();
    stage.assert_alice(&mut alice);
    run(&mut stage.admin(), "DROP INDEX timedb.key_ends_key_idx");
    assert_key_refused(&mut alice);
}
