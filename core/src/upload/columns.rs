//! Points gathered by the series they are for, and by the run, whether they came as JSON rows, in a stream or as arrays.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use uuid::Uuid;

use super::Said;
use super::runs::{RunKey, Runs};
use crate::blank::unless_blank;
use crate::excerpt::printable;
use crate::limits::{FEWER_UPLOAD_SERIES, LONGEST_UNIT, Limits, MOST_UPLOAD_PARTS};
use crate::points::{Key, Point};
use crate::rows::fields::{check_end, not_longer};
use crate::rows::labels::LabelTexts;
use crate::rows::shared::{Bytes, Shared};
use crate::rows::{Field, Kind, Refusal, RowError};
use crate::series_key;
use crate::time::Time;

/// How a client names a series: by key, by key and labels, by id, or by id and what must then agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeriesRef {
    pub key: Option<String>,
    /// The number of the labels' text; none where there are none.
    pub labels: Option<u32>,
    pub id: Option<Uuid>,
    /// The number of the unit that the values are given in, where that is said.
    pub unit: Option<u32>,
}

/// What a row says of where its value belongs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    pub key: Option<&'a str>,
    pub labels: Option<u32>,
    pub id: Option<Uuid>,
    pub unit: Option<u32>,
    /// The number of the run.
    pub run: u32,
}

/// The points given for one series in one run, each with the number of the row it came from.
#[derive(Clone, Debug)]
pub struct SeriesRows {
    pub series: Rc<SeriesRef>,
    /// The number of the run.
    pub run: u32,
    pub first_row: usize,
    pub points: Vec<Point>,
    pub rows: Vec<u32>,
    /// What is said of each point, by its number from 1; 0 where nothing is, and empty where nothing is of any.
    pub said: Vec<u32>,
}

/// All that an upload brings.
#[derive(Debug)]
pub struct Upload {
    /// In first-seen order.
    pub series: Vec<SeriesRows>,
    /// Texts of JSON objects, by their numbers; two of them may be equal all the same.
    pub labels: Vec<Rc<str>>,
    /// Units by their numbers, each once.
    pub units: Vec<Rc<str>>,
    /// By number less one.
    pub said: Vec<Rc<Said>>,
    /// In the order of their first rows; none where rows do not say of which they are.
    pub runs: Option<Vec<RunKey>>,
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
    limits: Limits,
    series: Vec<SeriesRows>,
    /// The number of each, and where its first rows stand.
    references: HashMap<Reference<'static>, (u32, usize)>,
    /// Where the rows of a run and a reference stand, if there are several runs: else they stand where the reference does.
    places: HashMap<(u32, u32), usize>,
    last: usize,
    rows: u32,
    runs: Option<Runs>,
    labels: LabelTexts,
    units: Shared<str>,
    said: Shared<Said>,
    bytes: Bytes,
}

/// A [`SeriesRef`] that can be looked up without being allocated.
type Reference<'a> = (Option<Cow<'a, str>>, Option<u32>, Option<Uuid>, Option<u32>);

impl UploadColumns {
    pub fn new(limits: &Limits) -> UploadColumns {
        UploadColumns {
            limits: *limits,
            ..UploadColumns::default()
        }
    }

