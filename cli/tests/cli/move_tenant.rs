//! A tenant from one of a router's servers to another, while it is used, and whatever breaks off: by `scripts/test.sh router`.

use std::process::{Child, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::Client;
use serde_json::json;
use timedb_testkit::{Database, Identity, Server, one, one_of, run, wait_until};
use uuid::Uuid;

use crate::moving::{fill_tenant, managed, moments_at, rows_at, told};
use crate::support::{Typed, timedb, timedb_on};

const UPLOAD: &str = "SELECT run_id FROM timedb.upload(now(), $1)";

/// A router, Alice of a tenant on its first server, and Carol who manages it.
struct Stage {
    database: Database,
    alice: Identity,
    carol: Identity,
}

fn rows(value: usize) -> serde_json::Value {
    json!([{"value_key": "heat", "valid_time": "2025-01-01T00:00:00Z", "value": value}])
}

impl Stage {
    fn new(name: &str) -> Stage {
        let database = Database::fresh(name);
        assert_eq!(database.server().shards().len(), 3, "run by scripts/test.sh router");
        let mut admin = database.admin();
        let first = database.server().shards()[0].conninfo(database.name());
        let tenant = std::iter::repeat_with(Uuid::now_v7)
            .find(|tenant| one_of::<String>(&mut admin, "SELECT timedb_router._of_tenant($1)", &[tenant]) == first)
            .expect("a tenant of it");
        let alice = database.create_user(tenant, "alice@tenant-a.com", "write");
        let carol = database.create_user(tenant, "carol@tenant-a.com", "admin");
        Stage { database, alice, carol }
    }

    /// With all that a tenant can have.
    fn filled(name: &str) -> Stage {
        let stage = Stage::new(name);
        let gone = stage.database.create_user(stage.tenant(), "gone@tenant-a.com", "read");
        let mut admin = stage.database.admin();
        for sql in [
            format!("SELECT timedb.deactivate_user(user_id => '{}')", gone.user_id),
            format!(
                "SELECT timedb.create_key(user_id => '{}', name => 'second')",
                stage.alice.user_id
            ),
            format!(
                "SELECT timedb.set_retention('1000 years', tenant_id => '{}')",
                stage.tenant()
            ),
        ] {
            run(&mut admin, &sql);
        }
        fill_tenant(&mut stage.database.authenticated(&stage.alice));
        stage
    }

    /// In runs of at most 100,000 hours of one series.
    fn fill_with(&self, values: i64) {
        let mut client = self.database.authenticated(&self.alice);
        for run in 0..(values + 99_999) / 100_000 {
            let sql = "SELECT timedb.upload_points($1::text::timestamptz, array_agg('load ' || $2::int8 % 10),
                         array_agg('2020-01-01'::timestamptz + n * interval '1 hour'), array_agg(random() * n))
                       FROM generate_series(1, least(100000, $3::int8)) AS n";
            let known = format!("2025-02-01T{:02}:00Z", run % 24);
            client.execute(sql, &[&known, &run, &values]).expect("values");
        }
    }

    fn tenant(&self) -> Uuid {
        self.alice.tenant_id
    }

    fn server(&self, number: usize) -> &Server {
        &self.database.server().shards()[number]
    }

    fn conninfo(&self, server: usize) -> String {
        self.server(server).conninfo(self.database.name())
    }

    /// A superuser on one of the servers.
    fn on(&self, server: usize) -> Client {
        self.server(server)
            .connect("postgres", self.database.name())
            .expect("a connection")
    }

    fn rows_on(&self, server: usize) -> i64 {
        let mut admin = self.on(server);
        let told = "SELECT count(*) FROM timedb.audit WHERE tenant_id = $1 AND action = 'erase_tenant'";
        rows_at(&mut admin, self.tenant()) - one_of::<i64>(&mut admin, told, &[&self.tenant()])
    }

    fn is_moving(&self) -> Option<bool> {
        let sql = "SELECT is_moving FROM timedb_router.moved WHERE tenant_id = $1";
        let row = self
            .database
            .admin()
            .query_opt(sql, &[&self.tenant()])
            .expect("the table");
        row.map(|row| row.get(0))
    }

    fn told(&self) -> Vec<String> {
        told(&self.database, &self.alice, &[])
    }

    fn words(&self, rest: &[&str]) -> Vec<String> {
        let tenant = self.tenant().to_string();
        let words = ["move-tenant", &tenant].into_iter().chain(rest.iter().copied());
        words.map(str::to_owned).collect()
    }

    fn types(&self, rest: &[&str]) -> Typed {
        let words = self.words(rest);
        timedb(&self.database, "postgres").types_words(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn moves_to(&self, server: usize) -> Typed {
        self.types(&["--to", &self.conninfo(server)])
    }

    fn begins_to(&self, server: usize) -> Child {
        let words = self.words(&["--to", &self.conninfo(server)]);
        timedb(&self.database, "postgres").starts(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Whoever fails does not wait for a thread that goes on.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// For whoever measures: TIMEDB_MOVED_VALUES=1000000 and --nocapture.
fn values_to_measure_by() -> i64 {
    let given = std::env::var("TIMEDB_MOVED_VALUES").ok();
    given.map_or(0, |values| values.parse().expect("a number of values"))
}

/// How many sessions of other transactions wait for a lock there.
fn waiting(admin: &mut Client) -> i64 {
    one(
        admin,
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
         WHERE d.datname = current_database() AND NOT l.granted",
    )
}

fn end(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, signal).expect("it is there");
}

fn output_of(child: Child) -> Output {
    child.wait_with_output().expect("it ends")
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn a_tenant_moves_with_all_it_has_and_every_read_answers_as_before() {
    let stage = Stage::filled("moved");
    let bob = stage.database.create_user(Uuid::now_v7(), "bob@tenant-b.com", "write");
    run(&mut stage.on(0), "CALL timedb.maintain()");
    let moments = moments_at(&mut stage.on(0), stage.tenant());
    assert!(moments.len() > 5, "the premise: much has happened");
    let mut open = stage.database.authenticated(&stage.alice);
    let count = "SELECT count(*) FROM timedb.read(mode => 'overlapping', all_versions => true)";
    let values: i64 = one(&mut open, count);
    let look = || {
        let mut lines = told(&stage.database, &stage.alice, &moments);
        let mut managed = managed(&stage.database, &stage.carol);
        managed.retain(|line| !line.contains("erase_tenant"));
        lines.extend(managed);
        lines
    };
    let before = look();
    // Its own name for it is the router's, however it is typed.
    let to = stage.server(1).conninfo(stage.database.name());
    let typed: Vec<&str> = to.split(' ').rev().collect();
    let said = stage.types(&["--to", &typed.join(" ")]).done();
    assert!(said.contains(&format!("to {to}: users 3, keys 4")), "{said}");
    assert!(
        said.contains("Calls that write were refused for ") && said.contains("Erased at "),
        "{said}"
    );
    assert_eq!(look(), before);
    assert_eq!(one::<i64>(&mut open, count), values);
    assert_eq!((stage.rows_on(0), stage.is_moving()), (0, Some(false)));
    assert!(stage.rows_on(1) > 0);
    open.execute(UPLOAD, &[&rows(1)])
        .expect("it is written at the new place");
    assert_eq!(one::<i64>(&mut open, count), values + 1);
    let bindings: i64 = one(&mut stage.on(1), "SELECT count(*) FROM timedb.self_check()");
    assert_eq!(bindings, 0);

    // On, and home again, where no row is needed.
    for server in [2, 0] {
        stage.moves_to(server).done();
        assert_eq!(one::<i64>(&mut open, count), values + 1);
        assert_eq!((stage.rows_on(1), stage.rows_on(2) > 0), (0, server == 2));
    }
    assert_eq!(stage.is_moving(), None);
    stage.database.authenticated(&bob);
    let users: i64 = one(
        &mut stage.database.admin(),
        "SELECT count(*) FROM timedb.list_users(include_inactive => true)",
    );
    assert_eq!(users, 4, "those who looked at the copies are gone");
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn writers_are_refused_for_a_while_and_nothing_that_was_acknowledged_is_lost() {
    let stage = Stage::filled("moved under load");
    stage.fill_with(values_to_measure_by());
    let (acknowledged, refused, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let before: i64 = one(
        &mut stage.database.authenticated(&stage.alice),
        "SELECT count(*) FROM timedb.list_runs(max_rows => 10000)",
    );
    let written = thread::scope(|scope| {
        let _ends = Ends(&is_over);
        let writes = scope.spawn(|| {
            let mut client = stage.database.authenticated(&stage.alice);
            let mut runs: Vec<Uuid> = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                match client.query_one(UPLOAD, &[&rows(runs.len())]) {
                    Ok(row) => {
                        runs.push(row.get(0));
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(error) => {
                        let error = error.as_db_error().expect("the server's");
                        assert_eq!(error.code().code(), "55P03", "{error:?}");
                        assert_eq!(error.hint(), Some("Reads go on. Try again in a moment."));
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            runs
        });
        wait_until("something is written", || acknowledged.load(Ordering::SeqCst) > 10);
        // Held so, packs cannot be copied.
        let mut holder = stage.on(1);
        let mut held = holder.transaction().expect("a transaction");
        held.batch_execute("LOCK TABLE timedb.packs IN SHARE MODE")
            .expect("a lock");
        let child = stage.begins_to(1);
        wait_until("writers are refused", || refused.load(Ordering::SeqCst) > 10);
        let reads: i64 = one(
            &mut stage.database.authenticated(&stage.alice),
            "SELECT count(*) FROM timedb.read()",
        );
        assert!(reads > 0, "reads go on");
        let operators = "SELECT timedb.create_user($1, 'dora@tenant-a.com')";
        let error = stage
            .database
            .admin()
            .execute(operators, &[&stage.tenant()])
            .expect_err("refused");
        assert_eq!(
            error.code().map(|code| code.code()),
            Some("55P03"),
            "operators too: {error:?}"
        );
        held.rollback().expect("the lock goes");
        println!("{}", Typed::of(output_of(child)).done());
        let so_far = acknowledged.load(Ordering::SeqCst);
        wait_until("something is written there", || {
            acknowledged.load(Ordering::SeqCst) > so_far + 10
        });
        is_over.store(true, Ordering::SeqCst);
        writes.join().expect("the writer")
    });
    let mut client = stage.database.authenticated(&stage.alice);
    let there: i64 = one_of(
        &mut client,
        "SELECT count(*) FROM timedb.list_runs(max_rows => 10000) r WHERE r.run_id = ANY ($1)",
        &[&written],
    );
    let all: i64 = one(&mut client, "SELECT count(*) FROM timedb.list_runs(max_rows => 10000)");
    assert_eq!((there, all), (written.len() as i64, before + written.len() as i64));
    assert_eq!(stage.rows_on(0), 0);
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn what_cannot_be_moved_is_refused_and_nothing_is_changed() {
    let stage = Stage::new("not moved");
    let to = stage.conninfo(1);
    let refused = |words: &[&str], expected: &str| {
        let typed = stage.types(words);
        assert_eq!(typed.out, "", "{typed:#?}");
        assert!(typed.err.contains(expected), "{expected}: {typed:#?}");
        assert_eq!((stage.is_moving(), stage.rows_on(1)), (None, 0), "{expected}");
    };
    refused(&["--to", &stage.conninfo(0)], "is there already");
    let otherwise = format!("{} connect_timeout=7", stage.conninfo(0));
    refused(&["--to", &otherwise], "is there already");
    refused(&["--to", "postgresql://postgres@db4/timedb"], "takes libpq's words");
    refused(&["--to", &format!("{to} user=postgres")], "says user");
    refused(&["--to", "host=db4"], "names no dbname");
    refused(&["--undo"], "is not being moved");
    refused(&[], "--to");
    let nobody = Uuid::now_v7().to_string();
    let words = ["move-tenant", &nobody, "--to", &stage.conninfo(2)];
    let nobodys = timedb(&stage.database, "postgres").types_words(&words);
    assert!(
        nobodys.err.contains("there is no tenant") || nobodys.err.contains("is there already"),
        "{nobodys:#?}"
    );

    let tenant = stage.tenant().to_string();
    let words = ["move-tenant", &tenant, "--to", &to];
    let told = timedb(&stage.database, "ops").types_words(&words).failed(1);
    assert!(told.contains("needs a superuser"), "{told}");
    let told = timedb_on(stage.server(0), "postgres", stage.database.name())
        .types_words(&words)
        .failed(1);
    assert!(told.contains("has no timedb_router"), "{told}");
    let other = stage.server(2).url("postgres", stage.database.name());
    refused(&["--to", &to, "--target-dsn", &other], "reaches another database");
    refused(&["--to", &to, "--source-dsn", &other], "reaches another database");

    let mut there = stage.on(1);
    let version: String = one(
        &mut there,
        "SELECT extversion FROM pg_extension WHERE extname = 'timedb'",
    );
    let set = |client: &mut Client, names: &str, version: &str| {
        run(
            client,
            &format!("UPDATE pg_extension SET extversion = '{version}' WHERE extname IN ({names})"),
        );
    };
    set(&mut there, "'timedb', 'timedb_shard'", "9.9.9");
    refused(&["--to", &to], "timedb is 9.9.9, and the router's is");
    set(&mut there, "'timedb'", &version);
    refused(&["--to", &to], "and timedb_shard 9.9.9");
    set(&mut there, "'timedb_shard'", &version);
    run(&mut there, "DROP EXTENSION timedb_shard");
    refused(&["--to", &to], "has no timedb_shard");
    run(&mut there, "CREATE EXTENSION timedb_shard");
    let sql = "SELECT timedb.create_user($1, 'other@tenant-a.com')";
    there.execute(sql, &[&stage.tenant()]).expect("a user");
    let typed = stage.types(&["--to", &to]).failed(1);
    assert!(typed.contains("has rows of it in timedb.users"), "{typed}");
    assert_eq!(stage.is_moving(), None);
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn a_copy_that_differs_is_not_kept() {
    let stage = Stage::filled("differs");
    let before = stage.told();
    let mut there = stage.on(1);
    run(
        &mut there,
        "CREATE FUNCTION public.spoil() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.workflow_id := 'spoilt'; RETURN NEW; END$$;
         CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
           IF NEW.email LIKE '%@move-tenant.invalid' THEN DELETE FROM timedb.values v WHERE v.tenant_id = NEW.tenant_id; END IF;
           RETURN NEW; END$$;
         ALTER FUNCTION public.lose() SECURITY DEFINER",
    );
    for (trigger, differs) in [
        (
            "BEFORE INSERT ON timedb.runs FOR EACH ROW EXECUTE FUNCTION public.spoil()",
            "timedb.runs is ",
        ),
        (
            "AFTER INSERT ON timedb.users FOR EACH ROW EXECUTE FUNCTION public.lose()",
            "read of all versions is ",
        ),
    ] {
        run(&mut there, &format!("CREATE TRIGGER planted {trigger}"));
        let told = stage.moves_to(1).failed(1);
        assert!(told.contains("the copy differs: ") && told.contains(differs), "{told}");
        assert!(told.contains("nothing is lost"), "{told}");
        assert_eq!((stage.is_moving(), stage.rows_on(1)), (None, 0));
        assert_eq!(stage.told(), before);
        let table = trigger.split_whitespace().nth(3).expect("its table");
        run(&mut there, &format!("DROP TRIGGER planted ON {table}"));
    }
    stage
        .database
        .authenticated(&stage.alice)
        .execute(UPLOAD, &[&rows(1)])
        .expect("writes are taken");
    stage.moves_to(1).done();
}

/// Where it waits for a lock of another, and is killed.
#[derive(Clone, Copy, Debug)]
enum Killed {
    WhileItCopies,
    BeforeTheRouterIsTold,
    WhileItErases,
}

fn move_that_ends(stage: &Stage, killed: Killed, signal: Signal) -> Output {
    let (mut old, mut new, mut router) = (stage.on(0), stage.on(1), stage.database.admin());
    let (mut of_old, mut of_new, mut of_router) = (stage.on(0), stage.on(1), stage.database.admin());
    let mut packs = new.transaction().expect("a transaction");
    packs
        .batch_execute("LOCK TABLE timedb.packs IN SHARE MODE")
        .expect("a lock");
    let child = stage.begins_to(1);
    wait_until("it copies", || waiting(&mut of_new) == 1);
    let mut table = router.transaction().expect("a transaction");
    let mut keys = old.transaction().expect("a transaction");
    if let Killed::BeforeTheRouterIsTold = killed {
        table
            .batch_execute("LOCK TABLE timedb_router.moved IN SHARE MODE")
            .expect("a lock");
    }
    if let Killed::WhileItErases = killed {
        keys.execute(
            "SELECT FROM timedb.api_keys WHERE tenant_id = $1 FOR UPDATE",
            &[&stage.tenant()],
        )
        .expect("a lock");
    }
    match killed {
        Killed::WhileItCopies => {}
        Killed::BeforeTheRouterIsTold => {
            packs.rollback().expect("the lock goes");
            wait_until("it tells the router", || waiting(&mut of_router) == 1);
            end(&child, signal);
            if signal == Signal::SIGINT {
                wait_until("the copy is erased", || stage.rows_on(1) == 0);
                table.rollback().expect("the lock goes");
                return output_of(child);
            }
            let output = output_of(child);
            table.rollback().expect("the lock goes");
            wait_until("the router has seen it", || waiting(&mut of_router) == 0);
            return output;
        }
        Killed::WhileItErases => {
            packs.rollback().expect("the lock goes");
            let held = "SELECT count(*) FROM pg_locks l WHERE NOT l.granted";
            wait_until("it erases", || one::<i64>(&mut of_old, held) == 1);
            end(&child, signal);
            let output = output_of(child);
            keys.rollback().expect("the lock goes");
            return output;
        }
    }
    end(&child, signal);
    let output = output_of(child);
    packs.rollback().expect("the lock goes");
    output
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn what_was_killed_is_taken_up_by_the_same_command() {
    for killed in [
        Killed::WhileItCopies,
        Killed::BeforeTheRouterIsTold,
        Killed::WhileItErases,
    ] {
        let stage = Stage::filled("killed");
        let before = stage.told();
        move_that_ends(&stage, killed, Signal::SIGKILL);
        let has_moved = matches!(killed, Killed::WhileItErases);
        assert_eq!(stage.is_moving(), Some(!has_moved), "{killed:?}");
        let mut reader = stage.database.authenticated(&stage.alice);
        let read: i64 = one(&mut reader, "SELECT count(*) FROM timedb.read()");
        assert!(read > 0, "reads go on: {killed:?}");
        let has_copy = !matches!(killed, Killed::WhileItCopies);
        wait_until("its session has ended", || (stage.rows_on(1) > 0) == has_copy);
        assert!(has_moved || stage.rows_on(0) > 0, "{killed:?}");
        let elsewhere = stage.types(&["--to", &stage.conninfo(2)]).failed(1);
        assert!(elsewhere.contains("HINT:  --to with"), "{elsewhere}");
        if has_moved {
            assert!(stage.types(&["--undo"]).failed(1).contains("has come to"));
        }
        stage.moves_to(1).done();
        assert_eq!(stage.told(), before, "{killed:?}");
        assert_eq!((stage.rows_on(0), stage.is_moving()), (0, Some(false)), "{killed:?}");
        stage
            .database
            .authenticated(&stage.alice)
            .execute(UPLOAD, &[&rows(1)])
            .expect("writes are taken");
    }
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn what_was_killed_can_be_taken_back() {
    for killed in [Killed::WhileItCopies, Killed::BeforeTheRouterIsTold] {
        let stage = Stage::filled("taken back");
        let before = stage.told();
        move_that_ends(&stage, killed, Signal::SIGKILL);
        let error = stage
            .database
            .authenticated(&stage.alice)
            .execute(UPLOAD, &[&rows(1)])
            .expect_err("refused");
        assert_eq!(error.code().map(|code| code.code()), Some("55P03"));
        let said = stage.types(&["--undo"]).done();
        assert!(said.contains("Taken back: "), "{said}");
        assert_eq!((stage.rows_on(1), stage.is_moving()), (0, None), "{killed:?}");
        assert_eq!(stage.told(), before, "{killed:?}");
        stage
            .database
            .authenticated(&stage.alice)
            .execute(UPLOAD, &[&rows(1)])
            .expect("writes are taken");
    }
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn ctrl_c_takes_back_what_the_router_does_not_name_yet() {
    for killed in [Killed::WhileItCopies, Killed::BeforeTheRouterIsTold] {
        let stage = Stage::filled("interrupted");
        let before = stage.told();
        let output = move_that_ends(&stage, killed, Signal::SIGINT);
        let told = Typed::of(output).failed(1);
        assert!(told.contains("the tenant stays where it is"), "{told}");
        assert_eq!((stage.rows_on(1), stage.is_moving()), (0, None), "{killed:?}");
        assert_eq!(stage.told(), before, "{killed:?}");
    }
}

#[test]
#[ignore = "needs a router and its servers: scripts/test.sh router"]
fn two_do_not_move_one_tenant_at_once_and_who_writes_past_the_router_is_seen() {
    let stage = Stage::filled("moved twice");
    let (mut new, mut of_new) = (stage.on(1), stage.on(1));
    let mut packs = new.transaction().expect("a transaction");
    packs
        .batch_execute("LOCK TABLE timedb.packs IN SHARE MODE")
        .expect("a lock");
    let child = stage.begins_to(1);
    wait_until("it copies", || waiting(&mut of_new) == 1);
    let told = stage.moves_to(1).failed(1);
    assert!(told.contains("another timedb move-tenant is at work"), "{told}");
    let mut past = stage
        .server(0)
        .connect("app", stage.database.name())
        .expect("a connection");
    past.execute("SELECT timedb.authenticate($1)", &[&stage.alice.api_key])
        .expect("a login");
    past.execute(UPLOAD, &[&rows(9)]).expect("nobody refuses it there");
    packs.rollback().expect("the lock goes");
    let told = Typed::of(output_of(child)).failed(1);
    assert!(told.contains("is written to past the router: timedb.runs"), "{told}");
    assert_eq!((stage.rows_on(1), stage.is_moving()), (0, None));
    stage.moves_to(1).done();
    let runs: i64 = one(
        &mut stage.database.authenticated(&stage.alice),
        "SELECT count(*) FROM timedb.read(series_keys => '{heat}', mode => 'overlapping') r WHERE r.value = 9",
    );
    assert_eq!(runs, 1);
}
