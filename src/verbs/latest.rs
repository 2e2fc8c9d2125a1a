//! `latest`: of each series its newest value, without its history.

use super::chosen::chosen;
use crate::error::{Reported, Result};
use crate::identity::session::{Acting, Session};
use crate::pg::cancel::answer_cancel;
use crate::pg::result::{Returned, Rows};
use crate::pg::timestamp;
use crate::pg::varlena::{Jsonb, TextArray, UuidArray};
use crate::store::newest::{Groups, Newest};
use crate::store::open::Opened;
use crate::store::withdrawn::Withdrawn;
use pgrx::prelude::*;
use timedb_core::answer::Series;
use timedb_core::merge::Mode;
use timedb_core::time::Time;
use uuid::Uuid;

/// In the order of `read`: known_time, valid_time, valid_time_end, series_id, series_key, unit, value, run_id, change_time, labels.
type Answered = (
    Time,
    Time,
    Option<Time>,
    Uuid,
    &'static str,
    &'static str,
    Option<f64>,
    Uuid,
    Time,
    Option<Jsonb>,
);

#[pg_extern(sql = false)]
fn latest(
    series_keys: Option<TextArray>,
    series_ids: Option<UuidArray>,
    labels: Option<Jsonb>,
    before: Option<i64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let acting = Acting::found(Session::now().required()?);
    let which = chosen(series_keys, series_ids, labels)?;
    let before = timestamp::optional("before", before)?;
    let series = which.series(acting.tenant)?;
    let mut groups = Groups::of(series.iter().map(|series| series.id).collect(), before);
    let mut withdrawn = Withdrawn::of(acting.tenant, None)?;
    let mut rows = Rows::<Answered>::open(fcinfo)?;
    for series in &series {
        answer_cancel();
        if let Some(newest) = groups.next(acting.tenant)? {
            let opened = newest_shown(acting.tenant, series.id, newest, &mut withdrawn)?;
            put(&mut rows, series, opened)?;
        }
    }
    Ok(rows.close())
}

/// What is shown around the newest value. Where what was found is withdrawn, further back: each time as far again as it has
/// come, so that the number of steps hardly grows with how much is.
fn newest_shown(tenant: Uuid, series: Uuid, mut newest: Newest, withdrawn: &mut Withdrawn) -> Result<Opened> {
    let first = newest.windows.valid.start;
    loop {
        answer_cancel();
        let (is_empty, windows) = (newest.is_empty(), newest.windows);
        let opened = newest.stored.open(&windows, Mode::Flat, false, Some(withdrawn))?;
        if opened.left() > 0 || is_empty {
            return Ok(opened);
        }
        let come = first.zip(windows.valid.start);
        let back = come.map_or(0, |(first, start)| first.micros() - start.micros());
        newest = match Newest::before(tenant, series, &windows, back)? {
            Some(before) => before,
            None => return Ok(opened),
        };
    }
}

/// The last row of a flat read; none where there is none.
fn put(rows: &mut Rows<Answered>, series: &Series, mut opened: Opened) -> Result<()> {
    if let Some((number, point)) = opened.last()? {
        let version = opened.version(number);
        rows.put((
            version.known,
            point.start,
            point.end,
            series.id,
            &series.key,
            &series.unit,
            point.value,
            version.run,
            version.change,
            Jsonb::of(&series.labels),
        ));
    }
    Ok(())
}
