//! The two tenants, their users, keys and data, the functions an attacker has prepared, and the operators' sessions.
//! Every case begins with the same.

use postgres::Client;
use timedb_testkit::{Database, Identity, assert_ordinary_roles, one, run};
use uuid::Uuid;

use super::check::sql_of;
use super::model::{KeyRow, Rows, letter};
use super::operation::{Control, FUNCTIONS, RELATIONS, Scope, TENANTS, Tenant, USERS};
use super::rules::tenant_of;
use super::session::Answer;

/// What each tenant has when a case begins.
const BEFORE: Rows = Rows {
    series: 2,
    runs: 1,
    values: 2,
    points: 2,
};

pub struct MadeKey {
    pub id: Uuid,
    pub text: String,
    /// What a transcript calls it.
    pub name: String,
    row: KeyRow,
}

/// A value that was there before.
pub struct Target {
    pub series: Uuid,
    pub run: Uuid,
}

/// The login role of the attacking session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A member of timedb_user.
    App,
    /// A member of timedb_caller, who selects from nothing.
    Caller,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::App => "app",
            Role::Caller => "caller",
        }
    }

    pub fn group(self) -> &'static str {
        match self {
            Role::App => "timedb_user",
            Role::Caller => "timedb_caller",
        }
    }

    pub fn selects(self) -> bool {
        self == Role::App
    }
}

pub struct World {
    pub role: Role,
    pub database: Database,
    pub tenants: [Uuid; 2],
    pub users: Vec<Identity>,
    pub keys: Vec<MadeKey>,
    pub targets: Vec<Target>,
    pub unknown_key: String,
    keys_before: usize,
    /// A member of timedb_admin.
    operator: Client,
    superuser: Client,
}

impl World {
    pub fn made(role: Role) -> Self {
        let database = Database::fresh("random attacker");
        let tenants = TENANTS.map(|_| Uuid::now_v7());
        let mut superuser = database.admin();
        let mut operator = database.login("ops");
        for client in [&mut superuser, &mut operator] {
            run(client, "SET lock_timeout = '30s'");
        }
        let users: Vec<Identity> = (0..USERS)
            .map(|user| {
                let tenant = tenant_of(user);
                let email = format!("user{user}@{}.com", letter(tenant));
                database.create_user(tenants[tenant as usize], &email, "write")
            })
            .collect();
        let ghost = database.create_user(tenants[0], "ghost@a.com", "read");
        let mut world = Self {
            role,
            database,
            tenants,
            users,
            keys: Vec::new(),
            targets: Vec::new(),
            unknown_key: ghost.api_key,
            keys_before: 0,
            operator,
            superuser,
        };
        world.forget(ghost.user_id);
        world.make_keys();
        world.targets = TENANTS.map(|tenant| world.upload(tenant)).into();
        world.prepare_functions();
        world.remember();
        world.assert_premise();
        world
    }

    /// Its key stays well formed, and becomes nobody's.
    fn forget(&mut self, user: Uuid) {
        for table in ["api_keys", "users"] {
            let sql = format!("DELETE FROM timedb.{table} WHERE user_id = '{user}'");
            run(&mut self.superuser, &sql);
        }
    }

    /// Every user has a key of scope write; the first of each tenant has one of every scope.
    fn make_keys(&mut self) {
        for user in 0..USERS {
            let Identity { user_id, .. } = &self.users[user];
            let sql = format!("SELECT key_id FROM timedb.api_keys WHERE user_id = '{user_id}'");
            let id = one(&mut self.superuser, &sql);
            let text = self.users[user].api_key.clone();
            self.add_key(id, text, user, Scope::Write);
        }
        for user in [0, USERS / 2] {
            for scope in [Scope::Read, Scope::Admin] {
                self.new_key(user, scope).expect("another key");
            }
        }
        self.keys_before = self.keys.len();
    }

    fn new_key(&mut self, user: usize, scope: Scope) -> Result<(), postgres::Error> {
        let sql = "SELECT key_id, api_key FROM timedb.create_key(user_id => $1, scope => $2)";
        let user_id = self.users[user].user_id;
        let row = self.operator.query_one(sql, &[&user_id, &scope_name(scope)])?;
        self.add_key(row.get(0), row.get(1), user, scope);
        Ok(())
    }

    fn add_key(&mut self, id: Uuid, text: String, user: usize, scope: Scope) {
        let tenant = tenant_of(user);
        let number = self.keys.len();
        self.keys.push(MadeKey {
            id,
            text,
            name: format!("<key {number}: {}, {}>", letter(tenant), scope_name(scope)),
            row: KeyRow {
                tenant,
                user,
                scope,
                revoked: false,
                expired: false,
            },
        });
    }

