//! Two tenants through one server connection of a real PgBouncer.

use std::thread;

use postgres::{Client, GenericClient, NoTls, Statement};
use timedb_testkit::{
    Identity, Stage, assert_nobody, assert_ordinary, assert_ordinary_roles, backend_pid, one, refused, run, succeed,
};

use crate::pgbouncer::PgBouncer;

const WHO: &str = "SELECT timedb.current_tenant()";
const LOGIN_OF_THE_TRANSACTION: &str = "SELECT FROM timedb.authenticate($1, true)";
const LOGIN_OF_THE_SESSION: &str = "SELECT FROM timedb.authenticate($1)";

/// Two clients of a pool that has one server connection.
fn two_clients(pool: &PgBouncer) -> [Client; 2] {
    let mut clients = [pool.client("app"), pool.client("app")];
    let [first, second] = clients.each_mut().map(backend_pid);
    assert_eq!(first, second, "the premise: they share one server connection");
    clients.iter_mut().for_each(assert_ordinary);
    clients
}

/// Logs in for a transaction, and reads what there is by every way of reading.
fn read_as(client: &mut Client, identity: &Identity) -> Vec<String> {
    let mut transaction = succeed(client.transaction());
    succeed(transaction.execute(LOGIN_OF_THE_TRANSACTION, &[&identity.api_key]));
    let seen = series(&mut transaction);
    succeed(transaction.commit());
    seen
}

