//! A slice of more than is held in memory together, as any one time may have: each version is looked at by itself, and what goes is
//! taken out of the rows of some runs after the others, and of pack after pack. Of the others no more is held than the ids of runs,
//! and of values the keys. All of it in one call: of a time all versions are left or none.

use super::found::{self, Looked, Met, Room};
use super::{OfSeries, Outcome, Retaining, VersionId, cut};
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::store::withdrawn::Withdrawn;
use std::collections::HashSet;
use std::ops::ControlFlow;
use timedb_core::pack::Pack;
use timedb_core::retain::{Going, Lost, Rule, Shown, Which};
use timedb_core::time::Time;
use timedb_core::version::Shaped;
use uuid::Uuid;

/// Runs that are looked up together.
const RUNS_AT_ONCE: usize = 50_000;
/// Packs that are held together, by their bytes.
const PACK_BYTES: i64 = 16 << 20;
/// Values that a flat read shows of a slice: of each about a hundred bytes are held.
const MOST_SHOWN: usize = 1_000_000;

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

/// A version that loses something: of which run and write, and how much of it is held while that is taken out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Losing {
    run: Uuid,
    change: Time,
    bytes: u32,
    points: u32,
}

impl Retaining {
    /// None where the slice shows too many values.
    pub(super) fn crowd(&mut self, of: &mut OfSeries, rule: &Rule) -> Result<Option<Outcome>> {
        let Some(judge) = self.judge(of, rule)? else {
            return Ok(None);
        };
        if self.is_dry {
            self.count_crowd(of, &judge)?;
            return Ok(Some(Outcome::Done));
        }
        let losing = losing(of, &judge, |_| true)?;
        if !self.runs.hold(self.tenant, losing.iter().map(|of| of.run))? {
            return Ok(Some(Outcome::Remains));
        }
        // As it is now that they are held.
        self.withdrawn = Withdrawn::by_now(self.tenant)?;
        let Some(judge) = self.judge(of, rule)? else {
            return Ok(None);
        };
        // One that has come since is left, as if it came later.
        let losing = self::losing(of, &judge, |run| self.runs.holds(run))?;
        for runs in chunks(&losing) {
            answer_cancel();
            self.take_of_runs(of, &judge, runs)?;
        }
        self.take_of_packs(of, &judge)?;
        Ok(Some(Outcome::Done))
    }

