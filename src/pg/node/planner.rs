//! Where a statement reads from a function that a node can stand for: the path that the planner then has, and the plan.

use super::conditions::{self, Comparison};
use super::{Function, definer, estimate, executor, order, settings};
use pgrx::{PgList, PgTupleDesc, is_a, pg_guard, pg_sys};
use std::cell::Cell;
use std::ffi::CStr;
use std::ptr;

/// Methods that Postgres only ever reads.
pub(super) struct Methods<T>(pub T);
// SAFETY: see above; a backend has one thread.
unsafe impl<T> Sync for Methods<T> {}

pub(super) const NODE: &CStr = c"TimedbScan";

static PATH: Methods<pg_sys::CustomPathMethods> = Methods(pg_sys::CustomPathMethods {
    CustomName: NODE.as_ptr(),
    PlanCustomPath: Some(plan),
    ReparameterizeCustomPathByChild: None,
});

thread_local! {
    static FUNCTIONS: Cell<&'static [Function]> = const { Cell::new(&[]) };
    static FORMER: Cell<pg_sys::set_rel_pathlist_hook_type> = const { Cell::new(None) };
}

/// The language of functions in C, in every database.
const C_LANGUAGE: u32 = 13;

/// What a row costs, and the first one: as much as the planner takes a function for.
const STARTUP_COST: f64 = 10.0;
const COST_A_ROW: f64 = 0.01;

/// Has nodes made for these functions from here on; called once, when the library is loaded.
pub fn install(functions: &'static [Function]) {
    FUNCTIONS.set(functions);
    executor::register();
    // SAFETY: a backend has one thread; whoever had put up the hook before is called, too.
    unsafe {
        FORMER.set(pg_sys::set_rel_pathlist_hook);
        pg_sys::set_rel_pathlist_hook = Some(consider);
    }
}

pub(super) fn function(number: i32) -> Option<&'static Function> {
    FUNCTIONS.get().get(usize::try_from(number).ok()?)
}

/// # Safety
/// Called by the planner, for each relation that a query reads from.
#[pg_guard]
unsafe extern "C-unwind" fn consider(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    index: pg_sys::Index,
    entry: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: see above.
    unsafe {
        if let Some(former) = FORMER.get() {
            former(root, rel, index, entry);
        }
        if (*entry).rtekind != pg_sys::RTEKind::RTE_FUNCTION || !settings::enabled() {
            return;
        }
        if let Some((number, function)) = stands_for(entry)
            && may_be_a_node(root)
            && columns_used(rel).is_some()
        {
            if let Some(call) = only_call(entry)
                && let Some(rows) = estimate::rows(root, rel, call, function)
            {
                ((*rel).tuples, (*rel).rows) = (rows.brought, rows.left);
            }
            let path = path(root, rel, number, function);
            (*rel).pathlist = ptr::null_mut();
            pg_sys::add_path(rel, path.cast());
        }
    }
}

/// The function that a range table entry is a call of, if it is one of ours, as this library knows it.
///
/// # Safety
/// An entry of a function.
unsafe fn stands_for(entry: *mut pg_sys::RangeTblEntry) -> Option<(usize, &'static Function)> {
    // SAFETY: see above.
    unsafe {
        let call = only_call(entry)?;
        let found = Declared::of((*call).funcid)?;
        let functions = FUNCTIONS.get().iter().enumerate();
        let mut own = functions.filter(|(_, function)| found.is(function));
        let (number, function) = own.next()?;
        let arguments = PgList::<pg_sys::Node>::from_pg((*call).args);
        let types: Vec<_> = arguments
            .iter_ptr()
            .map(|argument| pg_sys::exprType(argument))
            .collect();
        let columns = columns_of(call.cast()).into_iter().map(|(of, _)| of);
        let as_known = (function.takes)(&types) && columns.eq((function.columns)());
        (as_known && definer::find(found.schema).is_some()).then_some((number, function))
    }
}

/// The call of an entry that is nothing but one call: no ROWS FROM of several, no WITH ORDINALITY.
///
/// # Safety
/// An entry of a function.
pub(super) unsafe fn only_call(entry: *mut pg_sys::RangeTblEntry) -> Option<*mut pg_sys::FuncExpr> {
    // SAFETY: see above.
    unsafe {
        let functions = PgList::<pg_sys::RangeTblFunction>::from_pg((*entry).functions);
        if functions.len() != 1 || (*entry).funcordinality {
            return None;
        }
        let call = (*functions.get_ptr(0)?).funcexpr;
        (is_a(call, pg_sys::NodeTag::T_FuncExpr)).then_some(call.cast())
    }
}

/// An expression as the constant that it is, if it is one.
///
/// # Safety
/// An expression.
pub(super) unsafe fn constant<'a>(expression: *mut pg_sys::Node) -> Option<&'a pg_sys::Const> {
    // SAFETY: see above; a node is looked at as what its tag says.
    unsafe { is_a(expression, pg_sys::NodeTag::T_Const).then(|| &*expression.cast()) }
}

