//! Values on their way into Postgres and out of it. Each Rust type says once which type of Postgres it is, so that what a
//! statement is given, what it answers and what a function returns cannot mean two things.

use super::timestamp::Timestamptz;
use pgrx::datum::Interval;
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::ffi::{CStr, CString};
use timedb_core::scope::Scope;
use timedb_core::time::Time;
use uuid::Uuid;

/// A value or null. A pointer in it is palloc'd, or outlives the call it is passed to.
pub type NullableDatum = Option<pg_sys::Datum>;

/// What goes into Postgres: an argument of a statement, a column of an answer.
///
/// # Safety
/// `bind` makes a datum of the type [`Bind::OID`], or null.
pub unsafe trait Bind {
    type Given<'a>: 'a;
    const OID: pg_sys::Oid;

    fn bind(given: Self::Given<'_>) -> NullableDatum;
}

/// What comes out of Postgres: a column of a row.
pub trait Fetch {
    type Fetched<'r>;

    /// Whether a column of this type can be fetched so.
    fn is(oid: pg_sys::Oid) -> bool;

    /// None where the value is one that the Rust type does not have, null among others.
    ///
    /// # Safety
    /// The datum is of a type that [`Fetch::is`] allows, and stays as long as the row.
    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>>;
}

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

/// A type that is the same in Rust on its way in and out, by the conversion that pgrx has.
macro_rules! plain {
    ($($of:ty: $oid:ident, $array:ident, $length:literal, $by_value:literal, $alignment:ident;)*) => {$(
        // SAFETY: pgrx makes a datum of just this type.
        unsafe impl Bind for $of {
            type Given<'a> = $of;
            const OID: pg_sys::Oid = pg_sys::$oid;

            fn bind(given: $of) -> NullableDatum {
                given.into_datum()
            }
        }

        impl Fetch for $of {
            type Fetched<'r> = $of;

            fn is(oid: pg_sys::Oid) -> bool {
                oid == pg_sys::$oid
            }

            unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
                // SAFETY: the datum is of this type.
                unsafe { <$of>::from_datum(datum?, false) }
            }
        }

        // SAFETY: from pg_type.
        unsafe impl Element for $of {
            const ARRAY: pg_sys::Oid = pg_sys::$array;
            const LENGTH: i32 = $length;
            const BY_VALUE: bool = $by_value;
            const ALIGNMENT: u8 = pg_sys::$alignment;
        }
    )*};
}

plain! {
    bool: BOOLOID, BOOLARRAYOID, 1, true, TYPALIGN_CHAR;
    i16: INT2OID, INT2ARRAYOID, 2, true, TYPALIGN_SHORT;
    i32: INT4OID, INT4ARRAYOID, 4, true, TYPALIGN_INT;
    i64: INT8OID, INT8ARRAYOID, 8, true, TYPALIGN_DOUBLE;
    f64: FLOAT8OID, FLOAT8ARRAYOID, 8, true, TYPALIGN_DOUBLE;
}

/// A type that is bound or fetched by way of another one of the same Postgres type.
macro_rules! by_way_of {
    ($of:ty, $way:ty, $into:expr, $back:expr) => {
        // SAFETY: that of the type by whose way it goes.
        unsafe impl Bind for $of {
            type Given<'a> = $of;
            const OID: pg_sys::Oid = <$way>::OID;

            fn bind(given: $of) -> NullableDatum {
                <$way>::bind($into(given))
            }
        }

        impl Fetch for $of {
            type Fetched<'r> = $of;

            fn is(oid: pg_sys::Oid) -> bool {
                <$way as Fetch>::is(oid)
            }

            unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
                // SAFETY: as the caller's.
                unsafe { <$way as Fetch>::fetch(datum) }.and_then($back)
            }
        }
    };
}

by_way_of!(
    Time,
    Timestamptz,
    |time: Time| Timestamptz(time.micros()),
    |found: Timestamptz| Time::from_micros(found.0)
);

// SAFETY: a timestamptz is a number of microseconds.
unsafe impl Bind for Timestamptz {
    type Given<'a> = Timestamptz;
    const OID: pg_sys::Oid = pg_sys::TIMESTAMPTZOID;

    fn bind(given: Timestamptz) -> NullableDatum {
        given.0.into_datum()
    }
}

impl Fetch for Timestamptz {
    type Fetched<'r> = Timestamptz;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::TIMESTAMPTZOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        Some(Timestamptz(datum?.value() as i64))
    }
}

// SAFETY: from pg_type.
unsafe impl Element for Timestamptz {
    const ARRAY: pg_sys::Oid = pg_sys::TIMESTAMPTZARRAYOID;
    const LENGTH: i32 = 8;
    const BY_VALUE: bool = true;
    const ALIGNMENT: u8 = pg_sys::TYPALIGN_DOUBLE;
}

// SAFETY: as of Timestamptz.
unsafe impl Element for Time {
    const ARRAY: pg_sys::Oid = Timestamptz::ARRAY;
    const LENGTH: i32 = Timestamptz::LENGTH;
    const BY_VALUE: bool = Timestamptz::BY_VALUE;
    const ALIGNMENT: u8 = Timestamptz::ALIGNMENT;
}

