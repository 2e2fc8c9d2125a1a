//! The attacking session: it turns operations into SQL, runs them and keeps a transcript.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;

use postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::check::sql_of;
use super::model::{Credential, Model};
use super::operation::{Key, Look, Operation, Setting, Source, Way};
use super::sql::{self, quoted, text_of};
use super::world::World;

/// Which column of packs that is, from 0.
const POINT_COUNT: usize = 9;

/// What came back of a statement: the first error, or every value of every row.
#[derive(Default, Debug)]
pub struct Answer {
    pub rows: Vec<String>,
    pub error: Option<Refusal>,
}

/// An error, taken out of the form it has for HTTP.
#[derive(Debug)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    over_http: bool,
}

impl Refusal {
    pub fn of(code: &str, message: &str) -> Self {
        let plain = || -> Option<Self> {
            let json: serde_json::Value = serde_json::from_str(message).ok()?;
            Some(Self {
                code: json["code"].as_str()?.to_owned(),
                message: json["message"].as_str()?.to_owned(),
                over_http: true,
            })
        };
        let http = (code == "PGRST").then(plain).flatten();
        http.unwrap_or_else(|| Self {
            code: code.to_owned(),
            message: message.to_owned(),
            over_http: false,
        })
    }

    pub fn is(&self, (code, message): (&str, &str), over_http: bool) -> bool {
        self.code == code && self.message.contains(message) && self.over_http == over_http
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let form = if self.over_http { " (for HTTP)" } else { "" };
        write!(formatter, "{} {}{form}", self.code, self.message)
    }
}

impl From<postgres::Error> for Answer {
    fn from(error: postgres::Error) -> Self {
        let refusal = match error.as_db_error() {
            Some(error) => Refusal::of(error.code().code(), error.message()),
            None => Refusal::of("no answer", &format!("{error:?}")),
        };
        Self {
            rows: Vec::new(),
            error: Some(refusal),
        }
    }
}

pub struct Session {
    client: Client,
    prepared: BTreeSet<String>,
    /// The statements so far, with keys by their names, and what came of them.
    pub transcript: Vec<String>,
}

impl Session {
    /// As the world's role, with a key in the connection's options or without.
    pub fn open(world: &World, options: Credential) -> Self {
        let role = world.role.name();
        let url = world.database.url(role);
        let mut config: Config = url.parse().expect("the harness's own address");
        let key = match options {
            Credential::None => String::new(),
            Credential::Bad => "-c timedb.api_key=tdb_bad".into(),
            Credential::Key(key) => format!("-c timedb.api_key={}", world.keys[key].text),
        };
        config.options(&format!("-c statement_timeout=60s {key}"));
        let client = config.connect(NoTls).expect("it may connect");
        let key = named(&key, world);
        Self {
            client,
            prepared: BTreeSet::new(),
            transcript: vec![format!("psql -U {role}   -- PGOPTIONS='{key}'")],
        }
    }

    /// Statements in one message, as psql sends them.
    pub fn query(&mut self, sql: &str) -> Answer {
        match self.client.simple_query(sql) {
            Err(error) => error.into(),
            Ok(messages) => Answer {
                rows: messages.iter().flat_map(texts).collect(),
                error: None,
            },
        }
    }

    pub fn run(&mut self, operation: &Operation, world: &mut World, model: &Model) -> Answer {
        let (sql, answer) = self.take(operation, world, model);
        let outcome = match &answer.error {
            Some(error) => format!("ERROR {error}"),
            None => answer.rows.join(" | "),
        };
        let line = format!("{sql};   -- {outcome}");
        self.transcript.push(named(&line, world));
        answer
    }

    fn take(&mut self, operation: &Operation, world: &mut World, model: &Model) -> (String, Answer) {
        match *operation {
            Operation::Login { key, is_local, way } => self.login(key, is_local, way, world),
            Operation::Look(Look::Execute(source)) => {
                let name = format!("look_{source:?}");
                self.execute(&name, "", &sql_of(source, world))
            }
            Operation::Look(Look::CopyQuery(source)) => {
                let sql = format!("COPY ({}) TO STDOUT", sql_of(source, world));
                let answer = self.copy(&sql, |line| line.to_owned());
                (sql, answer)
            }
            Operation::Look(Look::CopyTable(source)) => self.copy_table(source, world),
            Operation::Control(ref control) if model.would_block(control) => {
                (format!("-- left out: {control:?}"), Answer::default())
            }
            Operation::Control(ref control) => {
                let (sql, answer) = world.control(control);
                (format!("-- operator: {sql}"), answer)
            }
            _ => {
                let sql = sql::of(operation, world, model);
                let answer = self.query(&sql);
                if answer.error.is_none() && deallocates(operation) {
                    self.prepared.clear();
                }
                (sql, answer)
            }
        }
    }

