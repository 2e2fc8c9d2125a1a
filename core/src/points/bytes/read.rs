//! From bytes to [`Points`]: one function for each part. Nothing is trusted and nothing is allocated.

use super::cursor::Cursor;
use super::keys::Starts;
use super::shape::{Ends, Form, Shape, Spacing};
use super::{
    Corrupt, ENCODING_SHIFT, ENDS, ENDS_CONSTANT, ENDS_LISTED, IRREGULAR, NULLS, Points, SHAPE, VERSION, Values,
};
use crate::limits::MOST_POINTS;
use crate::points::values::Encoding;
use crate::time::Time;

const OUT_OF_RANGE: Corrupt = Corrupt("a time is out of range");
const NOT_ASCENDING: Corrupt = Corrupt("the points are not in ascending order");
const UNKNOWN_ENDS: Corrupt = Corrupt("unknown kind of ends");
const LONGEST: i64 = Time::MAX.micros() - Time::MIN.micros();

impl<'a> Points<'a> {
    /// Checks bytes that are stored. That values are what packing would have chosen for them is not checked.
    pub fn read(bytes: &'a [u8]) -> Result<Points<'a>, Corrupt> {
        let mut cursor = Cursor(bytes);
        if cursor.byte()? != VERSION {
            return Err(Corrupt("unknown format version"));
        }
        let flags = cursor.byte()?;
        let encoding = Encoding::from_number(flags >> ENCODING_SHIFT)?;
        let count = read_count(&mut cursor)?;
        let points = if count == 0 {
            Points {
                shape: read_nothing(flags)?.at(0)?,
                values: Values::NOTHING,
            }
        } else {
            let first = cursor.moment()?;
            let shape = Form::read_parts(&mut cursor, flags & SHAPE, count)?.at(first)?;
            let values = Values::read(&mut cursor, encoding, shape.present())?;
            Points { shape, values }
        };
        if cursor.0.is_empty() {
            Ok(points)
        } else {
            Err(Corrupt("bytes follow the points"))
        }
    }
}

/// How many points stored bytes say that they hold, and where the first of them is: a look at their head alone.
pub fn peek(bytes: &[u8]) -> Result<(usize, Option<Time>), Corrupt> {
    let mut cursor = Cursor(bytes);
    if cursor.byte()? != VERSION {
        return Err(Corrupt("unknown format version"));
    }
    cursor.byte()?;
    match read_count(&mut cursor)? {
        0 => Ok((0, None)),
        count => {
            let first = Time::from_micros(cursor.moment()?).ok_or(OUT_OF_RANGE)?;
            Ok((count, Some(first)))
        }
    }
}

fn read_count(cursor: &mut Cursor) -> Result<usize, Corrupt> {
    let count = usize::try_from(cursor.varint()?).map_err(|_| Corrupt("the count is too large"))?;
    if count > MOST_POINTS {
        return Err(Corrupt("more points than a vector holds"));
    }
    Ok(count)
}

fn read_nothing(flags: u8) -> Result<Form<'static>, Corrupt> {
    if flags & ENDS == ENDS {
        return Err(UNKNOWN_ENDS);
    }
    if flags != 0 {
        return Err(Corrupt("no points, but flags for them"));
    }
    Ok(Form::NOTHING)
}

impl<'a> Form<'a> {
    /// What [`Form::to_bytes`] makes, at the cursor.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Form<'a>, Corrupt> {
        let flags = cursor.byte()?;
        match read_count(cursor)? {
            _ if flags & !SHAPE != 0 => Err(Corrupt("unknown flags of a shape")),
            0 => read_nothing(flags),
            count => Form::read_parts(cursor, flags, count),
        }
    }

    /// The times, ends and nulls of `count` points, at least one.
    fn read_parts(cursor: &mut Cursor<'a>, flags: u8, count: usize) -> Result<Form<'a>, Corrupt> {
        let times = read_times(cursor, flags, count)?;
        let (ends, reach) = read_ends(cursor, flags, count, &times)?;
        let (nulls, present) = read_nulls(cursor, flags, count)?;
        Ok(Form {
            count,
            present,
            span: times.span,
            reach,
            spacing: times.spacing,
            ends,
            nulls,
        })
    }

    /// The shape that starts at a moment.
    pub fn at(self, first: i64) -> Result<Shape<'a>, Corrupt> {
        let first = Time::from_micros(first).ok_or(OUT_OF_RANGE)?.micros();
        Time::from_micros(first + self.reach).ok_or(OUT_OF_RANGE)?;
        Ok(Shape { first, form: self })
    }
}

