//! What is done and what is asked, at random, in a world so small that everything collides with everything.

use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::SERIES;

use crate::support::hour;

/// A value's key: hours of its start and, for an interval, its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    start: i64,
    length: Option<i64>,
}

impl Key {
    pub fn start(self) -> Timestamp {
        hour(self.start)
    }

    pub fn end(self) -> Option<Timestamp> {
        Some(hour(self.start + self.length?))
    }
}

/// So many days from when the case began, and microseconds more.
#[derive(Clone, Copy, Debug)]
pub struct When {
    days: i64,
    micros: i64,
}

impl When {
    pub fn from(self, now: Timestamp) -> Timestamp {
        now + (self.days * 24).hours() + self.micros.microseconds()
    }
}

#[derive(Clone, Debug)]
pub struct Row {
    pub series: usize,
    pub by_id: bool,
    pub key: Key,
    pub value: Option<f64>,
}

/// The outer of each field is whether it is there.
#[derive(Clone, Debug)]
pub struct Change {
    pub run: Index,
    pub series: usize,
    pub key: Key,
    pub value: Option<Option<f64>>,
    pub annotation: Option<Option<String>>,
    pub tags: Option<Option<Vec<String>>>,
}

/// `by` is which of the two people does it.
#[derive(Clone, Debug)]
pub enum Step {
    Upload {
        by: usize,
        known: When,
        rows: Vec<Row>,
    },
    Update {
        by: usize,
        changes: Vec<Change>,
    },
    /// None is every series.
    Compact {
        by: usize,
        series: Option<Vec<usize>>,
    },
}

/// A moment relative to something that happened.
#[derive(Clone, Debug)]
pub struct Moment {
    pub at: Index,
    pub micros: i64,
}

/// What a read is asked for, but for its mode. Series are numbers, of which the one too large is another tenant's.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub start_valid: Option<i64>,
    pub end_valid: Option<i64>,
    pub start_known: Option<When>,
    pub end_known: Option<When>,
    pub series_keys: Option<Vec<String>>,
    pub series_ids: Option<Vec<usize>>,
    pub as_of: Option<Moment>,
}

/// A quarter of an hour after midnight, by number: windows begin at values' times and between them.
pub fn quarter(number: i64) -> Timestamp {
    hour(0) + (number * 15).minutes()
}

fn key() -> impl Strategy<Value = Key> {
    (0..4i64, prop::option::weighted(0.3, 1..3i64)).prop_map(|(start, length)| Key { start, length })
}

fn value() -> impl Strategy<Value = Option<f64>> {
    let values = [1.0, 2.5, 0.0, -0.0, f64::NAN, f64::INFINITY, 1e-300];
    prop::option::weighted(0.85, select(values.to_vec()))
}

fn row() -> impl Strategy<Value = Row> {
    let row = |(series, by_id, key, value)| Row {
        series,
        by_id,
        key,
        value,
    };
    (0..SERIES.len(), any::<bool>(), key(), value()).prop_map(row)
}

fn change() -> impl Strategy<Value = Change> {
    let texts = |texts: &'static [&'static str]| select(texts).prop_map(str::to_owned);
    let annotation = prop::option::of(texts(&["note", " note ", "other", " \n"]));
    let tags = prop::option::of(prop::collection::vec(texts(&["x", " X", "y", "Ä", ""]), 0..4));
    let fields = (
        prop::option::weighted(0.6, value()),
        prop::option::weighted(0.4, annotation),
        prop::option::weighted(0.4, tags),
    );
    let place = (any::<Index>(), 0..SERIES.len(), key());
    (place, fields).prop_map(|((run, series, key), (value, annotation, tags))| Change {
        run,
        series,
        key,
        value,
        annotation,
        tags,
    })
}

/// Of a call, some of them of a value that it has changed already.
fn changes() -> impl Strategy<Value = Vec<Change>> {
    let again = prop::option::weighted(0.3, any::<Index>());
    prop::collection::vec((change(), again), 1..5).prop_map(|drawn| {
        let mut changes: Vec<Change> = Vec::new();
        for (mut change, again) in drawn {
            if let Some(again) = again.filter(|_| !changes.is_empty()) {
                let Change { run, series, key, .. } = again.get(&changes);
                (change.run, change.series, change.key) = (*run, *series, *key);
            }
            changes.push(change);
        }
        changes
    })
}

fn known() -> impl Strategy<Value = When> {
    (-3..3i64).prop_map(|days| When { days, micros: 0 })
}

fn step() -> impl Strategy<Value = Step> {
    let upload = (0..2usize, known(), prop::collection::vec(row(), 0..12)).prop_map(|(by, known, rows)| Step::Upload {
        by,
        known,
        rows,
    });
    let update = (0..2usize, changes()).prop_map(|(by, changes)| Step::Update { by, changes });
    let series = prop::option::of(prop::collection::vec(0..SERIES.len() + 1, 1..4));
    let compact = (0..2usize, series).prop_map(|(by, series)| Step::Compact { by, series });
    prop_oneof![2 => upload, 4 => update, 1 => compact]
}

/// An upload first: before it there is nothing to update.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let first =
        (known(), prop::collection::vec(row(), 1..12)).prop_map(|(known, rows)| Step::Upload { by: 0, known, rows });
    (first, prop::collection::vec(step(), 0..14)).prop_map(|(first, mut steps)| {
        steps.insert(0, first);
        steps
    })
}

fn question() -> impl Strategy<Value = Question> {
    let quarters = || prop::option::of(-1..18i64);
    let when = || {
        let when = (-3..3i64, -1..2i64).prop_map(|(days, micros)| When { days, micros });
        prop::option::weighted(0.3, when)
    };
    let keys = select(&["a", "B", "ä", "none of these"][..]).prop_map(str::to_owned);
    let keys = prop::option::weighted(0.3, prop::collection::vec(keys, 0..3));
    let ids = prop::option::weighted(0.3, prop::collection::vec(0..SERIES.len() + 1, 0..3));
    let moment = (any::<Index>(), -1..2i64).prop_map(|(at, micros)| Moment { at, micros });
    let as_of = prop::option::of(moment);
    (quarters(), quarters(), when(), when(), keys, ids, as_of).prop_map(
        |(start_valid, end_valid, start_known, end_known, series_keys, series_ids, as_of)| Question {
            start_valid,
            end_valid,
            start_known,
            end_known,
            series_keys,
            series_ids,
            as_of,
        },
    )
}

pub fn questions() -> impl Strategy<Value = Vec<Question>> {
    prop::collection::vec(question(), 4)
}