    /// Two series with a value each, the values of A from 1000 on and those of B from 2000 on.
    fn upload(&mut self, tenant: Tenant) -> Target {
        let user = tenant as usize * USERS / 2;
        let mut client = self.database.authenticated(&self.users[user]);
        let (letter, value) = (letter(tenant), value_of(tenant, 0));
        let sql = format!(
            "SELECT run_id, (series_ids ->> '{letter}_first')::uuid FROM timedb.upload(now(), \
               '[{{\"valid_time\": \"2025-01-01T00:00Z\", \"value_key\": \"{letter}_first\", \"value\": {value}}}, \
                 {{\"valid_time\": \"2025-01-01T00:00Z\", \"value_key\": \"{letter}_second\", \"value\": {value}}}]')"
        );
        let row = client.query_one(&sql, &[]).expect("the upload");
        Target {
            run: row.get(0),
            series: row.get(1),
        }
    }

    /// Every second one looks as somebody else: who logged in to the database is what counts.
    fn prepare_functions(&mut self) {
        let mut sql = FUNCTIONS_SQL.to_owned();
        for (place, source) in RELATIONS.into_iter().chain(FUNCTIONS).enumerate() {
            let query = sql_of(source, self);
            sql += &format!(
                "CREATE FUNCTION attack.look_{source:?}() RETURNS text LANGUAGE plpgsql AS $$ \
                   DECLARE seen text; \
                   BEGIN seen := ({query}); RETURN seen; \
                   EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$;"
            );
            if place % 2 == 1 {
                sql += &format!(
                    "ALTER FUNCTION attack.look_{source:?}() SECURITY DEFINER; \
                     ALTER FUNCTION attack.look_{source:?}() OWNER TO timedb_user;"
                );
            }
        }
        run(&mut self.superuser, &sql);
    }

    fn remember(&mut self) {
        run(
            &mut self.superuser,
            "CREATE TABLE attack.audit_before AS SELECT audit_id FROM timedb.audit; \
             CREATE TABLE attack.runs_before AS SELECT run_id FROM timedb.runs; \
             CREATE TABLE attack.series_before AS SELECT series_id FROM timedb.series; \
             CREATE TABLE attack.keys_before AS SELECT key_id FROM timedb.api_keys;",
        );
        run(
            &mut self.superuser,
            "CREATE TABLE attack.values_before AS TABLE timedb.values",
        );
    }

    /// Policies bind the attacker's role and the operators', and both tenants have rows.
    fn assert_premise(&mut self) {
        assert_ordinary_roles(&mut self.superuser, &[self.role.name(), "ops"]);
        assert_eq!(self.stored(), Self::lines(&self.rows()));
    }

    /// Back to how it was made.
    pub fn restore(&mut self) {
        let mut sql = "UPDATE timedb.api_keys SET revoked_at = NULL, expires_at = NULL \
                       WHERE revoked_at IS NOT NULL OR expires_at IS NOT NULL; \
                       DELETE FROM timedb.key_ends; \
                       UPDATE timedb.users SET is_active = true WHERE NOT is_active; \
                       DELETE FROM timedb.role_bindings;"
            .to_owned();
        for (table, columns) in [
            ("api_keys", "key_id"),
            ("audit", "audit_id"),
            ("series", "series_id"),
            ("runs", "run_id"),
            ("values", "series_id, run_id, change_time"),
        ] {
            let before = table.trim_start_matches("api_");
            sql += &format!(
                "DELETE FROM timedb.{table} WHERE ({columns}) NOT IN (SELECT {columns} FROM attack.{before}_before);"
            );
        }
        sql += "DELETE FROM timedb.packs; \
                INSERT INTO timedb.values TABLE attack.values_before ON CONFLICT DO NOTHING;";
        run(&mut self.superuser, &sql);
        self.keys.truncate(self.keys_before);
    }

    pub fn key_rows(&self) -> Vec<KeyRow> {
        self.keys.iter().map(|key| key.row).collect()
    }

    pub fn rows(&self) -> [Rows; 2] {
        [BEFORE; 2]
    }

    /// What all tenants' committed rows are, by the tenant they lie with and the one they are meant for.
    pub fn stored(&mut self) -> Vec<String> {
        let sql = ["series", "runs", "values"].map(|table| {
            let meant = match table {
                "series" => "left(r.series_key, 1)",
                "values" => "(SELECT left(s.series_key, 1) FROM timedb.series s WHERE s.series_id = r.series_id)",
                _ => {
                    "(SELECT min(left(s.series_key, 1)) FROM timedb.series s JOIN stored v USING (series_id) \
                      WHERE v.run_id = r.run_id)"
                }
            };
            let lies = self.owner("r.tenant_id");
            let from = match table {
                "values" => "stored",
                _ => &format!("timedb.{table}"),
            };
            format!(
                "WITH stored AS ( \
                   SELECT tenant_id, series_id, run_id FROM timedb.values \
                   UNION ALL SELECT p.tenant_id, p.series_id, u.run_id \
                   FROM timedb.packs p, timedb.unnest_pack(p.versions) u) \
                 SELECT '{table}', {lies}, {meant}, count(*) FROM {from} r GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
            )
        });
        let mut lines = Vec::new();
        for sql in sql {
            let rows = self.superuser.query(&sql, &[]).expect("a superuser sees all");
            for row in rows {
                let [table, lies, meant]: [String; 3] = [0, 1, 2].map(|column| row.get::<_, &str>(column).into());
                let count: i64 = row.get(3);
                lines.push(format!("{table} of {lies} for {meant}: {count}"));
            }
        }
        lines
    }

