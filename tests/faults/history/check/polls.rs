//! Uploads that leave out what is unchanged: what they leave out was shown, and what they write was not. They wait for one
//! another; what else is written meanwhile may count as if it came later.

use super::Tally;
use super::stored::Stored;
use crate::history::events::{Deed, Event, Upload};
use crate::model::{Fields, Place, Version};

#[track_caller]
pub fn check(stored: &Stored, tally: &mut Tally) {
    for event in stored.events {
        let Deed::Upload(upload) = &event.deed else {
            continue;
        };
        if upload.skipped.is_none() {
            continue;
        }
        for (place, fields) in &upload.rows {
            let written = upload.run.and_then(|run| stored.chains.get(&(place, run)));
            match written {
                Some(chain) => check_written(stored, event, chain[0]),
                None => {
                    tally.left_out += 1;
                    check_left_out(stored, event, place, fields);
                }
            }
        }
    }
}

fn of_place<'a>(stored: &'a Stored, place: &'a Place) -> impl Iterator<Item = &'a Version> {
    stored.all.iter().filter(move |version| version.place == *place)
}

fn rank(version: &Version) -> impl Ord + use<> {
    (version.known, version.run, version.change)
}

fn is_poll(event: &Event) -> bool {
    matches!(&event.deed, Deed::Upload(Upload { skipped: Some(_), .. }))
}

/// What comes just before it was surely seen where it was acknowledged by then, or was a poll; it is something else.
#[track_caller]
fn check_written(stored: &Stored, event: &Event, version: &Version) {
    let earlier = of_place(stored, &version.place).filter(|other| rank(other) < rank(version));
    let Some(before) = earlier.max_by_key(|other| rank(other)) else {
        return;
    };
    let writer = &stored.events[stored.writer(before)];
    if writer.span.end < event.span.begin || is_poll(writer) {
        assert_ne!(
            before.fields.value, version.fields.value,
            "a value that was shown is written again: {version:?} after {before:?}"
        );
    }
}

/// There was a moment at which a version with this value was shown.
#[track_caller]
fn check_left_out(stored: &Stored, event: &Event, place: &Place, fields: &Fields) {
    let could_be_shown = |version: &&Version| {
        let hides = |other: &Version| rank(other) > rank(version) && stored.span_of(other).end < event.span.begin;
        version.fields.value == fields.value
            && stored.span_of(version).begin < event.span.end
            && !of_place(stored, place).any(hides)
    };
    let shown = of_place(stored, place).find(could_be_shown);
    assert!(
        shown.is_some(),
        "left out, and not shown: {place:?} {fields:?} in {event:?}"
    );
}
