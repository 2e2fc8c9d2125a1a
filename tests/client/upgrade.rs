//! A database of an earlier release becomes one of this version: its catalog that of a fresh one, its answers, and the keys
//! of its people, the same. `fixtures/0.1.0` is such a database, and says what 0.1.0 answered.

mod grants;
mod held;
mod waits;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use postgres::{Client, Config, NoTls};
use timedb_testkit::{Cluster, Database, Options, Project, Server, one, one_of, refused, run};
use uuid::Uuid;

use crate::catalog::{assert_same, catalogs, everything};
use crate::dump::{fill_tenant, restore_plain, run_program};
use crate::support::row_counts;

const RELEASE: &str = "0.1.0";
const DATABASE: &str = "old";
const UPDATE: &str = "ALTER EXTENSION timedb UPDATE";

fn fixture(file: &str) -> PathBuf {
    let root = Project::default().root().to_owned();
    root.join("tests/client/fixtures").join(RELEASE).join(file)
}

/// The keys that were made with the fixture, by name.
fn keys() -> BTreeMap<String, String> {
    let keys = fs::read_to_string(fixture("keys.sql")).expect("the keys");
    let key = |line: &str| {
        let (name, key) = line.strip_prefix("\\set ")?.split_once(' ')?;
        Some((name.to_owned(), key.to_owned()))
    };
    keys.lines().filter_map(key).collect()
}

/// What the people of the fixture are answered.
#[track_caller]
fn answers(server: &Server, database: &str) -> String {
    let reads = fixture("reads.sql");
    let reads = reads.to_str().expect("a path in UTF-8");
    run_program(server, "psql", database, &["--no-psqlrc", "--quiet", "--file", reads])
}

/// The same answers as the release gave itself.
#[track_caller]
fn assert_answers(server: &Server, database: &str) {
    let expected = fs::read_to_string(fixture("reads.out")).expect("the answers");
    let answers = answers(server, database);
    let mut lines = answers.lines().zip(expected.lines()).enumerate();
    let other = lines.find(|(_, (answer, expected))| answer != expected);
    assert_eq!(other, None, "the first line that differs, counted from 0");
    assert_eq!(answers.len(), expected.len());
}

/// Live keys log in; those that had ended, in whatever way, are refused.
#[track_caller]
fn assert_keys(server: &Server, database: &str) {
    let keys = keys();
    for (name, key) in &keys {
        let mut client = server.connect("app", database).expect("app");
        let login = client.execute("SELECT timedb.authenticate($1)", &[key]);
        match name.rsplit_once('_') {
            Some((_, "revoked" | "expired" | "rotated" | "graced" | "deactivated")) => {
                refused(login).code("28000").message("Invalid or inactive API key.");
            }
            _ => assert_eq!(login.expect(name), 1),
        }
    }
}

#[track_caller]
fn assert_whole(server: &Server, database: &str) {
    assert_answers(server, database);
    assert_keys(server, database);
    let mut admin = server.connect("postgres", database).expect("a superuser");
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
}

/// A server that has never had another version of timedb, nor its roles, with the fixture in a database of its release.
fn server_of_release() -> (Cluster, Client) {
    let cluster = Options::default().bare().start().expect("a server of our own");
    let mut admin = cluster.connect("postgres", "postgres").expect("its superuser");
    run(&mut admin, &format!("CREATE DATABASE {DATABASE} TEMPLATE template0"));
    let mut admin = cluster.connect("postgres", DATABASE).expect("its superuser");
    run(
        &mut admin,
        &format!(
            "CREATE EXTENSION timedb VERSION '{RELEASE}'; \
             CREATE ROLE app LOGIN IN ROLE timedb_user; CREATE ROLE ops LOGIN IN ROLE timedb_admin"
        ),
    );
    restore_plain(cluster.server(), DATABASE, &fixture("dump.sql"));
    assert_eq!(version(&mut admin), RELEASE);
    for (table, rows) in row_counts(&mut admin) {
        assert!(rows > 0, "the premise: the fixture has rows of {table}");
    }
    (cluster, admin)
}

