//! What is known of runs beside what their versions say, and so which versions count in a read: those of some runs, those of a
//! workflow, and from when on. Looked up of the runs that came, each once a read, and only where somebody asks.

use crate::error::Result;
use crate::pg::statement::statements;
use std::collections::HashMap;
use timedb_core::time::Time;
use timedb_core::version::{Shaped, Version};
use uuid::Uuid;

statements! {
    /// Found by one probe of an index each, whatever statistics say: see `series` of a read.
    SOME_RUNS(Uuid, &[Uuid]) -> (Uuid, Time, Time, String) =
        c"SELECT r.run_id, r.known_time, r.inserted_at, r.workflow_id
          FROM (SELECT unnest($2) AS run_id) AS k
          CROSS JOIN LATERAL (
            SELECT r.run_id, r.known_time, r.inserted_at, r.workflow_id
            FROM timedb.runs r
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE r.tenant_id = $1 AND r.run_id BETWEEN k.run_id AND k.run_id
            ORDER BY r.run_id
            LIMIT 1) AS r";
}

/// As many as are remembered from one series to the next.
const MOST_REMEMBERED: usize = 100_000;

/// A run, as its row says.
pub struct Run {
    pub id: Uuid,
    pub known: Time,
    inserted: Time,
    pub workflow: String,
}

/// The tenant's runs among these.
pub fn runs(tenant: Uuid, ids: &[Uuid]) -> Result<Vec<Run>> {
    let run = |(id, known, inserted, workflow)| Run {
        id,
        known,
        inserted,
        workflow,
    };
    Ok(SOME_RUNS.read((tenant, ids))?.into_iter().map(run).collect())
}

/// What updates wrote: since when it counts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Corrections {
    /// Since the known time of the run, as what its upload wrote.
    #[default]
    All,
    /// Since they were written, where that is later.
    Known,
}

/// Which versions count, beyond what is asked of their own times.
#[derive(Default)]
pub struct Counting {
    pub workflow: Option<String>,
    pub corrections: Corrections,
    /// Only what counts since before; where corrections count since their run was known, the window of known times says it.
    pub before: Option<Time>,
    /// Whether the moment itself matters since which each version counts.
    pub needs_moments: bool,
    known: HashMap<Uuid, OfRun>,
}

/// What matters of a run.
#[derive(Clone, Copy)]
struct OfRun {
    inserted: Time,
    is_of_workflow: bool,
}

impl Counting {
    pub fn new(workflow: Option<&str>, corrections: Corrections) -> Counting {
        Counting {
            workflow: workflow.map(str::to_owned),
            corrections,
            ..Counting::default()
        }
    }

    /// Of each version since when it counts; none where it does not at all. Nothing where each does since it was known.
    pub fn of(&mut self, tenant: Uuid, versions: &[Shaped]) -> Result<Option<Vec<Option<Time>>>> {
        let asks_of_corrections = self.before.is_some() || self.needs_moments;
        if self.workflow.is_none() && !(self.corrections == Corrections::Known && asks_of_corrections) {
            return Ok(None);
        }
        self.look_up(tenant, versions)?;
        let counts = versions.iter().map(|of| self.since(&of.version));
        Ok(Some(counts.collect()))
    }

    fn since(&self, version: &Version) -> Option<Time> {
        let run = self.known.get(&version.run);
        let is_of_workflow = self.workflow.is_none() || run.is_some_and(|run| run.is_of_workflow);
        let is_uploaded = run.is_some_and(|run| version.change <= run.inserted);
        let since = match self.corrections {
            Corrections::Known if !is_uploaded => version.known.max(version.change),
            _ => version.known,
        };
        let is_before = self.before.is_none_or(|before| since < before);
        (is_of_workflow && is_before).then_some(since)
    }

    /// Whether it matters what wrote a version.
    fn is_in_doubt(&self, version: &Version) -> bool {
        let may_count_later = version.change > version.known && self.corrections == Corrections::Known;
        may_count_later && (self.needs_moments || self.before.is_some_and(|before| version.change >= before))
    }

    fn look_up(&mut self, tenant: Uuid, versions: &[Shaped]) -> Result<()> {
        if self.known.len() > MOST_REMEMBERED {
            self.known.clear();
        }
        let asked = versions.iter().map(|of| &of.version);
        let asked = asked.filter(|version| self.workflow.is_some() || self.is_in_doubt(version));
        let mut ids: Vec<Uuid> = asked.map(|version| version.run).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| !self.known.contains_key(id));
        if ids.is_empty() {
            return Ok(());
        }
        for run in runs(tenant, &ids)? {
            let is_of_workflow = self.workflow.as_ref().is_none_or(|asked| *asked == run.workflow);
            let inserted = run.inserted;
            self.known.insert(
                run.id,
                OfRun {
                    inserted,
                    is_of_workflow,
                },
            );
        }
        Ok(())
    }
}