/// The series that show in the function, the view and the tables.
fn series(client: &mut impl GenericClient) -> Vec<String> {
    let sql = "SELECT series_key FROM timedb.read() \
               UNION SELECT series_key FROM timedb.current_values \
               UNION SELECT series_key FROM timedb.series s \
                 JOIN timedb.values v USING (tenant_id, series_id) ORDER BY 1";
    let rows = succeed(client.query(sql, &[]));
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn two_tenants_take_turns_on_one_server_connection_and_each_sees_its_own_rows() {
    let stage = Stage::set("turns");
    let pool = PgBouncer::in_front_of(&stage.database, &[]);
    let [mut alice, mut bob] = two_clients(&pool);
    for _ in 0..20 {
        assert_eq!(read_as(&mut alice, &stage.alice), ["alice"]);
        assert_nobody(&mut bob);
        assert_nobody(&mut alice);
        assert_eq!(read_as(&mut bob, &stage.bob), ["bob"]);
        assert_nobody(&mut alice);
        assert_nobody(&mut bob);
    }
}

#[test]
fn a_transaction_that_rolls_back_or_fails_leaves_nobody_logged_in() {
    let stage = Stage::set("rolled back");
    let pool = PgBouncer::in_front_of(&stage.database, &[]);
    let [mut alice, mut bob] = two_clients(&pool);
    let mut transaction = succeed(alice.transaction());
    succeed(transaction.execute(LOGIN_OF_THE_TRANSACTION, &[&stage.alice.api_key]));
    succeed(transaction.rollback());
    assert_nobody(&mut bob);
    let mut transaction = succeed(alice.transaction());
    succeed(transaction.execute(LOGIN_OF_THE_TRANSACTION, &[&stage.alice.api_key]));
    refused(transaction.execute("SELECT 1 / 0", &[])).code("22012");
    drop(transaction);
    assert_nobody(&mut bob);
}

/// A client that goes away in the middle takes its transaction, and so its login, with it.
#[test]
fn a_client_that_disconnects_within_its_transaction_leaves_nobody_logged_in() {
    let stage = Stage::set("disconnected");
    let pool = PgBouncer::in_front_of(&stage.database, &[]);
    let [mut alice, mut bob] = two_clients(&pool);
    run(&mut alice, "BEGIN");
    succeed(alice.execute(LOGIN_OF_THE_TRANSACTION, &[&stage.alice.api_key]));
    drop(alice);
    assert_nobody(&mut bob);
    assert_eq!(read_as(&mut bob, &stage.bob), ["bob"]);
}

/// The hazard that docs/pools.md warns of, and PgBouncer's setting that closes it.
#[test]
fn a_login_of_the_session_leaks_to_the_next_client_unless_the_pool_discards_all() {
    let stage = Stage::set("leaks");
    let pool = PgBouncer::in_front_of(&stage.database, &[]);
    let [mut alice, mut bob] = two_clients(&pool);
    succeed(alice.execute(LOGIN_OF_THE_SESSION, &[&stage.alice.api_key]));
    assert_eq!(one::<Option<_>>(&mut bob, WHO), Some(stage.alice.tenant_id));
    assert_eq!(series(&mut bob), ["alice"], "Bob has become Alice");

    // The recipe: whoever logs in for the transaction is safe even after such a client.
    assert_eq!(read_as(&mut bob, &stage.bob), ["bob"]);
    run(&mut alice, "SELECT timedb.logout()");
    assert_nobody(&mut bob);

    let pool = PgBouncer::in_front_of(&stage.database, &["server_reset_query_always = 1"]);
    let [mut alice, mut bob] = two_clients(&pool);
    succeed(alice.execute(LOGIN_OF_THE_SESSION, &[&stage.alice.api_key]));
    assert_nobody(&mut bob);
    assert_nobody(&mut alice);
    assert_eq!(read_as(&mut alice, &stage.alice), ["alice"]);
}

#[test]
fn the_key_as_a_setting_is_safe_if_local_leaks_if_not_and_is_refused_at_the_start() {
    let stage = Stage::set("setting");
    let pool = PgBouncer::in_front_of(&stage.database, &[]);
    let [mut alice, mut bob] = two_clients(&pool);
    let set = |client: &mut Client, local: bool| {
        let sql = "SELECT set_config('timedb.api_key', $1, $2)";
        succeed(client.execute(sql, &[&stage.alice.api_key, &local]));
    };
    run(&mut alice, "BEGIN");
    set(&mut alice, true);
    assert_eq!(series(&mut alice), ["alice"]);
    run(&mut alice, "COMMIT");
    assert_nobody(&mut bob);

    set(&mut alice, false);
    assert_eq!(series(&mut bob), ["alice"], "Bob has become Alice");
    run(&mut bob, "RESET timedb.api_key");
    assert_nobody(&mut alice);

    let connect = |pool: &PgBouncer| {
        let mut config = pool.config("app");
        config.options(&format!("-c timedb.api_key={}", stage.alice.api_key));
        config.connect(NoTls)
    };
    let refusal = connect(&pool).err().expect("it is refused");
    let refusal = refusal.as_db_error().expect("by PgBouncer").message();
    assert!(refusal.contains("unsupported startup parameter"), "{refusal}");
    assert!(!refusal.contains("tdb_"), "it does not say the key: {refusal}");

    let ignoring = ["ignore_startup_parameters = options"];
    let pool = PgBouncer::in_front_of(&stage.database, &ignoring);
    let mut alice = connect(&pool).expect("it connects");
    assert_nobody(&mut alice);
}

#[test]
fn a_failed_login_of_one_client_never_makes_another_client_somebody_else() {
    let stage = Stage::set("failed");
    let pool = PgBouncer::in_front_of(&stage.database, &[]);
    let [mut alice, mut bob] = two_clients(&pool);
    for sql in [LOGIN_OF_THE_TRANSACTION, LOGIN_OF_THE_SESSION] {
        refused(alice.execute(sql, &[&"tdb_bad"])).code("28000");
        assert_nobody(&mut bob);
        assert_eq!(read_as(&mut bob, &stage.bob), ["bob"]);
        assert_nobody(&mut alice);
        assert_eq!(read_as(&mut alice, &stage.alice), ["alice"]);
    }
}

#[test]
fn a_login_of_the_transaction_outside_one_warns_and_is_gone() {
    let stage = Stage::set("evaporates");
    let pool = PgBouncer::in_front_of(&stage.database, &[]);
    let (mut alice, notices) = pool.client_with_notices("app");
    succeed(alice.execute(LOGIN_OF_THE_TRANSACTION, &[&stage.alice.api_key]));
    let codes: Vec<String> = notices.take().into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["25P01"]);
    assert_nobody(&mut alice);
    assert_eq!(read_as(&mut alice, &stage.alice), ["alice"]);
    assert_eq!(notices.take(), [], "within one there is no warning");
}