/// Functions that the release declares otherwise than this version does: the library runs them as declared.
#[track_caller]
fn assert_released_functions_run(admin: &mut Client) {
    run(admin, "BEGIN");
    let sql = "SELECT api_key FROM timedb.create_user(gen_random_uuid(), 'early@tenant-c.com')";
    let key: String = one(admin, sql);
    let sql = "SELECT timedb.regenerate_key('early@tenant-c.com', grace => '1 day')";
    assert_ne!(one::<String>(admin, sql), key);
    admin
        .execute("SELECT timedb.authenticate($1)", &[&key])
        .expect("in its grace");
    let email: String = one(admin, "SELECT email FROM timedb.whoami() w WHERE w.via = 'key'");
    assert_eq!(email, "early@tenant-c.com");
    run(admin, "SELECT timedb.logout()");
    let sql = "SELECT count(timedb.revoke_key(k.key_id)) FROM timedb.list_keys() k WHERE k.email = $1";
    assert_eq!(one_of::<i64>(admin, sql, &[&email]), 2);
    let sql = "SELECT count(*) FROM timedb.list_keys() k WHERE k.email = $1 AND k.revoked_at <= clock_timestamp()";
    assert_eq!(one_of::<i64>(admin, sql, &[&email]), 2);
    run(admin, "ROLLBACK");
}

/// Before the update as afterwards whoever writes data writes.
#[track_caller]
fn assert_writes(server: &Server) {
    let mut alice = server.connect("app", DATABASE).expect("app");
    let login = alice.execute("SELECT timedb.authenticate($1)", &[&keys()["alice"]]);
    assert_eq!(login.expect("her key"), 1);
    run(&mut alice, "BEGIN");
    let labelled = "SELECT FROM timedb.upload(now(), '[{\"value_key\": \"early\", \"labels\": {\"site\": \"late\"}, \
                      \"valid_time\": \"2025-01-01\", \"value\": 1, \"annotation\": \"seen\", \"tags\": [\"a\"]}]')";
    run(&mut alice, labelled);
    let corrected = "SELECT status FROM timedb.update('[{\"value_key\": \"early\", \"labels\": {\"site\": \"late\"}, \
                       \"valid_time\": \"2025-01-01\", \"value\": 2}]')";
    assert_eq!(one::<String>(&mut alice, corrected), "updated");
    let made = "SELECT timedb.create_series('early', labels => '{\"site\": \"early\"}')";
    let series: Uuid = one(&mut alice, made);
    for values in [0i32, 1, 3] {
        let sql = "SELECT run_id FROM timedb.upload_points(now(), array_fill('early'::text, ARRAY[$1::int]), \
                     array(SELECT '2025-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, $1) AS n), \
                     array(SELECT n::float8 FROM generate_series(1, $1) AS n))";
        let run: Uuid = one_of(&mut alice, sql, &[&values]);
        let sql = "SELECT status FROM timedb.update(json_build_array(json_build_object('run_id', $1::uuid, \
                     'series_id', $2::uuid, 'valid_time', '2025-01-01', 'value', 7)))";
        assert_eq!(one_of::<String>(&mut alice, sql, &[&run, &series]), "created");
    }
    let packed: i64 = one(&mut alice, "SELECT versions FROM timedb.compact(older_than => '0')");
    assert!(packed > 0, "the premise");
    run(&mut alice, "ROLLBACK");
}

fn version(admin: &mut Client) -> String {
    one(admin, "SELECT extversion FROM pg_extension WHERE extname = 'timedb'")
}

/// How many columns the planner has statistics of.
fn statistics(admin: &mut Client) -> i64 {
    let sql = "SELECT count(*) FROM pg_statistic s JOIN pg_class c ON c.oid = s.starelid \
               WHERE c.relnamespace = 'timedb'::regnamespace";
    one(admin, sql)
}

