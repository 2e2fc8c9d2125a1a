//! From points to bytes: one function for each part, which first decides its shape and sets its flags.

use std::fmt;

use super::cursor::{push_duration, push_moment, push_varint};
use super::shape::{Ends, Form, Shape, Spacing};
use super::{ENDS_CONSTANT, ENDS_LISTED, IRREGULAR, NULLS, VERSION, set_encoding};
use crate::limits::MOST_POINTS;
use crate::points::values::Encoding;
use crate::points::{Point, values};

const HEADER_BYTES: usize = 32;

/// Points that cannot be packed, with the index of the first one that is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackError {
    /// Its key is not greater than the key of the point before it.
    Key(usize),
    /// Its end is not after its start.
    End(usize),
    /// It is one more than a vector holds.
    TooMany(usize),
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            PackError::Key(index) => write!(f, "point {index} is not after the one before it"),
            PackError::End(index) => write!(f, "point {index} does not end after its start"),
            PackError::TooMany(index) => write!(f, "are more than {index}"),
        }
    }
}

impl std::error::Error for PackError {}

/// Packs points that are in strictly ascending order of their keys.
pub fn pack(points: &[Point]) -> Result<Vec<u8>, PackError> {
    check_order(points)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + points.len() * size_of::<f64>());
    bytes.extend([VERSION, shape_flags(points)]);
    push_varint(&mut bytes, points.len() as u64);
    if let [first, ..] = points {
        push_moment(&mut bytes, first.start.micros());
        push_times(&mut bytes, points);
        push_ends(&mut bytes, points);
        push_nulls(&mut bytes, points);
        push_values(&mut bytes, points);
    }
    Ok(bytes)
}

/// Points of a shape that was packed before, with these values where they are not null.
pub fn pack_values(shape: &Shape, present: &[f64], encode: fn(&[f64], &mut Vec<u8>) -> Encoding) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + size_of_val(present));
    push_head(&mut bytes, shape);
    let encoding = encode(present, &mut bytes);
    set_encoding(&mut bytes, encoding);
    bytes
}

/// All that stands before the values, with a flag for plain ones.
pub fn push_head(bytes: &mut Vec<u8>, shape: &Shape) {
    bytes.extend([VERSION, shape.form.flags()]);
    push_varint(bytes, shape.form.count as u64);
    if !shape.is_empty() {
        push_moment(bytes, shape.first);
        shape.form.push_parts(bytes);
    }
}

impl Form<'_> {
    fn flags(&self) -> u8 {
        let spacing = match self.spacing {
            Spacing::Regular(_) => 0,
            Spacing::Irregular(_) => IRREGULAR,
        };
        let ends = match self.ends {
            Ends::None => 0,
            Ends::Constant(_) => ENDS_CONSTANT,
            Ends::Listed(_) => ENDS_LISTED,
        };
        let nulls = if self.nulls.is_some() { NULLS } else { 0 };
        spacing | ends | nulls
    }

    /// Flags, count, times, ends and nulls: all of a shape but its start.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![self.flags()];
        push_varint(&mut bytes, self.count as u64);
        self.push_parts(&mut bytes);
        bytes
    }

    /// Times, ends and nulls.
    fn push_parts(&self, bytes: &mut Vec<u8>) {
        match self.spacing {
            Spacing::Regular(0) => {}
            Spacing::Regular(step) => push_duration(bytes, step.unsigned_abs()),
            Spacing::Irregular(deltas) => bytes.extend(deltas),
        }
        match self.ends {
            Ends::None => {}
            Ends::Constant(length) => push_duration(bytes, length.unsigned_abs()),
            Ends::Listed(lengths) => bytes.extend(lengths),
        }
        bytes.extend(self.nulls.unwrap_or_default());
    }
}

fn check_order(points: &[Point]) -> Result<(), PackError> {
    if points.len() > MOST_POINTS {
        return Err(PackError::TooMany(MOST_POINTS));
    }
    let mut before = None;
    for (index, point) in points.iter().enumerate() {
        if point.end.is_some_and(|end| end <= point.start) {
            return Err(PackError::End(index));
        }
        if before.is_some_and(|before| point.key() <= before) {
            return Err(PackError::Key(index));
        }
        before = Some(point.key());
    }
    Ok(())
}

fn shape_flags(points: &[Point]) -> u8 {
    let mut flags = 0;
    if step(points).is_none() {
        flags |= IRREGULAR;
    }
    if points.iter().any(|point| point.end.is_some()) {
        flags |= if length(points).is_some() {
            ENDS_CONSTANT
        } else {
            ENDS_LISTED
        };
    }
    if has_nulls(points) {
        flags |= NULLS;
    }
    flags
}

fn push_times(bytes: &mut Vec<u8>, points: &[Point]) {
    match step(points) {
        Some(0) => {}
        Some(step) => push_duration(bytes, step),
        None => deltas(points).for_each(|delta| push_duration(bytes, delta)),
    }
}

fn push_ends(bytes: &mut Vec<u8>, points: &[Point]) {
    match length(points) {
        Some(0) => {}
        Some(length) => push_duration(bytes, length),
        None => lengths(points).for_each(|length| push_duration(bytes, length)),
    }
}

fn push_nulls(bytes: &mut Vec<u8>, points: &[Point]) {
    if !has_nulls(points) {
        return;
    }
    bytes.extend(points.chunks(8).map(|eight| {
        let bits = eight.iter().enumerate();
        bits.fold(0, |byte, (bit, point)| byte | u8::from(point.value.is_none()) << bit)
    }));
}

fn push_values(bytes: &mut Vec<u8>, points: &[Point]) {
    let mut present = Vec::with_capacity(points.len());
    present.extend(points.iter().filter_map(|point| point.value));
    let encoding = values::encode(&present, bytes);
    set_encoding(bytes, encoding);
}

/// The one distance between all starts, 0 for fewer than two points, or none: two points that share their start are no grid.
fn step(points: &[Point]) -> Option<u64> {
    let mut deltas = deltas(points);
    let Some(step) = deltas.next() else {
        return Some(0);
    };
    (step > 0 && deltas.all(|delta| delta == step)).then_some(step)
}

/// The one length of all points, 0 if none has an end.
fn length(points: &[Point]) -> Option<u64> {
    let mut lengths = lengths(points);
    let length = lengths.next().unwrap_or(0);
    lengths.all(|other| other == length).then_some(length)
}

fn has_nulls(points: &[Point]) -> bool {
    points.iter().any(|point| point.value.is_none())
}

fn deltas(points: &[Point]) -> impl Iterator<Item = u64> {
    points
        .array_windows()
        .map(|[before, point]| point.start.micros().abs_diff(before.start.micros()))
}

fn lengths(points: &[Point]) -> impl Iterator<Item = u64> {
    points.iter().map(|point| {
        let end = point.end.unwrap_or(point.start);
        end.micros().abs_diff(point.start.micros())
    })
}
