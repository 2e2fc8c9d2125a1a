//! A column of integers, one for each version: whichever form is the smallest.
//!
//! ```text
//! byte     0 regular, 1 differences, 2 pco
//! regular      zigzag varints: the first, and the distance from each to the next
//! differences  zigzag varints: the first, and for each other one its difference from the one before
//! pco          a varint, how many bytes, and a standalone file of pco
//! ```
//!
//! A column beside another has a byte more before it: 1 if it is stored as the difference from the other one, else 0.

use pco::ChunkConfig;
use pco::standalone::{simple_compress, simple_decompress_into};

use crate::points::Corrupt;
use crate::points::bytes::cursor::{Cursor, push_varint};
use crate::points::values::integers::{unzigzag, zigzag};

const REGULAR: u8 = 0;
const DIFFERENCES: u8 = 1;
const PCO: u8 = 2;

const ALONE: u8 = 0;
const BESIDE: u8 = 1;

/// From how many integers on pco is tried: fewer are rarely worth its head.
const LONG: usize = 32;

pub fn push(bytes: &mut Vec<u8>, integers: &[i64]) {
    let Some(&first) = integers.first() else {
        return;
    };
    let step = steps(integers).next().unwrap_or(0);
    if steps(integers).all(|other| other == step) {
        bytes.push(REGULAR);
        push_varint(bytes, zigzag(first));
        push_varint(bytes, zigzag(step));
        return;
    }
    let differences = differences(first, integers);
    let pco = if integers.len() >= LONG {
        compress(integers)
    } else {
        None
    };
    match pco {
        Some(pco) if pco.len() < differences.len() => bytes.extend(pco),
        _ => bytes.extend(differences),
    }
}

/// A column that may be near to another one.
pub fn push_beside(bytes: &mut Vec<u8>, integers: &[i64], other: &[i64]) {
    let from_other: Vec<i64> = integers
        .iter()
        .zip(other)
        .map(|(integer, other)| integer.wrapping_sub(*other))
        .collect();
    let (mut alone, mut beside) = (vec![ALONE], vec![BESIDE]);
    push(&mut alone, integers);
    push(&mut beside, &from_other);
    bytes.extend(if beside.len() < alone.len() { beside } else { alone });
}

fn steps(integers: &[i64]) -> impl Iterator<Item = i64> {
    integers
        .array_windows()
        .map(|[before, integer]| integer.wrapping_sub(*before))
}

fn differences(first: i64, integers: &[i64]) -> Vec<u8> {
    let mut bytes = vec![DIFFERENCES];
    push_varint(&mut bytes, zigzag(first));
    steps(integers).for_each(|step| push_varint(&mut bytes, zigzag(step)));
    bytes
}

/// None where pco refuses: the other form is always at hand.
fn compress(integers: &[i64]) -> Option<Vec<u8>> {
    let file = simple_compress(integers, &ChunkConfig::default()).ok()?;
    let mut bytes = vec![PCO];
    push_varint(&mut bytes, file.len() as u64);
    bytes.extend(file);
    Some(bytes)
}

pub fn read(cursor: &mut Cursor, count: usize) -> Result<Vec<i64>, Corrupt> {
    if count == 0 {
        return Ok(Vec::new());
    }
    match cursor.byte()? {
        REGULAR => {
            let (first, step) = (read_zigzag(cursor)?, read_zigzag(cursor)?);
            let later = std::iter::successors(Some(first), |before| Some(before.wrapping_add(step)));
            Ok(later.take(count).collect())
        }
        DIFFERENCES => {
            let mut integer = 0i64;
            let mut next = || {
                integer = integer.wrapping_add(read_zigzag(cursor)?);
                Ok(integer)
            };
            (0..count).map(|_| next()).collect()
        }
        PCO => decompress(cursor, count),
        _ => Err(Corrupt("unknown kind of column")),
    }
}

