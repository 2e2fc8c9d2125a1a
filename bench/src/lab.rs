//! The server, the peers that can be had, and the data loaded so far.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use timedb_testkit::{PROJECT, Server};

use crate::connection::{Connection, SUPERUSER};
use crate::dataset::Dataset;
use crate::peers::{
    CLASSIC, CLICKHOUSE, Classic, Clickhouse, ClickhouseTable, LEAN, Lean, Peer, TIMESCALE, Tenant, Timedb,
};
use crate::progress::Progress;

/// A text as the reason why a peer is left out.
pub type Absent = String;
pub type SharedClickhouse = Rc<RefCell<Clickhouse>>;

pub struct Readers {
    pub peers: Vec<Box<dyn Peer>>,
    pub absent: Vec<(&'static str, Absent)>,
}

pub struct Lab {
    pub server: Server,
    pub project: PathBuf,
    pub progress: Progress,
    clickhouse: Option<Result<SharedClickhouse, Absent>>,
    tenants: HashMap<Dataset, Tenant>,
    loaded: HashSet<(Dataset, &'static str)>,
    compacted: HashMap<Dataset, String>,
    databases: usize,
}

impl Lab {
    pub fn open(workloads: usize) -> Result<Self> {
        let project = std::env::var_os(PROJECT).context("run this by `make bench`")?;
        Ok(Self {
            server: Server::from_environment()?,
            project: project.into(),
            progress: Progress::start(workloads),
            clickhouse: None,
            tenants: HashMap::new(),
            loaded: HashSet::new(),
            compacted: HashMap::new(),
            databases: 0,
        })
    }

    /// A database of its own, with the extension and nothing in it.
    pub fn fresh_database(&mut self, purpose: &str) -> Result<String> {
        self.databases += 1;
        let name = format!("{purpose}_{}", self.databases);
        self.server.create_database(&name)?;
        Ok(name)
    }

    /// A copy of a database that nobody is connected to.
    pub fn copy_database(&mut self, from: &str, purpose: &str) -> Result<String> {
        self.databases += 1;
        let name = format!("{purpose}_{}", self.databases);
        let mut operator = Connection::open(&self.server, SUPERUSER, "postgres")?;
        operator.batch(&format!("CREATE DATABASE {name} TEMPLATE {from}"))?;
        Ok(name)
    }

    /// A copy of the dataset in which timedb has packed its old rows together. Nobody may be connected to
    /// the dataset when this is first called.
    pub fn compacted(&mut self, dataset: Dataset) -> Result<String> {
        drop(self.timedb(dataset)?);
        if let Some(database) = self.compacted.get(&dataset) {
            return Ok(database.clone());
        }
        self.progress.step(&format!("compacts {}", dataset.name()));
        let database = self.copy_database(dataset.name(), "compacted")?;
        compact(&mut Timedb::connect(&self.server, &database, self.tenant(dataset)?)?)?;
        let mut operator = self.operator(&database)?;
        vacuum(&mut operator, "FULL", &["values", "packs"])?;
        settle(&mut operator)?;
        self.compacted.insert(dataset, database.clone());
        Ok(database)
    }

    pub fn operator(&self, database: &str) -> Result<Connection> {
        Connection::open(&self.server, SUPERUSER, database)
    }

    /// Whether this build of timedb has the function yet.
    pub fn has_function(&self, name: &str) -> Result<bool> {
        self.operator("timedb")?.one(
            "SELECT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'timedb'::regnamespace AND proname = $1)",
            &[&name],
        )
    }

    pub fn has_timescale(&self) -> Result<bool> {
        self.operator("timedb")?.one(
            "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')",
            &[],
        )
    }

    /// timedb with the dataset in it, which only the first call has to load.
    pub fn timedb(&mut self, dataset: Dataset) -> Result<Timedb> {
        if !self.tenants.contains_key(&dataset) {
            self.progress.step(&format!("loads {} into timedb", dataset.name()));
            self.server.create_database(dataset.name())?;
            let tenant = Tenant::create(&self.server, dataset.name(), 0)?;
            let mut timedb = Timedb::create(&self.server, dataset.name(), &tenant, dataset.series())?;
            timedb.load(dataset.runs())?;
            settle(&mut self.operator(dataset.name())?)?;
            self.tenants.insert(dataset, tenant);
        }
        Timedb::connect(&self.server, dataset.name(), self.tenant(dataset)?)
    }

    /// Whose the dataset is, once it is loaded.
    pub fn tenant(&self, dataset: Dataset) -> Result<&Tenant> {
        self.tenants.get(&dataset).context("the dataset is not loaded")
    }

