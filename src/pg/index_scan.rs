//! What an index finds, without a statement: mostly with a fresh snapshot, which sees what was committed a moment ago
//! inside REPEATABLE READ and in the leader of a parallel plan; it needs no privilege, meets no policy, writes nothing and
//! takes no transaction id.

use super::datum::{Bind, Name, NullableDatum};
use super::row::{TableRow, type_of};
use super::statement::Snapshot;
use super::varlena::Jsonb;
use pgrx::pg_sys;
use std::ffi::CStr;
use uuid::Uuid;

/// `column = value`, or `column > value`.
pub struct Condition {
    column: usize,
    of: pg_sys::Oid,
    strategy: u32,
    function: u32,
    collation: pg_sys::Oid,
    /// None where there is no such value: then no row has it.
    value: NullableDatum,
}

impl Condition {
    pub fn id(column: usize, id: Uuid) -> Condition {
        Condition::equals::<Uuid>(column, pg_sys::F_UUID_EQ, id)
    }

    pub fn id_after(column: usize, id: Uuid) -> Condition {
        Condition {
            strategy: pg_sys::BTGreaterStrategyNumber,
            function: pg_sys::F_UUID_GT,
            ..Condition::id(column, id)
        }
    }

    pub fn bytes(column: usize, bytes: &[u8]) -> Condition {
        Condition::equals::<&[u8]>(column, pg_sys::F_BYTEAEQ, bytes)
    }

    pub fn name(column: usize, name: &str) -> Condition {
        Condition::equals::<Name>(column, pg_sys::F_NAMEEQ, name)
    }

    /// Of a column that is declared without a collation.
    pub fn text(column: usize, text: &str) -> Condition {
        Condition {
            collation: pg_sys::DEFAULT_COLLATION_OID,
            ..Condition::equals::<&str>(column, pg_sys::F_TEXTEQ, text)
        }
    }

    pub fn jsonb(column: usize, json: Jsonb) -> Condition {
        Condition::equals::<Jsonb>(column, pg_sys::F_JSONB_EQ, json)
    }

    fn equals<T: Bind>(column: usize, function: u32, value: T::Given<'_>) -> Condition {
        Condition {
            column,
            of: T::OID,
            strategy: pg_sys::BTEqualStrategyNumber,
            function,
            collation: pg_sys::C_COLLATION_OID,
            value: T::bind(value),
        }
    }

    /// By the built-in function that compares them.
    fn key(&self) -> Option<pg_sys::ScanKeyData> {
        let value = self.value?;
        let mut key = pg_sys::ScanKeyData::default();
        // SAFETY: fills in the one key.
        unsafe {
            pg_sys::ScanKeyInit(
                &mut key,
                self.column as pg_sys::AttrNumber,
                self.strategy as pg_sys::StrategyNumber,
                self.function.into(),
                value,
            );
        }
        key.sk_collation = self.collation;
        Some(key)
    }
}

/// What became of a visit.
#[derive(PartialEq, Eq)]
enum Visit {
    NoTable,
    /// The index is not there, or a column is not what it should be.
    Unreadable,
    Done,
}

/// The one row of a table in the schema that an index finds; none if there are more: what a key means is never a guess. None
/// too where the table or the index is missing: the library may be loaded where the extension is not installed.
pub fn find<T>(
    schema: &CStr,
    table: &CStr,
    index: &CStr,
    conditions: &[Condition],
    read: impl FnOnce(&TableRow) -> Option<T>,
) -> Option<T> {
    let (mut read, mut found, mut rows) = (Some(read), None, 0);
    let visit = visit(Snapshot::Fresh, schema, table, index, conditions, &mut |row| {
        rows += 1;
        if let Some(read) = read.take() {
            found = read(row);
        }
        rows < 2
    });
    found.filter(|_| visit == Visit::Done && rows == 1)
}

