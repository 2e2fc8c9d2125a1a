//! Rows and packs that are to be packed anew: looked at first, and taken out of where they are stored once it is known what
//! becomes of them. What is taken out is what was looked at, all of it or an error.

use super::spans;
use super::version::{Columns, version, version_columns};
use super::write::{SMALL_PACK, Size};
use crate::error::{Error, Result};
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::Then;
use crate::pg::varlena::{PackBytes, UuidArray};
use timedb_core::pack::Pack;
use timedb_core::points::{Corrupt, Points};
use timedb_core::time::Time;
use timedb_core::version::{Remarks, Version};
use uuid::Uuid;

/// A row larger than this gains nothing: what it says beside its points is little to them.
const LARGE_ROW_BYTES: i32 = 16 << 10;
/// Nor does a row that says much beside its points: whoever reads a pack would have to read all that is said in it.
const LONG_ANNOTATION: i32 = 1000;
const MANY_TAGS: i32 = 10;
/// As many rows and packs are held in memory at once.
pub const ROWS_AT_ONCE: i64 = 20_000;
const PACKS_AT_ONCE: i64 = 16;
/// A small pack is taken where its points are at most so many times those that join it.
const AS_MANY: usize = 4;

statements! {
    /// Rows that have company: two or more of one series and class are fewer rows and no more bytes as a pack, whatever they
    /// hold, so that none is looked at again and again (two by two authors at times thousands of years apart excepted); one
    /// alone would be larger. Of all series, or of some: each is looked for once.
    WORK(Uuid, Option<UuidArray>, Timestamptz, i32, i32, i32) -> (Uuid, i16, i64) =
        c"SELECT v.series_id, v.span, count(*) AS rows
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND $2 IS NULL AND v.change_time < $3 AND pg_column_size(v.points) <= $4
            AND coalesce(octet_length(v.annotation), 0) <= $5 AND coalesce(cardinality(v.tags), 0) <= $6
          GROUP BY v.series_id, v.span
          HAVING count(*) > 1
          UNION ALL
          SELECT w.series_id, v.span, v.rows
          FROM (SELECT DISTINCT unnest($2) AS series_id) AS w
          CROSS JOIN LATERAL (
            SELECT v.span, count(*) AS rows
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = w.series_id AND v.change_time < $3
              AND pg_column_size(v.points) <= $4 AND coalesce(octet_length(v.annotation), 0) <= $5
              AND coalesce(cardinality(v.tags), 0) <= $6
            GROUP BY v.span
            HAVING count(*) > 1) AS v
          ORDER BY series_id, span";
    ROWS(Uuid, Uuid, i16, Timestamptz, i32, i32, i32, i64) -> Then<(Time, i16, i64), Columns<'static>> =
        sql!("SELECT v.valid_from, v.part, pg_column_size(v.*)::int8 AS bytes, ", version_columns!(), "
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = $3 AND v.change_time < $4
            AND pg_column_size(v.points) <= $5 AND coalesce(octet_length(v.annotation), 0) <= $6
            AND coalesce(cardinality(v.tags), 0) <= $7
          ORDER BY v.valid_from
          LIMIT $8");
    /// The smallest ones, and few: packs that are full of text stay small by their points. The class of a pack is that of all
    /// its versions together, and never below that of one.
    SMALL_PACKS(Uuid, Uuid, i16, i32, i64) -> (Uuid, i64, PackBytes) =
        c"SELECT p.pack_id, pg_column_size(p.*)::int8 AS bytes, p.versions
          FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.span >= $3 AND p.point_count <= $4
          ORDER BY p.point_count
          LIMIT $5";
    /// By their keys, in one scan of where they are: IS TRUE keeps the planner from making a join of it, which it would turn
    /// into a loop in a loop where it believes in few rows; so the keys are hashed.
    TAKE_ROWS(Uuid, Uuid, i16, Time, Time, &[Uuid], &[Time], &[i16], &[Time]) -> (i32,) =
        c"DELETE FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = $3 AND v.valid_from >= $4 AND v.valid_from <= $5
            AND ((v.run_id, v.change_time, v.part, v.valid_from)
                 IN (SELECT unnest($6), unnest($7), unnest($8), unnest($9))) IS TRUE
          RETURNING 1";
    TAKE_PACKS(Uuid, Uuid, &[Uuid]) -> (i32,) =
        c"DELETE FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.pack_id = ANY ($3)
          RETURNING 1";
}

/// Rows of one series and one class of spans that have grown old.
pub struct Work {
    pub series: Uuid,
    pub span: i16,
    pub rows: i64,
}

/// What there is to pack of a tenant's series: of these, or of all.
pub fn work(tenant: Uuid, series_ids: Option<UuidArray>, cutoff: Timestamptz) -> Result<Vec<Work>> {
    let of = (tenant, series_ids, cutoff, LARGE_ROW_BYTES, LONG_ANNOTATION, MANY_TAGS);
    let found = WORK.read_fresh(of)?;
    let work = |(series, span, rows)| Work { series, span, rows };
    Ok(found.into_iter().map(work).collect())
}

/// A version with the bytes of its points.
type Whole = (Version, Vec<u8>);

/// Versions that were found, and what they take where they are stored.
#[derive(Default)]
pub struct Found {
    versions: Vec<Whole>,
    pub size: Size,
}

/// What may be packed together: rows of one series and class, and packs of such that are about as small.
pub struct Candidates {
    tenant: Uuid,
    series: Uuid,
    span: i16,
    pub rows: Found,
    row_keys: RowKeys,
    pub packs: Found,
    pack_ids: Vec<Uuid>,
}

/// What names rows of a series and class beside their versions, a column each.
#[derive(Default)]
struct RowKeys {
    valid_from: Vec<Time>,
    part: Vec<i16>,
}

impl Candidates {
    /// As many rows as are held in memory at once.
    pub fn of(tenant: Uuid, work: &Work, cutoff: Timestamptz) -> Result<Candidates> {
        let mut found = Candidates {
            tenant,
            series: work.series,
            span: work.span,
            rows: Found::default(),
            row_keys: RowKeys::default(),
            packs: Found::default(),
            pack_ids: Vec::new(),
        };
        found.find_rows(cutoff)?;
        if found.rows.size.rows > 0 {
            let points: usize = found.rows.points()?.iter().map(Points::len).sum();
            found.find_packs((AS_MANY * points).min(SMALL_PACK))?;
        }
        Ok(found)
    }

    fn find_rows(&mut self, cutoff: Timestamptz) -> Result<()> {
        let of = (
            self.tenant,
            self.series,
            self.span,
            cutoff,
            LARGE_ROW_BYTES,
            LONG_ANNOTATION,
            MANY_TAGS,
            ROWS_AT_ONCE,
        );
        let mut remarks = Remarks::default();
        ROWS.stream_fresh(of, |Then((valid_from, part, bytes), row)| {
            let (version, points) = version(row, &mut remarks);
            self.row_keys.valid_from.push(valid_from);
            self.row_keys.part.push(part);
            self.rows.add(bytes, [(version, points.to_vec())]);
            Ok(())
        })
    }

    fn find_packs(&mut self, most_points: usize) -> Result<()> {
        let of = (self.tenant, self.series, self.span, most_points as i32, PACKS_AT_ONCE);
        SMALL_PACKS.stream_fresh(of, |(id, bytes, pack)| {
            let versions = open_pack(&pack, self.span).map_err(Error::PackStored)?;
            if let Some(versions) = versions {
                self.pack_ids.push(id);
                self.packs.add(bytes, versions);
            }
            Ok(())
        })
    }

    /// The versions of the rows, and of the packs if they are to be packed with them.
    pub fn versions(&self, with_packs: bool) -> Result<Vec<(Version, Points<'_>)>> {
        let mut versions = self.rows.versions()?;
        if with_packs {
            versions.extend(self.packs.versions()?);
        }
        Ok(versions)
    }

    /// Takes out what was looked at: where somebody else has deleted of it since, nothing may be made of it.
    pub fn take(&self, with_packs: bool) -> Result<()> {
        let mut taken = self.take_rows()?;
        let mut looked_at = self.rows.size.rows;
        if with_packs {
            taken += self.take_packs()?;
            looked_at += self.packs.size.rows;
        }
        if taken as i64 == looked_at {
            Ok(())
        } else {
            Err(Error::DeletedMeanwhile)
        }
    }

    fn take_rows(&self) -> Result<usize> {
        let RowKeys { valid_from, part } = &self.row_keys;
        let versions = self.rows.versions.iter();
        let (runs, changes): (Vec<Uuid>, Vec<Time>) = versions.map(|(of, _)| (of.run, of.change)).unzip();
        let keys = KeysOfRows {
            runs: &runs,
            changes: &changes,
            parts: part,
            valid_from,
        };
        take_rows(self.tenant, self.series, self.span, keys)
    }

    fn take_packs(&self) -> Result<usize> {
        take_packs(self.tenant, self.series, &self.pack_ids)
    }
}

/// What names rows of one series and class, a column each.
pub(super) struct KeysOfRows<'a> {
    pub runs: &'a [Uuid],
    pub changes: &'a [Time],
    pub parts: &'a [i16],
    pub valid_from: &'a [Time],
}

