//! What a clock on a wall shows, as moments. A clock that is set back shows an hour twice: in a file whose rows go forward
//! the first pass through it is the earlier one. One that is set forward leaves an hour out, and a time in it is none.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::time::Moment;

pub struct Clock {
    zone: TimeZone,
    /// How the zone is called.
    name: String,
    is_fixed: bool,
    passes: HashMap<Group, Pass>,
    /// How many times of doubled hours were of the first and of the second pass.
    pub doubled: [u64; 2],
    /// Whether any time was a clock's.
    pub was_asked: bool,
}

/// Rows that go forward in time: those of one series that were known at one moment.
pub type Group = (u32, i64);

struct Pass {
    latest: i64,
    goes_back: bool,
    /// The first time of a doubled hour, and where it stands.
    resolved: Option<(u64, DateTime)>,
}

impl Clock {
    pub fn of(zone: TimeZone, name: &str) -> Self {
        Self {
            is_fixed: zone.to_fixed_offset().is_ok(),
            zone,
            name: name.to_owned(),
            passes: HashMap::new(),
            doubled: [0; 2],
            was_asked: false,
        }
    }

    /// Whether it matters which rows follow each other.
    pub fn needs_order(&self) -> bool {
        !self.is_fixed
    }

    /// The moment of a row at this place of its file.
    pub fn moment(&mut self, moment: Moment, group: Group, place: u64) -> Result<i64, String> {
        let local = match moment {
            Moment::At(micros) => return Ok(micros),
            Moment::Local(local) => local,
        };
        self.was_asked = true;
        let candidates = self.candidates(local)?;
        if self.is_fixed {
            return Ok(candidates[0]);
        }
        let pass = self.passes.entry(group).or_insert(Pass {
            latest: i64::MIN,
            goes_back: false,
            resolved: None,
        });
        let [first, second] = candidates;
        let is_second = first != second && first <= pass.latest;
        let micros = if is_second { second } else { first };
        pass.goes_back |= micros < pass.latest;
        if first != second {
            let is_repeated = micros == pass.latest;
            if pass.goes_back || is_repeated {
                return Err(self.undecided(local));
            }
            pass.resolved.get_or_insert((place, local));
            self.doubled[usize::from(is_second)] += 1;
        }
        if let (true, Some((at, local))) = (pass.goes_back, pass.resolved) {
            // Told once.
            pass.resolved = None;
            let reason = self.undecided(local);
            return Err(format!(
                "is before an earlier row, so that of row {at} nothing tells: {reason}"
            ));
        }
        pass.latest = micros;
        Ok(micros)
    }

    /// The end of what begins at a moment: the first time after it that the clock shows this.
    pub fn end(&mut self, moment: Moment, start: i64) -> Result<i64, String> {
        match moment {
            Moment::At(micros) => Ok(micros),
            Moment::Local(local) => {
                self.was_asked = true;
                let [first, second] = self.candidates(local)?;
                Ok(if first > start { first } else { second })
            }
        }
    }

    /// A moment by itself, without rows that go before.
    pub fn alone(&mut self, moment: Moment) -> Result<i64, String> {
        match moment {
            Moment::At(micros) => Ok(micros),
            Moment::Local(local) => {
                self.was_asked = true;
                match self.candidates(local)? {
                    [first, second] if first != second => Err(self.undecided(local)),
                    [only, _] => Ok(only),
                }
            }
        }
    }

    /// The moments when the clock shows this, which mostly are one.
    fn candidates(&self, local: DateTime) -> Result<[i64; 2], String> {
        let at = |offset: Offset| {
            let moment = offset.to_timestamp(local);
            moment
                .map(Timestamp::as_microsecond)
                .map_err(|_| format!("{local} is out of range"))
        };
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset).map(|only| [only, only]),
            AmbiguousOffset::Fold { before, after } => Ok([at(before)?, at(after)?]),
            AmbiguousOffset::Gap { .. } => Err(format!(
                "{local} does not exist in {}, whose clocks were set forward over it",
                self.name
            )),
        }
    }

    fn undecided(&self, local: DateTime) -> String {
        format!(
            "{local} comes twice in {}, and rows that do not go forward do not tell which it is: write the offset",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn moments(zone: &str, rows: &[&str]) -> Result<Vec<i64>, String> {
        let mut clock = Clock::of(TimeZone::get(zone).unwrap(), zone);
        let read =
            |(place, text): (usize, &&str)| clock.moment(Moment::Local(text.parse().unwrap()), (0, 0), place as u64);
        rows.iter().enumerate().map(read).collect()
    }

    #[test]
    fn the_first_pass_through_a_doubled_hour_is_the_earlier_one() {
        let rows = [
            "2025-10-26T01:30",
            "2025-10-26T02:00",
            "2025-10-26T02:30",
            "2025-10-26T02:00",
            "2025-10-26T02:30",
            "2025-10-26T03:00",
        ];
        let moments = moments("Europe/Berlin", &rows).unwrap();
        let steps: Vec<i64> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(steps, [HOUR / 2; 5]);
        let hourly = [
            "2025-10-26T01:00",
            "2025-10-26T02:00",
            "2025-10-26T02:00",
            "2025-10-26T03:00",
        ];
        let hourly = super::tests::moments("Europe/Berlin", &hourly).unwrap();
        assert_eq!(
            hourly.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>(),
            [HOUR; 3]
        );
    }

    #[test]
    fn where_rows_go_back_or_repeat_a_doubled_hour_is_refused_and_any_other_time_is_not() {
        for rows in [
            &["2025-10-26T03:00", "2025-10-26T02:00"][..],
            &["2025-10-26T02:00", "2025-10-26T02:00", "2025-10-26T02:00"],
            &["2025-10-26T02:00", "2025-10-26T01:00"],
            &["2025-10-26T01:00", "2025-10-25T01:00", "2025-10-26T02:00"],
        ] {
            assert!(
                moments("Europe/Berlin", rows).is_err_and(|reason| reason.contains("comes twice")),
                "{rows:?}"
            );
        }
        assert!(moments("Europe/Berlin", &["2025-06-02T00:00", "2025-06-01T00:00"]).is_ok());
        assert!(moments("UTC", &["2025-10-26T03:00", "2025-10-26T02:00"]).is_ok());
    }

    #[test]
    fn a_time_that_no_clock_showed_is_refused() {
        let refused = moments("America/Los_Angeles", &["2010-03-14T02:00"]);
        assert!(refused.is_err_and(|reason| reason.contains("does not exist in America/Los_Angeles")));
    }

    #[test]
    fn an_interval_of_the_day_of_25_hours_ends_after_it_begins() {
        let mut clock = Clock::of(TimeZone::get("Europe/Berlin").unwrap(), "Europe/Berlin");
        let local = |text: &str| Moment::Local(text.parse().unwrap());
        let mut last = None;
        for (start, end) in [
            ("01:00", "02:00"),
            ("02:00", "02:00"),
            ("02:00", "03:00"),
            ("03:00", "04:00"),
        ] {
            let start = clock.moment(local(&format!("2025-10-26T{start}")), (0, 0), 0).unwrap();
            let end = clock.end(local(&format!("2025-10-26T{end}")), start).unwrap();
            assert_eq!(end - start, HOUR);
            assert!(last.is_none_or(|last| last == start));
            last = Some(end);
        }
        assert!(clock.alone(local("2025-10-26T02:00")).is_err());
    }
}
