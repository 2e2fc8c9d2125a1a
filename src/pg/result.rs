//! What a SQL function returns: one value, one row, or rows that go straight into the executor's tuplestore.

use super::datum::{Bind, NullableDatum, split};
use super::row::types_of;
use super::tuple::BindAll;
use super::varlena::no_generated_sql;
use crate::error::{Error, Result};
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::{PgMemoryContexts, pg_sys};
use std::marker::PhantomData;

/// A function's result, as Postgres takes it; null for a set that has gone into its tuplestore.
pub struct Returned(NullableDatum);

// SAFETY: hands the datum over, or says that it is null.
unsafe impl BoxRet for Returned {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.0 {
            // SAFETY: the datum is of the type that the function declares in sql/.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

no_generated_sql!(Returned, "timedb::Returned");

impl Returned {
    /// The value of a function that returns this type.
    pub fn scalar<T: Bind>(given: T::Given<'_>) -> Returned {
        Returned(T::bind(given))
    }

    /// A value that is made already.
    ///
    /// # Safety
    /// The datum is of the type that the function declares, and is palloc'd in the caller's memory.
    pub unsafe fn datum(datum: NullableDatum) -> Returned {
        Returned(datum)
    }

    /// The one row of a function with OUT parameters, or of a composite type.
    pub fn row<A: BindAll>(fcinfo: pg_sys::FunctionCallInfo, given: A::Given<'_>) -> Result<Returned> {
        // SAFETY: Postgres describes the call; the columns are compared with what the function declares.
        unsafe {
            let mut shape = std::ptr::null_mut();
            let class = pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut shape);
            if class != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE {
                return Err(Error::Broken("a function is declared with no row to return".into()));
            }
            let shape = pg_sys::BlessTupleDesc(shape);
            check(shape, A::OIDS)?;
            let (mut values, mut nulls) = split(A::bind(given));
            let tuple = pg_sys::heap_form_tuple(shape, values.as_mut_ptr(), nulls.as_mut_ptr());
            let datum = pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data);
            Ok(Returned(Some(datum)))
        }
    }
}

/// # Safety
/// The shape is alive.
unsafe fn check(shape: pg_sys::TupleDesc, types: &[pg_sys::Oid]) -> Result<()> {
    // SAFETY: see above.
    if unsafe { types_of(shape) } == types {
        return Ok(());
    }
    let what = "a function is declared with other columns than the library has";
    Err(Error::Broken(what.into()))
}

/// The rows of a set-returning function. They are copied into the tuplestore, which spills to disk past work_mem.
pub struct Tuplestore {
    pub(super) store: *mut pg_sys::Tuplestorestate,
    pub(super) shape: pg_sys::TupleDesc,
}

impl Tuplestore {
    pub fn open(fcinfo: pg_sys::FunctionCallInfo) -> Tuplestore {
        Tuplestore::opened(fcinfo, 0)
    }

    fn opened(fcinfo: pg_sys::FunctionCallInfo, flags: u32) -> Tuplestore {
        // SAFETY: Postgres describes the call; InitMaterializedSRF raises an error where no set can be taken.
        unsafe {
            pg_sys::InitMaterializedSRF(fcinfo, flags);
            let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            Tuplestore {
                store: (*result).setResult,
                shape: (*result).setDesc,
            }
        }
    }

    /// For a function that returns a set of this type, which is no row.
    pub fn of_one_column(fcinfo: pg_sys::FunctionCallInfo, of: pg_sys::Oid) -> Result<Tuplestore> {
        let store = Tuplestore::opened(fcinfo, pg_sys::MAT_SRF_USE_EXPECTED_DESC);
        // SAFETY: the shape lives as long as the call.
        unsafe { check(store.shape, &[of])? };
        Ok(store)
    }

    /// For a function whose columns the call defines. It keeps what says so for the next call, and Postgres frees ours: a copy.
    pub fn as_called(fcinfo: pg_sys::FunctionCallInfo) -> Tuplestore {
        Tuplestore::opened(fcinfo, pg_sys::MAT_SRF_USE_EXPECTED_DESC)
    }

    /// One that no rows are put into, for tests of what is made for it.
    #[cfg(feature = "in_backend_tests")]
    pub fn of_types(types: &[pg_sys::Oid]) -> Tuplestore {
        // SAFETY: the shape has as many columns as are told of.
        unsafe {
            let shape = pg_sys::CreateTemplateTupleDesc(types.len() as i32);
            for (number, of) in (1..).zip(types) {
                pg_sys::TupleDescInitEntry(shape, number, c"column".as_ptr(), *of, -1, 0);
            }
            Tuplestore {
                store: std::ptr::null_mut(),
                shape,
            }
        }
    }

    /// The types of the columns that the function declares.
    pub fn types(&self) -> Vec<pg_sys::Oid> {
        // SAFETY: the shape lives as long as the call.
        unsafe { types_of(self.shape) }
    }

    /// # Safety
    /// The datums are of the columns that the function declares.
    pub unsafe fn put(&mut self, datums: impl IntoIterator<Item = NullableDatum>) {
        let (mut values, mut nulls) = split(datums);
        // SAFETY: see above; the store copies them.
        unsafe {
            pg_sys::tuplestore_putvalues(self.store, self.shape, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
    }

    pub fn close(self) -> Returned {
        Returned(None)
    }
}

/// Rows of columns `A`.
pub struct Rows<A> {
    store: Tuplestore,
    /// What is made for one row, and copied into the store.
    scratch: PgMemoryContexts,
    types: PhantomData<fn(A)>,
}

impl<A: BindAll> Rows<A> {
    pub fn open(fcinfo: pg_sys::FunctionCallInfo) -> Result<Rows<A>> {
        let store = Tuplestore::open(fcinfo);
        // SAFETY: the shape lives as long as the call.
        unsafe { check(store.shape, A::OIDS)? };
        Ok(Rows {
            store,
            scratch: PgMemoryContexts::new("timedb rows"),
            types: PhantomData,
        })
    }

    pub fn put(&mut self, given: A::Given<'_>) {
        let mut given = Some(given);
        // SAFETY: the types were compared when the rows were opened; the scratch memory is emptied once the row is a copy.
        unsafe {
            let datums = self
                .scratch
                .switch_to(|_| given.take().map(A::bind).unwrap_or_default());
            self.store.put(datums);
            self.scratch.reset();
        }
    }

    pub fn close(self) -> Returned {
        self.store.close()
    }
}
