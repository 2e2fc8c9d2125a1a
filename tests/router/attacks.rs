//! What a tenant with a SQL prompt on the router tries, and whoever has stolen the router's login on a server.

use crate::seed::{choices, seed};
use crate::support::{home, on_server, spread, user_on};
use postgres::{Client, Config, IsolationLevel, NoTls};
use rand::RngExt;
use serde_json::json;
use timedb_testkit::{
    Database, Identity, KEY_NEEDED, Notices, cancelled, login, one, one_of, refused, run, tenant, wait_until,
};
use uuid::Uuid;

const UPLOAD: &str = "SELECT run_id FROM timedb.upload(now(), $1)";
const REVOKE: &str = "SELECT timedb.revoke_key($1)";

fn rows() -> serde_json::Value {
    json!([{"value_key": "load", "valid_time": "2025-01-01T00:00:00Z", "value": 1}])
}

/// Writes where a tenant is, as whoever moves him does.
fn note(database: &Database, tenant: Uuid, server: usize, is_moving: bool) {
    let conninfo = database.server().shards()[server].conninfo(database.name());
    let sql = "INSERT INTO timedb_router.moved (tenant_id, route, conninfo, is_moving)
               VALUES ($1, timedb_router._route_of_tenant($1), $2, $3)
               ON CONFLICT (tenant_id) DO UPDATE SET conninfo = excluded.conninfo, is_moving = excluded.is_moving";
    database
        .admin()
        .execute(sql, &[&tenant, &conninfo, &is_moving])
        .unwrap();
}

fn key_id(database: &Database, user: &Identity) -> Uuid {
    let mut client = database.authenticated(user);
    one(&mut client, "SELECT key_id FROM timedb.whoami()")
}

fn stolen(database: &Database, server: usize) -> Client {
    let server = &database.server().shards()[server];
    server
        .connect("timedb_router_caller", database.name())
        .expect("the router's login")
}

/// Until a call of the router's waits for a lock on the first server.
fn until_it_waits(database: &Database) {
    let mut admin = on_server(database, 0);
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = current_database()
                              AND a.usename = 'timedb_router_caller' AND cardinality(pg_blocking_pids(a.pid)) > 0)";
    wait_until("the call waits", || one(&mut admin, sql));
}

#[test]
fn t60_what_functions_are_made_of_is_refused_to_tenants_and_neither_owner_may_what_is_the_other_s() {
    let database = spread("executed by");
    let may = |role: &str, which: &str| -> Vec<String> {
        let sql = format!(
            "SELECT coalesce(array_agg(p.oid::regprocedure::text), '{{}}') FROM pg_proc p
             WHERE p.pronamespace IN ('timedb'::regnamespace, 'timedb_router'::regnamespace)
               AND {which} AND has_function_privilege('{role}', p.oid, 'EXECUTE')"
        );
        one(&mut database.admin(), &sql)
    };
    let internal = "starts_with(p.proname, '_') AND p.proname <> '_manages_as'";
    for role in ["app", "caller"] {
        assert_eq!(may(role, internal), Vec::<String>::new(), "{role}");
        assert!(may(role, "true").len() > 50, "the premise");
    }
    assert_eq!(may("evil", "true"), Vec::<String>::new());
    let of_operators = "p.proname ~ '_(at|on|operator)$'";
    assert_eq!(may("timedb_router_tenants", of_operators), Vec::<String>::new());
    let of_tenants = "p.proname IN ('_key', '_bind', '_log_in', '_ask_whoami', '_read', '_upload')";
    assert_eq!(may("timedb_router_operators", of_tenants), Vec::<String>::new());
    let entered: i64 = one(
        &mut database.admin(),
        "SELECT count(*) FROM pg_roles r WHERE r.rolname IN ('timedb_router_tenants', 'timedb_router_operators')
           AND (r.rolcanlogin OR r.rolsuper OR EXISTS (SELECT FROM pg_auth_members m WHERE r.oid IN (m.roleid, m.member)))",
    );
    assert_eq!(entered, 0);
    for table in ["shards", "moved"] {
        for role in ["app", "caller", "ops", "evil"] {
            let sql = format!("TABLE timedb_router.{table}");
            refused(database.login(role).query(&sql, &[])).code("42501");
        }
    }
}

