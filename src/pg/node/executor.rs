//! The node at work: row after row, each made when it is asked for.

use super::definer::Definer;
use super::planner::{self, Methods, NODE, Narrowing};
use super::{Call, Condition, Function, Query, SlotRow, Source, Value, definer, explain};
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::datum::{Bind, Fetch, NullableDatum};
use crate::pg::timestamp::Timestamptz;
use crate::pg::varlena::{TextArray, UuidArray};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgList, PgLogLevel, PgMemoryContexts, pg_guard, pg_sys};
use std::ffi::CStr;
use std::ptr;
use uuid::Uuid;

static SCAN: Methods<pg_sys::CustomScanMethods> = Methods(pg_sys::CustomScanMethods {
    CustomName: NODE.as_ptr(),
    CreateCustomScanState: Some(create),
});

static EXECUTION: Methods<pg_sys::CustomExecMethods> = Methods(pg_sys::CustomExecMethods {
    CustomName: NODE.as_ptr(),
    BeginCustomScan: Some(begin),
    ExecCustomScan: Some(execute),
    EndCustomScan: Some(end),
    ReScanCustomScan: Some(rescan),
    MarkPosCustomScan: None,
    RestrPosCustomScan: None,
    EstimateDSMCustomScan: None,
    InitializeDSMCustomScan: None,
    ReInitializeDSMCustomScan: None,
    InitializeWorkerCustomScan: None,
    ShutdownCustomScan: None,
    ExplainCustomScan: Some(explain::explain),
});

/// The state of a node, as the executor holds it.
#[repr(C)]
pub(super) struct Node {
    /// First, because a pointer to it is what Postgres passes around.
    pub state: pg_sys::CustomScanState,
    running: *mut Running,
}

