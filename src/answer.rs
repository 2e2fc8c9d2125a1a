//! What a SQL function answers: one row, or a sheet of rows that goes straight into the executor's tuple store.

use crate::cell::Cell;
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};

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
        let (values, nulls) = columns(cells);
        self.put_columns(&values, &nulls);
    }

    /// As [`put`](Self::put), for a caller that keeps the two arrays from row to row.
    pub fn put_columns(&mut self, values: &[pg_sys::Datum], nulls: &[bool]) {
        debug_assert!(values.len() == nulls.len());
        // SAFETY: the arrays are the columns that the function declares; the store copies them.
        unsafe {
            pg_sys::tuplestore_putvalues(
                self.store,
                self.shape,
                values.as_ptr().cast_mut(),
                nulls.as_ptr().cast_mut(),
            );
        }
    }

    pub fn close(self) -> Answer {
        Answer(None)
    }
}

fn columns(cells: &[Cell]) -> (Vec<pg_sys::Datum>, Vec<bool>) {
    cells
        .iter()
        .map(|cell| (cell.unwrap_or(pg_sys::Datum::null()), cell.is_none()))
        .unzip()
}
