//! What the gateways' tests share: two tenants with a value each, and waiting without sleeping.

use std::fmt::Debug;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use postgres::types::FromSql;
use postgres::{Client, Error};
use timedb_testkit::{Database, Identity};

/// Long past what anything here takes: a condition that has not come true by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

pub const KEY_NEEDED: &str = "API key required. Please provide X-API-Key header.";
pub const KEY_REFUSED: &str = "Invalid or inactive API key.";

/// Asks again until it is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// The one value of a query that has one.
#[track_caller]
pub fn one<T: for<'a> FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    match client.query_one(sql, &[]) {
        Ok(row) => row.get(0),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

#[track_caller]
pub fn run(client: &mut Client, sql: &str) {
    succeed(client.batch_execute(sql));
}

#[track_caller]
pub fn succeed<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

/// A database in which Alice's tenant has one series `alice` of one value, and Bob's `bob`.
pub struct Tenants {
    pub database: Database,
    pub alice: Identity,
    pub bob: Identity,
}

impl Tenants {
    #[track_caller]
    pub fn fresh(name: &str) -> Self {
        let database = Database::fresh(name);
        let (alice, bob) = database.two_tenants();
        for (identity, series, value) in [(&alice, "alice", 1.0), (&bob, "bob", 2.0)] {
            let sql = "SELECT timedb.upload_points('2025-01-01', ARRAY[$1], '{2025-01-01}', ARRAY[$2::float8])";
            succeed(
                database
                    .authenticated(identity)
                    .execute(sql, &[&series, &value]),
            );
        }
        let stored: i64 = one(
            &mut database.admin(),
            "SELECT count(DISTINCT tenant_id) FROM timedb.values",
        );
        assert_eq!(stored, 2, "the premise: both tenants have values");
        Self {
            database,
            alice,
            bob,
        }
    }

    /// Sets a setting of the database: what every later session starts with.
    pub fn setting(&self, name: &str, value: &str) {
        let database = self.database.name();
        let sql = format!("ALTER DATABASE \"{database}\" SET {name} = '{value}'");
        run(&mut self.database.admin(), &sql);
    }
}

/// The roles of PostgREST: `authenticator`, which connects, and `web_anon`, which asks. They are the whole cluster's.
pub fn web_roles(database: &Database) {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        run(
            &mut database.admin(),
            "DO $$ BEGIN \
               IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticator') THEN \
                 CREATE ROLE authenticator LOGIN NOINHERIT; \
                 CREATE ROLE web_anon NOLOGIN IN ROLE timedb_user; \
                 GRANT web_anon TO authenticator; \
               END IF; \
             END $$",
        );
    });
    let is_ordinary: bool = one(
        &mut database.admin(),
        "SELECT NOT bool_or(r.rolsuper OR r.rolbypassrls OR EXISTS ( \
                  SELECT FROM pg_class c WHERE c.relnamespace = 'timedb'::regnamespace \
                    AND pg_has_role(r.oid, c.relowner, 'MEMBER'))) \
         FROM pg_roles r WHERE r.rolname IN ('authenticator', 'web_anon')",
    );
    assert!(
        is_ordinary,
        "the premise: neither superuser nor owner nor BYPASSRLS"
    );
}

/// Both or neither: what one got must be what the other got.
#[track_caller]
pub fn assert_all_alike<T: PartialEq + Debug>(what: &[(String, T)]) {
    for (name, got) in what {
        assert_eq!(got, &what[0].1, "{name} differs from {}", what[0].0);
    }
}
