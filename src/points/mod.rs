//! The SQL face of `timedb.points`: its text and binary forms, and the pieces that make, open and merge it. What the
//! bytes mean is `timedb_core::points`.

mod aggregate;
mod form;
mod packs;
mod pieces;

use crate::error::Error;
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, IntoDatum, pg_sys};
use timedb_core::points::{Opened, Points};

/// A value of type `timedb.points`: its bytes behind the varlena header, as they came.
pub struct Packed(Vec<u8>);

impl Packed {
    /// Checked as if they were anybody's: nothing read from them is trusted.
    fn read(&self) -> Result<Points<'_>, Error> {
        Points::read(&self.0).map_err(Error::PointsStored)
    }

    fn open(&self) -> Result<Opened<'_>, Error> {
        self.read()?.open().map_err(Error::PointsStored)
    }
}

impl FromDatum for Packed {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _type: pg_sys::Oid,
    ) -> Option<Packed> {
        // SAFETY: points are a varlena, like bytea; the vector is a copy of what may be toasted.
        unsafe { Vec::from_polymorphic_datum(datum, is_null, pg_sys::BYTEAOID).map(Packed) }
    }
}

// SAFETY: as from_polymorphic_datum.
unsafe impl<'fcx> ArgAbi<'fcx> for Packed {
    unsafe fn unbox_arg_unchecked(argument: Arg<'_, 'fcx>) -> Packed {
        // SAFETY: the functions that take it are declared to take points.
        unsafe { argument.unbox_arg_using_from_datum() }.unwrap_or(Packed(Vec::new()))
    }
}

// SAFETY: the datum is a palloc'd varlena, like a bytea's.
unsafe impl BoxRet for Packed {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.0.into_datum() {
            // SAFETY: see above.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: never used: every function is declared by hand in sql/.
unsafe impl SqlTranslatable for Packed {
    const TYPE_IDENT: &'static str = "timedb::points::Packed";
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Ok(SqlMappingRef::literal("timedb.points"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("timedb.points")));
}
