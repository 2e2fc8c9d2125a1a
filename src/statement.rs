//! SQL statements that bodies run: planned once a backend, kept, and executed with Postgres' own errors passing through.
//!
//! Over SPI directly, because a read must neither take a transaction id (it would fail on a standby) nor a snapshot of
//! its own, and a write needs a new one for every statement: pgrx decides that by what happened before.

use crate::cell::Cell;
use crate::error::{Error, Result};
use crate::row::Row;
use pgrx::pg_sys;
use std::cell::Cell as StdCell;
use std::ffi::CStr;
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
                // One plan for all arguments: made once a backend, where the first five calls would each make their own.
                let plan = pg_sys::SPI_prepare_cursor(
                    self.sql.as_ptr(),
                    self.arguments.len() as i32,
                    self.arguments.as_ptr().cast_mut(),
                    pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
                );
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
    let mut rows = Vec::new();
    receive_each(statement, arguments, read_only, &mut |row| {
        rows.push(each(row)?);
        Ok(())
    })?;
    Ok(rows)
}

/// As [`read`], for results of any size: nothing is kept of a row once `each` has seen it.
pub fn stream(
    statement: &'static LocalKey<Statement>,
    arguments: &[Cell],
    mut each: impl FnMut(&Row) -> Result<()>,
) -> Result<()> {
    statement.with(|statement| receive_each(statement, arguments, true, &mut each))
}

/// Where the executor sends a statement's rows: each is looked at where it stands, so that none is copied.
#[repr(C)]
struct Receiver<'a> {
    /// First, because a pointer to it is what Postgres passes around.
    destination: pg_sys::DestReceiver,
    callers: pg_sys::MemoryContext,
    each: &'a mut dyn FnMut(&Row) -> Result<()>,
    outcome: Result<()>,
}

fn receive_each(
    statement: &Statement,
    arguments: &[Cell],
    read_only: bool,
    each: &mut dyn FnMut(&Row) -> Result<()>,
) -> Result<()> {
    debug_assert_eq!(arguments.len(), statement.arguments.len());
    // SAFETY: the arguments match the declared types, and the receiver outlives the execution. Where an ERROR unwinds
    // past SPI_finish, Postgres cleans up SPI at the end of the (sub)transaction.
    unsafe {
        let mut receiver = Receiver {
            destination: pg_sys::DestReceiver {
                receiveSlot: Some(receive),
                rStartup: Some(start),
                rShutdown: Some(stop),
                rDestroy: Some(stop),
                mydest: pg_sys::CommandDest::DestTuplestore,
            },
            callers: pg_sys::CurrentMemoryContext,
            each,
            outcome: Ok(()),
        };
        pg_sys::SPI_connect();
        let options = pg_sys::SPIExecuteOptions {
            params: bound(statement.arguments, arguments),
            read_only,
            dest: (&raw mut receiver).cast(),
            ..Default::default()
        };
        let status = pg_sys::SPI_execute_plan_extended(statement.plan(), &options);
        pg_sys::SPI_finish();
        if status < 0 {
            return Err(Error::Broken(format!("SPI status {status}")).into());
        }
        receiver.outcome
    }
}

/// # Safety
/// Called by the executor, with the [`Receiver`] it was given.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    destination: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: the destination is the first field of a Receiver that is alive; the slot holds a row.
    unsafe {
        let receiver = &mut *destination.cast::<Receiver>();
        let each = &mut *receiver.each;
        receiver.outcome = outside(receiver.callers, || Row::in_slot(slot, |row| each(row)));
        receiver.outcome.is_ok()
    }
}

unsafe extern "C-unwind" fn start(
    _: *mut pg_sys::DestReceiver,
    _operation: std::ffi::c_int,
    _shape: pg_sys::TupleDesc,
) {
}

unsafe extern "C-unwind" fn stop(_: *mut pg_sys::DestReceiver) {}

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

/// # Safety
/// Within SPI, whose memory the list is in.
unsafe fn bound(types: &[pg_sys::Oid], arguments: &[Cell]) -> pg_sys::ParamListInfo {
    // SAFETY: the list has as many elements as it is made for.
    unsafe {
        let list = pg_sys::makeParamList(arguments.len() as i32);
        let elements = (*list).params.as_mut_slice(arguments.len());
        for ((element, cell), oid) in elements.iter_mut().zip(arguments).zip(types) {
            element.value = cell.unwrap_or(pg_sys::Datum::null());
            element.isnull = cell.is_none();
            element.pflags = pg_sys::PARAM_FLAG_CONST as u16;
            element.ptype = *oid;
        }
        list
    }
}
