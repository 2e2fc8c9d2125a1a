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
///
/// # Safety
/// `fetch` takes a datum of every type that `is` allows.
pub unsafe trait Fetch {
    type Fetched<'r>;

    /// Whether a column of this type can be fetched so.
    fn is(oid: pg_sys::Oid) -> bool;

    /// None where the value is one that the Rust type does not have, null among others.
    ///
    /// # Safety
    /// The datum is of a type that [`Fetch::is`] allows, and stays as long as the row.
    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>>;
}

/// A type that is the same in Rust on its way in and out, by the conversion that pgrx has.
macro_rules! plain {
    ($($of:ty: $oid:ident;)*) => {$(
        // SAFETY: pgrx makes a datum of just this type.
        unsafe impl Bind for $of {
            type Given<'a> = $of;
            const OID: pg_sys::Oid = pg_sys::$oid;

            fn bind(given: $of) -> NullableDatum {
                given.into_datum()
            }
        }

        // SAFETY: the datum is looked at as a value of just the types allowed.
        unsafe impl Fetch for $of {
            type Fetched<'r> = $of;

            fn is(oid: pg_sys::Oid) -> bool {
                oid == pg_sys::$oid
            }

            unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
                // SAFETY: the datum is of this type.
                unsafe { <$of>::from_datum(datum?, false) }
            }
        }
    )*};
}

plain! {
    bool: BOOLOID;
    i16: INT2OID;
    i32: INT4OID;
    i64: INT8OID;
    f64: FLOAT8OID;
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

        // SAFETY: the datum is looked at as a value of just the types allowed.
        unsafe impl Fetch for $of {
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

// SAFETY: the datum is looked at as a value of just the types allowed.
unsafe impl Fetch for Timestamptz {
    type Fetched<'r> = Timestamptz;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::TIMESTAMPTZOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        Some(Timestamptz(datum?.value() as i64))
    }
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

// SAFETY: the datum is looked at as a value of just the types allowed.
unsafe impl Fetch for Uuid {
    type Fetched<'r> = Uuid;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::UUIDOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: a uuid is a pointer to 16 bytes.
        Some(Uuid::from_bytes(unsafe { *datum?.cast_mut_ptr() }))
    }
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

// SAFETY: the datum is looked at as a value of just the types allowed.
unsafe impl Fetch for String {
    type Fetched<'r> = String;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::TEXTOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: a text is a varlena; the string is a copy.
        unsafe { String::from_datum(datum?, false) }
    }
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

// SAFETY: the datum is looked at as a value of just the types allowed.
unsafe impl Fetch for Vec<String> {
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

// SAFETY: an interval is a pointer to its parts.
unsafe impl Fetch for timedb_core::calendar::Interval {
    type Fetched<'r> = timedb_core::calendar::Interval;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::INTERVALOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: see above.
        let parts = unsafe { &*datum?.cast_mut_ptr::<pg_sys::Interval>() };
        Some(timedb_core::calendar::Interval {
            months: parts.month,
            days: parts.day,
            micros: parts.time,
        })
    }
}

/// A time of day, in microseconds since midnight: of a whole day the end too.
pub struct TimeOfDay(pub i64);

// SAFETY: a time is a number of microseconds.
unsafe impl Fetch for TimeOfDay {
    type Fetched<'r> = TimeOfDay;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::TIMEOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        Some(TimeOfDay(datum?.value() as i64))
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

// SAFETY: the datum is looked at as a value of just the types allowed.
unsafe impl Fetch for Scope {
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

// SAFETY: the datum is looked at as a value of just the types allowed.
unsafe impl Fetch for Name {
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

// SAFETY: the datum is looked at as a value of just the types allowed.
unsafe impl<T: Fetch> Fetch for Option<T> {
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

/// The values and the nulls, as Postgres' functions take them.
pub fn split(datums: impl IntoIterator<Item = NullableDatum>) -> (Vec<pg_sys::Datum>, Vec<bool>) {
    datums
        .into_iter()
        .map(|datum| (datum.unwrap_or(pg_sys::Datum::null()), datum.is_none()))
        .unzip()
}

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
