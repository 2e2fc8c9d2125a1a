//! How much one tenant may have: series, and bytes of values, runs and withdrawals. Looked at before more is written, where a setting says a limit.
//!
//! No figure of it is stored: every writer of a tenant would wait for the one before it. What there is is counted, of the tenant
//! alone, and a backend remembers it together with what it has written since. It counts anew once the figure is older than a
//! hundred times as long as counting took, so that counting takes at most a hundredth of its time; and always before it
//! refuses. So what others write meanwhile may pass a limit by as much; nobody is refused for what is not there.

use crate::error::{Error, Result};
use crate::identity::limits::{most_bytes, most_series};
use crate::pg::index_scan::has_table;
use crate::pg::statement::{sql, statements};
use std::cell::Cell;
use std::thread::LocalKey;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Of rows and packs.
macro_rules! stored_bytes {
    () => {
        "(SELECT coalesce(sum(108 + pg_column_size(v.points) + pg_column_size(v.changed_by)
                              + coalesce(pg_column_size(v.annotation), 0) + coalesce(pg_column_size(v.tags), 0)), 0)
          FROM timedb.values v
          WHERE v.tenant_id = $1)
         + (SELECT coalesce(sum(132 + pg_column_size(p.versions)), 0)
            FROM timedb.packs p
            WHERE p.tenant_id = $1)"
    };
}

statements! {
    /// In the order of an index, whose entries are all that is looked at; no more of them than would be too many.
    COUNT_SERIES(Uuid, i64) -> (i64,) =
        c"SELECT count(*)
          FROM (SELECT s.series_id
                FROM timedb.series s
                WHERE s.tenant_id = $1
                ORDER BY s.series_id
                LIMIT $2) AS s";
    /// What is kept apart from its row is not fetched. The numbers are the head of a row and its columns of fixed length.
    COUNT_BYTES(Uuid) -> (i64,) =
        sql!("SELECT ", stored_bytes!(), "
               + (SELECT coalesce(sum(128 + pg_column_size(r.workflow_id) + pg_column_size(r.changed_by)
                                      + coalesce(pg_column_size(r.run_params), 0)
                                      + coalesce(pg_column_size(r.listed), 0)), 0)
                  FROM timedb.runs r
                  WHERE r.tenant_id = $1)
               + (SELECT coalesce(sum(80 + pg_column_size(w.withdrawn_by) + coalesce(pg_column_size(w.reason), 0)
                                      + coalesce(pg_column_size(w.restored_by), 0)
                                      + coalesce(pg_column_size(w.restore_reason), 0)), 0)
                  FROM timedb.withdrawals w
                  WHERE w.tenant_id = $1)");
    /// As a database of 0.1.0 has them.
    COUNT_BYTES_BEFORE(Uuid) -> (i64,) = sql!("SELECT ", stored_bytes!());
}

/// What a row of values, a run and a withdrawal take beside their texts, as they are counted above.
pub const ROW_BYTES: usize = 108;
pub const RUN_BYTES: usize = 128;
pub const WITHDRAWAL_BYTES: usize = 80;
const TIMES_AS_LONG: u32 = 100;

/// How much a tenant has, with what this backend has written since it was counted.
#[derive(Clone, Copy)]
struct Counted {
    tenant: Uuid,
    count: i64,
    at: Instant,
    took: Duration,
}

thread_local! {
    static SERIES: Cell<Option<Counted>> = const { Cell::new(None) };
    static BYTES: Cell<Option<Counted>> = const { Cell::new(None) };
}

/// Whether the tenant may have so many more series.
pub fn check_series(tenant: Uuid, more: usize) -> Result<()> {
    let most = most_series();
    let count = || COUNT_SERIES.read_fresh((tenant, most.saturating_add(1)));
    match most == 0 || is_room(&SERIES, tenant, more, most, count)? {
        true => Ok(()),
        false => Err(Error::TooManySeries(most)),
    }
}

/// Whether the values of the tenant may take so many more bytes, with their runs and what withdraws them: whoever may write could
/// fill a disk by any of them.
pub fn check_bytes(tenant: Uuid, more: impl FnOnce() -> usize) -> Result<()> {
    let most = most_bytes();
    let count = || match has_table(c"timedb", c"withdrawals") {
        true => COUNT_BYTES.read_fresh((tenant,)),
        false => COUNT_BYTES_BEFORE.read_fresh((tenant,)),
    };
    match most == 0 || is_room(&BYTES, tenant, more(), most, count)? {
        true => Ok(()),
        false => Err(Error::TooManyBytes(most)),
    }
}

fn is_room(
    counted: &'static LocalKey<Cell<Option<Counted>>>,
    tenant: Uuid,
    more: usize,
    most: i64,
    count: impl FnOnce() -> Result<Vec<(i64,)>>,
) -> Result<bool> {
    if more == 0 {
        return Ok(true);
    }
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    let known = counted.get().filter(|known| known.tenant == tenant && known.is_fresh());
    let known = match known {
        Some(known) if known.count.saturating_add(more) <= most => known,
        _ => Counted::by(tenant, count)?,
    };
    let count = known.count.saturating_add(more);
    let is_room = count <= most;
    counted.set(Some(match is_room {
        true => Counted { count, ..known },
        false => known,
    }));
    Ok(is_room)
}

impl Counted {
    fn by(tenant: Uuid, count: impl FnOnce() -> Result<Vec<(i64,)>>) -> Result<Counted> {
        let at = Instant::now();
        let rows = count()?;
        let [(count,)] = rows[..] else {
            return Err(Error::Broken("a count without a row".into()));
        };
        Ok(Counted {
            tenant,
            count,
            at,
            took: at.elapsed(),
        })
    }

    fn is_fresh(&self) -> bool {
        self.at.elapsed() < self.took.saturating_mul(TIMES_AS_LONG)
    }
}
