//! A tenant in a file: exported, imported elsewhere, and as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::Client;
use sha2::{Digest, Sha256};
use timedb_testkit::{Database, Identity, one, one_of, run, wait_until};
use uuid::Uuid;

use crate::support::timedb;

/// A file that goes with its folder.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        let folder = std::env::temp_dir().join(format!("timedb-moving-{}", Uuid::now_v7()));
        fs::create_dir(&folder).expect("a folder");
        Folder(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("tenant.timedb")
    }

    fn names(&self) -> usize {
        fs::read_dir(&self.0).expect("the folder").count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The people of one tenant, with all that a tenant can have; Bob is another one's.
struct People {
    alice: Identity,
    carol: Identity,
    gone: Identity,
    bob: Identity,
}

fn fill(database: &Database) -> People {
    let (alice, bob) = database.two_tenants();
    let tenant = alice.tenant_id;
    let carol = database.create_user(tenant, "carol@tenant-a.com", "admin");
    let gone = database.create_user(tenant, "gone@tenant-a.com", "read");
    let mut admin = database.admin();
    run(
        &mut admin,
        &format!(
            "SELECT timedb.deactivate_user(user_id => '{}');
             SELECT timedb.create_key(user_id => '{}', name => E'it''s \"named\"\\twith \\\\', expires_at => '2099-01-01');
             SELECT timedb.revoke_key(k.key_id) FROM timedb.create_key(user_id => '{1}', name => 'ended') k;
             SELECT timedb.bind_role('app', '{tenant}', 'read');
             SELECT timedb.set_retention('1000 years', tenant_id => '{tenant}')",
            gone.user_id, alice.user_id
        ),
    );
    run(&mut admin, "CALL timedb.maintain()");
    for who in [&alice, &bob] {
        fill_tenant(&mut database.authenticated(who));
    }
    People {
        alice,
        carol,
        gone,
        bob,
    }
}

pub fn fill_tenant(client: &mut Client) {
    let statements = [
        r#"SELECT timedb.create_series('wind', 'm/s', E'tab\there, "quotes" and \\backslash',
                                       '{"site": "north", "height": 80, "ümlaut": "\\"}')"#,
        r#"SELECT timedb.upload_points('2025-01-01', array_agg('long'::text),
             array_agg('2025-01-01'::timestamptz + n * interval '1 hour'), array_agg(n / 7.0),
             run_params => '{"model": "x"}', known_time => '2024-12-31', workflow_id => 'nightly')
           FROM generate_series(1, 10000) AS n"#,
        r#"SELECT timedb.upload('2025-01-02', '[
             {"value_key": "heat", "valid_time": "2025-01-01T00:00Z", "value": -0.0},
             {"value_key": "heat", "valid_time": "2025-01-01T01:00Z", "value": "NaN"},
             {"value_key": "heat", "valid_time": "2025-01-01T02:00Z", "value": "-Infinity"},
             {"value_key": "heat", "valid_time": "2025-01-01T03:00Z", "value": null},
             {"value_key": "heat", "valid_time": "2025-01-01T04:00Z", "valid_time_end": "2025-01-01T05:00Z", "value": 1e300},
             {"value_key": "sun''s\u3000\"ray\" \\n", "valid_time": "2025-01-01T00:00Z", "value": 5e-324}]')"#,
        r#"SELECT timedb.update((SELECT json_agg(json_build_object(
             'run_id', r.run_id, 'series_id', r.series_id, 'valid_time', r.valid_time, 'value', 7,
             'annotation', E'a \\ "note"\nof two\tlines', 'tags', json_build_array('b', 'a, with {braces}')))
           FROM timedb.read(series_keys => '{heat}') r WHERE r.valid_time < '2025-01-01T02:00Z'))"#,
        "SELECT timedb.compact(older_than => '0')",
        r#"SELECT timedb.update((SELECT json_agg(json_build_object(
             'run_id', r.run_id, 'series_id', r.series_id, 'valid_time', r.valid_time, 'value', 8))
           FROM timedb.read(series_keys => '{heat}') r WHERE r.valid_time < '2025-01-01T01:00Z'))"#,
    ];
    for statement in statements {
        run(client, statement);
    }
    let mut mistake = |hour: &str| -> Uuid {
        let rows = format!(r#"[{{"value_key": "heat", "valid_time": "2025-01-01T{hour}:00Z", "value": 99}}]"#);
        let sql = "SELECT run_id FROM timedb.upload(now(), $1::text::json)";
        let taken = one_of(client, sql, &[&rows]);
        client
            .execute("SELECT timedb.withdraw_run($1, 'too \"hot\"')", &[&taken])
            .expect("it is withdrawn");
        taken
    };
    mistake("00");
    let restored = mistake("09");
    client
        .execute("SELECT timedb.restore_run($1)", &[&restored])
        .expect("it is restored");
}

