//! A test's own database on the private server, and the people in it. What goes wrong here is the
//! end of the test, so these helpers panic, with the whole reason.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use postgres::Client;
use uuid::Uuid;

use crate::login::login;
use crate::query::run;
use crate::server::{SUPERUSER, Server};

/// Postgres keeps 63 bytes of a name; this leaves room for what makes it unique.
const NAME_KEPT: usize = 40;

/// A database with the extension, dropped at the end of the test.
pub struct Database {
    server: Server,
    name: String,
}

/// A user of a tenant with the key that was shown when it was made.
#[derive(Clone, Debug)]
pub struct Identity {
    pub tenant_id: Uuid,
    pub user_id: Uuid,
    pub email: String,
    pub api_key: String,
}

impl Database {
    /// A fresh database on the server of `private-server run`. The name may be a sentence: it is
    /// what one sees in the log and in pg_stat_activity.
    #[track_caller]
    pub fn fresh(name: &str) -> Self {
        let database = Server::from_environment().and_then(|server| Self::on(server, name));
        database.unwrap_or_else(|error| panic!("no database for the test: {error:#}"))
    }

    /// The same on a server of the test's own.
    pub fn on(server: Server, name: &str) -> Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}_{}_{number}", identifier(name), std::process::id());
        server.create_database(&name)?;
        Ok(Self { server, name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn url(&self, role: &str) -> String {
        self.server.url(role, &self.name)
    }

    /// A connection as a superuser.
    #[track_caller]
    pub fn admin(&self) -> Client {
        self.login(SUPERUSER)
    }

    /// A connection as a login role: `app` (member of timedb_user), `caller` (member of
    /// timedb_caller), `ops` (member of timedb_admin), `evil` (no grants).
    #[track_caller]
    pub fn login(&self, role: &str) -> Client {
        let client = self.server.connect(role, &self.name);
        client.unwrap_or_else(|error| panic!("{role} cannot connect: {error:#}"))
    }

    /// A connection as `app` that has logged in with the key.
    #[track_caller]
    pub fn authenticated(&self, identity: &Identity) -> Client {
        let mut client = self.login("app");
        login(&mut client, identity, false);
        client
    }

    /// Sets a setting of the database, and of those of a router's shards: what every later session starts with.
    #[track_caller]
    pub fn set(&self, setting: &str, value: &str) {
        let sql = format!("ALTER DATABASE \"{}\" SET {setting} = '{value}'", self.name);
        run(&mut self.admin(), &sql);
        for shard in self.server.shards() {
            let shard = shard.connect(SUPERUSER, &self.name);
            run(&mut shard.unwrap_or_else(|error| panic!("{error:#}")), &sql);
        }
    }

    /// Makes a user as a superuser, with a key of the scope.
    #[track_caller]
    pub fn create_user(&self, tenant_id: Uuid, email: &str, scope: &str) -> Identity {
        let row = self
            .admin()
            .query_one(
                "SELECT * FROM timedb.create_user($1, $2, $3)",
                &[&tenant_id, &email, &scope],
            )
            .unwrap_or_else(|error| panic!("cannot create the user {email}: {error:?}"));
        Identity {
            tenant_id: row.get("tenant_id"),
            user_id: row.get("user_id"),
            email: row.get("email"),
            api_key: row.get("api_key"),
        }
    }

    /// Alice of one tenant and Bob of another, each with a key of scope `write`.
    #[track_caller]
    pub fn two_tenants(&self) -> (Identity, Identity) {
        let alice = self.create_user(Uuid::now_v7(), "alice@tenant-a.com", "write");
        let bob = self.create_user(Uuid::now_v7(), "bob@tenant-b.com", "write");
        (alice, bob)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(error) = self.server.drop_database(&self.name) {
            eprintln!("{error:#}");
        }
    }
}

fn identifier(sentence: &str) -> String {
    sentence
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .take(NAME_KEPT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn a_sentence_becomes_a_short_database_name() {
        assert_eq!(identifier("Bob's login"), "bob_s_login");
        assert_eq!(identifier(&"x".repeat(100)).len(), 40);
        assert_eq!(identifier("ünïcode"), "_n_code");
    }
}
