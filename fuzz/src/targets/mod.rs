//! What must hold of bytes of each kind, however they came about.

pub mod arrow;
pub mod json;
pub mod keys;
pub mod packs;
pub mod points;
mod upload;

pub use arrow::ARROW_STREAMS;
pub use json::{JSON_UPDATES, JSON_UPLOADS};
pub use keys::API_KEYS;
pub use packs::{PACK_TEXTS, PACKS};
pub use points::{POINT_TEXTS, POINTS_OF_CLIENTS, STORED_POINTS};

use crate::memory::most_taken;

/// What any reader may take beside what its input or its points explain: messages, tables of a library.
const SOME: usize = 1 << 16;

/// From so many points on they are not compared one by one: a few bytes can say five million.
const MANY: usize = 100_000;

/// What came of reading, which took at most so many bytes.
#[track_caller]
fn within<T>(most: usize, read: impl FnOnce() -> T) -> T {
    let (outcome, taken) = most_taken(read);
    assert!(taken <= most, "{taken} bytes taken, {most} allowed");
    outcome
}

/// A string longer than anything may be that is named by it.
static LONG: [u8; 700] = string();
/// And one longer than any remark.
static LONGER: [u8; 11_000] = string();

const fn string<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut string = [b'x'; LENGTH];
    string[0] = b'"';
    string[LENGTH - 1] = b'"';
    string
}
