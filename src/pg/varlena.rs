//! Values of variable length that are passed on as they came, or looked at where they stand: arguments whose contents
//! Postgres' own functions know, and the packed bytes of timedb's two types.

use super::datum::{Bind, Fetch, NullableDatum};
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::{Array, FromDatum, IntoDatum, pg_sys};
use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};

/// Says to pgrx what it asks of every type in a function's signature, and then never uses: all of SQL is written by hand.
macro_rules! no_generated_sql {
    ($of:ty, $ident:literal) => {
        // SAFETY: never used: every function is declared by hand in sql/.
        unsafe impl ::pgrx::pgrx_sql_entity_graph::metadata::SqlTranslatable for $of {
            const TYPE_IDENT: &'static str = $ident;
            const TYPE_ORIGIN: ::pgrx::pgrx_sql_entity_graph::metadata::TypeOrigin =
                ::pgrx::pgrx_sql_entity_graph::metadata::TypeOrigin::External;
            const ARGUMENT_SQL: Result<
                ::pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef,
                ::pgrx::pgrx_sql_entity_graph::metadata::ArgumentError,
            > = Ok(::pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef::literal(
                "unused",
            ));
            const RETURN_SQL: Result<
                ::pgrx::pgrx_sql_entity_graph::metadata::ReturnsRef,
                ::pgrx::pgrx_sql_entity_graph::metadata::ReturnsError,
            > = Ok(::pgrx::pgrx_sql_entity_graph::metadata::ReturnsRef::One(
                ::pgrx::pgrx_sql_entity_graph::metadata::SqlMappingRef::literal("unused"),
            ));
        }
    };
}
pub(crate) use no_generated_sql;

/// An argument that is passed on to a statement as it came.
macro_rules! passed {
    ($($(#[$doc:meta])* $of:ident: $oid:ident, $ident:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $of(pg_sys::Datum);

        impl FromDatum for $of {
            unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<$of> {
                (!is_null).then_some($of(datum))
            }
        }

        // SAFETY: the function that takes it is declared to take this type.
        unsafe impl<'fcx> ArgAbi<'fcx> for $of {
            unsafe fn unbox_arg_unchecked(argument: Arg<'_, 'fcx>) -> $of {
                // SAFETY: any datum will do, as it is not looked into.
                unsafe { argument.unbox_arg_using_from_datum() }.unwrap_or($of(pg_sys::Datum::null()))
            }
        }

        // SAFETY: it is passed on as what it came as.
        unsafe impl Fetch for $of {
            type Fetched<'r> = $of;

            fn is(oid: pg_sys::Oid) -> bool {
                oid == pg_sys::$oid
            }

            unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
                datum.map($of)
            }
        }

        // SAFETY: it came as this type.
        unsafe impl Bind for $of {
            type Given<'a> = $of;
            const OID: pg_sys::Oid = pg_sys::$oid;

            fn bind(given: $of) -> NullableDatum {
                Some(given.0)
            }
        }

        no_generated_sql!($of, $ident);
    )*};
}

passed! {
    Jsonb: JSONBOID, "timedb::Jsonb";
    Json: JSONOID, "timedb::Json";
    TextArray: TEXTARRAYOID, "timedb::TextArray";
    UuidArray: UUIDARRAYOID, "timedb::UuidArray";
    JsonbArray: JSONBARRAYOID, "timedb::JsonbArray";
}

/// A `jsonb` of a row, to be put into an answer while the row is looked at.
pub struct RowJsonb<'r>(pg_sys::Datum, PhantomData<&'r ()>);

// SAFETY: the datum is of this type, and stays as long as the row.
unsafe impl Fetch for RowJsonb<'_> {
    type Fetched<'r> = RowJsonb<'r>;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == Jsonb::OID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        datum.map(|datum| RowJsonb(datum, PhantomData))
    }
}

// SAFETY: it was fetched as this type.
unsafe impl Bind for RowJsonb<'_> {
    type Given<'a> = RowJsonb<'a>;
    const OID: pg_sys::Oid = Jsonb::OID;

    fn bind(given: RowJsonb<'_>) -> NullableDatum {
        Some(given.0)
    }
}

/// An array whose elements can be asked for nulls.
pub trait PassedArray: Copy {
    fn array(self) -> pg_sys::Datum;

    fn has_nulls(self) -> bool {
        // SAFETY: it came as an array.
        unsafe {
            let array = pg_sys::pg_detoast_datum(self.array().cast_mut_ptr());
            pg_sys::array_contains_nulls(array.cast())
        }
    }
}

impl PassedArray for TextArray {
    fn array(self) -> pg_sys::Datum {
        self.0
    }
}

impl TextArray {
    /// Its elements that are not null.
    pub fn texts(self) -> Vec<String> {
        // SAFETY: it came as an array of texts.
        let array = unsafe { Array::<&str>::from_datum(self.0, false) };
        let texts = array.iter().flat_map(|array| array.iter().flatten());
        texts.map(str::to_owned).collect()
    }
}

impl PassedArray for UuidArray {
    fn array(self) -> pg_sys::Datum {
        self.0
    }
}

impl UuidArray {
    /// Its elements that are not null.
    pub fn ids(self) -> Vec<uuid::Uuid> {
        // SAFETY: it came as an array of uuids.
        let array = unsafe { Array::<pgrx::Uuid>::from_datum(self.0, false) };
        let ids = array.iter().flat_map(|array| array.iter().flatten());
        ids.map(super::datum::id).collect()
    }
}

