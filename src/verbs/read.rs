//! `read`, and what the view current_values is built on: rows are fetched series by series, merged, and put straight
//! into the answer, already in its order.

use super::without_nulls;
use crate::error::{Error, Reported, Result};
use crate::identity::session::{Acting, Session};
use crate::pg::cancel::answer_cancel;
use crate::pg::datum::id;
use crate::pg::result::Returned;
use crate::pg::statement::statements;
use crate::pg::timestamp;
use crate::pg::varlena::{TextArray, UuidArray};
use crate::store::open::Opened;
use crate::store::scan::{Stored, Windows};
use crate::types::answer::AnswerRows;
use pgrx::prelude::*;
use std::collections::HashSet;
use timedb_core::answer::Series;
use timedb_core::answer::columns::{OF_ONE_SERIES, READ};
use timedb_core::merge::{Mode, Pick, Window};
use timedb_core::series_key::in_normal_form;
use uuid::Uuid;

statements! {
    EVERY_SERIES(Uuid) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM timedb.series s
          WHERE s.tenant_id = $1
          ORDER BY s.series_key COLLATE \"C\", s.series_id";
    /// Found by one probe of an index for each key, as `series` does; those of one key differ by their labels.
    SERIES_OF_KEYS(Uuid, &[&str]) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM (SELECT unnest($2) AS series_key) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key, s.unit, twice.place
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice(place)
            WHERE s.tenant_id = $1 AND s.series_key BETWEEN k.series_key AND k.series_key
            ORDER BY s.series_key
            FETCH FIRST ROW WITH TIES) AS s
          WHERE s.place = 1";
    SERIES_OF_IDS(Uuid, UuidArray) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM (SELECT unnest($2) AS series_id) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key, s.unit
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE s.tenant_id = $1 AND s.series_id BETWEEN k.series_id AND k.series_id
            ORDER BY s.series_id
            LIMIT 1) AS s";
    ONE_SERIES(Uuid, Uuid) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM timedb.series s
          WHERE s.tenant_id = $1 AND s.series_id = $2";
}

/// Which series: all of them, or those of some keys and those of some ids.
enum Which {
    Every,
    Some(Option<TextArray>, Option<UuidArray>),
    One(Uuid),
}

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
    pub series_keys: Option<TextArray>,
    pub series_ids: Option<UuidArray>,
    pub as_of: Option<i64>,
}

#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn read(
    start_valid: Option<i64>,
    end_valid: Option<i64>,
    start_known: Option<i64>,
    end_known: Option<i64>,
    mode: Option<&str>,
    all_versions: Option<bool>,
    series_keys: Option<TextArray>,
    series_ids: Option<UuidArray>,
    as_of: Option<i64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
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
    let mut rows = AnswerRows::open(fcinfo, &READ)?;
    request.each_series(|shown| put(&mut rows, shown))?;
    Ok(rows.close())
}

/// For the view: no error without a login, and the columns that the view does not have from the series itself.
#[pg_extern(sql = false)]
fn _series_values(series_id: Option<pgrx::Uuid>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut rows = AnswerRows::open(fcinfo, &OF_ONE_SERIES)?;
    if let (Session::Acting(identity), Some(series_id)) = (Session::now(), series_id) {
        let request = Request {
            acting: Acting::found(identity),
            which: Which::One(id(series_id)),
            windows: Windows::default(),
            mode: Mode::Overlapping,
            all_versions: false,
        };
        request.each_series(|shown| put(&mut rows, shown))?;
    }
    Ok(rows.close())
}

fn put(rows: &mut AnswerRows, mut shown: Shown) -> Result<()> {
    let mut rows = rows.of_series(shown.series);
    for (count, pick) in shown.picks.iter().enumerate() {
        if count % 4096 == 0 {
            answer_cancel();
        }
        let point = shown.opened.point(pick)?;
        rows.put(shown.opened.version(pick), &point);
    }
    Ok(())
}