// SAFETY: a uuid is a pointer to 16 bytes.
unsafe impl Bind for Uuid {
    type Given<'a> = Uuid;
    const OID: pg_sys::Oid = pg_sys::UUIDOID;

    #[inline(never)]
    fn bind(given: Uuid) -> NullableDatum {
        pgrx::Uuid::from_bytes(given.into_bytes()).into_datum()
    }
}

impl Fetch for Uuid {
    type Fetched<'r> = Uuid;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::UUIDOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: a uuid is a pointer to 16 bytes.
        Some(Uuid::from_bytes(unsafe { *datum?.cast_mut_ptr() }))
    }
}

// SAFETY: from pg_type.
unsafe impl Element for Uuid {
    const ARRAY: pg_sys::Oid = pg_sys::UUIDARRAYOID;
    const LENGTH: i32 = 16;
    const BY_VALUE: bool = false;
    const ALIGNMENT: u8 = pg_sys::TYPALIGN_CHAR;
}

// SAFETY: pgrx makes a text.
unsafe impl Bind for &str {
    type Given<'a> = &'a str;
    const OID: pg_sys::Oid = pg_sys::TEXTOID;

    #[inline(never)]
    fn bind(given: &str) -> NullableDatum {
        given.into_datum()
    }
}

impl Fetch for String {
    type Fetched<'r> = String;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::TEXTOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: a text is a varlena; the string is a copy.
        unsafe { String::from_datum(datum?, false) }
    }
}

// SAFETY: from pg_type.
unsafe impl Element for &str {
    const ARRAY: pg_sys::Oid = pg_sys::TEXTARRAYOID;
    const LENGTH: i32 = -1;
    const BY_VALUE: bool = false;
    const ALIGNMENT: u8 = pg_sys::TYPALIGN_INT;
}

// SAFETY: pgrx makes a bytea.
unsafe impl Bind for &[u8] {
    type Given<'a> = &'a [u8];
    const OID: pg_sys::Oid = pg_sys::BYTEAOID;

    #[inline(never)]
    fn bind(given: &[u8]) -> NullableDatum {
        given.into_datum()
    }
}

// SAFETY: from pg_type.
unsafe impl Element for &[u8] {
    const ARRAY: pg_sys::Oid = pg_sys::BYTEAARRAYOID;
    const LENGTH: i32 = -1;
    const BY_VALUE: bool = false;
    const ALIGNMENT: u8 = pg_sys::TYPALIGN_INT;
}

impl Fetch for Vec<String> {
    type Fetched<'r> = Vec<String>;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::TEXTARRAYOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: an array of texts; a null among them makes it none.
        unsafe { Vec::<Option<String>>::from_datum(datum?, false) }?
            .into_iter()
            .collect()
    }
}

// SAFETY: pgrx makes an interval.
unsafe impl Bind for Interval {
    type Given<'a> = Interval;
    const OID: pg_sys::Oid = pg_sys::INTERVALOID;

    #[inline(never)]
    fn bind(given: Interval) -> NullableDatum {
        given.into_datum()
    }
}

// SAFETY: a text.
unsafe impl Bind for Scope {
    type Given<'a> = Scope;
    const OID: pg_sys::Oid = pg_sys::TEXTOID;

    fn bind(given: Scope) -> NullableDatum {
        given.name().into_datum()
    }
}

impl Fetch for Scope {
    type Fetched<'r> = Scope;

    fn is(oid: pg_sys::Oid) -> bool {
        String::is(oid)
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: as the caller's.
        unsafe { String::fetch(datum) }?.parse().ok()
    }
}

/// A name of Postgres' own, such as a role's.
#[derive(Debug)]
pub struct Name(pub String);

// SAFETY: makes a name.
unsafe impl Bind for Name {
    type Given<'a> = &'a str;
    const OID: pg_sys::Oid = pg_sys::NAMEOID;

    #[inline(never)]
    fn bind(given: &str) -> NullableDatum {
        let given = CString::new(given).ok()?;
        // SAFETY: the name is palloc'd, and holds whatever of the string fits a name.
        unsafe {
            let name = pg_sys::palloc0(size_of::<pg_sys::NameData>()).cast();
            pg_sys::namestrcpy(name, given.as_ptr());
            Some(pg_sys::Datum::from(name))
        }
    }
}

impl Fetch for Name {
    type Fetched<'r> = Name;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::NAMEOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: a name ends with a zero byte.
        let name = unsafe { CStr::from_ptr(datum?.cast_mut_ptr()) };
        Some(Name(name.to_str().ok()?.to_owned()))
    }
}

// SAFETY: that of what may be null.
unsafe impl<T: Bind> Bind for Option<T> {
    type Given<'a> = Option<T::Given<'a>>;
    const OID: pg_sys::Oid = T::OID;

    fn bind(given: Self::Given<'_>) -> NullableDatum {
        given.and_then(T::bind)
    }
}

