//! Rows of the original's values, in the order of what they are of, to rows as an upload or an update writes them.

use anyhow::{Context, Result, bail};
use timedb_core::points::{Point, Points, pack};
use timedb_core::span;
use timedb_core::time::Time;
use uuid::Uuid;

use super::moment::Moment;

/// As an upload cuts a vector.
const POINTS_IN_A_ROW: usize = 8192;

pub type Tags = Option<Vec<Option<String>>>;

/// What a row says of all its values.
#[derive(Clone, PartialEq, Debug)]
pub struct Version {
    pub run: Uuid,
    pub series: Uuid,
    pub change: Moment,
    pub known: Moment,
    pub by: String,
    pub annotation: Option<String>,
    pub tags: Tags,
}

/// A row of `timedb.values`, whose points are as a client sends them.
pub struct Packed {
    pub version: Version,
    pub from: Moment,
    pub to: Moment,
    pub part: i16,
    pub span: i16,
    pub points: Vec<u8>,
}

/// Holds the values of one row, until one of another comes.
#[derive(Default)]
pub struct Packer {
    version: Option<Version>,
    points: Vec<Point>,
    part: i16,
}

impl Packer {
    /// Takes a value, and gives a row that is full by now.
    pub fn add(&mut self, version: Version, point: Point) -> Result<Option<Packed>> {
        let is_other = self.version.as_ref().is_some_and(|before| *before != version);
        let full = match is_other || self.points.len() == POINTS_IN_A_ROW {
            true => self.take()?,
            false => None,
        };
        let of_change = |version: &Version| (version.run, version.series, version.change);
        if self.version.as_ref().map(of_change) != Some(of_change(&version)) {
            self.part = 0;
        }
        self.version = Some(version);
        self.points.push(point);
        Ok(full)
    }

    /// The last row.
    pub fn take(&mut self) -> Result<Option<Packed>> {
        let (Some(version), Some(first), Some(last)) = (&self.version, self.points.first(), self.points.last()) else {
            return Ok(None);
        };
        let (from, to): (Time, Time) = (first.start, last.start);
        let packed = packed(&self.points).with_context(|| told(version))?;
        let part = self.part;
        let Some(next) = part.checked_add(1) else {
            bail!(
                "{}: more than 32,767 different annotations and tags of one moment",
                told(version)
            );
        };
        self.part = next;
        self.points.clear();
        Ok(Some(Packed {
            version: version.clone(),
            from: Moment(from),
            to: Moment(to),
            part,
            span: span::class(from, to),
            points: packed,
        }))
    }
}

fn packed(points: &[Point]) -> Result<Vec<u8>> {
    let packed = pack(points)?;
    Ok(Points::read(&packed)?.to_wire()?)
}

fn told(version: &Version) -> String {
    format!("series {} of the run that is {} here", version.series, version.run)
}

#[cfg(test)]
mod tests {
    use super::super::moment::of_micros;
    use super::*;

    fn version(change: i64, annotation: Option<&str>) -> Version {
        let at = |micros| of_micros(micros).expect("a moment");
        Version {
            run: Uuid::nil(),
            series: Uuid::nil(),
            change: at(change),
            known: at(0),
            by: "alice".into(),
            annotation: annotation.map(str::to_owned),
            tags: None,
        }
    }

    fn rows(values: impl IntoIterator<Item = (Version, i64)>) -> Result<Vec<(i16, i64, i64, usize)>> {
        let mut packer = Packer::default();
        let mut rows = Vec::new();
        for (version, start) in values {
            let point = Point {
                start: Time::from_micros(start).expect("a moment"),
                end: None,
                value: Some(1.0),
            };
            rows.extend(packer.add(version, point)?);
        }
        rows.extend(packer.take()?);
        let told = |row: Packed| {
            let count = Points::read_from_client(&row.points).expect("points").len();
            (row.part, row.from.0.micros(), row.to.0.micros(), count)
        };
        Ok(rows.into_iter().map(told).collect())
    }

    #[test]
    fn a_row_ends_with_its_version_or_where_it_is_full() {
        assert_eq!(rows([]).expect("none"), []);
        let values = [
            (version(1, None), 0),
            (version(1, None), 1),
            (version(1, Some("a")), 5),
            (version(2, None), 0),
        ];
        assert_eq!(rows(values).expect("rows"), [(0, 0, 1, 2), (1, 5, 5, 1), (0, 0, 0, 1)]);
        let many = (0..8193).map(|start| (version(1, None), start));
        assert_eq!(rows(many).expect("rows"), [(0, 0, 8191, 8192), (1, 8192, 8192, 1)]);
    }

    #[test]
    fn a_key_that_comes_twice_in_one_version_is_refused() {
        assert!(rows([(version(1, None), 3), (version(1, None), 3)]).is_err());
    }
}