#[test]
fn an_updated_database_has_the_catalog_of_a_fresh_one_and_gives_the_same_answers() {
    let (cluster, mut admin) = server_of_release();
    let server = cluster.server();
    // Not only afterwards: new files under an old database are what everybody has between the two steps of an update.
    assert_whole(server, DATABASE);
    assert_released_functions_run(&mut admin);
    assert_writes(server);
    run(&mut admin, "ANALYZE");
    assert!(statistics(&mut admin) > 0, "the premise: of columns");
    run(&mut admin, UPDATE);
    assert_eq!(statistics(&mut admin), 0);
    assert_eq!(version(&mut admin), Project::default().version().expect("a version"));
    let fresh = Database::fresh("as new");
    assert_same(&catalogs(&mut admin), &catalogs(&mut fresh.admin()));
    assert_whole(server, DATABASE);

    // Labels of series that were there are looked up as those of new ones are.
    let labelled = "SELECT count(*), count(*) FILTER (WHERE labels_entered) FROM timedb.series WHERE labels <> '{}'";
    let row = admin.query_one(labelled, &[]).expect("the series");
    let (all, entered): (i64, i64) = (row.get(0), row.get(1));
    assert!(all > 0, "the premise: some have labels");
    assert_eq!(entered, all);
    let south = "SELECT count(*) FROM timedb.series_labels WHERE label = 'site' AND value = '\"south\"'";
    assert!(one::<i64>(&mut admin, south) > 0);

    // So are the values of runs, but of those that were updated.
    let counted =
        "SELECT count(*) FILTER (WHERE value_count IS NULL), count(*) FILTER (WHERE value_count > 1) FROM timedb.runs";
    let row = admin.query_one(counted, &[]).expect("the runs");
    let (uncounted, counted): (i64, i64) = (row.get(0), row.get(1));
    assert!(uncounted > 0 && counted > 0, "{uncounted} uncounted, {counted} counted");
    let mut alice = server.connect("app", DATABASE).expect("app");
    let login = alice.execute("SELECT timedb.authenticate($1)", &[&keys()["alice"]]);
    assert_eq!(login.expect("her key"), 1);
    let other = "SELECT count(*) FROM timedb.list_runs(max_rows => 1000000) r \
                 WHERE r.value_count IS DISTINCT FROM \
                   (SELECT count(*) FROM timedb.current_values v WHERE v.run_id = r.run_id)";
    assert_eq!(one::<i64>(&mut alice, other), 0);
    assert_writes(server);

    // And it lives on.
    let mut alice = server.connect("app", DATABASE).expect("app");
    let login = alice.execute("SELECT timedb.authenticate($1)", &[&keys()["alice"]]);
    assert_eq!(login.expect("her key"), 1);
    let count = "SELECT count(*) FROM timedb.read(mode => 'overlapping')";
    let before: i64 = one(&mut alice, count);
    fill_tenant(&mut alice);
    assert_eq!(one::<i64>(&mut alice, count), before + 10_006);
}

/// The group that 0.1.0 did not have: as the install does, the update takes no role that somebody prepared with powers.
#[test]
fn an_update_refuses_a_prepared_role_of_callers_by_name_and_changes_nothing() {
    let (_cluster, mut admin) = server_of_release();
    for squat in [
        "CREATE ROLE timedb_caller LOGIN",
        "CREATE ROLE timedb_caller BYPASSRLS",
        "CREATE ROLE timedb_caller CREATEROLE",
        "CREATE ROLE timedb_caller IN ROLE timedb_user",
        "CREATE ROLE timedb_caller IN ROLE pg_read_all_data",
    ] {
        run(&mut admin, squat);
        refused(admin.batch_execute(UPDATE))
            .code("42P17")
            .message("role \"timedb_caller\" exists and is not as timedb needs it")
            .hint_contains("then drop it or take its privileges and memberships away");
        assert_eq!(version(&mut admin), RELEASE, "{squat}");
        run(&mut admin, "DROP ROLE timedb_caller");
    }
    // A harmless one is taken, with its members: another database of the server may have it.
    run(&mut admin, "CREATE ROLE timedb_caller ROLE ops");
    run(&mut admin, UPDATE);
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
}

