//! Times as texts have them: moments, or what a clock on a wall shows.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::fmt::strtime;
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::failure::Usage;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Moment {
    /// Microseconds since 1970.
    At(i64),
    Local(DateTime),
}

/// Reads ISO 8601, with or without an offset, and dates with slashes that begin with the year; or what a format of strptime
/// says.
pub fn parse(text: &str, format: Option<&str>) -> Result<Moment, String> {
    let text = text.trim();
    match format {
        Some(format) => by_format(text, format),
        None => by_itself(text),
    }
}

fn by_format(text: &str, format: &str) -> Result<Moment, String> {
    let parsed = strtime::parse(format, text).map_err(|error| format!("{text:?} is not {format:?}: {error}"))?;
    let wrong = |error: jiff::Error| format!("{text:?}: {error}");
    if parsed.offset().is_some() {
        return moment(text, parsed.to_timestamp().map_err(wrong)?);
    }
    match parsed.to_datetime() {
        Ok(local) => whole(text, local),
        Err(_) => whole(text, parsed.to_date().map_err(wrong)?.at(0, 0, 0, 0)),
    }
}

fn by_itself(text: &str) -> Result<Moment, String> {
    let none = || format!("{text:?} is not a time{}", instead_of(text));
    let dashes;
    let dashed = match text.as_bytes() {
        [_, _, _, _, b'/', _, _, b'/', ..] => {
            dashes = text.replacen('/', "-", 2);
            dashes.as_str()
        }
        _ => text,
    };
    let pieces = Pieces::parse(dashed).map_err(|_| none())?;
    // A second of 60 would be read as one of 59.
    if pieces.time_zone_annotation().is_some() || dashed.contains(":60") {
        return Err(none());
    }
    let local = DateTime::from_parts(pieces.date(), pieces.time().unwrap_or(Time::midnight()));
    let offset = match pieces.offset() {
        None => return whole(text, local),
        Some(PiecesOffset::Numeric(offset)) => offset.offset(),
        Some(_) => jiff::tz::Offset::UTC,
    };
    let at = offset
        .to_timestamp(local)
        .map_err(|_| format!("{text:?} is out of range"))?;
    moment(text, at)
}

fn whole(text: &str, local: DateTime) -> Result<Moment, String> {
    is_coarse(text, local.subsec_nanosecond())?;
    Ok(Moment::Local(local))
}

fn moment(text: &str, at: Timestamp) -> Result<Moment, String> {
    is_coarse(text, at.subsec_nanosecond())?;
    Ok(Moment::At(at.as_microsecond()))
}

fn is_coarse(text: &str, nanoseconds: i32) -> Result<(), String> {
    if nanoseconds % 1000 != 0 {
        return Err(format!(
            "{text:?} has digits below a microsecond: round to the grid first"
        ));
    }
    Ok(())
}

fn instead_of(text: &str) -> &'static str {
    let is = |of: &dyn Fn(char) -> bool| text.chars().all(of);
    if is(&|c| c.is_ascii_digit() || c == '.') && !text.is_empty() && text.matches('.').count() < 2 {
        ": numbers since an epoch are not taken"
    } else if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['/', '.']) {
        ": --time-format says what its parts are, as in '%d.%m.%Y %H:%M'"
    } else {
        ": write ISO 8601, as in 2025-01-01T12:00:00+01:00"
    }
}

/// A zone by its name, or an offset.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    if name.eq_ignore_ascii_case("UTC") {
        return Ok(TimeZone::UTC);
    }
    if let Ok(zone) = TimeZone::get(name) {
        return Ok(zone);
    }
    let offset = parse(&format!("2000-01-01T00:00{name}"), None);
    match offset {
        Ok(Moment::At(micros)) if name.starts_with(['+', '-']) => {
            let seconds = 946_684_800 - micros / 1_000_000;
            let offset = i32::try_from(seconds)
                .ok()
                .and_then(|seconds| jiff::tz::Offset::from_seconds(seconds).ok());
            offset
                .map(TimeZone::fixed)
                .ok_or_else(|| format!("\"{name}\" is no offset"))
        }
        _ => Err(format!("\"{name}\" is no time zone, as Europe/Berlin and +01:00 are")),
    }
}

/// A time that somebody types, in the zone of theirs.
pub fn typed(option: &str, text: &str, zone: &TimeZone) -> Result<Timestamp, Usage> {
    if text == "now" {
        return Ok(Timestamp::now());
    }
    let wrong = |reason: String| Usage(format!("--{option}: {reason}"));
    let local = match parse(text, None).map_err(wrong)? {
        Moment::At(micros) => {
            return Timestamp::from_microsecond(micros).map_err(|_| wrong(format!("{text:?} is out of range")));
        }
        Moment::Local(local) => local,
    };
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => ambiguous
            .unambiguous()
            .map_err(|_| wrong(format!("{text:?} is out of range"))),
        AmbiguousOffset::Gap { .. } => Err(wrong(format!("no clock of the time zone shows {text:?}"))),
        AmbiguousOffset::Fold { .. } => Err(wrong(format!(
            "clocks of the time zone show {text:?} twice: say its offset"
        ))),
    }
}
