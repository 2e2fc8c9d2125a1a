//! The statements that fetch what is stored of series in some windows: one execution for several series, in their order.
//!
//! An execution costs as much as some scans of an index do, so that small series are fetched together; what is held at most
//! stays that of one of them, and a bound.

use super::scan::{Stored, Windows};
use super::spans;
use super::version::{Columns, version_columns};
use crate::error::{Error, Result};
use crate::pg::snapshot::Latest;
use crate::pg::statement::{Snapshot, Statement, sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::{BindAll, Then};
use crate::pg::varlena::PackBytes;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use timedb_core::merge::Window;
use timedb_core::time::Time;
use uuid::Uuid;

/// Past so much, nothing more is fetched beside what is held.
const MUCH_VALUES: usize = 1 << 16;
const MUCH_BYTES: usize = 4 << 20;
/// Series that are fetched together.
pub(super) const MOST_SERIES: usize = 256;

/// The series in their order, each with its place from 1. What is fetched of them comes so too: LATERAL makes a sub-select
/// the inner side of a loop, and OFFSET 0 keeps it one, whatever statistics say.
macro_rules! series {
    () => {
        "(SELECT unnest($2) AS series_id, generate_subscripts($2, 1) AS place) AS s"
    };
}

/// What reaches into a window of packs, by series, classes and which of them there are.
macro_rules! packs {
    ($($of:expr),+) => {
        sql!("SELECT c.place, p.versions, p.point_count
          FROM (", $($of),+, ") AS c
          CROSS JOIN LATERAL (
            SELECT p.versions, p.point_count::int8 AS point_count
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = c.series_id AND p.span = c.span AND p.valid_from >= c.earliest
              AND p.valid_from < $3 AND p.valid_to >= $9
              AND p.last_known >= $4 AND p.first_known < $5 AND p.first_known <= $6 AND p.first_change <= $6
            OFFSET 0) AS p
          WHERE c.span BETWEEN c.first AND c.last")
    };
}

/// Rows begin mostly near the time at which they were known; those that begin more than two days before or after it have
/// an index. In microseconds.
const NEAR: i64 = 2 * 86_400_000_000;

/// A series' place, and a row of it.
pub(super) type Rows = Then<(i32,), Columns<'static>>;

statements! {
    /// All that is stored of series that starts before an end.
    HISTORY(
        Uuid, &[Uuid], Timestamptz, Timestamptz, Timestamptz, Timestamptz, &[i16], &[Timestamptz], Timestamptz
    ) -> Rows =
        sql!("SELECT s.place, ", version_columns!(), "
          FROM ", series!(), "
          CROSS JOIN LATERAL (
            SELECT ", version_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = s.series_id AND v.valid_from < $3
              AND v.known_time >= $4 AND v.known_time < $5 AND v.known_time <= $6 AND v.change_time <= $6
            OFFSET 0) AS v");
    /// What of them reaches into a window: a short index scan for each class of spans.
    WINDOW(
        Uuid, &[Uuid], Timestamptz, Timestamptz, Timestamptz, Timestamptz, &[i16], &[Timestamptz], Timestamptz
    ) -> Rows =
        sql!("SELECT c.place, ", version_columns!(), "
          FROM (SELECT s.place, s.series_id, unnest($7) AS span, unnest($8) AS earliest FROM ", series!(), ") AS c
          CROSS JOIN LATERAL (
            SELECT ", version_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = c.series_id AND v.span = c.span AND v.valid_from >= c.earliest
              AND v.valid_from < $3 AND v.valid_to >= $9
              AND v.known_time >= $4 AND v.known_time < $5 AND v.known_time <= $6 AND v.change_time <= $6
            OFFSET 0) AS v");
    /// What of them was known in a window, and begins so long before or after that no scan around the window finds it: one scan
    /// of the index of such rows, whose condition stands here word for word. IS TRUE keeps valid times from other indexes.
    FAR(
        Uuid, &[Uuid], Timestamptz, Timestamptz, Timestamptz, Timestamptz, Timestamptz, Timestamptz, Timestamptz
    ) -> Rows =
        sql!("SELECT s.place, ", version_columns!(), "
          FROM ", series!(), "
          CROSS JOIN LATERAL (
            SELECT ", version_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = s.series_id
              AND v.known_time >= $4 AND v.known_time < $5 AND v.known_time <= $6 AND v.change_time <= $6
              AND v.valid_from - v.known_time NOT BETWEEN interval '-2 days' AND interval '2 days'
              AND (v.valid_from < $3 AND v.valid_to >= $7 AND NOT (v.valid_from >= $8 AND v.valid_from < $9)) IS TRUE
            OFFSET 0) AS v");
    /// Packs of them: of a series that has any, as many scans as there are classes between the first and the last that it has
    /// packs of. Of rows that is not asked: after compact, it would look at all that were moved until they are vacuumed.
    PACKS(
        Uuid, &[Uuid], Timestamptz, Timestamptz, Timestamptz, Timestamptz, &[i16], &[Timestamptz], Timestamptz
    ) -> (i32, PackBytes, i64) =
        packs!("SELECT s.place, s.series_id, e.first, e.last, unnest($7) AS span, unnest($8) AS earliest
                FROM ", series!(), "
                CROSS JOIN LATERAL (
                  SELECT p.span AS first, (SELECT q.span
                    FROM timedb.packs q
                    WHERE q.tenant_id = $1 AND q.series_id = s.series_id
                    ORDER BY q.span DESC
                    LIMIT 1) AS last
                  FROM timedb.packs p
                  WHERE p.tenant_id = $1 AND p.series_id = s.series_id
                  ORDER BY p.span
                  LIMIT 1) AS e");
    /// Of one series: to begin those two scans costs more than they save.
    PACKS_OF_ONE(
        Uuid, &[Uuid], Timestamptz, Timestamptz, Timestamptz, Timestamptz, &[i16], &[Timestamptz], Timestamptz
    ) -> (i32, PackBytes, i64) =
        packs!("SELECT s.place, s.series_id, 0 AS first, 32767 AS last, unnest($7) AS span, unnest($8) AS earliest
                FROM ", series!());
}

impl Stored {
    /// What is stored of some series, in their order: of the first, and of as many more as are not much together. Every statement
    /// sees it with one snapshot: between two, what one has not found in packs could be moved from where the next looks for it.
    pub fn of_some(tenant: Uuid, series: &[Uuid], windows: &Windows) -> Result<Vec<Stored>> {
        let bounds = Bounds::of(windows);
        let mut stored: Vec<Stored> = series.iter().map(|_| Stored::nothing_yet()).collect();
        let mut reached = Reached::default();
        let packs = if series.len() == 1 { &PACKS_OF_ONE } else { &PACKS };
        packs.stream_while(
            Snapshot::Callers,
            bounds.given(tenant, series),
            |(place, pack, points)| reached.add(place, &mut stored, |stored| stored.add_pack(&pack, points, windows)),
        )?;
        if let Some(near) = near(windows) {
            let around = bounds.around(near);
            add_rows(
                &WINDOW,
                around.given(tenant, &series[..stored.len()]),
                windows,
                &mut stored,
            )?;
            add_rows(
                &FAR,
                bounds.far(near, tenant, &series[..stored.len()]),
                windows,
                &mut stored,
            )?;
        } else if windows.valid.start.is_none() {
            add_rows(
                &HISTORY,
                bounds.given(tenant, &series[..stored.len()]),
                windows,
                &mut stored,
            )?;
        } else {
            add_rows(
                &WINDOW,
                bounds.given(tenant, &series[..stored.len()]),
                windows,
                &mut stored,
            )?;
        }
        Ok(stored)
    }
}

fn add_rows<A: BindAll + 'static>(
    rows: &Statement<A, Rows>,
    given: A::Given<'_>,
    windows: &Windows,
    stored: &mut Vec<Stored>,
) -> Result<()> {
    let mut reached = Reached::default();
    rows.stream_while(Snapshot::Callers, given, |Then((place,), row)| {
        reached.add(place, stored, |stored| stored.add_row(row, windows))
    })
}

/// Where a row begins that was known in the window, unless it is one of those that have an index by known time; none where
/// the window of valid time says it better.
fn near(windows: &Windows) -> Option<(Timestamptz, Timestamptz)> {
    let Windows {
        valid, known, as_of, ..
    } = windows;
    let moment = as_of.map(|moment| moment.micros() + 1);
    let ends = [known.end.map(Time::micros), moment];
    let from = known.start?.micros() - NEAR;
    let to = ends.into_iter().flatten().min().map(|end| end + NEAR);
    let is_narrower = match (valid.start.map(Time::micros), valid.end.map(Time::micros)) {
        (None, _) => true,
        (Some(start), None) => to.is_some() || from >= start,
        (Some(start), Some(end)) => to.is_some_and(|to| to - from < end - start),
    };
    is_narrower.then(|| {
        (
            Timestamptz(from),
            to.map_or(Timestamptz::upper_bound(None), Timestamptz),
        )
    })
}

/// How far the series have been looked at, in their order, and what is held of those before.
#[derive(Default)]
pub(super) struct Reached {
    place: usize,
    values: usize,
    bytes: usize,
}

impl Reached {
    /// Adds to a series at a place from 1, unless what is held of those before is much: then it is the first to be left out.
    pub(super) fn add(
        &mut self,
        place: i32,
        stored: &mut Vec<Stored>,
        add: impl FnOnce(&mut Stored) -> Result<()>,
    ) -> Result<ControlFlow<()>> {
        let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
        let place = place.filter(|place| *place < stored.len());
        let place = place.ok_or_else(|| Error::Broken("a place that no series has".into()))?;
        if place > self.place {
            self.pass(&stored[self.place..place]);
            self.place = place;
            if self.values > MUCH_VALUES || self.bytes > MUCH_BYTES {
                stored.truncate(place);
                return Ok(ControlFlow::Break(()));
            }
        }
        add(&mut stored[place]).map(ControlFlow::Continue)
    }

    fn pass(&mut self, series: &[Stored]) {
        for (values, bytes) in series.iter().map(Stored::size) {
            self.values += values;
            self.bytes += bytes;
        }
    }
}

/// Series that are read one after the other, fetched in groups that grow: whoever stops early has fetched little.
pub struct Groups {
    series: Vec<Uuid>,
    /// How many of the series have been fetched, and those of them that have not been asked for.
    reached: usize,
    fetched: VecDeque<Stored>,
    asked: usize,
    is_by_now: bool,
}

impl Groups {
    /// As the caller's query sees them.
    pub fn of(series: Vec<Uuid>) -> Groups {
        Groups::new(series, false)
    }

    /// What is there by now: what somebody else has committed while this call waited.
    pub fn by_now(series: Vec<Uuid>) -> Groups {
        Groups::new(series, true)
    }

    fn new(series: Vec<Uuid>, is_by_now: bool) -> Groups {
        Groups {
            is_by_now,
            series,
            reached: 0,
            fetched: VecDeque::new(),
            asked: 0,
        }
    }

    /// What is stored of the next series; none after the last.
    pub fn next(&mut self, tenant: Uuid, windows: &Windows) -> Result<Option<Stored>> {
        let rest = &self.series[self.reached..];
        if self.fetched.is_empty() && !rest.is_empty() {
            self.asked = (2 * self.asked).clamp(1, MOST_SERIES);
            let latest = self.is_by_now.then(Latest::take);
            self.fetched = Stored::of_some(tenant, &rest[..self.asked.min(rest.len())], windows)?.into();
            drop(latest);
            self.reached += self.fetched.len();
        }
        Ok(self.fetched.pop_front())
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

/// The tenant, the series; the end of the window of valid time, the bounds of that of known time, the moment; the classes of
/// spans and where a scan of each begins; the start of the window of valid time.
type Given<'a> = (
    Uuid,
    &'a [Uuid],
    Timestamptz,
    Timestamptz,
    Timestamptz,
    Timestamptz,
    &'a [i16],
    &'a [Timestamptz],
    Timestamptz,
);

/// As [`Given`], with the window that has been looked at instead of the classes.
type Far<'a> = (
    Uuid,
    &'a [Uuid],
    Timestamptz,
    Timestamptz,
    Timestamptz,
    Timestamptz,
    Timestamptz,
    Timestamptz,
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

    /// The same for rows that begin in a window.
    fn around(&self, (from, to): (Timestamptz, Timestamptz)) -> Bounds {
        let (start, end) = self.valid;
        Bounds {
            valid: (start, end.min(to)),
            spans: self.spans.clone(),
            earliest: self.earliest.iter().map(|earliest| from.max(*earliest)).collect(),
            ..*self
        }
    }

    /// For rows that begin in no such window.
    fn far<'a>(&self, near: (Timestamptz, Timestamptz), tenant: Uuid, series: &'a [Uuid]) -> Far<'a> {
        let ((start, end), (from, to)) = (self.valid, self.known);
        (tenant, series, end, from, to, self.as_of, start, near.0, near.1)
    }

    fn given<'a>(&'a self, tenant: Uuid, series: &'a [Uuid]) -> Given<'a> {
        let ((start, end), (from, to)) = (self.valid, self.known);
        (
            tenant,
            series,
            end,
            from,
            to,
            self.as_of,
            &self.spans,
            &self.earliest,
            start,
        )
    }
}
