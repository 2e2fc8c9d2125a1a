//! The text and binary forms of `timedb.points`. What comes in is anybody's bytes: it is checked as a whole.

use super::Packed;
use crate::error::{Error, Result};
use pgrx::datum::Internal;
use pgrx::prelude::*;
use std::ffi::{CStr, CString};
use timedb_core::points::{Points, from_text, pack, to_text};

#[pg_extern(sql = false)]
fn points_in(text: &CStr) -> Result<Packed> {
    let text = text
        .to_str()
        .map_err(|_| Error::PointsText("is not UTF-8".into()))?;
    let points = from_text(text).map_err(|error| Error::PointsText(error.to_string()))?;
    let packed = pack(&points).map_err(|error| Error::PointsText(error.to_string()))?;
    Ok(Packed(packed))
}

#[pg_extern(sql = false)]
fn points_out(points: Packed) -> Result<CString> {
    let text = to_text(&points.read()?).map_err(Error::PointsStored)?;
    CString::new(text).map_err(|_| Error::Broken("a zero byte in a text".into()).into())
}

#[pg_extern(sql = false)]
fn points_recv(message: Internal) -> Result<Packed> {
    let bytes = rest_of(message).ok_or_else(|| Error::Broken("no message to receive".into()))?;
    let points = Points::read_from_client(&bytes).and_then(|points| points.repack());
    Ok(Packed(points.map_err(Error::PointsBinary)?))
}

#[pg_extern(sql = false)]
fn points_send(points: Packed) -> Result<Vec<u8>> {
    Ok(points.read()?.to_wire().map_err(Error::PointsStored)?)
}

#[pg_extern(sql = false)]
fn _points_of_bytes(bytes: Vec<u8>) -> Result<Packed> {
    let packed = Packed(bytes);
    packed.read()?;
    Ok(packed)
}

/// The unread bytes of a message that a receive function is given.
pub fn rest_of(message: Internal) -> Option<Vec<u8>> {
    // SAFETY: a receive function is declared with internal, so only Postgres calls it, with a StringInfo.
    unsafe {
        let message = message.unwrap()?.cast_mut_ptr::<pg_sys::StringInfoData>();
        let length = (*message).len - (*message).cursor;
        let start = pg_sys::pq_getmsgbytes(message, length);
        Some(std::slice::from_raw_parts(start.cast::<u8>(), usize::try_from(length).ok()?).to_vec())
    }
}
