//! The SQL face of `timedb.pack`: its text, which is its binary form too, and the rows in it.

use super::answer;
use super::form::rest_of;
use crate::error::{Error, Reported, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::datum::{Bind, Fetch};
use crate::pg::result::{Returned, Tuplestore};
use crate::pg::varlena::{PackedBytes, PointsBytes};
use pgrx::datum::Internal;
use pgrx::prelude::*;
use std::ffi::{CStr, CString};
use timedb_core::answer::Source;
use timedb_core::answer::columns::OF_VERSION;
use timedb_core::pack::{Pack, from_text, to_text};

#[pg_extern(sql = false)]
fn pack_in(text: &CStr) -> Reported<PackedBytes> {
    let text = text.to_str().map_err(|_| Error::PackText("is not UTF-8".into()))?;
    Ok(of_text(text)?)
}

#[pg_extern(sql = false)]
fn pack_out(pack: PackedBytes) -> Reported<CString> {
    let text = text_of(&pack)?;
    Ok(CString::new(text).map_err(|_| Error::Broken("a zero byte in a text".into()))?)
}

#[pg_extern(sql = false)]
fn pack_recv(message: Internal) -> Reported<PackedBytes> {
    let bytes = rest_of(message).ok_or_else(|| Error::Broken("no message to receive".into()))?;
    let text = str::from_utf8(&bytes).map_err(|_| Error::PackText("is not UTF-8".into()))?;
    Ok(of_text(text)?)
}

#[pg_extern(sql = false)]
fn pack_send(pack: PackedBytes) -> Reported<Vec<u8>> {
    Ok(text_of(&pack)?.into_bytes())
}

fn of_text(text: &str) -> Result<PackedBytes> {
    let bytes = from_text(text).map_err(|error| Error::PackText(error.to_string()))?;
    Ok(PackedBytes(bytes))
}

fn text_of(pack: &PackedBytes) -> Result<String> {
    read(pack).and_then(|pack| to_text(&pack).map_err(Error::PackStored))
}

fn read(pack: &PackedBytes) -> Result<Pack<'_>> {
    Pack::read(&pack.0).map_err(Error::PackStored)
}

#[pg_extern(sql = false)]
fn _pack_of_bytes(bytes: Vec<u8>) -> Reported<PackedBytes> {
    let pack = PackedBytes(bytes);
    read(&pack)?;
    Ok(pack)
}

/// The columns of a version, and its points.
#[pg_extern(sql = false)]
fn unnest_pack(pack: PackedBytes, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let mut store = Tuplestore::open(fcinfo);
    check(&store.types())?;
    let pack = read(&pack)?;
    let mut values = Vec::new();
    pack.decode_values(&mut values).map_err(Error::PackStored)?;
    for (number, of) in pack.versions().iter().enumerate() {
        answer_cancel();
        let columns = OF_VERSION.iter().map(|column| match column.source {
            Source::Version(content) => content(&of.version).and_then(answer::datum),
            Source::Series(_) | Source::Start | Source::End | Source::Value => None,
        });
        // A `timedb.points` is a varlena like a bytea.
        let points = <&[u8]>::bind(&pack.points(number, &values));
        // SAFETY: the columns have been compared with what the function declares.
        unsafe { store.put(columns.chain([points])) };
    }
    Ok(store.close())
}

fn check(declared: &[pg_sys::Oid]) -> Result<()> {
    match declared {
        [of_version @ .., points] if PointsBytes::is(*points) => answer::check(of_version, &OF_VERSION),
        _ => Err(Error::Broken("unnest_pack is declared without points".into())),
    }
}
