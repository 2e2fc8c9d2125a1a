//! The plan of the house holds: which folder of the library may use which, and who alone may name the stored values. Nothing
//! is run.

use std::fs;
use std::path::{Path, PathBuf};

use timedb_testkit::Project;

/// Each folder of `src/`, and those that it may use beside itself.
const LAW: [(&str, &[&str]); 7] = [
    ("error", &[]),
    ("pg", &["error"]),
    ("identity", &["error", "pg"]),
    ("manage", &["error", "pg", "identity"]),
    ("store", &["error", "pg", "identity"]),
    ("types", &["error", "pg", "identity"]),
    ("verbs", &["error", "pg", "identity", "manage", "store", "types"]),
];

/// What may use everything: the table of contents, and the tests that ship in no library.
const ABOVE: [&str; 2] = ["lib", "in_backend_tests"];

fn library() -> PathBuf {
    Project::default().root().join("src")
}

/// Every source of a folder, with its path within it.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(of) = folders.pop() {
        for entry in fs::read_dir(&of).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let within = path.strip_prefix(folder).expect("a path within");
                found.push((within.to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The folder, or the file at the top, that a source is of.
fn room(path: &Path) -> String {
    let first = path.iter().next().expect("a name").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms that a source names by `crate::`, or by enough `super::` to leave its own, in code, at whatever place.
fn used(source: &str, depth: usize) -> Vec<String> {
    let mut used = Vec::new();
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("//") {
            continue;
        }
        let out = "super::".repeat(depth);
        for start in ["crate::", &out] {
            for (at, _) in line.match_indices(start) {
                let is_longer = line[..at].ends_with(|c: char| c.is_alphanumeric() || ":_$".contains(c));
                let named: String = line[at + start.len()..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || "_{".contains(*c))
                    .collect();
                if !is_longer && named != "super" {
                    used.push(named);
                }
            }
        }
    }
    used
}

/// What a source uses that its room may not.
fn breaches(path: &Path, source: &str) -> Vec<String> {
    let room = room(path);
    if ABOVE.contains(&room.as_str()) {
        return Vec::new();
    }
    let (_, allowed) = LAW
        .iter()
        .find(|(name, _)| *name == room)
        .unwrap_or_else(|| panic!("{}: no room of the plan", path.display()));
    used(source, path.iter().count())
        .into_iter()
        .filter(|named| *named != room && !allowed.contains(&named.as_str()))
        .collect()
}

#[test]
fn every_folder_uses_those_below_it_alone() {
    let sources = sources(&library());
    let uses: usize = sources
        .iter()
        .map(|(path, text)| used(text, path.iter().count()).len())
        .sum();
    assert!(sources.len() > 40 && uses > 150, "the premise: {uses}");
    for (path, source) in &sources {
        let breaches = breaches(path, source);
        assert!(breaches.is_empty(), "{}: {breaches:?}", path.display());
    }
}

#[test]
fn a_use_in_the_wrong_direction_is_seen() {
    let breaks = |path: &str, line: &str| !breaches(Path::new(path), line).is_empty();
    for (path, line) in [
        ("pg/row.rs", "use crate::identity::session::Acting;"),
        ("identity/http.rs", "use crate::manage::audit;"),
        ("manage/keys.rs", "use crate::store::write::NewRows;"),
        ("store/scan.rs", "use crate::types::answer::AnswerRows;"),
        (
            "store/scan.rs",
            "    let acting = crate::verbs::read::Request::of(arguments)?;",
        ),
        ("types/pack.rs", "use super::super::store::take::Taken;"),
        ("types/pack.rs", "use crate::{manage, pg};"),
        ("error.rs", "use crate::pg::clock;"),
    ] {
        assert!(breaks(path, line), "{path}: {line}");
    }
    for (path, line) in [
        ("verbs/read.rs", "use crate::store::open::Opened;"),
        ("store/open.rs", "use super::scan::{Stored, Windows};"),
        ("pg/clock.rs", "use crate::error::Result;"),
        ("manage/user.rs", "// not like crate::verbs::series"),
        ("identity/login.rs", "pub(crate) use statements;"),
    ] {
        assert!(!breaks(path, line), "{path}: {line}");
    }
}

#[test]
fn the_store_alone_names_the_tables_of_values() {
    for (path, source) in sources(&library()) {
        let names = ["timedb.values", "timedb.packs"]
            .iter()
            .any(|table| source.contains(table));
        let may = ["store", "in_backend_tests"].contains(&room(&path).as_str());
        assert!(may || !names, "{} names a table of values", path.display());
    }
}

/// Whoever says that he is about to write is asked once more whether he may, in the place where it is said.
#[test]
fn nobody_says_that_he_writes_or_makes_something_but_where_his_key_is_confirmed() {
    let mut told = 0;
    for (path, source) in sources(&library()) {
        let room = path.to_string_lossy().into_owned();
        let may = |rooms: &[&str]| rooms.contains(&room.as_str());
        for (says, rooms) in [
            ("moment::tell(", &["identity/session.rs", "in_backend_tests.rs"][..]),
            // The others erase, or ask for no key.
            (
                "For::Making",
                &["identity/session.rs", "verbs/erase.rs", "verbs/maintain.rs"],
            ),
        ] {
            told += usize::from(source.contains(says));
            assert!(may(rooms) || !source.contains(says), "{room}: {says}");
        }
    }
    assert_eq!(told, 5, "the premise");
}

/// What stands between backticks, in a page.
fn quoted(page: &str) -> Vec<&str> {
    page.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_path_that_the_pages_about_the_code_name_is_there() {
    let root = Project::default().root().to_owned();
    let mut paths = 0;
    for page in ["docs/architecture.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(page)).expect("a page");
        for path in quoted(&text) {
            let is_path = path.contains('/') && !path.contains([' ', '*', '\n']);
            let is_placeholder = path.contains("NN_") || path.starts_with("target/");
            if is_path && !is_placeholder {
                paths += 1;
                assert!(root.join(path).exists(), "{page}: {path}");
            }
        }
    }
    assert!(paths > 40, "the premise: {paths}");
}
