//! A column of values some of which are null, that costs nothing as long as all of them are, or none.

use std::ops::Range;

use arrow_array::{ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::{ArrowNativeType, NullBuffer, NullBufferBuilder, ScalarBuffer};

/// Values and nulls as they come. The nulls before the first value are only counted: often that is all there is, such as
/// the ends of a series of moments.
#[derive(Debug)]
pub(super) struct Nullable<T> {
    leading_nulls: usize,
    values: Vec<T>,
    valid: NullBufferBuilder,
}

/// The whole of a [`Nullable`], to be sliced.
#[derive(Debug)]
pub(super) enum Finished<T: ArrowNativeType> {
    AllNull,
    Values(ScalarBuffer<T>, Option<NullBuffer>),
}

impl<T> Default for Nullable<T> {
    fn default() -> Nullable<T> {
        Nullable {
            leading_nulls: 0,
            values: Vec::new(),
            valid: NullBufferBuilder::new(0),
        }
    }
}

impl<T: ArrowNativeType> Nullable<T> {
    pub(super) fn reserve(&mut self, more: usize) {
        self.values.reserve(more);
    }

    #[inline]
    pub(super) fn push(&mut self, value: Option<T>) {
        match value {
            Some(value) => {
                if self.values.is_empty() {
                    self.spell_out_leading_nulls();
                }
                self.values.push(value);
                self.valid.append_non_null();
            }
            None if self.values.is_empty() => self.leading_nulls += 1,
            None => {
                self.values.push(T::default());
                self.valid.append_null();
            }
        }
    }

    #[cold]
    fn spell_out_leading_nulls(&mut self) {
        self.values.resize(self.leading_nulls, T::default());
        if self.leading_nulls > 0 {
            self.valid.append_n_nulls(self.leading_nulls);
        }
    }

    pub(super) fn finish(self) -> Finished<T> {
        if self.values.is_empty() {
            return Finished::AllNull;
        }
        Finished::Values(self.values.into(), self.valid.build())
    }
}

impl<T: ArrowNativeType> Finished<T> {
    /// The rows of a batch.
    pub(super) fn slice<A: ArrowPrimitiveType<Native = T>>(&self, rows: Range<usize>) -> PrimitiveArray<A> {
        match self {
            Finished::AllNull => PrimitiveArray::new_null(rows.len()),
            Finished::Values(values, valid) => PrimitiveArray::new(
                values.slice(rows.start, rows.len()),
                valid.as_ref().map(|valid| valid.slice(rows.start, rows.len())),
            ),
        }
    }
}
