//! The small pieces around points: made from arrays, opened to rows, counted, bounded.

use super::Packed;
use crate::answer::{Answer, Sheet};
use crate::arrays::{element_time, null_element};
use crate::cancel::answer_cancel;
use crate::cell;
use crate::error::{Error, Result};
use pgrx::Array;
use pgrx::prelude::*;
use timedb_core::points::{PackError, Point, pack};

#[pg_extern(sql = false)]
fn make_points(
    valid_times: Option<Array<i64>>,
    point_values: Option<Array<f64>>,
    valid_time_ends: Option<Array<i64>>,
) -> Result<Packed> {
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
        },
    })?;
    Ok(Packed(packed))
}

fn unequal(argument: &'static str, length: usize, times: usize) -> Error {
    Error::bad(
        argument,
        format!("has {length} elements, but \"valid_times\" has {times}"),
    )
}

#[pg_extern(sql = false)]
fn unnest_points(points: Packed, fcinfo: pg_sys::FunctionCallInfo) -> Result<Answer> {
    let mut sheet = Sheet::open(fcinfo);
    for (place, point) in points.open()?.iter().enumerate() {
        if place % 4096 == 0 {
            answer_cancel();
        }
        sheet.put(&[
            cell::time(point.start),
            point.end.and_then(cell::time),
            point.value.and_then(cell::float),
        ]);
    }
    Ok(sheet.close())
}

#[pg_extern(sql = false)]
fn count_points(points: Packed) -> Result<i32> {
    let count = points.read()?.len();
    i32::try_from(count).map_err(|_| Error::Broken("more points than fit a datum".into()).into())
}

#[pg_extern(sql = false)]
fn bound_points(points: Packed, fcinfo: pg_sys::FunctionCallInfo) -> Result<Answer> {
    let points = points.read()?;
    let cells = [
        points.first().and_then(cell::time),
        points.last().and_then(cell::time),
    ];
    Ok(Answer::row(fcinfo, &cells))
}
