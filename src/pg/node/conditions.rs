//! The conditions of WHERE that narrow what a node has to look at. They are checked on its rows all the same.

use pgrx::{PgList, is_a, pg_sys};

/// How a column is compared with a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    /// Equal to one of several.
    In,
}

const COMPARISONS: [Comparison; 6] = [
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Equal,
    Comparison::GreaterOrEqual,
    Comparison::Greater,
    Comparison::In,
];

/// Operators of Postgres' own, by their numbers, which never change: those of two timestamptz, two uuids, two texts.
const OPERATORS: [(u32, Comparison); 7] = [
    (1322, Comparison::Less),
    (1323, Comparison::LessOrEqual),
    (1320, Comparison::Equal),
    (1324, Comparison::Greater),
    (1325, Comparison::GreaterOrEqual),
    (2972, Comparison::Equal),
    (98, Comparison::Equal),
];

/// A condition, and the expression that its column is compared with.
pub struct Found {
    pub column: i16,
    pub comparison: Comparison,
    pub value: *mut pg_sys::Node,
}

impl Comparison {
    pub fn number(self) -> i32 {
        self as i32
    }

    pub fn of_number(number: i32) -> Option<Comparison> {
        COMPARISONS.into_iter().find(|comparison| comparison.number() == number)
    }

    /// The same comparison with its sides exchanged.
    fn reversed(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::Equal | Comparison::In => self,
        }
    }
}

/// What a clause says of one of these columns of the relation; none where it cannot be told before a row is there.
///
/// # Safety
/// All are of the query that is being planned.
pub unsafe fn found(
    root: *mut pg_sys::PlannerInfo,
    relation: pg_sys::Index,
    columns: &[i16],
    clause: *mut pg_sys::Node,
) -> Option<Found> {
    // SAFETY: see above; every node is looked at as what its tag says.
    unsafe {
        let (comparison, collation, sides) = sides(clause)?;
        let is_own = |side| column(relation, columns, side);
        let (column, comparison, value) = match (is_own(sides.0), is_own(sides.1)) {
            (Some(column), None) => (column, comparison, sides.1),
            (None, Some(column)) if comparison != Comparison::In => (column, comparison.reversed(), sides.0),
            _ => return None,
        };
        let is_bytewise = collation == pg_sys::InvalidOid || pg_sys::get_collation_isdeterministic(collation);
        let is_known_before = !pg_sys::bms_is_member(relation as i32, pg_sys::pull_varnos(root, value))
            && !pg_sys::contain_volatile_functions(value)
            && !pg_sys::contain_subplans(value);
        (is_bytewise && is_known_before).then_some(Found {
            column,
            comparison,
            value,
        })
    }
}

type Sides = (*mut pg_sys::Node, *mut pg_sys::Node);

/// # Safety
/// The clause is a node.
unsafe fn sides(clause: *mut pg_sys::Node) -> Option<(Comparison, pg_sys::Oid, Sides)> {
    // SAFETY: see above.
    unsafe {
        let (operator, collation, arguments, is_any) = if is_a(clause, pg_sys::NodeTag::T_OpExpr) {
            let of = &*clause.cast::<pg_sys::OpExpr>();
            (of.opno, of.inputcollid, of.args, false)
        } else if is_a(clause, pg_sys::NodeTag::T_ScalarArrayOpExpr) {
            let of = &*clause.cast::<pg_sys::ScalarArrayOpExpr>();
            (of.opno, of.inputcollid, of.args, of.useOr)
        } else {
            return None;
        };
        let of_one = OPERATORS.iter().find(|(number, _)| *number == operator.to_u32())?.1;
        let comparison = match (is_a(clause, pg_sys::NodeTag::T_OpExpr), is_any, of_one) {
            (true, ..) => of_one,
            (false, true, Comparison::Equal) if operator.to_u32() != 1320 => Comparison::In,
            _ => return None,
        };
        let arguments = PgList::<pg_sys::Node>::from_pg(arguments);
        let (left, right) = (arguments.get_ptr(0)?, arguments.get_ptr(1)?);
        (arguments.len() == 2).then_some((comparison, collation, (left, right)))
    }
}

/// Which of the columns a node is, if it is one.
///
/// # Safety
/// It is a node.
unsafe fn column(relation: pg_sys::Index, columns: &[i16], node: *mut pg_sys::Node) -> Option<i16> {
    // SAFETY: see above.
    unsafe {
        if !is_a(node, pg_sys::NodeTag::T_Var) {
            return None;
        }
        let variable = &*node.cast::<pg_sys::Var>();
        let is_own = variable.varno as u32 == relation && variable.varlevelsup == 0;
        (is_own && columns.contains(&variable.varattno)).then_some(variable.varattno)
    }
}
