//! All of a series. The series itself goes first, and with it all of it from every read; its rows and packs follow, and what the
//! runs that stay say of themselves is kept true with each share.

use super::Erased;
use super::listing::{self, HeldRuns, Less};
use super::packs::PackKeys;
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::{Snapshot, statements};
use crate::pg::varlena::{PackBytes, PointsBytes};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use timedb_core::pack::Pack;
use timedb_core::points::Points;
use timedb_core::time::Time;
use uuid::Uuid;

/// As much a share takes out, and holds in memory: whichever comes first.
const ROWS_IN_A_SHARE: i64 = 20_000;
const PACKS_IN_A_SHARE: i64 = 100;
const VALUES_IN_A_SHARE: usize = 4_000_000;
/// What each run lists is written anew.
const RUNS_IN_A_SHARE: usize = 2000;
/// No more is counted of what is left.
const MOST_COUNTED: i64 = 1_000_000;

statements! {
    /// Not while another transaction holds it.
    DROP_SERIES(Uuid, Uuid) -> (i32,) =
        c"DELETE FROM timedb.series s
          WHERE s.tenant_id = $1 AND s.ctid = ANY (ARRAY(
            SELECT w.ctid
            FROM timedb.series w
            WHERE w.tenant_id = $1 AND w.series_id = $2
            FOR UPDATE SKIP LOCKED))
          RETURNING 1";
    IS_SERIES(Uuid, Uuid) -> (i32,) =
        c"SELECT 1 FROM timedb.series s WHERE s.tenant_id = $1 AND s.series_id = $2";
    /// Those of labels that it had before, too.
    DROP_LABELS(Uuid, Uuid) -> () =
        c"DELETE FROM timedb.series_labels l WHERE l.tenant_id = $1 AND l.series_id = $2";
    DROP_RETENTION(Uuid, Uuid) -> (i32,) =
        c"DELETE FROM timedb.retention r
          WHERE r.tenant_id = $1 AND r.ctid = ANY (ARRAY(
            SELECT w.ctid FROM timedb.retention w WHERE w.tenant_id = $1 AND w.series_id = $2 FOR UPDATE SKIP LOCKED))
          RETURNING 1";
    ROWS(Uuid, Uuid, i64) -> (Uuid, Time, i16, Time, i16, PointsBytes) =
        c"SELECT v.run_id, v.change_time, v.span, v.valid_from, v.part, v.points
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.series_id = $2
          LIMIT $3";
    PACKS(Uuid, Uuid, i64) -> (i16, Time, Uuid, PackBytes) =
        c"SELECT p.span, p.valid_from, p.pack_id, p.versions
          FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.series_id = $2
          LIMIT $3";
    TAKE_ROWS(Uuid, Uuid, &[Uuid], &[Time], &[i16], &[Time], &[i16]) -> (i32,) =
        c"DELETE FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.ctid = ANY (ARRAY(
            SELECT w.ctid
            FROM (SELECT unnest($3) AS run_id, unnest($4) AS change_time, unnest($5) AS span, unnest($6) AS valid_from,
                         unnest($7) AS part) AS k
            CROSS JOIN LATERAL (
              SELECT w.ctid
              FROM timedb.values w
              WHERE w.tenant_id = $1 AND w.series_id = $2 AND w.span = k.span AND w.valid_from = k.valid_from
                AND w.run_id = k.run_id AND w.change_time = k.change_time AND w.part = k.part
              OFFSET 0) AS w))
          RETURNING 1";
    LEFT(Uuid, Uuid, i64) -> (i64,) =
        c"SELECT (SELECT count(*)
                  FROM (SELECT FROM timedb.values v WHERE v.tenant_id = $1 AND v.series_id = $2 LIMIT $3) AS v)
               + (SELECT count(*)
                  FROM (SELECT FROM timedb.packs p WHERE p.tenant_id = $1 AND p.series_id = $2 LIMIT $3) AS p)";
}

/// Takes a share of what is stored of a series out, while nobody packs; none where there is neither the series nor anything of
/// it.
pub fn series(tenant: Uuid, id: Uuid) -> Result<Option<Erased>> {
    let was_there = !DROP_SERIES.write((tenant, id))?.is_empty();
    let is_held = !was_there && !IS_SERIES.read_fresh((tenant, id))?.is_empty();
    if was_there {
        DROP_LABELS.run((tenant, id))?;
    }
    let is_no_longer_kept = !DROP_RETENTION.write((tenant, id))?.is_empty();
    let share = Share::find(tenant, id)?;
    if share.is_empty() && !was_there && !is_held && !is_no_longer_kept {
        return Ok(None);
    }
    let mut erased = share.take()?;
    erased.is_held |= is_held;
    erased.remaining = left(tenant, id)? + i64::from(is_held);
    Ok(Some(erased))
}

/// The same where nothing may be taken out.
pub fn look_at_series(tenant: Uuid, id: Uuid) -> Result<Option<Erased>> {
    let is_there = !IS_SERIES.read_fresh((tenant, id))?.is_empty();
    let left = left(tenant, id)?;
    let remaining = left + i64::from(is_there);
    Ok((remaining > 0).then_some(Erased {
        remaining,
        is_held: true,
        ..Erased::default()
    }))
}

