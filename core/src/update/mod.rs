//! What an update brings: a change of one value, its annotation, its tags for each element.

mod json;

pub use json::{Change, Changes, GivenUpdate, GivenUpdates, Updates, ValueUpdate, read_json};
