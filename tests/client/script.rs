//! The install script, the library, and the list of SQL files in it agree; nothing is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
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
        .filter_map(|line| line.split_once(" pg_finfo_").map(|(_, name)| name.to_owned()))
        // The library with tests in it has those too.
        .filter(|name| !name.starts_with("test_"))
        .collect();
    let gone: Vec<&String> = in_script.difference(&in_library).collect();
    assert!(gone.is_empty(), "not in the library: {gone:?}");
    // What a release names stays, for databases that are not updated yet; a router and its shards have scripts of their own.
    let mut in_any_script = in_script;
    for folder in ["sql/released", "router/sql", "router/shard"] {
        for page in fs::read_dir(Project::default().root().join(folder)).expect("a folder of scripts") {
            let script = fs::read_to_string(page.expect("an entry").path()).expect("its text");
            let named = between(&script, "AS 'MODULE_PATHNAME', '", "'");
            in_any_script.extend(named.into_iter().map(str::to_owned));
        }
    }
    assert_eq!(in_any_script, in_library);
}

/// A session keeps the library that it has loaded, whatever an update declares meanwhile: a function that is declared otherwise
/// than a release declared it has a name of its own, which no library of the release has.
#[test]
fn no_function_has_the_name_in_the_library_that_a_release_declared_otherwise() {
    let script = Project::default().script().expect("the script");
    let now = declarations(&script);
    let mut compared = 0;
    for release in fs::read_dir(Project::default().root().join("sql/released")).expect("the releases") {
        let released = fs::read_to_string(release.expect("an entry").path()).expect("its script");
        for (symbol, declared) in declarations(&released) {
            if let Some(declared_now) = now.get(&symbol) {
                assert_eq!(*declared_now, declared, "{symbol}");
                compared += 1;
            }
        }
    }
    assert!(compared > 10, "the premise: {compared} are still declared");
}

/// What such a session is told is that name: it says what to do.
#[test]
fn a_function_in_c_that_a_release_declared_otherwise_is_named_so_that_whoever_does_not_find_it_knows_what_to_do() {
    let now = declared_functions(&Project::default().script().expect("the script"));
    let mut told = 0;
    for release in Project::default().released_scripts().expect("the releases") {
        let released = declared_functions(&fs::read_to_string(release).expect("its script"));
        for (name, (head, symbol)) in &now {
            let is_as_it_was = released
                .get(name)
                .is_none_or(|before| *before == (head.clone(), symbol.clone()));
            // Those within are called by others.
            if !is_as_it_was && !name.starts_with('_') {
                assert!(symbol.starts_with("reconnect_"), "{name} is {symbol} in the library");
                told += 1;
            }
        }
    }
    assert!(told > 6, "the premise: {told}");
}

/// Of each function in C, by its name in SQL, its declaration and its name in the library.
fn declared_functions(script: &str) -> BTreeMap<String, (String, String)> {
    let by_symbol = declarations(script).into_iter();
    by_symbol
        .map(|(symbol, head)| {
            let name = head.trim_start_matches("timedb.").split('(').next().unwrap_or_default();
            (name.to_owned(), (head.clone(), symbol))
        })
        .collect()
}

/// Of each function in C what it takes and answers, by its name in the library.
fn declarations(script: &str) -> BTreeMap<String, String> {
    let functions = script.split("CREATE FUNCTION ").skip(1);
    let declared = functions.filter_map(|function| {
        let (head, rest) = function.split_once("AS 'MODULE_PATHNAME', '")?;
        let (symbol, _) = rest.split_once('\'')?;
        let head = head.split_whitespace().collect::<Vec<_>>().join(" ").replace(" )", ")");
        (!head.contains("$$")).then(|| (symbol.to_owned(), without_defaults(&head)))
    });
    declared.collect()
}

/// What is passed is the same, whatever stands for what is left out.
fn without_defaults(head: &str) -> String {
    let mut pieces = head.split(" DEFAULT ");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |head, piece| {
        let end = piece.find([',', ')']).unwrap_or(piece.len());
        head + piece[end..].trim_start()
    })
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
    let adopts = |words: &[&str]| words[..3] == ["IF", "NOT", "EXISTS"] && !words[3].starts_with('(');
    assert!(!words.windows(4).any(adopts));
}