/// What a node that is to answer needs; dropped with the execution's memory, whatever ends it.
struct Running {
    function: &'static Function,
    definer: Definer,
    query: Query,
    arguments: Vec<Expression>,
    narrowing: Vec<(Narrowing, Expression)>,
    columns: Vec<i16>,
    /// The row as the source has put it. The slot gets a copy: whoever keeps what is in a slot puts pointers of his own there.
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    /// What the arguments are, while the source stands.
    memory: pg_sys::MemoryContext,
    source: Option<Box<dyn Source>>,
    /// Whether the source has said that there is nothing more.
    ended: bool,
    /// What sources that were begun anew have looked at.
    looked_at: Vec<(&'static CStr, u64)>,
}

/// An expression, ready to be evaluated.
struct Expression {
    of: pg_sys::Oid,
    state: *mut pg_sys::ExprState,
}

pub(super) fn register() {
    // SAFETY: the methods are static.
    unsafe { pg_sys::RegisterCustomScanMethods(&raw const SCAN.0) };
}

pub(super) fn scan_methods() -> *const pg_sys::CustomScanMethods {
    &raw const SCAN.0
}

/// # Safety
/// Called by the executor, with a plan of ours.
#[pg_guard]
unsafe extern "C-unwind" fn create(_scan: *mut pg_sys::CustomScan) -> *mut pg_sys::Node {
    // SAFETY: zeroed, and of the executor's struct first.
    unsafe {
        let node = planner::make::<Node>(pg_sys::NodeTag::T_CustomScanState);
        (*node).state.methods = &raw const EXECUTION.0;
        node.cast()
    }
}

/// # Safety
/// Called by the executor, with a state that `create` has made.
#[pg_guard]
unsafe extern "C-unwind" fn begin(
    state: *mut pg_sys::CustomScanState,
    execution: *mut pg_sys::EState,
    flags: std::ffi::c_int,
) {
    // SAFETY: see above.
    unsafe {
        let scan = &*(*state).ss.ps.plan.cast::<pg_sys::CustomScan>();
        let call = call_of(scan);
        check_execute((*call).funcid);
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 == 0 {
            let running = reported(Running::of(state, scan, execution));
            let mut memory = PgMemoryContexts::For((*execution).es_query_cxt);
            (*state.cast::<Node>()).running = memory.leak_and_drop_on_delete(running);
        }
    }
}

/// # Safety
/// A plan of ours.
unsafe fn call_of(scan: &pg_sys::CustomScan) -> *mut pg_sys::FuncExpr {
    // SAFETY: see above.
    unsafe { pg_sys::list_nth(scan.custom_exprs, 0).cast() }
}

/// As the executor does before it calls the function.
///
/// # Safety
/// A function.
unsafe fn check_execute(function: pg_sys::Oid) {
    // SAFETY: see above; the hook is called as Postgres' own macro does.
    unsafe {
        let (user, wanted) = (pg_sys::GetUserId(), pg_sys::ACL_EXECUTE as pg_sys::AclMode);
        #[cfg(feature = "pg15")]
        let found = pg_sys::pg_proc_aclcheck(function, user, wanted);
        #[cfg(not(feature = "pg15"))]
        let found = pg_sys::object_aclcheck(pg_sys::ProcedureRelationId, function, user, wanted);
        if found != pg_sys::AclResult::ACLCHECK_OK {
            let name = pg_sys::get_func_name(function);
            pg_sys::aclcheck_error(found, pg_sys::ObjectType::OBJECT_FUNCTION, name);
        }
        let hook = &raw const pg_sys::object_access_hook;
        if (*hook).is_some() {
            pg_sys::RunFunctionExecuteHook(function);
        }
    }
}

/// # Safety
/// Called by the executor, with a state that has begun.
#[pg_guard]
unsafe extern "C-unwind" fn execute(state: *mut pg_sys::CustomScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: see above.
    unsafe {
        let Some(running) = (*state.cast::<Node>()).running.as_mut() else {
            return ptr::null_mut();
        };
        let scan = &mut (*state).ss;
        let (slot, context) = (scan.ss_ScanTupleSlot, scan.ps.ps_ExprContext);
        loop {
            answer_cancel();
            pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            if !running.next(slot, context) {
                return match scan.ps.ps_ProjInfo {
                    none if none.is_null() => pg_sys::ExecClearTuple(slot),
                    projection => pg_sys::ExecClearTuple((*projection).pi_state.resultslot),
                };
            }
            (*context).ecxt_scantuple = slot;
            if !scan.ps.qual.is_null() && !pg_sys::ExecQual(scan.ps.qual, context) {
                if let Some(counts) = scan.ps.instrument.as_mut() {
                    counts.nfiltered1 += 1.0;
                }
                continue;
            }
            return match scan.ps.ps_ProjInfo {
                none if none.is_null() => slot,
                projection => pg_sys::ExecProject(projection),
            };
        }
    }
}

/// Begins anew, with what the arguments then are.
///
/// # Safety
/// Called by the executor, with a state that has begun.
#[pg_guard]
unsafe extern "C-unwind" fn rescan(state: *mut pg_sys::CustomScanState) {
    // SAFETY: see above.
    unsafe {
        pg_sys::ExecClearTuple((*state).ss.ss_ScanTupleSlot);
        if let Some(running) = (*state.cast::<Node>()).running.as_mut() {
            running.stop();
            running.ended = false;
        }
    }
}

/// # Safety
/// Called by the executor, with a state that has begun.
#[pg_guard]
unsafe extern "C-unwind" fn end(state: *mut pg_sys::CustomScanState) {
    // SAFETY: see above.
    unsafe {
        if let Some(running) = (*state.cast::<Node>()).running.as_mut() {
            running.stop();
        }
    }
}

/// What a node has looked at; none of one that does not answer.
///
/// # Safety
/// A state that has begun.
pub(super) unsafe fn looked_at(state: *mut pg_sys::CustomScanState) -> Vec<(&'static CStr, u64)> {
    // SAFETY: see above.
    unsafe { (*state.cast::<Node>()).running.as_ref() }.map_or_else(Vec::new, Running::looked_at)
}

/// The result, or its error raised as Postgres raises one.
fn reported<T>(result: Result<T>) -> T {
    match result {
        Ok(result) => result,
        Err(error) => {
            ErrorReport::from(error).report(PgLogLevel::ERROR);
            unreachable!("an ERROR unwinds")
        }
    }
}

impl Running {
    /// # Safety
    /// The state is being begun, with this plan, in this execution.
    unsafe fn of(
        state: *mut pg_sys::CustomScanState,
        scan: &pg_sys::CustomScan,
        execution: *mut pg_sys::EState,
    ) -> Result<Running> {
        // SAFETY: see above; the lists are as the planner has made them.
        unsafe {
            let numbers = integers(scan.custom_private);
            let broken = || Error::Broken("a plan of another version of the library".into());
            let function = planner::function(numbers[0]).ok_or_else(broken)?;
            let call = call_of(scan);
            let schema = pg_sys::get_func_namespace((*call).funcid);
            let memory = (*execution).es_query_cxt;
            let expression = |node: *mut pg_sys::Node| Expression {
                of: pg_sys::exprType(node),
                state: pg_sys::ExecInitExpr(node.cast(), &raw mut (*state).ss.ps),
            };
            let arguments = PgList::<pg_sys::Node>::from_pg((*call).args);
            let values = PgList::<pg_sys::Node>::from_pg(scan.custom_exprs);
            let narrowing = numbers[1..].chunks(Narrowing::NUMBERS).map(Narrowing::of);
            let narrowing: Option<Vec<Narrowing>> = narrowing.collect();
            let columns = columns(scan.custom_scan_tlist);
            Ok(Running {
                function,
                definer: Definer::of(definer::find(schema).ok_or_else(broken)?, memory),
                query: Query::of(execution),
                arguments: arguments.iter_ptr().map(expression).collect(),
                narrowing: narrowing
                    .ok_or_else(broken)?
                    .into_iter()
                    .zip(values.iter_ptr().skip(1).map(expression))
                    .collect(),
                values: vec![pg_sys::Datum::null(); columns.len()],
                nulls: vec![true; columns.len()],
                columns,
                memory: pg_sys::AllocSetContextCreateExtended(
                    memory,
                    c"timedb scan".as_ptr(),
                    pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                    pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                    pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
                ),
                source: None,
                ended: false,
                looked_at: Vec::new(),
            })
        }
    }

