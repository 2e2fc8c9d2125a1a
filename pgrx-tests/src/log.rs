//! What the server of `private-server run` has logged.

use std::{env, fs};

use crate::database::Database;
use crate::environment::LOG;

/// All of it, of every test that runs meanwhile.
#[track_caller]
pub fn server_log() -> String {
    let path = env::var_os(LOG).expect("`private-server run` names the log of its server");
    let bytes = fs::read(path).expect("the log can be read");
    // Tests send bytes that are no text.
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Database {
    /// The lines of a log that are of sessions of this role in this database.
    pub fn lines_of<'a>(&self, role: &str, log: &'a str) -> Vec<&'a str> {
        let session = format!("{role}@{} ", self.name());
        log.lines().filter(|line| line.contains(&session)).collect()
    }
}
