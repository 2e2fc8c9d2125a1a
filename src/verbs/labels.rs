//! Labels as an address: which series have these among theirs.
//!
//! Beside a policy the planner takes no `@>` of jsonb for an index. So the labels that are no objects and no arrays stand in
//! a table of their own, `timedb.series_labels`, where plain equality finds the series that may be meant; whether they are,
//! `@>` says of each. An entry whose series has other labels by now is harmless for that, and so none is ever deleted; and a
//! series whose labels nobody has entered, such as one of a dump of 0.1.0, is looked at by every filter.

use crate::error::{Error, Result};
use crate::pg::index_scan::has_table;
use crate::pg::statement::{sql, statements};
use crate::pg::varlena::Jsonb;
use timedb_core::limits::{LARGEST_LABELS, LARGEST_STORED_LABELS};
use uuid::Uuid;

/// Of labels those that are looked up, each with its value as a text: that of JSON, numbers that are equal in one form. What is
/// longer than labels may be stands in no entry, and in no filter. The update script has the same.
macro_rules! entries {
    ($labels:literal) => {
        concat!(
            "(SELECT e.label, e.value
              FROM (SELECT j.key AS label, CASE jsonb_typeof(j.value)
                             WHEN 'number' THEN trim_scale(j.value::numeric)::text
                             WHEN 'object' THEN NULL
                             WHEN 'array' THEN NULL
                             ELSE j.value::text END AS value
                    FROM jsonb_each(",
            $labels,
            ") AS j) AS e
              WHERE octet_length(e.label) + octet_length(e.value) <= 2000)"
        )
    };
}

statements! {
    /// By one probe of an index for each series, as `series` has it.
    ENTER(Uuid, &[Uuid]) -> () =
        sql!("INSERT INTO timedb.series_labels (tenant_id, label, value, series_id)
          SELECT $1, e.label, e.value, s.series_id
          FROM (SELECT unnest($2) AS series_id) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.labels
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE s.tenant_id = $1 AND s.series_id BETWEEN k.series_id AND k.series_id
            ORDER BY s.series_id
            LIMIT 1) AS s
          CROSS JOIN LATERAL ", entries!("s.labels"), " AS e
          ON CONFLICT DO NOTHING");
    /// What a filter can be looked up by. By itself: beside a policy the planner would not compare what it makes with an index.
    LOOKED_UP(Jsonb) -> (String, String) =
        sql!("SELECT e.label, e.value FROM ", entries!("$1"), " AS e ORDER BY e.label");
    /// How many series there are to look at of each, or that they are many.
    COUNTED(Uuid, &[&str], &[&str], i64) -> (String, String, i64) =
        c"SELECT e.label, e.value, l.count
          FROM (SELECT unnest($2) AS label, unnest($3) AS value) AS e
          CROSS JOIN LATERAL (
            SELECT count(*)
            FROM (SELECT
                  FROM timedb.series_labels l
                  WHERE l.tenant_id = $1 AND l.label = e.label AND l.value = e.value
                  LIMIT $4) AS l) AS l
          ORDER BY l.count, e.label";
    /// In the order of the index.
    ENTERED(Uuid, &str, &str) -> (Uuid,) =
        c"SELECT l.series_id
          FROM timedb.series_labels l
          WHERE l.tenant_id = $1 AND l.label = $2 AND l.value = $3
          ORDER BY l.series_id";
    /// The conditions are those of an index, word for word.
    UNENTERED(Uuid) -> (Uuid,) =
        c"SELECT s.series_id
          FROM timedb.series s
          WHERE s.tenant_id = $1 AND NOT s.labels_entered AND s.labels <> '{}'";
}

/// More series than this are compared with those of a filter's further labels before their own are looked at.
const MANY: i64 = 2000;

/// Whether there is where to enter them: not before a database of 0.1.0 is updated.
pub fn are_entered() -> bool {
    has_table(c"timedb", c"series_labels")
}

/// Enters the labels of series that are new or have new labels and say so by `labels_entered`: in the same transaction.
pub fn enter(tenant: Uuid, series: &[Uuid]) -> Result<()> {
    if series.is_empty() {
        return Ok(());
    }
    ENTER.run((tenant, series))
}

/// Labels that a call gives: an object of them. A null, or one of JSON, is none.
pub fn checked(labels: Option<Jsonb>) -> Result<Option<Jsonb>> {
    let Some(labels) = labels else { return Ok(None) };
    let json = labels.inspect()?;
    match json.kind.as_str() {
        "object" => {}
        "null" => return Ok(None),
        _ => return Err(Error::bad("labels", "must be a JSON object")),
    }
    let too_long = |what: &str, most: i64| Error::TooLong {
        argument: "labels",
        reason: format!("is larger than {most} bytes{what}"),
    };
    if json.text_size > LARGEST_LABELS {
        return Err(too_long("", LARGEST_LABELS));
    }
    if json.stored_size > LARGEST_STORED_LABELS {
        return Err(too_long(" as it is stored", LARGEST_STORED_LABELS));
    }
    Ok(Some(labels))
}

/// The labels, or those of a series that has none; as a filter, those that every series has.
pub fn or_none(labels: Option<Jsonb>) -> Result<Jsonb> {
    let none = || Jsonb::empty().ok_or_else(|| Error::Broken("there is no empty object".into()));
    labels.map_or_else(none, Ok)
}

/// Series, each once, among which all are that have these labels; none where there is nothing to look up.
pub fn candidates(tenant: Uuid, labels: Jsonb) -> Result<Option<Vec<Uuid>>> {
    let looked_up = fewest_first(tenant, LOOKED_UP.read((labels,))?)?;
    let mut candidates: Option<Vec<Uuid>> = None;
    for (label, value) in &looked_up {
        match &mut candidates {
            None => candidates = Some(entered(tenant, label, value)?),
            Some(few) if few.len() <= MANY as usize => break,
            Some(many) => {
                let others = entered(tenant, label, value)?;
                many.retain(|id| others.binary_search(id).is_ok());
            }
        }
    }
    if let Some(candidates) = &mut candidates {
        candidates.extend(UNENTERED.read((tenant,))?.into_iter().map(|(id,)| id));
        candidates.sort_unstable();
        candidates.dedup();
    }
    Ok(candidates)
}

/// Of several labels with their values, the one that the fewest series have comes first.
fn fewest_first(tenant: Uuid, looked_up: Vec<(String, String)>) -> Result<Vec<(String, String)>> {
    if looked_up.len() < 2 {
        return Ok(looked_up);
    }
    let (labels, values): (Vec<&str>, Vec<&str>) = looked_up.iter().map(|(label, value)| (&**label, &**value)).unzip();
    let counted = COUNTED.read((tenant, &labels, &values, MANY + 1))?;
    Ok(counted.into_iter().map(|(label, value, _)| (label, value)).collect())
}

fn entered(tenant: Uuid, label: &str, value: &str) -> Result<Vec<Uuid>> {
    let found = ENTERED.read((tenant, label, value))?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}
