//! Types commands, and reads what they print.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

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

    /// Stands in a folder.
    pub fn within(mut self, folder: &Folder) -> Self {
        self.command.current_dir(folder.path());
        self
    }

    /// Types a line that reads this from a pipe.
    pub fn pipes(self, line: &str, piped: &[u8]) -> Typed {
        let mut child = self.spawned(line, Stdio::piped());
        let (mut pipe, piped) = (child.stdin.take().expect("a pipe"), piped.to_owned());
        // What is refused is not read to its end.
        let writes = thread::spawn(move || pipe.write_all(&piped).ok());
        let output = child.wait_with_output().expect("an end");
        writes.join().expect("a writer");
        Typed::of(output)
    }

    /// What a script of bash prints, in which the command is called by its name.
    pub fn scripts(self, script: &str) -> String {
        let mut bash = Command::new("bash");
        for (variable, value) in self.command.get_envs() {
            match value {
                Some(value) => bash.env(variable, value),
                None => bash.env_remove(variable),
            };
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_timedb")).parent().expect("a folder");
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").expect("a path"));
        let folder = self.command.get_current_dir().expect("a folder").to_owned();
        let script = format!("exec 2>&1\n{script}");
        let output = bash
            .env("PATH", path)
            .current_dir(folder)
            .args(["-euc", &script])
            .output();
        Typed::of(output.expect("bash starts")).done()
    }

    pub fn types_words(mut self, words: &[&str]) -> Typed {
        let output = self.command.args(words).stdin(Stdio::null()).output();
        Typed::of(output.expect("the command starts"))
    }

    /// Types a line and does not wait.
    pub fn begins(self, line: &str) -> Child {
        self.spawned(line, Stdio::null())
    }

    /// The same of words that may have blanks in them.
    pub fn starts(mut self, words: &[&str]) -> Child {
        let command = self.command.args(words).stdin(Stdio::null());
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        piped.spawn().expect("the command starts")
    }

    fn spawned(mut self, line: &str, stdin: Stdio) -> Child {
        self.command
            .args(line.split_whitespace())
            .stdin(stdin)
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

/// A folder of a test's own, which goes with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn of(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("timedb cli {test} {}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), content).expect("a file");
    }

    /// The names of what is in it.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
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
