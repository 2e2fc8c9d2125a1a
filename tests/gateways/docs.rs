//! docs/http.md, pasted: its SQL, its configuration and its shell commands run as they stand, and their outputs are what
//! it says they are, but for ids and the server's times.

use std::process::Command;

use serde_json::Value;
use timedb_testkit::{Cluster, Database, Options, run};

use crate::postrust::Postrust;

const HTTP: &str = include_str!("../../docs/http.md");
const DESIGN: [&str; 5] = [
    "/rpc/upload",
    "/rpc/read?",
    "/rpc/update",
    "/rpc/create_series",
    "/rpc/list_series",
];
/// Between the outputs of two commands.
const MARK: &str = "=-=-=-=-=";

struct Block {
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    // Every second piece between fences is a block; its first line is the language.
    HTTP.split("```")
        .skip(1)
        .step_by(2)
        .map(|piece| {
            let (language, text) = piece.split_once('\n').expect("a fence has a line of its own");
            Block {
                language: language.to_owned(),
                text: text.to_owned(),
            }
        })
        .collect()
}

fn of_language<'a>(blocks: &'a [Block], language: &str) -> Vec<&'a str> {
    let wanted = blocks.iter().filter(|block| block.language == language);
    wanted.map(|block| block.text.as_str()).collect()
}

#[test]
fn the_page_works_when_pasted_and_says_what_comes_back() {
    let blocks = blocks();
    // The page makes roles, so it has a server of its own: one that logs all it can.
    let cluster = Options::default()
        .setting("log_min_duration_statement = 0")
        .setting("log_statement = 'all'")
        .setting("timezone = 'Asia/Tokyo'")
        .start()
        .expect("a server of our own");
    let database = cluster.database("pasted").expect("a database");
    for sql in of_language(&blocks, "sql") {
        run(&mut database.admin(), sql);
    }
    let configuration = configuration(&database, of_language(&blocks, "ini")[0]);
    let server = Postrust::configured(&database, &configuration);

    let commands = of_language(&blocks, "sh");
    let outputs = paste(&commands, &database, &server);
    let mut compared = 0;
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.language == "sh") {
        let got = &outputs[commands.iter().position(|text| *text == block.text).expect("it ran")];
        match blocks
            .get(at + 1)
            .filter(|next| ["json", "text"].contains(&next.language.as_str()))
        {
            Some(expected) => {
                assert_eq!(shown(got), shown(&expected.text), "after:\n{}", block.text);
                compared += 1;
            }
            None => assert_eq!(got.trim(), "", "silent:\n{}", block.text),
        }
    }
    assert!(compared >= 9, "{compared} outputs");
    for path in DESIGN {
        assert!(commands.iter().any(|text| text.contains(path)), "no command for {path}");
    }
    assert_no_key_is_logged(&cluster, &outputs.join("\n"));
}

/// The setting stands at the role that a request comes with, as the role that it becomes brings none along.
#[test]
fn the_timeout_of_the_page_ends_a_request_that_takes_longer() {
    let blocks = blocks();
    let cluster = Options::default().start().expect("a server of our own");
    let database = cluster.database("timeout").expect("a database");
    for sql in of_language(&blocks, "sql") {
        assert!(
            sql.contains("statement_timeout = '30s'"),
            "the premise: the page sets one"
        );
        run(&mut database.admin(), &sql.replace("'30s'", "'5s'"));
    }
    // Of timedb itself nothing takes for ever in a small database.
    run(
        &mut database.admin(),
        "CREATE FUNCTION timedb.nap() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(30)'; \
         GRANT EXECUTE ON FUNCTION timedb.nap() TO timedb_user",
    );
    let configuration = configuration(&database, of_language(&blocks, "ini")[0]);
    let server = Postrust::configured(&database, &configuration);
    let alice = database.create_user(uuid::Uuid::now_v7(), "alice@tenant-a.com", "write");
    let answer = server.with_key(&alice.api_key).post("/rpc/nap", &serde_json::json!({}));
    assert_eq!(answer.body["code"], "57014", "{answer:?}");
}

