//! What is to be read, and reading it: series by series, so that memory holds one of them, or some that are small.

use super::series::{Named, Which};
use crate::error::{Error, Result};
use crate::identity::session::{Acting, Session};
use crate::identity::standing::Identity;
use crate::pg::cancel::answer_cancel;
use crate::pg::timestamp;
use crate::pg::varlena::{TextArray, UuidArray};
use crate::store::fetch::Groups;
use crate::store::open::Opened;
use crate::store::scan::Windows;
use crate::verbs::without_nulls;
use std::ffi::CStr;
use std::vec;
use timedb_core::answer::Series;
use timedb_core::merge::{Mode, Window};
use uuid::Uuid;

/// What is to be read.
pub struct Request {
    pub which: Which,
    pub windows: Windows,
    pub mode: Mode,
    pub all_versions: bool,
}

/// The arguments of `read`, `read_arrow` and `read_arrow_batches`.
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

impl Request {
    pub fn of(arguments: Arguments) -> Result<Request> {
        let Arguments {
            start_valid,
            end_valid,
            start_known,
            end_known,
            ..
        } = arguments;
        let keys = without_nulls("series_keys", arguments.series_keys)?;
        let ids = without_nulls("series_ids", arguments.series_ids)?;
        Ok(Request {
            which: Which::from(match (keys, ids) {
                (None, None) => Named::Every,
                (keys, ids) => Named::Some {
                    keys: keys.map(TextArray::texts).unwrap_or_default(),
                    ids: ids.map(UuidArray::ids).unwrap_or_default(),
                },
            }),
            windows: Windows {
                valid: window(("start_valid", start_valid), ("end_valid", end_valid))?,
                known: window(("start_known", start_known), ("end_known", end_known))?,
                as_of: timestamp::optional("as_of", arguments.as_of)?,
            },
            mode: mode(arguments.mode)?,
            all_versions: arguments.all_versions.unwrap_or(false),
        })
    }

    /// The current values of every run of one series.
    pub fn of_one(series: Uuid) -> Request {
        Request {
            which: Which::from(Named::One(series)),
            windows: Windows::default(),
            mode: Mode::Overlapping,
            all_versions: false,
        }
    }
}

/// A read under way. All of it is under the identity that it began with, whoever has logged in or out since.
pub struct Reading {
    identity: Identity,
    request: Request,
    /// Those that are still to be read; none before the first is.
    series: Option<(vec::IntoIter<Series>, Groups)>,
    pub looked_at: LookedAt,
}

/// How much a read has looked at.
#[derive(Clone, Copy, Default)]
pub struct LookedAt {
    pub series: u64,
    pub rows: u64,
    pub packs: u64,
}

impl LookedAt {
    /// As EXPLAIN tells them.
    pub fn counts(self) -> Vec<(&'static CStr, u64)> {
        vec![
            (c"Series", self.series),
            (c"Stored Rows", self.rows),
            (c"Packs", self.packs),
        ]
    }
}

/// What a read shows of one series.
pub struct Shown {
    pub series: Series,
    pub opened: Opened,
}

impl Reading {
    /// Under whoever is logged in. Nobody's arguments are looked at.
    pub fn now(request: impl FnOnce() -> Result<Request>) -> Result<Reading> {
        let identity = Session::now().required()?;
        Ok(Reading::of(identity, request()?))
    }

    pub fn of(identity: Identity, request: Request) -> Reading {
        Reading {
            identity,
            request,
            series: None,
            looked_at: LookedAt::default(),
        }
    }

    /// The next series, ordered by key and id; those of which nothing is stored in the windows as well.
    pub fn next(&mut self) -> Result<Option<Shown>> {
        let acting = Acting::found(self.identity.clone());
        let (series, groups) = match &mut self.series {
            Some(series) => series,
            none => {
                let series = self.request.which.series(acting.tenant)?;
                let groups = Groups::of(series.iter().map(|series| series.id).collect());
                none.insert((series.into_iter(), groups))
            }
        };
        let Request {
            windows,
            mode,
            all_versions,
            ..
        } = &self.request;
        let stored = groups.next(acting.tenant, windows)?;
        let (Some(series), Some(stored)) = (series.next(), stored) else {
            return Ok(None);
        };
        answer_cancel();
        self.looked_at.series += 1;
        self.looked_at.rows += stored.rows.len() as u64;
        self.looked_at.packs += stored.packs.len() as u64;
        let opened = stored.open(windows, *mode, *all_versions)?;
        Ok(Some(Shown { series, opened }))
    }
}
