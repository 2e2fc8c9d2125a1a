//! `read`, and what the view current_values is built on: rows are fetched series by series, merged, and put straight
//! into the answer, already in its order.

use crate::answer::{Answer, Sheet, Stencil};
use crate::cancel::answer_cancel;
use crate::cell::{self, Cell, Passed};
use crate::error::{Error, Result};
use crate::fetch::{self, Remark, Series, Texts, Which, Windows};
use crate::moment;
use crate::opened::{self, Opened};
use crate::session::{Acting, Session};
use pgrx::prelude::*;
use timedb_core::merge::{Mode, Pick, Version, Window};
use timedb_core::time::Time;

/// What is to be read.
pub struct Request {
    acting: Acting,
    which: Which,
    windows: Windows,
    mode: Mode,
    all_versions: bool,
}

/// The arguments of `read` and of `read_arrow`.
pub struct Arguments<'a> {
    pub start_valid: Option<i64>,
    pub end_valid: Option<i64>,
    pub start_known: Option<i64>,
    pub end_known: Option<i64>,
    pub mode: Option<&'a str>,
    pub all_versions: Option<bool>,
    pub series_keys: Option<Passed>,
    pub series_ids: Option<Passed>,
    pub as_of: Option<i64>,
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
    let request = Request::of(Arguments {
        start_valid,
        end_valid,
        start_known,
        end_known,
        mode,
        all_versions,
        series_keys,
        series_ids,
        as_of,
    })?;
    let mut output = Output {
        sheet: Sheet::open(fcinfo),
        layout: &READ_LAYOUT,
    };
    request.each_series(|shown| output.put(shown))?;
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
            acting: Acting::found(identity),
            which: Which {
                keys: None,
                ids: cell::uuids(&[series_id]),
            },
            windows: Windows::default(),
            mode: Mode::Overlapping,
            all_versions: false,
        };
        request.each_series(|shown| output.put(shown))?;
    }
    Ok(output.sheet.close())
}

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

pub fn without_nulls(argument: &'static str, array: Option<Passed>) -> Result<Cell, Error> {
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

/// What a read shows of one series, in the order of the answer.
pub struct Shown<'a> {
    pub series: &'a Series,
    pub texts: &'a Texts,
    pub opened: Opened<'a>,
    pub picks: Vec<Pick>,
}

impl Request {
    pub fn of(arguments: Arguments) -> Result<Request> {
        let Arguments {
            start_valid,
            end_valid,
            start_known,
            end_known,
            ..
        } = arguments;
        Ok(Request {
            acting: Acting::now()?,
            which: Which {
                keys: without_nulls("series_keys", arguments.series_keys)?,
                ids: without_nulls("series_ids", arguments.series_ids)?,
            },
            windows: Windows {
                valid: window(("start_valid", start_valid), ("end_valid", end_valid))?,
                known: window(("start_known", start_known), ("end_known", end_known))?,
                as_of: moment::optional("as_of", arguments.as_of)?,
            },
            mode: mode(arguments.mode)?,
            all_versions: arguments.all_versions.unwrap_or(false),
        })
    }

    /// Series by series, so that memory holds one of them.
    pub fn each_series(&self, mut put: impl FnMut(Shown) -> Result<()>) -> Result<()> {
        fetch::each_series(
            self.acting.tenant,
            self.which,
            &self.windows,
            |mut fetched| {
                answer_cancel();
                let packs = opened::packs(&fetched.packs)?;
                let opened = Opened::of(
                    &fetched.rows,
                    &fetched.points,
                    &packs,
                    &self.windows,
                    &mut fetched.texts,
                )?;
                let picks = opened.merge(self.mode, self.all_versions, self.windows.valid);
                put(Shown {
                    series: &fetched.series,
                    texts: &fetched.texts,
                    opened,
                    picks,
                })
            },
        )
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

/// What two rows must have in common to be of one stencil, within a series: which columns are null, and every text.
#[derive(PartialEq)]
struct Kind {
    has_end: bool,
    has_value: bool,
    remark: Remark,
}

impl Output {
    fn put(&mut self, mut shown: Shown) -> Result<()> {
        let mut stencil: Option<(Kind, Stencil)> = None;
        for (count, pick) in shown.picks.iter().enumerate() {
            if count % 4096 == 0 {
                answer_cancel();
            }
            let value = shown.opened.value(pick)?;
            let version = shown.opened.version(pick);
            let remark = shown.opened.remark(pick);
            let kind = Kind {
                has_end: pick.end.is_some(),
                has_value: value.is_some(),
                remark,
            };
            let stencil = match &mut stencil {
                Some((of, stencil)) if *of == kind => {
                    self.fill(stencil, version, pick, value);
                    stencil
                }
                other => &mut other.insert((kind, self.cut(&shown, pick, value))).1,
            };
            self.sheet.put_stencil(stencil);
        }
        Ok(())
    }

    fn cut(&self, shown: &Shown, pick: &Pick, value: Option<f64>) -> Stencil {
        let (series, texts) = (shown.series, shown.texts);
        let version = shown.opened.version(pick);
        let remark = shown.opened.remark(pick);
        let cells = self.layout.iter().map(|column| match column {
            Column::KnownTime => cell::time(version.known),
            Column::ValidTime => cell::time(pick.start),
            Column::ValidTimeEnd => pick.end.and_then(cell::time),
            Column::SeriesId => cell::borrowed_uuid(&series.id),
            Column::SeriesKey => Some(series.key.datum()),
            Column::Unit => Some(series.unit.datum()),
            Column::Value => value.and_then(cell::float),
            Column::RunId => cell::borrowed_uuid(&version.run),
            Column::ChangeTime => cell::time(version.change),
            Column::ChangedBy => texts.datum(Some(remark.changed_by)),
            Column::Annotation => texts.datum(remark.annotation),
            Column::Tags => texts.datum(remark.tags),
        });
        self.sheet.stencil(&cells.collect::<Vec<Cell>>())
    }

    fn fill(&self, stencil: &mut Stencil, version: &Version, pick: &Pick, value: Option<f64>) {
        for (place, column) in self.layout.iter().enumerate() {
            match column {
                Column::KnownTime => stencil.set(place, version.known.micros()),
                Column::ValidTime => stencil.set(place, pick.start.micros()),
                Column::ValidTimeEnd => stencil.set(place, pick.end.map_or(0, Time::micros)),
                Column::Value => stencil.set(place, value.unwrap_or(0.0)),
                Column::RunId => stencil.set(place, version.run.into_bytes()),
                Column::ChangeTime => stencil.set(place, version.change.micros()),
                // Of the series, or of the kind.
                Column::SeriesId
                | Column::SeriesKey
                | Column::Unit
                | Column::ChangedBy
                | Column::Annotation
                | Column::Tags => {}
            }
        }
    }
}
