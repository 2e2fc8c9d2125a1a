//! From versions to a pack.

use std::fmt;

use uuid::Uuid;

use super::{VERSION, column, dictionary};
use crate::points::bytes::cursor::push_varint;
use crate::points::{Corrupt, MOST_POINTS, Points, values};
use crate::time::Time;

/// A version to be packed.
#[derive(Clone, Debug)]
pub struct NewVersion<'a> {
    pub run: Uuid,
    pub known: Time,
    pub change: Time,
    pub changed_by: &'a str,
    pub annotation: Option<&'a str>,
    pub tags: Option<Vec<&'a str>>,
    pub points: Points<'a>,
}

/// Why versions cannot be packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackVersionsError {
    /// They have more points, or are more, than a pack holds.
    TooMany,
    /// The values of one of them are corrupt.
    Corrupt(Corrupt),
}

impl fmt::Display for PackVersionsError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            PackVersionsError::TooMany => write!(f, "more than {MOST_POINTS} points in a pack"),
            PackVersionsError::Corrupt(corrupt) => corrupt.fmt(f),
        }
    }
}

impl std::error::Error for PackVersionsError {}

impl From<Corrupt> for PackVersionsError {
    fn from(corrupt: Corrupt) -> PackVersionsError {
        PackVersionsError::Corrupt(corrupt)
    }
}

/// Packs versions of one series; their order is kept. Versions near in time, and of one run together, take fewer bytes.
pub fn pack_versions(versions: &[NewVersion]) -> Result<Vec<u8>, PackVersionsError> {
    check_size(versions)?;
    let mut content = Vec::new();
    push_varint(&mut content, versions.len() as u64);
    if !versions.is_empty() {
        push_metadata(&mut content, versions);
        push_values(&mut content, versions)?;
    }
    let checksum = crc32fast::hash(&content).to_le_bytes();
    Ok([&[VERSION], &checksum[..], &content].concat())
}

fn check_size(versions: &[NewVersion]) -> Result<(), PackVersionsError> {
    let points: usize = versions.iter().map(|version| version.points.len()).sum();
    if points.max(versions.len()) > MOST_POINTS {
        return Err(PackVersionsError::TooMany);
    }
    Ok(())
}

fn push_metadata(bytes: &mut Vec<u8>, versions: &[NewVersion]) {
    let all = || versions.iter();
    let column = |of: fn(&NewVersion) -> i64| -> Vec<i64> { all().map(of).collect() };
    let known = column(|version| version.known.micros());
    dictionary::push(
        bytes,
        all().map(|version| Some(version.run.as_bytes().to_vec())),
    );
    column::push(bytes, &known);
    column::push_beside(bytes, &column(|version| version.change.micros()), &known);
    dictionary::push(bytes, all().map(|version| Some(string(version.changed_by))));
    dictionary::push(bytes, all().map(|version| version.annotation.map(string)));
    dictionary::push(
        bytes,
        all().map(|version| version.tags.as_deref().map(strings)),
    );
    dictionary::push(
        bytes,
        all().map(|version| Some(version.points.shape().form().to_bytes())),
    );
    let first = column(|version| version.points.first().map_or(0, Time::micros));
    column::push_beside(bytes, &first, &known);
}

fn push_values(bytes: &mut Vec<u8>, versions: &[NewVersion]) -> Result<(), Corrupt> {
    let mut present = Vec::new();
    for version in versions {
        version.points.values().decode_into(&mut present)?;
    }
    let mut encoded = Vec::new();
    let encoding = values::encode(&present, &mut encoded);
    bytes.push(encoding as u8);
    bytes.extend(encoded);
    Ok(())
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_string(&mut bytes, text);
    bytes
}

fn strings(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_varint(&mut bytes, texts.len() as u64);
    texts.iter().for_each(|text| push_string(&mut bytes, text));
    bytes
}

fn push_string(bytes: &mut Vec<u8>, text: &str) {
    push_varint(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}
