//! Arrays of one dimension on their way into Postgres.

use super::datum::{Bind, NullableDatum, split};
use super::timestamp::Timestamptz;
use pgrx::pg_sys;
use timedb_core::time::Time;
use uuid::Uuid;

/// The element of an array.
///
/// # Safety
/// As `pg_type` describes the type.
pub unsafe trait Element: Bind {
    const ARRAY: pg_sys::Oid;
    const LENGTH: i32;
    const BY_VALUE: bool;
    const ALIGNMENT: u8;
}

macro_rules! elements {
    ($($of:ty: $array:ident, $length:literal, $by_value:literal, $alignment:ident;)*) => {$(
        // SAFETY: from pg_type.
        unsafe impl Element for $of {
            const ARRAY: pg_sys::Oid = pg_sys::$array;
            const LENGTH: i32 = $length;
            const BY_VALUE: bool = $by_value;
            const ALIGNMENT: u8 = pg_sys::$alignment;
        }
    )*};
}

elements! {
    i16: INT2ARRAYOID, 2, true, TYPALIGN_SHORT;
    i32: INT4ARRAYOID, 4, true, TYPALIGN_INT;
    i64: INT8ARRAYOID, 8, true, TYPALIGN_DOUBLE;
    Time: TIMESTAMPTZARRAYOID, 8, true, TYPALIGN_DOUBLE;
    Timestamptz: TIMESTAMPTZARRAYOID, 8, true, TYPALIGN_DOUBLE;
    Uuid: UUIDARRAYOID, 16, false, TYPALIGN_CHAR;
    &str: TEXTARRAYOID, -1, false, TYPALIGN_INT;
    &[u8]: BYTEAARRAYOID, -1, false, TYPALIGN_INT;
}

// SAFETY: that of what may be null.
unsafe impl<T: Element> Element for Option<T> {
    const ARRAY: pg_sys::Oid = T::ARRAY;
    const LENGTH: i32 = T::LENGTH;
    const BY_VALUE: bool = T::BY_VALUE;
    const ALIGNMENT: u8 = T::ALIGNMENT;
}

// SAFETY: makes a one-dimensional array of these elements.
unsafe impl<T: Element> Bind for &[T]
where
    for<'a> T::Given<'a>: Copy,
{
    type Given<'a> = &'a [T::Given<'a>];
    const OID: pg_sys::Oid = T::ARRAY;

    fn bind(given: Self::Given<'_>) -> NullableDatum {
        Some(array::<T>(given.iter().copied().map(T::bind)))
    }
}

fn array<T: Element>(elements: impl Iterator<Item = NullableDatum>) -> pg_sys::Datum {
    let (values, nulls) = split(elements);
    // SAFETY: the elements are of the type described.
    unsafe { construct(values, nulls, T::OID, T::LENGTH, T::BY_VALUE, T::ALIGNMENT) }
}

/// Postgres copies the elements into the array. Those that are pointers were palloc'd for it, and a read may make such arrays
/// by the million before anybody else frees them.
///
/// # Safety
/// The elements are of the type, which is as long, passed by value and aligned as `pg_type` says.
unsafe fn construct(
    mut values: Vec<pg_sys::Datum>,
    mut nulls: Vec<bool>,
    of: pg_sys::Oid,
    length: i32,
    by_value: bool,
    alignment: u8,
) -> pg_sys::Datum {
    let mut dimension = [values.len() as i32];
    let mut lower_bound = [1];
    // SAFETY: values and nulls have as many elements as the dimension says.
    unsafe {
        let array = pg_sys::construct_md_array(
            values.as_mut_ptr(),
            nulls.as_mut_ptr(),
            if values.is_empty() { 0 } else { 1 },
            dimension.as_mut_ptr(),
            lower_bound.as_mut_ptr(),
            of,
            length,
            by_value,
            alignment as std::ffi::c_char,
        );
        if !by_value {
            let made = values.iter().zip(&nulls).filter(|(_, is_null)| !**is_null);
            made.for_each(|(value, _)| pg_sys::pfree(value.cast_mut_ptr()));
        }
        pg_sys::Datum::from(array)
    }
}
