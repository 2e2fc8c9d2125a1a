//! Forging the tenant: every way of giving a setting a value, before and after the library is loaded, by whomever.

use timedb_testkit::{Options, SHOWN_SETTINGS, Stage, assert_nobody, login, one, refused, run, server_log, tenant};
use uuid::Uuid;

use crate::support::each_refused;

/// Before the library is loaded a setting is a mere placeholder, which takes anything.
#[test]
fn t01_a_tenant_set_before_the_library_is_loaded_is_nobody() {
    let stage = Stage::set("t01 set");
    let (mut app, notices) = stage.connect("app", "");
    let bob = stage.bob.tenant_id.to_string();
    run(&mut app, &format!("SET timedb.tenant = '{bob}'"));
    assert_eq!(
        one::<String>(&mut app, "SHOW timedb.tenant"),
        bob,
        "the premise: a placeholder"
    );
    assert_eq!(one::<i64>(&mut app, "SELECT count(*) FROM timedb.values"), 0);
    notices.assert_heard("42501");
    assert_eq!(one::<String>(&mut app, "SHOW timedb.tenant"), "");
    assert_nobody(&mut app);
}

#[test]
fn t01_placeholders_stacked_over_savepoints_are_nobody_at_every_step() {
    let stage = Stage::set("t01 stacked");
    let bob = stage.bob.tenant_id;
    for end in ["ROLLBACK TO s", "RELEASE s", "COMMIT", "ROLLBACK"] {
        let mut app = stage.app();
        run(&mut app, &format!("BEGIN; SET timedb.tenant = '{bob}'"));
        run(&mut app, &format!("SAVEPOINT s; SET LOCAL timedb.tenant = '{bob}'"));
        assert_eq!(tenant(&mut app), None, "before {end}");
        run(&mut app, end);
        assert_eq!(tenant(&mut app), None, "after {end}");
        run(&mut app, "COMMIT");
        assert_nobody(&mut app);
    }
}

#[test]
fn t02_a_tenant_in_the_startup_packet_is_nobody_and_no_reset_brings_it_back() {
    let stage = Stage::set("t02");
    let login_value = format!("{} admin 1", Uuid::now_v7());
    let options = format!(
        "-c timedb.tenant={} -c timedb.login={}",
        stage.bob.tenant_id,
        login_value.replace(' ', "\\ ")
    );
    let (mut app, _) = stage.connect("app", &options);
    assert_nobody(&mut app);
    for reset in ["RESET ALL", "DISCARD ALL"] {
        run(&mut app, reset);
        assert_nobody(&mut app);
        login(&mut app, &stage.alice, false);
        stage.assert_alice(&mut app);
        run(&mut app, reset);
        assert_nobody(&mut app);
    }
}

#[test]
fn t03_a_tenant_set_after_the_library_is_loaded_is_refused_in_every_spelling() {
    let stage = Stage::set("t03");
    let mut alice = stage.alice();
    let bob = stage.bob.tenant_id;
    let login = format!("{} admin 99", Uuid::now_v7());
    each_refused(
        &mut alice,
        "42501",
        [
            format!("SET timedb.tenant = '{bob}'"),
            format!("SET LOCAL timedb.tenant = '{bob}'"),
            format!("SET SESSION \"TimeDB.Tenant\" = '{bob}'"),
            format!("SELECT set_config('timedb.tenant', '{bob}', true)"),
            format!("SELECT set_config('timedb.tenant', '{bob}', false)"),
            format!("SELECT set_config('timedb.login', '{login}', false)"),
            "SET timedb.tenant = ''".into(),
            "SET timedb.tenant TO DEFAULT".into(),
            "RESET timedb.tenant".into(),
            "RESET timedb.login".into(),
        ],
    );
    stage.assert_alice(&mut alice);
}

