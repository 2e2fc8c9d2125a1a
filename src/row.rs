//! One row of a table or of a query's result, by column number. The only file that opens a tuple.

use pgrx::pg_sys;
use std::mem::size_of;
use uuid::Uuid;

/// A row's columns, by number from 1. Null, and a column that is not there, are `None`.
pub struct Row {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl Row {
    /// # Safety
    /// The tuple is of the shape described, and outlives the row.
    pub unsafe fn of(tuple: pg_sys::HeapTuple, shape: pg_sys::TupleDesc) -> Row {
        // SAFETY: both vectors have room for each column of the shape.
        unsafe {
            let columns = (*shape).natts as usize;
            let mut row = Row {
                values: vec![pg_sys::Datum::null(); columns],
                nulls: vec![true; columns],
            };
            pg_sys::heap_deform_tuple(
                tuple,
                shape,
                row.values.as_mut_ptr(),
                row.nulls.as_mut_ptr(),
            );
            row
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

    /// The column's bytes as they stand in memory, header included, detoasted: a copy that outlives the row.
    pub fn image(&self, number: usize) -> Option<Image> {
        // SAFETY: the column is a varlena; detoasting returns it, or a palloc'd copy, whole and with its header.
        unsafe {
            let stored: *mut pg_sys::varlena = self.column(number)?.cast_mut_ptr();
            let varlena = pg_sys::pg_detoast_datum(stored);
            let length = pgrx::varlena::varsize_any(varlena);
            let image = Image::copy(varlena.cast(), length);
            if varlena != stored {
                // A read opens thousands of rows before anybody frees what they leave.
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

    /// The datum, valid as long as the image.
    pub fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.words.as_ptr().cast_mut())
    }

    /// The bytes behind the header.
    pub fn payload(&self) -> &[u8] {
        let start = self.words.as_ptr().cast::<u8>();
        // SAFETY: the image is a whole detoasted varlena, whose header is 4 bytes, and `length` bytes long.
        unsafe {
            let header = pgrx::varlena::vardata_any(start.cast()).byte_offset_from(start) as usize;
            std::slice::from_raw_parts(start.add(header), self.length - header)
        }
    }
}