    /// The same, as a model says it.
    pub fn lines(rows: &[Rows; 2]) -> Vec<String> {
        let lines = |table: &str, count: fn(&Rows) -> usize| {
            TENANTS.map(|tenant| {
                let (letter, count) = (letter(tenant), count(&rows[tenant as usize]));
                format!("{table} of {letter} for {letter}: {count}")
            })
        };
        [
            lines("series", |rows| rows.series),
            lines("runs", |rows| rows.runs),
            lines("values", |rows| rows.values),
        ]
        .concat()
    }

    /// SQL for the letter of a tenant.
    pub fn owner(&self, tenant_id: &str) -> String {
        let [a, b] = self.tenants;
        format!("CASE {tenant_id} WHEN '{a}' THEN 'a' WHEN '{b}' THEN 'b' ELSE '?' END")
    }

    /// What the operators' sessions do, told in SQL.
    pub fn control(&mut self, control: &Control) -> (String, Answer) {
        let sql = self.control_sql(control);
        let done = match control {
            Control::NewKey(user, scope) => self.new_key(*user, *scope),
            Control::Expire(_) | Control::Restore(_) => self.superuser.batch_execute(&sql),
            _ => self.operator.batch_execute(&sql),
        };
        (sql, done.map_or_else(Answer::from, |()| Answer::default()))
    }

    fn control_sql(&self, control: &Control) -> String {
        let key = |index: &proptest::sample::Index| self.keys[index.index(self.keys.len())].id;
        let user = |user: &usize| self.users[*user].user_id;
        match control {
            Control::Revoke(index) => format!("SELECT timedb.revoke_key('{}')", key(index)),
            Control::Expire(index) => format!(
                "UPDATE timedb.api_keys SET expires_at = clock_timestamp() WHERE key_id = '{}'",
                key(index)
            ),
            Control::Restore(index) => format!(
                "WITH ended AS (DELETE FROM timedb.key_ends WHERE key_id = '{0}') \
                 UPDATE timedb.api_keys SET revoked_at = NULL, expires_at = NULL WHERE key_id = '{0}'",
                key(index)
            ),
            Control::Deactivate(who) => {
                format!("SELECT timedb.deactivate_user(user_id => '{}')", user(who))
            }
            Control::Activate(who) => {
                format!("SELECT timedb.activate_user(user_id => '{}')", user(who))
            }
            Control::NewKey(who, scope) => format!(
                "SELECT timedb.create_key(user_id => '{}', scope => '{}')",
                user(who),
                scope_name(*scope)
            ),
            Control::Bind(tenant, scope) => format!(
                "{}; SELECT timedb.bind_role('{}', '{}', '{}')",
                unbind(self.role),
                self.role.name(),
                self.tenants[*tenant as usize],
                scope_name(*scope)
            ),
            Control::Unbind => unbind(self.role),
        }
    }
}

/// If it is bound.
fn unbind(role: Role) -> String {
    let role = role.name();
    format!("SELECT timedb.unbind_role(role_name) FROM timedb.list_bindings() WHERE role_name = '{role}'")
}

pub fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Write => "write",
        Scope::Admin => "admin",
    }
}

/// The tenant shows in every value.
pub fn value_of(tenant: Tenant, number: usize) -> usize {
    1000 * (1 + tenant as usize) + number % 1000
}

const FUNCTIONS_SQL: &str = "
CREATE SCHEMA attack;
GRANT USAGE ON SCHEMA attack TO PUBLIC;
CREATE FUNCTION attack.login_function(key text, is_local boolean) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog SET work_mem = '8MB' SET timedb.api_key = '' AS
  $$ BEGIN PERFORM timedb.authenticate(key, is_local); END $$;
CREATE FUNCTION attack.login_definer(key text, is_local boolean) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
  $$ BEGIN PERFORM timedb.authenticate(key, is_local); END $$;
CREATE FUNCTION attack.login_caught(key text, is_local boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM timedb.authenticate(key, is_local);
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
CREATE FUNCTION attack.login_undone(key text, is_local boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM timedb.authenticate(key, is_local);
  RAISE EXCEPTION 'undone';
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
CREATE FUNCTION attack.pre_request_undone() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM timedb.pre_request();
  RAISE EXCEPTION 'undone';
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
CREATE FUNCTION attack.pre_request_caught() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM timedb.pre_request();
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
";
