//! Whose values are stored: tenant after tenant, each by a descent of an index, whatever it has. For operators' functions alone.

use crate::pg::index_scan::{Condition, first};
use std::ffi::CStr;
use uuid::Uuid;

/// Every key starts with the tenant, the first column. All three tables: also what lost its run is somebody's.
const KEYS: [(&CStr, &CStr); 3] = [
    (c"runs", c"runs_pkey"),
    (c"values", c"values_pkey"),
    (c"packs", c"packs_pkey"),
];
const TENANT_ID: usize = 1;

/// The tenants that have stored anything, in the order of their ids.
pub fn tenants() -> impl Iterator<Item = Uuid> {
    std::iter::successors(next_after(None), |tenant| next_after(Some(*tenant)))
}

/// Whether a tenant has stored anything, and still has it by now.
pub fn has_stored(tenant: Uuid) -> bool {
    let of_tenant = [Condition::id(TENANT_ID, tenant)];
    let has = |(table, key)| first(c"timedb", table, key, &of_tenant, |row| row.column::<Uuid>(TENANT_ID)).is_some();
    KEYS.into_iter().any(has)
}

fn next_after(tenant: Option<Uuid>) -> Option<Uuid> {
    let after: Vec<Condition> = tenant
        .map(|tenant| Condition::id_after(TENANT_ID, tenant))
        .into_iter()
        .collect();
    let next = |(table, key)| first(c"timedb", table, key, &after, |row| row.column::<Uuid>(TENANT_ID));
    KEYS.into_iter().filter_map(next).min()
}
