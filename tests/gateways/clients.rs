//! docs/clients.md: each program on it runs as it stands there, as an ordinary role at a real server, and prints what the page says.
//! What a machine lacks is left out in words: a test says so and passes.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io, thread};

use timedb_testkit::{Database, Identity, assert_ordinary_roles, run, without_postgres_variables};

use crate::postrust::Postrust;
use crate::program::{Account, Folder, installed};
use crate::support::web_roles;

const PAGE: &str = include_str!("../../docs/clients.md");

/// A section's program, in its language, and what it prints.
struct Section {
    language: &'static str,
    program: &'static str,
    output: &'static str,
}

#[track_caller]
fn section(title: &str) -> Section {
    let (_, after) = PAGE
        .split_once(&format!("\n## {title}\n"))
        .unwrap_or_else(|| panic!("no section {title}"));
    let section = after.split("\n## ").next().expect("the section");
    let mut blocks = section.split("```").skip(1).step_by(2).map(|piece| {
        let block = piece.split_once('\n');
        block.expect("a fence has a line of its own")
    });
    let (language, program) = blocks.next().expect("a program");
    let (text, output) = blocks.next().expect("what it prints");
    assert_eq!(text, "text", "{title}: the output follows its program");
    assert!(blocks.next().is_none(), "{title}: one program, one output");
    Section {
        language,
        program,
        output,
    }
}

/// A database of the client's own, with the values that the page begins with.
fn stage(title: &str) -> (Database, Identity) {
    let letters = title.chars().filter(char::is_ascii_alphanumeric);
    let database = Database::fresh(&format!("client_{}", letters.collect::<String>().to_lowercase()));
    assert_ordinary_roles(&mut database.admin(), &["app"]);
    let alice = database.create_user(uuid::Uuid::now_v7(), "alice@tenant-a.com", "write");
    let bob = database.create_user(uuid::Uuid::now_v7(), "bob@tenant-b.com", "write");
    let begins = PAGE.split("```sql\n").nth(1).expect("what is stored before");
    let begins = begins.split("```").next().expect("its end");
    run(&mut database.authenticated(&alice), begins);
    // Whoever saw it would print more than the page says.
    run(&mut database.authenticated(&bob), &begins.replace("4.5", "-1"));
    (database, alice)
}

#[track_caller]
fn assert_prints(title: &str, prepare: impl FnOnce(&mut Command, &Section, &Database, &Path)) {
    let section = section(title);
    let (database, alice) = stage(title);
    let folder = Folder::of(Account::own());
    let mut command = match section.language {
        "python" => Command::new(installed("python/bin/python")),
        "js" => Command::new("node"),
        "sh" => Command::new("bash"),
        "java" => Command::new("java"),
        "r" => Command::new("Rscript"),
        "rust" => Command::new(installed(&format!("rust/debug/{}", title.replace('-', "_")))),
        other => panic!("a program in {other}"),
    };
    without_postgres_variables(&mut command);
    command
        .current_dir(folder.path())
        .env("TIMEDB_DSN", database.url("app"))
        .env("TIMEDB_API_KEY", &alice.api_key)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*");
    prepare(&mut command, &section, &database, folder.path());
    let output = command.stdin(Stdio::null()).output().expect("the client runs");
    let (printed, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{title}: {printed}\n{complained}");
    assert_eq!(printed.trim_end(), section.output.trim_end(), "{title}\n{complained}");
}

/// Puts the program into a file that the command is given.
fn as_file(name: &str) -> impl FnOnce(&mut Command, &Section, &Database, &Path) {
    move |command, section, _, folder| {
        let file = folder.join(name);
        fs::write(&file, section.program).expect("a file in our own folder");
        command.arg(file);
    }
}

/// Whether the machine has what a client needs; where it has not, the test says so.
fn is_here(what: &str, program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program).args(arguments).output();
    let here = quiet.is_ok_and(|output| output.status.success());
    if !here {
        eprintln!("left out: no {what} here");
    }
    here
}

#[track_caller]
fn in_python(title: &str) {
    assert_prints(title, as_file("client.py"));
}

#[test]
fn psycopg_prints_what_the_page_says() {
    in_python("psycopg");
}

#[test]
fn the_pool_of_psycopg_prints_what_the_page_says() {
    in_python("psycopg_pool");
}

#[test]
fn sqlalchemy_on_psycopg_prints_what_the_page_says() {
    in_python("SQLAlchemy on psycopg");
}

#[test]
fn sqlalchemy_on_asyncpg_prints_what_the_page_says() {
    in_python("SQLAlchemy on asyncpg");
}

#[test]
fn asyncpg_prints_what_the_page_says() {
    in_python("asyncpg");
}

#[test]
fn pandas_prints_what_the_page_says() {
    in_python("pandas");
}

#[test]
fn polars_prints_what_the_page_says() {
    in_python("polars");
}

#[test]
fn adbc_prints_what_the_page_says() {
    in_python("ADBC");
}

#[test]
fn duckdb_by_arrow_prints_what_the_page_says() {
    in_python("DuckDB by Arrow");
}

