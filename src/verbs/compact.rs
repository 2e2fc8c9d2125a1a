//! `compact`: many small rows of values become few rows of packs, in which a read finds the same versions.
//!
//! What is deleted is what is packed: the rows that the DELETE answers, in one transaction with the packs that are made of
//! them. So readers and writers at the same time see the rows or the packs, never both and never neither; and of two
//! calls at once the second finds nothing left of what the first has taken.

use super::without_nulls;
use crate::error::{Error, Reported, Result};
use crate::identity::session::Acting;
use crate::pg::cancel::answer_cancel;
use crate::pg::result::Returned;
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use crate::pg::varlena::UuidArray;
use crate::store::take::{ROWS_AT_ONCE, Taken, Work, work};
use crate::store::write::NewPacks;
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
struct Tally {
    series: i32,
    versions: i64,
    rows_before: i64,
    rows_after: i64,
    bytes_before: i64,
    bytes_after: i64,
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

fn cutoff(older_than: Option<Interval>) -> Result<Timestamptz> {
    let cutoff = CUTOFF.read((older_than,))?.pop();
    let (cutoff,) = cutoff.ok_or_else(|| Error::Broken("no clock".into()))?;
    Ok(cutoff)
}

/// A call's share of the work; answers what it did, and how many rows remain.
fn pack_all(tenant: Uuid, work: &[Work], cutoff: Timestamptz) -> Result<(Tally, i64)> {
    let mut progress = Progress::of(work);
    let mut tally = Tally::default();
    for part in work {
        let mut left = part.rows;
        while left > 1 && tally.rows_before < ROWS_IN_A_CALL {
            answer_cancel();
            let taken = pack_some(tenant, part.series, cutoff, &mut tally)?;
            tally.series += i32::from(left == part.rows && taken > 0);
            left = if taken < ROWS_AT_ONCE { 0 } else { left - taken };
            progress.report(&tally);
        }
        progress.remaining -= part.rows - left;
    }
    Ok((tally, progress.remaining))
}

/// Packs as many rows of a series as are held in memory at once, together with packs that are about as small; answers how
/// many rows they were.
fn pack_some(tenant: Uuid, series: Uuid, cutoff: Timestamptz, tally: &mut Tally) -> Result<i64> {
    let taken = Taken::of(tenant, series, cutoff)?;
    let rows = taken.rows.rows;
    if rows == 0 {
        return Ok(0);
    }
    let after = NewPacks::of(taken.versions()?)?.insert(tenant, series)?;
    tally.versions += rows;
    tally.rows_before += rows + taken.packs.rows;
    tally.bytes_before += taken.rows.bytes + taken.packs.bytes;
    tally.rows_after += after.rows;
    tally.bytes_after += after.bytes;
    Ok(rows)
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
