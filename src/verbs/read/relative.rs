//! `read_relative`: of each value what was known so long before its valid time. The forms in which that is told are those of
//! `timedb_core::cutoff`; all else is a flat read.

use super::request::{OfUnit, OfVersions, Reading, Request, time, window};
use super::unit::Asked;
use crate::error::{Error, Result};
use crate::identity::session::Session;
use crate::pg::arguments::Arguments;
use crate::pg::datum::TimeOfDay;
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::{FetchAll, Then};
use crate::pg::varlena::{TextArray, UuidArray};
use crate::pg::zone::{self, Zone};
use pgrx::pg_sys;
use timedb_core::calendar::Interval;
use timedb_core::cutoff::{Cutoffs, Form};

/// The arguments of `read_relative` and `read_relative_arrow`, as they are declared.
pub type OfRelative = Then<OfForm, Then<OfSelection, Then<OfVersions, OfUnit>>>;

/// lead; days_ahead, time_of_day; window_length, cutoff_offset, window_origin; time_zone.
type OfForm = (
    Option<Interval>,
    Option<i32>,
    Option<TimeOfDay>,
    Option<Interval>,
    Option<Interval>,
    Option<Timestamptz>,
    Option<String>,
);

/// start_valid, end_valid, all_versions, series_keys, series_ids, as_of.
type OfSelection = (
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<bool>,
    Option<TextArray>,
    Option<UuidArray>,
    Option<Timestamptz>,
);

pub fn reading(fcinfo: pg_sys::FunctionCallInfo) -> Result<Reading> {
    let identity = Session::now().required()?;
    let arguments = Arguments::of(fcinfo);
    Ok(Reading::of(identity, request(arguments.fetch::<OfRelative>()?)?))
}

pub fn request(arguments: <OfRelative as FetchAll>::Fetched<'_>) -> Result<Request> {
    let Then(of_form, Then(selection, Then(of_versions, (unit,)))) = arguments;
    let (start_valid, end_valid, all_versions, keys, ids, as_of) = selection;
    let mut request = Request::of_some(keys, ids, of_versions)?;
    request.windows.valid = window(("start_valid", start_valid), ("end_valid", end_valid))?;
    request.windows.as_of = time(("as_of", as_of))?;
    request.all_versions = all_versions.unwrap_or(false);
    request.unit = Asked::of(unit)?;
    request.counting.needs_moments = true;
    request.cutoffs = Some(cutoffs(of_form)?);
    Ok(request)
}

fn cutoffs(arguments: OfForm) -> Result<Cutoffs<Zone>> {
    let (lead, days_ahead, time_of_day, window_length, cutoff_offset, window_origin, time_zone) = arguments;
    let form = match (
        lead,
        (days_ahead, time_of_day),
        (window_length, cutoff_offset, window_origin),
    ) {
        (Some(lead), (None, None), (None, None, None)) => Form::Lead(zone::interval("lead", lead)?),
        (None, (Some(days), Some(TimeOfDay(time_of_day))), (None, None, None)) => Form::DaysAhead {
            days: i64::from(days),
            time_of_day,
        },
        (None, (None, None), (Some(length), Some(offset), Some(origin))) => Form::Window {
            length: zone::interval("window_length", length)?,
            offset: zone::interval("cutoff_offset", offset)?,
            origin: time(("window_origin", Some(origin)))?.ok_or(Error::NullArgument("window_origin"))?,
        },
        _ => return Err(Error::OneFormNeeded),
    };
    let zone = Zone::of(time_zone.as_deref())?;
    Cutoffs::of(form, zone).map_err(|_| Error::bad("window_length", "must be positive"))
}
