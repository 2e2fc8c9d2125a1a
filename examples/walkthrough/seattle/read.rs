//! Reading the year back: flat, joined, as it was known on a past day, overlapping. Each answer is
//! compared with what the file says it must be.

use anyhow::{Context, Result};
use jiff::{Timestamp, ToSpan};
use postgres::Row;

use super::{DAY, FORECAST, MEASURED, chart};
use crate::report::Report;
use crate::session::{Session, column};
use crate::table::grouped;
use crate::temperatures::Temperatures;

pub fn flat(report: &mut Report, alice: &mut Session, year: &Temperatures) -> Result<()> {
    report.step("Read flat: one value an hour, of the run that knew last");
    let read = "SELECT known_time, valid_time, series_key, unit, value
                FROM timedb.read(series_keys => $1)";
    let rows = alice.query(read, &[&vec![MEASURED]])?;
    report.same(
        "all 8,759 measurements come back, in order and bit for bit",
        &hours(&rows)?,
        &bits(year.iter().map(|(time, value)| (*time, *value))),
    );

    let rows = alice.query(read, &[&vec![FORECAST]])?;
    report.same(
        "365 overlapping runs make 366 days, each hour once",
        &rows.len(),
        &(366 * 24),
    );
    report.same(
        "every hour holds the forecast of the last midnight before it",
        &hours(&rows)?,
        &bits(newest_forecasts(year)?),
    );
    Ok(())
}

/// What a flat read of the forecasts must answer, from the file alone: yesterday's temperature;
/// where there is none (after the missing hour, and on the last day forecast) that of the day
/// before.
fn newest_forecasts(year: &Temperatures) -> Result<Vec<(Timestamp, f64)>> {
    let first: Timestamp = "2010-01-02T00:00:00Z".parse()?;
    let forecast = |time: Timestamp| {
        let yesterday = year.get(&(time - 24.hours()));
        let value = yesterday.or_else(|| year.get(&(time - 48.hours())));
        let value = value.with_context(|| format!("nothing was known for {time}"))?;
        Ok((time, *value))
    };
    first.series(1.hour()).take(366 * 24).map(forecast).collect()
}

fn hours(rows: &[Row]) -> Result<Vec<(Timestamp, u64)>> {
    let times = column::<Timestamp>(rows, "valid_time")?;
    let values = column::<f64>(rows, "value")?;
    Ok(bits(times.into_iter().zip(values)))
}

/// Values by the bits of their floats, so that equal means equal and not nearly so.
fn bits(hours: impl IntoIterator<Item = (Timestamp, f64)>) -> Vec<(Timestamp, u64)> {
    hours.into_iter().map(|(time, value)| (time, value.to_bits())).collect()
}

pub fn joined(report: &mut Report, alice: &mut Session, year: &Temperatures) -> Result<()> {
    report.step("A read is a table: join the forecast with what was measured");
    let row = alice.query_one(
        "SELECT count(*) AS hours, avg(abs(f.value - m.value)) AS mean_error
         FROM timedb.read(series_keys => $1) AS f
         JOIN timedb.read(series_keys => $2) AS m USING (valid_time)",
        &[&vec![FORECAST], &vec![MEASURED]],
    )?;
    let error = |(time, forecast): (Timestamp, f64)| {
        let measured = year.get(&time)?;
        Some((forecast - measured).abs())
    };
    let errors: Vec<f64> = newest_forecasts(year)?.into_iter().filter_map(error).collect();
    let expected = errors.iter().sum::<f64>() / errors.len() as f64;
    let (hours, mean_error): (i64, f64) = (row.try_get("hours")?, row.try_get("mean_error")?);
    report.claim(
        &format!(
            "over {} hours the mean error is {expected:.3} °F, as the file says",
            grouped(errors.len())
        ),
        // Postgres may add them up in another order.
        usize::try_from(hours)? == errors.len() && (mean_error - expected).abs() < 1e-9,
    );
    Ok(())
}

