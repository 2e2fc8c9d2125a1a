//! Rows on their way between a router and its servers, as bytes: of each row only the columns that differ from the row before.
//!
//! ```text
//! varint   how many columns there are
//! row*     a bit for each column, from the lowest on, 1 where it differs from the row before; then of each of these
//!          a varint, 0 for null, else one more than the length of the content, and the content
//! ```
//!
//! Of a read most columns are those of a series and a run, the same in thousands of rows. What a content is both ends know.

use std::collections::TryReserveError;

use crate::points::Corrupt;
use crate::points::bytes::cursor::{Cursor, push_varint};

/// As many as a table may have.
const MOST_COLUMNS: u64 = 1600;
const BITS: usize = u8::BITS as usize;
/// The bytes that a length takes at most.
const MOST_OF_A_LENGTH: usize = 10;

/// Rows that are written one after the other, of each its columns in their order.
pub struct Writer {
    columns: usize,
    bytes: Vec<u8>,
    /// Where the bits of the row are.
    row: usize,
}

impl Writer {
    pub fn of(columns: usize) -> Writer {
        let mut writer = Writer {
            columns,
            bytes: Vec::new(),
            row: 0,
        };
        writer.begin();
        writer
    }

    fn begin(&mut self) {
        push_varint(&mut self.bytes, self.columns as u64);
    }

    pub fn begin_row(&mut self) {
        self.row = self.bytes.len();
        self.bytes.resize(self.row + self.columns.div_ceil(BITS), 0);
    }

    /// A column of the row that is not as in the row before; of the first row each is to be told.
    pub fn null(&mut self, column: usize) {
        self.mark(column);
        push_varint(&mut self.bytes, 0);
    }

    /// The same of a content, in two parts; refused where there is no memory for it, which may be large.
    pub fn content(&mut self, column: usize, parts: [&[u8]; 2]) -> Result<(), TryReserveError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.bytes.try_reserve(length + MOST_OF_A_LENGTH)?;
        self.mark(column);
        push_varint(&mut self.bytes, length as u64 + 1);
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        Ok(())
    }

    fn mark(&mut self, column: usize) {
        self.bytes[self.row + column / BITS] |= 1 << (column % BITS);
    }

    /// How many bytes have been written.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What has been written; what follows is read by itself.
    pub fn take(&mut self) -> Vec<u8> {
        let taken = std::mem::take(&mut self.bytes);
        self.begin();
        taken
    }
}

/// Rows as they were written. The bytes come from another server, and are looked at as if it were anybody's.
pub struct Reader<'a> {
    cursor: Cursor<'a>,
    columns: usize,
    is_first: bool,
}

impl<'a> Reader<'a> {
    pub fn of(bytes: &'a [u8]) -> Result<Reader<'a>, Corrupt> {
        let mut cursor = Cursor(bytes);
        let columns = cursor.varint()?;
        if columns > MOST_COLUMNS || columns == 0 && !cursor.0.is_empty() {
            return Err(Corrupt("there are no such columns"));
        }
        Ok(Reader {
            cursor,
            columns: columns as usize,
            is_first: true,
        })
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether there is no other row.
    pub fn is_at_end(&self) -> bool {
        self.cursor.0.is_empty()
    }

    /// Shows what differs in the next row, if there is one.
    pub fn next_row<E: From<Corrupt>>(
        &mut self,
        mut each: impl FnMut(usize, Option<&'a [u8]>) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.is_at_end() {
            return Ok(false);
        }
        let bits = self.cursor.take(self.columns.div_ceil(BITS))?;
        for column in 0..self.columns {
            if bits[column / BITS] & 1 << (column % BITS) != 0 {
                each(column, self.content()?)?;
            } else if self.is_first {
                return Err(Corrupt("the first row is as none before").into());
            }
        }
        self.is_first = false;
        Ok(true)
    }

    fn content(&mut self) -> Result<Option<&'a [u8]>, Corrupt> {
        match self.cursor.varint()?.checked_sub(1) {
            None => Ok(None),
            Some(length) => {
                let length = usize::try_from(length).map_err(|_| Corrupt("truncated"))?;
                self.cursor.take(length).map(Some)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Row = Vec<Option<Vec<u8>>>;

    fn write(columns: usize, rows: &[Row]) -> Vec<u8> {
        let mut writer = Writer::of(columns);
        for (number, row) in rows.iter().enumerate() {
            writer.begin_row();
            for (column, content) in row.iter().enumerate() {
                if number > 0 && rows[number - 1][column] == *content {
                    continue;
                }
                match content {
                    None => writer.null(column),
                    Some(content) => {
                        let (one, other) = content.split_at(content.len() / 2);
                        writer.content(column, [one, other]).expect("memory");
                    }
                }
            }
        }
        writer.take()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Row>, Corrupt> {
        let mut reader = Reader::of(bytes)?;
        let mut row: Row = vec![None; reader.columns()];
        let mut rows = Vec::new();
        while reader.next_row::<Corrupt>(|column, content| {
            row[column] = content.map(<[u8]>::to_vec);
            Ok(())
        })? {
            rows.push(row.clone());
        }
        Ok(rows)
    }

    #[test]
    fn what_is_as_in_the_row_before_takes_a_bit() {
        let row: Row = vec![Some(b"wind".to_vec()), None, Some(vec![0; 16])];
        let one = write(3, std::slice::from_ref(&row)).len();
        assert_eq!(write(3, &vec![row; 1001]).len(), one + 1000);
    }

    #[test]
    fn what_is_taken_in_parts_is_read_part_by_part() {
        let mut writer = Writer::of(1);
        for _ in 0..2 {
            writer.begin_row();
            writer.content(0, [b"a", b""]).expect("memory");
            assert_eq!(read(&writer.take()), Ok(vec![vec![Some(b"a".to_vec())]]));
        }
    }

    #[test]
    fn no_columns_have_no_rows() {
        assert_eq!(read(&Writer::of(0).take()), Ok(Vec::new()));
        assert!(read(&[0, 0]).is_err());
        assert!(read(&[]).is_err());
    }

    #[test]
    fn a_first_row_that_refers_to_one_before_is_refused() {
        assert!(read(&[2, 0b01, 1]).is_err());
    }

    proptest! {
        #[test]
        fn every_row_comes_back(
            rows in (1..20usize).prop_flat_map(|columns| {
                let content = prop::option::of(prop::collection::vec(0..2u8, 0..3));
                prop::collection::vec(prop::collection::vec(content, columns), 0..20)
            }),
        ) {
            let columns = rows.first().map_or(1, Vec::len);
            prop_assert_eq!(read(&write(columns, &rows)), Ok(rows));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
