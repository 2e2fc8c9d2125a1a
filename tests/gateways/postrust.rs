//! A postrust of the test's own: an HTTP server that reads PostgREST's configuration, in front of the private server.

use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::Value;
use timedb_testkit::Database;

use crate::program::{Account, Folder, Program, installed};

pub struct Postrust {
    program: Program,
    address: SocketAddr,
}

impl Postrust {
    /// With so many connections to the database, by which everybody asks as the role.
    #[track_caller]
    pub fn in_front_of(database: &Database, role: &str, connections: u8) -> Self {
        let configuration = [
            ("PGRST_DB_URI", database.url("authenticator")),
            ("PGRST_DB_SCHEMAS", "timedb".into()),
            ("PGRST_DB_ANON_ROLE", role.into()),
            ("PGRST_DB_PRE_REQUEST", "timedb.pre_request".into()),
            ("PGRST_DB_POOL", connections.to_string()),
        ];
        let configuration = configuration.map(|(name, value)| (name.to_owned(), value));
        Self::configured(database, &configuration)
    }

    /// With PostgREST's variables.
    #[track_caller]
    pub fn configured(database: &Database, configuration: &[(String, String)]) -> Self {
        let folder = Folder::of(Account::own());
        let program = installed("bin/postrust");
        let address = free_address();
        let program = Program::start(
            folder,
            &program,
            |command| {
                command
                    .envs(configuration.iter().cloned())
                    // What PostgREST has no name for: its paths rather than postrust's own.
                    .env("PGRST_COMPAT_MODE", "1")
                    .env("PGRST_LOG_LEVEL", "warn")
                    .env("NO_COLOR", "1")
                    .env("DATABASE_URL", database.url("authenticator"))
                    .env("PGRST_SERVER_HOST", address.ip().to_string())
                    .env("PGRST_SERVER_PORT", address.port().to_string());
            },
            || TcpStream::connect(address).map(drop),
        );
        Self { program, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn log(&self) -> String {
        self.program.log()
    }

    /// A client that sends this key with every request.
    pub fn with_key(&self, key: &str) -> Http {
        self.client(Some(key.to_owned()))
    }

    pub fn without_key(&self) -> Http {
        self.client(None)
    }

    fn client(&self, key: Option<String>) -> Http {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Http {
            agent: agent.into(),
            address: self.address,
            key,
        }
    }
}

/// An address of this process alone: the loopback network has room for every process id, so that nobody can take the
/// port between here and the server's start.
fn free_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = [127, 64 + high, middle, low.clamp(1, 254)];
    let listener = TcpListener::bind(SocketAddr::from((own, 0))).expect("a free port");
    listener.local_addr().expect("its address")
}

/// An ordinary HTTP client.
pub struct Http {
    agent: ureq::Agent,
    address: SocketAddr,
    key: Option<String>,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// `Content-Range`: which rows, of how many.
    pub range: Option<String>,
    /// What is no JSON is a string.
    pub body: Value,
}

impl Http {
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    #[track_caller]
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(self.url(path));
        for (name, value) in self.key_header().into_iter().chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        answered(request.call())
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let mut request = self.agent.post(self.url(path));
        if let Some((name, value)) = self.key_header() {
            request = request.header(name, value);
        }
        let request = request.header("Content-Type", "application/json");
        answered(request.send(body.to_string()))
    }

    fn key_header(&self) -> Option<(&str, &str)> {
        self.key.as_deref().map(|key| ("X-API-Key", key))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

#[track_caller]
fn answered(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = result.unwrap_or_else(|error| panic!("no answer: {error}"));
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().expect("plain text").to_owned())
    };
    let (challenge, range) = (header("www-authenticate"), header("content-range"));
    let text = response.body_mut().read_to_string().expect("a text");
    Answer {
        status: response.status().as_u16(),
        challenge,
        range,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}