/// Whoever may create in the schema may have made what the update brings, to have it run as ours.
#[test]
fn an_update_adopts_nothing_that_somebody_has_made_in_the_schema() {
    let (cluster, mut admin) = server_of_release();
    run(&mut admin, "GRANT CREATE ON SCHEMA timedb TO app");
    let mut app = cluster.connect("app", DATABASE).expect("app");
    for (squat, kind, code) in [
        (
            "FUNCTION timedb._keys_without_user() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'",
            "function",
            "55000",
        ),
        (
            "FUNCTION timedb._own_key() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
            "function",
            "55000",
        ),
        (
            "FUNCTION timedb._has_statistics(relation regclass, attribute smallint) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
            "function",
            "55000",
        ),
        (
            "TABLE timedb.key_ends (tenant_id uuid, key_id uuid, ended_at timestamptz)",
            "relation",
            "42P07",
        ),
        (
            "TABLE timedb.series_labels (tenant_id uuid, label text, value text, series_id uuid)",
            "relation",
            "42P07",
        ),
        (
            "TABLE timedb.withdrawals (tenant_id uuid, run_id uuid, withdrawn_at timestamptz)",
            "relation",
            "42P07",
        ),
        (
            "FUNCTION timedb.withdraw_run(run_id uuid, reason text) RETURNS uuid LANGUAGE sql AS 'SELECT run_id'",
            "function",
            "42P13",
        ),
        (
            "TABLE timedb.retention (tenant_id uuid, series_id uuid, keep interval)",
            "relation",
            "42P07",
        ),
    ] {
        run(&mut app, &format!("CREATE {squat}"));
        refused(admin.batch_execute(UPDATE)).code(code).message_contains(kind);
        assert_eq!(version(&mut admin), RELEASE, "{squat}");
        let made = squat
            .split_once([' '])
            .map(|(kind, rest)| (kind, rest.split(" RETURNS").next().unwrap_or_default()));
        let (kind, name) = made.expect("a kind and a name");
        let name = if kind == "TABLE" {
            name.split(" (").next().unwrap_or_default()
        } else {
            name
        };
        run(&mut app, &format!("DROP {kind} {name}"));
    }
    // What is not in the way stays its maker's.
    run(
        &mut app,
        "CREATE FUNCTION timedb.more() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
         GRANT EXECUTE ON FUNCTION timedb.more() TO timedb_user",
    );
    run(&mut admin, UPDATE);
    let granted = "SELECT count(*) FROM pg_proc p, LATERAL aclexplode(p.proacl) g \
                   WHERE p.proname = 'more' AND g.grantee = 'timedb_caller'::regrole";
    assert_eq!(one::<i64>(&mut admin, granted), 0);
}

