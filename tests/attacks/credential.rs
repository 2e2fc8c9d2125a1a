//! The setting `timedb.api_key`, for front ends that can set settings and call nothing before a query: a credential that
//! anybody may set, nobody may see or store, and that is worth no more than the key in it.

use postgres::{Config, NoTls};
use timedb_testkit::{
    KEY_REFUSED, Options, SHOWN_SETTINGS, Stage, assert_key_refused, assert_nobody, fail_to_login, login, one, one_of,
    refused, run, seen, tenant,
};

use crate::support::{each_refused, new_key, secret};

fn set(key: &str) -> String {
    format!("SET timedb.api_key = '{key}'")
}

#[test]
fn a_key_in_the_setting_acts_for_its_tenant_until_it_is_taken_out() {
    let stage = Stage::set("setting");
    for taken_out in [
        "RESET timedb.api_key",
        "RESET ALL",
        "DISCARD ALL",
        "SET timedb.api_key = ''",
        "SET timedb.api_key TO DEFAULT",
    ] {
        let mut app = stage.app();
        run(&mut app, &set(&stage.alice.api_key));
        stage.assert_alice(&mut app);
        run(&mut app, &set(&stage.bob.api_key));
        stage.assert_bob(&mut app);
        run(&mut app, taken_out);
        assert_nobody(&mut app);
    }
}

#[test]
fn the_setting_is_never_shown_in_any_view_before_or_after_it_is_looked_up() {
    let stage = Stage::set("not shown");
    let mut app = stage.app();
    assert_nobody(&mut app);
    run(&mut app, &set(&stage.alice.api_key));
    stage.assert_alice(&mut app);
    let secret = secret(&stage.alice.api_key);
    for show in [
        "SHOW timedb.api_key",
        "SELECT current_setting('timedb.api_key')",
        "SELECT current_setting('timedb.api_key', true)",
    ] {
        assert_eq!(one::<String>(&mut app, show), "********", "{show}");
    }
    let all = app.query("SHOW ALL", &[]).expect("the settings");
    let shown = all.iter().map(|row| row.get::<_, &str>(0));
    let shown: Vec<&str> = shown.filter(|name| name.starts_with("timedb.")).collect();
    assert_eq!(shown, SHOWN_SETTINGS, "none of them tells of anybody");
    for listing in [
        "pg_settings",
        "pg_show_all_settings()",
        "pg_prepared_statements",
        "pg_stat_activity",
    ] {
        let text = app.query(
            &format!("SELECT coalesce(string_agg(r::text, ' '), '') FROM {listing} r"),
            &[],
        );
        let text: String = text.expect("a row")[0].get(0);
        assert!(!text.contains(secret), "{listing}");
    }
    let plan = app
        .query("EXPLAIN (SETTINGS, VERBOSE) SELECT * FROM timedb.series", &[])
        .expect("a plan");
    assert!(!plan.iter().any(|row| row.get::<_, &str>(0).contains(secret)));
}

#[test]
fn t34_a_key_is_refused_wherever_it_would_be_stored() {
    let stage = Stage::set("t34");
    let (database, key) = (stage.database.name(), &stage.alice.api_key);
    let secret = secret(key);
    let owner = stage.role("dbowner", "IN ROLE timedb_user");
    let mut admin = stage.admin();
    run(&mut admin, &format!("ALTER DATABASE \"{database}\" OWNER TO {owner}"));
    let setting = set(key);
    let attempts = [
        format!("ALTER ROLE {owner} {setting}"),
        format!("ALTER ROLE {owner} IN DATABASE \"{database}\" {setting}"),
        format!("ALTER DATABASE \"{database}\" {setting}"),
        format!("CREATE FUNCTION pg_temp.f() RETURNS int {setting} LANGUAGE sql AS 'SELECT 1'"),
    ];
    let mut client = stage.database.login(&owner);
    each_refused(&mut client, "42501", &attempts);
    assert_nobody(&mut client);
    assert_eq!(tenant(&mut admin), None);
    for client in [&mut client, &mut admin] {
        for attempt in &attempts {
            let refusal = refused(client.batch_execute(attempt)).code("42501");
            assert!(
                !format!("{:?}", refusal.error()).contains(secret),
                "the refusal quotes the key"
            );
        }
    }
    run(&mut client, &setting);
    run(
        &mut client,
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    );
    each_refused(
        &mut client,
        "42501",
        ["ALTER FUNCTION pg_temp.f() SET timedb.api_key FROM CURRENT"],
    );
    each_refused(&mut admin, "55P02", [format!("ALTER SYSTEM {setting}")]);
    let stored = "SELECT count(*) FROM pg_db_role_setting WHERE position($1 IN setconfig::text) > 0";
    assert_eq!(one_of::<i64>(&mut admin, stored, &[&secret]), 0);
}

/// Accepted that it can be stored by a superuser who has not loaded the library; it opens nothing.
#[test]
fn t34_a_key_a_superuser_stored_before_the_library_was_loaded_logs_nobody_in() {
    let stage = Stage::set("t34 placeholder");
    let role = stage.role("stored", "IN ROLE timedb_user");
    run(
        &mut stage.admin(),
        &format!("ALTER ROLE {role} {}", set(&stage.bob.api_key)),
    );
    let (mut client, notices) = stage.connect(&role, "");
    assert_nobody(&mut client);
    notices.assert_heard("42501");
    let heard = one::<String>(&mut client, "SHOW timedb.api_key");
    assert_eq!(heard, "");
}

