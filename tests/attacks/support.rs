//! The stage every attack is played on: Alice, who attacks with a key of her own, and Bob of another tenant, whose rows
//! and keys she must not reach; and how a test asks what a session sees.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::error::DbError;
use postgres::types::{FromSql, ToSql};
use postgres::{Client, Config, NoTls};
use serde_json::{Value, json};
use timedb_testkit::{Database, Identity};
use uuid::Uuid;

pub const KEY_NEEDED: &str = "API key required. Please provide X-API-Key header.";
pub const KEY_REFUSED: &str = "Invalid or inactive API key.";

/// Long past what anything here takes: a condition that has not come true by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run of one series.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    pub run_id: Uuid,
    pub series_id: Uuid,
}

pub struct Stage {
    pub database: Database,
    pub alice: Identity,
    pub bob: Identity,
    pub alices: Stored,
    pub bobs: Stored,
}

impl Stage {
    /// The premise of every attack: policies bind the roles `app` and `evil`, and there are rows of Bob's to steal.
    #[track_caller]
    pub fn set(name: &str) -> Stage {
        Stage::on(Database::fresh(name))
    }

    #[track_caller]
    pub fn on(database: Database) -> Stage {
        let (alice, bob) = database.two_tenants();
        for role in ["app", "ops", "evil"] {
            assert_ordinary(&mut database.admin(), role);
        }
        let alices = upload(&mut database.authenticated(&alice), "alices");
        let bobs = upload(&mut database.authenticated(&bob), "bobs");
        let victims: i64 = database
            .admin()
            .query_one(
                "SELECT count(*) FROM timedb.values WHERE tenant_id = $1",
                &[&bob.tenant_id],
            )
            .expect("a superuser sees all")
            .get(0);
        assert_eq!(victims, 1, "the premise: the victim's row exists");
        Stage {
            database,
            alice,
            bob,
            alices,
            bobs,
        }
    }

    pub fn admin(&self) -> Client {
        self.database.admin()
    }

    /// The attacker, before any login.
    pub fn app(&self) -> Client {
        self.database.login("app")
    }

    pub fn ops(&self) -> Client {
        self.database.login("ops")
    }

    pub fn evil(&self) -> Client {
        self.database.login("evil")
    }

    /// The attacker with her own key.
    pub fn alice(&self) -> Client {
        self.database.authenticated(&self.alice)
    }

    pub fn bob(&self) -> Client {
        self.database.authenticated(&self.bob)
    }

    /// A further user of Alice's tenant.
    pub fn alice_of_scope(&self, scope: &str) -> Identity {
        let email = format!("{scope}@tenant-a.com");
        self.database
            .create_user(self.alice.tenant_id, &email, scope)
    }

