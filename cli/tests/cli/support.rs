//! Types commands, and reads what they print.

use std::process::{Command, Output, Stdio};

use timedb_testkit::{Database, Identity};

/// What a command has printed, and how it ended.
#[derive(Debug)]
pub struct Typed {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Somebody at a prompt: a role of the server, perhaps with a key, and nothing else in the environment that timedb takes.
pub struct Typist {
    command: Command,
}

pub fn timedb(database: &Database, role: &str) -> Typist {
    let mut typist = without_a_server();
    typist.command.env("TIMEDB_DSN", database.url(role));
    typist
}

pub fn without_a_server() -> Typist {
    let mut command = Command::new(env!("CARGO_BIN_EXE_timedb"));
    let ours = ["TIMEDB_DSN", "TIMEDB_API_KEY", "DATABASE_URL"];
    for variable in std::env::vars().map(|(name, _)| name) {
        if variable.starts_with("PG") || ours.contains(&variable.as_str()) {
            command.env_remove(variable);
        }
    }
    Typist { command }
}

impl Typist {
    pub fn with_key_of(self, identity: &Identity) -> Self {
        self.env("TIMEDB_API_KEY", &identity.api_key)
    }

    pub fn env(mut self, variable: &str, value: &str) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Types a line, whose words are apart by blanks.
    pub fn types(self, line: &str) -> Typed {
        self.types_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn types_words(mut self, words: &[&str]) -> Typed {
        let output = self.command.args(words).stdin(Stdio::null()).output();
        Typed::of(output.expect("the command starts"))
    }
}

impl Typed {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// What was printed, of a command that did what it was told.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    /// What was said, of a command that could not do it and printed nothing.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{self:#?}");
        self.err
    }
}
