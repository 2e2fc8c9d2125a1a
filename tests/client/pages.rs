//! README.md and the pages that are SQL are true: the sql blocks of each are typed into one psql session, in order, and what
//! psql prints is compared with the text block below each. On the page for operators a block without one is to run without an
//! error; those that need another server than a test's say that they are untested.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;

use timedb_testkit::{Database, Project};

/// The pages, and of each how many blocks there are at the least: fewer would mean that they are no longer found.
const PAGES: [(&str, usize); 4] = [
    ("README.md", 2),
    ("docs/reference.md", 25),
    ("docs/forecasting.md", 16),
    (OPERATIONS, 3),
];
const OPERATIONS: &str = "docs/operations.md";
/// Other names would be blocks that look like SQL and are not run.
const LANGUAGES: [&str; 6] = ["sql", "text", "sh", "ini", "python", UNTESTED];
const UNTESTED: &str = "sql untested";
const FENCE: &str = "```";

#[track_caller]
fn assert_true(page: usize) {
    let (name, fewest) = PAGES[page];
    let text = fs::read_to_string(Project::default().root().join(name)).expect("the page can be read");
    let blocks = blocks(name, &text);
    assert!(blocks.len() >= fewest, "{name} has {} sql blocks", blocks.len());
    let differences = differences(name, &blocks);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_sql_block_of_the_readme_prints_what_the_readme_shows() {
    assert_true(0);
}

#[test]
fn every_sql_block_of_the_reference_prints_what_the_reference_shows() {
    assert_true(1);
}

#[test]
fn every_sql_block_of_the_cookbook_prints_what_the_cookbook_shows() {
    assert_true(2);
}

#[test]
fn every_sql_block_of_the_page_for_operators_runs_that_a_server_of_tests_can_run() {
    assert_true(3);
}

#[test]
fn a_block_of_the_page_for_operators_that_fails_is_found() {
    let page = "```sql\nSELECT * FROM timedb.gone();\n```\n```sql untested\nSELECT cron.schedule();\n```\n";
    let differences = differences(OPERATIONS, &blocks(OPERATIONS, page));
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].contains("timedb.gone"), "{differences:?}");
}

#[test]
fn an_output_that_the_readme_gets_wrong_is_found() {
    let readme = "\
```sql
SELECT email FROM timedb.create_user(gen_random_uuid(), 'alice@tenant-a.com');
```
```text
      email       
------------------
 bob@tenant-a.com
(1 row)
```
```sql
SELECT 1;
```
";
    let differences = differences("README.md", &blocks("README.md", readme));
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert!(differences[0].contains("alice@tenant-a.com"));
    assert!(differences[1].starts_with("README.md:10: "));
}

#[test]
fn a_statement_that_never_ends_is_found() {
    let readme = "```sql\nSELECT 'x\n```\n";
    let differences = differences("README.md", &blocks("README.md", readme));
    assert_eq!(differences, ["README.md:1: psql stopped before its end"]);
}

#[test]
fn ids_keys_and_the_clock_may_differ_and_nothing_else() {
    let shown = " updated | 01a20756-49e0-74d2-9bcc-9acd6a77b802 | 2026-11-23 07:37:05.255201+00 | tdb_…\n";
    let got = " updated | 01b30867-50f1-85e3-8add-0bde7b88c913 | 2027-01-02 03:04:05.6+00        | tdb_Zm9-v_\n";
    assert_eq!(comparable(shown), comparable(got));
    for (shown, got) in [
        ("2025-01-01 06:00:00+00", "2025-01-01 07:00:00+00"),
        ("4.5", "4.6"),
        ("  4.5", " 4.5"),
        ("(1 row)", "(2 rows)"),
    ] {
        assert_ne!(comparable(shown), comparable(got));
    }
}

#[test]
#[should_panic(expected = "README.md:1: a text block that follows no sql block")]
fn an_output_without_its_sql_is_refused() {
    blocks("README.md", "```text\n(1 row)\n```\n");
}

