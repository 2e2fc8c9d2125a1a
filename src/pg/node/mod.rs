//! A set-returning function of ours as a node of the plan: rows are made while they are asked for, of the columns that are
//! asked for, instead of all at once in a tuplestore.
//!
//! Where a statement reads from such a function, the planner's hook puts a custom scan in its place (`planner`); the
//! executor calls it for row after row (`executor`). Whatever touches a table runs within a SECURITY DEFINER function of
//! the extension, called by way of the function manager, so that Postgres itself changes the role and the settings, as it
//! does for the function whose place the node has (`definer`). Where no node can be made, the function runs.

mod conditions;
mod definer;
mod estimate;
mod executor;
mod explain;
mod order;
mod planner;
mod query;
mod settings;

use super::datum::NullableDatum;
use super::timestamp::Timestamptz;
use super::tuple::FetchAll;
use crate::error::{Error, Result};
use pgrx::pg_sys;
use std::ffi::CStr;
use uuid::Uuid;

pub use conditions::Comparison;
pub use estimate::Extent;
pub use planner::install;
pub use query::Query;
pub use settings::define;

/// A function whose place in a plan a node can take.
pub struct Function {
    /// Its name, in the schema timedb.
    pub name: &'static CStr,
    /// Whether these are the types of its arguments.
    pub takes: fn(&[pg_sys::Oid]) -> bool,
    /// The types of its columns.
    pub columns: fn() -> Vec<pg_sys::Oid>,
    /// The columns, by their numbers from 1, whose conditions in WHERE [`Function::open`] knows to use.
    pub narrowing: &'static [i16],
    /// The columns that its rows are ordered by, in this order; none where that is not promised.
    pub order: Option<Order>,
    /// What tells how many rows to expect; where none does, the function's declaration.
    pub extent: Option<Extent>,
    /// Begins an answer; as the owner of the function, like all that the source fetches.
    pub open: fn(&Call) -> Result<Box<dyn Source>>,
}

/// Rows are ordered by a text as in the collation "C", then by an id that is of one such text alone, then by a time.
pub struct Order {
    pub key: i16,
    pub id: i16,
    pub time: i16,
}

/// What the node brings rows from.
///
/// # Safety
/// What [`Source::next`] puts into a row are datums of the types of the columns asked for, and stays until its next call.
pub unsafe trait Source {
    /// Brings what the next rows are made of, as the owner of the function; false where there is nothing more.
    fn fetch(&mut self) -> Result<bool>;

    /// Puts the next row of what was brought; false where all of it has been shown.
    fn next(&mut self, row: &mut SlotRow) -> Result<bool>;

    /// What has been looked at so far, for EXPLAIN: names and counts.
    fn looked_at(&self) -> Vec<(&'static CStr, u64)>;
}

/// One scan: what the function is called with, what WHERE says beside that, and which columns are asked for.
pub struct Call {
    pub query: Query,
    types: Vec<pg_sys::Oid>,
    arguments: Vec<NullableDatum>,
    pub conditions: Vec<Condition>,
    /// Of each column of the row to make the number of the function's column, from 1.
    pub columns: Vec<i16>,
}

/// What WHERE says of a column. Null is a value that nothing compares with.
pub struct Condition {
    pub column: i16,
    pub comparison: Comparison,
    pub value: Option<Value>,
}

/// What a column is compared with.
pub enum Value {
    Time(Timestamptz),
    Ids(Vec<Uuid>),
    Texts(Vec<String>),
}

/// The row that the executor is about to see. It keeps what was put before: only what has changed need be put anew.
pub struct SlotRow<'a> {
    values: &'a mut [pg_sys::Datum],
    nulls: &'a mut [bool],
}

impl Call {
    /// The arguments; they stay as long as the scan.
    pub fn arguments<A: FetchAll>(&self) -> Result<A::Fetched<'_>> {
        let broken = || Error::Broken("a function is declared with other arguments than the library has".into());
        if !A::are(&self.types) || self.types.len() != self.arguments.len() {
            return Err(broken());
        }
        let (values, nulls) = super::datum::split(self.arguments.iter().copied());
        // SAFETY: the types have been compared, and the datums stay as long as the scan.
        unsafe { A::fetch(&values, &nulls) }.map_err(|_| broken())
    }
}

impl SlotRow<'_> {
    /// # Safety
    /// As [`Source`].
    pub unsafe fn put(&mut self, place: usize, datum: NullableDatum) {
        self.values[place] = datum.unwrap_or(pg_sys::Datum::null());
        self.nulls[place] = datum.is_none();
    }
}
