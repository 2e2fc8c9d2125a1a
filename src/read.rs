//! `read`, and what the view current_values is built on: rows are fetched series by series, merged, and put straight
//! into the answer, already in its order.

use crate::answer::{Answer, Sheet};
use crate::cancel::answer_cancel;
use crate::cell::{self, Cell, Passed};
use crate::error::{Error, Result};
use crate::moment;
use crate::row::{Image, Row};
use crate::session::Session;
use crate::statement::{self, statements};
use pgrx::prelude::*;
use timedb_core::merge::{Mode, Pick, Version, Window, merge};
use timedb_core::points::{Opened, Points};
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    /// Open ends of windows are infinite, so that every bound stays a plain comparison.
    FETCH(
        UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTARRAYOID,
        UUIDARRAYOID
    ) = c"SELECT s.series_id, s.series_key, s.unit, v.run_id, v.known_time, v.change_time, v.changed_by, v.annotation,
                 v.tags, v.points
          FROM timedb.series s
          JOIN timedb.values v ON v.tenant_id = s.tenant_id AND v.series_id = s.series_id
          WHERE s.tenant_id = $1 AND v.tenant_id = $1
            AND ($7 IS NULL AND $8 IS NULL OR s.series_key = ANY ($7) OR s.series_id = ANY ($8))
            AND v.valid_to >= $2 AND v.valid_from < $3
            AND v.known_time >= $4 AND v.known_time < $5
            AND v.known_time <= $6 AND v.change_time <= $6
          ORDER BY s.series_key COLLATE \"C\", s.series_id";
}

/// What is to be read.
struct Request {
    tenant: Uuid,
    valid: Window,
    known: Window,
    as_of: Option<Time>,
    mode: Mode,
    all_versions: bool,
    series_keys: Cell,
    series_ids: Cell,
}

#[pg_extern(sql = false)]
#[allow(
    clippy::too_many_arguments,
    reason = "the arguments of the SQL function"
)]
fn read(
    start_valid: Option<i64>,
    end_valid: Option<i64>,
    start_known: Option<i64>,
    end_known: Option<i64>,
    mode: Option<&str>,
    all_versions: Option<bool>,
    series_keys: Option<Passed>,
    series_ids: Option<Passed>,
    as_of: Option<i64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let request = Request {
        tenant: Session::now().required()?.tenant,
        valid: window(("start_valid", start_valid), ("end_valid", end_valid))?,
        known: window(("start_known", start_known), ("end_known", end_known))?,
        as_of: moment::optional("as_of", as_of)?,
        mode: self::mode(mode)?,
        all_versions: all_versions.unwrap_or(false),
        series_keys: without_nulls("series_keys", series_keys)?,
        series_ids: without_nulls("series_ids", series_ids)?,
    };
    let mut output = Output {
        sheet: Sheet::open(fcinfo),
        layout: &READ_LAYOUT,
    };
    fetch(&request, &mut output)?;
    Ok(output.sheet.close())
}

