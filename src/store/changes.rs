//! What was written between two moments, of whichever series: versions, whole, found by when they were written, wherever they are
//! stored by now.

use super::version::{Columns, Row, version, version_columns};
use crate::error::{Error, Result, SPLIT};
use crate::pg::cancel::answer_cancel;
use crate::pg::clock::{AHEAD, told_by};
use crate::pg::statement::{Snapshot, sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::Then;
use crate::pg::varlena::{Bytes, PackBytes};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use timedb_core::limits::MOST_CHANGED_VALUES;
use timedb_core::listing::Listing;
use timedb_core::pack::Pack;
use timedb_core::points::peek;
use timedb_core::time::Time;
use timedb_core::version::{Remarks, Version};
use uuid::Uuid;

statements! {
    /// In the order of an index: whoever has enough stops early. The index has rows of no negative part, which no other
    /// statement says: so no other has its plan made by it.
    WRITTEN_ROWS(Uuid, Timestamptz, Timestamptz) -> Then<(Uuid,), Columns<'static>> =
        sql!("SELECT v.series_id, ", version_columns!(), "
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.change_time > $2 AND v.change_time <= $3 AND v.part >= 0
          ORDER BY v.change_time");
    /// Uploads, whose ids tell when they were written, and which list what they have written.
    WRITTEN_RUNS(Uuid, Timestamptz, Timestamptz, Uuid, Uuid) -> (Uuid, Time, Bytes) =
        c"SELECT r.run_id, r.inserted_at, r.listed
          FROM timedb.runs r
          WHERE r.tenant_id = $1 AND r.run_id >= $4 AND r.run_id <= $5 AND r.inserted_at > $2 AND r.inserted_at <= $3
            AND r.listed IS NOT NULL
          ORDER BY r.run_id";
    /// Those of them that are not packed.
    LISTED_ROWS(Uuid, &[Uuid], &[Time], &[Uuid], &[i16], &[i16], &[Time]) -> Then<(Uuid,), Columns<'static>> =
        sql!("SELECT l.series_id, ", version_columns!(), "
          FROM (SELECT unnest($2) AS run_id, unnest($3) AS change_time, unnest($4) AS series_id, unnest($5) AS span,
                       unnest($6) AS part, unnest($7) AS valid_from) AS l
          CROSS JOIN LATERAL (
            SELECT ", version_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = l.series_id AND v.span = l.span AND v.valid_from = l.valid_from
              AND v.run_id = l.run_id AND v.change_time = l.change_time AND v.part = l.part
            OFFSET 0) AS v");
    /// Those of a database of 0.1.0 do not say when they were last written to. That was before they were packed, which their ids
    /// tell.
    WRITTEN_PACKS(Uuid, Timestamptz, Timestamptz, Uuid) -> (Uuid, Time, PackBytes) =
        c"SELECT p.series_id, p.first_change, p.versions
          FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.last_change > $2 AND p.last_change > '-infinity' AND p.first_change <= $3
            AND (p.last_change < 'infinity' OR p.pack_id >= $4)
          ORDER BY p.first_change";
}

/// A version of one series, with its points as a row of values has them.
pub struct Written {
    pub series: Uuid,
    pub version: Version,
    pub points: Vec<u8>,
}

/// What is looked for: after a moment, and up to another.
#[derive(Clone, Copy)]
pub struct Between {
    pub tenant: Uuid,
    pub after: Time,
    pub until: Time,
    /// Of as many values as these no more is taken: but all that was written at one moment.
    pub most_values: Option<usize>,
}

impl Between {
    /// In no particular order; of series that are kept.
    pub fn written(&self, keeps: impl Fn(&Uuid) -> bool) -> Result<Vec<Written>> {
        let mut found = Found::of(self);
        let (after, until) = (Timestamptz::from(self.after), Timestamptz::from(self.until));
        let earliest = made_at(self.after, -DAY);
        let packs = (self.tenant, after, until, earliest);
        WRITTEN_PACKS.stream_while(Snapshot::Callers, packs, |(series, first_change, pack)| {
            if found.is_past(first_change) {
                return Ok(ControlFlow::Break(()));
            }
            if keeps(&series) {
                found.add_pack(series, &pack)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        WRITTEN_ROWS.stream_while(
            Snapshot::Callers,
            (self.tenant, after, until),
            |Then((series,), row)| {
                let (_, _, change, ..) = &row;
                if found.is_past(*change) {
                    return Ok(ControlFlow::Break(()));
                }
                if keeps(&series) {
                    found.add_row(series, row)?;
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        let mut pending = Pending::default();
        let runs = (
            self.tenant,
            after,
            until,
            made_at(self.after, -SECOND),
            // The least of the millisecond after, so that no id of the last one is later.
            made_at(self.until, AHEAD + 1000),
        );
        WRITTEN_RUNS.stream_while(Snapshot::Callers, runs, |(run, change, listed)| {
            // The order of ids is that of change times but for how far an id may be ahead.
            if found.are_past(run) {
                return Ok(ControlFlow::Break(()));
            }
            if !found.is_past(change) {
                pending.add(run, change, &listed, &keeps)?;
            }
            if pending.runs.len() >= LISTED_AT_ONCE {
                found.add_listed(&std::mem::take(&mut pending))?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        found.add_listed(&pending)?;
        found.forget_what_is_past();
        Ok(found.written)
    }
}

const SECOND: i64 = 1_000_000;
/// For packs that were made in a session from before the clock was set back.
const DAY: i64 = 86_400 * SECOND;

/// The least id that is made so long after a moment.
fn made_at(moment: Time, later: i64) -> Uuid {
    let millis = (moment.micros_since_1970().saturating_add(later) / 1000).clamp(0, (1 << 48) - 1);
    Uuid::from_u128((millis as u128) << 80)
}

/// Rows that runs list, and that are still to be fetched: of each its run, when it was written, and what else names it.
#[derive(Default)]
struct Pending {
    runs: Vec<Uuid>,
    changes: Vec<Time>,
    rows: Listing,
}

/// So many are fetched together, be they of one run or of many.
const LISTED_AT_ONCE: usize = 1000;

impl Pending {
    fn add(&mut self, run: Uuid, change: Time, listed: &[u8], keeps: impl Fn(&Uuid) -> bool) -> Result<()> {
        let listing = Listing::read(listed).map_err(Error::ListingStored)?;
        for (place, series) in listing.series.iter().enumerate().filter(|(_, series)| keeps(series)) {
            self.runs.push(run);
            self.changes.push(change);
            self.rows.series.push(*series);
            self.rows.spans.push(listing.spans[place]);
            self.rows.parts.push(listing.parts[place]);
            self.rows.valid_from.push(listing.valid_from[place]);
        }
        Ok(())
    }
}

/// What has been found so far.
struct Found<'b> {
    between: &'b Between,
    written: Vec<Written>,
    /// How many values were written at each moment, the first ones that are enough; and all together.
    values: BTreeMap<Time, usize>,
    count: usize,
    remarks: Remarks,
}

impl Found<'_> {
    fn of(between: &Between) -> Found<'_> {
        Found {
            between,
            written: Vec::new(),
            values: BTreeMap::new(),
            count: 0,
            remarks: Remarks::default(),
        }
    }

    /// Whether enough was written before that moment.
    fn is_past(&self, change: Time) -> bool {
        self.is_enough() && self.values.last_key_value().is_some_and(|(last, _)| change > *last)
    }

    /// Whether enough was written before whatever has this id or a later one.
    fn are_past(&self, id: Uuid) -> bool {
        let last = self.values.last_key_value();
        last.is_some_and(|(last, _)| self.is_enough() && told_by(id) - AHEAD > last.micros_since_1970())
    }

    fn is_enough(&self) -> bool {
        self.between.most_values.is_some_and(|most| self.count >= most)
    }

    fn add_row(&mut self, series: Uuid, row: Row<'_>) -> Result<()> {
        let (version, points) = version(row, &mut self.remarks);
        let (values, _) = peek(&points).map_err(Error::PointsStored)?;
        let points = points.to_vec();
        self.add(
            values,
            Written {
                series,
                version,
                points,
            },
        )
    }

    fn add_listed(&mut self, pending: &Pending) -> Result<()> {
        answer_cancel();
        let Pending { runs, changes, rows } = pending;
        let rows = (
            self.between.tenant,
            &runs[..],
            &changes[..],
            &rows.series[..],
            &rows.spans[..],
            &rows.parts[..],
            &rows.valid_from[..],
        );
        LISTED_ROWS.stream(rows, |Then((series,), row)| self.add_row(series, row))
    }

    /// A pack holds versions of many moments; its values are decoded once one of them is looked for.
    fn add_pack(&mut self, series: Uuid, bytes: &[u8]) -> Result<()> {
        answer_cancel();
        let pack = Pack::read(bytes).map_err(Error::PackStored)?;
        let mut values = Vec::new();
        let mut is_decoded = false;
        for (number, of) in pack.versions().iter().enumerate() {
            let change = of.version.change;
            if change <= self.between.after || change > self.between.until || self.is_past(change) {
                continue;
            }
            if !std::mem::replace(&mut is_decoded, true) {
                pack.decode_values(&mut values).map_err(Error::PackStored)?;
            }
            let points = pack.points(number, &values);
            let remark = &of.version.remark;
            let tags = remark.tags.as_ref().map(|tags| tags.iter().map(String::as_str));
            let version = Version {
                remark: self.remarks.keep(&remark.by, remark.annotation.as_deref(), tags),
                ..of.version.clone()
            };
            self.add(
                of.shape.len(),
                Written {
                    series,
                    version,
                    points,
                },
            )?;
        }
        self.forget_what_is_past();
        Ok(())
    }

    fn add(&mut self, values: usize, written: Written) -> Result<()> {
        *self.values.entry(written.version.change).or_default() += values;
        self.count += values;
        self.written.push(written);
        let most = self.between.most_values.unwrap_or(usize::MAX);
        while let Some(last) = self.values.last_entry()
            && self.count - last.get() >= most
        {
            self.count -= last.remove();
        }
        if self.count > MOST_CHANGED_VALUES {
            return Err(Error::TooLarge {
                argument: "max_rows",
                reason: format!("is needed: more than {MOST_CHANGED_VALUES} values were written in between"),
                hint: SPLIT,
            });
        }
        Ok(())
    }

    fn forget_what_is_past(&mut self) {
        let mut written = std::mem::take(&mut self.written);
        written.retain(|one| !self.is_past(one.version.change));
        self.written = written;
    }
}
