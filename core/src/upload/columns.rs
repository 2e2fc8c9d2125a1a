//! Points gathered by the series they are for, whether they came as JSON rows or as parallel arrays.

use std::borrow::Cow;
use std::collections::HashMap;

use uuid::Uuid;

use crate::excerpt::printable;
use crate::limits::MOST_UPLOAD_SERIES;
use crate::points::{Key, Point};
use crate::rows::fields::check_end;
use crate::rows::{Field, Kind, Refusal, RowError};
use crate::series_key;

/// How a client names a series: by key, by id, or by both (which must then agree). At least one is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeriesRef {
    pub key: Option<String>,
    pub id: Option<Uuid>,
}

/// The points given for one series, each with the number of the row it came from.
#[derive(Clone, Debug)]
pub struct SeriesRows {
    pub series: SeriesRef,
    pub first_row: usize,
    pub points: Vec<Point>,
    pub rows: Vec<u32>,
}

/// Two rows give a value for the same series and time: `row` comes again after `earlier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatedRow {
    pub row: usize,
    pub earlier: usize,
    pub at: Key,
    /// How many other rows of the series repeat one.
    pub more: usize,
}

/// Gathers points one by one into series, in the order in which the references to them were first seen.
#[derive(Debug, Default)]
pub struct UploadColumns {
    series: Vec<SeriesRows>,
    places: HashMap<Reference<'static>, usize>,
    last: usize,
    rows: u32,
}

/// A [`SeriesRef`] that can be looked up without being allocated.
type Reference<'a> = (Option<Cow<'a, str>>, Option<Uuid>);

impl UploadColumns {
    pub fn new() -> UploadColumns {
        UploadColumns::default()
    }

    /// Takes the point of the next row. What is refused here is a key no series can have, a row that names no series, and
    /// an interval that does not end after its start; the refusal names the field.
    pub fn push(&mut self, key: Option<&str>, id: Option<Uuid>, point: Point) -> Result<(), Refusal> {
        check_end(point.start, point.end)?;
        // A JSON or an array of 1 GB has fewer rows than this, whatever the caller's own limit.
        let next = self
            .rows
            .checked_add(1)
            .ok_or_else(|| Refusal::new(Kind::TooMany, "is one row too many"))?;
        // Rows mostly come series by series, or time by time with the series in the same order each time.
        let guesses = [self.last, self.last + 1, 0];
        self.last = match guesses.into_iter().find(|&place| self.is_at(place, key, id)) {
            Some(place) => place,
            None => self.place(key, id)?,
        };
        let series = &mut self.series[self.last];
        series.points.push(point);
        series.rows.push(self.rows);
        self.rows = next;
        Ok(())
    }

    /// The series, in first-seen order.
    pub fn finish(self) -> Vec<SeriesRows> {
        self.series
    }

    fn is_at(&self, place: usize, key: Option<&str>, id: Option<Uuid>) -> bool {
        self.series
            .get(place)
            .is_some_and(|rows| rows.series.key.as_deref() == key && rows.series.id == id)
    }

    /// Where the series of a reference stands, after all others if the reference is new.
    fn place(&mut self, key: Option<&str>, id: Option<Uuid>) -> Result<usize, Refusal> {
        // The borrowed lifetime is the shorter one: the map is looked at as one of keys that live as long as `key`.
        let places: &HashMap<Reference<'_>, usize> = &self.places;
        if let Some(&place) = places.get(&(key.map(Cow::Borrowed), id)) {
            return Ok(place);
        }
        check_reference(key, id)?;
        let place = self.series.len();
        if place == MOST_UPLOAD_SERIES {
            let reason = format!("names more than {MOST_UPLOAD_SERIES} series");
            return Err(Refusal::new(Kind::TooMany, reason));
        }
        self.places
            .insert((key.map(|key| Cow::Owned(key.to_owned())), id), place);
        // Series mostly have as many points as the one before. Taken together this asks for no more room than for all rows.
        let expected = self.series.last().map_or(1, |before| before.points.len());
        self.series.push(SeriesRows {
            series: SeriesRef {
                key: key.map(str::to_owned),
                id,
            },
            first_row: self.rows as usize,
            points: Vec::with_capacity(expected),
            rows: Vec::with_capacity(expected),
        });
        Ok(place)
    }
}