    /// For rows of several runs; what they do not say is the call's.
    pub fn of_runs(of_the_call: RunKey, limits: &Limits) -> UploadColumns {
        UploadColumns {
            runs: Some(Runs::of(of_the_call)),
            ..UploadColumns::new(limits)
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The number of a text of labels, if it stands for any.
    pub fn labels(&mut self, text: &str) -> Result<Option<u32>, Refusal> {
        self.labels.number(text, &mut self.bytes)
    }

    /// The number of a unit; a blank one is none.
    pub fn unit(&mut self, unit: Option<&str>) -> Result<Option<u32>, Refusal> {
        let Some(unit) = unless_blank(unit) else {
            return Ok(None);
        };
        if let Some(number) = self.units.find(unit) {
            return Ok(Some(number));
        }
        not_longer(unit, LONGEST_UNIT)?;
        if unit.contains('\0') {
            return Err(Refusal::new(Kind::BadCharacter, r"contains \u0000"));
        }
        self.bytes.add(unit.len())?;
        Ok(Some(self.units.keep(unit)))
    }

    /// The number of what is said of a value, from 1; 0 for nothing.
    pub fn said(&mut self, said: Said) -> Result<u32, Refusal> {
        if said == Said::default() {
            return Ok(0);
        }
        if let Some(number) = self.said.find(&said) {
            return Ok(number + 1);
        }
        self.bytes.add(said.bytes())?;
        Ok(self.said.keep(said) + 1)
    }

    /// The number of the run of a row that says this of it.
    pub fn run(&mut self, known: Option<Time>, workflow: Option<&str>) -> Result<u32, Refusal> {
        self.runs.as_mut().map_or(Ok(0), |runs| runs.number(known, workflow))
    }

    /// Takes the point of the next row, and the number of what is said of it. What is refused here is a key no series can
    /// have, a row that names no series, and an interval that does not end after its start; the refusal names the field.
    pub fn push(&mut self, named: Named<'_>, point: Point, said: u32) -> Result<(), Refusal> {
        check_end(point.start, point.end)?;
        // A JSON or an array of 1 GB has fewer rows than this, whatever the caller's own limit.
        let next = self
            .rows
            .checked_add(1)
            .ok_or_else(|| Refusal::new(Kind::TooMany, "is one row too many"))?;
        // Rows mostly come series by series, or time by time with the series in the same order each time.
        let guesses = [self.last, self.last + 1, 0];
        self.last = match guesses.into_iter().find(|&place| self.is_at(place, named)) {
            Some(place) => place,
            None => self.place(named)?,
        };
        let series = &mut self.series[self.last];
        if said != 0 || !series.said.is_empty() {
            series.said.resize(series.points.len(), 0);
            series.said.push(said);
        }
        series.points.push(point);
        series.rows.push(self.rows);
        self.rows = next;
        Ok(())
    }

    pub fn finish(self) -> Upload {
        Upload {
            series: self.series,
            labels: self.labels.finish(),
            units: self.units.finish(),
            said: self.said.finish(),
            runs: self.runs.map(Runs::finish),
        }
    }

    fn is_at(&self, place: usize, named: Named<'_>) -> bool {
        self.series.get(place).is_some_and(|rows| {
            let series = &*rows.series;
            series.key.as_deref() == named.key
                && series.id == named.id
                && series.labels == named.labels
                && series.unit == named.unit
                && rows.run == named.run
        })
    }

    /// Where the rows of a reference stand, after all others if they are the first.
    fn place(&mut self, named: Named<'_>) -> Result<usize, Refusal> {
        let new = self.series.len();
        let (reference, series) = self.reference(named)?;
        let place = match self.runs {
            None => reference as usize,
            Some(_) => *self.places.entry((named.run, reference)).or_insert(new),
        };
        if place < new {
            return Ok(place);
        }
        if new == MOST_UPLOAD_PARTS {
            let reason = format!("names more than {MOST_UPLOAD_PARTS} series of runs");
            return Err(Refusal::new(Kind::TooMany, reason));
        }
        // Series mostly have as many points as the one before. Taken together this asks for no more room than for all rows.
        let expected = self.series.last().map_or(1, |before| before.points.len());
        self.series.push(SeriesRows {
            series,
            run: named.run,
            first_row: self.rows as usize,
            points: Vec::with_capacity(expected),
            rows: Vec::with_capacity(expected),
            said: Vec::new(),
        });
        Ok(place)
    }

    /// The number of a reference, and the reference.
    fn reference(&mut self, named: Named<'_>) -> Result<(u32, Rc<SeriesRef>), Refusal> {
        let Named {
            key, labels, id, unit, ..
        } = named;
        // The borrowed lifetime is the shorter one: the map is looked at as one of keys that live as long as `key`.
        let references: &HashMap<Reference<'_>, (u32, usize)> = &self.references;
        if let Some(&(number, place)) = references.get(&(key.map(Cow::Borrowed), labels, id, unit)) {
            return Ok((number, self.series[place].series.clone()));
        }
        check_reference(named)?;
        let number = self.references.len();
        if number >= self.limits.upload_series {
            let reason = format!("names more than {} series", self.limits.upload_series);
            return Err(Refusal::new(Kind::TooMany, reason).hint(FEWER_UPLOAD_SERIES));
        }
        let key = key.map(str::to_owned);
        let reference = (key.clone().map(Cow::Owned), labels, id, unit);
        self.references.insert(reference, (number as u32, self.series.len()));
        Ok((number as u32, Rc::new(SeriesRef { key, labels, id, unit })))
    }
}

impl SeriesRows {
    /// Brings the points into the order of their keys; one key twice is an error that names the first row to repeat another.
    pub fn sort(&mut self) -> Result<(), RepeatedRow> {
        if self.points.is_sorted_by(|a, b| a.key() < b.key()) {
            return Ok(());
        }
        let said = std::mem::take(&mut self.said);
        let (points, rows) = (self.points.drain(..), self.rows.drain(..));
        let mut sorted: Vec<Given> = if said.is_empty() {
            points.zip(rows).map(|(point, row)| (point, row, 0)).collect()
        } else {
            points
                .zip(rows)
                .zip(&said)
                .map(|((point, row), said)| (point, row, *said))
                .collect()
        };
        // A stable sort, because what `absorb` joined is two sorted runs, which it merges in linear time.
        sorted.sort_by_key(|(point, row, _)| (point.key(), *row));
        let repeated = first_repeated(&sorted);
        for (point, row, of_point) in sorted {
            self.points.push(point);
            self.rows.push(row);
            if !said.is_empty() {
                self.said.push(of_point);
            }
        }
        repeated.map_or(Ok(()), Err)
    }

    /// Keeps the points that `keep` says so of, with what is said of each.
    pub(super) fn keep(&mut self, said: &[Rc<Said>], mut keep: impl FnMut(&Point, Option<&Said>) -> bool) {
        let mut kept = 0;
        for place in 0..self.points.len() {
            let number = self.said.get(place).and_then(|number| number.checked_sub(1));
            let of_point = number.map(|number| &*said[number as usize]);
            if keep(&self.points[place], of_point) {
                self.points[kept] = self.points[place];
                self.rows[kept] = self.rows[place];
                if !self.said.is_empty() {
                    self.said[kept] = self.said[place];
                }
                kept += 1;
            }
        }
        self.points.truncate(kept);
        self.rows.truncate(kept);
        self.said.truncate(kept);
    }

    /// Joins what another reference to the same series brought. How this one names the series stays.
    pub fn absorb(&mut self, other: SeriesRows) {
        self.first_row = self.first_row.min(other.first_row);
        if !self.said.is_empty() || !other.said.is_empty() {
            self.said.resize(self.points.len(), 0);
            self.said.extend(other.said);
            self.said.resize(self.points.len() + other.points.len(), 0);
        }
        self.points.extend(other.points);
        self.rows.extend(other.rows);
    }
}

/// A point, its row, and what is said of it.
type Given = (Point, u32, u32);

fn first_repeated(sorted: &[Given]) -> Option<RepeatedRow> {
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
fn check_reference(named: Named<'_>) -> Result<(), Refusal> {
    match named {
        Named { key: Some(key), .. } => series_key::check(key).map_err(|refusal| refusal.of(Field::ValueKey)),
        Named { labels: Some(_), .. } => {
            Err(Refusal::new(Kind::BadValue, r#"needs "value_key" beside it"#).of(Field::Labels))
        }
        Named { id: Some(_), .. } => Ok(()),
        _ => Err(Refusal::new(Kind::BadValue, r#"needs "value_key" or "series_id""#)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn push(columns: &mut UploadColumns, key: Option<&str>, id: Option<Uuid>, point: Point) -> Result<(), Refusal> {
        columns.push(
            Named {
                key,
                id,
                ..Named::default()
            },
            point,
            0,
        )
    }

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
        let mut columns = UploadColumns::new(&Limits::DEFAULT);
        for (at, key) in keys.iter().enumerate() {
            push(&mut columns, Some(key), None, point(at as i64, None)).unwrap();
        }
        columns.finish().series
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
        let mut columns = UploadColumns::new(&Limits::DEFAULT);
        for id in [None, Some(Uuid::nil()), None, Some(Uuid::max())] {
            push(&mut columns, Some("a"), id, point(0, None)).unwrap();
        }
        assert_eq!(columns.finish().series.len(), 3);
    }

    #[test]
    fn a_refusal_names_the_field_and_leaves_no_row() {
        let mut columns = UploadColumns::new(&Limits::DEFAULT);
        let long = "a".repeat(501);
        for (key, end, field, kind) in [
            (Some(" "), None, Some(Field::ValueKey), Kind::BadValue),
            (Some("a\0"), None, Some(Field::ValueKey), Kind::BadCharacter),
            (Some(long.as_str()), None, Some(Field::ValueKey), Kind::TooLong),
            (Some("a"), Some(0), Some(Field::ValidTimeEnd), Kind::BadValue),
            (None, None, None, Kind::BadValue),
        ] {
            let refusal = push(&mut columns, key, None, point(0, end)).unwrap_err();
            assert_eq!((refusal.field, refusal.kind), (field, kind));
        }
        assert!(columns.finish().series.is_empty());
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
            let mut columns = UploadColumns::new(&Limits::DEFAULT);
            for (start, end) in &keys {
                push(&mut columns, Some("a"), None, point(*start, *end)).unwrap();
            }
            let Some(mut series) = columns.finish().series.pop() else { return Ok(()) };
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
