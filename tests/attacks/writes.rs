//! Writing what is not one's own: onto another tenant's rows, into the past, and more than is good.

use serde_json::json;
use timedb_testkit::{
    Stage, assert_nobody, backend_pid, cancelled, login, one, one_of, refused, run, told, wait_until,
};
use uuid::Uuid;

use crate::support::{each_refused, try_upload, update_of, upload};

#[test]
fn t16_a_tenants_role_writes_no_table_directly_in_any_way() {
    let stage = Stage::set("t16");
    let (a, b) = (stage.alice.tenant_id, stage.bob.tenant_id);
    let mut alice = stage.alice();
    let insert =
        format!("INSERT INTO timedb.series (tenant_id, series_id, series_key) VALUES ('{b}', gen_random_uuid(), 'x')");
    each_refused(
        &mut alice,
        "42501",
        [
            insert.clone(),
            format!("{insert} ON CONFLICT DO NOTHING"),
            format!("UPDATE timedb.series SET tenant_id = '{b}'"),
            format!("UPDATE timedb.series SET description = 'x' WHERE tenant_id = '{a}'"),
            format!("DELETE FROM timedb.values WHERE tenant_id = '{b}'"),
            format!("DELETE FROM timedb.values WHERE tenant_id = '{a}'"),
            format!(
                "MERGE INTO timedb.series s USING (SELECT '{b}'::uuid AS t) n ON s.tenant_id = n.t \
                 WHEN MATCHED THEN DELETE \
                 WHEN NOT MATCHED THEN INSERT (tenant_id, series_id, series_key) VALUES (n.t, gen_random_uuid(), 'x')"
            ),
            "COPY timedb.values FROM STDIN".into(),
            "COPY timedb.values TO '/tmp/timedb'".into(),
            "COPY timedb.values TO PROGRAM 'cat'".into(),
            "SELECT * FROM timedb.series FOR UPDATE".into(),
            "SELECT * FROM timedb.series FOR KEY SHARE".into(),
            "DROP TABLE timedb.values".into(),
            "TABLE timedb.users".into(),
            "TABLE timedb.api_keys".into(),
            "TABLE timedb.role_bindings".into(),
            "TABLE timedb.audit".into(),
        ],
    );
    each_refused(&mut alice, "55000", ["DELETE FROM timedb.current_values"]);
    stage.assert_alice(&mut alice);
    stage.assert_bob(&mut stage.bob());
}

#[test]
fn t16_copy_out_gives_the_tenants_own_rows() {
    let stage = Stage::set("t16 copy");
    let mut alice = stage.alice();
    for source in [
        "timedb.series",
        "(SELECT * FROM timedb.series)",
        "(TABLE timedb.current_values)",
    ] {
        let mut rows = String::new();
        let mut reader = alice.copy_out(&format!("COPY {source} TO STDOUT")).expect("a copy");
        std::io::Read::read_to_string(&mut reader, &mut rows).expect("rows");
        drop(reader);
        assert_eq!(rows.lines().count(), 1, "{source}");
        assert!(rows.contains(&stage.alices.series_id.to_string()), "{source}");
    }
}