#[test]
fn t34_a_key_in_postgresql_conf_logs_nobody_in() {
    let key = new_key(uuid::Uuid::now_v7());
    let line = format!("timedb.api_key = '{key}'");
    let cluster = Options::default().setting(line).start().expect("a server");
    let stage = Stage::on(cluster.database("conf").expect("a database"));
    assert_nobody(&mut stage.app());
    stage.assert_alice(&mut stage.alice());
}

#[test]
fn a_login_stands_over_the_setting_and_the_setting_over_a_binding() {
    let stage = Stage::set("precedence");
    let role = stage.bound_to_bob("read");
    let mut client = stage.database.login(&role);
    stage.assert_bob(&mut client);
    run(&mut client, &set(&stage.alice.api_key));
    stage.assert_alice(&mut client);
    login(&mut client, &stage.bob, false);
    assert_eq!(one::<String>(&mut client, "SELECT via FROM timedb.whoami()"), "key");
    stage.assert_bob(&mut client);
    run(&mut client, "SELECT timedb.logout()");
    stage.assert_alice(&mut client);
    run(&mut client, "RESET timedb.api_key");
    assert_eq!(one::<String>(&mut client, "SELECT via FROM timedb.whoami()"), "role");
    // A wrong key in the setting is refused, and does not fall back to the binding.
    for wrong in ["x", " ", &stage.alice.api_key[..51], &new_key(stage.bob.tenant_id)] {
        run(&mut client, &set(wrong));
        assert_key_refused(&mut client);
    }
}

#[test]
fn a_failed_login_voids_the_setting_too() {
    let stage = Stage::set("voided");
    for way_back in ["SELECT timedb.logout()", "login"] {
        let mut app = stage.app();
        run(&mut app, &set(&stage.alice.api_key));
        stage.assert_alice(&mut app);
        fail_to_login(&mut app, false);
        assert_nobody(&mut app);
        run(&mut app, &set(&stage.bob.api_key));
        assert_nobody(&mut app);
        if way_back == "login" {
            login(&mut app, &stage.bob, false);
        } else {
            run(&mut app, way_back);
        }
        stage.assert_bob(&mut app);
    }
}

#[test]
fn the_setting_follows_transactions_and_savepoints() {
    let stage = Stage::set("setting local");
    let (a, b) = (&stage.alice.api_key, &stage.bob.api_key);
    for end in ["COMMIT", "ROLLBACK"] {
        let mut app = stage.app();
        run(&mut app, "BEGIN");
        app.execute("SELECT set_config('timedb.api_key', $1, true)", &[a])
            .expect("it is set");
        stage.assert_alice(&mut app);
        run(&mut app, "SAVEPOINT s");
        run(&mut app, &format!("SET LOCAL timedb.api_key = '{b}'"));
        assert_eq!(seen(&mut app), [stage.bobs.series_id]);
        run(&mut app, "ROLLBACK TO s");
        assert_eq!(seen(&mut app), [stage.alices.series_id]);
        run(&mut app, end);
        assert_nobody(&mut app);
    }
}

#[test]
fn a_key_in_the_startup_packet_acts_and_comes_back_with_every_reset() {
    let stage = Stage::set("startup");
    let (mut app, _) = stage.connect("app", &format!("-c timedb.api_key={}", stage.alice.api_key));
    stage.assert_alice(&mut app);
    assert_eq!(one::<String>(&mut app, "SHOW timedb.api_key"), "********");
    login(&mut app, &stage.bob, false);
    run(&mut app, "DISCARD ALL");
    stage.assert_alice(&mut app);
    let (mut app, _) = stage.connect("app", "-c timedb.api_key=tdb_wrong");
    assert_key_refused(&mut app);
}

#[test]
fn a_preloaded_library_takes_a_key_from_the_startup_packet_and_quotes_none() {
    let preload = "shared_preload_libraries = 'timedb'";
    let cluster = Options::default().setting(preload).start().expect("a server");
    let stage = Stage::on(cluster.database("preloaded").expect("a database"));
    let mut config: Config = stage.database.url("app").parse().expect("a URL");
    config.options(&format!("-c timedb.api_key={}", stage.alice.api_key));
    stage.assert_alice(&mut config.connect(NoTls).expect("it connects"));
    let stored = format!("ALTER ROLE app {}", set(&stage.alice.api_key));
    each_refused(&mut stage.app(), "42501", [stored]);
}

/// A wrong key is refused where a function is called, and by no text that has it.
#[test]
fn a_wrong_key_in_the_setting_is_told_in_the_one_sentence() {
    let stage = Stage::set("wrong setting");
    let wrong = new_key(stage.bob.tenant_id);
    let (mut app, notices) = stage.connect("app", "");
    run(&mut app, &set(&wrong));
    let refusal = refused(app.execute("SELECT * FROM timedb.read()", &[]));
    let refusal = refusal.code("28000").message(KEY_REFUSED).no_detail();
    assert!(!format!("{:?}", refusal.error()).contains(secret(&wrong)));
    assert!(
        notices
            .take()
            .iter()
            .all(|(_, notice)| !notice.contains(secret(&wrong)))
    );
}