    /// Whether the slot now holds the next row.
    ///
    /// # Safety
    /// Both are of this node.
    unsafe fn next(&mut self, slot: *mut pg_sys::TupleTableSlot, context: *mut pg_sys::ExprContext) -> bool {
        loop {
            // SAFETY: a slot has an element for each column of its shape.
            unsafe {
                pg_sys::ExecClearTuple(slot);
                if let Some(source) = &mut self.source {
                    let mut row = SlotRow {
                        values: &mut self.values,
                        nulls: &mut self.nulls,
                    };
                    if reported(source.next(&mut row)) {
                        let columns = self.columns.len();
                        ptr::copy_nonoverlapping(self.values.as_ptr(), (*slot).tts_values, columns);
                        ptr::copy_nonoverlapping(self.nulls.as_ptr(), (*slot).tts_isnull, columns);
                        pg_sys::ExecStoreVirtualTuple(slot);
                        return true;
                    }
                }
                if self.ended || !self.fetch(context) {
                    self.ended = true;
                    return false;
                }
            }
        }
    }

    /// # Safety
    /// The context is of this node.
    unsafe fn fetch(&mut self, context: *mut pg_sys::ExprContext) -> bool {
        if let Some(source) = &mut self.source {
            return reported(self.definer.run(|| source.fetch()));
        }
        // SAFETY: as the caller's.
        let call = unsafe { self.call(context) };
        let opened = self.definer.run(|| {
            let mut source = (self.function.open)(&call)?;
            let found = source.fetch()?;
            Ok((source, found))
        });
        let (source, found) = reported(opened);
        self.source = Some(source);
        found
    }

