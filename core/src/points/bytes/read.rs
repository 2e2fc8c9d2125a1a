//! From bytes to [`Points`]: one function for each part. Nothing is trusted and nothing is allocated.

use super::cursor::Cursor;
use super::{
    Corrupt, ENCODING, ENCODING_PLAIN, ENDS, ENDS_CONSTANT, ENDS_LISTED, Ends, IRREGULAR, NULLS,
    Points, Spacing, Times, VERSION,
};
use crate::points::MOST_POINTS;
use crate::time::Time;

const OUT_OF_RANGE: Corrupt = Corrupt("a time is out of range");
const NOT_ASCENDING: Corrupt = Corrupt("the points are not in ascending order");

impl<'a> Points<'a> {
    /// Checks bytes from anywhere, all of them.
    pub fn read(bytes: &'a [u8]) -> Result<Points<'a>, Corrupt> {
        let mut cursor = Cursor(bytes);
        let flags = read_flags(&mut cursor)?;
        let count =
            usize::try_from(cursor.varint()?).map_err(|_| Corrupt("the count is too large"))?;
        if count > MOST_POINTS {
            return Err(Corrupt("more points than a vector holds"));
        }
        let points = if count == 0 {
            read_nothing(flags)?
        } else {
            let (times, some_share_a_start) = read_times(&mut cursor, flags, count)?;
            let ends = read_ends(&mut cursor, flags, count, &times, some_share_a_start)?;
            let (nulls, present) = read_nulls(&mut cursor, flags, count)?;
            let values = read_values(&mut cursor, present)?;
            Points {
                count,
                times,
                ends,
                nulls,
                values,
            }
        };
        if cursor.0.is_empty() {
            Ok(points)
        } else {
            Err(Corrupt("bytes follow the points"))
        }
    }
}

fn read_flags(cursor: &mut Cursor) -> Result<u8, Corrupt> {
    if cursor.byte()? != VERSION {
        return Err(Corrupt("unknown format version"));
    }
    let flags = cursor.byte()?;
    if flags & ENCODING != ENCODING_PLAIN {
        return Err(Corrupt("unknown value encoding"));
    }
    if flags & ENDS == ENDS {
        return Err(Corrupt("unknown kind of ends"));
    }
    Ok(flags)
}

fn read_nothing<'a>(flags: u8) -> Result<Points<'a>, Corrupt> {
    if flags != ENCODING_PLAIN {
        return Err(Corrupt("no points, but flags for them"));
    }
    let times = Times {
        first: 0,
        last: 0,
        spacing: Spacing::Regular(0),
    };
    Ok(Points {
        count: 0,
        times,
        ends: Ends::None,
        nulls: None,
        values: &[],
    })
}

/// The starts, and whether some points share one and so must differ in their ends.
fn read_times<'a>(
    cursor: &mut Cursor<'a>,
    flags: u8,
    count: usize,
) -> Result<(Times<'a>, bool), Corrupt> {
    let first = cursor.fixed()?;
    Time::from_micros(first).ok_or(OUT_OF_RANGE)?;
    if flags & IRREGULAR != 0 {
        return read_irregular(cursor, first, count);
    }
    let step = if count > 1 { cursor.micros()? } else { 0 };
    if count > 1 && step == 0 {
        return Err(NOT_ASCENDING);
    }
    let last = i64::try_from(count - 1)
        .ok()
        .and_then(|steps| step.checked_mul(steps))
        .and_then(|span| first.checked_add(span))
        .and_then(Time::from_micros)
        .ok_or(OUT_OF_RANGE)?;
    Ok((
        Times {
            first,
            last: last.micros(),
            spacing: Spacing::Regular(step),
        },
        false,
    ))
}

fn read_irregular<'a>(
    cursor: &mut Cursor<'a>,
    first: i64,
    count: usize,
) -> Result<(Times<'a>, bool), Corrupt> {
    let before = cursor.0;
    let (mut last, mut smallest, mut largest) = (first, i64::MAX, 0);
    for _ in 1..count {
        let delta = cursor.micros()?;
        last = plus(last, delta)?;
        smallest = smallest.min(delta);
        largest = largest.max(delta);
    }
    if count == 1 || (smallest == largest && smallest > 0) {
        return Err(Corrupt("regular times are listed"));
    }
    let deltas = &before[..before.len() - cursor.0.len()];
    Ok((
        Times {
            first,
            last,
            spacing: Spacing::Irregular(deltas),
        },
        smallest == 0,
    ))
}

fn read_ends<'a>(
    cursor: &mut Cursor<'a>,
    flags: u8,
    count: usize,
    times: &Times,
    some_share_a_start: bool,
) -> Result<Ends<'a>, Corrupt> {
    if flags & ENDS == ENDS_LISTED {
        return read_listed_ends(cursor, count, times);
    }
    if some_share_a_start {
        return Err(NOT_ASCENDING);
    }
    if flags & ENDS != ENDS_CONSTANT {
        return Ok(Ends::None);
    }
    let length = cursor.micros()?;
    if length == 0 {
        return Err(Corrupt("an interval is empty"));
    }
    plus(times.last, length)?;
    Ok(Ends::Constant(length))
}

fn read_listed_ends<'a>(
    cursor: &mut Cursor<'a>,
    count: usize,
    times: &Times,
) -> Result<Ends<'a>, Corrupt> {
    let before = cursor.0;
    let mut starts = times.starts();
    let (mut start, mut length) = (times.first, cursor.micros()?);
    plus(start, length)?;
    let (mut smallest, mut largest) = (length, length);
    for _ in 1..count {
        let next_start = starts.advance();
        let next_length = cursor.micros()?;
        if next_start == start && next_length <= length {
            return Err(NOT_ASCENDING);
        }
        (start, length) = (next_start, next_length);
        plus(start, length)?;
        smallest = smallest.min(length);
        largest = largest.max(length);
    }
    if smallest == largest {
        return Err(Corrupt("equal ends are listed"));
    }
    Ok(Ends::Listed(&before[..before.len() - cursor.0.len()]))
}

/// The bitmap, and how many values are not null.
fn read_nulls<'a>(
    cursor: &mut Cursor<'a>,
    flags: u8,
    count: usize,
) -> Result<(Option<&'a [u8]>, usize), Corrupt> {
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

fn read_values<'a>(cursor: &mut Cursor<'a>, present: usize) -> Result<&'a [[u8; 8]], Corrupt> {
    let size = present
        .checked_mul(size_of::<f64>())
        .ok_or(Corrupt("truncated"))?;
    Ok(cursor.take(size)?.as_chunks().0)
}

fn plus(time: i64, micros: i64) -> Result<i64, Corrupt> {
    let sum = time.checked_add(micros).and_then(Time::from_micros);
    sum.map(Time::micros).ok_or(OUT_OF_RANGE)
}
