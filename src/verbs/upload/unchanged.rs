//! What of an upload changes nothing, and is left out where that is asked for.

use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::isolation::is_read_committed;
use crate::pg::lock::{self, For};
use crate::store::shown::{ByNow, Which};
use crate::verbs::resolved::Resolved;
use std::collections::BTreeMap;
use std::rc::Rc;
use timedb_core::clusters;
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
    let known = runs.iter().map(|run| run.known).max();
    let mut taken = vec![0; runs.len()];
    for (windows, mut of_windows) in by_windows(series) {
        let ids: Vec<Uuid> = of_windows.keys().copied().collect();
        let mut by_now = ByNow::within(tenant, &ids, &windows, known)?;
        for parts in of_windows.values_mut() {
            answer_cancel();
            let stored = shown(&mut by_now, parts.len() > 1)?;
            parts.sort_by_key(|part| order(part, runs));
            let numbers: Vec<usize> = parts.iter().map(|part| part.rows.run as usize).collect();
            let mut of_runs: Vec<OfRun> = parts.iter_mut().map(|part| of_run(part, runs)).collect();
            for (number, count) in
                numbers
                    .into_iter()
                    .zip(leave_out_of(&mut of_runs, &stored, said, &mut answer_cancel))
            {
                taken[number] += count as i64;
            }
        }
    }
    Ok(taken)
}

/// The parts of some series, a series' together.
type Parts<'a> = BTreeMap<Uuid, Vec<&'a mut Resolved>>;

/// The parts by the windows that the valid times of their series are in: those of the same windows are fetched together.
fn by_windows(series: &mut [Resolved]) -> BTreeMap<Vec<(Time, Time)>, Parts<'_>> {
    let mut times: BTreeMap<Uuid, Vec<Time>> = BTreeMap::new();
    for of in series.iter() {
        let starts = of.rows.points.iter().map(|point| point.start);
        times.entry(of.id).or_default().extend(starts);
    }
    let windows = times.into_iter().map(|(series, mut times)| {
        times.sort_unstable();
        (series, clusters::around(&times))
    });
    let windows: BTreeMap<Uuid, Vec<(Time, Time)>> = windows.collect();
    let mut by_windows: BTreeMap<Vec<(Time, Time)>, Parts> = BTreeMap::new();
    for of in series {
        let parts = by_windows.entry(windows[&of.id].clone()).or_default();
        parts.entry(of.id).or_default().push(of);
    }
    by_windows
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

/// What is stored of the next series: what a flat read shows, or for several runs all that one would show at some time.
fn shown(by_now: &mut ByNow, for_several: bool) -> Result<Vec<Shown>> {
    let which = if for_several { Which::All } else { Which::Current };
    let mut all: Vec<(Version, Point)> = Vec::new();
    by_now.next(which, |version, point| all.push((version.clone(), point)))?;
    if for_several {
        all.sort_by_key(|(version, point)| (point.key(), version.precedence()));
    }
    let shown = |(version, point): (Version, Point)| Shown {
        key: point.key(),
        known: version.known,
        value: point.value,
        remark: version.remark,
    };
    Ok(all.into_iter().map(shown).collect())
}
