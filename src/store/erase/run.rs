//! All of a run: its rows, found by when they were written; its versions in packs, which are packed anew without them; and, once
//! nothing of it is left, the run.

use super::Erased;
use super::packs::PackKeys;
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::statements;
use crate::pg::varlena::{Bytes, PointsBytes};
use timedb_core::listing::Listing;
use timedb_core::points::peek;
use timedb_core::time::Time;
use uuid::Uuid;

/// As many rows a share takes out.
const ROWS_IN_A_SHARE: i64 = 50_000;
/// As many packs are packed anew in a share, and are held in memory at once.
const PACKS_IN_A_SHARE: usize = 256;
const PACKS_AT_ONCE: usize = 16;
/// So many rows that a run lists are looked up at once.
const LISTED_AT_ONCE: usize = 10_000;

statements! {
    /// Held until the transaction ends, so that no update adds to it meanwhile; none where another transaction holds it.
    HOLD_RUN(Uuid, Uuid) -> (Time, Time, Time, Option<Bytes>) =
        c"SELECT r.known_time, r.inserted_at, r.last_change_time, r.listed
          FROM timedb.runs r
          WHERE r.tenant_id = $1 AND r.run_id = $2
          FOR UPDATE SKIP LOCKED";
    IS_RUN(Uuid, Uuid) -> (i32,) =
        c"SELECT 1 FROM timedb.runs r WHERE r.tenant_id = $1 AND r.run_id = $2";
    DROP_RUN(Uuid, Uuid) -> () =
        c"DELETE FROM timedb.runs r WHERE r.tenant_id = $1 AND r.run_id = $2";
    DROP_WITHDRAWALS(Uuid, Uuid) -> () =
        c"DELETE FROM timedb.withdrawals w WHERE w.tenant_id = $1 AND w.run_id = $2";
    /// What it lists.
    TAKE_LISTED(Uuid, Uuid, Time, &[Uuid], &[i16], &[i16], &[Time]) -> (PointsBytes,) =
        c"DELETE FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.ctid = ANY (ARRAY(
            SELECT w.ctid
            FROM (SELECT unnest($4) AS series_id, unnest($5) AS span, unnest($6) AS part, unnest($7) AS valid_from) AS l
            CROSS JOIN LATERAL (
              SELECT w.ctid
              FROM timedb.values w
              WHERE w.tenant_id = $1 AND w.series_id = l.series_id AND w.span = l.span AND w.valid_from = l.valid_from
                AND w.run_id = $2 AND w.change_time = $3 AND w.part = l.part
              OFFSET 0) AS w))
          RETURNING v.points";
    /// What the index of changes has: updates, and uploads that list nothing.
    TAKE_WRITTEN(Uuid, Uuid, Time, Time, i64) -> (PointsBytes,) =
        c"DELETE FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.ctid = ANY (ARRAY(
            SELECT w.ctid
            FROM timedb.values w
            WHERE w.tenant_id = $1 AND w.change_time >= $3 AND w.change_time <= $4 AND w.part >= 0 AND w.run_id = $2
            LIMIT $5))
          RETURNING v.points";
    COUNT_WRITTEN(Uuid, Uuid, Time, Time) -> (i64,) =
        c"SELECT count(*)
          FROM timedb.values w
          WHERE w.tenant_id = $1 AND w.change_time >= $3 AND w.change_time <= $4 AND w.part >= 0 AND w.run_id = $2";
    /// Packs that may have something of it, by when that was known and written.
    PACKS(Uuid, Time, Time, Time) -> (Uuid, i16, Time, Uuid) =
        c"SELECT p.series_id, p.span, p.valid_from, p.pack_id
          FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.last_change >= $2 AND p.last_change > '-infinity' AND p.first_change <= $3
            AND p.first_known <= $4 AND p.last_known >= $4";
}

/// What has become of a run.
pub enum Run {
    /// There is none.
    Absent,
    /// Another transaction holds it.
    Held,
    Erased(Erased),
}

