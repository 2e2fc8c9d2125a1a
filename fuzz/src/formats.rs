//! All that is attacked, as functions of plain types: the only file that names timedb's own API.

use std::rc::Rc;

use timedb_core::limits::Limits;
use timedb_core::pack;
use timedb_core::points::{self, Point as CorePoint};
use timedb_core::rows::RowError;
use timedb_core::time::Time;
use timedb_core::update::{self, Change, Updates, ValueUpdate};
use timedb_core::upload::{self, SeriesRows, Upload};
use timedb_core::version::{self, Remark};
use uuid::Uuid;

pub use timedb_core::key::{hash as hash_key, hint as hint_of_key, is_well_formed as is_key};
pub use timedb_core::limits::{LONGEST_ANNOTATION, LONGEST_SERIES_KEY, LONGEST_TAG, MOST_POINTS, MOST_TAGS};

/// The last moment there is, in microseconds since 2000.
pub const LAST_TIME: i64 = Time::MAX.micros();

/// Why something was refused, in the words that a client sees.
pub type Refused = String;

/// Start and end in microseconds since 2000, and the bits of the value.
pub type Point = (i64, Option<i64>, Option<u64>);

/// Points that were read, and are still as they were stored.
pub struct Points<'a>(points::Points<'a>);

/// A pack that was read, and its values are still as they were stored.
pub struct Pack<'a>(pack::Pack<'a>);

/// A version of a pack.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    pub run: u128,
    pub known: i64,
    pub change: i64,
    pub changed_by: String,
    pub annotation: Option<String>,
    pub tags: Option<Vec<String>>,
    pub points: Vec<Point>,
}

/// What an upload gives for one series, and in which of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub key: Option<String>,
    /// The text of a JSON object.
    pub labels: Option<String>,
    pub id: Option<u128>,
    pub first_row: usize,
    pub points: Vec<Point>,
    pub rows: Vec<u32>,
    /// Of each point.
    pub said: Vec<Said>,
}

/// An annotation, and tags.
pub type Said = (Option<String>, Option<Vec<String>>);

/// A row of an update; what is absent stays, what is there may be null.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub run: u128,
    pub series: u128,
    pub start: i64,
    pub end: Option<i64>,
    pub value: Option<Option<u64>>,
    pub annotation: Option<Option<String>>,
    pub tags: Option<Option<Vec<String>>>,
}

