//! Updates: each changes what the one before it has left, and no two of a run come at once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::Tally;
use super::stored::Stored;
use crate::history::events::{Deed, Element, Event, Span, Status};
use crate::model::{Fields, Version};

#[track_caller]
pub fn check(stored: &Stored, tally: &mut Tally) {
    for chain in stored.chains.values() {
        check_chain(stored, chain);
    }
    let mut of_runs: BTreeMap<Uuid, Vec<(Span, Timestamp)>> = BTreeMap::new();
    for event in stored.events {
        let Deed::Update(elements) = &event.deed else {
            continue;
        };
        for element in elements {
            if element.is_of_shown {
                tally.of_shown += 1;
                check_shown(stored, event, element);
            }
            if element.status == Status::Skipped {
                tally.without_change += 1;
                check_skipped(stored, event, element);
            } else {
                of_runs
                    .entry(element.run)
                    .or_default()
                    .push((event.span, element.change_time));
            }
        }
    }
    for of_run in of_runs.values() {
        tally.contended += check_order(of_run);
    }
}

/// Each version is the one before it with what its update asked for: none is lost.
#[track_caller]
fn check_chain(stored: &Stored, chain: &[&Version]) {
    let mut before: Option<&Fields> = None;
    for version in chain {
        if let Deed::Update(elements) = &stored.events[stored.writer(version)].deed {
            let is_its = |element: &&Element| element.run == version.run && element.place == version.place;
            let element = elements.iter().find(is_its).expect("what has written it");
            let expected = element.change.of(before.unwrap_or(&Fields::default()));
            assert_eq!(version.fields, expected, "a change is lost: {element:?} of {chain:?}");
            assert_ne!(
                before,
                Some(&version.fields),
                "nothing changes: {element:?} of {chain:?}"
            );
            assert_eq!(element.status == Status::Created, before.is_none(), "{element:?}");
        } else {
            assert_eq!(before, None, "an upload after the first version: {chain:?}");
        }
        before = Some(&version.fields);
    }
}

/// There was a moment at which the version that it names was the latest, and as asked for.
#[track_caller]
fn check_skipped(stored: &Stored, event: &Event, element: &Element) {
    let chain = &stored.chains[&(&element.place, element.run)];
    let at = chain.iter().position(|version| version.change == element.change_time);
    let at = at.unwrap_or_else(|| panic!("no version is so: {element:?} of {chain:?}"));
    let fields = &chain[at].fields;
    assert_eq!(
        element.change.of(fields),
        *fields,
        "there was something to change: {element:?}"
    );
    assert!(stored.span_of(chain[at]).begin < event.span.end);
    let next = chain.get(at + 1);
    assert!(
        next.is_none_or(|next| stored.span_of(next).end > event.span.begin),
        "another was written before it began: {element:?}, {next:?}"
    );
}

/// There was a moment at which the run that it chose was shown.
#[track_caller]
fn check_shown(stored: &Stored, event: &Event, element: &Element) {
    assert_ne!(element.status, Status::Created, "what is shown is there: {element:?}");
    let first = stored.chains[&(&element.place, element.run)][0];
    let seen = stored.seen(event.span.begin, vec![stored.writer(first)]);
    let of_place = stored
        .versions_of(&seen)
        .filter(|version| version.place == element.place);
    let shown = of_place.max_by_key(|version| (version.known, version.run));
    assert_eq!(
        shown.map(|version| version.run),
        Some(element.run),
        "{element:?} of {:?}",
        event.span
    );
}

/// What began after another had ended is later; answers how many overlapped with another.
#[track_caller]
fn check_order(of_run: &[(Span, Timestamp)]) -> usize {
    let mut contended = 0;
    for (span, change) in of_run {
        let later = of_run.iter().filter(|(other, _)| other.begin > span.end);
        for (other, later) in later {
            assert!(change < later, "{span:?} at {change}, {other:?} at {later}");
        }
        let overlaps =
            |(other, later): &&(Span, Timestamp)| later != change && other.begin < span.end && span.begin < other.end;
        contended += usize::from(of_run.iter().any(|other| overlaps(&other)));
    }
    contended
}
