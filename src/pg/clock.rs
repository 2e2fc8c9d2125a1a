//! The server's clock, and ids in the order of time.

use super::moment::Told;
use super::timestamp::{self, Timestamptz};
use crate::error::Result;
use pgrx::pg_sys;
use timedb_core::time::Time;
use uuid::{ContextV7, Timestamp, Uuid};

/// This very moment, not the start of the transaction.
pub fn now() -> Timestamptz {
    // SAFETY: reads the clock.
    Timestamptz(unsafe { pg_sys::GetCurrentTimestamp() })
}

/// One reading of the clock, to be stored: the moment, and an id of it.
pub struct Reading {
    pub moment: Time,
    pub id: Uuid,
}

/// Not before the moment that the transaction has told, also where the clock was set back since. An error where the clock of
/// the machine is out of range.
pub fn read(told: Told) -> Result<Reading> {
    let moment = timestamp::required("clock", Some(now().max(told.moment()).0))?;
    Ok(Reading {
        moment,
        id: id_at(moment),
    })
}

/// The id that the server gives to what it makes: v7, so that neighbours in time stay neighbours in an index.
pub fn new_id() -> Uuid {
    id_at(Time::from_micros(now().0).unwrap_or(Time::MIN))
}

thread_local! {
    static IDS: ContextV7 = ContextV7::new().with_additional_precision();
}

/// Twelve bits tell the moment within its millisecond, finer than the clock does: so ids are in the order of time whichever
/// backend made them. In a backend each is greater than all before it, also where the clock was set back.
pub fn id_at(moment: Time) -> Uuid {
    let micros = u64::try_from(moment.micros_since_1970()).unwrap_or(0);
    let (seconds, nanos) = (micros / 1_000_000, micros % 1_000_000 * 1000);
    IDS.with(|ids| Uuid::new_v7(Timestamp::from_unix(ids, seconds, nanos as u32)))
}

/// How far an id may be ahead of the moment that it was made at, in microseconds, and still tell when that was: by a little
/// where a session makes thousands at one moment, by more in one from before the clock was set back.
pub const AHEAD: i64 = 60_000_000;

/// Whether an id tells the moment.
pub fn tells(id: Uuid, moment: Time) -> bool {
    (-1000..AHEAD).contains(&(told_by(id) - moment.micros_since_1970()))
}

/// When an id was made, in microseconds since 1970, or up to [`AHEAD`] later than that.
pub fn told_by(id: Uuid) -> i64 {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
    i64::try_from(seconds).map_or(i64::MAX, |seconds| {
        seconds
            .saturating_mul(1_000_000)
            .saturating_add(i64::from(nanos / 1000))
    })
}