#[test]
fn t60_the_router_s_login_is_nobody_on_a_router_that_shares_a_server_with_a_shard() {
    let database = spread("shared");
    let beside = format!("{}_shard", database.name());
    run(&mut database.admin(), &format!("CREATE DATABASE \"{beside}\""));
    let mut shard = database.server().connect("postgres", &beside).unwrap();
    shard
        .batch_execute("CREATE EXTENSION timedb; CREATE EXTENSION timedb_shard")
        .expect("the roles of a router and of a shard go together");
    drop(shard);
    let mut thief = database.login("timedb_router_caller");
    for sql in [
        "SELECT * FROM timedb_router._create_user_operator(gen_random_uuid(), 'a@b.c', 'admin')",
        "SELECT * FROM timedb_router._list_users_operator(NULL, true)",
        "SELECT timedb_router._key()",
        "SELECT * FROM timedb_router._ask_whoami('host=/tmp dbname=postgres user=postgres', 'x')",
        "ALTER FUNCTION timedb.authenticate(text, boolean) RESET search_path",
        "TABLE timedb_router.shards",
    ] {
        refused(thief.query(sql, &[])).code("42501");
    }
    drop(thief);
    run(&mut database.admin(), &format!("DROP DATABASE \"{beside}\""));
}

#[test]
fn t60_the_router_s_login_on_a_shard_is_nobody_without_a_key_and_after_each_call() {
    let database = spread("stolen");
    let user = user_on(&database, 1, "write");
    let mut thief = stolen(&database, 1);
    for sql in [
        "SELECT * FROM timedb.read()",
        "SELECT * FROM timedb_shard.whoami(NULL)",
        "SELECT timedb_shard.create_series('tdb_bad', '\\x040f00000004017b7d')",
    ] {
        refused(thief.query(sql, &[])).code("28000");
    }
    for sql in [
        "TABLE timedb.values",
        "SELECT * FROM timedb.list_bindings()",
        "SELECT * FROM timedb_shard.find_user(NULL, NULL, NULL)",
    ] {
        refused(thief.query(sql, &[])).code("42501");
    }
    let mut transaction = thief.transaction().unwrap();
    transaction
        .query("SELECT * FROM timedb_shard.whoami($1)", &[&user.api_key])
        .unwrap();
    let after: Option<Uuid> = transaction
        .query_one("SELECT timedb.current_tenant()", &[])
        .unwrap()
        .get(0);
    assert_eq!(after, None);
    let mut savepoint = transaction.transaction().unwrap();
    // Four arguments: three nulls, and an object without members.
    let failed = savepoint.query(
        "SELECT timedb_shard.create_series($1, '\\x040f00000004017b7d')",
        &[&user.api_key],
    );
    refused(failed).code("22004");
    savepoint.rollback().unwrap();
    let after: Option<Uuid> = transaction
        .query_one("SELECT timedb.current_tenant()", &[])
        .unwrap()
        .get(0);
    assert_eq!(after, None);
    transaction.commit().unwrap();
    assert_eq!(tenant(&mut thief), None);
}

