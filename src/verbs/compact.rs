//! `compact`: many small rows of values become few rows of packs, in which a read finds the same versions.
//!
//! Rows of one class of spans are packed where they become fewer rows and no more bytes: that is known before anything is
//! deleted. What is deleted is what is packed, all of it or an error, in one transaction with the packs that are made of
//! it. So readers and writers at the same time see the rows or the packs, never both and never neither; and of two calls
//! at once of a tenant the second waits, then finds nothing left of what the first has taken.

use super::without_nulls;
use crate::error::{Error, Reported, Result};
use crate::identity::session::{self, Acting};
use crate::pg::cancel::answer_cancel;
use crate::pg::lock;
use crate::pg::result::Returned;
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use crate::pg::varlena::UuidArray;
use crate::store::take::{Candidates, ROWS_AT_ONCE, Work, work};
use crate::store::write::{NewPacks, Size};
use pgrx::datum::Interval;
use pgrx::prelude::*;
use std::time::{Duration, Instant};
use timedb_core::scope::Scope;
use uuid::Uuid;

/// How much one call does: so that its transaction stays short, and its memory small.
const ROWS_IN_A_CALL: i64 = 200_000;
const NOTICE_EVERY: Duration = Duration::from_secs(5);

statements! {
    CUTOFF(Option<Interval>) -> (Timestamptz,) = c"SELECT clock_timestamp() - coalesce($1, interval '1 day')";
}

/// What a call has done so far.
#[derive(Default)]
pub(super) struct Tally {
    series: i32,
    versions: i64,
    pub rows_before: i64,
    pub rows_after: i64,
    pub bytes_before: i64,
    pub bytes_after: i64,
}

#[pg_extern(sql = false)]
fn compact(
    series_ids: Option<UuidArray>,
    older_than: Option<Interval>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let acting = Acting::with(Scope::Write)?;
    let series_ids = without_nulls("series_ids", series_ids)?;
    let cutoff = cutoff(older_than)?;
    let work = work(acting.tenant, series_ids, cutoff)?;
    if !work.is_empty() {
        lock::hold(lock::For::Compacting, acting.tenant);
        session::confirm()?;
    }
    let (tally, remaining) = pack_all(acting.tenant, &work, cutoff)?;
    let answer = (
        tally.series,
        tally.versions,
        tally.rows_before,
        tally.rows_after,
        tally.bytes_before,
        tally.bytes_after,
        remaining,
    );
    Ok(Returned::row::<(i32, i64, i64, i64, i64, i64, i64)>(fcinfo, answer)?)
}

pub(super) fn cutoff(older_than: Option<Interval>) -> Result<Timestamptz> {
    let cutoff = CUTOFF.read((older_than,))?.pop();
    let (cutoff,) = cutoff.ok_or_else(|| Error::Broken("no clock".into()))?;
    Ok(cutoff)
}

/// A call's share of the work, for whoever holds the lock that it takes; answers what it did, and how many rows remain.
pub(super) fn pack_all(tenant: Uuid, work: &[Work], cutoff: Timestamptz) -> Result<(Tally, i64)> {
    let mut progress = Progress::of(work);
    let mut tally = Tally::default();
    let mut packed_series = None;
    for part in work {
        let mut left = part.rows;
        while left > 1 && tally.rows_before < ROWS_IN_A_CALL {
            answer_cancel();
            let packed = pack_some(tenant, part, cutoff, &mut tally)?;
            if packed > 0 && packed_series.replace(part.series) != Some(part.series) {
                tally.series += 1;
            }
            left = if packed < ROWS_AT_ONCE { 0 } else { left - packed };
            progress.report(&tally);
        }
        // One by itself becomes no fewer rows.
        let remaining = if left > 1 { left } else { 0 };
        progress.remaining -= part.rows - remaining;
    }
    Ok((tally, progress.remaining))
}

/// Packs as many rows as are held in memory at once, together with packs that are about as small, or without them where
/// that is no gain; answers how many rows they were, none where neither is.
fn pack_some(tenant: Uuid, work: &Work, cutoff: Timestamptz, tally: &mut Tally) -> Result<i64> {
    let found = Candidates::of(tenant, work, cutoff)?;
    let rows = found.rows.size;
    let with_packs = found.packs.size.rows > 0;
    for with_packs in [true, false].into_iter().skip(usize::from(!with_packs)) {
        let before = if with_packs { rows.plus(found.packs.size) } else { rows };
        let packs = NewPacks::of(found.versions(with_packs)?)?;
        let after = packs.size();
        if after.rows < before.rows && after.bytes <= before.bytes {
            found.take(with_packs)?;
            tally.add(rows.rows, before, packs.insert(tenant, work.series)?);
            return Ok(rows.rows);
        }
    }
    Ok(0)
}

impl Tally {
    fn add(&mut self, versions: i64, before: Size, after: Size) {
        self.versions += versions;
        self.rows_before += before.rows;
        self.bytes_before += before.bytes;
        self.rows_after += after.rows;
        self.bytes_after += after.bytes;
    }
}

/// Says now and then how far a long call has come.
struct Progress {
    rows: i64,
    remaining: i64,
    said: Instant,
}

impl Progress {
    fn of(work: &[Work]) -> Progress {
        let rows = work.iter().map(|work| work.rows).sum();
        Progress {
            rows,
            remaining: rows,
            said: Instant::now(),
        }
    }

    fn report(&mut self, tally: &Tally) {
        if self.said.elapsed() >= NOTICE_EVERY {
            self.said = Instant::now();
            notice!(
                "compacted {} of {} rows, of {} series so far",
                tally.versions,
                self.rows,
                tally.series
            );
        }
    }
}
