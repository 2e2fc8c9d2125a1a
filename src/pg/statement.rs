//! SQL statements that bodies run: planned once a backend, kept, and executed with Postgres' own errors passing through.
//!
//! A statement says the Rust types of its arguments and of its columns. The former are what it is prepared with, the latter
//! are compared with what Postgres says when it is, and when an execution begins; a column that is null where its type has no null is an error, in one
//! place.
//!
//! Over SPI directly, because a read must neither take a transaction id (it would fail on a standby) nor a snapshot of
//! its own, and a write needs a new one for every statement: pgrx decides that by what happened before.

use super::datum::NullableDatum;
use super::guc::with_plans_hidden;
use super::row::{ResultRow, columns_of_row, types_of};
use super::tuple::{BindAll, FetchAll};
use crate::error::{Error, Result};
use pgrx::{PgList, pg_sys};
use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A statement with arguments `A` and columns `R`.
pub struct Statement<A, R> {
    prepared: Prepared,
    types: PhantomData<fn(A) -> R>,
}

/// A statement, whatever its types, and its plan once it has been made. What runs it is the same code for all: each call of
/// Postgres has a guard around it, which many copies would repeat.
struct Prepared {
    name: &'static str,
    sql: &'static CStr,
    /// A backend is a process of its own, so this is the backend's.
    plan: AtomicPtr<pg_sys::_SPI_plan>,
}

/// What is specific to one execution.
struct Execution<'a> {
    snapshot: Snapshot,
    types: &'static [pg_sys::Oid],
    /// Makes the arguments, once.
    bind: &'a mut dyn FnMut() -> Vec<NullableDatum>,
    /// Whether these are the types of the columns.
    are: fn(&[pg_sys::Oid]) -> bool,
    /// Takes a row out of its slot; a column that is not what its type says is answered by its number.
    take: &'a mut Take<'a>,
}

type Take<'a> = dyn FnMut(*mut pg_sys::TupleTableSlot) -> Result<Result<ControlFlow<()>, usize>> + 'a;

/// Declares statements: the types of their arguments, those of their columns, their text.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident($($argument:ty),* $(,)?) -> $row:ty = $sql:expr;)*) => {
        $($(#[$doc])* static $name: $crate::pg::statement::Statement<($($argument,)*), $row> =
            $crate::pg::statement::Statement::new(stringify!($name), $sql);)*
    };
}
pub(crate) use statements;

/// The text of a statement in pieces, some of which are macros: what several statements have in common.
macro_rules! sql {
    ($($piece:expr),+ $(,)?) => {
        match ::std::ffi::CStr::from_bytes_with_nul(concat!($($piece,)+ "\0").as_bytes()) {
            Ok(sql) => sql,
            Err(_) => panic!("a statement with a zero byte in it"),
        }
    };
}
pub(crate) use sql;

/// What a statement sees of what others have written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// What the caller's query sees.
    Callers,
    /// All that is committed by now, and what this transaction has written.
    Fresh,
}

impl<A: BindAll + 'static, R: FetchAll + 'static> Statement<A, R> {
    pub const fn new(name: &'static str, sql: &'static CStr) -> Statement<A, R> {
        Statement {
            prepared: Prepared {
                name,
                sql,
                plan: AtomicPtr::new(ptr::null_mut()),
            },
            types: PhantomData,
        }
    }