    pub fn lean(&mut self, dataset: Dataset) -> Result<Lean> {
        self.lean_in(dataset, LEAN)
    }

    /// None where the extension is not installed.
    pub fn timescale(&mut self, dataset: Dataset) -> Result<Option<Lean>> {
        if !self.has_timescale()? {
            return Ok(None);
        }
        self.lean_in(dataset, TIMESCALE).map(Some)
    }

    fn lean_in(&mut self, dataset: Dataset, schema: &'static str) -> Result<Lean> {
        self.timedb(dataset)?;
        if self.loaded.insert((dataset, schema)) {
            self.progress.step(&format!("loads {} into {schema}", dataset.name()));
            Lean::create(&self.server, dataset.name(), schema, dataset.series())?.load(dataset.runs())?;
        }
        Lean::connect(&self.server, dataset.name(), schema)
    }

    pub fn classic(&mut self, dataset: Dataset) -> Result<Classic> {
        self.timedb(dataset)?;
        if self.loaded.insert((dataset, CLASSIC)) {
            self.progress.step(&format!("loads {} into classic", dataset.name()));
            Classic::create(&self.server, dataset.name(), dataset.series())?.load(dataset.runs())?;
        }
        Classic::connect(&self.server, dataset.name())
    }

    /// Who can be asked a flat read of the dataset, timedb first; and who cannot, with the reason.
    pub fn readers(&mut self, dataset: Dataset, with_classic: bool) -> Result<Readers> {
        let mut readers = Readers {
            peers: vec![Box::new(self.timedb(dataset)?)],
            absent: Vec::new(),
        };
        if with_classic {
            readers.peers.push(Box::new(self.classic(dataset)?));
        }
        readers.peers.push(Box::new(self.lean(dataset)?));
        match self.timescale(dataset)? {
            Some(timescale) => readers.peers.push(Box::new(timescale)),
            None => readers.absent.push((TIMESCALE, "not installed".to_owned())),
        }
        match self.clickhouse(dataset)? {
            Ok(clickhouse) => readers.peers.push(Box::new(ClickhouseTable {
                clickhouse,
                table: dataset.name(),
            })),
            Err(absent) => readers.absent.push((CLICKHOUSE, absent)),
        }
        Ok(readers)
    }

    /// ClickHouse with the dataset in it, or why there is none.
    pub fn clickhouse(&mut self, dataset: Dataset) -> Result<Result<SharedClickhouse, Absent>> {
        let clickhouse = self.bare_clickhouse();
        if let Ok(clickhouse) = &clickhouse {
            clickhouse.borrow_mut().load(dataset.name(), dataset.runs())?;
        }
        Ok(clickhouse)
    }

    /// ClickHouse as it is.
    pub fn bare_clickhouse(&mut self) -> Result<SharedClickhouse, Absent> {
        let (project, progress) = (&self.project, &self.progress);
        let clickhouse = self.clickhouse.get_or_insert_with(|| {
            progress.step("starts ClickHouse");
            Clickhouse::start(project)
                .map(|clickhouse| Rc::new(RefCell::new(clickhouse)))
                .map_err(|error| format!("{error:#}"))
        });
        clickhouse.clone()
    }
}

/// What autovacuum does after a while: statistics and visibility, nothing moved.
pub fn settle(operator: &mut Connection) -> Result<()> {
    vacuum(operator, "ANALYZE", &["series", "runs", "values", "packs"])
}

/// Of the tables that this build of timedb has.
fn vacuum(operator: &mut Connection, how: &str, tables: &[&str]) -> Result<()> {
    for table in tables {
        let there: bool = operator.one("SELECT to_regclass('timedb.' || $1) IS NOT NULL", &[table])?;
        if there {
            operator.batch(&format!("VACUUM ({how}) timedb.{table}"))?;
        }
    }
    Ok(())
}

/// Of the values with their indexes and TOAST, packed ones included.
pub fn timedb_bytes(operator: &mut Connection) -> Result<i64> {
    operator.one(
        "SELECT sum(pg_total_relation_size(t))::bigint
         FROM unnest(ARRAY[to_regclass('timedb.values'), to_regclass('timedb.packs')]) AS t
         WHERE t IS NOT NULL",
        &[],
    )
}

/// Compacts all that there is, as the tenant itself.
pub fn compact(timedb: &mut Timedb) -> Result<()> {
    let mut before = i64::MAX;
    loop {
        let remaining: i64 = timedb
            .connection
            .one("SELECT remaining::bigint FROM timedb.compact(older_than => '0')", &[])?;
        if remaining == 0 {
            return Ok(());
        }
        ensure!(remaining < before, "compact gets no further: {remaining} remain");
        before = remaining;
    }
}