/// Policies filter by tenant whatever a statement says; each says it too, so that neither wall stands alone.
#[test]
fn every_statement_of_the_library_names_the_tenant_in_its_own_text() {
    let mut sources = Vec::new();
    let folder = Project::default().root().join("src");
    collect_sources(&folder, &mut sources);
    assert!(
        sources.iter().any(|path| path.parent() != Some(folder.as_path())),
        "the premise: a file in a sub-folder"
    );
    let mut statements = 0;
    for path in &sources {
        let source = fs::read_to_string(path).expect("a source");
        for statement in literals(&source) {
            statements += usize::from(statement.contains(" timedb."));
            let missing = tables_without_tenant(&statement);
            assert!(missing.is_empty(), "{}: {missing:?} in {statement}", path.display());
        }
    }
    assert!(statements > 35, "the premise: {statements}");
}

/// Every Rust file of a folder and of those in it, but for the tests that ship in no library.
fn collect_sources(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_stem().is_some_and(|s| s == "in_backend_tests") {
            continue;
        }
        if path.is_dir() {
            collect_sources(&path, sources);
        } else if path.extension().is_some_and(|e| e == "rs") {
            sources.push(path);
        }
    }
}

/// The strings of a Rust source, of every kind, without the escapes that SQL does not see.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let (before, from) = rest.split_at(at);
        let length = match &from[..1] {
            "\"" => {
                let length = length_of_literal(before, from);
                let inner = from[..length].trim_end_matches('#');
                found.push(inner[1..inner.len() - 1].replace('\\', ""));
                length
            }
            "'" if from.starts_with("'\\") => 3 + from[3..].find('\'').expect("a char's end"),
            "'" if from.chars().nth(2) == Some('\'') => from.char_indices().nth(3).map_or(3, |c| c.0),
            "/" if from.starts_with("//") => from.find('\n').unwrap_or(from.len()),
            "/" if from.starts_with("/*") => 2 + from.find("*/").expect("a comment's end"),
            _ => 1,
        };
        rest = &from[length..];
    }
    found
}

/// From its first quote to the end; what stands before says whether it is raw, and so has no escapes.
fn length_of_literal(before: &str, literal: &str) -> usize {
    let prefix = before.trim_end_matches('#');
    let hashes = &before[prefix.len()..];
    let is_raw = ["r", "br", "cr"].iter().any(|raw| {
        prefix
            .strip_suffix(raw)
            .is_some_and(|earlier| !earlier.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    });
    if is_raw {
        let end = format!("\"{hashes}");
        return 1 + literal[1..].find(&end).expect("a literal's end") + end.len();
    }
    let mut escaped = false;
    let ends = |c: char| {
        let end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        end
    };
    2 + literal[1..].find(ends).expect("a literal's end")
}

#[test]
fn the_strings_of_a_source_are_found_whatever_stands_around_them() {
    let source = r##"
        // "a comment"
        /* "another" */
        fn of<'a>(quote: char) -> &'a str { if quote == '"' || quote == '\'' || quote == '\u{22}' { "one" } else { b"two" } }
        statements! {
            THREE(Uuid) -> (i64, Option<&str>) = c"SELECT \"three\"
              FROM t";
            FOUR() = cr#"SELECT "four" // \ "#; FIVE(UUIDOID) = c"five \\";
        }
        for_bar"six" '/' "seven // \
        is long"
    "##;
    let squeezed: Vec<String> = literals(source)
        .iter()
        .map(|literal| literal.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        squeezed,
        [
            "one",
            "two",
            "SELECT \"three\" FROM t",
            "SELECT \"four\" //",
            "five",
            "six",
            "seven // is long"
        ]
    );
}

/// What this reads of SQL: names with their schema, parameters, strings and operators are one word each.
fn words(statement: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = statement.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || "_.$\"".contains(c);
        let is_operator = |c: char| "<>=!+-*/%|&#@~^:".contains(c);
        let length = if first == '\'' {
            rest[1..].find('\'').map(|end| end + 2)
        } else if is_name(first) {
            rest.find(|c| !is_name(c))
        } else if is_operator(first) {
            rest.find(|c| !is_operator(c))
        } else {
            Some(first.len_utf8())
        };
        let (word, after) = rest.split_at(length.unwrap_or(rest.len()));
        words.push(word);
        rest = after.trim_start();
    }
    words
}

