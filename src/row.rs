//! One row of a table or of a query's result, by column number. The only file that opens a tuple.

use crate::cell::Cell;
use pgrx::pg_sys;
use std::mem::size_of;
use uuid::Uuid;

/// A row's columns, by number from 1, where they stand in Postgres' memory. Null, and a column that is not there, are
/// `None`.
pub struct Row<'a> {
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
}

impl Row<'_> {
    /// # Safety
    /// The slot holds a row, and keeps it until `read` has returned.
    pub unsafe fn in_slot<T>(slot: *mut pg_sys::TupleTableSlot, read: impl FnOnce(&Row) -> T) -> T {
        // SAFETY: once all its columns are taken apart, a slot's arrays have one element for each.
        unsafe {
            pg_sys::slot_getallattrs(slot);
            let columns = (*slot).tts_nvalid as usize;
            read(&Row {
                values: std::slice::from_raw_parts((*slot).tts_values, columns),
                nulls: std::slice::from_raw_parts((*slot).tts_isnull, columns),
            })
        }
    }

    /// # Safety
    /// The tuple is of the shape described, and outlives the call.
    pub unsafe fn in_tuple<T>(
        tuple: pg_sys::HeapTuple,
        shape: pg_sys::TupleDesc,
        read: impl FnOnce(&Row) -> T,
    ) -> T {
        // SAFETY: both vectors have room for each column of the shape.
        unsafe {
            let columns = (*shape).natts as usize;
            let mut values = vec![pg_sys::Datum::null(); columns];
            let mut nulls = vec![true; columns];
            pg_sys::heap_deform_tuple(tuple, shape, values.as_mut_ptr(), nulls.as_mut_ptr());
            read(&Row {
                values: &values,
                nulls: &nulls,
            })
        }
    }

    pub fn column(&self, number: usize) -> Option<pg_sys::Datum> {
        if *self.nulls.get(number - 1)? {
            None
        } else {
            self.values.get(number - 1).copied()
        }
    }

    pub fn uuid(&self, number: usize) -> Option<Uuid> {
        let datum = self.column(number)?;
        // SAFETY: a uuid column holds a pointer to 16 bytes.
        let bytes = unsafe { *datum.cast_mut_ptr::<[u8; 16]>() };
        Some(Uuid::from_bytes(bytes))
    }

    pub fn text(&self, number: usize) -> Option<String> {
        // SAFETY: a text column holds a varlena; the string is a copy.
        unsafe { pgrx::FromDatum::from_datum(self.column(number)?, false) }
    }

    pub fn micros(&self, number: usize) -> Option<i64> {
        Some(self.column(number)?.value() as i64)
    }

    /// The bytes behind the header of a varlena, detoasted, while `read` looks at them.
    pub fn payload<T>(&self, number: usize, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        // SAFETY: the column is a varlena; a short one stays where it is, whatever was toasted becomes a palloc'd copy.
        unsafe {
            let stored: *mut pg_sys::varlena = self.column(number)?.cast_mut_ptr();
            let varlena = pg_sys::pg_detoast_datum_packed(stored);
            let start = pgrx::varlena::vardata_any(varlena).cast::<u8>();
            let length = pgrx::varlena::varsize_any_exhdr(varlena);
            let result = read(std::slice::from_raw_parts(start, length));
            if varlena != stored {
                // A read opens thousands of rows before anybody frees what they leave.
                pg_sys::pfree(varlena.cast());
            }
            Some(result)
        }
    }

    /// The column's varlena as it stands in memory, header included, detoasted: a copy that outlives the row.
    pub fn image(&self, number: usize) -> Option<Image> {
        // SAFETY: the column is a varlena; detoasting returns it, or a palloc'd copy, whole and with its header.
        unsafe {
            let stored: *mut pg_sys::varlena = self.column(number)?.cast_mut_ptr();
            let varlena = pg_sys::pg_detoast_datum(stored);
            let length = pgrx::varlena::varsize_any(varlena);
            let image = Image::copy(varlena.cast(), length);
            if varlena != stored {
                pg_sys::pfree(varlena.cast());
            }
            Some(image)
        }
    }

    pub fn bool(&self, number: usize) -> Option<bool> {
        Some(self.column(number)?.value() & 1 != 0)
    }
}

/// A copy of a varlena outside Postgres' memory, to be handed back to it as a datum.
pub struct Image {
    /// Words, because Postgres reads the four-byte header of a varlena aligned.
    words: Vec<u64>,
    length: usize,
}

impl Image {
    /// # Safety
    /// `length` bytes can be read at `start`.
    unsafe fn copy(start: *const u8, length: usize) -> Image {
        let mut words = vec![0u64; length.div_ceil(size_of::<u64>())];
        // SAFETY: the words hold at least `length` bytes, and are new.
        unsafe { std::ptr::copy_nonoverlapping(start, words.as_mut_ptr().cast(), length) };
        Image { words, length }
    }

    /// Of a palloc'd value, which is freed.
    pub fn of(cell: Cell) -> Option<Image> {
        // SAFETY: the caller's cell is a varlena that it has just made: whole, with a header of 4 bytes.
        unsafe {
            let varlena: *mut pg_sys::varlena = cell?.cast_mut_ptr();
            let image = Image::copy(varlena.cast(), pgrx::varlena::varsize_any(varlena));
            pg_sys::pfree(varlena.cast());
            Some(image)
        }
    }

    /// The datum, valid as long as the image.
    pub fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.words.as_ptr().cast_mut())
    }

    /// The elements of what is an array of texts, without nulls.
    pub fn texts(&self) -> Vec<String> {
        // SAFETY: the caller's image is one of a text array.
        let texts: Option<Vec<String>> =
            unsafe { pgrx::FromDatum::from_datum(self.datum(), false) };
        texts.unwrap_or_default()
    }

    /// The bytes behind the header.
    pub fn payload(&self) -> &[u8] {
        const HEADER: usize = size_of::<u32>();
        let start = self.words.as_ptr().cast::<u8>();
        // SAFETY: the image is a whole detoasted varlena, `length` bytes long, whose header is 4 bytes.
        unsafe { std::slice::from_raw_parts(start.add(HEADER), self.length - HEADER) }
    }
}
