//! The SQL face of `timedb.pack`: its text, which is its binary form too, and the rows in it.

use super::Packed;
use crate::answer::{Answer, Sheet};
use crate::cancel::answer_cancel;
use crate::cell;
use crate::error::{Error, Result};
use pgrx::datum::Internal;
use pgrx::prelude::*;
use std::ffi::{CStr, CString};
use timedb_core::pack::{Pack, from_text, to_text};

/// Packs are varlenas like points; what is in their bytes differs.
type Bytes = Packed;

#[pg_extern(sql = false)]
fn pack_in(text: &CStr) -> Result<Bytes> {
    let text = text
        .to_str()
        .map_err(|_| Error::PackText("is not UTF-8".into()))?;
    Ok(of_text(text)?)
}

#[pg_extern(sql = false)]
fn pack_out(pack: Bytes) -> Result<CString> {
    let text = text_of(&pack)?;
    CString::new(text).map_err(|_| Error::Broken("a zero byte in a text".into()).into())
}

#[pg_extern(sql = false)]
fn pack_recv(message: Internal) -> Result<Bytes> {
    let bytes = super::form::rest_of(message)
        .ok_or_else(|| Error::Broken("no message to receive".into()))?;
    let text = str::from_utf8(&bytes).map_err(|_| Error::PackText("is not UTF-8".into()))?;
    Ok(of_text(text)?)
}

#[pg_extern(sql = false)]
fn pack_send(pack: Bytes) -> Result<Vec<u8>> {
    Ok(text_of(&pack)?.into_bytes())
}

fn of_text(text: &str) -> Result<Bytes, Error> {
    let bytes = from_text(text).map_err(|error| Error::PackText(error.to_string()))?;
    Ok(Packed(bytes))
}

fn text_of(pack: &Bytes) -> Result<String, Error> {
    Pack::read(&pack.0)
        .and_then(|pack| to_text(&pack))
        .map_err(Error::PackStored)
}

#[pg_extern(sql = false)]
fn _pack_of_bytes(bytes: Vec<u8>) -> Result<Bytes> {
    Pack::read(&bytes).map_err(Error::PackStored)?;
    Ok(Packed(bytes))
}

#[pg_extern(sql = false)]
fn unnest_pack(pack: Bytes, fcinfo: pg_sys::FunctionCallInfo) -> Result<Answer> {
    let mut sheet = Sheet::open(fcinfo);
    let pack = Pack::read(&pack.0).map_err(Error::PackStored)?;
    let mut values = Vec::new();
    pack.decode_values(&mut values).map_err(Error::PackStored)?;
    for version in pack.versions() {
        answer_cancel();
        sheet.put(&[
            cell::uuid(version.run),
            cell::time(version.known),
            cell::time(version.change),
            cell::text(version.changed_by),
            version.annotation.and_then(cell::text),
            version
                .tags
                .and_then(|tags| cell::texts(&tags.iter().collect::<Vec<_>>())),
            cell::bytes(&version.points(&values)),
        ]);
    }
    Ok(sheet.close())
}
