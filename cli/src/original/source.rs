//! What is asked of the original's tables. They are read by one snapshot, a tenant at a time, some rows at once.

use anyhow::{Result, bail};
use postgres::types::ToSql;
use postgres::{Row, Transaction};
use uuid::Uuid;

const ROWS_AT_ONCE: i32 = 10_000;

/// The versions of a tenant's values. Of one value (a run's, of one series and time) the current one comes last, and each has a
/// change_time of its own, a microsecond later where the original has one for two of them. n numbers them.
const VERSIONS: &str = "
  SELECT v.run_id, v.series_id, v.valid_time, v.valid_time_end, v.value, v.annotation, v.tags, v.changed_by, v.n,
         max(v.change - v.n) OVER (PARTITION BY v.run_id, v.series_id, v.valid_time, v.valid_time_end ORDER BY v.n) + v.n
           AS change
  FROM (SELECT v.*,
               row_number() OVER (PARTITION BY v.run_id, v.series_id, v.valid_time, v.valid_time_end
                                  ORDER BY v.is_current, v.change_time, v.value_id) AS n,
               (extract(epoch FROM v.change_time) * 1000000)::bigint - 946684800000000 AS change
        FROM values_table v WHERE v.tenant_id = $1) AS v";

/// A run's times, where one may be missing.
const RUN_TIMES: &str = "coalesce(r.inserted_at, r.known_time, r.run_start_time) AS inserted_at,
                         coalesce(r.known_time, r.inserted_at, r.run_start_time) AS known_time";

/// What there is of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    pub users: i64,
    pub series: i64,
    pub runs: i64,
    /// Older ones too.
    pub versions: i64,
    pub values: i64,
}

/// Of a row whose first columns are these, in this order.
impl From<&Row> for Counts {
    fn from(row: &Row) -> Self {
        Self {
            users: row.get(0),
            series: row.get(1),
            runs: row.get(2),
            versions: row.get(3),
            values: row.get(4),
        }
    }
}

pub struct Source<'a> {
    pub snapshot: Transaction<'a>,
    has_users: bool,
}

