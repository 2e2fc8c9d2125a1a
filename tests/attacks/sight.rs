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
    let told = "LOG:  timedb: an API key was refused in a session of role \"app\"";
    assert_eq!(lines.iter().filter(|line| line.ends_with(told)).count(), 2, "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with(&format!("ERROR:  {KEY_REFUSED}")))
    );
    assert!(!log.contains(secret(&key)));
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
