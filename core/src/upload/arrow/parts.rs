//! A record batch as it lies in the stream: for each column its nulls and its buffers, every one of them looked for within
//! the body, and as long as its rows need.

use arrow_ipc::{Buffer, FieldNode, RecordBatch};
use flatbuffers::VectorIter;

use super::Malformed;

/// What is left of a batch: its columns are taken in their order.
pub(super) struct Parts<'a> {
    pub(super) rows: usize,
    body: &'a [u8],
    nodes: VectorIter<'a, FieldNode>,
    buffers: VectorIter<'a, Buffer>,
    view_buffers: VectorIter<'a, i64>,
}

/// Which rows of a column are null.
#[derive(Clone, Copy, Debug)]
pub(super) enum Nulls<'a> {
    None,
    All,
    /// A bit for each row that is not.
    Unless(&'a [u8]),
}

/// Values of the same width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots<'a> {
    pub(super) nulls: Nulls<'a>,
    pub(super) bytes: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn of(batch: RecordBatch<'a>, body: &'a [u8]) -> Result<Parts<'a>, Malformed> {
        if batch.compression().is_some() {
            return Err(Malformed("it is compressed, where plain buffers are expected"));
        }
        let rows = usize::try_from(batch.length()).map_err(|_| Malformed("a batch has a length below zero"))?;
        Ok(Parts {
            rows,
            body,
            nodes: batch.nodes().unwrap_or_default().iter(),
            buffers: batch.buffers().unwrap_or_default().iter(),
            view_buffers: batch.variadicBufferCounts().unwrap_or_default().iter(),
        })
    }

    /// A column that has no buffers, only a length.
    pub(super) fn nothing(&mut self) -> Result<Slots<'a>, Malformed> {
        self.null_count()?;
        Ok(Slots {
            nulls: Nulls::All,
            bytes: &[],
        })
    }

    /// A column of values of this many bytes each.
    pub(super) fn slots(&mut self, width: usize) -> Result<Slots<'a>, Malformed> {
        Ok(Slots {
            nulls: self.nulls()?,
            bytes: self.buffer_for(self.rows, width)?,
        })
    }

    /// Where each row begins, and where the last one ends. Of no rows, not even that need be there.
    pub(super) fn offsets(&mut self, width: usize) -> Result<Slots<'a>, Malformed> {
        let offsets = if self.rows == 0 { 0 } else { self.rows.saturating_add(1) };
        Ok(Slots {
            nulls: self.nulls()?,
            bytes: self.buffer_for(offsets, width)?,
        })
    }

    /// The elements of the rows of the column just taken, as a column of their own: there are as many as it says.
    pub(super) fn within<T>(
        &mut self,
        read: impl FnOnce(&mut Parts<'a>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let node = self.nodes.clone().next().ok_or(LACKS_COLUMNS)?;
        let elements = usize::try_from(node.length());
        let elements = elements.map_err(|_| Malformed("a column has a length below zero"))?;
        let rows = std::mem::replace(&mut self.rows, elements);
        let read = read(self);
        self.rows = rows;
        read
    }

    /// A column that has parts, and beside them only nulls.
    pub(super) fn only_nulls(&mut self) -> Result<Nulls<'a>, Malformed> {
        self.nulls()
    }

    /// The buffers that the views of the column just taken point into.
    pub(super) fn view_buffers(&mut self) -> Result<Vec<&'a [u8]>, Malformed> {
        let count = self
            .view_buffers
            .next()
            .and_then(|count| usize::try_from(count).ok())
            .filter(|&count| count <= self.buffers.len())
            .ok_or(Malformed("a batch lacks buffers"))?;
        (0..count).map(|_| self.buffer()).collect()
    }

    pub(super) fn buffer(&mut self) -> Result<&'a [u8], Malformed> {
        let buffer = self.buffers.next().ok_or(Malformed("a batch lacks buffers"))?;
        usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(offset, length)| self.body.get(offset..)?.get(..length))
            .ok_or(Malformed("a buffer lies outside of its message"))
    }

    fn nulls(&mut self) -> Result<Nulls<'a>, Malformed> {
        let null_count = self.null_count()?;
        let bits = self.buffer()?;
        if null_count == 0 {
            return Ok(Nulls::None);
        }
        if bits.len() < self.rows.div_ceil(8) {
            return Err(SHORT);
        }
        Ok(Nulls::Unless(bits))
    }

    fn null_count(&mut self) -> Result<i64, Malformed> {
        let node = self.nodes.next().ok_or(LACKS_COLUMNS)?;
        if usize::try_from(node.length()) != Ok(self.rows) {
            return Err(Malformed("a column is not as long as its batch"));
        }
        Ok(node.null_count())
    }

    fn buffer_for(&mut self, values: usize, width: usize) -> Result<&'a [u8], Malformed> {
        let bytes = self.buffer()?;
        if values.checked_mul(width).is_none_or(|needed| bytes.len() < needed) {
            return Err(SHORT);
        }
        Ok(bytes)
    }
}

const LACKS_COLUMNS: Malformed = Malformed("a batch lacks columns");
const SHORT: Malformed = Malformed("a buffer is shorter than its rows");

impl Nulls<'_> {
    pub(super) fn has(&self, row: usize) -> bool {
        match self {
            Nulls::None => false,
            Nulls::All => true,
            Nulls::Unless(bits) => bits.get(row / 8).is_none_or(|byte| byte >> (row % 8) & 1 == 0),
        }
    }
}

impl Slots<'_> {
    /// The value of a row, unless it is null.
    pub(super) fn get<const WIDTH: usize>(&self, row: usize) -> Option<[u8; WIDTH]> {
        if self.nulls.has(row) {
            return None;
        }
        at(self.bytes, row)
    }
}

/// The value at a place among values of the same width.
pub(super) fn at<const WIDTH: usize>(bytes: &[u8], place: usize) -> Option<[u8; WIDTH]> {
    bytes.get(place * WIDTH..)?.first_chunk().copied()
}
