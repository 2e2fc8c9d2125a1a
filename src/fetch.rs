//! The stored versions of series, fetched series by series: rows of `timedb.values`, and versions that compact has put
//! into packs. What is shown of them is decided by `timedb_core::merge`.

use crate::cell::{self, Cell};
use crate::error::{Error, Result};
use crate::moment;
use crate::row::{Image, Row};
use crate::statement::{self, statements};
use std::collections::HashMap;
use std::ops::Range;
use timedb_core::merge::Window;
use timedb_core::span;
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    EVERY_SERIES(UUIDOID) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM timedb.series s
          WHERE s.tenant_id = $1
          ORDER BY s.series_key COLLATE \"C\", s.series_id";
    SOME_SERIES(UUIDOID, TEXTARRAYOID, UUIDARRAYOID) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM timedb.series s
          WHERE s.tenant_id = $1 AND (s.series_key = ANY ($2) OR s.series_id = ANY ($3))
          ORDER BY s.series_key COLLATE \"C\", s.series_id";
    /// All that is stored of a series that starts before an end.
    HISTORY(
        UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID
    ) = c"SELECT v.run_id, v.known_time, v.change_time, v.changed_by, v.annotation, v.tags, v.points
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.valid_from < $3
            AND v.known_time >= $4 AND v.known_time < $5 AND v.known_time <= $6 AND v.change_time <= $6";
    /// What of it reaches into a window: a short index scan for each class of spans. The sub-select keeps the planner from
    /// turning the loops inside out.
    WINDOW(
        UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT2ARRAYOID,
        TIMESTAMPTZARRAYOID, TIMESTAMPTZOID
    ) = c"SELECT v.run_id, v.known_time, v.change_time, v.changed_by, v.annotation, v.tags, v.points
          FROM (SELECT unnest($7) AS span, unnest($8) AS earliest) AS c
          CROSS JOIN LATERAL (
            SELECT v.run_id, v.known_time, v.change_time, v.changed_by, v.annotation, v.tags, v.points
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = c.span AND v.valid_from >= c.earliest
              AND v.valid_from < $3 AND v.valid_to >= $9
              AND v.known_time >= $4 AND v.known_time < $5 AND v.known_time <= $6 AND v.change_time <= $6
            OFFSET 0) v";
    PACKS(
        UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT2ARRAYOID,
        TIMESTAMPTZARRAYOID, TIMESTAMPTZOID
    ) = c"SELECT p.versions, p.point_count
          FROM (SELECT unnest($7) AS span, unnest($8) AS earliest) AS c
          CROSS JOIN LATERAL (
            SELECT p.versions, p.point_count::int8 AS point_count
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.span = c.span AND p.valid_from >= c.earliest
              AND p.valid_from < $3 AND p.valid_to >= $9
              AND p.last_known >= $4 AND p.first_known < $5 AND p.first_known <= $6 AND p.first_change <= $6
            OFFSET 0) p";
}

/// What is held of one series at most, looked at while it comes: a row takes half a kilobyte, however few its values.
const MOST_ROWS: usize = 5_000_000;
const MOST_PACKED_POINTS: i64 = 20_000_000;

/// Which series: all of them, or those of some keys and those of some ids.
#[derive(Clone, Copy)]
pub struct Which {
    pub keys: Cell,
    pub ids: Cell,
}

/// What was to be known of which time, and when.
#[derive(Clone, Copy, Default)]
pub struct Windows {
    pub valid: Window,
    pub known: Window,
    pub as_of: Option<Time>,
}

/// A series, by what a read says of it.
pub struct Series {
    pub id: Uuid,
    pub key: Image,
    pub unit: Image,
}

/// A series, and what is stored of it in the windows.
pub struct Fetched {
    pub series: Series,
    pub rows: Vec<StoredRow>,
    /// What is said beside the rows: authors, annotations, tags; each text once.
    pub texts: Texts,
    /// The points of all rows, one after the other.
    pub points: Vec<u8>,
    pub packs: Vec<Vec<u8>>,
}

/// A row of values: one version.
pub struct StoredRow {
    pub run: Uuid,
    pub known: Time,
    pub change: Time,
    pub remark: Remark,
    /// Where its points are.
    pub points: Range<usize>,
}

/// What is stored beside points.
#[derive(Clone, Copy, PartialEq)]
pub struct Remark {
    pub changed_by: TextNumber,
    pub annotation: Option<TextNumber>,
    pub tags: Option<TextNumber>,
}

/// Where a text stands among the [`Texts`] of a series.
pub type TextNumber = u32;

/// Column images, each kept once: rows after rows are by the same author.
#[derive(Default)]
pub struct Texts {
    images: Vec<Image>,
    numbers: HashMap<Vec<u8>, TextNumber>,
    last: TextNumber,
}

/// Hands over one series after the other, ordered by key and id; those of which nothing is stored in the windows as well.
pub fn each_series(
    tenant: Uuid,
    which: Which,
    windows: &Windows,
    mut each: impl FnMut(Fetched) -> Result<()>,
) -> Result<()> {
    for mut fetched in find_series(tenant, which)? {
        fetched.fill(tenant, windows)?;
        each(fetched)?;
    }
    Ok(())
}

