//! The SQL faces of timedb's types: `timedb.points` and `timedb.pack`, and the rows that answers are made of. What the
//! bytes mean is `timedb_core`.

mod aggregate;
pub mod answer;
mod form;
mod pack;
pub mod pieces;
mod points;
pub mod slots;