/// Takes a share of what is stored of a run out, while nobody packs.
pub fn run(tenant: Uuid, id: Uuid) -> Result<Run> {
    let Some(stored) = Stored::hold(tenant, id)? else {
        return look_at_run(tenant, id);
    };
    let mut erased = Erased::default();
    stored.take_listed(&mut erased)?;
    stored.take_written(&mut erased)?;
    stored.cut_packs(&mut erased)?;
    if erased.remaining == 0 {
        DROP_WITHDRAWALS.run((tenant, id))?;
        DROP_RUN.run((tenant, id))?;
    }
    Ok(Run::Erased(erased))
}

/// The same where nothing may be taken out.
pub fn look_at_run(tenant: Uuid, id: Uuid) -> Result<Run> {
    let is_there = !IS_RUN.read_fresh((tenant, id))?.is_empty();
    Ok(if is_there { Run::Held } else { Run::Absent })
}

/// A run as its row says.
struct Stored {
    tenant: Uuid,
    id: Uuid,
    known: Time,
    inserted: Time,
    changed: Time,
    listing: Listing,
}

impl Stored {
    fn hold(tenant: Uuid, id: Uuid) -> Result<Option<Stored>> {
        let mut held = None;
        HOLD_RUN.stream_fresh((tenant, id), |(known, inserted, changed, listed)| {
            let listing = listed.map(|listed| Listing::read(&listed)).transpose();
            held = Some(Stored {
                tenant,
                id,
                known,
                inserted,
                changed,
                listing: listing.map_err(Error::ListingStored)?.unwrap_or_default(),
            });
            Ok(())
        })?;
        Ok(held)
    }

    /// What of it is packed by now is found among the packs.
    fn take_listed(&self, erased: &mut Erased) -> Result<()> {
        let Listing {
            series,
            spans,
            parts,
            valid_from,
        } = &self.listing;
        for from in (0..series.len()).step_by(LISTED_AT_ONCE) {
            answer_cancel();
            if erased.versions >= ROWS_IN_A_SHARE {
                erased.remaining += (series.len() - from) as i64;
                break;
            }
            let some = from..series.len().min(from + LISTED_AT_ONCE);
            let listed = (
                self.tenant,
                self.id,
                self.inserted,
                &series[some.clone()],
                &spans[some.clone()],
                &parts[some.clone()],
                &valid_from[some],
            );
            TAKE_LISTED.stream_fresh(listed, |(points,)| add_row(erased, &points))?;
        }
        Ok(())
    }

    fn take_written(&self, erased: &mut Erased) -> Result<()> {
        let most = (ROWS_IN_A_SHARE - erased.versions).max(0);
        let (tenant, id, first, last) = (self.tenant, self.id, self.inserted, self.changed);
        TAKE_WRITTEN.stream_fresh((tenant, id, first, last, most), |(points,)| add_row(erased, &points))?;
        let left = COUNT_WRITTEN.read_fresh((tenant, id, first, last))?.pop();
        erased.remaining += left.map_or(0, |(left,)| left);
        Ok(())
    }

    fn cut_packs(&self, erased: &mut Erased) -> Result<()> {
        let mut keys = PackKeys::default();
        for (series, span, valid_from, id) in
            PACKS.read_fresh((self.tenant, self.inserted, self.changed, self.known))?
        {
            keys.push(series, span, valid_from, id);
        }
        let mut packed_anew = 0;
        for from in (0..keys.len()).step_by(PACKS_AT_ONCE) {
            if packed_anew >= PACKS_IN_A_SHARE {
                erased.remaining += (keys.len() - from) as i64;
                break;
            }
            for pack in keys.some(from, PACKS_AT_ONCE).fetch(self.tenant)? {
                if let Some(cut) = pack.cut(self.tenant, |of| of.version.run == self.id)? {
                    erased.add(cut.versions, cut.values);
                    packed_anew += 1;
                }
            }
        }
        Ok(())
    }
}

fn add_row(erased: &mut Erased, points: &[u8]) -> Result<()> {
    let (values, _) = peek(points).map_err(Error::PointsStored)?;
    erased.add(1, values);
    Ok(())
}