fn left(tenant: Uuid, id: Uuid) -> Result<i64> {
    let left = LEFT.read_fresh((tenant, id, MOST_COUNTED))?.pop();
    Ok(left.map_or(0, |(left,)| left))
}

/// Rows and packs of a series, and what names them.
struct Share {
    tenant: Uuid,
    series: Uuid,
    rows: Vec<Row>,
    packs: PackKeys,
    versions: Vec<Vec<u8>>,
    runs: BTreeSet<Uuid>,
    values: usize,
}

struct Row {
    run: Uuid,
    change: Time,
    span: i16,
    valid_from: Time,
    part: i16,
    points: Vec<u8>,
}

impl Share {
    fn find(tenant: Uuid, series: Uuid) -> Result<Share> {
        let mut share = Share {
            tenant,
            series,
            rows: Vec::new(),
            packs: PackKeys::default(),
            versions: Vec::new(),
            runs: BTreeSet::new(),
            values: 0,
        };
        share.find_packs()?;
        share.find_rows()?;
        Ok(share)
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.versions.is_empty()
    }

    fn is_full(&self) -> bool {
        self.values >= VALUES_IN_A_SHARE || self.runs.len() >= RUNS_IN_A_SHARE
    }

    fn goes_on(&self) -> ControlFlow<()> {
        match self.is_full() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn find_packs(&mut self) -> Result<()> {
        let of = (self.tenant, self.series, PACKS_IN_A_SHARE);
        PACKS.stream_while(Snapshot::Fresh, of, |(span, valid_from, id, bytes)| {
            answer_cancel();
            let pack = Pack::read(&bytes).map_err(Error::PackStored)?;
            self.runs.extend(pack.versions().iter().map(|of| of.version.run));
            self.values += pack.versions().iter().map(|of| of.shape.len()).sum::<usize>();
            self.packs.push(self.series, span, valid_from, id);
            self.versions.push(bytes.to_vec());
            Ok(self.goes_on())
        })
    }

    fn find_rows(&mut self) -> Result<()> {
        if self.is_full() {
            return Ok(());
        }
        let of = (self.tenant, self.series, ROWS_IN_A_SHARE);
        ROWS.stream_while(Snapshot::Fresh, of, |(run, change, span, valid_from, part, points)| {
            self.values += Points::read(&points).map_err(Error::PointsStored)?.len();
            self.runs.insert(run);
            self.rows.push(Row {
                run,
                change,
                span,
                valid_from,
                part,
                points: points.to_vec(),
            });
            Ok(self.goes_on())
        })
    }

    /// What is of runs that other transactions hold stays.
    fn take(&self) -> Result<Erased> {
        let held = listing::hold(self.tenant, self.series, &self.runs)?;
        let mut erased = Erased {
            is_held: !held.busy.is_empty(),
            ..Erased::default()
        };
        let mut less = Less::default();
        self.take_packs(&held, &mut less, &mut erased)?;
        self.take_rows(&held, &mut less, &mut erased)?;
        less.say(self.tenant, self.series)?;
        Ok(erased)
    }

    fn take_packs(&self, held: &HeldRuns, less: &mut Less, erased: &mut Erased) -> Result<()> {
        let mut taken = PackKeys::default();
        for (place, bytes) in self.versions.iter().enumerate() {
            answer_cancel();
            let pack = Pack::read(bytes).map_err(Error::PackStored)?;
            let versions = pack.versions();
            if versions.iter().any(|of| held.busy.contains(&of.version.run)) {
                continue;
            }
            for of in versions {
                erased.add(1, of.shape.len());
                less.add(held, of.version.run, of.shape.keys());
            }
            let (span, valid_from) = (self.packs.spans[place], self.packs.valid_from[place]);
            taken.push(self.series, span, valid_from, self.packs.ids[place]);
        }
        taken.take(self.tenant)
    }

    fn take_rows(&self, held: &HeldRuns, less: &mut Less, erased: &mut Erased) -> Result<()> {
        let free = || self.rows.iter().filter(|row| !held.busy.contains(&row.run));
        for row in free() {
            let shape = Points::read(&row.points).map_err(Error::PointsStored)?.shape();
            erased.add(1, shape.len());
            less.add(held, row.run, shape.keys());
        }
        let runs: Vec<Uuid> = free().map(|row| row.run).collect();
        let named = (
            self.tenant,
            self.series,
            &runs[..],
            &free().map(|row| row.change).collect::<Vec<_>>()[..],
            &free().map(|row| row.span).collect::<Vec<_>>()[..],
            &free().map(|row| row.valid_from).collect::<Vec<_>>()[..],
            &free().map(|row| row.part).collect::<Vec<_>>()[..],
        );
        match TAKE_ROWS.write(named)?.len() == runs.len() {
            true => Ok(()),
            false => Err(Error::DeletedMeanwhile),
        }
    }
}
