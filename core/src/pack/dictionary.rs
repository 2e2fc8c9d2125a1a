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

/// The entry of each version, where it has one; `read_entry` reads one.
pub fn read<'a, T: Clone>(
    cursor: &mut Cursor<'a>,
    count: usize,
    mut read_entry: impl FnMut(&mut Cursor<'a>) -> Result<T, Corrupt>,
) -> Result<Vec<Option<T>>, Corrupt> {
    let entries = cursor.varint()?;
    let entries: Vec<T> = (0..entries)
        .map(|_| read_entry(cursor))
        .collect::<Result<_, _>>()?;
    let entry = |number: i64| match usize::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) if number <= entries.len() => Ok(Some(entries[number - 1].clone())),
        _ => Err(Corrupt("a version has no such entry")),
    };
    column::read(cursor, count)?
        .into_iter()
        .map(entry)
        .collect()
}

/// A dictionary of what every version has.
pub fn read_of_all<'a, T: Clone>(
    cursor: &mut Cursor<'a>,
    count: usize,
    read_entry: impl FnMut(&mut Cursor<'a>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, Corrupt> {
    let entries = read(cursor, count, read_entry)?.into_iter();
    entries
        .map(|entry| entry.ok_or(Corrupt("a version lacks an entry")))
        .collect()
}
