//! The distinct texts of one column, which its rows name by code.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;

/// Texts in first-seen order, none of them twice: pandas refuses categories that repeat.
#[derive(Debug, Default)]
pub(super) struct Texts {
    codes: HashMap<Box<str>, i32>,
    joined: String,
    ends: Vec<usize>,
}

impl Texts {
    /// The code of a text: its place among the distinct ones.
    pub(super) fn code(&mut self, text: &str) -> i32 {
        if let Some(&code) = self.codes.get(text) {
            return code;
        }
        let code = self.ends.len() as i32;
        self.joined.push_str(text);
        self.ends.push(self.joined.len());
        self.codes.insert(text.into(), code);
        code
    }

    /// What the texts take in a stream.
    pub(super) fn bytes(&self) -> usize {
        self.joined.len() + (self.ends.len() + 1) * size_of::<i32>()
    }

    /// The dictionary.
    pub(super) fn finish(self) -> Result<ArrayRef, ArrowError> {
        let offsets = [0].into_iter().chain(self.ends);
        let texts = texts(offsets, self.joined.into_bytes())?;
        Ok(Arc::new(texts))
    }
}

/// The texts that lie between these offsets.
pub(super) fn texts(offsets: impl Iterator<Item = usize>, joined: Vec<u8>) -> Result<StringArray, ArrowError> {
    let offsets: Result<Vec<i32>, ArrowError> = offsets
        .map(|offset| i32::try_from(offset).map_err(|_| ArrowError::OffsetOverflowError(offset)))
        .collect();
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets?));
    StringArray::try_new(offsets, Buffer::from_vec(joined), None)
}
