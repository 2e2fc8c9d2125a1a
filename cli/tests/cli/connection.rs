//! How a server is reached: libpq's variables, its file of passwords, and encryption that means what libpq means by it.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use timedb_testkit::{Cluster, Database, Options};

use crate::support::{Typed, Typist, without_a_server};

/// An address of this machine that no other server listens at, whatever its port.
fn own_address() -> String {
    let process = std::process::id();
    format!(
        "127.{}.{}.{}",
        64 + (process >> 16) % 64,
        (process >> 8) % 256,
        1 + process % 250
    )
}

/// By openssl: a certificate of localhost that signs itself, and its key.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    let mut openssl = Command::new("openssl");
    openssl
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-days",
            "30",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    let output = openssl.output().expect("openssl runs");
    assert!(output.status.success(), "{output:?}");
    (certificate, key)
}

/// A server that asks for a password over TCP: `role` encrypted or not, `only_encrypted` and `only_plain` as they say.
struct Guarded {
    cluster: Cluster,
    folder: tempfile::TempDir,
    address: String,
    certificate: PathBuf,
}

impl Guarded {
    fn start() -> Self {
        let address = own_address();
        let setting = format!("listen_addresses = '{address}'");
        let cluster = Options::default()
            .setting(setting)
            .start()
            .expect("a server of our own");
        cluster.create_database("guarded").expect("a database");
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = certificate(folder.path(), "server");
        let data = cluster.data();
        let owner = fs::metadata(&data).expect("the data").uid();
        for (from, to) in [(&certificate, "server.crt"), (&key, "server.key")] {
            let to = data.join(to);
            fs::copy(from, &to).expect("copied");
            fs::set_permissions(&to, Permissions::from_mode(0o600)).expect("closed");
            chown(&to, Some(owner), None).expect("given to the server");
        }
        let hba = "local all all trust\n\
                   hostssl all only_encrypted all scram-sha-256\n\
                   hostnossl all only_plain all scram-sha-256\n\
                   host all role all scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), hba).expect("pg_hba.conf");
        let mut configuration = fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .expect("it opens");
        configuration.write_all(b"ssl = on\n").expect("written");
        cluster.restart().expect("it starts again");
        let mut admin = cluster.connect("postgres", "guarded").expect("its superuser");
        for role in ["role", "only_encrypted", "only_plain"] {
            let sql = format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter2' IN ROLE timedb_admin");
            admin.batch_execute(&sql).expect("a role");
        }
        Self {
            cluster,
            folder,
            address,
            certificate,
        }
    }

    /// As a role with its password, by the words of a DSN.
    fn types(&self, role: &str, words: &str, line: &str) -> Typed {
        let address = &self.address;
        let dsn = format!("host=localhost hostaddr={address} dbname=guarded user={role} password=hunter2 {words}");
        without_a_server().env("TIMEDB_DSN", &dsn).types(line)
    }

    #[track_caller]
    fn assert_reached(&self, role: &str, words: &str) {
        self.types(role, words, "bindings").done();
    }

