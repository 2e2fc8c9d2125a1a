//! Keys: regenerated one by one, refused where they could never open anything, ended by whoever holds them.

use postgres::Client;
use timedb_testkit::{Database, Identity, KEY_REFUSED, Stage, one, one_of, refused, run, succeed};
use uuid::Uuid;

/// A further key of a user: its id and its text.
#[track_caller]
fn key_of(operator: &mut Client, user: &Identity, name: &str, scope: &str, expires: Option<&str>) -> (Uuid, String) {
    let sql = "SELECT key_id, api_key FROM timedb.create_key(user_id => $1, name => $2, scope => $3, \
                 expires_at => clock_timestamp() + $4::text::interval)";
    let row = succeed(operator.query_one(sql, &[&user.user_id, &name, &scope, &expires]));
    (row.get(0), row.get(1))
}

/// The one key that a user has, or the one of the hint that this text ends with.
#[track_caller]
fn id_of(operator: &mut Client, user: &Identity, key: &str) -> Uuid {
    let sql = "SELECT key_id FROM timedb.list_keys(user_id => $1) WHERE hint = right($2, 4)";
    one_of(operator, sql, &[&user.user_id, &key])
}

/// The scope that a key opens with, or none.
fn opens(database: &Database, key: &str) -> Option<String> {
    let mut client = database.login("app");
    let row = client.query_one("SELECT scope FROM timedb.authenticate($1)", &[&key]);
    row.ok().map(|row| row.get(0))
}

const HINT: &str =
    "timedb.list_keys() shows them: pass the key_id of one whose revoked_at is null and which has not expired.";

/// A dashboard's key, being newer, once took the place of the writer's, and ended both.
#[test]
fn a_user_of_several_keys_says_which_to_regenerate_and_the_others_stay_as_they_are() {
    let database = Database::fresh("several keys");
    let (alice, bob) = database.two_tenants();
    let mut ops = database.login("ops");
    let writer = id_of(&mut ops, &alice, &alice.api_key);
    let (dashboard, shown) = key_of(&mut ops, &alice, "dashboard", "read", None);
    let regenerate = "SELECT timedb.regenerate_key(user_id => $1)";
    refused(ops.execute(regenerate, &[&alice.user_id]))
        .code("22023")
        .message("\"key_id\" is needed: the user has several active keys")
        .hint(HINT);
    assert_eq!(opens(&database, &alice.api_key).as_deref(), Some("write"));

    // Beside its user, or alone: a key names its user.
    let named = "SELECT timedb.regenerate_key(user_id => $1, key_id => $2)";
    let writers: String = one_of(&mut ops, named, &[&alice.user_id, &writer]);
    let alone = "SELECT timedb.regenerate_key(key_id => $1)";
    let dashboards: String = one_of(&mut ops, alone, &[&dashboard]);
    assert_eq!(opens(&database, &writers).as_deref(), Some("write"));
    assert_eq!(opens(&database, &dashboards).as_deref(), Some("read"));
    for ended in [&alice.api_key, &shown] {
        assert_eq!(opens(&database, ended), None);
    }
    let name = "SELECT name FROM timedb.list_keys(user_id => $1) WHERE hint = right($2, 4)";
    let name: Option<String> = one_of(&mut ops, name, &[&alice.user_id, &dashboards]);
    assert_eq!(name.as_deref(), Some("dashboard"));

    // Ended, another user's, nobody's.
    for (user, key, message) in [
        (
            &alice,
            dashboard,
            "\"key_id\" is that of a key which has ended, or whose end is set".to_owned(),
        ),
        (&bob, dashboard, format!("key \"{dashboard}\" does not exist")),
        (&bob, alice.user_id, format!("key \"{}\" does not exist", alice.user_id)),
    ] {
        refused(ops.execute(named, &[&user.user_id, &key])).message(&message);
    }
    refused(ops.execute(alone, &[&alice.user_id])).code("42704");
    let replaced = "SELECT a.detail->>'replaces' FROM timedb.list_audit() a WHERE a.action = 'regenerate_key' LIMIT 1";
    assert_eq!(one_of::<String>(&mut ops, replaced, &[]), dashboard.to_string());
}

#[test]
fn a_key_in_its_grace_neither_counts_nor_can_be_named() {
    let database = Database::fresh("keys in their grace");
    let (alice, _) = database.two_tenants();
    let mut ops = database.login("ops");
    let first = id_of(&mut ops, &alice, &alice.api_key);
    let graceful = "SELECT timedb.regenerate_key(user_id => $1, grace => '1 day')";
    let second: String = one_of(&mut ops, graceful, &[&alice.user_id]);
    // The first still opens, and is no reason to ask which.
    let third: String = one_of(&mut ops, graceful, &[&alice.user_id]);
    for key in [&alice.api_key, &second, &third] {
        assert_eq!(opens(&database, key).as_deref(), Some("write"));
    }
    refused(ops.execute("SELECT timedb.regenerate_key(key_id => $1)", &[&first]))
        .code("22023")
        .message("\"key_id\" is that of a key which has ended, or whose end is set")
        .hint(HINT);
    // Its end stays the one that was set.
    let ends = "SELECT count(*) FROM timedb.list_keys(user_id => $1) \
                WHERE revoked_at BETWEEN clock_timestamp() + '23 hours' AND clock_timestamp() + '25 hours'";
    assert_eq!(one_of::<i64>(&mut ops, ends, &[&alice.user_id]), 2);
}

