//! Series: made and named by key and labels, and found by key or id for an upload.

use crate::cell::{self, Passed};
use crate::error::{Error, Result};
use crate::session;
use crate::statement::{self, statements};
use pgrx::prelude::*;
use std::collections::HashMap;
use timedb_core::scope::Scope;
use uuid::Uuid;

const NO_UNIT: &str = "dimensionless";
const LONGEST_KEY: usize = 500;
const LONGEST_UNIT: usize = 100;
const LONGEST_DESCRIPTION: usize = 10_000;
const LARGEST_LABELS: i64 = 2000;
/// Many small labels take more room than their text; an index entry holds them, the key and the tenant.
const LARGEST_STORED_LABELS: i64 = 2100;

statements! {
    INSPECT_JSON(JSONBOID) =
        c"SELECT jsonb_typeof($1), octet_length($1::text)::int8, pg_column_size($1)::int8";
    TEXTS_BY_KEY(JSONBOID) =
        c"SELECT t.key, CASE jsonb_typeof(t.value) WHEN 'string' THEN t.value #>> '{}' END FROM jsonb_each($1) t";
    FIND_LABELLED(UUIDOID, TEXTOID, JSONBOID) =
        c"SELECT s.series_id, s.unit
          FROM timedb.series s
          WHERE s.tenant_id = $1 AND s.series_key = $2 AND s.labels = coalesce($3, '{}')";
    INSERT_LABELLED(UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID) =
        c"INSERT INTO timedb.series (tenant_id, series_id, series_key, unit, description, labels)
          VALUES ($1, $2, $3, $4, $5, coalesce($6, '{}'))
          ON CONFLICT (tenant_id, series_key, labels) DO NOTHING";
    COMPLETE(UUIDOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID) =
        c"UPDATE timedb.series s
          SET unit = CASE WHEN s.unit = 'dimensionless' THEN $4 ELSE s.unit END,
              description = coalesce(s.description, $5)
          WHERE s.tenant_id = $1 AND s.series_key = $2 AND s.labels = coalesce($3, '{}')
            AND (s.unit = 'dimensionless' AND $4 <> 'dimensionless'
                 OR s.unit IN ('dimensionless', $4) AND s.description IS NULL AND $5 IS NOT NULL)";
    FIND_BY_KEY(UUIDOID, TEXTARRAYOID) =
        c"SELECT s.series_key, s.series_id
          FROM unnest($2) AS k(series_key)
          JOIN timedb.series s ON s.tenant_id = $1 AND s.labels = '{}' AND s.series_key = k.series_key";
    FIND_BY_ID(UUIDOID, UUIDARRAYOID) =
        c"SELECT s.series_id, s.series_key, s.labels = '{}'
          FROM unnest($2) AS k(series_id)
          JOIN timedb.series s ON s.tenant_id = $1 AND s.series_id = k.series_id";
    /// In the order of the keys, so that two uploads that make the same series cannot deadlock.
    INSERT_BY_KEY(UUIDOID, UUIDARRAYOID, TEXTARRAYOID) =
        c"INSERT INTO timedb.series (tenant_id, series_id, series_key)
          SELECT $1, n.series_id, n.series_key
          FROM ROWS FROM (unnest($2), unnest($3)) AS n(series_id, series_key)
          ORDER BY n.series_key
          ON CONFLICT (tenant_id, series_key, labels) DO NOTHING";
    /// Locked in the order of their ids, for the same reason.
    DESCRIBE(UUIDOID, UUIDARRAYOID, TEXTARRAYOID) =
        c"WITH undescribed AS MATERIALIZED (
            SELECT s.series_id FROM timedb.series s
            WHERE s.tenant_id = $1 AND s.series_id = ANY ($2) AND s.description IS NULL
            ORDER BY s.series_id
            FOR NO KEY UPDATE)
          UPDATE timedb.series s
          SET description = n.description
          FROM undescribed u, ROWS FROM (unnest($2), unnest($3)) AS n(series_id, description)
          WHERE s.tenant_id = $1 AND s.series_id = u.series_id AND n.series_id = u.series_id";
}

#[pg_extern(sql = false)]
fn create_series(
    name: Option<&str>,
    unit: Option<&str>,
    description: Option<&str>,
    labels: Option<Passed>,
) -> Result<pgrx::Uuid> {
    let tenant = session::require(Scope::Write)?.tenant;
    let name = name.ok_or(Error::NullArgument("name"))?;
    check_key(name)?;
    let unit = unit.unwrap_or(NO_UNIT);
    if unit.trim().is_empty() {
        return Err(Error::bad("unit", "is blank").into());
    }
    Error::if_longer("unit", unit, LONGEST_UNIT)?;
    Error::if_longer(
        "description",
        description.unwrap_or_default(),
        LONGEST_DESCRIPTION,
    )?;
    check_labels(labels.as_ref())?;
    let labels = labels.map(|labels| labels.0);

    let identity = [cell::uuid(tenant), cell::text(name), labels];
    let description = description.and_then(cell::text);
    if find_labelled(&identity)?.is_none() {
        let columns = [
            cell::uuid(tenant),
            cell::uuid(session::new_id()),
            cell::text(name),
            cell::text(unit),
            description,
            labels,
        ];
        statement::run(&INSERT_LABELLED, &columns)?;
    }
    // Completed first and looked at afterwards, because somebody else may make or complete it at the same time.
    statement::run(
        &COMPLETE,
        &[
            cell::uuid(tenant),
            cell::text(name),
            labels,
            cell::text(unit),
            description,
        ],
    )?;
    let (id, has_unit) = find_labelled(&identity)?
        .ok_or_else(|| Error::Broken("a new series is not there".into()))?;
    if has_unit != unit {
        let reason = format!("is \"{unit}\", but series \"{name}\" has \"{has_unit}\"");
        let hint =
            Some("A unit stays once it is set; name another series for values in another unit.");
        return Err(Error::BadArgument {
            argument: "unit",
            reason,
            hint,
        }
        .into());
    }
    Ok(pgrx::Uuid::from_bytes(*id.as_bytes()))
}