/// 0.1.0 took any key that is not blank. What it stored so stays, and is found by the very same text.
#[test]
fn an_update_names_the_series_whose_keys_a_new_one_could_not_have() {
    let (cluster, _) = server_of_release();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let mut config: Config = cluster.server().url("postgres", DATABASE).parse().expect("a URL");
    config.notice_callback(move |notice| heard.lock().expect("nobody panicked").push(notice.message().to_owned()));
    let mut admin = config.connect(NoTls).expect("a superuser");
    let keys = "SELECT string_agg(series_key, '|' ORDER BY series_id) FROM timedb.series";
    let before: String = one(&mut admin, keys);
    run(&mut admin, UPDATE);
    assert_eq!(one::<String>(&mut admin, keys), before);
    let told = told.lock().expect("nobody panicked").join("\n");
    for (series_key, key) in [
        ("Su\u{308}d", r#""Su\u0308d""#),
        ("wind ", "\"wind \""),
        (" wind", "\" wind\""),
        ("sun's\t\"ray\"", r#""sun's\t\"ray\"""#),
    ] {
        let id = "SELECT series_id::text FROM timedb.series WHERE series_key = $1 LIMIT 1";
        let id: String = admin.query_one(id, &[&series_key]).expect("the series").get(0);
        let notice = format!("has the series {id}, {key}, whose key a new series could not have");
        assert!(told.contains(&notice), "{notice} in:\n{told}");
    }
    for other in ["\"heat\"", r#""S\u00fcd""#, "\"S\u{fc}d\""] {
        assert!(!told.contains(&format!(", {other}, whose")), "{told}");
    }
    let mut alice = cluster.connect("app", DATABASE).expect("app");
    alice
        .execute("SELECT timedb.authenticate($1)", &[&self::keys()["alice"]])
        .expect("her key");
    for (key, count) in [("Su\u{308}d", 1i64), ("wind ", 1), ("S\u{fc}d", 1)] {
        let sql = "SELECT count(DISTINCT series_id) FROM timedb.read(series_keys => $1) WHERE series_key = $2";
        let found = alice.query_one(sql, &[&vec![key], &key]).expect("a read");
        assert_eq!(found.get::<_, i64>(0), count, "{key:?}");
        let rows = serde_json::json!([{"valid_time": "2026-01-01T00:00:00Z", "value_key": key, "value": 1}]);
        alice
            .execute("SELECT timedb.upload(now(), $1)", &[&rows])
            .expect("it is written to");
    }
    assert_eq!(one::<String>(&mut admin, keys), before, "no new series");
}

/// Not by hand: what only an extension's script may do (pg_extension_config_dump) is in its script.
/// What a database gives to whatever is made in it is not what the extension gives.
#[test]
fn an_update_gives_nothing_that_the_database_gives_by_default() {
    let (cluster, mut admin) = server_of_release();
    run(
        &mut admin,
        "CREATE ROLE stranger; ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO stranger; \
         ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO stranger",
    );
    run(&mut admin, UPDATE);
    let given =
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'timedb'::regnamespace AND proacl::text LIKE '%stranger%'";
    assert_eq!(one::<i64>(&mut admin, given), 0);
    assert_whole(cluster.server(), DATABASE);
}

#[test]
fn an_update_that_is_run_again_changes_nothing() {
    let (cluster, mut admin) = server_of_release();
    run(&mut admin, UPDATE);
    run(
        &mut admin,
        "INSERT INTO timedb.key_ends VALUES (gen_random_uuid(), gen_random_uuid(), now()); \
         INSERT INTO timedb.withdrawals VALUES (gen_random_uuid(), gen_random_uuid(), now(), 'nobody'); \
         INSERT INTO timedb.maintenance_log (tenant_id, maintenance_id) VALUES (gen_random_uuid(), gen_random_uuid()); \
         INSERT INTO timedb.retention VALUES (gen_random_uuid(), gen_random_uuid(), '1 year', 'valid_time', NULL, now(), 'ops')",
    );
    let version = version(&mut admin);
    let updated = everything(&mut admin);
    let share: String = one(&mut admin, "SELECT setting FROM pg_config WHERE name = 'SHAREDIR'");
    let scripts = Project::default().upgrade_scripts().expect("the scripts");
    let here = scripts
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(&format!("--{version}.sql")));
    let mut at = version.clone();
    for (times, script) in here.enumerate() {
        let again = format!("again{times}");
        let name = format!("{share}/extension/timedb--{at}--{again}.sql");
        fs::copy(script, &name).unwrap_or_else(|error| panic!("{name}: {error}"));
        run(&mut admin, &format!("{UPDATE} TO '{again}'"));
        at = again;
    }
    assert_ne!(at, version, "the premise: a script leads to {version}");
    assert_eq!(self::version(&mut admin), at);
    assert_same(&everything(&mut admin), &updated);
    assert_answers(cluster.server(), DATABASE);
}

/// The other way to a new version: a dump names none, so it makes the extension that the server has.
#[test]
fn a_dump_of_a_release_restores_into_this_version() {
    let fresh = Database::fresh("dump of a release");
    let server = fresh.server();
    let name = format!("{}_restored", fresh.name());
    run(
        &mut server.connect("postgres", "postgres").expect("a superuser"),
        &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"),
    );
    restore_plain(server, &name, &fixture("dump.sql"));
    let mut admin = server.connect("postgres", &name).expect("a superuser");
    assert_same(&catalogs(&mut admin), &catalogs(&mut fresh.admin()));
    assert_whole(server, &name);
    drop(admin);
    server.drop_database(&name).expect("it is dropped");
}
