//! A `timedb api` that a test starts and stops, and an ordinary HTTP client.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use timedb_testkit::{Database, Identity, wait_until};

/// The server, until it is dropped.
pub struct Api {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
}

impl Api {
    #[track_caller]
    pub fn of(database: &Database, role: &str) -> Self {
        Self::at(&database.url(role), &[])
    }

    /// With options of the command.
    #[track_caller]
    pub fn at(dsn: &str, options: &[&str]) -> Self {
        let mut api = Self::spawn(dsn, options);
        let told = Arc::clone(&api.log);
        wait_until("the server listens", || {
            assert!(api.child.try_wait().expect("a child").is_none(), "{}", api.log());
            let log = told.lock().expect("a log");
            let line = log.lines().find_map(|line| line.split_once("listening on http://"));
            line.map(|(_, address)| address.clone_into(&mut api.address)).is_some()
        });
        api
    }

    /// What it says where it does not start.
    #[track_caller]
    pub fn refused(dsn: &str) -> String {
        let mut api = Self::spawn(dsn, &[]);
        let status = api.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(1), "{}", api.log());
        wait_until("its last words are read", || api.log().contains("timedb: "));
        api.log()
    }

    fn spawn(dsn: &str, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_timedb"));
        timedb_testkit::without_postgres_variables(&mut command);
        let mut child = command
            .args(["api", "--port", "0"])
            .args(options)
            .env("TIMEDB_DSN", dsn)
            // Whoever has this set asks for what must not be shown.
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().expect("its log"));
        let written = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = written.lock().expect("a log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            child,
            address: String::new(),
            log,
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn with_key_of(&self, identity: &Identity) -> Http {
        self.with_key(&identity.api_key)
    }

    pub fn with_key(&self, key: &str) -> Http {
        self.client(&[("X-API-Key", key)])
    }

    pub fn without_key(&self) -> Http {
        self.client(&[])
    }

    pub fn client(&self, headers: &[(&str, &str)]) -> Http {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Http {
            agent: agent.into(),
            root: format!("http://{}", self.address),
            headers: headers.collect(),
        }
    }

    pub fn process(&self) -> i32 {
        self.child.id().try_into().expect("a number")
    }

    /// SIGTERM, as an init system sends it.
    pub fn ask_to_stop(&self) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill runs").success());
    }

    pub fn stopped(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

#[derive(Clone)]
pub struct Http {
    agent: ureq::Agent,
    root: String,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("a text")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Of a request that was answered.
    #[track_caller]
    pub fn done(&self) -> Value {
        assert!(self.status == 200, "{} {}", self.status, self.text());
        self.json()
    }

    /// What the original's routes say.
    #[track_caller]
    pub fn detail(&self) -> String {
        let detail = &self.json()["detail"];
        detail.as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

impl Http {
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        let mut request = self.agent.get(format!("{}{path}", self.root));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        answered(request.call())
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", body.to_string().as_bytes())
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, "application/json", body.to_string().as_bytes())
    }

    #[track_caller]
    pub fn send(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Answer {
        let url = format!("{}{path}", self.root);
        let mut request = match method {
            "PUT" => self.agent.put(url),
            _ => self.agent.post(url),
        };
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        answered(request.header("Content-Type", content_type).send(body))
    }
}

#[track_caller]
fn answered(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = result.unwrap_or_else(|error| panic!("no answer: {error}"));
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().expect("a text").to_owned()));
    let headers = headers.collect();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(1 << 30);
    Answer {
        status,
        headers,
        bytes: body.read_to_vec().expect("a whole body"),
    }
}
