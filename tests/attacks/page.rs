//! `docs/security.md` names, for each threat, the test that shows its promise: here both are held together.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// Of the list of threats, the numbers that have tests.
const THREATS: [RangeInclusive<usize>; 4] = [1..=55, 59..=60, 61..=62, 70..=71];

/// The names of all tests of this suite, and of what is tried on a router, read from their source; what is generated at random has
/// its own page.
fn tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut names = BTreeSet::new();
    let entries = fs::read_dir(folder.join("attacks")).expect("the suite's folder");
    let paths = entries.map(|entry| entry.expect("a file").path());
    for path in paths.chain([folder.join("router/attacks.rs")]) {
        if path.extension().is_none_or(|end| end != "rs") || path.ends_with("random.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source file");
        let mut lines = source.lines();
        while lines.any(|line| line == "#[test]") {
            let name = lines
                .next()
                .and_then(|line| line.strip_prefix("fn ")?.split('(').next());
            names.insert(
                name.unwrap_or_else(|| panic!("a test without a name in {}", path.display()))
                    .to_owned(),
            );
        }
    }
    names
}

/// The rows of the page's tables: the first cell, and the tests that the row names.
fn rows() -> Vec<(String, Vec<String>)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let page = fs::read_to_string(page).expect("the security page");
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
        .map(|(first, rest)| {
            let quoted = rest.split('`').skip(1).step_by(2);
            let names = quoted.filter(|name| name.matches('_').count() >= 3 && !name.contains(['.', ' ', '=']));
            (first.trim().to_owned(), names.map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn the_security_page_names_every_test() {
    let (tests, rows) = (tests(), rows());
    assert!(tests.len() > 55, "the source is found");
    for threat in THREATS.into_iter().flatten() {
        let row = rows.iter().find(|(first, _)| *first == threat.to_string());
        let (_, named) = row.unwrap_or_else(|| panic!("threat {threat} has no row"));
        let prefix = format!("t{threat:02}_");
        assert!(
            named.iter().any(|name| name.starts_with(&prefix)),
            "threat {threat} names no test of its own"
        );
        assert!(
            named.iter().all(|name| name.starts_with(&prefix)),
            "threat {threat} names another's: {named:?}"
        );
    }
    let named: BTreeSet<String> = rows.into_iter().flat_map(|(_, names)| names).collect();
    let gone: Vec<&String> = named.difference(&tests).collect();
    assert!(gone.is_empty(), "named on the page, but no test: {gone:?}");
    let unnamed: Vec<&String> = tests.difference(&named).collect();
    assert!(unnamed.is_empty(), "no row of the page names {unnamed:?}");
}
