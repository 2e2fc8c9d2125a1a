//! Runs that are withdrawn and restored: which of them a read may leave out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use crate::history::events::{Deed, Event, Span};
use crate::model::Withdrawal;

pub struct Taken<'a> {
    pub withdrawals: &'a [Withdrawal],
    /// Of each run when it was withdrawn and restored by turns, one after the other.
    turns: BTreeMap<Uuid, Vec<Span>>,
    /// Since when and until when that was in effect, in the same order.
    of_runs: BTreeMap<Uuid, Vec<Withdrawal>>,
}

impl<'a> Taken<'a> {
    pub fn of(events: &[Event], withdrawals: &'a [Withdrawal]) -> Self {
        let mut turns: BTreeMap<Uuid, Vec<Span>> = BTreeMap::new();
        for event in events {
            if let Deed::TakeBack { run } = &event.deed {
                turns.entry(*run).or_default().push(event.span);
            }
        }
        let mut of_runs: BTreeMap<Uuid, Vec<Withdrawal>> = BTreeMap::new();
        for withdrawal in withdrawals {
            of_runs.entry(withdrawal.run).or_default().push(*withdrawal);
        }
        turns
            .values_mut()
            .for_each(|of_run| of_run.sort_by_key(|span| span.begin));
        of_runs.values_mut().for_each(|of_run| of_run.sort_by_key(|of| of.from));
        for (run, turns) in &turns {
            let stored = of_runs.get(run).map_or(0, Vec::len);
            assert_eq!(stored, turns.len().div_ceil(2), "withdrawals of {run}");
        }
        Taken {
            withdrawals,
            turns,
            of_runs,
        }
    }

    /// Whether it was ever withdrawn.
    pub fn is_of(&self, run: &Uuid) -> bool {
        self.turns.contains_key(run)
    }

    /// The sets of runs that a read may have left out: by how many turns of each it saw, of those that had begun before it ended
    /// all that had ended before it began.
    pub fn perhaps_hidden(&self, read: Span, as_of: Option<Timestamp>) -> Vec<BTreeSet<Uuid>> {
        let mut perhaps = vec![BTreeSet::new()];
        for (run, turns) in &self.turns {
            let surely = turns.iter().filter(|turn| turn.end < read.begin).count();
            let at_most = turns.iter().filter(|turn| turn.begin < read.end).count();
            let hidden: BTreeSet<bool> = (surely..=at_most)
                .map(|seen| self.is_hidden(run, seen, as_of))
                .collect();
            let with_it = |set: &BTreeSet<Uuid>| {
                let mut set = set.clone();
                set.insert(*run);
                set
            };
            perhaps = match (hidden.contains(&true), hidden.contains(&false)) {
                (true, true) => {
                    let with_it: Vec<_> = perhaps.iter().map(with_it).collect();
                    [perhaps, with_it].concat()
                }
                (true, false) => perhaps.iter().map(with_it).collect(),
                _ => perhaps,
            };
        }
        perhaps
    }

    /// Whether a run is left out by who has seen so many of its turns.
    fn is_hidden(&self, run: &Uuid, seen: usize, as_of: Option<Timestamp>) -> bool {
        let withdrawals = self.of_runs.get(run).map_or(&[][..], Vec::as_slice);
        let seen_of = |(place, withdrawal): (usize, &Withdrawal)| Withdrawal {
            until: withdrawal.until.filter(|_| seen >= 2 * place + 2),
            ..*withdrawal
        };
        let begun = withdrawals.iter().take(seen.div_ceil(2)).enumerate();
        begun.map(seen_of).any(|withdrawal| withdrawal.lasts(as_of))
    }
}
