//! As whom the server asks: whatever DSN it was given, it can do no more than a plain member of `timedb_caller`.

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{Cluster, Database, Options, Stage, assert_ordinary_roles, run, wait_until};

use super::server::Api;

/// Roles are the whole server's, so that these tests have one of their own.
struct Own {
    stage: Stage,
    _cluster: Cluster,
}

impl Own {
    fn with_web_role(attributes: &str) -> Self {
        let cluster = Options::default().start().expect("a server of our own");
        let database = cluster.database("roles").expect("a database");
        let stage = Stage::on(database);
        run(
            &mut stage.admin(),
            &format!("CREATE ROLE timedb_web {attributes} IN ROLE timedb_caller"),
        );
        assert_ordinary_roles(&mut stage.admin(), &["timedb_web"]);
        Self {
            stage,
            _cluster: cluster,
        }
    }

    fn database(&self) -> &Database {
        &self.stage.database
    }

    /// Who the sessions of a server are.
    fn sessions(&self) -> Vec<String> {
        let sql = "SELECT DISTINCT usename::text FROM pg_stat_activity \
                   WHERE datname = current_database() AND application_name = 'timedb api' AND pid <> pg_backend_pid() ORDER BY 1";
        let rows = self.stage.admin().query(sql, &[]).expect("sessions");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

#[track_caller]
fn assert_serves(stage: &Stage, api: &Api) {
    for (identity, key) in [(&stage.alice, "alice"), (&stage.bob, "bob")] {
        let data = api.with_key_of(identity).get("/values").done()["data"].clone();
        let keys: Vec<&Value> = data
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| &row["series_key"])
            .collect();
        assert_eq!(keys, [key]);
    }
    // What a superuser's session would do for anybody, as it operates.
    let of_another = json!({"tenant_id": stage.bob.tenant_id.to_string(), "email": "x@tenant-b.com"});
    let admin = api.with_key_of(&stage.alice_of_scope("admin"));
    assert_eq!(admin.post("/rpc/create_user", &of_another).status, 403);
    assert_eq!(
        api.with_key("tdb_bad").post("/rpc/create_user", &of_another).status,
        401
    );
    for operators in [
        "tenant_stats",
        "self_check",
        "list_bindings",
        "bind_role",
        "erase_tenant",
    ] {
        let answer = admin.post(&format!("/rpc/{operators}"), &json!({}));
        assert!([401, 403, 404].contains(&answer.status), "{operators}: {answer:?}");
    }
}

#[test]
fn with_the_dsn_of_a_superuser_it_warns_and_asks_as_timedb_web() {
    let own = Own::with_web_role("LOGIN");
    let api = Api::of(own.database(), "postgres");
    let log = api.log();
    assert!(
        log.contains("\"postgres\" may do more than a server should (it is a superuser)"),
        "{log}"
    );
    assert_serves(&own.stage, &api);
    assert_eq!(own.sessions(), ["timedb_web"]);
}

#[test]
fn so_it_does_with_a_member_of_other_groups_an_owner_or_whoever_bypasses_policies() {
    let own = Own::with_web_role("LOGIN");
    let name = own.database().name().to_owned();
    run(
        &mut own.stage.admin(),
        &format!(
            "CREATE ROLE bypassing LOGIN BYPASSRLS IN ROLE timedb_caller; CREATE ROLE owning LOGIN IN ROLE timedb_caller; \
             CREATE ROLE making LOGIN CREATEROLE IN ROLE timedb_caller; CREATE ROLE reading LOGIN IN ROLE timedb_caller; \
             CREATE ROLE files LOGIN IN ROLE timedb_caller, pg_read_server_files; \
             CREATE ROLE inheriting LOGIN IN ROLE timedb_caller, timedb_api; \
             GRANT SELECT ON timedb.series TO reading; GRANT timedb_user TO owning; ALTER DATABASE \"{name}\" OWNER TO owning"
        ),
    );
    for (role, why) in [
        ("app", "no member of timedb_caller"),
        ("ops", "a member of timedb_admin"),
        ("bypassing", "BYPASSRLS"),
        ("owning", "a member of"),
        ("making", "CREATEROLE"),
        ("files", "a member of pg_read_server_files"),
        ("inheriting", "a member of timedb_api"),
        ("reading", "may use the table series"),
    ] {
        let api = Api::of(own.database(), role);
        assert!(api.log().contains(why) || role == "app", "{role}: {}", api.log());
        assert_eq!(own.sessions(), ["timedb_web"], "{role}");
    }
}

#[test]
fn where_timedb_web_is_not_let_in_each_session_of_the_superuser_takes_its_place_and_keeps_it() {
    let own = Own::with_web_role("NOLOGIN");
    let api = Api::at(&own.database().url("postgres"), &["--connections", "2"]);
    assert!(api.log().contains("takes its place"), "{}", api.log());
    for _ in 0..3 {
        assert_serves(&own.stage, &api);
    }
    assert_eq!(
        own.sessions(),
        ["postgres"],
        "the premise: they began as the superuser's"
    );
    // Errors, and whatever was said in a call, leave the sessions as they were.
    let alice = api.with_key_of(&own.stage.alice);
    assert_eq!(alice.get("/values?mode=best").status, 400);
    assert_eq!(alice.post("/rpc/list_users", &json!({})).status, 403);
    assert_serves(&own.stage, &api);
    let who = alice.post("/rpc/whoami", &json!({})).done();
    assert_eq!(who[0]["tenant_id"], json!(own.stage.alice.tenant_id.to_string()));
}

/// Whatever brought the superuser back: the first thing that a transaction asks is in whose session it is.
#[test]
fn a_session_that_is_anothers_again_serves_nobody_and_is_closed() {
    let own = Own::with_web_role("NOLOGIN");
    // No request can say this: an own function of the superuser's, in the place of one that requests call, can.
    run(
        &mut own.stage.admin(),
        "CREATE FUNCTION timedb.gone_astray() RETURNS text LANGUAGE sql AS \
           'SELECT set_config(''session_authorization'', ''postgres'', false)'; \
         ALTER EXTENSION timedb ADD FUNCTION timedb.gone_astray(); \
         GRANT EXECUTE ON FUNCTION timedb.gone_astray() TO timedb_caller",
    );
    let api = Api::at(&own.database().url("postgres"), &["--connections", "1"]);
    let alice = api.with_key_of(&own.stage.alice);
    assert_eq!(alice.get("/values").status, 200, "the premise: it serves");
    let before = backend(&mut own.stage.admin());
    let premise = alice.post("/rpc/gone_astray", &json!({}));
    assert_eq!(
        (premise.status, premise.json()),
        (200, json!("postgres")),
        "the premise: it is the superuser's again"
    );
    let answer = alice.get("/values");
    assert_eq!(answer.status, 503, "{answer:?}");
    wait_until("it is told", || api.log().contains("not of the role"));
    assert_serves(&own.stage, &api);
    assert_ne!(
        backend(&mut own.stage.admin()),
        before,
        "the one that was astray is closed"
    );
}

fn backend(admin: &mut Client) -> i32 {
    let sql =
        "SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'timedb api' AND datname = current_database()";
    admin.query_one(sql, &[]).expect("a backend").get(0)
}

#[test]
fn without_a_role_to_ask_as_it_does_not_start_and_says_what_to_type() {
    let cluster = Options::default().start().expect("a server of our own");
    let database = cluster.database("no web role").expect("a database");
    let said = Api::refused(&database.url("postgres"));
    assert!(
        said.contains("there is no role \"timedb_web\" to ask as: timedb create tables makes it"),
        "{said}"
    );
    run(
        &mut database.admin(),
        "CREATE ROLE timedb_web LOGIN IN ROLE timedb_caller, timedb_admin",
    );
    let said = Api::refused(&database.url("postgres"));
    assert!(said.contains("should be a member of timedb_caller alone"), "{said}");
    run(
        &mut database.admin(),
        "REVOKE timedb_caller, timedb_admin FROM timedb_web",
    );
    let said = Api::refused(&database.url("timedb_web"));
    assert!(said.contains("GRANT timedb_caller TO \"timedb_web\""), "{said}");
    run(
        &mut database.admin(),
        "GRANT timedb_caller TO timedb_web; ALTER ROLE timedb_web NOLOGIN",
    );
    let said = Api::refused(&database.url("ops"));
    assert!(said.contains("\"ops\" cannot take its place"), "{said}");
    run(&mut database.admin(), "DROP EXTENSION timedb");
    let said = Api::refused(&database.url("postgres"));
    assert!(said.contains("the database has no timedb"), "{said}");
}

/// What was in the server's hands is worth nothing without a key.
#[test]
fn a_stolen_server_reads_nothing() {
    let own = Own::with_web_role("LOGIN");
    let mut stolen = own.database().login("timedb_web");
    let functions = "SELECT p.oid::regprocedure::text FROM pg_proc p \
        WHERE p.pronamespace = 'timedb'::regnamespace AND prokind = 'f' AND p.provolatile = 's' AND pronargs = pronargdefaults \
          AND proname ~ '^(read|list|latest|stats|gaps|coverage)' AND has_function_privilege(p.oid, 'EXECUTE')";
    let functions = stolen.query(functions, &[]).expect("functions");
    assert!(functions.len() > 5, "{}", functions.len());
    for row in functions {
        let function: String = row.get(0);
        let name = function.split('(').next().expect("a name");
        let refused = stolen.query(&format!("SELECT * FROM {name}()"), &[]).expect_err(name);
        let code = refused.code().expect("told").code();
        assert!(["28000", "22023", "22004"].contains(&code), "{name}: {refused:?}");
    }
    let tables = "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'timedb'::regnamespace AND relkind IN ('r', 'v')";
    let tables = stolen.query(tables, &[]).expect("tables");
    assert!(tables.len() > 5);
    for row in tables {
        let table: String = row.get(0);
        for sql in [format!("SELECT FROM {table}"), format!("EXPLAIN SELECT FROM {table}")] {
            let refused = stolen.query(&sql, &[]).expect_err(&sql);
            assert_eq!(refused.code().expect("told").code(), "42501", "{sql}");
        }
    }
}