#[test]
#[should_panic(expected = "README.md:2: \"SQL\"")]
fn a_block_in_a_language_that_nobody_runs_is_refused() {
    blocks("README.md", "\n```SQL\nSELECT 1;\n```\n");
}

/// A page's links to files and headings of the project, as GitHub and mdBook resolve them.
#[test]
fn every_link_of_a_page_leads_somewhere() {
    let root = Project::default().root().to_owned();
    let pages = ["README.md", "CONTRIBUTING.md", "bench/README.md", "examples/README.md"].map(str::to_owned);
    let docs = fs::read_dir(root.join("docs"))
        .expect("docs")
        .map(|entry| entry.expect("an entry").file_name());
    let docs = docs
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".md"));
    let mut links = 0;
    let mut broken = Vec::new();
    for name in pages.into_iter().chain(docs.map(|name| format!("docs/{name}"))) {
        let page = fs::read_to_string(root.join(&name)).expect("a page");
        for link in links_of(&page) {
            links += 1;
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => root.join(&name),
                path => root.join(&name).parent().expect("a folder").join(path),
            };
            let leads = match (fs::read_to_string(&target), heading) {
                (Ok(text), heading) => heading.is_empty() || anchors(&text).any(|anchor| anchor == heading),
                (Err(_), heading) => heading.is_empty() && target.exists(),
            };
            if !leads {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(links > 60, "the premise: {links} links");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Where `](…)` leads within the project.
fn links_of(page: &str) -> impl Iterator<Item = &str> {
    let ends = page.split("](").skip(1);
    let links = ends.filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
    links.filter(|link| !link.contains("://") && !link.contains(char::is_whitespace))
}

/// The names of a page's headings: in small letters, with hyphens for blanks, without punctuation.
fn anchors(page: &str) -> impl Iterator<Item = String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let letters = line.trim_start_matches('#').trim().to_lowercase();
        let kept = letters.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// A sql block: the line where it begins, what is typed, and what is shown below it.
#[derive(Debug)]
struct Block {
    line: usize,
    sql: String,
    shown: String,
}

/// The sql blocks of a page, each with the text block that directly follows, if one does.
#[track_caller]
fn blocks(name: &str, page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    // Whether nothing but blank lines has come since the last sql block.
    let mut may_show = false;
    let mut lines = page.lines().zip(1..);
    while let Some((text, line)) = lines.next() {
        let Some(language) = text.trim_start_matches([' ', '>']).strip_prefix(FENCE) else {
            may_show &= text.trim().is_empty();
            continue;
        };
        assert!(
            LANGUAGES.contains(&language) && text.starts_with(FENCE),
            "{name}:{line}: {language:?} is no block that this test knows"
        );
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(text, _)| text)
            .take_while(|text| *text != FENCE)
            .collect();
        let body = body.join("\n");
        match (language, blocks.last_mut()) {
            ("sql", _) => blocks.push(Block {
                line,
                sql: body,
                shown: String::new(),
            }),
            ("text", Some(block)) if may_show => block.shown = body,
            ("text", _) => panic!("{name}:{line}: a text block that follows no sql block"),
            _ => {}
        }
        may_show = language == "sql";
    }
    blocks
}

/// What is wrong with the blocks, run in a fresh database, one after the other.
fn differences(name: &str, blocks: &[Block]) -> Vec<String> {
    let database = Database::fresh(&format!("page {name}"));
    let printed = printed(&database, blocks);
    let mut differences = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let place = format!("{name}:{}", block.line);
        match between(&printed, &mark(number), &mark(number + 1)) {
            None => differences.push(format!("{place}: psql stopped before its end")),
            Some(got) if name == OPERATIONS && block.shown.is_empty() && !got.contains("ERROR:") => {}
            Some(got) if comparable(got) == comparable(&block.shown) => {}
            Some(got) => differences.push(format!("{place}: shown is\n{}\nbut psql prints\n{got}", block.shown)),
        }
    }
    differences
}

