//! A server that is killed at random moments while clients write: what was acknowledged is whole, what was not is whole or
//! absent, and nothing else is there.

mod client;
mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use timedb_testkit::{Cluster, Database, KEY_REFUSED, Options, kill_process, one, refused, wait_until};
use uuid::Uuid;

use crate::model::{COLUMNS, Mode, Question, Version, Withdrawal, keep_what_is_not_old};
use crate::record::{Record, Tally};
use crate::seed::{choices, number, seed, tell};
use crate::whole::{assert_whole, tell_without_amcheck};
use client::{Gone, Player, Signals, Tenant, lock};
use house::keep_house;

const TEST: &str = "crashes";
/// `TIMEDB_KILLS` says how many otherwise.
const KILLS: u64 = 60;
/// Then other tenants begin, so that what is looked at after each kill stays small.
const KILLS_OF_TENANTS: u64 = 10;
const TENANTS: usize = 2;
const CLIENTS_OF_TENANT: usize = 3;
/// So many operations come before a kill, and a moment that is shorter than one.
const MOST_OPERATIONS: usize = 200;
const LONGEST_MOMENT: u64 = 4_000;

/// What is killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Victim {
    /// One that a client talks to; the server ends all others and recovers.
    Backend,
    /// The checkpointer, the WAL writer and the like.
    Helper,
    /// Those it has started finish what they are at.
    Postmaster,
    Everything,
}

const VICTIMS: [Victim; 8] = [
    Victim::Backend,
    Victim::Backend,
    Victim::Backend,
    Victim::Helper,
    Victim::Postmaster,
    Victim::Postmaster,
    Victim::Everything,
    Victim::Everything,
];

struct World {
    database: Database,
    tenants: Vec<Tenant>,
}

impl World {
    fn made(cluster: &Cluster) -> World {
        let database = cluster.database(TEST).expect("a database");
        let tenant = |number| {
            let id = Uuid::now_v7();
            Tenant {
                people: database.create_user(id, &format!("people@tenant-{number}.com"), "write"),
                administrator: database.create_user(id, &format!("administrator@tenant-{number}.com"), "admin"),
                record: Default::default(),
                keys: Default::default(),
            }
        };
        let tenants: Vec<Tenant> = (0..TENANTS).map(tenant).collect();
        for tenant in &tenants {
            keep_what_is_not_old(&mut database.authenticated(&tenant.administrator));
        }
        World { database, tenants }
    }

    /// What is stored of each tenant is what its clients know, and reads show that.
    fn check(&self, random: &mut StdRng) {
        let mut admin = self.database.admin();
        assert_whole(&mut admin);
        for tenant in &self.tenants {
            let mut client = self.database.authenticated(&tenant.people);
            let mut record = lock(&tenant.record);
            restore_all(&mut client, &mut record);
            let stored = everything(&mut client);
            assert_reads(&mut client, &stored, random);
            record.compare(stored, &workflows(&mut client));
            drop(record);
            self.check_keys(tenant);
        }
    }

    /// A key whose making was acknowledged logs in, until its end was.
    fn check_keys(&self, tenant: &Tenant) {
        for key in lock(&tenant.keys).drain(..) {
            let mut client = self.database.login("app");
            let login = client.execute("SELECT timedb.authenticate($1)", &[&key.key]);
            match key.is_ended {
                Some(false) => assert_eq!(login.expect("a key that was made"), 1),
                Some(true) => drop(refused(login).code("28000").message(KEY_REFUSED)),
                None => {}
            }
        }
    }

    /// Before it is left.
    fn tally(&self) -> Tally {
        let packs: i64 = one(&mut self.database.admin(), "SELECT count(*) FROM timedb.packs");
        assert!(packs > 0, "the premise: something was compacted");
        let mut all = Tally::default();
        self.tenants
            .iter()
            .for_each(|tenant| all.add(lock(&tenant.record).tally));
        all
    }
}

