//! Reading bytes from the front, and the varints in them: LEB128 of a u64, lowest group first, in as few bytes as it fits;
//! and times as varints, in seconds where they are whole ones.

use super::Corrupt;

const GROUP_BITS: u32 = 7;
const GROUP: u8 = 0x7f;
const MORE: u8 = 0x80;
const LAST_SHIFT: u32 = 63;

const MICROS_A_SECOND: i64 = 1_000_000;
const IN_MICROS: u64 = 1;
const IS_BEFORE: u64 = 2;
const TOO_LARGE: Corrupt = Corrupt("a number is too large");

#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Corrupt("truncated"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Corrupt> {
        let (&byte, rest) = self.0.split_first().ok_or(Corrupt("truncated"))?;
        self.0 = rest;
        Ok(byte)
    }

    pub fn fixed(&mut self) -> Result<i64, Corrupt> {
        let (&bytes, rest) = self.0.split_first_chunk().ok_or(Corrupt("truncated"))?;
        self.0 = rest;
        Ok(i64::from_le_bytes(bytes))
    }

    pub fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            if shift == LAST_SHIFT && byte > 1 {
                return Err(TOO_LARGE);
            }
            number |= u64::from(byte & GROUP) << shift;
            if byte & MORE == 0 {
                let needless = byte == 0 && shift > 0;
                return if needless {
                    Err(Corrupt("a number is padded"))
                } else {
                    Ok(number)
                };
            }
            shift += GROUP_BITS;
        }
    }

    /// A length of time in microseconds: a varint of which the lowest bit says whether it counts them or, as mostly, seconds.
    pub fn duration(&mut self) -> Result<i64, Corrupt> {
        let number = self.varint()?;
        micros(number >> 1, number & IN_MICROS != 0)
    }

    /// A moment, in microseconds from the epoch: as a duration, with a second bit that says whether it is before.
    pub fn moment(&mut self) -> Result<i64, Corrupt> {
        let number = self.varint()?;
        let distance = micros(number >> 2, number & IN_MICROS != 0)?;
        match (number & IS_BEFORE != 0, distance) {
            (false, _) => Ok(distance),
            (true, 0) => Err(Corrupt("the epoch is before itself")),
            (true, _) => Ok(-distance),
        }
    }
}

fn micros(count: u64, in_micros: bool) -> Result<i64, Corrupt> {
    let count = i64::try_from(count).map_err(|_| TOO_LARGE)?;
    if !in_micros {
        count.checked_mul(MICROS_A_SECOND).ok_or(TOO_LARGE)
    } else if count % MICROS_A_SECOND == 0 {
        Err(Corrupt("whole seconds are counted in microseconds"))
    } else {
        Ok(count)
    }
}

/// Writes what [`Cursor::duration`] reads.
pub fn push_duration(bytes: &mut Vec<u8>, micros: u64) {
    let (count, unit) = counted(micros);
    push_varint(bytes, count << 1 | unit);
}

/// Writes what [`Cursor::moment`] reads.
pub fn push_moment(bytes: &mut Vec<u8>, micros: i64) {
    let (count, unit) = counted(micros.unsigned_abs());
    let side = if micros < 0 { IS_BEFORE } else { 0 };
    push_varint(bytes, count << 2 | side | unit);
}

/// Seconds if they are whole, else microseconds; and the bit that says which.
fn counted(micros: u64) -> (u64, u64) {
    let a_second = MICROS_A_SECOND.unsigned_abs();
    if micros.is_multiple_of(a_second) {
        (micros / a_second, 0)
    } else {
        (micros, IN_MICROS)
    }
}

pub fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > u64::from(GROUP) {
        bytes.push(number.to_le_bytes()[0] | MORE);
        number >>= GROUP_BITS;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// How many bytes [`push_varint`] appends.
pub const fn varint_size(number: u64) -> usize {
    let bits = u64::BITS - (number | 1).leading_zeros();
    bits.div_ceil(GROUP_BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_varint_comes_back_and_ends_where_it_ended() {
        for number in (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, u64::MAX >> bit]) {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, number);
            assert_eq!(bytes.len(), varint_size(number));
            bytes.push(7);
            let mut cursor = Cursor(&bytes);
            assert_eq!(cursor.varint(), Ok(number));
            assert_eq!(cursor.0, [7]);
        }
    }

    #[test]
    fn a_varint_that_is_cut_padded_or_too_large_is_refused() {
        let read = |bytes: &[u8]| Cursor(bytes).varint().map_err(|corrupt| corrupt.0);
        assert_eq!(read(&[]), Err("truncated"));
        assert_eq!(read(&[0x80]), Err("truncated"));
        assert_eq!(read(&[0x80, 0]), Err("a number is padded"));
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert_eq!(read(&largest), Ok(u64::MAX));
        largest[9] = 2;
        assert_eq!(read(&largest), Err("a number is too large"));
        assert_eq!(read(&[0x80; 12]), Err("a number is too large"));
    }

    #[test]
    fn every_time_comes_back_and_whole_seconds_take_few_bytes() {
        let hour = 3_600_000_000;
        for micros in [0, 1, 999_999, 1_000_000, hour, hour + 1, 252_455_615_999_999_999] {
            let mut bytes = Vec::new();
            push_duration(&mut bytes, micros);
            push_moment(&mut bytes, micros as i64);
            push_moment(&mut bytes, -(micros as i64));
            let mut cursor = Cursor(&bytes);
            assert_eq!(cursor.duration(), Ok(micros as i64));
            assert_eq!(cursor.moment(), Ok(micros as i64));
            assert_eq!(cursor.moment(), Ok(-(micros as i64)));
            assert!(cursor.0.is_empty());
        }
        let mut bytes = Vec::new();
        push_duration(&mut bytes, hour);
        assert_eq!(bytes.len(), 2);
    }

    #[test]
    fn a_time_that_could_be_written_otherwise_is_refused() {
        let number = |number: u64| {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, number);
            bytes
        };
        let whole = Corrupt("whole seconds are counted in microseconds");
        assert_eq!(Cursor(&number(2_000_001)).duration(), Err(whole));
        assert_eq!(Cursor(&number(1)).duration(), Err(whole));
        assert_eq!(Cursor(&number(4_000_001)).moment(), Err(whole));
        assert_eq!(Cursor(&number(2)).moment(), Err(Corrupt("the epoch is before itself")));
        assert_eq!(Cursor(&number(u64::MAX - 1)).duration(), Err(TOO_LARGE));
    }
}
