//! Values on their way into Postgres: what an answer's column or a statement's argument holds.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, IntoDatum, pg_sys};
use timedb_core::time::Time;
use uuid::Uuid;

/// A column or an argument; `None` is null. A pointer in it is palloc'd, or outlives the call it is passed to.
pub type Cell = Option<pg_sys::Datum>;

/// An id as it came in an argument.
pub fn id(id: pgrx::Uuid) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

pub fn uuid(id: Uuid) -> Cell {
    pgrx::Uuid::from_bytes(*id.as_bytes()).into_datum()
}

/// As [`uuid`], without a copy: for a hot loop, where the id outlives the row it is put into.
pub fn borrowed_uuid(id: &Uuid) -> Cell {
    Some(pg_sys::Datum::from(id.as_bytes().as_ptr().cast_mut()))
}

/// As [`uuid`], where a null is not possible.
pub fn uuid_datum(id: Uuid) -> pg_sys::Datum {
    uuid(id).unwrap_or(pg_sys::Datum::null())
}

pub fn text(text: &str) -> Cell {
    text.into_datum()
}

pub fn time(time: Time) -> Cell {
    micros(time.micros())
}

pub fn micros(micros: i64) -> Cell {
    micros.into_datum()
}

pub fn float(value: f64) -> Cell {
    value.into_datum()
}

pub fn bool(value: bool) -> Cell {
    value.into_datum()
}

pub fn bytes(bytes: &[u8]) -> Cell {
    bytes.into_datum()
}

pub fn uuids(ids: &[Uuid]) -> Cell {
    array(
        ids.iter().copied().map(uuid),
        pg_sys::UUIDOID,
        16,
        false,
        pg_sys::TYPALIGN_CHAR,
    )
}

pub fn texts<S: AsRef<str>>(texts: &[S]) -> Cell {
    let cells = texts.iter().map(|each| text(each.as_ref()));
    array(cells, pg_sys::TEXTOID, -1, false, pg_sys::TYPALIGN_INT)
}

/// As [`texts`], with nulls.
pub fn optional_texts(texts: &[Option<String>]) -> Cell {
    let cells = texts.iter().map(|each| each.as_deref().and_then(text));
    array(cells, pg_sys::TEXTOID, -1, false, pg_sys::TYPALIGN_INT)
}

pub fn byte_strings(strings: &[Vec<u8>]) -> Cell {
    let cells = strings.iter().map(|each| bytes(each));
    array(cells, pg_sys::BYTEAOID, -1, false, pg_sys::TYPALIGN_INT)
}

pub fn times(times: &[Time]) -> Cell {
    timestamps(times.iter().copied().map(time))
}

/// Timestamps that may be infinite.
pub fn all_micros(times: &[i64]) -> Cell {
    timestamps(times.iter().copied().map(micros))
}

fn timestamps(cells: impl Iterator<Item = Cell>) -> Cell {
    array(
        cells,
        pg_sys::TIMESTAMPTZOID,
        8,
        true,
        pg_sys::TYPALIGN_DOUBLE,
    )
}

pub fn smallints(numbers: &[i16]) -> Cell {
    let cells = numbers.iter().map(|number| number.into_datum());
    array(cells, pg_sys::INT2OID, 2, true, pg_sys::TYPALIGN_SHORT)
}

pub fn integers(numbers: &[i32]) -> Cell {
    let cells = numbers.iter().map(|number| number.into_datum());
    array(cells, pg_sys::INT4OID, 4, true, pg_sys::TYPALIGN_INT)
}

/// A one-dimensional array of a type described by its oid, length, by-value and alignment, as `pg_type` has them.
fn array(
    cells: impl Iterator<Item = Cell>,
    element: pg_sys::Oid,
    length: i32,
    by_value: bool,
    alignment: u8,
) -> Cell {
    let (mut values, mut nulls): (Vec<pg_sys::Datum>, Vec<bool>) = cells
        .map(|cell| (cell.unwrap_or(pg_sys::Datum::null()), cell.is_none()))
        .unzip();
    let mut dimension = [values.len() as i32];
    let mut lower_bound = [1];
    // SAFETY: values and nulls have as many elements as the dimension says, of the type described; Postgres copies them. Those
    // that are pointers were palloc'd for this, and a read may make such arrays by the million before anybody else frees them.
    let array = unsafe {
        let array = pg_sys::construct_md_array(
            values.as_mut_ptr(),
            nulls.as_mut_ptr(),
            if values.is_empty() { 0 } else { 1 },
            dimension.as_mut_ptr(),
            lower_bound.as_mut_ptr(),
            element,
            length,
            by_value,
            alignment as std::ffi::c_char,
        );
        if !by_value {
            let made = values.iter().zip(&nulls).filter(|(_, is_null)| !**is_null);
            made.for_each(|(value, _)| pg_sys::pfree(value.cast_mut_ptr()));
        }
        array
    };
    Some(pg_sys::Datum::from(array))
}

/// An argument that is passed on as it came, whatever its type.
pub struct Passed(pub pg_sys::Datum);

impl FromDatum for Passed {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _type: pg_sys::Oid,
    ) -> Option<Passed> {
        (!is_null).then_some(Passed(datum))
    }
}

// SAFETY: the datum is not looked into.
unsafe impl<'fcx> ArgAbi<'fcx> for Passed {
    unsafe fn unbox_arg_unchecked(argument: Arg<'_, 'fcx>) -> Passed {
        // SAFETY: any datum will do.
        unsafe { argument.unbox_arg_using_from_datum() }.unwrap_or(Passed(pg_sys::Datum::null()))
    }
}

// SAFETY: never used: every function is declared by hand in sql/.
unsafe impl SqlTranslatable for Passed {
    const TYPE_IDENT: &'static str = "timedb::cell::Passed";
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