#[test]
fn t60_the_key_of_a_session_is_shown_nowhere_and_follows_savepoints() {
    let database = spread("shown");
    let (alice, bob) = (user_on(&database, 0, "write"), user_on(&database, 1, "write"));
    let mut client = database.authenticated(&alice);
    run(&mut client, "CREATE TEMPORARY TABLE made()");
    for sql in [
        "SELECT current_setting('timedb.login_key')",
        "SELECT coalesce(string_agg(s::text, ' '), '') FROM pg_settings s",
        "SELECT coalesce(string_agg(s::text, ' '), '') FROM pg_stat_activity s",
        "SHOW timedb.login_key",
    ] {
        let shown: String = one(&mut client, sql);
        assert!(!shown.contains(&alice.api_key), "{sql}: {shown}");
    }
    for sql in [
        "SET timedb.login_key = 'x'",
        "RESET timedb.login_key",
        "SET LOCAL timedb.login_key TO DEFAULT",
        "SELECT set_config('timedb.login_key', '', false)",
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql SET timedb.login_key FROM CURRENT AS 'SELECT 1'",
    ] {
        refused(client.batch_execute(sql)).code("42501");
    }
    let mut transaction = client.transaction().unwrap();
    let mut savepoint = transaction.transaction().unwrap();
    savepoint
        .execute("SELECT timedb.authenticate($1)", &[&bob.api_key])
        .unwrap();
    savepoint.execute(UPLOAD, &[&rows()]).unwrap();
    savepoint.rollback().unwrap();
    let now: Uuid = transaction
        .query_one("SELECT tenant_id FROM timedb.whoami()", &[])
        .unwrap()
        .get(0);
    assert_eq!(now, alice.tenant_id);
    let seen: i64 = transaction
        .query_one("SELECT count(*) FROM timedb.list_runs()", &[])
        .unwrap()
        .get(0);
    assert_eq!(seen, 0, "what Bob has uploaded is Bob's");
    transaction.commit().unwrap();
    // Nor is there anybody where a login fails in a savepoint.
    let mut transaction = client.transaction().unwrap();
    let mut savepoint = transaction.transaction().unwrap();
    refused(savepoint.execute("SELECT timedb.authenticate('tdb_bad')", &[])).code("28000");
    savepoint.rollback().unwrap();
    refused(transaction.execute("SELECT * FROM timedb.read()", &[])).code("28000");
}

#[test]
fn t60_no_plan_that_is_logged_shows_a_key() {
    let database = spread("plans");
    let user = user_on(&database, 2, "write");
    let mut config: Config = database.url("postgres").parse().unwrap();
    let notices = Notices::of(&mut config);
    let mut client = config.connect(NoTls).unwrap();
    client
        .batch_execute(
            "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
             SET auto_explain.log_verbose = on; SET client_min_messages = log",
        )
        .unwrap();
    login(&mut client, &user, false);
    client.query("SELECT * FROM timedb.whoami()", &[]).unwrap();
    client.query("SELECT * FROM timedb.read()", &[]).unwrap();
    let heard = notices.take();
    // What the client has written itself is planned before anything of ours runs.
    let heard: Vec<_> = heard
        .into_iter()
        .filter(|(_, plan)| plan.contains("timedb_router"))
        .collect();
    assert!(
        heard.iter().any(|(_, plan)| plan.contains("_ask_whoami")),
        "the premise: {heard:#?}"
    );
    assert!(
        heard.iter().all(|(_, plan)| !plan.contains(&user.api_key)),
        "{heard:#?}"
    );
}

#[test]
fn t60_no_plan_that_a_server_logs_shows_a_key() {
    let database = spread("plans there");
    let user = user_on(&database, 0, "write");
    for (setting, value) in [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_verbose", "on"),
        ("debug_print_plan", "on"),
        ("client_min_messages", "log"),
    ] {
        let sql = format!("ALTER DATABASE \"{}\" SET {setting} = '{value}'", database.name());
        run(&mut on_server(&database, 0), &sql);
    }
    let mut config: Config = database.url("app").parse().unwrap();
    let notices = Notices::of(&mut config);
    let mut client = config.connect(NoTls).unwrap();
    run(&mut client, "SET client_min_messages = log");
    login(&mut client, &user, false);
    client.query("SELECT * FROM timedb.read()", &[]).unwrap();
    let heard = notices.take();
    assert!(
        heard.iter().any(|(_, told)| told.contains("timedb_shard.read")),
        "the premise: {heard:#?}"
    );
    assert!(
        heard.iter().all(|(_, told)| !told.contains(&user.api_key)),
        "{heard:#?}"
    );
}

