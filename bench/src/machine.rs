//! On what the figures were taken: settings, versions, machine.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;

use crate::lab::Lab;

/// Those that a benchmark's reader asks for.
const SETTINGS: &str = "
    SELECT name, current_setting(name) FROM pg_settings
    WHERE name IN ('shared_buffers', 'effective_cache_size', 'work_mem', 'maintenance_work_mem', 'max_wal_size',
                   'checkpoint_timeout', 'random_page_cost', 'effective_io_concurrency', 'jit', 'fsync',
                   'synchronous_commit', 'full_page_writes', 'wal_compression', 'autovacuum',
                   'max_parallel_workers_per_gather', 'shared_preload_libraries')
    ORDER BY name";

pub fn settings(lab: &Lab) -> Result<BTreeMap<String, String>> {
    let (_, rows) = lab.operator("timedb")?.query(SETTINGS, &[])?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

pub fn versions(lab: &mut Lab) -> Result<BTreeMap<String, String>> {
    let mut operator = lab.operator("timedb")?;
    let postgres: String = operator.one("SELECT version()", &[])?;
    let timedb: String = operator.one("SELECT extversion FROM pg_extension WHERE extname = 'timedb'", &[])?;
    let clickhouse = match lab.bare_clickhouse() {
        Ok(clickhouse) => clickhouse.borrow().version.clone(),
        Err(absent) => absent,
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok([
        ("postgres", postgres),
        ("timedb", timedb),
        ("clickhouse", clickhouse),
        ("kernel", kernel.trim().to_owned()),
        ("processor", processor()),
        ("memory", memory()),
    ]
    .map(|(name, version)| (name.to_owned(), version))
    .into())
}

fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores")
}

fn memory() -> String {
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = told
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse::<u64>().ok());
    format!("{} GB", kilobytes.unwrap_or_default() / 1_000_000)
}