/// A placeholder that comes with the connection takes the place of what a superuser has stored: nothing is left to go back to.
#[test]
fn t02_a_startup_packet_does_not_undo_what_a_superuser_has_stored() {
    let stage = Stage::set("t02 stored");
    let role = stage.role("held", "IN ROLE timedb_user");
    run(
        &mut stage.admin(),
        &format!("ALTER ROLE {role} SET timedb.log_logins = on"),
    );
    for name in SHOWN_SETTINGS.iter().filter(|name| **name != "timedb.enable_scan") {
        for value in ["0", "1", "", "no such value"] {
            let (mut app, _) = stage.connect(&role, &format!("-c {name}={}", value.replace(' ', "\\ ")));
            assert!(
                app.batch_execute("SELECT timedb.current_tenant()").is_err(),
                "{name}={value}"
            );
            assert!(app.batch_execute("SELECT 1").is_err(), "the session has ended");
            let log = server_log();
            let last = stage
                .database
                .lines_of(&role, &log)
                .into_iter()
                .rfind(|line| line.contains("FATAL:  "));
            let told = format!("FATAL:  permission denied to set parameter \"{name}\"");
            assert!(
                last.is_some_and(|line| line.ends_with(&told)),
                "{name}={value}: {last:?}"
            );
        }
    }
    let mut app = stage.database.login(&role);
    assert_eq!(tenant(&mut app), None);
    assert_eq!(one::<String>(&mut app, "SHOW timedb.log_logins"), "on");
}

#[test]
fn t01_what_is_set_before_the_library_is_loaded_does_not_undo_what_a_superuser_has_stored() {
    let stage = Stage::set("t01 stored");
    let role = stage.role("held", "IN ROLE timedb_user");
    run(
        &mut stage.admin(),
        &format!("ALTER ROLE {role} SET timedb.log_logins = on"),
    );
    for (set, end) in [
        ("SET timedb.log_logins = off", ""),
        ("SET timedb.log_logins = off; RESET ALL", ""),
        ("BEGIN; SET LOCAL timedb.log_logins = off", "COMMIT"),
        (
            "BEGIN; SET timedb.log_logins = off; SAVEPOINT s; SET timedb.log_logins = off",
            "ROLLBACK TO s",
        ),
    ] {
        let mut app = stage.database.login(&role);
        run(&mut app, set);
        assert_eq!(tenant(&mut app), None);
        assert_eq!(one::<String>(&mut app, "SHOW timedb.log_logins"), "on", "{set}");
        run(&mut app, end);
        assert_eq!(one::<String>(&mut app, "SHOW timedb.log_logins"), "on", "{set}; {end}");
    }
}

/// The library is loaded while the statement is planned, before its set_config runs.
#[test]
fn t03_a_tenant_set_within_the_very_statement_that_reads_is_refused() {
    let stage = Stage::set("t03 in one statement");
    let bob = stage.bob.tenant_id;
    let set = format!("SELECT set_config('timedb.tenant', '{bob}', false)");
    for read in [
        format!("SELECT ({set}), (SELECT count(*) FROM timedb.series)"),
        format!("WITH c AS MATERIALIZED ({set}) SELECT s.* FROM c, timedb.series s"),
    ] {
        let mut app = stage.app();
        refused(app.query(&read, &[])).code("42501");
        assert_nobody(&mut app);
    }
}

#[test]
fn t03_the_view_of_settings_changes_nothing() {
    let stage = Stage::set("t03 pg_settings");
    let mut alice = stage.alice();
    let sql = "UPDATE pg_settings SET setting = $1 WHERE name LIKE 'timedb.%' AND name <> ALL ($2)";
    let changed = alice.execute(sql, &[&stage.bob.tenant_id.to_string(), &&SHOWN_SETTINGS[..]]);
    assert_eq!(changed.expect("none is shown"), 0);
    for name in SHOWN_SETTINGS.iter().filter(|name| **name != "timedb.enable_scan") {
        each_refused(
            &mut alice,
            "42501",
            [format!("UPDATE pg_settings SET setting = '1' WHERE name = '{name}'")],
        );
    }
    stage.assert_alice(&mut alice);
}

/// SUSET would let it through: the wrapper runs as a superuser. The check hook does not.
#[test]
fn t04_a_superusers_definer_wrapper_of_set_config_forges_nothing() {
    let stage = Stage::set("t04");
    run(
        &mut stage.admin(),
        "CREATE FUNCTION public.w(k text, v text) RETURNS text SECURITY DEFINER LANGUAGE sql \
         AS 'SELECT pg_catalog.set_config(k, v, false)'",
    );
    let forge = format!("SELECT public.w('timedb.tenant', '{}')", stage.bob.tenant_id);
    let (mut before, notices) = stage.connect("app", "");
    run(&mut before, &forge);
    assert_nobody(&mut before);
    notices.assert_heard("42501");
    each_refused(&mut before, "42501", [&forge]);
    let mut alice = stage.alice();
    each_refused(&mut alice, "42501", [&forge]);
    stage.assert_alice(&mut alice);
    // To nothing it may be set; without its login that is nobody, also in a superuser's hands.
    run(&mut alice, "SELECT public.w('timedb.tenant', '')");
    assert_eq!(tenant(&mut alice), None);
}

