//! `compact`: many small rows of values become few rows of packs, in which a read finds the same versions.
//!
//! What is deleted is what is packed: the rows that the DELETE answers, in one transaction with the packs that are made of
//! them. So readers and writers at the same time see the rows or the packs, never both and never neither; and of two
//! calls at once the second finds nothing left of what the first has taken.

use crate::answer::Answer;
use crate::cancel::answer_cancel;
use crate::cell::{self, Cell, Passed};
use crate::error::{Error, Result};
use crate::read::without_nulls;
use crate::row::Row;
use crate::session::{self, Acting};
use crate::statement::{self, statements};
use pgrx::prelude::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use timedb_core::pack::{NewVersion, Pack, PackedVersion, pack_versions};
use timedb_core::points::{Corrupt, Points};
use timedb_core::scope::Scope;
use timedb_core::span;
use timedb_core::time::Time;
use uuid::Uuid;

/// A row larger than this gains nothing: what it says beside its points is little to them.
const LARGE_ROW_BYTES: i32 = 16 << 10;
/// Nor does a row that says much beside its points: whoever reads a pack would have to read all that is said in it.
const LONG_ANNOTATION: i32 = 1000;
const MANY_TAGS: i32 = 10;
/// The most bytes of annotations and tags in a pack.
const TEXT_IN_A_PACK: usize = 1 << 20;
/// What a pack is filled up to. A window that needs one value of it decodes all of them, in a fraction of a millisecond.
const POINTS_IN_A_PACK: usize = 32_768;
/// A pack that is emptier may be packed once more, with versions of about as many points: so a value moves a few times at
/// most, however often compact is called.
const SMALL_PACK: usize = POINTS_IN_A_PACK / 2;
const AS_MANY: usize = 4;
/// How much one call does: so that its transaction stays short, and its memory small.
const ROWS_IN_A_CALL: i64 = 200_000;
const ROWS_AT_ONCE: i64 = 20_000;
const PACKS_AT_ONCE: i64 = 16;
const NOTICE_EVERY: Duration = Duration::from_secs(5);

statements! {
    CUTOFF(INTERVALOID) = c"SELECT clock_timestamp() - coalesce($1, interval '1 day')";
    /// Rows that have company: one alone would be no smaller as a pack.
    WORK(UUIDOID, UUIDARRAYOID, TIMESTAMPTZOID, INT4OID, INT4OID, INT4OID) =
        c"SELECT v.series_id, count(*)
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND ($2 IS NULL OR v.series_id IN (SELECT unnest($2))) AND v.change_time < $3
            AND pg_column_size(v.points) <= $4 AND coalesce(octet_length(v.annotation), 0) <= $5
            AND coalesce(cardinality(v.tags), 0) <= $6
          GROUP BY v.series_id
          HAVING count(*) > 1
          ORDER BY v.series_id";
    TAKE_ROWS(UUIDOID, UUIDOID, TIMESTAMPTZOID, INT4OID, INT4OID, INT4OID, INT8OID) =
        c"WITH chosen AS MATERIALIZED (
            SELECT v.ctid AS place
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.change_time < $3 AND pg_column_size(v.points) <= $4
              AND coalesce(octet_length(v.annotation), 0) <= $5 AND coalesce(cardinality(v.tags), 0) <= $6
            ORDER BY v.span, v.valid_from
            LIMIT $7)
          DELETE FROM timedb.values v
          USING chosen c
          WHERE v.tenant_id = $1 AND v.ctid = c.place
          RETURNING v.run_id, v.known_time, v.change_time, v.changed_by, v.annotation, to_json(v.tags)::text, v.points,
                    pg_column_size(v.*)::int8";
    /// The smallest ones, and few: packs that are full of text stay small by their points.
    TAKE_PACKS(UUIDOID, UUIDOID, INT4OID, INT8OID) =
        c"WITH chosen AS MATERIALIZED (
            SELECT p.ctid AS place
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.point_count <= $3
            ORDER BY p.point_count
            LIMIT $4)
          DELETE FROM timedb.packs p
          USING chosen c
          WHERE p.tenant_id = $1 AND p.ctid = c.place
          RETURNING p.versions, pg_column_size(p.*)::int8";
    INSERT_PACKS(
        UUIDOID, UUIDOID, UUIDARRAYOID, INT2ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID,
        TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, INT4ARRAYOID, BYTEAARRAYOID
    ) = c"INSERT INTO timedb.packs (tenant_id, series_id, pack_id, span, valid_from, valid_to, first_known, last_known,
                                    first_change, point_count, versions)
          SELECT $1, $2, r.pack_id, r.span, r.valid_from, r.valid_to, r.first_known, r.last_known, r.first_change,
                 r.point_count, timedb._pack_of_bytes(r.versions)
          FROM ROWS FROM (unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9),
                          unnest($10), unnest($11))
               AS r(pack_id, span, valid_from, valid_to, first_known, last_known, first_change, point_count, versions)
          RETURNING pg_column_size(packs.*)::int8";
}

