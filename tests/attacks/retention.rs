//! Retention of one's own tenant: whoever may take values out takes nobody else's.

use postgres::Client;
use timedb_testkit::{Stage, assert_ordinary, fail_to_login, one, refused, run, told};
use uuid::Uuid;

use crate::support::{each_refused, upload};

/// What each tenant has stored, as a superuser counts it.
fn stored(stage: &Stage, tenant: Uuid) -> (i64, i64) {
    let mut admin = stage.admin();
    let mut count = |table: &str| {
        one(
            &mut admin,
            &format!("SELECT count(*) FROM timedb.{table} WHERE tenant_id = '{tenant}'"),
        )
    };
    (count("values"), count("packs"))
}

fn names_of(client: &mut Client, sql: &str) -> (String, String) {
    let error = client.batch_execute(sql).expect_err("it is refused");
    told(&error)
}

#[test]
fn t76_retention_takes_nothing_of_another_tenant_whatever_is_asked() {
    let stage = Stage::set("t76");
    let mut bob = stage.bob();
    upload(&mut bob, "bob");
    run(&mut bob, "SELECT timedb.compact(older_than => '0')");
    upload(&mut bob, "bob");
    let bobs = stored(&stage, stage.bob.tenant_id);
    assert_eq!(bobs, (1, 1), "the premise: rows and packs of his");
    let admin = stage.alice_of_scope("admin");
    let mut client = stage.database.authenticated(&admin);
    assert_ordinary(&mut client);
    // His series and tenant are told like such that are not there.
    for (his, nobodys) in [
        (
            format!(
                "set_retention('1 second', series_ids => '{{{}}}')",
                stage.bobs.series_id
            ),
            format!("set_retention('1 second', series_ids => '{{{}}}')", Uuid::nil()),
        ),
        (
            format!("set_retention('1 second', tenant_id => '{}')", stage.bob.tenant_id),
            format!("set_retention('1 second', tenant_id => '{}')", Uuid::nil()),
        ),
        (
            format!("list_retention('{}')", stage.bob.tenant_id),
            format!("list_retention('{}')", Uuid::nil()),
        ),
        (
            format!("apply_retention(false, '{}')", stage.bob.tenant_id),
            format!("apply_retention(false, '{}')", Uuid::nil()),
        ),
    ] {
        let (his_code, his_words) = names_of(&mut client, &format!("SELECT timedb.{his}"));
        let (code, words) = names_of(&mut client, &format!("SELECT timedb.{nobodys}"));
        assert_eq!((his_code.as_str(), code.as_str()), ("42704", "42704"), "{his}");
        for id in [stage.bobs.series_id, stage.bob.tenant_id] {
            assert_eq!(
                his_words.replace(&id.to_string(), &Uuid::nil().to_string()).len(),
                words.len(),
                "{his_words}"
            );
        }
    }
    run(
        &mut client,
        "SELECT timedb.set_retention('1 second'); SELECT timedb.apply_retention(false)",
    );
    assert_eq!(stored(&stage, admin.tenant_id), (0, 0), "the premise: her own go");
    assert_eq!(stored(&stage, stage.bob.tenant_id), bobs);
    stage.assert_bob(&mut bob);
}

#[test]
fn t76_retention_is_for_admins_and_operators_and_its_table_for_nobody() {
    let stage = Stage::set("t76 scopes");
    let tenant = stage.alice.tenant_id;
    let calls = [
        "SELECT timedb.set_retention('1 second')".to_owned(),
        "SELECT timedb.list_retention()".to_owned(),
        "SELECT timedb.apply_retention(false)".to_owned(),
        "SELECT timedb._set_retention_tenant('1 second', NULL, NULL, NULL, NULL)".to_owned(),
        "SELECT timedb._list_retention_tenant(NULL)".to_owned(),
        "SELECT timedb._apply_retention_tenant(false, NULL)".to_owned(),
    ];
    let operators = [
        format!("SELECT timedb._set_retention_operator('1 second', NULL, NULL, NULL, '{tenant}')"),
        format!("SELECT timedb._list_retention_operator('{tenant}')"),
        format!("SELECT timedb._apply_retention_operator(false, '{tenant}')"),
        format!("SELECT timedb._retain_share_operator('{tenant}')"),
        "TABLE timedb.retention".to_owned(),
        format!(
            "INSERT INTO timedb.retention VALUES ('{tenant}', '{}', '1 second', 'valid_time')",
            Uuid::nil()
        ),
        "DELETE FROM timedb.retention".to_owned(),
    ];
    let admin = stage.alice_of_scope("admin");
    each_refused(&mut stage.database.authenticated(&admin), "42501", &operators);
    for scope in ["read", "write"] {
        let other = stage.alice_of_scope(scope);
        let mut client = stage.database.authenticated(&other);
        each_refused(&mut client, "42501", calls.iter().chain(&operators));
    }
    let mut nobody = stage.alice();
    fail_to_login(&mut nobody, false);
    for mut client in [nobody, stage.app(), stage.caller()] {
        each_refused(&mut client, "28000", &calls);
        each_refused(&mut client, "42501", &operators);
    }
    each_refused(&mut stage.evil(), "42501", calls.iter().chain(&operators));
    assert_eq!(stored(&stage, tenant), (1, 0));
}

#[test]
fn t76_an_operator_who_applies_retention_is_told_no_value_and_no_key() {
    let stage = Stage::set("t76 operator");
    let tenant = stage.alice.tenant_id;
    let mut ops = stage.ops();
    let series = stage.alices.series_id;
    run(
        &mut ops,
        &format!("SELECT timedb.set_retention('100 years', series_ids => '{{{series}}}', tenant_id => '{tenant}')"),
    );
    let listed: String = one(
        &mut ops,
        &format!("SELECT string_agg(r::text, '') FROM timedb.list_retention('{tenant}') r"),
    );
    assert!(
        listed.contains(&series.to_string()) && !listed.contains("alice"),
        "{listed}"
    );
    let dry = format!("SELECT a::text FROM timedb.apply_retention(tenant_id => '{tenant}') a");
    assert_eq!(one::<String>(&mut ops, &dry), "(0,0,0,0,0)");
    // To act for a tenant lasts as long as the call.
    assert_eq!(one::<Option<Uuid>>(&mut ops, "SELECT timedb.current_tenant()"), None);
    for relation in [
        "values",
        "packs",
        "runs",
        "series",
        "retention",
        "current_values",
        "versions",
    ] {
        refused(ops.batch_execute(&format!("SELECT FROM timedb.{relation}"))).code("42501");
    }
    refused(ops.batch_execute("SELECT * FROM timedb.read()")).code("42501");
    assert_eq!(stored(&stage, tenant), (1, 0));
}