impl Jsonb {
    /// By Postgres' own reading of a text that is JSON, of which it takes every part: where it does not, its error unwinds.
    pub fn of(text: &str) -> Option<Jsonb> {
        let text = CString::new(text).ok()?;
        let argument = Some(pg_sys::Datum::from(text.as_ptr()));
        // SAFETY: it takes a C string; what it makes is palloc'd.
        unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[argument]) }.map(Jsonb)
    }

    /// An object without a field.
    pub fn empty() -> Option<Jsonb> {
        let empty = serde_json::Value::Object(serde_json::Map::new());
        pgrx::JsonB(empty).into_datum().map(Jsonb)
    }
}

impl Json {
    /// The text of a `json`, which is stored as it was given.
    pub fn of(text: &str) -> Option<Json> {
        text.into_datum().map(Json)
    }
}

/// The bytes behind the header of a stored value, detoasted, for as long as its row is looked at.
pub struct Payload<'r> {
    stored: *mut pg_sys::varlena,
    varlena: *mut pg_sys::varlena,
    row: PhantomData<&'r [u8]>,
}

impl Payload<'_> {
    /// # Safety
    /// The datum is a varlena, and stays as long as the row.
    unsafe fn of<'r>(datum: NullableDatum) -> Option<Payload<'r>> {
        let stored = datum?.cast_mut_ptr();
        // SAFETY: a short one stays where it is, whatever was toasted becomes a palloc'd copy.
        let varlena = unsafe { pg_sys::pg_detoast_datum_packed(stored) };
        Some(Payload {
            stored,
            varlena,
            row: PhantomData,
        })
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the varlena is whole, and lives as long as this.
        unsafe {
            let start = pgrx::varlena::vardata_any(self.varlena).cast::<u8>();
            let length = pgrx::varlena::varsize_any_exhdr(self.varlena);
            std::slice::from_raw_parts(start, length)
        }
    }
}

// A read opens thousands of rows before anybody frees what they leave.
impl Drop for Payload<'_> {
    fn drop(&mut self) {
        if self.varlena != self.stored {
            // SAFETY: the copy is this value's own.
            unsafe { pg_sys::pfree(self.varlena.cast()) };
        }
    }
}

/// A text, for as long as its row is looked at.
pub struct Text<'r>(Payload<'r>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        // SAFETY: that it is UTF-8 was seen when it was fetched.
        unsafe { str::from_utf8_unchecked(&self.0) }
    }
}

// SAFETY: a varlena of just the type allowed.
unsafe impl Fetch for Text<'_> {
    type Fetched<'r> = Text<'r>;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::TEXTOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: a text is a varlena.
        let payload = unsafe { Payload::of(datum) }?;
        str::from_utf8(&payload).is_ok().then_some(Text(payload))
    }
}

/// A `bytea`, where it stands.
pub struct Bytes;

// SAFETY: a varlena of just the type allowed.
unsafe impl Fetch for Bytes {
    type Fetched<'r> = Payload<'r>;

    fn is(oid: pg_sys::Oid) -> bool {
        oid == pg_sys::BYTEAOID
    }

    unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
        // SAFETY: a bytea is a varlena.
        unsafe { Payload::of(datum) }
    }
}

/// A column of one of timedb's own types, which go by their names.
macro_rules! payload {
    ($($(#[$doc:meta])* $of:ident: $name:literal;)*) => {$(
        $(#[$doc])*
        pub struct $of;

        // SAFETY: a varlena of just the type allowed.
        unsafe impl Fetch for $of {
            type Fetched<'r> = Payload<'r>;

            fn is(oid: pg_sys::Oid) -> bool {
                static KNOWN: AtomicU32 = AtomicU32::new(0);
                is_named(oid, $name, &KNOWN)
            }

            unsafe fn fetch<'r>(datum: NullableDatum) -> Option<Self::Fetched<'r>> {
                // SAFETY: the type is a varlena.
                unsafe { Payload::of(datum) }
            }
        }
    )*};
}

payload! {
    PointsBytes: c"timedb.points";
    PackBytes: c"timedb.pack";
}

/// Asked whenever an execution begins: the type that had the name before is known by its number, as long as it is there.
fn is_named(oid: pg_sys::Oid, name: &CStr, known: &AtomicU32) -> bool {
    if known.load(Ordering::Relaxed) == oid.to_u32() {
        return true;
    }
    let flags = pg_sys::FORMAT_TYPE_FORCE_QUALIFY as u16;
    // SAFETY: the name is palloc'd, and whole whatever the search_path.
    let own = unsafe { CStr::from_ptr(pg_sys::format_type_extended(oid, -1, flags)) };
    let is = own == name;
    if is {
        known.store(oid.to_u32(), Ordering::Relaxed);
    }
    is
}

/// A packed value of timedb's own as a function takes and returns it: the bytes behind the header, as they came.
pub struct PackedBytes(pub Vec<u8>);

impl FromDatum for PackedBytes {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _type: pg_sys::Oid) -> Option<PackedBytes> {
        // SAFETY: a varlena, like bytea; the vector is a copy of what may be toasted.
        unsafe { Vec::from_polymorphic_datum(datum, is_null, pg_sys::BYTEAOID).map(PackedBytes) }
    }
}

// SAFETY: as from_polymorphic_datum.
unsafe impl<'fcx> ArgAbi<'fcx> for PackedBytes {
    unsafe fn unbox_arg_unchecked(argument: Arg<'_, 'fcx>) -> PackedBytes {
        // SAFETY: the functions that take it are declared to take such a type.
        unsafe { argument.unbox_arg_using_from_datum() }.unwrap_or(PackedBytes(Vec::new()))
    }
}

// SAFETY: the datum is a palloc'd varlena, like a bytea's.
unsafe impl BoxRet for PackedBytes {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.0.into_datum() {
            // SAFETY: see above.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

no_generated_sql!(PackedBytes, "timedb::PackedBytes");
