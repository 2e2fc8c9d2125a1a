//! What is another's, or above one's scope: its ids read, written and managed by are told like ids of nobody's.

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Stage, Stored, one, one_of, refused, run};
use uuid::Uuid;

use crate::support::{each_refused, rows_of, update_of, upload};

/// What the server says of an id, with the id taken out.
#[track_caller]
fn said_of(id: Uuid, result: Result<Vec<postgres::Row>, postgres::Error>) -> String {
    let refusal = refused(result);
    let error = refusal.error();
    format!(
        "{} {} {:?} {:?} {:?}",
        error.code().code(),
        error.message(),
        error.detail(),
        error.hint(),
        error.where_()
    )
    .replace(&id.to_string(), "…")
}

/// The same attempt with an id of Bob's and with one of nobody's: not a letter may differ.
#[track_caller]
fn assert_told_alike(client: &mut Client, sql: &str, bobs: Uuid, arguments: impl Fn(Uuid) -> Value) {
    let nobodys = Uuid::now_v7();
    let [of_bobs, of_nobodys] = [bobs, nobodys].map(|id| said_of(id, client.query(sql, &[&arguments(id)])));
    assert_eq!(of_bobs, of_nobodys, "{sql}");
    assert!(of_bobs.starts_with("42704 "), "{of_bobs}");
}

#[test]
fn t19_uploading_onto_anothers_series_is_told_like_one_that_is_not_there() {
    let stage = Stage::set("t19");
    let mut alice = stage.alice();
    assert_told_alike(
        &mut alice,
        "SELECT timedb.upload(now(), $1)",
        stage.bobs.series_id,
        rows_of,
    );
    let named = |id: Uuid| {
        let mut rows = rows_of(id);
        rows[0]["value_key"] = "bob".into();
        rows
    };
    assert_told_alike(
        &mut alice,
        "SELECT timedb.upload(now(), $1)",
        stage.bobs.series_id,
        named,
    );
    let own = rows_of(stage.alices.series_id);
    assert_told_alike(
        &mut alice,
        &format!("SELECT timedb.upload(now(), '{own}', tenant_id => ($1::json ->> 0)::uuid)"),
        stage.bob.tenant_id,
        |id| json!([id.to_string()]),
    );
    stage.assert_alice(&mut alice);
    stage.assert_bob(&mut stage.bob());
}

/// The look-up by labels goes to an index without a policy.
#[test]
fn t19_labels_as_an_address_reach_no_other_tenants_series() {
    let stage = Stage::set("t19 labels");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    let make = "SELECT timedb.create_series('shared', labels => '{\"site\": \"north\"}')";
    let bobs: Uuid = one(&mut bob, make);
    let row = |fields: Value| {
        let mut row = json!({"valid_time": "2025-01-01T00:00:00Z", "value_key": "shared",
                             "labels": {"site": "north"}, "value": 7});
        row.as_object_mut()
            .expect("a row")
            .extend(fields.as_object().expect("fields").clone());
        json!([row])
    };
    let count = "SELECT count(*) FROM timedb.values WHERE series_id = $1";
    // What is not there for Alice is told like what is nowhere, also where key and labels are right.
    let update = "SELECT timedb.update($1)";
    let refusal = |sql: &str, rows: Value, client: &mut Client| {
        let refusal = refused(client.query(sql, &[&rows]));
        (
            refusal.error().code().code().to_owned(),
            refusal.error().message().to_owned(),
        )
    };
    let bobs_update = refusal(update, row(json!({})), &mut alice);
    let nobodys = refusal(update, row(json!({"value_key": "nobody"})), &mut alice);
    assert_eq!(bobs_update.0, "42704");
    assert_eq!(bobs_update.1.replace("shared", "nobody"), nobodys.1);
    assert_told_alike(&mut alice, "SELECT timedb.upload(now(), $1)", bobs, |id| {
        row(json!({"series_id": id.to_string()}))
    });
    for sql in [
        "SELECT timedb.upload(now(), $1)",
        "SELECT timedb.upload(now(), $1, skip_unchanged => true)",
        "SELECT timedb.upload_runs($1, known_time => '2025-01-01Z')",
        "SELECT timedb.update($1)",
    ] {
        alice.execute(sql, &[&row(json!({"value": sql.len()}))]).expect(sql);
        assert_eq!(one_of::<i64>(&mut stage.admin(), count, &[&bobs]), 0, "{sql}");
    }
    let alices: Uuid = one(&mut alice, make);
    assert_ne!(alices, bobs);
    assert!(one_of::<i64>(&mut stage.admin(), count, &[&alices]) > 0);
}

