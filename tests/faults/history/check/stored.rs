//! What is stored in the end, and which event has written it: each version by one, and of each event all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;

use crate::history::events::{Deed, Element, Event, Status, Upload};
use crate::model::{Place, Version};

pub struct Stored<'a> {
    pub events: &'a [Event],
    pub all: &'a [Version],
    /// Of each version its event.
    writers: BTreeMap<&'a Version, usize>,
    /// Of each event its versions.
    versions: Vec<Vec<&'a Version>>,
    /// Of each event those that have written to one of its runs just before.
    before: Vec<Vec<usize>>,
    /// The versions of a value, in the order in which they were written.
    pub chains: BTreeMap<(&'a Place, Uuid), Vec<&'a Version>>,
}

impl<'a> Stored<'a> {
    #[track_caller]
    pub fn of(events: &'a [Event], all: &'a [Version]) -> Self {
        let mut uploads: HashMap<Uuid, usize> = HashMap::new();
        let mut updates: HashMap<(Uuid, Timestamp), usize> = HashMap::new();
        for (number, event) in events.iter().enumerate() {
            match &event.deed {
                Deed::Upload(Upload { run: Some(run), .. }) => drop(uploads.insert(*run, number)),
                Deed::Update(elements) => {
                    for element in elements.iter().filter(|element| element.status != Status::Skipped) {
                        let other = updates.insert((element.run, element.change_time), number);
                        assert!(
                            other.is_none_or(|other| other == number),
                            "two updates of a run have one change_time: {element:?}"
                        );
                    }
                }
                _ => {}
            }
        }
        let mut stored = Stored {
            events,
            all,
            writers: BTreeMap::new(),
            versions: vec![Vec::new(); events.len()],
            before: vec![Vec::new(); events.len()],
            chains: BTreeMap::new(),
        };
        let mut of_runs: BTreeMap<Uuid, BTreeSet<(Timestamp, usize)>> = BTreeMap::new();
        for version in all {
            let update = updates.get(&(version.run, version.change));
            let writer = update.or_else(|| uploads.get(&version.run));
            let writer = *writer.unwrap_or_else(|| panic!("nobody has written {version:?}"));
            let twice = stored.writers.insert(version, writer);
            assert!(twice.is_none(), "there twice: {version:?}");
            stored.versions[writer].push(version);
            of_runs.entry(version.run).or_default().insert((version.change, writer));
            stored
                .chains
                .entry((&version.place, version.run))
                .or_default()
                .push(version);
        }
        stored
            .chains
            .values_mut()
            .for_each(|chain| chain.sort_by_key(|version| version.change));
        for of_run in of_runs.values() {
            let writers: Vec<usize> = of_run.iter().map(|(_, writer)| *writer).collect();
            for pair in writers.windows(2) {
                stored.before[pair[1]].push(pair[0]);
            }
        }
        stored.assert_all_there();
        stored
    }

    /// All that was acknowledged is there, and nothing more of it.
    #[track_caller]
    fn assert_all_there(&self) {
        for (event, versions) in self.events.iter().zip(&self.versions) {
            match &event.deed {
                Deed::Upload(upload) => assert_uploaded(upload, versions),
                Deed::Update(elements) => assert_updated(elements, versions),
                _ => assert!(versions.is_empty()),
            }
        }
    }

    pub fn has_written(&self, event: usize) -> bool {
        !self.versions[event].is_empty()
    }

    #[track_caller]
    pub fn writer(&self, version: &Version) -> usize {
        let writer = self.writers.get(version);
        *writer.unwrap_or_else(|| panic!("shown, and not stored: {version:?}"))
    }

    pub fn span_of(&self, version: &Version) -> super::super::events::Span {
        self.events[self.writer(version)].span
    }

    /// The versions of these events.
    pub fn versions_of<'s>(&'s self, seen: &'s [bool]) -> impl Iterator<Item = &'a Version> + 's {
        let seen = self.versions.iter().zip(seen).filter(|(_, seen)| **seen);
        seen.flat_map(|(versions, _)| versions.iter().copied())
    }

    /// All that somebody surely sees who began then and has seen these, and what must have come before.
    pub fn seen(&self, begin: Instant, mut next: Vec<usize>) -> Vec<bool> {
        let mut seen = vec![false; self.events.len()];
        let mut bound = begin;
        loop {
            while let Some(event) = next.pop() {
                if !seen[event] {
                    seen[event] = true;
                    bound = bound.max(self.events[event].span.begin);
                    next.extend_from_slice(&self.before[event]);
                }
            }
            let is_missing =
                |event: &usize| !seen[*event] && self.has_written(*event) && self.events[*event].span.end < bound;
            next.extend((0..self.events.len()).filter(is_missing));
            if next.is_empty() {
                return seen;
            }
        }
    }
}

#[track_caller]
fn assert_uploaded(upload: &Upload, versions: &[&Version]) {
    let skipped = upload.skipped.unwrap_or_default();
    let is_known = |known| upload.known.is_none_or(|said| said == known);
    let is_one = |version: &&Version| {
        let is_row = |(place, fields): &_| *place == version.place && *fields == version.fields;
        is_known(version.known) && version.change == versions[0].change && upload.rows.iter().any(is_row)
    };
    assert_eq!(
        versions.len() + skipped,
        upload.rows.len(),
        "{upload:?} has {versions:?}"
    );
    assert!(versions.iter().all(is_one), "{upload:?} has {versions:?}");
}

#[track_caller]
fn assert_updated(elements: &[Element], versions: &[&Version]) {
    let written = elements.iter().filter(|element| element.status != Status::Skipped);
    let is_of = |element: &Element, version: &Version| {
        let named = (&element.place, element.run, element.change_time);
        named == (&version.place, version.run, version.change)
    };
    let count = written.clone().count();
    assert_eq!(count, versions.len(), "{elements:?} have {versions:?}");
    for element in written {
        let found = versions.iter().filter(|version| is_of(element, version)).count();
        assert_eq!(found, 1, "{element:?} in {versions:?}");
    }
}
