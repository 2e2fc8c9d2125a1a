//! Series: made and named by key and labels, and found by key or id for an upload.

use super::labels;
use crate::error::{Error, Reported, Result};
use crate::identity::session::{self, Acting};
use crate::pg::clock;
use crate::pg::datum::pg_id;
use crate::pg::index_scan::{Condition, find};
use crate::pg::statement::{sql, statements};
use crate::pg::varlena::Jsonb;
use crate::pg::warning::notice;
use crate::store::quota::check_series;
use pgrx::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use timedb_core::blank::unless_blank;
use timedb_core::limits::{LONGEST_DESCRIPTION, LONGEST_SERIES_KEY, LONGEST_UNIT};
use timedb_core::rows::Refusal;
use timedb_core::scope::Scope;
use timedb_core::series_key::{self, code_points, in_normal_form, look_alike};
use uuid::Uuid;

pub const NO_UNIT: &str = "dimensionless";
/// As many series with labels of one key are counted.
const MANY_LABELLED: i64 = 3;

/// A series that is there is found by its index, where the planner would compare the labels of all series of the key.
macro_rules! or_complete {
    () => {
        " ON CONFLICT (tenant_id, series_key, labels) DO UPDATE
          SET unit = CASE WHEN series.unit = 'dimensionless' THEN excluded.unit ELSE series.unit END,
              description = CASE WHEN series.description ~ '[^[:space:]]' THEN series.description
                                 ELSE excluded.description END
          WHERE series.unit = 'dimensionless' AND excluded.unit <> 'dimensionless'
             OR excluded.unit IN ('dimensionless', series.unit)
                AND (series.description ~ '[^[:space:]]') IS NOT TRUE AND excluded.description IS NOT NULL"
    };
}

