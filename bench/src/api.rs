//! `timedb api` as a process of its own in front of the bench's server, and a client that keeps its connection.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;
use timedb_testkit::Server;

const PATIENCE: Duration = Duration::from_secs(30);

/// Ends with this.
pub struct Api {
    child: Child,
    address: String,
}

impl Api {
    /// It asks as `caller`, a plain member of `timedb_caller`, and has what it has by default.
    pub fn start(server: &Server, database: &str) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("timedb");
        // Nobody has to read a file, so that its log never holds it up.
        let log = NamedTempFile::new()?;
        let child = Command::new(&program)
            .args(["api", "--port", "0", "--dsn", &server.url("caller", database)])
            .stdin(Stdio::null())
            .stderr(File::create(log.path())?)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut api = Self {
            child,
            address: String::new(),
        };
        api.address = api.told(&log)?;
        Ok(api)
    }

    /// Where it listens.
    fn told(&mut self, log: &NamedTempFile) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = std::fs::read_to_string(log.path())?;
            let lines = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let Some((_, address)) = lines.filter_map(|line| line.split_once("listening on ")).next() {
                return Ok(address.to_owned());
            }
            if self.child.try_wait()?.is_some() || Instant::now() > end {
                bail!("timedb api does not listen: {said}");
            }
            sleep(Duration::from_millis(20));
        }
    }

    pub fn client(&self, api_key: &str) -> Client {
        // The machine's proxy is not for an address of its own.
        let config = ureq::Agent::config_builder().proxy(None);
        Client {
            agent: config.build().into(),
            address: self.address.clone(),
            api_key: api_key.to_owned(),
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub struct Client {
    agent: ureq::Agent,
    address: String,
    api_key: String,
}

impl Client {
    /// The body of the answer, and how long it took; any other status than 200 is an error.
    pub fn get(&self, path: &str) -> Result<(Duration, String)> {
        let url = format!("{}{path}", self.address);
        let started = Instant::now();
        let mut answer = self.agent.get(&url).header("X-API-Key", &self.api_key).call()?;
        let body = answer.body_mut().read_to_string()?;
        Ok((started.elapsed(), body))
    }
}
