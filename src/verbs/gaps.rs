//! `gaps`: where a flat read has no value. `coverage`: from when to when it has some, and how many.

use super::chosen::chosen;
use super::read::{Reading, Request, Shown, window};
use crate::error::{Error, Reported, Result};
use crate::pg::arguments::Arguments;
use crate::pg::cancel::answer_cancel;
use crate::pg::result::{Returned, Rows};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::FetchAll;
use crate::pg::varlena::{Jsonb, TextArray, UuidArray};
use crate::pg::zone::{self, Zone};
use pgrx::prelude::*;
use std::collections::HashSet;
use timedb_core::calendar::Interval;
use timedb_core::gaps::{Gap, Gaps};
use timedb_core::merge::Window;
use timedb_core::time::Time;
use uuid::Uuid;

/// step, time_zone, start_valid, end_valid, series_keys, series_ids, labels.
type OfGaps = (
    Option<Interval>,
    Option<String>,
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<TextArray>,
    Option<UuidArray>,
    Option<Jsonb>,
);

/// series_id, series_key, from_time, to_time, missing_count.
type GapRow = (Uuid, &'static str, Time, Time, i64);
/// series_id, series_key, first_valid_time, last_valid_time, value_count, run_count.
type CoverageRow = (Uuid, &'static str, Option<Time>, Option<Time>, i64, i64);

/// What is asked of each series.
struct Asked {
    step: Interval,
    zone: Zone,
    window: Window,
}

#[pg_extern(sql = false)]
fn gaps(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut asked = None;
    let mut reading = Reading::now(|| {
        let arguments = Arguments::of(fcinfo);
        let (of, request) = asked_of(arguments.fetch::<OfGaps>()?)?;
        asked = Some(of);
        Ok(request)
    })?;
    let asked = asked.ok_or_else(|| Error::Broken("a request without arguments".into()))?;
    let mut rows = Rows::<GapRow>::open(fcinfo)?;
    while let Some(shown) = reading.next()? {
        asked.put(&mut rows, shown)?;
    }
    Ok(rows.close())
}

fn asked_of(
    (step, time_zone, start, end, keys, ids, labels): <OfGaps as FetchAll>::Fetched<'_>,
) -> Result<(Asked, Request)> {
    let step = step.ok_or(Error::NullArgument("step"))?;
    let asked = Asked {
        step: zone::forward("step", step)?,
        zone: Zone::of(time_zone.as_deref())?,
        window: window(("start_valid", start), ("end_valid", end))?,
    };
    let mut request = Request::of_some(keys, ids, (labels, None, None, None))?;
    request.windows.valid = asked.window;
    Ok((asked, request))
}

impl Asked {
    /// From the start of the window or the first value on, to the end of the window or the last value.
    fn put(&self, rows: &mut Rows<GapRow>, mut shown: Shown) -> Result<()> {
        let series = &shown.series;
        let mut put = |gap: Option<Gap>| {
            if let Some(Gap { from, to, missing }) = gap {
                rows.put((series.id, &series.key, from, to, missing));
            }
        };
        let mut gaps = self
            .window
            .start
            .and_then(|start| Gaps::of(&self.zone, start, self.step));
        let mut count = 0;
        while let Some((_, point)) = shown.opened.next()? {
            if count % 4096 == 0 {
                answer_cancel();
            }
            count += 1;
            if point.value.is_none() {
                continue;
            }
            if gaps.is_none() {
                gaps = Gaps::of(&self.zone, point.start, self.step);
            }
            put(gaps.as_mut().and_then(|gaps| gaps.value(point.start)));
        }
        // A gap after the last value is one only where it is said how far values are looked for.
        if let (Some(gaps), Some(end)) = (&mut gaps, self.window.end) {
            put(gaps.end(end));
        }
        Ok(())
    }
}

#[pg_extern(sql = false)]
fn coverage(
    series_keys: Option<TextArray>,
    series_ids: Option<UuidArray>,
    labels: Option<Jsonb>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let mut reading = Reading::now(|| {
        let mut request = Request::of_some(None, None, Default::default())?;
        request.which = chosen(series_keys, series_ids, labels)?;
        Ok(request)
    })?;
    let mut rows = Rows::<CoverageRow>::open(fcinfo)?;
    while let Some(Shown { series, opened }) = reading.next()? {
        let runs: HashSet<Uuid> = opened.every_version().map(|version| version.run).collect();
        let span = opened.span();
        let (first, last) = (span.map(|(first, _)| first), span.map(|(_, last)| last));
        let (values, runs) = (opened.left() as i64, runs.len() as i64);
        rows.put((series.id, &series.key, first, last, values, runs));
    }
    Ok(rows.close())
}