#[test]
fn t60_an_operator_ends_no_key_of_a_tenant_who_is_being_moved_as_it_would_come_back() {
    let database = spread("ended");
    let user = user_on(&database, 0, "write");
    let key = key_id(&database, &user);
    let mut ops = database.login("ops");
    note(&database, user.tenant_id, 0, true);
    refused(ops.query(REVOKE, &[&key])).code("55P03");
    let made = ops.query(
        "SELECT * FROM timedb.create_user($1, 'new@tenant.com', 'read')",
        &[&user.tenant_id],
    );
    refused(made).code("55P03");
    let listed: i64 = one_of(
        &mut ops,
        "SELECT count(*) FROM timedb.list_users($1)",
        &[&user.tenant_id],
    );
    assert_eq!(listed, 1, "reads go on");
    note(&database, user.tenant_id, 0, false);
    ops.query(REVOKE, &[&key]).unwrap();
}

#[test]
fn t60_a_transaction_that_sees_less_neither_writes_during_a_move_nor_where_the_tenant_was() {
    let database = spread("sees less");
    for by_setting in [false, true] {
        let user = user_on(&database, 0, "write");
        let mut client = database.login("app");
        if by_setting {
            client
                .execute("SELECT set_config('timedb.api_key', $1, false)", &[&user.api_key])
                .unwrap();
        } else {
            login(&mut client, &user, false);
        }
        let mut transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()
            .unwrap();
        transaction.query("SELECT * FROM timedb.read()", &[]).unwrap();
        note(&database, user.tenant_id, 0, true);
        let mut savepoint = transaction.transaction().unwrap();
        refused(savepoint.execute(UPLOAD, &[&rows()])).code("55P03");
        savepoint.rollback().unwrap();
        transaction.query("SELECT * FROM timedb.read()", &[]).unwrap();
        // He has gone where nobody knows the key, to see that it is asked there.
        note(&database, user.tenant_id, 1, false);
        refused(transaction.execute(UPLOAD, &[&rows()])).code("28000");
        transaction.rollback().unwrap();
        let stored: i64 = one(&mut on_server(&database, 0), "SELECT count(*) FROM timedb.runs");
        assert_eq!(stored, 0);
    }
}

#[test]
fn t60_a_transaction_left_open_holds_up_nobody_who_moves_its_tenant() {
    let database = spread("left open");
    let user = user_on(&database, 0, "write");
    let mut client = database.authenticated(&user);
    let mut transaction = client.transaction().unwrap();
    transaction.execute(UPLOAD, &[&rows()]).unwrap();
    let mut mover = database.admin();
    run(&mut mover, "SET lock_timeout = '10s'");
    let sql = "SELECT timedb_router._wait_for_writers(timedb_router._route_of_tenant($1))";
    mover
        .execute(sql, &[&user.tenant_id])
        .expect("waits for no transaction of a tenant's");
    refused(transaction.execute(UPLOAD, &[&rows()])).code("0A000");
}

#[test]
fn t60_whoever_moves_a_tenant_waits_for_a_call_that_is_writing() {
    let database = spread("writing");
    let user = user_on(&database, 0, "write");
    let mut shard = on_server(&database, 0);
    let mut held = shard.transaction().unwrap();
    held.batch_execute("LOCK TABLE timedb.runs").unwrap();
    let mut client = database.authenticated(&user);
    let mut mover = database.admin();
    let sql = "SELECT timedb_router._wait_for_writers(timedb_router._route_of_tenant($1))";
    std::thread::scope(|scope| {
        let upload = scope.spawn(move || client.execute(UPLOAD, &[&rows()]).map(drop));
        until_it_waits(&database);
        run(&mut mover, "SET lock_timeout = '200ms'");
        refused(mover.execute(sql, &[&user.tenant_id])).code("55P03");
        held.rollback().unwrap();
        upload.join().unwrap().unwrap();
    });
    mover.execute(sql, &[&user.tenant_id]).unwrap();
}

