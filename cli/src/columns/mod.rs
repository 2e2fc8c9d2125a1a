//! What the columns of a file mean, and its rows as timedb takes them: an Arrow stream with columns of its names.

mod bad;
mod cells;
mod clock;
mod guess;
mod number;
mod rows;
pub mod time;

pub use guess::{Choice, Meaning, Values};
pub use rows::{Constants, Ready, Rows};
