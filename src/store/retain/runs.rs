//! The runs whose values go: held while they do, so that no update writes to one meanwhile, and told how many they have left.

use crate::error::Result;
use crate::pg::statement::statements;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

statements! {
    /// In the order in which updates lock them; none is waited for.
    LOCK_RUNS(Uuid, &[Uuid]) -> (Uuid,) =
        c"SELECT r.run_id
          FROM (SELECT w.run_id FROM (SELECT unnest($2) AS run_id) AS w ORDER BY w.run_id) AS w
          CROSS JOIN LATERAL (
            SELECT r.run_id
            FROM timedb.runs r
            WHERE r.tenant_id = $1 AND r.run_id = w.run_id
            OFFSET 0
            FOR NO KEY UPDATE SKIP LOCKED) AS r";
    FIND_RUNS(Uuid, &[Uuid]) -> (Uuid,) =
        c"SELECT r.run_id
          FROM (SELECT unnest($2) AS run_id) AS w
          CROSS JOIN LATERAL (
            SELECT r.run_id
            FROM timedb.runs r
            WHERE r.tenant_id = $1 AND r.run_id = w.run_id
            OFFSET 0) AS r";
    /// One without values lists no rows any more.
    UNCOUNT(Uuid, &[Uuid], &[i64]) -> (i32,) =
        c"UPDATE timedb.runs r
          SET value_count = r.value_count - ($3)[array_position($2, r.run_id)],
              listed = CASE WHEN r.value_count = ($3)[array_position($2, r.run_id)] THEN NULL ELSE r.listed END
          WHERE r.tenant_id = $1 AND r.run_id = ANY ($2)
          RETURNING 1";
}

/// So many are told at once: each is looked for among them.
const AT_ONCE: usize = 500;
const HELD_AT_ONCE: usize = 10_000;

/// Runs that this call holds until its transaction ends, and what they lose.
#[derive(Default)]
pub struct Runs {
    held: HashSet<Uuid>,
    lost: BTreeMap<Uuid, i64>,
}

impl Runs {
    pub fn holds(&self, run: &Uuid) -> bool {
        self.held.contains(run)
    }

    /// Answers whether all are held: where somebody else holds one, such as an update that is not committed, nothing waits for
    /// him. Of two who never wait for each other none waits for ever.
    pub fn hold(&mut self, tenant: Uuid, runs: impl Iterator<Item = Uuid>) -> Result<bool> {
        let mut others: Vec<Uuid> = runs.filter(|run| !self.held.contains(run)).collect();
        others.sort_unstable();
        others.dedup();
        for some in others.chunks(HELD_AT_ONCE) {
            if !self.hold_some(tenant, some)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn hold_some(&mut self, tenant: Uuid, others: &[Uuid]) -> Result<bool> {
        let locked: HashSet<Uuid> = LOCK_RUNS
            .write((tenant, others))?
            .into_iter()
            .map(|(run,)| run)
            .collect();
        if locked.len() < others.len() {
            let there = FIND_RUNS.read_fresh((tenant, others))?;
            if there.iter().any(|(run,)| !locked.contains(run)) {
                self.held.extend(locked);
                return Ok(false);
            }
        }
        // Nobody updates what lost its run.
        self.held.extend(others);
        Ok(true)
    }

    pub fn lose(&mut self, lost: BTreeMap<Uuid, i64>) {
        for (run, values) in lost {
            *self.lost.entry(run).or_default() += values;
        }
    }

    /// Writes how many values are left, of each run once until it loses some again.
    pub fn tell(&mut self, tenant: Uuid) -> Result<()> {
        let lost = std::mem::take(&mut self.lost);
        let (runs, lost): (Vec<Uuid>, Vec<i64>) = lost.into_iter().unzip();
        for (runs, lost) in runs.chunks(AT_ONCE).zip(lost.chunks(AT_ONCE)) {
            UNCOUNT.write((tenant, runs, lost))?;
        }
        Ok(())
    }
}