const SET_OPERATIONS: [&str; 3] = ["UNION", "INTERSECT", "EXCEPT"];

/// The words of a statement, of each sub-select in it and of each side of a UNION, apart: a condition holds for the query that
/// it stands in.
fn queries<'a>(words: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut queries = vec![Vec::new()];
    let mut within = vec![0];
    for (at, word) in words.iter().enumerate() {
        if *word == ")" && within.len() > 1 {
            within.pop();
        }
        if SET_OPERATIONS.contains(word) {
            queries.push(Vec::new());
            within.pop();
            within.push(queries.len() - 1);
        }
        let query = *within.last().expect("one is never popped");
        queries[query].push(*word);
        if *word == "(" {
            let begins = ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "VALUES"];
            if words.get(at + 1).is_some_and(|next| begins.contains(next)) {
                queries.push(Vec::new());
                within.push(queries.len() - 1);
            } else {
                within.push(query);
            }
        }
    }
    queries
}

/// The tables that a statement reads or changes without saying of which tenant, and words that this cannot judge.
fn tables_without_tenant(statement: &str) -> Vec<&str> {
    // The one row whose key is presented: the policy alone knows which.
    const BY_POLICY_ALONE: &str = "SELECT k.tenant_id, k.key_id, k.scope FROM timedb.api_keys k";
    const VERBS: [&str; 9] = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "TABLE", "COPY", "TRUNCATE", "LOCK",
    ];
    const NOT_JUDGED: [&str; 2] = ["MERGE", "COPY"];
    let words = words(statement);
    if statement == BY_POLICY_ALONE || !words.iter().any(|word| VERBS.contains(word)) {
        return Vec::new();
    }
    let mut missing: Vec<&str> = queries(&words)
        .iter()
        .flat_map(|query| tables_of_query_without_tenant(query))
        .collect();
    if words.iter().any(|word| is_table(word)) {
        let inserts = words.contains(&"INTO");
        let not_judged = |word: &&&str| NOT_JUDGED.contains(word) || inserts && SET_OPERATIONS.contains(word);
        missing.extend(words.iter().filter(not_judged));
    }
    missing
}

fn is_table(word: &str) -> bool {
    const OF_NO_TENANT: &str = "timedb.role_bindings";
    let name = word.replace('"', "");
    name.starts_with("timedb.") && name != OF_NO_TENANT
}

fn tables_of_query_without_tenant<'a>(query: &[&'a str]) -> Vec<&'a str> {
    let word = |at: usize| query.get(at).copied().unwrap_or_default();
    let mut missing = Vec::new();
    for at in (0..query.len()).filter(|at| is_table(query[*at])) {
        let before = word(at.wrapping_sub(1));
        if before == "::" || word(at + 1) == "(" && before != "INTO" {
            continue; // a type, a function
        }
        let alias = word(at + 1 + usize::from(word(at + 1) == "AS"));
        let says_it = match before {
            "INTO" => inserts_for_the_tenant(&query[at + 1..]),
            "JOIN" => is_of_the_tenant(query, alias) || is_of_a_neighbours_tenant(query, alias),
            _ => is_of_the_tenant(query, alias),
        };
        if !says_it {
            missing.push(query[at]);
        }
    }
    missing
}

fn is_of_the_tenant(query: &[&str], alias: &str) -> bool {
    let column = format!("{alias}.tenant_id");
    query.windows(3).any(|words| words == [column.as_str(), "=", "$1"])
}

/// Of a table's that is itself of the tenant, that is: an array of the caller's has columns too.
fn is_of_a_neighbours_tenant(query: &[&str], alias: &str) -> bool {
    let column = format!("{alias}.tenant_id");
    query
        .windows(3)
        .filter(|words| words[..2] == [column.as_str(), "="])
        .filter_map(|words| words[2].strip_suffix(".tenant_id"))
        .any(|neighbour| is_of_the_tenant(query, neighbour))
}