#[test]
fn t60_a_call_that_was_cancelled_may_have_written_and_says_so_in_postgres_words() {
    let database = spread("cancelled");
    let user = user_on(&database, 0, "write");
    let mut client = database.authenticated(&user);
    let mut shard = on_server(&database, 0);
    let mut held = shard.transaction().unwrap();
    held.batch_execute("LOCK TABLE timedb.runs").unwrap();
    run(&mut client, "BEGIN; SAVEPOINT s");
    cancelled(
        &mut client,
        || until_it_waits(&database),
        |client| client.execute(UPLOAD, &[&rows()]),
    );
    held.rollback().unwrap();
    run(&mut client, "ROLLBACK TO s");
    refused(client.execute(UPLOAD, &[&rows()])).code("0A000");
    run(&mut client, "ROLLBACK");
    client.execute(UPLOAD, &[&rows()]).unwrap();
    assert_eq!(tenant(&mut client), Some(user.tenant_id));
}

/// Where a statement there is cancelled, PL/Proxy waits for an answer that it has had.
#[test]
fn t60_no_timeout_of_a_server_s_ends_what_the_router_asks() {
    let database = spread("timeout");
    let sql = format!("ALTER DATABASE \"{}\" SET statement_timeout = '1s'", database.name());
    run(&mut on_server(&database, 0), &sql);
    let timeout: String = one(&mut stolen(&database, 0), "SHOW statement_timeout");
    assert_eq!(timeout, "0");
}

#[test]
fn t60_a_server_that_cannot_be_reached_is_not_named_to_tenants() {
    let database = spread("unnamed");
    let user = user_on(&database, 0, "write");
    let mut client = database.authenticated(&user);
    // Else what is caught would be the end of the session, in the words that it came in.
    run(&mut client, "SET exit_on_error = on");
    let gone = "host=/tmp/nowhere.of.timedb port=5999 dbname=hidden";
    database
        .admin()
        .execute("UPDATE timedb_router.shards SET conninfo = $1", &[&gone])
        .unwrap();
    for sql in [
        "SELECT * FROM timedb.read()",
        "SELECT * FROM timedb.upload(now(), '[]')",
        "SELECT * FROM timedb.whoami()",
    ] {
        let error = client.query(sql, &[]).unwrap_err();
        let error = error.as_db_error().expect("the server's");
        assert_eq!(error.code().code(), "08006", "{sql}");
        let said = format!("{error:?}");
        assert!(
            ["nowhere", "5999", "hidden"].iter().all(|part| !said.contains(part)),
            "{said}"
        );
    }
}

#[test]
fn t60_nobody_without_a_key_is_a_failed_login() {
    let database = spread("no key");
    let mut client = database.login("app");
    refused(client.query("SELECT * FROM timedb.read()", &[]))
        .code("28000")
        .message(KEY_NEEDED);
    let log = timedb_testkit::server_log();
    let lines = database.lines_of("app", &log);
    assert!(lines.iter().all(|line| !line.contains("login failed")), "{lines:#?}");
}

