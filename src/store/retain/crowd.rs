//! A slice of more versions than are held in memory together, as any one time may have: each is looked at by itself, and what
//! goes is taken out of the rows of some runs after the others, and of pack after pack. Of the others no more is held than
//! the ids of runs, and of values the keys. All of it in one call: of a time all versions are left or none.

use super::found::{self, Looked, Met, StoredPack};
use super::{OfSeries, Outcome, Retaining, VersionId, cut};
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::store::withdrawn::Withdrawn;
use std::collections::HashSet;
use timedb_core::pack::Pack;
use timedb_core::retain::{Going, Rule, Shown, Which, lost};
use timedb_core::time::Time;
use timedb_core::version::Shaped;
use uuid::Uuid;

/// Versions whose runs are taken together, but for those of one run.
const VERSIONS_AT_ONCE: usize = 50_000;

/// What decides how much of a version goes, whichever others there are.
struct Judge<'r> {
    rule: &'r Rule,
    /// Known before this, a version would have gone already.
    known: Option<Time>,
    spared: HashSet<Uuid>,
    shown: Shown,
}

impl Judge<'_> {
    fn spares(&self, of: &Shaped) -> bool {
        let has_gone = self.known.is_some_and(|known| of.version.known < known);
        self.rule.which == Which::Hidden && (has_gone || self.spared.contains(&of.version.run))
    }

    fn going(&self, of: &Shaped) -> Going {
        match self.spares(of) {
            true => Going::Nothing,
            false => self.rule.going_of(of, &self.shown),
        }
    }
}

impl Retaining {
    pub(super) fn crowd(&mut self, of: &mut OfSeries, rule: &Rule, packs: &[StoredPack]) -> Result<Outcome> {
        let judge = self.judge(of, rule, packs)?;
        if self.is_dry {
            self.count_crowd(of, &judge, packs)?;
            return Ok(Outcome::Done);
        }
        let mut losing: Vec<Uuid> = Vec::new();
        found::each_version(of.of, rule, packs, &mut |version, _| {
            if judge.going(version) != Going::Nothing {
                losing.push(version.version.run);
            }
        })?;
        if !self.runs.hold(self.tenant, losing.iter().copied())? {
            return Ok(Outcome::Remains);
        }
        // As it is now that they are held.
        self.withdrawn = Withdrawn::by_now(self.tenant)?;
        let judge = self.judge(of, rule, packs)?;
        losing.sort_unstable();
        for runs in chunks(&losing) {
            answer_cancel();
            self.take_of_runs(of, &judge, packs, runs)?;
        }
        self.take_of_packs(of, &judge, packs, &losing)?;
        Ok(Outcome::Done)
    }

    fn judge<'r>(&mut self, of: &OfSeries, rule: &'r Rule, packs: &[StoredPack]) -> Result<Judge<'r>> {
        let mut judge = Judge {
            rule,
            known: of.known.filter(|_| self.is_dry),
            spared: HashSet::new(),
            shown: Shown::default(),
        };
        if rule.which != Which::Hidden {
            return Ok(judge);
        }
        if !self.withdrawn.is_none() {
            let mut runs: Vec<Uuid> = Vec::new();
            found::each_version(of.of, rule, packs, &mut |version, _| runs.push(version.version.run))?;
            runs.sort_unstable();
            runs.dedup();
            for runs in runs.chunks(VERSIONS_AT_ONCE) {
                self.withdrawn.look_up(runs.iter().copied())?;
                judge.spared.extend(runs.iter().filter(|run| self.withdrawn.holds(run)));
            }
        }
        let mut shown = Shown::default();
        found::each_version(of.of, rule, packs, &mut |version, _| {
            if !judge.spares(version) {
                shown.add(version, &rule.window);
            }
        })?;
        judge.shown = shown;
        Ok(judge)
    }

    fn count_crowd(&mut self, of: &mut OfSeries, judge: &Judge, packs: &[StoredPack]) -> Result<()> {
        let mut of_packs: Vec<(usize, usize)> = vec![(0, 0); packs.len()];
        found::each_version(of.of, judge.rule, packs, &mut |version, met| {
            let (gone, points) = (judge.going(version).count(version.shape.len()), version.shape.len());
            match met {
                Met::Row { bytes, .. } => self.add_bytes(bytes, gone, points),
                Met::Pack(number, _) => {
                    of_packs[number].0 += gone;
                    of_packs[number].1 += points;
                }
            }
            self.count_version(of, id(version, packs, met), gone, points);
        })?;
        for (pack, (gone, points)) in packs.iter().zip(of_packs) {
            self.add_bytes(pack.bytes, gone, points);
        }
        Ok(())
    }

    /// Takes out of the rows of these runs, and tells what each loses of packs too.
    fn take_of_runs(&mut self, of: &mut OfSeries, judge: &Judge, packs: &[StoredPack], runs: &[Uuid]) -> Result<()> {
        let (Some(&first), Some(&last)) = (runs.first(), runs.last()) else {
            return Ok(());
        };
        let is_of_these = |run: &Uuid| runs.binary_search(run).is_ok();
        let rows = found::rows(of.of, judge.rule, first..=last, usize::MAX)?;
        let mut rows = rows.unwrap_or_default();
        rows.retain(|row| is_of_these(&row.version.run));
        let mut looked = Looked::at(&rows, &[])?;
        let going: Vec<Going> = looked.versions.iter().map(|of| judge.going(of)).collect();
        cut::take_out_of_rows(of.of, &rows, &looked, &going)?;
        self.count(of, &rows, &[], &looked, &going);
        for stored in packs {
            let pack = Pack::read(&stored.pack).map_err(Error::PackStored)?;
            let of_these = pack.versions().iter().filter(|of| is_of_these(&of.version.run));
            looked.versions.extend(of_these.cloned());
        }
        let going: Vec<Going> = looked.versions.iter().map(|of| judge.going(of)).collect();
        self.runs.lose(lost(&looked.versions, &going));
        self.runs.tell(self.tenant)
    }

    fn take_of_packs(&mut self, of: &mut OfSeries, judge: &Judge, packs: &[StoredPack], runs: &[Uuid]) -> Result<()> {
        for stored in packs {
            answer_cancel();
            let looked = Looked::at(&[], std::slice::from_ref(stored))?;
            // One that has come since is left, as if it came later.
            let going = |of: &Shaped| match runs.binary_search(&of.version.run) {
                Ok(_) => judge.going(of),
                Err(_) => Going::Nothing,
            };
            let going: Vec<Going> = looked.versions.iter().map(going).collect();
            cut::take_out(of.of, &[], std::slice::from_ref(stored), &looked, &going)?;
            self.count(of, &[], std::slice::from_ref(stored), &looked, &going);
        }
        Ok(())
    }
}

/// Sorted runs, one of each version, in parts of about as many versions: all of a run are in one.
fn chunks(mut runs: &[Uuid]) -> impl Iterator<Item = &[Uuid]> {
    std::iter::from_fn(move || {
        let last = runs.get(..VERSIONS_AT_ONCE).unwrap_or(runs).last()?;
        let (chunk, rest) = runs.split_at(runs.partition_point(|run| run <= last));
        runs = rest;
        Some(chunk)
    })
}

fn id(of: &Shaped, packs: &[StoredPack], met: Met) -> VersionId {
    match met {
        Met::Row { part, .. } => (of.version.run, of.version.change.micros(), i64::from(part)),
        Met::Pack(number, version) => (packs[number].id, i64::MIN, version as i64),
    }
}
