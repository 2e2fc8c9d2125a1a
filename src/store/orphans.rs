//! Rows that have lost what they are of: no foreign key keeps a table of timedb's together.

use crate::error::Result;
use crate::pg::statement::statements;
use uuid::Uuid;

statements! {
    /// Of packs each series is looked for by itself: a plan that was made for a few of them must do for many.
    ORPHANS(Uuid) -> (i64,) =
        c"SELECT (SELECT count(*) FROM timedb.values v
                  WHERE v.tenant_id = $1
                    AND (NOT EXISTS (SELECT FROM timedb.runs r WHERE r.tenant_id = $1 AND r.run_id = v.run_id)
                         OR NOT EXISTS (SELECT FROM timedb.series s WHERE s.tenant_id = $1 AND s.series_id = v.series_id)))
               + (SELECT count(*)
                  FROM timedb.packs p
                  LEFT JOIN LATERAL (
                    SELECT 1 AS is_there FROM timedb.series s WHERE s.tenant_id = $1 AND s.series_id = p.series_id LIMIT 1
                  ) AS s ON true
                  WHERE p.tenant_id = $1 AND s.is_there IS NULL)";
}

/// How many stored rows of a tenant are of a run or a series that is not there, and packs of such a series.
pub fn orphans(tenant: Uuid) -> Result<i64> {
    Ok(ORPHANS.read_fresh((tenant,))?.pop().map_or(0, |(orphans,)| orphans))
}
