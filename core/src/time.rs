//! Moments as Postgres counts them, and their text: what a JSON row or the text of points may say, and what we write.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{self, DateTime};
use jiff::fmt::temporal::Pieces;

use crate::excerpt::beginning;

/// What to do with digits that no timestamp of Postgres holds.
pub(crate) const ROUND: &str = "timedb keeps microseconds: round to the grid first.";
/// What a time beyond what is held is told.
pub const BOUNDS: &str = "Times go from 4714 BC to the end of the year 9999.";
/// What to do with a number where a timestamp is expected.
pub(crate) const FROM_EPOCH: &str = "Numbers since an epoch are not taken. Write ISO 8601, as in 2025-01-01T12:00:00Z; pandas: to_json(date_format=\"iso\", date_unit=\"us\").";

const SIXTY: &str = "Minutes and seconds go from 00 to 59.";
const ISO: &str = "Write ISO 8601, as in 2025-01-01T12:00:00+01:00.";

pub(crate) const EPOCH: DateTime = civil::date(2000, 1, 1).at(0, 0, 0, 0);
const MICROS_PER_SECOND: i64 = 1_000_000;
/// Arrow counts from 1970, a [`Time`] from 2000.
pub(crate) const MICROS_FROM_1970_TO_2000: i64 = 946_684_800_000_000;

/// A moment: microseconds since 2000-01-01T00:00:00Z, as in a `timestamptz`. Never infinite; from Postgres' first day
/// (4714-11-24 BC) to the end of the year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time(i64);

/// Why a text is no [`Time`], with the beginning of that text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimeError {
    Malformed(String),
    TooFine(String),
    Infinite(String),
    OutOfRange(String),
}

impl Time {
    /// 4714-11-24T00:00:00Z BC, where Postgres' calendar begins.
    pub const MIN: Time = Time(-211_813_488_000_000_000);
    /// 9999-12-31T23:59:59.999999Z, the last moment that a year of four digits can say.
    pub const MAX: Time = Time(252_455_615_999_999_999);

    /// None outside of `MIN..=MAX`, so also for Postgres' infinities.
    pub const fn from_micros(micros: i64) -> Option<Time> {
        if micros < Time::MIN.0 || micros > Time::MAX.0 {
            None
        } else {
            Some(Time(micros))
        }
    }

    /// For inner loops whose bounds were checked before.
    pub(crate) const fn from_checked_micros(micros: i64) -> Time {
        debug_assert!(micros >= Time::MIN.0 && micros <= Time::MAX.0);
        Time(micros)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub const fn micros_since_1970(self) -> i64 {
        self.0 + MICROS_FROM_1970_TO_2000
    }

    /// Reads ISO 8601 and Postgres' own output. Without an offset it is UTC, without a time it is midnight.
    pub fn parse(text: &str) -> Result<Time, TimeError> {
        if let Some(time) = parse_plain(text.as_bytes()) {
            return Ok(time);
        }
        match text.strip_suffix(" BC").map(before_christ) {
            None => parse_pieces(text, text),
            Some(Some(astronomical)) => parse_pieces(&astronomical, text),
            Some(None) => Err(TimeError::Malformed(beginning(text))),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}Z", EPOCH.saturating_add(SignedDuration::from_micros(self.0)))
    }
}

impl TimeError {
    /// A moment we cannot hold (SQLSTATE 22008), as opposed to a text that is none (22007).
    pub fn is_out_of_range(&self) -> bool {
        matches!(self, TimeError::Infinite(_) | TimeError::OutOfRange(_))
    }

    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            TimeError::Malformed(text) => instead_of(text),
            TimeError::TooFine(_) => ROUND,
            TimeError::Infinite(_) | TimeError::OutOfRange(_) => BOUNDS,
        }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            TimeError::Malformed(text) => write!(f, "{text:?} is not a timestamp"),
            TimeError::TooFine(text) => write!(f, "{text:?} has digits below a microsecond"),
            TimeError::Infinite(text) => write!(f, "{text:?} is infinite"),
            TimeError::OutOfRange(text) => write!(f, "{text:?} is out of range"),
        }
    }
}

