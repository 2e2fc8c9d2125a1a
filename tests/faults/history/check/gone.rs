//! Old values that retention takes out: shown until then, whole times at once, and never after.

use uuid::Uuid;

use super::Tally;
use crate::history::events::{Deed, Event, Read, Span, Upload};
use crate::model::{Mode, Place, Version};

/// An old value that was written, each by a run of its own.
struct Old<'a> {
    run: Uuid,
    place: &'a Place,
    value: Option<u64>,
    span: Span,
}

#[track_caller]
pub fn check(events: &[Event], tally: &mut Tally) {
    let mut written: Vec<Old> = Vec::new();
    let mut calls: Vec<(Span, i64)> = Vec::new();
    for event in events {
        match &event.deed {
            Deed::UploadOld(Upload {
                run: Some(run), rows, ..
            }) => {
                written.extend(rows.iter().map(|(place, fields)| Old {
                    run: *run,
                    place,
                    value: fields.value,
                    span: event.span,
                }));
            }
            Deed::Retain { remaining } => calls.push((event.span, *remaining)),
            _ => {}
        }
    }
    for event in events {
        if let Deed::Read(read) = &event.deed
            && read.question.as_of.is_none()
        {
            check_read(&written, &calls, event.span, read, tally);
        }
    }
}

#[track_caller]
fn check_read(written: &[Old], calls: &[(Span, i64)], span: Span, read: &Read, tally: &mut Tally) {
    let shows = |of: &Old| read.old.iter().any(|version| is(version, of));
    let count = written.iter().filter(|of| shows(of)).count();
    assert_eq!(count, read.old.len(), "nobody has written some of {:?}", read.old);
    tally.old += count;
    for of in written {
        // The calls that may have taken it out before it was looked for, and those that must have.
        let may = calls
            .iter()
            .any(|(call, _)| call.end > of.span.begin && call.begin < span.end);
        let must =
            |(call, remaining): &(Span, i64)| call.begin > of.span.end && call.end < span.begin && *remaining == 0;
        let must = calls.iter().any(must);
        let is_shown = shows(of);
        tally.gone += usize::from(must);
        assert!(!must || !is_shown, "it was taken out: {:?} of {}", of.place, of.run);
        assert!(of.span.begin < span.end || !is_shown, "shown before it was asked for");
        let is_hidden =
            || read.question.mode == Mode::Flat && read.old.iter().any(|v| v.place == *of.place && v.run > of.run);
        assert!(
            may || of.span.end >= span.begin || is_shown || is_hidden(),
            "nobody has taken it out: {:?} of {}",
            of.place,
            of.run
        );
        if is_shown {
            assert_whole(written, calls, span, read, of);
        }
    }
}

/// Nothing that came later, and hid it, was taken out by a call that had it before it as well.
#[track_caller]
fn assert_whole(written: &[Old], calls: &[(Span, i64)], span: Span, read: &Read, of: &Old) {
    let hid = |later: &&Old| later.place == of.place && later.run > of.run && later.span.end < span.begin;
    for later in written.iter().filter(hid) {
        let is_shown = read.old.iter().any(|version| is(version, later));
        let mut takers = calls
            .iter()
            .filter(|(call, _)| call.end > later.span.begin && call.begin < span.end);
        let had_both = takers.all(|(call, _)| of.span.end < call.begin);
        assert!(
            is_shown || !had_both,
            "of {:?} the run {} has come back, and {} is gone",
            of.place,
            of.run,
            later.run
        );
    }
}

fn is(version: &Version, of: &Old) -> bool {
    version.run == of.run && version.place == *of.place && version.fields.value == of.value
}
