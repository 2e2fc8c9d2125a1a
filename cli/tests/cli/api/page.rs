//! docs/api.md, pasted: its commands run as they stand, and answer what it says, but for ids.

use std::process::Command;

use serde_json::Value;
use timedb_testkit::Database;
use uuid::Uuid;

use super::server::Api;

const PAGE: &str = include_str!("../../../../docs/api.md");

#[test]
fn the_page_works_when_pasted_and_says_what_comes_back() {
    let database = Database::fresh("api page");
    let (alice, _) = database.two_tenants();
    let api = Api::of(&database, "caller");
    let blocks: Vec<(&str, &str)> = PAGE
        .split("```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').expect("a fence has a line of its own"))
        .collect();
    let mut compared = 0;
    for (at, (language, text)) in blocks.iter().enumerate() {
        if *language != "sh" {
            continue;
        }
        let pasted = Command::new("bash")
            .args(["-euc", &text.replace("localhost:8000", api.address())])
            .env("KEY", &alice.api_key)
            .env("NO_PROXY", "*")
            .output()
            .expect("bash runs");
        let got = String::from_utf8(pasted.stdout).expect("a text");
        assert_eq!(shown(&got), shown(blocks[at + 1].1), "after:\n{text}");
        compared += 1;
    }
    assert!(compared >= 5, "{compared} outputs");
}

/// JSON by its value, and ids masked: the texts of an id are apart from others by what is no letter and no digit.
fn shown(text: &str) -> String {
    let text = serde_json::from_str::<Value>(text).map_or_else(|_| text.trim().to_owned(), |json| json.to_string());
    let words = text.split('"').map(|word| match word.parse::<Uuid>() {
        Ok(_) => "<id>",
        Err(_) => word,
    });
    words.collect::<Vec<_>>().join("\"")
}
