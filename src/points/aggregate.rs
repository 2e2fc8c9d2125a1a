//! The aggregate merge_points: the points of many rows of one series as one, as a flat read sees them.

use super::Packed;
use crate::error::{Error, Result};
use crate::moment;
use crate::users::id;
use pgrx::datum::Internal;
use pgrx::pg_extern;
use pgrx::pg_sys;
use timedb_core::merge::{Mode, Version, Window, merge};
use timedb_core::points::{Point, pack};
use timedb_core::time::Time;
use uuid::Uuid;

/// What has been aggregated so far.
#[derive(Default)]
struct State(Vec<Entry>);

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
        let state_of = |state: &mut Internal| {
            let before = pg_sys::MemoryContextSwitchTo(context);
            state.get_or_insert_with(State::default).0.extend(entry);
            pg_sys::MemoryContextSwitchTo(before);
        };
        state_of(&mut state);
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
        run: run_id.map(id).ok_or(Error::NullArgument("run_id"))?,
    })
}

#[pg_extern(sql = false)]
fn _merge_points_final(state: Internal) -> Result<Option<Packed>> {
    // SAFETY: the state was made by the step function.
    let Some(state) = (unsafe { state.get::<State>() }) else {
        return Ok(None);
    };
    if state.0.is_empty() {
        return Ok(None);
    }
    let versions: Vec<Version> = state
        .0
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
    let points: Vec<Point> = picks.into_iter().map(|pick| pick.point).collect();
    let packed = pack(&points).map_err(|error| Error::Broken(error.to_string()))?;
    Ok(Some(Packed(packed)))
}

impl Entry {
    fn version(&self) -> Result<Version<'_>, Error> {
        let points = self.points.read()?;
        Ok(Version {
            known: self.known,
            change: self.change,
            run: self.run,
            points,
        })
    }
}
