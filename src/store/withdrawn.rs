//! Which runs are withdrawn, and so shown by no read: by now, or as of a moment.
//!
//! Hardly any tenant has any, and what says so is one probe of an index, without a statement. Of a tenant with few, all are
//! known before anything is read; of one with many only those are looked up that a read has come upon, each once: so a read
//! costs no more than it reads, however much was ever withdrawn.

use crate::error::Result;
use crate::pg::index_scan::{Condition, any_seen};
use crate::pg::statement::{Snapshot, sql, statements};
use crate::pg::timestamp::Timestamptz;
use std::collections::{HashMap, HashSet};
use timedb_core::time::Time;
use uuid::Uuid;

/// As many are few: to take them all costs a small read no more than to look up the runs that it comes upon.
const FEW: usize = 100;
/// As many are remembered from one series to the next.
const MOST_REMEMBERED: usize = 100_000;

/// When a withdrawal lasts that is not restored yet, and one that was in effect at $2: from its first moment on, and until the
/// one before it was restored.
macro_rules! lasts {
    (by_now) => {
        "w.restored_at IS NULL AND w.withdrawn_at <= $2"
    };
    (as_of) => {
        "w.withdrawn_at <= $2 AND (w.restored_at IS NULL OR w.restored_at > $2)"
    };
}

/// Of these runs, by one probe of an index each.
macro_rules! among {
    ($when:ident) => {
        sql!(
            "SELECT w.run_id
             FROM (SELECT unnest($3) AS run_id) AS k
             CROSS JOIN LATERAL (
               SELECT w.run_id
               FROM timedb.withdrawals w
               WHERE w.tenant_id = $1 AND w.run_id = k.run_id AND ",
            lasts!($when),
            " OFFSET 0) AS w"
        )
    };
}

statements! {
    LASTING(Uuid, i64) -> (Uuid,) =
        c"SELECT w.run_id
          FROM timedb.withdrawals w
          WHERE w.tenant_id = $1 AND w.restored_at IS NULL
          LIMIT $2";
    /// Whether they are over or not: so many are looked at, and no more.
    EVER(Uuid, i64) -> (Uuid, Timestamptz, Option<Timestamptz>) =
        c"SELECT w.run_id, w.withdrawn_at, w.restored_at
          FROM timedb.withdrawals w
          WHERE w.tenant_id = $1
          LIMIT $2";
    LASTING_AMONG(Uuid, Timestamptz, &[Uuid]) -> (Uuid,) = among!(by_now);
    IN_EFFECT_AMONG(Uuid, Timestamptz, &[Uuid]) -> (Uuid,) = among!(as_of);
}

/// What of a tenant is withdrawn.
pub struct Withdrawn {
    tenant: Uuid,
    as_of: Option<Time>,
    seen: Snapshot,
    which: Which,
}

enum Which {
    None,
    These(HashSet<Uuid>),
    /// Whether they are, of runs that were looked up.
    Many(HashMap<Uuid, bool>),
}

impl Withdrawn {
    /// As the caller's query sees it.
    pub fn of(tenant: Uuid, as_of: Option<Time>) -> Result<Withdrawn> {
        Withdrawn::as_seen(tenant, as_of, Snapshot::Callers)
    }

    /// What is there by now, whatever the caller's query sees.
    pub fn by_now(tenant: Uuid) -> Result<Withdrawn> {
        Withdrawn::as_seen(tenant, None, Snapshot::Fresh)
    }

    fn as_seen(tenant: Uuid, as_of: Option<Time>, seen: Snapshot) -> Result<Withdrawn> {
        let which = if has_any(tenant, as_of, seen) {
            few(tenant, as_of, seen)?.map_or(Which::Many(HashMap::new()), Which::These)
        } else {
            Which::None
        };
        Ok(Withdrawn {
            tenant,
            as_of,
            seen,
            which,
        })
    }

    /// Whether none of the tenant's runs is: then nothing need be asked.
    pub fn is_none(&self) -> bool {
        match &self.which {
            Which::None => true,
            Which::These(these) => these.is_empty(),
            Which::Many(_) => false,
        }
    }

    /// Finds out about these runs. To be called before `holds` is asked of them, with all that it will be asked of until the
    /// next call.
    pub fn look_up(&mut self, runs: impl Iterator<Item = Uuid>) -> Result<()> {
        let Which::Many(known) = &mut self.which else {
            return Ok(());
        };
        if known.len() > MOST_REMEMBERED {
            known.clear();
        }
        let runs: HashSet<Uuid> = runs.filter(|run| !known.contains_key(run)).collect();
        if runs.is_empty() {
            return Ok(());
        }
        let asked: Vec<Uuid> = runs.into_iter().collect();
        known.extend(asked.iter().map(|run| (*run, false)));
        let statement = match self.as_of {
            None => &LASTING_AMONG,
            Some(_) => &IN_EFFECT_AMONG,
        };
        let moment = Timestamptz::upper_bound(self.as_of);
        let found = statement.rows(self.seen, (self.tenant, moment, &asked))?;
        known.extend(found.into_iter().map(|(run,)| (run, true)));
        Ok(())
    }

    pub fn holds(&self, run: &Uuid) -> bool {
        match &self.which {
            Which::None => false,
            Which::These(these) => these.contains(run),
            Which::Many(known) => known.get(run).copied().unwrap_or_default(),
        }
    }
}

/// Whether there is any that matters, by one probe: of those that last by now, or of all where it is asked what was. Not where
/// the table is missing, as in a database of an earlier release.
fn has_any(tenant: Uuid, as_of: Option<Time>, seen: Snapshot) -> bool {
    const TENANT_ID: usize = 1;
    let index = match as_of {
        None => c"withdrawals_lasting_key",
        Some(_) => c"withdrawals_pkey",
    };
    let of_tenant = [Condition::id(TENANT_ID, tenant)];
    any_seen(seen, c"timedb", c"withdrawals", index, &of_tenant, |_| true)
}

/// All that are in effect, unless there are more to be looked at than few.
fn few(tenant: Uuid, as_of: Option<Time>, seen: Snapshot) -> Result<Option<HashSet<Uuid>>> {
    let most = FEW as i64 + 1;
    let (count, found): (usize, HashSet<Uuid>) = match as_of.map(Timestamptz::from) {
        None => {
            let found = LASTING.rows(seen, (tenant, most))?;
            (found.len(), found.into_iter().map(|(run,)| run).collect())
        }
        Some(as_of) => {
            let found = EVER.rows(seen, (tenant, most))?;
            let is_in_effect = |(_, withdrawn, restored): &(Uuid, Timestamptz, Option<Timestamptz>)| {
                *withdrawn <= as_of && restored.is_none_or(|restored| restored > as_of)
            };
            (
                found.len(),
                found.into_iter().filter(is_in_effect).map(|(run, ..)| run).collect(),
            )
        }
    };
    Ok((count <= FEW).then_some(found))
}
