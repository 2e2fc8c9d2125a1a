//! How many rows a node is taken to bring: by what its arguments and WHERE say, and by nothing that is stored. So an estimate
//! is the same whoever is logged in, and a plan that is kept tells nobody of whoever was.

use super::conditions::{self, Comparison};
use super::{Function, planner};
use pgrx::{PgList, is_a, pg_sys};

/// What says how much an answer is of.
pub struct Extent {
    /// Of the arguments, by their places, those that are arrays of what it is of: together they name series.
    pub names: &'static [usize],
    /// And the start and the end of the times.
    pub window: (usize, usize),
    /// The column of the times that WHERE may bound, by its number.
    pub time: i16,
}

/// Series, where none are named, and values of each, where no times are given.
const SERIES: f64 = 10.0;
const VALUES: f64 = 1000.0;
/// From one value to the next, where times are given: most series are of hours. In microseconds.
const STEP: f64 = 3_600_000_000.0;

/// All rows that the node brings, and those of them that it has to check no further.
pub struct Rows {
    pub brought: f64,
    pub left: f64,
}

/// What is said of a relation, so far.
#[derive(Default)]
struct Said {
    series: Option<f64>,
    start: Option<f64>,
    end: Option<f64>,
}

/// # Safety
/// The relation is a call of the function, in the query that is being planned.
pub unsafe fn rows(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    call: *mut pg_sys::FuncExpr,
    function: &Function,
) -> Option<Rows> {
    let extent = function.extent.as_ref()?;
    // SAFETY: see above; every node is looked at as what its tag says.
    unsafe {
        let arguments = PgList::<pg_sys::Node>::from_pg((*call).args);
        let mut said = Said::default();
        for argument in extent.names.iter().filter_map(|place| arguments.get_ptr(*place)) {
            if let Some(count) = elements(root, argument) {
                said.series = Some(said.series.unwrap_or_default() + count);
            }
        }
        let time = |place| arguments.get_ptr(place).and_then(|argument| time(argument));
        said.bound(time(extent.window.0), time(extent.window.1));
        let rest = said.add_conditions(root, rel, function, extent);
        let selected =
            pg_sys::clauselist_selectivity(root, rest, 0, pg_sys::JoinType::JOIN_INNER, std::ptr::null_mut());
        let brought = pg_sys::clamp_row_est(said.rows());
        Some(Rows {
            brought,
            left: pg_sys::clamp_row_est(brought * selected),
        })
    }
}

impl Said {
    fn bound(&mut self, start: Option<f64>, end: Option<f64>) {
        self.start = self.start.into_iter().chain(start).reduce(f64::max);
        self.end = self.end.into_iter().chain(end).reduce(f64::min);
    }

    fn only(&mut self, series: f64) {
        self.series = Some(self.series.map_or(series, |named| named.min(series)));
    }

    fn rows(&self) -> f64 {
        let values = match (self.start, self.end) {
            (Some(start), Some(end)) => ((end - start) / STEP).max(1.0),
            _ => VALUES,
        };
        self.series.unwrap_or(SERIES) * values
    }

    /// What WHERE says beside the arguments; answers the clauses that say nothing of it.
    ///
    /// # Safety
    /// As [`rows`].
    unsafe fn add_conditions(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        function: &Function,
        extent: &Extent,
    ) -> *mut pg_sys::List {
        let mut rest = std::ptr::null_mut();
        // SAFETY: as the caller's.
        unsafe {
            for clause in PgList::<pg_sys::RestrictInfo>::from_pg((*rel).baserestrictinfo).iter_ptr() {
                let found = conditions::found(root, (*rel).relid, function.narrowing, (*clause).clause.cast());
                if found.is_none_or(|found| !self.add(root, &found, function, extent)) {
                    rest = pg_sys::lappend(rest, clause.cast());
                }
            }
        }
        rest
    }

    /// Whether a condition says how much there is.
    ///
    /// # Safety
    /// As [`rows`].
    unsafe fn add(
        &mut self,
        root: *mut pg_sys::PlannerInfo,
        found: &conditions::Found,
        function: &Function,
        extent: &Extent,
    ) -> bool {
        // SAFETY: as the caller's.
        unsafe {
            let names = function
                .order
                .as_ref()
                .is_some_and(|order| [order.key, order.id].contains(&found.column));
            if names {
                let count = match found.comparison {
                    Comparison::In => elements(root, planned(root, found.value)).unwrap_or(1.0),
                    _ => 1.0,
                };
                self.only(count);
                return true;
            }
            if found.column != extent.time {
                return false;
            }
            let Some(time) = time(planned(root, found.value)) else {
                return false;
            };
            match found.comparison {
                Comparison::Less | Comparison::LessOrEqual => self.bound(None, Some(time)),
                Comparison::Greater | Comparison::GreaterOrEqual => self.bound(Some(time), None),
                Comparison::Equal => self.bound(Some(time), Some(time)),
                Comparison::In => return false,
            }
            true
        }
    }
}

/// What an expression of WHERE is, as far as the planner knows already: it asks for that itself, to compare it with
/// statistics. Arguments it does not ask for, and none is evaluated before the statement is executed.
///
/// # Safety
/// An expression of the query that is being planned.
unsafe fn planned(root: *mut pg_sys::PlannerInfo, expression: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: see above.
    unsafe { pg_sys::estimate_expression_value(root, expression) }
}

/// How many elements an array has, or is taken to have; none where it is null, or may be.
///
/// # Safety
/// An expression of the query that is being planned.
#[cfg_attr(any(feature = "pg15", feature = "pg16"), expect(unused_variables))]
unsafe fn elements(root: *mut pg_sys::PlannerInfo, array: *mut pg_sys::Node) -> Option<f64> {
    // SAFETY: see above.
    unsafe {
        let is_null = planner::constant(array).is_some_and(|constant| constant.constisnull);
        if is_null || is_a(array, pg_sys::NodeTag::T_Param) {
            return None;
        }
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        let count = f64::from(pg_sys::estimate_array_length(array));
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        let count = pg_sys::estimate_array_length(root, array);
        Some(count)
    }
}

/// The moment that an expression is, in microseconds, where it is a constant; none of an infinite one.
///
/// # Safety
/// An expression of type timestamptz.
unsafe fn time(expression: *mut pg_sys::Node) -> Option<f64> {
    // SAFETY: see above.
    let constant = unsafe { planner::constant(expression) }.filter(|constant| !constant.constisnull)?;
    let micros = constant.constvalue.value() as i64;
    (micros != i64::MIN && micros != i64::MAX).then_some(micros as f64)
}
