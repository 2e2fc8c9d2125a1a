//! What the original's users type, to the letter, and what their scripts cut out of the answers.

use regex::Regex;
use timedb_testkit::{Cluster, Options, refused};

use crate::support::{Typed, without_a_server};

const TENANT_A: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";
const TENANT_B: &str = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb";

/// As a script of theirs does it: without colours, and then by a pattern.
fn cut(typed: &str, pattern: &str) -> String {
    let plain = Regex::new(r"\x1b\[[0-9;]*m").expect("a pattern").replace_all(typed, "");
    let found = Regex::new(pattern).expect("a pattern").captures(&plain);
    found.unwrap_or_else(|| panic!("{pattern} is not in {plain}"))[1].to_owned()
}

fn api_key(typed: &str) -> String {
    assert!(
        typed.contains("Save the API key - it will not be shown again."),
        "{typed}"
    );
    cut(typed, r"API Key:\s*([^\s]+)")
}

struct Walk {
    cluster: Cluster,
}

impl Walk {
    fn dsn(&self) -> String {
        self.cluster.server().url("postgres", "walk")
    }

    /// With the DSN where the original's users write it.
    fn types(&self, line: &str) -> Typed {
        without_a_server().types(&line.replace("DSN", &self.dsn()))
    }

    #[track_caller]
    fn assert_key(&self, key: &str, works: bool) {
        let mut app = self.cluster.connect("timedb_web", "walk").expect("timedb_web");
        let login = app.query("SELECT timedb.authenticate($1)", &[&key]);
        match works {
            true => assert_eq!(login.expect("the key").len(), 1),
            false => drop(refused(login).code("28000")),
        }
    }
}

#[test]
fn the_walkthrough_works_as_it_is_typed() {
    let cluster = Options::default().bare().start().expect("a server of our own");
    let mut admin = cluster.connect("postgres", "postgres").expect("its superuser");
    admin
        .batch_execute("CREATE DATABASE walk TEMPLATE template0")
        .expect("a database");
    let walk = Walk { cluster };

    let created = walk.types("create tables --dsn DSN --with-users -y").done();
    assert!(created.contains("timedb_web"), "{created}");

    let line = format!("users create --dsn DSN --tenant-id {TENANT_A} --email alice@tenant-a.com");
    let alice = walk.types(&line).done();
    assert_eq!(cut(&alice, r"Tenant ID:\s*(\S+)"), TENANT_A);
    assert_eq!(cut(&alice, r"Email:\s*(\S+)"), "alice@tenant-a.com");
    let id = cut(&alice, r"User ID:\s*(\S+)");
    let first_key = api_key(&alice);
    walk.assert_key(&first_key, true);

    let line = format!("users create --dsn DSN --tenant-id {TENANT_B} --email bob@tenant-b.com");
    let bob = api_key(&walk.types(&line).done());
    walk.assert_key(&bob, true);

    let list = walk.types("users list --dsn DSN").done();
    assert!(list.starts_with("Users (2)\n"), "{list}");
    for word in [
        "Email",
        "User ID",
        "Tenant ID",
        "Status",
        "Created",
        "active",
        &id,
        TENANT_B,
    ] {
        assert!(list.contains(word), "{word}: {list}");
    }
    let of_one = walk
        .types(&format!("users list --dsn DSN --tenant-id {TENANT_A}"))
        .done();
    assert!(
        of_one.starts_with("Users (1)\n") && !of_one.contains(TENANT_B),
        "{of_one}"
    );

    walk.types("users deactivate --dsn DSN --email bob@tenant-b.com -y")
        .done();
    walk.assert_key(&bob, false);
    assert!(walk.types("users list --dsn DSN").done().starts_with("Users (1)\n"));
    let all = walk.types("users list --dsn DSN --include-inactive").done();
    assert!(all.starts_with("Users (2)\n") && all.contains("inactive"), "{all}");
    walk.types("users activate --dsn DSN --email bob@tenant-b.com").done();
    walk.assert_key(&bob, true);

    let second = walk
        .types("users regenerate-key --dsn DSN --email alice@tenant-a.com -y")
        .done();
    walk.assert_key(&first_key, false);
    walk.assert_key(&api_key(&second), true);

    let deleted = walk.types("delete tables --dsn DSN -y").done();
    assert!(deleted.contains("2 users"), "{deleted}");
    assert!(deleted.contains("Dropped the role timedb_web"), "{deleted}");
    let left = "SELECT count(*) FROM pg_roles WHERE rolname = 'timedb_web'";
    assert_eq!(admin.query_one(left, &[]).expect("a count").get::<_, i64>(0), 0);
    let again = walk.types("delete tables --dsn DSN -y").done();
    assert!(again.contains("nothing to delete"), "{again}");
}

#[test]
fn the_dsn_is_taken_from_either_variable_and_timedb_dsn_comes_first() {
    let nowhere = "postgresql://a@127.0.0.1:1/";
    for (ours, theirs, expected) in [("first", "second", "first"), ("", "second", "second")] {
        let typed = without_a_server()
            .env(
                "TIMEDB_DSN",
                &if ours.is_empty() {
                    String::new()
                } else {
                    format!("{nowhere}{ours}?sslmode={ours}")
                },
            )
            .env("DATABASE_URL", &format!("host={theirs}"))
            .types("users list");
        let said = typed.failed(if expected == "first" { 2 } else { 1 });
        assert_eq!(said.contains("sslmode"), expected == "first", "{said}");
    }
}
