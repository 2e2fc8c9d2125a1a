//! What runs say of themselves, kept true where a series goes and they stay: how many values they have, and which rows they list.

use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::statements;
use crate::pg::varlena::Bytes;
use crate::store::keys::Wanted;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use timedb_core::listing::{Listing, listed};
use timedb_core::points::Key;
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    /// In the order of their ids, as an update locks them; those that another transaction holds are left out.
    HOLD_RUNS(Uuid, &[Uuid]) -> (Uuid, Time, Time, Option<Bytes>) =
        c"SELECT r.run_id, r.inserted_at, r.last_change_time, r.listed
          FROM (SELECT w.run_id FROM (SELECT unnest($2) AS run_id) AS w ORDER BY w.run_id) AS w
          CROSS JOIN LATERAL (
            SELECT r.run_id, r.inserted_at, r.last_change_time, r.listed
            FROM timedb.runs r
            WHERE r.tenant_id = $1 AND r.run_id = w.run_id
            OFFSET 0
            FOR NO KEY UPDATE SKIP LOCKED) AS r";
    RUNS_THERE(Uuid, &[Uuid]) -> (Uuid,) =
        c"SELECT r.run_id
          FROM (SELECT unnest($2) AS run_id) AS w
          CROSS JOIN LATERAL (
            SELECT r.run_id FROM timedb.runs r WHERE r.tenant_id = $1 AND r.run_id = w.run_id OFFSET 0) AS r";
    /// Where nobody has counted, nobody counts.
    SAY_LESS(Uuid, Uuid, i64) -> () =
        c"UPDATE timedb.runs r SET value_count = r.value_count - $3 WHERE r.tenant_id = $1 AND r.run_id = $2";
    LIST_LESS(Uuid, Uuid, &[u8]) -> () =
        c"UPDATE timedb.runs r SET listed = $3 WHERE r.tenant_id = $1 AND r.run_id = $2";
}

/// A run may list 100,000 rows: so many lists are held in memory at once.
const RUNS_AT_ONCE: usize = 100;

/// Runs whose rows are held until the transaction ends.
#[derive(Default)]
pub struct HeldRuns {
    /// Whether each has been updated, so that a value may have several versions.
    updated: HashMap<Uuid, bool>,
    /// Those that another transaction holds.
    pub busy: BTreeSet<Uuid>,
}

/// Holds runs, and takes a series out of what they list.
pub fn hold(tenant: Uuid, series: Uuid, runs: &BTreeSet<Uuid>) -> Result<HeldRuns> {
    let ids: Vec<Uuid> = runs.iter().copied().collect();
    let mut held = HeldRuns::default();
    for some in ids.chunks(RUNS_AT_ONCE) {
        answer_cancel();
        hold_some(tenant, series, some, &mut held)?;
    }
    let missing: Vec<Uuid> = ids.into_iter().filter(|run| !held.updated.contains_key(run)).collect();
    if !missing.is_empty() {
        // Values whose run is not there at all are nobody's.
        held.busy = RUNS_THERE
            .read_fresh((tenant, &missing))?
            .into_iter()
            .map(|(run,)| run)
            .collect();
    }
    Ok(held)
}

fn hold_some(tenant: Uuid, series: Uuid, ids: &[Uuid], held: &mut HeldRuns) -> Result<()> {
    let mut lists = Vec::new();
    HOLD_RUNS.stream_fresh((tenant, ids), |(run, inserted, changed, listed)| {
        held.updated.insert(run, changed > inserted);
        if let Some(shorter) = listed.map(|listed| without(&listed, series)).transpose()?.flatten() {
            lists.push((run, shorter));
        }
        Ok(())
    })?;
    for (run, shorter) in lists {
        LIST_LESS.run((tenant, run, &shorter))?;
    }
    Ok(())
}

/// The list without a series; none where it has none of it.
fn without(bytes: &[u8], series: Uuid) -> Result<Option<Vec<u8>>> {
    let Listing {
        series: of,
        spans,
        parts,
        valid_from,
    } = Listing::read(bytes).map_err(Error::ListingStored)?;
    if !of.contains(&series) {
        return Ok(None);
    }
    let rows = of.into_iter().zip(spans).zip(parts).zip(valid_from);
    let rows = rows.map(|(((series, span), part), from)| (series, span, part, from));
    Ok(Some(listed(rows.filter(|row| row.0 != series))))
}

/// How many values less each run has.
#[derive(Default)]
pub struct Less {
    counts: BTreeMap<Uuid, i64>,
    /// Of runs that have been updated: another version of a value may be left.
    keys: BTreeSet<(Uuid, Key)>,
}

impl Less {
    pub fn add(&mut self, held: &HeldRuns, run: Uuid, keys: impl ExactSizeIterator<Item = Key>) {
        match held.updated.get(&run) {
            Some(true) => self.keys.extend(keys.map(|key| (run, key))),
            Some(false) => *self.counts.entry(run).or_default() += keys.len() as i64,
            None => {}
        }
    }

    /// To be called once they are taken out: a value counts as gone with its last version.
    pub fn say(mut self, tenant: Uuid, series: Uuid) -> Result<()> {
        if !self.keys.is_empty() {
            let wanted = self.keys.iter().map(|(run, key)| ((*run, series), *key));
            let current = Wanted::of(wanted).current(tenant)?;
            for ((run, _), current) in self.keys.iter().zip(current) {
                *self.counts.entry(*run).or_default() += i64::from(current.is_none());
            }
        }
        for (run, count) in self.counts {
            SAY_LESS.run((tenant, run, count))?;
        }
        Ok(())
    }
}
