//! What series there are: `list_series`, page by page where that is asked for, and `label_values`.

use super::labels;
use crate::error::{Error, Reported, Result};
use crate::identity::session::{Acting, Session};
use crate::pg::datum::id;
use crate::pg::result::{Returned, Rows};
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::FetchAll;
use crate::pg::varlena::{Jsonb, RowJsonb, Text};
use pgrx::prelude::*;
use timedb_core::limits::LONGEST_DESCRIPTION;
use uuid::Uuid;

/// A series as it is listed: its id, key, unit, description, labels, and when it was made.
pub type Listed = (
    Uuid,
    Text<'static>,
    Text<'static>,
    Option<Text<'static>>,
    RowJsonb<'static>,
    Timestamptz,
);

/// The same, on its way out.
pub type Answered = (
    Uuid,
    &'static str,
    &'static str,
    Option<&'static str>,
    RowJsonb<'static>,
    Timestamptz,
);

/// Of some series those that are asked for, after a place in the order of keys, byte by byte, and ids. What is searched for is
/// lowered once, not for each of them.
macro_rules! page {
    ($of:literal) => {
        sql!(
            "SELECT s.series_id, s.series_key, s.unit, s.description, s.labels, s.inserted_at
              FROM ",
            $of,
            " WHERE s.labels @> $2
                AND ($3 IS NULL OR strpos(lower(s.series_key), (SELECT lower($3))) > 0
                     OR strpos(lower(s.description), (SELECT lower($3))) > 0)
                AND ($4 IS NULL OR (s.series_key COLLATE \"C\", s.series_id) > ($4, $5))
              ORDER BY s.series_key COLLATE \"C\", s.series_id
              LIMIT $6"
        )
    };
}

statements! {
    PAGE(Uuid, Jsonb, Option<&str>, Option<&str>, Uuid, Option<i64>) -> Listed =
        page!("(SELECT s.series_id, s.series_key, s.unit, s.description, s.labels, s.inserted_at
                FROM timedb.series s
                WHERE s.tenant_id = $1) AS s");
    PAGE_OF_SOME(Uuid, Jsonb, Option<&str>, Option<&str>, Uuid, Option<i64>, &[Uuid]) -> Listed =
        page!("(SELECT unnest($7) AS series_id) AS k
              CROSS JOIN LATERAL (
                SELECT s.series_id, s.series_key, s.unit, s.description, s.labels, s.inserted_at
                FROM timedb.series s
                CROSS JOIN (VALUES (1), (2)) AS twice
                WHERE s.tenant_id = $1 AND s.series_id BETWEEN k.series_id AND k.series_id
                ORDER BY s.series_id
                LIMIT 1) AS s");
    /// What is equal as JSON is one value: the numbers 1 and 1.0 are, the number 1 and the text \"1\" are not.
    LABEL_VALUES(Uuid, &str) -> (Option<Text<'static>>, i64) =
        c"SELECT v.shown, v.count
          FROM (SELECT CASE jsonb_typeof(v.value) WHEN 'number' THEN trim_scale(v.value::numeric)::text
                            ELSE v.value #>> '{}' END AS shown,
                       jsonb_typeof(v.value) AS kind, v.count
                FROM (SELECT s.labels -> $2 AS value, count(*)
                      FROM timedb.series s
                      WHERE s.tenant_id = $1 AND s.labels ? $2
                      GROUP BY s.labels -> $2) AS v) AS v
          ORDER BY v.shown COLLATE \"C\", v.kind COLLATE \"C\"";
}

#[pg_extern(sql = false)]
fn reconnect_list_series(
    labels: Option<Jsonb>,
    search: Option<&str>,
    max_rows: Option<i32>,
    after_key: Option<&str>,
    after_id: Option<pgrx::Uuid>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let acting = Acting::found(Session::now().required()?);
    let tenant = acting.tenant;
    let labels = labels::or_none(labels::checked(labels)?)?;
    // Nothing that is searched in is longer.
    Error::if_longer("search", search.unwrap_or_default(), LONGEST_DESCRIPTION)?;
    let most = most(max_rows)?;
    if after_id.is_some() && after_key.is_none() {
        return Err(Error::bad("after_id", "is given without \"after_key\"").into());
    }
    // Without an id, after all series of the key.
    let after_id = after_id.map_or(Uuid::max(), id);
    let mut rows = Rows::<Answered>::open(fcinfo)?;
    match labels::candidates(tenant, labels)? {
        None => PAGE.stream((tenant, labels, search, after_key, after_id, most), |listed| {
            put(&mut rows, listed);
            Ok(())
        })?,
        Some(ids) => PAGE_OF_SOME.stream((tenant, labels, search, after_key, after_id, most, &ids), |listed| {
            put(&mut rows, listed);
            Ok(())
        })?,
    }
    Ok(rows.close())
}

fn put(rows: &mut Rows<Answered>, listed: <Listed as FetchAll>::Fetched<'_>) {
    let (id, key, unit, description, labels, inserted_at) = listed;
    rows.put((id, &key, &unit, description.as_deref(), labels, inserted_at));
}

/// How many rows a page has; none for all.
pub fn most(max_rows: Option<i32>) -> Result<Option<i64>> {
    match max_rows {
        Some(rows) if rows < 1 => Err(Error::bad("max_rows", "must be 1 or more")),
        rows => Ok(rows.map(i64::from)),
    }
}

#[pg_extern(sql = false)]
fn label_values(label: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> Reported<Returned> {
    let acting = Acting::found(Session::now().required()?);
    let label = label.ok_or(Error::NullArgument("label"))?;
    let mut rows = Rows::<(Option<&str>, i64)>::open(fcinfo)?;
    LABEL_VALUES.stream((acting.tenant, label), |(value, count)| {
        rows.put((value.as_deref(), count));
        Ok(())
    })?;
    Ok(rows.close())
}
