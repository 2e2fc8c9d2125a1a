//! What is stored around the newest value of each of some series, found without their history: of each class of spans the last
//! vector that begins before an end says how late at least the newest value is, and only what reaches so far is fetched.

use super::fetch::{MOST_SERIES, Reached, Rows};
use super::scan::{Stored, Windows};
use super::spans;
use super::version::version_columns;
use crate::error::Result;
use crate::pg::statement::{Snapshot, sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::Then;
use crate::pg::varlena::PackBytes;
use std::collections::VecDeque;
use timedb_core::merge::Window;
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    /// Of each class that a series has packs of, between the first and the last.
    LAST_PACKS(Uuid, &[Uuid], &[i16], Timestamptz) -> (i32, i16, Time, Time) =
        c"SELECT c.place, c.span, p.valid_from, p.valid_to
          FROM (SELECT s.place, s.series_id, e.first, e.last, unnest($3) AS span
                FROM (SELECT unnest($2) AS series_id, generate_subscripts($2, 1) AS place) AS s
                CROSS JOIN LATERAL (
                  SELECT p.span AS first, (SELECT q.span
                    FROM timedb.packs q
                    WHERE q.tenant_id = $1 AND q.series_id = s.series_id
                    ORDER BY q.span DESC
                    LIMIT 1) AS last
                  FROM timedb.packs p
                  WHERE p.tenant_id = $1 AND p.series_id = s.series_id
                  ORDER BY p.span
                  LIMIT 1) AS e) AS c
          CROSS JOIN LATERAL (
            SELECT p.valid_from, p.valid_to
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = c.series_id AND p.span = c.span AND p.valid_from < $4
            ORDER BY p.valid_from DESC
            LIMIT 1) AS p
          WHERE c.span BETWEEN c.first AND c.last";
    /// Of each class of each series, from where on it matters: what compact has moved, and nobody has vacuumed yet, lies before
    /// what the packs have said already.
    LAST_ROWS(Uuid, &[i32], &[Uuid], &[i16], &[Timestamptz], Timestamptz) -> (i32, i16, Time, Time) =
        c"SELECT c.place, c.span, v.valid_from, v.valid_to
          FROM (SELECT unnest($2) AS place, unnest($3) AS series_id, unnest($4) AS span, unnest($5) AS earliest) AS c
          CROSS JOIN LATERAL (
            SELECT v.valid_from, v.valid_to
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = c.series_id AND v.span = c.span AND v.valid_from >= c.earliest
              AND v.valid_from < $6
            ORDER BY v.valid_from DESC
            LIMIT 1) AS v";
    REACHING_PACKS(Uuid, &[i32], &[Uuid], &[i16], &[Timestamptz], Timestamptz, &[Timestamptz]) -> (i32, PackBytes, i64) =
        c"SELECT c.place, p.versions, p.point_count
          FROM (SELECT unnest($2) AS place, unnest($3) AS series_id, unnest($4) AS span, unnest($5) AS earliest,
                       unnest($7) AS start) AS c
          CROSS JOIN LATERAL (
            SELECT p.versions, p.point_count::int8 AS point_count
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = c.series_id AND p.span = c.span AND p.valid_from >= c.earliest
              AND p.valid_from < $6 AND p.valid_to >= c.start
            OFFSET 0) AS p";
    REACHING_ROWS(Uuid, &[i32], &[Uuid], &[i16], &[Timestamptz], Timestamptz, &[Timestamptz]) -> Rows =
        sql!("SELECT c.place, ", version_columns!(), "
          FROM (SELECT unnest($2) AS place, unnest($3) AS series_id, unnest($4) AS span, unnest($5) AS earliest,
                       unnest($7) AS start) AS c
          CROSS JOIN LATERAL (
            SELECT ", version_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = c.series_id AND v.span = c.span AND v.valid_from >= c.earliest
              AND v.valid_from < $6 AND v.valid_to >= c.start
            OFFSET 0) AS v");
}

/// What the last vector of a class that begins before the end says: that there is a value so late.
struct Last {
    place: usize,
    span: i16,
    reached: Time,
}

/// Scans, each of a class of a series.
#[derive(Default)]
struct Scans {
    places: Vec<i32>,
    series: Vec<Uuid>,
    spans: Vec<i16>,
    earliest: Vec<Timestamptz>,
    starts: Vec<Timestamptz>,
}

impl Scans {
    /// What reaches a time, of classes of the series at a place; from its first on where there is no time.
    fn add(&mut self, place: usize, series: Uuid, start: Option<Time>, of: impl Fn(i16) -> bool) {
        for (span, earliest) in spans::scans(start) {
            if of(span) {
                self.places.push(place as i32 + 1);
                self.series.push(series);
                self.spans.push(span);
                self.earliest.push(earliest);
                self.starts.push(Timestamptz::lower_bound(start));
            }
        }
    }
}

/// What is stored of one series from a time on that its newest value is not before, until the end.
pub struct Newest {
    pub stored: Stored,
    pub windows: Windows,
}

/// Series that are looked at one after the other, fetched in groups.
pub struct Groups {
    series: Vec<Uuid>,
    /// As late as values may be: before this.
    end: Option<Time>,
    reached: usize,
    fetched: VecDeque<Newest>,
}

impl Groups {
    pub fn of(series: Vec<Uuid>, end: Option<Time>) -> Groups {
        Groups {
            series,
            end,
            reached: 0,
            fetched: VecDeque::new(),
        }
    }

    /// Of the next series; none after the last.
    pub fn next(&mut self, tenant: Uuid) -> Result<Option<Newest>> {
        let rest = &self.series[self.reached..];
        if self.fetched.is_empty() && !rest.is_empty() {
            self.fetched = newest(tenant, &rest[..MOST_SERIES.min(rest.len())], self.end, 0)?.into();
            self.reached += self.fetched.len();
        }
        Ok(self.fetched.pop_front())
    }
}

impl Newest {
    /// Whether there is anything: then there is a value, unless it is withdrawn.
    pub fn is_empty(&self) -> bool {
        self.stored.rows.is_empty() && self.stored.packs.is_empty()
    }

    /// What is stored of the series before these windows, from a time on that lies so many microseconds before its newest value
    /// there; none where they reach back to the first.
    pub fn before(tenant: Uuid, series: Uuid, windows: &Windows, back: i64) -> Result<Option<Newest>> {
        match windows.valid.start {
            Some(start) => Ok(newest(tenant, &[series], Some(start), back)?.pop()),
            None => Ok(None),
        }
    }
}

/// Of some series, in their order: of the first, and of as many more as are not much together. From so many microseconds before
/// the newest value of each on.
fn newest(tenant: Uuid, series: &[Uuid], end: Option<Time>, back: i64) -> Result<Vec<Newest>> {
    let packs = last_packs(tenant, series, end)?;
    let mut starts = vec![None; series.len()];
    reach(&mut starts, &packs);
    let rows = last_rows(tenant, series, &earlier(&starts, back), end)?;
    reach(&mut starts, &rows);
    let starts = earlier(&starts, back);
    let windows: Vec<Windows> = starts.iter().map(|start| from(*start, end)).collect();
    let mut stored: Vec<Stored> = series.iter().map(|_| Stored::nothing_yet()).collect();
    fetch_packs(tenant, series, &packs, &windows, &mut stored)?;
    fetch_rows(tenant, series, &rows, &windows, &mut stored)?;
    let newest = stored.into_iter().zip(windows);
    Ok(newest.map(|(stored, windows)| Newest { stored, windows }).collect())
}

fn from(start: Option<Time>, end: Option<Time>) -> Windows {
    Windows {
        valid: Window { start, end },
        ..Windows::default()
    }
}

fn earlier(starts: &[Option<Time>], back: i64) -> Vec<Option<Time>> {
    let earlier = starts
        .iter()
        .map(|start| Time::from_micros(start.as_ref()?.micros().saturating_sub(back)));
    earlier.collect()
}

fn reach(starts: &mut [Option<Time>], lasts: &[Last]) {
    for last in lasts {
        starts[last.place] = starts[last.place].max(Some(last.reached));
    }
}

/// One that ends before the end has its last value there; another one has at least its first.
fn last(found: (i32, i16, Time, Time), end: Option<Time>) -> Last {
    let (place, span, first, last) = found;
    Last {
        place: place as usize - 1,
        span,
        reached: if end.is_none_or(|end| last < end) { last } else { first },
    }
}

fn last_packs(tenant: Uuid, series: &[Uuid], end: Option<Time>) -> Result<Vec<Last>> {
    let (classes, _): (Vec<i16>, Vec<_>) = spans::scans(None).into_iter().unzip();
    let found = LAST_PACKS.read((tenant, series, &classes, Timestamptz::upper_bound(end)))?;
    Ok(found.into_iter().map(|found| last(found, end)).collect())
}

fn last_rows(tenant: Uuid, series: &[Uuid], starts: &[Option<Time>], end: Option<Time>) -> Result<Vec<Last>> {
    let mut scans = Scans::default();
    for (place, series) in series.iter().enumerate() {
        scans.add(place, *series, starts[place], |_| true);
    }
    let of = (&*scans.places, &*scans.series, &*scans.spans, &*scans.earliest);
    let found = LAST_ROWS.read((tenant, of.0, of.1, of.2, of.3, Timestamptz::upper_bound(end)))?;
    Ok(found.into_iter().map(|found| last(found, end)).collect())
}

/// The scans of what reaches into the windows, of the classes that anything was found of.
fn scans(series: &[Uuid], lasts: &[Last], windows: &[Windows]) -> Scans {
    let mut classes = vec![0u32; series.len()];
    lasts.iter().for_each(|last| classes[last.place] |= 1 << last.span);
    let mut scans = Scans::default();
    for (place, series) in series.iter().enumerate() {
        scans.add(place, *series, windows[place].valid.start, |span| {
            classes[place] & 1 << span != 0
        });
    }
    scans
}

fn fetch_packs(
    tenant: Uuid,
    series: &[Uuid],
    packs: &[Last],
    windows: &[Windows],
    stored: &mut Vec<Stored>,
) -> Result<()> {
    let scans = scans(series, packs, windows);
    let Some(valid) = windows.first().map(|windows| windows.valid) else {
        return Ok(());
    };
    let mut reached = Reached::default();
    REACHING_PACKS.stream_while(
        Snapshot::Callers,
        (
            tenant,
            &scans.places,
            &scans.series,
            &scans.spans,
            &scans.earliest,
            Timestamptz::upper_bound(valid.end),
            &scans.starts,
        ),
        |(place, pack, points)| {
            reached.add(place, stored, |stored| {
                stored.add_pack(&pack, points, &windows[place as usize - 1])
            })
        },
    )
}

fn fetch_rows(
    tenant: Uuid,
    series: &[Uuid],
    rows: &[Last],
    windows: &[Windows],
    stored: &mut Vec<Stored>,
) -> Result<()> {
    let kept = stored.len();
    let scans = scans(&series[..kept], rows, windows);
    let Some(valid) = windows.first().map(|windows| windows.valid) else {
        return Ok(());
    };
    let mut reached = Reached::default();
    REACHING_ROWS.stream_while(
        Snapshot::Callers,
        (
            tenant,
            &scans.places,
            &scans.series,
            &scans.spans,
            &scans.earliest,
            Timestamptz::upper_bound(valid.end),
            &scans.starts,
        ),
        |Then((place,), row)| {
            reached.add(place, stored, |stored| {
                stored.add_row(row, &windows[place as usize - 1])
            })
        },
    )
}
