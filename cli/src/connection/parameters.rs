//! All that says where to connect and how, by libpq's words: what the connection string leaves out, libpq's variables say.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio_postgres::Config;

use super::passfile::{self, Login};
use super::tls::{self, Own, Roots, Verification};
use super::{Attempt, Reach, dsn};
use crate::failure::Usage;

/// libpq's words that are heeded, and the variable of each.
const WORDS: [(&str, &str); 24] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("fallback_application_name", ""),
    ("tcp_user_timeout", ""),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
];
/// Those that change nothing here, or only how a server is reached that is none of these.
const WITHOUT_MEANING: [&str; 4] = ["client_encoding", "gssencmode", "sslcompression", "sslsni"];
/// Those that are libpq's and would be passed over in silence, if this were a client that knows no better.
const REFUSED: [(&str, &str); 6] = [
    ("service", "PGSERVICE"),
    ("require_auth", "PGREQUIREAUTH"),
    ("requirepeer", "PGREQUIREPEER"),
    ("sslcrl", "PGSSLCRL"),
    ("sslpassword", ""),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
];
/// What those are called whom the driver knows by another name.
const DRIVER_NAMES: [(&str, &str); 1] = [("keepalives_count", "keepalives_retries")];
/// What the driver does not know, or should not be told.
const OURS: [&str; 6] = [
    "passfile",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "fallback_application_name",
];

