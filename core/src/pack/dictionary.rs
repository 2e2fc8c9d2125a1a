//! What versions have in common, stored once.
//!
//! ```text
//! varint   how many entries
//! entries  in the order in which the versions first have them; each says itself where it ends
//! column   for each version the number of its entry, from 1; 0 if it has none
//! ```

use std::collections::HashMap;

use super::column;
use crate::points::Corrupt;
use crate::points::bytes::cursor::{Cursor, push_varint};

pub fn push(bytes: &mut Vec<u8>, entry_of_each: impl Iterator<Item = Option<Vec<u8>>>) {
    let mut numbers: HashMap<Vec<u8>, i64> = HashMap::new();
    let mut entries: Vec<u8> = Vec::new();
    let mut next = 1;
    let mut column = Vec::new();
    for entry in entry_of_each {
        let Some(entry) = entry else {
            column.push(0);
            continue;
        };
        let number = numbers.entry(entry).or_insert_with_key(|entry| {
            entries.extend(entry.as_slice());
            next += 1;
            next - 1
        });
        column.push(*number);
    }
    push_varint(bytes, numbers.len() as u64);
    bytes.extend(entries);
    column::push(bytes, &column);
}

/// The entries, each once, and which of them each version has: there may be many more versions than entries.
pub struct Dictionary<T> {
    entries: Vec<T>,
    /// From 1; 0 for none.
    numbers: Vec<u32>,
}

impl<T: Copy> Dictionary<T> {
    /// `read_entry` reads one entry.
    pub fn read<'a>(
        cursor: &mut Cursor<'a>,
        count: usize,
        mut read_entry: impl FnMut(&mut Cursor<'a>) -> Result<T, Corrupt>,
    ) -> Result<Dictionary<T>, Corrupt> {
        let entries: Vec<T> = (0..cursor.varint()?)
            .map(|_| read_entry(cursor))
            .collect::<Result<_, _>>()?;
        let mut numbers = Vec::with_capacity(count);
        for number in column::read(cursor, count)? {
            match u32::try_from(number) {
                Ok(number) if number as usize <= entries.len() => numbers.push(number),
                _ => return Err(Corrupt("a version has no such entry")),
            }
        }
        Ok(Dictionary { entries, numbers })
    }

    /// The entry of a version.
    pub fn get(&self, version: usize) -> Option<T> {
        let number = self.numbers[version] as usize;
        self.entries.get(number.wrapping_sub(1)).copied()
    }

    /// The entry of a version, of what every version has.
    pub fn of(&self, version: usize) -> Result<T, Corrupt> {
        self.get(version).ok_or(Corrupt("a version lacks an entry"))
    }
}