/// Rows of one series that have grown old.
struct Work {
    series: Uuid,
    rows: i64,
}

/// What a call has done so far.
#[derive(Default)]
struct Tally {
    series: i32,
    versions: i64,
    rows_before: i64,
    rows_after: i64,
    bytes_before: i64,
    bytes_after: i64,
}

#[pg_extern(sql = false)]
fn compact(
    series_ids: Option<Passed>,
    older_than: Option<Passed>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let acting = Acting::with(Scope::Write)?;
    let tenant = acting.tenant;
    let series_ids = without_nulls("series_ids", series_ids)?;
    let cutoff = cutoff(older_than)?;
    let work = work(tenant, series_ids, cutoff)?;
    let mut progress = Progress::of(&work);
    let mut tally = Tally::default();
    for part in &work {
        let mut left = part.rows;
        while left > 1 && tally.rows_before < ROWS_IN_A_CALL {
            answer_cancel();
            let taken = pack_some(tenant, part.series, cutoff, &mut tally)?;
            tally.series += i32::from(left == part.rows && taken > 0);
            left = if taken < ROWS_AT_ONCE {
                0
            } else {
                left - taken
            };
            progress.report(&tally);
        }
        progress.remaining -= part.rows - left;
    }
    let cells = [
        tally.series.into_datum(),
        tally.versions.into_datum(),
        tally.rows_before.into_datum(),
        tally.rows_after.into_datum(),
        tally.bytes_before.into_datum(),
        tally.bytes_after.into_datum(),
        progress.remaining.into_datum(),
    ];
    Ok(Answer::row(fcinfo, &cells))
}

fn cutoff(older_than: Option<Passed>) -> Result<i64> {
    let older_than = older_than.map(|interval| interval.0);
    let found = statement::read(&CUTOFF, &[older_than], |row| Ok(row.micros(1)))?;
    let cutoff = found.into_iter().flatten().next();
    Ok(cutoff.ok_or_else(|| Error::Broken("no clock".into()))?)
}

fn work(tenant: Uuid, series_ids: Cell, cutoff: i64) -> Result<Vec<Work>> {
    let arguments = [
        cell::uuid(tenant),
        series_ids,
        cell::micros(cutoff),
        LARGE_ROW_BYTES.into_datum(),
        LONG_ANNOTATION.into_datum(),
        MANY_TAGS.into_datum(),
    ];
    statement::write(&WORK, &arguments, |row| {
        let work = || {
            Some(Work {
                series: row.uuid(1)?,
                rows: row.micros(2)?,
            })
        };
        work().ok_or_else(|| broken_row().into())
    })
}

fn broken_row() -> Error {
    Error::Broken("a stored row without its columns".into())
}

/// A version that has been taken out of where it was stored.
struct Taken {
    run: Uuid,
    known: Time,
    change: Time,
    changed_by: String,
    annotation: Option<String>,
    tags: Option<Vec<String>>,
    points: Vec<u8>,
}