/// What the tenant sees by each way to read, as lines.
pub fn told(database: &Database, who: &Identity, moments: &[String]) -> Vec<String> {
    let mut client = database.authenticated(who);
    let mut questions: Vec<String> = Vec::new();
    for mode in ["flat", "overlapping"] {
        for all in ["false", "true"] {
            questions.push(format!("timedb.read(mode => '{mode}', all_versions => {all})"));
            for moment in moments {
                questions.push(format!(
                    "timedb.read(mode => '{mode}', all_versions => {all}, as_of => '{moment}', series_keys => '{{heat}}')"
                ));
            }
        }
    }
    let further = [
        "timedb.read(labels => '{\"site\": \"north\"}')",
        "timedb.list_series()",
        "timedb.list_runs()",
        "timedb.stats()",
        "timedb.read_changes('2000-01-01', now())",
        "timedb.coverage()",
    ];
    questions.extend(further.map(str::to_owned));
    let mut lines = Vec::new();
    for question in questions {
        let rows = client.query(&format!("SELECT r::text FROM {question} r"), &[]);
        let rows = rows.unwrap_or_else(|error| panic!("{question}: {error:?}"));
        assert!(
            !rows.is_empty() || question.contains("as_of") || question.contains("labels"),
            "{question}"
        );
        lines.push(question);
        lines.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    lines
}

/// What whoever manages the tenant is told.
pub fn managed(database: &Database, admin: &Identity) -> Vec<String> {
    let mut client = database.authenticated(admin);
    let questions = [
        "timedb.list_users(include_inactive => true)",
        "timedb.list_keys()",
        "timedb.list_retention()",
        "timedb.list_audit()",
    ];
    let mut lines = Vec::new();
    for question in questions {
        let rows = client.query(&format!("SELECT r::text FROM {question} r"), &[]);
        let rows = rows.unwrap_or_else(|error| panic!("{question}: {error:?}"));
        assert!(!rows.is_empty(), "{question}");
        lines.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    lines.retain(|line| !line.contains("import_tenant"));
    lines
}

/// A moment after each change of the tenant.
fn moments(database: &Database, tenant: Uuid) -> Vec<String> {
    moments_at(&mut database.admin(), tenant)
}

pub fn moments_at(admin: &mut Client, tenant: Uuid) -> Vec<String> {
    let sql = "SELECT DISTINCT change_time::text FROM timedb.values WHERE tenant_id = $1
               UNION SELECT DISTINCT last_change_time::text FROM timedb.runs WHERE tenant_id = $1
               UNION SELECT withdrawn_at::text FROM timedb.withdrawals WHERE tenant_id = $1 ORDER BY 1";
    let rows = admin.query(sql, &[&tenant]).expect("moments");
    rows.iter().map(|row| row.get(0)).collect()
}

#[track_caller]
fn export(database: &Database, tenant: Uuid, path: &Path) -> String {
    let line = format!("export {tenant} {}", path.display());
    timedb(database, "postgres").types(&line).done()
}

#[track_caller]
fn import_refused(database: &Database, path: &Path) -> String {
    let line = format!("import {}", path.display());
    timedb(database, "postgres").types(&line).failed(1)
}

/// How many rows of a tenant there are, in all tables.
fn rows_of(database: &Database, tenant: Uuid) -> i64 {
    rows_at(&mut database.admin(), tenant)
}

pub fn rows_at(admin: &mut Client, tenant: Uuid) -> i64 {
    let sql = "SELECT format('(SELECT count(*) FROM %s WHERE tenant_id = $1)', a.attrelid::regclass)
               FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind = 'r' AND a.attname = 'tenant_id'";
    let counts = admin.query(sql, &[]).expect("the tables");
    assert_eq!(counts.len(), 13, "the premise: every table");
    let counts: Vec<String> = counts.iter().map(|row| row.get(0)).collect();
    one_of(admin, &format!("SELECT {}", counts.join(" + ")), &[&tenant])
}

#[test]
fn a_tenant_comes_back_as_it_was_and_lives_on() {
    let from = Database::fresh("export");
    let people = fill(&from);
    let tenant = people.alice.tenant_id;
    let folder = Folder::new();
    let said = export(&from, tenant, &folder.file());
    assert!(said.contains("users 3, keys 5"), "{said}");
    assert!(said.contains("app read"), "{said}");
    let mode = fs::metadata(folder.file()).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let to = Database::fresh("import");
    let said = timedb(&to, "postgres")
        .types(&format!("import {}", folder.file().display()))
        .done();
    assert!(said.contains("timedb.bind_role()"), "{said}");
    let moments = moments(&from, tenant);
    assert!(moments.len() > 5, "the premise: much has happened");
    let (before, after) = (told(&from, &people.alice, &moments), told(&to, &people.alice, &moments));
    assert_eq!(before.len(), after.len());
    let other = before.iter().zip(&after).find(|(before, after)| before != after);
    assert_eq!(other, None);
    assert_eq!(managed(&from, &people.carol), managed(&to, &people.carol));
    assert_eq!(
        one::<i64>(&mut to.admin(), "SELECT count(*) FROM timedb.self_check()"),
        0
    );

    for refused in [&people.gone, &people.bob] {
        let mut client = to.login("app");
        let sql = "SELECT timedb.authenticate($1)";
        assert!(client.execute(sql, &[&refused.api_key]).is_err(), "{refused:?}");
    }
    assert_eq!(rows_of(&to, people.bob.tenant_id), 0);
    let roles: i64 = one(&mut to.admin(), "SELECT count(*) FROM timedb.role_bindings");
    assert_eq!(roles, 0);
    let mut client = to.authenticated(&people.alice);
    fill_tenant(&mut client);
    let values: i64 = one(&mut client, "SELECT count(*) FROM timedb.read(mode => 'overlapping')");
    assert_eq!(values, 2 * 10_007, "what came, and as much again");
}

#[test]
fn a_file_holds_no_key_and_nothing_of_another_tenant() {
    let database = Database::fresh("export of one");
    let people = fill(&database);
    let folder = Folder::new();
    export(&database, people.alice.tenant_id, &folder.file());
    let bytes = fs::read(folder.file()).expect("the file");
    let at = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(1)
        .expect("a header")
        .0;
    let rows = zstd::decode_all(&bytes[at + 1..bytes.len() - 72]).expect("rows");
    let text = String::from_utf8(rows).expect("UTF-8") + &String::from_utf8_lossy(&bytes[..at]);
    assert!(text.contains("carol@tenant-a.com"), "the premise: it is the text");
    for key in [&people.alice, &people.carol, &people.gone].map(|who| &who.api_key) {
        assert!(!text.contains(key.as_str()) && !text.contains(&key[8..44]));
    }
    let bob = [people.bob.tenant_id, people.bob.user_id].map(|id| id.to_string());
    assert!(bob.iter().all(|id| !text.contains(id.as_str())) && !text.contains("tenant-b.com"));
}

#[test]
fn a_tenant_that_is_there_a_file_that_is_there_and_nobody_are_refused() {
    let database = Database::fresh("export refused");
    let (alice, bob) = database.two_tenants();
    let folder = Folder::new();
    let path = folder.file();
    export(&database, alice.tenant_id, &path);
    let line = format!("export {} {}", bob.tenant_id, path.display());
    let there = timedb(&database, "postgres").types(&line).failed(1);
    assert!(there.contains("exists") && there.contains("--force"), "{there}");
    let told = import_refused(&database, &path);
    assert!(told.contains("is there already"), "{told}");
    timedb(&database, "postgres").types(&format!("{line} --force")).done();
    assert!(import_refused(&database, &path).contains(&bob.tenant_id.to_string()));
    let nobody = format!("export {} {}", Uuid::now_v7(), folder.0.join("nobody").display());
    assert!(
        timedb(&database, "postgres")
            .types(&nobody)
            .failed(1)
            .contains("there is no tenant")
    );
    assert_eq!(folder.names(), 1);
    let mistyped = timedb(&database, "postgres").types("export alice file");
    assert_eq!(mistyped.code, Some(2), "{mistyped:?}");
}

#[test]
fn nobody_but_a_superuser_moves_a_tenant() {
    let database = Database::fresh("export by others");
    let (alice, _) = database.two_tenants();
    let folder = Folder::new();
    export(&database, alice.tenant_id, &folder.file());
    let other = Database::fresh("import by others");
    for role in ["app", "ops", "evil"] {
        let line = format!("export {} {}", alice.tenant_id, folder.0.join("other").display());
        let told = timedb(&database, role).types(&line).failed(1);
        assert!(
            told.contains(&format!("export needs a superuser, which \"{role}\" is not")),
            "{told}"
        );
        let line = format!("import {}", folder.file().display());
        let told = timedb(&other, role).types(&line).failed(1);
        assert!(told.contains("import needs a superuser"), "{told}");
    }
    assert_eq!((folder.names(), rows_of(&other, alice.tenant_id)), (1, 0));
}

/// A changed file whose checksum is right.
fn changed(bytes: &[u8], change: impl Fn(String) -> String, change_rows: impl Fn(String) -> String) -> Vec<u8> {
    let at = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(1)
        .expect("a header")
        .0
        + 1;
    let header = String::from_utf8(bytes[..at].to_vec()).expect("UTF-8");
    let rows = zstd::decode_all(&bytes[at..bytes.len() - 72]).expect("rows");
    let rows = change_rows(String::from_utf8(rows).expect("UTF-8"));
    let mut whole = change(header).into_bytes();
    whole.extend(zstd::encode_all(rows.as_bytes(), 1).expect("packed"));
    let sum: String = Sha256::digest(&whole)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    whole.extend(format!("sha256 {sum}\n").bytes());
    whole
}

#[test]
fn a_damaged_file_one_of_later_times_and_one_that_lies_store_nothing() {
    let from = Database::fresh("export to be damaged");
    let people = fill(&from);
    let tenant = people.alice.tenant_id;
    let folder = Folder::new();
    export(&from, tenant, &folder.file());
    let whole = fs::read(folder.file()).expect("the file");
    let to = Database::fresh("import of damage");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    let same = |text: String| text;
    let of = |from: &'static str, to: &'static str| {
        move |text: String| {
            assert!(text.contains(from), "the premise: {from} is in it");
            text.replacen(from, to, 1)
        }
    };
    let bob = people.bob.tenant_id.to_string();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("damaged", flipped, "checksum is another"),
        ("truncated", whole[..whole.len() - 1].to_vec(), "checksum is another"),
        (
            "of a later format",
            changed(&whole, of("archive 1", "archive 2"), same),
            "of format 2",
        ),
        (
            "of a newer timedb",
            changed(&whole, of("0.2.0", "0.10.0"), same),
            "is of timedb 0.10.0",
        ),
        (
            "of no table",
            changed(&whole, of("\"users\"", "\"pg_authid\""), same),
            "no table of a tenant's",
        ),
        (
            "of a table left out",
            changed(&whole, of("\"users\"", "\"role_bindings\""), same),
            "no table of a tenant's",
        ),
        (
            "of no column",
            changed(&whole, of("\"email\"", "\"email) FROM PROGRAM \""), same),
            "does not have",
        ),
        (
            "with a row less",
            changed(&whole, same, of("\\.\n", "x\ty\n\\.\n")),
            "the rows of timedb.users",
        ),
        (
            "cut off",
            changed(&whole, same, |rows| rows[..rows.len() - 3].to_owned()),
            "ends too soon",
        ),
        (
            "with more",
            changed(&whole, same, |rows| rows + "more\n"),
            "more in it than it says",
        ),
        (
            "with more rows than it says",
            changed(&whole, of("\"rows\":3", "\"rows\":2"), same),
            "more rows of timedb.users than the 2",
        ),
        (
            "with a row twice",
            changed(&whole, same, |rows| {
                let last = rows.trim_end_matches("\\.\n").lines().last().expect("a row").to_owned();
                rows.replace(&last, &format!("{last}\n{last}"))
            }),
            "",
        ),
    ];
    for (name, bytes, expected) in cases {
        let path = folder.0.join("changed");
        fs::write(&path, bytes).expect("the file");
        let told = import_refused(&to, &path);
        assert!(told.contains(expected), "{name}: {told}");
        assert_eq!(rows_of(&to, tenant), 0, "{name}: {told}");
        assert!(!told.contains(&bob));
    }
    timedb(&to, "postgres")
        .types(&format!("import {}", folder.file().display()))
        .done();
}

#[test]
fn another_tenant_can_be_made_of_a_file_without_its_keys() {
    let database = Database::fresh("import beside");
    let people = fill(&database);
    let folder = Folder::new();
    export(&database, people.alice.tenant_id, &folder.file());
    let beside = Uuid::now_v7();
    let line = format!("import {} --tenant-id {beside}", folder.file().display());
    let said = timedb(&database, "postgres").types(&line).done();
    assert!(said.contains("Left out: its keys"), "{said}");
    let mut admin = database.admin();
    let keys: i64 = one_of(
        &mut admin,
        "SELECT count(*) FROM timedb.api_keys WHERE tenant_id = $1",
        &[&beside],
    );
    assert_eq!(keys, 0);
    let sql = "SELECT api_key FROM timedb.create_key(email => $1, tenant_id => $2)";
    let row = admin.query_one(sql, &[&people.alice.email, &beside]).expect("a key");
    let alice = Identity {
        tenant_id: beside,
        api_key: row.get(0),
        ..people.alice.clone()
    };
    let moments = moments(&database, beside);
    assert_eq!(
        told(&database, &alice, &moments),
        told(&database, &people.alice, &moments)
    );
    // An operator who names somebody by the id alone means one of the two, as before.
    assert!(said.contains("Changed: the ids of 3 users"), "{said}");
    let user = people.gone.user_id.to_string();
    let twice = "SELECT count(*) FROM (SELECT user_id FROM timedb.users GROUP BY 1 HAVING count(*) > 1) AS twice";
    assert_eq!(one::<i64>(&mut admin, twice), 0);
    let activated = "SELECT tenant_id FROM timedb.activate_user(user_id => $1::text::uuid)";
    assert_eq!(
        one_of::<Uuid>(&mut database.login("ops"), activated, &[&user]),
        people.alice.tenant_id
    );
    // Its audit tells of its own users.
    let foreign = "SELECT count(*) FROM timedb.audit a WHERE a.tenant_id = $1 AND a.user_id IS NOT NULL
                   AND NOT EXISTS (SELECT FROM timedb.users u WHERE u.tenant_id = $1 AND u.user_id = a.user_id)";
    assert_eq!(one_of::<i64>(&mut admin, foreign, &[&beside]), 0);
}

#[test]
fn a_tenant_that_was_erased_comes_back_from_a_file() {
    let database = Database::fresh("import of the erased");
    let people = fill(&database);
    let tenant = people.alice.tenant_id;
    let folder = Folder::new();
    export(&database, tenant, &folder.file());
    let moments = moments(&database, tenant);
    let before = (
        told(&database, &people.alice, &moments),
        managed(&database, &people.carol),
    );
    let erase = "SELECT remaining FROM timedb.erase_tenant($1)";
    while one_of::<i64>(&mut database.admin(), erase, &[&tenant]) > 0 {}
    let line = format!("import {}", folder.file().display());
    timedb(&database, "postgres").types(&line).done();
    let mut after = (
        told(&database, &people.alice, &moments),
        managed(&database, &people.carol),
    );
    after.1.retain(|line| !line.contains("erase_tenant"));
    assert_eq!(before, after);
    told(&database, &people.bob, &[]);
}

#[test]
fn a_key_that_is_another_tenants_already_is_not_imported() {
    let database = Database::fresh("import of a key twice");
    let (alice, bob) = database.two_tenants();
    let folder = Folder::new();
    export(&database, alice.tenant_id, &folder.file());
    let other = Uuid::now_v7();
    let whole = fs::read(folder.file()).expect("the file");
    let from = alice.tenant_id.to_string();
    let lied = changed(&whole, |header| header.replace(&from, &other.to_string()), |rows| rows);
    fs::write(folder.file(), lied).expect("the file");
    assert!(import_refused(&database, &folder.file()).contains("is another tenant's"));
    assert_eq!(rows_of(&database, other), 0);
    database.authenticated(&alice);
    database.authenticated(&bob);
}

/// COPY would take a carriage return for the end of a row, and what follows it for a row that names its own tenant.
#[test]
fn a_file_cannot_hold_a_row_of_another_tenant_behind_a_carriage_return() {
    let database = Database::fresh("import of a row within a row");
    let (alice, bob) = database.two_tenants();
    let folder = Folder::new();
    export(&database, alice.tenant_id, &folder.file());
    let whole = fs::read(folder.file()).expect("the file");
    let erase = "SELECT remaining FROM timedb.erase_tenant($1)";
    while one_of::<i64>(&mut database.admin(), erase, &[&alice.tenant_id]) > 0 {}
    let stolen = "Drmhze6EPcv0fN_81Bj-nA-9x4k6Rk9mS2Y7tq0aXoE";
    let hash: String = Sha256::digest(stolen)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let lied = changed(
        &whole,
        |header| header,
        |rows| {
            let key = rows
                .lines()
                .find(|line| line.contains("\\\\x"))
                .expect("a row of a key")
                .to_owned();
            let (before, after) = key.split_once("\\\\x").expect("its hash");
            let of_bob = format!("{before}\\\\x{hash}{}", &after[64..])
                .replace(&alice.user_id.to_string(), &bob.user_id.to_string());
            rows.replace(&key, &format!("{key}\r{}\t{of_bob}\r\\.\r", bob.tenant_id))
        },
    );
    fs::write(folder.file(), lied).expect("the file");
    let before = rows_of(&database, bob.tenant_id);
    let told = import_refused(&database, &folder.file());
    assert!(told.contains("carriage return"), "{told}");
    assert_eq!(rows_of(&database, bob.tenant_id), before);
    let opened = database
        .login("app")
        .execute("SELECT timedb.authenticate($1)", &[&stolen]);
    assert!(opened.is_err());
}

/// An operator's revoke_key() would end the one or the other.
#[test]
fn the_id_of_another_tenants_key_is_not_imported() {
    let database = Database::fresh("import of a key's id twice");
    let (alice, _) = database.two_tenants();
    let folder = Folder::new();
    export(&database, alice.tenant_id, &folder.file());
    let other = Uuid::now_v7();
    let whole = fs::read(folder.file()).expect("the file");
    let from = alice.tenant_id.to_string();
    let hash: String = one_of(
        &mut database.admin(),
        "SELECT encode(key_hash, 'hex') FROM timedb.api_keys WHERE tenant_id = $1",
        &[&alice.tenant_id],
    );
    let lied = changed(
        &whole,
        |header| header.replace(&from, &other.to_string()),
        |rows| rows.replace(&hash, &"ab".repeat(32)),
    );
    fs::write(folder.file(), lied).expect("the file");
    let told = import_refused(&database, &folder.file());
    assert!(told.contains("is another tenant's"), "{told}");
    assert_eq!(rows_of(&database, other), 0);
}

#[test]
fn what_is_broken_off_leaves_nothing() {
    let from = Database::fresh("export broken off");
    let people = fill(&from);
    let tenant = people.alice.tenant_id;
    let folder = Folder::new();
    export(&from, tenant, &folder.file());
    let to = Database::fresh("import broken off");
    let other = folder.0.join("other");
    let words = [
        (
            &from,
            vec!["export".to_owned(), tenant.to_string(), other.display().to_string()],
        ),
        (&to, vec!["import".to_owned(), folder.file().display().to_string()]),
    ];
    for (database, words) in words {
        let (mut holder, mut admin) = (database.admin(), database.admin());
        let mut held = holder.transaction().expect("a transaction");
        // Held so, packs are neither counted by the one nor written by the other; all before is done by then.
        let mode = if words[0] == "export" {
            "ACCESS EXCLUSIVE"
        } else {
            "SHARE"
        };
        held.batch_execute(&format!("LOCK TABLE timedb.packs IN {mode} MODE"))
            .expect("a lock");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let child = timedb(database, "postgres").starts(&words);
        let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                       WHERE d.datname = current_database() AND NOT l.granted";
        wait_until("the command waits for the lock", || {
            one::<i64>(&mut admin, waiting) == 1
        });
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .expect("kill")
                .success()
        );
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("timedb: interrupted"),
            "{output:?}"
        );
        // The server sees that nobody asks any more, while the lock is still held.
        wait_until("the server has given up", || one::<i64>(&mut admin, waiting) == 0);
        held.rollback().expect("the lock goes");
        assert_eq!(folder.names(), 1);
    }
    assert_eq!(rows_of(&to, tenant), 0);
}

#[test]
fn a_database_without_timedb_or_with_a_table_that_nobody_knows_is_refused() {
    let database = Database::fresh("export of another time");
    let (alice, _) = database.two_tenants();
    let folder = Folder::new();
    let line = format!("export {} {}", alice.tenant_id, folder.file().display());
    let mut admin = database.admin();
    run(&mut admin, "CREATE TABLE timedb.forecasts (tenant_id uuid)");
    let told = timedb(&database, "postgres").types(&line).failed(1);
    assert!(told.contains("timedb.forecasts is newer than this command"), "{told}");
    run(&mut admin, "DROP TABLE timedb.forecasts");
    export(&database, alice.tenant_id, &folder.file());
    run(&mut admin, "DROP EXTENSION timedb");
    assert!(import_refused(&database, &folder.file()).contains("has no timedb"));
}
