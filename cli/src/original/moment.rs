//! Moments on their way from one server to the other, and ids made of them.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use timedb_core::time::Time;
use uuid::{Builder, Uuid};

/// A `timestamptz`, to the microsecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment(pub Time);

/// From Postgres' epoch; none where it is infinite or beyond what timedb holds.
pub fn of_micros(micros: i64) -> Result<Moment, Box<dyn Error + Sync + Send>> {
    let time = Time::from_micros(micros).ok_or("a time is infinite, or not before the year 10000")?;
    Ok(Moment(time))
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        of_micros(i64::from_be_bytes(raw.try_into()?))
    }

    accepts!(TIMESTAMPTZ);
}

impl ToSql for Moment {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.0.micros());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

const MICROS_FROM_1970_TO_2000: i64 = 946_684_800_000_000;

/// The id of a run that was inserted then: in the order of time, as the server's own ids are, twelve bits below the
/// millisecond among them. The same each time, and another for each old id.
pub fn run_id(inserted: Moment, old: Uuid) -> Uuid {
    let micros = inserted
        .0
        .micros()
        .saturating_add(MICROS_FROM_1970_TO_2000)
        .max(0)
        .unsigned_abs();
    let below = (micros % 1000 * 4096 / 1000) as u16;
    let mut bytes = [0; 10];
    bytes[..2].copy_from_slice(&below.to_be_bytes());
    bytes[2..].copy_from_slice(&old.as_bytes()[8..]);
    Builder::from_unix_timestamp_millis(micros / 1000, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Moment {
        of_micros(micros).expect("a moment")
    }

    #[test]
    fn ids_are_of_version_7_in_the_order_of_time_and_always_the_same() {
        let old = [Uuid::from_u128(u128::MAX), Uuid::from_u128(0)];
        assert_eq!(run_id(at(5), old[0]), run_id(at(5), old[0]));
        assert_ne!(run_id(at(5), old[0]), run_id(at(5), old[1]));
        for micros in [0, 1, 999, 1000, 1_000_000] {
            let (before, after) = (run_id(at(micros), old[0]), run_id(at(micros + 1), old[1]));
            assert!(before < after, "{micros}");
            assert_eq!(before.get_version_num(), 7);
        }
    }

    #[test]
    fn an_id_tells_when_the_run_was_inserted() {
        let id = run_id(at(123_456), Uuid::from_u128(7));
        let (seconds, nanos) = id.get_timestamp().expect("version 7").to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (946_684_800, 123));
        assert_eq!(
            run_id(at(-MICROS_FROM_1970_TO_2000 - 5), Uuid::nil()).get_version_num(),
            7
        );
    }

    #[test]
    fn what_is_infinite_is_refused() {
        assert!(of_micros(i64::MAX).is_err() && of_micros(i64::MIN).is_err());
    }
}
