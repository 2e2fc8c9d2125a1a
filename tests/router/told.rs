//! What a server tells is told as it has told it: to whom it matters, in its words and without a trace of what lies between.

use crate::support::{on_server, spread, user_on};
use postgres::{Config, NoTls};
use serde_json::{Value, json};
use timedb_testkit::{Notices, fail_to_login, login, one, one_of, refused, run, succeed, tenant};
use uuid::Uuid;

fn rows(of: &str) -> Value {
    json!([{"value_key": of, "valid_time": "2025-01-01T00:00:00Z", "value": 1}])
}

#[test]
fn a_notice_is_in_the_server_s_own_words() {
    let database = spread("notices");
    let user = user_on(&database, 1, "write");
    let mut config: Config = database.url("app").parse().unwrap();
    let notices = Notices::of(&mut config);
    let mut client = succeed(config.connect(NoTls));
    login(&mut client, &user, false);
    let labelled = r#"SELECT timedb.create_series('wind', labels => '{"site": "north"}')"#;
    run(&mut client, labelled);
    client
        .execute("SELECT timedb.upload(now(), $1)", &[&rows("wind")])
        .unwrap();
    let told = notices.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].1.starts_with("a new series \"wind\" without labels"),
        "{told:?}"
    );
    // And of nobody else: what a caller raises himself stays as it is.
    run(
        &mut client,
        "DO $$ BEGIN PERFORM timedb.list_series(); RAISE NOTICE 'f(1): [x] REMOTE NOTICE: mine'; END $$",
    );
    assert_eq!(notices.take()[0].1, "f(1): [x] REMOTE NOTICE: mine");
}

#[test]
fn an_error_tells_nothing_of_the_functions_between() {
    let database = spread("contexts");
    let user = user_on(&database, 2, "read");
    let mut client = database.authenticated(&user);
    let unknown = timedb_core::key::make(user.tenant_id).unwrap();
    let attempts = [
        ("28000", "SELECT timedb.authenticate('nonsense')".to_owned()),
        ("28000", format!("SELECT timedb.authenticate('{unknown}')")),
        ("28000", "SELECT * FROM timedb.read()".to_owned()),
    ];
    for (code, sql) in attempts {
        let refusal = refused(client.batch_execute(&sql)).code(code);
        assert_eq!(refusal.error().where_(), None, "{sql}");
    }
    login(&mut client, &user, false);
    for (code, sql) in [
        ("22023", "SELECT * FROM timedb.read(mode => 'odd')"),
        ("42501", "SELECT timedb.create_series('x')"),
        ("25006", "BEGIN READ ONLY; SELECT timedb.create_series('x')"),
    ] {
        let refusal = refused(client.batch_execute(sql)).code(code);
        if code != "25006" {
            assert_eq!(refusal.error().where_(), None, "{sql}");
        }
    }
    run(&mut client, "ROLLBACK");
    // Whoever catches one goes on, with contexts of his own.
    let caught = "DO $$ BEGIN BEGIN PERFORM timedb.read(mode => 'odd'); EXCEPTION WHEN OTHERS THEN NULL; END; \
                  RAISE EXCEPTION 'mine'; END $$";
    let refusal = refused(client.batch_execute(caught)).message("mine");
    assert!(
        refusal
            .error()
            .where_()
            .is_some_and(|context| context.contains("inline_code_block"))
    );
}

#[test]
fn nobody_is_no_error_in_a_request_either() {
    let database = spread("request");
    let user = user_on(&database, 0, "read");
    let mut client = database.login("app");
    run(&mut client, "SET request.method = 'GET'");
    assert_eq!(tenant(&mut client), None);
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM timedb.whoami()"), 0);
    // A server that is down is not nobody.
    login(&mut client, &user, false);
    let nowhere = "UPDATE timedb_router.shards SET conninfo = 'host=/nowhere dbname=none'";
    run(&mut database.admin(), nowhere);
    run(&mut client, "RESET request.method");
    let mut client = database.login("app");
    let login = client.query("SELECT timedb.authenticate($1)", &[&user.api_key]);
    refused(login).code("08006");
}

