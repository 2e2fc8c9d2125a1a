//! Retention: what is taken out of the stored values of a tenant, series by series and slice by slice, or what would be.
//!
//! A slice is a window that holds of each time all or nothing. It is looked at first; then the runs that lose something are held
//! and it is looked at again, so that no update is under way while their values go and are counted. Nothing here waits for
//! anybody: a series with a run that somebody else holds is left as it is for the next call.

mod candidates;
mod crowd;
mod cut;
mod found;
mod runs;
mod slices;

use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::Snapshot;
use crate::store::withdrawn::Withdrawn;
pub use candidates::candidates;
use found::{Looked, Of, Place, Row, StoredPack};
use runs::Runs;
use std::collections::{HashMap, HashSet};
use timedb_core::merge::Window;
use timedb_core::retain::{Going, Rule, Which, lost};
use timedb_core::time::Time;
use timedb_core::version::Version;
use uuid::Uuid;

/// How much one call takes out, so that its transaction stays short: rows and packs, and their bytes.
const ROWS_IN_A_CALL: i64 = 100_000;
const BYTES_IN_A_CALL: i64 = 128 << 20;

/// What goes of a series.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Cutoffs {
    /// Values that begin before.
    pub begun: Option<Time>,
    /// Runs that were known before.
    pub known: Option<Time>,
    /// Of values that begin before, what a flat read does not show.
    pub hidden: Option<Time>,
}

/// What has gone, or would.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    pub series: i32,
    /// Rows, and versions in packs, of which nothing is left.
    pub versions: i64,
    pub values: i64,
    /// What they took, about.
    pub bytes: i64,
    /// Rows and packs that were deleted.
    taken: (i64, i64),
}

/// A call.
pub struct Retaining {
    tenant: Uuid,
    is_dry: bool,
    /// Runs that keep their revisions, and hide nothing: they may be restored.
    withdrawn: Withdrawn,
    runs: Runs,
    pub tally: Tally,
}

/// What became of a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Done,
    /// The call has done its share, or a run is held by somebody else.
    Remains,
}

impl Retaining {
    pub fn new(tenant: Uuid, is_dry: bool) -> Result<Retaining> {
        let withdrawn = if is_dry {
            Withdrawn::of(tenant, None)?
        } else {
            Withdrawn::by_now(tenant)?
        };
        Ok(Retaining {
            tenant,
            is_dry,
            withdrawn,
            runs: Runs::default(),
            tally: Tally::default(),
        })
    }

    /// Whether the call has done its share. One that only looks looks at everything.
    pub fn is_full(&self) -> bool {
        let (rows, bytes) = self.tally.taken;
        !self.is_dry && (rows >= ROWS_IN_A_CALL || bytes >= BYTES_IN_A_CALL)
    }

    /// Takes out what goes of a series.
    pub fn series(&mut self, series: Uuid, cutoffs: &Cutoffs) -> Result<Outcome> {
        let mut of = OfSeries {
            of: Of {
                tenant: self.tenant,
                series,
                seen: if self.is_dry {
                    Snapshot::Callers
                } else {
                    Snapshot::Fresh
                },
            },
            known: cutoffs.known,
            parts: HashMap::new(),
        };
        let before = self.tally.values;
        let outcome = self.all_of(&mut of, cutoffs)?;
        self.tally.series += i32::from(self.tally.values > before);
        Ok(outcome)
    }

    fn all_of(&mut self, of: &mut OfSeries, cutoffs: &Cutoffs) -> Result<Outcome> {
        let rules = [
            (Which::Begun, None, cutoffs.begun),
            (Which::Known, None, cutoffs.known),
            (Which::Hidden, cutoffs.begun, cutoffs.hidden),
        ];
        for (which, start, end) in rules {
            let Some(end) = end else { continue };
            if self.slices(of, which, start, end)? == Outcome::Remains {
                return Ok(Outcome::Remains);
            }
        }
        Ok(Outcome::Done)
    }

    /// From the beginning on, so that whoever goes on finds nothing of what has gone.
    fn slices(&mut self, of: &mut OfSeries, which: Which, mut start: Option<Time>, end: Time) -> Result<Outcome> {
        while start.is_none_or(|start| start < end) {
            answer_cancel();
            if self.is_full() {
                return Ok(Outcome::Remains);
            }
            let window = Window { start, end: Some(end) };
            let Some(mut slice) = slices::next(of.of, &Rule { which, window }, end)? else {
                break;
            };
            let outcome = loop {
                let end = Some(slice.end);
                let window = Window { start, end };
                match self.slice(of, &Rule { which, window })? {
                    Some(outcome) => break outcome,
                    None if slice.halve(start) => answer_cancel(),
                    None => return Err(Error::TooManyAtOneTime),
                }
            };
            if outcome == Outcome::Remains {
                return Ok(Outcome::Remains);
            }
            start = Some(slice.end);
        }
        Ok(Outcome::Done)
    }

