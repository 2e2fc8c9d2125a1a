//! What a client calls on its data: each file a verb, which checks its arguments, asks who is acting, and puts the folders
//! below to work.

mod arrays;
mod buckets;
mod changes;
mod chosen;
mod compact;
mod erase;
mod gaps;
mod labelled;
mod labels;
mod latest;
mod list_runs;
mod list_series;
mod maintain;
mod read;
mod read_arrow;
mod relayed;
mod resolved;
mod retention;
mod series;
mod stats;
mod update;
mod update_series;
mod upload;
mod withdraw;

use crate::error::{Error, Result};
use crate::identity::session::Acting;
use crate::pg::datum::id;
use crate::pg::isolation::is_read_committed;
use crate::pg::varlena::PassedArray;

pub use read::SCANNED;

/// What keeps an operator from it where a transaction of the tenant's does so.
const PACKS: &str = "packs or removes values";

/// An array argument whose elements must all be there.
fn without_nulls<A: PassedArray>(argument: &'static str, array: Option<A>) -> Result<Option<A>> {
    if array.is_some_and(A::has_nulls) {
        return Err(Error::NullElement(argument));
    }
    Ok(array)
}

/// What takes values out, for good, must see what is there by now: what has been withdrawn, uploaded or set since the transaction
/// began, too.
fn refuse_old_snapshots() -> Result<()> {
    match is_read_committed() {
        true => Ok(()),
        false => Err(Error::Unsupported {
            what: "values are taken out in READ COMMITTED alone",
            hint: "Call it in a transaction of that isolation level.",
        }),
    }
}

/// An operator for the tenant that he names.
fn as_operator(tenant_id: Option<pgrx::Uuid>) -> Result<Acting> {
    let tenant = tenant_id.map(id).ok_or(Error::NullArgument("tenant_id"))?;
    Ok(Acting::as_operator(tenant))
}
