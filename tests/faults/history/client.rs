//! A client at random that notes what it does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{Timestamp, ToSpan};
use postgres::Client;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use timedb_testkit::one;
use uuid::Uuid;

use super::events::{Change, Deed, Element, Event, Read, Span, Status, Upload};
use crate::model::{COLUMNS, Fields, Mode, Place, Question, Version, hour, is_old};

const HOURS: i64 = 5;
/// An hour that is old.
const LONG_AGO: i64 = -2_000;
/// Known times that several runs share.
const KNOWN: i64 = 3;
/// What several updates say, so that some change nothing.
const COMMON: &str = "seen";

/// At most so many readings come in a game, each after so long.
const READINGS: u64 = 1_000_000;
const MILLIS_OF_READING: u128 = 40;

/// No value is written twice, but for what is uploaded again to be left out.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

fn next() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

pub struct Game {
    pub number: u64,
    pub until: Instant,
    /// Those that are acknowledged, with the places of their upload.
    pub runs: Mutex<Vec<(Uuid, Vec<Place>)>>,
    /// Those that may be taken back, and whether they are, but for what a client is at.
    pub taken: Mutex<Vec<(Uuid, bool)>>,
}

impl Game {
    pub fn series(&self) -> Vec<String> {
        ["moments", "more", "spans"]
            .map(|name| format!("{name} {}", self.number))
            .into()
    }

    /// Of its runs, which nobody updates, some are withdrawn.
    fn taken_back(&self) -> String {
        format!("taken back {}", self.number)
    }

    /// Its values are taken out.
    pub fn old(&self) -> String {
        format!("old {}", self.number)
    }

    /// Those whose versions last.
    pub fn lasting(&self) -> Vec<String> {
        [self.series(), vec![self.taken_back()]].concat()
    }

    pub fn all(&self) -> Vec<String> {
        [self.lasting(), vec![self.old()]].concat()
    }

    fn taken(&self) -> MutexGuard<'_, Vec<(Uuid, bool)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runs(&self) -> MutexGuard<'_, Vec<(Uuid, Vec<Place>)>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Player<'a> {
    client: &'a mut Client,
    game: &'a Game,
    random: StdRng,
    /// Whoever follows asks for what came after this.
    followed: Option<Timestamp>,
    pub events: Vec<Event>,
    pub changes: Vec<Version>,
}

impl<'a> Player<'a> {
    pub fn new(client: &'a mut Client, game: &'a Game, random: StdRng, followed: Option<Timestamp>) -> Self {
        Self {
            client,
            game,
            random,
            followed,
            events: Vec::new(),
            changes: Vec::new(),
        }
    }

    pub fn play(&mut self) {
        while Instant::now() < self.game.until {
            match self.random.random_range(0..100) {
                0..10 => self.upload(),
                10..18 => self.poll(),
                18..40 => self.update(),
                40..51 => self.compact(),
                51..55 => self.upload_for_a_while(),
                55..61 => self.take_back(),
                61..65 => self.upload_old(),
                65..68 => self.retain(),
                68..90 => self.read(),
                90..96 => self.read_settled(),
                _ => self.follow(),
            }
        }
    }

    /// Notes what was done, and when.
    fn note(&mut self, begin: Instant, deed: Deed) {
        let end = Instant::now();
        let span = Span { begin, end };
        self.events.push(Event { span, deed });
    }

    fn place(&mut self) -> Place {
        let series = self.game.series().choose(&mut self.random).expect("a series").clone();
        let start = hour(self.random.random_range(0..HOURS));
        let end = series.starts_with("spans").then(|| start + 1.hour());
        (series, start, end)
    }

    fn places(&mut self, most: usize) -> Vec<Place> {
        let count = self.random.random_range(1..=most);
        let mut places: Vec<Place> = (0..count).map(|_| self.place()).collect();
        places.sort();
        places.dedup();
        places
    }

    fn upload(&mut self) {
        let known = self.random.random_bool(0.5);
        let known = known.then(|| hour(-self.random.random_range(1..=KNOWN)));
        let rows: Vec<(Place, Fields)> = self.places(4).into_iter().map(|place| (place, new_value())).collect();
        let sql = "SELECT run_id FROM timedb.upload(now(), $1, known_time => $2)";
        let begin = Instant::now();
        let run: Uuid = self
            .client
            .query_one(sql, &[&json_rows(&rows), &known])
            .expect("an upload")
            .get(0);
        let places = rows.iter().map(|(place, _)| place.clone()).collect();
        let upload = Upload {
            run: Some(run),
            known,
            rows,
            skipped: None,
        };
        self.note(begin, Deed::Upload(upload));
        self.game.runs().push((run, places));
    }