    /// # Safety
    /// The context is of this node.
    unsafe fn call(&self, context: *mut pg_sys::ExprContext) -> Call {
        let mut memory = PgMemoryContexts::For(self.memory);
        // SAFETY: what is evaluated stays until the memory is emptied, with the next call.
        unsafe {
            memory.reset();
            memory.switch_to(|_| Call {
                query: self.query,
                types: self.arguments.iter().map(|argument| argument.of).collect(),
                arguments: self
                    .arguments
                    .iter()
                    .map(|argument| argument.evaluate(context))
                    .collect(),
                conditions: self
                    .narrowing
                    .iter()
                    .map(|(narrowing, value)| Condition {
                        column: narrowing.column,
                        comparison: narrowing.comparison,
                        value: value.evaluate(context).and_then(|datum| Value::of(value.of, datum)),
                    })
                    .collect(),
                columns: self.columns.clone(),
            })
        }
    }

    fn stop(&mut self) {
        self.looked_at = self.looked_at();
        self.source = None;
    }

    fn looked_at(&self) -> Vec<(&'static CStr, u64)> {
        let Some(source) = &self.source else {
            return self.looked_at.clone();
        };
        let mut counts = source.looked_at();
        for ((_, count), (_, before)) in counts.iter_mut().zip(&self.looked_at) {
            *count += before;
        }
        counts
    }
}

impl Expression {
    /// # Safety
    /// The context is that of the node that the expression is of.
    unsafe fn evaluate(&self, context: *mut pg_sys::ExprContext) -> NullableDatum {
        let mut is_null = false;
        // SAFETY: see above.
        let datum = unsafe { pg_sys::ExecEvalExpr(self.state, context, &mut is_null) };
        (!is_null).then_some(datum)
    }
}

impl Value {
    /// # Safety
    /// The datum is of the type.
    unsafe fn of(of: pg_sys::Oid, datum: pg_sys::Datum) -> Option<Value> {
        // SAFETY: see above. A null among several compares with nothing.
        unsafe {
            Some(match of {
                Timestamptz::OID => Value::Time(Timestamptz::fetch(Some(datum))?),
                Uuid::OID => Value::Ids(vec![Uuid::fetch(Some(datum))?]),
                UuidArray::OID => Value::Ids(UuidArray::fetch(Some(datum))?.ids()),
                pg_sys::TEXTOID => Value::Texts(vec![String::fetch(Some(datum))?]),
                TextArray::OID => Value::Texts(TextArray::fetch(Some(datum))?.texts()),
                _ => return None,
            })
        }
    }
}

/// # Safety
/// A list of integers.
unsafe fn integers(list: *mut pg_sys::List) -> Vec<i32> {
    // SAFETY: see above.
    unsafe {
        let length = if list.is_null() { 0 } else { (*list).length };
        (0..length).map(|place| pg_sys::list_nth_int(list, place)).collect()
    }
}

/// The function's columns that a row of the node has.
///
/// # Safety
/// A list that the planner has made, of variables.
unsafe fn columns(scanned: *mut pg_sys::List) -> Vec<i16> {
    // SAFETY: see above.
    unsafe {
        let entries = PgList::<pg_sys::TargetEntry>::from_pg(scanned);
        entries
            .iter_ptr()
            .map(|entry| (*(*entry).expr.cast::<pg_sys::Var>()).varattno)
            .collect()
    }
}

/// The places of the conditions that narrow, among those that are checked.
///
/// # Safety
/// A plan of ours.
pub(super) unsafe fn narrowed_by(scan: &pg_sys::CustomScan) -> Vec<usize> {
    // SAFETY: see above.
    let numbers = unsafe { integers(scan.custom_private) };
    let narrowing = numbers.get(1..).unwrap_or_default().chunks(Narrowing::NUMBERS);
    narrowing
        .filter_map(|numbers| Some(Narrowing::of(numbers)?.place))
        .collect()
}
