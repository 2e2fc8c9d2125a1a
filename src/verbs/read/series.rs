//! Which series a read is of.

use crate::error::Result;
use crate::pg::statement::statements;
use std::collections::HashSet;
use timedb_core::answer::Series;
use timedb_core::series_key::in_normal_form;
use uuid::Uuid;

statements! {
    EVERY_SERIES(Uuid) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM timedb.series s
          WHERE s.tenant_id = $1
          ORDER BY s.series_key COLLATE \"C\", s.series_id";
    /// Found by one probe of an index for each key, as `series` does; those of one key differ by their labels.
    SERIES_OF_KEYS(Uuid, &[&str]) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM (SELECT unnest($2) AS series_key) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key, s.unit, twice.place
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice(place)
            WHERE s.tenant_id = $1 AND s.series_key BETWEEN k.series_key AND k.series_key
            ORDER BY s.series_key
            FETCH FIRST ROW WITH TIES) AS s
          WHERE s.place = 1";
    SERIES_OF_IDS(Uuid, &[Uuid]) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM (SELECT unnest($2) AS series_id) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key, s.unit
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE s.tenant_id = $1 AND s.series_id BETWEEN k.series_id AND k.series_id
            ORDER BY s.series_id
            LIMIT 1) AS s";
    ONE_SERIES(Uuid, Uuid) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM timedb.series s
          WHERE s.tenant_id = $1 AND s.series_id = $2";
}

/// Which series: those that are named, and of them only the ones that WHERE leaves.
pub struct Which {
    pub named: Named,
    pub kept: Kept,
}

pub enum Named {
    Every,
    Some { keys: Vec<String>, ids: Vec<Uuid> },
    One(Uuid),
}

/// What conditions leave: each narrows.
#[derive(Default)]
pub struct Kept {
    keys: Option<HashSet<String>>,
    ids: Option<HashSet<Uuid>>,
}

impl From<Named> for Which {
    fn from(named: Named) -> Which {
        Which {
            named,
            kept: Kept::default(),
        }
    }
}

impl Kept {
    pub fn only_keys(&mut self, keys: Vec<String>) {
        only(&mut self.keys, keys);
    }

    pub fn only_ids(&mut self, ids: Vec<Uuid>) {
        only(&mut self.ids, ids);
    }

    fn keeps(&self, id: &Uuid, key: &str) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(id)) && self.keys.as_ref().is_none_or(|keys| keys.contains(key))
    }
}

fn only<T: Eq + std::hash::Hash>(kept: &mut Option<HashSet<T>>, these: Vec<T>) {
    let these: HashSet<T> = these.into_iter().collect();
    match kept {
        Some(kept) => kept.retain(|one| these.contains(one)),
        none => *none = Some(these),
    }
}

impl Which {
    /// In the order of keys, byte by byte, and ids; each once, however often it is named.
    pub fn series(&self, tenant: Uuid) -> Result<Vec<Series>> {
        let mut found = match (&self.named, &self.kept) {
            (Named::Every, Kept { ids: Some(ids), .. }) => {
                some_series(tenant, &[], &Vec::from_iter(ids.iter().copied()))?
            }
            (Named::Every, Kept { keys: Some(keys), .. }) => {
                some_series(tenant, &Vec::from_iter(keys.iter().cloned()), &[])?
            }
            (Named::Every, _) => EVERY_SERIES.read((tenant,))?,
            (Named::Some { keys, ids }, _) => some_series(tenant, keys, ids)?,
            (Named::One(id), _) => ONE_SERIES.read((tenant, *id))?,
        };
        found.retain(|(id, key, _)| self.kept.keeps(id, key));
        let series = |(id, key, unit)| Series { id, key, unit };
        Ok(found.into_iter().map(series).collect())
    }
}

type Found = Vec<(Uuid, String, String)>;

/// The series of these keys and ids. A key that is none as it was sent is looked for in normal form.
fn some_series(tenant: Uuid, keys: &[String], ids: &[Uuid]) -> Result<Found> {
    let mut found = of_keys(tenant, keys)?;
    found.extend(of_keys(tenant, &missing_in_normal_form(keys, &found))?);
    if !ids.is_empty() {
        found.extend(SERIES_OF_IDS.read((tenant, ids))?);
    }
    found.sort_unstable_by(|(id, key, _), (other_id, other_key, _)| (key, id).cmp(&(other_key, other_id)));
    found.dedup_by_key(|(id, ..)| *id);
    Ok(found)
}

fn of_keys(tenant: Uuid, keys: &[String]) -> Result<Found> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    SERIES_OF_KEYS.read((tenant, &keys))
}

/// The normal forms of those keys that are not in it and not found either.
fn missing_in_normal_form(keys: &[String], found: &Found) -> Vec<String> {
    let others: Vec<(&String, String)> = keys
        .iter()
        .filter_map(|key| Some((key, in_normal_form(key)?)))
        .collect();
    if others.is_empty() {
        return Vec::new();
    }
    let found: HashSet<&String> = found.iter().map(|(_, key, _)| key).collect();
    let missing = others.into_iter().filter(|(key, _)| !found.contains(key));
    missing.map(|(_, normal)| normal).collect()
}
