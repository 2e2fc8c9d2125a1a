//! One row of a table or of a statement's result, whose columns are fetched by number. The only file that opens a tuple.

use super::datum::{Fetch, NullableDatum};
use super::tuple::FetchAll;
use pgrx::{PgTupleDesc, pg_sys};
use std::marker::PhantomData;

/// A row of a result whose types have been compared with those of `R`, while the executor holds it.
pub struct ResultRow<'r, R> {
    values: &'r [pg_sys::Datum],
    nulls: &'r [bool],
    types: PhantomData<R>,
}

impl<'r, R: FetchAll> ResultRow<'r, R> {
    /// # Safety
    /// The slot holds a row of these types, and keeps it for as long as the result is used.
    pub unsafe fn in_slot(slot: *mut pg_sys::TupleTableSlot) -> ResultRow<'r, R> {
        // SAFETY: as the caller's.
        let (values, nulls) = unsafe { columns_of_row(slot) };
        ResultRow {
            values,
            nulls,
            types: PhantomData,
        }
    }

    /// All columns; where one is not what its type says, its number.
    pub fn fetch(&self) -> Result<R::Fetched<'r>, usize> {
        // SAFETY: the types have been compared, and the row stays.
        unsafe { R::fetch(self.values, self.nulls) }
    }
}

/// The columns of a row, and which of them are null.
///
/// # Safety
/// The slot holds a row, and keeps it for as long as they are used.
pub unsafe fn columns_of_row<'r>(slot: *mut pg_sys::TupleTableSlot) -> (&'r [pg_sys::Datum], &'r [bool]) {
    // SAFETY: once all its columns are taken apart, a slot's arrays have one element for each.
    unsafe {
        pg_sys::slot_getallattrs(slot);
        let columns = (*slot).tts_nvalid as usize;
        (
            std::slice::from_raw_parts((*slot).tts_values, columns),
            std::slice::from_raw_parts((*slot).tts_isnull, columns),
        )
    }
}

/// A row of a table, found without a statement.
pub struct TableRow {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    shape: pg_sys::TupleDesc,
}

impl TableRow {
    /// # Safety
    /// The tuple is of the shape described; both outlive the row.
    pub unsafe fn of(tuple: pg_sys::HeapTuple, shape: pg_sys::TupleDesc) -> TableRow {
        // SAFETY: both vectors have room for each column of the shape.
        unsafe {
            let columns = (*shape).natts as usize;
            let mut values = vec![pg_sys::Datum::null(); columns];
            let mut nulls = vec![true; columns];
            pg_sys::heap_deform_tuple(tuple, shape, values.as_mut_ptr(), nulls.as_mut_ptr());
            TableRow { values, nulls, shape }
        }
    }

    /// The column with this number, from 1; none where it is null, of another type, or not there.
    pub fn column<T: Fetch>(&self, number: usize) -> Option<T::Fetched<'_>> {
        let place = number.checked_sub(1)?;
        let datum: NullableDatum = match self.nulls.get(place)? {
            true => None,
            false => self.values.get(place).copied(),
        };
        // SAFETY: the shape is that of the row, and the column is fetched as what it says.
        unsafe { T::is(type_of(self.shape, place)?).then(|| T::fetch(datum)).flatten() }
    }
}

/// The type of a column, by its place from 0.
///
/// # Safety
/// The shape is alive.
pub unsafe fn type_of(shape: pg_sys::TupleDesc, place: usize) -> Option<pg_sys::Oid> {
    // SAFETY: see above; nothing is released, as the shape is somebody else's.
    let shape = unsafe { PgTupleDesc::from_pg_unchecked(shape) };
    shape.get(place).map(|column| column.atttypid)
}

/// The types of all columns.
///
/// # Safety
/// The shape is alive.
pub unsafe fn types_of(shape: pg_sys::TupleDesc) -> Vec<pg_sys::Oid> {
    // SAFETY: see above.
    let shape = unsafe { PgTupleDesc::from_pg_unchecked(shape) };
    shape.iter().map(|column| column.atttypid).collect()
}
