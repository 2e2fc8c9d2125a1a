//! Types commands, and reads what they print.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use timedb_testkit::{Database, Identity, Server};

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
    without_a_server().env("TIMEDB_DSN", &database.url(role))
}

pub fn timedb_on(server: &Server, role: &str, database: &str) -> Typist {
    without_a_server().env("TIMEDB_DSN", &server.url(role, database))
}

pub fn without_a_server() -> Typist {
    Typist {
        command: clean(env!("CARGO_BIN_EXE_timedb")),
    }
}

/// A program in an environment without anything that timedb takes, in a home where nothing is.
pub fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    let ours = [
        "TIMEDB_DSN",
        "TIMEDB_API_KEY",
        "TIMEDB_WEB_PASSWORD",
        "DATABASE_URL",
        "COLUMNS",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ];
    for variable in std::env::vars().map(|(name, _)| name) {
        if variable.starts_with("PG") || ours.contains(&variable.as_str()) {
            command.env_remove(variable);
        }
    }
    command.env("HOME", "/nonexistent");
    command
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

    /// Types a line and does not wait.
    pub fn begins(mut self, line: &str) -> Child {
        self.command
            .args(line.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.command.spawn().expect("the command starts")
    }

    /// Types a line at a terminal of so many columns, and then the answers to what it asks. All that is seen there is `out`.
    pub fn types_at_a_terminal(self, columns: u16, line: &str, answers: &str) -> Typed {
        let program = self.command.get_program().to_str().expect("a path");
        let typed = format!("stty cols {columns}; exec {program} {line}");
        let mut terminal = Command::new("script");
        terminal.args(["--quiet", "--return", "--command", &typed, "/dev/null"]);
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => terminal.env(name, value),
                None => terminal.env_remove(name),
            };
        }
        terminal
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = terminal.spawn().expect("script, of util-linux");
        let mut input = child.stdin.take().expect("its input");
        input.write_all(answers.as_bytes()).expect("typed");
        let output = child.wait_with_output().expect("it ends");
        drop(input);
        Typed::of(output)
    }
}

impl Typed {
    pub fn of(output: Output) -> Self {
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