    /// A value or two of a series, of a run that nobody updates.
    fn upload_apart(&mut self, series: String, from: i64) -> Upload {
        let first = from + self.random.random_range(0..2);
        let last = first + self.random.random_range(0..2);
        let places = (first..=last).map(|at| (series.clone(), hour(at), None));
        let rows: Vec<(Place, Fields)> = places.map(|place| (place, new_value())).collect();
        let sql = "SELECT run_id FROM timedb.upload(now(), $1)";
        let row = self.client.query_one(sql, &[&json_rows(&rows)]).expect("an upload");
        Upload {
            run: row.get(0),
            known: None,
            rows,
            skipped: None,
        }
    }

    fn upload_for_a_while(&mut self) {
        let begin = Instant::now();
        let upload = self.upload_apart(self.game.taken_back(), 0);
        let run = upload.run.expect("a run");
        self.note(begin, Deed::Upload(upload));
        self.game.taken().push((run, false));
    }

    fn take_back(&mut self) {
        let mut taken = self.game.taken();
        if taken.is_empty() {
            return;
        }
        let place = self.random.random_range(0..taken.len());
        let (run, is_withdrawn) = taken.swap_remove(place);
        drop(taken);
        let verb = if is_withdrawn { "restore_run" } else { "withdraw_run" };
        let begin = Instant::now();
        self.client
            .execute(&format!("SELECT timedb.{verb}($1)"), &[&run])
            .expect("it is taken back, or restored");
        self.note(begin, Deed::TakeBack { run });
        self.game.taken().push((run, !is_withdrawn));
    }

    fn upload_old(&mut self) {
        let begin = Instant::now();
        let upload = self.upload_apart(self.game.old(), LONG_AGO);
        self.note(begin, Deed::UploadOld(upload));
    }

    fn retain(&mut self) {
        let begin = Instant::now();
        let sql = "SELECT remaining FROM timedb.apply_retention(dry_run => false)";
        let remaining = one(self.client, sql);
        self.note(begin, Deed::Retain { remaining });
    }

    /// The reading of a source that has a new one now and then, so that several bring the same: the first one of them is to
    /// write it. Or what somebody has seen just now.
    fn poll(&mut self) {
        let shown = Question::flat()
            .ask(self.client, Some(&self.game.series()))
            .expect("a read");
        let left = self.game.until.saturating_duration_since(Instant::now());
        let reading = (self.game.number * READINGS) as f64 + (left.as_millis() / MILLIS_OF_READING) as f64;
        let mut rows: Vec<(Place, Fields)> = Vec::new();
        for place in self.places(4) {
            let shown = shown.iter().find(|version| version.place == place);
            let is_old = shown.is_some() && self.random.random_bool(0.2);
            let value = match shown {
                Some(shown) if is_old => shown.fields.value,
                _ => Some(f64::to_bits(-reading)),
            };
            let fields = Fields {
                value,
                ..Fields::default()
            };
            rows.push((place, fields));
        }
        let sql = "SELECT run_id, skipped FROM timedb.upload(now(), $1, skip_unchanged => true)";
        let begin = Instant::now();
        let row = self.client.query_one(sql, &[&json_rows(&rows)]).expect("an upload");
        let skipped: i64 = row.get(1);
        let upload = Upload {
            run: row.get(0),
            known: None,
            rows,
            skipped: Some(skipped as usize),
        };
        self.note(begin, Deed::Upload(upload));
    }

    /// Some fields of some values of a run; now and then of one that it does not have yet, or of whichever run is shown.
    fn update(&mut self) {
        // Mostly one of the last, which others change, too.
        let of = {
            let runs = self.game.runs();
            let last = runs.len().saturating_sub(4);
            let among = if self.random.random_bool(0.8) {
                &runs[last..]
            } else {
                &runs[..]
            };
            among.choose(&mut self.random).cloned()
        };
        let Some((run, mut places)) = of else {
            return self.upload();
        };
        let is_of_shown = self.random.random_bool(0.25);
        let mut asked: Vec<(Place, Change)> = places.drain(..).map(|place| (place, self.change())).collect();
        let other = self.place();
        if !is_of_shown && self.random.random_bool(0.2) && asked.iter().all(|(place, _)| *place != other) {
            // The run may not have it: so its value is said.
            let value = Some(Some(f64::to_bits(next() as f64)));
            let change = Change {
                value,
                ..Change::default()
            };
            asked.push((other, change));
        }
        let run = (!is_of_shown).then_some(run);
        let begin = Instant::now();
        let elements = self.updated(asked, run);
        self.note(begin, Deed::Update(elements));
    }

