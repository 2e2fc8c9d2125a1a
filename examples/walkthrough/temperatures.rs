//! The year of temperatures in `seattle-temps.csv`, and the persistence forecast made from it. No
//! database here: what the walkthrough expects of timedb is worked out from this.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const FILE: &str = include_str!("../seattle-temps.csv");

/// °F by hour. The file's stamps name no zone; they are taken as UTC (see examples/README.md).
pub type Temperatures = BTreeMap<Timestamp, f64>;

pub fn measured() -> Result<Temperatures> {
    parse(FILE)
}

fn parse(file: &str) -> Result<Temperatures> {
    let mut temperatures = Temperatures::new();
    for (index, row) in csv::Reader::from_reader(file.as_bytes()).deserialize().enumerate() {
        let (stamp, value): (String, f64) = row.with_context(|| format!("row {index}"))?;
        let time = DateTime::strptime("%Y/%m/%d %H:%M", &stamp)
            .and_then(|civil| civil.to_zoned(TimeZone::UTC))
            .with_context(|| format!("row {index}: {stamp}"))?
            .timestamp();
        anyhow::ensure!(
            temperatures.insert(time, value).is_none(),
            "row {index}: {stamp} appears twice"
        );
    }
    Ok(temperatures)
}

/// The hours between the first and the last that have no value.
pub fn missing_hours(temperatures: &Temperatures) -> Vec<Timestamp> {
    let (Some((first, _)), Some((last, _))) = (temperatures.first_key_value(), temperatures.last_key_value()) else {
        return Vec::new();
    };
    first
        .series(1.hour())
        .take_while(|time| time <= last)
        .filter(|time| !temperatures.contains_key(time))
        .collect()
}

/// What one run knew: 48 hours from its midnight on.
pub struct Forecast {
    pub known_time: Timestamp,
    pub hours: Temperatures,
}

/// "Tomorrow will be as today was": at the midnight that ends each day, the next 48 hours are
/// forecast to be what was last known at the same hour of the day.
pub fn persistence(temperatures: &Temperatures) -> Vec<Forecast> {
    let mut last_known: [Option<f64>; 24] = [None; 24];
    let mut forecasts = Vec::new();
    let (Some((first, _)), Some((last, _))) = (temperatures.first_key_value(), temperatures.last_key_value()) else {
        return forecasts;
    };
    for midnight in first.series(24.hours()).take_while(|midnight| midnight <= last) {
        for (hour, known) in (0..).zip(last_known.iter_mut()) {
            *known = temperatures.get(&(midnight + hour.hours())).copied().or(*known);
        }
        let known_time = midnight + 24.hours();
        let hours = (0..48)
            .zip(last_known.iter().cycle())
            .filter_map(|(hour, value)| value.map(|value| (known_time + hour.hours(), value)))
            .collect();
        forecasts.push(Forecast { known_time, hours });
    }
    forecasts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a test writes its times right")
    }

    #[test]
    fn the_file_holds_every_hour_of_2010_but_one() {
        let temperatures = measured().expect("the file is well-formed");
        assert_eq!(temperatures.len(), 8_759);
        assert_eq!(missing_hours(&temperatures), [time("2010-03-14T03:00:00Z")]);
        assert_eq!(
            temperatures.first_key_value(),
            Some((&time("2010-01-01T00:00:00Z"), &39.4))
        );
        assert_eq!(
            temperatures.last_key_value(),
            Some((&time("2010-12-31T23:00:00Z"), &39.6))
        );
    }

    #[test]
    fn each_day_ends_with_a_forecast_of_48_hours() {
        let temperatures = measured().expect("the file is well-formed");
        let forecasts = persistence(&temperatures);
        assert_eq!(forecasts.len(), 365);
        assert!(forecasts.iter().all(|forecast| forecast.hours.len() == 48));
        let first = &forecasts[0];
        assert_eq!(first.known_time, time("2010-01-02T00:00:00Z"));
        assert_eq!(first.hours[&time("2010-01-02T00:00:00Z")], 39.4);
        assert_eq!(
            first.hours[&time("2010-01-03T23:00:00Z")],
            temperatures[&time("2010-01-01T23:00:00Z")]
        );
        assert_eq!(forecasts[364].known_time, time("2011-01-01T00:00:00Z"));
    }

    #[test]
    fn a_missing_hour_is_forecast_from_the_day_before() {
        let temperatures = measured().expect("the file is well-formed");
        let after_the_gap = &persistence(&temperatures)[72];
        assert_eq!(after_the_gap.known_time, time("2010-03-15T00:00:00Z"));
        assert_eq!(
            after_the_gap.hours[&time("2010-03-15T03:00:00Z")],
            temperatures[&time("2010-03-13T03:00:00Z")]
        );
    }

    #[test]
    fn a_bad_row_is_named() {
        let error =
            parse("date,temp\n2010/01/01 00:00,39.4\n2010/13/01 00:00,39.2\n").expect_err("there is no month 13");
        assert_eq!(error.to_string(), "row 1: 2010/13/01 00:00");
        assert!(parse("date,temp\n2010/01/01 00:00,1\n2010/01/01 00:00,2\n").is_err());
    }
}
