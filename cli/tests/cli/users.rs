use regex::Regex;
use serde_json::Value;
use timedb_testkit::{Database, Identity, refused};
use uuid::Uuid;

use crate::support::{Typed, timedb};

const TENANT: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb";

/// As an operator.
fn ops(database: &Database, line: &str) -> Typed {
    timedb(database, "ops").types(line)
}

fn read(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn an_email_of_two_tenants_needs_the_tenant() {
    let database = Database::fresh("cli two tenants");
    for tenant in [TENANT, OTHER] {
        ops(&database, &format!("users create --tenant-id {tenant} --email a@b.c")).done();
    }
    for line in [
        "users deactivate --email a@b.c -y",
        "users activate --email a@b.c",
        "users regenerate-key --email a@b.c -y",
        "keys create --email a@b.c",
    ] {
        let said = ops(&database, line).failed(1);
        assert!(
            said.contains("--tenant-id is needed") && said.contains("several tenants"),
            "{said}"
        );
        ops(&database, &format!("{line} --tenant-id {TENANT}")).done();
    }
    let listed = ops(&database, "users list --include-inactive --json").done();
    let of_other = read(&listed).into_iter().find(|user| user["tenant_id"] == OTHER);
    assert_eq!(of_other.expect("the other's")["status"], "active");
    let twice = ops(&database, &format!("users create --tenant-id {TENANT} --email a@b.c")).failed(1);
    assert!(twice.contains("a@b.c"), "{twice}");
}

#[test]
fn a_key_is_printed_where_it_is_made_and_nowhere_else() {
    let database = Database::fresh("cli keys");
    let made = ops(
        &database,
        &format!("users create --tenant-id {TENANT} --email a@b.c --scope admin --json"),
    )
    .done();
    let alice = read(&made).remove(0);
    let admin_key = alice["api_key"].as_str().expect("a key").to_owned();
    let with_key = |line: &str| {
        timedb(&database, "caller")
            .env("TIMEDB_API_KEY", &admin_key)
            .types(line)
    };
    let second = with_key("keys create --email a@b.c --name reader --scope read --expires-at 2999-01-01").done();
    assert!(second.starts_with("Key created\nKey ID: "), "{second}");
    let second_id = &Regex::new(r"Key ID: (\S+)")
        .expect("a pattern")
        .captures(&second)
        .expect("an id")[1];
    let second_key = &Regex::new(r"API Key: (\S+)")
        .expect("a pattern")
        .captures(&second)
        .expect("a key")[1];

    let listed = with_key("keys list").done();
    assert!(
        listed.starts_with("Keys (2)\n") && listed.contains("reader"),
        "{listed}"
    );
    let audit = with_key("audit --json").done();
    assert!(read(&audit).len() >= 2, "{audit}");
    let users = with_key("users list").done();
    for text in [&listed, &audit, &users] {
        assert!(!text.contains(&admin_key) && !text.contains(second_key), "{text}");
    }
    let asked = with_key(&format!("keys revoke {second_id}")).failed(2);
    assert!(asked.contains("-y"), "{asked}");
    let revoked = with_key(&format!("keys revoke {second_id} -y")).done();
    assert!(revoked.starts_with("Key revoked"), "{revoked}");
    let login = database
        .login("app")
        .query("SELECT timedb.authenticate($1)", &[&second_key]);
    refused(login).code("28000");
    let mistaken = with_key(&format!("keys revoke {admin_key}")).failed(2);
    assert!(!mistaken.contains(&admin_key), "{mistaken}");
    assert!(
        with_key("keys revoke 00000000-0000-0000-0000-000000000000 -y")
            .failed(1)
            .contains("does not exist")
    );
}

#[test]
fn a_key_manages_its_own_tenant_and_an_operator_every_one() {
    let database = Database::fresh("cli managers");
    let (alice, bob) = (
        database.create_user(TENANT.parse().expect("an id"), "alice@a.com", "admin"),
        database.create_user(OTHER.parse().expect("an id"), "bob@b.com", "write"),
    );
    let by = |who: &Identity, role: &str, line: &str| timedb(&database, role).with_key_of(who).types(line);
    assert!(by(&alice, "caller", "users list").done().starts_with("Users (1)"));
    // Where a key is given it is the key that counts, unless one says otherwise.
    assert!(by(&alice, "ops", "users list").done().starts_with("Users (1)"));
    assert!(
        by(&alice, "ops", "users list --as-operator")
            .done()
            .starts_with("Users (2)")
    );
    let foreign = by(
        &alice,
        "caller",
        &format!("users create --tenant-id {OTHER} --email c@d.e"),
    )
    .failed(1);
    assert!(!foreign.contains("bob"), "{foreign}");
    for line in [
        "users list",
        "keys list",
        "audit",
        &format!("users create --tenant-id {OTHER} --email c@d.e"),
        "users deactivate --email bob@b.com -y",
    ] {
        let said = by(&bob, "caller", line).failed(1);
        assert!(said.contains("scope"), "{line}: {said}");
        let said = timedb(&database, "caller").types(line).failed(1);
        assert!(said.contains("API key required"), "{line}: {said}");
    }
    for line in [
        "bindings",
        "stats --all",
        "maintain",
        &format!("bind app --tenant-id {TENANT}"),
    ] {
        let said = timedb(&database, "caller").types(line).failed(1);
        assert!(said.contains("permission denied"), "{line}: {said}");
    }
    let unknown = by(&alice, "caller", "users deactivate --email bob@b.com -y").failed(1);
    assert!(unknown.contains("user \"bob@b.com\" does not exist"), "{unknown}");
}

#[test]
fn roles_are_bound_listed_and_let_go() {
    let database = Database::fresh("cli bindings");
    let role = format!("cli_bound_{}", std::process::id());
    let mut admin = database.admin();
    admin
        .batch_execute(&format!("CREATE ROLE {role} LOGIN IN ROLE timedb_user"))
        .expect("a role");
    ops(&database, &format!("bind {role} --tenant-id {TENANT}")).done();
    let listed = ops(&database, "bindings").done();
    assert!(listed.contains(&role) && listed.contains(TENANT), "{listed}");
    // It needs no key, and is asked for none.
    timedb(&database, &role).types("stats").done();
    ops(&database, &format!("unbind {role} -y")).done();
    assert!(ops(&database, &format!("unbind {role} -y")).failed(1).contains(&role));
    assert_eq!(ops(&database, "bindings").done(), "(0 rows)\n");
    admin.batch_execute(&format!("DROP ROLE {role}")).expect("dropped");
}

#[test]
fn a_table_that_is_too_wide_for_the_terminal_is_shown_column_by_column() {
    let database = Database::fresh("cli narrow");
    ops(&database, &format!("users create --tenant-id {TENANT} --email a@b.c")).done();
    let wide = ops(&database, "users list").done();
    assert!(wide.lines().nth(1).expect("a frame").starts_with('┌'), "{wide}");
    let colours = Regex::new(r"\x1b\[[0-9;]*m").expect("a pattern");
    for narrow in [
        timedb(&database, "ops").env("COLUMNS", "60").types("users list").done(),
        timedb(&database, "ops")
            .types_at_a_terminal(60, "users list", "")
            .done(),
    ] {
        let plain = colours.replace_all(&narrow, "");
        assert!(plain.contains("User ID    "), "{plain}");
        assert!(
            plain.lines().all(|line| line.trim_end().chars().count() <= 60),
            "{plain}"
        );
    }
}

#[test]
fn colours_are_for_terminals_and_only_where_they_are_wanted() {
    let database = Database::fresh("cli colours");
    let coloured = timedb(&database, "ops")
        .types_at_a_terminal(80, "users list", "")
        .done();
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    let plain = timedb(&database, "ops")
        .env("NO_COLOR", "1")
        .types_at_a_terminal(80, "users list", "");
    assert!(!plain.done().contains("\u{1b}["));
    assert!(!ops(&database, "users list").done().contains("\u{1b}["));
    let mistyped = ops(&database, "users lost").failed(2);
    assert!(!mistyped.contains("\u{1b}["), "{mistyped:?}");
}

#[test]
fn what_tenants_write_does_not_command_a_terminal() {
    let database = Database::fresh("cli escapes");
    let email = "a\u{1b}]0;owned\u{7}@b.c";
    let words = ["users", "create", "--tenant-id", TENANT, "--email", email];
    let created = timedb(&database, "ops").types_words(&words);
    let made = created.code == Some(0);
    if !made {
        // Then it is by the name of a key.
        ops(&database, &format!("users create --tenant-id {TENANT} --email a@b.c")).done();
    }
    let name = "n\u{1b}[2J\u{9b}1m";
    let words = [
        "keys",
        "create",
        "--email",
        if made { email } else { "a@b.c" },
        "--name",
        name,
    ];
    timedb(&database, "ops").types_words(&words).done();
    for line in ["keys list", "users list", "audit", "keys list --json", "audit --json"] {
        let shown = ops(&database, line).done();
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{line}: {shown:?}");
    }
    let names = read(&ops(&database, "keys list --json").done());
    assert!(
        names.iter().any(|key| key["name"] == name),
        "a program gets what was written: {names:?}"
    );
}

#[test]
fn ids_are_checked_before_anybody_is_asked() {
    let database = Database::fresh("cli ids");
    for line in [
        "users create --tenant-id nobody --email a@b.c",
        "users create --email a@b.c",
        "users deactivate -y",
        "users deactivate -y --email a --user-id 00000000-0000-0000-0000-000000000000",
        "keys create --email a --scope all",
        "bind app",
    ] {
        ops(&database, line).failed(2);
    }
    let late = format!("users regenerate-key --user-id {} -y", Uuid::nil());
    assert!(ops(&database, &late).failed(1).contains("does not exist"));
}

#[test]
fn a_function_of_somebody_elses_is_not_called_by_an_operator_who_types() {
    let database = Database::fresh("cli trap");
    database.create_user(TENANT.parse().expect("an id"), "a@b.c", "write");
    let mut admin = database.admin();
    admin
        .batch_execute("GRANT CREATE ON SCHEMA public TO evil")
        .expect("granted");
    let trap = "CREATE FUNCTION public.trap(bigint, text) RETURNS bigint LANGUAGE plpgsql AS \
                  'BEGIN RAISE EXCEPTION USING MESSAGE = ''called by '' || current_user; END'; \
                CREATE AGGREGATE public.count(text) (SFUNC = public.trap, STYPE = bigint, INITCOND = '0')";
    database.login("evil").batch_execute(trap).expect("a trap");
    admin
        .query("SELECT count('a'::text)", &[])
        .expect_err("the premise: it fits better than Postgres' own");
    let asked = timedb(&database, "postgres").types("delete tables").failed(2);
    assert!(asked.contains("1 user will be lost"), "{asked}");
}

#[test]
fn at_a_terminal_a_key_is_asked_for() {
    let database = Database::fresh("cli prompt");
    let (alice, _) = database.two_tenants();
    let typed = timedb(&database, "caller").types_at_a_terminal(120, "stats", &format!("{}\n", alice.api_key));
    let shown = typed.done();
    assert!(shown.contains("API key: ") && shown.contains("value_count"), "{shown}");
    let typed = timedb(&database, "caller").types_at_a_terminal(120, "stats", "tdb_mistyped\n");
    assert_eq!(typed.code, Some(1), "{typed:?}");
    assert!(typed.out.contains("Invalid or inactive API key."), "{typed:?}");
}
