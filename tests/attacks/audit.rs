//! The audit: every change of who may do what is one row, readable by its tenant's admin key alone, and gone only with the
//! change itself.

use postgres::Client;
use uuid::Uuid;

use timedb_testkit::{Stage, bind, fail_to_login, login, one, one_of, run, tenant};

use crate::support::{each_refused, secret};

/// actor, via and action of the newest entry of a tenant.
fn newest(stage: &Stage, tenant: Uuid) -> (String, String, String) {
    let sql = "SELECT actor, via, action FROM timedb.list_audit($1) LIMIT 1";
    let row = stage.ops().query_one(sql, &[&tenant]).expect("an entry");
    (row.get(0), row.get(1), row.get(2))
}

fn count(stage: &Stage) -> i64 {
    one(&mut stage.admin(), "SELECT count(*) FROM timedb.audit")
}

/// Each call adds one row, told of as the actor.
#[track_caller]
fn assert_each_audited(stage: &Stage, client: &mut Client, actor: &str, via: &str, calls: &[(&str, String)]) {
    for (action, call) in calls {
        let before = count(stage);
        run(client, &format!("SELECT * FROM timedb.{call}"));
        assert_eq!(count(stage), before + 1, "{call}");
        let expected = (actor.to_owned(), via.to_owned(), (*action).to_owned());
        assert_eq!(newest(stage, stage.alice.tenant_id), expected, "{call}");
    }
}

fn management(stage: &Stage) -> Vec<(&'static str, String)> {
    let (tenant, user) = (stage.alice.tenant_id, stage.alice.user_id);
    let key: Uuid = one_of(
        &mut stage.admin(),
        "SELECT key_id FROM timedb.list_keys(user_id => $1) WHERE revoked_at IS NULL ORDER BY created_at LIMIT 1",
        &[&user],
    );
    vec![
        (
            "create_user",
            format!("create_user('{tenant}', '{}@tenant-a.com')", Uuid::now_v7()),
        ),
        (
            "create_key",
            format!("create_key(user_id => '{user}', scope => 'read')"),
        ),
        ("regenerate_key", format!("regenerate_key(key_id => '{key}')")),
        ("revoke_key", format!("revoke_key('{key}')")),
        ("deactivate_user", format!("deactivate_user(user_id => '{user}')")),
        ("activate_user", format!("activate_user(user_id => '{user}')")),
    ]
}

#[test]
fn each_action_adds_one_row_with_its_actor_and_as_what_he_acted() {
    let stage = Stage::set("audited");
    let admin = stage.alice_of_scope("admin");
    let bound = stage.role("manager", "IN ROLE timedb_user");
    bind(&mut stage.ops(), &bound, stage.alice.tenant_id, "admin");
    let calls = management(&stage);
    assert_each_audited(&stage, &mut stage.ops(), "ops", "operator", &calls);
    let mut by_key = stage.database.authenticated(&admin);
    assert_each_audited(&stage, &mut by_key, &admin.email, "key", &management(&stage));
    let mut by_role = stage.database.login(&bound);
    assert_each_audited(&stage, &mut by_role, &bound, "role", &management(&stage));
    // A superuser is an operator; one who has logged in with a key is that key.
    assert_each_audited(
        &stage,
        &mut stage.admin(),
        "postgres",
        "operator",
        &management(&stage)[..1],
    );
    let mut superuser = stage.admin();
    login(&mut superuser, &admin, false);
    assert_each_audited(&stage, &mut superuser, &admin.email, "key", &management(&stage)[..1]);
}

#[test]
fn binding_and_unbinding_a_role_are_audited_with_its_name() {
    let stage = Stage::set("audited bindings");
    let role = stage.bound_to_bob("write");
    run(&mut stage.ops(), &format!("SELECT timedb.unbind_role('{role}')"));
    let sql = "SELECT array_agg(concat_ws(' ', actor, via, action, role_name, detail->>'scope') ORDER BY occurred_at) \
               FROM timedb.list_audit($1) WHERE role_name IS NOT NULL";
    let entries: Vec<String> = one_of(&mut stage.ops(), sql, &[&stage.bob.tenant_id]);
    assert_eq!(
        entries,
        [
            format!("ops operator bind_role {role} write"),
            format!("ops operator unbind_role {role}")
        ]
    );
}

/// The key's user has no say in a binding, and its email is nothing for another tenant's audit.
#[test]
fn an_operator_who_binds_a_role_is_named_himself_whatever_key_he_has_logged_in_with() {
    let stage = Stage::set("audited with a key");
    let mut operator = stage.ops();
    login(&mut operator, &stage.alice_of_scope("admin"), false);
    let role = stage.role("manager", "IN ROLE timedb_user");
    bind(&mut operator, &role, stage.bob.tenant_id, "read");
    let expected = ["ops", "operator", "bind_role"].map(str::to_owned);
    assert_eq!(newest(&stage, stage.bob.tenant_id), expected.into());
}

