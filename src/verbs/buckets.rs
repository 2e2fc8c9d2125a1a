//! `read_buckets`: what a flat read shows, summed up by buckets of time.

use super::read::{OfUnit, OfVersions, Reading, Request, Shown};
use crate::error::{Error, Reported, Result};
use crate::pg::arguments::Arguments;
use crate::pg::cancel::answer_cancel;
use crate::pg::result::{Returned, Rows};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::{FetchAll, Then};
use crate::pg::varlena::{TextArray, UuidArray};
use crate::pg::zone::{self, Zone};
use pgrx::prelude::*;
use timedb_core::buckets::{AGGREGATES, Aggregate, Buckets, TooMany};
use timedb_core::calendar::{Calendar, Interval};
use timedb_core::limits::MOST_BUCKETS;
use uuid::Uuid;

/// bucket, aggregate, time_zone; the windows, the series and the moment of a read; which versions count.
type OfBuckets = Then<OfTheirs, Then<OfRead, OfVersions>>;
type OfTheirs = (Option<Interval>, Option<String>, Option<String>);
type OfRead = (
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<Timestamptz>,
    Option<TextArray>,
    Option<UuidArray>,
    Option<Timestamptz>,
);

/// series_id, series_key, unit, bucket_start, bucket_end, value, value_count.
type Answered = (Uuid, &'static str, &'static str, Timestamptz, Timestamptz, f64, i64);

/// What is asked of each series.
struct Asked {
    bucket: Interval,
    aggregate: Aggregate,
    zone: Zone,
}

#[pg_extern(sql = false)]
fn read_buckets(fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut asked = None;
    let mut until = None;
    let mut reading = Reading::now(|| {
        let arguments = Arguments::of(fcinfo);
        let Then(theirs, Then(of_read, of_versions)) = arguments.fetch::<OfBuckets>()?;
        asked = Some(Asked::of(theirs)?);
        let request = request(of_read, of_versions)?;
        until = request.windows.valid.end;
        Ok(request)
    })?;
    let asked = asked.ok_or_else(|| Error::Broken("a request without arguments".into()))?;
    let mut rows = Rows::<Answered>::open(fcinfo)?;
    while let Some(shown) = reading.next()? {
        let buckets = Buckets::of(asked.zone, asked.bucket, asked.aggregate, until);
        let buckets = buckets.ok_or_else(|| Error::Broken("a bucket that does not go forward".into()))?;
        put(&mut rows, shown, buckets)?;
    }
    Ok(rows.close())
}

impl Asked {
    fn of((bucket, aggregate, time_zone): <OfTheirs as FetchAll>::Fetched<'_>) -> Result<Asked> {
        let bucket = bucket.ok_or(Error::NullArgument("bucket"))?;
        let aggregate = aggregate.as_deref().unwrap_or("mean");
        Ok(Asked {
            bucket: zone::forward("bucket", bucket)?,
            aggregate: Aggregate::named(aggregate).ok_or_else(unknown_aggregate)?,
            zone: Zone::of(time_zone.as_deref())?,
        })
    }
}

fn unknown_aggregate() -> Error {
    Error::bad("aggregate", format!("must be one of {AGGREGATES}"))
}

/// As a flat read has it.
fn request(
    (start_valid, end_valid, start_known, end_known, keys, ids, as_of): <OfRead as FetchAll>::Fetched<'_>,
    of_versions: OfVersions,
) -> Result<Request> {
    let of_read = (
        start_valid,
        end_valid,
        start_known,
        end_known,
        None,
        None,
        keys,
        ids,
        as_of,
    );
    Request::of(Then(of_read, Then(of_versions, OfUnit::default())))
}

fn put<C: Calendar>(rows: &mut Rows<Answered>, mut shown: Shown, mut buckets: Buckets<C>) -> Result<()> {
    let series = &shown.series;
    let mut count = 0;
    let mut put_count = 0;
    let mut put_full = |buckets: &mut Buckets<C>| {
        while let Some((window, value, values)) = buckets.take() {
            if put_count % 4096 == 0 {
                answer_cancel();
            }
            put_count += 1;
            let (start, end) = (
                Timestamptz::lower_bound(window.start),
                Timestamptz::upper_bound(window.end),
            );
            rows.put((series.id, &series.key, &series.unit, start, end, value, values));
        }
    };
    while let Some((_, point)) = shown.opened.next()? {
        if count % 4096 == 0 {
            answer_cancel();
        }
        count += 1;
        buckets.add(&point, &mut answer_cancel).map_err(too_many)?;
        put_full(&mut buckets);
    }
    buckets.finish(&mut answer_cancel).map_err(too_many)?;
    put_full(&mut buckets);
    Ok(())
}

fn too_many(_: TooMany) -> Error {
    Error::BadArgument {
        argument: "bucket",
        reason: format!("is so short that one value holds for more than {MOST_BUCKETS} of them"),
        hint: Some("Ask for longer buckets, or for a narrower window of valid time."),
    }
}
