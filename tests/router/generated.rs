//! The pages that are generated are those of the functions as they are.

use std::fs;
use std::process::Command;
use timedb_testkit::{Cluster, Project};

#[test]
fn the_generated_pages_are_up_to_date() {
    let cluster = Cluster::start_default().expect("a server");
    cluster.create_database("generated").expect("a database");
    let folder = tempfile::tempdir().expect("a folder");
    let project = Project::default();
    let mut script = Command::new(project.root().join("scripts/router.sh"));
    cluster.tell(&mut script, "generated");
    let output = script.arg(folder.path()).output().expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for page in [
        "sql/04_functions.sql",
        "sql/05_on_one_server.sql",
        "sql/08_comments.sql",
        "shard/02_functions.sql",
    ] {
        let fresh = fs::read_to_string(folder.path().join(page)).expect("a page");
        let kept = fs::read_to_string(project.root().join("router").join(page)).expect("a page");
        assert!(fresh == kept, "router/{page} is not what scripts/router.sh writes");
    }
}