/// Words with their values, none of them empty: that is none to libpq.
pub struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    pub fn of(dsn: &str) -> Result<Self> {
        let mut known = BTreeMap::new();
        for (word, value) in dsn::words(dsn)? {
            if value.is_empty() || WITHOUT_MEANING.contains(&word.as_str()) {
                continue;
            }
            if let Some((refused, _)) = REFUSED.iter().find(|(refused, _)| *refused == word) {
                return Err(Usage(format!("the DSN says {refused}, which timedb does not heed")).into());
            }
            // It is not repeated: it may be the rest of a password that is not in quotes.
            let Some((known_word, _)) = WORDS.iter().find(|(known, _)| *known == word) else {
                return Err(Usage("the DSN cannot be read: a word in it is none of libpq's".into()).into());
            };
            known.insert(*known_word, value);
        }
        for (word, variable) in WORDS {
            if let (false, Some(value)) = (known.contains_key(word), set(variable)) {
                known.insert(word, value);
            }
        }
        for (_, variable) in REFUSED {
            if set(variable).is_some() && !(variable == "PGSERVICE" && known.contains_key("host")) {
                return Err(Usage(format!("{variable} is set, which timedb does not heed")).into());
            }
        }
        let mut parameters = Self(known);
        parameters.fill_in();
        Ok(parameters)
    }

    fn get(&self, word: &str) -> Option<&str> {
        self.0.get(word).map(String::as_str)
    }

    fn fill_in(&mut self) {
        if self.get("host").is_none() {
            // A certificate is then compared with the address.
            let host = self.get("hostaddr").unwrap_or(default_host()).to_owned();
            self.0.insert("host", host);
        }
        if self.get("application_name").is_none() {
            let name = self.get("fallback_application_name").unwrap_or("timedb").to_owned();
            self.0.insert("application_name", name);
        }
        if self.get("password").is_none()
            && let Some(password) = self.kept_password()
        {
            self.0.insert("password", password);
        }
    }

    /// The one in the file of passwords, of the first host.
    fn kept_password(&self) -> Option<String> {
        let file = self.get("passfile").map(PathBuf::from).or_else(|| at_home(".pgpass"))?;
        let user = self.get("user").map(str::to_owned).or_else(|| set("USER"))?;
        let first = |word, default| self.get(word).and_then(|all| all.split(',').next()).unwrap_or(default);
        let login = Login {
            host: first("host", ""),
            port: Some(first("port", ""))
                .filter(|port| !port.is_empty())
                .unwrap_or("5432"),
            database: self.get("dbname").unwrap_or(&user),
            user: &user,
        };
        passfile::password(&file, &login)
    }

    pub fn reach(&self) -> Result<Reach> {
        let (attempts, verification) = self.encryption()?;
        Ok(Reach {
            config: self.config()?,
            attempts,
            tls: tls::connector(verification, &self.roots(), self.own().as_ref())?,
        })
    }

    /// By the driver's own parser, which checks the values.
    fn config(&self) -> Result<Config> {
        let mut text = String::new();
        for (word, value) in self.0.iter().filter(|(word, _)| !OURS.contains(word)) {
            let renamed = DRIVER_NAMES.iter().find(|(libpq, _)| libpq == word);
            let name = renamed.map_or(*word, |(_, driver)| driver);
            let value = value.replace('\\', "\\\\").replace('\'', "\\'");
            text.push_str(&format!("{name}='{value}' "));
        }
        text.parse().map_err(|error: tokio_postgres::Error| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            Usage(format!("the DSN cannot be read: {}", why.unwrap_or_default())).into()
        })
    }

    /// How to try, in turn, and what a certificate must show.
    fn encryption(&self) -> Result<(&'static [Attempt], Verification)> {
        use Attempt::{Encrypted, IfServerCan, Plain};
        let roots = self.get("sslrootcert");
        let mode = self.get("sslmode").unwrap_or(if roots == Some("system") {
            "verify-full"
        } else {
            "prefer"
        });
        // Sockets of this machine are never encrypted.
        if self
            .get("host")
            .is_some_and(|hosts| hosts.split(',').all(|host| host.starts_with('/')))
        {
            return Ok((&[Plain], Verification::Nobody));
        }
        let settled: (&[Attempt], _) = match mode {
            "disable" => (&[Plain], Verification::Nobody),
            "allow" => (&[Plain, Encrypted], Verification::Nobody),
            "prefer" => (&[IfServerCan, Plain], Verification::Nobody),
            // With a file of authorities it has always meant more.
            "require" if matches!(self.roots(), Roots::File(_)) => (&[Encrypted], Verification::Authority),
            "require" => (&[Encrypted], Verification::Nobody),
            "verify-ca" => (&[Encrypted], Verification::Authority),
            "verify-full" => (&[Encrypted], Verification::AuthorityAndName),
            _ => {
                let all = "disable, allow, prefer, require, verify-ca or verify-full";
                return Err(Usage(format!("sslmode is none of {all}")).into());
            }
        };
        if roots == Some("system") && settled.1 != Verification::AuthorityAndName {
            return Err(Usage("sslrootcert=system goes with sslmode=verify-full alone".into()).into());
        }
        Ok(settled)
    }

    fn roots(&self) -> Roots {
        match self.get("sslrootcert") {
            Some("system") => Roots::System,
            Some(file) => Roots::File(file.into()),
            None => at_home(".postgresql/root.crt").map_or(Roots::System, Roots::File),
        }
    }

    fn own(&self) -> Option<Own> {
        let certificate = self
            .get("sslcert")
            .map(PathBuf::from)
            .or_else(|| at_home(".postgresql/postgresql.crt"))?;
        let key = self
            .get("sslkey")
            .map(PathBuf::from)
            .or_else(|| at_home(".postgresql/postgresql.key"));
        let key = key.unwrap_or_else(|| certificate.clone());
        Some(Own { certificate, key })
    }
}

/// The value of a variable, where it is set to something.
pub fn set(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

/// A file of one's own, where there is one.
fn at_home(name: &str) -> Option<PathBuf> {
    let path = Path::new(&set("HOME")?).join(name);
    path.exists().then_some(path)
}

/// Where Debian's servers have their socket, else where others do.
fn default_host() -> &'static str {
    let debian = "/var/run/postgresql";
    if Path::new(debian).is_dir() { debian } else { "/tmp" }
}
