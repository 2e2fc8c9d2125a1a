//! What is done and what is asked, at random, in a world so small that everything collides with everything.

use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::SERIES;

/// Where a case's values begin: an hour or so before a midnight and a change of the clocks in one of the [`ZONES`], or before the
/// end of a month.
pub const BASES: [&str; 5] = [
    "2025-01-01T00:00:00Z",
    "2025-03-29T22:00:00Z",
    "2025-10-25T21:00:00Z",
    "2025-04-05T12:00:00Z",
    "2025-01-31T17:00:00Z",
];

const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/St_Johns",
];

fn base(base: usize) -> Timestamp {
    BASES[base].parse().expect("a timestamp")
}

/// A value's key: of its start and, for an interval, its length the quarters of an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    base: usize,
    start: i64,
    length: Option<i64>,
}

impl Key {
    pub fn start(self) -> Timestamp {
        base(self.base) + (self.start * 15).minutes()
    }

    pub fn end(self) -> Option<Timestamp> {
        Some(self.start() + (self.length? * 15).minutes())
    }
}

/// So many hours from when the case began, or from where its values begin, and microseconds more.
#[derive(Clone, Copy, Debug)]
pub struct When {
    base: Option<usize>,
    hours: i64,
    micros: i64,
}

impl When {
    pub fn from(self, now: Timestamp) -> Timestamp {
        self.base.map_or(now, base) + self.hours.hours() + self.micros.microseconds()
    }
}

/// Months, days, and microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Span(i64, i64, i64);

impl Span {
    pub fn text(self) -> String {
        let Span(months, days, micros) = self;
        format!("{months} months {days} days {micros} microseconds")
    }
}

/// How long before a valid time something had to be known.
#[derive(Clone, Debug)]
pub enum Form {
    Lead(Span),
    /// So that the cutoff of one key is a moment at which something happened, or one beside it.
    LeadTo(Key, Moment),
    /// Days, and minutes of the day.
    DaysAhead(i32, i64),
    Window {
        length: Span,
        offset: Span,
        origin: When,
    },
}

/// By which way a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    Node,
    Function,
    Arrow,
    Batches,
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
        workflow: Option<&'static str>,
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
    Withdraw {
        by: usize,
        run: Index,
    },
    Restore {
        by: usize,
        run: Index,
    },
}

/// A moment relative to something that happened.
#[derive(Clone, Debug)]
pub struct Moment {
    pub at: Index,
    pub micros: i64,
}

/// What a read is asked for, but for its mode. Series are numbers, of which the one too large is another tenant's; runs are
/// some of those that there are, or none of the tenant's.
#[derive(Clone, Debug)]
pub struct Question {
    pub way: Way,
    pub start_valid: Option<Key>,
    pub end_valid: Option<Key>,
    pub start_known: Option<When>,
    pub end_known: Option<When>,
    pub series_keys: Option<Vec<String>>,
    pub series_ids: Option<Vec<usize>>,
    pub as_of: Option<Moment>,
    pub labels: Option<&'static str>,
    pub run_ids: Option<Vec<Option<Index>>>,
    pub workflow: Option<&'static str>,
    pub corrections: Option<&'static str>,
    pub form: Form,
    pub time_zone: &'static str,
}

impl Question {
    /// Of everything.
    pub fn open() -> Question {
        Question {
            way: Way::Node,
            start_valid: None,
            end_valid: None,
            start_known: None,
            end_known: None,
            series_keys: None,
            series_ids: None,
            as_of: None,
            labels: None,
            run_ids: None,
            workflow: None,
            corrections: None,
            form: Form::Lead(Span(0, 0, 0)),
            time_zone: "UTC",
        }
    }
}

/// Mostly on the hour, so that they collide; some between.
fn key(base: usize) -> impl Strategy<Value = Key> {
    let length = prop::option::weighted(0.3, select(&[4, 8, 1][..]));
    (0..5i64, prop::option::weighted(0.2, 1..4i64), length).prop_map(move |(hour, quarter, length)| Key {
        base,
        start: hour * 4 + quarter.unwrap_or(0),
        length,
    })
}

fn value() -> impl Strategy<Value = Option<f64>> {
    let values = [1.0, 2.5, 0.0, -0.0, f64::NAN, f64::INFINITY, 1e-300];
    prop::option::weighted(0.85, select(values.to_vec()))
}

fn row(base: usize) -> impl Strategy<Value = Row> {
    let row = |(series, by_id, key, value)| Row {
        series,
        by_id,
        key,
        value,
    };
    (0..SERIES.len(), any::<bool>(), key(base), value()).prop_map(row)
}

