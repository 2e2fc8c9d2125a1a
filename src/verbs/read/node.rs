//! `read`, and what the view current_values is built on, as nodes of a plan: what WHERE says narrows what is looked at, and
//! rows are made as they are asked for.

use super::conditions;
use super::relative::{self, OfRelative};
use super::request::{OfRead, Reading, Request, Shown};
use crate::error::{Error, Result};
use crate::identity::session::Session;
use crate::identity::standing::Identity;
use crate::pg::node::{Call, Extent, Function, Order, SlotRow, Source};
use crate::pg::tuple::FetchAll;
use crate::types::answer::oids;
use crate::types::slots::Slots;
use crate::verbs::read_arrow::BATCHES;
use std::ffi::CStr;
use timedb_core::answer::Column;
use timedb_core::answer::columns::{OF_ONE_SERIES, READ};
use uuid::Uuid;

pub static SCANNED: [Function; 4] = [
    Function {
        name: c"read",
        takes: <OfRead as FetchAll>::are,
        columns: || oids(&READ),
        narrowing: &conditions::OF_READ,
        order: Some(Order { key: 5, id: 4, time: 2 }),
        extent: Some(Extent {
            names: &[6, 7],
            window: (0, 1),
            time: 2,
        }),
        open: |call| Ok(Box::new(read(call)?)),
    },
    Function {
        name: c"read_relative",
        takes: <OfRelative as FetchAll>::are,
        columns: || oids(&READ),
        narrowing: &conditions::OF_READ,
        order: Some(Order { key: 5, id: 4, time: 2 }),
        extent: Some(Extent {
            names: &[10, 11],
            window: (7, 8),
            time: 2,
        }),
        open: |call| Ok(Box::new(read_relative(call)?)),
    },
    Function {
        name: c"_series_values",
        takes: <(Option<Uuid>,) as FetchAll>::are,
        columns: || oids(&OF_ONE_SERIES),
        narrowing: &conditions::OF_ONE_SERIES,
        order: None,
        extent: None,
        open: |call| Ok(Box::new(series_values(call)?)),
    },
    BATCHES,
];

/// The rows of a read, as a node asks for them.
struct Rows {
    /// None where nobody is logged in and that is no error.
    reading: Option<Reading>,
    shown: Option<Shown>,
    slots: Slots,
}

/// Whoever was logged in when the first node of the statement asked, whatever kind of node it is.
fn acting(call: &Call) -> Result<Option<Identity>> {
    call.query.once(|| Ok(Session::now().identity()))
}

/// The same, where somebody must be.
pub fn reader(call: &Call) -> Result<Identity> {
    acting(call)?.ok_or_else(nobody)
}

/// Why there was nobody, or, where somebody has logged in since, that there was.
fn nobody() -> Error {
    Session::now().required().err().unwrap_or(Error::LoginNeeded)
}

fn read(call: &Call) -> Result<Rows> {
    // Before the arguments are looked at, as the function does.
    let identity = reader(call)?;
    let mut request = Request::of(call.arguments::<OfRead>()?)?;
    conditions::narrow(&mut request, &READ, &call.conditions);
    Ok(Rows::of(&READ, call, Some(Reading::of(identity, request))))
}

fn read_relative(call: &Call) -> Result<Rows> {
    let identity = reader(call)?;
    let mut request = relative::request(call.arguments::<OfRelative>()?)?;
    conditions::narrow(&mut request, &READ, &call.conditions);
    Ok(Rows::of(&READ, call, Some(Reading::of(identity, request))))
}

fn series_values(call: &Call) -> Result<Rows> {
    let identity = acting(call)?;
    let (series_id,) = call.arguments::<(Option<Uuid>,)>()?;
    let reading = identity.zip(series_id).map(|(identity, series_id)| {
        let mut request = Request::of_one(series_id);
        conditions::narrow(&mut request, &OF_ONE_SERIES, &call.conditions);
        Reading::of(identity, request)
    });
    Ok(Rows::of(&OF_ONE_SERIES, call, reading))
}

impl Rows {
    fn of(columns: &'static [Column], call: &Call, reading: Option<Reading>) -> Rows {
        Rows {
            reading,
            shown: None,
            slots: Slots::of(columns, &call.columns),
        }
    }
}

// SAFETY: what is put is made by the columns asked for, and is of the series that is kept until the next is fetched.
unsafe impl Source for Rows {
    fn fetch(&mut self) -> Result<bool> {
        let Some(reading) = &mut self.reading else {
            return Ok(false);
        };
        self.shown = reading.next()?;
        if let Some(shown) = &self.shown {
            self.slots.begin(&shown.series);
        }
        Ok(self.shown.is_some())
    }

    fn next(&mut self, row: &mut SlotRow) -> Result<bool> {
        let Some(shown) = &mut self.shown else {
            return Ok(false);
        };
        let Some((version, point)) = shown.opened.next()? else {
            return Ok(false);
        };
        // SAFETY: see above.
        unsafe { self.slots.put(row, shown.opened.version(version), &point) };
        Ok(true)
    }

    fn looked_at(&self) -> Vec<(&'static CStr, u64)> {
        let reading = self.reading.as_ref();
        reading.map(|reading| reading.looked_at).unwrap_or_default().counts()
    }
}
