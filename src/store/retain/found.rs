//! What is stored of a series and reaches into a slice of what retention looks at: rows and packs, whole, with what names them.

use crate::error::{Error, Result};
use crate::pg::statement::{Snapshot, sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::Then;
use crate::pg::varlena::PackBytes;
use crate::store::spans;
use crate::store::version::{self as stored, Columns, version, version_columns};
use std::ops::{ControlFlow, RangeInclusive};
use std::rc::Rc;
use timedb_core::merge::Window;
use timedb_core::pack::Pack;
use timedb_core::points::Points;
use timedb_core::retain::{Rule, Which};
use timedb_core::time::Time;
use timedb_core::version::{Remarks, Shaped, Version};
use uuid::Uuid;

/// Rows begin mostly near the time at which they were known: see `fetch`. In microseconds.
pub(super) const NEAR: i64 = 2 * 86_400_000_000;

/// The columns of a row that name it, and how many bytes it takes.
type Naming = (i16, Time, i16, i64);

macro_rules! row_columns {
    () => {
        concat!(
            "v.span, v.valid_from, v.part, pg_column_size(v.*)::int8 AS bytes, ",
            version_columns!()
        )
    };
}

statements! {
    /// By the class of how long they reach, as a read does.
    ROWS_BEGUN(Uuid, Uuid, &[i16], &[Timestamptz], Timestamptz, Timestamptz, Uuid, Uuid) -> Then<Naming, Columns<'static>> =
        sql!("SELECT v.*
          FROM (SELECT unnest($3) AS span, unnest($4) AS earliest) AS c
          CROSS JOIN LATERAL (
            SELECT ", row_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = c.span AND v.valid_from >= c.earliest
              AND v.valid_from < $6 AND v.valid_to >= $5 AND v.run_id >= $7 AND v.run_id <= $8
            OFFSET 0) AS v");
    /// Those that begin near the time at which they were known, and the others by their index.
    ROWS_KNOWN(Uuid, Uuid, &[i16], Timestamptz, Timestamptz, Timestamptz, Uuid, Uuid) -> Then<Naming, Columns<'static>> =
        sql!("SELECT v.*
          FROM (SELECT unnest($3) AS span) AS c
          CROSS JOIN LATERAL (
            SELECT ", row_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = c.span AND v.valid_from < $6
              AND v.known_time >= $4 AND v.known_time < $5 AND v.run_id >= $7 AND v.run_id <= $8
            OFFSET 0) AS v
          UNION ALL
          SELECT ", row_columns!(), "
          FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.known_time >= $4 AND v.known_time < $5
            AND v.valid_from - v.known_time NOT BETWEEN interval '-2 days' AND interval '2 days'
            AND (v.valid_from >= $6) IS TRUE AND v.run_id >= $7 AND v.run_id <= $8");
    PACKS_BEGUN(Uuid, Uuid, &[i16], &[Timestamptz], Timestamptz, Timestamptz) -> (Uuid, i64, PackBytes) =
        c"SELECT p.*
          FROM (SELECT unnest($3) AS span, unnest($4) AS earliest) AS c
          CROSS JOIN LATERAL (
            SELECT p.pack_id, pg_column_size(p.*)::int8 AS bytes, p.versions
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.span = c.span AND p.valid_from >= c.earliest
              AND p.valid_from < $6 AND p.valid_to >= $5
            OFFSET 0) AS p";
    PACKS_KNOWN(Uuid, Uuid, Timestamptz, Timestamptz) -> (Uuid, i64, PackBytes) =
        c"SELECT p.pack_id, pg_column_size(p.*)::int8 AS bytes, p.versions
          FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.first_known < $4 AND p.last_known >= $3";
}

/// A series of a tenant, as the call sees it.
#[derive(Clone, Copy)]
pub struct Of {
    pub tenant: Uuid,
    pub series: Uuid,
    pub seen: Snapshot,
}

pub struct Row {
    pub span: i16,
    pub valid_from: Time,
    pub part: i16,
    pub bytes: i64,
    pub version: Version,
    pub points: Vec<u8>,
}

pub struct StoredPack {
    pub id: Uuid,
    pub bytes: i64,
    pub pack: Vec<u8>,
}

/// Runs by their ids, from one to another.
pub type Runs = RangeInclusive<Uuid>;

pub const ALL_RUNS: Runs = Uuid::nil()..=Uuid::max();

/// Rows of these runs, each kept whole; none where they are more than so many.
pub fn rows(of: Of, rule: &Rule, runs: Runs, most: usize) -> Result<Option<Vec<Row>>> {
    let (mut rows, mut remarks) = (Vec::new(), Remarks::default());
    let mut is_full = false;
    each_row(of, rule, runs, &mut |(span, valid_from, part, bytes), row| {
        is_full = rows.len() == most;
        if is_full {
            return Ok(ControlFlow::Break(()));
        }
        let (version, points) = version(row, &mut remarks);
        rows.push(Row {
            span,
            valid_from,
            part,
            bytes,
            version,
            points: points.to_vec(),
        });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((!is_full).then_some(rows))
}

fn each_row(
    of: Of,
    rule: &Rule,
    runs: Runs,
    each: &mut dyn FnMut(Naming, stored::Row<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let (tenant, series) = (of.tenant, of.series);
    let (start, end) = bounds(&rule.window);
    let (first, last) = runs.into_inner();
    match rule.which {
        Which::Begun | Which::Hidden => {
            let (classes, earliest): (Vec<i16>, Vec<Timestamptz>) = spans::scans(rule.window.start).into_iter().unzip();
            let given = (tenant, series, &classes[..], &earliest[..], start, end, first, last);
            ROWS_BEGUN.stream_while(of.seen, given, |Then(naming, row)| each(naming, row))
        }
        Which::Known => {
            let classes = timedb_core::span::classes();
            let given = (tenant, series, &classes[..], start, end, near(end), first, last);
            ROWS_KNOWN.stream_while(of.seen, given, |Then(naming, row)| each(naming, row))
        }
    }
}

/// Where a version stands that is met, and not kept.
#[derive(Clone, Copy)]
pub enum Met {
    Row {
        part: i16,
        bytes: i64,
    },
    /// As one of a pack's versions.
    Pack(usize, usize),
}

/// Every version, one after the other, but for what is said of it.
pub fn each_version(of: Of, rule: &Rule, packs: &[StoredPack], each: &mut dyn FnMut(&Shaped, Met)) -> Result<()> {
    let nothing_said = Rc::default();
    each_row(of, rule, ALL_RUNS, &mut |(_, _, part, bytes), row| {
        let (run, known, change, _, _, _, points) = row;
        let version = Version {
            run,
            known,
            change,
            remark: Rc::clone(&nothing_said),
        };
        let shape = Points::read(&points).map_err(Error::PointsStored)?.shape();
        each(&Shaped { version, shape }, Met::Row { part, bytes });
        Ok(ControlFlow::Continue(()))
    })?;
    for (number, stored) in packs.iter().enumerate() {
        let pack = Pack::read(&stored.pack).map_err(Error::PackStored)?;
        for (version, of) in pack.versions().iter().enumerate() {
            each(of, Met::Pack(number, version));
        }
    }
    Ok(())
}

/// How many versions there are in packs.
pub fn count_versions(packs: &[StoredPack]) -> Result<usize> {
    packs.iter().try_fold(0, |count, stored| {
        let pack = Pack::read(&stored.pack).map_err(Error::PackStored)?;
        Ok(count + pack.versions().len())
    })
}

pub fn packs(of: Of, rule: &Rule) -> Result<Vec<StoredPack>> {
    let mut packs = Vec::new();
    let mut add = |id, bytes, pack: Vec<u8>| {
        packs.push(StoredPack { id, bytes, pack });
        Ok(ControlFlow::Continue(()))
    };
    let (tenant, series) = (of.tenant, of.series);
    let (start, end) = bounds(&rule.window);
    match rule.which {
        Which::Begun | Which::Hidden => {
            let (classes, earliest): (Vec<i16>, Vec<Timestamptz>) = spans::scans(rule.window.start).into_iter().unzip();
            let given = (tenant, series, &classes[..], &earliest[..], start, end);
            PACKS_BEGUN.stream_while(of.seen, given, |(id, bytes, pack)| add(id, bytes, pack.to_vec()))?;
        }
        Which::Known => {
            let given = (tenant, series, start, end);
            PACKS_KNOWN.stream_while(of.seen, given, |(id, bytes, pack)| add(id, bytes, pack.to_vec()))?;
        }
    }
    Ok(packs)
}

fn bounds(window: &Window) -> (Timestamptz, Timestamptz) {
    (
        Timestamptz::lower_bound(window.start),
        Timestamptz::upper_bound(window.end),
    )
}

/// Where rows begin at the latest that are near a time at which they were known before this.
pub(super) fn near(end: Timestamptz) -> Timestamptz {
    Timestamptz(end.0.saturating_add(NEAR))
}

/// Where a version is stored.
#[derive(Clone, Copy)]
pub enum Place {
    Row(usize),
    /// In a pack, as one of its versions.
    Pack(usize, usize),
}

/// The versions of rows and packs, those of packs all that are in them, looked at but for their values.
pub struct Looked<'a> {
    pub versions: Vec<Shaped<'a>>,
    pub places: Vec<Place>,
    pub packs: Vec<Pack<'a>>,
}

impl<'a> Looked<'a> {
    pub fn at(rows: &'a [Row], stored: &'a [StoredPack]) -> Result<Looked<'a>> {
        let mut looked = Looked {
            versions: Vec::new(),
            places: Vec::new(),
            packs: Vec::new(),
        };
        for (number, row) in rows.iter().enumerate() {
            let points = Points::read(&row.points).map_err(Error::PointsStored)?;
            looked.versions.push(Shaped {
                version: row.version.clone(),
                shape: points.shape(),
            });
            looked.places.push(Place::Row(number));
        }
        for (number, stored) in stored.iter().enumerate() {
            let pack = Pack::read(&stored.pack).map_err(Error::PackStored)?;
            for (version, of) in pack.versions().iter().enumerate() {
                looked.versions.push(of.clone());
                looked.places.push(Place::Pack(number, version));
            }
            looked.packs.push(pack);
        }
        Ok(looked)
    }
}
