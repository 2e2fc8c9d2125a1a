//! Which series a read is of.

use crate::error::Result;
use crate::pg::statement::statements;
use crate::pg::varlena::Jsonb;
use crate::verbs::labels::candidates;
use std::collections::HashSet;
use timedb_core::answer::Series;
use timedb_core::series_key::in_normal_form;
use uuid::Uuid;

statements! {
    EVERY_SERIES(Uuid, Option<Jsonb>) -> (Uuid, String, String, String, bool) =
        c"SELECT s.series_id, s.series_key, s.unit, s.labels::text, true
          FROM timedb.series s
          WHERE s.tenant_id = $1 AND ($2 IS NULL OR s.labels @> $2)
          ORDER BY s.series_key COLLATE \"C\", s.series_id";
    /// Found by one probe of an index for each key, as `series` does; those of one key differ by their labels.
    SERIES_OF_KEYS(Uuid, &[&str], Option<Jsonb>) -> (Uuid, String, String, String, bool) =
        c"SELECT s.series_id, s.series_key, s.unit, s.labels::text, $3 IS NULL OR s.labels @> $3
          FROM (SELECT unnest($2) AS series_key) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key, s.unit, s.labels, twice.place
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice(place)
            WHERE s.tenant_id = $1 AND s.series_key BETWEEN k.series_key AND k.series_key
            ORDER BY s.series_key
            FETCH FIRST ROW WITH TIES) AS s
          WHERE s.place = 1";
    SERIES_OF_IDS(Uuid, &[Uuid], Option<Jsonb>) -> (Uuid, String, String, String, bool) =
        c"SELECT s.series_id, s.series_key, s.unit, s.labels::text, $3 IS NULL OR s.labels @> $3
          FROM (SELECT unnest($2) AS series_id) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key, s.unit, s.labels
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE s.tenant_id = $1 AND s.series_id BETWEEN k.series_id AND k.series_id
            ORDER BY s.series_id
            LIMIT 1) AS s";
    ONE_SERIES(Uuid, Uuid) -> (Uuid, String, String, String, bool) =
        c"SELECT s.series_id, s.series_key, s.unit, s.labels::text, true
          FROM timedb.series s
          WHERE s.tenant_id = $1 AND s.series_id = $2";
}

/// Which series: those that are named, of them those whose labels contain some, and of these only the ones that WHERE leaves.
pub struct Which {
    pub named: Named,
    pub labels: Option<Jsonb>,
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
            labels: None,
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
    /// Whether nothing is asked of them.
    pub fn is_every(&self) -> bool {
        matches!(self.named, Named::Every) && self.labels.is_none()
    }

    /// In the order of keys, byte by byte, and ids; each once, however often it is named.
    pub fn series(&self, tenant: Uuid) -> Result<Vec<Series>> {
        let some = |keys: &[String], ids: &[Uuid]| some_series(tenant, keys, ids, self.labels);
        let mut found = match (&self.named, &self.kept) {
            (Named::Every, Kept { ids: Some(ids), .. }) => some(&[], &Vec::from_iter(ids.iter().copied()))?,
            (Named::Every, Kept { keys: Some(keys), .. }) => some(&Vec::from_iter(keys.iter().cloned()), &[])?,
            (Named::Every, _) => every_series(tenant, self.labels)?,
            (Named::Some { keys, ids }, _) => some(keys, ids)?,
            (Named::One(id), _) => ONE_SERIES.read((tenant, *id))?,
        };
        found.retain(|(id, key, _, _, is_labelled_so)| *is_labelled_so && self.kept.keeps(id, key));
        let series = |(id, key, unit, labels, _)| Series { id, key, unit, labels };
        Ok(found.into_iter().map(series).collect())
    }
}

/// Of each id, key, unit and labels, and whether it has the labels that are asked for: whatever it is called, so that a key is
/// not looked for in normal form because it has others.
type Found = Vec<(Uuid, String, String, String, bool)>;

/// All of them, or all with these labels: those that may have them are looked up.
fn every_series(tenant: Uuid, labels: Option<Jsonb>) -> Result<Found> {
    let candidates = match labels {
        Some(labels) => candidates(tenant, labels)?,
        None => None,
    };
    match candidates {
        Some(ids) => some_series(tenant, &[], &ids, labels),
        None => EVERY_SERIES.read((tenant, labels)),
    }
}

/// The series of these keys and ids. A key that is none as it was sent is looked for in normal form.
fn some_series(tenant: Uuid, keys: &[String], ids: &[Uuid], labels: Option<Jsonb>) -> Result<Found> {
    let mut found = of_keys(tenant, keys, labels)?;
    found.extend(of_keys(tenant, &missing_in_normal_form(keys, &found), labels)?);
    if !ids.is_empty() {
        found.extend(SERIES_OF_IDS.read((tenant, ids, labels))?);
    }
    found.sort_unstable_by(|(id, key, ..), (other_id, other_key, ..)| (key, id).cmp(&(other_key, other_id)));
    found.dedup_by_key(|(id, ..)| *id);
    Ok(found)
}

fn of_keys(tenant: Uuid, keys: &[String], labels: Option<Jsonb>) -> Result<Found> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    SERIES_OF_KEYS.read((tenant, &keys, labels))
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
    let found: HashSet<&String> = found.iter().map(|(_, key, ..)| key).collect();
    let missing = others.into_iter().filter(|(key, _)| !found.contains(key));
    missing.map(|(_, normal)| normal).collect()
}
