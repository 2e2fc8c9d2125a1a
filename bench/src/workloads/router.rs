//! W24: W1's uploads and W5's read through a router in front of three servers, against the same server asked directly; and what
//! eight clients read a second where their tenants are on one, two or three servers.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use timedb_testkit::{Options, Server, Spread as Servers};

use crate::connection::{Connection, SUPERUSER};
use crate::contest::Contest;
use crate::data::{Form, Run, Shape};
use crate::dataset::Dataset;
use crate::flat_read::FlatRead;
use crate::lab::{Lab, settle};
use crate::peers::{Peer, Tenant, Timedb, must_answer_alike};
use crate::record::{Goal, Line, Record, TIMEDB};
use crate::statistics::Spread;
use crate::workloads::flat::{REPETITIONS, WARM_UP};
use crate::workloads::window::week;

const DATABASE: &str = "routed";
const SERVERS: usize = 3;
const DIRECT: &str = "timedb, direct";
const GOAL: Goal = Goal::Within(1.6);
const SHAPE: Shape = Shape::standard(Form::Meter);
const RUNS_A_TURN: usize = 100;
const UPLOAD_TURNS: usize = 8;
const CLIENTS: usize = 8;
const DURATION: Duration = Duration::from_secs(10);

pub fn measure(lab: &mut Lab) -> Result<Vec<Record>> {
    lab.progress.step("starts a router and three servers");
    let servers = Servers::start(&Options::default().durable(true), SERVERS)?;
    servers.router().create_database(DATABASE)?;
    let mut records = uploads(lab, &servers)?;
    records.extend(reads(lab, &servers)?);
    records.extend(throughput(lab, &servers)?);
    Ok(records)
}

fn uploads(lab: &mut Lab, servers: &Servers) -> Result<Vec<Record>> {
    let (router, tenant) = (
        servers.router().server(),
        Tenant::create(servers.router().server(), DATABASE, 0)?,
    );
    let home = home(servers, &tenant)?;
    let mut routed = Timedb::create(router, DATABASE, &tenant, SHAPE.series)?;
    let mut direct = Timedb::connect(home, DATABASE, &tenant)?;
    let runs: Vec<Run> = (0..2 * UPLOAD_TURNS * RUNS_A_TURN)
        .map(|number| SHAPE.run(number))
        .collect();
    // Each run once: by the router those of even turns, directly the others.
    let turn = |number: usize| &runs[number * RUNS_A_TURN..][..RUNS_A_TURN];
    let figures = Contest::new("uploads through a router", 1, UPLOAD_TURNS - 1)
        .with(TIMEDB, |number| {
            turn(2 * number).iter().map(|run| routed.upload_points(run)).sum()
        })
        .with(DIRECT, |number| {
            turn(2 * number + 1).iter().map(|run| direct.upload_points(run)).sum()
        })
        .run(&lab.progress)?;
    Ok(Line::new(
        "W24",
        "W1 through a router: 100 runs of 960 values, a commit each",
        "ms",
    )
    .figures(figures)
    .goal(DIRECT, GOAL)
    .records())
}

fn reads(lab: &mut Lab, servers: &Servers) -> Result<Vec<Record>> {
    let tenant = Tenant::create(servers.router().server(), DATABASE, 1)?;
    let home = home(servers, &tenant)?;
    lab.progress.step("loads a deep history into one of them");
    Timedb::create(home, DATABASE, &tenant, Dataset::Deep.series())?.load(Dataset::Deep.runs())?;
    settle(&mut Connection::open(home, SUPERUSER, DATABASE)?)?;
    let mut records = Vec::new();
    for hours in [48, 240] {
        let mut routed = Timedb::connect(servers.router().server(), DATABASE, &tenant)?;
        let mut direct = Timedb::connect(home, DATABASE, &tenant)?;
        let read = week(8_760, hours);
        must_answer_alike(&mut [&mut routed, &mut direct], &read)?;
        let figures = Contest::new("reads through a router", WARM_UP, REPETITIONS)
            .with(TIMEDB, |_| routed.time(&read))
            .with(DIRECT, |_| direct.time(&read))
            .run(&lab.progress)?;
        let what = format!("W5 through a router: 7 days of one series of 8,760 runs of {hours}");
        records.extend(
            Line::new("W24", what, "ms")
                .figures(figures)
                .goal(DIRECT, GOAL)
                .records(),
        );
    }
    Ok(records)
}

/// Nothing but the number of servers differs: so many clients, each with a tenant of its own.
fn throughput(lab: &mut Lab, servers: &Servers) -> Result<Vec<Record>> {
    let mut figures = Vec::new();
    for (among, name) in [(1, "on 1 server"), (2, "on 2 servers"), (SERVERS, TIMEDB)] {
        lab.progress.step(&format!("{CLIENTS} clients, tenants {name}"));
        let tenants = tenants_among(servers, among)?;
        let pace = read_at_once(servers.router().server(), &tenants)?;
        figures.push((name, Spread::of(&[pace])));
    }
    let what = format!("reads a second by {CLIENTS} clients, 48 values each, tenants on {SERVERS} servers");
    Ok(Line::new("W24", what, "reads/s")
        .more_is_better()
        .figures(figures)
        .records())
}

fn tenants_among(servers: &Servers, among: usize) -> Result<Vec<Tenant>> {
    let router = servers.router().server();
    let mut tenants: Vec<Tenant> = Vec::new();
    // Numbers of earlier ones are not taken again.
    for number in 1_000 * among.. {
        if tenants.len() == CLIENTS {
            break;
        }
        let wanted = &router.shards()[tenants.len() % among];
        let tenant = Tenant::create(router, DATABASE, number)?;
        if home(servers, &tenant)?.folder() == wanted.folder() {
            Timedb::create(wanted, DATABASE, &tenant, SHAPE.series)?.upload_points(&SHAPE.run(0))?;
            tenants.push(tenant);
        }
    }
    Ok(tenants)
}

/// How many reads a second all of them get together.
fn read_at_once(router: &Server, tenants: &[Tenant]) -> Result<f64> {
    let read = |tenant: &Tenant| -> Result<usize> {
        let mut client = Timedb::connect(router, DATABASE, tenant)?;
        let began = Instant::now();
        let mut reads = 0;
        while began.elapsed() < DURATION {
            client.time(&FlatRead::whole(reads % SHAPE.series))?;
            reads += 1;
        }
        Ok(reads)
    };
    let reads = thread::scope(|scope| {
        let readers: Vec<_> = tenants.iter().map(|tenant| scope.spawn(|| read(tenant))).collect();
        readers
            .into_iter()
            .map(|reader| reader.join().map_err(|_| anyhow!("a reader panicked"))?)
            .sum::<Result<usize>>()
    })?;
    Ok(reads as f64 / DURATION.as_secs_f64())
}

/// The server that a tenant is on.
fn home<'a>(servers: &'a Servers, tenant: &Tenant) -> Result<&'a Server> {
    let router = servers.router().server();
    let conninfo: String =
        Connection::open(router, SUPERUSER, DATABASE)?.one("SELECT timedb_router._of_tenant($1)", &[&tenant.id])?;
    router
        .shards()
        .iter()
        .find(|shard| shard.conninfo(DATABASE) == conninfo)
        .context("a tenant on none of the servers")
}
