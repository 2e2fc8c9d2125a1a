//! What many rows have in common, each kept once: the texts of labels, what is said of values.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use super::{Kind, Refusal};
use crate::limits::LARGEST_UPLOAD_TEXTS;

/// Things that are told apart, each with its number in the order in which they were first seen.
#[derive(Debug)]
pub(crate) struct Shared<T: ?Sized> {
    kept: Vec<Rc<T>>,
    numbers: HashMap<Rc<T>, u32>,
    last: u32,
}

/// How many bytes of them a call has: a few bytes of an Arrow stream can stand for any number of long texts.
#[derive(Debug, Default)]
pub(crate) struct Bytes(usize);

impl Bytes {
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.0 += bytes;
        if self.0 <= LARGEST_UPLOAD_TEXTS {
            return Ok(());
        }
        let reason = format!("has more than {LARGEST_UPLOAD_TEXTS} bytes of labels, annotations and tags");
        Err(Refusal::new(Kind::TooMany, reason))
    }
}

impl<T: ?Sized> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared {
            kept: Vec::new(),
            numbers: HashMap::new(),
            last: 0,
        }
    }
}

impl<T: Hash + Eq + ?Sized> Shared<T> {
    /// The number of one that has been seen.
    pub(crate) fn find(&mut self, sought: &T) -> Option<u32> {
        // Rows mostly say what the row before said.
        if self.kept.get(self.last as usize).is_none_or(|last| **last != *sought) {
            self.last = *self.numbers.get(sought)?;
        }
        Some(self.last)
    }

    /// The number that a new one gets.
    pub(crate) fn keep(&mut self, new: impl Into<Rc<T>>) -> u32 {
        let new = new.into();
        self.last = self.kept.len() as u32;
        self.kept.push(new.clone());
        self.numbers.insert(new, self.last);
        self.last
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn finish(self) -> Vec<Rc<T>> {
        self.kept
    }
}
