//! Whether a serial order of the writes explains all that was answered.
//!
//! It is not looked for: that would take for ever. What every such order has to have is looked at, one read at a time. A read
//! *surely* sees what had been acknowledged before it began, what it shows some of, what was acknowledged before something began
//! that it sees, and what was written to a run before something that it sees of that run, as the run's lock has those come one
//! after the other. Whatever else it sees may only hide what is shown less than all of this: so the answer must be exactly what
//! is shown of all that it surely sees. Nothing right is refused by that, and a version that is lost, doubled, torn from the
//! others of its call, hidden or shown too late is not let pass.

mod gone;
mod polls;
mod stored;
mod taken;
mod updates;

use std::collections::BTreeSet;
use std::time::Instant;

use super::events::{Deed, Event, Read};
use crate::model::{Mode, Version, Withdrawal};
use stored::Stored;
use taken::Taken;
use uuid::Uuid;

/// How much there was to check.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    writes: usize,
    reads: usize,
    whole_reads: usize,
    settled: usize,
    /// Updates of a run while another of it was under way.
    contended: usize,
    of_shown: usize,
    without_change: usize,
    left_out: usize,
    followed: usize,
    /// Reads while a run was withdrawn, and while it was not certain whether one was.
    without_some: usize,
    perhaps_without: usize,
    /// Old values that were shown, and that had gone.
    old: usize,
    gone: usize,
}

impl Tally {
    pub fn add(&mut self, more: Tally) {
        self.writes += more.writes;
        self.reads += more.reads;
        self.whole_reads += more.whole_reads;
        self.settled += more.settled;
        self.contended += more.contended;
        self.of_shown += more.of_shown;
        self.without_change += more.without_change;
        self.left_out += more.left_out;
        self.followed += more.followed;
        self.without_some += more.without_some;
        self.perhaps_without += more.perhaps_without;
        self.old += more.old;
        self.gone += more.gone;
    }

    /// There was something of each to get wrong.
    #[track_caller]
    pub fn assert_premise(&self) {
        let Tally {
            writes,
            reads,
            whole_reads,
            settled,
            contended,
            of_shown,
            without_change,
            left_out,
            followed,
            without_some,
            // Two at the same moment: by chance.
            perhaps_without: _,
            old,
            gone,
        } = *self;
        let some = [
            writes,
            reads,
            whole_reads,
            settled,
            contended,
            of_shown,
            without_change,
            left_out,
            followed,
            without_some,
            old,
            gone,
        ];
        assert!(some.iter().all(|count| *count > 0), "the premise: {self:?}");
    }
}

#[track_caller]
pub fn check(events: &[Event], all: &[Version], withdrawals: &[Withdrawal]) -> Tally {
    let stored = Stored::of(events, all);
    let mut tally = Tally {
        writes: (0..events.len()).filter(|event| stored.has_written(*event)).count(),
        ..Tally::default()
    };
    updates::check(&stored, &mut tally);
    polls::check(&stored, &mut tally);
    gone::check(events, &mut tally);
    let taken = Taken::of(events, withdrawals);
    let mut whole = Vec::new();
    for event in events {
        if let Deed::Read(read) = &event.deed {
            check_read(&stored, &taken, event, read, &mut tally);
            let Read { question, answer, .. } = read;
            if question.mode == Mode::Overlapping && question.all_versions && question.as_of.is_none() {
                let lasting = answer.iter().filter(|version| !taken.is_of(&version.run));
                whole.push((event, lasting.collect()));
            }
        }
    }
    tally.whole_reads = whole.len();
    check_order(whole);
    tally
}

#[track_caller]
fn check_read(stored: &Stored, taken: &Taken, event: &Event, read: &Read, tally: &mut Tally) {
    tally.reads += 1;
    let mut shown = Vec::new();
    for version in &read.answer {
        let writer = stored.writer(version);
        assert!(
            stored.events[writer].span.begin < event.span.end,
            "shown before it was asked for: {version:?} to {event:?}"
        );
        shown.push(writer);
    }
    let seen = stored.seen(event.span.begin, shown);
    // Whatever was taken back or restored meanwhile, it may have seen that or not.
    let perhaps = taken.perhaps_hidden(event.span, read.question.as_of);
    tally.without_some += usize::from(perhaps.iter().any(|hidden| !hidden.is_empty()));
    tally.perhaps_without += usize::from(perhaps.len() > 1);
    let expected = |hidden: &BTreeSet<Uuid>| {
        let versions = stored.versions_of(&seen);
        read.question
            .answer(versions.filter(|version| !hidden.contains(&version.run)))
    };
    let is_answered = |hidden: &BTreeSet<Uuid>| read.answer.iter().eq(expected(hidden));
    if !perhaps.iter().any(is_answered) {
        let expected = expected(&perhaps[0]);
        let unlike = read
            .answer
            .iter()
            .zip(&expected)
            .find(|(shown, expected)| shown != *expected);
        panic!(
            "{:?} shows {} versions, where {} were to be seen; the first that differs: {unlike:?}; {:?}; withdrawn \
             were perhaps {perhaps:?}",
            read.question,
            read.answer.len(),
            expected.len(),
            event.span,
        );
    }
    if read.is_settled {
        tally.settled += 1;
        let ever_after = read.question.answer_without(stored.all.iter(), taken.withdrawals);
        assert!(
            read.answer.iter().eq(ever_after),
            "{:?} was settled, and is not",
            read.question
        );
    }
}

/// Of two reads of everything one shows all that the other shows, and the later one no less.
#[track_caller]
fn check_order(mut whole: Vec<(&Event, Vec<&Version>)>) {
    whole.sort_by_key(|(_, answer)| answer.len());
    for pair in whole.windows(2) {
        let [(_, less), (_, more)] = pair else {
            unreachable!("pairs")
        };
        // Both are in the order of a read.
        let lost = less.iter().find(|version| more.binary_search(version).is_err());
        assert!(
            lost.is_none(),
            "two reads, each of which shows what the other does not: {lost:?}"
        );
    }
    let mut latest: Vec<(Instant, usize)> = Vec::new();
    whole.sort_by_key(|(event, _)| event.span.begin);
    for (event, answer) in whole {
        let before = latest
            .iter()
            .filter(|(end, _)| *end < event.span.begin)
            .map(|(_, count)| *count)
            .max();
        assert!(
            before.is_none_or(|count| count <= answer.len()),
            "less than before: {:?}",
            event.span
        );
        latest.push((event.span.end, answer.len()));
    }
}

/// Who asked for changes again and again has got each once.
#[track_caller]
pub fn assert_followed(mut changes: Vec<Version>, stored: &[Version]) -> Tally {
    changes.sort();
    let twice = changes.windows(2).find(|pair| pair[0] == pair[1]);
    assert!(twice.is_none(), "a change that came twice: {twice:?}");
    let missed = stored.iter().find(|version| changes.binary_search(version).is_err());
    assert!(missed.is_none(), "a change that never came: {missed:?}");
    assert_eq!(changes.len(), stored.len());
    Tally {
        followed: changes.len(),
        ..Tally::default()
    }
}