/// The second wall: what the API's own role may do, should a function of it ever be careless.
#[test]
fn t16_the_role_behind_the_api_is_itself_held_to_the_tenant_logged_in() {
    let stage = Stage::set("t16 second wall");
    let (a, b) = (stage.alice.tenant_id, stage.bob.tenant_id);
    let mut api = stage.admin();
    login(&mut api, &stage.alice, false);
    run(&mut api, "SET ROLE timedb_api");
    let series = |tenant| {
        format!(
            "INSERT INTO timedb.series (tenant_id, series_id, series_key) VALUES ('{tenant}', gen_random_uuid(), 'x')"
        )
    };
    run(&mut api, &series(a));
    each_refused(
        &mut api,
        "42501",
        [
            series(b),
            format!("{} ON CONFLICT DO NOTHING", series(b)),
            format!("UPDATE timedb.series SET tenant_id = '{b}'"),
            "DELETE FROM timedb.series".into(),
            "UPDATE timedb.values SET annotation = 'x'".into(),
            "TRUNCATE timedb.values".into(),
            "ALTER TABLE timedb.values DISABLE ROW LEVEL SECURITY".into(),
            "SELECT key_hash FROM timedb.api_keys".into(),
        ],
    );
    let others = api.execute("UPDATE timedb.series SET description = 'x' WHERE tenant_id = $1", &[&b]);
    assert_eq!(others.expect("no row of hers"), 0);
    for (scope, insert) in [
        ("read", series(a)),
        (
            "write",
            format!("INSERT INTO timedb.users (tenant_id, user_id, email) VALUES ('{a}', gen_random_uuid(), 'x')"),
        ),
    ] {
        let key = stage.alice_of_scope(scope);
        run(&mut api, "RESET ROLE");
        login(&mut api, &key, false);
        run(&mut api, "SET ROLE timedb_api");
        each_refused(&mut api, "42501", [insert]);
        let people = "SELECT (SELECT count(user_id) FROM timedb.users) + (SELECT count(*) FROM timedb.audit) \
                        + (SELECT count(key_id) FROM timedb.api_keys WHERE key_id <> timedb._own_key())";
        assert_eq!(one::<i64>(&mut api, people), 0, "for scope admin alone");
        // A key may end itself: one such row, one such entry, and nothing else.
        assert_eq!(one::<i64>(&mut api, "SELECT count(key_id) FROM timedb.api_keys"), 1);
        let entry = |action: &str, key: &str| {
            format!(
                "INSERT INTO timedb.audit (tenant_id, audit_id, actor, via, action, key_id) \
                 VALUES ('{a}', gen_random_uuid(), 'x', 'key', '{action}', {key})"
            )
        };
        each_refused(
            &mut api,
            "42501",
            [
                entry("create_key", "timedb._own_key()"),
                entry("revoke_key", "gen_random_uuid()"),
                format!("INSERT INTO timedb.key_ends VALUES ('{a}', gen_random_uuid(), now())"),
                "UPDATE timedb.key_ends SET ended_at = NULL".into(),
                "DELETE FROM timedb.key_ends".into(),
                "UPDATE timedb.api_keys SET revoked_at = now()".into(),
                "UPDATE timedb.api_keys SET scope = 'admin'".into(),
                "UPDATE timedb.api_keys SET expires_at = NULL".into(),
                "DELETE FROM timedb.api_keys".into(),
            ],
        );
    }
    run(&mut api, "RESET ROLE; SELECT timedb.logout(); SET ROLE timedb_api");
    each_refused(&mut api, "42501", [series(a)]);
    assert_eq!(one::<i64>(&mut api, "SELECT count(*) FROM timedb.series"), 0);
}

#[test]
fn t18_a_name_another_tenant_has_is_free_and_tells_nothing() {
    let stage = Stage::set("t18 oracle");
    let mut alice = stage.alice();
    let own = upload(&mut alice, "bob");
    assert_ne!(own.series_id, stage.bobs.series_id);
    let created: Uuid = one(&mut alice, "SELECT timedb.create_series('bob', 'MW', 'mine', '{}')");
    assert_eq!(created, own.series_id);
    let admin = stage.alice_of_scope("admin");
    let mut admin = stage.database.authenticated(&admin);
    let sql = "SELECT timedb.create_user($1, 'bob@tenant-b.com')";
    admin
        .execute(sql, &[&stage.alice.tenant_id])
        .expect("an email is a tenant's own");
    stage.assert_bob(&mut stage.bob());
}

/// The look-up by key and labels meets no policy: it names the tenant.
#[test]
fn t18_a_key_with_labels_another_tenant_has_is_free_and_tells_nothing() {
    let stage = Stage::set("t18 labels");
    let labelled = "SELECT timedb.create_series('bob', 'MW', 'mine', '{\"site\": 1}')";
    let bobs: Uuid = one(&mut stage.bob(), labelled);
    let mut alice = stage.alice();
    let alices: Uuid = one(&mut alice, labelled);
    assert_ne!(alices, bobs);
    assert_eq!(one::<Uuid>(&mut alice, labelled), alices);
    assert_eq!(one::<Uuid>(&mut stage.bob(), labelled), bobs);
}