/// postgrest.conf as the variables that PostgREST and its like read.
fn configuration(database: &Database, file: &str) -> Vec<(String, String)> {
    file.lines()
        .map(|line| {
            let (name, value) = line.split_once('=').expect("name = value");
            let name = name.trim().to_uppercase().replace('-', "_");
            let value = match name.as_str() {
                "DB_URI" => database.url("authenticator"),
                _ => value.trim().trim_matches('"').to_owned(),
            };
            (format!("PGRST_{name}"), value)
        })
        .collect()
}

/// Pastes the commands into one shell, one after the other, and returns what each printed.
#[track_caller]
fn paste(commands: &[&str], database: &Database, server: &Postrust) -> Vec<String> {
    let folder = std::env::temp_dir().join(database.name());
    std::fs::create_dir_all(&folder).expect("a folder for the shell");
    let script: String = commands
        .iter()
        .map(|text| format!("{text}\necho; echo '{MARK}'\n"))
        .collect();
    let script = script
        .replace("localhost:3000", &server.address().to_string())
        .replace("\" timedb", &format!("\" {}", database.name()));
    let mut shell = Command::new("bash");
    database.server().tell(&mut shell, "postgres", database.name());
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = database.server().folder().join("bin");
    let output = shell
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(&folder)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("NO_PROXY", "*")
        .output()
        .expect("bash runs");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complained}");
    assert_eq!(complained, "");
    printed.split(MARK).map(str::to_owned).collect()
}

/// What is compared: ids and the server's own times masked, and JSON, as a whole or in a line, by its value.
fn shown(text: &str) -> String {
    let masked = masked(text.trim());
    let by_value = |text: &str| {
        let json: Option<Value> = serde_json::from_str(text).ok();
        json.map(|json| json.to_string())
    };
    by_value(&masked).unwrap_or_else(|| {
        let lines = masked.lines();
        let lines = lines.map(|line| by_value(line).unwrap_or_else(|| line.to_owned()));
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// Ids become `<id>`, and times with parts of a second, which only the server's clock gives, `<time>`.
fn masked(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = if let Some(length) = id_at(rest) {
            shown.push_str("<id>");
            length
        } else if let Some(length) = clock_at(rest) {
            shown.push_str("<time>");
            length
        } else {
            shown.push(letter);
            letter.len_utf8()
        };
        rest = &rest[length..];
    }
    shown
}

fn id_at(text: &str) -> Option<usize> {
    let id = text.get(..36)?;
    id.parse::<uuid::Uuid>().ok().map(|_| id.len())
}

fn clock_at(text: &str) -> Option<usize> {
    let end = text.find('"')?;
    let time = text
        .get(..end)
        .filter(|time| time.contains('.') && time.ends_with("+00:00"))?;
    time.parse::<jiff::Timestamp>().ok().map(|_| time.len())
}

/// Even where every statement is logged, with its parameters.
#[track_caller]
fn assert_no_key_is_logged(cluster: &Cluster, outputs: &str) {
    let log = cluster.log();
    assert!(
        log.contains("pgrst_call") || log.contains("list_series"),
        "the premise: it logs statements"
    );
    assert!(
        log.contains("request.headers") || log.contains("set_config"),
        "the premise: and those with headers"
    );
    for text in [log.as_str(), outputs] {
        // A key has 52 characters; the bad one of the page is short.
        let key = text.match_indices("tdb_").find(|(at, _)| {
            let following = text[at + 4..].bytes();
            following
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
                .count()
                >= 48
        });
        let line = key.map(|(at, _)| text[at.saturating_sub(80)..].lines().next());
        assert_eq!(line, None, "a key is shown");
    }
}

#[test]
fn masking_hides_ids_and_clocks_and_nothing_else() {
    let text = r#"{"id":"00000000-0000-7000-8000-000000000001","at":"2025-01-01T06:00:00.123456+00:00"}"#;
    assert_eq!(masked(text), r#"{"id":"<id>","at":"<time>"}"#);
    let given = r#"["2025-01-02T01:00:00+00:00", "0.5", "ünï"]"#;
    assert_eq!(masked(given), given);
}
