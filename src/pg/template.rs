//! A row to be put into a tuplestore many times, with other contents in columns of a fixed length: forming a tuple costs
//! more than all else that a row of an answer takes.

use super::datum::{NullableDatum, split};
use super::result::Tuplestore;
use pgrx::{PgTupleDesc, pg_sys};
use std::mem::offset_of;

pub struct Template {
    tuple: pg_sys::MinimalTuple,
    slot: *mut pg_sys::TupleTableSlot,
    places: Vec<Option<Place>>,
}

/// Where a column is in the tuple, and how long; none if it is null.
#[derive(Clone, Copy)]
struct Place {
    offset: usize,
    /// None of a column of variable length.
    length: Option<usize>,
}

/// What a column of a fixed length holds, as the tuple has it.
pub trait Fixed {}
impl Fixed for i64 {}
impl Fixed for f64 {}
impl Fixed for [u8; 16] {}

impl Tuplestore {
    /// # Safety
    /// The datums are of the columns that the function declares.
    pub unsafe fn template(&self, datums: impl IntoIterator<Item = NullableDatum>) -> Template {
        let (values, nulls) = split(datums);
        // SAFETY: see above; what is made of them is a copy.
        unsafe {
            #[cfg(not(feature = "pg18"))]
            let tuple = {
                let (values, nulls) = (values.as_ptr().cast_mut(), nulls.as_ptr().cast_mut());
                pg_sys::heap_form_minimal_tuple(self.shape, values, nulls)
            };
            #[cfg(feature = "pg18")]
            let tuple = pg_sys::heap_form_minimal_tuple(self.shape, values.as_ptr(), nulls.as_ptr(), 0);
            let slot = pg_sys::MakeSingleTupleTableSlot(self.shape, &pg_sys::TTSOpsMinimalTuple);
            pg_sys::ExecStoreMinimalTuple(tuple, slot, false);
            Template {
                tuple,
                slot,
                places: places(tuple, self.shape, &nulls),
            }
        }
    }

    pub fn put_template(&mut self, template: &Template) {
        // SAFETY: the slot holds the template's tuple, which the store copies.
        unsafe { pg_sys::tuplestore_puttupleslot(self.store, template.slot) };
    }
}

impl Template {
    /// Writes into a column of this length. A column that is null stays so, and one of another length as it is.
    pub fn set<T: Fixed>(&mut self, column: usize, content: T) {
        let Some(Some(place)) = self.places.get(column) else {
            return;
        };
        debug_assert_eq!(place.length, Some(size_of::<T>()), "column {column}");
        if place.length == Some(size_of::<T>()) {
            // SAFETY: this is where the tuple has the column, and the column is as long as its content.
            unsafe { self.tuple.byte_add(place.offset).cast::<T>().write_unaligned(content) };
        }
    }

    /// The bytes of the tuple, from its length on.
    #[cfg(feature = "in_backend_tests")]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a minimal tuple begins with its length.
        unsafe { std::slice::from_raw_parts(self.tuple.cast(), (*self.tuple).t_len as usize) }
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        // SAFETY: both are this template's own.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::pfree(self.tuple.cast());
        }
    }
}

/// How much of a whole tuple's header a minimal one lacks, by Postgres' own formula.
const MINIMAL_TUPLE_OFFSET: usize = {
    const COMMON: usize = offset_of!(pg_sys::HeapTupleHeaderData, t_infomask2) - size_of::<u32>();
    COMMON / align_of::<u64>() * align_of::<u64>()
};

/// Where the columns of a tuple are that have just been put into it.
///
/// # Safety
/// The tuple is of this shape, and has these nulls.
unsafe fn places(tuple: pg_sys::MinimalTuple, shape: pg_sys::TupleDesc, nulls: &[bool]) -> Vec<Option<Place>> {
    // SAFETY: the columns follow each other as their types are aligned and long, from the end of the header on.
    unsafe {
        let start = (*tuple).t_hoff as usize - MINIMAL_TUPLE_OFFSET;
        let data = tuple.byte_add(start).cast::<u8>();
        let mut end = 0;
        let shape = PgTupleDesc::from_pg_unchecked(shape);
        let mut place = |(attribute, is_null): (&pg_sys::FormData_pg_attribute, &bool)| {
            if *is_null {
                return None;
            }
            let is_short = attribute.attlen == -1 && data.add(end).read() != 0;
            if !is_short {
                end = end.next_multiple_of(alignment(attribute.attalign));
            }
            let offset = start + end;
            let length = usize::try_from(attribute.attlen).ok();
            end += length.unwrap_or_else(|| pgrx::varlena::varsize_any(data.add(end).cast()));
            Some(Place { offset, length })
        };
        shape.iter().zip(nulls).map(&mut place).collect()
    }
}

fn alignment(code: std::ffi::c_char) -> usize {
    match code as u8 {
        pg_sys::TYPALIGN_DOUBLE => align_of::<f64>(),
        pg_sys::TYPALIGN_INT => align_of::<i32>(),
        pg_sys::TYPALIGN_SHORT => align_of::<i16>(),
        _ => 1,
    }
}
