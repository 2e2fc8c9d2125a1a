//! An update while clients write and read: what was acknowledged is there, whoever was told to connect anew has lost nothing, and
//! what nobody touches reads as before, byte for byte.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use postgres::{Client, Error};
use serde_json::json;
use timedb_testkit::{Server, run, wait_until};
use uuid::Uuid;

use crate::support::{DATABASE, Person, Used, answers, fill, is_told};

const CLIENTS: usize = 4;
/// What each does before the new files, before the update, and after it.
const STEPS: u64 = 40;

/// One who uploads, corrects, reads and packs a series of his own, and knows what he was acknowledged.
struct Worker {
    server: Server,
    person: Person,
    name: String,
    client: Client,
    /// By hour, in which run and what.
    acknowledged: BTreeMap<i64, (Uuid, f64)>,
    series: Option<Uuid>,
    steps: Arc<AtomicU64>,
    told: u64,
}

impl Worker {
    fn connect(server: &Server, person: &Person) -> Client {
        let mut client = server.connect("app", DATABASE).expect("a connection");
        person.log_in(&mut client);
        client
    }

    /// Until it is stopped; whatever else than that it must connect anew is the end of the test.
    fn work(mut self, stop: &AtomicBool) -> Self {
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if let Err(error) = self.step(number) {
                assert!(
                    is_told(&error) || is_caught_within(&error),
                    "{}, step {number}: {error:?}",
                    self.name
                );
                self.told += 1;
                self.client = Self::connect(&self.server, &self.person);
                self.step(number)
                    .unwrap_or_else(|error| panic!("{}, connected anew: {error:?}", self.name));
            }
            self.steps.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    fn step(&mut self, number: i64) -> Result<(), Error> {
        match number % 5 {
            0..2 => self.upload(number),
            2 => self.correct(number),
            3 => self.read(),
            _ if number % 20 == 4 => self.client.batch_execute("SELECT timedb.compact(older_than => '0')"),
            _ => self.log_in_and_read(),
        }
    }

    fn upload(&mut self, number: i64) -> Result<(), Error> {
        let value = number as f64 + 0.25;
        let rows = json!([{"value_key": self.name, "valid_time": moment(number), "value": value}]);
        let sql =
            "SELECT u.run_id, (SELECT value::uuid FROM json_each_text(u.series_ids)) FROM timedb.upload(now(), $1) u";
        let row = self.client.query_one(sql, &[&rows])?;
        self.series = Some(row.get(1));
        self.acknowledged.insert(number, (row.get(0), value));
        Ok(())
    }

    fn correct(&mut self, number: i64) -> Result<(), Error> {
        let Some((hour, (run_id, _))) = self.acknowledged.iter().next_back().map(|(h, v)| (*h, *v)) else {
            return Ok(());
        };
        let value = -(number as f64);
        let series = self.series.map(|id| id.to_string());
        let run = run_id.to_string();
        let updates = json!([{"run_id": run, "series_id": series, "valid_time": moment(hour), "value": value}]);
        let row = self
            .client
            .query_one("SELECT status FROM timedb.update($1)", &[&updates])?;
        assert_eq!(row.get::<_, &str>(0), "updated", "{}", self.name);
        self.acknowledged.insert(hour, (run_id, value));
        Ok(())
    }

    fn read(&mut self) -> Result<(), Error> {
        let sql = "SELECT extract(epoch FROM valid_time)::bigint / 3600, run_id, value FROM timedb.read(series_keys => ARRAY[$1])";
        let rows = self.client.query(sql, &[&self.name])?;
        let read = rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        assert_eq!(self.acknowledged, read, "{}", self.name);
        Ok(())
    }

    /// In one transaction, as an HTTP server does: it holds the tables of keys, and then wants the others.
    fn log_in_and_read(&mut self) -> Result<(), Error> {
        self.client.batch_execute("BEGIN")?;
        self.client
            .execute("SELECT timedb.authenticate($1, true)", &[&self.person.key])?;
        self.read()?;
        self.client.batch_execute("COMMIT")?;
        self.person.log_in(&mut self.client);
        Ok(())
    }
}

/// Postgres's own words for a statement that had looked up a function, and had yet to run it, when that was dropped.
fn is_caught_within(error: &Error) -> bool {
    let told = error.as_db_error();
    told.is_some_and(|told| {
        told.code().code() == "XX000" && told.message().starts_with("cache lookup failed for function")
    })
}

fn moment(hour: i64) -> String {
    jiff::Timestamp::from_second(hour * 3600).expect("a time").to_string()
}

#[test]
fn an_update_under_load_loses_nothing_and_tells_whoever_has_the_old_library_to_reconnect() {
    let mut used = Used::start();
    let mut bob = used.session_of(&used.bob);
    fill(&mut bob);
    let before = answers(&mut bob);
    drop(bob);

    let stop = Arc::new(AtomicBool::new(false));
    let steps: Vec<Arc<AtomicU64>> = (0..CLIENTS).map(|_| Arc::default()).collect();
    let workers: Vec<JoinHandle<Worker>> = steps
        .iter()
        .enumerate()
        .map(|(number, steps)| {
            let worker = Worker {
                server: used.cluster.server().clone(),
                person: used.alice.clone(),
                name: format!("series {number}"),
                client: Worker::connect(used.cluster.server(), &used.alice),
                acknowledged: BTreeMap::new(),
                series: None,
                steps: Arc::clone(steps),
                told: 0,
            };
            let stop = Arc::clone(&stop);
            thread::spawn(move || worker.work(&stop))
        })
        .collect();
    // Each goes on so far, or has ended and says why.
    let go_on = || {
        let from: Vec<u64> = steps.iter().map(|steps| steps.load(Ordering::Relaxed)).collect();
        wait_until("every client has gone on", || {
            workers.iter().any(JoinHandle::is_finished)
                || steps
                    .iter()
                    .zip(&from)
                    .all(|(now, from)| now.load(Ordering::Relaxed) >= from + STEPS)
        });
    };
    go_on();
    used.install();
    go_on();
    used.update();
    go_on();
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        let mut worker = worker.join().expect("a client that saw no other error");
        assert_eq!(worker.told, 1, "{}", worker.name);
        worker.read().expect("it reads what it was acknowledged");
    }

    let mut bob = used.session_of(&used.bob);
    assert_eq!(answers(&mut bob), before, "what nobody has touched");
    run(&mut bob, "SELECT timedb.compact(older_than => '0')");
    used.assert_updated();
    let log = used.cluster.log();
    assert!(!log.contains("deadlock detected"), "{log}");
}
