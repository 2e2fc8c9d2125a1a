//! Whatever is wrong with the server or the key, every command says so, and does nothing.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use timedb_testkit::Database;

use crate::support::{clean, timedb, without_a_server};

const ID: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";

/// Every command that asks a server, with arguments that are right.
fn commands() -> Vec<String> {
    let lines = [
        "create tables",
        "delete tables -y",
        "users create --tenant-id ID --email a@b.c",
        "users list",
        "users deactivate --email a@b.c -y",
        "users activate --email a@b.c",
        "users regenerate-key --email a@b.c -y",
        "keys create --email a@b.c",
        "keys list",
        "keys revoke ID -y",
        "bind app --tenant-id ID",
        "unbind app -y",
        "bindings",
        "audit",
        "check",
        "stats",
        "stats --all",
        "maintain",
        "retention set --keep forever",
        "retention list",
        "retention apply -y",
        "runs list",
        "runs withdraw ID",
        "runs restore ID",
        "series list",
        "series update ID --unit m",
        "erase run ID -y",
        "erase series ID -y",
        "erase tenant ID -y",
        "upload CSV",
        "read",
        "export ID NEW",
        "import ARCHIVE",
        "import-original postgresql://a@127.0.0.1:1/a",
    ];
    let files = Files::of_all();
    let put = |line: &str| {
        let names = [
            ("ID", ID),
            ("CSV", &files.csv),
            ("NEW", &files.new),
            ("ARCHIVE", &files.archive),
        ];
        names
            .into_iter()
            .fold(line.to_owned(), |line, (name, value)| line.replace(name, value))
    };
    lines.map(put).to_vec()
}

/// What commands read and write, for all tests of this page.
struct Files {
    csv: String,
    new: String,
    archive: String,
}

impl Files {
    fn of_all() -> &'static Self {
        static FILES: OnceLock<Files> = OnceLock::new();
        FILES.get_or_init(|| {
            let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cli-mistakes");
            std::fs::create_dir_all(&folder).expect("a folder");
            let path = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
            let files = Self {
                csv: path("rows.csv"),
                new: path("new.timedb"),
                archive: path("tenant.timedb"),
            };
            std::fs::write(&files.csv, "valid_time,wind\n2025-01-01T00:00:00Z,1\n").expect("a file");
            let database = Database::fresh("cli mistakes");
            let tenant = database.two_tenants().0.tenant_id;
            std::fs::remove_file(&files.archive).ok();
            timedb(&database, "postgres")
                .types(&format!("export {tenant} {}", files.archive))
                .done();
            files
        })
    }
}

/// What is said once it is clear what is asked: before that, upload tells which columns of a file it takes.
fn said_last(said: &str) -> &str {
    said.lines().last().unwrap_or_default()
}

/// Nothing was begun that a command could have left behind.
#[track_caller]
fn assert_no_file(line: &str) {
    assert!(!Path::new(&Files::of_all().new).exists(), "{line} has made its file");
}

/// Those that take a key.
fn with_a_key() -> Vec<String> {
    let without = [
        "create",
        "delete",
        "bind",
        "unbind",
        "check",
        "maintain",
        "stats --all",
        "export",
        "import",
    ];
    let mut lines = commands();
    lines.retain(|line| !without.iter().any(|word| line.starts_with(word)));
    lines
}

#[test]
fn without_a_server_every_command_says_so() {
    for line in commands() {
        let dsn = "postgresql://a:hunter2@127.0.0.1:1/a";
        let said = without_a_server().env("TIMEDB_DSN", dsn).types(&line).failed(1);
        assert!(
            said_last(&said).starts_with("timedb: no connection: ") && !said.contains("hunter2"),
            "{line}: {said}"
        );
        without_a_server().env("TIMEDB_DSN", "nonsense").types(&line).failed(2);
        assert_no_file(&line);
    }
}

#[test]
fn without_timedb_in_the_database_every_command_says_so() {
    let database = Database::fresh("cli nothing");
    database
        .admin()
        .batch_execute("DROP EXTENSION timedb")
        .expect("dropped");
    for line in commands() {
        if line.starts_with("create") || line.starts_with("delete") {
            continue;
        }
        let said = timedb(&database, "postgres").types(&line).failed(1);
        assert!(
            said.contains("the database has no timedb: timedb create tables makes it"),
            "{line}: {said}"
        );
        assert_no_file(&line);
    }
}

