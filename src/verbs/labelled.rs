//! Series by key and labels, for rows that name them so: the series of exactly that key and those labels.
//!
//! Labels are equal where Postgres says that they are: 1 is 1.0, and the order of names does not count.

use super::{labels, series};
use crate::error::{Error, Result};
use crate::identity::session;
use crate::pg::cancel::answer_cancel;
use crate::pg::clock;
use crate::pg::isolation::is_read_committed;
use crate::pg::jsonb::{Distinct, distinct};
use crate::pg::statement::{sql, statements};
use crate::pg::varlena::Jsonb;
use crate::store::quota::check_series;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use timedb_core::limits::{LARGEST_LABELS, LARGEST_STORED_LABELS};
use timedb_core::rows::{Kind, Refusal};
use timedb_core::series_key::{self, in_normal_form};
use uuid::Uuid;

/// In the order of what names them, so that two uploads that make the same series cannot deadlock.
macro_rules! of_texts {
    () => {
        " FROM (SELECT unnest($2) AS series_id, unnest($3) AS series_key, unnest($4)::jsonb AS labels,
                       unnest($5) AS unit) AS n
          ORDER BY n.series_key, n.labels
          ON CONFLICT (tenant_id, series_key, labels) DO NOTHING"
    };
}

statements! {
    /// Their labels are entered next.
    INSERT_LABELLED(Uuid, &[Uuid], &[&str], &[&str], &[&str]) -> () =
        sql!("INSERT INTO timedb.series (tenant_id, series_id, series_key, labels, unit, labels_entered)
              SELECT $1, n.series_id, n.series_key, n.labels, n.unit, true", of_texts!());
    /// As a database of 0.1.0 has them, where none are entered.
    INSERT_LABELLED_BEFORE(Uuid, &[Uuid], &[&str], &[&str], &[&str]) -> () =
        sql!("INSERT INTO timedb.series (tenant_id, series_id, series_key, labels, unit)
              SELECT $1, n.series_id, n.series_key, n.labels, n.unit", of_texts!());
}

/// Labels that rows have, by the numbers of their texts.
pub struct Labels {
    texts: Vec<Rc<str>>,
    /// Of each text the first that is equal, and of that the value.
    first: Vec<u32>,
    values: HashMap<u32, Jsonb>,
}

/// What a row names a series by: its key, the number of its labels, and its id where that is said as well.
pub type Address<'a> = (&'a str, u32, Option<Uuid>);

/// What is known by now: each series by its key, as it was sent, and its labels.
pub struct Ids {
    first: Vec<u32>,
    ids: HashMap<u32, HashMap<String, Uuid>>,
}

/// What has been found of series that rows name by key and labels.
pub struct Sought<'a> {
    ids: Ids,
    /// As sent, and what the new series is to be called, with its labels.
    new: Vec<(&'a str, String, u32)>,
    /// Why no series can be called so.
    pub refused: HashMap<&'a str, Refusal>,
}

impl Labels {
    /// Those of these texts, or the number of the first that is too large, and why.
    pub fn of(texts: &[Rc<str>]) -> Result<Labels, (usize, Refusal)> {
        let mut labels = Labels {
            texts: texts.to_vec(),
            first: Vec::with_capacity(texts.len()),
            values: HashMap::new(),
        };
        if texts.is_empty() {
            return Ok(labels);
        }
        let broken = |error: Error| (0, Refusal::new(Kind::BadValue, error.message()));
        for (number, of) in distinct(texts).map_err(broken)?.into_iter().enumerate() {
            check_size(&of).map_err(|refusal| (number, refusal))?;
            labels.first.push(of.first as u32);
            if of.first == number {
                let value = Jsonb::of(&texts[number]).ok_or_else(|| broken(Error::Broken("no labels".into())))?;
                labels.values.insert(number as u32, value);
            }
        }
        Ok(labels)
    }

    /// The id of the series of this key and these labels.
    fn find(&self, tenant: Uuid, key: &str, first: u32) -> Option<Uuid> {
        self.values
            .get(&first)
            .and_then(|labels| series::id_of(tenant, key, *labels))
    }
}

fn check_size(labels: &Distinct) -> Result<(), Refusal> {
    let too_long = |what: &str, most: i64| {
        Err(Refusal::new(
            Kind::TooLong,
            format!("is larger than {most} bytes{what}"),
        ))
    };
    if labels.text_size > LARGEST_LABELS {
        return too_long("", LARGEST_LABELS);
    }
    if labels.stored_size > LARGEST_STORED_LABELS {
        return too_long(" as it is stored", LARGEST_STORED_LABELS);
    }
    Ok(())
}

impl Ids {
    pub fn id(&self, key: &str, labels: u32) -> Option<Uuid> {
        let first = self.first.get(labels as usize)?;
        self.ids.get(first)?.get(key).copied()
    }

    fn keep(&mut self, key: &str, first: u32, id: Uuid) {
        self.ids.entry(first).or_default().insert(key.to_owned(), id);
    }
}

/// Looks for each series once, however many rows name it; what an id names is never made.
pub fn find<'a>(tenant: Uuid, named: impl Iterator<Item = Address<'a>>, labels: &Labels) -> Result<Sought<'a>> {
    let mut sought = Sought {
        ids: Ids {
            first: labels.first.clone(),
            ids: HashMap::new(),
        },
        new: Vec::new(),
        refused: HashMap::new(),
    };
    // By key and labels, whether any row names the series by them alone.
    let mut wanted: BTreeMap<(&str, u32), bool> = BTreeMap::new();
    for (key, number, id) in named {
        let first = labels.first[number as usize];
        *wanted.entry((key, first)).or_default() |= id.is_none();
    }
    for ((key, first), may_be_made) in wanted {
        answer_cancel();
        let normal = in_normal_form(key);
        let found = labels.find(tenant, key, first);
        let found = found.or_else(|| labels.find(tenant, normal.as_deref()?, first));
        match found {
            Some(id) => sought.ids.keep(key, first, id),
            None if may_be_made => match series_key::new(key) {
                Ok(new) => sought.new.push((key, new.into_owned(), first)),
                Err(refusal) => drop(sought.refused.insert(key, refusal)),
            },
            None => {}
        }
    }
    sought.ids.check(tenant)?;
    Ok(sought)
}