    /// Reads with the caller's snapshot, as a STABLE function must; takes no transaction id.
    pub fn read(&self, given: A::Given<'_>) -> Result<Vec<R>>
    where
        R: for<'r> FetchAll<Fetched<'r> = R>,
    {
        self.rows(Snapshot::Callers, given)
    }

    /// Reads, perhaps with locks, what is there by now: what this function has just written, or waited for.
    pub fn read_fresh(&self, given: A::Given<'_>) -> Result<Vec<R>>
    where
        R: for<'r> FetchAll<Fetched<'r> = R>,
    {
        self.rows(Snapshot::Fresh, given)
    }

    /// Writes, and answers what RETURNING says.
    pub fn write(&self, given: A::Given<'_>) -> Result<Vec<R>>
    where
        R: for<'r> FetchAll<Fetched<'r> = R>,
    {
        self.rows(Snapshot::Fresh, given)
    }

    /// As [`Statement::read`], for results of any size: nothing is kept of a row once `each` has seen it, where it stands.
    pub fn stream(
        &self,
        given: A::Given<'_>,
        mut each: impl for<'r> FnMut(R::Fetched<'r>) -> Result<()>,
    ) -> Result<()> {
        self.execute(Snapshot::Callers, given, &mut |row| {
            each(row).map(ControlFlow::Continue)
        })
    }

    /// As [`Statement::stream`], with the one snapshot or the other, until `each` has enough: what comes after is never made.
    pub fn stream_while(
        &self,
        snapshot: Snapshot,
        given: A::Given<'_>,
        mut each: impl for<'r> FnMut(R::Fetched<'r>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.execute(snapshot, given, &mut each)
    }

    /// As [`Statement::stream`], of what is there by now.
    pub fn stream_fresh(
        &self,
        given: A::Given<'_>,
        mut each: impl for<'r> FnMut(R::Fetched<'r>) -> Result<()>,
    ) -> Result<()> {
        self.execute(Snapshot::Fresh, given, &mut |row| each(row).map(ControlFlow::Continue))
    }

    /// As [`Statement::read`] or [`Statement::read_fresh`], by which snapshot is told.
    pub fn rows(&self, snapshot: Snapshot, given: A::Given<'_>) -> Result<Vec<R>>
    where
        R: for<'r> FetchAll<Fetched<'r> = R>,
    {
        let mut rows = Vec::new();
        self.execute(snapshot, given, &mut |row| {
            rows.push(row);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    fn execute(
        &self,
        snapshot: Snapshot,
        given: A::Given<'_>,
        each: &mut dyn for<'r> FnMut(R::Fetched<'r>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut given = Some(given);
        self.prepared.execute(Execution {
            snapshot,
            types: A::OIDS,
            bind: &mut || given.take().map(A::bind).unwrap_or_default(),
            are: R::are,
            // SAFETY: the executor's slot holds a row, whose types were compared when the execution began.
            take: &mut |slot| match unsafe { ResultRow::<R>::in_slot(slot).fetch() } {
                Ok(row) => each(row).map(Ok),
                Err(column) => Ok(Err(column)),
            },
        })
    }
}

impl Prepared {
    fn execute(&self, execution: Execution) -> Result<()> {
        let mut take = |slot| match (execution.take)(slot)? {
            Ok(goes_on) => Ok(goes_on),
            Err(column) => Err(self.broken(&format!("column {column} is not what it should be"))),
        };
        // SAFETY: the receiver outlives the execution. Where an ERROR unwinds past SPI_finish, Postgres cleans up SPI at the
        // end of the (sub)transaction.
        unsafe {
            let mut receiver = Receiver::of(execution.are, &mut take);
            pg_sys::SPI_connect();
            let status = self.plan(execution.types, execution.are).map(|plan| {
                let options = pg_sys::SPIExecuteOptions {
                    // Made within SPI: what is made for one execution is freed with it.
                    params: bound(execution.types, (execution.bind)()),
                    read_only: execution.snapshot == Snapshot::Callers,
                    dest: (&raw mut receiver).cast(),
                    ..Default::default()
                };
                // A kept plan is planned here, at its first execution and again after changes.
                with_plans_hidden(|| pg_sys::SPI_execute_plan_extended(plan, &options))
            });
            pg_sys::SPI_finish();
            match status? {
                failed if failed < 0 => Err(self.broken(&format!("SPI status {failed}"))),
                _ if receiver.changed => Err(self.broken(OTHER_COLUMNS)),
                _ => receiver.outcome,
            }
        }
    }

    /// The plan, made at the first use.
    ///
    /// # Safety
    /// Within SPI, whose memory it begins in.
    unsafe fn plan(
        &self,
        types: &'static [pg_sys::Oid],
        are: fn(&[pg_sys::Oid]) -> bool,
    ) -> Result<pg_sys::SPIPlanPtr> {
        let kept = self.plan.load(Ordering::Relaxed);
        if !kept.is_null() {
            return Ok(kept);
        }
        // SAFETY: SPI reads the argument types and keeps a copy of them; errors in the text unwind.
        unsafe {
            // One plan for all arguments: made once a backend, where the first five calls would each make their own.
            let plan = pg_sys::SPI_prepare_cursor(
                self.sql.as_ptr(),
                types.len() as i32,
                types.as_ptr().cast_mut(),
                pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
            );
            if plan.is_null() {
                return Err(self.broken("it cannot be planned"));
            }
            if !are(&columns_of(plan)) {
                return Err(self.broken(OTHER_COLUMNS));
            }
            pg_sys::SPI_keepplan(plan);
            self.plan.store(plan, Ordering::Relaxed);
            Ok(plan)
        }
    }

    fn broken(&self, what: &str) -> Error {
        Error::Broken(format!("statement {}: {what}", self.name))
    }
}

impl<A: BindAll + 'static> Statement<A, ()> {
    /// Writes, where nothing comes back.
    pub fn run(&self, given: A::Given<'_>) -> Result<()> {
        self.execute(Snapshot::Fresh, given, &mut |()| Ok(ControlFlow::Continue(())))
    }
}

/// A statement whose types nobody knew when the library was written: a call of a function by its name. Kept, with its plan, as long as
/// the backend.
pub struct Call {
    prepared: Prepared,
    types: &'static [pg_sys::Oid],
}

impl Call {
    pub fn new(sql: CString, types: Vec<pg_sys::Oid>) -> Call {
        Call {
            prepared: Prepared {
                name: "of a call",
                sql: Box::leak(sql.into_boxed_c_str()),
                plan: AtomicPtr::new(ptr::null_mut()),
            },
            types: types.leak(),
        }
    }

    /// Of its arguments.
    pub fn types(&self) -> &'static [pg_sys::Oid] {
        self.types
    }

    /// Shows each row where it stands, with the types of its columns.
    ///
    /// # Safety
    /// The arguments are of the statement's types, each or null.
    pub unsafe fn each_row(
        &self,
        arguments: Vec<NullableDatum>,
        mut each: impl FnMut(&[pg_sys::Oid], &[pg_sys::Datum], &[bool]) -> Result<()>,
    ) -> Result<()> {
        let mut arguments = Some(arguments);
        let mut columns = Vec::new();
        self.prepared.execute(Execution {
            snapshot: Snapshot::Fresh,
            types: self.types,
            bind: &mut || arguments.take().unwrap_or_default(),
            are: |_| true,
            // SAFETY: the executor's slot holds a row, whose shape it says.
            take: &mut |slot| unsafe {
                if columns.is_empty() {
                    columns = types_of((*slot).tts_tupleDescriptor);
                }
                let (values, nulls) = columns_of_row(slot);
                each(&columns, values, nulls).map(|()| Ok(ControlFlow::Continue(())))
            },
        })
    }
}

/// The types of what a plan answers.
///
/// # Safety
/// Within SPI, of a plan that is alive.
unsafe fn columns_of(plan: pg_sys::SPIPlanPtr) -> Vec<pg_sys::Oid> {
    // SAFETY: the list is the plan's own; a statement has one source, which describes its result if it has any.
    unsafe {
        let sources = PgList::<pg_sys::CachedPlanSource>::from_pg(pg_sys::SPI_plan_get_plan_sources(plan));
        match sources.get_ptr(0) {
            Some(source) if !(*source).resultDesc.is_null() => types_of((*source).resultDesc),
            _ => Vec::new(),
        }
    }
}

const OTHER_COLUMNS: &str = "it answers other columns than it says";

/// Where the executor sends a statement's rows: each is looked at where it stands, so that none is copied.
#[repr(C)]
struct Receiver<'a> {
    /// First, because a pointer to it is what Postgres passes around.
    destination: pg_sys::DestReceiver,
    callers: pg_sys::MemoryContext,
    are: fn(&[pg_sys::Oid]) -> bool,
    /// Whether the columns are no longer those that were compared: a kept plan is made anew where a table was altered.
    changed: bool,
    take: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot) -> Result<ControlFlow<()>>,
    outcome: Result<()>,
}

impl<'a> Receiver<'a> {
    fn of(
        are: fn(&[pg_sys::Oid]) -> bool,
        take: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot) -> Result<ControlFlow<()>>,
    ) -> Receiver<'a> {
        Receiver {
            destination: pg_sys::DestReceiver {
                receiveSlot: Some(receive),
                rStartup: Some(start),
                rShutdown: Some(stop),
                rDestroy: Some(stop),
                mydest: pg_sys::CommandDest::DestTuplestore,
            },
            // SAFETY: reads which memory the caller is in.
            callers: unsafe { pg_sys::CurrentMemoryContext },
            are,
            changed: false,
            take,
            outcome: Ok(()),
        }
    }
}

