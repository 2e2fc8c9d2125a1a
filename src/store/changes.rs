//! What was written between two moments, of whichever series: versions, whole, found by when they were written, wherever they are
//! stored by now.

use super::version::{Columns, Row, version, version_columns};
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::{Snapshot, sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::Then;
use crate::pg::varlena::PackBytes;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use timedb_core::limits::MOST_CHANGED_VALUES;
use timedb_core::pack::Pack;
use timedb_core::points::peek;
use timedb_core::time::Time;
use timedb_core::version::{Remarks, Version};
use uuid::Uuid;

statements! {
    /// In the order of an index: whoever has enough stops early. What is after minus infinity, as all is, is what no other statement
    /// says: so no other has its plan made by this index.
    WRITTEN_ROWS(Uuid, Timestamptz, Timestamptz) -> Then<(Uuid,), Columns<'static>> =
        sql!("SELECT v.series_id, ", version_columns!(), "
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.change_time > $2 AND v.change_time <= $3 AND v.change_time > '-infinity'
          ORDER BY v.change_time");
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
        let packs = (self.tenant, after, until, earliest_pack(self.after));
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
        found.forget_what_is_past();
        Ok(found.written)
    }
}

/// No pack with what was written after a moment has an id before this one; a day for a clock that was set back.
fn earliest_pack(after: Time) -> Uuid {
    const DAY: i64 = 86_400_000_000;
    let millis = (after.micros_since_1970().saturating_sub(DAY) / 1000).clamp(0, (1 << 48) - 1);
    Uuid::from_u128((millis as u128) << 80)
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
        let is_enough = self.between.most_values.is_some_and(|most| self.count >= most);
        is_enough && self.values.last_key_value().is_some_and(|(last, _)| change > *last)
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