impl<T: Fetch> Fetch for Option<T> {
    type Fetched<'r> = Option<T::Fetched<'r>>;

    fn is(oid: pg_sys::Oid) -> bool {
        T::is(oid)
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        match datum {
            None => Some(None),
            // SAFETY: as the caller's.
            some => unsafe { T::fetch(some) }.map(Some),
        }
    }
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

/// The values and the nulls, as Postgres' functions take them.
pub fn split(datums: impl IntoIterator<Item = NullableDatum>) -> (Vec<pg_sys::Datum>, Vec<bool>) {
    datums
        .into_iter()
        .map(|datum| (datum.unwrap_or(pg_sys::Datum::null()), datum.is_none()))
        .unzip()
}

/// What goes into Postgres together: the arguments of a statement, the columns of an answer.
///
/// # Safety
/// `bind` makes a datum of each of the types, in their order.
pub unsafe trait BindAll {
    type Given<'a>;
    const OIDS: &'static [pg_sys::Oid];

    fn bind(given: Self::Given<'_>) -> Vec<NullableDatum>;
}

/// The columns of a row.
pub trait FetchAll {
    type Fetched<'r>;
    const COUNT: usize;

    fn are(oids: &[pg_sys::Oid]) -> bool;

    /// Where a column is not what its type says, its number from 1.
    ///
    /// # Safety
    /// As [`Fetch::fetch`], of each column.
    unsafe fn fetch<'r>(values: &[pg_sys::Datum], nulls: &[bool]) -> Result<Self::Fetched<'r>, usize>;
}

macro_rules! tuple {
    ($($of:ident $number:tt),*) => {
        // SAFETY: that of each.
        unsafe impl<$($of: Bind),*> BindAll for ($($of,)*) {
            type Given<'a> = ($($of::Given<'a>,)*);
            const OIDS: &'static [pg_sys::Oid] = &[$($of::OID),*];

            fn bind(given: Self::Given<'_>) -> Vec<NullableDatum> {
                vec![$($of::bind(given.$number)),*]
            }
        }

        impl<$($of: Fetch),*> FetchAll for ($($of,)*) {
            type Fetched<'r> = ($($of::Fetched<'r>,)*);
            const COUNT: usize = [$($number),*].len();

            fn are(oids: &[pg_sys::Oid]) -> bool {
                let types: &[fn(pg_sys::Oid) -> bool] = &[$($of::is),*];
                types.len() == oids.len() && types.iter().zip(oids).all(|(is, oid)| is(*oid))
            }

            unsafe fn fetch<'r>(
                values: &[pg_sys::Datum],
                nulls: &[bool],
            ) -> Result<Self::Fetched<'r>, usize> {
                // SAFETY: as the caller's.
                unsafe {
                    Ok(($(
                        $of::fetch(
                            (nulls.get($number) == Some(&false)).then(|| values[$number]),
                        ).ok_or($number + 1_usize)?,
                    )*))
                }
            }
        }
    };
}

/// Columns of one kind before those of another.
pub struct Then<A, B>(pub A, pub B);

impl<A: FetchAll, B: FetchAll> FetchAll for Then<A, B> {
    type Fetched<'r> = Then<A::Fetched<'r>, B::Fetched<'r>>;
    const COUNT: usize = A::COUNT + B::COUNT;

    fn are(oids: &[pg_sys::Oid]) -> bool {
        oids.split_at_checked(A::COUNT)
            .is_some_and(|(first, rest)| A::are(first) && B::are(rest))
    }

    unsafe fn fetch<'r>(values: &[pg_sys::Datum], nulls: &[bool]) -> Result<Self::Fetched<'r>, usize> {
        let at = A::COUNT;
        // SAFETY: as the caller's; there are as many columns as were compared.
        unsafe {
            let first = A::fetch(&values[..at], &nulls[..at])?;
            let rest = B::fetch(&values[at..], &nulls[at..]);
            Ok(Then(first, rest.map_err(|column| at + column)?))
        }
    }
}

// SAFETY: of no columns.
unsafe impl BindAll for () {
    type Given<'a> = ();
    const OIDS: &'static [pg_sys::Oid] = &[];

    fn bind((): ()) -> Vec<NullableDatum> {
        Vec::new()
    }
}

impl FetchAll for () {
    type Fetched<'r> = ();
    const COUNT: usize = 0;

    fn are(oids: &[pg_sys::Oid]) -> bool {
        oids.is_empty()
    }

    unsafe fn fetch<'r>(_: &[pg_sys::Datum], _: &[bool]) -> Result<Self::Fetched<'r>, usize> {
        Ok(())
    }
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);

/// An id as it came in an argument.
pub fn id(id: pgrx::Uuid) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

/// An id as a function returns it.
pub fn pg_id(id: Uuid) -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(id.into_bytes())
}

/// As binding an id, without a copy: for a hot loop, where the id outlives the row it is put into.
pub fn borrowed_id(id: &Uuid) -> NullableDatum {
    Some(pg_sys::Datum::from(id.as_bytes().as_ptr().cast_mut()))
}
