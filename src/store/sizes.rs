//! How much a tenant has stored: counted by the rows of its tables, of which none is opened.

use crate::error::Result;
use crate::pg::statement::statements;
use crate::pg::timestamp::Timestamptz;
use uuid::Uuid;

statements! {
    /// What a run does not say it has, as an earlier release wrote it, is not counted. The size of a column as it is stored is
    /// told without a look at it; the columns that are always as long are 112 bytes of a row, 136 of a pack.
    SIZES(Uuid) -> (
        i64, i64, i64, Option<Timestamptz>, i64, i64, Option<Timestamptz>, Option<Timestamptz>
    ) =
        c"SELECT (SELECT count(*) FROM timedb.series s WHERE s.tenant_id = $1), r.runs, r.value_count, r.last_upload,
                 v.rows + p.rows, v.bytes + p.bytes, least(v.oldest, p.oldest), greatest(v.newest, p.newest)
          FROM (SELECT count(*) AS runs, coalesce(sum(r.value_count), 0)::int8 AS value_count,
                       max(r.inserted_at) AS last_upload
                FROM timedb.runs r WHERE r.tenant_id = $1) AS r,
               (SELECT count(*) AS rows, coalesce(sum(112 + pg_column_size(v.points) + pg_column_size(v.changed_by)
                                    + coalesce(pg_column_size(v.annotation), 0)
                                    + coalesce(pg_column_size(v.tags), 0)), 0)::int8 AS bytes,
                       min(v.valid_from) AS oldest, max(v.valid_to) AS newest
                FROM timedb.values v WHERE v.tenant_id = $1) AS v,
               (SELECT count(*) AS rows, coalesce(sum(136 + pg_column_size(p.versions)), 0)::int8 AS bytes,
                       min(p.valid_from) AS oldest, max(p.valid_to) AS newest
                FROM timedb.packs p WHERE p.tenant_id = $1) AS p";
}

/// Of a tenant.
#[derive(Clone, Copy, Default)]
pub struct Sizes {
    pub series: i64,
    pub runs: i64,
    /// Of each run the current ones, nulls too.
    pub values: i64,
    pub last_upload: Option<Timestamptz>,
    /// Rows and packs.
    pub rows: i64,
    /// What they take in their tables, without indexes.
    pub bytes: i64,
    pub oldest: Option<Timestamptz>,
    pub newest: Option<Timestamptz>,
}

pub fn sizes(tenant: Uuid) -> Result<Sizes> {
    let found = SIZES.read((tenant,))?.pop();
    let sizes = found.map(
        |(series, runs, values, last_upload, rows, bytes, oldest, newest)| Sizes {
            series,
            runs,
            values,
            last_upload,
            rows,
            bytes,
            oldest,
            newest,
        },
    );
    Ok(sizes.unwrap_or_default())
}
