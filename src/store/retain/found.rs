//! What is stored of a series and reaches into a slice of what retention looks at: rows and packs, with what names them. Not what
//! is said of rows: of each that may be ten times as long as all else, and is needed of those alone that are written again.

use crate::error::{Error, Result};
use crate::pg::statement::{Snapshot, sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::Then;
use crate::pg::varlena::{PackBytes, Payload, PointsBytes, Text};
use crate::store::spans;
use std::ops::{ControlFlow, RangeInclusive};
use std::rc::Rc;
use timedb_core::merge::Window;
use timedb_core::pack::Pack;
use timedb_core::points::{Points, peek};
use timedb_core::retain::{Rule, Which};
use timedb_core::time::Time;
use timedb_core::version::{Remark, Remarks, Shaped, Version};
use uuid::Uuid;

/// Rows begin mostly near the time at which they were known: see `fetch`. In microseconds.
pub(super) const NEAR: i64 = 2 * 86_400_000_000;

/// The columns of a row that name it, and how many bytes it takes.
type Naming = (i16, Time, i16, i64);

/// What there is to know of its version, beside what is said of it, and its points.
type Columns = (Uuid, Time, Time, PointsBytes);
type Unsaid<'r> = (Uuid, Time, Time, Payload<'r>);

macro_rules! row_columns {
    () => {
        concat!(
            "v.span, v.valid_from, v.part, pg_column_size(v.*)::int8 AS bytes, ",
            "v.run_id, v.known_time, v.change_time, v.points"
        )
    };
}