#[test]
fn the_audit_is_read_by_the_tenants_admin_key_and_no_other() {
    let stage = Stage::set("audit readers");
    let admin = stage.alice_of_scope("admin");
    let mut client = stage.database.authenticated(&admin);
    let tenants = "SELECT array_agg(DISTINCT tenant_id) FROM timedb.list_audit()";
    assert_eq!(one::<Vec<Uuid>>(&mut client, tenants), [stage.alice.tenant_id]);
    each_refused(
        &mut client,
        "42704",
        [
            format!("SELECT timedb.list_audit('{}')", stage.bob.tenant_id),
            format!("SELECT timedb.list_audit('{}')", Uuid::now_v7()),
        ],
    );
    let reader = stage.alice_of_scope("read");
    for mut client in [stage.alice(), stage.database.authenticated(&reader)] {
        each_refused(
            &mut client,
            "42501",
            [
                "SELECT timedb.list_audit()",
                "SELECT timedb._list_audit_tenant(NULL, NULL)",
                "TABLE timedb.audit",
            ],
        );
    }
    each_refused(&mut stage.app(), "28000", ["SELECT timedb.list_audit()"]);
    let since = "SELECT count(*) FROM timedb.list_audit(since => clock_timestamp())";
    assert_eq!(one::<i64>(&mut client, since), 0);
}

#[test]
fn the_audit_is_append_only_for_everybody_but_a_superuser() {
    let stage = Stage::set("append only");
    let tampering = [
        "UPDATE timedb.audit SET actor = 'x'",
        "DELETE FROM timedb.audit",
        "TRUNCATE timedb.audit",
    ];
    let admin = stage.alice_of_scope("admin");
    each_refused(&mut stage.database.authenticated(&admin), "42501", tampering);
    each_refused(&mut stage.ops(), "42501", tampering);
    for role in ["timedb_api", "timedb_operator", "timedb_auth", "timedb_admin"] {
        let mut client = stage.admin();
        run(&mut client, &format!("SET ROLE {role}"));
        each_refused(&mut client, "42501", tampering);
    }
    // Not even through the API's own role is another tenant told of, or anything told by a key that is no admin's.
    let entry = |tenant| {
        format!(
            "INSERT INTO timedb.audit (tenant_id, audit_id, actor, via, action) VALUES ('{tenant}', gen_random_uuid(), 'x', 'key', 'x')"
        )
    };
    let mut api = stage.admin();
    login(&mut api, &admin, false);
    run(&mut api, "SET ROLE timedb_api");
    each_refused(&mut api, "42501", [entry(stage.bob.tenant_id)]);
    run(&mut api, "RESET ROLE");
    login(&mut api, &stage.alice, false);
    run(&mut api, "SET ROLE timedb_api");
    each_refused(&mut api, "42501", [entry(stage.alice.tenant_id)]);
}

#[test]
fn the_audit_tells_what_happened_and_nothing_that_was_rolled_back() {
    let stage = Stage::set("rolled back");
    let before = count(&stage);
    let mut ops = stage.ops();
    run(&mut ops, "BEGIN");
    for (_, call) in management(&stage) {
        run(&mut ops, &format!("SELECT * FROM timedb.{call}"));
    }
    run(&mut ops, "ROLLBACK");
    assert_eq!(count(&stage), before);
    each_refused(
        &mut ops,
        "23505",
        [format!(
            "SELECT timedb.create_user('{}', 'alice@tenant-a.com')",
            stage.alice.tenant_id
        )],
    );
    fail_to_login(&mut stage.app(), false);
    login(&mut stage.app(), &stage.alice, false);
    assert_eq!(
        count(&stage),
        before,
        "a login is no change, and a failed one a line of the log"
    );
}

#[test]
fn t54_an_operator_looks_only_with_a_key_that_leaves_a_trace() {
    let stage = Stage::set("t54");
    let mut superuser = stage.admin();
    assert_eq!(tenant(&mut superuser), None);
    let forge = format!("SET timedb.tenant = '{}'", stage.bob.tenant_id);
    each_refused(
        &mut superuser,
        "42501",
        [
            forge.clone(),
            format!("SELECT set_config('timedb.tenant', '{}', true)", stage.bob.tenant_id),
        ],
    );
    let mut ops = stage.ops();
    assert_eq!(tenant(&mut ops), None);
    each_refused(
        &mut ops,
        "42501",
        [
            forge,
            "TABLE timedb.values".into(),
            "SELECT * FROM timedb.read()".into(),
        ],
    );
    let sql = "SELECT key_id, api_key FROM timedb.create_key(user_id => $1, scope => 'read', name => 'support', expires_at => now() + interval '1 hour')";
    let key = ops.query_one(sql, &[&stage.bob.user_id]).expect("a short-lived key");
    assert_eq!(
        newest(&stage, stage.bob.tenant_id),
        ("ops".into(), "operator".into(), "create_key".into())
    );
    let audited: Uuid = one_of(
        &mut ops,
        "SELECT key_id FROM timedb.list_audit($1) LIMIT 1",
        &[&stage.bob.tenant_id],
    );
    assert_eq!(audited, key.get::<_, Uuid>(0));
    let text: String = one_of(
        &mut ops,
        "SELECT string_agg(a::text, ' ') FROM timedb.list_audit($1) a",
        &[&stage.bob.tenant_id],
    );
    assert!(
        !text.contains(secret(&key.get::<_, String>(1))),
        "the trace is not the key"
    );
    // Bob's own admin sees that somebody looked.
    let admin = stage
        .database
        .create_user(stage.bob.tenant_id, "admin@tenant-b.com", "admin");
    let mut admin = stage.database.authenticated(&admin);
    let seen = "SELECT count(*) FROM timedb.list_audit() WHERE actor = 'ops' AND action = 'create_key' AND email = 'bob@tenant-b.com'";
    assert_eq!(one::<i64>(&mut admin, seen), 1);
}
