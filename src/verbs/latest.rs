//! `latest`: of each series its newest value, without its history.

use super::chosen::chosen;
use crate::error::{Reported, Result};
use crate::identity::session::{Acting, Session};
use crate::pg::cancel::answer_cancel;
use crate::pg::result::{Returned, Rows};
use crate::pg::timestamp;
use crate::pg::varlena::{Jsonb, TextArray, UuidArray};
use crate::store::newest::{Groups, Newest};
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
    let mut rows = Rows::<Answered>::open(fcinfo)?;
    for series in &series {
        answer_cancel();
        if let Some(newest) = groups.next(acting.tenant)? {
            put(&mut rows, series, newest)?;
        }
    }
    Ok(rows.close())
}

/// The last row of a flat read; none where there is none.
fn put(rows: &mut Rows<Answered>, series: &Series, newest: Newest) -> Result<()> {
    let mut opened = newest.stored.open(&newest.windows, Mode::Flat, false)?;
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
