//! A disk that is full: errors that say so, nothing lost, and all goes on once there is room again.
//!
//! Where this process may mount a disk of its own, there is one. Elsewhere files that may not grow stand in for it: what the
//! server is told is another error, at the same places.

use std::fs;
use std::os::unix::fs::symlink;

use jiff::{Timestamp, ToSpan};
use postgres::{Client, Error};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;
use timedb_testkit::{Cluster, Database, Identity, Options, SmallDisk, one, run};
use uuid::Uuid;

use crate::model::{Question, hour};
use crate::seed::{choices, seed, tell};
use crate::whole::assert_whole;

const DISK_MEBIBYTES: usize = 64;
/// What is left of it, or what a file may grow to.
const ROOM_MEBIBYTES: usize = 2;
/// So many values take a third of a MiB: nothing makes them smaller.
const VALUES: i64 = 40_000;
/// What there is before, of one value each.
const SMALL_RUNS: i64 = 100;
/// Far more than there is room for.
const MOST_UPLOADS: usize = 100;

/// A run that was acknowledged.
struct Held {
    run: Uuid,
    series: String,
    values: Vec<f64>,
}

struct Writer {
    database: Database,
    alice: Identity,
    random: StdRng,
    held: Vec<Held>,
}

impl Writer {
    fn new(database: Database, random: StdRng) -> Writer {
        let (alice, _) = database.two_tenants();
        let mut client = database.authenticated(&alice);
        // A run each, as compact wants them.
        let meter = format!(
            "SELECT count(u.run_id) FROM generate_series(1, {SMALL_RUNS}) AS n, timedb.upload_points( \
               now(), '{{meter}}', ARRAY['2025-01-01'::timestamptz + n * interval '1 minute'], ARRAY[n]) AS u"
        );
        assert_eq!(one::<i64>(&mut client, &meter), SMALL_RUNS);
        Writer {
            database,
            alice,
            random,
            held: Vec::new(),
        }
    }

    fn client(&self) -> Client {
        self.database.authenticated(&self.alice)
    }

    /// One series, whose values nobody can foretell.
    fn upload(&mut self, client: &mut Client, count: i64) -> Result<(), Error> {
        let series = format!("series {}", self.held.len());
        let values: Vec<f64> = (0..count).map(|_| self.random.random()).collect();
        let times: Vec<Timestamp> = (0..count).map(|minute| hour(0) + minute.minutes()).collect();
        let keys = vec![&*series; values.len()];
        let sql = "SELECT run_id FROM timedb.upload_points(now(), $1, $2, $3)";
        let run = client.query_one(sql, &[&keys, &times, &values])?.get(0);
        self.held.push(Held { run, series, values });
        Ok(())
    }

    /// Uploads until one is refused.
    fn fill(&mut self, client: &mut Client) -> Error {
        let before = self.held.len();
        for _ in 0..MOST_UPLOADS {
            if let Err(error) = self.upload(client, VALUES) {
                assert!(
                    self.held.len() > before,
                    "the premise: there was room for some: {error:?}"
                );
                return error;
            }
        }
        panic!("the premise: there is no room for {MOST_UPLOADS} uploads");
    }

    /// What was acknowledged is there and is read as it was written; what was refused is not.
    fn assert_held(&self) {
        let mut client = self.client();
        let count = self.held.len() as i64;
        let runs: i64 = one(&mut client, "SELECT count(*) FROM timedb.runs");
        let series: i64 = one(&mut client, "SELECT count(*) FROM timedb.series");
        assert_eq!((runs, series), (count + SMALL_RUNS, count + 1));
        let meter = "SELECT coalesce(array_agg(value ORDER BY valid_time), '{}') FROM timedb.read(series_keys => '{meter}', mode => 'overlapping')";
        let expected: Vec<f64> = (1..=SMALL_RUNS).map(|value| value as f64).collect();
        assert_eq!(one::<Vec<f64>>(&mut client, meter), expected);
        for held in &self.held {
            let series = [held.series.clone()];
            let read = Question::EVERYTHING.ask(&mut client, Some(&series)).expect("a read");
            let values = read.iter().map(|version| version.fields.value);
            assert!(
                values.eq(held.values.iter().map(|value| Some(value.to_bits()))),
                "{series:?}"
            );
            assert!(read.iter().all(|version| version.run == held.run));
        }
    }

    /// Small writes either find some room or are refused like large ones; an update that succeeds is taken back by another.
    fn try_small_writes(&mut self, refused: impl Fn(&Error) -> bool) {
        let mut client = self.client();
        let compact = "SELECT timedb.compact(older_than => '0')";
        let Held { run, series, values } = &self.held[0];
        let update = json!([{"run_id": run.to_string(), "value_key": series, "valid_time": hour(0).to_string(),
                             "annotation": "seen", "value": values[0]}]);
        let written = [
            client.execute(compact, &[]).map(drop),
            client.execute("BEGIN", &[]).map(drop),
            client.execute("SELECT timedb.update($1)", &[&update]).map(drop),
            client.execute("ROLLBACK", &[]).map(drop),
            self.upload(&mut client, 1),
        ];
        for error in written.into_iter().filter_map(Result::err) {
            assert!(refused(&error), "{error:?}");
        }
    }
}

fn says(error: &Error, code: &str, words: &str) -> bool {
    let refusal = error.as_db_error();
    refusal.is_some_and(|refusal| refusal.code().code() == code && refusal.message().contains(words))
}