/// What is read of the first row in the order of the index; none too where the table or the index is missing.
pub fn first<T>(
    schema: &CStr,
    table: &CStr,
    index: &CStr,
    conditions: &[Condition],
    read: impl FnOnce(&TableRow) -> Option<T>,
) -> Option<T> {
    let (mut read, mut found) = (Some(read), None);
    visit(Snapshot::Fresh, schema, table, index, conditions, &mut |row| {
        found = read.take().and_then(|read| read(row));
        false
    });
    found
}

/// Whether a row that an index finds is such a one; also where that cannot be told, for the index is missing. Not where the
/// table is: an earlier version of the extension may not have it.
pub fn any(
    schema: &CStr,
    table: &CStr,
    index: &CStr,
    conditions: &[Condition],
    is: impl FnMut(&TableRow) -> bool,
) -> bool {
    any_seen(Snapshot::Fresh, schema, table, index, conditions, is)
}

/// The same, perhaps of what the caller's query sees: for what is then asked of that by a statement.
pub fn any_seen(
    seen: Snapshot,
    schema: &CStr,
    table: &CStr,
    index: &CStr,
    conditions: &[Condition],
    mut is: impl FnMut(&TableRow) -> bool,
) -> bool {
    let mut is_any = false;
    let visit = visit(seen, schema, table, index, conditions, &mut |row| {
        is_any = is(row);
        !is_any
    });
    is_any || visit == Visit::Unreadable
}

/// Whether a table is there.
pub fn has_table(schema: &CStr, table: &CStr) -> bool {
    // SAFETY: looks into the catalog.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        pg_sys::get_relname_relid(table.as_ptr(), schema) != pg_sys::InvalidOid
    }
}

/// Shows each row that is found, until `read` says that it has seen enough. Apart from what is done with the rows: each call of
/// Postgres has a guard around it, which copies would repeat.
fn visit(
    seen: Snapshot,
    schema: &CStr,
    table: &CStr,
    index: &CStr,
    conditions: &[Condition],
    read: &mut dyn FnMut(&TableRow) -> bool,
) -> Visit {
    let keys: Option<Vec<pg_sys::ScanKeyData>> = conditions.iter().map(Condition::key).collect();
    // SAFETY: the relation stays open, and so locked and described, and the scan on the row, until the row has been
    // read; what `read` keeps borrows nothing of it. An ERROR in between releases all of it with the transaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        let table = pg_sys::get_relname_relid(table.as_ptr(), schema);
        let index = pg_sys::get_relname_relid(index.as_ptr(), schema);
        if table == pg_sys::InvalidOid {
            return Visit::NoTable;
        }
        let (Some(mut keys), true) = (keys, index != pg_sys::InvalidOid) else {
            return Visit::Unreadable;
        };
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as _);
        let shape = (*relation).rd_att;
        let fit = |condition: &Condition| type_of(shape, condition.column - 1) == Some(condition.of);
        let all_fit = conditions.iter().all(fit);
        if all_fit {
            visit_rows(seen, relation, index, &mut keys, read);
        }
        pg_sys::table_close(relation, pg_sys::AccessShareLock as _);
        if all_fit { Visit::Done } else { Visit::Unreadable }
    }
}

/// # Safety
/// The relation is open, the index is its own, and the keys are of its columns.
unsafe fn visit_rows(
    seen: Snapshot,
    relation: pg_sys::Relation,
    index: pg_sys::Oid,
    keys: &mut [pg_sys::ScanKeyData],
    read: &mut dyn FnMut(&TableRow) -> bool,
) {
    // SAFETY: see above. A null snapshot is a fresh one; the caller's is active, and so kept, as long as this call lasts.
    unsafe {
        let count = keys.len() as i32;
        let snapshot = match seen {
            Snapshot::Callers if pg_sys::ActiveSnapshotSet() => pg_sys::GetActiveSnapshot(),
            _ => std::ptr::null_mut(),
        };
        let scan = pg_sys::systable_beginscan(relation, index, true, snapshot, count, keys.as_mut_ptr());
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() || !read(&TableRow::of(tuple, (*relation).rd_att)) {
                break;
            }
        }
        pg_sys::systable_endscan(scan);
    }
}