    /// A login role of the test's own (roles are the whole server's), held by policies too.
    #[track_caller]
    pub fn role(&self, name: &str, attributes: &str) -> String {
        let role = format!("{name}_{}", self.database.name());
        let role = role[..role.len().min(63)].to_owned();
        let mut admin = self.admin();
        run(
            &mut admin,
            &format!("CREATE ROLE {role} LOGIN {attributes}"),
        );
        assert_ordinary(&mut admin, &role);
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
        let notices = Notices::default();
        let heard = notices.clone();
        config
            .options(options)
            .notice_callback(move |notice| heard.hear(notice));
        (config.connect(NoTls).expect("it connects"), notices)
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
    assert_eq!(
        tenant(client),
        Some(identity.tenant_id),
        "{}",
        identity.email
    );
    assert_eq!(seen(client), [stored.series_id], "{}", identity.email);
    let read = series_of(
        client,
        "timedb.read() UNION SELECT series_id FROM timedb.list_series()",
    );
    assert_eq!(read, [stored.series_id], "{}", identity.email);
}

/// Nobody: no tenant, no row in any table or view, and functions that ask for a key.
#[track_caller]
pub fn assert_nobody(client: &mut Client) {
    assert_locked_out(client, KEY_NEEDED);
}

/// A session whose key has ended, or was never good: as nobody, but told so.
#[track_caller]
pub fn assert_refused(client: &mut Client) {
    assert_locked_out(client, KEY_REFUSED);
}

#[track_caller]
fn assert_locked_out(client: &mut Client, message: &str) {
    assert_sees_nothing(client);
    for call in [
        "read()",
        "list_series()",
        "upload(now(), '[]')",
        "update('[]')",
        "read_arrow()",
        "upload_arrow(now(), '')",
        "compact()",
        "list_keys()",
    ] {
        let mut attempt = client.transaction().expect("a transaction");
        let error = attempt
            .batch_execute(&format!("SELECT * FROM timedb.{call}"))
            .expect_err(call);
        assert_eq!(
            told(&error),
            ("28000".to_owned(), message.to_owned()),
            "{call}"
        );
    }
}

/// Also where a transaction is open: it runs no statement that fails.
#[track_caller]
pub fn assert_sees_nothing(client: &mut Client) {
    assert_eq!(tenant(client), None);
    assert_eq!(seen(client), Vec::<Uuid>::new());
    assert_eq!(
        one::<i64>(client, "SELECT count(*) FROM timedb.whoami()"),
        0
    );
}

pub fn tenant(client: &mut Client) -> Option<Uuid> {
    one(client, "SELECT timedb.current_tenant()")
}

/// The series that any table or view shows.
#[track_caller]
pub fn seen(client: &mut Client) -> Vec<Uuid> {
    series_of(
        client,
        "timedb.series UNION SELECT series_id FROM timedb.values \
         UNION SELECT series_id FROM timedb.packs UNION SELECT series_id FROM timedb.current_values \
         UNION SELECT series_id FROM timedb.versions",
    )
}

#[track_caller]
pub fn series_of(client: &mut Client, from: &str) -> Vec<Uuid> {
    let sql = format!(
        "SELECT coalesce(array_agg(series_id), '{{}}') FROM (SELECT series_id FROM {from}) s"
    );
    let mut series: Vec<Uuid> = one(client, &sql);
    series.sort_unstable();
    series.dedup();
    series
}

/// The one value of a query that has one.
#[track_caller]
pub fn one<T>(client: &mut Client, sql: &str) -> T
where
    T: for<'a> FromSql<'a>,
{
    one_of(client, sql, &[])
}

#[track_caller]
pub fn one_of<T>(client: &mut Client, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> T
where
    T: for<'a> FromSql<'a>,
{
    match client.query_one(sql, arguments) {
        Ok(row) => row.get(0),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

#[track_caller]
pub fn run(client: &mut Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql) {
        panic!("{sql}: {error:?}");
    }
}

/// What of a key is secret: not its prefix, its tenant's route or its last four characters.
pub fn secret(key: &str) -> &str {
    &key[8..48]
}

/// A well-formed key that is nobody's.
pub fn new_key(tenant: Uuid) -> String {
    timedb_core::key::make(tenant).expect("random bytes")
}

/// The SQLSTATE and message of what the server refused.
#[track_caller]
pub fn told(error: &postgres::Error) -> (String, String) {
    let Some(refusal) = error.as_db_error() else {
        panic!("not the server's refusal: {error:?}");
    };
    (
        refusal.code().code().to_owned(),
        refusal.message().to_owned(),
    )
}

/// Each of the attempts is refused with the SQLSTATE.
#[track_caller]
pub fn each_refused<S: AsRef<str>>(
    client: &mut Client,
    code: &str,
    attempts: impl IntoIterator<Item = S>,
) {
    for attempt in attempts {
        let attempt = attempt.as_ref();
        match client.batch_execute(attempt) {
            Ok(()) => panic!("accepted, but should be {code}: {attempt}"),
            Err(error) => assert_eq!(told(&error).0, code, "{attempt}: {error:?}"),
        }
    }
}

#[track_caller]
pub fn login(client: &mut Client, identity: &Identity, is_local: bool) {
    let sql = "SELECT timedb.authenticate($1, $2)";
    let login = client.execute(sql, &[&identity.api_key, &is_local]);
    login.unwrap_or_else(|error| panic!("{} cannot log in: {error:?}", identity.email));
}

#[track_caller]
pub fn fail_to_login(client: &mut Client, is_local: bool) {
    let attempt = client.execute("SELECT timedb.authenticate('tdb_bad', $1)", &[&is_local]);
    assert_eq!(told(&attempt.expect_err("a bad key")).0, "28000");
}

#[track_caller]
pub fn bind(operator: &mut Client, role: &str, tenant: Uuid, scope: &str) {
    let bound = operator.execute(
        "SELECT timedb.bind_role($1::text::name, $2, $3)",
        &[&role, &tenant, &scope],
    );
    bound.unwrap_or_else(|error| panic!("{role} is not bound: {error:?}"));
}

/// Neither superuser nor BYPASSRLS, and a member of no role that owns any of timedb, so that policies bind it.
#[track_caller]
pub fn assert_ordinary(admin: &mut Client, role: &str) {
    let sql = "SELECT NOT (r.rolsuper OR r.rolbypassrls OR EXISTS ( \
                 SELECT FROM pg_roles o WHERE o.rolname ~ '^timedb_(owner|api|auth|operator|compactor)$' \
                   AND pg_has_role(r.oid, o.oid, 'MEMBER'))) \
               FROM pg_roles r WHERE r.rolname = $1";
    assert!(
        one_of::<bool>(admin, sql, &[&role]),
        "the premise: {role} is an ordinary role"
    );
}

/// Uploads one value.
#[track_caller]
pub fn upload(client: &mut Client, key: &str) -> Stored {
    let rows = json!([{"valid_time": "2025-01-01T00:00:00Z", "value_key": key, "value": 1}]);
    try_upload(client, &rows).unwrap_or_else(|error| panic!("{key}: {error:?}"))
}

/// An update of the value that `upload` gave a run.
pub fn update_of(run_id: Uuid, series_id: Uuid, value: f64) -> Value {
    let (run_id, series_id) = (run_id.to_string(), series_id.to_string());
    json!([{"run_id": run_id, "series_id": series_id, "valid_time": "2025-01-01T00:00:00Z", "value": value}])
}

/// An upload onto a series that is there.
pub fn rows_of(series_id: Uuid) -> Value {
    json!([{"valid_time": "2025-01-02T00:00:00Z", "series_id": series_id.to_string(), "value": 2}])
}

/// What the first row of an upload has become.
pub fn try_upload(client: &mut Client, rows: &Value) -> Result<Stored, postgres::Error> {
    let sql = "SELECT u.run_id, i.value::uuid FROM timedb.upload(pg_catalog.now(), $1) u, \
                 pg_catalog.json_each_text(u.series_ids) i";
    let row = client.query_one(sql, &[rows])?;
    Ok(Stored {
        run_id: row.get(0),
        series_id: row.get(1),
    })
}

/// Asks again until it is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// What the server has told a connection beside its answers.
#[derive(Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<DbError>>>);

impl Notices {
    fn hear(&self, notice: DbError) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(notice);
    }

    /// SQLSTATE and message of each since the last time.
    pub fn take(&self) -> Vec<(String, String)> {
        let heard = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        heard
            .iter()
            .map(|notice| (notice.code().code().to_owned(), notice.message().to_owned()))
            .collect()
    }

    #[track_caller]
    pub fn assert_heard(&self, code: &str) {
        let heard = self.take();
        assert!(
            heard.iter().any(|(heard, _)| heard == code),
            "no {code} in {heard:?}"
        );
    }
}