#[test]
fn t20_an_update_without_a_run_corrects_ones_own_value_only() {
    let stage = Stage::set("t20 shown");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    for client in [&mut alice, &mut bob] {
        Stored::of(client, "shared", 1.0);
    }
    let update = |key: &str| json!([{"value_key": key, "valid_time": "2025-01-01T00:00:00Z", "value": 6}]);
    let sql = "SELECT timedb.update($1)";
    alice.execute(sql, &[&update("shared")]).expect("her own");
    let value = "SELECT value FROM timedb.read(series_keys => '{shared}')";
    assert_eq!((one::<f64>(&mut alice, value), one::<f64>(&mut bob, value)), (6.0, 1.0));
    let told = |key: &str, client: &mut Client| {
        let refusal = refused(client.query(sql, &[&update(key)]));
        format!("{} {}", refusal.error().code().code(), refusal.error().message()).replace(key, "…")
    };
    assert_eq!(told("bob", &mut alice), told("nobody", &mut alice));
    assert!(told("bob", &mut alice).starts_with("42704 "));
    // By the id of Bob's series, with no run: as of one that is not there.
    assert_told_alike(
        &mut alice,
        sql,
        stage.bobs.series_id,
        |id| json!([{"series_id": id.to_string(), "valid_time": "2025-01-01T00:00:00Z", "value": 6}]),
    );
    let bobs = "SELECT value FROM timedb.read(series_keys => '{bob}')";
    assert_eq!(one::<f64>(&mut bob, bobs), 2.0, "Bob's is untouched");
}

#[test]
fn t20_updating_anothers_value_is_told_like_one_that_is_not_there() {
    let stage = Stage::set("t20 update");
    let mut alice = stage.alice();
    let sql = "SELECT timedb.update($1)";
    let (alices, bobs) = (stage.alices, stage.bobs);
    assert_told_alike(&mut alice, sql, bobs.run_id, |id| update_of(id, bobs.series_id, 6.0));
    assert_told_alike(&mut alice, sql, bobs.run_id, |id| update_of(id, alices.series_id, 6.0));
    assert_told_alike(&mut alice, sql, bobs.series_id, |id| update_of(alices.run_id, id, 6.0));
    for (run, series) in [(alices.run_id, alices.series_id), (bobs.run_id, bobs.series_id)] {
        assert_told_alike(&mut alice, sql, stage.bob.tenant_id, |id| {
            let mut updates = update_of(run, series, 6.0);
            updates[0]["tenant_id"] = id.to_string().into();
            updates
        });
    }
    let value: f64 = one(&mut stage.bob(), "SELECT value FROM timedb.read()");
    assert_eq!(value, 2.0, "Bob's is untouched");
}