#[test]
fn t60_a_dump_of_a_router_restores_and_it_can_be_dropped_and_made_again() {
    let database = spread("dumped");
    let user = user_on(&database, 2, "write");
    note(&database, user.tenant_id, 2, false);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump");
    let program = |program: &str, name: &str, arguments: &[&str]| {
        let output = database
            .server()
            .command(program, "postgres", name)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let path = file.to_str().unwrap();
    program("pg_dump", database.name(), &["-Fc", "-f", path]);
    let restored = format!("{}_restored", database.name());
    run(&mut database.admin(), &format!("CREATE DATABASE \"{restored}\""));
    program(
        "pg_restore",
        &restored,
        &["-1", "--exit-on-error", "-d", &restored, path],
    );
    let mut client = database.server().connect("app", &restored).unwrap();
    client
        .execute("SELECT timedb.authenticate($1)", &[&user.api_key])
        .unwrap();
    assert_eq!(tenant(&mut client), Some(user.tenant_id));
    drop(client);
    let mut admin = database.server().connect("postgres", &restored).unwrap();
    admin
        // With the tables by which tests look into the servers.
        .batch_execute("DROP EXTENSION timedb_router CASCADE; CREATE EXTENSION timedb_router")
        .unwrap();
    drop(admin);
    run(&mut database.admin(), &format!("DROP DATABASE \"{restored}\""));
    assert_eq!(home(&database, user.tenant_id), 2);
}

/// What the router sends for a call of `create_series`.
fn call(database: &Database) -> Vec<u8> {
    let sql = r#"SELECT timedb_router._packed('wind'::text, 'MW'::text, NULL::text, '{"site": "a"}'::jsonb)"#;
    one(&mut database.admin(), sql)
}

/// The arguments of a read: these bytes for its series' ids, null for the others.
fn reading(series_ids: &[u8]) -> Vec<u8> {
    let mut packed = vec![14, 0xff, 0x3f];
    packed.extend([0; 7]);
    packed.push(u8::try_from(series_ids.len() + 2).expect("few bytes"));
    packed.push(0);
    packed.extend(series_ids);
    packed.extend([0; 6]);
    packed
}

fn is_nobody(thief: &mut Client) -> bool {
    one(
        thief,
        "SELECT timedb.current_tenant() IS NULL AND current_setting('timedb.tenant', true) IS NOT DISTINCT FROM ''",
    )
}

#[test]
fn t60_bytes_that_no_router_sends_are_refused_and_leave_nobody_logged_in() {
    let database = spread("garbled");
    let user = user_on(&database, 0, "write");
    let mut thief = stolen(&database, 0);
    let good = call(&database);
    let create = "SELECT * FROM timedb_shard.create_series($1, $2)";
    let calls: [(&str, &[u8]); 8] = [
        ("nothing", &[]),
        ("no columns", &[0]),
        ("more columns than a table has", &[0xff, 0x7f]),
        ("columns of another function", &[3, 7, 0, 0, 0]),
        ("columns without a row", &[4]),
        ("a first row that is as one before", &[4, 0b0111, 0, 0, 0]),
        (
            "a text that is longer than what is there",
            &[4, 0b1111, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ),
        ("a content without a form", &[4, 0b1111, 1, 0, 0, 0]),
    ];
    for (what, packed) in calls {
        let failed = thief.query(create, &[&user.api_key, &packed]);
        assert!(failed.is_err(), "{what}");
        assert!(is_nobody(&mut thief), "{what}");
    }
    refused(thief.query(create, &[&user.api_key, &None::<&[u8]>])).code("XX000");
    // Of the series' ids: a length that nobody has memory for, dimensions without end, elements of another type.
    let arrays: [&[u8]; 3] = [
        b"\0\0\0\x01\0\0\0\0\0\0\x0b\x86\x7f\xff\xff\xff\0\0\0\x01",
        b"\x7f\xff\xff\xff",
        b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x01\0\0\0\x01\0\0\0\x01a",
    ];
    for array in arrays {
        let failed = thief.query(
            "SELECT * FROM timedb_shard.read($1, $2)",
            &[&user.api_key, &reading(array)],
        );
        assert!(failed.is_err(), "{array:?}");
        assert!(is_nobody(&mut thief), "{array:?}");
    }
    let before: i64 = one(&mut thief, "SELECT pg_backend_pid()::int8");
    let mut random = choices(seed("garbled calls"), 0);
    for _ in 0..2000 {
        let mut bytes = good.clone();
        for _ in 0..random.random_range(1..4) {
            let place = random.random_range(0..bytes.len());
            bytes[place] = random.random();
        }
        // Whatever becomes of it, the server stands and nobody is logged in.
        let _ = thief.query(create, &[&user.api_key, &bytes]);
        assert!(is_nobody(&mut thief), "{bytes:?}");
    }
    let after: i64 = one(&mut thief, "SELECT pg_backend_pid()::int8");
    assert_eq!(before, after);
}
