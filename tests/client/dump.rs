//! A dump holds everything and no key: restored into another database, of the same server or of a new one, timedb is as
//! it was and goes on.

mod ways;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Cluster, Database, Identity, Options, Server, one, refused, run};
use uuid::Uuid;

use crate::catalog::{Snapshot, assert_same, everything};
use crate::support::{hour, update, upload, value_row, value_update};

/// Alice of one tenant, Bob of another, an admin whose key was rotated, a deactivated user, a bound role; values of every
/// kind, updated, annotated and tagged, some of them in packs.
fn fill(database: &Database) -> Vec<Identity> {
    let (alice, bob) = database.two_tenants();
    let carol = database.create_user(alice.tenant_id, "carol@tenant-a.com", "admin");
    let mut admin = database.admin();
    let gone = database.create_user(bob.tenant_id, "gone@tenant-b.com", "read");
    let rotate = "SELECT timedb.regenerate_key(user_id => $1)";
    let row = admin.query_one(rotate, &[&carol.user_id]).expect("a new key");
    let carol = Identity {
        api_key: row.get(0),
        ..carol
    };
    run(
        &mut admin,
        &format!(
            "SELECT timedb.deactivate_user(user_id => '{}'); \
             SELECT timedb.create_key(user_id => '{}', name => 'it''s \"named\"', expires_at => '2099-01-01'); \
             SELECT timedb.revoke_key(k.key_id) FROM timedb.create_key(user_id => '{1}', name => 'ended') k; \
             INSERT INTO timedb.role_bindings (role_name, tenant_id, scope) VALUES ('reporting', '{2}', 'read'); \
             SELECT timedb.set_retention('1000 years', tenant_id => '{2}'); \
             INSERT INTO timedb.maintenance_log (tenant_id, maintenance_id, finished_at, error) \
               VALUES ('{2}', gen_random_uuid(), now(), 'XX001')",
            gone.user_id, alice.user_id, alice.tenant_id
        ),
    );
    for identity in [&alice, &bob, &carol] {
        let mut client = database.authenticated(identity);
        fill_tenant(&mut client);
        take_back(&mut client);
    }
    vec![alice, bob, carol]
}

/// A run that was withdrawn and restored, and is withdrawn.
fn take_back(client: &mut Client) {
    let mistake = upload(client, &json!([value_row("heat", hour(0), 99)])).run_id;
    for sql in [
        "SELECT timedb.withdraw_run($1, 'too \"hot\"')",
        "SELECT timedb.restore_run($1)",
        "SELECT timedb.withdraw_run($1)",
    ] {
        client.execute(sql, &[&mistake]).expect("it is taken back");
    }
}

pub fn fill_tenant(client: &mut Client) {
    run(
        client,
        r#"SELECT timedb.create_series('wind', 'm/s', E'tab\there, "quotes" and \\backslash',
                                       '{"site": "north", "height": 80, "ümlaut": "\\"}')"#,
    );
    let interval = json!({"valid_time": hour(9).to_string(), "valid_time_end": hour(10).to_string(), "value_key": "heat",
                          "value": 1e300});
    let uploaded = upload(
        client,
        &json!([
            value_row("heat", hour(0), -0.0),
            value_row("heat", hour(1), "NaN"),
            value_row("heat", hour(5), "-Infinity"),
            value_row("heat", hour(7), serde_json::Value::Null),
            value_row("sun's\u{3000}\"ray\" \\n", hour(0), 5e-324),
            interval,
        ]),
    );
    run(
        client,
        "SELECT timedb.upload_points('2025-01-01', array_agg('long'::text), \
           array_agg('2025-01-01'::timestamptz + n * interval '1 hour'), array_agg(n / 7.0), \
           run_params => '{\"model\": \"x\"}', known_time => '2024-12-31', workflow_id => 'nightly') \
         FROM generate_series(1, 10000) AS n",
    );
    let (run_id, heat) = (uploaded.run_id, uploaded.series("heat"));
    let remarks = json!({"annotation": "a \\ \"note\"\nof two lines", "tags": ["b", "a, with {braces}"]});
    update(client, &json!([value_update(run_id, heat, hour(0), remarks)]));
    run(client, "SELECT timedb.compact(older_than => '0')");
    update(
        client,
        &json!([value_update(run_id, heat, hour(1), json!({"value": 2}))]),
    );
}

/// Runs one of Postgres' own programs, as a superuser of a database: what it prints, if it has nothing to complain of.
#[track_caller]
pub fn run_program(server: &Server, program: &str, database: &str, arguments: &[&str]) -> String {
    succeed(server.command(program, "postgres", database).args(arguments))
}

