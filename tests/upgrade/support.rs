//! A server as its people have it before an update: the library of the release, in use.

use std::path::PathBuf;

use postgres::{Client, Error};
use timedb_testkit::{Cluster, Options, Project, built_library, one, one_of, refused, run};
use uuid::Uuid;

pub const RELEASE: &str = "0.1.0";
pub const DATABASE: &str = "used";
pub const UPDATE: &str = "ALTER EXTENSION timedb UPDATE";
/// What a session is told that has still loaded the library of the release; what it wanted stands where `…` is.
const TOLD: (&str, &str, &str) = ("42883", "could not find function \"reconnect_", "_wrapper\" in file");

pub struct Used {
    pub cluster: Cluster,
    pub admin: Client,
    pub alice: Person,
    pub bob: Person,
}

/// Somebody with a tenant of his own.
#[derive(Clone)]
pub struct Person {
    pub tenant: Uuid,
    pub key: String,
}

impl Used {
    #[track_caller]
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    #[track_caller]
    pub fn with(options: Options) -> Self {
        let library = std::env::var_os("TIMEDB_RELEASED").expect("scripts/test.sh upgrade says where the library is");
        let cluster = options.bare().library(PathBuf::from(library)).start();
        let cluster = cluster.expect("a server with the library of the release");
        let mut admin = cluster.connect("postgres", "postgres").expect("a superuser");
        run(&mut admin, &format!("CREATE DATABASE {DATABASE}"));
        let mut admin = cluster.connect("postgres", DATABASE).expect("a superuser");
        run(
            &mut admin,
            &format!(
                "CREATE EXTENSION timedb VERSION '{RELEASE}'; \
                 CREATE ROLE app LOGIN IN ROLE timedb_user; CREATE ROLE ops LOGIN IN ROLE timedb_admin"
            ),
        );
        let [alice, bob] = ["alice", "bob"].map(|name| Person::made(&mut admin, name));
        Self {
            cluster,
            admin,
            alice,
            bob,
        }
    }

    /// The new files, under the running server.
    #[track_caller]
    pub fn install(&self) {
        let library = built_library().expect("the library");
        self.cluster.install(&library).expect("it is installed");
    }

    /// The new objects, by a session that has loaded nothing.
    #[track_caller]
    pub fn update(&self) {
        run(&mut self.connect("postgres"), UPDATE);
    }

    #[track_caller]
    pub fn connect(&self, role: &str) -> Client {
        self.cluster.connect(role, DATABASE).expect("a connection")
    }

    #[track_caller]
    pub fn session_of(&self, person: &Person) -> Client {
        let mut client = self.connect("app");
        person.log_in(&mut client);
        client
    }

    #[track_caller]
    pub fn version(&mut self) -> String {
        one(
            &mut self.admin,
            "SELECT extversion FROM pg_extension WHERE extname = 'timedb'",
        )
    }

    #[track_caller]
    pub fn assert_updated(&mut self) {
        assert_eq!(self.version(), Project::default().version().expect("a version"));
        // In a session that has loaded the library of this version.
        let broken: i64 = one(
            &mut self.connect("postgres"),
            "SELECT count(*) FROM timedb.self_check()",
        );
        assert_eq!(broken, 0);
    }
}

impl Person {
    fn made(admin: &mut Client, name: &str) -> Self {
        let tenant = Uuid::now_v7();
        let sql = "SELECT api_key FROM timedb.create_user($1, $2, 'admin')";
        let key = admin.query_one(sql, &[&tenant, &format!("{name}@{tenant}.com")]);
        Self {
            tenant,
            key: key.expect("a user").get(0),
        }
    }

    #[track_caller]
    pub fn log_in(&self, client: &mut Client) {
        let login = client.execute("SELECT timedb.authenticate($1)", &[&self.key]);
        login.expect("the key stands");
    }
}

/// Whether a session is told to connect anew.
pub fn is_told(error: &Error) -> bool {
    let (code, before, after) = TOLD;
    error.as_db_error().is_some_and(|told| {
        told.code().code() == code && told.message().starts_with(before) && told.message().contains(after)
    })
}