impl<'a> Points<'a> {
    pub fn of_client(bytes: &'a [u8]) -> Result<Points<'a>, Refused> {
        points::Points::read_from_client(bytes).map(Points).map_err(refused)
    }

    pub fn stored(bytes: &'a [u8]) -> Result<Points<'a>, Refused> {
        points::Points::read(bytes).map(Points).map_err(refused)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Opens them, and keeps nothing.
    pub fn decode(&self) -> Result<(), Refused> {
        self.0.open().map(drop).map_err(refused)
    }

    pub fn all(&self) -> Result<Vec<Point>, Refused> {
        Ok(self.0.open().map_err(refused)?.iter().map(plain).collect())
    }

    pub fn repacked(&self) -> Result<Vec<u8>, Refused> {
        self.0.repack().map_err(refused)
    }

    pub fn to_wire(&self) -> Result<Vec<u8>, Refused> {
        self.0.to_wire().map_err(refused)
    }

    pub fn to_text(&self) -> Result<String, Refused> {
        points::to_text(&self.0).map_err(refused)
    }
}

impl<'a> Pack<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Pack<'a>, Refused> {
        pack::Pack::read(bytes).map(Pack).map_err(refused)
    }

    /// How many points its versions have.
    pub fn points(&self) -> usize {
        self.0.versions().iter().map(|v| v.shape.len()).sum()
    }

    /// Decodes its values, and keeps nothing.
    pub fn decode(&self) -> Result<(), Refused> {
        self.0.decode_values(&mut Vec::new()).map_err(refused)
    }

    pub fn versions(&self) -> Result<Vec<Version>, Refused> {
        let mut values = Vec::new();
        self.0.decode_values(&mut values).map_err(refused)?;
        let numbered = self.0.versions().iter().enumerate();
        let of = |(number, shaped): (usize, &version::Shaped)| Version {
            run: shaped.version.run.as_u128(),
            known: shaped.version.known.micros(),
            change: shaped.version.change.micros(),
            changed_by: shaped.version.remark.by.clone(),
            annotation: shaped.version.remark.annotation.clone(),
            tags: shaped.version.remark.tags.clone(),
            points: self.0.open(number, &values).iter().map(plain).collect(),
        };
        Ok(numbered.map(of).collect())
    }

    pub fn to_text(&self) -> Result<String, Refused> {
        pack::to_text(&self.0).map_err(refused)
    }
}

pub fn pack_points(points: &[Point]) -> Result<Vec<u8>, Refused> {
    let points: Vec<CorePoint> = points.iter().copied().map(core).collect();
    points::pack(&points).map_err(refused)
}

pub fn points_of_text(text: &str) -> Result<Vec<Point>, Refused> {
    let points = points::from_text(text).map_err(refused)?;
    Ok(points.into_iter().map(plain).collect())
}

pub fn pack_versions(versions: &[Version]) -> Result<Vec<u8>, Refused> {
    let packed: Vec<Vec<u8>> = versions
        .iter()
        .map(|version| pack_points(&version.points))
        .collect::<Result<_, _>>()?;
    let points = packed
        .iter()
        .map(|points| points::Points::read(points).expect("it was packed just now"));
    let versions: Vec<_> = versions.iter().map(core_version).zip(points).collect();
    pack::pack_versions(&versions).map_err(refused)
}

pub fn pack_of_text(text: &str) -> Result<Vec<u8>, Refused> {
    pack::from_text(text).map_err(refused)
}

pub fn read_arrow(stream: &[u8], most_rows: usize) -> Result<Vec<Series>, Refused> {
    series(upload::read_arrow(stream, &Limits::of_rows(most_rows), &mut || {}))
}

pub fn read_upload(json: &str, most_rows: usize) -> Result<Vec<Series>, Refused> {
    series(upload::read_json(json, &Limits::of_rows(most_rows), &mut || {}))
}

pub fn read_updates(json: &str, most_rows: usize) -> Result<Vec<Update>, Refused> {
    let given = update::read_json(json, Uuid::nil(), &Limits::of_rows(most_rows), &mut || {}).map_err(refused)?;
    let resolved = given.rows.into_iter().filter_map(|row| {
        Some(ValueUpdate {
            run_id: row.run?,
            series_id: row.series.id?,
            start: row.start,
            end: row.end,
            changes: row.changes,
        })
    });
    let updates = Updates::of(resolved);
    assert!(updates.rows.iter().all(|&place| place < updates.of_values.len()));
    Ok(updates
        .of_values
        .into_iter()
        .map(|update| Update {
            run: update.run_id.as_u128(),
            series: update.series_id.as_u128(),
            start: update.start.micros(),
            end: update.end.map(Time::micros),
            value: told(update.changes.value).map(|value| value.map(f64::to_bits)),
            annotation: told(update.changes.annotation),
            tags: told(update.changes.tags),
        })
        .collect())
}

/// The text of a moment, as all answers have it.
pub fn time_text(micros: i64) -> String {
    time(micros).to_string()
}

fn series(read: Result<Upload, RowError>) -> Result<Vec<Series>, Refused> {
    let mut upload = read.map_err(refused)?;
    let all = std::mem::take(&mut upload.series);
    let series = |one: SeriesRows| Series {
        key: one.series.key.clone(),
        labels: one
            .series
            .labels
            .map(|number| upload.labels[number as usize].to_string()),
        id: one.series.id.map(|id| id.as_u128()),
        first_row: one.first_row,
        said: (0..one.points.len()).map(|place| said(&upload, &one, place)).collect(),
        points: one.points.into_iter().map(plain).collect(),
        rows: one.rows,
    };
    Ok(all.into_iter().map(series).collect())
}

fn said(upload: &Upload, of: &SeriesRows, place: usize) -> Said {
    let number = of.said.get(place).and_then(|number| number.checked_sub(1));
    let said = number.map(|number| &upload.said[number as usize]);
    let annotation = said.and_then(|said| said.annotation.clone());
    (annotation, said.and_then(|said| said.tags.clone()))
}

fn told<T>(change: Change<T>) -> Option<Option<T>> {
    match change {
        Change::Keep => None,
        Change::Clear => Some(None),
        Change::Set(value) => Some(Some(value)),
    }
}

fn time(micros: i64) -> Time {
    Time::from_micros(micros).expect("a time in range")
}

fn plain(point: CorePoint) -> Point {
    let value = point.value.map(f64::to_bits);
    (point.start.micros(), point.end.map(Time::micros), value)
}

fn core_version(version: &Version) -> version::Version {
    version::Version {
        run: Uuid::from_u128(version.run),
        known: time(version.known),
        change: time(version.change),
        remark: Rc::new(Remark {
            by: version.changed_by.clone(),
            annotation: version.annotation.clone(),
            tags: version.tags.clone(),
        }),
    }
}

fn core((start, end, value): Point) -> CorePoint {
    CorePoint {
        start: time(start),
        end: end.map(time),
        value: value.map(f64::from_bits),
    }
}

fn refused(error: impl ToString) -> Refused {
    error.to_string()
}