/// What a program prints that has nothing to complain of.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{said}");
    assert_eq!(said, "", "{command:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Restores a plain dump, all of it or nothing.
#[track_caller]
pub fn restore_plain(server: &Server, database: &str, dump: &Path) {
    let psql = [
        "--no-psqlrc",
        "--quiet",
        "--output=/dev/null",
        "--set=ON_ERROR_STOP=1",
        "-1",
        "--file",
        text(dump),
    ];
    run_program(server, "psql", database, &psql);
}

/// A dump of a database in both formats, in a folder that goes with it.
struct Dump {
    folder: PathBuf,
}

impl Dump {
    fn of(database: &Database) -> Dump {
        let folder = std::env::temp_dir().join(database.name());
        fs::create_dir_all(&folder).expect("a folder for the dumps");
        let dump = Dump { folder };
        for (format, path) in [("plain", dump.plain()), ("custom", dump.custom())] {
            let format = format!("--format={format}");
            run_program(
                database.server(),
                "pg_dump",
                database.name(),
                &[&format, "--file", text(&path)],
            );
        }
        dump
    }

    fn plain(&self) -> PathBuf {
        self.folder.join("plain.sql")
    }

    fn custom(&self) -> PathBuf {
        self.folder.join("custom.dump")
    }

    /// Each format into a new database of a server; both are then as the one that was dumped.
    fn restore_on(&self, server: &Server, name: &str) -> [String; 2] {
        let (plain, custom) = (format!("{name}_plain"), format!("{name}_custom"));
        let mut admin = server.connect("postgres", "postgres").expect("a superuser");
        for database in [&plain, &custom] {
            run(
                &mut admin,
                &format!("CREATE DATABASE \"{database}\" TEMPLATE template0"),
            );
        }
        restore_plain(server, &plain, &self.plain());
        let archive = self.custom();
        let pg_restore = ["--exit-on-error", "-1", "--dbname", &custom, text(&archive)];
        run_program(server, "pg_restore", &custom, &pg_restore);
        [plain, custom]
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// What is in a database, and what each of its people reads there.
pub struct Dumped {
    people: Vec<Identity>,
    rows: Snapshot,
    reads: Vec<Vec<String>>,
}

impl Dumped {
    pub fn of(database: &Database) -> Dumped {
        let people = fill(database);
        let rows = everything(&mut database.admin());
        let reads = people
            .iter()
            .map(|identity| every_version(&mut database.authenticated(identity)));
        Dumped {
            reads: reads.collect(),
            rows,
            people,
        }
    }
}

/// Every version of every value, as text, in the order of a read.
fn every_version(client: &mut Client) -> Vec<String> {
    let sql = "SELECT r::text FROM timedb.read(mode => 'overlapping', all_versions => true) r";
    let rows = client.query(sql, &[]).expect("a read");
    rows.iter().map(|row| row.get(0)).collect()
}

#[track_caller]
fn logged_in(server: &Server, name: &str, identity: &Identity) -> Client {
    let mut client = server.connect("app", name).expect("app");
    let sql = "SELECT email FROM timedb.authenticate($1)";
    let row = client
        .query_one(sql, &[&identity.api_key])
        .expect("the key still logs in");
    assert_eq!(row.get::<_, &str>(0), identity.email);
    client
}

/// The restored database is the dumped one, and lives on.
#[track_caller]
fn assert_restored(server: &Server, name: &str, dumped: &Dumped) {
    let mut admin = server.connect("postgres", name).expect("a superuser");
    assert_same(&everything(&mut admin), &dumped.rows);
    assert_lives_on(server, name, dumped);
}

/// Keys log in, reads answer what they did, and writes go on.
#[track_caller]
pub fn assert_lives_on(server: &Server, name: &str, dumped: &Dumped) {
    let mut admin = server.connect("postgres", name).expect("a superuser");
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
    let mut clients: Vec<Client> = dumped
        .people
        .iter()
        .map(|identity| logged_in(server, name, identity))
        .collect();
    for (client, dumped) in clients.iter_mut().zip(&dumped.reads) {
        let read = every_version(client);
        assert_eq!(read.len(), dumped.len());
        let other = read.iter().zip(dumped).find(|(read, dumped)| read != dumped);
        assert_eq!(other, None);
    }
    for mut client in clients {
        let before: i64 = one(&mut client, "SELECT count(*) FROM timedb.read(mode => 'overlapping')");
        assert!(before > 10_000);
        fill_tenant(&mut client);
        let after: i64 = one(&mut client, "SELECT count(*) FROM timedb.read(mode => 'overlapping')");
        assert_eq!(after, before + 10_006);
    }
}

#[test]
fn a_dump_restores_into_a_fresh_database_of_the_same_server() {
    let database = Database::fresh("dump and restore");
    let dumped = Dumped::of(&database);
    let dump = Dump::of(&database);
    for restored in dump.restore_on(database.server(), database.name()) {
        assert_restored(database.server(), &restored, &dumped);
        database.server().drop_database(&restored).expect("it is dropped");
    }
}

#[test]
fn a_dump_restores_into_a_new_server_that_has_none_of_the_roles() {
    let database = Database::fresh("dump and move");
    let dumped = Dumped::of(&database);
    let dump = Dump::of(&database);
    let cluster: Cluster = Options::default().bare().start().expect("another server");
    let restored = dump.restore_on(cluster.server(), "moved");
    let mut admin = cluster.connect("postgres", "postgres").expect("its superuser");
    // Members are roles', not databases': pg_dumpall has them.
    run(&mut admin, "CREATE ROLE app LOGIN IN ROLE timedb_user");
    for restored in restored {
        assert_restored(cluster.server(), &restored, &dumped);
    }
}

#[test]
fn a_dump_holds_hashes_and_no_key() {
    let database = Database::fresh("dump without keys");
    let people = fill(&database);
    let dump = fs::read_to_string(Dump::of(&database).plain()).expect("the dump");
    let tenant: Uuid = people[0].tenant_id;
    assert!(
        dump.contains(&tenant.to_string()),
        "the premise: it holds the keys' rows"
    );
    for identity in &people {
        // Neither the key nor the part of it that is secret.
        assert!(!dump.contains(&identity.api_key));
        assert!(!dump.contains(&identity.api_key[8..44]));
    }
}

/// Many at once restore tables in no order that anybody keeps; as many users as make their table take its time.
#[test]
fn a_restore_by_many_at_once_keeps_every_key() {
    const USERS: usize = 200;
    let database = Database::fresh("dump for many");
    let dumped = Dumped::of(&database);
    let tenant = dumped.people[0].tenant_id;
    let user = |number| database.create_user(tenant, &format!("user{number}@tenant-a.com"), "read");
    let users: Vec<Identity> = (0..USERS).map(user).collect();
    let rows = everything(&mut database.admin());
    let server = database.server();
    let folder = Dump::of(&database);
    let directory = folder.folder.join("directory");
    let pg_dump = ["--format=directory", "--jobs=2", "--file", text(&directory)];
    run_program(server, "pg_dump", database.name(), &pg_dump);
    let mut admin = server.connect("postgres", "postgres").expect("a superuser");
    for archive in [directory, folder.custom()] {
        for jobs in ["1", "2", "4", "8"] {
            let restored = format!("{}_by_{jobs}", database.name());
            run(
                &mut admin,
                &format!("CREATE DATABASE \"{restored}\" TEMPLATE template0"),
            );
            let pg_restore = ["--exit-on-error", "--jobs", jobs, "--dbname", &restored, text(&archive)];
            run_program(server, "pg_restore", &restored, &pg_restore);
            let mut inside = server.connect("postgres", &restored).expect("a superuser");
            assert_same(&everything(&mut inside), &rows);
            assert_eq!(one::<i64>(&mut inside, "SELECT count(*) FROM timedb.self_check()"), 0);
            for identity in dumped.people.iter().chain(&users[USERS - 3..]) {
                logged_in(server, &restored, identity);
            }
            drop(inside);
            server.drop_database(&restored).expect("it is dropped");
        }
    }
}

/// What the foreign key once kept from being there.
#[test]
fn a_key_without_its_user_is_refused_and_self_check_counts_it() {
    let database = Database::fresh("a key without its user");
    let (alice, bob) = database.two_tenants();
    let mut admin = database.admin();
    run(
        &mut admin,
        &format!("DELETE FROM timedb.users WHERE user_id = '{}'", alice.user_id),
    );
    let mut client = database.login("app");
    refused(client.execute("SELECT timedb.authenticate($1)", &[&alice.api_key]))
        .code("28000")
        .message("Invalid or inactive API key.");
    database.authenticated(&bob);
    for role in ["postgres", "ops"] {
        let mut checker = database.server().connect(role, database.name()).expect(role);
        let row = checker
            .query_one("SELECT promise, object, found FROM timedb.self_check()", &[])
            .expect("one promise");
        let told: [&str; 3] = [row.get(0), row.get(1), row.get(2)];
        assert_eq!(
            told,
            ["every key is that of a user", "timedb.api_keys", "1 without one"]
        );
        // And is found by having no email.
        let found = "SELECT user_id FROM timedb.list_keys() WHERE email IS NULL";
        assert_eq!(one::<uuid::Uuid>(&mut checker, found), alice.user_id);
    }
}