impl std::error::Error for TimeError {}

/// What to write instead of what is no timestamp, by what it looks like. Where the date is none as ISO 8601 has it, whatever
/// follows matters less.
fn instead_of(text: &str) -> &'static str {
    if is_epoch(text) {
        return FROM_EPOCH;
    }
    match text.split_once(['T', 't', ' ']) {
        Some((date, time)) if is_date(date) => instead_of_time(time),
        _ => ISO,
    }
}

fn instead_of_time(time: &str) -> &'static str {
    let is_beyond = |three: &[u8]| three[0] == b':' && matches!(three[1], b'6'..=b'9') && three[2].is_ascii_digit();
    let after_minutes = after_minutes(time).map(str::trim).unwrap_or_default();
    let is_half_of_day = ["am", "pm"].iter().any(|half| {
        let end = after_minutes.len().checked_sub(half.len());
        end.and_then(|end| after_minutes.get(end..))
            .is_some_and(|end| end.eq_ignore_ascii_case(half))
    });
    if time.starts_with("24") {
        "Write 24:00 as 00:00 of the next day."
    } else if time.as_bytes().windows(3).any(is_beyond) {
        SIXTY
    } else if !is_half_of_day
        && after_minutes
            .bytes()
            .any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'z' | b'Z'))
    {
        "Zone names are not taken. Write the offset, as in 2025-01-01T12:00:00+01:00."
    } else {
        ISO
    }
}

/// Digits, perhaps with a point: more of them than a date has.
fn is_epoch(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    whole.len() >= 9 && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
}

/// Whether a text looks like 2025-01-01 or 20250101.
fn is_date(text: &str) -> bool {
    matches!(shape(text).as_str(), "0000-00-00" | "00000000")
}

/// What follows 12:00, if a text begins so.
fn after_minutes(time: &str) -> Option<&str> {
    let (minutes, rest) = time.split_at_checked(5)?;
    (shape(minutes) == "00:00").then_some(rest)
}

/// A text with a zero for each digit.
fn shape(text: &str) -> String {
    text.replace(|char: char| char.is_ascii_digit(), "0")
}

/// What most programs write, UTC to the second, milli- or microsecond, for which jiff goes through all the forms there are. None
/// for whatever is not just that.
fn parse_plain(text: &[u8]) -> Option<Time> {
    let (local, rest) = text.split_first_chunk::<19>()?;
    let number = |digits: &[u8]| {
        let digit = |number, byte: &u8| byte.is_ascii_digit().then(|| number * 10 + i32::from(byte - b'0'));
        digits.iter().try_fold(0, digit)
    };
    let micros = match rest {
        b"Z" | b"+00:00" => 0,
        [b'.', millis @ .., b'Z'] if millis.len() == 3 => number(millis)? * 1000,
        [b'.', micros @ .., b'Z'] if micros.len() == 6 => number(micros)?,
        _ => return None,
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, separator)| local[at] != separator) {
        return None;
    }
    let year = number(&local[..4])? as i16;
    let two = |at: usize| number(&local[at..at + 2]).map(|number| number as i8);
    let time = DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, micros * 1000).ok()?;
    let since = time.duration_since(EPOCH);
    Time::from_micros(since.as_secs() * MICROS_PER_SECOND + i64::from(since.subsec_micros()))
}

