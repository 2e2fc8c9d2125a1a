//! The aggregate merge_points: the points of many rows of one series as one, as a flat read sees them.

use super::Packed;
use crate::cell;
use crate::error::{Error, Result};
use crate::moment;
use pgrx::datum::Internal;
use pgrx::pg_extern;
use pgrx::pg_sys;
use timedb_core::merge::{Mode, Version, Window, merge};
use timedb_core::points::{MOST_POINTS, Opened, Point, pack};
use timedb_core::time::Time;
use uuid::Uuid;

/// What has been aggregated so far.
#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    points: usize,
}

/// The most points that are merged at once: a few bytes can claim many, and all of them are opened.
const MOST_MERGED: usize = 2 * MOST_POINTS;

struct Entry {
    points: Packed,
    known: Time,
    change: Time,
    run: Uuid,
}

#[pg_extern(sql = false)]
fn _merge_points_step(
    mut state: Internal,
    points: Option<Packed>,
    known_time: Option<i64>,
    change_time: Option<i64>,
    run_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Internal> {
    let entry = points
        .map(|points| entry(points, known_time, change_time, run_id))
        .transpose()?;
    // SAFETY: the state is made here alone: the argument is internal, so only an aggregate passes it. It must live, and
    // be dropped, with the aggregate's memory.
    unsafe {
        let mut context = std::ptr::null_mut();
        if pg_sys::AggCheckCallContext(fcinfo, &mut context) == 0 {
            return Err(Error::Broken("merge_points called outside an aggregate".into()).into());
        }
        let before = pg_sys::MemoryContextSwitchTo(context);
        let so_far = state.get_or_insert_with(State::default);
        pg_sys::MemoryContextSwitchTo(before);
        if let Some(entry) = entry {
            let points = entry.points.read()?.len();
            so_far.points += points;
            // Of those without a value one says all: that there were some. Any number of them may come.
            if points > 0 || so_far.entries.is_empty() {
                so_far.entries.push(entry);
            }
        }
        if so_far.points > MOST_MERGED {
            let reason = format!("are more than {MOST_MERGED} in all");
            return Err(Error::TooLarge {
                argument: "points",
                reason,
            }
            .into());
        }
    }
    Ok(state)
}

fn entry(
    points: Packed,
    known_time: Option<i64>,
    change_time: Option<i64>,
    run_id: Option<pgrx::Uuid>,
) -> Result<Entry, Error> {
    Ok(Entry {
        points,
        known: moment::required("known_time", known_time)?,
        change: moment::required("change_time", change_time)?,
        run: run_id.map(cell::id).ok_or(Error::NullArgument("run_id"))?,
    })
}

#[pg_extern(sql = false)]
fn _merge_points_final(state: Internal) -> Result<Option<Packed>> {
    // SAFETY: the state was made by the step function.
    let Some(state) = (unsafe { state.get::<State>() }) else {
        return Ok(None);
    };
    if state.entries.is_empty() {
        return Ok(None);
    }
    let versions: Vec<Version> = state
        .entries
        .iter()
        .map(Entry::version)
        .collect::<Result<_, Error>>()?;
    let picks = merge(
        &versions,
        Mode::Flat,
        false,
        Window {
            start: None,
            end: None,
        },
    );
    let mut opened: Vec<Option<Opened>> = state.entries.iter().map(|_| None).collect();
    let mut points = Vec::with_capacity(picks.len());
    for pick in picks {
        let version = pick.version as usize;
        let opened = match &mut opened[version] {
            Some(opened) => opened,
            closed => closed.insert(state.entries[version].points.open()?),
        };
        points.push(Point {
            start: pick.start,
            end: pick.end,
            value: opened.value_at(pick.index as usize),
        });
    }
    let packed = pack(&points).map_err(|error| Error::Broken(error.to_string()))?;
    Ok(Some(Packed(packed)))
}

impl Entry {
    fn version(&self) -> Result<Version<'_>, Error> {
        let shape = self.points.read()?.shape();
        Ok(Version {
            known: self.known,
            change: self.change,
            run: self.run,
            shape,
        })
    }
}