/// What follows the table's name: the tenant is its first column, and `$1` the first value of each row.
fn inserts_for_the_tenant(words: &[&str]) -> bool {
    let Some(end) = words.iter().position(|word| *word == ")") else {
        return false;
    };
    let (columns, rest) = (&words[..end], &words[end + 1..]);
    let starts = |words: &[&str], with: [&str; 2]| words.len() > 2 && words[..2] == with;
    if !starts(columns, ["(", "tenant_id"]) {
        return false;
    }
    match rest.first() {
        Some(&"SELECT") => starts(&rest[1..], ["$1", ","]),
        Some(&"VALUES") => {
            let end = rest.iter().position(|word| ["ON", "RETURNING"].contains(word));
            let mut rows = rows_of_values(&rest[1..end.unwrap_or(rest.len())]).into_iter();
            rows.len() > 0 && rows.all(|row| starts(row, ["$1", ","]))
        }
        _ => false,
    }
}

/// The words of each row, which are in parentheses, and may have some within.
fn rows_of_values<'a, 'b>(words: &'b [&'a str]) -> Vec<&'b [&'a str]> {
    let (mut rows, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, word) in words.iter().enumerate() {
        match *word {
            "(" => {
                depth += 1;
                start = if depth == 1 { at + 1 } else { start };
            }
            ")" => {
                depth -= 1;
                if depth == 0 {
                    rows.push(&words[start..at]);
                }
            }
            _ => {}
        }
    }
    rows
}

#[test]
fn a_statement_that_does_not_name_the_tenant_is_seen() {
    let faults = [
        // Reads: no condition, another parameter, another table's, no alias, an array's tenant, a comma.
        "SELECT v.points FROM timedb.values v WHERE v.series_id = $2",
        "SELECT v.points FROM timedb.values v WHERE v.tenant_id = $10",
        "SELECT v.points FROM timedb.values v WHERE v.tenant_id = $2",
        "SELECT v.points FROM timedb.values v WHERE v.tenant_id <> $1",
        "SELECT v.points FROM timedb.values v WHERE vv.tenant_id = $1",
        "SELECT points FROM timedb.values WHERE tenant_id = $1",
        "SELECT v.points FROM \"timedb\".\"values\" v",
        "SELECT 1 FROM timedb.runs r JOIN timedb.values v ON v.run_id = r.run_id WHERE r.tenant_id = $1",
        "SELECT 1 FROM timedb.runs r JOIN timedb.values v ON v.tenant_id = v.tenant_id WHERE r.tenant_id = $1",
        "SELECT 1 FROM unnest($2) AS k(tenant_id) JOIN timedb.series s ON s.tenant_id = k.tenant_id",
        "SELECT 1 FROM timedb.runs r, timedb.values v WHERE r.tenant_id = $1",
        "TABLE timedb.packs",
        // Sub-selects: the inner one's condition is not the outer one's, nor the other way round.
        "SELECT v.points FROM (SELECT v.* FROM timedb.values v WHERE v.tenant_id = $1) w, timedb.packs v",
        "SELECT v.points FROM timedb.values v
         WHERE v.tenant_id = $1 AND EXISTS (SELECT FROM timedb.values v WHERE v.part = 0)",
        "WITH c AS MATERIALIZED (SELECT r.run_id FROM timedb.runs r)
         UPDATE timedb.runs r SET run_params = $2 FROM c WHERE r.tenant_id = $1 AND r.run_id = c.run_id",
        "WITH d AS (DELETE FROM timedb.values v WHERE v.part = $2 RETURNING 1) SELECT count(*) FROM d",
        // Changes.
        "UPDATE timedb.users u SET is_active = $2 WHERE u.user_id = $3",
        "UPDATE timedb.series s SET unit = p.unit FROM timedb.packs p WHERE s.tenant_id = $1",
        "DELETE FROM timedb.values v WHERE v.series_id = $2",
        "DELETE FROM timedb.values v USING chosen c WHERE v.ctid = c.place AND c.tenant_id = $1",
        "DELETE FROM timedb.values v USING timedb.packs p WHERE v.tenant_id = $1",
        "TRUNCATE timedb.audit",
        // Inserts.
        "INSERT INTO timedb.users (user_id, tenant_id) VALUES ($1, $2)",
        "INSERT INTO timedb.users (tenant_id, user_id) VALUES ($2, $1)",
        "INSERT INTO timedb.users (tenant_id, user_id) VALUES ($1, $2), ($3, $4)",
        "INSERT INTO timedb.users (tenant_id, user_id) VALUES (coalesce($1, $2), $2)",
        "INSERT INTO timedb.users VALUES ($1, $2)",
        "INSERT INTO timedb.users DEFAULT VALUES",
        "INSERT INTO timedb.users (tenant_id, user_id) VALUES (current_tenant(), $1)",
        "INSERT INTO timedb.runs (tenant_id, run_id) SELECT r.tenant_id, r.run_id FROM unnest($1, $2) AS r(tenant_id, run_id)",
        "INSERT INTO timedb.runs (run_id, tenant_id) SELECT $1, $2",
        "INSERT INTO timedb.runs(tenant_id, run_id) SELECT $1::text::uuid, $2",
        "INSERT INTO timedb.runs (tenant_id, run_id) SELECT $1, v.run_id FROM timedb.values v",
        "WITH n AS (INSERT INTO timedb.packs (series_id) VALUES ($2) RETURNING 1) SELECT count(*) FROM n",
        // Each side of a UNION for itself.
        "SELECT v.run_id FROM timedb.values v WHERE v.tenant_id = $1 UNION SELECT v.run_id FROM timedb.values v",
        "SELECT v.run_id FROM timedb.values v UNION ALL SELECT v.run_id FROM timedb.values v WHERE v.tenant_id = $1",
        "SELECT 1 FROM (SELECT 1 FROM timedb.packs p EXCEPT SELECT 1 FROM timedb.packs p WHERE p.tenant_id = $1) q",
        // What is not judged.
        "INSERT INTO timedb.runs (tenant_id, run_id) SELECT $1, $2 UNION ALL SELECT $3, $4",
        "MERGE INTO timedb.runs r USING n ON r.tenant_id = $1 WHEN MATCHED THEN DELETE",
    ];
    for fault in faults {
        assert!(!tables_without_tenant(fault).is_empty(), "{fault}");
    }
    for table in [
        "audit", "series", "runs", "users", "api_keys", "key_ends", "values", "packs",
    ] {
        let fault = format!("INSERT INTO timedb.{table} (series_id) VALUES ($1)");
        assert_eq!(tables_without_tenant(&fault), [format!("timedb.{table}")]);
    }
}