/// A line that psql itself prints around a block's output.
fn mark(number: usize) -> String {
    format!("@ block {number} @")
}

fn between<'a>(printed: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, after) = printed.split_once(&format!("{start}\n"))?;
    let (inside, _) = after.split_once(&format!("{end}\n"))?;
    Some(inside)
}

/// All that psql prints, errors included and in their place, as the reader of the README sees it.
fn printed(database: &Database, blocks: &[Block]) -> String {
    let mut typed = String::new();
    for (number, block) in blocks.iter().enumerate() {
        typed.push_str(&format!("\\echo {}\n{}\n", mark(number), block.sql));
    }
    typed.push_str(&format!("\\echo {}\n", mark(blocks.len())));

    let (mut output, writer) = std::io::pipe().expect("a pipe");
    let mut psql = database.server().command("psql", "postgres", database.name());
    psql.arg("-X")
        .env("PGTZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(writer.try_clone().expect("the pipe's other end"))
        .stderr(writer);
    let mut child = psql.spawn().expect("psql runs");
    // It holds the pipe open, which would have no end.
    drop(psql);
    let mut input = child.stdin.take().expect("psql has an input");
    let typing = thread::spawn(move || input.write_all(typed.as_bytes()));
    let mut printed = String::new();
    output.read_to_string(&mut printed).expect("psql prints text");
    child.wait().expect("psql ends");
    // Where psql gave up early it has also said so.
    let _ = typing.join().expect("typing does not panic");
    printed.replace(&format!("\"{}\"", database.name()), "\"timedb\"")
}

/// An output without what is different in every run: ids, keys and times of the clock (those with fractions of a second).
/// Where there are such, columns may be as wide as they like. Blanks at the ends of lines never count.
fn comparable(output: &str) -> String {
    let mut masked = String::new();
    let mut rest = output;
    let mut kinds = BTreeSet::new();
    while let Some(next) = rest.chars().next() {
        match changing(rest) {
            Some((kind, length)) => {
                kinds.insert(kind);
                masked.push_str(kind);
                rest = &rest[length..];
            }
            None => {
                masked.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    let lines = masked.trim_end().lines().map(|line| {
        if kinds.is_empty() {
            line.trim_end().to_owned()
        } else {
            narrow(line)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A line with each run of blanks, and of the dashes under a header, made one.
fn narrow(line: &str) -> String {
    let mut narrow = String::new();
    for letter in line.trim_end().chars() {
        if !(matches!(letter, ' ' | '-') && narrow.ends_with(letter)) {
            narrow.push(letter);
        }
    }
    narrow
}

/// What a text begins with that no two runs have in common, and its length in bytes.
fn changing(text: &str) -> Option<(&'static str, usize)> {
    const ID: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    const CLOCK: &str = "9999-99-99 99:99:99.";
    if has_shape(text, ID) {
        return Some(("<id>", ID.len()));
    }
    if has_shape(text, CLOCK) {
        let fraction = length_of(&text[CLOCK.len()..], |letter| letter.is_ascii_digit());
        let end = CLOCK.len() + fraction;
        return text[end..].starts_with("+00").then_some(("<clock>", end + 3));
    }
    let key = text.strip_prefix("tdb_")?;
    let length = length_of(key, |letter| {
        letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '…')
    });
    (length > 0).then_some(("<key>", 4 + length))
}

fn length_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !belongs(letter)).unwrap_or(text.len())
}

/// Whether a text begins like the shape: `x` stands for a hexadecimal digit, `9` for a decimal one.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && text.bytes().zip(shape.bytes()).all(|(letter, of)| match of {
            b'x' => letter.is_ascii_hexdigit(),
            b'9' => letter.is_ascii_digit(),
            _ => letter == of,
        })
}
