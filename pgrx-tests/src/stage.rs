//! The stage that isolation is played on: Alice, who attacks or is to be kept apart, with a key and a value of her own,
//! and Bob of another tenant, whose rows and keys she must not reach.

use postgres::{Client, Config, NoTls};
use uuid::Uuid;

use crate::database::{Database, Identity};
use crate::login::tenant;
use crate::notices::Notices;
use crate::premise::assert_ordinary_roles;
use crate::query::{one_of, run, succeed};
use crate::sight::{seen, series_of};

/// Postgres keeps so many bytes of a name.
const NAME_BYTES: usize = 63;

/// A run of one series.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    pub run_id: Uuid,
    pub series_id: Uuid,
}

impl Stored {
    /// Uploads one value, valid from 2025-01-01 on.
    #[track_caller]
    pub fn of(client: &mut Client, series_key: &str, value: f64) -> Self {
        let sql = "SELECT u.run_id, i.value::uuid \
                   FROM timedb.upload_points(pg_catalog.now(), ARRAY[$1], '{2025-01-01T00:00:00Z}', ARRAY[$2::float8]) u, \
                        pg_catalog.json_each_text(u.series_ids) i";
        let row = client.query_one(sql, &[&series_key, &value]);
        let row = row.unwrap_or_else(|error| panic!("{series_key} is not stored: {error:?}"));
        Self {
            run_id: row.get(0),
            series_id: row.get(1),
        }
    }
}

/// A database in which Alice's tenant has one series `alice` of one value, 1, and Bob's `bob` of one, 2.
pub struct Stage {
    pub database: Database,
    pub alice: Identity,
    pub bob: Identity,
    pub alices: Stored,
    pub bobs: Stored,
}

impl Stage {
    /// The premise of every test on it: policies bind the login roles, and there is a row of each tenant's to steal.
    #[track_caller]
    pub fn set(name: &str) -> Self {
        Self::on(Database::fresh(name))
    }

    #[track_caller]
    pub fn on(database: Database) -> Self {
        let (alice, bob) = database.two_tenants();
        let mut admin = database.admin();
        assert_ordinary_roles(&mut admin, &["app", "caller", "ops", "evil"]);
        let alices = Stored::of(&mut database.authenticated(&alice), "alice", 1.0);
        let bobs = Stored::of(&mut database.authenticated(&bob), "bob", 2.0);
        for identity in [&alice, &bob] {
            let rows = "SELECT count(*) FROM timedb.values WHERE tenant_id = $1";
            let rows: i64 = one_of(&mut admin, rows, &[&identity.tenant_id]);
            assert_eq!(rows, 1, "the premise: {} has a row", identity.email);
        }
        Self {
            database,
            alice,
            bob,
            alices,
            bobs,
        }
    }

    #[track_caller]
    pub fn admin(&self) -> Client {
        self.database.admin()
    }

    /// The attacker, before any login.
    #[track_caller]
    pub fn app(&self) -> Client {
        self.database.login("app")
    }

    /// An attacker who may call and not select, before any login.
    #[track_caller]
    pub fn caller(&self) -> Client {
        self.database.login("caller")
    }

    #[track_caller]
    pub fn ops(&self) -> Client {
        self.database.login("ops")
    }

    #[track_caller]
    pub fn evil(&self) -> Client {
        self.database.login("evil")
    }

    /// The attacker with her own key.
    #[track_caller]
    pub fn alice(&self) -> Client {
        self.database.authenticated(&self.alice)
    }

    #[track_caller]
    pub fn bob(&self) -> Client {
        self.database.authenticated(&self.bob)
    }

    /// A further user of Alice's tenant.
    #[track_caller]
    pub fn alice_of_scope(&self, scope: &str) -> Identity {
        let email = format!("{scope}.{}@tenant-a.com", Uuid::now_v7().simple());
        self.database.create_user(self.alice.tenant_id, &email, scope)
    }

    /// A login role of the test's own (roles are the whole server's), held by policies too.
    #[track_caller]
    pub fn role(&self, name: &str, attributes: &str) -> String {
        let role = self.role_of_any_power(name, attributes);
        assert_ordinary_roles(&mut self.admin(), &[&role]);
        role
    }

    /// A login role for a test that asks about its power.
    #[track_caller]
    pub fn role_of_any_power(&self, name: &str, attributes: &str) -> String {
        let mut role = format!("{name}_{}", self.database.name());
        role.truncate(NAME_BYTES);
        let create = format!("CREATE ROLE {role} LOGIN {attributes}");
        run(&mut self.admin(), &create);
        role
    }

    /// A login role bound to Bob's tenant.
    #[track_caller]
    pub fn bound_to_bob(&self, scope: &str) -> String {
        let role = self.role("bi", "IN ROLE timedb_user");
        bind(&mut self.ops(), &role, self.bob.tenant_id, scope);
        role
    }

    /// A connection with options in its startup packet, and the notices it will get.
    #[track_caller]
    pub fn connect(&self, role: &str, options: &str) -> (Client, Notices) {
        let mut config: Config = self.database.url(role).parse().expect("a URL");
        let notices = Notices::of(config.options(options));
        (succeed(config.connect(NoTls)), notices)
    }

    /// The session acts for Alice, and every table, view and function shows what is hers alone.
    #[track_caller]
    pub fn assert_alice(&self, client: &mut Client) {
        assert_acts_for(client, &self.alice, &self.alices);
    }

    #[track_caller]
    pub fn assert_bob(&self, client: &mut Client) {
        assert_acts_for(client, &self.bob, &self.bobs);
    }
}

#[track_caller]
fn assert_acts_for(client: &mut Client, identity: &Identity, stored: &Stored) {
    let email = &identity.email;
    assert_eq!(tenant(client), Some(identity.tenant_id), "{email}");
    assert_eq!(seen(client), [stored.series_id], "{email}");
    let functions = "timedb.read() UNION SELECT series_id FROM timedb.list_series()";
    let read = series_of(client, functions);
    assert_eq!(read, [stored.series_id], "{email}");
}

#[track_caller]
pub fn bind(operator: &mut Client, role: &str, tenant: Uuid, scope: &str) {
    let sql = "SELECT timedb.bind_role($1::text::name, $2, $3)";
    let bound = operator.execute(sql, &[&role, &tenant, &scope]);
    bound.unwrap_or_else(|error| panic!("{role} is not bound: {error:?}"));
}