/// For the view: no error without a login, and the columns that the view does not have from the series itself.
#[pg_extern(sql = false)]
fn _series_values(
    series_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Result<Answer> {
    let mut output = Output {
        sheet: Sheet::open(fcinfo),
        layout: &VIEW_LAYOUT,
    };
    if let (Session::Acting(identity), Some(series_id)) = (Session::now(), series_id) {
        let series_id = cell::id(series_id);
        let request = Request {
            tenant: identity.tenant,
            valid: OPEN,
            known: OPEN,
            as_of: None,
            mode: Mode::Overlapping,
            all_versions: false,
            series_keys: None,
            series_ids: cell::uuids(&[series_id]),
        };
        fetch(&request, &mut output)?;
    }
    Ok(output.sheet.close())
}

/// The versions of a series are merged in memory; beyond this, one client could take all of it.
const MOST_POINTS_OF_A_SERIES: usize = 20_000_000;

const OPEN: Window = Window {
    start: None,
    end: None,
};

fn window(
    start: (&'static str, Option<i64>),
    end: (&'static str, Option<i64>),
) -> Result<Window, Error> {
    Ok(Window {
        start: moment::optional(start.0, start.1)?,
        end: moment::optional(end.0, end.1)?,
    })
}

fn mode(name: Option<&str>) -> Result<Mode, Error> {
    match name.unwrap_or("flat") {
        "flat" => Ok(Mode::Flat),
        "overlapping" => Ok(Mode::Overlapping),
        _ => Err(Error::bad("mode", "must be \"flat\" or \"overlapping\"")),
    }
}

fn without_nulls(argument: &'static str, array: Option<Passed>) -> Result<Cell, Error> {
    let Some(Passed(datum)) = array else {
        return Ok(None);
    };
    // SAFETY: both arguments are declared as arrays.
    let has_nulls = unsafe {
        let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        pg_sys::array_contains_nulls(array)
    };
    if has_nulls {
        Err(Error::NullElement(argument))
    } else {
        Ok(Some(datum))
    }
}

/// A series whose rows are being collected.
struct Series {
    id: Uuid,
    key: Image,
    unit: Image,
    rows: Vec<Stored>,
}

/// A stored row, copied out of the batch it came in.
struct Stored {
    run: Uuid,
    known: Time,
    change: Time,
    changed_by: Image,
    annotation: Option<Image>,
    tags: Option<Image>,
    points: Image,
}

fn fetch(request: &Request, output: &mut Output) -> Result<()> {
    let arguments = [
        cell::uuid(request.tenant),
        cell::micros(moment::lower_bound(request.valid.start)),
        cell::micros(moment::upper_bound(request.valid.end)),
        cell::micros(moment::lower_bound(request.known.start)),
        cell::micros(moment::upper_bound(request.known.end)),
        cell::micros(moment::upper_bound(request.as_of)),
        request.series_keys,
        request.series_ids,
    ];
    let mut series: Option<Series> = None;
    statement::read_batches(&FETCH, &arguments, |row| {
        let id = row.uuid(1).ok_or_else(broken_row)?;
        if series.as_ref().is_none_or(|series| series.id != id) {
            let next = Series::of(id, row).ok_or_else(broken_row)?;
            if let Some(complete) = series.replace(next) {
                output.put_series(&complete, request)?;
            }
        }
        if let Some(series) = &mut series {
            series.rows.push(Stored::of(row).ok_or_else(broken_row)?);
        }
        Ok(())
    })?;
    series.map_or(Ok(()), |last| output.put_series(&last, request))
}

fn broken_row() -> Error {
    Error::Broken("a stored row without its columns".into())
}

impl Series {
    fn of(id: Uuid, row: &Row) -> Option<Series> {
        Some(Series {
            id,
            key: row.image(2)?,
            unit: row.image(3)?,
            rows: Vec::new(),
        })
    }
}

impl Stored {
    fn of(row: &Row) -> Option<Stored> {
        Some(Stored {
            run: row.uuid(4)?,
            known: Time::from_micros(row.micros(5)?)?,
            change: Time::from_micros(row.micros(6)?)?,
            changed_by: row.image(7)?,
            annotation: row.image(8),
            tags: row.image(9),
            points: row.image(10)?,
        })
    }

    fn open(&self) -> Result<Opened<'_>, Error> {
        let points = Points::read(self.points.payload()).and_then(|points| points.open());
        points.map_err(Error::PointsStored)
    }

    fn version<'a>(&self, points: &'a Opened<'a>) -> Version<'a> {
        Version {
            known: self.known,
            change: self.change,
            run: self.run,
            points,
        }
    }
}

/// The columns an answer may have.
#[derive(Clone, Copy)]
enum Column {
    KnownTime,
    ValidTime,
    ValidTimeEnd,
    SeriesId,
    SeriesKey,
    Unit,
    Value,
    RunId,
    ChangeTime,
    ChangedBy,
    Annotation,
    Tags,
}

const READ_LAYOUT: [Column; 12] = [
    Column::KnownTime,
    Column::ValidTime,
    Column::ValidTimeEnd,
    Column::SeriesId,
    Column::SeriesKey,
    Column::Unit,
    Column::Value,
    Column::RunId,
    Column::ChangeTime,
    Column::ChangedBy,
    Column::Annotation,
    Column::Tags,
];

const VIEW_LAYOUT: [Column; 9] = [
    Column::KnownTime,
    Column::ValidTime,
    Column::ValidTimeEnd,
    Column::Value,
    Column::RunId,
    Column::ChangeTime,
    Column::ChangedBy,
    Column::Annotation,
    Column::Tags,
];

/// Where the values go, and as which columns.
struct Output {
    sheet: Sheet,
    layout: &'static [Column],
}

impl Output {
    fn put_series(&mut self, series: &Series, request: &Request) -> Result<()> {
        answer_cancel();
        let opened: Vec<Opened> = series
            .rows
            .iter()
            .map(Stored::open)
            .collect::<Result<_, Error>>()?;
        let rows = series.rows.iter().zip(&opened);
        let versions: Vec<Version> = rows.map(|(row, points)| row.version(points)).collect();
        if versions
            .iter()
            .map(|version| version.points.len())
            .sum::<usize>()
            > MOST_POINTS_OF_A_SERIES
        {
            return Err(Error::WindowTooWide(MOST_POINTS_OF_A_SERIES).into());
        }
        let picks = merge(&versions, request.mode, request.all_versions, request.valid);
        let mut values = vec![pg_sys::Datum::null(); self.layout.len()];
        let mut nulls = vec![false; self.layout.len()];
        for (count, pick) in picks.iter().enumerate() {
            if count % 4096 == 0 {
                answer_cancel();
            }
            let row = &series.rows[pick.version];
            for ((column, value), null) in self.layout.iter().zip(&mut values).zip(&mut nulls) {
                let cell = column_of(*column, series, row, pick);
                *null = cell.is_none();
                *value = cell.unwrap_or(pg_sys::Datum::null());
            }
            self.sheet.put_columns(&values, &nulls);
        }
        Ok(())
    }
}

fn column_of(column: Column, series: &Series, row: &Stored, pick: &Pick) -> Cell {
    match column {
        Column::KnownTime => cell::time(row.known),
        Column::ValidTime => cell::time(pick.point.start),
        Column::ValidTimeEnd => pick.point.end.and_then(cell::time),
        Column::SeriesId => cell::borrowed_uuid(&series.id),
        Column::SeriesKey => Some(series.key.datum()),
        Column::Unit => Some(series.unit.datum()),
        Column::Value => pick.point.value.and_then(cell::float),
        Column::RunId => cell::borrowed_uuid(&row.run),
        Column::ChangeTime => cell::time(row.change),
        Column::ChangedBy => Some(row.changed_by.datum()),
        Column::Annotation => row.annotation.as_ref().map(Image::datum),
        Column::Tags => row.tags.as_ref().map(Image::datum),
    }
}
