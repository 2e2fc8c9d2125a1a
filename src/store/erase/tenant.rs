//! All of a tenant, in every table there is: the one list of them. What is added to the schema is added here; a test has rows of a
//! tenant in each table, and looks for any that are left.

use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::{Statement, statements};
use crate::pg::varlena::PointsBytes;
use timedb_core::points::peek;
use uuid::Uuid;

/// As many rows a share takes out of all tables together; of packs, which are large, as many.
const ROWS_IN_A_SHARE: i64 = 100_000;
const PACKS_IN_A_SHARE: i64 = 5_000;
/// No more is counted of what is left in a table.
const MOST_COUNTED: i64 = 1_000_000;

statements! {
    /// Without its keys nobody acts for it any more: no statement that begins from here on. Nobody holds these rows.
    KEYS(Uuid) -> (i64,) =
        c"WITH gone AS (DELETE FROM timedb.api_keys k WHERE k.tenant_id = $1 RETURNING 1) SELECT count(*) FROM gone";
    BINDINGS(Uuid) -> (i64,) =
        c"WITH gone AS (DELETE FROM timedb.role_bindings b WHERE b.tenant_id = $1 RETURNING 1)
          SELECT count(*) FROM gone";
    KEY_ENDS(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.key_ends e
            WHERE e.tenant_id = $1 AND e.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.key_ends w WHERE w.tenant_id = $1 LIMIT $2))
            RETURNING 1)
          SELECT count(*) FROM gone";
    /// But for what tells that it was erased.
    AUDIT(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.audit a
            WHERE a.tenant_id = $1 AND a.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.audit w WHERE w.tenant_id = $1 AND w.action <> 'erase_tenant' LIMIT $2))
            RETURNING 1)
          SELECT count(*) FROM gone";
    /// What maintain has noted, by a tenant's turn, which ends soon.
    MAINTENANCE_LOG(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.maintenance_log m
            WHERE m.tenant_id = $1 AND m.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.maintenance_log w WHERE w.tenant_id = $1 LIMIT $2))
            RETURNING 1)
          SELECT count(*) FROM gone";
    RETENTION(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.retention d
            WHERE d.tenant_id = $1 AND d.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.retention w WHERE w.tenant_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
            RETURNING 1)
          SELECT count(*) FROM gone";
    WITHDRAWALS(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.withdrawals d
            WHERE d.tenant_id = $1 AND d.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.withdrawals w WHERE w.tenant_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
            RETURNING 1)
          SELECT count(*) FROM gone";
    /// Of users, series and runs, as of the two above, those stay that another transaction holds.
    USERS(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.users u
            WHERE u.tenant_id = $1 AND u.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.users w WHERE w.tenant_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
            RETURNING 1)
          SELECT count(*) FROM gone";
    SERIES(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.series s
            WHERE s.tenant_id = $1 AND s.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.series w WHERE w.tenant_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
            RETURNING 1)
          SELECT count(*) FROM gone";
    RUNS(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.runs r
            WHERE r.tenant_id = $1 AND r.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.runs w WHERE w.tenant_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
            RETURNING 1)
          SELECT count(*) FROM gone";
    SERIES_LABELS(Uuid, i64) -> (i64,) =
        c"WITH gone AS (
            DELETE FROM timedb.series_labels l
            WHERE l.tenant_id = $1 AND l.ctid = ANY (ARRAY(
              SELECT w.ctid FROM timedb.series_labels w WHERE w.tenant_id = $1 LIMIT $2))
            RETURNING 1)
          SELECT count(*) FROM gone";
    VALUES(Uuid, i64) -> (PointsBytes,) =
        c"DELETE FROM timedb.values v
          WHERE v.tenant_id = $1 AND v.ctid = ANY (ARRAY(
            SELECT w.ctid FROM timedb.values w WHERE w.tenant_id = $1 LIMIT $2))
          RETURNING v.points";
    PACKS(Uuid, i64) -> (i32,) =
        c"DELETE FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.ctid = ANY (ARRAY(
            SELECT w.ctid FROM timedb.packs w WHERE w.tenant_id = $1 LIMIT $2))
          RETURNING p.point_count";
    LEFT(Uuid, i64) -> (i64,) =
        c"SELECT (SELECT count(*) FROM (SELECT FROM timedb.values v WHERE v.tenant_id = $1 LIMIT $2) AS v)
               + (SELECT count(*) FROM (SELECT FROM timedb.packs p WHERE p.tenant_id = $1 LIMIT $2) AS p)
               + (SELECT count(*) FROM (SELECT FROM timedb.runs r WHERE r.tenant_id = $1 LIMIT $2) AS r)
               + (SELECT count(*) FROM (SELECT FROM timedb.series s WHERE s.tenant_id = $1 LIMIT $2) AS s)
               + (SELECT count(*) FROM (SELECT FROM timedb.series_labels l WHERE l.tenant_id = $1 LIMIT $2) AS l)
               + (SELECT count(*) FROM (SELECT FROM timedb.users u WHERE u.tenant_id = $1 LIMIT $2) AS u)
               + (SELECT count(*) FROM (SELECT k.tenant_id FROM timedb.api_keys k WHERE k.tenant_id = $1 LIMIT $2) AS k)
               + (SELECT count(*) FROM (SELECT FROM timedb.key_ends e WHERE e.tenant_id = $1 LIMIT $2) AS e)
               + (SELECT count(*) FROM (SELECT b.tenant_id FROM timedb.role_bindings b WHERE b.tenant_id = $1 LIMIT $2) AS b)
               + (SELECT count(*) FROM (SELECT FROM timedb.withdrawals d WHERE d.tenant_id = $1 LIMIT $2) AS d)
               + (SELECT count(*) FROM (SELECT FROM timedb.retention t WHERE t.tenant_id = $1 LIMIT $2) AS t)
               + (SELECT count(*) FROM (SELECT FROM timedb.maintenance_log m WHERE m.tenant_id = $1 LIMIT $2) AS m)
               + (SELECT count(*)
                  FROM (SELECT FROM timedb.audit a WHERE a.tenant_id = $1 AND a.action <> 'erase_tenant' LIMIT $2) AS a)";
}

