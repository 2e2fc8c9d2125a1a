//! Merging in slots, where the points of all versions lie on one grid: hourly forecasts, each an hour after the other, or
//! quarter-hourly ones among them. No key is compared, and a point that a newer one covers costs a look into its slot.

use super::counted::{Counted, Cut};
use super::{Mode, Pick, Window, number_runs};
use crate::points;
use crate::time::Time;
use crate::version::Shaped;

/// The slots that points fall into: `base`, `base + step`, and so on.
pub struct Grid<'a> {
    versions: &'a [Shaped<'a>],
    base: i64,
    step: i64,
    slots: usize,
    /// The one length of all intervals, in microseconds; none of moments.
    length: Option<i64>,
    /// What lies in the window of each version, oldest first.
    lines: Vec<Line>,
}

/// Points of one version that are in the window.
#[derive(Clone, Copy)]
struct Line {
    version: u32,
    /// Of the first of these points: its place in the version, and its slot.
    index: u32,
    slot: u32,
    /// From each to the next.
    stride: u32,
    count: u32,
}

/// More slots than this for each point, and the grid is too fine for its points.
const MOST_SLOTS_A_POINT: usize = 4;
const MOST_SLOTS: usize = 1 << 30;
const EMPTY: u32 = u32::MAX;

impl<'a> Grid<'a> {
    /// None where the points are on no common grid.
    pub fn of(versions: &'a [Shaped<'a>], oldest_first: &[u32], window: Window) -> Option<Grid<'a>> {
        let mut pieces = Vec::with_capacity(oldest_first.len());
        let mut step = 0;
        for &version in oldest_first {
            let grid = versions[version as usize].shape.grid()?;
            if let Some((index, piece)) = within(grid, window) {
                pieces.push((version, index, piece));
            }
        }
        let &(_, _, any) = pieces.first()?;
        let (mut base, mut last, mut points) = (i64::MAX, i64::MIN, 0);
        for (_, _, piece) in &pieces {
            if piece.length != any.length {
                return None;
            }
            step = greatest_common_divisor(step, piece.step);
            step = greatest_common_divisor(step, piece.first.abs_diff(any.first) as i64);
            base = base.min(piece.first);
            last = last.max(last_of(piece));
            points += piece.count;
        }
        // Of one point, or of some at the same moment.
        let step = step.max(1);
        let slots = usize::try_from((last - base) / step).ok()? + 1;
        if slots > MOST_SLOTS_A_POINT * points || points.max(slots) > MOST_SLOTS {
            return None;
        }
        let line = |(version, index, piece): (u32, u32, points::Grid)| Line {
            version,
            index,
            slot: ((piece.first - base) / step) as u32,
            stride: (piece.step / step) as u32,
            count: piece.count as u32,
        };
        Some(Grid {
            versions,
            base,
            step,
            slots,
            length: any.length,
            lines: pieces.into_iter().map(line).collect(),
        })
    }

    /// Of the slots with points in them, in their order, each is asked for once.
    pub fn cut(
        &self,
        since: impl Fn(u32) -> Time,
        cutoff: &mut dyn FnMut(Time) -> Option<Time>,
    ) -> Cut<Vec<Option<Time>>> {
        let mut is_met = vec![false; self.slots];
        for line in &self.lines {
            line.slots().for_each(|slot| is_met[slot] = true);
        }
        let of_slot = |(slot, is_met): (usize, bool)| is_met.then(|| cutoff(self.start(slot))).flatten();
        let cutoffs = is_met.into_iter().enumerate().map(of_slot).collect();
        Cut::with(self.versions.len(), since, cutoffs)
    }

    pub fn merge(&self, mode: Mode, all_versions: bool, counted: &impl Counted<usize>) -> Vec<Pick> {
        match (mode, all_versions) {
            (Mode::Flat, false) => self.newest(counted),
            (Mode::Flat, true) => self.of_newest_run(counted),
            (Mode::Overlapping, false) => self.newest_of_each_run(counted),
            (Mode::Overlapping, true) => self.sorted(counted).picks(self),
        }
    }

    /// Newest first, each slot is taken once.
    fn newest(&self, counted: &impl Counted<usize>) -> Vec<Pick> {
        let mut line_of = vec![EMPTY; self.slots];
        for (number, line) in self.lines.iter().enumerate().rev() {
            for slot in line.slots() {
                if line_of[slot] == EMPTY && counted.counts(line.version, slot) {
                    line_of[slot] = number as u32;
                }
            }
        }
        let taken = line_of.iter().enumerate().filter(|(_, line)| **line != EMPTY);
        taken
            .map(|(slot, line)| {
                let line = &self.lines[*line as usize];
                self.pick(slot, line.version, line.index_at(slot))
            })
            .collect()
    }

    /// For each slot, all versions of the run that has its newest point.
    fn of_newest_run(&self, counted: &impl Counted<usize>) -> Vec<Pick> {
        let run = |&(version, _): &(u32, u32)| self.versions[version as usize].version.run;
        let mut sorted = self.sorted(counted);
        sorted.retain(|_, of_slot| {
            let newest = of_slot.last().map(run);
            of_slot.iter().map(|entry| Some(run(entry)) == newest).collect()
        });
        sorted.picks(self)
    }

    fn newest_of_each_run(&self, counted: &impl Counted<usize>) -> Vec<Pick> {
        let mut sorted = self.sorted(counted);
        let chosen: Vec<u32> = self.lines.iter().map(|line| line.version).collect();
        let run_of = number_runs(self.versions, &chosen);
        let runs = chosen.iter().map(|&version| run_of[version as usize]).max();
        if runs.is_some_and(|last| last as usize + 1 < chosen.len()) {
            let mut met_at = vec![usize::MAX; chosen.len()];
            sorted.retain(|slot, of_slot| {
                let mut is_last: Vec<bool> = of_slot
                    .iter()
                    .rev()
                    .map(|&(version, _)| {
                        let met = &mut met_at[run_of[version as usize] as usize];
                        std::mem::replace(met, slot) != slot
                    })
                    .collect();
                is_last.reverse();
                is_last
            });
        }
        sorted.picks(self)
    }

    /// Every point that counts by its slot, and in a slot oldest first: sorted by counting, as each line is in order already.
    fn sorted(&self, counted: &impl Counted<usize>) -> Sorted {
        let mut ends = vec![0u32; self.slots];
        for line in &self.lines {
            for slot in line.slots() {
                ends[slot] += u32::from(counted.counts(line.version, slot));
            }
        }
        let mut total = 0;
        for end in &mut ends {
            let count = *end;
            *end = total;
            total += count;
        }
        let mut entries = vec![(0, 0); total as usize];
        for line in &self.lines {
            for (index, slot) in (line.index..).zip(line.slots()) {
                if !counted.counts(line.version, slot) {
                    continue;
                }
                let place = &mut ends[slot];
                entries[*place as usize] = (line.version, index);
                *place += 1;
            }
        }
        Sorted { entries, ends }
    }

    fn start(&self, slot: usize) -> Time {
        Time::from_checked_micros(self.base + slot as i64 * self.step)
    }

    fn pick(&self, slot: usize, version: u32, index: u32) -> Pick {
        let start = self.start(slot);
        let end = self.length.map(|length| start.micros() + length);
        Pick {
            version,
            index,
            start,
            end: end.map(Time::from_checked_micros),
        }
    }
}