pub fn known_on_a_past_day(report: &mut Report, alice: &mut Session, year: &Temperatures) -> Result<()> {
    report.step("What was known on a past day: 8 October 2010, at noon");
    let midnight: Timestamp = DAY.parse()?;
    let noon = midnight + 12.hours();
    let read = "SELECT known_time, valid_time, series_key, value
                FROM timedb.read(
                  start_valid => $1,
                  end_known => $2,
                  series_keys => $3)";
    let rows = alice.query(read, &[&midnight, &noon, &vec![FORECAST]])?;
    let day_before = year.range(midnight - 24.hours()..midnight).map(|(_, value)| *value);
    let next_48_hours = midnight.series(1.hour()).take(48);
    report.same(
        "the next 48 hours were expected to be as the 7th was, and later ones not at all",
        &hours(&rows)?,
        &bits(next_48_hours.zip(day_before.cycle())),
    );
    let known_times: Vec<Timestamp> = column(&rows, "known_time")?;
    report.claim(
        "all of it was known at that day's midnight",
        known_times.iter().all(|known_time| *known_time == midnight),
    );

    let rows = alice.query(read, &[&midnight, &noon, &vec![MEASURED]])?;
    report.same(
        "of the measurements nothing was known yet: they came with the new year",
        &rows.len(),
        &0,
    );
    Ok(())
}

pub fn overlapping(report: &mut Report, alice: &mut Session, year: &Temperatures) -> Result<()> {
    report.step("Overlapping: every forecast that was ever made for that day");
    let start: Timestamp = DAY.parse()?;
    let end = start + 24.hours();
    let rows = alice.query(
        "SELECT valid_time, known_time, value
         FROM timedb.read(
           start_valid => $1,
           end_valid => $2,
           mode => 'overlapping',
           series_keys => $3)",
        &[&start, &end, &vec![FORECAST]],
    )?;
    // The midnight before knew what was two days old when the hour came, its own midnight what was
    // one day old.
    let expected = year.range(start..end).flat_map(|(time, _)| {
        let (two_days_old, one_day_old) = (*time - 48.hours(), *time - 24.hours());
        [
            (*time, start - 24.hours(), year[&two_days_old]),
            (*time, start, year[&one_day_old]),
        ]
    });
    report.same(
        "each of the 24 hours has two forecasts, the older first",
        &forecasts(&rows)?,
        &expected.collect(),
    );
    compare_errors(report, &forecasts(&rows)?, start, year);
    Ok(())
}

/// (valid time, known time, value) of each row.
fn forecasts(rows: &[Row]) -> Result<Vec<(Timestamp, Timestamp, f64)>> {
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get("valid_time")?,
                row.try_get("known_time")?,
                row.try_get("value")?,
            ))
        })
        .collect()
}

fn compare_errors(
    report: &mut Report,
    forecasts: &[(Timestamp, Timestamp, f64)],
    midnight: Timestamp,
    year: &Temperatures,
) {
    let (mut one_day_ahead, mut two_days_ahead) = (Vec::new(), Vec::new());
    for (valid_time, known_time, value) in forecasts {
        let error = value - year[valid_time];
        if *known_time == midnight {
            one_day_ahead.push(error);
        } else {
            two_days_ahead.push(error);
        }
    }
    let mut pairs = one_day_ahead.iter().zip(&two_days_ahead);
    let newer_is_closer = pairs.all(|(newer, older)| newer.abs() <= older.abs());
    chart::print(
        vec![two_days_ahead, one_day_ahead],
        "error in °F, hour by hour: two days ahead (above), one day ahead (below)",
    );
    report.claim(
        "at no hour was the newer forecast further off than the older",
        newer_is_closer,
    );
}

pub fn current_values(report: &mut Report, alice: &mut Session, year: &Temperatures) -> Result<()> {
    report.step("For people and BI tools: the view timedb.current_values");
    let rows = alice.query(
        "SELECT series_key, unit, count(*), min(value), max(value)
         FROM timedb.current_values
         GROUP BY series_key, unit
         ORDER BY series_key",
        &[],
    )?;
    let keys = column::<String>(&rows, "series_key")?;
    let counts: Vec<(String, i64)> = keys.into_iter().zip(column(&rows, "count")?).collect();
    let measured = i64::try_from(year.len())?;
    report.same(
        "it has every value of every run: 17,520 forecast, 8,760 measured with the hour filled in",
        &counts,
        &vec![
            (MEASURED.to_owned(), measured + 1),
            ("temperature_a".to_owned(), 6),
            (FORECAST.to_owned(), 365 * 48),
        ],
    );
    Ok(())
}
