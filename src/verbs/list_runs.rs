//! `list_runs`: what was uploaded, newest first, page by page.

use super::chosen::chosen;
use super::list_series::most;
use super::read::Which;
use crate::error::{Error, Reported, Result};
use crate::identity::session::{Acting, Session};
use crate::pg::datum::id;
use crate::pg::result::{Returned, Rows};
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::{self, Timestamptz};
use crate::pg::varlena::{Jsonb, TextArray, UuidArray};
use crate::store::counts::values_by_run;
use pgrx::prelude::*;
use timedb_core::blank::unless_blank;
use timedb_core::limits::LONGEST_WORKFLOW;
use timedb_core::merge::Window;
use timedb_core::time::Time;
use uuid::Uuid;

/// A run as it is listed: its id, workflow and times, who wrote it, its parameters, and how many values it has, where that was
/// counted when they were written; and since when it is withdrawn.
type Listed = (
    Uuid,
    String,
    Time,
    Time,
    Option<Time>,
    Timestamptz,
    Timestamptz,
    String,
    Option<String>,
    Option<i64>,
    Option<Timestamptz>,
);

/// The same, on its way out.
type Answered = (
    Uuid,
    &'static str,
    Time,
    Time,
    Option<Time>,
    Timestamptz,
    Timestamptz,
    &'static str,
    Option<Jsonb>,
    Option<i64>,
    Option<Timestamptz>,
);

macro_rules! columns {
    () => {
        "r.run_id, r.workflow_id, r.known_time, r.run_start_time, r.run_finish_time, r.inserted_at, r.last_change_time,
         r.changed_by, r.run_params::text AS run_params, r.value_count"
    };
}

statements! {
    /// The ids of a page, one after the other: asked for the next one alone, the planner takes the order of the index, where of a
    /// page it would sort all runs of the tenant, whose number it does not know. Each row stands twice: see `series`.
    PAGE(Uuid, Uuid, Option<&str>, Timestamptz, Timestamptz, i64) -> (Uuid,) =
        c"WITH RECURSIVE page AS (
            SELECT $2 AS run_id, 0::int8 AS number
            UNION ALL
            SELECT r.run_id, p.number + 1
            FROM page p
            CROSS JOIN LATERAL (
              SELECT r.run_id
              FROM timedb.runs r
              CROSS JOIN (VALUES (1), (2)) AS twice
              WHERE r.tenant_id = $1 AND r.run_id < p.run_id AND ($3 IS NULL OR r.workflow_id = $3)
                AND r.known_time >= $4 AND r.known_time < $5
              ORDER BY r.run_id DESC
              LIMIT 1) AS r
            WHERE p.number < $6)
          SELECT p.run_id FROM page p WHERE p.number > 0 ORDER BY p.number";
    /// By one probe of an index for each, as `series` has it.
    SOME(Uuid, &[Uuid], Option<&str>) -> Listed =
        sql!("SELECT r.*,
                 (SELECT w.withdrawn_at
                  FROM timedb.withdrawals w
                  WHERE w.tenant_id = $1 AND w.run_id = r.run_id AND w.restored_at IS NULL) AS withdrawn_at
          FROM (SELECT unnest($2) AS run_id, generate_subscripts($2, 1) AS place) AS k
          CROSS JOIN LATERAL (
            SELECT ", columns!(), "
            FROM timedb.runs r
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE r.tenant_id = $1 AND r.run_id BETWEEN k.run_id AND k.run_id
            ORDER BY r.run_id
            LIMIT 1) AS r
          WHERE $3 IS NULL OR r.workflow_id = $3
          ORDER BY k.place");
}

/// So many runs are looked up at once.
const RUNS_AT_ONCE: usize = 1000;
const DEFAULT_ROWS: i64 = 100;

/// What is asked, beside of which series.
struct Asked<'a> {
    tenant: Uuid,
    workflow: Option<&'a str>,
    known: Window,
    most: i64,
    /// Runs with ids before this.
    before: Uuid,
}

#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn list_runs(
    workflow_id: Option<&str>,
    series_keys: Option<TextArray>,
    series_ids: Option<UuidArray>,
    labels: Option<Jsonb>,
    start_known: Option<i64>,
    end_known: Option<i64>,
    max_rows: Option<i32>,
    after: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let acting = Acting::found(Session::now().required()?);
    let workflow = unless_blank(workflow_id);
    Error::if_longer("workflow_id", workflow.unwrap_or_default(), LONGEST_WORKFLOW)?;
    let which = chosen(series_keys, series_ids, labels)?;
    let asked = Asked {
        tenant: acting.tenant,
        workflow,
        known: Window {
            start: timestamp::optional("start_known", start_known)?,
            end: timestamp::optional("end_known", end_known)?,
        },
        most: most(max_rows)?.unwrap_or(DEFAULT_ROWS),
        before: after.map_or(Uuid::max(), id),
    };
    let listed = if which.is_every() {
        asked.page()?
    } else {
        asked.page_of(&which)?
    };
    let mut rows = Rows::<Answered>::open(fcinfo)?;
    for (run, workflow, known, start, finish, inserted, changed, by, params, count, withdrawn) in &listed {
        let params = params.as_deref().and_then(Jsonb::of);
        rows.put((
            *run, workflow, *known, *start, *finish, *inserted, *changed, by, params, *count, *withdrawn,
        ));
    }
    Ok(rows.close())
}

impl Asked<'_> {
    /// Of all runs.
    fn page(&self) -> Result<Vec<Listed>> {
        let known = (
            Timestamptz::lower_bound(self.known.start),
            Timestamptz::upper_bound(self.known.end),
        );
        let page = PAGE.read((self.tenant, self.before, self.workflow, known.0, known.1, self.most))?;
        let runs: Vec<Uuid> = page.into_iter().map(|(run,)| run).collect();
        let mut listed = self.some(&runs)?;
        self.count_the_rest(&mut listed)?;
        Ok(listed)
    }

    /// What an earlier release has written nobody has counted.
    fn count_the_rest(&self, listed: &mut [Listed]) -> Result<()> {
        let known = || listed.iter().filter(|run| run.9.is_none()).map(|run| run.2);
        let (Some(first), Some(last)) = (known().min(), known().max()) else {
            return Ok(());
        };
        let window = Window {
            start: Some(first),
            end: Time::from_micros(last.micros() + 1),
        };
        let every = chosen(None, None, None)?.series(self.tenant)?;
        let counts = values_by_run(self.tenant, every.iter().map(|series| series.id).collect(), window)?;
        for run in listed.iter_mut().filter(|run| run.9.is_none()) {
            run.9 = Some(counts.get(&run.0).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// Of runs with values of some series, and how many of these.
    fn page_of(&self, which: &Which) -> Result<Vec<Listed>> {
        let series = which.series(self.tenant)?;
        let counts = values_by_run(self.tenant, series.iter().map(|series| series.id).collect(), self.known)?;
        let mut runs: Vec<Uuid> = counts.keys().copied().filter(|run| *run < self.before).collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        let mut listed = self.some(&runs)?;
        for run in &mut listed {
            run.9 = counts.get(&run.0).copied();
        }
        Ok(listed)
    }

    /// Of these runs the first that are of the workflow.
    fn some(&self, runs: &[Uuid]) -> Result<Vec<Listed>> {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let mut listed: Vec<Listed> = Vec::new();
        for runs in runs.chunks(RUNS_AT_ONCE.min(most)) {
            listed.extend(SOME.read((self.tenant, runs, self.workflow))?);
            if listed.len() >= most {
                break;
            }
        }
        listed.truncate(most);
        Ok(listed)
    }
}