/// Packs as many rows of a series as are held in memory at once, together with packs that are about as small; answers how
/// many rows they were.
fn pack_some(tenant: Uuid, series: Uuid, cutoff: i64, tally: &mut Tally) -> Result<i64> {
    let mut taken = take_rows(tenant, series, cutoff, tally)?;
    let rows = taken.len() as i64;
    if rows == 0 {
        return Ok(0);
    }
    let mut points = 0;
    for version in &taken {
        points += version.read()?.len();
    }
    taken.extend(take_packs(
        tenant,
        series,
        (AS_MANY * points).min(SMALL_PACK),
        tally,
    )?);
    tally.versions += rows;
    tally.rows_before += rows;
    let mut new = NewPacks::default();
    for of_class in by_class(&taken)? {
        new.add(&of_class)?;
    }
    new.insert(tenant, series, tally)?;
    Ok(rows)
}

fn take_rows(tenant: Uuid, series: Uuid, cutoff: i64, tally: &mut Tally) -> Result<Vec<Taken>> {
    let arguments = [
        cell::uuid(tenant),
        cell::uuid(series),
        cell::micros(cutoff),
        LARGE_ROW_BYTES.into_datum(),
        LONG_ANNOTATION.into_datum(),
        MANY_TAGS.into_datum(),
        ROWS_AT_ONCE.into_datum(),
    ];
    statement::write(&TAKE_ROWS, &arguments, |row| {
        tally.bytes_before += row.micros(8).unwrap_or(0);
        Taken::of_row(row).ok_or_else(|| broken_row().into())
    })
}

/// The versions in the small packs of a series.
fn take_packs(
    tenant: Uuid,
    series: Uuid,
    most_points: usize,
    tally: &mut Tally,
) -> Result<Vec<Taken>> {
    let arguments = [
        cell::uuid(tenant),
        cell::uuid(series),
        (most_points as i32).into_datum(),
        PACKS_AT_ONCE.into_datum(),
    ];
    let packs = statement::write(&TAKE_PACKS, &arguments, |row| {
        tally.rows_before += 1;
        tally.bytes_before += row.micros(2).unwrap_or(0);
        let versions = row.payload(1, Taken::of_pack);
        Ok(versions
            .ok_or_else(broken_row)?
            .map_err(Error::PackStored)?)
    })?;
    Ok(packs.into_iter().flatten().collect())
}

impl Taken {
    fn of_row(row: &Row) -> Option<Taken> {
        let tags = row.text(6).map(|tags| serde_json::from_str(&tags));
        Some(Taken {
            run: row.uuid(1)?,
            known: Time::from_micros(row.micros(2)?)?,
            change: Time::from_micros(row.micros(3)?)?,
            changed_by: row.text(4)?,
            annotation: row.text(5),
            tags: tags.transpose().ok()?,
            points: row.payload(7, <[u8]>::to_vec)?,
        })
    }

    fn of_pack(bytes: &[u8]) -> Result<Vec<Taken>, Corrupt> {
        let pack = Pack::read(bytes)?;
        let mut values = Vec::new();
        pack.decode_values(&mut values)?;
        let taken = |version: &PackedVersion| Taken {
            run: version.run,
            known: version.known,
            change: version.change,
            changed_by: version.changed_by.to_owned(),
            annotation: version.annotation.map(str::to_owned),
            tags: version
                .tags
                .as_ref()
                .map(|tags| tags.iter().map(str::to_owned).collect()),
            points: version.points(&values),
        };
        Ok(pack.versions().iter().map(taken).collect())
    }

    fn read(&self) -> Result<Points<'_>, Error> {
        Points::read(&self.points).map_err(Error::PointsStored)
    }

    fn new_version(&self) -> Result<NewVersion<'_>, Error> {
        let tags = self.tags.as_ref();
        Ok(NewVersion {
            run: self.run,
            known: self.known,
            change: self.change,
            changed_by: &self.changed_by,
            annotation: self.annotation.as_deref(),
            tags: tags.map(|tags| tags.iter().map(String::as_str).collect()),
            points: self.read()?,
        })
    }
}

/// The versions of each class of spans, each class in the order of time: one long version must not make the pack of short
/// ones long.
fn by_class(taken: &[Taken]) -> Result<Vec<Vec<NewVersion<'_>>>> {
    let mut classes: BTreeMap<i16, Vec<NewVersion>> = BTreeMap::new();
    for version in taken {
        let version = version.new_version()?;
        if let (Some(first), Some(last)) = (version.points.first(), version.points.last()) {
            let class = span::class(first, last);
            classes.entry(class).or_default().push(version);
        }
    }
    for of_class in classes.values_mut() {
        of_class.sort_by_key(|version| (version.points.first(), version.known, version.change));
    }
    Ok(classes.into_values().collect())
}