/// INSTALL would fetch the extension from DuckDB's own server; here it comes from PyPI, and lies where INSTALL would put it.
#[test]
fn duckdb_by_attach_prints_what_the_page_says() {
    let packages = installed("python/lib");
    let extension = extension_of_duckdb(&packages).expect("scripts/gateways.sh has fetched it");
    assert_prints("DuckDB by ATTACH", |command, section, database, folder| {
        let version = extension.parent().expect("it lies in a folder of its version");
        let version = version.file_name().expect("a version").to_string_lossy();
        let home = folder.join(format!(".duckdb/extensions/{version}/linux_{}", architecture()));
        fs::create_dir_all(&home).expect("a home for DuckDB");
        fs::copy(&extension, home.join("postgres_scanner.duckdb_extension")).expect("the extension");
        command.env("HOME", folder);
        as_file("client.py")(command, section, database, folder);
    });
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// In `lib/python3.11/site-packages/duckdb_extension_postgres_scanner/extensions/v1.5.5`.
fn extension_of_duckdb(packages: &Path) -> Option<PathBuf> {
    let python = fs::read_dir(packages).ok()?.flatten().next()?.path();
    let versions = python.join("site-packages/duckdb_extension_postgres_scanner/extensions");
    let version = fs::read_dir(versions).ok()?.flatten().next()?.path();
    Some(version.join("postgres_scanner.duckdb_extension"))
}

/// Modules of JavaScript are looked for beside the program.
fn as_module(command: &mut Command, section: &Section, database: &Database, folder: &Path) {
    std::os::unix::fs::symlink(installed("node/node_modules"), folder.join("node_modules")).expect("a link");
    as_file("client.mjs")(command, section, database, folder);
}

fn has_node() -> bool {
    is_here(
        "node of 20 or later",
        "node",
        &["-e", "process.exit(parseInt(process.versions.node) < 20)"],
    ) && is_here("packages of node", "test", &["-e", &fetched("node/installed")])
}

/// Where scripts/gateways.sh puts what it could fetch.
fn fetched(path: &str) -> String {
    let gateways = installed("bin").with_file_name(path);
    gateways.to_str().expect("a path of plain letters").to_owned()
}

#[test]
fn node_prints_what_the_page_says() {
    if !has_node() {
        return;
    }
    assert_prints("node-postgres", as_module);
}

#[test]
fn postgrest_js_prints_what_the_page_says() {
    if !has_node() {
        return;
    }
    let mut server = None;
    assert_prints("postgrest-js", |command, section, database, folder| {
        let server = server.insert(web_server(database));
        command.env("TIMEDB_URL", format!("http://{}", server.address()));
        as_module(command, section, database, folder);
    });
}

#[test]
fn curl_prints_what_the_page_says() {
    let mut server = None;
    assert_prints("curl", |command, section, database, folder| {
        let server = server.insert(web_server(database));
        command.env("TIMEDB_URL", format!("http://{}", server.address()));
        as_file("client.sh")(command, section, database, folder);
    });
}

fn web_server(database: &Database) -> Postrust {
    web_roles(database);
    Postrust::in_front_of(database, "web_anon", 2)
}

#[test]
fn tokio_postgres_prints_what_the_page_says() {
    as_compiled(
        "tokio-postgres",
        include_str!("../../examples/clients/src/bin/tokio_postgres.rs"),
    );
}

#[test]
fn sqlx_prints_what_the_page_says() {
    as_compiled("sqlx", include_str!("../../examples/clients/src/bin/sqlx.rs"));
}

/// What scripts/gateways.sh has compiled is what the page shows.
#[track_caller]
fn as_compiled(title: &str, source: &str) {
    assert_eq!(
        section(title).program,
        source,
        "examples/clients has {title} as the page has it"
    );
    assert_prints(title, |_, _, _, _| ());
}

#[test]
fn jdbc_prints_what_the_page_says() {
    if !is_here("JDK", "javac", &["--version"]) || !is_here("JDBC", "test", &["-e", &fetched("jdbc/postgresql.jar")]) {
        return;
    }
    assert_prints("JDBC", |command, section, database, folder| {
        let port = relay(database.server().folder().join(".s.PGSQL.5432"));
        let url = format!("jdbc:postgresql://{port}/{}?user=app", database.name());
        command.env("TIMEDB_JDBC", url);
        command.arg("-cp").arg(installed("jdbc/postgresql.jar"));
        as_file("Client.java")(command, section, database, folder);
    });
}

/// Java knows no Unix sockets of Postgres, and the server no others: a port of this process, for one connection at a time.
fn relay(socket: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (
                client.expect("a client"),
                UnixStream::connect(&socket).expect("the server"),
            );
            both_ways(client, server).expect("two directions");
        }
    });
    address
}

fn both_ways(client: TcpStream, server: UnixStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || io::copy(&mut from_client, &mut to_server).and_then(|_| to_server.flush()));
    let (mut from_server, mut to_client) = (server, client);
    thread::spawn(move || io::copy(&mut from_server, &mut to_client));
    Ok(())
}

#[test]
fn r_prints_what_the_page_says() {
    if !is_here("R with RPostgreSQL", "Rscript", &["-e", "library(RPostgreSQL)"]) {
        return;
    }
    assert_prints("R", as_file("client.r"));
}

/// No section without a test, and the other way round.
#[test]
fn every_program_of_the_page_is_run() {
    let tests = include_str!("clients.rs");
    let mut programs = 0;
    for section in PAGE
        .split("\n## ")
        .skip(1)
        .filter(|section| section.contains("```text"))
    {
        let title = section.lines().next().expect("a title");
        assert!(tests.contains(&format!("\"{title}\"")), "{title} is run");
        programs += 1;
    }
    assert!(programs >= 16, "{programs} programs");
}