/// Parses `text`; errors show `given`, what the user wrote.
fn parse_pieces(text: &str, given: &str) -> Result<Time, TimeError> {
    let Ok(pieces) = Pieces::parse(text) else {
        return Err(why_not(text)(beginning(given)));
    };
    // jiff ignores annotations it does not know, and takes a second of 60 for one of 59: we would store another moment.
    if text.ends_with(']') || has_leap_second(&pieces, text) {
        return Err(TimeError::Malformed(beginning(given)));
    }
    let local = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    if local.subsec_nanosecond() % 1000 != 0 {
        return Err(TimeError::TooFine(beginning(given)));
    }
    let since = local.duration_since(EPOCH);
    let offset = pieces.to_numeric_offset().map_or(0, |offset| offset.seconds());
    let seconds = since.as_secs() - i64::from(offset);
    let micros = seconds * MICROS_PER_SECOND + i64::from(since.subsec_micros());
    Time::from_micros(micros).ok_or_else(|| TimeError::OutOfRange(beginning(given)))
}

/// The same moment with its year counted as ISO 8601 does, where 1 BC is 0000 and 44 BC is -000043.
fn before_christ(text: &str) -> Option<String> {
    let (year, rest) = text.split_once('-')?;
    let year: u32 = year.parse().ok().filter(|year| (1..=9999).contains(year))?;
    Some(if year == 1 {
        format!("0000-{rest}")
    } else {
        format!("-{:06}-{rest}", year - 1)
    })
}

fn has_leap_second(pieces: &Pieces, text: &str) -> bool {
    if pieces.time().is_none_or(|time| time.second() != 59) {
        return false;
    }
    let Some((_, time)) = text.split_once(['T', 't', ' ']) else {
        return false;
    };
    let digits = time.bytes().filter(|&byte| byte != b':');
    digits.skip(4).take(2).eq(*b"60")
}

