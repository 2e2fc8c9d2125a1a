//! What of the layers client, attacks, gateways and cli does not run through a router: the list that scripts/test.sh leaves out of the layer
//! `routed`.

use std::fs;
use timedb_testkit::Project;

const LIST: &str = "tests/router/not_applicable.tsv";

/// Whether a layer has a test of this name, or tests in the module that `…::` names.
fn exists(layer: &str, name: &str) -> bool {
    let (module, test) = name.rsplit_once("::").unwrap_or(("", name));
    let folder = match layer {
        "cli" => "cli/tests/cli".to_owned(),
        _ => format!("tests/{layer}"),
    };
    let path = format!("{folder}/{}.rs", module.replace("::", "/"));
    let source = fs::read_to_string(Project::default().root().join(path)).unwrap_or_default();
    let declared = if test.is_empty() {
        "#[test]\n".to_owned()
    } else {
        format!("\nfn {test}(")
    };
    source.contains(&declared)
}

#[test]
fn every_line_of_the_list_names_tests_that_exist_and_says_why_they_do_not_apply() {
    let list = fs::read_to_string(Project::default().root().join(LIST)).expect("the list");
    let mut names = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [layer @ ("client" | "attacks" | "gateways" | "cli"), name, reason] = fields[..] else {
            panic!("no layer, name and reason: {line:?}");
        };
        assert!(exists(layer, name), "tests/{layer} has no {name}");
        assert!(reason.split_whitespace().count() > 3, "{name}: {reason:?}");
        names.push((layer, name));
    }
    assert!(!names.is_empty());
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once, names, "in order, and each once");
}
