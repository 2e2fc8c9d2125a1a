//! What is stored of one series in some windows: rows, and packs with versions in them. What is shown of it is decided by
//! `timedb_core::merge`.

use super::spans;
use super::version::{Columns, Row, version, version_columns};
use crate::error::{Error, Result};
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::varlena::PackBytes;
use std::ops::Range;
use timedb_core::limits::{MOST_READ_ROWS, MOST_READ_VALUES};
use timedb_core::merge::Window;
use timedb_core::time::Time;
use timedb_core::version::{Remarks, Version};
use uuid::Uuid;

statements! {
    /// All that is stored of a series that starts before an end.
    HISTORY(Uuid, Uuid, Timestamptz, Timestamptz, Timestamptz, Timestamptz) -> Columns<'static> =
        sql!("SELECT ", version_columns!(), "
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.valid_from < $3
            AND v.known_time >= $4 AND v.known_time < $5 AND v.known_time <= $6 AND v.change_time <= $6");
    /// What of it reaches into a window: a short index scan for each class of spans. The sub-select keeps the planner from
    /// turning the loops inside out.
    WINDOW(
        Uuid, Uuid, Timestamptz, Timestamptz, Timestamptz, Timestamptz, &[i16], &[Timestamptz], Timestamptz
    ) -> Columns<'static> =
        sql!("SELECT ", version_columns!(), "
          FROM (SELECT unnest($7) AS span, unnest($8) AS earliest) AS c
          CROSS JOIN LATERAL (
            SELECT ", version_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = c.span AND v.valid_from >= c.earliest
              AND v.valid_from < $3 AND v.valid_to >= $9
              AND v.known_time >= $4 AND v.known_time < $5 AND v.known_time <= $6 AND v.change_time <= $6
            OFFSET 0) v");
    PACKS(
        Uuid, Uuid, Timestamptz, Timestamptz, Timestamptz, Timestamptz, &[i16], &[Timestamptz], Timestamptz
    ) -> (PackBytes, i64) =
        c"SELECT p.versions, p.point_count
          FROM (SELECT unnest($7) AS span, unnest($8) AS earliest) AS c
          CROSS JOIN LATERAL (
            SELECT p.versions, p.point_count::int8 AS point_count
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.span = c.span AND p.valid_from >= c.earliest
              AND p.valid_from < $3 AND p.valid_to >= $9
              AND p.last_known >= $4 AND p.first_known < $5 AND p.first_known <= $6 AND p.first_change <= $6
            OFFSET 0) p";
}

/// What was to be known of which time, and when.
#[derive(Clone, Copy, Default)]
pub struct Windows {
    pub valid: Window,
    pub known: Window,
    pub as_of: Option<Time>,
}

/// What is stored of a series in the windows, none of it opened yet.
#[derive(Default)]
pub struct Stored {
    pub rows: Vec<(Version, Range<usize>)>,
    /// The points of all rows, one after the other: each row says where its own are.
    pub points: Vec<u8>,
    pub packs: Vec<Vec<u8>>,
    remarks: Remarks,
}

impl Windows {
    /// Whether a version of a pack is in the windows of knowledge; of rows the statement that fetches them asks.
    pub fn know(&self, version: &Version) -> bool {
        let known = &self.known;
        known.start.is_none_or(|start| start <= version.known)
            && known.end.is_none_or(|end| version.known < end)
            && self
                .as_of
                .is_none_or(|as_of| version.known <= as_of && version.change <= as_of)
    }
}

impl Stored {
    /// Looked at while it comes, so that what is held at most is bounded.
    pub fn of(tenant: Uuid, series: Uuid, windows: &Windows) -> Result<Stored> {
        let mut stored = Stored::default();
        stored.fetch_packs(tenant, series, windows)?;
        stored.fetch_rows(tenant, series, windows)?;
        Ok(stored)
    }

    fn fetch_packs(&mut self, tenant: Uuid, series: Uuid, windows: &Windows) -> Result<()> {
        let mut values = 0;
        let bounds = Bounds::of(windows);
        PACKS.stream(bounds.of_classes(tenant, series), |(pack, points)| {
            values += points;
            if values > MOST_READ_VALUES as i64 {
                return Err(Error::WindowTooWide(MOST_READ_VALUES));
            }
            self.packs.push(pack.to_vec());
            Ok(())
        })
    }

    fn fetch_rows(&mut self, tenant: Uuid, series: Uuid, windows: &Windows) -> Result<()> {
        let bounds = Bounds::of(windows);
        if windows.valid.start.is_none() {
            HISTORY.stream(bounds.of_all(tenant, series), |row| self.add_row(row))
        } else {
            WINDOW.stream(bounds.of_classes(tenant, series), |row| self.add_row(row))
        }
    }

    fn add_row(&mut self, row: Row<'_>) -> Result<()> {
        if self.rows.len() == MOST_READ_ROWS {
            return Err(Error::WindowTooWide(MOST_READ_ROWS));
        }
        let (version, points) = version(row, &mut self.remarks);
        let from = self.points.len();
        self.points.extend_from_slice(&points);
        self.rows.push((version, from..self.points.len()));
        Ok(())
    }
}

/// The windows as the statements take them. Open ends are infinite, so that every bound stays a plain comparison.
struct Bounds {
    valid: (Timestamptz, Timestamptz),
    known: (Timestamptz, Timestamptz),
    as_of: Timestamptz,
    spans: Vec<i16>,
    earliest: Vec<Timestamptz>,
}

type OfAll = (Uuid, Uuid, Timestamptz, Timestamptz, Timestamptz, Timestamptz);

type OfClasses<'a> = (
    Uuid,
    Uuid,
    Timestamptz,
    Timestamptz,
    Timestamptz,
    Timestamptz,
    &'a [i16],
    &'a [Timestamptz],
    Timestamptz,
);

impl Bounds {
    fn of(windows: &Windows) -> Bounds {
        let of_window = |window: &Window| {
            (
                Timestamptz::lower_bound(window.start),
                Timestamptz::upper_bound(window.end),
            )
        };
        let (spans, earliest) = spans::scans(windows.valid.start).into_iter().unzip();
        Bounds {
            valid: of_window(&windows.valid),
            known: of_window(&windows.known),
            as_of: Timestamptz::upper_bound(windows.as_of),
            spans,
            earliest,
        }
    }

    fn of_all(&self, tenant: Uuid, series: Uuid) -> OfAll {
        let (from, to) = self.known;
        (tenant, series, self.valid.1, from, to, self.as_of)
    }

    fn of_classes(&self, tenant: Uuid, series: Uuid) -> OfClasses<'_> {
        let (tenant, series, end, from, to, as_of) = self.of_all(tenant, series);
        let (spans, earliest) = (&self.spans, &self.earliest);
        (tenant, series, end, from, to, as_of, spans, earliest, self.valid.0)
    }
}
