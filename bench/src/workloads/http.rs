//! W23: small reads over HTTP, of `timedb api` with what it has by default: how many a second eight clients get, each on a
//! connection that stays; and how long one waits, against a driver that sends the same statements.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use uuid::Uuid;

use crate::api::{Api, Client};
use crate::connection::Connection;
use crate::contest::Contest;
use crate::data::hour;
use crate::dataset::Dataset;
use crate::lab::Lab;
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::statistics::Spread;

const DRIVER: &str = "driver";
const CLIENTS: usize = 8;
const DURATION: Duration = Duration::from_secs(5);
const TURNS: usize = 5;
const WARM_UP: usize = 500;
const REPETITIONS: usize = 2_000;

/// What is asked, over HTTP and in the server's own SQL, of one series.
struct Question {
    what: &'static str,
    /// Without the series.
    path: String,
    sql: String,
}

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    drop(lab.timedb(Dataset::Meter)?);
    let api = Api::start(&lab.server, Dataset::Meter.name())?;
    let mut records = Vec::new();
    for question in questions() {
        records.extend(throughput(lab, &api, &question)?);
        records.extend(latency(lab, &api, &question)?);
    }
    Ok(records)
}

fn questions() -> [Question; 2] {
    let (start, end) = (hour(500), hour(524));
    [
        Question {
            what: "the newest value of a series",
            path: "/rpc/latest?".to_owned(),
            sql: "timedb.latest(series_ids => $1::text::uuid[])".to_owned(),
        },
        Question {
            what: "a day of a series, 24 values of 72 runs",
            path: format!("/rpc/read?start_valid={start}&end_valid={end}&"),
            sql: format!(
                "timedb.read(series_ids => $1::text::uuid[], start_valid => timestamptz '{start}', \
                 end_valid => timestamptz '{end}')"
            ),
        },
    ]
}

impl Question {
    fn path(&self, series: Uuid) -> String {
        format!("{}series_ids=%7B{series}%7D", self.path)
    }
}

/// Each client has a connection, and asks again as soon as it is answered.
fn throughput(lab: &mut Lab, api: &Api, question: &Question) -> Result<Vec<Record>> {
    let series = series(lab)?;
    let api_key = lab.tenant(Dataset::Meter)?.api_key.clone();
    let paths: Vec<String> = series.iter().map(|series| question.path(*series)).collect();
    let clients: Vec<Client> = (0..CLIENTS).map(|_| api.client(&api_key)).collect();
    lab.progress.step(&format!("{CLIENTS} clients: {}", question.what));
    // The first turn is the warm-up.
    let paces: Vec<f64> = (0..=TURNS).map(|_| pace(&clients, &paths)).collect::<Result<_>>()?;
    let what = format!("HTTP, {CLIENTS} connections: {}", question.what);
    Ok(Line::new("W23", what, "a second")
        .figures([(TIMEDB, Spread::of(&paces[1..]))])
        .at_least(3_000.0)
        .records())
}

/// How many requests a second all of them get together.
fn pace(clients: &[Client], paths: &[String]) -> Result<f64> {
    let end = Instant::now() + DURATION;
    let ask = |number: usize, client: &Client| -> Result<usize> {
        let mut asked = 0;
        while Instant::now() < end {
            client.get(&paths[(number + asked) % paths.len()])?;
            asked += 1;
        }
        Ok(asked)
    };
    let asked = thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter()
            .enumerate()
            .map(|(number, client)| scope.spawn(move || ask(number, client)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?)
            .sum::<Result<usize>>()
    })?;
    Ok(asked as f64 / DURATION.as_secs_f64())
}

/// Of one connection with nobody beside it.
fn latency(lab: &mut Lab, api: &Api, question: &Question) -> Result<Vec<Record>> {
    let series = series(lab)?[7];
    let api_key = lab.tenant(Dataset::Meter)?.api_key.clone();
    let client = api.client(&api_key);
    let path = question.path(series);
    let mut driver = Driver {
        connection: Connection::open(&lab.server, "caller", Dataset::Meter.name())?,
        api_key: api_key.clone(),
        sql: format!(
            "SELECT pg_catalog.row_to_json(answer)::text FROM {} AS answer",
            question.sql
        ),
        series: format!("{{{series}}}"),
    };
    let (by_driver, by_http) = (driver.ask()?.1, client.get(&path)?.1);
    ensure!(
        by_driver == by_http,
        "{}: HTTP and the driver are answered differently",
        question.what
    );
    let figures = Contest::new(format!("one client: {}", question.what), WARM_UP, REPETITIONS)
        .with(TIMEDB, |_| Ok(client.get(&path)?.0))
        .with(DRIVER, |_| Ok(driver.ask()?.0))
        .run(&lab.progress)?;
    let what = format!("HTTP, one connection: {}", question.what);
    Ok(Line::new("W23", what, "µs")
        .figures(figures.into_iter().map(|(peer, spread)| (peer, spread.times(1e3))))
        .goal(DRIVER, Goal::Within(1.3))
        .records())
}

fn series(lab: &mut Lab) -> Result<Vec<Uuid>> {
    let timedb = lab.timedb(Dataset::Meter)?;
    (0..Dataset::Meter.series())
        .map(|series| timedb.series_id(series))
        .collect()
}

/// A transaction that logs in and asks, a call a statement, as a driver is used.
struct Driver {
    connection: Connection,
    api_key: String,
    sql: String,
    series: String,
}

impl Driver {
    fn ask(&mut self) -> Result<(Duration, String)> {
        let started = Instant::now();
        self.connection.batch("BEGIN READ ONLY")?;
        self.connection
            .query("SELECT tenant_id FROM timedb.authenticate($1, true)", &[&self.api_key])?;
        let (_, rows) = self.connection.query(&self.sql, &[&self.series])?;
        self.connection.batch("COMMIT")?;
        let rows: Vec<&str> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let body = format!("[{}]", rows.join(","));
        Ok((started.elapsed(), body))
    }
}