impl Source<'_> {
    pub fn of(mut snapshot: Transaction) -> Result<Source> {
        let sql = "SELECT to_regclass($1) IS NOT NULL";
        for table in ["runs_table", "series_table", "values_table"] {
            if !snapshot.query_one(sql, &[&table])?.get::<_, bool>(0) {
                bail!(
                    "the original has no table \"{table}\"\nHINT:  Name the database it is in, and the schema: ?options=-csearch_path%3D…"
                );
            }
        }
        let has_users = snapshot.query_one(sql, &[&"users_table"])?.get(0);
        Ok(Source { snapshot, has_users })
    }

    /// Everybody who has anything.
    pub fn tenants(&mut self) -> Result<Vec<Uuid>> {
        let users = if self.has_users {
            "UNION SELECT tenant_id FROM users_table"
        } else {
            ""
        };
        let sql = format!(
            "SELECT tenant_id FROM (SELECT tenant_id FROM runs_table UNION SELECT tenant_id FROM values_table {users}) t
             ORDER BY tenant_id"
        );
        let rows = self.snapshot.query(&sql, &[])?;
        let tenants: Vec<Option<Uuid>> = rows.iter().map(|row| row.get(0)).collect();
        match tenants.iter().copied().collect() {
            Some(tenants) => Ok(tenants),
            None => bail!("the original has rows without a tenant_id: give them one there, or delete them"),
        }
    }

    /// Series that no tenant has values of.
    pub fn unused_series(&mut self) -> Result<i64> {
        let sql = "SELECT count(*) FROM series_table s
                   WHERE NOT EXISTS (SELECT FROM values_table v WHERE v.series_id = s.series_id)";
        Ok(self.snapshot.query_one(sql, &[])?.get(0))
    }

    pub fn counts(&mut self, tenant: Uuid) -> Result<Counts> {
        let users = if self.has_users {
            "(SELECT count(*) FROM users_table WHERE tenant_id = $1)"
        } else {
            "0::bigint"
        };
        let sql = format!(
            "SELECT {users}, count(DISTINCT series_id), (SELECT count(*) FROM runs_table WHERE tenant_id = $1),
                    count(*), count(*) FILTER (WHERE is_current)
             FROM values_table WHERE tenant_id = $1"
        );
        Ok(Counts::from(&self.snapshot.query_one(&sql, &[&tenant])?))
    }

    /// user_id, email, api_key, is_active, created_at, updated_at.
    pub fn users(&mut self, tenant: Uuid, each: impl FnMut(&Row) -> Result<()>) -> Result<()> {
        if !self.has_users {
            return Ok(());
        }
        let sql =
            "SELECT user_id, email, api_key, coalesce(is_active, false), coalesce(created_at, now())::timestamptz,
                          coalesce(updated_at, created_at, now())::timestamptz
                   FROM users_table WHERE tenant_id = $1 ORDER BY created_at, user_id";
        self.stream(sql, tenant, each)
    }

    /// series_id, series_key, how many of this key come before it, unit, description, inserted_at.
    pub fn series(&mut self, tenant: Uuid, each: impl FnMut(&Row) -> Result<()>) -> Result<()> {
        let sql = "SELECT s.series_id, s.series_key,
                          row_number() OVER (PARTITION BY s.series_key ORDER BY s.inserted_at, s.series_id) - 1,
                          coalesce(nullif(s.series_unit, ''), 'dimensionless'), s.description,
                          coalesce(s.inserted_at, now())::timestamptz
                   FROM series_table s
                   WHERE s.series_id IN (SELECT v.series_id FROM values_table v WHERE v.tenant_id = $1)";
        self.stream(sql, tenant, each)
    }

    /// run_id, workflow_id, run_start_time, run_finish_time, known_time, inserted_at, run_params as text, the author, how many
    /// values, the last change.
    pub fn runs(&mut self, tenant: Uuid, each: impl FnMut(&Row) -> Result<()>) -> Result<()> {
        let sql = format!(
            "SELECT r.run_id, coalesce(r.workflow_id, 'api-workflow'),
                    coalesce(r.run_start_time, r.known_time, r.inserted_at)::timestamptz, r.run_finish_time::timestamptz,
                    t.known_time::timestamptz, t.inserted_at::timestamptz,
                    (CASE WHEN jsonb_typeof(r.run_params::jsonb) = 'object' THEN r.run_params::jsonb
                          WHEN r.run_params::jsonb <> 'null' THEN jsonb_build_object('run_params', r.run_params::jsonb)
                          ELSE '{{}}' END || jsonb_build_object('original_run_id', r.run_id))::text,
                    coalesce(c.author, 'unknown'), coalesce(c.value_count, 0),
                    greatest(c.last_change, (extract(epoch FROM t.inserted_at) * 1000000)::bigint - 946684800000000)
             FROM runs_table r
             CROSS JOIN LATERAL (SELECT {RUN_TIMES}) AS t
             LEFT JOIN (SELECT v.run_id, count(*) FILTER (WHERE v.n = 1) AS value_count, max(v.change) AS last_change,
                               min(v.changed_by) FILTER (WHERE v.n = 1) AS author
                        FROM ({VERSIONS}) AS v GROUP BY v.run_id) AS c ON c.run_id = r.run_id
             WHERE r.tenant_id = $1"
        );
        self.stream(&sql, tenant, each)
    }

    /// run_id, its inserted_at and known_time; series_id, when the version was written, by whom, annotation, tags; valid_time, its
    /// end, value: those of one row of ours one after the other, in the order of their times.
    pub fn values(&mut self, tenant: Uuid, each: impl FnMut(&Row) -> Result<()>) -> Result<()> {
        let sql = format!(
            "SELECT v.run_id, t.inserted_at::timestamptz, t.known_time::timestamptz, v.series_id, v.change,
                    coalesce(v.changed_by, 'unknown') AS changed_by, v.annotation, v.tags, v.valid_time::timestamptz,
                    v.valid_time_end::timestamptz, v.value::float8
             FROM ({VERSIONS}) AS v
             JOIN runs_table r ON r.run_id = v.run_id AND r.tenant_id = $1
             CROSS JOIN LATERAL (SELECT {RUN_TIMES}) AS t
             ORDER BY v.run_id, v.series_id, v.change, coalesce(v.changed_by, 'unknown') COLLATE \"C\",
                      v.annotation COLLATE \"C\", v.tags, v.valid_time, v.valid_time_end NULLS FIRST"
        );
        self.stream(&sql, tenant, each)
    }

    /// By a cursor: whatever there is, no more than some rows of it are here at once.
    fn stream(&mut self, sql: &str, tenant: Uuid, mut each: impl FnMut(&Row) -> Result<()>) -> Result<()> {
        let arguments: [&(dyn ToSql + Sync); 1] = [&tenant];
        let statement = self.snapshot.prepare(sql)?;
        let portal = self.snapshot.bind(&statement, &arguments)?;
        loop {
            let rows = self.snapshot.query_portal(&portal, ROWS_AT_ONCE)?;
            if rows.is_empty() {
                return Ok(());
            }
            rows.iter().try_for_each(&mut each)?;
        }
    }
}
