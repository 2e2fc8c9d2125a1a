//! The list of an upload's rows that its run holds, so that they are found by the one entry that an index has of the run, where
//! each would need one of its own: as few bytes a row as its series takes.
//!
//! ```text
//! byte    format version: 1
//! then for each row, in their order:
//!   16 bytes  its series
//!   varint    the class of its span
//!   varint    its part, less what is least
//!   varint    where it begins, in microseconds, zigzag: from the epoch, and from where the one before begins
//! ```

use uuid::Uuid;

use crate::points::Corrupt;
use crate::points::bytes::cursor::{Cursor, push_varint};
use crate::points::values::integers::{unzigzag, zigzag};
use crate::time::Time;

const VERSION: u8 = 1;
const NO_NUMBER: Corrupt = Corrupt("a number is too large");

/// What names the rows of one run and one change time, a column each.
#[derive(Default, PartialEq, Debug)]
pub struct Listing {
    pub series: Vec<Uuid>,
    pub spans: Vec<i16>,
    pub parts: Vec<i16>,
    pub valid_from: Vec<Time>,
}

/// The bytes of a list of rows: of each its series, the class of its span, its part and where it begins.
pub fn listed(rows: impl Iterator<Item = (Uuid, i16, i16, Time)>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let mut before = 0;
    for (series, span, part, valid_from) in rows {
        bytes.extend_from_slice(series.as_bytes());
        push_varint(&mut bytes, u64::from(span.cast_unsigned()));
        push_varint(&mut bytes, u64::from(part.cast_unsigned() ^ i16::MIN.cast_unsigned()));
        let micros = valid_from.micros();
        push_varint(&mut bytes, zigzag(micros.wrapping_sub(before)));
        before = micros;
    }
    bytes
}

impl Listing {
    pub fn read(bytes: &[u8]) -> Result<Listing, Corrupt> {
        let mut cursor = Cursor(bytes);
        if cursor.byte()? != VERSION {
            return Err(Corrupt("unknown format version"));
        }
        let mut listing = Listing::default();
        let mut before = 0i64;
        while !cursor.0.is_empty() {
            let series = cursor.take(size_of::<Uuid>())?;
            let series = Uuid::from_slice(series).map_err(|_| Corrupt("truncated"))?;
            let span = short(cursor.varint()?)?;
            let part = short(cursor.varint()?)?;
            before = before.wrapping_add(unzigzag(cursor.varint()?));
            let valid_from = Time::from_micros(before).ok_or(Corrupt("a time is out of range"))?;
            listing.series.push(series);
            listing.spans.push(span.cast_signed());
            listing.parts.push((part ^ i16::MIN.cast_unsigned()).cast_signed());
            listing.valid_from.push(valid_from);
        }
        Ok(listing)
    }
}

fn short(number: u64) -> Result<u16, Corrupt> {
    u16::try_from(number).map_err(|_| NO_NUMBER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows() -> impl Strategy<Value = Vec<(Uuid, i16, i16, Time)>> {
        let times = Time::MIN.micros()..=Time::MAX.micros();
        let row = (any::<u128>(), any::<i16>(), any::<i16>(), times);
        let row = row.prop_map(|(series, span, part, micros)| {
            (Uuid::from_u128(series), span, part, Time::from_micros(micros).unwrap())
        });
        prop::collection::vec(row, 0..20)
    }

    proptest! {
        #[test]
        fn a_list_says_what_it_was_made_of(rows in rows()) {
            let listing = Listing::read(&listed(rows.iter().copied())).unwrap();
            let again: Vec<_> = listing.series.iter().zip(&listing.spans).zip(&listing.parts).zip(&listing.valid_from)
                .map(|(((series, span), part), from)| (*series, *span, *part, *from)).collect();
            prop_assert_eq!(again, rows);
        }

        #[test]
        fn other_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Listing::read(&bytes);
            let mut bytes = bytes;
            bytes.insert(0, VERSION);
            if let Ok(listing) = Listing::read(&bytes) {
                prop_assert!(listing.series.len() * 19 < bytes.len());
            }
        }
    }

    #[test]
    fn a_row_of_a_series_at_one_time_takes_little_more_than_its_series() {
        let time = Time::from_micros(8_000_000_000_000_000).unwrap();
        let bytes = listed((0..100).map(|series| (Uuid::from_u128(series), 2, -1, time)));
        assert!(bytes.len() < 100 * 22, "{}", bytes.len());
    }
}
