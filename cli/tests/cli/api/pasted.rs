//! `make http`: what it prints is pasted into a shell.

use std::path::Path;
use std::process::Command;

use timedb_testkit::{Cluster, Options};

fn script(cluster: &Cluster, state: &Path, verb: &str) -> String {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
    let output = Command::new("bash")
        .arg(project.join("scripts/http.sh"))
        .arg(verb)
        .env("TIMEDB_SERVE", state)
        .env("TIMEDB_COMMAND", env!("CARGO_BIN_EXE_timedb"))
        .env("PORT", "0")
        .env("PGHOST", cluster.folder())
        .output()
        .expect("bash runs");
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complained}");
    String::from_utf8(output.stdout).expect("a text")
}

/// Stops the server, whatever becomes of the test.
struct Started<'a>(&'a Cluster, &'a Path);

impl Drop for Started<'_> {
    fn drop(&mut self) {
        script(self.0, self.1, "stop");
    }
}

#[test]
fn the_lines_that_make_http_prints_work_when_pasted_and_so_they_do_the_second_time() {
    let cluster = Options::default().start().expect("a server of our own");
    cluster.create_database("timedb").expect("a database");
    let state = std::env::temp_dir().join(format!("timedb-http-{}", std::process::id()));
    std::fs::create_dir_all(&state).expect("a folder");
    std::fs::write(state.join("folder"), cluster.folder().as_os_str().as_encoded_bytes()).expect("written");
    let mut keys = Vec::new();
    {
        let _started = Started(&cluster, &state);
        // Alice's address is another tenant's by then: each start makes one.
        for _ in 0..2 {
            let printed = script(&cluster, &state, "start");
            let lines: Vec<&str> = printed
                .lines()
                .filter(|line| line.starts_with("KEY=") || line.starts_with("curl "))
                .collect();
            assert_eq!(lines.len(), 4, "{printed}");
            keys.push(lines[0].to_owned());
            let pasted = Command::new("bash")
                .args(["-euc", &lines.join("\necho\n")])
                .env("NO_PROXY", "*")
                .output()
                .expect("bash runs");
            let answered = String::from_utf8_lossy(&pasted.stdout).into_owned();
            assert!(pasted.status.success(), "{answered}");
            for expected in ["Run created successfully", "\"count\":1", "\"value\":12.5"] {
                assert!(answered.contains(expected), "{answered}");
            }
        }
        assert_ne!(keys[0], keys[1]);
    }
    assert!(!state.join("http.pid").exists(), "it was stopped");
    std::fs::remove_dir_all(&state).expect("the folder goes");
}