/// Deletes these rows; answers how many of them were there.
pub(super) fn take_rows(tenant: Uuid, series: Uuid, span: i16, keys: KeysOfRows) -> Result<usize> {
    let KeysOfRows {
        runs,
        changes,
        parts,
        valid_from,
    } = keys;
    let (Some(&first), Some(&last)) = (valid_from.iter().min(), valid_from.iter().max()) else {
        return Ok(0);
    };
    let of = (tenant, series, span, first, last, runs, changes, parts, valid_from);
    Ok(TAKE_ROWS.write(of)?.len())
}

/// Deletes these packs; answers how many of them were there.
pub(super) fn take_packs(tenant: Uuid, series: Uuid, ids: &[Uuid]) -> Result<usize> {
    Ok(TAKE_PACKS.write((tenant, series, ids))?.len())
}

impl Found {
    fn add(&mut self, bytes: i64, versions: impl IntoIterator<Item = (Version, Vec<u8>)>) {
        self.versions.extend(versions);
        self.size.add(bytes);
    }

    fn points(&self) -> Result<Vec<Points<'_>>> {
        let points = self.versions.iter().map(|(_, bytes)| Points::read(bytes));
        let points: Result<Vec<Points>, Corrupt> = points.collect();
        points.map_err(Error::PointsStored)
    }

    fn versions(&self) -> Result<Vec<(Version, Points<'_>)>> {
        let versions = self.versions.iter().map(|(version, _)| version.clone());
        Ok(versions.zip(self.points()?).collect())
    }
}

/// The versions of a pack, if all of them are of this class: others are packed with their own.
fn open_pack(bytes: &[u8], span: i16) -> Result<Option<Vec<Whole>>, Corrupt> {
    let pack = Pack::read(bytes)?;
    if !pack.versions().iter().all(|of| spans::of(&of.shape) == Some(span)) {
        return Ok(None);
    }
    let mut values = Vec::new();
    pack.decode_values(&mut values)?;
    let versions = pack.versions().iter().enumerate();
    let versions = versions.map(|(number, of)| (of.version.clone(), pack.points(number, &values)));
    Ok(Some(versions.collect()))
}

impl Size {
    fn add(&mut self, bytes: i64) {
        self.rows += 1;
        self.bytes += bytes;
    }
}
