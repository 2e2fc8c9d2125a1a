//! docs/files.md, typed as it stands.

use timedb_testkit::Database;
use uuid::Uuid;

use crate::support::{Folder, timedb};

const PAGE: &str = include_str!("../../../docs/files.md");

#[test]
fn the_page_on_files_prints_what_it_says() {
    let database = Database::fresh("cli docs files");
    let alice = database.create_user(Uuid::now_v7(), "alice@tenant-a.com", "write");
    let folder = Folder::of("docs files");
    let mut blocks = 0;
    let mut page = String::new();
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("```sh\n") {
        let (script, after) = after.split_once("```\n").expect("a block ends");
        let after = after.strip_prefix("```text\n").expect("what it prints");
        let (_, after) = after.split_once("```\n").expect("a block ends");
        let printed = timedb(&database, "caller")
            .with_key_of(&alice)
            .within(&folder)
            .scripts(script);
        page.push_str(&format!("{before}```sh\n{script}```\n```text\n{printed}```\n"));
        rest = after;
        blocks += 1;
    }
    page.push_str(rest);
    assert!(blocks > 4, "{blocks} blocks");
    // With the variable the page is written anew, and a reader looks at the difference.
    if std::env::var_os("TIMEDB_WRITE_DOCS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/files.md"), &page).expect("the page");
        return;
    }
    assert_eq!(without_ids(&page), without_ids(PAGE));
}

/// Ids are others every time.
fn without_ids(page: &str) -> String {
    let words = page
        .split_inclusive(char::is_whitespace)
        .map(|word| match word.trim().parse::<Uuid>() {
            Ok(_) => "ID\n",
            Err(_) => word,
        });
    words.collect()
}
