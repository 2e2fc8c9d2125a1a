//! W12: sixteen clients upload and sixteen read at once for a minute, against one of each and against a single
//! client that does both in turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use timedb_testkit::Server;

use crate::data::{Form, Shape, hour};
use crate::flat_read::FlatRead;
use crate::lab::{Lab, settle};
use crate::peers::{Peer, Tenant, Timedb};
use crate::record::{Goal, Line, Record, TIMEDB};

const SHAPE: Shape = Shape::standard(Form::Meter);
const TOGETHER: usize = 16;
const DURATION: Duration = Duration::from_secs(60);
/// Of what many are compared with.
const FEW_DURATION: Duration = Duration::from_secs(20);
const PAIR: &str = "timedb, 1 + 1";
const SINGLE: &str = "timedb, 1 client";

/// What is done a second.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    uploads: f64,
    reads: f64,
}

#[derive(Clone, Copy, Debug)]
enum Client {
    Uploads,
    Reads,
    Both,
}

struct Scene<'a> {
    duration: Duration,
    server: &'a Server,
    database: &'a str,
    tenant: &'a Tenant,
    /// Runs of the clients lie beyond those that are read.
    next_run: AtomicUsize,
}

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    let filled = lab.fresh_database("clients")?;
    let tenant = Tenant::create(&lab.server, &filled, 0)?;
    Timedb::create(&lab.server, &filled, &tenant, SHAPE.series)?.load(SHAPE.all_runs())?;
    settle(&mut lab.operator(&filled)?)?;
    let single = scene(lab, &filled, &tenant, &[Client::Both])?;
    let pair = scene(lab, &filled, &tenant, &[Client::Uploads, Client::Reads])?;
    let mut crowd = vec![Client::Uploads; TOGETHER];
    crowd.extend([Client::Reads; TOGETHER]);
    let together = scene(lab, &filled, &tenant, &crowd)?;
    Ok(lines(single, pair, together))
}

/// On a copy of its own, so that none finds what another has uploaded.
fn scene(lab: &mut Lab, filled: &str, tenant: &Tenant, clients: &[Client]) -> Result<Pace> {
    let database = lab.copy_database(filled, "clients")?;
    lab.progress.step(&format!("{} clients", clients.len()));
    let duration = if clients.len() < TOGETHER {
        FEW_DURATION
    } else {
        DURATION
    };
    let scene = Scene {
        duration,
        server: &lab.server,
        database: &database,
        tenant,
        next_run: AtomicUsize::new(2 * SHAPE.runs),
    };
    let pace = scene.run(clients)?;
    let deadlocks: i64 = lab.operator(&database)?.one(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
        &[],
    )?;
    ensure!(deadlocks == 0, "{deadlocks} deadlocks");
    Ok(pace)
}

fn lines(single: Pace, pair: Pace, together: Pace) -> Vec<Record> {
    let mut records = Vec::new();
    for (what, pace) in [
        (
            "uploads of 960 values, 16 + 16 clients",
            (|pace: Pace| pace.uploads) as fn(Pace) -> f64,
        ),
        ("flat reads of 7 days, 16 + 16 clients", |pace| pace.reads),
    ] {
        records.extend(
            Line::new("W12", what, "a second")
                .more_is_better()
                .figure(TIMEDB, pace(together))
                .figure(PAIR, pace(pair))
                .figure(SINGLE, pace(single))
                .records(),
        );
    }
    let line = Line::new("W12", "both, as a multiple of what one client does", "x")
        .more_is_better()
        .figure(TIMEDB, relative(together, single))
        .figure(PAIR, relative(pair, single))
        .figure(SINGLE, 1.0)
        .goal(SINGLE, Goal::Times(2.0))
        .note(TIMEDB, "no error, no deadlock");
    records.extend(line.records());
    records
}

/// How many clients would do this alone: what takes one client its whole time counts as one.
fn relative(pace: Pace, single: Pace) -> f64 {
    f64::midpoint(pace.uploads / single.uploads, pace.reads / single.reads)
}

impl Scene<'_> {
    /// All of them for the duration. Any error of any of them is the bench's.
    fn run(&self, clients: &[Client]) -> Result<Pace> {
        let end = Instant::now() + self.duration;
        let paces: Result<Vec<Pace>> = thread::scope(|scope| {
            let threads: Vec<_> = clients
                .iter()
                .map(|client| scope.spawn(move || self.act(*client, end)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?)
                .collect()
        });
        let mut sum = Pace::default();
        for pace in paces? {
            sum.uploads += pace.uploads;
            sum.reads += pace.reads;
        }
        Ok(sum)
    }

    fn act(&self, client: Client, end: Instant) -> Result<Pace> {
        let mut timedb = Timedb::connect(self.server, self.database, self.tenant)?;
        let (mut uploads, mut reads) = (0_u32, 0_u32);
        while Instant::now() < end {
            if matches!(client, Client::Uploads | Client::Both) {
                let number = self.next_run.fetch_add(1, Ordering::Relaxed);
                timedb.upload_points(&SHAPE.run(number))?;
                uploads += 1;
            }
            if matches!(client, Client::Reads | Client::Both) {
                let series = reads as usize % SHAPE.series;
                let start = SHAPE.runs / 2;
                timedb.flat(&FlatRead::whole(series).within(hour(start), hour(start + 168)))?;
                reads += 1;
            }
        }
        let seconds = self.duration.as_secs_f64();
        Ok(Pace {
            uploads: f64::from(uploads) / seconds,
            reads: f64::from(reads) / seconds,
        })
    }
}
