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

/// Policies filter by tenant whatever a statement says; each says it too, so that neither wall stands alone.
#[test]
fn every_statement_of_the_library_names_the_tenant_in_its_own_text() {
    let folder = Project::default().root().join("src");
    let mut statements = 0;
    for entry in fs::read_dir(&folder).expect("src") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() || name == "in_backend_tests.rs" {
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source");
        for statement in between(&source, "c\"", "\";") {
            statements += usize::from(statement.contains(" timedb."));
            let missing = tables_without_tenant(statement);
            assert!(missing.is_empty(), "{name}: {missing:?} in {statement}");
        }
    }
    assert!(statements > 20, "the premise: {statements}");
}

/// The tables that a statement reads or changes without saying of which tenant.
fn tables_without_tenant(statement: &str) -> Vec<&str> {
    // The one row whose key is presented: the policy alone knows which.
    const BY_POLICY_ALONE: &str = "SELECT k.tenant_id, k.key_id, k.scope FROM timedb.api_keys k";
    const OF_NO_TENANT: &str = "timedb.role_bindings";
    if statement == BY_POLICY_ALONE {
        return Vec::new();
    }
    let words: Vec<&str> = statement.split_whitespace().collect();
    words
        .windows(3)
        .filter(|three| ["FROM", "JOIN", "UPDATE"].contains(&three[0]))
        .filter(|three| three[1].starts_with("timedb.") && three[1] != OF_NO_TENANT)
        .filter(|three| {
            let of_whom = if three[0] == "JOIN" { "" } else { "$1" };
            !statement.contains(&format!("{}.tenant_id = {of_whom}", three[2]))
        })
        .map(|three| three[1])
        .collect()
}