#[test]
fn the_audit_names_the_operator_and_not_the_router() {
    let database = spread("operator");
    let user = user_on(&database, 1, "read");
    let mut ops = database.login("ops");
    let key: Uuid = one_of(
        &mut ops,
        "SELECT key_id FROM timedb.create_key(user_id => $1)",
        &[&user.user_id],
    );
    run(&mut ops, &format!("SELECT timedb.revoke_key('{key}')"));
    let actors: Vec<String> = one_of(
        &mut ops,
        "SELECT array_agg(DISTINCT actor) FROM timedb.list_audit($1) WHERE action IN ('create_key', 'revoke_key')",
        &[&user.tenant_id],
    );
    assert_eq!(actors, ["ops"]);
    // What he does as the tenant's admin might do it is his, too.
    let tenant = user.tenant_id;
    run(
        &mut ops,
        &format!("SELECT timedb.set_retention('1 year', tenant_id => '{tenant}')"),
    );
    let sql =
        "SELECT (SELECT changed_by FROM timedb.list_retention($1)) || ', ' || string_agg(actor || ' ' || via, ', ')
               FROM timedb.list_audit($1) WHERE action = 'set_retention'";
    assert_eq!(one_of::<String>(&mut ops, sql, &[&tenant]), "ops, ops operator");
    // The name ends with the transaction, and is for the router's own login to say.
    let mut router = database.server().shards()[1]
        .connect("timedb_router_admin", database.name())
        .unwrap();
    run(&mut router, "SELECT timedb_shard.act_for('somebody')");
    router
        .execute("SELECT timedb.create_key(user_id => $1)", &[&user.user_id])
        .unwrap();
    let actor: String = one(
        &mut on_server(&database, 1),
        "SELECT actor FROM timedb.audit ORDER BY audit_id DESC LIMIT 1",
    );
    assert_eq!(actor, "timedb_router_admin");
    for role in ["timedb_router_caller", "ops", "app"] {
        let mut other = database.server().shards()[1].connect(role, database.name()).unwrap();
        refused(other.execute("SELECT timedb_shard.act_for('somebody')", &[])).code("42501");
    }
}

#[test]
fn a_key_that_is_not_the_user_s_is_refused_by_its_own_name() {
    let database = spread("another's key");
    let (alice, bob) = (user_on(&database, 2, "read"), user_on(&database, 1, "read"));
    let mut ops = database.login("ops");
    let key: Uuid = one_of(
        &mut ops,
        "SELECT key_id FROM timedb.list_keys(user_id => $1)",
        &[&bob.user_id],
    );
    let anew = ops.execute(
        "SELECT timedb.regenerate_key(user_id => $1, key_id => $2)",
        &[&alice.user_id, &key],
    );
    refused(anew)
        .code("42704")
        .message(&format!("key \"{key}\" does not exist"));
}

#[test]
fn what_only_reads_is_free_after_a_write_and_where_nothing_may_be_written() {
    let database = spread("settled");
    let user = user_on(&database, 0, "write");
    let mut client = database.authenticated(&user);
    let mut transaction = client.transaction().unwrap();
    transaction
        .execute("SELECT timedb.upload(now(), $1)", &[&rows("load")])
        .unwrap();
    for reads in [
        "settled_time()",
        "read_changes('2000-01-01')",
        "read_changes_arrow('2000-01-01')",
    ] {
        transaction.query(&format!("SELECT timedb.{reads}"), &[]).unwrap();
    }
    transaction.commit().unwrap();
    let mut transaction = client.build_transaction().read_only(true).start().unwrap();
    transaction.query("SELECT timedb.settled_time()", &[]).unwrap();
    let retain = transaction.query("SELECT timedb.upload(now(), '[]')", &[]);
    refused(retain)
        .code("25006")
        .message("cannot execute upload() in a read-only transaction");
    transaction.rollback().unwrap();
    fail_to_login(&mut client, false);
    let settled = client.query("SELECT timedb.settled_time()", &[]);
    refused(settled).code("28000");
}

#[test]
fn no_plan_within_a_call_is_shown_to_whoever_makes_it() {
    let database = spread("plans");
    let user = user_on(&database, 0, "write");
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let mut config: Config = database.url("app").parse().unwrap();
        config.options(&format!(
            "-c client_min_messages=log -c debug_print_plan=on -c plan_cache_mode={mode}"
        ));
        let notices = Notices::of(&mut config);
        let mut client = succeed(config.connect(NoTls));
        login(&mut client, &user, false);
        for call in ["read()", "whoami()", "list_series()", "create_series('planned')"] {
            run(&mut client, &format!("SELECT * FROM timedb.{call}"));
        }
        let plans = notices.take_details("plan:");
        assert!(plans.len() >= 5, "the premise: her own statements are shown");
        // None of a table, which are those of where the tenants are.
        assert!(
            plans.iter().all(|plan| !plan.contains(":rtekind 0")),
            "{mode}: {plans:#?}"
        );
    }
}