fn change(base: usize) -> impl Strategy<Value = Change> {
    let texts = |texts: &'static [&'static str]| select(texts).prop_map(str::to_owned);
    let annotation = prop::option::of(texts(&["note", " note ", "other", " \n"]));
    let tags = prop::option::of(prop::collection::vec(texts(&["x", " X", "y", "Ä", ""]), 0..4));
    let fields = (
        prop::option::weighted(0.6, value()),
        prop::option::weighted(0.4, annotation),
        prop::option::weighted(0.4, tags),
    );
    let place = (any::<Index>(), 0..SERIES.len(), key(base));
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
fn changes(base: usize) -> impl Strategy<Value = Vec<Change>> {
    let again = prop::option::weighted(0.3, any::<Index>());
    prop::collection::vec((change(base), again), 1..5).prop_map(|drawn| {
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

/// Around when the case began, or mostly before what its values are about.
fn known(base: usize) -> impl Strategy<Value = When> {
    let when = |base: Option<usize>, hours| When { base, hours, micros: 0 };
    prop_oneof![
        (-3..3i64).prop_map(move |days| when(None, days * 24)),
        (-50..8i64).prop_map(move |hours| when(Some(base), hours)),
    ]
}

fn workflow() -> impl Strategy<Value = Option<&'static str>> {
    select(&[None, Some("night")][..])
}

fn step(base: usize) -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec(row(base), 0..12);
    let upload = (0..2usize, workflow(), known(base), rows).prop_map(|(by, workflow, known, rows)| Step::Upload {
        by,
        workflow,
        known,
        rows,
    });
    let update = (0..2usize, changes(base)).prop_map(|(by, changes)| Step::Update { by, changes });
    let series = prop::option::of(prop::collection::vec(0..SERIES.len() + 1, 1..4));
    let compact = (0..2usize, series).prop_map(|(by, series)| Step::Compact { by, series });
    let withdraw = (0..2usize, any::<Index>()).prop_map(|(by, run)| Step::Withdraw { by, run });
    let restore = (0..2usize, any::<Index>()).prop_map(|(by, run)| Step::Restore { by, run });
    prop_oneof![4 => upload, 8 => update, 2 => compact, 2 => withdraw, 2 => restore]
}

/// An upload first: before it there is nothing to update.
pub fn steps(base: usize) -> impl Strategy<Value = Vec<Step>> {
    let first = (workflow(), known(base), prop::collection::vec(row(base), 1..12));
    let first = first.prop_map(|(workflow, known, rows)| Step::Upload {
        by: 0,
        workflow,
        known,
        rows,
    });
    (first, prop::collection::vec(step(base), 0..14)).prop_map(|(first, mut steps)| {
        steps.insert(0, first);
        steps
    })
}

fn moment() -> impl Strategy<Value = Moment> {
    (any::<Index>(), -1..2i64).prop_map(|(at, micros)| Moment { at, micros })
}

fn span() -> impl Strategy<Value = Span> {
    let months = prop::option::weighted(0.2, -1..3i64);
    let days = prop::option::weighted(0.4, -2..4i64);
    let quarters = prop::option::weighted(0.6, -100..200i64);
    (months, days, quarters).prop_map(|(months, days, quarters)| {
        Span(
            months.unwrap_or(0),
            days.unwrap_or(0),
            quarters.unwrap_or(0) * 900_000_000,
        )
    })
}

fn length() -> impl Strategy<Value = Span> {
    prop_oneof![
        (1..3i64, 0..2i64).prop_map(|(months, days)| Span(months, days, 0)),
        (1..4i64).prop_map(|days| Span(0, days, 0)),
        (0..2i64, 1..60i64).prop_map(|(days, half_hours)| Span(0, days, half_hours * 1_800_000_000)),
    ]
}

fn form(base: usize) -> impl Strategy<Value = Form> {
    let origin = (-800..800i64).prop_map(move |hours| When {
        base: Some(base),
        hours,
        micros: 0,
    });
    prop_oneof![
        span().prop_map(Form::Lead),
        (key(base), moment()).prop_map(|(key, moment)| Form::LeadTo(key, moment)),
        (-1..3i32, 0..=48i64).prop_map(|(days, half_hours)| Form::DaysAhead(days, half_hours * 30)),
        (length(), span(), origin).prop_map(|(length, offset, origin)| Form::Window { length, offset, origin }),
    ]
}

fn question(base: usize) -> impl Strategy<Value = Question> {
    // Windows begin at values' times and between them.
    let quarters = move || {
        let key = (-1..22i64).prop_map(move |start| Key {
            base,
            start,
            length: None,
        });
        prop::option::weighted(0.4, key)
    };
    let when = move || {
        let near = (known(base), -1..2i64).prop_map(|(when, micros)| When { micros, ..when });
        prop::option::weighted(0.3, near)
    };
    let keys = select(&["a", "B", "ä", "none of these"][..]).prop_map(str::to_owned);
    let keys = prop::option::weighted(0.2, prop::collection::vec(keys, 0..3));
    let ids = prop::option::weighted(0.2, prop::collection::vec(0..SERIES.len() + 1, 0..3));
    let as_of = prop::option::weighted(0.4, moment());
    let windows = (quarters(), quarters(), when(), when());
    let labels = prop::option::weighted(0.2, select(&["{}", r#"{"site": "north"}"#, r#"{"site": "south"}"#][..]));
    let run = prop::option::weighted(0.9, any::<Index>());
    let filters = (
        labels,
        prop::option::weighted(0.2, prop::collection::vec(run, 0..4)),
        prop::option::weighted(0.3, select(&["night", "api-workflow", "none", ""][..])),
        prop::option::weighted(0.6, select(&["all", "known", "known"][..])),
    );
    let way = select(&[Way::Node, Way::Node, Way::Function, Way::Arrow, Way::Batches][..]);
    let relative = (form(base), select(&ZONES[..]));
    (way, windows, keys, ids, as_of, filters, relative).prop_map(
        |(way, windows, series_keys, series_ids, as_of, filters, (form, time_zone))| {
            let (start_valid, end_valid, start_known, end_known) = windows;
            let (labels, run_ids, workflow, corrections) = filters;
            Question {
                way,
                start_valid,
                end_valid,
                start_known,
                end_known,
                series_keys,
                series_ids,
                as_of,
                labels,
                run_ids,
                workflow,
                corrections,
                form,
                time_zone,
            }
        },
    )
}

pub fn questions(base: usize, count: usize) -> impl Strategy<Value = Vec<Question>> {
    prop::collection::vec(question(base), count)
}
