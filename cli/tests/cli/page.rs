//! Pages of commands are true: the sh blocks of each are typed into one shell, in order, on a server that has never had timedb, and
//! what is printed is compared with the text block below each.

use std::fs;
use std::process::Stdio;

use regex::Regex;
use timedb_testkit::{Options, Project};

use crate::support::clean;

/// The line where it begins, what is typed, and what is shown below it.
struct Block<'a> {
    line: usize,
    typed: Vec<&'a str>,
    shown: String,
}

#[track_caller]
fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines().zip(1..);
    while let Some((text, line)) = lines.next() {
        let Some(language) = text.strip_prefix("```") else {
            continue;
        };
        let body = lines.by_ref().map(|(text, _)| text).take_while(|text| *text != "```");
        let body: Vec<&str> = body.collect();
        match (language, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block {
                line,
                typed: body,
                shown: String::new(),
            }),
            ("text", Some(block)) if block.shown.is_empty() => block.shown = body.join("\n"),
            _ => panic!("line {line}: {language:?} is no block that this test knows"),
        }
    }
    blocks
}

fn mark(number: usize) -> String {
    format!("@ block {number} @")
}

/// All that is printed, errors in their place.
fn printed(blocks: &[Block<'_>]) -> String {
    let cluster = Options::default().bare().start().expect("a server of our own");
    let mut admin = cluster.connect("postgres", "postgres").expect("its superuser");
    admin
        .batch_execute("CREATE DATABASE forecasts TEMPLATE template0")
        .expect("a database");
    let mut script = String::from("exec 2>&1\n");
    for (number, block) in blocks.iter().enumerate() {
        script.push_str(&format!("echo '{}'\n{}\n", mark(number), block.typed.join("\n")));
    }
    script.push_str(&format!("echo '{}'\n", mark(blocks.len())));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_timedb"));
    let folder = program.parent().expect("its folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let home = tempfile::tempdir().expect("a home");
    let mut shell = clean("bash");
    shell
        .args(["-c", &script])
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("PATH", format!("{folder}:{path}"))
        .env("TIMEDB_DSN", cluster.server().url("postgres", "forecasts"))
        .stdin(Stdio::null());
    let output = shell.output().expect("bash runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Without what is different in every run: ids, keys, and times of the clock. Blanks and frames are as wide as they like.
fn comparable(output: &str) -> String {
    let masks = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r"tdb_[A-Za-z0-9_…-]+", "<key>"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?\+00(:00)?", "<clock>"),
        (r"┆ [A-Za-z0-9_-]{4} +┆", "┆ <end> ┆"),
        (r"timedb \d+\.\d+\.\d+", "timedb <version>"),
        (r"[─═]+", "─"),
        (r" +", " "),
    ];
    let mut text = output.trim_end().to_owned();
    for (pattern, mask) in masks {
        text = Regex::new(pattern)
            .expect("a pattern")
            .replace_all(&text, mask)
            .into_owned();
    }
    text
}

#[test]
fn every_command_of_its_page_prints_what_the_page_shows() {
    assert_true("docs/command.md", 10);
}

#[test]
fn every_command_of_the_tutorial_prints_what_the_tutorial_shows() {
    assert_true("docs/tutorial.md", 6);
}

#[track_caller]
fn assert_true(name: &str, fewest: usize) {
    let page = fs::read_to_string(Project::default().root().join(name)).expect("the page");
    let blocks = blocks(&page);
    assert!(blocks.len() >= fewest, "the page has {} blocks", blocks.len());
    let printed = printed(&blocks);
    let mut differences = String::new();
    for (number, block) in blocks.iter().enumerate() {
        let after = printed.split_once(&format!("{}\n", mark(number))).expect("it begins").1;
        let got = after.split_once(&format!("{}\n", mark(number + 1))).expect("it ends").0;
        if comparable(got) != comparable(&block.shown) {
            let (line, shown) = (block.line, &block.shown);
            differences.push_str(&format!("{name}:{line} shows\n{shown}\nand prints\n{got}\n"));
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn what_a_page_gets_wrong_is_found() {
    let own = "│ 01a216c7-69b6-71dd-b441-0642e823d8f2 │ 2026-11-26T07:34:57.61+00:00 │ tdb_abc │ active │";
    let other = "│ 01a216c7-69b6-71dd-b441-0642e823d8f3 │ 2027-11-26T07:34:57.617+00:00  │ tdb_…  │ active │";
    assert_eq!(comparable(own), comparable(other));
    assert_ne!(comparable(own), comparable(&own.replace("active", "inactive")));
}
