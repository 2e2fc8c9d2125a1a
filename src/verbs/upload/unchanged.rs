//! What of an upload changes nothing, and is left out where that is asked for.

use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::isolation::is_read_committed;
use crate::pg::lock::{self, For};
use crate::store::fetch::Groups;
use crate::store::scan::{Stored, Windows};
use crate::verbs::resolved::Resolved;
use std::collections::BTreeMap;
use std::rc::Rc;
use timedb_core::merge::{Mode, Window};
use timedb_core::points::Point;
use timedb_core::time::Time;
use timedb_core::upload::Said;
use timedb_core::upload::unchanged::{OfRun, Shown, leave_out as leave_out_of};
use timedb_core::version::Version;
use uuid::Uuid;

/// An older snapshot would not show what those have stored who were waited for.
pub fn check_isolation() -> Result<()> {
    match is_read_committed() {
        true => Ok(()),
        false => Err(Error::Unsupported {
            what: "\"skip_unchanged\" needs a transaction that is READ COMMITTED",
            hint: "The snapshot of any other may be older than what others have stored.",
        }),
    }
}

/// Two uploads of one series that leave out what is unchanged come one after the other: of two that bring the same, one
/// stores it.
pub fn wait_for_others(tenant: Uuid, series: &[Resolved]) {
    lock::hold_shares(For::Polling, tenant, series.iter().map(|of| of.id));
}

/// Takes out the rows that change nothing; answers how many of each run.
pub fn leave_out(tenant: Uuid, runs: &[Version], series: &mut [Resolved], said: &[Rc<Said>]) -> Result<Vec<i64>> {
    let mut taken = vec![0; runs.len()];
    for (valid, mut of_window) in by_window(series) {
        let windows = Windows {
            valid,
            known: Window {
                start: None,
                end: runs.iter().map(|run| run.known).max().and_then(after),
            },
            ..Windows::default()
        };
        let mut groups = Groups::by_now(of_window.keys().copied().collect());
        for parts in of_window.values_mut() {
            answer_cancel();
            let stored = groups.next(tenant, &windows)?;
            let stored = stored.ok_or_else(|| Error::Broken("a series that was not fetched".into()))?;
            let stored = shown(stored, &windows, parts.len() > 1)?;
            parts.sort_by_key(|part| order(part, runs));
            let numbers: Vec<usize> = parts.iter().map(|part| part.rows.run as usize).collect();
            let mut of_runs: Vec<OfRun> = parts.iter_mut().map(|part| of_run(part, runs)).collect();
            for (number, count) in numbers.into_iter().zip(leave_out_of(&mut of_runs, &stored, said)) {
                taken[number] += count as i64;
            }
        }
    }
    Ok(taken)
}

/// The parts of series, a series' together, by the window of valid times that all of the series' lie in: those of one window
/// are fetched together.
fn by_window(series: &mut [Resolved]) -> Vec<(Window, BTreeMap<Uuid, Vec<&mut Resolved>>)> {
    let mut bounds: BTreeMap<Uuid, (Time, Time)> = BTreeMap::new();
    for of in series.iter() {
        if let [first, .., last] | [first @ last] = of.rows.points[..] {
            let (from, to) = bounds.entry(of.id).or_insert((first.start, last.start));
            (*from, *to) = ((*from).min(first.start), (*to).max(last.start));
        }
    }
    let mut windows: BTreeMap<(Time, Time), BTreeMap<Uuid, Vec<&mut Resolved>>> = BTreeMap::new();
    for of in series {
        if let Some(bounds) = bounds.get(&of.id) {
            windows.entry(*bounds).or_default().entry(of.id).or_default().push(of);
        }
    }
    let window = |(from, to)| Window {
        start: Some(from),
        end: after(to),
    };
    windows.into_iter().map(|(bounds, of)| (window(bounds), of)).collect()
}

/// The next moment; none, and so no bound, after the last.
fn after(time: Time) -> Option<Time> {
    Time::from_micros(time.micros() + 1)
}

fn order(part: &Resolved, runs: &[Version]) -> (Time, Uuid) {
    let run = &runs[part.rows.run as usize];
    (run.known, run.run)
}

fn of_run<'a>(part: &'a mut Resolved, runs: &[Version]) -> OfRun<'a> {
    OfRun {
        known: runs[part.rows.run as usize].known,
        rows: &mut part.rows,
    }
}

/// What is stored of a series: what a flat read shows, or for several runs all that one would show at some time.
fn shown(stored: Stored, windows: &Windows, of_several: bool) -> Result<Vec<Shown>> {
    let mode = if of_several { Mode::Overlapping } else { Mode::Flat };
    let mut opened = stored.open(windows, mode, of_several)?;
    let mut all = Vec::with_capacity(opened.left());
    while let Some((number, point)) = opened.next()? {
        all.push((opened.version(number).clone(), point));
    }
    let place = |(version, point): &(Version, Point)| (point.key(), version.precedence());
    if of_several {
        all.sort_by_key(place);
    }
    let shown = |(version, point): (Version, Point)| Shown {
        key: point.key(),
        known: version.known,
        value: point.value,
        remark: version.remark,
    };
    Ok(all.into_iter().map(shown).collect())
}