/// # Safety
/// Called by the executor, with the [`Receiver`] it was given.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn receive(slot: *mut pg_sys::TupleTableSlot, destination: *mut pg_sys::DestReceiver) -> bool {
    // SAFETY: the destination is the first field of a Receiver that is alive; the slot holds a row.
    unsafe {
        let receiver = &mut *destination.cast::<Receiver>();
        if receiver.changed {
            return false;
        }
        let take = &mut *receiver.take;
        match outside(receiver.callers, || take(slot)) {
            Ok(goes_on) => goes_on.is_continue(),
            Err(error) => {
                receiver.outcome = Err(error);
                false
            }
        }
    }
}

/// Compares the columns of this very execution, before the first row.
///
/// # Safety
/// Called by the executor, with the [`Receiver`] it was given.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn start(
    destination: *mut pg_sys::DestReceiver,
    _operation: std::ffi::c_int,
    shape: pg_sys::TupleDesc,
) {
    // SAFETY: the destination is the first field of a Receiver that is alive; the shape is that of the rows.
    unsafe {
        let receiver = &mut *destination.cast::<Receiver>();
        receiver.changed = !(receiver.are)(&types_of(shape));
    }
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
/// Within SPI, whose memory the list is in; the arguments are of these types.
unsafe fn bound(types: &[pg_sys::Oid], arguments: Vec<NullableDatum>) -> pg_sys::ParamListInfo {
    // SAFETY: the list has as many elements as it is made for.
    unsafe {
        let list = pg_sys::makeParamList(arguments.len() as i32);
        let elements = (*list).params.as_mut_slice(arguments.len());
        for ((element, datum), oid) in elements.iter_mut().zip(arguments).zip(types) {
            element.value = datum.unwrap_or(pg_sys::Datum::null());
            element.isnull = datum.is_none();
            element.pflags = pg_sys::PARAM_FLAG_CONST as u16;
            element.ptype = *oid;
        }
        list
    }
}