fn find_labelled(identity: &[cell::Cell]) -> Result<Option<(Uuid, String)>> {
    let found = statement::write(&FIND_LABELLED, identity, |row| {
        Ok(row.uuid(1).zip(row.text(2)))
    })?;
    Ok(found.into_iter().flatten().next())
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.trim().is_empty() {
        return Err(Error::bad("name", "is blank"));
    }
    Error::if_longer("name", key, LONGEST_KEY)
}

fn check_labels(labels: Option<&Passed>) -> Result<()> {
    let Some(labels) = labels else { return Ok(()) };
    let json = inspect_json(labels)?;
    if json.kind != "object" {
        return Err(Error::bad("labels", "must be a JSON object").into());
    }
    let too_long = |what: &str, most: i64| Error::TooLong {
        argument: "labels",
        reason: format!("is larger than {most} bytes{what}"),
    };
    if json.text_size > LARGEST_LABELS {
        return Err(too_long("", LARGEST_LABELS).into());
    }
    if json.stored_size > LARGEST_STORED_LABELS {
        return Err(too_long(" as it is stored", LARGEST_STORED_LABELS).into());
    }
    Ok(())
}

/// What a JSON argument is.
pub struct Json {
    /// As `jsonb_typeof` names it.
    pub kind: String,
    text_size: i64,
    stored_size: i64,
}

pub fn inspect_json(json: &Passed) -> Result<Json> {
    let found = statement::read(&INSPECT_JSON, &[Some(json.0)], |row| {
        let json = || {
            let (text_size, stored_size) = (row.micros(2)?, row.micros(3)?);
            Some(Json {
                kind: row.text(1)?,
                text_size,
                stored_size,
            })
        };
        Ok(json())
    })?;
    let found = found.into_iter().flatten().next();
    found.ok_or_else(|| Error::Broken("a JSON value of no kind".into()).into())
}

/// A JSON object of texts, by key; none if it is anything else.
pub fn texts_by_key(json: &Passed) -> Result<Option<HashMap<String, String>>> {
    match inspect_json(json)?.kind.as_str() {
        "object" => {}
        "null" => return Ok(Some(HashMap::new())),
        _ => return Ok(None),
    }
    let found = statement::read(&TEXTS_BY_KEY, &[Some(json.0)], |row| {
        Ok(row.text(1).zip(row.text(2)))
    })?;
    Ok(found.into_iter().collect())
}

/// A series that an upload refers to by id.
pub struct Known {
    pub key: String,
    /// Whether it has no labels, so that its key alone names it.
    pub is_plain: bool,
}

/// The tenant's series among these ids.
pub fn by_id(tenant: Uuid, ids: &[Uuid]) -> Result<HashMap<Uuid, Known>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = statement::write(
        &FIND_BY_ID,
        &[cell::uuid(tenant), cell::uuids(ids)],
        |row| {
            let known = || {
                Some((
                    row.uuid(1)?,
                    Known {
                        key: row.text(2)?,
                        is_plain: row.bool(3)?,
                    },
                ))
            };
            Ok(known())
        },
    )?;
    Ok(found.into_iter().flatten().collect())
}

/// The ids of the series with these keys and no labels; those unknown so far are made.
pub fn by_key(tenant: Uuid, keys: &[&str]) -> Result<HashMap<String, Uuid>> {
    let mut ids = find_by_key(tenant, keys)?;
    let missing: Vec<&str> = keys
        .iter()
        .filter(|key| !ids.contains_key(**key))
        .copied()
        .collect();
    if !missing.is_empty() {
        let new_ids: Vec<Uuid> = missing.iter().map(|_| session::new_id()).collect();
        let columns = [
            cell::uuid(tenant),
            cell::uuids(&new_ids),
            cell::texts(&missing),
        ];
        statement::run(&INSERT_BY_KEY, &columns)?;
        ids.extend(find_by_key(tenant, &missing)?);
    }
    Ok(ids)
}

fn find_by_key(tenant: Uuid, keys: &[&str]) -> Result<HashMap<String, Uuid>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let arguments = [cell::uuid(tenant), cell::texts(keys)];
    let found = statement::write(&FIND_BY_KEY, &arguments, |row| {
        Ok(row.text(1).zip(row.uuid(2)))
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Gives a description to those series that have none.
pub fn describe(tenant: Uuid, descriptions: &[(Uuid, String)]) -> Result<()> {
    if descriptions.is_empty() {
        return Ok(());
    }
    for (_, text) in descriptions {
        Error::if_longer("series_descriptions", text, LONGEST_DESCRIPTION)?;
    }
    let (ids, texts): (Vec<Uuid>, Vec<&str>) = descriptions
        .iter()
        .map(|(id, text)| (*id, text.as_str()))
        .unzip();
    statement::run(
        &DESCRIBE,
        &[cell::uuid(tenant), cell::uuids(&ids), cell::texts(&texts)],
    )
}