    fn change(&mut self) -> Change {
        let number = next();
        let common = self.random.random_bool(0.5);
        let mut change = Change::default();
        match self.random.random_range(0..3) {
            0 => change.value = Some(Some(f64::to_bits(number as f64))),
            1 if common => change.annotation = Some(COMMON.to_owned()),
            1 => change.annotation = Some(format!("note {number}")),
            _ => change.tags = Some(vec![format!("t{number}")]),
        }
        change
    }

    fn updated(&mut self, asked: Vec<(Place, Change)>, run: Option<Uuid>) -> Vec<Element> {
        let updates: Vec<Value> = asked
            .iter()
            .map(|(place, change)| json_update(place, change, run))
            .collect();
        let sql = "SELECT status, run_id, change_time FROM timedb.update($1)";
        let rows = self.client.query(sql, &[&Value::from(updates)]).expect("an update");
        assert_eq!(rows.len(), asked.len());
        let element = |((place, change), row): ((Place, Change), &postgres::Row)| Element {
            place,
            change,
            is_of_shown: run.is_none(),
            run: row.get(1),
            status: match row.get(0) {
                "created" => Status::Created,
                "updated" => Status::Updated,
                "skipped" => Status::Skipped,
                other => panic!("status {other}"),
            },
            change_time: row.get(2),
        };
        asked.into_iter().zip(&rows).map(element).collect()
    }

    fn compact(&mut self) {
        let sql = "SELECT timedb.compact(older_than => '0')";
        self.client.execute(sql, &[]).expect("it is compacted");
    }

    fn read(&mut self) {
        let mode = *[Mode::Flat, Mode::Overlapping]
            .choose(&mut self.random)
            .expect("a mode");
        let as_of = self.random.random_bool(0.25).then(|| self.some_moment()).flatten();
        let question = match self.random.random_bool(0.4) {
            true => Question::EVERYTHING,
            false => Question {
                mode,
                all_versions: self.random.random_bool(0.5),
                as_of,
            },
        };
        self.ask(question, false);
    }

    /// When something was changed, as this client was told.
    fn some_moment(&mut self) -> Option<Timestamp> {
        let changes = |event: &Event| match &event.deed {
            Deed::Update(elements) => elements.first().map(|element| element.change_time),
            _ => None,
        };
        let moments: Vec<Timestamp> = self.events.iter().filter_map(changes).collect();
        moments.choose(&mut self.random).copied()
    }

    fn read_settled(&mut self) {
        let settled: Timestamp = one(self.client, "SELECT timedb.settled_time()");
        let mode = *[Mode::Flat, Mode::Overlapping]
            .choose(&mut self.random)
            .expect("a mode");
        let question = Question {
            mode,
            all_versions: self.random.random_bool(0.5),
            as_of: Some(settled),
        };
        self.ask(question, true);
    }

    fn ask(&mut self, question: Question, is_settled: bool) {
        let begin = Instant::now();
        let mut answer = question.ask(self.client, Some(&self.game.all())).expect("a read");
        let old = answer.extract_if(.., |version| is_old(&version.place)).collect();
        let read = Read {
            question,
            is_settled,
            answer,
            old,
        };
        self.note(begin, Deed::Read(read));
    }

    /// What has changed since the last time.
    pub fn follow(&mut self) {
        let Some(after) = &mut self.followed else {
            return;
        };
        let sql = format!("SELECT {COLUMNS} FROM timedb.read_changes($1, series_keys => $2)");
        let rows = self.client.query(&sql, &[after, &self.game.series()]);
        self.changes.extend(rows.expect("changes").iter().map(Version::of));
        if let Some(last) = self.changes.last() {
            *after = last.change;
        }
    }
}

fn new_value() -> Fields {
    Fields {
        value: Some(f64::to_bits(next() as f64)),
        ..Fields::default()
    }
}

fn json_place((series, start, end): &Place) -> Value {
    let mut row = json!({"value_key": series, "valid_time": start.to_string()});
    if let Some(end) = end {
        row["valid_time_end"] = json!(end.to_string());
    }
    row
}

fn json_rows(rows: &[(Place, Fields)]) -> Value {
    let row = |(place, fields): &(Place, Fields)| {
        let mut row = json_place(place);
        row["value"] = json!(fields.value.map(f64::from_bits));
        row
    };
    rows.iter().map(row).collect()
}

fn json_update(place: &Place, change: &Change, run: Option<Uuid>) -> Value {
    let mut update = json_place(place);
    if let Some(run) = run {
        update["run_id"] = json!(run.to_string());
    }
    if let Some(value) = change.value {
        update["value"] = json!(value.map(f64::from_bits));
    }
    if let Some(annotation) = &change.annotation {
        update["annotation"] = json!(annotation);
    }
    if let Some(tags) = &change.tags {
        update["tags"] = json!(tags);
    }
    update
}