/// What the catalog says of a function.
struct Declared {
    name: std::ffi::CString,
    schema: pg_sys::Oid,
    is_c: bool,
}

impl Declared {
    fn of(function: pg_sys::Oid) -> Option<Declared> {
        let id = pg_sys::SysCacheIdentifier::PROCOID as i32;
        // SAFETY: the row is looked at while it is held.
        unsafe {
            let tuple = pg_sys::SearchSysCache1(id, pg_sys::Datum::from(function));
            if tuple.is_null() {
                return None;
            }
            let row = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>();
            let declared = Declared {
                name: CStr::from_ptr(row.proname.data.as_ptr()).to_owned(),
                schema: row.pronamespace,
                is_c: row.prolang == pg_sys::Oid::from(C_LANGUAGE),
            };
            pg_sys::ReleaseSysCache(tuple);
            Some(declared)
        }
    }

    /// Only a superuser makes functions in C, and nobody else makes anything in the schema.
    fn is(&self, function: &Function) -> bool {
        self.is_c && *self.name == *function.name && is_named(self.schema, c"timedb")
    }
}

fn is_named(schema: pg_sys::Oid, name: &CStr) -> bool {
    // SAFETY: null, or a palloc'd C string.
    unsafe {
        let found = pg_sys::get_namespace_name(schema);
        !found.is_null() && CStr::from_ptr(found) == name
    }
}

/// The type and the collation of each column that a call answers; of a set that is not of rows, of the one that it then is.
///
/// # Safety
/// An expression.
unsafe fn columns_of(call: *mut pg_sys::Node) -> Vec<(pg_sys::Oid, pg_sys::Oid)> {
    // SAFETY: see above; the shape is palloc'd, if there is one, and nothing of it is released.
    unsafe {
        let (mut of, mut shape) = (pg_sys::InvalidOid, ptr::null_mut());
        let class = pg_sys::get_expr_result_type(call, &mut of, &mut shape);
        if class == pg_sys::TypeFuncClass::TYPEFUNC_SCALAR {
            return vec![(of, pg_sys::exprCollation(call))];
        }
        if class != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE || shape.is_null() {
            return Vec::new();
        }
        let shape = PgTupleDesc::from_pg_unchecked(shape);
        shape
            .iter()
            .map(|column| (column.atttypid, column.attcollation))
            .collect()
    }
}

/// Whether nobody will want a row back by a junk column: a statement that changes or locks rows may read it again.
///
/// # Safety
/// The query that is being planned.
unsafe fn may_be_a_node(root: *mut pg_sys::PlannerInfo) -> bool {
    let mut level = root;
    // SAFETY: each level is of the query that is being planned, up to the whole of it.
    unsafe {
        while !level.is_null() {
            let query = &*(*level).parse;
            let reads = matches!(
                query.commandType,
                pg_sys::CmdType::CMD_SELECT | pg_sys::CmdType::CMD_INSERT
            );
            if !reads || !query.rowMarks.is_null() {
                return false;
            }
            level = (*level).parent_root;
        }
    }
    true
}

/// The columns that are asked for, in ascending order; none where a whole row is.
///
/// # Safety
/// A relation of the query that is being planned.
unsafe fn columns_used(rel: *mut pg_sys::RelOptInfo) -> Option<Vec<i16>> {
    // SAFETY: see above.
    unsafe {
        let mut used = ptr::null_mut();
        pg_sys::pull_varattnos((*(*rel).reltarget).exprs.cast(), (*rel).relid, &mut used);
        let conditions = PgList::<pg_sys::RestrictInfo>::from_pg((*rel).baserestrictinfo);
        let joins = PgList::<pg_sys::RestrictInfo>::from_pg((*rel).joininfo);
        for condition in conditions.iter_ptr().chain(joins.iter_ptr()) {
            pg_sys::pull_varattnos((*condition).clause.cast(), (*rel).relid, &mut used);
        }
        let numbers = numbers_of(used);
        numbers.iter().all(|number| *number > 0).then_some(numbers)
    }
}

/// # Safety
/// A set made by `pull_varattnos`, or null.
unsafe fn numbers_of(set: *mut pg_sys::Bitmapset) -> Vec<i16> {
    let mut numbers = Vec::new();
    let mut member = -1;
    loop {
        // SAFETY: see above.
        member = unsafe { pg_sys::bms_next_member(set, member) };
        if member < 0 {
            return numbers;
        }
        numbers.push((member + pg_sys::FirstLowInvalidHeapAttributeNumber) as i16);
    }
}