#[test]
fn t20_reading_by_anothers_ids_adds_no_row() {
    let stage = Stage::set("t20 read");
    let mut alice = stage.alice();
    let count = |client: &mut Client, sql: &str| one_of::<i64>(client, sql, &[&stage.bobs.series_id]);
    for sql in [
        "SELECT count(*) FROM timedb.read(series_ids => ARRAY[$1::uuid])",
        "SELECT count(*) FROM timedb.read(series_ids => ARRAY[$1::uuid], mode => 'overlapping', all_versions => true)",
        "SELECT count(*) FROM timedb.latest(series_ids => ARRAY[$1::uuid])",
        "SELECT count(*) FROM timedb.list_runs(series_ids => ARRAY[$1::uuid])",
        "SELECT count(*) FROM timedb.coverage(series_ids => ARRAY[$1::uuid])",
        "SELECT count(*) FROM timedb.read_buckets('1 day', series_ids => ARRAY[$1::uuid])",
        "SELECT count(*) FROM timedb.gaps('1 day', 'UTC', '2020-01-01', '2020-01-02', series_ids => ARRAY[$1::uuid])",
        "SELECT count(*) FROM timedb.values WHERE series_id = $1",
        "SELECT count(*) FROM timedb.current_values WHERE series_id = $1",
        "SELECT count(*) FROM timedb._series_values($1)",
    ] {
        assert_eq!(count(&mut stage.bob(), sql), 1, "the premise: it is there");
        assert_eq!(count(&mut alice, sql), 0, "{sql}");
    }
    let by_key = "SELECT count(*) FROM timedb.read(series_keys => '{bob}')";
    assert_eq!(one::<i64>(&mut stage.bob(), by_key), 1, "the premise");
    assert_eq!(one::<i64>(&mut alice, by_key), 0);
}

/// What labels are looked up by is a table of its own, of all tenants.
#[test]
fn t20_the_labels_of_anothers_series_are_found_by_no_filter_and_stand_in_nobodys_way() {
    let stage = Stage::set("t20 labels");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    let sql = "SELECT timedb.create_series('labelled', 'K', labels => '{\"zone\": \"DE\", \"n\": 1}')";
    let bobs: Uuid = one(&mut bob, sql);
    let entries = "SELECT count(*) FROM timedb.series_labels WHERE tenant_id = $1";
    let entries: i64 = one_of(&mut stage.admin(), entries, &[&stage.bob.tenant_id]);
    assert_eq!(entries, 2, "the premise: they are entered");
    for sql in [
        "SELECT count(*) FROM timedb.list_series('{\"zone\": \"DE\"}')",
        "SELECT count(*) FROM timedb.list_series('{\"n\": 1, \"zone\": \"DE\"}')",
        "SELECT count(*) FROM timedb.list_series(search => 'LABEL')",
        "SELECT count(*) FROM timedb.label_values('zone')",
    ] {
        assert_eq!(one::<i64>(&mut bob, sql), 1, "the premise: {sql}");
        assert_eq!(one::<i64>(&mut alice, sql), 0, "{sql}");
    }
    assert_told_alike(
        &mut alice,
        "SELECT timedb.update_series(($1::json ->> 0)::uuid, new_key => 'mine')",
        bobs,
        |id| json!([id.to_string()]),
    );
    // She may call hers the same, in another unit, and is told of no namesake.
    let sql = "SELECT series_key FROM timedb.update_series($1, new_key => 'labelled', unit => 'm', labels => '{\"zone\": \"DE\", \"n\": 1}')";
    assert_eq!(
        one_of::<String>(&mut alice, sql, &[&stage.alices.series_id]),
        "labelled"
    );
    let same = "SELECT array_agg(series_id) FROM timedb.list_series('{\"zone\": \"DE\"}')";
    assert_eq!(one::<Vec<Uuid>>(&mut alice, same), [stage.alices.series_id]);
    assert_eq!(one::<Vec<Uuid>>(&mut bob, same), [bobs]);
    for mut client in [alice, stage.caller()] {
        each_refused(
            &mut client,
            "42501",
            [
                "SELECT * FROM timedb.series_labels",
                "INSERT INTO timedb.series_labels VALUES (gen_random_uuid(), 'a', '1', gen_random_uuid())",
                "DELETE FROM timedb.series_labels",
                "UPDATE timedb.series SET labels = '{}'",
            ],
        );
    }
}

