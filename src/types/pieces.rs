//! The small pieces around points: made from arrays, opened to rows, counted, bounded.

use super::points::{open, read};
use crate::error::{Error, Reported, Result, SPLIT};
use crate::pg::cancel::answer_cancel;
use crate::pg::result::{Returned, Rows};
use crate::pg::varlena::PackedBytes;
use pgrx::Array;
use pgrx::prelude::*;
use timedb_core::points::{PackError, Point, pack};
use timedb_core::rows::{Kind, Refusal};
use timedb_core::time::{BOUNDS, Time};

#[pg_extern(sql = false)]
fn make_points(
    valid_times: Option<Array<i64>>,
    point_values: Option<Array<f64>>,
    valid_time_ends: Option<Array<i64>>,
) -> Reported<PackedBytes> {
    let starts = valid_times.ok_or(Error::NullArgument("valid_times"))?;
    let values = point_values.ok_or(Error::NullArgument("point_values"))?;
    if values.len() != starts.len() {
        return Err(unequal("point_values", values.len(), starts.len()).into());
    }
    if let Some(ends) = &valid_time_ends
        && ends.len() != starts.len()
    {
        return Err(unequal("valid_time_ends", ends.len(), starts.len()).into());
    }
    let mut ends = valid_time_ends.as_ref().map(|ends| ends.iter());
    let mut points = Vec::with_capacity(starts.len());
    for (place, (start, value)) in starts.iter().zip(values.iter()).enumerate() {
        let start = element_time("valid_times", place, start)?;
        let start = start.ok_or_else(|| null_element("valid_times", place))?;
        let end = ends.as_mut().and_then(|ends| ends.next()).flatten();
        let end = element_time("valid_time_ends", place, end)?;
        points.push(Point { start, end, value });
    }
    points.sort_by_key(Point::key);
    let packed = pack(&points).map_err(|error| match error {
        PackError::Key(_) => Error::bad("valid_times", "give one time, with one end, twice"),
        PackError::End(_) => Error::bad("valid_time_ends", "must be after their \"valid_times\""),
        PackError::TooMany(_) => Error::TooLarge {
            argument: "valid_times",
            reason: error.to_string(),
            hint: SPLIT,
        },
    })?;
    Ok(PackedBytes(packed))
}

fn unequal(argument: &'static str, length: usize, times: usize) -> Error {
    Error::bad(
        argument,
        format!("has {length} elements, but \"valid_times\" has {times}"),
    )
}

#[pg_extern(sql = false)]
fn unnest_points(points: PackedBytes, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut rows = Rows::<(Time, Option<Time>, Option<f64>)>::open(fcinfo)?;
    for (place, point) in open(&points)?.iter().enumerate() {
        if place % 4096 == 0 {
            answer_cancel();
        }
        rows.put((point.start, point.end, point.value));
    }
    Ok(rows.close())
}

#[pg_extern(sql = false)]
fn count_points(points: PackedBytes) -> Reported<i32> {
    let count = i32::try_from(read(&points)?.len());
    Ok(count.map_err(|_| Error::Broken("more points than fit a datum".into()))?)
}

#[pg_extern(sql = false)]
fn bound_points(points: PackedBytes, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let points = read(&points)?;
    let bounds = (points.first(), points.last());
    Ok(Returned::row::<(Option<Time>, Option<Time>)>(fcinfo, bounds)?)
}

/// An element of an array of times.
pub fn element_time(array: &'static str, row: usize, micros: Option<i64>) -> Result<Option<Time>> {
    let Some(micros) = micros else {
        return Ok(None);
    };
    match Time::from_micros(micros) {
        Some(time) => Ok(Some(time)),
        None => {
            let refusal = Refusal::new(Kind::TimeOutOfRange, "is infinite or out of range").hint(BOUNDS);
            Err(Error::Row(refusal.at(format!("{array}[{row}]"))))
        }
    }
}

pub fn null_element(array: &'static str, row: usize) -> Error {
    let refusal = Refusal::new(Kind::NullNotAllowed, "must not be null");
    Error::Row(refusal.at(format!("{array}[{row}]")))
}