#[test]
fn a_bad_key_does_nothing_even_as_a_superuser() {
    let database = Database::fresh("cli bad key");
    let gone = database.create_user(ID.parse().expect("an id"), "a@b.c", "admin");
    database
        .admin()
        .batch_execute("SELECT timedb.deactivate_user('a@b.c')")
        .expect("deactivated");
    for line in with_a_key() {
        for key in ["tdb_mistyped", &gone.api_key] {
            let typed = timedb(&database, "postgres").env("TIMEDB_API_KEY", key).types(&line);
            assert_eq!(
                said_last(&typed.failed(1)),
                "timedb: Invalid or inactive API key.",
                "{line}"
            );
        }
    }
}

#[test]
fn without_a_key_every_command_of_a_tenants_says_so() {
    let database = Database::fresh("cli no key");
    for line in with_a_key() {
        let said = timedb(&database, "caller").types(&line).failed(1);
        let words = [
            "API key required",
            "an API key is needed: set TIMEDB_API_KEY",
            "permission denied",
        ];
        assert!(words.iter().any(|word| said.contains(word)), "{line}: {said}");
    }
}

#[test]
fn nobody_but_a_superuser_moves_tenants_whatever_key_there_is() {
    let database = Database::fresh("cli movers");
    let admin = database.create_user(ID.parse().expect("an id"), "a@b.c", "admin");
    let movers = |line: &String| line.starts_with("export") || line.starts_with("import");
    for line in commands().into_iter().filter(movers) {
        for role in ["ops", "caller"] {
            let said = timedb(&database, role).with_key_of(&admin).types(&line).failed(1);
            assert!(said.contains("needs a superuser"), "{role} {line}: {said}");
            assert_no_file(&line);
        }
    }
}

#[test]
fn a_key_without_the_scope_is_told_so() {
    let database = Database::fresh("cli scope");
    let reader = database.create_user(ID.parse().expect("an id"), "a@b.c", "read");
    for line in with_a_key() {
        if ["stats", "runs list", "series list", "read"].contains(&line.as_str()) {
            timedb(&database, "caller").with_key_of(&reader).types(&line).done();
            continue;
        }
        let said = timedb(&database, "caller").with_key_of(&reader).types(&line).failed(1);
        assert!(
            said.contains("scope") || said.contains("permission denied"),
            "{line}: {said}"
        );
    }
}

#[test]
fn whoever_reads_no_further_breaks_nothing() {
    let database = Database::fresh("cli pipe");
    database
        .admin()
        .batch_execute("SELECT timedb.create_user(gen_random_uuid(), n || '@b.c') FROM generate_series(1, 2000) n")
        .expect("users");
    for arguments in [["users", "list"], ["users", "--help"], ["completions", "bash"]] {
        let mut command = clean(env!("CARGO_BIN_EXE_timedb"));
        command.env("TIMEDB_DSN", database.url("ops")).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let mut first = [0; 1];
        let mut out = child.stdout.take().expect("its output");
        out.read_exact(&mut first).expect("a byte");
        drop(out);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(output.stderr, b"", "{output:?}");
    }
}

#[test]
fn every_command_explains_itself() {
    let overview = without_a_server().types("--help").done();
    for line in commands() {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(overview.contains(words[0]), "{overview}");
        let mut asked = vec![words[0]];
        asked.extend(
            words
                .get(1)
                .filter(|word| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')),
        );
        if ["bind", "unbind", "stats"].contains(&words[0]) {
            asked.truncate(1);
        }
        asked.push("--help");
        let help = without_a_server().types_words(&asked).done();
        assert!(help.contains("Usage: timedb"), "{help}");
        if help.contains("--api-key") {
            assert!(help.contains("(ps aux)") && help.contains("TIMEDB_API_KEY"), "{help}");
        }
        assert!(help.contains("PGPASSWORD or ~/.pgpass"), "{help}");
    }
    assert_eq!(without_a_server().types("").code, Some(2));
    without_a_server().types("--version").done();
}

#[test]
fn shells_complete_the_commands_and_the_manual_has_its_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = without_a_server().types(&format!("completions {shell}")).done();
        assert!(script.contains("regenerate-key"), "{script}");
    }
    let script = without_a_server().types("completions bash").done();
    let checked = Command::new("bash").args(["-n", "-c", &script]).status().expect("bash");
    assert!(checked.success());
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man/man1");
    without_a_server().types(&format!("man {}", pages.display())).done();
    let page = std::fs::read_to_string(pages.join("timedb-users-create.1")).expect("a page");
    assert!(page.contains("\\-\\-tenant\\-id"), "{page}");
    let refused = without_a_server().types("man /proc/nothing").failed(1);
    assert!(refused.contains("/proc/nothing cannot be made"), "{refused}");
}