statements! {
    /// By the class of how long they reach, as a read does.
    ROWS_BEGUN(Uuid, Uuid, &[i16], &[Timestamptz], Timestamptz, Timestamptz, Uuid, Uuid) -> Then<Naming, Columns> =
        sql!("SELECT v.*
          FROM (SELECT unnest($3) AS span, unnest($4) AS earliest) AS c
          CROSS JOIN LATERAL (
            SELECT ", row_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = c.span AND v.valid_from >= c.earliest
              AND v.valid_from < $6 AND v.valid_to >= $5 AND v.run_id >= $7 AND v.run_id <= $8
            OFFSET 0) AS v");
    /// Those that begin near the time at which they were known, and the others by their index.
    ROWS_KNOWN(Uuid, Uuid, &[i16], Timestamptz, Timestamptz, Timestamptz, Uuid, Uuid) -> Then<Naming, Columns> =
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
    PACKS(Uuid, Uuid, &[Uuid]) -> (Uuid, i64, PackBytes) =
        c"SELECT p.pack_id, pg_column_size(p.*)::int8 AS bytes, p.versions
          FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.series_id = $2 AND p.pack_id = ANY ($3)";
    /// By its key, each, whatever the planner knows.
    SAID(Uuid, Uuid, i16, &[Timestamptz], &[Uuid], &[Timestamptz], &[i16]) -> (
        i64, Text<'static>, Option<Text<'static>>, Option<Vec<String>>
    ) =
        c"SELECT k.place, v.changed_by, v.annotation, v.tags
          FROM (SELECT unnest($4) AS valid_from, unnest($5) AS run_id, unnest($6) AS change_time, unnest($7) AS part,
                       generate_subscripts($5, 1)::int8 - 1 AS place) AS k
          CROSS JOIN LATERAL (
            SELECT v.changed_by, v.annotation, v.tags
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = $2 AND v.span = $3 AND v.valid_from = k.valid_from AND v.run_id = k.run_id
              AND v.change_time = k.change_time AND v.part = k.part
            OFFSET 0) AS v";
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
    /// Without what is said of it.
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

/// How much of a slice is held in memory at once.
pub struct Room {
    versions: usize,
    /// Of points and packs as they are stored.
    bytes: usize,
    /// A few bytes can stand for any number of points that follow each other evenly: of each at least one byte is held.
    points: usize,
}

impl Room {
    pub const FOR_A_SLICE: Room = Room {
        versions: 100_000,
        bytes: 64 << 20,
        points: 4_000_000,
    };
    /// The runs of a crowd that are taken together.
    pub const FOR_RUNS: Room = Room {
        versions: 50_000,
        ..Room::FOR_A_SLICE
    };

    /// Whether there is room for so much more.
    pub fn has(&mut self, versions: usize, bytes: usize, points: usize) -> bool {
        let left = |room: usize, more| room.checked_sub(more);
        match (
            left(self.versions, versions),
            left(self.bytes, bytes),
            left(self.points, points),
        ) {
            (Some(versions), Some(bytes), Some(points)) => {
                *self = Room {
                    versions,
                    bytes,
                    points,
                };
                true
            }
            _ => false,
        }
    }
}

/// All of a slice that is stored, where there is room for it.
pub fn held(of: Of, rule: &Rule) -> Result<Option<(Vec<Row>, Vec<StoredPack>)>> {
    let mut room = Room::FOR_A_SLICE;
    let (mut rows, mut packs, mut is_full) = (Vec::new(), Vec::new(), false);
    each_pack(of, rule, &mut |id, bytes, pack| {
        let read = Pack::read(&pack).map_err(Error::PackStored)?;
        let points = read.versions().iter().map(|of| of.shape.len()).sum();
        is_full = !room.has(read.versions().len(), pack.len(), points);
        let pack = pack.to_vec();
        packs.push(StoredPack { id, bytes, pack });
        Ok(until(is_full))
    })?;
    if is_full {
        return Ok(None);
    }
    each_row(of, rule, ALL_RUNS, &mut |naming, row| {
        let row = kept(naming, row);
        let (points, _) = peek(&row.points).map_err(Error::PointsStored)?;
        is_full = !room.has(1, row.points.len(), points);
        rows.push(row);
        Ok(until(is_full))
    })?;
    Ok((!is_full).then_some((rows, packs)))
}

pub(super) fn until(is_full: bool) -> ControlFlow<()> {
    match is_full {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Rows of some of these runs, however many.
pub fn rows(of: Of, rule: &Rule, runs: Runs, are_wanted: &dyn Fn(&Uuid) -> bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    each_row(of, rule, runs, &mut |naming, row| {
        if are_wanted(&row.0) {
            rows.push(kept(naming, row));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

fn kept((span, valid_from, part, bytes): Naming, row: Unsaid<'_>) -> Row {
    let (run, known, change, points) = row;
    Row {
        span,
        valid_from,
        part,
        bytes,
        version: unsaid(run, known, change),
        points: points.to_vec(),
    }
}

/// What is said of some rows of one class, in their order: few, as that may be long.
pub fn said(of: Of, span: i16, rows: &[&Row]) -> Result<Vec<Rc<Remark>>> {
    let times = |time: fn(&Row) -> Time| -> Vec<Timestamptz> { rows.iter().map(|row| time(row).into()).collect() };
    let (begun, changed) = (times(|row| row.valid_from), times(|row| row.version.change));
    let runs: Vec<Uuid> = rows.iter().map(|row| row.version.run).collect();
    let parts: Vec<i16> = rows.iter().map(|row| row.part).collect();
    let (mut said, mut remarks) = (vec![None; rows.len()], Remarks::default());
    let given = (
        of.tenant,
        of.series,
        span,
        &begun[..],
        &runs[..],
        &changed[..],
        &parts[..],
    );
    SAID.stream_while(of.seen, given, |(place, by, annotation, tags)| {
        let tags = tags.as_ref().map(|tags| tags.iter().map(String::as_str));
        let place = usize::try_from(place).ok().and_then(|place| said.get_mut(place));
        if let Some(said) = place {
            *said = Some(remarks.keep(&by, annotation.as_deref(), tags));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let said: Option<Vec<Rc<Remark>>> = said.into_iter().collect();
    said.ok_or(Error::DeletedMeanwhile)
}

fn each_row(
    of: Of,
    rule: &Rule,
    runs: Runs,
    each: &mut dyn FnMut(Naming, Unsaid<'_>) -> Result<ControlFlow<()>>,
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
        /// As long as its points are.
        size: usize,
    },
    /// As one of a pack's versions.
    Pack(Uuid, usize),
}

/// Every version, one after the other, but for what is said of it; and after those of a pack, the pack.
pub fn each_version(of: Of, rule: &Rule, each: &mut dyn FnMut(&Shaped, Met) -> ControlFlow<()>) -> Result<()> {
    let mut goes_on = ControlFlow::Continue(());
    each_row(of, rule, ALL_RUNS, &mut |(_, _, part, bytes), row| {
        let (run, known, change, points) = row;
        let version = unsaid(run, known, change);
        let shape = Points::read(&points).map_err(Error::PointsStored)?.shape();
        let size = points.len();
        goes_on = each(&Shaped { version, shape }, Met::Row { part, bytes, size });
        Ok(goes_on)
    })?;
    if goes_on.is_break() {
        return Ok(());
    }
    each_pack(of, rule, &mut |id, _, pack| {
        let pack = Pack::read(&pack).map_err(Error::PackStored)?;
        let mut versions = pack.versions().iter().enumerate();
        Ok(versions
            .try_for_each(|(number, of)| each(of, Met::Pack(id, number)))
            .map_continue(|()| ()))
    })
}

/// What is asked of a pack: its id, how many bytes it takes, and what is in it.
type EachPack<'a> = dyn FnMut(Uuid, i64, Payload<'_>) -> Result<ControlFlow<()>> + 'a;

/// One pack after the other, none of which is kept.
pub fn each_pack(of: Of, rule: &Rule, each: &mut EachPack<'_>) -> Result<()> {
    let (tenant, series) = (of.tenant, of.series);
    let (start, end) = bounds(&rule.window);
    match rule.which {
        Which::Begun | Which::Hidden => {
            let (classes, earliest): (Vec<i16>, Vec<Timestamptz>) = spans::scans(rule.window.start).into_iter().unzip();
            let given = (tenant, series, &classes[..], &earliest[..], start, end);
            PACKS_BEGUN.stream_while(of.seen, given, |(id, bytes, pack)| each(id, bytes, pack))
        }
        Which::Known => {
            let given = (tenant, series, start, end);
            PACKS_KNOWN.stream_while(of.seen, given, |(id, bytes, pack)| each(id, bytes, pack))
        }
    }
}

/// These packs.
pub fn packs(of: Of, ids: &[Uuid]) -> Result<Vec<StoredPack>> {
    let mut packs = Vec::with_capacity(ids.len());
    PACKS.stream_while(of.seen, (of.tenant, of.series, ids), |(id, bytes, pack)| {
        let pack = pack.to_vec();
        packs.push(StoredPack { id, bytes, pack });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(packs)
}

fn unsaid(run: Uuid, known: Time, change: Time) -> Version {
    Version {
        run,
        known,
        change,
        remark: Rc::default(),
    }
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