fn find_series(tenant: Uuid, which: Which) -> Result<Vec<Fetched>> {
    let read = |row: &Row| Fetched::of(row).ok_or_else(|| broken_row().into());
    let tenant = cell::uuid(tenant);
    if which.keys.is_none() && which.ids.is_none() {
        statement::read(&EVERY_SERIES, &[tenant], read)
    } else {
        statement::read(&SOME_SERIES, &[tenant, which.keys, which.ids], read)
    }
}

/// Open ends of windows are infinite, so that every bound stays a plain comparison.
fn arguments(tenant: Uuid, series: Uuid, windows: &Windows) -> [Cell; 9] {
    let earliest = span::earliest_starts(windows.valid.start).map(moment::lower_bound);
    [
        cell::uuid(tenant),
        cell::uuid(series),
        cell::micros(moment::upper_bound(windows.valid.end)),
        cell::micros(moment::lower_bound(windows.known.start)),
        cell::micros(moment::upper_bound(windows.known.end)),
        cell::micros(moment::upper_bound(windows.as_of)),
        cell::smallints(&span::classes()),
        cell::all_micros(&earliest),
        cell::micros(moment::lower_bound(windows.valid.start)),
    ]
}

fn broken_row() -> Error {
    Error::Broken("a stored row without its columns".into())
}

impl Fetched {
    fn of(row: &Row) -> Option<Fetched> {
        Some(Fetched {
            series: Series {
                id: row.uuid(1)?,
                key: row.image(2)?,
                unit: row.image(3)?,
            },
            rows: Vec::new(),
            texts: Texts::default(),
            points: Vec::new(),
            packs: Vec::new(),
        })
    }

    fn fill(&mut self, tenant: Uuid, windows: &Windows) -> Result<()> {
        let arguments = arguments(tenant, self.series.id, windows);
        let mut packed = 0;
        statement::stream(&PACKS, &arguments, |row| {
            let pack = row.payload(1, <[u8]>::to_vec);
            packed += row.micros(2).ok_or_else(broken_row)?;
            if packed > MOST_PACKED_POINTS {
                return Err(Error::WindowTooWide(MOST_PACKED_POINTS as usize).into());
            }
            self.packs.push(pack.ok_or_else(broken_row)?);
            Ok(())
        })?;
        let add = |row: &Row| {
            if self.rows.len() == MOST_ROWS {
                return Err(Error::WindowTooWide(MOST_ROWS).into());
            }
            self.add(row).ok_or_else(|| broken_row().into())
        };
        if windows.valid.start.is_none() {
            statement::stream(&HISTORY, &arguments[..6], add)
        } else {
            statement::stream(&WINDOW, &arguments, add)
        }
    }

    fn add(&mut self, row: &Row) -> Option<()> {
        let from = self.points.len();
        row.payload(7, |bytes| self.points.extend_from_slice(bytes))?;
        self.rows.push(StoredRow {
            run: row.uuid(1)?,
            known: Time::from_micros(row.micros(2)?)?,
            change: Time::from_micros(row.micros(3)?)?,
            remark: Remark {
                changed_by: self.texts.number(row, 4)?,
                annotation: self.texts.number(row, 5),
                tags: self.texts.number(row, 6),
            },
            points: from..self.points.len(),
        });
        Some(())
    }
}

impl Texts {
    pub fn image(&self, number: TextNumber) -> &Image {
        &self.images[number as usize]
    }

    pub fn datum(&self, number: Option<TextNumber>) -> Cell {
        number.map(|number| self.image(number).datum())
    }

    /// The number of what stands in a column; none if it is null.
    fn number(&mut self, row: &Row, column: usize) -> Option<TextNumber> {
        let known = row.payload(column, |payload| self.find(payload))?;
        known.or_else(|| row.image(column).map(|image| self.keep(image)))
    }

    pub fn number_of_text(&mut self, text: &str) -> Option<TextNumber> {
        let known = self.find(text.as_bytes());
        known.or_else(|| Image::of(cell::text(text)).map(|image| self.keep(image)))
    }

    /// The number of a value that has just been made, and is freed.
    pub fn number_of(&mut self, cell: Cell) -> Option<TextNumber> {
        let image = Image::of(cell)?;
        let known = self.find(image.payload());
        known.or_else(|| Some(self.keep(image)))
    }

    fn find(&mut self, payload: &[u8]) -> Option<TextNumber> {
        let last = self.images.get(self.last as usize);
        if last.is_none_or(|last| last.payload() != payload) {
            self.last = *self.numbers.get(payload)?;
        }
        Some(self.last)
    }

    fn keep(&mut self, image: Image) -> TextNumber {
        self.last = self.images.len() as TextNumber;
        self.numbers.insert(image.payload().to_vec(), self.last);
        self.images.push(image);
        self.last
    }
}