#[test]
fn t30_history_is_append_only_and_its_who_and_when_are_the_servers() {
    let stage = Stage::set("t30");
    let mut alice = stage.alice();
    each_refused(
        &mut alice,
        "42501",
        [
            "UPDATE timedb.values SET annotation = 'x'",
            "UPDATE timedb.runs SET changed_by = 'x'",
            "DELETE FROM timedb.runs",
        ],
    );
    for (argument, code) in [
        ("change_time => now()", "42883"),
        ("changed_by => 'bob@tenant-b.com'", "42883"),
        // One's own may be named.
        ("tenant_id => gen_random_uuid()", "42704"),
    ] {
        each_refused(
            &mut alice,
            code,
            [format!("SELECT timedb.upload(now(), '[]', {argument})")],
        );
    }
    for field in ["change_time", "changed_by", "tenant_id"] {
        let rows = json!([{"valid_time": "2025-02-01", "value_key": "alice", "value": 1, field: stage.bob.tenant_id.to_string()}]);
        if let Err(error) = try_upload(&mut alice, &rows) {
            assert_eq!(told(&error).0, "22023", "{field}");
        }
    }
    let update = update_of(stage.alices.run_id, stage.alices.series_id, 2.0);
    alice
        .execute("SELECT timedb.update($1)", &[&update])
        .expect("it updates");
    let versions = "SELECT array_agg(value ORDER BY change_time) FROM timedb.read(end_valid => '2025-01-02', all_versions => true)";
    assert_eq!(
        one::<Vec<f64>>(&mut alice, versions),
        [1.0, 2.0],
        "the former version stays"
    );
    let by: Vec<String> = one(&mut alice, "SELECT array_agg(DISTINCT changed_by) FROM timedb.values");
    assert_eq!(by, [stage.alice.email]);
}

#[test]
fn t51_more_than_a_call_takes_is_too_large_and_writes_nothing() {
    let stage = Stage::set("t51");
    let mut alice = stage.alice();
    let too_many = "SELECT timedb.upload_points(now(), array_fill('k'::text, '{10000000}'), \
                    array_fill('2025-01-01'::timestamptz, '{10000000}'), array_fill(1::float8, '{10000000}'))";
    refused(alice.execute(too_many, &[])).code("54000");
    let nested = format!("SELECT timedb.upload(now(), '{}')", "[".repeat(100_000));
    assert!(alice.batch_execute(&nested).is_err());
    refused(alice.execute("SELECT timedb.create_series(repeat('x', 1000000))", &[])).code("54000");
    stage.assert_alice(&mut alice);
}

#[test]
fn t51_a_long_read_answers_a_cancel() {
    let stage = Stage::set("t51 cancel");
    let mut alice = stage.alice();
    let fill = "SELECT timedb.upload_points(now(), array_fill('long'::text, '{200000}'), \
                  (SELECT array_agg('2025-01-01'::timestamptz + i * interval '1 s') FROM generate_series(1, 200000) i), \
                  array_fill(1::float8, '{200000}'))";
    run(&mut alice, fill);
    let pid = backend_pid(&mut alice);
    let mut admin = stage.admin();
    // Many reads in one statement, so that the cancel meets one of them.
    let sql = "SELECT count(r.value) \
               FROM generate_series(1, 1000) i, LATERAL timedb.read(as_of => now() + i * interval '1 day') r";
    let reads = "SELECT state = 'active' AND query LIKE '%timedb.read%' FROM pg_stat_activity WHERE pid = $1";
    cancelled(
        &mut alice,
        || wait_until("it reads", || one_of(&mut admin, reads, &[&pid])),
        |alice| alice.execute(sql, &[]),
    );
    run(&mut alice, "SELECT timedb.logout()");
    assert_nobody(&mut alice);
}

/// With a direct UPDATE or DELETE a tenant could stop everybody.
#[test]
fn a_tenant_may_not_lock_a_table_against_the_others() {
    let stage = Stage::set("locks");
    let mut alice = stage.alice();
    for table in ["series", "values", "packs"] {
        for mode in ["ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE", "ROW EXCLUSIVE"] {
            run(&mut alice, "BEGIN");
            each_refused(
                &mut alice,
                "42501",
                [format!("LOCK TABLE timedb.{table} IN {mode} MODE")],
            );
            run(&mut alice, "ROLLBACK");
        }
    }
}
