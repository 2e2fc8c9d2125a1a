//! The runs of an upload, and how they are written.

use super::arguments::Run;
use crate::error::{Error, Result};
use crate::identity::standing::Identity;
use crate::pg::clock::{self, Reading};
use crate::store::write::{NewRows, NewRun, RunRow, insert_runs, too_many_parts};
use crate::verbs::resolved::Resolved;
use std::rc::Rc;
use timedb_core::points::Point;
use timedb_core::time::Time;
use timedb_core::upload::{RunKey, Said};
use timedb_core::version::{Remark, Version};
use uuid::Uuid;

pub struct NewRuns {
    /// What each writes, by the number that rows have it by.
    pub versions: Vec<Version>,
    pub workflows: Vec<Rc<str>>,
    /// How many values of each are written, and how many were left out.
    written: Vec<i64>,
    pub skipped: Vec<i64>,
    /// Whether one without values is made all the same.
    are_made_empty: bool,
}

/// How many values of a run are written, and how many were left out.
#[derive(Default)]
pub struct Counts {
    pub written: i64,
    pub skipped: i64,
}

impl NewRuns {
    /// Those that rows are of, or the one that they do not say: all of one reading of the clock, with ids in their order.
    pub fn of(writer: &Identity, run: &Run, keys: Option<Vec<RunKey>>, now: &Reading) -> NewRuns {
        let remark = Rc::new(Remark::by(writer.name()));
        let version = |id, known: Option<Time>| Version {
            run: id,
            known: known.unwrap_or(now.moment),
            change: now.moment,
            remark: remark.clone(),
        };
        let (versions, workflows): (Vec<_>, Vec<_>) = match keys {
            None => (vec![version(now.id, run.known)], Vec::new()),
            Some(keys) => {
                let run = |key: RunKey| (version(clock::id_at(now.moment), key.known), key.workflow);
                keys.into_iter().map(run).unzip()
            }
        };
        NewRuns {
            written: vec![0; versions.len()],
            skipped: vec![0; versions.len()],
            versions,
            workflows,
            are_made_empty: true,
        }
    }

    /// Of those that have been made.
    pub fn latest_known(&self) -> Option<Time> {
        let made = self.versions.iter().zip(self.made());
        made.filter_map(|(version, made)| made.map(|_| version.known)).max()
    }

    pub fn counts(&self) -> impl Iterator<Item = Counts> {
        let counts = self.written.iter().zip(&self.skipped);
        counts.map(|(&written, &skipped)| Counts { written, skipped })
    }

    /// The id of each that has been made.
    pub fn made(&self) -> impl Iterator<Item = Option<Uuid>> {
        let runs = self.versions.iter().zip(&self.written);
        runs.map(|(version, written)| (self.are_made_empty || *written > 0).then_some(version.run))
    }

    /// Writes them with their values; where some may have been left out, a run without any is not made.
    pub fn write(
        &mut self,
        writer: &Identity,
        run: &Run,
        series: &[Resolved],
        said: &[Rc<Said>],
        argument: &'static str,
        skips: bool,
    ) -> Result<()> {
        self.are_made_empty = !skips;
        let mut new = NewRows::default();
        for of in series {
            let number = of.rows.run as usize;
            self.written[number] += of.rows.points.len() as i64;
            self.add(&mut new, of, said)
                .map_err(|error| of_argument(error, argument, &of.name))?;
        }
        let is_plain = self.workflows.is_empty() && series.iter().all(|of| of.rows.said.is_empty());
        if is_plain {
            return match self.made().next().flatten() {
                Some(_) => new.insert_run(writer.tenant, &self.row(run, 0), &self.versions[0]),
                None => Ok(()),
            };
        }
        let made = self
            .made()
            .enumerate()
            .filter_map(|(number, made)| made.map(|_| number));
        let made: Vec<NewRun> = made
            .map(|number| (self.row(run, number), &self.versions[number]))
            .collect();
        insert_runs(writer.tenant, &made, &new)?;
        new.insert(writer.tenant)
    }

    fn row<'a>(&'a self, run: &Run<'a>, number: usize) -> RunRow<'a> {
        RunRow {
            workflow_id: self.workflows.get(number).map_or(run.workflow_id, |workflow| workflow),
            start: run.start.unwrap_or(self.versions[number].known),
            finish: run.finish,
            params: run.params,
        }
    }

    /// Points of one series and run of which the same is said share rows.
    fn add(&self, new: &mut NewRows, of: &Resolved, said: &[Rc<Said>]) -> Result<()> {
        let version = &self.versions[of.rows.run as usize];
        if of.rows.said.is_empty() {
            return new.add(version, of.id, 0, &of.rows.points).map(drop);
        }
        let mut points: Vec<(u32, Point)> = of
            .rows
            .said
            .iter()
            .copied()
            .zip(of.rows.points.iter().copied())
            .collect();
        points.sort_by_key(|(said, _)| *said);
        let mut part = 0;
        for group in points.chunk_by(|a, b| a.0 == b.0) {
            let points: Vec<Point> = group.iter().map(|(_, point)| *point).collect();
            let remark = match (group[0].0 as usize).checked_sub(1) {
                None => version.remark.clone(),
                Some(number) => Rc::new(Remark {
                    by: version.remark.by.clone(),
                    annotation: said[number].annotation.clone(),
                    tags: said[number].tags.clone(),
                }),
            };
            let version = Version {
                remark,
                ..version.clone()
            };
            part = new.add(&version, of.id, part, &points)?;
        }
        Ok(())
    }
}

/// What is too large is so in the argument that it came in, of the series as that calls it.
fn of_argument(error: Error, argument: &'static str, series: &str) -> Error {
    match error {
        Error::TooLarge { .. } => too_many_parts(argument, series),
        error => error,
    }
}