/// Versions and places in them, slot after slot.
struct Sorted {
    entries: Vec<(u32, u32)>,
    /// Where each slot's entries end.
    ends: Vec<u32>,
}

impl Sorted {
    fn retain(&mut self, mut which: impl FnMut(usize, &[(u32, u32)]) -> Vec<bool>) {
        let mut kept = 0;
        let mut from = 0;
        for (slot, end) in self.ends.iter_mut().enumerate() {
            let of_slot = from..*end as usize;
            from = of_slot.end;
            let keep = which(slot, &self.entries[of_slot.clone()]);
            for (entry, _) in of_slot.zip(keep).filter(|(_, keep)| *keep) {
                self.entries[kept] = self.entries[entry];
                kept += 1;
            }
            *end = kept as u32;
        }
        self.entries.truncate(kept);
    }

    fn picks(&self, grid: &Grid) -> Vec<Pick> {
        let mut picks = Vec::with_capacity(self.entries.len());
        let mut from = 0;
        for (slot, &end) in self.ends.iter().enumerate() {
            let of_slot = &self.entries[from..end as usize];
            from = end as usize;
            picks.extend(of_slot.iter().map(|&(version, index)| grid.pick(slot, version, index)));
        }
        picks
    }
}

impl Line {
    fn slots(&self) -> impl Iterator<Item = usize> {
        let (first, stride) = (self.slot as usize, self.stride as usize);
        (0..self.count as usize).map(move |place| first + place * stride)
    }

    fn index_at(&self, slot: usize) -> u32 {
        let steps = (slot as u32 - self.slot).checked_div(self.stride);
        self.index + steps.unwrap_or(0)
    }
}

/// The part of a vector that is in the window, and the place of its first point; none if nothing is.
fn within(grid: points::Grid, window: Window) -> Option<(u32, points::Grid)> {
    let points::Grid { first, step, count, .. } = grid;
    // How many points start before a moment.
    let before = |time: Time| {
        let micros = time.micros();
        if micros <= first {
            0
        } else if step == 0 {
            count
        } else {
            let steps = (micros - first + step - 1) / step;
            count.min(usize::try_from(steps).unwrap_or(count))
        }
    };
    let skipped = window.start.map_or(0, before);
    let until = window.end.map_or(count, before);
    (skipped < until).then(|| {
        let piece = points::Grid {
            first: first + skipped as i64 * step,
            count: until - skipped,
            ..grid
        };
        (skipped as u32, piece)
    })
}

fn last_of(grid: &points::Grid) -> i64 {
    grid.first + (grid.count as i64 - 1) * grid.step
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