/// A server with a disk that is all but full, or none and why.
fn with_disk(test: &str, options: &Options) -> Option<(Cluster, SmallDisk)> {
    let cluster = options.start().expect("a server of our own");
    match cluster.mount_disk(DISK_MEBIBYTES) {
        Ok(disk) => Some((cluster, disk)),
        Err(error) => {
            tell(&format!(
                "{test}: NOT TESTED with a disk of its own, which cannot be mounted here: {error:#}"
            ));
            None
        }
    }
}

#[test]
fn on_a_full_disk_uploads_are_refused_and_nothing_is_lost() {
    const TEST: &str = "full disk";
    let random = choices(seed(TEST), 0);
    let Some((cluster, mut disk)) = with_disk(TEST, &Options::default().durable(true)) else {
        return;
    };
    let mut admin = cluster.connect("postgres", "postgres").expect("a superuser");
    let place = disk.path().join("tables");
    fs::create_dir(&place).expect("a folder");
    cluster.own(&place).expect("it is the server's");
    run(
        &mut admin,
        &format!("CREATE TABLESPACE small LOCATION '{}'", place.display()),
    );
    let database = cluster.database("full").expect("a database");
    run(
        &mut admin,
        &format!("ALTER DATABASE \"{}\" SET TABLESPACE small", database.name()),
    );
    disk.fill_but(ROOM_MEBIBYTES).expect("it is filled");

    let mut writer = Writer::new(database, random);
    let is_full = |error: &Error| says(error, "53100", "No space left on device");
    let error = writer.fill(&mut writer.client());
    assert!(is_full(&error), "{error:?}");
    writer.try_small_writes(is_full);
    writer.assert_held();
    assert_goes_on(&cluster, &mut writer, || disk.free_all().expect("there is room"));
    tell(&format!("{TEST}: {} runs are held", writer.held.len()));
}

/// After there is room, and after a kill.
fn assert_goes_on(cluster: &Cluster, writer: &mut Writer, make_room: impl FnOnce()) {
    make_room();
    let mut client = writer.client();
    writer.upload(&mut client, VALUES).expect("there is room again");
    run(&mut client, "SELECT timedb.compact(older_than => '0')");
    cluster.kill_all().and_then(|()| cluster.start()).expect("it recovers");
    writer.assert_held();
    assert_whole(&mut writer.database.admin());
}

#[test]
fn where_files_may_not_grow_uploads_are_refused_and_nothing_is_lost() {
    const TEST: &str = "full files";
    let random = choices(seed(TEST), 0);
    // A file of the WAL has to have room.
    let cluster = Options::default().durable(true).small_wal().start();
    let cluster = cluster.expect("a server of our own");
    let mut writer = Writer::new(cluster.database("full").expect("a database"), random);
    let limit = (ROOM_MEBIBYTES << 20) as u64;
    cluster.limit_files(Some(limit)).expect("prlimit, of util-linux");

    // Postgres has no SQLSTATE of its own for it.
    let is_full = |error: &Error| says(error, "XX000", "File too large");
    let error = writer.fill(&mut writer.client());
    assert!(is_full(&error), "{error:?}");
    writer.try_small_writes(is_full);
    writer.assert_held();
    assert_goes_on(&cluster, &mut writer, || {
        cluster.limit_files(None).expect("files may grow again")
    });
    tell(&format!("{TEST}: {} runs are held", writer.held.len()));
}

/// Then Postgres itself ends: what it cannot log it does not do.
#[test]
fn where_the_disk_of_the_wal_is_full_the_server_ends_and_nothing_is_lost() {
    const TEST: &str = "full disk of the WAL";
    let random = choices(seed(TEST), 0);
    let options = Options::default().durable(true).small_wal();
    // Nothing of it is used again, or room is made of it.
    let options = options.setting("wal_keep_size = '1GB'").setting("min_wal_size = '2MB'");
    let Some((cluster, mut disk)) = with_disk(TEST, &options) else {
        return;
    };
    let mut writer = Writer::new(cluster.database("full").expect("a database"), random);
    cluster.stop("fast").expect("it stops");
    move_wal(&cluster, &disk);
    cluster.start().expect("it starts");
    disk.fill_but(ROOM_MEBIBYTES).expect("it is filled");

    let error = writer.fill(&mut writer.client());
    assert!(
        error.is_closed() || says(&error, "53100", "No space left on device"),
        "{error:?}"
    );
    // Without room it may recover or not; with some it does.
    disk.free(ROOM_MEBIBYTES).expect("there is some room");
    if cluster.processes().is_ok() {
        cluster.kill_all().expect("it is killed");
    }
    cluster.start().expect("it recovers");
    writer.assert_held();
    assert_goes_on(&cluster, &mut writer, || disk.free_all().expect("there is room"));
    tell(&format!("{TEST}: {} runs are held", writer.held.len()));
}

fn move_wal(cluster: &Cluster, disk: &SmallDisk) {
    let (from, to) = (cluster.data().join("pg_wal"), disk.path().join("pg_wal"));
    fs::create_dir(&to).expect("a folder");
    cluster.own(&to).expect("it is the server's");
    for entry in fs::read_dir(&from).expect("the WAL") {
        let entry = entry.expect("a file");
        let copy = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&copy).expect("a folder");
        } else {
            fs::copy(entry.path(), &copy).expect("a copy");
        }
        cluster.own(&copy).expect("it is the server's");
    }
    fs::remove_dir_all(&from).expect("it is removed");
    symlink(&to, &from).expect("a link");
}