/// Withdrawn is what was acknowledged, and of the rest what nobody knows of; no read shows it until it is restored, and then as it
/// was.
#[track_caller]
fn restore_all(client: &mut Client, record: &mut Record) {
    let withdrawals = Withdrawal::all(client).expect("withdrawals");
    let lasting = withdrawals.iter().filter(|withdrawal| withdrawal.lasts(None));
    let lasting: BTreeSet<Uuid> = lasting.map(|withdrawal| withdrawal.run).collect();
    let shown = everything(client);
    for run in &lasting {
        client
            .execute("SELECT timedb.restore_run($1)", &[run])
            .expect("it is restored");
    }
    let mut stored = everything(client);
    stored.retain(|version| !lasting.contains(&version.run));
    assert_eq!(shown, stored, "what is shown while {lasting:?} are withdrawn");
    let certain = std::mem::take(&mut record.withdrawn);
    let perhaps = std::mem::take(&mut record.perhaps_withdrawn);
    for of in &certain {
        assert!(lasting.contains(&of.run), "its withdrawal was acknowledged: {of:?}");
    }
    let may_be: BTreeSet<Uuid> = certain.iter().chain(&perhaps).map(|of| of.run).collect();
    assert!(lasting.is_subset(&may_be), "nobody has withdrawn some of {lasting:?}");
    record.tally.withdrawn += lasting.len();
    record.targets.extend(certain.into_iter().chain(perhaps));
}

fn everything(client: &mut Client) -> Vec<Version> {
    Question::EVERYTHING.ask(client, None).expect("a read")
}

/// Which workflow each run is of.
fn workflows(client: &mut Client) -> BTreeMap<Uuid, String> {
    let sql = "SELECT run_id, workflow_id FROM timedb.runs";
    let rows = client.query(sql, &[]).expect("the runs");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Every way to read shows of these versions what it should: flat, by now and as of a moment, and as changes.
#[track_caller]
fn assert_reads(client: &mut Client, stored: &[Version], random: &mut StdRng) {
    let withdrawals = Withdrawal::all(client).expect("withdrawals");
    let moments = stored.iter().map(|version| version.change);
    let moments: Vec<_> = moments
        .chain(withdrawals.iter().map(|withdrawal| withdrawal.from))
        .collect();
    let as_of = moments.choose(random).copied();
    for mode in [Mode::Flat, Mode::Overlapping] {
        for as_of in [None, as_of] {
            let question = Question {
                mode,
                all_versions: random.random_bool(0.5),
                as_of,
            };
            let read = question.ask(client, None).expect("a read");
            let expected = question.answer_without(stored.iter(), &withdrawals);
            assert!(
                read.iter().eq(expected),
                "{question:?} shows something else than what is stored"
            );
        }
    }
    let sql = format!("SELECT {COLUMNS} FROM timedb.read_changes('2000-01-01')");
    let rows = client.query(&sql, &[]).expect("the changes");
    let mut changes: Vec<Version> = rows.iter().map(Version::of).collect();
    changes.sort();
    assert_eq!(changes, stored, "the changes, of which nothing is open any more");
}

/// Has one killed while clients are at it, and the server run again.
fn kill_amid_work(cluster: &Cluster, world: &World, victim: Victim, seed: u64) {
    let mut random = choices(seed, u64::MAX);
    let signals = Signals::default();
    let wanted = random.random_range(5..=MOST_OPERATIONS);
    let moment = Duration::from_micros(random.random_range(0..LONGEST_MOMENT));
    thread::scope(|scope| {
        let stop = StopAtEnd(&signals);
        let enter = |number: usize| {
            let random = choices(seed, number as u64);
            let (signals, tenant) = (&signals, &world.tenants[number % TENANTS]);
            scope.spawn(move || Player::enter(&world.database, tenant, signals, number / TENANTS, random)?.play())
        };
        let clients: Vec<_> = (0..TENANTS * CLIENTS_OF_TENANT).map(enter).collect();
        let keeper = scope.spawn(|| keep_house(&world.database, &signals, choices(seed, u64::MAX - 1)));
        wait_until("clients have done enough", || {
            signals.acknowledged.load(Ordering::Relaxed) >= wanted || clients.iter().any(|client| client.is_finished())
        });
        // For nothing: when the kill comes is one of the choices.
        thread::sleep(moment);
        kill(cluster, &world.database, victim, &mut random);
        drop(stop);
        let ends = clients.into_iter().map(|client| client.join().expect("a client"));
        let gone = ends.filter(|end| matches!(end, Err(Gone::Server))).count();
        keeper.join().expect("who keeps house");
        assert!(gone > 0, "the premise: somebody has seen the server go");
    });
}

/// Ends the clients however the test ends, which waits for them.
struct StopAtEnd<'a>(&'a Signals);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

