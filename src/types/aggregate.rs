//! The aggregate merge_points: the points of many rows of one series as one, as a flat read sees them.

use super::points::{open, read};
use crate::error::{Error, Reported, Result, SPLIT};
use crate::pg::datum::id;
use crate::pg::timestamp;
use crate::pg::varlena::PackedBytes;
use pgrx::datum::Internal;
use pgrx::pg_extern;
use pgrx::pg_sys;
use std::rc::Rc;
use timedb_core::limits::MOST_MERGED_POINTS;
use timedb_core::merge::{Mode, Window, merge};
use timedb_core::points::{Opened, Point, pack};
use timedb_core::version::{Shaped, Version};

/// What has been aggregated so far.
#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    points: usize,
}

struct Entry {
    version: Version,
    points: PackedBytes,
}

#[pg_extern(sql = false)]
fn _merge_points_step(
    mut state: Internal,
    points: Option<PackedBytes>,
    known_time: Option<i64>,
    change_time: Option<i64>,
    run_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Internal> {
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
            let points = read(&entry.points)?.len();
            so_far.points += points;
            // Of those without a value one says all: that there were some. Any number of them may come.
            if points > 0 || so_far.entries.is_empty() {
                so_far.entries.push(entry);
            }
        }
        if so_far.points > MOST_MERGED_POINTS {
            let reason = format!("are more than {MOST_MERGED_POINTS} in all");
            return Err(Error::TooLarge {
                argument: "points",
                reason,
                hint: SPLIT,
            }
            .into());
        }
    }
    Ok(state)
}

fn entry(
    points: PackedBytes,
    known_time: Option<i64>,
    change_time: Option<i64>,
    run_id: Option<pgrx::Uuid>,
) -> Result<Entry> {
    let version = Version {
        known: timestamp::required("known_time", known_time)?,
        change: timestamp::required("change_time", change_time)?,
        run: run_id.map(id).ok_or(Error::NullArgument("run_id"))?,
        remark: Rc::default(),
    };
    Ok(Entry { version, points })
}

#[pg_extern(sql = false)]
fn _merge_points_final(state: Internal) -> Reported<Option<PackedBytes>> {
    // SAFETY: the state was made by the step function.
    match unsafe { state.get::<State>() } {
        Some(state) if !state.entries.is_empty() => Ok(Some(merged(&state.entries)?)),
        _ => Ok(None),
    }
}

/// What a flat read would show of the entries.
fn merged(entries: &[Entry]) -> Result<PackedBytes> {
    let versions: Vec<Shaped> = entries.iter().map(Entry::shaped).collect::<Result<_>>()?;
    let picks = merge(&versions, Mode::Flat, false, Window::default());
    let mut opened: Vec<Option<Opened>> = entries.iter().map(|_| None).collect();
    let mut points = Vec::with_capacity(picks.len());
    for pick in picks {
        let version = pick.version as usize;
        let opened = match &mut opened[version] {
            Some(opened) => opened,
            closed => closed.insert(open(&entries[version].points)?),
        };
        points.push(Point {
            start: pick.start,
            end: pick.end,
            value: opened.value_at(pick.index as usize),
        });
    }
    let packed = pack(&points).map_err(|error| Error::Broken(error.to_string()))?;
    Ok(PackedBytes(packed))
}

impl Entry {
    fn shaped(&self) -> Result<Shaped<'_>> {
        Ok(Shaped {
            version: self.version.clone(),
            shape: read(&self.points)?.shape(),
        })
    }
}
