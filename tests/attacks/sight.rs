//! A key in the sight of others: in the server's log, in the views of what runs.

use postgres::Client;
use timedb_testkit::{KEY_REFUSED, Options, Stage, backend_pid, login, one, refused, run, server_log};

use crate::support::{each_refused, new_key, secret};

#[test]
fn t32_a_failed_login_is_a_line_of_the_log_without_the_key() {
    let stage = Stage::set("t32");
    let key = new_key(stage.bob.tenant_id);
    let mut app = stage.app();
    refused(app.batch_execute(&format!("SELECT timedb.authenticate('{key}')"))).code("28000");
    refused(app.execute("SELECT timedb.authenticate($1)", &[&key])).code("28000");
    let log = server_log();
    let lines = stage.database.lines_of("app", &log);
    let told = "LOG:  timedb: login failed: role \"app\"";
    assert_eq!(lines.iter().filter(|line| line.ends_with(told)).count(), 2, "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with(&format!("ERROR:  {KEY_REFUSED}")))
    );
    assert!(!log.contains(secret(&key)));
}

/// A line of the log without what stands before its level.
fn told<'a>(line: &'a &str) -> &'a str {
    ["LOG:  ", "ERROR:  ", "STATEMENT:  ", "CONTEXT:  "]
        .iter()
        .filter_map(|level| line.find(level))
        .min()
        .map_or(line, |at| &line[at..])
}

