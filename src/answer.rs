//! What a SQL function answers: one row, or a sheet of rows that goes straight into the executor's tuple store.

use crate::cell::Cell;
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{PgTupleDesc, pg_sys};
use std::mem::offset_of;

/// A function's result, as Postgres takes it; null for a set that has gone into its tuple store.
pub struct Answer(Cell);

// SAFETY: hands the datum over, or says that it is null.
unsafe impl BoxRet for Answer {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.0 {
            // SAFETY: the datum is of the type that the function declares in sql/.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: never used: every function is declared by hand in sql/.
unsafe impl SqlTranslatable for Answer {
    const TYPE_IDENT: &'static str = "timedb::answer::Answer";
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Err(ArgumentError::NotValidAsArgument("Answer"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("record")));
}

impl Answer {
    pub fn scalar(cell: Cell) -> Answer {
        Answer(cell)
    }

    /// The one row of a function with OUT parameters, or of a composite type.
    pub fn row(fcinfo: pg_sys::FunctionCallInfo, cells: &[Cell]) -> Answer {
        // SAFETY: Postgres describes the call; the cells are the columns that the function declares.
        unsafe {
            let mut shape = std::ptr::null_mut();
            pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut shape);
            let shape = pg_sys::BlessTupleDesc(shape);
            let (mut values, mut nulls) = columns(cells);
            let tuple = pg_sys::heap_form_tuple(shape, values.as_mut_ptr(), nulls.as_mut_ptr());
            Answer(Some(pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data)))
        }
    }
}

/// The rows of a set-returning function. They are copied into the tuple store, which spills to disk past work_mem.
pub struct Sheet {
    store: *mut pg_sys::Tuplestorestate,
    shape: pg_sys::TupleDesc,
}

impl Sheet {
    pub fn open(fcinfo: pg_sys::FunctionCallInfo) -> Sheet {
        // SAFETY: Postgres describes the call; InitMaterializedSRF raises an error where no set can be taken.
        unsafe {
            pg_sys::InitMaterializedSRF(fcinfo, 0);
            let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            Sheet {
                store: (*result).setResult,
                shape: (*result).setDesc,
            }
        }
    }

    pub fn put(&mut self, cells: &[Cell]) {
        let (mut values, mut nulls) = columns(cells);
        // SAFETY: the arrays are the columns that the function declares; the store copies them.
        unsafe {
            pg_sys::tuplestore_putvalues(
                self.store,
                self.shape,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }

    /// A row to be put more than once, with other contents in columns of a fixed length.
    pub fn stencil(&self, cells: &[Cell]) -> Stencil {
        let (mut values, mut nulls) = columns(cells);
        // SAFETY: the arrays are the columns that the function declares; what is made of them is a copy.
        unsafe {
            let tuple = pg_sys::heap_form_minimal_tuple(
                self.shape,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            let slot = pg_sys::MakeSingleTupleTableSlot(self.shape, &pg_sys::TTSOpsMinimalTuple);
            pg_sys::ExecStoreMinimalTuple(tuple, slot, false);
            Stencil {
                tuple,
                slot,
                places: places(tuple, self.shape, &nulls),
            }
        }
    }

    pub fn put_stencil(&mut self, stencil: &Stencil) {
        // SAFETY: the slot holds the stencil's tuple, which the store copies.
        unsafe { pg_sys::tuplestore_puttupleslot(self.store, stencil.slot) };
    }

    pub fn close(self) -> Answer {
        Answer(None)
    }
}

/// See [`Sheet::stencil`]: forming a tuple costs more than all else that a row of an answer takes.
pub struct Stencil {
    tuple: pg_sys::MinimalTuple,
    slot: *mut pg_sys::TupleTableSlot,
    /// Where each column is in the tuple; none if it is null.
    places: Vec<Option<usize>>,
}

impl Stencil {
    /// Writes a column of this type's length; a column that is null stays so.
    pub fn set<T: Fixed>(&mut self, column: usize, content: T) {
        if let Some(place) = self.places[column] {
            // SAFETY: the column is of a type of this length, and this is where the tuple has it.
            unsafe {
                self.tuple
                    .byte_add(place)
                    .cast::<T>()
                    .write_unaligned(content)
            };
        }
    }
}

impl Drop for Stencil {
    fn drop(&mut self) {
        // SAFETY: both are this stencil's own.
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

/// What a column of a fixed length holds, as the tuple has it.
pub trait Fixed {}
impl Fixed for i64 {}
impl Fixed for f64 {}
impl Fixed for [u8; 16] {}

/// Where the columns of a tuple are that have just been put into it.
///
/// # Safety
/// The tuple is of this shape, and has these nulls.
unsafe fn places(
    tuple: pg_sys::MinimalTuple,
    shape: pg_sys::TupleDesc,
    nulls: &[bool],
) -> Vec<Option<usize>> {
    // SAFETY: the columns follow each other as their types are aligned and long, from the end of the header on.
    unsafe {
        let start = (*tuple).t_hoff as usize - MINIMAL_TUPLE_OFFSET;
        let data = tuple.byte_add(start).cast::<u8>();
        let mut offset = 0;
        let shape = PgTupleDesc::from_pg_unchecked(shape);
        let mut place = |(attribute, is_null): (&pg_sys::FormData_pg_attribute, &bool)| {
            if *is_null {
                return None;
            }
            let varlena = data.add(offset);
            let is_short = attribute.attlen == -1 && varlena.read() != 0;
            if !is_short {
                offset = offset.next_multiple_of(alignment(attribute.attalign));
            }
            let place = start + offset;
            offset += match usize::try_from(attribute.attlen) {
                Ok(length) => length,
                Err(_) => pgrx::varlena::varsize_any(data.add(offset).cast()),
            };
            Some(place)
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

fn columns(cells: &[Cell]) -> (Vec<pg_sys::Datum>, Vec<bool>) {
    cells
        .iter()
        .map(|cell| (cell.unwrap_or(pg_sys::Datum::null()), cell.is_none()))
        .unzip()
}