impl SeriesRows {
    /// Brings the points into the order of their keys; one key twice is an error that names the first row to repeat another.
    pub fn sort(&mut self) -> Result<(), RepeatedRow> {
        if self.points.is_sorted_by(|a, b| a.key() < b.key()) {
            return Ok(());
        }
        let mut sorted: Vec<(Point, u32)> = self.points.drain(..).zip(self.rows.drain(..)).collect();
        // A stable sort, because what `absorb` joined is two sorted runs, which it merges in linear time.
        sorted.sort_by_key(|(point, row)| (point.key(), *row));
        let repeated = first_repeated(&sorted);
        for (point, row) in sorted {
            self.points.push(point);
            self.rows.push(row);
        }
        repeated.map_or(Ok(()), Err)
    }

    /// Joins what another reference to the same series brought. How this one names the series stays.
    pub fn absorb(&mut self, other: SeriesRows) {
        self.first_row = self.first_row.min(other.first_row);
        self.points.extend(other.points);
        self.rows.extend(other.rows);
    }
}

fn first_repeated(sorted: &[(Point, u32)]) -> Option<RepeatedRow> {
    let again = sorted.windows(2).filter(|pair| pair[0].0.key() == pair[1].0.key());
    let more = again.clone().count().saturating_sub(1);
    let first = again.min_by_key(|pair| pair[1].1)?;
    Some(RepeatedRow {
        row: first[1].1 as usize,
        earlier: first[0].1 as usize,
        at: first[0].0.key(),
        more,
    })
}

impl RepeatedRow {
    /// The error, for rows of this series that came in the argument of this name.
    pub fn of(self, argument: &str, series: &str) -> RowError {
        let (argument_of_times, (start, end)) = (argument == "valid_times", self.at);
        let until = end.map(|end| format!(" to {end}")).unwrap_or_default();
        let earlier = format!("{argument}[{}]", self.earlier);
        let reason = format!(
            "gives the value of {earlier} again, of \"{}\" at {start}{until}",
            printable(series)
        );
        let refusal = Refusal::new(Kind::BadValue, reason).hint(if argument_of_times {
            "A time without an offset is one of the session's TimeZone: on a day of 25 hours an hour of it comes twice."
        } else {
            "A time without an offset is UTC: local times need theirs, as an hour of a day of 25 comes twice."
        });
        RowError {
            more: self.more,
            ..refusal.at(format!("{argument}[{}]", self.row))
        }
    }
}