statements! {
    /// A description of blanks, which 0.1.0 stored, is none.
    FIND_LABELLED(Uuid, Uuid) -> (String, bool) =
        c"SELECT s.unit, (s.description ~ '[^[:space:]]') IS TRUE
          FROM timedb.series s
          CROSS JOIN (VALUES (1), (2)) AS twice
          WHERE s.tenant_id = $1 AND s.series_id BETWEEN $2 AND $2
          ORDER BY s.series_id
          LIMIT 1";
    /// Its labels are entered next.
    MAKE_OR_COMPLETE(Uuid, Uuid, &str, &str, Option<&str>, Jsonb) -> () =
        sql!("INSERT INTO timedb.series (tenant_id, series_id, series_key, unit, description, labels, labels_entered)
              VALUES ($1, $2, $3, $4, $5, $6, true)", or_complete!());
    /// As a database of 0.1.0 has them, where none are entered.
    MAKE_OR_COMPLETE_BEFORE(Uuid, Uuid, &str, &str, Option<&str>, Jsonb) -> () =
        sql!("INSERT INTO timedb.series (tenant_id, series_id, series_key, unit, description, labels)
              VALUES ($1, $2, $3, $4, $5, $6)", or_complete!());
    /// One probe of an index for each key, whatever statistics say. A scan by the tenant alone may look as cheap, and stay in
    /// the plan: so the planner is asked for the first row of an order that one index has and any other plan must sort for.
    /// Each row stands twice, so that the first is half of all there is to fetch, but comes after all of a sort. No labels
    /// come before all others.
    FIND_BY_KEY(Uuid, &[&str]) -> (String, Uuid) =
        c"SELECT k.series_key, s.series_id
          FROM (SELECT unnest($2) AS series_key) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.labels
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE s.tenant_id = $1 AND s.series_key = k.series_key
            ORDER BY s.labels
            LIMIT 1) AS s
          WHERE s.labels = '{}'";
    /// So too, of one key: what opens an array and joins takes as long as the probe.
    FIND_BY_ONE_KEY(Uuid, &str) -> (Uuid, bool) =
        c"SELECT s.series_id, s.labels = '{}'
          FROM timedb.series s
          CROSS JOIN (VALUES (1), (2)) AS twice
          WHERE s.tenant_id = $1 AND s.series_key = $2
          ORDER BY s.labels
          LIMIT 1";
    /// So too; an order by what is equal to something would be none.
    FIND_BY_ID(Uuid, &[Uuid]) -> (Uuid, String, bool) =
        c"SELECT s.series_id, s.series_key, s.labels = '{}'
          FROM (SELECT unnest($2) AS series_id) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key, s.labels
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE s.tenant_id = $1 AND s.series_id BETWEEN k.series_id AND k.series_id
            ORDER BY s.series_id
            LIMIT 1) AS s";
    /// So too.
    UNITS(Uuid, &[Uuid]) -> (Uuid, String, String) =
        c"SELECT s.series_id, s.series_key, s.unit
          FROM (SELECT unnest($2) AS series_id) AS k
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key, s.unit
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE s.tenant_id = $1 AND s.series_id BETWEEN k.series_id AND k.series_id
            ORDER BY s.series_id
            LIMIT 1) AS s";
    /// How many series with labels there are of each key, up to one more than many. So too; each row stands twice.
    COUNT_LABELLED(Uuid, &[&str]) -> (String, i64) =
        c"SELECT k.series_key, l.count / 2
          FROM (SELECT unnest($2) AS series_key) AS k
          CROSS JOIN LATERAL (
            SELECT count(*) AS count
            FROM (SELECT s.labels
                  FROM timedb.series s
                  CROSS JOIN (VALUES (1), (2)) AS twice
                  WHERE s.tenant_id = $1 AND s.series_key = k.series_key
                  ORDER BY s.labels
                  LIMIT 10) AS s
            WHERE s.labels <> '{}') AS l
          WHERE l.count > 0";
    /// In the order of the keys, so that two uploads that make the same series cannot deadlock.
    INSERT_BY_KEY(Uuid, &[Uuid], &[&str], &[&str]) -> () =
        c"INSERT INTO timedb.series (tenant_id, series_id, series_key, unit)
          SELECT $1, n.series_id, n.series_key, n.unit
          FROM ROWS FROM (unnest($2), unnest($3), unnest($4)) AS n(series_id, series_key, unit)
          ORDER BY n.series_key
          ON CONFLICT (tenant_id, series_key, labels) DO NOTHING";
    /// Locked in the order of their ids, for the same reason. Nothing is inserted: in conflict with what is locked, a row finds
    /// it by its index, where the join of an UPDATE could be turned round.
    DESCRIBE(Uuid, &[Uuid], &[&str]) -> () =
        c"INSERT INTO timedb.series (tenant_id, series_id, series_key, description)
          SELECT $1, s.series_id, s.series_key, n.description
          FROM (SELECT n.series_id, n.description
                FROM (SELECT unnest($2) AS series_id, unnest($3) AS description) AS n
                ORDER BY n.series_id) AS n
          CROSS JOIN LATERAL (
            SELECT s.series_id, s.series_key
            FROM timedb.series s
            CROSS JOIN (VALUES (1), (2)) AS twice
            WHERE s.tenant_id = $1 AND s.series_id BETWEEN n.series_id AND n.series_id
              AND (s.description ~ '[^[:space:]]') IS NOT TRUE
            ORDER BY s.series_id
            LIMIT 1
            FOR NO KEY UPDATE OF s) AS s
          ON CONFLICT (tenant_id, series_id) DO UPDATE
          SET description = excluded.description
          WHERE (series.description ~ '[^[:space:]]') IS NOT TRUE";
}

#[pg_extern(sql = false)]
fn create_series(
    name: Option<&str>,
    unit: Option<&str>,
    description: Option<&str>,
    labels: Option<Jsonb>,
) -> Reported<pgrx::Uuid> {
    let acting = Acting::with(Scope::Write)?;
    let name = name.ok_or(Error::NullArgument("name"))?;
    let (unit, description) = (unless_blank(unit), unless_blank(description));
    check_key(name)?;
    Error::if_longer("unit", unit.unwrap_or_default(), LONGEST_UNIT)?;
    Error::if_longer("description", description.unwrap_or_default(), LONGEST_DESCRIPTION)?;
    let labels = labels::or_none(labels::checked(labels)?)?;
    let id = find_or_make(acting.tenant, name, unit, description, labels)?;
    Ok(pg_id(id))
}

/// The columns of series, by number.
mod columns {
    pub const TENANT_ID: usize = 1;
    pub const SERIES_ID: usize = 2;
    pub const SERIES_KEY: usize = 3;
    pub const LABELS: usize = 4;
}

/// A series by key and labels.
struct Labelled {
    id: Uuid,
    unit: String,
    is_described: bool,
}

impl Labelled {
    fn lacks(&self, unit: Option<&str>, description: Option<&str>) -> bool {
        let lacks_unit = self.unit == NO_UNIT && unit.is_some_and(|unit| unit != NO_UNIT);
        lacks_unit || !self.is_described && description.is_some()
    }
}