#[test]
fn a_limited_lifetime_starts_anew_with_the_same_length_unless_an_end_is_given() {
    let database = Database::fresh("lifetimes");
    let (alice, _) = database.two_tenants();
    let mut ops = database.login("ops");
    let (key, _) = key_of(&mut ops, &alice, "monthly", "read", Some("30 days"));
    // Most of it is over.
    let age = "UPDATE timedb.api_keys SET created_at = created_at - interval '29 days', \
                 expires_at = expires_at - interval '29 days' WHERE key_id = $1";
    assert_eq!(succeed(database.admin().execute(age, &[&key])), 1);
    let regenerate = "SELECT timedb.regenerate_key(key_id => $1, expires_at => clock_timestamp() + $2::text::interval)";
    let days = |ops: &mut Client, key: &str| -> Option<f64> {
        let sql = "SELECT extract(epoch FROM expires_at - created_at)::float8 / 86400 \
                   FROM timedb.list_keys(user_id => $1) WHERE hint = right($2, 4)";
        one_of(ops, sql, &[&alice.user_id, &key])
    };
    let anew: String = one_of(&mut ops, regenerate, &[&key, &None::<&str>]);
    assert!((days(&mut ops, &anew).expect("an end") - 30.0).abs() < 0.001);
    let key = id_of(&mut ops, &alice, &anew);
    let told: String = one_of(&mut ops, regenerate, &[&key, &Some("7 days")]);
    assert!((days(&mut ops, &told).expect("an end") - 7.0).abs() < 0.001);
    // One without an end has none anew, unless it is given.
    let key = id_of(&mut ops, &alice, &alice.api_key);
    let unlimited: String = one_of(&mut ops, regenerate, &[&key, &None::<&str>]);
    assert_eq!(days(&mut ops, &unlimited), None);
    // As late as a time can be.
    let (far, _) = key_of(&mut ops, &alice, "for ever", "read", Some("7900 years"));
    run(
        &mut database.admin(),
        &format!("UPDATE timedb.api_keys SET created_at = '1000-01-01' WHERE key_id = '{far}'"),
    );
    let far: String = one_of(&mut ops, regenerate, &[&far, &None::<&str>]);
    assert!(days(&mut ops, &far).expect("an end") > 365.0 * 7900.0);
}

/// Whatever makes a key says so where it would never open anything.
#[test]
fn no_key_is_made_that_would_be_refused_from_birth() {
    let database = Database::fresh("refused from birth");
    let (alice, bob) = database.two_tenants();
    let mut ops = database.login("ops");
    let admin = database.create_user(alice.tenant_id, "admin@tenant-a.com", "admin");
    let mut by_key = database.authenticated(&admin);
    for client in [&mut ops, &mut by_key] {
        for end in ["2020-01-01", "-infinity", "now"] {
            for (call, hint) in [
                ("create_key", "Leave it out for a key without an end."),
                (
                    "regenerate_key",
                    "Leave it out for as long as the old key had; create_key makes one without an end.",
                ),
            ] {
                let sql = format!("SELECT timedb.{call}('alice@tenant-a.com', expires_at => '{end}')");
                let refusal = refused(client.batch_execute(&sql));
                match end {
                    "-infinity" => refusal.code("22008"),
                    _ => refusal.code("22023").message("\"expires_at\" is in the past"),
                }
                .hint(hint);
            }
        }
    }
    assert_eq!(
        opens(&database, &alice.api_key).as_deref(),
        Some("write"),
        "and it has ended none"
    );
    // Not the transaction's start: the clock.
    run(&mut ops, "BEGIN");
    refused(ops.batch_execute("SELECT timedb.create_key('alice@tenant-a.com', expires_at => now())")).code("22023");
    run(&mut ops, "ROLLBACK");

    run(&mut by_key, "SELECT timedb.deactivate_user('alice@tenant-a.com')");
    let key = id_of(&mut ops, &alice, &alice.api_key);
    for client in [&mut ops, &mut by_key] {
        for call in [
            "create_key('alice@tenant-a.com')".to_owned(),
            "regenerate_key('alice@tenant-a.com')".to_owned(),
            format!("regenerate_key(key_id => '{key}')"),
        ] {
            refused(client.batch_execute(&format!("SELECT timedb.{call}")))
                .code("55000")
                .message("user \"alice@tenant-a.com\" is deactivated")
                .hint("Activate the user with timedb.activate_user() first.");
        }
    }
    run(&mut by_key, "SELECT timedb.activate_user('alice@tenant-a.com')");
    run(&mut by_key, "SELECT timedb.regenerate_key('alice@tenant-a.com')");
    // Nothing is told of another tenant's users, active or not.
    run(&mut ops, "SELECT timedb.deactivate_user('bob@tenant-b.com')");
    refused(by_key.execute("SELECT timedb.create_key(user_id => $1)", &[&bob.user_id]))
        .code("42704")
        .no_hint();
}