struct Times<'a> {
    spacing: Spacing<'a>,
    span: i64,
    /// So they must differ in their ends.
    some_share_a_start: bool,
}

fn read_times<'a>(cursor: &mut Cursor<'a>, flags: u8, count: usize) -> Result<Times<'a>, Corrupt> {
    if flags & IRREGULAR != 0 {
        return read_irregular(cursor, count);
    }
    let step = if count > 1 { cursor.duration()? } else { 0 };
    if count > 1 && step == 0 {
        return Err(NOT_ASCENDING);
    }
    let span = i64::try_from(count - 1)
        .ok()
        .and_then(|steps| step.checked_mul(steps))
        .filter(|&span| span <= LONGEST)
        .ok_or(OUT_OF_RANGE)?;
    Ok(Times {
        spacing: Spacing::Regular(step),
        span,
        some_share_a_start: false,
    })
}

fn read_irregular<'a>(cursor: &mut Cursor<'a>, count: usize) -> Result<Times<'a>, Corrupt> {
    let before = cursor.0;
    let (mut span, mut smallest, mut largest) = (0, i64::MAX, 0);
    for _ in 1..count {
        let delta = cursor.duration()?;
        span = plus(span, delta)?;
        smallest = smallest.min(delta);
        largest = largest.max(delta);
    }
    if count == 1 || (smallest == largest && smallest > 0) {
        return Err(Corrupt("regular times are listed"));
    }
    Ok(Times {
        spacing: Spacing::Irregular(&before[..before.len() - cursor.0.len()]),
        span,
        some_share_a_start: smallest == 0,
    })
}

/// The ends, and how far from the first start the latest start or end is.
fn read_ends<'a>(cursor: &mut Cursor<'a>, flags: u8, count: usize, times: &Times) -> Result<(Ends<'a>, i64), Corrupt> {
    match flags & ENDS {
        ENDS => return Err(UNKNOWN_ENDS),
        ENDS_LISTED => return read_listed_ends(cursor, count, times),
        _ if times.some_share_a_start => return Err(NOT_ASCENDING),
        ENDS_CONSTANT => {}
        _ => return Ok((Ends::None, times.span)),
    }
    let length = cursor.duration()?;
    if length == 0 {
        return Err(Corrupt("an interval is empty"));
    }
    Ok((Ends::Constant(length), plus(times.span, length)?))
}

fn read_listed_ends<'a>(cursor: &mut Cursor<'a>, count: usize, times: &Times) -> Result<(Ends<'a>, i64), Corrupt> {
    let before = cursor.0;
    let mut starts = Starts::new(0, times.spacing);
    let (mut start, mut length) = (0, cursor.duration()?);
    let mut reach = plus(start, length)?;
    let (mut smallest, mut largest) = (length, length);
    for _ in 1..count {
        let next_start = starts.advance();
        let next_length = cursor.duration()?;
        if next_start == start && next_length <= length {
            return Err(NOT_ASCENDING);
        }
        (start, length) = (next_start, next_length);
        reach = reach.max(plus(start, length)?);
        smallest = smallest.min(length);
        largest = largest.max(length);
    }
    if smallest == largest {
        return Err(Corrupt("equal ends are listed"));
    }
    let lengths = &before[..before.len() - cursor.0.len()];
    Ok((Ends::Listed(lengths), reach))
}

/// The bitmap, and how many values are not null.
fn read_nulls<'a>(cursor: &mut Cursor<'a>, flags: u8, count: usize) -> Result<(Option<&'a [u8]>, usize), Corrupt> {
    if flags & NULLS == 0 {
        return Ok((None, count));
    }
    let bitmap = cursor.take(count.div_ceil(8))?;
    let used_bits = count % 8;
    if used_bits > 0 && bitmap.last().is_some_and(|byte| byte >> used_bits != 0) {
        return Err(Corrupt("a null is marked after the last point"));
    }
    let nulls: usize = bitmap.iter().map(|byte| byte.count_ones() as usize).sum();
    if nulls == 0 {
        return Err(Corrupt("no null is marked"));
    }
    Ok((Some(bitmap), count - nulls))
}

fn plus(offset: i64, micros: i64) -> Result<i64, Corrupt> {
    let sum = offset.checked_add(micros);
    sum.filter(|&sum| sum <= LONGEST).ok_or(OUT_OF_RANGE)
}