/// Whether a series can be named so. Looked at once a reference, not once a row.
fn check_reference(key: Option<&str>, id: Option<Uuid>) -> Result<(), Refusal> {
    let Some(key) = key else {
        return match id {
            Some(_) => Ok(()),
            None => Err(Refusal::new(Kind::BadValue, r#"needs "value_key" or "series_id""#)),
        };
    };
    series_key::check(key).map_err(|refusal| refusal.of(Field::ValueKey))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Time;

    fn time(micros: i64) -> Time {
        Time::from_micros(micros).unwrap()
    }

    fn point(start: i64, end: Option<i64>) -> Point {
        Point {
            start: time(start),
            end: end.map(time),
            value: Some(1.0),
        }
    }

    fn gather(keys: &[&str]) -> Vec<SeriesRows> {
        let mut columns = UploadColumns::new();
        for (at, key) in keys.iter().enumerate() {
            columns.push(Some(key), None, point(at as i64, None)).unwrap();
        }
        columns.finish()
    }

    #[test]
    fn the_same_reference_is_the_same_series_in_whatever_order_it_comes() {
        let series = gather(&["a", "a", "b", "c", "a", "c", "b", "a", "b", "c"]);
        let rows: Vec<_> = series.iter().map(|rows| rows.rows.as_slice()).collect();
        assert_eq!(rows, [&[0, 1, 4, 7][..], &[2, 6, 8], &[3, 5, 9]]);
        assert_eq!(series.iter().map(|rows| rows.first_row).collect::<Vec<_>>(), [0, 2, 3]);
    }

    #[test]
    fn a_key_with_an_id_is_another_reference_than_the_key_alone() {
        let mut columns = UploadColumns::new();
        for id in [None, Some(Uuid::nil()), None, Some(Uuid::max())] {
            columns.push(Some("a"), id, point(0, None)).unwrap();
        }
        assert_eq!(columns.finish().len(), 3);
    }

    #[test]
    fn a_refusal_names_the_field_and_leaves_no_row() {
        let mut columns = UploadColumns::new();
        let long = "a".repeat(501);
        for (key, end, field, kind) in [
            (Some(" "), None, Some(Field::ValueKey), Kind::BadValue),
            (Some("a\0"), None, Some(Field::ValueKey), Kind::BadCharacter),
            (Some(long.as_str()), None, Some(Field::ValueKey), Kind::TooLong),
            (Some("a"), Some(0), Some(Field::ValidTimeEnd), Kind::BadValue),
            (None, None, None, Kind::BadValue),
        ] {
            let refusal = columns.push(key, None, point(0, end)).unwrap_err();
            assert_eq!((refusal.field, refusal.kind), (field, kind));
        }
        assert!(columns.finish().is_empty());
    }

    #[test]
    fn what_two_references_brought_is_joined_and_repeats_are_found() {
        let mut series = gather(&["a", "b", "a", "b"]);
        let (b, mut a) = (series.remove(1), series.remove(0));
        a.absorb(b.clone());
        assert_eq!((a.rows.as_slice(), a.first_row), (&[0, 2, 1, 3][..], 0));
        assert_eq!(a.sort(), Ok(()));
        assert_eq!(a.rows, [0, 1, 2, 3]);
        a.absorb(b);
        let repeated = RepeatedRow {
            row: 1,
            earlier: 1,
            at: point(1, None).key(),
            more: 1,
        };
        assert_eq!(a.sort(), Err(repeated));
    }

    #[test]
    fn a_repeated_point_is_worded_for_the_argument_it_came_in() {
        let mut repeated = RepeatedRow {
            row: 5,
            earlier: 2,
            at: point(0, None).key(),
            more: 0,
        };
        let error = repeated.of("value_rows", "wind");
        assert_eq!(
            error.to_string(),
            "value_rows[5]: gives the value of value_rows[2] again, of \"wind\" at 2000-01-01T00:00:00Z"
        );
        assert!(error.hint.unwrap().contains("is UTC"));
        repeated.at = point(0, Some(1_000_000)).key();
        repeated.more = 2;
        let error = repeated.of("valid_times", "wind\n");
        assert_eq!(
            error.to_string(),
            "valid_times[5]: gives the value of valid_times[2] again, of \"wind\\n\" at 2000-01-01T00:00:00Z to \
             2000-01-01T00:00:01Z (and 2 other rows are bad)"
        );
        assert!(error.hint.unwrap().contains("TimeZone"));
    }

    proptest! {
        #[test]
        fn sorting_keeps_each_point_with_its_row(
            keys in prop::collection::vec((0..20i64, prop::option::of(20..24i64)), 0..30),
        ) {
            let mut columns = UploadColumns::new();
            for (start, end) in &keys {
                columns.push(Some("a"), None, point(*start, *end)).unwrap();
            }
            let Some(mut series) = columns.finish().pop() else { return Ok(()) };
            let key = |row: usize| -> Key { (time(keys[row].0), keys[row].1.map(time)) };
            let sorted = series.sort();
            prop_assert!(series.points.is_sorted_by_key(Point::key));
            for (point, row) in series.points.iter().zip(&series.rows) {
                prop_assert_eq!(point.key(), key(*row as usize));
            }
            let row = (0..keys.len()).find(|&row| keys[..row].contains(&keys[row]));
            prop_assert_eq!(sorted.err().map(|repeated| repeated.row), row);
            if let Err(repeated) = sorted {
                prop_assert_eq!(key(repeated.row), key(repeated.earlier));
                prop_assert!(repeated.earlier < repeated.row);
            }
        }
    }
}