#[test]
fn a_statement_that_names_the_tenant_passes() {
    let sound = [
        "SELECT 1 FROM timedb.runs r WHERE r.tenant_id = $1 UNION ALL SELECT 1 FROM timedb.runs r WHERE r.tenant_id = $1",
        "SELECT v.points::timedb.points FROM timedb.values AS v WHERE v.tenant_id = $1",
        "SELECT 1 FROM timedb.api_keys k JOIN timedb.users u ON u.tenant_id = k.tenant_id AND u.user_id = k.user_id
         WHERE ($1 IS NULL OR k.tenant_id = $1)",
        "SELECT w.n FROM unnest($2) AS k(n)
         CROSS JOIN LATERAL (SELECT p.n FROM timedb.packs p WHERE p.tenant_id = $1 OFFSET 0) w",
        "WITH c AS (SELECT v.ctid FROM timedb.values v WHERE v.tenant_id = $1)
         DELETE FROM timedb.values v USING c WHERE v.tenant_id = $1 AND v.ctid = c.ctid",
        "INSERT INTO timedb.users (tenant_id, user_id) VALUES ($1, coalesce($2, $3)), ($1, $4) RETURNING 1",
        "INSERT INTO timedb.packs (tenant_id, versions) SELECT $1, timedb._pack_of_bytes(r.v) FROM unnest($2) AS r(v)
         ON CONFLICT (tenant_id, series_key, labels) DO NOTHING",
        "INSERT INTO timedb.role_bindings (role_name, tenant_id) VALUES ($1, $2)",
        "DELETE FROM timedb.role_bindings b WHERE b.role_name = $1",
        "SELECT timedb.current_tenant()",
        "timedb.tenant",
        "a role that may not UPDATE",
    ];
    for statement in sound {
        assert!(tables_without_tenant(statement).is_empty(), "{statement}");
    }
}
