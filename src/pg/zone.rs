//! Zones, by Postgres' own data and rules: what clocks show at a moment, and at which moment they show it. These are the two
//! steps that `AT TIME ZONE` takes with the name of a zone, without an error in between.

use crate::error::{Error, Result};
use pgrx::pg_sys;
use std::ffi::CString;
use std::ptr;
use timedb_core::blank::unless_blank;
use timedb_core::calendar::{Calendar, Interval, Local};
use timedb_core::time::Time;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A zone that Postgres has found; kept by the backend as long as it lives.
#[derive(Clone, Copy)]
pub struct Zone(*mut pg_sys::pg_tz);

impl Zone {
    /// The zone of an argument `time_zone`: whatever the setting TimeZone takes as a name. Without one it is UTC.
    pub fn of(name: Option<&str>) -> Result<Zone> {
        let name = unless_blank(name).unwrap_or("UTC");
        let unknown = || Error::BadArgument {
            argument: "time_zone",
            reason: format!("is no time zone that this server knows: {name:?}"),
            hint: Some("pg_timezone_names lists them: \"Europe/Berlin\", not \"CEST\"."),
        };
        let text = CString::new(name).map_err(|_| unknown())?;
        // SAFETY: a C string; what is found is kept in a table that nothing is taken out of.
        unsafe {
            let zone = pg_sys::pg_tzset(text.as_ptr());
            // One that counts leap seconds is none that timestamps could be told in.
            let is_usable = !zone.is_null() && pg_sys::pg_tz_acceptable(zone);
            is_usable.then_some(Zone(zone)).ok_or_else(unknown)
        }
    }
}

impl Calendar for Zone {
    fn local(&self, moment: Time) -> Option<Local> {
        let (mut west, mut shown, mut fraction) = (0, pg_sys::pg_tm::default(), 0);
        // SAFETY: fills in what it is given.
        let failed = unsafe {
            let name = ptr::null_mut();
            pg_sys::timestamp2tm(moment.micros(), &mut west, &mut shown, &mut fraction, name, self.0)
        };
        (failed == 0).then(|| Local(moment.micros() - i64::from(west) * MICROS_PER_SECOND))
    }

    fn moment(&self, local: Local) -> Option<Time> {
        let (mut shown, mut fraction) = (pg_sys::pg_tm::default(), 0);
        let (no_offset, no_name, no_zone) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: fills in what it is given; the zone is one that was found.
        let west = unsafe {
            let failed = pg_sys::timestamp2tm(local.0, no_offset, &mut shown, &mut fraction, no_name, no_zone);
            (failed == 0).then(|| pg_sys::DetermineTimeZoneOffset(&mut shown, self.0))?
        };
        Time::from_micros(local.0 + i64::from(west) * MICROS_PER_SECOND)
    }
}

/// An interval of an argument, which must be finite, and no longer than all time that there is.
pub fn interval(argument: &'static str, interval: Interval) -> Result<Interval> {
    match interval.is_in_range() {
        true => Ok(interval),
        false => Err(Error::interval_out_of_range(argument)),
    }
}

/// One that must go forward.
pub fn forward(argument: &'static str, length: Interval) -> Result<Interval> {
    let length = interval(argument, length)?;
    match length.is_positive() {
        true => Ok(length),
        false => Err(Error::bad(
            argument,
            "must be positive, in each of its months, days and hours",
        )),
    }
}
