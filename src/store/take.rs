//! Rows and packs taken out of where they are stored, to be packed anew: what is answered is what was deleted.

use super::version::{Columns, version, version_columns};
use super::write::{SMALL_PACK, Size};
use crate::error::{Error, Result};
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::Then;
use crate::pg::varlena::{PackBytes, UuidArray};
use timedb_core::pack::Pack;
use timedb_core::points::{Corrupt, Points};
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
    /// Rows that have company: one alone would be no smaller as a pack. Of all series, or of some: each is looked for once.
    WORK(Uuid, Option<UuidArray>, Timestamptz, i32, i32, i32) -> (Uuid, i64) =
        c"SELECT v.series_id, count(*) AS rows
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND $2 IS NULL AND v.change_time < $3 AND pg_column_size(v.points) <= $4
            AND coalesce(octet_length(v.annotation), 0) <= $5 AND coalesce(cardinality(v.tags), 0) <= $6
          GROUP BY v.series_id
          HAVING count(*) > 1
          UNION ALL
          SELECT w.series_id, v.rows
          FROM (SELECT DISTINCT unnest($2) AS series_id) AS w
          CROSS JOIN LATERAL (
            SELECT count(*) AS rows
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = w.series_id AND v.change_time < $3
              AND pg_column_size(v.points) <= $4 AND coalesce(octet_length(v.annotation), 0) <= $5
              AND coalesce(cardinality(v.tags), 0) <= $6
            HAVING count(*) > 1) AS v
          ORDER BY series_id";
    TAKE_ROWS(Uuid, Uuid, Timestamptz, i32, i32, i32, i64) -> Then<(i64,), Columns<'static>> =
        sql!("WITH chosen AS MATERIALIZED (
            SELECT v.ctid AS place
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.change_time < $3 AND pg_column_size(v.points) <= $4
              AND coalesce(octet_length(v.annotation), 0) <= $5 AND coalesce(cardinality(v.tags), 0) <= $6
            ORDER BY v.span, v.valid_from
            LIMIT $7)
          DELETE FROM timedb.values v
          USING chosen c
          WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.ctid = c.place
          RETURNING pg_column_size(v.*)::int8, ", version_columns!());
    /// The smallest ones, and few: packs that are full of text stay small by their points.
    TAKE_PACKS(Uuid, Uuid, i32, i64) -> (i64, PackBytes) =
        c"WITH chosen AS MATERIALIZED (
            SELECT p.ctid AS place
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.point_count <= $3
            ORDER BY p.point_count
            LIMIT $4)
          DELETE FROM timedb.packs p
          USING chosen c
          WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.ctid = c.place
          RETURNING pg_column_size(p.*)::int8, p.versions";
}

/// Rows of one series that have grown old.
pub struct Work {
    pub series: Uuid,
    pub rows: i64,
}

/// What there is to pack of a tenant's series: of these, or of all.
pub fn work(tenant: Uuid, series_ids: Option<UuidArray>, cutoff: Timestamptz) -> Result<Vec<Work>> {
    let of = (tenant, series_ids, cutoff, LARGE_ROW_BYTES, LONG_ANNOTATION, MANY_TAGS);
    let found = WORK.read_fresh(of)?;
    let work = |(series, rows)| Work { series, rows };
    Ok(found.into_iter().map(work).collect())
}

/// Versions taken out of one series, each with the bytes of its points, and what they took where they were stored.
#[derive(Default)]
pub struct Taken {
    versions: Vec<(Version, Vec<u8>)>,
    pub rows: Size,
    pub packs: Size,
    remarks: Remarks,
}

impl Taken {
    /// As many rows as are held in memory at once, and with them packs that are about as small.
    pub fn of(tenant: Uuid, series: Uuid, cutoff: Timestamptz) -> Result<Taken> {
        let mut taken = Taken::default();
        taken.take_rows(tenant, series, cutoff)?;
        if taken.rows.rows > 0 {
            let points: usize = taken.points()?.iter().map(Points::len).sum();
            taken.take_packs(tenant, series, (AS_MANY * points).min(SMALL_PACK))?;
        }
        Ok(taken)
    }

    fn take_rows(&mut self, tenant: Uuid, series: Uuid, cutoff: Timestamptz) -> Result<()> {
        let of = (
            tenant,
            series,
            cutoff,
            LARGE_ROW_BYTES,
            LONG_ANNOTATION,
            MANY_TAGS,
            ROWS_AT_ONCE,
        );
        TAKE_ROWS.stream_fresh(of, |Then((bytes,), row)| {
            let (version, points) = version(row, &mut self.remarks);
            self.versions.push((version, points.to_vec()));
            self.rows.add(bytes);
            Ok(())
        })
    }

    fn take_packs(&mut self, tenant: Uuid, series: Uuid, most_points: usize) -> Result<()> {
        let of = (tenant, series, most_points as i32, PACKS_AT_ONCE);
        TAKE_PACKS.stream_fresh(of, |(bytes, pack)| {
            self.packs.add(bytes);
            self.open_pack(&pack).map_err(Error::PackStored)
        })
    }

    fn open_pack(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        let pack = Pack::read(bytes)?;
        let mut values = Vec::new();
        pack.decode_values(&mut values)?;
        for (number, of) in pack.versions().iter().enumerate() {
            let points = pack.points(number, &values);
            self.versions.push((of.version.clone(), points));
        }
        Ok(())
    }

    fn points(&self) -> Result<Vec<Points<'_>>> {
        let points = self.versions.iter().map(|(_, bytes)| Points::read(bytes));
        let points: Result<Vec<Points>, Corrupt> = points.collect();
        points.map_err(Error::PointsStored)
    }

    pub fn versions(&self) -> Result<Vec<(Version, Points<'_>)>> {
        let versions = self.versions.iter().map(|(version, _)| version.clone());
        Ok(versions.zip(self.points()?).collect())
    }
}

impl Size {
    fn add(&mut self, bytes: i64) {
        self.rows += 1;
        self.bytes += bytes;
    }
}
