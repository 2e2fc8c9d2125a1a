//! `update_series`: what may be said of a series after it was made.

use super::labels;
use super::list_series::{Answered, Listed};
use super::series::{NO_UNIT, other_unit};
use crate::error::{Error, Reported, Result};
use crate::identity::session::{self, Acting};
use crate::pg::datum::id;
use crate::pg::duplicate::unless_duplicate;
use crate::pg::result::Returned;
use crate::pg::statement::statements;
use crate::pg::varlena::Jsonb;
use pgrx::prelude::*;
use std::borrow::Cow;
use timedb_core::blank::unless_blank;
use timedb_core::limits::{LONGEST_DESCRIPTION, LONGEST_SERIES_KEY, LONGEST_UNIT};
use timedb_core::scope::Scope;
use timedb_core::series_key;
use uuid::Uuid;

statements! {
    /// By its index, whatever the planner knows, as `series` has it; held until the transaction ends.
    LOCK(Uuid, Uuid) -> (String, String) =
        c"SELECT s.series_key, s.unit
          FROM timedb.series s
          CROSS JOIN (VALUES (1), (2)) AS twice
          WHERE s.tenant_id = $1 AND s.series_id BETWEEN $2 AND $2
          ORDER BY s.series_id
          LIMIT 1
          FOR NO KEY UPDATE OF s";
    /// Another series of this key and these labels, or the labels that the one has.
    NAMESAKE(Uuid, Uuid, &str, Option<Jsonb>) -> (Uuid,) =
        c"SELECT o.series_id
          FROM timedb.series o
          WHERE o.tenant_id = $1 AND o.series_key = $3 AND o.series_id <> $2
            AND o.labels = coalesce($4, (SELECT s.labels FROM timedb.series s WHERE s.tenant_id = $1 AND s.series_id = $2))";
    /// Nothing is inserted: in conflict with what is locked, a row finds it by its index. New labels are entered next.
    CHANGE(Uuid, Uuid, &str, &str, bool, Option<&str>, Option<Jsonb>) -> () =
        c"INSERT INTO timedb.series (tenant_id, series_id, series_key, unit, description, labels, labels_entered)
          VALUES ($1, $2, $3, $4, $6, coalesce($7, '{}'), true)
          ON CONFLICT (tenant_id, series_id) DO UPDATE
          SET series_key = excluded.series_key, unit = excluded.unit,
              description = CASE WHEN $5 THEN excluded.description ELSE series.description END,
              labels = CASE WHEN $7 IS NULL THEN series.labels ELSE excluded.labels END,
              labels_entered = series.labels_entered OR $7 IS NOT NULL";
    CHANGED(Uuid, Uuid) -> Listed =
        c"SELECT s.series_id, s.series_key, s.unit, s.description, s.labels, s.inserted_at
          FROM timedb.series s
          CROSS JOIN (VALUES (1), (2)) AS twice
          WHERE s.tenant_id = $1 AND s.series_id BETWEEN $2 AND $2
          ORDER BY s.series_id
          LIMIT 1";
}

/// What is to be said of the series; none leaves it as it is.
struct Change<'a> {
    key: Option<&'a str>,
    unit: Option<&'a str>,
    /// A blank one takes away the description there is.
    description: Option<&'a str>,
    labels: Option<Jsonb>,
}

#[pg_extern(sql = false)]
fn update_series(
    series_id: Option<pgrx::Uuid>,
    new_key: Option<&str>,
    unit: Option<&str>,
    description: Option<&str>,
    labels: Option<Jsonb>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Reported<Returned> {
    let acting = Acting::with(Scope::Write)?;
    let series = series_id.map(id).ok_or(Error::NullArgument("series_id"))?;
    let change = Change {
        key: new_key,
        unit: unless_blank(unit),
        description,
        labels: labels::checked(labels)?,
    };
    change.check()?;
    change.make(acting.tenant, series)?;
    Ok(answer(acting.tenant, series, fcinfo)?)
}

impl Change<'_> {
    fn check(&self) -> Result<()> {
        if self.key.is_some_and(|key| key.trim().is_empty()) {
            return Err(Error::bad("new_key", "is blank"));
        }
        Error::if_longer("new_key", self.key.unwrap_or_default(), LONGEST_SERIES_KEY)?;
        Error::if_longer("unit", self.unit.unwrap_or_default(), LONGEST_UNIT)?;
        Error::if_longer("description", self.description.unwrap_or_default(), LONGEST_DESCRIPTION)
    }

    /// Under the series' lock, so that nobody changes what is looked at meanwhile.
    fn make(&self, tenant: Uuid, series: Uuid) -> Result<()> {
        let found = LOCK.read_fresh((tenant, series))?.pop();
        session::confirm()?;
        let (key, unit) = found.ok_or_else(|| Error::absent_id("series", series))?;
        let new_key = self.new_key(&key)?;
        let new_unit = match self.unit {
            Some(new) if new != unit && unit != NO_UNIT => return Err(other_unit(new, &key, &unit)),
            Some(new) => new,
            None => &unit,
        };
        if let Some((other,)) = NAMESAKE.read_fresh((tenant, series, &new_key, self.labels))?.pop() {
            let key = new_key.into_owned();
            return Err(Error::SeriesTaken {
                key,
                other: Some(other),
            });
        }
        let description = unless_blank(self.description);
        let is_described = self.description.is_some();
        let row = (
            tenant,
            series,
            &*new_key,
            new_unit,
            is_described,
            description,
            self.labels,
        );
        // Who has made or renamed one meanwhile is seen by nobody who looks, but waited for.
        unless_duplicate(
            || CHANGE.run(row),
            || Error::SeriesTaken {
                key: new_key.to_string(),
                other: None,
            },
        )?;
        session::confirm()?;
        match self.labels {
            Some(_) => labels::enter(tenant, &[series]),
            None => Ok(()),
        }
    }

    /// What it is to be called; a key that it has stays, whether or not a new series could have it.
    fn new_key<'k>(&'k self, key: &'k str) -> Result<Cow<'k, str>> {
        match self.key {
            Some(new) if new != key => series_key::new(new).map_err(|refusal| Error::BadArgument {
                argument: "new_key",
                reason: refusal.reason,
                hint: refusal.hint,
            }),
            _ => Ok(Cow::Borrowed(key)),
        }
    }
}

fn answer(tenant: Uuid, series: Uuid, fcinfo: pg_sys::FunctionCallInfo) -> Result<Returned> {
    let mut answer = None;
    CHANGED.stream_fresh((tenant, series), |(id, key, unit, description, labels, inserted_at)| {
        let row = (id, &*key, &*unit, description.as_deref(), labels, inserted_at);
        answer = Some(Returned::row::<Answered>(fcinfo, row)?);
        Ok(())
    })?;
    answer.ok_or_else(|| Error::Broken("a series that was changed is not there".into()))
}