    /// None where a shorter slice is needed.
    fn slice(&mut self, of: &mut OfSeries, rule: &Rule) -> Result<Option<Outcome>> {
        let Some((rows, packs)) = found::held(of.of, rule)? else {
            return self.crowd(of, rule);
        };
        let losing = self.losing(of, rule, &rows, &packs)?;
        drop((rows, packs));
        if losing.is_empty() || self.is_dry {
            return Ok(Some(Outcome::Done));
        }
        if !self.runs.hold(self.tenant, losing.into_iter())? {
            return Ok(Some(Outcome::Remains));
        }
        // What is hidden now: a run that hid others may have been withdrawn since.
        self.withdrawn = Withdrawn::by_now(self.tenant)?;
        let Some((rows, packs)) = found::held(of.of, rule)? else {
            return self.crowd(of, rule);
        };
        let looked = Looked::at(&rows, &packs)?;
        self.withdrawn
            .look_up(looked.versions.iter().map(|of| of.version.run))?;
        let mut going = rule.going(&looked.versions, |version| self.spares(of, rule, version));
        for (of, going) in looked.versions.iter().zip(&mut going) {
            // Of runs that have come since nothing goes, as if they came later.
            if !self.runs.holds(&of.version.run) {
                *going = Going::Nothing;
            }
        }
        cut::take_out(of.of, &rows, &packs, &looked, &going)?;
        self.runs.lose(lost(&looked.versions, &going));
        self.count(of, &rows, &packs, &looked, &going);
        Ok(Some(Outcome::Done))
    }

    /// The runs that lose something of a slice; one that only looks counts it.
    fn losing(&mut self, of: &mut OfSeries, rule: &Rule, rows: &[Row], packs: &[StoredPack]) -> Result<HashSet<Uuid>> {
        let looked = Looked::at(rows, packs)?;
        self.withdrawn
            .look_up(looked.versions.iter().map(|of| of.version.run))?;
        let going = rule.going(&looked.versions, |version| self.spares(of, rule, version));
        if self.is_dry {
            self.count(of, rows, packs, &looked, &going);
        }
        let losing = looked.versions.iter().zip(&going);
        let losing = losing.filter(|(_, going)| **going != Going::Nothing);
        Ok(losing.map(|(of, _)| of.version.run).collect())
    }

    /// What goes by when it was known has gone before what is hidden is asked for: where it is only looked at, it is still there.
    fn spares(&self, of: &OfSeries, rule: &Rule, version: &Version) -> bool {
        let would_have_gone = self.is_dry && of.known.is_some_and(|known| version.known < known);
        rule.which == Which::Hidden && (would_have_gone || self.withdrawn.holds(&version.run))
    }

    fn count(&mut self, of: &mut OfSeries, rows: &[Row], packs: &[StoredPack], looked: &Looked, going: &[Going]) {
        let mut of_packs: Vec<(usize, usize)> = vec![(0, 0); packs.len()];
        let each = looked.versions.iter().zip(&looked.places).zip(going);
        for ((version, place), going) in each {
            let (gone, points) = (going.count(version.shape.len()), version.shape.len());
            match *place {
                Place::Row(number) => self.add_bytes(rows[number].bytes, gone, points),
                Place::Pack(number, _) => {
                    of_packs[number].0 += gone;
                    of_packs[number].1 += points;
                }
            }
            self.count_version(of, id(rows, packs, *place), gone, points);
        }
        for (pack, (gone, points)) in packs.iter().zip(of_packs) {
            self.add_bytes(pack.bytes, gone, points);
        }
    }

    fn count_version(&mut self, of: &mut OfSeries, id: VersionId, gone: usize, points: usize) {
        self.tally.values += gone as i64;
        if gone > 0 && (gone == points || of.goes_at_last(id, gone, points)) {
            self.tally.versions += 1;
        }
    }

    /// Of a row or a pack that something goes of.
    fn add_bytes(&mut self, bytes: i64, gone: usize, points: usize) {
        if gone == 0 {
            return;
        }
        self.tally.bytes += (bytes as f64 * gone as f64 / points.max(1) as f64) as i64;
        self.tally.taken.0 += 1;
        self.tally.taken.1 += bytes;
    }

    /// Writes what the runs have left.
    pub fn finish(mut self) -> Result<Tally> {
        self.runs.tell(self.tenant)?;
        Ok(self.tally)
    }
}

/// What names a version as long as nothing is written: a row by its run, change and part, or a pack and a place in it.
type VersionId = (Uuid, i64, i64);

fn id(rows: &[Row], packs: &[StoredPack], place: Place) -> VersionId {
    match place {
        Place::Row(number) => {
            let row = &rows[number];
            (row.version.run, row.version.change.micros(), i64::from(row.part))
        }
        Place::Pack(number, version) => (packs[number].id, i64::MIN, version as i64),
    }
}

/// A series, and of versions that would go in parts how much.
struct OfSeries {
    of: Of,
    known: Option<Time>,
    parts: HashMap<VersionId, usize>,
}

impl OfSeries {
    /// Adds a part of a version; answers whether it was the last.
    fn goes_at_last(&mut self, version: VersionId, gone: usize, points: usize) -> bool {
        if self.of.seen == Snapshot::Fresh {
            return false;
        }
        let all = self.parts.entry(version).or_default();
        *all += gone;
        *all == points
    }
}