#[test]
fn t20_withdrawing_or_restoring_anothers_run_is_told_like_one_that_is_not_there() {
    let stage = Stage::set("t20 withdraw");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    let bobs = stage.bobs.run_id;
    for is_withdrawn in [false, true] {
        if is_withdrawn {
            bob.execute("SELECT timedb.withdraw_run($1, 'his own')", &[&bobs])
                .expect("his own run");
        }
        for call in ["withdraw_run", "restore_run"] {
            let sql = format!("SELECT timedb.{call}(($1::json ->> 0)::uuid, 'hers')");
            assert_told_alike(&mut alice, &sql, bobs, |id| json!([id.to_string()]));
        }
        let update = |id: Uuid| update_of(id, stage.alices.series_id, 2.0);
        assert_told_alike(&mut alice, "SELECT timedb.update($1)", bobs, update);
        let rows = "SELECT count(*), count(*) FILTER (WHERE restored_at IS NULL) FROM timedb.withdrawals";
        let row = stage.admin().query_one(rows, &[]).expect("the withdrawals");
        let expected = i64::from(is_withdrawn);
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (expected, expected));
    }
    bob.execute("SELECT timedb.restore_run($1)", &[&bobs])
        .expect("his own run");
    stage.assert_alice(&mut alice);
    stage.assert_bob(&mut bob);
}

/// Whether a tenant has any is asked of an index without a policy, under the tenant of the login.
#[test]
fn t20_withdrawals_are_seen_by_their_tenant_alone_and_made_by_functions_alone() {
    let stage = Stage::set("t20 withdrawals");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    let (alices, bobs) = (stage.alices.run_id, stage.bobs.run_id);
    bob.execute("SELECT timedb.withdraw_run($1, 'his own')", &[&bobs])
        .expect("his own run");
    // One of Bob's that names Alice's run, as a restored backup might have: it takes nothing from her.
    let odd =
        "INSERT INTO timedb.withdrawals (tenant_id, run_id, withdrawn_at, withdrawn_by) VALUES ($1, $2, now(), 'bob')";
    let made = stage.admin().execute(odd, &[&stage.bob.tenant_id, &alices]);
    assert_eq!(made.expect("a row"), 1);
    let own = "SELECT count(*) FROM timedb.withdrawals";
    assert_eq!(one::<i64>(&mut bob, own), 2, "the premise");
    assert_eq!(one::<i64>(&mut alice, own), 0);
    let shown = "SELECT count(*) FROM timedb.read() UNION ALL SELECT count(*) FROM timedb.current_values \
                 UNION ALL SELECT count(*) FROM timedb.versions UNION ALL SELECT count(*) FROM timedb.latest() \
                 UNION ALL SELECT count(*) FROM timedb.list_runs() r WHERE r.withdrawn_at IS NULL";
    for (client, count) in [(&mut alice, 1), (&mut bob, 0)] {
        let counts = client.query(shown, &[]).expect("it reads");
        let counts: Vec<i64> = counts.iter().map(|row| row.get(0)).collect();
        assert_eq!(counts, [count; 5]);
    }
    let of_both = [
        format!(
            "INSERT INTO timedb.withdrawals VALUES ('{}', '{bobs}', now(), 'x')",
            stage.bob.tenant_id
        ),
        format!(
            "INSERT INTO timedb.withdrawals VALUES ('{}', '{alices}', now(), 'x')",
            stage.alice.tenant_id
        ),
        "UPDATE timedb.withdrawals SET restored_at = now()".to_owned(),
        "UPDATE timedb.withdrawals SET reason = 'x'".to_owned(),
        "DELETE FROM timedb.withdrawals".to_owned(),
        "TRUNCATE timedb.withdrawals".to_owned(),
        "SELECT * FROM timedb.withdrawals FOR UPDATE".to_owned(),
    ];
    for mut client in [alice, bob, stage.caller()] {
        each_refused(&mut client, "42501", &of_both);
    }
    each_refused(&mut stage.caller(), "42501", [own]);
}