#[track_caller]
pub fn assert_told(client: &mut Client, sql: &str) {
    let told = client.batch_execute(sql);
    assert!(told.as_ref().is_err_and(is_told), "{sql}: {:?}", refused(told).error());
}

/// A run of one series with values at so many hours, each its number and something.
#[track_caller]
pub fn upload(client: &mut Client, key: &str, values: i32) -> Uuid {
    let sql = "SELECT run_id FROM timedb.upload_points(now(), array_fill($1::text, ARRAY[$2::int]), \
                 array(SELECT '2025-01-01Z'::timestamptz + n * interval '1 hour' FROM generate_series(1, $2) AS n), \
                 array(SELECT n + 0.5::float8 FROM generate_series(1, $2) AS n))";
    one_of(client, sql, &[&key, &values])
}

/// All that a tenant is answered, column by column as the release names them, in the order of read, and its packs as bytes.
#[track_caller]
pub fn answers(client: &mut Client) -> Vec<String> {
    const COLUMNS: &str = "known_time, valid_time, valid_time_end, series_id, series_key, unit, value, run_id, change_time, \
                           changed_by, annotation, tags";
    let mut answers = Vec::new();
    for from in [
        "timedb.read()",
        "timedb.read(mode => 'overlapping')",
        "timedb.read(all_versions => true)",
        "timedb.read(mode => 'overlapping', all_versions => true)",
        "timedb.read('2025-01-01T03:00Z', '2025-01-02Z', NULL, NULL, 'overlapping', true, '{wind}')",
        "timedb.read(as_of => (SELECT min(inserted_at) + interval '1 ms' FROM timedb.runs))",
        "timedb.current_values ORDER BY series_key COLLATE \"C\", series_id, valid_time, valid_time_end NULLS FIRST",
    ] {
        let rows = client.query(&format!("SELECT ROW({COLUMNS})::text FROM {from}"), &[]);
        let rows = rows.unwrap_or_else(|error| panic!("{from}: {error:?}"));
        answers.push(format!("{from}: {} rows", rows.len()));
        answers.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    for sql in [
        "SELECT encode(timedb.pack_send(p.versions), 'hex') FROM timedb.packs p ORDER BY 1",
        "SELECT encode(timedb.points_send(v.points), 'hex') FROM timedb.values v ORDER BY 1",
        "SELECT ROW(series_id, series_key, unit, description, labels, inserted_at)::text FROM timedb.list_series()",
    ] {
        let rows = client
            .query(sql, &[])
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert!(!rows.is_empty(), "the premise: {sql}");
        answers.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    answers
}

/// Runs, updates, annotations, intervals, labels, some of it in packs.
#[track_caller]
pub fn fill(client: &mut Client) {
    run(
        client,
        r#"SELECT timedb.create_series('wind', 'm/s', 'at 80 m', '{"site": "north", "height": 80}')"#,
    );
    for round in 0..6 {
        let run_id = upload(client, "wind", 40 + round);
        upload(client, "heat", 3);
        let sql = "SELECT count(*) FROM timedb.update((SELECT json_agg(json_build_object('run_id', run_id, 'series_id', series_id, \
                     'valid_time', valid_time, 'value', value * 2, 'annotation', 'checked', 'tags', '[\"a\"]'::json)) \
                   FROM timedb.read(mode => 'overlapping') WHERE run_id = $1 AND extract(hour FROM valid_time) < 5))";
        assert!(one_of::<i64>(client, sql, &[&run_id]) > 0);
        if round == 3 {
            let packed: i64 = one(client, "SELECT versions FROM timedb.compact(older_than => '0')");
            assert!(packed > 0, "the premise");
        }
    }
    let interval = "SELECT FROM timedb.upload(now(), '[{\"value_key\": \"heat\", \"valid_time\": \"2025-03-01T00:00:00Z\", \
                      \"valid_time_end\": \"2025-03-02T00:00:00Z\", \"value\": null}]')";
    run(client, interval);
}