/// # Safety
/// The relation is a call of the function, in the query that is being planned.
unsafe fn path(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    number: usize,
    function: &Function,
) -> *mut pg_sys::CustomPath {
    // SAFETY: see above; the path is palloc'd as a whole, zeroed.
    unsafe {
        let path = make::<pg_sys::CustomPath>(pg_sys::NodeTag::T_CustomPath);
        let of = &mut (*path).path;
        of.pathtype = pg_sys::NodeTag::T_CustomScan;
        of.parent = rel;
        of.pathtarget = (*rel).reltarget;
        of.param_info = pg_sys::get_baserel_parampathinfo(root, rel, (*rel).lateral_relids);
        of.rows = match of.param_info {
            info if info.is_null() => (*rel).rows,
            info => (*info).ppi_rows,
        };
        let of_target = (*(*rel).reltarget).cost;
        of.startup_cost = STARTUP_COST + of_target.startup;
        of.total_cost = of.startup_cost + (*rel).tuples * COST_A_ROW + of.rows * of_target.per_tuple;
        if let Some(order) = &function.order {
            of.pathkeys = order::pathkeys(root, rel, order);
        }
        (*path).flags = pg_sys::CUSTOMPATH_SUPPORT_PROJECTION;
        (*path).custom_private = pg_sys::lappend_int(ptr::null_mut(), number as i32);
        (*path).methods = &raw const PATH.0;
        path
    }
}

/// A node of Postgres', zeroed.
///
/// # Safety
/// `T` is the struct of nodes with this tag.
pub(super) unsafe fn make<T>(tag: pg_sys::NodeTag) -> *mut T {
    // SAFETY: see above; each begins with its tag.
    unsafe {
        let node = pg_sys::palloc0(size_of::<T>()).cast::<pg_sys::Node>();
        (*node).type_ = tag;
        node.cast()
    }
}

/// What a plan's private list says, after the function's number: of each condition three numbers.
pub(super) struct Narrowing {
    pub column: i16,
    pub comparison: Comparison,
    /// Its place among the conditions that are checked on rows.
    pub place: usize,
}

impl Narrowing {
    pub const NUMBERS: usize = 3;

    pub fn of(numbers: &[i32]) -> Option<Narrowing> {
        Some(Narrowing {
            column: i16::try_from(*numbers.first()?).ok()?,
            comparison: Comparison::of_number(*numbers.get(1)?)?,
            place: usize::try_from(*numbers.get(2)?).ok()?,
        })
    }
}

/// # Safety
/// Called by the planner, with a path of ours that it has chosen.
#[pg_guard]
unsafe extern "C-unwind" fn plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    path: *mut pg_sys::CustomPath,
    target: *mut pg_sys::List,
    clauses: *mut pg_sys::List,
    _plans: *mut pg_sys::List,
) -> *mut pg_sys::Plan {
    // SAFETY: see above.
    unsafe {
        let number = pg_sys::list_nth_int((*path).custom_private, 0);
        let entry = *(*root).simple_rte_array.add((*rel).relid as usize);
        let clauses = pg_sys::extract_actual_clauses(clauses, false);
        let scan = make::<pg_sys::CustomScan>(pg_sys::NodeTag::T_CustomScan);
        (*scan).scan.plan.targetlist = target;
        (*scan).scan.plan.qual = clauses;
        (*scan).flags = (*path).flags;
        (*scan).methods = executor::scan_methods();
        // The call is kept whole: so the plan depends on the function, and is made anew when that changes.
        let call = only_call(entry).unwrap_or(ptr::null_mut());
        (*scan).custom_scan_tlist = scanned(rel, call, target, clauses);
        let mut expressions = pg_sys::lappend(ptr::null_mut(), call.cast());
        let mut numbers = pg_sys::lappend_int(ptr::null_mut(), number);
        let columns = function(number).map_or(&[][..], |function| function.narrowing);
        for (place, clause) in PgList::<pg_sys::Node>::from_pg(clauses).iter_ptr().enumerate() {
            if let Some(found) = conditions::found(root, (*rel).relid, columns, clause) {
                expressions = pg_sys::lappend(expressions, found.value.cast());
                for number in [i32::from(found.column), found.comparison.number(), place as i32] {
                    numbers = pg_sys::lappend_int(numbers, number);
                }
            }
        }
        (*scan).custom_exprs = expressions;
        (*scan).custom_private = numbers;
        scan.cast()
    }
}

/// The row that the node makes: the columns of the function that are used, and no others.
///
/// # Safety
/// The lists are of the plan of this relation, which is this call of a function of ours.
unsafe fn scanned(
    rel: *mut pg_sys::RelOptInfo,
    call: *mut pg_sys::FuncExpr,
    target: *mut pg_sys::List,
    clauses: *mut pg_sys::List,
) -> *mut pg_sys::List {
    // SAFETY: see above.
    unsafe {
        let types = columns_of(call.cast());
        let mut used = ptr::null_mut();
        pg_sys::pull_varattnos((*(*rel).reltarget).exprs.cast(), (*rel).relid, &mut used);
        pg_sys::pull_varattnos(target.cast(), (*rel).relid, &mut used);
        pg_sys::pull_varattnos(clauses.cast(), (*rel).relid, &mut used);
        let mut scanned = ptr::null_mut();
        for (place, column) in (1..).zip(numbers_of(used)) {
            let (of, collation) = types[column as usize - 1];
            let variable = pg_sys::makeVar((*rel).relid as _, column, of, -1, collation, 0);
            let shown = pg_sys::makeTargetEntry(variable.cast(), place, ptr::null_mut(), false);
            scanned = pg_sys::lappend(scanned, shown.cast());
        }
        scanned
    }
}