/// By whatever else a read can be asked to be of: what Bob has is answered as what nobody has, and changes nothing of one's own.
#[test]
fn t20_labels_runs_and_workflows_of_anothers_add_no_row() {
    let stage = Stage::set("t20 filters");
    let mut bob = stage.bob();
    let labelled: Uuid = one(
        &mut bob,
        r#"SELECT timedb.create_series('bob', labels => '{"secret": "bobs"}')"#,
    );
    let row = rows_of(labelled);
    let sql = "SELECT run_id FROM timedb.upload(now(), $1, workflow_id => 'bobs')";
    let bobs_run: Uuid = one_of(&mut bob, sql, &[&row]);
    let mut alice = stage.alice();
    let arguments = [
        r#"labels => '{"secret": "bobs"}'"#.to_owned(),
        r#"labels => '{"secret": "bobs"}', series_keys => '{alice,bob}'"#.to_owned(),
        format!("run_ids => '{{{bobs_run}}}'"),
        "workflow_id => 'bobs'".to_owned(),
        format!("workflow_id => 'bobs', run_ids => '{{{bobs_run}}}', corrections => 'known', end_known => 'tomorrow'"),
    ];
    for arguments in &arguments {
        for scan in ["on", "off"] {
            let count = format!("SELECT count(*) FROM timedb.read({arguments}) r");
            let streams = format!("SELECT md5(timedb.read_arrow({arguments}))");
            for client in [&mut bob, &mut alice] {
                run(client, &format!("SET timedb.enable_scan = {scan}"));
            }
            assert_eq!(one::<i64>(&mut bob, &count), 1, "the premise: {arguments}");
            assert_eq!(one::<i64>(&mut alice, &count), 0, "{arguments}");
            let relative = format!(
                "SELECT count(*) FROM timedb.read_relative(lead => '-1000 years', {})",
                arguments.replace(", end_known => 'tomorrow'", "")
            );
            assert_eq!(one::<i64>(&mut bob, &relative), 1, "the premise: {relative}");
            assert_eq!(one::<i64>(&mut alice, &relative), 0, "{relative}");
            // An answer of no rows tells of one's own series, and of nothing else.
            let nobodys = arguments
                .replace(&bobs_run.to_string(), &Uuid::now_v7().to_string())
                .replace("=> 'bobs'", "=> 'nobodys'")
                .replace(r#""bobs""#, r#""nobodys""#);
            let of_nobodys = format!("SELECT md5(timedb.read_arrow({nobodys}))");
            assert_eq!(
                one::<String>(&mut alice, &streams),
                one::<String>(&mut alice, &of_nobodys)
            );
        }
    }
    // Beside one's own run another's is none.
    let own = format!(
        "SELECT count(*) FROM timedb.read(run_ids => '{{{},{bobs_run}}}')",
        stage.alices.run_id
    );
    assert_eq!(one::<i64>(&mut alice, &own), 1);
    stage.assert_alice(&mut alice);
}

#[test]
fn t40_a_key_of_scope_read_or_write_does_no_more_than_that() {
    let stage = Stage::set("t40");
    let reader = stage.alice_of_scope("read");
    let mut client = stage.database.authenticated(&reader);
    assert_alice_reads(&stage, &mut client);
    let writes = [
        "upload(now(), '[]')",
        "update('[]')",
        "create_series('x')",
        "update_series(gen_random_uuid(), new_key => 'x')",
        "upload_points(now(), '{a}', '{2025-01-01}', '{1}')",
        "upload_arrow(now(), '')",
        "upload(now(), '[]', skip_unchanged => true)",
        "upload_runs('[]')",
        "upload_runs_arrow('')",
        "update('[{\"value_key\": \"alice\", \"valid_time\": \"2025-01-01\", \"value\": 7}]')",
        "compact()",
        "withdraw_run(gen_random_uuid())",
        "restore_run(gen_random_uuid())",
    ];
    let tenant = stage.alice.tenant_id;
    let manages = [
        format!("create_user('{tenant}', 'x@y.z', 'admin')"),
        format!("create_key(user_id => '{}', scope => 'admin')", reader.user_id),
        format!("regenerate_key(user_id => '{}')", reader.user_id),
        "list_users()".into(),
        "list_keys()".into(),
        "list_audit()".into(),
        "revoke_key(gen_random_uuid())".into(),
        "deactivate_user(email => 'alice@tenant-a.com')".into(),
        "_create_user_tenant(gen_random_uuid(), 'x@y.z', 'admin')".into(),
        "_list_keys_tenant(NULL, NULL)".into(),
    ];
    let call = |call: &str| format!("SELECT * FROM timedb.{call}");
    each_refused(&mut client, "42501", writes.map(call));
    each_refused(&mut client, "42501", manages.each_ref().map(|manage| call(manage)));
    each_refused(
        &mut client,
        "42501",
        [format!("INSERT INTO timedb.values (tenant_id) VALUES ('{tenant}')")],
    );
    let mut writer = stage.alice();
    each_refused(&mut writer, "42501", manages.each_ref().map(|manage| call(manage)));
    upload(&mut writer, "more");
}

#[track_caller]
fn assert_alice_reads(stage: &Stage, client: &mut Client) {
    let shown: Uuid = one(client, "SELECT series_id FROM timedb.read()");
    assert_eq!(shown, stage.alices.series_id);
}

#[test]
fn t41_an_admin_key_finds_no_user_or_key_of_another_tenant() {
    let stage = Stage::set("t41");
    let admin = stage.alice_of_scope("admin");
    let mut client = stage.database.authenticated(&admin);
    let bobs_key: Uuid = one_of(
        &mut stage.admin(),
        "SELECT key_id FROM timedb.api_keys WHERE user_id = $1",
        &[&stage.bob.user_id],
    );
    for (call, bobs) in [
        ("create_key(user_id => ($1::json->>0)::uuid)", stage.bob.user_id),
        ("regenerate_key(user_id => ($1::json->>0)::uuid)", stage.bob.user_id),
        ("deactivate_user(user_id => ($1::json->>0)::uuid)", stage.bob.user_id),
        ("activate_user(user_id => ($1::json->>0)::uuid)", stage.bob.user_id),
        ("revoke_key(($1::json->>0)::uuid)", bobs_key),
        ("list_users(tenant_id => ($1::json->>0)::uuid)", stage.bob.tenant_id),
        ("list_keys(tenant_id => ($1::json->>0)::uuid)", stage.bob.tenant_id),
        ("list_audit(tenant_id => ($1::json->>0)::uuid)", stage.bob.tenant_id),
    ] {
        assert_told_alike(&mut client, &format!("SELECT * FROM timedb.{call}"), bobs, |id| {
            json!([id.to_string()])
        });
    }
    let emails = ["bob@tenant-b.com", "nobody@tenant-b.com"].map(|email| {
        let result = client.query("SELECT timedb.deactivate_user(email => $1)", &[&email]);
        refused(result).error().message().replace(email, "…")
    });
    assert_eq!(emails[0], emails[1]);
    each_refused(
        &mut client,
        "42501",
        [format!("SELECT timedb.create_user('{}', 'x@y.z')", stage.bob.tenant_id)],
    );
    let listed = "SELECT array_agg(DISTINCT tenant_id) FROM timedb.list_users()";
    assert_eq!(one::<Vec<Uuid>>(&mut client, listed), [stage.alice.tenant_id]);
    let keys: i64 = one_of(
        &mut client,
        "SELECT count(*) FROM timedb.list_keys() WHERE user_id = $1",
        &[&stage.bob.user_id],
    );
    assert_eq!(keys, 0);
    stage.assert_bob(&mut stage.bob());
}