fn window(start: (&'static str, Option<i64>), end: (&'static str, Option<i64>)) -> Result<Window> {
    Ok(Window {
        start: timestamp::optional(start.0, start.1)?,
        end: timestamp::optional(end.0, end.1)?,
    })
}

fn mode(name: Option<&str>) -> Result<Mode> {
    match name.unwrap_or("flat") {
        "flat" => Ok(Mode::Flat),
        "overlapping" => Ok(Mode::Overlapping),
        _ => Err(Error::bad("mode", "must be \"flat\" or \"overlapping\"")),
    }
}

/// What a read shows of one series, in the order of the answer.
pub struct Shown<'a> {
    pub series: &'a Series,
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
        let acting = Acting::now()?;
        let keys = without_nulls("series_keys", arguments.series_keys)?;
        let ids = without_nulls("series_ids", arguments.series_ids)?;
        Ok(Request {
            acting,
            which: match (keys, ids) {
                (None, None) => Which::Every,
                (keys, ids) => Which::Some(keys, ids),
            },
            windows: Windows {
                valid: window(("start_valid", start_valid), ("end_valid", end_valid))?,
                known: window(("start_known", start_known), ("end_known", end_known))?,
                as_of: timestamp::optional("as_of", arguments.as_of)?,
            },
            mode: mode(arguments.mode)?,
            all_versions: arguments.all_versions.unwrap_or(false),
        })
    }

    /// Series by series, ordered by key and id, so that memory holds one of them; those of which nothing is stored in the
    /// windows as well.
    pub fn each_series(&self, mut put: impl FnMut(Shown) -> Result<()>) -> Result<()> {
        for series in self.series()? {
            let stored = Stored::of(self.acting.tenant, series.id, &self.windows)?;
            answer_cancel();
            stored.open(&self.windows, |opened| {
                let picks = opened.merge(self.mode, self.all_versions, self.windows.valid);
                put(Shown {
                    series: &series,
                    opened,
                    picks,
                })
            })?;
        }
        Ok(())
    }

    /// In the order of keys, byte by byte, and ids; each once, however often it is named.
    fn series(&self) -> Result<Vec<Series>> {
        let tenant = self.acting.tenant;
        let found = match self.which {
            Which::Every => EVERY_SERIES.read((tenant,))?,
            Which::Some(keys, ids) => some_series(tenant, keys, ids)?,
            Which::One(id) => ONE_SERIES.read((tenant, id))?,
        };
        let series = |(id, key, unit)| Series { id, key, unit };
        Ok(found.into_iter().map(series).collect())
    }
}

type Found = Vec<(Uuid, String, String)>;

/// The series of these keys and ids. A key that is none as it was sent is looked for in normal form.
fn some_series(tenant: Uuid, keys: Option<TextArray>, ids: Option<UuidArray>) -> Result<Found> {
    let keys = keys.map(TextArray::texts).unwrap_or_default();
    let mut found = of_keys(tenant, &keys)?;
    found.extend(of_keys(tenant, &missing_in_normal_form(&keys, &found))?);
    let of_ids = ids.map(|ids| SERIES_OF_IDS.read((tenant, ids)));
    found.extend(of_ids.transpose()?.unwrap_or_default());
    found.sort_unstable_by(|(id, key, _), (other_id, other_key, _)| (key, id).cmp(&(other_key, other_id)));
    found.dedup_by_key(|(id, ..)| *id);
    Ok(found)
}

fn of_keys(tenant: Uuid, keys: &[String]) -> Result<Found> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    SERIES_OF_KEYS.read((tenant, &keys))
}

/// The normal forms of those keys that are not in it and not found either.
fn missing_in_normal_form(keys: &[String], found: &Found) -> Vec<String> {
    let others: Vec<(&String, String)> = keys
        .iter()
        .filter_map(|key| Some((key, in_normal_form(key)?)))
        .collect();
    if others.is_empty() {
        return Vec::new();
    }
    let found: HashSet<&String> = found.iter().map(|(_, key, _)| key).collect();
    let missing = others.into_iter().filter(|(key, _)| !found.contains(key));
    missing.map(|(_, normal)| normal).collect()
}