/// What of a tenant a share has taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Everything {
    pub users: i64,
    pub keys: i64,
    pub bindings: i64,
    pub series: i64,
    pub runs: i64,
    /// Of all versions.
    pub values: i64,
}

impl Everything {
    pub fn plus(self, other: Everything) -> Everything {
        Everything {
            users: self.users + other.users,
            keys: self.keys + other.keys,
            bindings: self.bindings + other.bindings,
            series: self.series + other.series,
            runs: self.runs + other.runs,
            values: self.values + other.values,
        }
    }
}

/// Takes a share of what there is of a tenant out, its keys and bindings in any case; its rows and packs only where nobody packs
/// them.
pub fn everything(tenant: Uuid, with_values: bool) -> Result<Everything> {
    let mut gone = Everything {
        keys: one(KEYS.write((tenant,))?),
        bindings: one(BINDINGS.write((tenant,))?),
        users: one(USERS.write((tenant, ROWS_IN_A_SHARE))?),
        ..Everything::default()
    };
    let mut most = ROWS_IN_A_SHARE;
    if with_values {
        let (rows, values) = take_rows(tenant, most)?;
        let packed = PACKS.write((tenant, PACKS_IN_A_SHARE))?;
        gone.values = values + packed.iter().map(|(count,)| i64::from(*count)).sum::<i64>();
        most -= rows;
    }
    gone.series = take(&SERIES, tenant, &mut most)?;
    gone.runs = take(&RUNS, tenant, &mut most)?;
    for table in [
        &SERIES_LABELS,
        &WITHDRAWALS,
        &RETENTION,
        &KEY_ENDS,
        &MAINTENANCE_LOG,
        &AUDIT,
    ] {
        take(table, tenant, &mut most)?;
    }
    Ok(gone)
}

fn take(table: &Statement<(Uuid, i64), (i64,)>, tenant: Uuid, most: &mut i64) -> Result<i64> {
    answer_cancel();
    let gone = one(table.write((tenant, *most))?);
    *most -= gone;
    Ok(gone)
}

/// How many rows, and how many values were in them.
fn take_rows(tenant: Uuid, most: i64) -> Result<(i64, i64)> {
    let (mut rows, mut values) = (0, 0);
    VALUES.stream_fresh((tenant, most), |(points,)| {
        let (of_row, _) = peek(&points).map_err(Error::PointsStored)?;
        rows += 1;
        values += of_row as i64;
        Ok(())
    })?;
    Ok((rows, values))
}

/// How many rows of a tenant there are, in all tables: of each a million at the most.
pub fn left_of(tenant: Uuid) -> Result<i64> {
    Ok(one(LEFT.read_fresh((tenant, MOST_COUNTED))?))
}

/// Whether a tenant has anything at all, be it a user.
pub fn is_there(tenant: Uuid) -> Result<bool> {
    Ok(one(LEFT.read_fresh((tenant, 1))?) > 0)
}

fn one(count: Vec<(i64,)>) -> i64 {
    count.first().map_or(0, |(count,)| *count)
}