fn kill(cluster: &Cluster, database: &Database, victim: Victim, random: &mut StdRng) {
    match victim {
        Victim::Backend => kill_backend(database, "= 'client backend'", random),
        Victim::Helper => kill_backend(database, "<> 'client backend'", random),
        Victim::Postmaster => cluster.kill_postmaster().expect("it is killed"),
        Victim::Everything => cluster.kill_all().expect("all are killed"),
    }
    if matches!(victim, Victim::Postmaster | Victim::Everything) {
        cluster.start().expect("it recovers");
    }
}

/// Kills one of a type, and waits until the server has ended all others and taken itself up again.
fn kill_backend(database: &Database, of_type: &str, random: &mut StdRng) {
    let mut admin = database.admin();
    let sql = format!(
        "SELECT pid FROM pg_catalog.pg_stat_activity WHERE backend_type {of_type} AND pid <> pg_catalog.pg_backend_pid()"
    );
    loop {
        let pids = admin.query(&sql, &[]).expect("the processes of the server");
        let pid = pids.choose(random).expect("a process to kill").get(0);
        // One that has ended by itself in the meantime is no victim.
        if kill_process(pid).expect("it may be killed") {
            break;
        }
    }
    wait_until("the server ends all that there were", || {
        admin.batch_execute("SELECT").is_err()
    });
    wait_until("the server has recovered", || {
        database.server().connect("postgres", database.name()).is_ok()
    });
}

/// As on a real server every commit is on the disk before it is acknowledged.
fn server() -> Cluster {
    let options = Options::default()
        .durable(true)
        // One call for the whole disk, where recovery otherwise opens every file of every database first.
        .setting("recovery_init_sync_method = syncfs");
    options.start().expect("a server of our own")
}

/// How many processes the server says were killed, by its own postmaster's account.
fn kills_in(log: &str) -> usize {
    log.lines()
        .filter(|line| line.contains("was terminated by signal 9"))
        .count()
}

#[test]
fn whatever_is_killed_every_acknowledged_write_is_whole_and_every_other_whole_or_absent() {
    let seed = seed(TEST);
    let begun = Instant::now();
    let cluster = server();
    let mut random = choices(seed, 0);
    let mut killed: BTreeMap<Victim, u64> = BTreeMap::new();
    let mut tally = Tally::default();
    let kills = number("TIMEDB_KILLS").unwrap_or(KILLS);
    let mut world = World::made(&cluster);
    tell_without_amcheck(&mut world.database.admin(), TEST);
    for kill in 0..kills {
        if kill > 0 && kill % KILLS_OF_TENANTS == 0 {
            tally.add(world.tally());
            world = World::made(&cluster);
        }
        let victim = *VICTIMS.choose(&mut random).expect("a victim");
        kill_amid_work(&cluster, &world, victim, random.random());
        world.check(&mut random);
        *killed.entry(victim).or_default() += 1;
    }
    tally.add(world.tally());
    let of_backends = [Victim::Backend, Victim::Helper].map(|victim| killed.get(&victim).copied().unwrap_or_default());
    assert_eq!(kills_in(&cluster.log()) as u64, of_backends.iter().sum::<u64>());
    assert!(
        tally.whole + tally.absent > 0,
        "the premise: calls were cut off: {tally:?}"
    );
    assert!(
        kills < KILLS_OF_TENANTS || tally.withdrawn > 0 && tally.gone > 0,
        "the premise: runs were withdrawn, and old values had gone: {tally:?}"
    );
    tell(&format!(
        "{TEST}: {kills} kills, {killed:?}, {tally:?}, in {:?}",
        begun.elapsed()
    ));
}