/// Packs to be written, a column each.
#[derive(Default)]
struct NewPacks {
    ids: Vec<Uuid>,
    spans: Vec<i16>,
    valid_from: Vec<Time>,
    valid_to: Vec<Time>,
    first_known: Vec<Time>,
    last_known: Vec<Time>,
    first_change: Vec<Time>,
    point_counts: Vec<i32>,
    versions: Vec<Vec<u8>>,
}

impl NewPacks {
    /// Adds versions that are in the order of time, in as many packs as they fill.
    fn add(&mut self, versions: &[NewVersion]) -> Result<()> {
        let (mut points, mut text) = (0, 0);
        let mut from = 0;
        for (place, version) in versions.iter().enumerate() {
            let more = (version.points.len(), text_bytes(version));
            let is_full = points + more.0 > POINTS_IN_A_PACK || text + more.1 > TEXT_IN_A_PACK;
            if place > from && is_full {
                self.add_pack(&versions[from..place], points)?;
                (from, points, text) = (place, 0, 0);
            }
            points += more.0;
            text += more.1;
        }
        self.add_pack(&versions[from..], points)
    }

    fn add_pack(&mut self, versions: &[NewVersion], points: usize) -> Result<()> {
        answer_cancel();
        let first_of =
            |time: fn(&NewVersion) -> Option<Time>| versions.iter().filter_map(time).min();
        let last_of =
            |time: fn(&NewVersion) -> Option<Time>| versions.iter().filter_map(time).max();
        let bounds = || {
            Some((
                first_of(|version| version.points.first())?,
                last_of(|version| version.points.last())?,
                first_of(|version| Some(version.known))?,
                last_of(|version| Some(version.known))?,
                first_of(|version| Some(version.change))?,
            ))
        };
        let Some((valid_from, valid_to, first_known, last_known, first_change)) = bounds() else {
            return Ok(());
        };
        let pack =
            pack_versions(versions).map_err(|error| Error::Broken(format!("a pack: {error}")))?;
        self.ids.push(session::new_id());
        self.spans.push(span::class(valid_from, valid_to));
        self.valid_from.push(valid_from);
        self.valid_to.push(valid_to);
        self.first_known.push(first_known);
        self.last_known.push(last_known);
        self.first_change.push(first_change);
        self.point_counts.push(points as i32);
        self.versions.push(pack);
        Ok(())
    }

    fn insert(self, tenant: Uuid, series: Uuid, tally: &mut Tally) -> Result<()> {
        let arguments = [
            cell::uuid(tenant),
            cell::uuid(series),
            cell::uuids(&self.ids),
            cell::smallints(&self.spans),
            cell::times(&self.valid_from),
            cell::times(&self.valid_to),
            cell::times(&self.first_known),
            cell::times(&self.last_known),
            cell::times(&self.first_change),
            cell::integers(&self.point_counts),
            cell::byte_strings(&self.versions),
        ];
        statement::write(&INSERT_PACKS, &arguments, |row| {
            tally.rows_after += 1;
            tally.bytes_after += row.micros(1).unwrap_or(0);
            Ok(())
        })
        .map(drop)
    }
}

fn text_bytes(version: &NewVersion) -> usize {
    let tags = version.tags.iter().flatten();
    version.annotation.map_or(0, str::len) + tags.map(|tag| tag.len()).sum::<usize>()
}

/// Says now and then how far a long call has come.
struct Progress {
    rows: i64,
    remaining: i64,
    said: Instant,
}

impl Progress {
    fn of(work: &[Work]) -> Progress {
        let rows = work.iter().map(|work| work.rows).sum();
        Progress {
            rows,
            remaining: rows,
            said: Instant::now(),
        }
    }

    fn report(&mut self, tally: &Tally) {
        if self.said.elapsed() >= NOTICE_EVERY {
            self.said = Instant::now();
            notice!(
                "compacted {} of {} rows, of {} series so far",
                tally.versions,
                self.rows,
                tally.series
            );
        }
    }
}
