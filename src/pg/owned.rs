//! A value of variable length in memory of our own, for as long as rows point to it: whatever frees it needs no memory of
//! Postgres', which may be gone by then.

use super::datum::NullableDatum;
use pgrx::pg_sys;

pub struct Owned(Option<Box<[u64]>>);

impl Owned {
    /// A copy of what `make` makes; in memory of Postgres' own, which is freed.
    ///
    /// # Safety
    /// It makes a varlena that is not toasted, or null.
    pub unsafe fn of(make: impl FnOnce() -> NullableDatum) -> Owned {
        // SAFETY: see above; the copy has room for all bytes, and is aligned as whatever is in a varlena.
        unsafe {
            let Some(datum) = make() else {
                return Owned(None);
            };
            let start = datum.cast_mut_ptr::<pg_sys::varlena>();
            let length = pgrx::varlena::varsize_any(start);
            let mut copy = vec![0u64; length.div_ceil(size_of::<u64>())].into_boxed_slice();
            std::ptr::copy_nonoverlapping(start.cast::<u8>(), copy.as_mut_ptr().cast(), length);
            pg_sys::pfree(start.cast());
            Owned(Some(copy))
        }
    }

    pub fn none() -> Owned {
        Owned(None)
    }

    /// Bytes of a fixed length, such as an id's.
    pub fn bytes(bytes: &[u8]) -> Owned {
        let mut copy = vec![0u64; bytes.len().div_ceil(size_of::<u64>())].into_boxed_slice();
        // SAFETY: there is room for as many.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy.as_mut_ptr().cast(), bytes.len()) };
        Owned(Some(copy))
    }

    /// Points into this.
    pub fn datum(&self) -> NullableDatum {
        let copy = self.0.as_ref()?;
        Some(pg_sys::Datum::from(copy.as_ptr().cast_mut()))
    }
}