fn find_or_make(
    tenant: Uuid,
    name: &str,
    unit: Option<&str>,
    description: Option<&str>,
    labels: Jsonb,
) -> Result<Uuid> {
    let mut name = Cow::Borrowed(name);
    let mut found = find_labelled(tenant, &name, labels)?;
    if found.is_none() {
        if let Some(normal) = in_normal_form(&name) {
            name = Cow::Owned(normal);
            found = find_labelled(tenant, &name, labels)?;
        }
        if found.is_none() {
            check_new(&name)?;
            check_series(tenant, 1)?;
        }
    }
    // Written first and looked at afterwards, because somebody else may make or complete it at the same time.
    if found.as_ref().is_none_or(|series| series.lacks(unit, description)) {
        let (new_id, new_unit) = (clock::new_id(), unit.unwrap_or(NO_UNIT));
        session::begin_to_make(tenant)?;
        let are_entered = labels::are_entered();
        let make = if are_entered {
            &MAKE_OR_COMPLETE
        } else {
            &MAKE_OR_COMPLETE_BEFORE
        };
        make.run((tenant, new_id, &*name, new_unit, description, labels))?;
        // Somebody else who makes it is waited for.
        session::confirm()?;
        found = find_labelled(tenant, &name, labels)?;
        // Of one that is there they are entered already.
        if let Some(made) = found.as_ref().filter(|series| are_entered && series.id == new_id) {
            labels::enter(tenant, &[made.id])?;
        }
    }
    let series = found.ok_or_else(|| Error::Broken("a new series is not there".into()))?;
    match unit {
        Some(unit) if unit != series.unit => Err(other_unit(unit, &name, &series.unit)),
        _ => Ok(series.id),
    }
}

fn find_labelled(tenant: Uuid, key: &str, labels: Jsonb) -> Result<Option<Labelled>> {
    let Some(id) = id_of(tenant, key, labels) else {
        return Ok(None);
    };
    let found = FIND_LABELLED.read_fresh((tenant, id))?.pop();
    Ok(found.map(|(unit, is_described)| Labelled { id, unit, is_described }))
}

/// Beside a policy the planner takes no equality of jsonb for an index: it would compare the labels of all series of the
/// key. So the id is looked up without it; what the series is, a statement says, under the policies like all else.
pub fn id_of(tenant: Uuid, key: &str, labels: Jsonb) -> Option<Uuid> {
    let named = [
        Condition::id(columns::TENANT_ID, tenant),
        Condition::text(columns::SERIES_KEY, key),
        Condition::jsonb(columns::LABELS, labels),
    ];
    let index = c"series_series_key_labels_key";
    find(c"timedb", c"series", index, &named, |row| {
        row.column::<Uuid>(columns::SERIES_ID)
    })
}

pub fn other_unit(unit: &str, series: &str, has: &str) -> Error {
    Error::BadArgument {
        argument: "unit",
        reason: another_unit(unit, series, has),
        hint: Some("A unit stays once it is set; name another series for values in another unit."),
    }
}

/// What the unit is, and what the series has.
pub fn another_unit(unit: &str, series: &str, has: &str) -> String {
    let alike = look_alike(unit, has);
    let shown = |unit: &str| match alike {
        true => format!("\"{unit}\" ({})", code_points(unit)),
        false => format!("\"{unit}\""),
    };
    let (unit, has) = (shown(unit), shown(has));
    format!("is {unit}, but series \"{series}\" has {has}")
}

fn check_key(key: &str) -> Result<()> {
    if key.trim().is_empty() {
        return Err(Error::bad("name", "is blank"));
    }
    Error::if_longer("name", key, LONGEST_SERIES_KEY)
}

/// What a new series may be called.
fn check_new(key: &str) -> Result<()> {
    match series_key::new(key) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Error::BadArgument {
            argument: "name",
            reason: refusal.reason,
            hint: refusal.hint,
        }),
    }
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
    let known = |(id, key, is_plain)| (id, Known { key, is_plain });
    let found = FIND_BY_ID.read_fresh((tenant, ids))?;
    Ok(found.into_iter().map(known).collect())
}

/// The key and the unit of each of the tenant's series among these ids.
pub fn units(tenant: Uuid, ids: &[Uuid]) -> Result<HashMap<Uuid, (String, String)>> {
    let found = UNITS.read_fresh((tenant, ids))?;
    Ok(found.into_iter().map(|(id, key, unit)| (id, (key, unit))).collect())
}

/// What has been found of keys that an upload names series without labels by.
pub struct Sought<'a> {
    /// By the key as sent, be it found so or else in normal form.
    ids: HashMap<String, Uuid>,
    /// As sent, and what the new series is to be called.
    new: Vec<(&'a str, Cow<'a, str>)>,
    /// Why no series can be called so.
    pub refused: HashMap<&'a str, Refusal>,
}

