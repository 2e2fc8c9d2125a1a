//! timedb measured against other ways to store the same values: `make bench`, or `make bench W=W4,W5`. (And `W=scale`, which
//! measures nothing: a simulation of many servers.)
//! It runs within `private-server run`. The table goes to the terminal, the figures to
//! `bench/results.json`, the pictures and the tables to `docs/`. Absolute times mean little; the ratios count.

mod api;
mod connection;
mod contest;
mod data;
mod dataset;
mod flat_read;
mod lab;
mod machine;
mod page;
mod peers;
mod picture;
mod progress;
mod python;
mod record;
mod results;
mod scale;
mod statistics;
mod table;
mod workloads;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};

use lab::Lab;
use record::Record;
use results::Results;
use workloads::Workload;

fn main() -> ExitCode {
    let list: Vec<String> = std::env::args().skip(1).collect();
    match bench(&list.join(",")) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            eprintln!("{failures} workloads failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Answers how many workloads failed. Each is stored as soon as it is done.
fn bench(list: &str) -> Result<usize> {
    match list {
        "picture" => return draw_again(),
        "scale" => return scale::write(&project()?).map(|()| 0),
        _ => {}
    }
    let chosen = workloads::chosen(list)?;
    let mut lab = Lab::open(chosen.len())?;
    let path = lab.project.join("bench/results.json");
    let mut results = Results::read(&path)?;
    results.settings = machine::settings(&lab)?;
    results.versions = machine::versions(&mut lab)?;
    for (name, value) in results.versions.iter().chain(&results.settings) {
        lab.progress.say(&format!("{name}: {value}"));
    }
    let mut failures = 0;
    for workload in &chosen {
        match measure(&mut lab, workload) {
            Ok(records) => {
                results.merge(records);
                results.write(&path)?;
            }
            Err(error) => {
                failures += 1;
                lab.progress.say(&format!("{} FAILED: {error:#}", workload.name));
            }
        }
        lab.progress.workload_done();
    }
    lab.progress.finish();
    show(&results, &lab.project)?;
    report(&results, &chosen);
    Ok(failures)
}

fn measure(lab: &mut Lab, workload: &Workload) -> Result<Vec<Record>> {
    lab.progress.workload(workload.name);
    let started = Instant::now();
    let mut records = (workload.measure)(lab)?;
    for record in &mut records {
        workload.name.clone_into(&mut record.measured_by);
    }
    let seconds = started.elapsed().as_secs_f64();
    lab.progress.say(&format!("{} took {seconds:.0} s", workload.name));
    Ok(records)
}

fn report(results: &Results, chosen: &[&Workload]) {
    let is_of_this_run = |record: &&Record| chosen.iter().any(|workload| workload.name == record.measured_by);
    let records: Vec<&Record> = results.records.iter().filter(is_of_this_run).collect();
    table::print(&records);
    let (met, all) = table::goals(&records);
    println!("{met} of {all} goals met");
}

/// The pictures, and the tables of docs/performance.md.
fn show(results: &Results, project: &Path) -> Result<()> {
    picture::draw(results, &project.join("docs"))?;
    let before = Results::read(&project.join("bench/before.json"))?;
    page::write(results, &before, &project.join("docs/performance.md"))
}

/// The pictures and the tables alone, from the figures that are there.
fn draw_again() -> Result<usize> {
    let project = project()?;
    let results = Results::read(&project.join("bench/results.json"))?;
    show(&results, &project)?;
    Ok(0)
}

fn project() -> Result<PathBuf> {
    let project = std::env::var_os(timedb_testkit::PROJECT).context("run this by scripts/bench.sh")?;
    Ok(PathBuf::from(project))
}