    fn judge<'r>(&mut self, of: &OfSeries, rule: &'r Rule) -> Result<Option<Judge<'r>>> {
        let mut judge = Judge {
            rule,
            known: of.known.filter(|_| self.is_dry),
            spared: HashSet::new(),
            shown: Shown::default(),
        };
        if rule.which != Which::Hidden {
            return Ok(Some(judge));
        }
        if !self.withdrawn.is_none() {
            let mut runs: Vec<Uuid> = Vec::new();
            found::each_version(of.of, rule, &mut |version, _| {
                runs.push(version.version.run);
                ControlFlow::Continue(())
            })?;
            runs.sort_unstable();
            runs.dedup();
            for runs in runs.chunks(RUNS_AT_ONCE) {
                self.withdrawn.look_up(runs.iter().copied())?;
                judge.spared.extend(runs.iter().filter(|run| self.withdrawn.holds(run)));
            }
        }
        let mut shown = Shown::default();
        found::each_version(of.of, rule, &mut |version, _| {
            if !judge.spares(version) {
                shown.add(version, &rule.window);
            }
            found::until(shown.len() > MOST_SHOWN)
        })?;
        judge.shown = shown;
        Ok((judge.shown.len() <= MOST_SHOWN).then_some(judge))
    }

    fn count_crowd(&mut self, of: &mut OfSeries, judge: &Judge) -> Result<()> {
        // Of the pack that is looked at.
        let mut of_pack: (Uuid, usize, usize) = Default::default();
        let mut packs: Vec<(Uuid, usize, usize)> = Vec::new();
        found::each_version(of.of, judge.rule, &mut |version, met| {
            let (gone, points) = (judge.going(version).count(version.shape.len()), version.shape.len());
            match met {
                Met::Row { bytes, .. } => self.add_bytes(bytes, gone, points),
                Met::Pack(pack, _) if pack == of_pack.0 => {
                    of_pack.1 += gone;
                    of_pack.2 += points;
                }
                Met::Pack(pack, _) => packs.push(std::mem::replace(&mut of_pack, (pack, gone, points))),
            }
            self.count_version(of, id(version, met), gone, points);
            ControlFlow::Continue(())
        })?;
        packs.push(of_pack);
        packs.sort_unstable();
        found::each_pack(of.of, judge.rule, &mut |pack, bytes, _| {
            if let Ok(place) = packs.binary_search_by_key(&pack, |of| of.0) {
                self.add_bytes(bytes, packs[place].1, packs[place].2);
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Takes out of the rows of these runs, and tells what each loses, of packs too.
    fn take_of_runs(&mut self, of: &mut OfSeries, judge: &Judge, losing: &[Losing]) -> Result<()> {
        let (Some(first), Some(last)) = (losing.first(), losing.last()) else {
            return Ok(());
        };
        let is_of_these = |run: &Uuid| losing.binary_search_by_key(run, |of| of.run).is_ok();
        let mut lost = Lost::default();
        found::each_pack(of.of, judge.rule, &mut |_, _, pack| {
            let pack = Pack::read(&pack).map_err(Error::PackStored)?;
            for of in pack.versions().iter().filter(|of| is_of_these(&of.version.run)) {
                lost.add(
                    of,
                    &judge.going(of),
                    &judge.shown,
                    is_of_one_write(losing, of.version.run),
                );
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let rows = found::rows(of.of, judge.rule, first.run..=last.run, &is_of_these)?;
        let looked = Looked::at(&rows, &[])?;
        let going: Vec<Going> = looked.versions.iter().map(|of| judge.going(of)).collect();
        for (of, going) in looked.versions.iter().zip(&going) {
            lost.add(of, going, &judge.shown, is_of_one_write(losing, of.version.run));
        }
        cut::take_out_of_rows(of.of, &rows, &looked, &going)?;
        self.count(of, &rows, &[], &looked, &going);
        self.runs.lose(lost.counted());
        self.runs.tell(self.tenant)
    }

    fn take_of_packs(&mut self, of: &mut OfSeries, judge: &Judge) -> Result<()> {
        let mut packs: Vec<(Uuid, i64)> = Vec::new();
        found::each_pack(of.of, judge.rule, &mut |pack, bytes, _| {
            packs.push((pack, bytes));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut packs = &packs[..];
        while !packs.is_empty() {
            answer_cancel();
            let mut bytes = 0;
            let of_these = |(_, more): &&(Uuid, i64)| {
                bytes += more;
                bytes <= PACK_BYTES
            };
            let (some, rest) = packs.split_at(packs.iter().take_while(of_these).count().max(1));
            packs = rest;
            let ids: Vec<Uuid> = some.iter().map(|(id, _)| *id).collect();
            for stored in found::packs(of.of, &ids)? {
                let looked = Looked::at(&[], std::slice::from_ref(&stored))?;
                let going = |of: &Shaped| match self.runs.holds(&of.version.run) {
                    true => judge.going(of),
                    false => Going::Nothing,
                };
                let going: Vec<Going> = looked.versions.iter().map(going).collect();
                cut::take_out(of.of, &[], std::slice::from_ref(&stored), &looked, &going)?;
                self.count(of, &[], std::slice::from_ref(&stored), &looked, &going);
            }
        }
        Ok(())
    }
}

/// The versions of these runs that lose something, by run and write.
fn losing(of: &OfSeries, judge: &Judge, are_of: impl Fn(&Uuid) -> bool) -> Result<Vec<Losing>> {
    let mut losing = Vec::new();
    found::each_version(of.of, judge.rule, &mut |of, met| {
        if are_of(&of.version.run) && judge.going(of) != Going::Nothing {
            let size = match met {
                Met::Row { size, .. } => size,
                Met::Pack(..) => 0,
            };
            losing.push(Losing {
                run: of.version.run,
                change: of.version.change,
                bytes: size as u32,
                points: of.shape.len() as u32,
            });
        }
        ControlFlow::Continue(())
    })?;
    losing.sort_unstable();
    Ok(losing)
}

/// Of sorted ones.
fn is_of_one_write(losing: &[Losing], run: Uuid) -> bool {
    let of_run = &losing[losing.partition_point(|of| of.run < run)..];
    let change = of_run.first().map(|of| of.change);
    let last = of_run[..of_run.partition_point(|of| of.run == run)].last();
    last.map(|of| of.change) == change
}

/// Sorted ones, in parts for which there is room: all of a run are in one, whether or not there is.
fn chunks(mut losing: &[Losing]) -> impl Iterator<Item = &[Losing]> {
    std::iter::from_fn(move || {
        let mut room = Room::FOR_RUNS;
        let fit = |of: &&Losing| room.has(1, of.bytes as usize, of.points as usize);
        let last = losing.get(losing.iter().take_while(fit).count().max(1) - 1)?.run;
        let (chunk, rest) = losing.split_at(losing.partition_point(|of| of.run <= last));
        losing = rest;
        Some(chunk)
    })
}

fn id(of: &Shaped, met: Met) -> VersionId {
    match met {
        Met::Row { part, .. } => (of.version.run, of.version.change.micros(), i64::from(part)),
        Met::Pack(pack, version) => (pack, i64::MIN, version as i64),
    }
}
