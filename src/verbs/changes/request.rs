//! What changes are asked for, and fetching them: with a snapshot that is taken once it is known up to when they are complete.

use super::groups::Changes;
use crate::error::{Error, Result};
use crate::identity::session::{Acting, Session};
use crate::pg::isolation::is_read_committed;
use crate::pg::moment;
use crate::pg::snapshot::Latest;
use crate::pg::timestamp;
use crate::pg::varlena::{Jsonb, TextArray, UuidArray};
use crate::store::changes::Between;
use crate::verbs::read::{Named, Request, Which};
use std::collections::HashSet;
use timedb_core::answer::Series;
use timedb_core::limits::MOST_BATCH_ROWS;
use timedb_core::time::Time;
use uuid::Uuid;

/// The arguments of `read_changes` and `read_changes_arrow`.
pub struct Arguments {
    pub after: Option<i64>,
    pub until: Option<i64>,
    pub series_keys: Option<TextArray>,
    pub series_ids: Option<UuidArray>,
    pub labels: Option<Jsonb>,
    pub max_rows: Option<i32>,
}

/// Who writes tells it on the primary alone.
pub const ON_A_STANDBY: Error = Error::Unsupported {
    what: "a standby does not know what is settled",
    hint: "Ask the primary for timedb.settled_time(), and the standby for what was written until then once it has replayed that.",
};

/// What has been settled since the transaction's first statement, it does not see.
const IN_A_SNAPSHOT: Error = Error::Unsupported {
    what: "\"until\" must be given in a transaction of REPEATABLE READ or SERIALIZABLE",
    hint: "Ask for timedb.settled_time() before the transaction begins, or ask under READ COMMITTED.",
};

/// Under whoever is logged in. Nobody's arguments are looked at.
pub fn changes(arguments: Arguments) -> Result<Changes> {
    let identity = Session::now().required()?;
    let after = timestamp::required("after", arguments.after)?;
    let until = timestamp::optional("until", arguments.until)?;
    let which = which(arguments.series_keys, arguments.series_ids, arguments.labels)?;
    let most_values = most_rows(arguments.max_rows)?;
    let acting = Acting::found(identity);
    // First up to when, then what: what is committed in between is later, or is seen.
    let until = match until {
        Some(until) => until,
        None => settled(acting.tenant)?,
    };
    let _seen = Latest::take();
    let selected = which.map(|which| which.series(acting.tenant)).transpose()?;
    let between = Between {
        tenant: acting.tenant,
        after,
        until,
        most_values,
    };
    let ids: Option<HashSet<Uuid>> = selected.as_ref().map(|series| ids_of(series).collect());
    let written = between.written(|series| ids.as_ref().is_none_or(|ids| ids.contains(series)))?;
    let series = match selected {
        Some(series) => series,
        None => {
            let found: HashSet<Uuid> = written.iter().map(|one| one.series).collect();
            let (keys, ids) = (Vec::new(), found.into_iter().collect());
            Which::from(Named::Some { keys, ids }).series(acting.tenant)?
        }
    };
    Changes::of(written, series)
}

fn ids_of(series: &[Series]) -> impl Iterator<Item = Uuid> {
    series.iter().map(|series| series.id)
}

/// None where all of them are asked for: those that something was written of are looked for then.
fn which(keys: Option<TextArray>, ids: Option<UuidArray>, labels: Option<Jsonb>) -> Result<Option<Which>> {
    let which = Request::of_some(keys, ids, (labels, None, None, None))?.which;
    let is_every = matches!(which.named, Named::Every) && which.labels.is_none();
    Ok((!is_every).then_some(which))
}

fn most_rows(max_rows: Option<i32>) -> Result<Option<usize>> {
    let Some(rows) = max_rows else { return Ok(None) };
    let most = usize::try_from(rows)
        .ok()
        .filter(|rows| (1..=MOST_BATCH_ROWS).contains(rows));
    match most {
        Some(most) => Ok(Some(most)),
        None => Err(Error::bad("max_rows", format!("must be from 1 to {MOST_BATCH_ROWS}"))),
    }
}

fn settled(tenant: Uuid) -> Result<Time> {
    if !is_read_committed() {
        return Err(IN_A_SNAPSHOT);
    }
    let settled = moment::settled(tenant).ok_or(ON_A_STANDBY)?;
    timestamp::required("clock", Some(settled.0))
}