fn why_not(text: &str) -> fn(String) -> TimeError {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.eq_ignore_ascii_case("infinity") {
        return TimeError::Infinite;
    }
    // Postgres writes years up to 294276, for which jiff has no digits.
    let year = unsigned.split_once('-').filter(|(year, _)| year.len() <= 6);
    match year.map(|(year, _)| year.parse()) {
        Some(Ok(10_000..=999_999u32)) => TimeError::OutOfRange,
        _ => TimeError::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> i64 {
        Time::parse(text).unwrap_or_else(|error| panic!("{error}")).micros()
    }

    const NOON: i64 = 789_048_000_000_000;

    #[test]
    fn the_bounds_are_those_of_postgres_and_of_four_digit_years() {
        assert_eq!(micros("4714-11-24 00:00:00+00 BC"), Time::MIN.micros());
        assert_eq!(micros("9999-12-31T23:59:59.999999Z"), Time::MAX.micros());
        for outside in [i64::MIN, Time::MIN.micros() - 1, Time::MAX.micros() + 1, i64::MAX] {
            assert_eq!(Time::from_micros(outside), None);
        }
        for inside in [Time::MIN, Time::MAX] {
            assert_eq!(Time::from_micros(inside.micros()), Some(inside));
        }
    }

    #[test]
    fn a_moment_is_written_in_utc_with_only_the_digits_it_needs() {
        let text = |micros| Time::from_micros(micros).unwrap().to_string();
        assert_eq!(text(0), "2000-01-01T00:00:00Z");
        assert_eq!(text(NOON), "2025-01-01T12:00:00Z");
        assert_eq!(text(NOON + 500_000), "2025-01-01T12:00:00.5Z");
        assert_eq!(text(-1), "1999-12-31T23:59:59.999999Z");
        assert_eq!(Time::MIN.to_string(), "-004713-11-24T00:00:00Z");
        assert_eq!(Time::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn iso_8601_and_the_output_of_postgres_are_understood() {
        for noon in [
            "2025-01-01T12:00:00Z",
            "2025-01-01t12:00:00z",
            "2025-01-01 12:00:00",
            "2025-01-01T12:00",
            "2025-01-01 12:00:00+00",
            "2025-01-01 17:30:00+05:30",
            "2025-01-01 11:58:45-00:01:15",
            "2025-01-01T12:00:00.000000000Z",
            "20250101T120000Z",
        ] {
            assert_eq!(micros(noon), NOON, "{noon}");
        }
        assert_eq!(micros("2025-01-01"), NOON - 12 * 3_600_000_000);
        assert_eq!(micros("2025-01-01 12:00:00.000001"), NOON + 1);
        assert_eq!(
            micros("9999-12-31T23:59:59.999999+01"),
            Time::MAX.micros() - 3_600_000_000
        );
    }

    #[test]
    fn what_most_programs_write_is_read_the_short_way() {
        for (text, micros) in [
            ("2025-01-01T12:00:00Z", NOON),
            ("2025-01-01T12:00:00+00:00", NOON),
            ("2025-01-01T12:00:00.007Z", NOON + 7000),
            ("2025-01-01T11:59:59.999999Z", NOON - 1),
            ("1999-12-31T23:59:59.999999Z", -1),
        ] {
            assert_eq!(parse_plain(text.as_bytes()).map(Time::micros), Some(micros), "{text}");
            assert_eq!(parse_pieces(text, text).map(Time::micros), Ok(micros), "{text}");
        }
        for text in [
            "2025-01-01T12:00:00",
            "2025-01-01T12:00:00.00Z",
            "2025-01-01T12:00:60Z",
            "2025-02-29T12:00:00Z",
            "+025-01-01T12:00:00Z",
        ] {
            assert_eq!(parse_plain(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_year_bc_is_the_one_of_postgres() {
        let iso = |text| Time::parse(text).unwrap().to_string();
        assert_eq!(iso("0044-03-15 00:00:00+00 BC"), "-000043-03-15T00:00:00Z");
        assert_eq!(iso("0001-12-31 BC"), "0000-12-31T00:00:00Z");
        assert_eq!(iso("0005-02-29 00:00:00+00 BC"), "-000004-02-29T00:00:00Z");
        for text in [
            "0000-01-01 BC",
            "-000043-03-15 BC",
            "0044-03-15 BC BC",
            " BC",
            "x-01-01 BC",
        ] {
            assert!(matches!(Time::parse(text), Err(TimeError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            " ",
            "now",
            "12:00:00",
            "T12:00:00",
            "2025",
            "2025-01",
            "2025-13-01",
            "2025-02-29",
            "2025-01-01T",
            "2025-01-01T24:00:00",
            "2025-01-01T12:00:61",
            "2025-01-01T12:00:00Zx",
            "2025-01-01T12:00:00Z ",
            " 2025-01-01T12:00:00Z",
            "2025-01-01T12:00:00 UTC",
            "2025-01-01T12:00:00[Europe/Oslo]",
            "2025-01-01T12:00:00+01[Europe/Oslo]",
            "2025-01-01T12:00:00Z[u-ca=hebrew]",
            "2025-01-01[UTC]",
            "2025-W01-1",
            "1735732800",
            "2025-01-01T12:00:00Z\0",
        ] {
            let error = Time::parse(text).expect_err(text);
            assert_eq!(error, TimeError::Malformed(text.to_owned()), "{text}");
            assert!(!error.is_out_of_range());
        }
    }

    #[test]
    fn what_is_no_timestamp_is_told_what_to_write_instead() {
        for (text, hint) in [
            ("2025-01-01T24:00:00Z", "Write 24:00 as 00:00 of the next day."),
            ("2025-01-01 24:00", "Write 24:00 as 00:00 of the next day."),
            ("2025-01-01T23:59:60Z", SIXTY),
            ("2025-01-01T12:60:00Z", SIXTY),
            ("2025-01-01 12:00:75+01", SIXTY),
            ("1735732800", FROM_EPOCH),
            ("1735732800.5", FROM_EPOCH),
            ("1735732800000", FROM_EPOCH),
            ("2025-01-01T12:00:00.1234567Z", ROUND),
            ("infinity", "Times go from 4714 BC to the end of the year 9999."),
        ] {
            assert_eq!(Time::parse(text).unwrap_err().hint(), hint, "{text}");
        }
        for named in [
            "2025-01-01T12:00:00[Europe/Oslo]",
            "2025-01-01 12:00:00 EST",
            "2025-01-01T12:00 Europe/Oslo",
        ] {
            let hint = Time::parse(named).unwrap_err().hint();
            assert!(hint.starts_with("Zone names are not taken."), "{named}: {hint}");
        }
        for other in [
            "",
            "soon",
            "01.02.2025",
            "2025-1-1",
            "1/1/2025 5:00 PM",
            "1/1/2025 24:00",
            "2025-01-01 05:00 PM",
            "2025-01-01 5:00 PM",
            "01 Jan 2025",
            "Wed, 01 Jan 2025 12:00:00 +0100",
            "Wed, 01 Jan 2025 12:00:00 GMT",
            "1735.7328.00",
            "20250101.5",
            "2025-01-01T12:00:00 +01:00",
            "20250101",
        ] {
            let Err(error) = Time::parse(other) else { continue };
            assert_eq!(
                error.hint(),
                "Write ISO 8601, as in 2025-01-01T12:00:00+01:00.",
                "{other}"
            );
        }
    }

    #[test]
    fn a_second_of_sixty_is_refused_and_not_moved() {
        for text in [
            "2025-01-01T23:59:60Z",
            "2025-01-01 23:59:60.5",
            "20250101t235960+01",
            "0044-03-15 23:59:60 BC",
        ] {
            assert_eq!(Time::parse(text), Err(TimeError::Malformed(text.to_owned())));
        }
        assert_eq!(micros("2025-01-01T12:59:59.6Z"), NOON + 3_599_600_000);
    }

    #[test]
    fn digits_below_a_microsecond_infinity_and_far_years_have_their_own_words() {
        for (text, message, is_out_of_range) in [
            ("2025-01-01T00:00:00.1234567Z", "has digits below a microsecond", false),
            ("infinity", "is infinite", true),
            ("-Infinity", "is infinite", true),
            ("294276-12-31 23:59:59.999999+00", "is out of range", true),
            ("4714-11-23 23:59:59+00 BC", "is out of range", true),
            ("9999-12-31T23:59:59-01", "is out of range", true),
            ("-009999-01-01", "is out of range", true),
        ] {
            let error = Time::parse(text).expect_err(text);
            assert_eq!(error.to_string(), format!("{text:?} {message}"));
            assert_eq!(error.is_out_of_range(), is_out_of_range);
        }
    }

    #[test]
    fn an_error_shows_only_the_beginning_of_a_long_text() {
        let message = Time::parse(&"ä".repeat(1_000_000)).unwrap_err().to_string();
        assert_eq!(message, format!("\"{}…\" is not a timestamp", "ä".repeat(64)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_short_way_agrees_with_the_long_one(
            text in "(0000|1999|2000|2024|2025|9999|[0-9]{4})-(0[1-9]|1[0-3])-(0[1-9]|[12][0-9]|3[0-2])T([01][0-9]|2[0-4]):\
                     ([0-5][0-9]|60):([0-5][0-9]|60)(|\\.[0-9]{3}|\\.[0-9]{6}|\\.[0-9]{2})(Z|\\+00:00|)",
        ) {
            if let Some(time) = parse_plain(text.as_bytes()) {
                prop_assert_eq!(parse_pieces(&text, &text), Ok(time), "{}", text);
            }
        }


        #[test]
        fn every_moment_comes_back_from_its_text(micros in Time::MIN.micros()..=Time::MAX.micros()) {
            let time = Time::from_micros(micros).unwrap();
            prop_assert_eq!(Time::parse(&time.to_string()), Ok(time));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9]{0,7}[-0-9]{0,6}[ T]?[0-9:.]{0,12}[-+Z]?.{0,6}( BC)?") {
            let _ = Time::parse(&text);
        }
    }
}
