//! From versions to a pack.

use std::fmt;

use super::{APART, VERSION, versions};
use crate::limits::MOST_POINTS;
use crate::points::bytes::cursor::push_varint;
use crate::points::{Corrupt, Points, values};
use crate::version::Version;

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
pub fn pack_versions(versions: &[(Version, Points)]) -> Result<Vec<u8>, PackVersionsError> {
    let points: usize = versions.iter().map(|(_, points)| points.len()).sum();
    if points.max(versions.len()) > MOST_POINTS {
        return Err(PackVersionsError::TooMany);
    }
    let mut content = Vec::new();
    push_varint(&mut content, versions.len() as u64);
    if !versions.is_empty() {
        versions::push(&mut content, versions);
        push_values(&mut content, versions)?;
    }
    let checksum = crc32fast::hash(&content).to_le_bytes();
    Ok([&[VERSION], &checksum[..], &content].concat())
}

fn push_values(bytes: &mut Vec<u8>, versions: &[(Version, Points)]) -> Result<(), Corrupt> {
    let mut present = Vec::new();
    for (_, points) in versions {
        points.values().decode_into(&mut present)?;
    }
    let mut together = Vec::new();
    let encoding = values::encode(&present, &mut together);
    let apart = apart(versions);
    if apart.len() < together.len() {
        bytes.push(APART);
        bytes.extend(apart);
    } else {
        bytes.push(encoding as u8);
        bytes.extend(together);
    }
    Ok(())
}

/// The values of each version as it has them.
fn apart(versions: &[(Version, Points)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let values = versions.iter().map(|(_, points)| points.values());
    for values in values.filter(|values| !values.is_empty()) {
        push_varint(&mut bytes, values.bytes().len() as u64 + 1);
        bytes.push(values.encoding() as u8);
        bytes.extend(values.bytes());
    }
    bytes
}