#[test]
fn any_key_may_end_itself_and_a_key_without_scope_admin_no_other() {
    let database = Database::fresh("keys that end themselves");
    let (alice, bob) = database.two_tenants();
    let mut ops = database.login("ops");
    for scope in ["read", "write", "admin"] {
        let user = database.create_user(alice.tenant_id, &format!("{scope}@tenant-a.com"), scope);
        let (other, other_text) = key_of(&mut ops, &user, "other", scope, None);
        let mut client = database.authenticated(&user);
        let who = succeed(client.query_one("SELECT * FROM timedb.whoami()", &[]));
        let columns: Vec<&str> = who.columns().iter().map(|column| column.name()).collect();
        let expected = ["tenant_id", "user_id", "email", "scope", "expires_at", "via", "key_id"];
        assert_eq!(columns, expected);
        let own: Uuid = who.get("key_id");
        assert_eq!(own, id_of(&mut ops, &user, &user.api_key));
        let revoke = "SELECT timedb.revoke_key($1)";
        let bobs = id_of(&mut ops, &bob, &bob.api_key);
        for foreign in [bobs, Uuid::now_v7()] {
            let code = if scope == "admin" { "42704" } else { "42501" };
            refused(client.execute(revoke, &[&foreign])).code(code);
        }
        if scope != "admin" {
            // Not even another of one's own, nor anything else that an end of one's own might open.
            refused(client.execute(revoke, &[&other])).code("42501");
            refused(client.execute("SELECT timedb.list_keys()", &[])).code("42501");
            refused(client.execute("SELECT timedb.list_audit()", &[])).code("42501");
        }
        assert_eq!(succeed(client.execute(revoke, &[&own])), 1);
        refused(client.execute("SELECT timedb.read()", &[]))
            .code("28000")
            .message(KEY_REFUSED);
        assert_eq!(opens(&database, &user.api_key), None);
        assert_eq!(opens(&database, &other_text).as_deref(), Some(scope));
        let audited =
            "SELECT a.actor || ' ' || a.via || ' ' || a.action FROM timedb.list_audit() a WHERE a.key_id = $1 LIMIT 1";
        let audited: String = one_of(&mut ops, audited, &[&own]);
        assert_eq!(audited, format!("{scope}@tenant-a.com key revoke_key"));
        // A key given as a setting is one, too.
        let mut client = database.login("caller");
        run(&mut client, &format!("SET timedb.api_key = '{other_text}'"));
        run(
            &mut client,
            "SELECT timedb.revoke_key((SELECT key_id FROM timedb.whoami()))",
        );
        assert_eq!(opens(&database, &other_text), None);
    }
}

#[test]
fn a_bound_role_has_no_key_and_is_sent_to_an_operator() {
    let stage = Stage::set("bound roles and scopes");
    let role = stage.bound_to_bob("read");
    let mut bi = stage.database.login(&role);
    let key: Option<Uuid> = one_of(&mut bi, "SELECT key_id FROM timedb.whoami()", &[]);
    assert_eq!(key, None);
    let hint = "Have an operator bind this role anew, by timedb.bind_role(), or log in with such a key.";
    for (call, needed) in [
        ("upload(now(), '[]')", "write"),
        ("update('[]')", "write"),
        ("create_series('x')", "write"),
        ("compact()", "write"),
        ("list_keys()", "admin"),
        ("revoke_key(gen_random_uuid())", "admin"),
    ] {
        refused(bi.batch_execute(&format!("SELECT timedb.{call}")))
            .code("42501")
            .message(&format!("this needs an API key of scope \"{needed}\""))
            .hint(hint);
    }
}

/// Of more tenants than a transaction can hold locks of.
#[test]
fn an_operator_makes_users_of_many_tenants_in_one_transaction() {
    let database = Database::fresh("many tenants at once");
    let mut ops = database.login("ops");
    let sql = "SELECT count(u.api_key) FROM generate_series(1, 10000) AS n, \
               LATERAL timedb.create_user(gen_random_uuid(), 'u' || n || '@tenant.com') AS u";
    assert_eq!(one::<i64>(&mut ops, sql), 10_000);
}
