//! What clients know of what they have written: for certain where the server has said so, and perhaps where it did not come to
//! that. Afterwards what is stored must be that: what is certain whole, what is not whole or absent, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Fields, Place, Version, is_old};

/// Whoever updates says in the annotation who he is; what else is stored is its upload's, which the workflow names.
pub const UPDATE: &str = "update ";

/// A version as its writer knows it; what the server chooses is none until it has said so.
#[derive(Clone, Debug)]
pub struct Written {
    pub place: Place,
    pub fields: Fields,
    pub known: Option<Timestamp>,
    pub change: Option<Timestamp>,
    pub run: Option<Uuid>,
}

/// What one name has written; of a transaction some names stand and fall together.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    pub versions: Vec<Written>,
}

/// A run that may be updated, with some of its places.
#[derive(Clone, Debug)]
pub struct Target {
    pub run: Uuid,
    pub places: Vec<Place>,
}

#[derive(Default)]
pub struct Record {
    certain: BTreeMap<String, Vec<Written>>,
    uncertain: Vec<Vec<Part>>,
    pub targets: Vec<Target>,
    /// Runs that are withdrawn, and those of which nobody knows. No two clients are at one.
    pub withdrawn: Vec<Target>,
    pub perhaps_withdrawn: Vec<Target>,
    /// What was stored when it was last looked at: none of it may ever change.
    pub stored: BTreeSet<Version>,
    pub tally: Tally,
}

#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    pub acknowledged: usize,
    pub whole: usize,
    pub absent: usize,
    /// Runs that were withdrawn when it was looked.
    pub withdrawn: usize,
    /// Versions of old values that were acknowledged, and had gone, each time that it was looked.
    pub gone: usize,
}

impl Tally {
    pub fn add(&mut self, more: Tally) {
        self.acknowledged += more.acknowledged;
        self.whole += more.whole;
        self.absent += more.absent;
        self.withdrawn += more.withdrawn;
        self.gone += more.gone;
    }
}

impl Part {
    /// Whether some of it is kept for ever.
    fn lasts(&self) -> bool {
        self.versions.iter().any(|version| !is_old(&version.place))
    }
}

impl Written {
    fn is(&self, stored: &Version) -> bool {
        self.place == stored.place
            && self.fields == stored.fields
            && self.known.is_none_or(|known| known == stored.known)
            && self.change.is_none_or(|change| change == stored.change)
            && self.run.is_none_or(|run| run == stored.run)
    }
}

impl Record {
    /// The server has said that it is written.
    pub fn acknowledge(&mut self, parts: Vec<Part>) {
        self.tally.acknowledged += 1;
        for part in parts {
            let before = self.certain.insert(part.name.clone(), part.versions);
            assert!(before.is_none(), "the premise: a name is used once: {}", part.name);
        }
    }

    /// It was asked for, and the server went away.
    pub fn doubt(&mut self, parts: Vec<Part>) {
        self.uncertain.push(parts);
    }

    /// Holds what is stored against all that is known, and is certain of it from then on. `workflows` names the upload of each
    /// run.
    #[track_caller]
    pub fn compare(&mut self, stored: Vec<Version>, workflows: &BTreeMap<Uuid, String>) {
        let mut of_names: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
        for version in &stored {
            of_names.entry(name(version, workflows)).or_default().push(version);
        }
        for parts in std::mem::take(&mut self.uncertain) {
            // What has only old values may have gone.
            let mut lasting: Vec<&Part> = parts.iter().filter(|part| part.lasts()).collect();
            if lasting.is_empty() {
                lasting.extend(&parts);
            }
            let is_there = |part: &&&Part| of_names.contains_key(&*part.name);
            let (there, all) = (lasting.iter().filter(is_there).count(), lasting.len());
            assert!(
                there == 0 || there == all || !lasting[0].lasts(),
                "of one transaction {there} of {all} parts are there: {parts:?}"
            );
            if there == 0 {
                self.tally.absent += 1;
            } else {
                self.tally.whole += 1;
                self.certain
                    .extend(parts.into_iter().map(|part| (part.name, part.versions)));
            }
        }
        for (name, written) in &self.certain {
            let found = of_names.remove(&**name).unwrap_or_default();
            self.tally.gone += assert_same(name, written, found);
        }
        let others: Vec<_> = of_names.keys().collect();
        assert!(others.is_empty(), "nobody has written {others:?}");
        let stored: BTreeSet<Version> = stored.into_iter().collect();
        let lost = self.stored.difference(&stored);
        let lost: Vec<_> = lost.filter(|version| !is_old(&version.place)).collect();
        assert!(lost.is_empty(), "it has been there: {lost:?}");
        self.stored = stored;
    }
}

fn name<'a>(version: &'a Version, workflows: &'a BTreeMap<Uuid, String>) -> &'a str {
    match version.fields.annotation.as_deref() {
        Some(annotation) if annotation.starts_with(UPDATE) => annotation,
        _ => workflows
            .get(&version.run)
            .unwrap_or_else(|| panic!("no run is listed of {version:?}")),
    }
}

/// Each is there, once, and nothing else is; of what is old some may have gone: how many.
#[track_caller]
fn assert_same(name: &str, written: &[Written], mut found: Vec<&Version>) -> usize {
    let mut gone = 0;
    let all = format!("{found:?}");
    for version in written {
        let Some(at) = found.iter().position(|stored| version.is(stored)) else {
            if is_old(&version.place) {
                gone += 1;
                continue;
            }
            panic!(
                "{name}: {version:?} is not there, of {} versions; there is {all}",
                written.len()
            );
        };
        found.swap_remove(at);
    }
    assert!(found.is_empty(), "{name}: too much is there: {found:?}");
    gone
}