pub fn by_key<'a>(tenant: Uuid, keys: &[&'a str]) -> Result<Sought<'a>> {
    let mut sought = Sought {
        ids: find_by_key(tenant, keys)?,
        new: Vec::new(),
        refused: HashMap::new(),
    };
    let missing: Vec<&str> = keys
        .iter()
        .filter(|key| !sought.ids.contains_key(**key))
        .copied()
        .collect();
    let normal: Vec<String> = missing.iter().filter_map(|key| in_normal_form(key)).collect();
    let by_normal = find_by_key(tenant, &normal.iter().map(String::as_str).collect::<Vec<_>>())?;
    for sent in missing {
        match in_normal_form(sent).and_then(|normal| by_normal.get(&normal)) {
            Some(&id) => drop(sought.ids.insert(sent.to_owned(), id)),
            None => match series_key::new(sent) {
                Ok(key) => sought.new.push((sent, key)),
                Err(refusal) => drop(sought.refused.insert(sent, refusal)),
            },
        }
    }
    Ok(sought)
}

impl Sought<'_> {
    /// The id of one that has been found.
    pub fn id(&self, key: &str) -> Option<Uuid> {
        self.ids.get(key).copied()
    }

    /// Makes those that are new, in these units where one is said of a key as sent, and has the ids of all.
    pub fn or_make(mut self, tenant: Uuid, units: &HashMap<&str, &str>) -> Result<HashMap<String, Uuid>> {
        // Of two spellings of a key the first that has a unit.
        let mut new: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for (sent, key) in &self.new {
            let unit = new.entry(key).or_default();
            *unit = unit.or(units.get(sent).copied());
        }
        if new.is_empty() {
            return Ok(self.ids);
        }
        check_series(tenant, new.len())?;
        let of_new: Vec<&str> = new.values().map(|unit| unit.unwrap_or(NO_UNIT)).collect();
        let new: Vec<&str> = new.into_keys().collect();
        let new_ids: Vec<Uuid> = new.iter().map(|_| clock::new_id()).collect();
        INSERT_BY_KEY.run((tenant, &new_ids, &new, &of_new))?;
        // Somebody else who makes one of them is waited for.
        session::confirm()?;
        notice_labelled(tenant, &new)?;
        let made = find_by_key(tenant, &new)?;
        for (sent, key) in &self.new {
            if let Some(&id) = made.get(&**key) {
                self.ids.insert((*sent).to_owned(), id);
            }
        }
        Ok(self.ids)
    }
}

/// Who means a series with labels, and gives its key alone, makes another one.
fn notice_labelled(tenant: Uuid, new: &[&str]) -> Result<()> {
    let labelled = COUNT_LABELLED.read_fresh((tenant, new))?;
    let Some((key, count)) = labelled.first() else {
        return Ok(());
    };
    let count = match *count {
        many if many > MANY_LABELLED => format!("more than {MANY_LABELLED}"),
        some => some.to_string(),
    };
    let more = match labelled.len() - 1 {
        0 => String::new(),
        1 => ", and so it is with 1 other key".to_owned(),
        others => format!(", and so it is with {others} other keys"),
    };
    notice(
        format!("a new series \"{key}\" without labels, beside {count} of that key with labels{more}"),
        "Rows that mean one of those give its \"labels\" beside the key, or its \"series_id\".",
    );
    Ok(())
}

fn find_by_key(tenant: Uuid, keys: &[&str]) -> Result<HashMap<String, Uuid>> {
    match *keys {
        [] => Ok(HashMap::new()),
        [key] => {
            let found = FIND_BY_ONE_KEY.read_fresh((tenant, key))?;
            let plain = found.into_iter().filter(|(_, is_plain)| *is_plain);
            Ok(plain.map(|(id, _)| (key.to_owned(), id)).collect())
        }
        _ => {
            let found = FIND_BY_KEY.read_fresh((tenant, keys))?;
            Ok(found.into_iter().collect())
        }
    }
}

/// Gives a description to those series that have none.
pub fn describe(tenant: Uuid, descriptions: &[(Uuid, String)]) -> Result<()> {
    if descriptions.is_empty() {
        return Ok(());
    }
    for (_, text) in descriptions {
        Error::if_longer("series_descriptions", text, LONGEST_DESCRIPTION)?;
    }
    let (ids, texts): (Vec<Uuid>, Vec<&str>) = descriptions.iter().map(|(id, text)| (*id, text.as_str())).unzip();
    DESCRIBE.run((tenant, &ids, &texts))
}