impl Ids {
    /// The index is looked into without a policy: what it finds, a statement has to find as well. It does not where the series
    /// has been made since the snapshot of the transaction.
    fn check(&self, tenant: Uuid) -> Result<()> {
        let ids: BTreeSet<Uuid> = self.ids.values().flat_map(HashMap::values).copied().collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        match series::by_id(tenant, &ids)?.len() == ids.len() {
            true => Ok(()),
            false if !is_read_committed() => Err(Error::MadeMeanwhile),
            false => Err(Error::Broken("a series that the tenant does not see".into())),
        }
    }
}

impl Sought<'_> {
    /// The id of one that has been found.
    pub fn id(&self, key: &str, labels: u32) -> Option<Uuid> {
        self.ids.id(key, labels)
    }

    /// Makes those that are new, in these units where one is said of a key as sent and its labels, and has the ids of all.
    pub fn or_make(mut self, tenant: Uuid, labels: &Labels, units: &[(Address, &str)]) -> Result<Ids> {
        if self.new.is_empty() {
            return Ok(self.ids);
        }
        let mut said: HashMap<(&str, u32), &str> = HashMap::new();
        for ((key, number, _), unit) in units {
            said.entry((key, labels.first[*number as usize])).or_insert(unit);
        }
        let mut new: BTreeMap<(&str, u32), Option<&str>> = BTreeMap::new();
        for (sent, key, first) in &self.new {
            let unit = new.entry((key, *first)).or_default();
            *unit = unit.or(said.get(&(*sent, *first)).copied());
        }
        check_series(tenant, new.len())?;
        let of_new: Vec<&str> = new.values().map(|unit| unit.unwrap_or(series::NO_UNIT)).collect();
        let ids: Vec<Uuid> = new.iter().map(|_| clock::new_id()).collect();
        let (keys, texts): (Vec<&str>, Vec<&str>) = new
            .keys()
            .map(|(key, first)| (*key, &*labels.texts[*first as usize]))
            .unzip();
        let are_entered = labels::are_entered();
        let insert = if are_entered {
            &INSERT_LABELLED
        } else {
            &INSERT_LABELLED_BEFORE
        };
        insert.run((tenant, &ids, &keys, &texts, &of_new))?;
        // Somebody else who makes one of them is waited for.
        session::confirm()?;
        for (sent, key, first) in &self.new {
            let id = labels.find(tenant, key, *first);
            let id = id.ok_or_else(|| Error::Broken("a new series is not there".into()))?;
            self.ids.keep(sent, *first, id);
        }
        // Those that somebody else has made, he has entered.
        let known: BTreeSet<Uuid> = self.ids.ids.values().flat_map(HashMap::values).copied().collect();
        let made: Vec<Uuid> = ids.into_iter().filter(|id| known.contains(id)).collect();
        if are_entered {
            labels::enter(tenant, &made)?;
        }
        self.ids.check(tenant)?;
        Ok(self.ids)
    }
}