#[test]
fn t05_a_grant_to_set_the_parameter_forges_nothing() {
    let stage = Stage::set("t05");
    let role = stage.role("setter", "IN ROLE timedb_user");
    let bob = stage.bob.tenant_id;
    run(
        &mut stage.admin(),
        &format!("GRANT SET ON PARAMETER timedb.tenant, timedb.login TO {role}"),
    );
    let mut before = stage.database.login(&role);
    run(&mut before, &format!("SET timedb.tenant = '{bob}'"));
    assert_nobody(&mut before);
    each_refused(&mut before, "42501", [format!("SET timedb.tenant = '{bob}'")]);
    login(&mut before, &stage.alice, false);
    let login = format!("SET timedb.login = '{} admin 99'", Uuid::now_v7());
    each_refused(&mut before, "42501", [login]);
    stage.assert_alice(&mut before);
}

#[test]
fn t06_no_setting_of_a_role_a_database_the_system_or_a_function_forges_a_tenant() {
    let stage = Stage::set("t06");
    let database = stage.database.name();
    let owner = stage.role("dbowner", "IN ROLE timedb_user");
    run(
        &mut stage.admin(),
        &format!("ALTER DATABASE \"{database}\" OWNER TO {owner}"),
    );
    let setting = format!("SET timedb.tenant = '{}'", stage.bob.tenant_id);
    let function = "FUNCTION pg_temp.f() RETURNS int";
    let attempts = [
        format!("ALTER ROLE {owner} {setting}"),
        format!("ALTER ROLE {owner} IN DATABASE \"{database}\" {setting}"),
        format!("ALTER DATABASE \"{database}\" {setting}"),
        format!("ALTER SYSTEM {setting}"),
        format!("CREATE {function} {setting} LANGUAGE sql AS 'SELECT 1'"),
    ];
    let mut client = stage.database.login(&owner);
    each_refused(&mut client, "42501", &attempts);
    login(&mut client, &stage.alice, false);
    each_refused(&mut client, "42501", &attempts);
    run(&mut client, &format!("CREATE {function} LANGUAGE sql AS 'SELECT 1'"));
    each_refused(
        &mut client,
        "42501",
        [
            format!("ALTER FUNCTION pg_temp.f() {setting}"),
            "ALTER FUNCTION pg_temp.f() SET timedb.tenant FROM CURRENT".into(),
        ],
    );
    stage.assert_alice(&mut client);
    assert_nobody(&mut stage.database.login(&owner));
}

/// The slip of a superuser who has not loaded the library: stored, and dropped with a warning where it is loaded.
#[test]
fn t06_what_a_superuser_stored_for_a_role_or_database_is_nobody() {
    let stage = Stage::set("t06 superuser");
    let (database, bob) = (stage.database.name(), stage.bob.tenant_id);
    let role = stage.role("slip", "IN ROLE timedb_user");
    for target in [format!("ROLE {role}"), format!("DATABASE \"{database}\"")] {
        run(
            &mut stage.admin(),
            &format!("ALTER {target} SET timedb.tenant = '{bob}'"),
        );
        let (mut client, notices) = stage.connect(&role, "");
        assert_nobody(&mut client);
        notices.assert_heard("42501");
        login(&mut client, &stage.alice, false);
        run(&mut client, "RESET ALL");
        assert_nobody(&mut client);
        run(&mut stage.admin(), &format!("ALTER {target} RESET timedb.tenant"));
    }
    run(
        &mut stage.admin(),
        &format!(
            "CREATE FUNCTION public.f() RETURNS uuid SET timedb.tenant = '{bob}' LANGUAGE sql AS 'SELECT NULL::uuid'"
        ),
    );
    let mut alice = stage.alice();
    each_refused(&mut alice, "42501", ["SELECT public.f()"]);
    stage.assert_alice(&mut alice);
}

#[test]
fn t06_a_superuser_who_has_loaded_the_library_cannot_store_a_tenant_either() {
    let stage = Stage::set("t06 loaded");
    let (database, bob) = (stage.database.name(), stage.bob.tenant_id);
    let mut admin = stage.admin();
    assert_eq!(tenant(&mut admin), None);
    let setting = format!("SET timedb.tenant = '{bob}'");
    each_refused(
        &mut admin,
        "42501",
        [
            setting.clone(),
            format!("ALTER ROLE app {setting}"),
            format!("ALTER DATABASE \"{database}\" {setting}"),
            format!("CREATE FUNCTION public.f() RETURNS int {setting} LANGUAGE sql AS 'SELECT 1'"),
        ],
    );
    each_refused(&mut admin, "55P02", [format!("ALTER SYSTEM {setting}")]);
}

