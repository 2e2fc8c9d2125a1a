//! A Python program as a child, asked in JSON lines: for what has no Rust driver.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::flat_read::Answer;

pub struct Python {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Python {
    pub fn start(program: &Path) -> Result<Self> {
        Self::start_in("TIMEDB_BENCH_PYTHON", program)
    }

    /// In the environment whose interpreter the variable names: scripts/bench.sh has set it up, if it could.
    pub fn start_in(variable: &str, program: &Path) -> Result<Self> {
        let interpreter = std::env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.exists())
            .context("not installed: no Python environment")?;
        let mut child = Command::new(interpreter)
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start Python")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no output of Python")?);
        Ok(Self { child, input, output })
    }

    pub fn ask(&mut self, request: &Value) -> Result<Value> {
        let input = self.input.as_mut().context("Python has ended")?;
        writeln!(input, "{request}")?;
        input.flush()?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("Python ended at {request}");
        }
        let reply: Value = serde_json::from_str(&line).with_context(|| format!("Python said {line:?}"))?;
        match reply["error"].as_str() {
            Some(error) => bail!("{error}, at {request}"),
            None => Ok(reply),
        }
    }

    /// For requests that are answered with pairs of a valid time in microseconds and a value.
    pub fn answer(&mut self, request: &Value) -> Result<Answer> {
        let mut reply = self.ask(request)?;
        let pairs: Vec<(i64, f64)> = serde_json::from_value(reply["pairs"].take())?;
        Ok(Answer::of(pairs))
    }

    /// For requests that are answered with the time they took.
    pub fn timed(&mut self, request: &Value) -> Result<Duration> {
        let reply = self.ask(request)?;
        let seconds = reply["seconds"].as_f64().context("no time in the reply")?;
        Ok(Duration::from_secs_f64(seconds))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // The end of its input is the end of the program.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