    #[track_caller]
    fn assert_refused(&self, role: &str, words: &str, code: i32, expected: &str) {
        let said = self.types(role, words, "bindings").failed(code);
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn sslmode_means_what_libpq_means_by_it() {
    let guarded = Guarded::start();
    let other = certificate(guarded.folder.path(), "other").0;
    let (own, other) = (guarded.certificate.display(), other.display());
    // Nobody is asked who the server is.
    for mode in [
        "",
        "sslmode=disable",
        "sslmode=allow",
        "sslmode=prefer",
        "sslmode=require",
    ] {
        guarded.assert_reached("role", mode);
    }
    for mode in [
        "",
        "sslmode=allow",
        "sslmode=prefer",
        "sslmode=require",
        "channel_binding=require",
    ] {
        guarded.assert_reached("only_encrypted", mode);
    }
    for mode in ["", "sslmode=allow", "sslmode=prefer", "sslmode=disable"] {
        guarded.assert_reached("only_plain", mode);
    }
    guarded.assert_refused("only_encrypted", "sslmode=disable", 1, "no pg_hba.conf entry");
    guarded.assert_refused("only_plain", "sslmode=require", 1, "no pg_hba.conf entry");
    // It must be somebody who is trusted.
    let unknown = "invalid peer certificate";
    for mode in ["require", "verify-ca", "verify-full"] {
        guarded.assert_reached("role", &format!("sslmode={mode} sslrootcert={own}"));
        guarded.assert_refused("role", &format!("sslmode={mode} sslrootcert={other}"), 1, unknown);
    }
    for words in ["sslmode=verify-ca", "sslmode=verify-full", "sslrootcert=system"] {
        guarded.assert_refused("role", words, 1, unknown);
    }
    // And of this name.
    let by_address = |mode: &str| {
        let address = &guarded.address;
        let url = format!("postgresql://role:hunter2@{address}/guarded?sslmode={mode}&sslrootcert={own}");
        without_a_server().types_words(&["bindings", "--dsn", &url])
    };
    by_address("verify-ca").done();
    let misnamed = by_address("verify-full").failed(1);
    assert!(misnamed.contains("certificate not valid for name"), "{misnamed}");
    let by_variables = |authority: &str| {
        without_a_server()
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", authority)
            .env("PGHOSTADDR", &guarded.address)
            .env("PGPASSWORD", "hunter2")
            .types("bindings --dsn postgresql://role@localhost/guarded")
    };
    by_variables(&own.to_string()).done();
    assert!(by_variables(&other.to_string()).failed(1).contains(unknown));
    guarded.assert_refused(
        "role",
        "sslmode=verify-full sslrootcert=/nonexistent",
        1,
        "/nonexistent cannot be read",
    );
    guarded.assert_refused("role", "sslmode=sure", 2, "sslmode is none of disable, allow");
    guarded.assert_refused("role", "sslmode=require sslrootcert=system", 2, "verify-full alone");

    passwords_are_found_where_libpq_finds_them(&guarded);
}

/// By the same server, which takes a while to start.
fn passwords_are_found_where_libpq_finds_them(guarded: &Guarded) {
    let hba = "local all all trust\nhost all all all scram-sha-256\n";
    fs::write(guarded.cluster.data().join("pg_hba.conf"), hba).expect("pg_hba.conf");
    guarded.cluster.restart().expect("it starts again");
    let typist = || {
        without_a_server()
            .env("PGHOST", "localhost")
            .env("PGHOSTADDR", &guarded.address)
            .env("PGUSER", "role")
            .env("PGDATABASE", "guarded")
    };
    let without = typist().types("bindings").failed(1);
    assert!(without.contains("the server asks for a password"), "{without}");
    typist().env("PGPASSWORD", "hunter2").types("bindings").done();
    let wrong = typist().env("PGPASSWORD", "hunter3").types("bindings").failed(1);
    assert!(
        wrong.contains("password authentication failed for user \"role\""),
        "{wrong}"
    );
    assert!(!wrong.contains("hunter3"), "{wrong}");

    let file = guarded.folder.path().join(".pgpass");
    fs::write(
        &file,
        "localhost:5432:other:role:no\nlocalhost:*:guarded:role:hunter2\n",
    )
    .expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("closed");
    let home = guarded.folder.path().to_str().expect("a path");
    typist().env("HOME", home).types("bindings").done();
    let named = file.to_str().expect("a path");
    typist().env("PGPASSFILE", named).types("bindings").done();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("opened");
    let open = typist().env("PGPASSFILE", named).types("bindings").failed(1);
    assert!(open.contains("chmod 0600"), "{open}");
    let typed = typist().types_at_a_terminal(80, "bindings", "hunter2\n");
    assert_eq!(typed.code, Some(0), "{typed:?}");
}

/// What a session of this database says of itself.
fn shown(typist: Typist, database: &Database, setting: &str) -> String {
    // Where it waits for a lock that we hold, it can be asked after.
    let mut holder = database.admin();
    let mut transaction = holder.transaction().expect("a transaction");
    transaction
        .batch_execute("LOCK TABLE timedb.role_bindings")
        .expect("a lock");
    let typing = thread::spawn(move || typist.types("bindings"));
    let sql = format!(
        "SELECT {setting}::text FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%list_bindings%'"
    );
    let mut admin = database.admin();
    let mut found = None;
    timedb_testkit::wait_until("the command waits", || {
        let row = admin.query_opt(&sql, &[]).expect("the activity");
        found = row.map(|row| row.get::<_, String>(0));
        found.is_some()
    });
    transaction.rollback().expect("let go");
    typing.join().expect("it does not panic").done();
    found.expect("it was found")
}

#[test]
fn what_a_dsn_leaves_out_libpqs_variables_say() {
    let database = Database::fresh("cli variables");
    let Some(folder) = database.server().folder().to_str() else {
        panic!("a path");
    };
    let typist = || {
        without_a_server()
            .env("PGHOST", folder)
            .env("PGDATABASE", database.name())
            .env("PGUSER", "ops")
            .env("PGPORT", "5432")
            .env("PGSSLMODE", "verify-full")
            .env("PGCONNECT_TIMEOUT", "10")
    };
    assert_eq!(shown(typist(), &database, "usename"), "ops");
    assert_eq!(shown(typist(), &database, "application_name"), "timedb");
    assert_eq!(
        shown(typist().env("PGAPPNAME", "nightly"), &database, "application_name"),
        "nightly"
    );
    let whose = || typist().env("TIMEDB_DSN", "user=postgres");
    assert_eq!(shown(whose(), &database, "usename"), "postgres");
    let narrow = typist().env("PGOPTIONS", "-c statement_timeout=1");
    let mut holder = database.admin();
    let mut transaction = holder.transaction().expect("a transaction");
    transaction
        .batch_execute("LOCK TABLE timedb.role_bindings")
        .expect("a lock");
    let said = narrow.types("bindings").failed(1);
    assert!(said.contains("statement timeout"), "{said}");
    for (variable, value, code, expected) in [
        ("PGPORT", "many", 2, "port"),
        ("PGREQUIREAUTH", "scram-sha-256", 2, "PGREQUIREAUTH is set"),
        ("PGDATABASE", "nowhere", 1, "database \"nowhere\" does not exist"),
        ("PGUSER", "nobody", 1, "role \"nobody\" does not exist"),
        ("PGHOST", "/nonexistent", 1, "no connection"),
    ] {
        let said = typist().env(variable, value).types("bindings").failed(code);
        assert!(said.contains(expected), "{variable}: {said}");
    }
    let service = without_a_server().env("PGSERVICE", "x").types("bindings").failed(2);
    assert!(service.contains("PGSERVICE is set"), "{service}");
}

#[test]
fn a_dsn_that_cannot_be_read_is_not_repeated() {
    for dsn in [
        "hunter2",
        "host=a password=two hunter2",
        "host=a password=two hunter2=1",
        "postgresql://a:hunter2@b:c/d",
        "postgresql://a:hunter2@b/d?nonsense=1",
        "postgresql://a:hunter2@b/d?service=x",
        "postgresql://a:hunter2%@b/d",
    ] {
        let said = without_a_server().env("DATABASE_URL", dsn).types("bindings").failed(2);
        assert!(said.starts_with("timedb: the DSN"), "{dsn}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let misplaced = without_a_server()
        .types("bindings postgresql://a:hunter2@b/d")
        .failed(2);
    assert!(misplaced.contains("postgresql://a:…@b/d"), "{misplaced}");
    let key = without_a_server().types("stats tdb_hunter2").failed(2);
    assert!(key.contains("tdb_…") && !key.contains("hunter2"), "{key}");
    // One of the original service.
    let imported = "Zm9vYmFyLWJhei1xdXV4_0123456789abcdefghIJKA";
    let key = without_a_server().types(&format!("stats {imported}")).failed(2);
    assert!(key.contains("'…'") && !key.contains("0123456789"), "{key}");
}