/// PgBouncer prepares a statement once on the server and shares it, with its plan, among all who prepared the same.
#[test]
fn two_threads_with_shared_prepared_statements_and_generic_plans_never_mix() {
    const TRANSACTIONS: usize = 300;
    let stage = Stage::set("threads");
    stage.database.set("plan_cache_mode", "force_generic_plan");
    let pool = PgBouncer::in_front_of(&stage.database, &[]);
    let [mut first, mut second] = two_clients(&pool);
    thread::scope(|scope| {
        let work = |client, identity, own| move || Prepared::on(client).take_turns(identity, own, TRANSACTIONS);
        scope.spawn(work(&mut first, &stage.alice, "alice"));
        scope.spawn(work(&mut second, &stage.bob, "bob"));
    });
    let (prepared, generic): (i64, i64) = {
        let sql = "SELECT count(*), sum(generic_plans)::int8 FROM pg_prepared_statements \
                   WHERE name LIKE 'PGBOUNCER_%' AND statement LIKE '%JOIN timedb.values%' \
                     AND statement NOT LIKE '%pg_prepared_statements%'";
        let row = succeed(first.query_one(sql, &[]));
        (row.get(0), row.get(1))
    };
    assert_eq!(prepared, 1, "the premise: the clients share one statement");
    assert!(
        generic >= 2 * TRANSACTIONS as i64,
        "the premise: its plan is generic, and not made anew: {generic}"
    );
    assert_nobody(&mut first);
}

/// A client with what it has prepared once, by the protocol.
struct Prepared<'a> {
    client: &'a mut Client,
    login: Statement,
    reads: [Statement; 3],
}

impl<'a> Prepared<'a> {
    fn on(client: &'a mut Client) -> Self {
        let login = succeed(client.prepare(LOGIN_OF_THE_TRANSACTION));
        let reads = [
            "SELECT array_agg(series_key ORDER BY 1) FROM timedb.read()",
            "SELECT array_agg(series_key ORDER BY 1) FROM timedb.current_values",
            "SELECT array_agg(series_key ORDER BY 1) \
             FROM timedb.series JOIN timedb.values USING (tenant_id, series_id)",
        ]
        .map(|sql| succeed(client.prepare(sql)));
        Self { client, login, reads }
    }

    fn take_turns(self, identity: &Identity, own: &str, transactions: usize) {
        for turn in 0..transactions {
            let mut transaction = succeed(self.client.transaction());
            succeed(transaction.execute(&self.login, &[&identity.api_key]));
            for read in &self.reads {
                let row = succeed(transaction.query_one(read, &[]));
                assert_eq!(row.get::<_, Vec<String>>(0), [own], "turn {turn}");
            }
            succeed(transaction.commit());
            // Between transactions: whoever had the server connection last must not be seen.
            let row = succeed(self.client.query_one(&self.reads[2], &[]));
            assert_eq!(row.get::<_, Option<Vec<String>>>(0), None, "turn {turn}");
        }
    }
}

#[test]
fn a_login_role_bound_to_a_tenant_needs_no_login_in_any_pool() {
    let stage = Stage::set("bound roles");
    let mut operator = stage.ops();
    let mut admin = stage.admin();
    for (role, identity) in [("bi_alice", &stage.alice), ("bi_bob", &stage.bob)] {
        run(&mut admin, &format!("CREATE ROLE {role} LOGIN IN ROLE timedb_user"));
        let bind = "SELECT timedb.bind_role($1::text::name, $2)";
        succeed(operator.execute(bind, &[&role, &identity.tenant_id]));
    }
    assert_ordinary_roles(&mut admin, &["bi_alice", "bi_bob"]);
    for mode in ["transaction", "session", "statement"] {
        let pool = PgBouncer::in_front_of(&stage.database, &[&format!("pool_mode = {mode}")]);
        let mut alice = pool.client("bi_alice");
        let mut bob = pool.client("bi_bob");
        for _ in 0..3 {
            assert_eq!(series(&mut alice), ["alice"], "{mode}");
            assert_eq!(series(&mut bob), ["bob"], "{mode}");
        }
    }
    for role in ["bi_alice", "bi_bob"] {
        succeed(operator.execute("SELECT timedb.unbind_role($1::text::name)", &[&role]));
    }
    run(&mut admin, "DROP ROLE bi_alice, bi_bob");
}

#[test]
fn a_session_pool_logs_out_before_it_hands_the_session_on() {
    let stage = Stage::set("session mode");
    let pool = PgBouncer::in_front_of(&stage.database, &["pool_mode = session"]);
    let mut alice = pool.client("app");
    let backend = backend_pid(&mut alice);
    succeed(alice.execute(LOGIN_OF_THE_SESSION, &[&stage.alice.api_key]));
    run(&mut alice, "CREATE TEMP TABLE residue AS TABLE timedb.series");
    assert_eq!(series(&mut alice), ["alice"]);
    drop(alice);
    let mut bob = pool.client("app");
    assert_eq!(backend_pid(&mut bob), backend, "the premise: it is the same session");
    assert_nobody(&mut bob);
    refused(bob.execute("TABLE residue", &[])).code("42P01");
}