pub fn read_beside(cursor: &mut Cursor, other: &[i64]) -> Result<Vec<i64>, Corrupt> {
    let is_beside = match cursor.byte()? {
        ALONE => false,
        BESIDE => true,
        _ => return Err(Corrupt("unknown kind of column")),
    };
    let mut integers = read(cursor, other.len())?;
    if is_beside {
        for (integer, other) in integers.iter_mut().zip(other) {
            *integer = integer.wrapping_add(*other);
        }
    }
    Ok(integers)
}

fn read_zigzag(cursor: &mut Cursor) -> Result<i64, Corrupt> {
    cursor.varint().map(unzigzag)
}

/// As many integers as there are versions, whatever the bytes claim to hold.
fn decompress(cursor: &mut Cursor, count: usize) -> Result<Vec<i64>, Corrupt> {
    let size = usize::try_from(cursor.varint()?).map_err(|_| Corrupt("truncated"))?;
    let file = cursor.take(size)?;
    let mut integers = vec![0; count];
    match simple_decompress_into(file, &mut integers) {
        Ok(progress) if progress.finished && progress.n_processed == count => Ok(integers),
        _ => Err(Corrupt("a column in pco is broken")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(integers: &[i64]) -> usize {
        let mut bytes = Vec::new();
        push(&mut bytes, integers);
        let mut cursor = Cursor(&bytes);
        assert_eq!(read(&mut cursor, integers.len()).as_deref(), Ok(integers));
        assert!(cursor.0.is_empty());
        bytes.len()
    }

    fn size_beside(integers: &[i64], other: &[i64]) -> usize {
        let mut bytes = Vec::new();
        push_beside(&mut bytes, integers, other);
        let mut cursor = Cursor(&bytes);
        assert_eq!(read_beside(&mut cursor, other).as_deref(), Ok(integers));
        assert!(cursor.0.is_empty());
        bytes.len()
    }

    /// Times an hour apart, each some milliseconds late.
    fn late(count: i64) -> Vec<i64> {
        (0..count)
            .map(|hour| hour * 3_600_000_000 + hour * hour * 7919 % 100_000)
            .collect()
    }

    #[test]
    fn what_is_constant_or_regular_costs_a_few_bytes() {
        assert_eq!(size(&[]), 0);
        assert_eq!(size(&[0]), 3);
        assert_eq!(size(&vec![5; 10_000]), 3);
        let hours: Vec<i64> = (0..10_000).map(|hour| hour * 3_600_000_000).collect();
        assert_eq!(size(&hours), 1 + 1 + 5);
    }

    #[test]
    fn few_irregular_integers_are_varints_and_many_are_in_fewer_bytes() {
        assert!(size(&late(4)) <= 2 + 3 * 5);
        assert!(size(&late(1000)) < 1000 * 3);
    }

    #[test]
    fn a_column_beside_one_it_follows_costs_a_few_bytes() {
        let known = late(1000);
        let change: Vec<i64> = known.iter().map(|known| known + 250).collect();
        assert_eq!(size_beside(&change, &known), 1 + 4);
        assert_eq!(size_beside(&vec![7; 1000], &known), 1 + 3);
        assert_eq!(size_beside(&[], &[]), 1);
    }

    proptest! {
        #[test]
        fn every_column_comes_back(
            integers in prop_oneof![
                prop::collection::vec(any::<i64>(), 0..100),
                prop::collection::vec(-5..5i64, 0..100),
            ],
            other in prop::collection::vec(any::<i64>(), 100),
        ) {
            size(&integers);
            size_beside(&integers, &other[..integers.len()]);
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            kind in 0..2u8, bytes in prop::collection::vec(any::<u8>(), 0..100), count in 0..50usize,
        ) {
            let bytes = [&[kind], &bytes[..]].concat();
            if let Ok(integers) = read(&mut Cursor(&bytes), count) {
                prop_assert_eq!(integers.len(), count);
            }
        }
    }
}
