//! What several of the gateways need: the roles of PostgREST, and answers that must not differ.

use std::fmt::Debug;
use std::sync::OnceLock;

use timedb_testkit::{Database, assert_ordinary_roles, run};

/// The roles of PostgREST: `authenticator`, which connects, and `web_anon`, which asks, as docs/http.md has them; and
/// `web_reader`, which asks where tenants trust each other, and may select. They are the whole cluster's.
pub fn web_roles(database: &Database) {
    static MADE: OnceLock<()> = OnceLock::new();
    let mut admin = database.admin();
    MADE.get_or_init(|| {
        run(
            &mut admin,
            "DO $$ BEGIN \
               IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticator') THEN \
                 CREATE ROLE authenticator LOGIN NOINHERIT; \
                 CREATE ROLE web_anon NOLOGIN IN ROLE timedb_caller; \
                 CREATE ROLE web_reader NOLOGIN IN ROLE timedb_user; \
                 GRANT web_anon, web_reader TO authenticator; \
               END IF; \
             END $$",
        );
    });
    assert_ordinary_roles(&mut admin, &["authenticator", "web_anon", "web_reader"]);
}

/// Both or neither: what one got must be what the other got.
#[track_caller]
pub fn assert_all_alike<T: PartialEq + Debug>(what: &[(String, T)]) {
    for (name, got) in what {
        assert_eq!(got, &what[0].1, "{name} differs from {}", what[0].0);
    }
}
