//! When keys end. An end is a row of its own, added and never changed: whoever ends a key waits for nobody, so that no
//! transaction left open, its holder's least of all, holds up a revocation. A database of 0.1.0 that has not been updated
//! yet has one end a key, in its row.

use crate::error::Result;
use crate::pg::index_scan::has_table;
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use pgrx::datum::Interval;
use uuid::Uuid;

statements! {
    /// An end that comes earlier stays.
    END(Uuid, Uuid, Interval) -> (Timestamptz,) =
        c"INSERT INTO timedb.key_ends (tenant_id, key_id, ended_at)
          SELECT $1, k.key_id,
                 least(k.revoked_at, clock_timestamp() + $3,
                       (SELECT min(e.ended_at) FROM timedb.key_ends e WHERE e.tenant_id = $1 AND e.key_id = $2))
          FROM timedb.api_keys k
          WHERE k.tenant_id = $1 AND k.key_id = $2
          RETURNING ended_at";
    END_IN_PLACE(Uuid, Uuid, Interval) -> (Timestamptz,) =
        c"UPDATE timedb.api_keys k
          SET revoked_at = least(k.revoked_at, clock_timestamp() + $3)
          WHERE k.tenant_id = $1 AND k.key_id = $2
          RETURNING k.revoked_at";
}

/// Whether ends are rows of their own in this database.
pub fn are_kept_apart() -> bool {
    has_table(c"timedb", c"key_ends")
}

/// Ends a key after so long, or leaves it the end that it has and that comes earlier: when. None if there is no such key.
pub fn end(tenant: Uuid, key_id: Uuid, grace: Interval) -> Result<Option<Timestamptz>> {
    let statement = if are_kept_apart() { &END } else { &END_IN_PLACE };
    let ended = statement.write((tenant, key_id, grace))?.pop();
    Ok(ended.map(|(at,)| at))
}
