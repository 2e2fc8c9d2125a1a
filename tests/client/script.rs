//! The install script, the library, and the list of SQL files in it agree; nothing is run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use timedb_testkit::{Project, built_library};

/// What stands between two texts, at each place where both are.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split_once(after).map(|(found, _)| found))
        .collect()
}

#[test]
fn every_function_of_the_script_is_in_the_library_and_the_other_way_round() {
    let script = Project::default().script().expect("the script");
    let in_script: BTreeSet<String> = between(&script, "AS 'MODULE_PATHNAME', '", "'")
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert!(in_script.len() > 20, "the premise: {in_script:?}");
    assert!(in_script.iter().all(|symbol| symbol.ends_with("_wrapper")));

    let library = built_library().expect("the library");
    let nm = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(&library)
        .output()
        .expect("nm runs");
    assert!(nm.status.success());
    let symbols = String::from_utf8(nm.stdout).expect("UTF-8");
    let in_library: BTreeSet<String> = symbols
        .lines()
        .filter_map(|line| {
            line.split_once(" pg_finfo_")
                .map(|(_, name)| name.to_owned())
        })
        // The library with tests in it has those too.
        .filter(|name| !name.starts_with("test_"))
        .collect();
    assert_eq!(in_script, in_library);
}

#[test]
fn the_library_lists_exactly_the_files_of_the_script_in_their_order() {
    let root = Project::default().root().to_owned();
    let library = fs::read_to_string(root.join("src/lib.rs")).expect("src/lib.rs");
    let listed: Vec<&str> = between(&library, "extension_sql_file!(", ")")
        .into_iter()
        .filter_map(|arguments| between(arguments, "\"../sql/", "\"").first().copied())
        .collect();
    let mut files = numbered_files(&root.join("sql"));
    files.sort();
    assert!(!files.is_empty());
    assert_eq!(listed, files);
    // cargo pgrx goes by what each file requires, not by the order of the list.
    let required = between(&library, "requires = [\"", "\"]");
    let named = between(&library, "name = \"", "\"");
    assert_eq!(required, named[..named.len() - 1]);
}

fn numbered_files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder sql");
    entries
        .map(|entry| entry.expect("an entry").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
        .collect()
}

/// Whatever is there before us, in the schema or of our names, must make the install fail, not be adopted.
#[test]
fn the_script_adopts_nothing_that_it_finds() {
    let script = Project::default().script().expect("the script");
    let code: String = script
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .map(|line| line.to_uppercase() + "\n")
        .collect();
    let words: Vec<&str> = code.split_whitespace().collect();
    assert!(!words.windows(2).any(|words| words == ["OR", "REPLACE"]));
    // PL/pgSQL asks so too, of a query in parentheses.
    let adopts =
        |words: &[&str]| words[..3] == ["IF", "NOT", "EXISTS"] && !words[3].starts_with('(');
    assert!(!words.windows(4).any(adopts));
}
