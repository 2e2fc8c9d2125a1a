//! SQL statements that bodies run: planned once a backend, kept, and executed with Postgres' own errors passing through.
//!
//! Over SPI directly, because a read must neither take a transaction id (it would fail on a standby) nor a snapshot of
//! its own, and a write needs a new one for every statement: pgrx decides that by what happened before.

use crate::cell::Cell;
use crate::error::{Error, Result};
use crate::row::Row;
use pgrx::pg_sys;
use std::cell::Cell as StdCell;
use std::ffi::{CStr, c_char};
use std::thread::LocalKey;

/// A statement, the types of its arguments, and its plan once it has been made.
pub struct Statement {
    sql: &'static CStr,
    arguments: &'static [pg_sys::Oid],
    plan: StdCell<pg_sys::SPIPlanPtr>,
}

/// Declares statements that are planned at their first use, and kept.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident($($argument:ident),*) = $sql:literal;)*) => {
        ::std::thread_local! {
            $($(#[$doc])* static $name: $crate::statement::Statement = const {
                $crate::statement::Statement::new($sql, &[$(::pgrx::pg_sys::$argument),*])
            };)*
        }
    };
}
pub(crate) use statements;

impl Statement {
    pub const fn new(sql: &'static CStr, arguments: &'static [pg_sys::Oid]) -> Statement {
        Statement {
            sql,
            arguments,
            plan: StdCell::new(std::ptr::null_mut()),
        }
    }

    /// # Safety
    /// Within SPI.
    unsafe fn plan(&self) -> pg_sys::SPIPlanPtr {
        if self.plan.get().is_null() {
            // SAFETY: SPI reads the argument types and keeps a copy of them; errors in the text unwind.
            unsafe {
                let types = self.arguments.as_ptr().cast_mut();
                let plan =
                    pg_sys::SPI_prepare(self.sql.as_ptr(), self.arguments.len() as i32, types);
                pg_sys::SPI_keepplan(plan);
                self.plan.set(plan);
            }
        }
        self.plan.get()
    }
}

/// Reads with the caller's snapshot, as a STABLE function must; takes no transaction id.
pub fn read<T>(
    statement: &'static LocalKey<Statement>,
    arguments: &[Cell],
    each: impl FnMut(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    statement.with(|statement| execute(statement, arguments, true, each))
}

/// Writes, or reads what this function has just written or waited for: with a new snapshot.
pub fn write<T>(
    statement: &'static LocalKey<Statement>,
    arguments: &[Cell],
    each: impl FnMut(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    statement.with(|statement| execute(statement, arguments, false, each))
}

/// Writes, where nothing comes back.
pub fn run(statement: &'static LocalKey<Statement>, arguments: &[Cell]) -> Result<()> {
    write(statement, arguments, |_| Ok(())).map(drop)
}

fn execute<T>(
    statement: &Statement,
    arguments: &[Cell],
    read_only: bool,
    mut each: impl FnMut(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    debug_assert_eq!(arguments.len(), statement.arguments.len());
    let (mut values, nulls) = bound(arguments);
    // SAFETY: the arguments match the declared types; rows are read before SPI_finish frees them. Where an ERROR unwinds
    // past SPI_finish, Postgres cleans up SPI at the end of the (sub)transaction.
    unsafe {
        let callers = pg_sys::CurrentMemoryContext;
        pg_sys::SPI_connect();
        let plan = statement.plan();
        let status =
            pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), read_only, 0);
        let rows = if status < 0 {
            Err(Error::Broken(format!("SPI status {status}")).into())
        } else {
            fetched()
                .iter()
                .map(|row| outside(callers, || each(row)))
                .collect()
        };
        pg_sys::SPI_finish();
        rows
    }
}

/// Runs a read whose rows are fetched a batch at a time, so that memory does not grow with the result.
pub fn read_batches(
    statement: &'static LocalKey<Statement>,
    arguments: &[Cell],
    mut each: impl FnMut(&Row) -> Result<()>,
) -> Result<()> {
    const BATCH: i64 = 1000;
    let (mut values, nulls) = bound(arguments);
    // SAFETY: as in `execute`; each batch is freed once its rows have been read.
    unsafe {
        let callers = pg_sys::CurrentMemoryContext;
        pg_sys::SPI_connect();
        let plan = statement.with(|statement| statement.plan());
        let portal = pg_sys::SPI_cursor_open(
            std::ptr::null(),
            plan,
            values.as_mut_ptr(),
            nulls.as_ptr(),
            true,
        );
        let result = loop {
            pg_sys::SPI_cursor_fetch(portal, true, BATCH);
            let rows = fetched();
            if rows.is_empty() {
                break Ok(());
            }
            let batch: Result<()> = rows
                .iter()
                .try_for_each(|row| outside(callers, || each(row)));
            pg_sys::SPI_freetuptable(pg_sys::SPI_tuptable);
            if batch.is_err() {
                break batch;
            }
        };
        pg_sys::SPI_cursor_close(portal);
        pg_sys::SPI_finish();
        result
    }
}

/// Runs what reads a row in the caller's memory: what it builds outlives the statement.
///
/// # Safety
/// The memory context is alive.
unsafe fn outside<T>(callers: pg_sys::MemoryContext, work: impl FnOnce() -> T) -> T {
    // SAFETY: see above; an ERROR in between leaves the context to whoever catches it.
    unsafe {
        let inside = pg_sys::MemoryContextSwitchTo(callers);
        let result = work();
        pg_sys::MemoryContextSwitchTo(inside);
        result
    }
}

fn bound(arguments: &[Cell]) -> (Vec<pg_sys::Datum>, Vec<c_char>) {
    arguments
        .iter()
        .map(|cell| match cell {
            Some(datum) => (*datum, b' ' as c_char),
            None => (pg_sys::Datum::null(), b'n' as c_char),
        })
        .unzip()
}

/// The rows that SPI has just brought.
///
/// # Safety
/// Right after an SPI call, and used before the next one.
unsafe fn fetched() -> Vec<Row> {
    // SAFETY: SPI_tuptable is null or describes SPI_processed tuples.
    unsafe {
        let Some(table) = pg_sys::SPI_tuptable.as_ref() else {
            return Vec::new();
        };
        let tuples = std::slice::from_raw_parts(table.vals, pg_sys::SPI_processed as usize);
        tuples
            .iter()
            .map(|&tuple| Row::of(tuple, table.tupdesc))
            .collect()
    }
}