#[test]
fn t06_a_line_in_postgresql_conf_gives_nobody_a_tenant() {
    let bob = Uuid::now_v7();
    let line = format!("timedb.tenant = '{bob}'");
    let cluster = Options::default().setting(line).start().expect("a server");
    let database = cluster.database("conf").expect("a database");
    database.create_user(bob, "bob@tenant-b.com", "write");
    let mut app = database.login("app");
    assert_eq!(
        one::<String>(&mut app, "SHOW timedb.tenant"),
        bob.to_string(),
        "the premise"
    );
    assert_nobody(&mut app);
    run(&mut app, "RESET ALL");
    assert_nobody(&mut app);
}

/// The limits of a call and of a tenant are a superuser's, whatever the tenant's role owns.
#[test]
fn t51_no_tenant_raises_a_limit_wherever_settings_are_kept() {
    let stage = Stage::set("t51 limits");
    let (database, owner) = (stage.database.name(), stage.role("dbowner", "IN ROLE timedb_user"));
    let limits = || SHOWN_SETTINGS.iter().filter(|name| name.starts_with("timedb.max_"));
    let mut admin = stage.admin();
    run(&mut admin, &format!("ALTER DATABASE \"{database}\" OWNER TO {owner}"));
    limits().for_each(|name| run(&mut admin, &format!("ALTER ROLE {owner} SET {name} = 2")));
    let three = "SELECT timedb.upload_points(now(), '{a, b, c}', '{2025-01-01, 2025-01-01, 2025-01-01}', '{1, 2, 3}')";
    let mut app = stage.database.login(&owner);
    limits().for_each(|name| run(&mut app, &format!("SET {name} = 1000")));
    login(&mut app, &stage.alice, false);
    refused(app.batch_execute(three)).code("54000");
    run(&mut app, "RESET ALL");
    login(&mut app, &stage.alice, false);
    let function = "FUNCTION pg_temp.f() RETURNS int";
    for name in limits() {
        let setting = format!("SET {name} = 1000");
        let attempts = [
            setting.clone(),
            setting.replace("SET", "SET LOCAL"),
            format!("SELECT set_config('{name}', '1000', false)"),
            format!("RESET {name}"),
            format!("ALTER ROLE {owner} {setting}"),
            format!("ALTER ROLE {owner} IN DATABASE \"{database}\" {setting}"),
            format!("ALTER DATABASE \"{database}\" {setting}"),
            format!("ALTER SYSTEM {setting}"),
            format!("CREATE {function} {setting} LANGUAGE sql AS 'SELECT 1'"),
        ];
        each_refused(&mut app, "42501", attempts);
        assert_eq!(
            one::<String>(
                &mut app,
                &format!("SELECT setting FROM pg_settings WHERE name = '{name}'")
            ),
            "2"
        );
    }
    refused(app.batch_execute(three)).code("54000");
    stage.assert_alice(&mut app);
}

#[test]
fn t02_a_preloaded_library_refuses_a_forged_startup_packet_outright() {
    let preload = "shared_preload_libraries = 'timedb'";
    let cluster = Options::default().setting(preload).start().expect("a server");
    let database = cluster.database("preloaded").expect("a database");
    let stage = Stage::on(database);
    let mut config: postgres::Config = stage.database.url("app").parse().expect("a URL");
    config.options(&format!("-c timedb.tenant={}", stage.bob.tenant_id));
    refused(config.connect(postgres::NoTls)).code("42501");
    stage.assert_alice(&mut stage.alice());
    // The setting is the library's own from the start: no placeholder is ever made.
    each_refused(
        &mut stage.app(),
        "42501",
        [format!("SET timedb.tenant = '{}'", stage.bob.tenant_id)],
    );
}

#[test]
fn t07_names_beside_the_settings_are_reserved() {
    let stage = Stage::set("t07");
    let mut app = stage.app();
    run(
        &mut app,
        "SET timedb.tennant = 'a placeholder, before the library is loaded'",
    );
    assert_nobody(&mut app);
    for name in ["timedb.tennant", "timedb.tenant_id", "timedb.api_keys", "TIMEDB.login_"] {
        refused(app.batch_execute(&format!("SET {name} = 'x'")))
            .code("42602")
            .detail("\"timedb\" is a reserved prefix.");
    }
}
