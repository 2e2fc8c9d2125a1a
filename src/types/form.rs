//! The text and binary forms of `timedb.points`. What comes in is anybody's bytes: it is checked as a whole.

use super::points::read;
use crate::error::{Error, Reported};
use crate::pg::varlena::PackedBytes;
use pgrx::datum::Internal;
use pgrx::prelude::*;
use std::ffi::{CStr, CString};
use timedb_core::points::{Points, from_text, pack, to_text};

#[pg_extern(sql = false)]
fn points_in(text: &CStr) -> Reported<PackedBytes> {
    let text = text.to_str().map_err(|_| Error::PointsText("is not UTF-8".into()))?;
    let points = from_text(text).map_err(|error| Error::PointsText(error.to_string()))?;
    let packed = pack(&points).map_err(|error| Error::PointsText(error.to_string()))?;
    Ok(PackedBytes(packed))
}

#[pg_extern(sql = false)]
fn points_out(points: PackedBytes) -> Reported<CString> {
    let text = to_text(&read(&points)?).map_err(Error::PointsStored)?;
    CString::new(text).map_err(|_| Error::Broken("a zero byte in a text".into()).into())
}

#[pg_extern(sql = false)]
fn points_recv(message: Internal) -> Reported<PackedBytes> {
    let bytes = rest_of(message).ok_or_else(|| Error::Broken("no message to receive".into()))?;
    let points = Points::read_from_client(&bytes).and_then(|points| points.repack());
    Ok(PackedBytes(points.map_err(Error::PointsBinary)?))
}

#[pg_extern(sql = false)]
fn points_send(points: PackedBytes) -> Reported<Vec<u8>> {
    Ok(read(&points)?.to_wire().map_err(Error::PointsStored)?)
}

#[pg_extern(sql = false)]
fn _points_of_bytes(bytes: Vec<u8>) -> Reported<PackedBytes> {
    let packed = PackedBytes(bytes);
    read(&packed)?;
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