/// Each way in which a key is refused, over a function, a request and a setting, hides where it came from.
#[test]
fn t32_a_failed_login_is_logged_in_the_same_words_whichever_way_the_key_comes() {
    let stage = Stage::set("t32 ways");
    let key = new_key(stage.bob.tenant_id);
    let headers = format!(r#"{{"x-api-key": "{key}"}}"#);
    let (mut app, notices) = stage.connect("app", "-c client_min_messages=log");
    run(&mut app, "BEGIN");
    let set = "SELECT set_config('request.method', 'GET', true), set_config('request.headers', $1, true)";
    app.execute(set, &[&headers]).expect("a request");
    refused(app.batch_execute("SELECT timedb.pre_request()")).code("PGRST");
    run(&mut app, "ROLLBACK");
    app.execute("SELECT set_config('timedb.api_key', $1, false)", &[&key])
        .expect("it is set");
    refused(app.batch_execute("SELECT * FROM timedb.list_series()")).code("28000");
    refused(app.batch_execute("SELECT * FROM timedb.list_users()")).code("28000");
    let log = server_log();
    let lines = stage.database.lines_of("app", &log);
    let after: Vec<&str> = lines
        .iter()
        .zip(&lines[1..])
        .filter(|(line, _)| told(line) == "LOG:  timedb: login failed: role \"app\"")
        .map(|(_, next)| told(next))
        .collect();
    assert_eq!(after.len(), 3, "{lines:?}");
    assert!(after.iter().all(|next| next.starts_with("ERROR:  ")), "{after:?}");
    assert!(!log.contains(secret(&key)));
    assert_eq!(notices.take(), [], "a client is sent no line of the log");
}

#[test]
fn t32_a_denied_scope_is_a_line_of_the_log_with_key_and_tenant_and_without_the_statement() {
    let stage = Stage::set("t32 scope");
    let reader = stage.alice_of_scope("read");
    let (mut app, notices) = stage.connect("app", "-c client_min_messages=log");
    login(&mut app, &reader, false);
    let key_id: String = one(&mut app, "SELECT key_id::text FROM timedb.whoami()");
    let block = |call: &str| format!("DO $$ BEGIN PERFORM {call}; END $$");
    refused(app.batch_execute(&block("timedb.create_series('of ours')"))).code("42501");
    let foreign = format!("timedb.list_users(tenant_id => '{}')", stage.bob.tenant_id);
    refused(app.batch_execute(&block(&foreign))).code("42501");
    let role = stage.bound_to_bob("read");
    let mut bound = stage.database.login(&role);
    refused(bound.batch_execute("SELECT timedb.create_series('of ours')")).code("42501");
    let log = server_log();
    let words = |role: &str| -> Vec<String> {
        let lines = stage.database.lines_of(role, &log);
        let logged = lines.iter().map(told).filter(|line| line.starts_with("LOG:  "));
        logged.map(str::to_owned).collect()
    };
    let (alice, bob) = (stage.alice.tenant_id, stage.bob.tenant_id);
    let of_key = format!("LOG:  timedb: scope denied: tenant {alice}, key {key_id}, scope \"read\", needed");
    assert_eq!(
        words("app"),
        [format!("{of_key} \"write\""), format!("{of_key} \"admin\"")]
    );
    let of_role =
        format!("LOG:  timedb: scope denied: tenant {bob}, role \"{role}\", scope \"read\", needed \"write\"");
    assert_eq!(words(&role), [of_role]);
    let lines = stage.database.lines_of("app", &log);
    let next = lines
        .iter()
        .position(|line| told(line).starts_with("LOG:  "))
        .map(|at| told(&lines[at + 1]));
    assert!(
        next.is_some_and(|next| next.starts_with("ERROR:  ")),
        "no statement and no context: {lines:?}"
    );
    assert_eq!(notices.take(), [], "a client is sent no line of the log");
}

/// An operator learns which keys are in use, and no tenant has a say in it.
#[test]
fn t32_logins_are_logged_where_a_superuser_says_so_and_nowhere_else() {
    let stage = Stage::set("t32 logins");
    let quiet = stage.role("quiet", "IN ROLE timedb_user");
    run(
        &mut stage.admin(),
        &format!("ALTER ROLE {quiet} SET timedb.log_logins = off"),
    );
    let loud = stage.role("loud", "IN ROLE timedb_user");
    run(
        &mut stage.admin(),
        &format!("ALTER ROLE {loud} SET timedb.log_logins = on"),
    );
    for (role, turned, heard) in [(&quiet, "on", false), (&loud, "off", true)] {
        let (mut app, notices) = stage.connect(role, "-c client_min_messages=log");
        run(&mut app, &format!("SET timedb.log_logins = {turned}"));
        login(&mut app, &stage.alice, false);
        notices.assert_heard("42501");
        each_refused(
            &mut app,
            "42501",
            [
                format!("SET timedb.log_logins = {turned}"),
                "RESET timedb.log_logins".into(),
            ],
        );
        let who = "SELECT format('tenant %s, key %s, scope \"%s\"', tenant_id, key_id, scope) FROM timedb.whoami()";
        let alice: String = one(&mut app, who);
        run(&mut app, "BEGIN");
        login(&mut app, &stage.bob, true);
        let bob: String = one(&mut app, who);
        run(&mut app, "ROLLBACK; SELECT timedb.logout()");
        app.execute(
            "SELECT set_config('timedb.api_key', $1, false)",
            &[&stage.alice.api_key],
        )
        .expect("it is set");
        stage.assert_alice(&mut app);
        stage.assert_alice(&mut app);
        let log = server_log();
        let lines = stage.database.lines_of(role, &log);
        let logged: Vec<&str> = lines
            .iter()
            .map(told)
            .filter(|line| line.starts_with("LOG:  timedb: login: "))
            .collect();
        let expected = [
            format!("LOG:  timedb: login: {alice}, is_local false"),
            format!("LOG:  timedb: login: {bob}, is_local true"),
            format!("LOG:  timedb: login: {alice}, by timedb.api_key"),
        ];
        assert_eq!(logged, if heard { &expected[..] } else { &[] }, "{lines:?}");
        assert!(!log.contains(secret(&stage.alice.api_key)));
        assert_eq!(notices.take(), [], "a client is sent no line of the log");
    }
}

/// The statement is hidden; so is the line that would say which statement of a function it was.
#[test]
fn t32_a_failed_login_inside_a_function_tells_no_key_in_its_context() {
    let stage = Stage::set("t32 context");
    let key = new_key(stage.bob.tenant_id);
    let mut app = stage.app();
    let block = format!("DO $$ BEGIN PERFORM timedb.authenticate('{key}'); END $$");
    refused(app.batch_execute(&block)).code("28000");
    let log = server_log();
    assert_eq!(
        stage.database.lines_of("app", &log).len(),
        2,
        "the premise: a LOG and an ERROR"
    );
    assert!(!log.contains(secret(&key)));
}

/// The key must be a bound parameter, and the server must not log those.
#[test]
fn t32_with_bound_parameters_a_server_that_logs_everything_logs_no_key() {
    let cluster = Options::default()
        .setting("log_statement = 'all'")
        .setting("log_min_duration_statement = 0")
        .setting("log_parameter_max_length = 0")
        .setting("shared_preload_libraries = 'pg_stat_statements'")
        .start()
        .expect("a server");
    let stage = Stage::on(cluster.database("logs").expect("a database"));
    run(&mut stage.admin(), "CREATE EXTENSION pg_stat_statements");
    let unknown = new_key(stage.bob.tenant_id);
    let mut app = stage.app();
    login(&mut app, &stage.alice, false);
    refused(app.execute("SELECT timedb.authenticate($1)", &[&unknown])).code("28000");
    run(&mut app, "SELECT timedb.logout()");
    app.execute("SELECT set_config('timedb.api_key', $1, false)", &[&stage.bob.api_key])
        .expect("it is set");
    stage.assert_bob(&mut { app });
    let log = cluster.log();
    assert!(
        log.contains("SELECT timedb.authenticate($1"),
        "the premise: statements are logged"
    );
    let statements: String = one(
        &mut stage.admin(),
        "SELECT string_agg(query, ' ') FROM pg_stat_statements",
    );
    for key in [&stage.alice.api_key, &stage.bob.api_key, &unknown] {
        assert!(!log.contains(secret(key)));
        assert!(!statements.contains(secret(key)));
    }
}

fn queries_of_others(onlooker: &mut Client) -> String {
    one(
        onlooker,
        "SELECT coalesce(string_agg(query, E'\\n'), '') FROM pg_stat_activity \
         WHERE pid <> pg_backend_pid() AND datname = current_database()",
    )
}

#[test]
fn t33_a_session_of_the_same_role_sees_a_bound_login_as_a_parameter_and_a_literal_one_hidden() {
    let stage = Stage::set("t33");
    let mut onlooker = stage.app();
    let mut bound = stage.app();
    login(&mut bound, &stage.alice, false);
    let mut literal = stage.app();
    run(
        &mut literal,
        &format!("SELECT timedb.authenticate('{}')", stage.bob.api_key),
    );
    let shown = queries_of_others(&mut onlooker);
    assert!(
        shown.contains("authenticate"),
        "the premise: the same role sees its queries: {shown}"
    );
    for identity in [&stage.alice, &stage.bob] {
        assert!(!shown.contains(secret(&identity.api_key)));
    }
    let mut other_role = stage.evil();
    assert!(!queries_of_others(&mut other_role).contains("authenticate"));
}

/// Accepted: what else a statement says is its role's to see, and to end. One login role a group that trusts itself.
#[test]
fn t33_the_same_role_sees_and_may_end_another_session_and_another_role_may_not() {
    let stage = Stage::set("t33 accepted");
    let mut victim = stage.bob();
    let sql = "SELECT count(*) FROM timedb.series WHERE series_key = 'bobs secret plan'";
    assert_eq!(one::<i64>(&mut victim, sql), 0);
    assert!(queries_of_others(&mut stage.app()).contains("bobs secret plan"));
    let other = stage.role("other", "IN ROLE timedb_user");
    let mut other = stage.database.login(&other);
    assert!(!queries_of_others(&mut other).contains("bobs secret plan"));
    let pid = backend_pid(&mut victim);
    let end = format!("SELECT pg_terminate_backend({pid})");
    each_refused(&mut other, "42501", [&end]);
    assert!(one::<bool>(&mut stage.app(), &end));
}