    fn login(&mut self, key: Key, is_local: bool, way: Way, world: &World) -> (String, Answer) {
        let text = text_of(key, world);
        let literal = quoted(text.as_deref());
        match way {
            Way::Bound => {
                let sql = "SELECT timedb.authenticate($1, $2)";
                let answer = match self.client.execute(sql, &[&text, &is_local]) {
                    Ok(_) => Answer::default(),
                    Err(error) => error.into(),
                };
                (format!("{sql} \\bind {literal} {is_local}"), answer)
            }
            Way::Prepared => self.execute(
                "login (text, boolean)",
                &format!("({literal}, {is_local})"),
                "SELECT timedb.authenticate($1, $2)",
            ),
            _ => {
                let call = format!("timedb.authenticate({literal}, {is_local})");
                let attack = |name: &str| format!("SELECT attack.{name}({literal}, {is_local})");
                let sql = match way {
                    Way::Function => attack("login_function"),
                    Way::Definer => attack("login_definer"),
                    Way::Caught => attack("login_caught"),
                    Way::Undone => attack("login_undone"),
                    Way::Committed => format!("DO $$ BEGIN PERFORM {call}; COMMIT; END $$"),
                    Way::Failed => format!("SELECT {call}; SELECT 1 / 0"),
                    Way::RolledBack => format!("DO $$ BEGIN PERFORM {call}; ROLLBACK; END $$"),
                    _ => format!("SELECT {call}"),
                };
                let answer = self.query(&sql);
                (sql, answer)
            }
        }
    }

    /// Prepared once, and executed whenever.
    fn execute(&mut self, name: &str, arguments: &str, query: &str) -> (String, Answer) {
        let short = name.split(' ').next().unwrap_or_default();
        let mut sql = format!("EXECUTE {short}{arguments}");
        if !self.prepared.contains(name) {
            let prepare = format!("PREPARE {name} AS {query}");
            let answer = self.query(&prepare);
            if answer.error.is_some() {
                return (prepare, answer);
            }
            self.prepared.insert(name.to_owned());
            let answer = self.query(&sql);
            sql = format!("{prepare}; {sql}");
            return (sql, answer);
        }
        let answer = self.query(&sql);
        (sql, answer)
    }

    fn copy_table(&mut self, source: Source, world: &World) -> (String, Answer) {
        let table = format!("{source:?}").to_lowercase();
        let sql = format!("COPY timedb.{table} TO STDOUT");
        let tenants = world.tenants.map(|tenant| tenant.to_string());
        let owner = |line: &str| {
            let tenant = line.split('\t').next().unwrap_or_default();
            let place = tenants.iter().position(|other| other == tenant);
            place.map_or("?", |place| ["a", "b"][place]).to_owned()
        };
        let mut answer = self.copy(&sql, owner);
        if source == Source::Values && answer.error.is_none() {
            // What compact has moved is still the table's, one version a point.
            let packs = self.copy("COPY timedb.packs TO STDOUT", |line| {
                let points = line.split('\t').nth(POINT_COUNT).and_then(|count| count.parse().ok());
                format!("{} ", owner(line)).repeat(points.unwrap_or_default())
            });
            let moved = packs.rows.iter().flat_map(|row| row.split_whitespace());
            answer.rows.extend(moved.map(str::to_owned));
            answer.error = packs.error;
        }
        if answer.error.is_none() {
            let owners: BTreeSet<&String> = answer.rows.iter().collect();
            let owners: Vec<&str> = owners.into_iter().map(String::as_str).collect();
            let counted = format!("{} {}", answer.rows.len(), owners.join(","));
            answer.rows = vec![counted.trim_end().to_owned()];
        }
        (sql, answer)
    }

    fn copy(&mut self, sql: &str, row: impl Fn(&str) -> String) -> Answer {
        let mut text = String::new();
        let copied = self.client.copy_out(sql).map(|mut reader| {
            reader.read_to_string(&mut text).map_err(|error| {
                let error = error.into_inner().and_then(|error| error.downcast().ok());
                *error.expect("an error of the server")
            })
        });
        match copied.and_then(|copied: Result<usize, postgres::Error>| copied) {
            Err(error) => error.into(),
            Ok(_) => Answer {
                rows: text.lines().map(row).collect(),
                error: None,
            },
        }
    }
}

fn deallocates(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Look(Look::Deallocate) | Operation::Setting(Setting::DiscardAll { in_block: false })
    )
}

fn texts(message: &SimpleQueryMessage) -> Vec<String> {
    match message {
        SimpleQueryMessage::Row(row) => (0..row.len())
            .map(|column| row.get(column).unwrap_or_default().to_owned())
            .collect(),
        _ => Vec::new(),
    }
}

/// With keys and ids by their names, so that one can read it.
fn named(line: &str, world: &World) -> String {
    let mut line = line.replace(&world.unknown_key, "<unknown key>");
    for key in &world.keys {
        line = line.replace(&key.text, &key.name);
        line = line.replace(&key.id.to_string(), &key.name);
    }
    for (place, user) in world.users.iter().enumerate() {
        line = line.replace(&user.user_id.to_string(), &format!("<user {place}>"));
    }
    for (letter, tenant) in ["a", "b"].iter().zip(world.tenants) {
        line = line.replace(&tenant.to_string(), &format!("<tenant {letter}>"));
    }
    line
}
