//! What is stored of one series in some windows: rows, and packs with versions in them. What is shown of it is decided by
//! `timedb_core::merge`.

use super::spans;
use super::version::{Columns, Row, version, version_columns};
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::varlena::PackBytes;
use std::ops::Range;
use timedb_core::held::Held;
use timedb_core::limits::MOST_READ_VALUES;
use timedb_core::merge::Window;
use timedb_core::pack::Pack;
use timedb_core::points::peek;
use timedb_core::time::Time;
use timedb_core::version::{Remarks, Shaped, Version};
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

/// A pack of which less than one part in so many is in the windows is not held for it.
const SPARSE: usize = 4;

/// What is stored of a series in the windows, none of it opened yet.
///
/// What is held at most is bounded by what is in the windows, as if nothing had ever been packed. A pack comes whole: the
/// bytes of those that nobody has looked into yet are bounded by how many values they hold, and of those that somebody has
/// by [`SPARSE`] times the values that are in the windows.
#[derive(Default)]
pub struct Stored {
    pub rows: Vec<(Version, Range<usize>)>,
    /// The points of all rows, one after the other: each row says where its own are.
    pub points: Vec<u8>,
    pub packs: Vec<Vec<u8>>,
    /// How many of the packs have been looked into, and how many values the others hold.
    sieved: usize,
    unsieved_values: usize,
    held: Held,
    remarks: Remarks,
}

impl Windows {
    /// Whether a version of a pack is in the windows; of rows the statement that fetches them asks.
    pub fn hold(&self, of: &Shaped) -> bool {
        self.know(&of.version) && self.valid.reaches(&of.shape)
    }

    fn know(&self, version: &Version) -> bool {
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
        let bounds = Bounds::of(windows);
        PACKS.stream(bounds.of_classes(tenant, series), |(pack, points)| {
            let values = usize::try_from(points).unwrap_or(usize::MAX);
            if self.unsieved_values.saturating_add(values) > MOST_READ_VALUES {
                self.sieve(windows)?;
            }
            self.unsieved_values = self.unsieved_values.saturating_add(values);
            self.packs.push(pack.to_vec());
            Ok(())
        })
    }

    /// Looks into the packs that nobody has looked into yet, and keeps of them what is in the windows.
    fn sieve(&mut self, windows: &Windows) -> Result<()> {
        for bytes in self.packs.split_off(self.sieved) {
            answer_cancel();
            let pack = Pack::read(&bytes).map_err(Error::PackStored)?;
            let (mut values, mut within) = (0, 0);
            for of in pack.versions() {
                values += of.shape.len();
                if windows.hold(of) {
                    within += of.shape.len();
                    self.held.add_version(of).map_err(Error::WindowTooWide)?;
                }
            }
            if within * SPARSE >= values {
                self.packs.push(bytes);
            } else if within > 0 {
                self.take_out(&pack, windows)?;
            }
        }
        self.sieved = self.packs.len();
        self.unsieved_values = 0;
        Ok(())
    }

    /// Holds the versions of a pack that are in the windows as the rows that they were packed from.
    fn take_out(&mut self, pack: &Pack, windows: &Windows) -> Result<()> {
        let mut values = Vec::new();
        pack.decode_values(&mut values).map_err(Error::PackStored)?;
        for (number, of) in pack.versions().iter().enumerate() {
            if windows.hold(of) {
                let remark = &of.version.remark;
                let tags = remark.tags.as_ref().map(|tags| tags.iter().map(String::as_str));
                let version = Version {
                    remark: self.remarks.keep(&remark.by, remark.annotation.as_deref(), tags),
                    ..of.version.clone()
                };
                self.add(version, &pack.points(number, &values))?;
            }
        }
        Ok(())
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
        let (version, points) = version(row, &mut self.remarks);
        let (values, first) = peek(&points).map_err(Error::PointsStored)?;
        let counted = self.held.add_values(values, version.known, first);
        counted.map_err(Error::WindowTooWide)?;
        self.add(version, &points)
    }

    fn add(&mut self, version: Version, points: &[u8]) -> Result<()> {
        self.held.add_row().map_err(Error::WindowTooWide)?;
        let from = self.points.len();
        self.points.extend_from_slice(points);
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
